#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/onnx/*_ort_fused*: small encoders of the same folder and of tests/golden/tiny-bert as onnxruntime's
tools write them when they optimize, with onnxruntime's outputs. usage: make_fused_goldens.py [MINNOW]

    bert_ort_fused           onnxruntime.transformers' optimizer: EmbedLayerNormalization, Attention, SkipLayerNormalization, BiasGelu
    distilbert_ort_fused_f16 the same with MultiHeadAttention, weights and sums in float16
    bert_ort_fused_session   a session's own optimized model: FusedMatMul, BiasGelu
    bert_ort_fused_dynamic   quantize_dynamic of the first: QEmbedLayerNormalization, QAttention

Needs onnx, onnxruntime and sympy."""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import quantize_dynamic
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions

TESTS = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = TESTS / "golden" / "onnx"
LENGTHS = [[1], [3, 6], [7, 2, 5]]  # tokens of each text of a case; the rest of a row is padding


def optimize(source, target, multi_head=False, half=False):
    options = FusionOptions("bert")
    options.use_multi_head_attention = multi_head
    model = optimizer.optimize_model(str(source), model_type="bert", num_heads=4, hidden_size=32, opt_level=0,
                                     optimization_options=options)
    if half:
        model.convert_float_to_float16(keep_io_types=True)
    model.save_model_to_file(str(target))


def session(path, save=None):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    if save:
        options.optimized_model_filepath = str(save)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def case(run, lengths, words, rng):
    shape = (len(lengths), max(lengths))
    mask = (np.arange(shape[1])[None] < np.array(lengths)[:, None]).astype(np.int64)
    feeds = {"input_ids": rng.integers(1, words, shape) * mask, "attention_mask": mask,
             "token_type_ids": rng.integers(0, 2, shape) * mask}
    feeds = {i.name: feeds[i.name] for i in run.get_inputs()}
    outputs = dict(zip([o.name for o in run.get_outputs()], run.run(None, feeds)))
    return {"inputs": {k: v.tolist() for k, v in feeds.items()},
            "outputs": {k: np.round(v.astype(np.float64), 6).tolist() for k, v in outputs.items()}}


def write_cases(path, tolerance, words):
    run, rng = session(path), np.random.default_rng(7)
    golden = {"model": path.name, "made_by": f"onnxruntime {onnxruntime.__version__}", "tolerance_abs": tolerance,
              "cases": [case(run, lengths, words, rng) for lengths in LENGTHS]}
    path.with_suffix(".json").write_text(json.dumps(golden) + "\n")
    counts = {}
    for node in onnx.load(path).graph.node:
        counts[node.op_type] = counts.get(node.op_type, 0) + 1
    print(path.name, path.stat().st_size, counts)


def main():
    minnow = sys.argv[1] if len(sys.argv) > 1 else str(TESTS.parent / "build" / "minnow")
    fused = GOLDEN / "bert_ort_fused.onnx"
    optimize(GOLDEN / "bert_ts14.onnx", fused)
    write_cases(fused, 2e-5, 128)
    half = GOLDEN / "distilbert_ort_fused_f16.onnx"
    optimize(GOLDEN / "distilbert_ts14.onnx", half, multi_head=True, half=True)
    write_cases(half, 6e-3, 128)
    dynamic = GOLDEN / "bert_ort_fused_dynamic.onnx"
    quantize_dynamic(str(fused), str(dynamic), extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})
    write_cases(dynamic, 2e-2, 128)
    with tempfile.TemporaryDirectory() as folder:
        exported = pathlib.Path(folder) / "model.onnx"
        subprocess.run([minnow, "export", str(TESTS / "golden/tiny-bert/gelu-f32"), "-o", str(exported)], check=True)
        saved = GOLDEN / "bert_ort_fused_session.onnx"
        session(exported, saved)
        write_cases(saved, 2e-5, 40)


main()
