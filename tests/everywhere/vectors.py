#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ids -> vectors by onnxruntime. usage: vectors.py MODEL.onnx < rows.json > {"version", "vectors"}

rows.json: a list of lists of ids. They run as one padded batch. Exit code 77: onnxruntime is not installed.
"""
import json
import sys

try:
    import numpy
    import onnxruntime
except ImportError:
    sys.exit(77)


def main():
    rows = json.load(sys.stdin)
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    ids = numpy.zeros((len(rows), max(map(len, rows))), numpy.int64)
    mask = numpy.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
    hidden = session.run(["last_hidden_state"], feeds)[0].astype(numpy.float64)
    pooled = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
    pooled /= numpy.linalg.norm(pooled, axis=1, keepdims=True)
    json.dump({"version": onnxruntime.__version__, "vectors": pooled.tolist()}, sys.stdout)


if __name__ == "__main__":
    main()
