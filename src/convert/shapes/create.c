/* SPDX-License-Identifier: Apache-2.0
 * Shape inference: operators that make tensors out of attributes, shapes and numbers. */
#include "convert/shapes/shapes.h"

static int64_t clamp(int64_t x, int64_t low, int64_t high) {
    return x < low ? low : x > high ? high : x;
}

/* --- Constant ----------------------------------------------------------------------------------------------- */

static void set_list(const shape_op *op, dtype type, size_t n) {
    shape s = {1, {{0, SHAPES_UNKNOWN}}};
    s.dims[0] = extent_number((int64_t)n);
    op_set(op, 0, type, &s);
}

static void set_integers(const shape_op *op, const int64_t *x, size_t n, int rank) {
    const int64_t dims[1] = {(int64_t)n};
    partial *p = op_new_partial(op, rank, dims);
    size_t i;
    for (i = 0; p != NULL && i < n; i++) p->elements[i] = extent_number(x[i]);
    op_set_partial(op, 0, DTYPE_INT64, p);
}

static void set_tensor(const shape_op *op, const tensor *t) {
    shape s;
    partial *p;
    size_t i;
    int d;
    s.rank = t->rank;
    for (d = 0; d < t->rank; d++) s.dims[d] = extent_number(t->dims[d]);
    op_set(op, 0, t->type, &s);
    if (t->type != DTYPE_INT64 && t->type != DTYPE_INT32 && t->type != DTYPE_BOOL) return;
    p = op_new_partial(op, t->rank, t->dims);
    for (i = 0; p != NULL && i < p->n; i++)
        p->elements[i] = extent_number(t->type == DTYPE_INT64   ? ((const int64_t *)t->data)[i]
                                       : t->type == DTYPE_INT32 ? ((const int32_t *)t->data)[i]
                                                                : ((const uint8_t *)t->data)[i] != 0);
    op_set_partial(op, 0, t->type, p);
}

static minnow_status infer_constant(const shape_op *op, int variant) {
    const shape scalar = {0, {{0, SHAPES_UNKNOWN}}};
    const graph_attribute *a;
    (void)variant;
    if ((a = graph_node_attribute(op->node, "value")) != NULL && a->type == ATTRIBUTE_TENSOR && a->t != NULL)
        set_tensor(op, a->t);
    else if ((a = graph_node_attribute(op->node, "value_int")) != NULL && a->type == ATTRIBUTE_INT) {
        op_set(op, 0, DTYPE_INT64, &scalar);
        set_integers(op, &a->i, 1, 0);
    } else if ((a = graph_node_attribute(op->node, "value_ints")) != NULL && a->type == ATTRIBUTE_INTS) {
        set_list(op, DTYPE_INT64, a->n);
        set_integers(op, a->ints, a->n, 1);
    } else if ((a = graph_node_attribute(op->node, "value_float")) != NULL && a->type == ATTRIBUTE_FLOAT)
        op_set(op, 0, DTYPE_FLOAT32, &scalar);
    else if ((a = graph_node_attribute(op->node, "value_floats")) != NULL && a->type == ATTRIBUTE_FLOATS)
        set_list(op, DTYPE_FLOAT32, a->n);
    return MINNOW_OK;
}

/* --- Shape, Size -------------------------------------------------------------------------------------------- */

static minnow_status infer_shape(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0);
    shape unknown = {1, {{0, SHAPES_UNKNOWN}}};
    int64_t start, end, dims[1];
    partial *p;
    (void)variant;
    op_set(op, 0, DTYPE_INT64, &unknown);
    if (x->rank < 0) return MINNOW_OK;
    start = op->node->opset < 15 ? 0 : graph_node_int(op->node, "start", 0);
    end = op->node->opset < 15 ? x->rank : graph_node_int(op->node, "end", x->rank);
    start = clamp(start < 0 ? start + x->rank : start, 0, x->rank);
    end = clamp(end < 0 ? end + x->rank : end, 0, x->rank);
    dims[0] = end > start ? end - start : 0;
    if ((p = op_new_partial(op, 1, dims)) != NULL) {
        int64_t i;
        for (i = 0; i < dims[0]; i++) p->elements[i] = x->dims[start + i];
    }
    op_set_partial(op, 0, DTYPE_INT64, p);
    return MINNOW_OK;
}

static minnow_status infer_size(const shape_op *op, int variant) {
    const shape scalar = {0, {{0, SHAPES_UNKNOWN}}};
    partial *p = op_new_partial(op, 0, NULL);
    (void)variant;
    op_set(op, 0, DTYPE_INT64, &scalar);
    if (p != NULL) p->elements[0] = op_count(op, op_shape(op, 0));
    op_set_partial(op, 0, DTYPE_INT64, p);
    return MINNOW_OK;
}

/* --- ConstantOfShape, Range ---------------------------------------------------------------------------------- */

/* The shape that input i's elements spell. */
static minnow_status shape_from_input(const shape_op *op, size_t i, shape *out) {
    const partial *p = op_partial(op, i);
    const shape *given = op_shape(op, i);
    size_t d;
    *out = shapes_no_shape;
    if (given->rank > 1) return op_fail(op, "a shape of rank %d", given->rank);
    if (p == NULL || p->n > TENSOR_MAX_RANK) return MINNOW_OK;
    out->rank = (int)p->n;
    for (d = 0; d < p->n; d++) {
        out->dims[d] = p->elements[d];
        if (i == 1 && extent_is(p->elements[d], -1)) out->dims[d] = extent_number(1); /* Expand: leave this axis */
        else if (extent_is_number(p->elements[d]) && p->elements[d].factor < 0)
            return op_fail(op, "size %lld", (long long)p->elements[d].factor);
    }
    return MINNOW_OK;
}

static minnow_status infer_constant_of_shape(const shape_op *op, int variant) {
    const graph_attribute *a = graph_node_attribute(op->node, "value");
    const tensor *t = a != NULL && a->type == ATTRIBUTE_TENSOR ? a->t : NULL;
    const dtype type = t != NULL ? t->type : DTYPE_FLOAT32;
    int64_t dims[TENSOR_MAX_RANK], value;
    shape s;
    partial *p;
    size_t i;
    int d;
    (void)variant;
    TRY(shape_from_input(op, 0, &s));
    op_set(op, 0, type, &s);
    if (s.rank < 0 || t == NULL || type != DTYPE_INT64 || tensor_count(t) != 1) return MINNOW_OK;
    for (d = 0; d < s.rank; d++) {
        if (!extent_is_number(s.dims[d])) return MINNOW_OK;
        dims[d] = s.dims[d].factor;
    }
    value = *(const int64_t *)t->data;
    p = op_new_partial(op, s.rank, dims);
    for (i = 0; p != NULL && i < p->n; i++) p->elements[i] = extent_number(value);
    op_set_partial(op, 0, type, p);
    return MINNOW_OK;
}

static minnow_status check_scalar(const shape_op *op, size_t i) {
    const shape *s = op_shape(op, i);
    if (s->rank > 1 || (s->rank == 1 && extent_is_number(s->dims[0]) && s->dims[0].factor != 1))
        return op_fail(op, "input %zu is not a single number", i);
    return MINNOW_OK;
}

/* ceil((limit - start) / delta), at least 0. */
static extent range_count(const shape_op *op, extent start, extent limit, extent delta) {
    const extent span = extent_subtract(&op->in->terms, limit, start);
    if (!extent_is_number(delta) || delta.factor == 0) return extent_unknown();
    if (delta.factor == 1 && !extent_is_number(span)) return span;
    if (!extent_is_number(span)) return extent_unknown();
    if (delta.factor == INT64_MIN || span.factor == INT64_MIN) return extent_unknown();
    if (span.factor == 0 || (span.factor < 0) != (delta.factor < 0)) return extent_number(0);
    return extent_number(span.factor / delta.factor + (span.factor % delta.factor != 0));
}

static minnow_status infer_range(const shape_op *op, int variant) {
    const partial *start = op_partial(op, 0), *limit = op_partial(op, 1), *delta = op_partial(op, 2);
    shape s = {1, {{0, SHAPES_UNKNOWN}}};
    int64_t dims[1];
    partial *p;
    size_t i;
    (void)variant;
    for (i = 0; i < 3; i++) TRY(check_scalar(op, i));
    s.dims[0] = extent_unknown();
    if (start != NULL && limit != NULL && delta != NULL && start->n == 1 && limit->n == 1 && delta->n == 1) {
        if (extent_is(delta->elements[0], 0)) return op_fail(op, "delta is 0");
        s.dims[0] = range_count(op, start->elements[0], limit->elements[0], delta->elements[0]);
    }
    op_set(op, 0, op_type(op, 0), &s);
    if (!extent_is_number(s.dims[0])) return MINNOW_OK;
    dims[0] = s.dims[0].factor;
    p = op_new_partial(op, 1, dims);
    for (i = 0; p != NULL && i < p->n; i++) {
        const extent steps = extent_multiply(&op->in->terms, extent_number((int64_t)i), delta->elements[0]);
        p->elements[i] = extent_add(&op->in->terms, start->elements[0], steps);
    }
    op_set_partial(op, 0, op_type(op, 0), p);
    return MINNOW_OK;
}

/* --- Expand, Tile -------------------------------------------------------------------------------------------- */

static minnow_status infer_expand(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0), *count = op_shape(op, 1);
    const partial *in = op_partial(op, 0);
    shape target, s;
    int64_t dims[TENSOR_MAX_RANK];
    partial *p;
    size_t i;
    int d;
    (void)variant;
    TRY(shape_from_input(op, 1, &target));
    if (target.rank < 0 && count->rank == 1 && extent_is_number(count->dims[0]) &&
        count->dims[0].factor <= TENSOR_MAX_RANK) { /* the rank at least */
        target.rank = (int)count->dims[0].factor;
        for (d = 0; d < target.rank; d++) target.dims[d] = extent_unknown();
    }
    TRY(op_broadcast(op, x, &target, &s));
    op_set(op, 0, op_type(op, 0), &s);
    if (s.rank < 0 || in == NULL || in->n != 1) return MINNOW_OK;
    for (d = 0; d < s.rank; d++) {
        if (!extent_is_number(s.dims[d])) return MINNOW_OK;
        dims[d] = s.dims[d].factor;
    }
    p = op_new_partial(op, s.rank, dims);
    for (i = 0; p != NULL && i < p->n; i++) p->elements[i] = in->elements[0];
    op_set_partial(op, 0, op_type(op, 0), p);
    return MINNOW_OK;
}

static minnow_status infer_tile(const shape_op *op, int variant) {
    const partial *repeats = op_partial(op, 1);
    shape s = *op_shape(op, 0);
    int d;
    (void)variant;
    if (s.rank >= 0 && repeats != NULL && repeats->n != (size_t)s.rank)
        return op_fail(op, "%zu repeats for a tensor of rank %d", repeats->n, s.rank);
    for (d = 0; d < s.rank; d++) {
        const extent times = repeats != NULL ? repeats->elements[d] : extent_unknown();
        if (extent_is_number(times) && times.factor < 0) return op_fail(op, "%lld repeats", (long long)times.factor);
        s.dims[d] = extent_multiply(&op->in->terms, s.dims[d], times);
    }
    op_set(op, 0, op_type(op, 0), &s);
    return MINNOW_OK;
}

const shape_rule shapes_create_rules[] = {
    {"Constant", infer_constant, 0, 0},
    {"Shape", infer_shape, 1, 0},
    {"Size", infer_size, 1, 0},
    {"ConstantOfShape", infer_constant_of_shape, 1, 0},
    {"Range", infer_range, 3, 0},
    {"Expand", infer_expand, 2, 0},
    {"Tile", infer_tile, 2, 0},
    {NULL, NULL, 0, 0},
};
