/* SPDX-License-Identifier: Apache-2.0
 * Shape inference: com.microsoft's operators, and ai.onnx's Attention and RotaryEmbedding. */
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

/* --- Attention ---------------------------------------------------------------------------------------------------- */

/* Columns of the packed weights that are values: the third of "qkv_hidden_sizes", or a third of all. */
static extent value_columns(const shape_op *op, extent columns) {
    const graph_attribute *sizes = graph_node_attribute(op->node, "qkv_hidden_sizes");
    if (sizes != NULL && sizes->type == ATTRIBUTE_INTS && sizes->n == 3 && sizes->ints[2] > 0)
        return extent_number(sizes->ints[2]);
    return extent_divide(&op->in->terms, columns, extent_number(3));
}

/* x [batch, tokens, k], weights [k, columns] -> [batch, tokens, values]. */
static minnow_status infer_attention(const shape_op *op, int is_quantized) {
    const shape *x = op_shape(op, 0), *w = op_shape(op, 1);
    const int64_t heads = graph_node_int(op->node, "num_heads", 0);
    shape s = {3, {{0, SHAPES_UNKNOWN}}};
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
    op_set(op, 0, is_quantized ? DTYPE_FLOAT32 : op_type(op, 0), &s);
    return MINNOW_OK;
}

/* Queries [batch, tokens, hidden], or all three packed [batch, tokens, heads, 3, size]; values say how wide the result
 * is. */
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

/* ai.onnx's: [batch, tokens, heads * size] or [batch, heads, tokens, size]; the values say the size. */
static minnow_status infer_standard_attention(const shape_op *op, int variant) {
    const shape *q = op_shape(op, 0), *v = op_shape(op, 2);
    const int64_t heads = graph_node_int(op->node, "q_num_heads", 0);
    const int64_t pairs = graph_node_int(op->node, "kv_num_heads", 0);
    const shape *k = op_shape(op, 1), unknown = {4, {{0, SHAPES_UNKNOWN}, {0, SHAPES_UNKNOWN}, {0, SHAPES_UNKNOWN},
                                                     {0, SHAPES_UNKNOWN}}};
    const int has_past = op_has_input(op, 4);
    shape s = *q, side = unknown;
    (void)variant;
    if (q->rank >= 0 && q->rank != 3 && q->rank != 4) return op_fail(op, "queries of rank %d, 3 or 4 needed", q->rank);
    if (q->rank == 3 && (heads <= 0 || pairs <= 0)) return op_fail(op, "q_num_heads and kv_num_heads are missing");
    if (q->rank > 0) s.dims[q->rank - 1] = extent_unknown();
    if (q->rank == 4 && v->rank == 4) s.dims[3] = v->dims[3];
    if (q->rank == 3 && v->rank == 3)
        s.dims[2] = extent_multiply(&op->in->terms, extent_divide(&op->in->terms, v->dims[2], extent_number(pairs)),
                                    extent_number(heads));
    op_set(op, 0, op_type(op, 0), &s);
    for (size_t i = 1; i <= 2; i++) { /* keys and values: [batch, heads, past + tokens, size] */
        const shape *x = i == 1 ? k : v;
        side = x->rank == 4 ? *x : unknown;
        if (x->rank == 3 && pairs > 0) {
            side.dims[0] = x->dims[0];
            side.dims[1] = extent_number(pairs);
            side.dims[2] = x->dims[1];
            side.dims[3] = extent_divide(&op->in->terms, x->dims[2], extent_number(pairs));
        }
        if (has_past) {
            const shape *past = op_shape(op, i + 3);
            side.dims[2] = past->rank == 4 ? extent_add(&op->in->terms, past->dims[2], side.dims[2]) : extent_unknown();
        }
        op_set(op, i, op_type(op, i), &side);
    }
    side.dims[3] = side.dims[2]; /* scores: [batch, heads, queries, keys] */
    side.dims[0] = q->rank > 0 ? q->dims[0] : extent_unknown();
    side.dims[1] = q->rank == 4 ? q->dims[1] : q->rank == 3 ? extent_number(heads) : extent_unknown();
    side.dims[2] = q->rank == 4 ? q->dims[2] : q->rank == 3 ? q->dims[1] : extent_unknown();
    op_set(op, 3, op_type(op, 0), &side);
    return MINNOW_OK;
}

/* --- Norms and activations ---------------------------------------------------------------------------------------- */

/* ids [batch, tokens], words [rows, hidden] -> [batch, tokens, hidden], [batch], the sum. */
static minnow_status infer_embed(const shape_op *op, int is_quantized) {
    const dtype type = is_quantized ? DTYPE_FLOAT32 : op_type(op, 2);
    const shape *ids = op_shape(op, 0), *words = op_shape(op, 2);
    shape rows = {3, {{0, SHAPES_UNKNOWN}}}, counts = {1, {{0, SHAPES_UNKNOWN}}};
    TRY(check_rank(op, 0, 2));
    for (size_t i = 2; i <= 4; i++) TRY(check_rank(op, i, 2));
    for (int d = 0; d < 2; d++) rows.dims[d] = ids->rank == 2 ? ids->dims[d] : extent_unknown();
    rows.dims[2] = words->rank == 2 ? words->dims[1] : extent_unknown();
    counts.dims[0] = rows.dims[0];
    TRY(check_vector(op, 5, rows.dims[2]));
    TRY(check_vector(op, 6, rows.dims[2]));
    op_set(op, 0, type, &rows);
    op_set(op, 1, DTYPE_INT32, &counts);
    op_set(op, 2, type, &rows);
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

/* What comes out has the first input's shape. */
static minnow_status infer_same(const shape_op *op, int variant) {
    (void)variant;
    op_set(op, 0, op_type(op, 0), op_shape(op, 0));
    return MINNOW_OK;
}

/* --- Products ----------------------------------------------------------------------------------------------------- */

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

const shape_rule shapes_attention_rules[] = {
    {"Attention", infer_standard_attention, 3, 0},
    {"RotaryEmbedding", infer_same, 3, 0},
    {NULL, NULL, 0, 0},
};

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
    {"QAttention", infer_attention, 5, 1},
    {"QEmbedLayerNormalization", infer_embed, 1, 1},
    {"QuickGelu", infer_same, 1, 0},
    {"RotaryEmbedding", infer_same, 4, 0},
    {"SimplifiedLayerNormalization", op_infer_normalization, 2, 1},
    {"SkipLayerNormalization", infer_rows, 3, 2},
    {"SkipSimplifiedLayerNormalization", infer_rows, 3, 2},
    {"TransposeMatMul", infer_fused_matmul, 2, 0},
    {NULL, NULL, 0, 0},
};
