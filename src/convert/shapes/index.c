/* SPDX-License-Identifier: Apache-2.0
 * Shape inference: operators that pick elements by index. */
#include "convert/shapes/shapes.h"

/* --- Gather and its kin -------------------------------------------------------------------------------------- */

/* Elements of a one-dimensional tensor, picked by known indices. */
static minnow_status gather_partial(const shape_op *op) {
    const partial *x = op_partial(op, 0), *indices = op_partial(op, 1);
    partial *y;
    size_t i;
    if (x == NULL || x->rank != 1 || indices == NULL) return MINNOW_OK;
    if ((y = op_new_partial(op, indices->rank, indices->dims)) == NULL) return MINNOW_OK;
    for (i = 0; i < y->n; i++) {
        int64_t at = indices->elements[i].factor;
        if (!extent_is_number(indices->elements[i])) continue;
        if (at < -(int64_t)x->n || at >= (int64_t)x->n)
            return op_fail(op, "index %lld into %zu elements", (long long)at, x->n);
        y->elements[i] = x->elements[at < 0 ? at + (int64_t)x->n : at];
    }
    op_set_partial(op, 0, op_type(op, 0), y);
    return MINNOW_OK;
}

static minnow_status infer_gather(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0), *indices = op_shape(op, 1);
    shape s;
    int axis, d;
    (void)variant;
    op_set(op, 0, op_type(op, 0), &shapes_no_shape);
    if (x->rank < 0) return MINNOW_OK;
    TRY(op_axis(op, graph_node_int(op->node, "axis", 0), x->rank, &axis));
    if (indices->rank < 0 || x->rank - 1 + indices->rank > TENSOR_MAX_RANK) return MINNOW_OK;
    s.rank = 0;
    for (d = 0; d < axis; d++) s.dims[s.rank++] = x->dims[d];
    for (d = 0; d < indices->rank; d++) s.dims[s.rank++] = indices->dims[d];
    for (d = axis + 1; d < x->rank; d++) s.dims[s.rank++] = x->dims[d];
    op_set(op, 0, op_type(op, 0), &s);
    return gather_partial(op);
}

static minnow_status infer_gather_elements(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0), *indices = op_shape(op, 1);
    (void)variant;
    if (x->rank >= 0 && indices->rank >= 0 && x->rank != indices->rank)
        return op_fail(op, "data of rank %d, indices of rank %d", x->rank, indices->rank);
    op_set(op, 0, op_type(op, 0), indices);
    return MINNOW_OK;
}

/* indices [..., k] address the first axes of data: batch_dims common ones, then k more. */
static minnow_status infer_gather_nd(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0), *indices = op_shape(op, 1);
    const int64_t batch = graph_node_int(op->node, "batch_dims", 0);
    int64_t first;
    shape s;
    int d;
    (void)variant;
    op_set(op, 0, op_type(op, 0), &shapes_no_shape);
    if (x->rank < 0 || indices->rank < 0) return MINNOW_OK;
    if (x->rank < 1 || indices->rank < 1) return op_fail(op, "a scalar where a tensor is needed");
    if (batch < 0 || batch >= x->rank || batch >= indices->rank)
        return op_fail(op, "batch_dims %lld of ranks %d and %d", (long long)batch, x->rank, indices->rank);
    if (!extent_is_number(indices->dims[indices->rank - 1])) return MINNOW_OK;
    first = indices->dims[indices->rank - 1].factor;
    if (first < 1 || first > x->rank - batch)
        return op_fail(op, "indices of %lld axes into rank %d", (long long)first, x->rank);
    first += batch;
    if (indices->rank - 1 + x->rank - first > TENSOR_MAX_RANK) return MINNOW_OK;
    s.rank = 0;
    for (d = 0; d < indices->rank - 1; d++) s.dims[s.rank++] = indices->dims[d];
    for (d = (int)first; d < x->rank; d++) s.dims[s.rank++] = x->dims[d];
    op_set(op, 0, op_type(op, 0), &s);
    return MINNOW_OK;
}

static minnow_status infer_scatter(const shape_op *op, int variant) {
    (void)variant;
    op_set(op, 0, op_type(op, 0), op_shape(op, 0));
    return MINNOW_OK;
}

/* --- Slice --------------------------------------------------------------------------------------------------- */

typedef struct slice_list {
    const partial *starts, *ends, *steps;
    int64_t axes[SHAPES_MAX_ELEMENTS];
} slice_list;

/* Starts, ends, axes and steps of one Slice; *known 0 if the axes are not known. */
static minnow_status read_slice(const shape_op *op, int rank, slice_list *out, int *known) {
    size_t n = 0, i;
    out->starts = op_partial(op, 1);
    out->ends = op_partial(op, 2);
    out->steps = op_partial(op, 4);
    *known = 0;
    if (out->starts == NULL || out->ends == NULL || (op_has_input(op, 4) && out->steps == NULL)) return MINNOW_OK;
    if (op_has_input(op, 3)) {
        if (!op_numbers(op, 3, out->axes, &n)) return MINNOW_OK;
    } else {
        n = out->starts->n;
        for (i = 0; i < n; i++) out->axes[i] = (int64_t)i;
    }
    if (out->starts->n != n || out->ends->n != n || (out->steps != NULL && out->steps->n != n))
        return op_fail(op, "%zu starts, %zu ends, %zu axes", out->starts->n, out->ends->n, n);
    if (n > (size_t)rank) return op_fail(op, "%zu axes of rank %d", n, rank);
    *known = 1;
    return MINNOW_OK;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high) {
    return x < low ? low : x > high ? high : x;
}

/* Elements of start:end:step within an axis of `size`, all numbers; *from is the first one's index. */
static int64_t count_slice(int64_t size, int64_t start, int64_t end, int64_t step, int64_t *from) {
    if (start < 0) start += size; /* size >= 0: no overflow */
    if (end < 0) end += size;
    if (step > 0) {
        start = clamp(start, 0, size);
        end = clamp(end, 0, size);
        *from = start;
        return end > start ? (end - start - 1) / step + 1 : 0;
    }
    if (size == 0) return *from = 0;
    start = clamp(start, 0, size - 1); /* ONNX, not Python: a start before the first element is the first */
    end = clamp(end, -1, size - 1);
    *from = start;
    if (step == INT64_MIN) step++;
    return start > end ? (start - end - 1) / -step + 1 : 0;
}

/* An end or start in an axis of symbolic size: negative numbers count from its end, huge ones mean it. */
static extent slice_bound(const shape_op *op, extent size, extent at) {
    if (extent_is_number(at) && at.factor >= INT32_MAX) return size;
    if (extent_is_number(at) && at.factor < 0)
        return at.factor <= INT32_MIN ? extent_number(0) : extent_add(&op->in->terms, size, at);
    return extent_is_number(at) || extent_is_nonnegative(&op->in->terms, at) ? at : extent_unknown();
}

/* Symbolic slices are taken to lie within their axis, as they do in every run that works: the first `seq` of 512
 * positions are `seq`. With numbers (the sizes of a real run) bounds are clamped as ONNX says. */
static extent slice_extent(const shape_op *op, extent size, extent start, extent end, extent step) {
    int64_t from;
    if (!extent_is_number(step)) return extent_unknown();
    if (extent_is_number(size) && extent_is_number(start) && extent_is_number(end))
        return extent_number(count_slice(size.factor, start.factor, end.factor, step.factor, &from));
    if (step.factor == -1 && extent_is(start, -1) && extent_is_number(end) && end.factor <= INT32_MIN) return size;
    if (step.factor != 1) return extent_unknown();
    start = slice_bound(op, size, start);
    end = slice_bound(op, size, end);
    if (extent_is_number(start) && extent_is_number(end) && !extent_is_number(size)) { /* [:7] of seq: perhaps fewer */
        if (start.factor >= end.factor) return extent_number(0);
        if (end.factor - start.factor > 1) return extent_unknown();
    }
    size = extent_subtract(&op->in->terms, end, start);
    return extent_is_number(size) && size.factor < 0 ? extent_number(0) : size;
}

static minnow_status slice_partial(const shape_op *op, const slice_list *l) {
    const partial *x = op_partial(op, 0);
    int64_t from, dims[1];
    const int64_t step = l->steps != NULL ? l->steps->elements[0].factor : 1;
    partial *y;
    size_t i;
    if (x == NULL || x->rank != 1 || l->starts->n != 1) return MINNOW_OK;
    if (!extent_is_number(l->starts->elements[0]) || !extent_is_number(l->ends->elements[0]) ||
        (l->steps != NULL && !extent_is_number(l->steps->elements[0])))
        return MINNOW_OK;
    dims[0] = count_slice((int64_t)x->n, l->starts->elements[0].factor, l->ends->elements[0].factor, step, &from);
    if ((y = op_new_partial(op, 1, dims)) == NULL) return MINNOW_OK;
    for (i = 0; i < y->n; i++) y->elements[i] = x->elements[from + (int64_t)i * step];
    op_set_partial(op, 0, op_type(op, 0), y);
    return MINNOW_OK;
}

static minnow_status infer_slice(const shape_op *op, int variant) {
    shape s = *op_shape(op, 0);
    const int rank = s.rank;
    slice_list l;
    size_t i;
    int known, d;
    (void)variant;
    op_set(op, 0, op_type(op, 0), &shapes_no_shape);
    if (rank < 0) return MINNOW_OK;
    TRY(read_slice(op, rank, &l, &known));
    if (!known) {
        for (d = 0; d < rank; d++) s.dims[d] = extent_unknown();
        op_set(op, 0, op_type(op, 0), &s);
        return MINNOW_OK;
    }
    for (i = 0; i < l.starts->n; i++) {
        const extent step = l.steps != NULL ? l.steps->elements[i] : extent_number(1);
        if (extent_is(step, 0)) return op_fail(op, "step 0");
        TRY(op_axis(op, l.axes[i], rank, &d));
        s.dims[d] = slice_extent(op, s.dims[d], l.starts->elements[i], l.ends->elements[i], step);
    }
    op_set(op, 0, op_type(op, 0), &s);
    return slice_partial(op, &l);
}

/* --- Split --------------------------------------------------------------------------------------------------- */

/* Sizes along the axis, from `split` or in equal parts (the last one smaller). 0 if they are not known. */
static minnow_status split_sizes(const shape_op *op, extent size, int64_t *out, int *known) {
    const size_t parts = op->node->n_outputs;
    size_t n = 0, i;
    const int given = op_list(op, "split", 1, out, &n);
    int64_t sum = 0;
    *known = 0;
    if (given == 0 || parts > SHAPES_MAX_ELEMENTS) return MINNOW_OK;
    if (given < 0 || n == 0) { /* equal ones, the last one smaller */
        int64_t each;
        if (!extent_is_number(size) || parts == 0) return MINNOW_OK;
        each = size.factor / (int64_t)parts + (size.factor % (int64_t)parts != 0);
        for (i = 0; i < parts; i++, size.factor -= out[i - 1]) out[i] = size.factor < each ? size.factor : each;
        *known = 1;
        return MINNOW_OK;
    }
    if (n != parts) return op_fail(op, "%zu sizes for %zu outputs", n, parts);
    for (i = 0; i < n; i++)
        if (out[i] < 0 || __builtin_add_overflow(sum, out[i], &sum)) return op_fail(op, "size %lld", (long long)out[i]);
    if (extent_is_number(size) && sum != size.factor)
        return op_fail(op, "parts of %lld in all for an axis of %lld", (long long)sum, (long long)size.factor);
    *known = 1;
    return MINNOW_OK;
}

static minnow_status infer_split(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0);
    const partial *from = op_partial(op, 0);
    int64_t sizes[SHAPES_MAX_ELEMENTS];
    size_t i, at = 0;
    int axis = 0, known = 0;
    (void)variant;
    if (x->rank >= 0) {
        TRY(op_axis(op, graph_node_int(op->node, "axis", 0), x->rank, &axis));
        TRY(split_sizes(op, x->dims[axis], sizes, &known));
    }
    for (i = 0; i < op->node->n_outputs; i++) {
        shape s = *x;
        if (s.rank >= 0) s.dims[axis] = known ? extent_number(sizes[i]) : extent_unknown();
        if (s.rank >= 0 && !known && op->node->n_outputs == 1 && !op_has_input(op, 1)) s.dims[axis] = x->dims[axis];
        op_set(op, i, op_type(op, 0), &s);
        if (known && from != NULL && from->rank == 1) {
            partial *y = op_new_partial(op, 1, &sizes[i]);
            size_t k;
            if (y == NULL || y->n > from->n - at) return MINNOW_OK;
            for (k = 0; k < y->n; k++) y->elements[k] = from->elements[at++];
            op_set_partial(op, i, op_type(op, 0), y);
        }
    }
    return MINNOW_OK;
}

/* --- Others -------------------------------------------------------------------------------------------------- */

static minnow_status infer_nonzero(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0);
    shape s = {2, {{0, SHAPES_UNKNOWN}}};
    (void)variant;
    s.dims[0] = x->rank >= 0 ? extent_number(x->rank) : extent_unknown();
    s.dims[1] = extent_unknown();
    op_set(op, 0, DTYPE_INT64, &s);
    return MINNOW_OK;
}

const shape_rule shapes_index_rules[] = {
    {"Gather", infer_gather, 2, 0},
    {"Slice", infer_slice, 3, 0},
    {"Split", infer_split, 1, 0},
    {"GatherElements", infer_gather_elements, 2, 0},
    {"GatherND", infer_gather_nd, 2, 0},
    {"NonZero", infer_nonzero, 1, 0},
    {"ScatterElements", infer_scatter, 3, 0},
    {"ScatterND", infer_scatter, 3, 0},
    {NULL, NULL, 0, 0},
};
