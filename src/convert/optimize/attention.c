/* SPDX-License-Identifier: Apache-2.0
 * Attention, from the context back to the hidden state:
 *
 *     q, k, v [batch, tokens, features] = linear(x), split into heads [batch, head, tokens, dim]
 *     scores [batch, head, query, key] = q k^T * scale + mask
 *     context [batch, tokens, features] = softmax(scores) v, heads side by side
 *
 * Nodes between a product and the next stage are collected going back, then replayed forward on a layout, which says
 * whether reshapes and transposes brought the axes where the formula wants them. */
#include "convert/optimize/mask.h"

#define ATTENTION_MAX_STEPS 24 /* nodes between two stages */

/* Nodes from one stage to the next, last first. */
typedef struct path {
    size_t nodes[ATTENTION_MAX_STEPS];
    size_t n;
    double scale;   /* product of the scales on the way */
    int32_t source; /* where it begins */
} path;

static int is_reshape(const graph_node *node) {
    return match_is_op(node, "Reshape") || match_is_op(node, "Squeeze") || match_is_op(node, "Unsqueeze") ||
           match_is_op(node, "Flatten");
}

/* A node that multiplies by a number: gives the number and what it multiplies. */
static int find_scale(matcher *m, const graph_node *node, double *scale, int32_t *x) {
    double number;
    if (match_is_op(node, "Mul") && match_with_scalar(m, node, &number, x) && number > 0.0) {
        *scale *= number;
        return 1;
    }
    if (match_is_op(node, "Div") && match_has_input(node, 0) && match_has_input(node, 1) &&
        match_scalar(m, node->inputs[1], &number) && number > 0.0) {
        *scale /= number;
        *x = node->inputs[0];
        return 1;
    }
    return 0;
}

/* A node that adds a mask to the scores, or replaces what it masks. */
typedef struct mask_node {
    int32_t scores, other; /* what is added, or what stands in the masked places */
    int32_t condition;     /* of Where; GRAPH_NO_VALUE: an addition */
    int keep;              /* the branch of Where with the scores */
} mask_node;

static int find_mask(const matcher *m, const graph_node *node, mask_node *out) {
    const size_t first = match_is_op(node, "Where") ? 1 : 0;
    size_t i;
    if (first == 0 && !match_is_op(node, "Add")) return 0;
    for (i = 0; i < first + 2; i++)
        if (!match_has_input(node, i)) return 0;
    out->condition = first == 1 ? node->inputs[0] : GRAPH_NO_VALUE;
    if (first == 1 && (m->depends[out->condition] & ~DEPENDS_MASK) != 0) return 0;
    for (out->keep = 0; out->keep < 2; out->keep++) {
        out->scores = node->inputs[first + (size_t)out->keep];
        out->other = node->inputs[first + 1 - (size_t)out->keep];
        if ((m->depends[out->other] & ~DEPENDS_MASK) == 0 && (m->depends[out->scores] & DEPENDS_IDS) != 0)
            return 1;
    }
    return 0;
}

/* softmax(x), with what replaces its NaNs (rows where everything is masked) by zero: gives the softmax's value. */
static int find_nan_guard(matcher *m, const graph_node *node, int32_t *x) {
    const graph_node *is_nan;
    double zero;
    if (!match_is_op(node, "Where") || !match_has_input(node, 2)) return 0;
    is_nan = match_op(m, node->inputs[0], "IsNaN", 1);
    *x = node->inputs[2];
    return is_nan != NULL && match_value(m, is_nan->inputs[0]) == match_value(m, *x) &&
           match_scalar(m, node->inputs[1], &zero) && zero == 0.0;
}

/* Follows a value back over views, and scales and masks if asked for. */
static minnow_status follow(matcher *m, int32_t value, int with_scale, int with_mask, path *out) {
    out->n = 0;
    out->scale = 1.0;
    for (;;) {
        const graph_node *node = match_node(m, value);
        mask_node mask;
        int32_t next = GRAPH_NO_VALUE;
        value = match_value(m, value);
        out->source = value;
        if (node == NULL) return MINNOW_OK;
        if (match_has_input(node, 0) && (is_reshape(node) || match_is_op(node, "Transpose"))) next = node->inputs[0];
        else if (with_scale && find_scale(m, node, &out->scale, &next)) (void)0;
        else if (with_mask && find_mask(m, node, &mask)) next = mask.scores;
        else if (!with_mask || !find_nan_guard(m, node, &next)) return MINNOW_OK;
        if (out->n == ATTENTION_MAX_STEPS)
            return match_fail(m, value, "expected at most %d nodes between two steps of attention",
                              ATTENTION_MAX_STEPS);
        out->nodes[out->n++] = (size_t)match_info(m, value)->producer;
        value = next;
    }
}

static minnow_status replay_node(matcher *m, size_t index, layout *l) {
    const graph_node *node = &m->g->nodes[index];
    const graph_value *to = match_info(m, node->outputs[0]);
    int64_t reversed[TENSOR_MAX_RANK];
    mask_node mask;
    int d;
    if (match_is_op(node, "Transpose")) {
        const graph_attribute *perm = graph_node_attribute(node, "perm");
        for (d = 0; d < l->rank; d++) reversed[d] = l->rank - 1 - d;
        if (perm == NULL ? layout_transpose(l, reversed, (size_t)l->rank)
                         : perm->type == ATTRIBUTE_INTS && layout_transpose(l, perm->ints, perm->n)) return MINNOW_OK;
        return match_fail(m, node->outputs[0], "expected a permutation of %d axes", l->rank);
    }
    if (is_reshape(node)) {
        if (layout_reshape(l, to->rank, to->dims)) return MINNOW_OK;
        return match_fail(m, node->outputs[0], "expected a shape that splits or joins heads, tokens and batch");
    }
    if (!find_mask(m, node, &mask)) return MINNOW_OK; /* a scale, or the guard against NaN */
    if (mask.condition < 0) return mask_check_added(m, node->outputs[0], mask.other, l);
    return mask_check_where(m, node->outputs[0], mask.condition, mask.keep, mask.other, l);
}

static minnow_status replay(matcher *m, const path *p, layout *l) {
    size_t i;
    for (i = p->n; i > 0; i--) TRY(replay_node(m, p->nodes[i - 1], l));
    layout_name_one_head(l);
    return MINNOW_OK;
}

/* One of q, k, v: the linear map, and its layout where the product reads it. */
static minnow_status match_operand(matcher *m, int32_t value, layout_part tokens, const char *name,
                                   encoder_linear *out, layout *l, double *scale, int32_t *x) {
    const graph_value *info;
    linear_match linear;
    path p;
    TRY(follow(m, value, scale != NULL, 0, &p));
    if (scale != NULL) *scale *= p.scale;
    if (!linear_find(m, p.source, &linear))
        return match_fail(m, p.source, "expected the linear map of attention's %s", name);
    *x = match_rows(m, linear.x);
    TRY(linear_load(m, &linear, out));
    layout_clear(l);
    layout_add_axis(l, LAYOUT_BATCH, m->batch);
    layout_add_axis(l, tokens, m->tokens);
    layout_add_axis(l, LAYOUT_FEATURES, linear.n);
    info = match_info(m, p.source);
    if (!layout_reshape(l, info->rank, info->dims))
        return match_fail(m, p.source, "expected rows of batch and tokens");
    return replay(m, &p, l);
}

static int ends_with(const layout *l, layout_part a, layout_part b) {
    const layout_part batch_head[] = {LAYOUT_BATCH, LAYOUT_HEAD, (layout_part)0};
    const layout_part parts_a[] = {a, (layout_part)0}, parts_b[] = {b, (layout_part)0};
    return l->rank >= 3 && layout_axes_are(l, 0, l->rank - 2, batch_head) &&
           layout_axes_are(l, l->rank - 2, l->rank - 1, parts_a) && layout_axes_are(l, l->rank - 1, l->rank, parts_b);
}

/* The product of two operands with the same leading axes: theirs, then the last but one of `a` and the last of `b`. */
static int multiply(const layout *a, const layout *b, layout_part row, int64_t n_rows, layout_part column,
                    int64_t n_columns, layout *out) {
    int d;
    if (a->rank != b->rank) return 0;
    for (d = 0; d < a->rank - 2; d++)
        if (a->ends[d] != b->ends[d]) return 0;
    *out = *a;
    out->rank = a->rank - 2;
    out->n_parts = out->rank > 0 ? a->ends[out->rank - 1] : 0;
    layout_add_axis(out, row, n_rows);
    layout_add_axis(out, column, n_columns);
    return 1;
}

static minnow_status match_scores(matcher *m, const graph_node *softmax, encoder_layer *layer, int32_t *x, layout *l,
                                  double *scale) {
    const int64_t rank = match_info(m, softmax->inputs[0])->rank;
    const int64_t axis = graph_node_int(softmax, "axis", softmax->opset < 13 ? 1 : -1);
    const graph_node *product;
    layout q, k;
    int32_t key_x;
    path p;
    if (axis != -1 && axis != rank - 1)
        return match_fail(m, softmax->outputs[0], "expected a softmax over the last axis, found axis %lld",
                          (long long)axis);
    TRY(follow(m, softmax->inputs[0], 1, 1, &p));
    product = match_op(m, p.source, "MatMul", 2);
    if (product == NULL) return match_fail(m, p.source, "expected attention's product of queries and keys");
    *scale = p.scale;
    TRY(match_operand(m, product->inputs[0], LAYOUT_QUERY, "queries", &layer->query, &q, scale, x));
    TRY(match_operand(m, product->inputs[1], LAYOUT_KEY, "keys", &layer->key, &k, scale, &key_x));
    if (key_x != *x) return match_fail(m, p.source, "expected queries and keys of the same hidden state");
    if (!ends_with(&q, LAYOUT_QUERY, LAYOUT_DIM) || !ends_with(&k, LAYOUT_DIM, LAYOUT_KEY) ||
        layout_size(&q, LAYOUT_HEAD) != layout_size(&k, LAYOUT_HEAD) ||
        !multiply(&q, &k, LAYOUT_QUERY, m->tokens, LAYOUT_KEY, m->tokens, l))
        return match_fail(m, p.source,
                          "expected queries [batch, head, token, dim] times keys [batch, head, dim, token]");
    TRY(replay(m, &p, l));
    if (!ends_with(l, LAYOUT_QUERY, LAYOUT_KEY))
        return match_fail(m, softmax->outputs[0],
                          "expected a softmax over the keys of scores [batch, head, query, key]");
    return MINNOW_OK;
}

/* The numbers that all layers must share. */
static minnow_status set_heads(matcher *m, int32_t place, int64_t n_heads, double scale) {
    encoder *e = m->e;
    if (!(scale > 1e-6 && scale < 1e6)) return match_fail(m, place, "expected scores with a scale, found %g", scale);
    if (e->n_heads == 0) {
        e->n_heads = (size_t)n_heads;
        e->attention_scale = (float)scale;
    }
    if (e->n_heads != (size_t)n_heads)
        return match_fail(m, place, "expected %zu heads as in the layers after it, found %lld", e->n_heads,
                          (long long)n_heads);
    if (e->attention_scale != (float)scale)
        return match_fail(m, place, "expected scores scaled by %g as in the layers after it, found %g",
                          (double)e->attention_scale, scale);
    return MINNOW_OK;
}

minnow_status attention_match(matcher *m, int32_t context, encoder_layer *layer, int32_t *x) {
    const layout_part rows[] = {LAYOUT_BATCH, LAYOUT_QUERY, (layout_part)0};
    const layout_part features[] = {LAYOUT_HEAD, LAYOUT_DIM, (layout_part)0};
    const graph_node *product, *softmax;
    layout p, v, l;
    path to_context, to_product;
    int32_t value_x;
    double scale;
    TRY(follow(m, context, 0, 0, &to_context));
    product = match_op(m, to_context.source, "MatMul", 2);
    if (product == NULL)
        return match_fail(m, to_context.source, "expected attention's product of probabilities and values");
    TRY(follow(m, product->inputs[0], 0, 1, &to_product));
    softmax = match_op(m, to_product.source, "Softmax", 1);
    if (softmax == NULL) return match_fail(m, to_product.source, "expected attention's softmax");
    TRY(match_scores(m, softmax, layer, x, &p, &scale));
    TRY(replay(m, &to_product, &p));
    TRY(match_operand(m, product->inputs[1], LAYOUT_KEY, "values", &layer->value, &v, NULL, &value_x));
    if (value_x != *x)
        return match_fail(m, to_context.source, "expected values of the same hidden state as the queries");
    if (!ends_with(&p, LAYOUT_QUERY, LAYOUT_KEY) || !ends_with(&v, LAYOUT_KEY, LAYOUT_DIM) ||
        !multiply(&p, &v, LAYOUT_QUERY, m->tokens, LAYOUT_DIM, layout_size(&v, LAYOUT_DIM), &l))
        return match_fail(m, to_context.source, "expected probabilities [batch, head, query, key] times values");
    TRY(replay(m, &to_context, &l));
    if (l.rank < 2 || !layout_axes_are(&l, 0, l.rank - 1, rows) || !layout_axes_are(&l, l.rank - 1, l.rank, features))
        return match_fail(m, context, "expected the heads' contexts side by side, [batch, token, features]");
    return set_heads(m, to_context.source, layout_size(&v, LAYOUT_HEAD), scale);
}
