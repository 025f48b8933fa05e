#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/contrib.json: com.microsoft's fused operators and ai.onnx's Attention and RotaryEmbedding, one node a
case, with onnxruntime's outputs, or what the refusal of a bad one says. Needs numpy, onnx, onnxruntime.

usage: make_contrib_golden.py"""
import json
import pathlib

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "int32": TensorProto.INT32,
         "int64": TensorProto.INT64, "bool": TensorProto.BOOL}
CASES = []
RNG = np.random.default_rng(3)


def floats(*shape):
    return np.round(RNG.standard_normal(shape), 2).astype(np.float32)


def ints(*values, of=np.int32):
    return np.array(values, of)


def spelt(array, n=None):
    """With its first n elements, which repeat."""
    if array is None:
        return None
    data = array.reshape(-1).tolist()[:n]
    if array.dtype.kind == "f":
        data = [float("%.6g" % x) for x in data]
    return {"type": str(array.dtype), "shape": list(array.shape), "data": data}


def run(op, domain, opset, inputs, outputs, attributes):
    names = ["" if x is None else f"i{k}" for k, x in enumerate(inputs)]
    kind = TYPES[str(inputs[0].dtype if inputs[0].dtype.kind == "f" else np.dtype("float32"))]
    node = helper.make_node(op, names, [f"o{k}" if wanted else "" for k, wanted in enumerate(outputs)], domain=domain,
                            **attributes)
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info(f"i{k}", TYPES[str(x.dtype)], x.shape) for k, x in enumerate(inputs) if x is not None],
        [helper.make_tensor_value_info(f"o{k}", TensorProto.INT32 if op == "EmbedLayerNormalization" and k == 1 else kind,
                                       None) for k, wanted in enumerate(outputs) if wanted])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)],
                              ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results = iter(session.run(None, {f"i{k}": x for k, x in enumerate(inputs) if x is not None}))
    return [next(results) if wanted else None for wanted in outputs]


def case(name, op, inputs, outputs=(1,), domain="com.microsoft", opset=17, constants=(), same_as=None, refused=None,
         **attributes):
    """same_as: inputs of a case with the same result that onnxruntime runs, where it does not run this one."""
    entry = {"name": name, "op": op, "domain": domain, "opset": 1 if domain else opset, "attributes": attributes,
             "inputs": [spelt(x, 8 if refused else None) for x in inputs], "constants": list(constants)}
    if refused:
        entry["refused"] = refused
        entry["n_outputs"] = len(outputs)
    else:
        results = run(op, domain, opset, same_as or inputs, outputs, attributes)
        is_half = any(x is not None and x.dtype == np.float16 for x in inputs)
        entry["outputs"] = [spelt(x.astype(np.float16) if is_half and x is not None and x.dtype == np.float32 else x)
                            for x in results]
    CASES.append(entry)


B, S, L, N, H = 2, 3, 4, 2, 4
D = N * H


def attention():
    x, w, b = floats(B, S, D), floats(D, 3 * D) / 4, floats(3 * D)
    padding = ints([1, 1, 1], [1, 1, 0])
    heads = {"num_heads": N}

    def one(name, *more, weights=w, bias=b, rows=x, **settings):
        case("attention " + name, "Attention", [rows, weights, bias, *more], **{**heads, **settings})

    one("plain")
    one("constant weights", constants=(1, 2))
    one("without bias", bias=None)
    one("lengths", ints(3, 1), constants=(1,))
    one("ends and starts", ints(3, 3, 0, 1))
    one("padding", padding)
    one("mask for each query", ints([[1, 0, 0], [1, 1, 0], [1, 1, 1]], [[1, 0, 1], [1, 1, 0], [0, 1, 1]]))
    one("mask that does nothing", ints([0]))
    one("filter value", padding, mask_filter_value=-2.0)
    one("scale", padding, scale=0.75)
    one("unidirectional", padding, unidirectional=1)
    one("bias of scores", padding, None, floats(B, N, S, S))
    one("bias of scores for all", None, None, floats(1, 1, S, S))
    one("values of another size", padding, weights=floats(D, 4 + 4 + 12) / 4, bias=floats(20), qkv_hidden_sizes=[4, 4, 12])
    half = [v.astype(np.float16) for v in (x, w, b)]
    wide = [v.astype(np.float32) for v in half]
    case("attention float16", "Attention", [*half, padding], constants=(1,), same_as=[*wide, padding], **heads)
    one("heads that do not divide", padding, num_heads=3, refused="3 heads do not divide a hidden size of 8")
    one("no heads", num_heads=0, refused="num_heads is 0, at least 1 needed")
    one("sizes that do not add up", qkv_hidden_sizes=[8, 8, 4], refused="24 columns for q, k and v of 8, 8 and 4")
    one("queries and keys of different sizes", qkv_hidden_sizes=[8, 4, 12], refused="queries of 8 and keys of 4 numbers")
    one("mask of another length", ints([1, 1], [1, 1]), refused="no mask for 2 texts of 3 queries and 3 keys")
    one("lengths of other texts", ints(1, 2, 3), refused="no mask for 2 texts of 3 queries and 3 keys")
    one("mask of rank 4", np.ones((B, 1, S, S), np.int32), refused="a mask of rank 4 is not supported")
    one("mask of floats", floats(B, S), refused="type float32 not supported")
    one("bias of scores of another shape", None, None, floats(B, N, S, S + 1), refused="not [2, 2, 3, 3]")
    one("weights of other rows", weights=floats(D + 1, 3 * D), refused="weights float32[9,24]")
    one("bias of another length", bias=floats(D), refused="bias float32[8] for weights")
    one("past", None, floats(2, B, N, 1, H), refused="past, is not supported; export the encoder without a cache")
    one("present", outputs=(1, 1), refused="present, is not supported")
    one("rows of rank 2", rows=floats(S, D), refused="not [batch, tokens, k] by [k, columns]")


def multi_head():
    q, k, v = floats(B, S, D), floats(B, L, D), floats(B, L, 6)
    bias, padding = floats(D + D + 6), ints([1, 1, 1, 1], [1, 1, 0, 0])

    def one(name, *inputs, **settings):
        case("multi-head " + name, "MultiHeadAttention", list(inputs), **{"num_heads": N, **settings})

    one("plain", q, k, v)
    one("bias", q, k, v, bias)
    one("padding", q, k, v, bias, padding)
    one("lengths", q, k, v, bias, ints(4, 2))
    one("mask for each query", q, k, v, None, ints([[1, 0, 0, 1], [1, 1, 0, 1], [1, 1, 1, 1]], [[1, 0, 1, 0], [1, 1, 0, 0], [0, 1, 1, 0]]))
    one("bias of scores", q, k, v, bias, padding, floats(B, N, S, L))
    one("keys by heads", q, floats(B, N, L, H), floats(B, N, L, H))
    one("unidirectional", q, floats(B, S, D), floats(B, S, D), unidirectional=1)
    one("scale", q, k, v, scale=0.25)
    one("scores", q, k, v, outputs=(1, 0, 0, 1))
    apart = [floats(B, S, D) for _ in range(3)]
    packed = np.stack([t.reshape(B, S, N, H) for t in apart], 3)
    one("packed", packed, same_as=apart)
    bias = floats(3 * D)
    one("packed, bias", packed, None, None, bias, same_as=[*apart, bias])
    pair = np.stack([k.reshape(B, L, N, H), k[::-1].reshape(B, L, N, H)], 3)
    one("packed pair", q, pair, same_as=[q, k, k[::-1].copy()])
    one("heads that do not divide", q, k, v, num_heads=3, refused="which 3 heads of 2 texts do not fit")
    one("keys of other heads", q, floats(B, L, 6), v, refused="queries of 4 and keys of 3 numbers a head")
    one("values of other tokens", q, k, floats(B, S, D), refused="4 keys and 3 values")
    one("other texts", q, k[:1], v, refused="2 texts do not fit")
    one("bias of another length", q, k, v, floats(D), refused="the bias must have 22 elements")
    one("past", q, k, v, None, None, None, floats(B, N, 1, H), floats(B, N, 1, 3), refused="past_key, is not supported")
    one("queries of rank 2", q[0], k, v, refused="queries of rank 2, 3 or 5 needed")


def norms():
    ids, segments = ints([3, 1, 4], [1, 5, 2]), ints([0, 0, 1], [1, 0, 1])
    words, positions, types = floats(6, D), floats(5, D), floats(2, D)
    gamma, beta, mask = floats(D), floats(D), ints([1, 1, 1], [1, 0, 0])
    tables = [words, positions, types, gamma, beta]

    def embed(name, *inputs, **settings):
        case("embed " + name, "EmbedLayerNormalization", list(inputs), **{"outputs": (1, 1), "epsilon": 1e-12, **settings})

    embed("plain", ids, segments, *tables, mask)
    embed("without segments", ids, None, words, positions, None, gamma, beta, mask)
    embed("without mask", ids, segments, *tables)
    embed("sum", ids, segments, *tables, mask, outputs=(1, 1, 1), epsilon=1e-5)
    embed("mask type", ids, segments, *tables, mask, mask_index_type=1)
    embed("positions", ids, segments, *tables, mask, ints([4, 3, 2], [0, 0, 1]))
    embed("positions of one text", ids, segments, *tables, mask, ints([4, 3, 2]))
    embed("constant tables", ids, segments, *tables, mask, constants=(2, 3, 4, 5, 6))
    halves = [t.astype(np.float16) for t in tables]
    embed("float16", ids, segments, *halves, mask, same_as=[ids, segments, *[t.astype(np.float32) for t in halves], mask])
    embed("word outside", ids + 2, segments, *tables, mask, refused="word 6 is outside a table of 6 rows")
    embed("segment outside", ids, segments - 1, *tables, mask, refused="segment -1 is outside a table of 2 rows")
    embed("too long", ids, None, words, floats(2, D), None, gamma, beta, refused="position 2 is outside a table of 2 rows")
    embed("table of other rows", ids, segments, words, floats(5, D + 1), types, gamma, beta, refused="input 3 is float32[5,9]")
    embed("segments alone", ids, segments, words, positions, None, gamma, beta, refused="must both be there")
    embed("mask of another shape", ids, None, words, positions, None, gamma, beta, mask[:1], refused="input 7 is int32[1,3]")
    embed("gamma of another length", ids, None, words, positions, None, floats(3), beta, refused="input 5 must have 8 elements")

    x, skip, bias = floats(B, S, D), floats(B, S, D), floats(D)

    def add(name, *inputs, op="SkipLayerNormalization", **settings):
        case("skip " + name, op, list(inputs), **settings)

    add("plain", x, skip, gamma, beta, bias, epsilon=1e-5)
    add("sum", x, skip, gamma, beta, bias, outputs=(1, 0, 0, 1))
    add("without beta", x, skip, gamma, None, bias)
    add("of one text", x, skip[:1], gamma, beta)
    add("of one text, rank 2", x, skip[0], gamma, beta)
    add("rank 2", x[0], skip[0], gamma, beta)
    add("simplified", x, skip, gamma, bias, op="SkipSimplifiedLayerNormalization", outputs=(1, 0, 0, 1), epsilon=1e-5)
    add("of other rows", x, skip[:, :2], gamma, beta, refused="skip is float32[2,2,8] for rows float32[2,3,8]")
    add("gamma of another length", x, skip, floats(3), beta, refused="gamma is float32[3] for rows of 8")
    add("mean", x, skip, gamma, beta, outputs=(1, 1), refused="a statistic of training, is not supported")
    case("simplified norm", "SimplifiedLayerNormalization", [x, gamma], domain="", axis=-1, epsilon=1e-5)


def activations():
    x, bias = floats(B, S, D) * 2, floats(D)
    case("bias gelu", "BiasGelu", [x, bias])
    case("bias gelu, long rows", "BiasGelu", [floats(1, 300), floats(300)])
    case("fast gelu", "FastGelu", [x, bias])
    case("fast gelu without bias", "FastGelu", [x])
    case("quick gelu", "QuickGelu", [x], alpha=1.3)
    case("gelu", "Gelu", [x])
    case("bias of another length", "BiasGelu", [x, floats(3)], refused="bias float32[3] for rows float32[2,3,8]")


def products():
    a, b = floats(2, 3, 4), floats(2, 4, 5)
    swap = lambda t: t.swapaxes(-1, -2).copy()  # noqa: E731
    case("matmul", "FusedMatMul", [a, b], alpha=0.5)
    case("matmul transA", "FusedMatMul", [swap(a), b], alpha=0.5, transA=1)
    case("matmul transB", "FusedMatMul", [a, swap(b)], alpha=0.5, transB=1)
    case("matmul both", "FusedMatMul", [swap(a), swap(b)], transA=1, transB=1)
    case("matmul constant", "FusedMatMul", [a, floats(5, 4)], transB=1, constants=(1,))
    case("matmul batch A", "FusedMatMul", [floats(3, 2, 4), b], transBatchA=1)
    case("matmul batch A and A", "FusedMatMul", [floats(4, 2, 3), b], transBatchA=1, transA=1)
    case("matmul batch B and B", "FusedMatMul", [a, floats(5, 2, 4)], transBatchB=1, transB=1)
    case("matmul a vector", "FusedMatMul", [floats(4), floats(4, 5)], alpha=3.0)
    case("transpose matmul", "TransposeMatMul", [a, swap(b)], transB=1)
    case("matmul of other columns", "FusedMatMul", [a, b], transB=1, refused="4 columns by 5 rows|float32[2,3,4] times")
    case("matmul batch of a matrix", "FusedMatMul", [floats(3, 4), b], transBatchA=1, refused="needs rank 3 or more")
    for name in ("Relu", "Tanh", "Sigmoid", "Softplus"):
        case("gemm " + name, "FusedGemm", [floats(3, 4), floats(5, 4), floats(5)], transB=1, activation=name)
    case("gemm other", "FusedGemm", [floats(3, 4), floats(4, 5)], activation="Sinh", refused="activation 'Sinh'")


def rotary():
    x, heads = floats(B, S, D), floats(B, N, S, H)
    cos, sin, positions = floats(6, H // 2), floats(6, H // 2), ints([0, 1, 2], [3, 4, 5], of=np.int64)
    case("rotary", "RotaryEmbedding", [x, positions, cos, sin])
    case("rotary interleaved", "RotaryEmbedding", [x, positions, cos, sin], interleaved=1)
    case("rotary from", "RotaryEmbedding", [x, ints(2, of=np.int64), cos, sin])
    case("rotary by heads", "RotaryEmbedding", [heads, positions, cos, sin])
    case("rotary in part", "RotaryEmbedding", [x, positions, cos[:, :1], sin[:, :1]], num_heads=N, rotary_embedding_dim=2)
    case("rotary outside", "RotaryEmbedding", [x, positions + 1, cos, sin], refused="position 6 is outside the 6")
    case("rotary of other columns", "RotaryEmbedding", [x, positions, floats(6, 3), floats(6, 3)], num_heads=N,
         refused="which does not fit 3 cosines")
    standard = {"domain": "", "opset": 23}
    case("standard rotary", "RotaryEmbedding", [heads, cos, sin, positions], **standard)
    case("standard rotary, rank 3", "RotaryEmbedding", [x, cos, sin, positions], num_heads=N, **standard)
    case("standard rotary without positions", "RotaryEmbedding", [x, floats(B, S, 2), floats(B, S, 2)], num_heads=N,
         interleaved=1, **standard)
    case("standard rotary without heads", "RotaryEmbedding", [x, floats(B, 2, 2), floats(B, 2, 2)], num_heads=N,
         refused="cosines float32[2,2,2] for x", **standard)


def standard_attention():
    q, k, v = floats(B, 4, S, H), floats(B, 2, L, H), floats(B, 2, L, 3)
    one = lambda name, *inputs, **settings: case(  # noqa: E731
        "standard attention " + name, "Attention", list(inputs), **{"domain": "", "opset": 23, **settings})
    one("shared keys", q, k, v)
    one("rank 3", floats(B, S, D), floats(B, L, D), floats(B, L, 6), q_num_heads=N, kv_num_heads=N)
    one("float mask", q, k, v, floats(S, L))
    one("bool mask", q, k, v, RNG.random((B, 1, S, L)) < 0.7)
    one("nothing but masked", q, k, v, np.array([[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]], bool))
    one("causal", q, k[:, :, :S], v[:, :, :S], is_causal=1)
    one("past", q, k, v, None, floats(B, 2, 2, H), floats(B, 2, 2, 3), outputs=(1, 1, 1))
    for mode in range(4):
        one(f"scores {mode}", q, k, v, floats(S, L), outputs=(1, 0, 0, 1), softcap=0.75, qk_matmul_output_mode=mode)
    one("heads that do not share", floats(B, 3, S, H), k, v, refused="3 heads of queries do not share 2 of keys")
    one("mask of other keys", q, k, v, floats(S, 3), refused="the mask is float32[3,3]")
    one("half a past", q, k, v, None, floats(B, 2, 2, H), refused="must both be there")
    one("without heads", floats(B, S, D), floats(B, L, D), floats(B, L, 6), refused="q_num_heads|0 heads do not fit")


def main():
    attention()
    multi_head()
    norms()
    activations()
    products()
    rotary()
    standard_attention()
    path = pathlib.Path(__file__).resolve().parent.parent / "golden" / "contrib.json"
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in CASES)
    path.write_text('{"made_by":"onnxruntime %s","tolerance":2e-5,"cases":[\n%s\n]}\n' % (onnxruntime.__version__, lines))
    print(len(CASES), "cases,", path.stat().st_size, "bytes")


main()
