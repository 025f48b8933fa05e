#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`minnow export` against PyTorch: onnx.checker takes every file, onnxruntime gives transformers' numbers within 2e-5, and
sentence-transformers opens the Hub's layout. usage: test_export.py MINNOW [MODEL_FOLDER]"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
from transformers import AutoTokenizer, BertConfig, BertModel

from make_tiny_bert import TYPES, pool, write_safetensors

TOLERANCE = 2e-5
SENTENCES = ["How do I reset my password?", "I forgot my login.", "The cat sleeps on the sofa.", "x",
             "Neural networks embed sentences of very different lengths into one space. " * 12, "Größe, café, 東京 and more"]
RANDOM = [  # config, dtype, prefix, pooling, normalize, remainder
    (dict(hidden_size=32, num_attention_heads=4, num_hidden_layers=3, intermediate_size=64, hidden_act="gelu"), "F32", "", "mean_tokens", True, None),
    (dict(hidden_size=48, num_attention_heads=12, num_hidden_layers=1, intermediate_size=50, hidden_act="relu"), "F32", "bert.", "cls_token", True, 1),
    (dict(hidden_size=64, num_attention_heads=1, num_hidden_layers=2, intermediate_size=256, hidden_act="gelu_new"), "F16", "", "max_tokens", False, None),
    (dict(hidden_size=40, num_attention_heads=5, num_hidden_layers=2, intermediate_size=80, hidden_act="gelu_pytorch_tanh", type_vocab_size=1),
     "BF16", "bert.", "mean_tokens", False, 2),
    (dict(hidden_size=36, num_attention_heads=3, num_hidden_layers=4, intermediate_size=24, hidden_act="gelu_fast", layer_norm_eps=1e-3),
     "F32", "0.auto_model.", "cls_token", False, 3),
    (dict(hidden_size=384, num_attention_heads=12, num_hidden_layers=2, intermediate_size=1536, hidden_act="gelu", vocab_size=2000), "F16", "bert.",
     "mean_tokens", True, None),
]
minnow = sys.argv[1]
failures = 0


def report(name, worst, tolerance=TOLERANCE):
    global failures
    ok = bool(worst <= tolerance)
    failures += not ok
    print(f"{'ok  ' if ok else 'FAIL'} {name}: largest difference {worst:.3g} (at most {tolerance:g})", flush=True)


def export(folder, out, *options):
    subprocess.run([minnow, "export", folder, "-o", out, *options], check=True, stdout=subprocess.DEVNULL)
    path = pathlib.Path(out)
    path = path / "onnx" / "model.onnx" if path.is_dir() else path
    onnx.checker.check_model(onnx.load(path), full_check=True)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def feeds(ids, mask, types):
    return {"input_ids": ids.numpy(), "attention_mask": mask.numpy(), "token_type_ids": types.numpy()}


def random_model(number, work, config, dtype, prefix, pooling, normalize, remainder):
    config = BertConfig(**{"vocab_size": 101, "max_position_embeddings": 64, **config})
    torch.manual_seed(number)
    model = BertModel(config, add_pooling_layer=False).eval()
    state = {name: (torch.randn_like(value) * 0.1 + name.endswith("LayerNorm.weight")).to(TYPES[dtype]).float()
             for name, value in model.state_dict().items() if value.dtype == torch.float32}
    model.load_state_dict(state, strict=False)
    folder = work / f"random{number}"
    (folder / "1_Pooling").mkdir(parents=True)
    write_safetensors(folder / "model.safetensors", {prefix + k: v for k, v in state.items()}, dtype, remainder)
    config.save_pretrained(folder)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{pooling}": True}))
    kinds = ["Transformer", "Pooling"] + ["Normalize"] * normalize
    (folder / "modules.json").write_text(json.dumps([{"type": f"sentence_transformers.models.{kind}"} for kind in kinds]))
    session = export(folder, work / f"random{number}.out" / "model.onnx", "--pooled")
    worst = 0.0
    for batch, length in ((1, 1), (1, 64), (3, 17), (5, 2)):
        ids = torch.randint(0, config.vocab_size, (batch, length))
        mask = (torch.arange(length)[None] < torch.randint(1, length + 1, (batch, 1))).long()
        types = torch.randint(0, config.type_vocab_size, (batch, length))
        with torch.no_grad():
            hidden = model(ids, attention_mask=mask, token_type_ids=types).last_hidden_state
            wanted = hidden * mask.unsqueeze(-1), pool(hidden, mask, pooling, normalize)  # nobody reads what padding gives
        got = session.run(["last_hidden_state", "sentence_embedding"], feeds(ids, mask, types))
        worst = max(worst, np.abs(got[0] * mask.unsqueeze(-1).numpy() - wanted[0].numpy()).max(), np.abs(got[1] - wanted[1].numpy()).max())
    report(f"random {number} {config.hidden_act} {dtype} '{prefix}' {pooling}", worst)


def real_model(folder, work):
    session = export(folder, f"{work}/hub/", "--pooled")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = BertModel.from_pretrained(folder, attn_implementation="eager").eval()
    batch = tokenizer(SENTENCES, padding=True, truncation=True, max_length=256, return_tensors="pt")
    mask = batch["attention_mask"]
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
        pooled = pool(hidden, mask, "mean_tokens", True)
    got = session.run(["last_hidden_state", "sentence_embedding"], feeds(batch["input_ids"], mask, batch["token_type_ids"]))
    report("real model, tokens", np.abs((got[0] - hidden.numpy()) * mask.unsqueeze(-1).numpy()).max())
    report("real model, sentences", np.abs(got[1] - pooled.numpy()).max())
    return f"{work}/hub", pooled.numpy()


def open_in_sentence_transformers(folder, wanted):
    from sentence_transformers import SentenceTransformer
    opened = SentenceTransformer(folder, backend="onnx", model_kwargs={"file_name": "onnx/model.onnx", "provider": "CPUExecutionProvider"},
                                 local_files_only=True)
    report("sentence-transformers, backend onnx", np.abs(opened.encode(SENTENCES, convert_to_numpy=True) - wanted).max())


def open_in_transformers_js(folder, wanted):
    node_modules = pathlib.Path(__file__).parent.parent.parent / "build" / "peers" / "node_modules" / "@huggingface" / "transformers"
    if not node_modules.is_dir():
        print("skip transformers.js: not installed (tests/peers/run.sh does)")
        return
    script = pathlib.Path(__file__).parent / "embed.mjs"
    done = subprocess.run(["node", script, node_modules.parent.parent.parent, folder], input=json.dumps(SENTENCES), text=True, check=True,
                          stdout=subprocess.PIPE)
    report("transformers.js", np.abs(np.array(json.loads(done.stdout)) - wanted).max())


with tempfile.TemporaryDirectory() as work:
    for number, variant in enumerate(RANDOM):
        random_model(number, pathlib.Path(work), *variant)
    if len(sys.argv) > 2:
        hub, vectors = real_model(sys.argv[2], work)
        open_in_sentence_transformers(hub, vectors)
        open_in_transformers_js(hub, vectors)
sys.exit(failures > 0)
