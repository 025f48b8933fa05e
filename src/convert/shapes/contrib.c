/* SPDX-License-Identifier: Apache-2.0
 * Shape inference: com.microsoft's operators that are not ai.onnx's under another domain. */
#include <string.h>

#include "convert/shapes/shapes.h"

/* Two extents that are numbers and differ. */
static int differ(extent a, extent b) {
    return extent_is_number(a) && extent_is_number(b) && !extent_same(a, b);
}

/* An input that is given must be of this rank. */
static minnow_status check_rank(const shape_op *op, size_t i, int rank) {
    const shape *s = op_shape(op, i);
    if (!op_has_input(op, i) || s->rank < 0 || s->rank == rank) return MINNOW_OK;
    return op_fail(op, "input %zu has rank %d, not %d", i, s->rank, rank);
}

/* Input `i`, if it is there, is one number for each element of a row. */
static minnow_status check_vector(const shape_op *op, size_t i, extent row) {
    const shape *s = op_shape(op, i);
    TRY(check_rank(op, i, 1));
    if (s->rank == 1 && differ(s->dims[0], row))
        return op_fail(op, "input %zu has %lld elements for rows of %lld", i, (long long)s->dims[0].factor,
                       (long long)row.factor);
    return MINNOW_OK;
}

/* --- Attention ----------------------------------------------------------------------------------------------------- */

/* Columns of the packed weights that are values: the third of "qkv_hidden_sizes", or a third of all. */
static extent value_columns(const shape_op *op, extent columns) {
    const graph_attribute *sizes = graph_node_attribute(op->node, "qkv_hidden_sizes");
    if (sizes != NULL && sizes->type == ATTRIBUTE_INTS && sizes->n == 3) return extent_number(sizes->ints[2]);
    return extent_divide(&op->in->terms, columns, extent_number(3));
}

/* x [batch, tokens, k], weights [k, columns] -> [batch, tokens, values]. */
static minnow_status infer_attention(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0), *w = op_shape(op, 1);
    const int64_t heads = graph_node_int(op->node, "num_heads", 0);
    shape s = {3, {{0, SHAPES_UNKNOWN}}};
    (void)variant;
    TRY(check_rank(op, 0, 3));
    TRY(check_rank(op, 1, 2));
    if (heads <= 0) return op_fail(op, "num_heads is %lld, at least 1 needed", (long long)heads);
    for (int d = 0; d < 3; d++) s.dims[d] = x->rank == 3 && d < 2 ? x->dims[d] : extent_unknown();
    if (w->rank == 2) {
        s.dims[2] = value_columns(op, w->dims[1]);
        if (x->rank == 3 && differ(x->dims[2], w->dims[0]))
            return op_fail(op, "%lld columns by %lld rows", (long long)x->dims[2].factor, (long long)w->dims[0].factor);
        TRY(check_vector(op, 2, w->dims[1]));
    }
    if (extent_is_number(s.dims[2]) && s.dims[2].factor % heads != 0)
        return op_fail(op, "%lld heads do not divide a hidden size of %lld", (long long)heads,
                       (long long)s.dims[2].factor);
    op_set(op, 0, op_type(op, 0), &s);
    return MINNOW_OK;
}

/* Queries [batch, tokens, hidden], or all three packed [batch, tokens, heads, 3, size]; values say how wide the result is. */
static minnow_status infer_multi_head(const shape_op *op, int variant) {
    const shape *q = op_shape(op, 0), *k = op_shape(op, 1), *v = op_shape(op, 2);
    shapes_terms *terms = &op->in->terms;
    shape s = {3, {{0, SHAPES_UNKNOWN}}};
    (void)variant;
    for (int d = 0; d < 3; d++) s.dims[d] = extent_unknown();
    if (q->rank == 3 || q->rank == 5) {
        s.dims[0] = q->dims[0];
        s.dims[1] = q->dims[1];
    } else if (q->rank >= 0) {
        return op_fail(op, "queries of rank %d, 3 or 5 needed", q->rank);
    }
    if (op_has_input(op, 2) && v->rank == 3) s.dims[2] = v->dims[2];
    else if (op_has_input(op, 2) && v->rank == 4) s.dims[2] = extent_multiply(terms, v->dims[1], v->dims[3]);
    else if (!op_has_input(op, 1) && q->rank == 5) s.dims[2] = extent_multiply(terms, q->dims[2], q->dims[4]);
    else if (op_has_input(op, 1) && k->rank == 5) s.dims[2] = extent_multiply(terms, k->dims[2], k->dims[4]);
    op_set(op, 0, op_type(op, 0), &s);
    return MINNOW_OK;
}

/* --- Norms and activations ------------------------------------------------------------------------------------------ */

/* ids [batch, tokens], words [rows, hidden] -> [batch, tokens, hidden], [batch], the sum. */
static minnow_status infer_embed(const shape_op *op, int variant) {
    const shape *ids = op_shape(op, 0), *words = op_shape(op, 2);
    shape rows = {3, {{0, SHAPES_UNKNOWN}}}, counts = {1, {{0, SHAPES_UNKNOWN}}};
    (void)variant;
    TRY(check_rank(op, 0, 2));
    for (size_t i = 2; i <= 4; i++) TRY(check_rank(op, i, 2));
    for (int d = 0; d < 2; d++) rows.dims[d] = ids->rank == 2 ? ids->dims[d] : extent_unknown();
    rows.dims[2] = words->rank == 2 ? words->dims[1] : extent_unknown();
    counts.dims[0] = rows.dims[0];
    TRY(check_vector(op, 5, rows.dims[2]));
    TRY(check_vector(op, 6, rows.dims[2]));
    op_set(op, 0, op_type(op, 2), &rows);
    op_set(op, 1, DTYPE_INT32, &counts);
    op_set(op, 2, op_type(op, 2), &rows);
    return MINNOW_OK;
}

/* Rows, and vectors of their length from input `first` on; outputs 0 and 3 are the rows'. */
static minnow_status infer_rows(const shape_op *op, int first) {
    const shape *x = op_shape(op, 0);
    if (x->rank == 0) return op_fail(op, "a scalar where rows are needed");
    for (size_t i = (size_t)first; x->rank > 0 && i < op->node->n_inputs; i++)
        TRY(check_vector(op, i, x->dims[x->rank - 1]));
    op_set(op, 0, op_type(op, 0), x);
    op_set(op, 3, op_type(op, 0), x);
    return MINNOW_OK;
}

/* X, a bias along its last axis, and a sum of X's shape. */
static minnow_status infer_same(const shape_op *op, int variant) {
    (void)variant;
    op_set(op, 0, op_type(op, 0), op_shape(op, 0));
    return MINNOW_OK;
}

/* --- Products ------------------------------------------------------------------------------------------------------ */

/* An operand as the product sees it: see the interpreter's contrib_matmul.c. */
static minnow_status product_operand(const shape_op *op, size_t i, const char *batches, const char *swaps, shape *s) {
    const shape *x = op_shape(op, i);
    *s = *x;
    if (graph_node_int(op->node, batches, 0) != 0 && x->rank >= 0) {
        if (x->rank < 3) return op_fail(op, "%s needs rank 3 or more, input %zu has %d", batches, i, x->rank);
        for (int d = 0; d < x->rank - 1; d++) s->dims[d] = x->dims[d == x->rank - 2 ? 0 : d + 1];
    }
    if (graph_node_int(op->node, swaps, 0) != 0 && x->rank >= 2) {
        const extent last = s->dims[x->rank - 1];
        s->dims[x->rank - 1] = s->dims[x->rank - 2];
        s->dims[x->rank - 2] = last;
    }
    return MINNOW_OK;
}

static minnow_status infer_fused_matmul(const shape_op *op, int variant) {
    shape a, b, s;
    (void)variant;
    TRY(product_operand(op, 0, "transBatchA", "transA", &a));
    TRY(product_operand(op, 1, "transBatchB", "transB", &b));
    TRY(op_matmul_shape(op, &a, &b, &s));
    op_set(op, 0, op_type(op, 0), &s);
    return MINNOW_OK;
}

const shape_rule shapes_contrib_rules[] = {
    {"Attention", infer_attention, 2, 0},
    {"BiasAdd", infer_same, 3, 0},
    {"BiasGelu", infer_rows, 2, 1},
    {"EmbedLayerNormalization", infer_embed, 1, 0},
    {"FastGelu", infer_rows, 1, 1},
    {"FusedGemm", op_infer_gemm, 2, 0},
    {"FusedMatMul", infer_fused_matmul, 2, 0},
    {"Gelu", infer_same, 1, 0},
    {"MultiHeadAttention", infer_multi_head, 1, 0},
    {"QuickGelu", infer_same, 1, 0},
    {"RotaryEmbedding", infer_same, 4, 0},
    {"SimplifiedLayerNormalization", op_infer_normalization, 2, 0},
    {"SkipLayerNormalization", infer_rows, 3, 2},
    {"SkipSimplifiedLayerNormalization", infer_rows, 3, 2},
    {"TransposeMatMul", infer_fused_matmul, 2, 0},
    {NULL, NULL, 0, 0},
};
