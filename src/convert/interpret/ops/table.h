/* SPDX-License-Identifier: Apache-2.0
 * The operators' functions, by the file that holds them, and the variants by which one function serves several. ops.c
 * holds the table that names them. */
#ifndef MINNOW_CONVERT_INTERPRET_OPS_TABLE_H
#define MINNOW_CONVERT_INTERPRET_OPS_TABLE_H

#include "convert/interpret/ops/ops.h"

#define OP_MEAN 100 /* ops_variadic, beside BINARY_ADD, BINARY_MAX, BINARY_MIN */

/* branch.c */
minnow_status ops_if(op_context *c);

/* binary.c */
minnow_status ops_binary(op_context *c);
minnow_status ops_variadic(op_context *c);

/* conv.c */
minnow_status ops_conv(op_context *c);

/* compare.c */
enum { COMPARE_EQUAL, COMPARE_GREATER, COMPARE_GREATER_EQUAL, COMPARE_LESS, COMPARE_LESS_EQUAL };
enum { LOGIC_AND, LOGIC_OR, LOGIC_XOR };
minnow_status ops_compare(op_context *c);
minnow_status ops_logic(op_context *c);
minnow_status ops_where(op_context *c);
minnow_status ops_is_class(op_context *c); /* variant 0: IsNaN, 1: IsInf */

/* unary.c */
enum {
    UNARY_ABS, UNARY_CEIL, UNARY_COS, UNARY_ERF, UNARY_EXP, UNARY_FLOOR, UNARY_LOG, UNARY_NEG, UNARY_RECIPROCAL,
    UNARY_RELU, UNARY_ROUND, UNARY_SIGMOID, UNARY_SIGN, UNARY_SIN, UNARY_SOFTPLUS, UNARY_SQRT, UNARY_TANH, UNARY_GELU,
    UNARY_GELU_TANH, UNARY_LEAKY_RELU, UNARY_HARD_SIGMOID, UNARY_HARD_SWISH, UNARY_ELU
};
minnow_status ops_unary(op_context *c);
minnow_status ops_gelu(op_context *c);
minnow_status ops_not(op_context *c);
minnow_status ops_clip(op_context *c);
/* UNARY_GELU_TANH of at most 256 elements; y may be x. */
void gelu_tanh_block(const math_kernels *m, const float *x, float *y, size_t n);
/* The function of UNARY_* over a float32 tensor, in its memory. */
void unary_in_place(op_context *c, int kind, float alpha, float beta, tensor *t);

/* reduce.c */
enum {
    REDUCE_SUM, REDUCE_MEAN, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD, REDUCE_L1, REDUCE_L2, REDUCE_SUM_SQUARE,
    REDUCE_LOG_SUM, REDUCE_LOG_SUM_EXP
};
minnow_status ops_reduce(op_context *c);
minnow_status ops_global_pool(op_context *c); /* variants REDUCE_MEAN and REDUCE_MAX */
minnow_status ops_arg(op_context *c); /* variant 0: ArgMax, 1: ArgMin */
/* 1 if element a of `data`, of x's type, goes before element b, the larger one (`least`: the smaller one) first; NaN
 * goes before all but a NaN. */
int element_beats(const tensor *x, const void *data, size_t a, size_t b, int least);

/* cumsum.c, topk.c */
minnow_status ops_cumsum(op_context *c);
minnow_status ops_topk(op_context *c);

/* movement.c */
minnow_status ops_transpose(op_context *c);
minnow_status ops_concat(op_context *c);
minnow_status ops_split(op_context *c);
minnow_status ops_slice(op_context *c);
minnow_status ops_expand(op_context *c);
minnow_status ops_tile(op_context *c);
minnow_status ops_trilu(op_context *c);

/* pad.c */
minnow_status ops_pad(op_context *c);

/* shape.c */
minnow_status ops_constant(op_context *c);
minnow_status ops_constant_of_shape(op_context *c);
minnow_status ops_shape(op_context *c);
minnow_status ops_size(op_context *c);
minnow_status ops_range(op_context *c);
minnow_status ops_identity(op_context *c);
minnow_status ops_reshape(op_context *c);
minnow_status ops_flatten(op_context *c);
minnow_status ops_squeeze(op_context *c);
minnow_status ops_unsqueeze(op_context *c);
minnow_status ops_dropout(op_context *c);
minnow_status ops_cast(op_context *c); /* variant 1: CastLike */

/* gather.c */
minnow_status ops_gather(op_context *c);
minnow_status ops_gather_elements(op_context *c);
minnow_status ops_gather_nd(op_context *c);
minnow_status ops_scatter_elements(op_context *c);
minnow_status ops_scatter_nd(op_context *c);

/* matmul.c, einsum.c */
minnow_status ops_matmul(op_context *c);
minnow_status ops_gemm(op_context *c);
minnow_status ops_einsum(op_context *c);

/* quantize.c */
minnow_status ops_quantize_linear(op_context *c);
minnow_status ops_dequantize_linear(op_context *c);
minnow_status ops_dynamic_quantize_linear(op_context *c);

/* quantized_product.c */
minnow_status ops_matmul_integer(op_context *c);
minnow_status ops_matmul_integer_to_float(op_context *c);
minnow_status ops_dynamic_quantize_matmul(op_context *c);
minnow_status ops_qlinear_matmul(op_context *c);
minnow_status ops_qgemm(op_context *c);

/* quantized_binary.c */
minnow_status ops_qlinear_binary(op_context *c);

/* quantized_table.c */
minnow_status ops_qlinear_unary(op_context *c);
minnow_status ops_qlinear_concat(op_context *c);
minnow_status ops_qlinear_where(op_context *c);

/* quantized_softmax.c */
minnow_status ops_qlinear_softmax(op_context *c);

/* norm.c */
minnow_status ops_layer_norm(op_context *c);
minnow_status ops_rms_norm(op_context *c);
/* A row of RMSNormalization; y may be x. Gives sqrt(mean(x^2) + epsilon). */
float rms_norm_row(const math_kernels *m, const float *x, const float *gamma, float epsilon, float *y, size_t n);
minnow_status ops_softmax(op_context *c); /* variant 1: LogSoftmax */

/* functions.c */
enum {
    FUNCTION_ACOS, FUNCTION_ACOSH, FUNCTION_ASIN, FUNCTION_ASINH, FUNCTION_ATAN, FUNCTION_ATANH, FUNCTION_COSH,
    FUNCTION_SINH, FUNCTION_TAN, FUNCTION_CELU, FUNCTION_MISH, FUNCTION_SELU, FUNCTION_SHRINK, FUNCTION_SOFTSIGN,
    FUNCTION_THRESHOLDED_RELU
};
minnow_status ops_function(op_context *c);

/* bitwise.c */
enum { BITWISE_AND, BITWISE_OR, BITWISE_XOR, BITWISE_SHIFT, BITWISE_LEFT, BITWISE_RIGHT };
minnow_status ops_bitwise(op_context *c);
minnow_status ops_bitwise_not(op_context *c);

/* select.c, unique.c */
minnow_status ops_nonzero(op_context *c);
minnow_status ops_compress(op_context *c);
minnow_status ops_reverse_sequence(op_context *c);
minnow_status ops_hardmax(op_context *c);
minnow_status ops_one_hot(op_context *c);
minnow_status ops_eye_like(op_context *c);
minnow_status ops_unique(op_context *c);

/* along.c */
enum { ALONG_LP, ALONG_MEAN_VARIANCE };
minnow_status ops_along(op_context *c);

/* attention.c */
minnow_status ops_attention(op_context *c);

/* contrib_attention.c: com.microsoft's attention */
minnow_status ops_contrib_attention(op_context *c);
minnow_status ops_qattention(op_context *c);
minnow_status ops_multi_head_attention(op_context *c);

/* contrib_embed.c, contrib_norm.c */
minnow_status ops_embed_layer_norm(op_context *c); /* variant 1: QEmbedLayerNormalization */
minnow_status ops_skip_norm(op_context *c); /* variant 1: simplified, without mean and beta */

/* contrib_gelu.c */
enum { CONTRIB_BIAS_GELU, CONTRIB_FAST_GELU, CONTRIB_QUICK_GELU, CONTRIB_BIAS_ADD };
minnow_status ops_bias_gelu(op_context *c);

/* contrib_matmul.c */
minnow_status ops_fused_matmul(op_context *c);
minnow_status ops_fused_gemm(op_context *c);

/* rotary.c */
minnow_status ops_rotary_embedding(op_context *c); /* variant 0: com.microsoft's, 1: ai.onnx's */

#endif
