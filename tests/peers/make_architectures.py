#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/onnx: small random encoders of many architectures, by PyTorch's two exporters. usage: make_architectures.py [FOLDER [NAME...]]

With transformers' classes, except one in the form of NomicBERT and GTE (rotary positions, fused QKV, SwiGLU), which have their code on the Hub."""
import contextlib
import io
import logging
import pathlib
import sys
import warnings

import torch
import transformers
from golden_onnx import write
from torch import nn

VOCABULARY, HIDDEN, LAYERS, HEADS, INNER, POSITIONS = 24, 16, 2, 2, 24, 16
SIZES = dict(vocab_size=VOCABULARY, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=INNER,
             max_position_embeddings=POSITIONS, pad_token_id=1)
T5 = dict(d_model=HIDDEN, d_kv=8, d_ff=INNER, num_layers=LAYERS, num_heads=HEADS, relative_attention_num_buckets=8, feed_forward_proj="gated-gelu")
DEBERTA = dict(num_hidden_layers=1, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=4, norm_rel_ebd="layer_norm",
               share_att_key=True, position_biased_input=False, type_vocab_size=0)
MODERN = dict(num_hidden_layers=3, local_attention=4, global_attn_every_n_layers=2, bos_token_id=0, eos_token_id=2, cls_token_id=0, sep_token_id=2,
              reference_compile=False)
DECODER = dict(num_key_value_heads=1, head_dim=8, use_cache=False)
CLIP = dict(projection_dim=12, bos_token_id=21, eos_token_id=23)
MODELS = {  # name of transformers' config and model: options
    "roberta": ("RobertaConfig", "RobertaModel", {}),
    "mpnet": ("MPNetConfig", "MPNetModel", {}),
    "electra": ("ElectraConfig", "ElectraModel", dict(embedding_size=8)),
    "albert": ("AlbertConfig", "AlbertModel", dict(embedding_size=8)),
    "deberta2": ("DebertaV2Config", "DebertaV2Model", DEBERTA),
    "modernbert": ("ModernBertConfig", "ModernBertModel", MODERN),
    "t5": ("T5Config", "T5EncoderModel", T5),
    "clip": ("CLIPTextConfig", "CLIPTextModelWithProjection", CLIP),
    "squeezebert": ("SqueezeBertConfig", "SqueezeBertModel", dict(embedding_size=HIDDEN)),
    "qwen3": ("Qwen3Config", "Qwen3Model", DECODER),
    "bert": ("BertConfig", "BertModel", {}),
}
# file: model, dynamo, opset, and what else differs
EXPORTS = {
    "roberta_ts14": ("roberta", False, 14, {}),
    "mpnet_ts17_mean": ("mpnet", False, 17, dict(head="mean")),
    "electra_ts17": ("electra", False, 17, dict(types=True)),
    "albert_ts14": ("albert", False, 14, dict(types=True)),
    "deberta2_ts17": ("deberta2", False, 17, {}),
    "deberta2_dynamo20": ("deberta2", True, 20, {}),
    "modernbert_ts17_cls": ("modernbert", False, 17, dict(head="cls", attention="sdpa")),
    "modernbert_dynamo20": ("modernbert", True, 20, {}),
    "nomic_dynamo18": ("nomic", True, 18, dict(types=True)),
    "t5_ts14": ("t5", False, 14, {}),
    "t5_dynamo18": ("t5", True, 18, {}),
    "clip_ts17": ("clip", False, 17, {}),
    "squeezebert_ts14": ("squeezebert", False, 14, dict(types=True)),
    "qwen3_dynamo20_last": ("qwen3", True, 20, dict(head="last", attention="sdpa")),
    "bert_dynamo23": ("bert", True, 23, dict(types=True, attention="sdpa")),
    "bert_ts17_half": ("bert", False, 17, dict(half=True)),
    "bert_ts14_int32": ("bert", False, 14, dict(types=True, int32=True, head="max")),
}


class Nomic(nn.Module):
    """Norms behind the blocks, one matrix for queries, keys and values, rotary positions, SwiGLU."""

    def __init__(self):
        super().__init__()
        linear = lambda rows, columns: nn.ModuleList(nn.Linear(rows, columns, bias=False) for _ in range(LAYERS))
        self.words, self.types, self.norm = nn.Embedding(VOCABULARY, HIDDEN), nn.Embedding(2, HIDDEN), nn.LayerNorm(HIDDEN)
        self.qkv, self.output, self.up, self.down = linear(HIDDEN, 3 * HIDDEN), linear(HIDDEN, HIDDEN), linear(HIDDEN, 2 * INNER), linear(INNER, HIDDEN)
        self.norm1, self.norm2 = (nn.ModuleList(nn.LayerNorm(HIDDEN) for _ in range(LAYERS)) for _ in range(2))
        self.register_buffer("frequencies", 1000.0 ** -(torch.arange(0, HIDDEN // HEADS, 2) / (HIDDEN // HEADS)))

    def forward(self, input_ids, attention_mask, token_type_ids, return_dict):
        batch, tokens = input_ids.shape
        angles = torch.einsum("i,j->ij", torch.arange(tokens, dtype=torch.float32), self.frequencies).repeat(1, 2)[None, :, None]

        def rotate(x):
            a, b = x.chunk(2, -1)
            return x * angles.cos() + torch.cat((-b, a), -1) * angles.sin()
        x = self.norm(self.words(input_ids) + self.types(token_type_ids))
        mask = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * torch.finfo(x.dtype).min
        for i in range(LAYERS):
            q, k, v = self.qkv[i](x).view(batch, tokens, 3, HEADS, HIDDEN // HEADS).unbind(2)
            scores = torch.einsum("bnhd,bmhd->bhnm", rotate(q), rotate(k)) / (HIDDEN // HEADS) ** 0.5 + mask
            x = self.norm1[i](x + self.output[i](torch.einsum("bhnm,bmhd->bnhd", scores.softmax(-1), v).flatten(2)))
            gate, up = self.up[i](x).chunk(2, -1)
            x = self.norm2[i](x + self.down[i](nn.functional.silu(gate) * up))
        return transformers.modeling_outputs.BaseModelOutput(last_hidden_state=x)


def make_model(name, attention):
    torch.manual_seed(20)
    if name == "nomic":
        model = Nomic()
    else:
        config, kind, options = MODELS[name]
        config = getattr(transformers, config)(**{**SIZES, **options})
        config._attn_implementation = attention
        model = getattr(transformers, kind)(config)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn_like(p) * 0.3 if p.dim() > 1 else p + torch.randn_like(p) * 0.1)
    return model.eval()


class Whole(nn.Module):
    """Encoder and, as sentence-transformers have it in one graph, pooling and normalization."""

    def __init__(self, model, types=False, head=None):
        super().__init__()
        self.model, self.types, self.head = model, types, head

    def forward(self, input_ids, attention_mask, token_type_ids=None):
        out = self.model(input_ids, attention_mask=attention_mask, return_dict=True, **({"token_type_ids": token_type_ids} if self.types else {}))
        if hasattr(out, "text_embeds"):
            return out.text_embeds
        x = out.last_hidden_state.float()
        if self.head is None:
            return x
        kept = attention_mask.unsqueeze(-1).expand(x.size()).float()
        pooled = {"mean": lambda: (x * kept).sum(1) / kept.sum(1).clamp(min=1e-9), "cls": lambda: x[:, 0],
                  "max": lambda: x.masked_fill(kept == 0, -1e9).max(1)[0],
                  "last": lambda: x[torch.arange(x.shape[0]), attention_mask.sum(1) - 1]}[self.head]()
        return x, nn.functional.normalize(pooled, p=2, dim=1)


def export(path, name, dynamo, opset, types=False, head=None, half=False, int32=False, attention="eager"):
    whole = Whole(make_model(name, attention), types, head).eval()
    whole = whole.half() if half else whole
    integer = torch.int32 if int32 else torch.int64
    arguments = (torch.randint(3, VOCABULARY - 2, (2, 7), dtype=integer), torch.ones(2, 7, dtype=integer)) + (torch.zeros(2, 7, dtype=integer),) * types
    inputs = ["input_ids", "attention_mask", "token_type_ids"][:2 + types]
    outputs = ["text_embeds"] if name == "clip" else ["last_hidden_state"] + ["sentence_embedding"] * (head is not None)
    if dynamo:
        axes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
        options = dict(dynamic_shapes=tuple(axes for _ in inputs), external_data=False, verbose=False)
    else:
        options = dict(dynamic_axes={n: {0: "batch", 1: "sequence"} for n in inputs + ["last_hidden_state"] * (name != "clip")})
    with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(whole, arguments, str(path), dynamo=dynamo, opset_version=opset, input_names=inputs, output_names=outputs, **options)
    return write(path, VOCABULARY, relative=1e-2 if half else 1e-5)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "golden" / "onnx")
    for file in sys.argv[2:] or EXPORTS:
        name, dynamo, opset, options = EXPORTS[file]
        print(file, *export(root / f"{file}.onnx", name, dynamo, opset, **options), flush=True)
