/* SPDX-License-Identifier: Apache-2.0
 * Which operators there are, from which opset to which, by domain and name, and what they have in common. An operator
 * is one line here and one function. */
#include "convert/interpret/ops/ops.h"

#include <string.h>

#include "convert/interpret/interpreter_impl.h"
#include "convert/interpret/ops/table.h"

static const op_entry table[] = {
    {"", "Abs", 6, 0, ops_unary, OP_HALF, UNARY_ABS},
    {"", "Acos", 7, 0, ops_function, OP_HALF, FUNCTION_ACOS},
    {"", "Acosh", 9, 0, ops_function, OP_HALF, FUNCTION_ACOSH},
    {"", "Add", 7, 0, ops_binary, OP_HALF, BINARY_ADD},
    {"", "And", 7, 0, ops_logic, 0, LOGIC_AND},
    {"", "ArgMax", 1, 0, ops_arg, OP_HALF, 0},
    {"", "ArgMin", 1, 0, ops_arg, OP_HALF, 1},
    {"", "Asin", 7, 0, ops_function, OP_HALF, FUNCTION_ASIN},
    {"", "Asinh", 9, 0, ops_function, OP_HALF, FUNCTION_ASINH},
    {"", "Atan", 7, 0, ops_function, OP_HALF, FUNCTION_ATAN},
    {"", "Atanh", 9, 0, ops_function, OP_HALF, FUNCTION_ATANH},
    {"", "Attention", 23, 0, ops_attention, OP_HALF, 0},
    {"", "BitShift", 11, 0, ops_bitwise, 0, BITWISE_SHIFT},
    {"", "BitwiseAnd", 18, 0, ops_bitwise, 0, BITWISE_AND},
    {"", "BitwiseNot", 18, 0, ops_bitwise_not, 0, 0},
    {"", "BitwiseOr", 18, 0, ops_bitwise, 0, BITWISE_OR},
    {"", "BitwiseXor", 18, 0, ops_bitwise, 0, BITWISE_XOR},
    {"", "Cast", 6, 0, ops_cast, 0, 0},
    {"", "CastLike", 15, 0, ops_cast, 0, 1},
    {"", "Ceil", 6, 0, ops_unary, OP_HALF, UNARY_CEIL},
    {"", "Celu", 12, 0, ops_function, OP_HALF, FUNCTION_CELU},
    {"", "Clip", 11, 0, ops_clip, OP_HALF, 0},
    {"", "Compress", 9, 0, ops_compress, 0, 0},
    {"", "Concat", 4, 0, ops_concat, 0, 0},
    {"", "Constant", 1, 0, ops_constant, 0, 0},
    {"", "ConstantOfShape", 9, 0, ops_constant_of_shape, 0, 0},
    {"", "Conv", 1, 0, ops_conv, OP_HALF, 0},
    {"", "Cos", 7, 0, ops_unary, OP_HALF, UNARY_COS},
    {"", "Cosh", 9, 0, ops_function, OP_HALF, FUNCTION_COSH},
    {"", "CumSum", 11, 0, ops_cumsum, OP_HALF, 0},
    {"", "DequantizeLinear", 10, 0, ops_dequantize_linear, 0, 0},
    {"", "Div", 7, 0, ops_binary, OP_HALF, BINARY_DIV},
    {"", "Dropout", 7, 0, ops_dropout, 0, 0},
    {"", "DynamicQuantizeLinear", 11, 0, ops_dynamic_quantize_linear, 0, 0},
    {"", "Einsum", 12, 0, ops_einsum, OP_HALF, 0},
    {"", "Elu", 6, 0, ops_unary, OP_HALF, UNARY_ELU},
    {"", "Equal", 7, 0, ops_compare, OP_HALF, COMPARE_EQUAL},
    {"", "Erf", 9, 0, ops_unary, OP_HALF, UNARY_ERF},
    {"", "Exp", 6, 0, ops_unary, OP_HALF, UNARY_EXP},
    {"", "Expand", 8, 0, ops_expand, 0, 0},
    {"", "EyeLike", 9, 0, ops_eye_like, 0, 0},
    {"", "Flatten", 9, 0, ops_flatten, 0, 0},
    {"", "Floor", 6, 0, ops_unary, OP_HALF, UNARY_FLOOR},
    {"", "Gather", 1, 0, ops_gather, 0, 0},
    {"", "GatherElements", 11, 0, ops_gather_elements, 0, 0},
    {"", "GatherND", 11, 0, ops_gather_nd, 0, 0},
    {"", "Gelu", 20, 0, ops_gelu, OP_HALF, 0},
    {"", "Gemm", 7, 0, ops_gemm, OP_HALF | OP_PACKS, 0},
    {"", "GlobalAveragePool", 1, 0, ops_global_pool, OP_HALF, REDUCE_MEAN},
    {"", "GlobalMaxPool", 1, 0, ops_global_pool, OP_HALF, REDUCE_MAX},
    {"", "Greater", 7, 0, ops_compare, OP_HALF, COMPARE_GREATER},
    {"", "GreaterOrEqual", 12, 0, ops_compare, OP_HALF, COMPARE_GREATER_EQUAL},
    {"", "HardSigmoid", 6, 0, ops_unary, OP_HALF, UNARY_HARD_SIGMOID},
    {"", "HardSwish", 14, 0, ops_unary, OP_HALF, UNARY_HARD_SWISH},
    {"", "Hardmax", 1, 0, ops_hardmax, OP_HALF, 0},
    {"", "Identity", 1, 0, ops_identity, 0, 0},
    {"", "If", 1, 0, ops_if, OP_LAZY, 0},
    {"", "IsInf", 10, 0, ops_is_class, OP_HALF, 1},
    {"", "IsNaN", 9, 0, ops_is_class, OP_HALF, 0},
    {"", "LayerNormalization", 1, 0, ops_layer_norm, OP_HALF | OP_FIRST_OUTPUT, 0},
    {"", "LeakyRelu", 6, 0, ops_unary, OP_HALF, UNARY_LEAKY_RELU},
    {"", "Less", 7, 0, ops_compare, OP_HALF, COMPARE_LESS},
    {"", "LessOrEqual", 12, 0, ops_compare, OP_HALF, COMPARE_LESS_EQUAL},
    {"", "Log", 6, 0, ops_unary, OP_HALF, UNARY_LOG},
    {"", "LogSoftmax", 1, 0, ops_softmax, OP_HALF, 1},
    {"", "LpNormalization", 1, 0, ops_along, OP_HALF, ALONG_LP},
    {"", "MatMul", 1, 0, ops_matmul, OP_HALF | OP_STRIDED | OP_PACKS, 0},
    {"", "MatMulInteger", 10, 0, ops_matmul_integer, 0, 0},
    {"", "Max", 8, 0, ops_variadic, OP_HALF, BINARY_MAX},
    {"", "Mean", 8, 0, ops_variadic, OP_HALF, OP_MEAN},
    {"", "MeanVarianceNormalization", 9, 0, ops_along, OP_HALF, ALONG_MEAN_VARIANCE},
    {"", "Min", 8, 0, ops_variadic, OP_HALF, BINARY_MIN},
    {"", "Mish", 18, 0, ops_function, OP_HALF, FUNCTION_MISH},
    {"", "Mod", 10, 0, ops_binary, OP_HALF, BINARY_MOD},
    {"", "Mul", 7, 0, ops_binary, OP_HALF, BINARY_MUL},
    {"", "Neg", 6, 0, ops_unary, OP_HALF, UNARY_NEG},
    {"", "NonZero", 9, 0, ops_nonzero, 0, 0},
    {"", "Not", 1, 0, ops_not, 0, 0},
    {"", "OneHot", 9, 0, ops_one_hot, 0, 0},
    {"", "Or", 7, 0, ops_logic, 0, LOGIC_OR},
    {"", "PRelu", 7, 0, ops_binary, OP_HALF, BINARY_PRELU},
    {"", "Pad", 11, 0, ops_pad, 0, 0},
    {"", "Pow", 7, 0, ops_binary, OP_HALF | OP_FIRST_TYPE, BINARY_POW},
    {"", "QLinearMatMul", 10, 0, ops_qlinear_matmul, 0, 0},
    {"", "QuantizeLinear", 10, 0, ops_quantize_linear, 0, 0},
    {"", "RMSNormalization", 23, 0, ops_rms_norm, OP_HALF | OP_SECOND_TYPE | OP_FIRST_OUTPUT, 0},
    {"", "Range", 11, 0, ops_range, 0, 0},
    {"", "Reciprocal", 6, 0, ops_unary, OP_HALF, UNARY_RECIPROCAL},
    {"", "ReduceL1", 1, 0, ops_reduce, OP_HALF, REDUCE_L1},
    {"", "ReduceL2", 1, 0, ops_reduce, OP_HALF, REDUCE_L2},
    {"", "ReduceLogSum", 1, 0, ops_reduce, OP_HALF, REDUCE_LOG_SUM},
    {"", "ReduceLogSumExp", 1, 0, ops_reduce, OP_HALF, REDUCE_LOG_SUM_EXP},
    {"", "ReduceMax", 1, 0, ops_reduce, OP_HALF, REDUCE_MAX},
    {"", "ReduceMean", 1, 0, ops_reduce, OP_HALF, REDUCE_MEAN},
    {"", "ReduceMin", 1, 0, ops_reduce, OP_HALF, REDUCE_MIN},
    {"", "ReduceProd", 1, 0, ops_reduce, OP_HALF, REDUCE_PROD},
    {"", "ReduceSum", 1, 0, ops_reduce, OP_HALF, REDUCE_SUM},
    {"", "ReduceSumSquare", 1, 0, ops_reduce, OP_HALF, REDUCE_SUM_SQUARE},
    {"", "Relu", 6, 0, ops_unary, OP_HALF, UNARY_RELU},
    {"", "Reshape", 5, 0, ops_reshape, 0, 0},
    {"", "ReverseSequence", 10, 0, ops_reverse_sequence, 0, 0},
    {"", "RotaryEmbedding", 23, 0, ops_rotary_embedding, OP_HALF, 1},
    {"", "Round", 11, 0, ops_unary, OP_HALF, UNARY_ROUND},
    {"", "ScatterElements", 11, 0, ops_scatter_elements, OP_HALF, 0},
    {"", "ScatterND", 11, 0, ops_scatter_nd, OP_HALF, 0},
    {"", "Selu", 6, 0, ops_function, OP_HALF, FUNCTION_SELU},
    {"", "Shape", 1, 0, ops_shape, OP_STRIDED, 0},
    {"", "Shrink", 9, 0, ops_function, OP_HALF, FUNCTION_SHRINK},
    {"", "Sigmoid", 6, 0, ops_unary, OP_HALF, UNARY_SIGMOID},
    {"", "Sign", 9, 0, ops_unary, OP_HALF, UNARY_SIGN},
    {"", "SimplifiedLayerNormalization", 1, 0, ops_rms_norm, OP_HALF | OP_SECOND_TYPE | OP_FIRST_OUTPUT, 0},
    {"", "Sin", 7, 0, ops_unary, OP_HALF, UNARY_SIN},
    {"", "Sinh", 9, 0, ops_function, OP_HALF, FUNCTION_SINH},
    {"", "Size", 1, 0, ops_size, OP_STRIDED, 0},
    {"", "Slice", 10, 0, ops_slice, 0, 0},
    {"", "Softmax", 1, 0, ops_softmax, OP_HALF, 0},
    {"", "Softplus", 1, 0, ops_unary, OP_HALF, UNARY_SOFTPLUS},
    {"", "Softsign", 1, 0, ops_function, OP_HALF, FUNCTION_SOFTSIGN},
    {"", "Split", 2, 0, ops_split, 0, 0},
    {"", "Sqrt", 6, 0, ops_unary, OP_HALF, UNARY_SQRT},
    {"", "Squeeze", 1, 0, ops_squeeze, 0, 0},
    {"", "Sub", 7, 0, ops_binary, OP_HALF, BINARY_SUB},
    {"", "Sum", 8, 0, ops_variadic, OP_HALF, BINARY_ADD},
    {"", "Tan", 7, 0, ops_function, OP_HALF, FUNCTION_TAN},
    {"", "Tanh", 6, 0, ops_unary, OP_HALF, UNARY_TANH},
    {"", "ThresholdedRelu", 10, 0, ops_function, OP_HALF, FUNCTION_THRESHOLDED_RELU},
    {"", "Tile", 6, 0, ops_tile, 0, 0},
    {"", "TopK", 11, 0, ops_topk, OP_HALF, 0},
    {"", "Transpose", 1, 0, ops_transpose, OP_STRIDED, 0},
    {"", "Trilu", 14, 0, ops_trilu, 0, 0},
    {"", "Unique", 11, 0, ops_unique, 0, 0},
    {"", "Unsqueeze", 1, 0, ops_unsqueeze, 0, 0},
    {"", "Where", 9, 0, ops_where, 0, 0},
    {"", "Xor", 7, 0, ops_logic, 0, LOGIC_XOR},
    {"com.microsoft", "Attention", 1, 0, ops_contrib_attention, OP_HALF | OP_PACKS, 0},
    {"com.microsoft", "BiasAdd", 1, 0, ops_bias_gelu, OP_HALF, CONTRIB_BIAS_ADD},
    {"com.microsoft", "BiasGelu", 1, 0, ops_bias_gelu, OP_HALF, CONTRIB_BIAS_GELU},
    {"com.microsoft", "DequantizeLinear", 1, 0, ops_dequantize_linear, 0, 0},
    {"com.microsoft", "DynamicQuantizeMatMul", 1, 0, ops_dynamic_quantize_matmul, 0, 0},
    {"com.microsoft", "EmbedLayerNormalization", 1, 0, ops_embed_layer_norm, 0, 0},
    {"com.microsoft", "FastGelu", 1, 0, ops_bias_gelu, OP_HALF, CONTRIB_FAST_GELU},
    {"com.microsoft", "FusedGemm", 1, 0, ops_fused_gemm, OP_HALF | OP_PACKS, 0},
    {"com.microsoft", "FusedMatMul", 1, 0, ops_fused_matmul, OP_HALF | OP_STRIDED | OP_PACKS, 0},
    {"com.microsoft", "Gelu", 1, 0, ops_gelu, OP_HALF, 0},
    {"com.microsoft", "MatMulIntegerToFloat", 1, 0, ops_matmul_integer_to_float, 0, 0},
    {"com.microsoft", "MultiHeadAttention", 1, 0, ops_multi_head_attention, OP_HALF, 0},
    {"com.microsoft", "QAttention", 1, 0, ops_qattention, 0, 0},
    {"com.microsoft", "QEmbedLayerNormalization", 1, 0, ops_embed_layer_norm, 0, 1},
    {"com.microsoft", "QGemm", 1, 0, ops_qgemm, 0, 0},
    {"com.microsoft", "QLinearAdd", 1, 0, ops_qlinear_binary, 0, BINARY_ADD},
    {"com.microsoft", "QLinearConcat", 1, 0, ops_qlinear_concat, 0, 0},
    {"com.microsoft", "QLinearLeakyRelu", 1, 0, ops_qlinear_unary, 0, UNARY_LEAKY_RELU},
    {"com.microsoft", "QLinearMul", 1, 0, ops_qlinear_binary, 0, BINARY_MUL},
    {"com.microsoft", "QLinearSigmoid", 1, 0, ops_qlinear_unary, 0, UNARY_SIGMOID},
    {"com.microsoft", "QLinearSoftmax", 1, 0, ops_qlinear_softmax, 0, 0},
    {"com.microsoft", "QLinearWhere", 1, 0, ops_qlinear_where, 0, 0},
    {"com.microsoft", "QuantizeLinear", 1, 0, ops_quantize_linear, 0, 0},
    {"com.microsoft", "QuickGelu", 1, 0, ops_bias_gelu, OP_HALF, CONTRIB_QUICK_GELU},
    {"com.microsoft", "RotaryEmbedding", 1, 0, ops_rotary_embedding, OP_HALF, 0},
    {"com.microsoft", "SimplifiedLayerNormalization", 1, 0, ops_rms_norm, OP_HALF | OP_SECOND_TYPE | OP_FIRST_OUTPUT,
     0},
    {"com.microsoft", "SkipLayerNormalization", 1, 0, ops_skip_norm, OP_HALF, 0},
    {"com.microsoft", "SkipSimplifiedLayerNormalization", 1, 0, ops_skip_norm, OP_HALF, 1},
    {"com.microsoft", "TransposeMatMul", 1, 0, ops_fused_matmul, OP_HALF | OP_STRIDED | OP_PACKS, 0},
};

const op_entry *ops_find(const char *domain, const char *op_type, int64_t opset) {
    if (strcmp(domain, "ai.onnx") == 0) domain = "";
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const op_entry *e = &table[i];
        if (strcmp(e->op_type, op_type) != 0 || strcmp(e->domain, domain) != 0) continue;
        if (opset >= e->since && (e->until == 0 || opset <= e->until)) return e;
    }
    return NULL;
}

int ops_variant(const op_context *c) { return c->step->entry->variant; }

minnow_status ops_need(op_context *c, size_t least) {
    if (c->n_inputs < least)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu inputs, at least %zu needed", c->n_inputs, least);
    for (size_t i = 0; i < least; i++)
        if (!c->inputs[i]) return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu is missing", i);
    return MINNOW_OK;
}

int ops_has_input(const op_context *c, size_t i) { return i < c->n_inputs && c->inputs[i] != NULL; }

int ops_wants_output(const op_context *c, size_t i) { return i < c->n_outputs && c->output_values[i] >= 0; }

minnow_status ops_unsupported_type(op_context *c, dtype type) {
    return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "type %s not supported", dtype_name(type));
}

/* What input i was before it was widened. */
static dtype given_type(const op_context *c, size_t i) {
    const int is_widened = c->inputs[i] == &c->in->op_widened[i];
    return is_widened ? c->in->values[c->node->inputs[i]].t.type : c->inputs[i]->type;
}

minnow_status ops_same_type(op_context *c, size_t first, size_t second) {
    const dtype a = given_type(c, first), b = given_type(c, second);
    if (a == b) return MINNOW_OK;
    return error_set(c->error, MINNOW_ERROR_FORMAT, "inputs %zu and %zu have different types, %s and %s", first, second,
                     dtype_name(a), dtype_name(b));
}

minnow_status ops_axis(op_context *c, int64_t axis, int rank, int *out) {
    if (axis < -rank || axis >= rank)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "axis %lld is outside rank %d", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return MINNOW_OK;
}

minnow_status ops_ints(op_context *c, size_t input, int64_t *out, size_t capacity, size_t *n) {
    const tensor *t = c->inputs[input];
    if (t->rank > 1) return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu has rank %d", input, t->rank);
    if (!lanes_is_integer(t->type))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu is %s", input, dtype_name(t->type));
    *n = tensor_count(t);
    if (*n > capacity)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "input %zu has %zu numbers, at most %zu are supported",
                         input, *n, capacity);
    lanes_load(t->type, t->data, 0, 1, *n, out);
    return MINNOW_OK;
}

minnow_status ops_one_scalar(op_context *c, size_t input, double *out) {
    if (c->inputs[input]->rank > 1 || tensor_count(c->inputs[input]) != 1)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu must be one element", input);
    *out = ops_scalar_f64(c->inputs[input], 0);
    return MINNOW_OK;
}

minnow_status ops_axes(op_context *c, size_t input, int rank, int *axes, size_t *n) {
    const graph_attribute *a = graph_node_attribute(c->node, "axes");
    int64_t given[TENSOR_MAX_RANK];
    unsigned seen = 0;
    size_t n_given = 0;
    if (ops_has_input(c, input)) {
        TRY(ops_ints(c, input, given, TENSOR_MAX_RANK, &n_given));
    } else if (a && a->type == ATTRIBUTE_INTS) {
        if (a->n > TENSOR_MAX_RANK) return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu axes", a->n);
        n_given = a->n;
        if (n_given) memcpy(given, a->ints, n_given * sizeof *given);
    }
    for (size_t i = 0; i < n_given; i++) {
        int axis = 0;
        TRY(ops_axis(c, given[i], rank, &axis));
        if (seen >> axis & 1) return error_set(c->error, MINNOW_ERROR_FORMAT, "axis %d stands twice", axis);
        seen |= 1u << axis;
    }
    *n = 0;
    for (int d = 0; d < rank; d++)
        if (seen >> d & 1) axes[(*n)++] = d;
    return MINNOW_OK;
}

/* --- Threads ------------------------------------------------------------------------------------------------------ */

#define WORTH_SPLITTING 32768 /* elements */

typedef struct split {
    op_range_fn fn;
    void *context;
    size_t n, grain;
} split;

static void run_part(void *context, size_t part, size_t n_parts) {
    const split *s = context;
    size_t begin, end;
    thread_pool_share(s->n, s->grain, part, n_parts, &begin, &end);
    if (begin < end) s->fn(s->context, begin, end, part);
}

size_t ops_threads(const op_context *c) { return thread_pool_size(c->pool); }

void ops_parallel(const op_context *c, size_t n, size_t grain, size_t work_per_item, op_range_fn fn, void *context) {
    split s = {fn, context, n, grain};
    if (n == 0) return;
    if (ops_threads(c) == 1 || n <= grain || n < WORTH_SPLITTING / (work_per_item ? work_per_item : 1))
        fn(context, 0, n, 0);
    else thread_pool_run(c->pool, run_part, &s);
}
