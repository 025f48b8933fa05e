#!/usr/bin/env python3
# Minnow - SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/minilm_vectors.npy: PyTorch's vectors for tests/golden/minilm_texts.jsonl (mean pooling, L2 norm, cut at 256 tokens).

usage: make_minilm_golden.py [MODEL_FOLDER]     needs torch, transformers, numpy (tests/peers/requirements.txt)
"""
import json
import sys

import numpy
import torch
import transformers

folder = sys.argv[1] if len(sys.argv) > 1 else "models/all-MiniLM-L6-v2"
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
model = transformers.AutoModel.from_pretrained(folder, torch_dtype=torch.float32).eval()
rows = []
with open("tests/golden/minilm_texts.jsonl", encoding="utf-8") as lines, torch.no_grad():
    for line in lines:
        encoded = tokenizer(json.loads(line)["text"], truncation=True, max_length=256, return_tensors="pt")
        tokens = model(**encoded).last_hidden_state[0]
        rows.append(torch.nn.functional.normalize(tokens.mean(0), dim=0).numpy())
numpy.save("tests/golden/minilm_vectors.npy", numpy.stack(rows).astype(numpy.float32))
print(f"{len(rows)} vectors")
