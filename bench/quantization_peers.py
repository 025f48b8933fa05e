#!/usr/bin/env python3
# Minnow - SPDX-License-Identifier: Apache-2.0
"""The peers' own INT8, for bench/bench_native.py and bench/quantization_table.py, which starts this as a process of its
own to see its memory.

usage: quantization_peers.py quantize HOW MODEL.onnx TOKENIZER.json TEXTS.txt SAMPLES TOKENS OUT.onnx
       quantization_peers.py encode MODEL.onnx TOKENIZER.json TEXTS.jsonl MAX_TOKENS OUT_FOLDER

HOW: minmax, entropy, percentile (quantize_static: QDQ, weights per channel, MatMul only, u8 activations) or dynamic
(quantize_dynamic), all onnxruntime's; or nncf, OpenVINO's for transformers, OUT.xml with a .bin beside it.
onnxruntime's calibrators need texts of one length: they are padded or cut to TOKENS, the mask says which are real; nncf
cuts only. TEXTS.jsonl is what `minnow eval --texts` prints; OUT_FOLDER gets TASK.npy, float32, mean-pooled and
normalized, and tokens.json, lengths by task.
Needs numpy, onnx, onnxruntime, tokenizers; nncf and openvino for nncf.
"""
import json
import logging
import os
import sys

import numpy
import onnxruntime
from tokenizers import Tokenizer

BATCH_TOKENS = 8192


def feeds_of(names, rows, length):
    ids = numpy.zeros((len(rows), length), numpy.int64)
    mask = numpy.zeros((len(rows), length), numpy.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    every = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
    return {name: every[name] for name in names}


def tokenizer_of(path, max_tokens):
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def session_of(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


# --- Quantize ------------------------------------------------------------------------------------------------------


def calibration_rows(path, tokenizer, samples):
    """Every text's ids; `samples` texts at an even stride, as `minnow calibrate` takes them."""
    with open(path, encoding="utf-8") as file:
        texts = [line.rstrip("\n") for line in file if line.strip()]
    if 0 < samples < len(texts):
        texts = [texts[i * len(texts) // samples] for i in range(samples)]
    return [each.ids for each in tokenizer.encode_batch(texts)]


def quantize_nncf(model, rows, out):
    import nncf
    import openvino

    read = openvino.Core().read_model(model)
    names = [each.get_any_name() for each in read.inputs]
    dataset = nncf.Dataset([feeds_of(names, [row], len(row)) for row in rows])
    openvino.save_model(nncf.quantize(read, dataset, subset_size=len(rows), model_type=nncf.ModelType.TRANSFORMER), out,
                        compress_to_fp16=False)


def quantize(how, model, tokenizer_path, texts, samples, tokens, out):
    if how == "nncf":
        quantize_nncf(model, calibration_rows(texts, tokenizer_of(tokenizer_path, tokens), samples), out)
        return
    from onnxruntime import quantization

    if how == "dynamic":
        quantization.quantize_dynamic(model, out, op_types_to_quantize=["MatMul"], per_channel=True,
                                      weight_type=quantization.QuantType.QInt8)
        return

    class Reader(quantization.CalibrationDataReader):
        def __init__(self, names, rows):
            self.feeds = (feeds_of(names, [row], tokens) for row in rows)

        def get_next(self):
            return next(self.feeds, None)

    method = {"minmax": quantization.CalibrationMethod.MinMax, "entropy": quantization.CalibrationMethod.Entropy,
              "percentile": quantization.CalibrationMethod.Percentile}[how]
    names = [each.name for each in session_of(model).get_inputs()]
    rows = calibration_rows(texts, tokenizer_of(tokenizer_path, tokens), samples)
    quantization.quantize_static(model, out, Reader(names, rows), quant_format=quantization.QuantFormat.QDQ,
                                 per_channel=True, op_types_to_quantize=["MatMul"], calibrate_method=method,
                                 activation_type=quantization.QuantType.QUInt8,
                                 weight_type=quantization.QuantType.QInt8)


# --- Encode --------------------------------------------------------------------------------------------------------


def texts_by_task(path):
    tasks = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            each = json.loads(line)
            tasks.setdefault(each["task"], []).append(each["text"])
    return tasks


def encode_task(session, tokenizer, texts):
    """Vectors in the order of the texts, and their lengths; texts of like length share a batch."""
    names = [each.name for each in session.get_inputs()]
    rows = [each.ids for each in tokenizer.encode_batch(texts)]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    vectors, first = [None] * len(rows), 0
    while first < len(order):
        end = first + 1
        while end < len(order) and (end + 1 - first) * len(rows[order[end]]) <= BATCH_TOKENS:
            end += 1
        batch = order[first:end]
        feeds = feeds_of(names, [rows[i] for i in batch], len(rows[batch[-1]]))
        hidden = session.run(None, feeds)[0].astype(numpy.float64)
        mask = feeds["attention_mask"][:, :, None]
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        pooled /= numpy.maximum(numpy.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
        for i, vector in zip(batch, pooled):
            vectors[i] = vector
        first = end
    return numpy.asarray(vectors, numpy.float32), [len(row) for row in rows]


def encode(model, tokenizer_path, texts, max_tokens, folder):
    session, tokenizer, lengths = session_of(model), tokenizer_of(tokenizer_path, max_tokens), {}
    os.makedirs(folder, exist_ok=True)
    for task, of_task in texts_by_task(texts).items():
        vectors, lengths[task] = encode_task(session, tokenizer, of_task)
        numpy.save(os.path.join(folder, task + ".npy"), vectors)
    with open(os.path.join(folder, "tokens.json"), "w", encoding="utf-8") as file:
        json.dump(lengths, file)


def main():
    logging.disable(logging.WARNING)
    arguments = sys.argv[1:]
    if len(arguments) == 8 and arguments[0] == "quantize":
        how, model, tokenizer, texts, samples, tokens, out = arguments[1:]
        quantize(how, model, tokenizer, texts, int(samples), int(tokens), out)
    elif len(arguments) == 6 and arguments[0] == "encode":
        model, tokenizer, texts, max_tokens, folder = arguments[1:]
        encode(model, tokenizer, texts, int(max_tokens), folder)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
