/* SPDX-License-Identifier: Apache-2.0
 * Shape inference: operators that arrange elements without changing them. */
#include <string.h>

#include "convert/shapes/shapes.h"

/* The same elements under another shape, if both are known. */
static void pass_partial(const shape_op *op, const shape *s) {
    const partial *x = op_partial(op, 0);
    int64_t dims[TENSOR_MAX_RANK];
    partial *y;
    int d;
    if (x == NULL || s->rank < 0) return;
    for (d = 0; d < s->rank; d++) {
        if (!extent_is_number(s->dims[d])) return;
        dims[d] = s->dims[d].factor;
    }
    y = op_new_partial(op, s->rank, dims);
    if (y == NULL || y->n != x->n) return;
    if (y->n > 0) memcpy(y->elements, x->elements, y->n * sizeof *y->elements);
    op_set_partial(op, 0, op_type(op, 0), y);
}

static minnow_status set_same_elements(const shape_op *op, const shape *s) {
    op_set(op, 0, op_type(op, 0), s);
    pass_partial(op, s);
    return MINNOW_OK;
}

/* --- Reshape, Flatten ---------------------------------------------------------------------------------------- */

/* The extent that -1 stands for: all elements over those of the other axes. Axes that are copied (0) cancel even where
 * they are unknown. */
static minnow_status solve_reshape(const shape_op *op, const shape *x, const uint8_t *copied, int hole, shape *s) {
    extent have = extent_number(1), rest = extent_number(1);
    int d, is_empty = 0;
    if (x->rank < 0) return MINNOW_OK;
    for (d = 0; d < x->rank; d++) {
        if (d >= s->rank || !copied[d]) have = extent_multiply(&op->in->terms, have, x->dims[d]);
        else is_empty |= extent_is(x->dims[d], 0);
    }
    for (d = 0; d < s->rank; d++)
        if (d != hole && !(d < x->rank && copied[d])) rest = extent_multiply(&op->in->terms, rest, s->dims[d]);
    if (hole < 0) {
        if (extent_is_number(have) && extent_is_number(rest) && !extent_same(have, rest) && !is_empty)
            return op_fail(op, "%lld elements into %lld", (long long)have.factor, (long long)rest.factor);
        return MINNOW_OK;
    }
    if (extent_is(rest, 0)) return MINNOW_OK; /* anything */
    if (extent_is_number(have) && extent_is_number(rest) && have.factor % rest.factor != 0)
        return op_fail(op, "%lld elements into rows of %lld", (long long)have.factor, (long long)rest.factor);
    s->dims[hole] = extent_divide(&op->in->terms, have, rest);
    return MINNOW_OK;
}

static minnow_status infer_reshape(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0), *given = op_shape(op, 1);
    const partial *target = op_partial(op, 1);
    const int keep_zero = op->node->opset >= 14 && graph_node_int(op->node, "allowzero", 0) != 0;
    uint8_t copied[TENSOR_MAX_RANK] = {0};
    int hole = -1, d;
    shape s;
    (void)variant;
    if (given->rank > 1) return op_fail(op, "a shape of rank %d", given->rank);
    if (target == NULL || target->n > TENSOR_MAX_RANK) {
        op_set(op, 0, op_type(op, 0), &shapes_no_shape);
        return MINNOW_OK;
    }
    s.rank = (int)target->n;
    for (d = 0; d < s.rank; d++) {
        s.dims[d] = target->elements[d];
        if (!extent_is_number(s.dims[d])) continue;
        if (s.dims[d].factor < -1) return op_fail(op, "size %lld", (long long)s.dims[d].factor);
        if (s.dims[d].factor == -1) {
            if (hole >= 0) return op_fail(op, "more than one -1 in its shape");
            hole = d;
            s.dims[d] = extent_unknown();
        } else if (s.dims[d].factor == 0 && !keep_zero) {
            if (x->rank >= 0 && d >= x->rank) return op_fail(op, "axis %d of rank %d is to be copied", d, x->rank);
            copied[d] = 1;
            s.dims[d] = x->rank >= 0 ? x->dims[d] : extent_unknown();
        }
    }
    TRY(solve_reshape(op, x, copied, hole, &s));
    return set_same_elements(op, &s);
}

static minnow_status infer_flatten(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0);
    int64_t axis = graph_node_int(op->node, "axis", 1);
    shape s = {2, {{0, SHAPES_UNKNOWN}}};
    int d;
    (void)variant;
    s.dims[0] = s.dims[1] = extent_unknown();
    if (x->rank >= 0) {
        if (axis < -x->rank || axis > x->rank) return op_fail(op, "axis %lld of rank %d", (long long)axis, x->rank);
        if (axis < 0) axis += x->rank;
        s.dims[0] = s.dims[1] = extent_number(1);
        for (d = 0; d < x->rank; d++)
            s.dims[d >= axis] = extent_multiply(&op->in->terms, s.dims[d >= axis], x->dims[d]);
    }
    return set_same_elements(op, &s);
}

/* --- Transpose ----------------------------------------------------------------------------------------------- */

static minnow_status infer_transpose(const shape_op *op, int variant) {
    const graph_attribute *perm = graph_node_attribute(op->node, "perm");
    const shape *x = op_shape(op, 0);
    unsigned seen = 0;
    shape s = *x;
    int d;
    (void)variant;
    if (perm != NULL && perm->type == ATTRIBUTE_INTS && x->rank >= 0) {
        if (perm->n != (size_t)x->rank) return op_fail(op, "perm of %zu for a tensor of rank %d", perm->n, x->rank);
        for (d = 0; d < x->rank; d++) {
            int axis;
            TRY(op_axis(op, perm->ints[d], x->rank, &axis));
            if (seen & (1u << axis)) return op_fail(op, "perm has axis %d twice", axis);
            seen |= 1u << axis;
            s.dims[d] = x->dims[axis];
        }
    } else {
        for (d = 0; d < x->rank; d++) s.dims[d] = x->dims[x->rank - 1 - d];
    }
    op_set(op, 0, op_type(op, 0), &s);
    return MINNOW_OK;
}

/* --- Squeeze, Unsqueeze -------------------------------------------------------------------------------------- */

/* Axes as a set of bits. */
static minnow_status axis_bits(const shape_op *op, const int64_t *axes, size_t n, int rank, unsigned *bits) {
    size_t i;
    *bits = 0;
    for (i = 0; i < n; i++) {
        int axis;
        TRY(op_axis(op, axes[i], rank, &axis));
        if (*bits & (1u << axis)) return op_fail(op, "axis %d twice", axis);
        *bits |= 1u << axis;
    }
    return MINNOW_OK;
}

static minnow_status infer_squeeze(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0);
    int64_t axes[SHAPES_MAX_ELEMENTS];
    unsigned bits = 0;
    size_t n = 0;
    shape s = {0, {{0, SHAPES_UNKNOWN}}};
    int known = op_list(op, "axes", 1, axes, &n);
    int d;
    (void)variant;
    if (known == 0 || x->rank < 0) {
        op_set(op, 0, op_type(op, 0), &shapes_no_shape);
        return MINNOW_OK;
    }
    if (n == 0) known = -1; /* an empty list is as none: every axis of size 1 */
    TRY(axis_bits(op, axes, n, x->rank, &bits));
    for (d = 0; d < x->rank; d++) {
        const int named = (bits >> d) & 1, is_number = extent_is_number(x->dims[d]);
        if (known < 0 && !is_number) { /* whether this axis goes depends on the run */
            op_set(op, 0, op_type(op, 0), &shapes_no_shape);
            return MINNOW_OK;
        }
        if (named && is_number && x->dims[d].factor != 1)
            return op_fail(op, "axis %d has size %lld, not 1", d, (long long)x->dims[d].factor);
        if (!named && (known > 0 || x->dims[d].factor != 1)) s.dims[s.rank++] = x->dims[d];
    }
    return set_same_elements(op, &s);
}

static minnow_status infer_unsqueeze(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0);
    int64_t axes[SHAPES_MAX_ELEMENTS];
    unsigned bits;
    size_t n = 0;
    shape s;
    const int known = op_list(op, "axes", 1, axes, &n);
    int d, from = 0;
    (void)variant;
    if (known < 0) return op_fail(op, "axes are missing");
    if (known == 0 || x->rank < 0 || n > (size_t)(TENSOR_MAX_RANK - x->rank)) {
        op_set(op, 0, op_type(op, 0), &shapes_no_shape);
        return MINNOW_OK;
    }
    s.rank = x->rank + (int)n;
    TRY(axis_bits(op, axes, n, s.rank, &bits));
    for (d = 0; d < s.rank; d++) s.dims[d] = (bits >> d) & 1 ? extent_number(1) : x->dims[from++];
    return set_same_elements(op, &s);
}

/* --- Concat -------------------------------------------------------------------------------------------------- */

static void concat_partials(const shape_op *op, const shape *s) {
    int64_t dims[1];
    partial *y;
    size_t i, k, at = 0;
    if (s->rank != 1 || !extent_is_number(s->dims[0])) return;
    dims[0] = s->dims[0].factor;
    if ((y = op_new_partial(op, 1, dims)) == NULL) return;
    for (i = 0; i < op->node->n_inputs; i++) {
        const partial *x = op_partial(op, i);
        if (x == NULL || x->n > y->n - at) return;
        for (k = 0; k < x->n; k++) y->elements[at++] = x->elements[k];
    }
    op_set_partial(op, 0, op_type(op, 0), y);
}

/* Adds input x to the result so far: along the axis sizes add up, elsewhere they agree. */
static minnow_status concat_shape(const shape_op *op, const shape *x, int axis, shape *s) {
    int d;
    if (x->rank != s->rank) return op_fail(op, "inputs of rank %d and %d", s->rank, x->rank);
    for (d = 0; d < s->rank; d++) {
        if (d == axis) {
            s->dims[d] = extent_add(&op->in->terms, s->dims[d], x->dims[d]);
        } else if (!extent_is_number(s->dims[d])) {
            if (extent_is_number(x->dims[d]) || !extent_is_known(s->dims[d])) s->dims[d] = x->dims[d];
        } else if (extent_is_number(x->dims[d]) && !extent_same(s->dims[d], x->dims[d])) {
            return op_fail(op, "sizes %lld and %lld of axis %d", (long long)s->dims[d].factor,
                           (long long)x->dims[d].factor, d);
        }
    }
    return MINNOW_OK;
}

static minnow_status infer_concat(const shape_op *op, int variant) {
    shape s = *op_shape(op, 0);
    size_t i;
    int axis, known = s.rank >= 0;
    (void)variant;
    if (known) TRY(op_axis(op, graph_node_int(op->node, "axis", 0), s.rank, &axis));
    for (i = 1; i < op->node->n_inputs && known; i++) {
        const shape *x = op_shape(op, i);
        known = x->rank >= 0;
        if (known) TRY(concat_shape(op, x, axis, &s));
    }
    op_set(op, 0, op_type(op, 0), known ? &s : &shapes_no_shape);
    if (known) concat_partials(op, &s);
    return MINNOW_OK;
}

/* --- Others that keep or swap axes --------------------------------------------------------------------------- */

static minnow_status infer_same(const shape_op *op, int variant) {
    (void)variant;
    op_set(op, 0, op_type(op, 0), op_shape(op, 0));
    return MINNOW_OK;
}

static minnow_status infer_pad(const shape_op *op, int variant) {
    shape s = *op_shape(op, 0);
    int64_t pads[SHAPES_MAX_ELEMENTS];
    size_t n = 0;
    const int known = op_list(op, "pads", 1, pads, &n);
    int d;
    (void)variant;
    if (s.rank >= 0 && known > 0 && !op_has_input(op, 3) && n != 2 * (size_t)s.rank)
        return op_fail(op, "%zu pads for a tensor of rank %d", n, s.rank);
    for (d = 0; d < s.rank; d++) {
        if (known <= 0 || op_has_input(op, 3)) {
            s.dims[d] = extent_unknown();
        } else {
            s.dims[d] = extent_add(&op->in->terms, s.dims[d], extent_number(pads[d]));
            s.dims[d] = extent_add(&op->in->terms, s.dims[d], extent_number(pads[d + s.rank]));
        }
    }
    op_set(op, 0, op_type(op, 0), &s);
    return MINNOW_OK;
}

const shape_rule shapes_layout_rules[] = {
    {"Reshape", infer_reshape, 2, 0},
    {"Transpose", infer_transpose, 1, 0},
    {"Unsqueeze", infer_unsqueeze, 1, 0},
    {"Squeeze", infer_squeeze, 1, 0},
    {"Concat", infer_concat, 1, 0},
    {"Flatten", infer_flatten, 1, 0},
    {"CumSum", infer_same, 1, 0},
    {"Trilu", infer_same, 1, 0},
    {"Pad", infer_pad, 1, 0},
    {NULL, NULL, 0, 0},
};
