#!/usr/bin/env python3
# Minnow - SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/onnx/bert_minnow_qdq.{onnx,json}: what `minnow quantize --to onnx` makes of the small random BERT,
and what onnxruntime makes of that.

usage: make_qdq_golden.py [MINNOW]      needs numpy, onnx, onnxruntime; run from the repository's root
The recipe is that of tests/cli/cases/quantize_onnx.sh, which holds the program to these bytes.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime

GOLDEN = pathlib.Path("tests/golden")
NAME = "bert_minnow_qdq"
TEXTS = "hello world\nthe cafe\nhow do i reset my password\n"
ROWS = [[[2, 14, 15, 3]], [[2, 3]], [[2, 5, 6, 7, 8, 9, 10, 11, 12, 3], [2, 20, 21, 3, 0, 0, 0, 0, 0, 0]]]


def quantize(minnow, folder):
    source = folder / "tiny"
    shutil.copytree(GOLDEN / "tiny-bert/gelu-f32", source)
    shutil.copy("tests/cli/data/vocab.txt", source)
    (folder / "texts").write_text(TEXTS)
    made = folder / "made.onnx"
    subprocess.run([minnow, "quantize", "--model", source, "--texts", folder / "texts", "--rounding", "nearest",
                    "-o", made], check=True, stdout=subprocess.DEVNULL)
    shutil.copy(made, GOLDEN / f"onnx/{NAME}.onnx")


def cases(session):
    for rows in ROWS:
        ids = numpy.array(rows, numpy.int64)
        for type_id in (0, 1):
            feeds = {"input_ids": ids, "attention_mask": (ids != 0).astype(numpy.int64),
                     "token_type_ids": numpy.full_like(ids, type_id)}
            hidden = session.run(["last_hidden_state"], feeds)[0]
            yield {"inputs": {name: feed.tolist() for name, feed in feeds.items()},
                   "outputs": {"last_hidden_state": numpy.round(hidden.astype(numpy.float64), 7).tolist()}}


def main():
    minnow = sys.argv[1] if len(sys.argv) > 1 else "build/minnow"
    with tempfile.TemporaryDirectory() as folder:
        quantize(minnow, pathlib.Path(folder))
    path = GOLDEN / f"onnx/{NAME}.onnx"
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    golden = {"model": path.name, "made_by": f"onnxruntime {onnxruntime.__version__}", "tolerance_abs": 0.02,
              "cases": list(cases(session))}
    path.with_suffix(".json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
