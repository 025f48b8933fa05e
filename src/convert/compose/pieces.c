/* SPDX-License-Identifier: Apache-2.0
 * Pieces of a BERT's forward pass, in PyTorch's order of operations. */
#include "convert/compose/pieces.h"

#define NONE GRAPH_NO_VALUE
#define LOWEST_FLOAT (-0x1.fffffep127f) /* torch.finfo(torch.float32).min */

/* No call below has two calls among its arguments: C would leave their order, and so the file's bytes, to the compiler.
 */

int32_t piece_transpose(builder *b, int32_t x, int64_t p0, int64_t p1, int64_t p2, int64_t p3) {
    const int64_t order[4] = {p0, p1, p2, p3};
    const int32_t y = builder_op(b, "Transpose", x, NONE, NONE);
    builder_ints(b, "perm", order, 4);
    return y;
}

int32_t piece_gelu(builder *b, int32_t x) {
    const int32_t scaled = builder_op(b, "Div", x, builder_scalar(b, "gelu.sqrt_2", 1.41421354f), NONE);
    const int32_t erf = builder_op(b, "Erf", scaled, NONE, NONE);
    const int32_t cdf = builder_op(b, "Add", erf, builder_scalar(b, "one", 1.0f), NONE);
    const int32_t twice = builder_op(b, "Mul", x, cdf, NONE);
    return builder_op(b, "Mul", twice, builder_scalar(b, "half", 0.5f), NONE);
}

int32_t piece_layer_norm(builder *b, int32_t x, int32_t gamma, int32_t beta, float epsilon) {
    const int32_t y = builder_op(b, "LayerNormalization", x, gamma, beta);
    builder_int(b, "axis", -1);
    builder_float(b, "epsilon", epsilon);
    return y;
}

int32_t piece_length(builder *b, int32_t ids) {
    const int32_t length = builder_op(b, "Shape", ids, NONE, NONE);
    builder_int(b, "start", 1);
    builder_int(b, "end", 2);
    return length;
}

int32_t piece_first_rows(builder *b, int32_t table, int32_t length) {
    static const int64_t zero = 0;
    int32_t slice[4];
    slice[0] = table;
    slice[1] = slice[3] = builder_int64s(b, "zero", &zero, 1); /* starts, and the axis */
    slice[2] = length;
    return builder_op_n(b, "Slice", slice, 4);
}

int32_t piece_attention_bias(builder *b, int32_t mask) {
    static const int64_t axes[2] = {1, 2};
    const size_t mark = builder_enter(b, "attention_mask");
    const int32_t wide = builder_op(b, "Unsqueeze", mask, builder_int64s(b, "axes_1_2", axes, 2), NONE);
    const int32_t kept = builder_op(b, "Cast", wide, NONE, NONE);
    int32_t bias;
    builder_int(b, "to", DTYPE_FLOAT32);
    bias = builder_op(b, "Sub", builder_scalar(b, "one", 1.0f), kept, NONE);
    bias = builder_op(b, "Mul", bias, builder_scalar(b, "lowest", LOWEST_FLOAT), NONE);
    builder_leave(b, mark);
    return bias;
}

piece_heads piece_heads_of(builder *b, int64_t n_heads, int64_t hidden) {
    const int64_t split[4] = {0, 0, n_heads, hidden / n_heads}, join[3] = {0, 0, hidden};
    piece_heads heads;
    heads.split = builder_int64s(b, "shape_heads", split, 4);
    heads.join = builder_int64s(b, "shape_hidden", join, 3);
    return heads;
}

int32_t piece_attention(builder *b, int32_t q, int32_t k, int32_t v, int32_t bias, piece_heads heads, int32_t divisor) {
    int32_t scores, context;
    q = piece_transpose(b, builder_op(b, "Reshape", q, heads.split, NONE), 0, 2, 1, 3); /* [b, n, s, d] */
    k = piece_transpose(b, builder_op(b, "Reshape", k, heads.split, NONE), 0, 2, 3, 1); /* [b, n, d, s] */
    v = piece_transpose(b, builder_op(b, "Reshape", v, heads.split, NONE), 0, 2, 1, 3); /* [b, n, s, d] */
    scores = builder_op(b, "MatMul", q, k, NONE);                                       /* [b, n, s, s] */
    if (divisor != NONE) scores = builder_op(b, "Div", scores, divisor, NONE);
    scores = builder_op(b, "Softmax", builder_op(b, "Add", scores, bias, NONE), NONE, NONE);
    builder_int(b, "axis", -1);
    context = piece_transpose(b, builder_op(b, "MatMul", scores, v, NONE), 0, 2, 1, 3); /* [b, s, n, d] */
    return builder_op(b, "Reshape", context, heads.join, NONE);
}
