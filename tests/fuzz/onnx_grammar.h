/* SPDX-License-Identifier: Apache-2.0
 * The operators that fuzz_onnx_graph.c writes nodes of, with what they take.
 *
 * inputs, one letter each; small letters may be left out, "+" repeats the last up to three times more:
 *   T tensor of the node's type   Z number of that type        F float32      L row of float32, as wide as tensors are
 *   I list of int64               S one int64                  X indices      B bool      U int8 or uint8    N int32
 *   Q one float32 that is not 0   V one int8 or uint8          H small matrix of float32
 * outputs: T as input 0, B bool, I int64, F float32, U uint8, N int32, C what attribute "to" says
 * attributes, "name:kind": a axis, b 0 or 1, n number, t type, f float, A axes, P permutation, or one of `words` */
#ifndef MINNOW_TESTS_FUZZ_ONNX_GRAMMAR_H
#define MINNOW_TESTS_FUZZ_ONNX_GRAMMAR_H

typedef struct grammar_rule {
    const char *domain, *op, *inputs, *outputs, *attributes;
} grammar_rule;

#define MICROSOFT "com.microsoft"

static const grammar_rule grammar[] = {
    {"", "Abs", "T", "T", ""}, {"", "Acos", "T", "T", ""}, {"", "Add", "TT", "T", ""}, {"", "And", "BB", "B", ""},
    {"", "ArgMax", "T", "I", "axis:a keepdims:b select_last_index:b"}, {"", "ArgMin", "T", "I", "axis:a keepdims:b"},
    {"", "Asin", "T", "T", ""}, {"", "Atan", "T", "T", ""}, {"", "BitShift", "TT", "T", "direction:direction"},
    {"", "BitwiseAnd", "TT", "T", ""}, {"", "BitwiseNot", "T", "T", ""}, {"", "BitwiseXor", "TT", "T", ""},
    {"", "Cast", "T", "C", "to:t"}, {"", "CastLike", "TF", "F", ""}, {"", "Ceil", "T", "T", ""},
    {"", "Celu", "T", "T", "alpha:f"}, {"", "Clip", "Tzz", "T", ""}, {"", "Compress", "TB", "T", "axis:a"},
    {"", "Concat", "T+", "T", "axis:a"}, {"", "ConstantOfShape", "I", "F", ""}, {"", "Cos", "T", "T", ""},
    {"", "Cosh", "T", "T", ""}, {"", "CumSum", "TS", "T", "exclusive:b reverse:b"}, {"", "Div", "TT", "T", ""},
    {"", "Dropout", "Tfb", "TB", ""}, {"", "Einsum", "T", "T", "equation:one"},
    {"", "Einsum", "TT", "T", "equation:two"}, {"", "Elu", "T", "T", "alpha:f"}, {"", "Equal", "TT", "B", ""},
    {"", "Erf", "T", "T", ""}, {"", "Exp", "T", "T", ""}, {"", "Expand", "TI", "T", ""},
    {"", "EyeLike", "T", "T", "k:n"}, {"", "Flatten", "T", "T", "axis:a"}, {"", "Floor", "T", "T", ""},
    {"", "Gather", "TX", "T", "axis:a"}, {"", "GatherElements", "TX", "T", "axis:a"},
    {"", "GatherND", "TX", "T", "batch_dims:b"}, {"", "Gelu", "T", "T", "approximate:approximate"},
    {MICROSOFT, "Gelu", "T", "T", ""}, {"", "Gemm", "TTt", "T", "transA:b transB:b alpha:f beta:f"},
    {"", "Greater", "TT", "B", ""}, {"", "GreaterOrEqual", "TT", "B", ""},
    {"", "HardSigmoid", "T", "T", "alpha:f beta:f"}, {"", "HardSwish", "T", "T", ""},
    {"", "Hardmax", "T", "T", "axis:a"}, {"", "Identity", "T", "T", ""},
    {"", "IsInf", "F", "B", "detect_negative:b detect_positive:b"}, {"", "IsNaN", "F", "B", ""},
    {"", "LayerNormalization", "FLl", "FFF", "axis:a epsilon:f"}, {"", "LeakyRelu", "T", "T", "alpha:f"},
    {"", "Less", "TT", "B", ""}, {"", "LessOrEqual", "TT", "B", ""}, {"", "Log", "T", "T", ""},
    {"", "LogSoftmax", "T", "T", "axis:a"}, {"", "LpNormalization", "T", "T", "axis:a p:n"},
    {"", "MatMul", "TT", "T", ""}, {"", "MatMul", "FF", "F", ""}, {"", "MatMul", "FH", "F", ""},
    {"", "Max", "T+", "T", ""}, {"", "Mean", "T+", "T", ""}, {"", "MeanVarianceNormalization", "T", "T", "axes:A"},
    {"", "Min", "T+", "T", ""}, {"", "Mish", "T", "T", ""}, {"", "Mod", "TT", "T", "fmod:b"},
    {"", "Mul", "TT", "T", ""},
    {"", "Neg", "T", "T", ""}, {"", "NonZero", "T", "I", ""}, {"", "Not", "B", "B", ""},
    {"", "OneHot", "XSI", "I", "axis:a"}, {"", "Or", "BB", "B", ""}, {"", "PRelu", "TT", "T", ""},
    {"", "Pad", "TIz", "T", "mode:mode"}, {"", "Pad", "TIzi", "T", "mode:mode"}, {"", "Pow", "TF", "T", ""},
    {"", "RMSNormalization", "FL", "F", "axis:a epsilon:f"}, {"", "Range", "SSS", "I", ""},
    {"", "Reciprocal", "T", "T", ""}, {"", "ReduceL1", "Ti", "T", "keepdims:b axes:A"},
    {"", "ReduceL2", "Ti", "T", "keepdims:b axes:A"}, {"", "ReduceLogSum", "Ti", "T", "keepdims:b axes:A"},
    {"", "ReduceLogSumExp", "Ti", "T", "keepdims:b axes:A"}, {"", "ReduceMax", "Ti", "T", "keepdims:b axes:A"},
    {"", "ReduceMean", "Ti", "T", "keepdims:b axes:A noop_with_empty_axes:b"},
    {"", "ReduceMin", "Ti", "T", "keepdims:b axes:A"}, {"", "ReduceProd", "Ti", "T", "keepdims:b axes:A"},
    {"", "ReduceSum", "Ti", "T", "keepdims:b noop_with_empty_axes:b"}, {"", "ReduceSumSquare", "Ti", "T", "axes:A"},
    {"", "Relu", "T", "T", ""}, {"", "Reshape", "TI", "T", "allowzero:b"}, {"", "Reshape", "TI", "T", ""},
    {"", "ReverseSequence", "TX", "T", "time_axis:b batch_axis:b"}, {"", "Round", "T", "T", ""},
    {"", "ScatterElements", "TXT", "T", "axis:a reduction:reduction"},
    {"", "ScatterND", "TXT", "T", "reduction:reduction"},
    {"", "Selu", "T", "T", ""}, {"", "Shape", "T", "I", "start:a end:a"}, {"", "Shrink", "T", "T", "lambd:f bias:f"},
    {"", "Sigmoid", "T", "T", ""}, {"", "Sign", "T", "T", ""}, {"", "Sin", "T", "T", ""}, {"", "Size", "T", "I", ""},
    {"", "Slice", "TII", "T", ""}, {"", "Slice", "TIIii", "T", ""}, {"", "Softmax", "T", "T", "axis:a"},
    {"", "Softplus", "T", "T", ""}, {"", "Softsign", "T", "T", ""}, {"", "Split", "T", "TT", "axis:a num_outputs:n"},
    {"", "Split", "Ti", "TTT", "axis:a split:A"}, {"", "Sqrt", "T", "T", ""}, {"", "Squeeze", "Ti", "T", "axes:A"},
    {"", "Sub", "TT", "T", ""}, {"", "Sum", "T+", "T", ""}, {"", "Tan", "T", "T", ""}, {"", "Tanh", "T", "T", ""},
    {"", "ThresholdedRelu", "T", "T", "alpha:f"}, {"", "Tile", "TI", "T", ""},
    {"", "TopK", "TS", "TI", "axis:a largest:b sorted:b"}, {"", "Transpose", "T", "T", "perm:P"},
    {"", "Trilu", "Ts", "T", "upper:b"}, {"", "Unique", "T", "TIII", "axis:a sorted:b"},
    {"", "Unsqueeze", "Ti", "T", "axes:A"}, {"", "Where", "BTT", "T", ""}, {"", "Xor", "BB", "B", ""},
    /* What fusion looks for */
    {"", "MatMul", "FH", "F", ""}, {"", "Add", "FL", "F", ""}, {"", "Add", "LF", "F", ""}, {"", "Mul", "FQ", "F", ""},
    {"", "Div", "FQ", "F", ""}, {"", "Softmax", "F", "F", ""}, {"", "Gelu", "F", "F", ""}, {"", "Add", "FF", "F", ""},
    /* Quantized */
    {"", "QuantizeLinear", "FQv", "U", "axis:a"}, {"", "DequantizeLinear", "UQv", "F", "axis:a"},
    {"", "QuantizeLinear", "FLu", "U", "axis:a"}, {"", "DequantizeLinear", "ULu", "F", "axis:a"},
    {"", "DynamicQuantizeLinear", "F", "UFU", ""}, {"", "MatMulInteger", "UUvv", "N", ""},
    {"", "QLinearMatMul", "UQVUQVQV", "U", ""},
    {MICROSOFT, "DynamicQuantizeMatMul", "FUQvl", "F", ""}, {MICROSOFT, "MatMulIntegerToFloat", "UUQQvvl", "F", ""},
    {MICROSOFT, "QLinearAdd", "UQVUQVQV", "U", ""},
    /* Fused */
    {MICROSOFT, "BiasGelu", "FL", "F", ""}, {MICROSOFT, "FastGelu", "Fl", "F", ""},
    {MICROSOFT, "QuickGelu", "F", "F", "alpha:f"}, {MICROSOFT, "FusedMatMul", "FF", "F", "transA:b transB:b alpha:f"},
    {MICROSOFT, "SkipLayerNormalization", "FFLll", "FFFF", "epsilon:f"},
    {MICROSOFT, "SkipSimplifiedLayerNormalization", "FFLl", "FFFF", "epsilon:f"},
    {"", "SimplifiedLayerNormalization", "FL", "FF", "axis:a epsilon:f"},
    {MICROSOFT, "Attention", "FHln", "F", "num_heads:n unidirectional:b scale:f mask_filter_value:f"},
    {MICROSOFT, "MultiHeadAttention", "FFFln", "F", "num_heads:n scale:f unidirectional:b"},
    {MICROSOFT, "QAttention", "UUQQlnvv", "F", "num_heads:n"},
    {MICROSOFT, "EmbedLayerNormalization", "NnHhhLl", "FNF", "epsilon:f"},
    {MICROSOFT, "RotaryEmbedding", "FXHH", "F", "interleaved:b num_heads:n"},
    {"", "RotaryEmbedding", "FHHx", "F", "interleaved:b num_heads:n rotary_embedding_dim:n"},
    {"", "Attention", "FFFf", "F", "q_num_heads:n kv_num_heads:n is_causal:b scale:f softcap:f"},
};

typedef struct grammar_words {
    const char *kind;
    const char *words[8];
} grammar_words;

static const grammar_words words[] = {
    {"direction", {"LEFT", "RIGHT"}},
    {"mode", {"constant", "reflect", "edge", "wrap"}},
    {"reduction", {"none", "add", "mul", "min", "max"}},
    {"approximate", {"none", "tanh"}},
    {"one", {"ij->ji", "ii->i", "...i->...", "abc->", "ijk->kji", "ij"}},
    {"two", {"ij,jk->ik", "bij,bjk->bik", "...ij,...jk->...ik", "bhid,bhjd->bhij", "ab,ab->", "abc,adc->bd", "i,j"}},
};

#endif
