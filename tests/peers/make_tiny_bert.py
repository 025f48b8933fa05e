#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/tiny-bert: small random BERTs with what PyTorch (transformers) says of them. usage: make_tiny_bert.py [FOLDER]

Each folder holds config.json, model.safetensors, the small sentence-transformers files and golden.json: inputs, and float32 outputs."""
import json
import pathlib
import struct
import sys

import numpy as np
import torch
from transformers import BertConfig, BertModel

VARIANTS = {  # name: config, dtype, prefix of tensor names, pooling, normalize, spaces behind the JSON header
    "gelu-f32": (dict(hidden_act="gelu"), "F32", "", "mean_tokens", True, None),
    "relu-f16": (dict(hidden_act="relu", type_vocab_size=1, layer_norm_eps=1e-5), "F16", "bert.", "cls_token", True, None),
    "tanh-bf16": (dict(hidden_act="gelu_new", num_attention_heads=2), "BF16", "0.auto_model.", "max_tokens", False, None),
    "unaligned-f32": (dict(hidden_act="gelu_fast", num_hidden_layers=1), "F32", "bert.", "mean_tokens", False, 1),
}
SIZES = dict(vocab_size=40, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20, max_position_embeddings=10,
             type_vocab_size=2, position_embedding_type="absolute")
TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def write_safetensors(path, tensors, dtype, remainder):
    """Like safetensors' own writer; remainder: what the tensors' place leaves when divided by four, None: aligned to eight."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name in sorted(tensors):
        raw = tensors[name].to(TYPES[dtype]).contiguous().view(torch.uint8).numpy().tobytes()
        header[name] = {"dtype": dtype, "shape": list(tensors[name].shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    while len(text) % (8 if remainder is None else 4) != (remainder or 0):
        text += b" "
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def pool(hidden, mask, mode, normalize):
    kept = mask.unsqueeze(-1).float()
    if mode == "cls_token":
        pooled = hidden[:, 0]
    elif mode == "max_tokens":
        pooled = hidden.masked_fill(kept == 0, -1e9).max(1).values
    else:
        pooled = (hidden * kept).sum(1) / kept.sum(1).clamp(min=1e-9)
    return torch.nn.functional.normalize(pooled, p=2, dim=1) if normalize else pooled


def make(folder, config, dtype, prefix, pooling, normalize, remainder):
    config = BertConfig(**{**SIZES, **config}, attn_implementation="eager")
    model = BertModel(config).eval()
    generator = torch.Generator().manual_seed(20)
    state = {}
    for name, value in model.state_dict().items():
        if value.dtype != torch.float32:
            continue
        spread = torch.randn(value.shape, generator=generator)
        state[name] = (spread * 0.3 + (1 if name.endswith("LayerNorm.weight") else 0)).to(TYPES[dtype]).float()
    model.load_state_dict(state, strict=False)
    ids = torch.randint(0, config.vocab_size, (2, 7), generator=generator)
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    types = torch.randint(0, config.type_vocab_size, (2, 7), generator=generator)
    with torch.no_grad():
        hidden = model(ids, attention_mask=mask, token_type_ids=types).last_hidden_state
        pooled = pool(hidden, mask, pooling, normalize)
    folder.mkdir(parents=True, exist_ok=True)
    stored = {prefix + name: value for name, value in state.items() if "pooler" not in name}
    write_safetensors(folder / "model.safetensors", stored, dtype, remainder)
    keys = list(SIZES) + ["hidden_act", "layer_norm_eps"]
    settings = {"model_type": "bert", "architectures": ["BertModel"], **{**SIZES, **{k: getattr(config, k) for k in keys if hasattr(config, k)}}}
    (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
    modes = {f"pooling_mode_{mode}": mode == pooling for mode in ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")}
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": config.hidden_size, **modes}) + "\n")
    kinds = ["Transformer", "Pooling"] + ["Normalize"] * normalize
    modules = [{"idx": i, "name": str(i), "path": f"{i}_{kind}" if i else "", "type": f"sentence_transformers.models.{kind}"}
               for i, kind in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps(modules, indent=1) + "\n")
    numbers = lambda t: [float(np.float32(x)) for x in t.flatten().tolist()]
    golden = {"made_by": "tests/peers/make_tiny_bert.py", "tolerance": 2e-5, "shape": [2, 7, config.hidden_size],
              "input_ids": ids.flatten().tolist(), "attention_mask": mask.flatten().tolist(), "token_type_ids": types.flatten().tolist(),
              "last_hidden_state": numbers(hidden), "sentence_embedding": numbers(pooled)}
    (folder / "golden.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "golden" / "tiny-bert")
    for name, variant in VARIANTS.items():
        make(root / name, *variant)
    print(f"{root}: {len(VARIANTS)} models, {sum(p.stat().st_size for p in root.rglob('*') if p.is_file())} bytes")
