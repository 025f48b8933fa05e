#!/usr/bin/env python3
# Minnow - SPDX-License-Identifier: Apache-2.0
"""The INT8 file that the browsers' peers get: onnxruntime's dynamic quantization of every operator that it knows, so that
the table of words is 8 bits too and the file as small as a page wants it (bench/quantization_peers.py leaves that table
alone).

usage: quantize_peer.py MODEL.onnx OUT.onnx

Weights are signed 8 bits, one scale a column. Needs onnx and onnxruntime (bench/requirements.txt).
"""
import logging
import sys

from onnxruntime import quantization


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    logging.getLogger().setLevel(logging.ERROR)  # of preprocessing, which changes nothing here
    quantization.quantize_dynamic(sys.argv[1], sys.argv[2], per_channel=True, weight_type=quantization.QuantType.QInt8)


if __name__ == "__main__":
    main()
