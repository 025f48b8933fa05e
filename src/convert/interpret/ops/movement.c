/* SPDX-License-Identifier: Apache-2.0
 * Elements moved and not changed: Transpose, Concat, Split, Slice, Expand, Tile, Trilu. Any type. */
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

/* Elements before, at and after an axis. */
static void around(const tensor *t, int axis, size_t *outer, size_t *inner) {
    *outer = *inner = 1;
    for (int d = 0; d < axis; d++) *outer *= (size_t)t->dims[d];
    for (int d = axis + 1; d < t->rank; d++) *inner *= (size_t)t->dims[d];
}

/* --- Transpose ---------------------------------------------------------------------------------------------------- */

static minnow_status read_perm(op_context *c, int rank, int *perm) {
    const graph_attribute *a = graph_node_attribute(c->node, "perm");
    unsigned seen = 0;
    for (int d = 0; d < rank; d++) perm[d] = rank - 1 - d;
    if (!a || a->type != ATTRIBUTE_INTS) return MINNOW_OK;
    if (a->n != (size_t)rank)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "perm has %zu entries for rank %d", a->n, rank);
    for (int d = 0; d < rank; d++) {
        if (a->ints[d] < 0 || a->ints[d] >= rank || (seen >> a->ints[d] & 1))
            return error_set(c->error, MINNOW_ERROR_FORMAT, "perm is not a permutation");
        seen |= 1u << a->ints[d];
        perm[d] = (int)a->ints[d];
    }
    return MINNOW_OK;
}

/* A view with strides where its readers can take that: products pack it, the rest make it dense. */
minnow_status ops_transpose(op_context *c) {
    int perm[TENSOR_MAX_RANK];
    int64_t dims[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK], dense[TENSOR_MAX_RANK];
    int moved = 0, before = -1;
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    const int64_t *from = c->strides[0];
    TRY(read_perm(c, x->rank, perm));
    stride_dense(x->rank, x->dims, dense);
    if (!from) from = dense;
    for (int d = 0; d < x->rank; d++) {
        dims[d] = x->dims[perm[d]];
        strides[d] = from[perm[d]];
        if (dims[d] == 1) continue;
        if (perm[d] < before) moved = 1;
        before = perm[d];
    }
    if (!moved && !c->strides[0]) return ops_view(c, 0, 0, x->rank, dims);
    if (!c->dense_only && x->rank > 0) return ops_view_strided(c, 0, 0, x->rank, dims, strides);
    TRY(ops_output(c, 0, x->type, x->rank, dims));
    stride_transpose(c, x, c->strides[0], perm, c->outputs[0].data);
    return MINNOW_OK;
}

/* --- Concat, Split ------------------------------------------------------------------------------------------------ */

static minnow_status check_concat(op_context *c, int axis, int64_t *dims) {
    const tensor *x = c->inputs[0];
    memcpy(dims, x->dims, sizeof x->dims);
    for (size_t i = 1; i < c->n_inputs; i++) {
        const tensor *y = c->inputs[i];
        TRY(ops_same_type(c, 0, i));
        if (y->rank != x->rank) return error_set(c->error, MINNOW_ERROR_FORMAT, "ranks %d and %d", x->rank, y->rank);
        for (int d = 0; d < x->rank; d++)
            if (d != axis && y->dims[d] != x->dims[d])
                return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu differs along axis %d", i, d);
        if (y->dims[axis] > INT64_MAX - dims[axis]) return error_set(c->error, MINNOW_ERROR_FORMAT, "dims overflow");
        dims[axis] += y->dims[axis];
    }
    return MINNOW_OK;
}

minnow_status ops_concat(op_context *c) {
    int64_t dims[TENSOR_MAX_RANK];
    size_t outer, inner, row;
    int axis;
    TRY(ops_need(c, c->n_inputs ? c->n_inputs : 1));
    const tensor *x = c->inputs[0];
    const size_t size = dtype_bytes(x->type);
    TRY(ops_axis(c, graph_node_int(c->node, "axis", 0), x->rank, &axis));
    TRY(check_concat(c, axis, dims));
    if (c->n_inputs == 1) return ops_view(c, 0, 0, x->rank, dims);
    TRY(ops_output(c, 0, x->type, x->rank, dims));
    if (tensor_count(&c->outputs[0]) == 0) return MINNOW_OK;
    around(&c->outputs[0], axis, &outer, &inner);
    row = (size_t)dims[axis] * inner * size;
    char *to = c->outputs[0].data;
    for (size_t i = 0; i < c->n_inputs; i++) {
        const size_t chunk = (size_t)c->inputs[i]->dims[axis] * inner * size;
        if (chunk == 0) continue;
        for (size_t o = 0; o < outer; o++) memcpy(to + o * row, (const char *)c->inputs[i]->data + o * chunk, chunk);
        to += chunk;
    }
    return MINNOW_OK;
}

/* Equal parts if no sizes are given, the last one smaller (num_outputs). */
static minnow_status split_size(op_context *c, const tensor *x, int axis, const int64_t *given, size_t n_given,
                                size_t i, int64_t *size) {
    const int64_t n = x->dims[axis], parts = (int64_t)c->n_outputs;
    const int64_t each = n / parts + (n % parts != 0), begin = each && (int64_t)i <= n / each ? (int64_t)i * each : n;
    if (n_given) {
        *size = given[i];
        return MINNOW_OK;
    }
    if (n % parts != 0 && c->node->opset < 18)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "an axis of %lld cannot be split in %zu", (long long)n,
                         c->n_outputs);
    *size = n - begin < each ? n - begin : each;
    return MINNOW_OK;
}

minnow_status ops_split(op_context *c) {
    const graph_attribute *attribute = graph_node_attribute(c->node, "split");
    int64_t *given = NULL, begin = 0, dims[TENSOR_MAX_RANK];
    size_t n_given = 0, outer, inner;
    int axis;
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    const size_t size = dtype_bytes(x->type);
    TRY(ops_axis(c, graph_node_int(c->node, "axis", 0), x->rank, &axis));
    if (c->n_outputs == 0) return MINNOW_OK;
    TRY(ops_scratch(c, c->n_outputs * sizeof *given, (void **)&given));
    if (ops_has_input(c, 1)) {
        TRY(ops_ints(c, 1, given, c->n_outputs, &n_given));
    } else if (attribute && attribute->type == ATTRIBUTE_INTS) {
        n_given = attribute->n;
        if (n_given == c->n_outputs) memcpy(given, attribute->ints, n_given * sizeof *given);
    }
    if (n_given && n_given != c->n_outputs)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu sizes for %zu outputs", n_given, c->n_outputs);
    around(x, axis, &outer, &inner);
    memcpy(dims, x->dims, sizeof dims);
    for (size_t i = 0; i < c->n_outputs; i++) {
        TRY(split_size(c, x, axis, given, n_given, i, &dims[axis]));
        if (dims[axis] < 0 || dims[axis] > x->dims[axis] - begin)
            return error_set(c->error, MINNOW_ERROR_FORMAT, "the sizes do not add up to the axis");
        TRY(ops_output(c, i, x->type, x->rank, dims));
        const size_t chunk = (size_t)dims[axis] * inner * size, row = (size_t)x->dims[axis] * inner * size;
        if (chunk)
            for (size_t o = 0; o < outer; o++)
                memcpy((char *)c->outputs[i].data + o * chunk,
                       (const char *)x->data + o * row + (size_t)begin * inner * size, chunk);
        begin += dims[axis];
    }
    if (begin != x->dims[axis]) return error_set(c->error, MINNOW_ERROR_FORMAT, "the sizes do not add up to the axis");
    return MINNOW_OK;
}

/* --- Slice -------------------------------------------------------------------------------------------------------- */

static int64_t clamp(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }

/* One axis of Python's slice: where it begins and how many elements it has. */
static int64_t slice_axis(int64_t n, int64_t start, int64_t end, int64_t step, int64_t *count) {
    const int back = step < 0;
    *count = 0;
    if (n == 0) return 0;
    if (start < 0) start = start < -n ? 0 : start + n;
    if (end < 0) end = end < -n ? (back ? -1 : 0) : end + n;
    start = clamp(start, 0, back ? n - 1 : n);
    end = back ? clamp(end, -1, n - 1) : clamp(end, 0, n);
    const uint64_t stride = back ? 0 - (uint64_t)step : (uint64_t)step;
    const int64_t span = back ? start - end : end - start;
    if (span > 0) *count = (int64_t)(((uint64_t)span - 1) / stride + 1);
    return start;
}

minnow_status ops_slice(op_context *c) {
    int64_t starts[TENSOR_MAX_RANK], ends[TENSOR_MAX_RANK], axes[TENSOR_MAX_RANK], steps[TENSOR_MAX_RANK];
    int64_t dims[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK], offset = 0;
    size_t n, n_other;
    unsigned seen = 0;
    TRY(ops_need(c, 3));
    const tensor *x = c->inputs[0];
    TRY(ops_ints(c, 1, starts, TENSOR_MAX_RANK, &n));
    TRY(ops_ints(c, 2, ends, TENSOR_MAX_RANK, &n_other));
    if (n_other != n) return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu starts and %zu ends", n, n_other);
    for (size_t i = 0; i < n; i++) axes[i] = (int64_t)i, steps[i] = 1;
    if (ops_has_input(c, 3)) TRY(ops_ints(c, 3, axes, TENSOR_MAX_RANK, &n_other));
    if (n_other != n) return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu starts and %zu axes", n, n_other);
    if (ops_has_input(c, 4)) TRY(ops_ints(c, 4, steps, TENSOR_MAX_RANK, &n_other));
    if (n_other != n) return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu starts and %zu steps", n, n_other);
    memcpy(dims, x->dims, sizeof dims);
    stride_dense(x->rank, x->dims, strides);
    for (size_t i = 0; i < n; i++) {
        int axis;
        TRY(ops_axis(c, axes[i], x->rank, &axis));
        if (seen >> axis & 1) return error_set(c->error, MINNOW_ERROR_FORMAT, "axis %d stands twice", axis);
        if (steps[i] == 0) return error_set(c->error, MINNOW_ERROR_FORMAT, "a step of 0");
        seen |= 1u << axis;
        const int64_t begin = slice_axis(x->dims[axis], starts[i], ends[i], steps[i], &dims[axis]);
        if (dims[axis] > 0) offset += begin * strides[axis];
        strides[axis] = dims[axis] > 1 ? strides[axis] * steps[i] : 0;
    }
    TRY(ops_output(c, 0, x->type, x->rank, dims));
    stride_plan p = {.rank = x->rank, .n_operands = 1};
    memcpy(p.dims, dims, sizeof dims);
    memcpy(p.strides[0], strides, sizeof strides);
    if (tensor_count(&c->outputs[0]) == 0) return MINNOW_OK;
    stride_collapse(&p);
    stride_copy(c, &p, dtype_bytes(x->type), (const char *)x->data + (size_t)offset * dtype_bytes(x->type),
                c->outputs[0].data);
    return MINNOW_OK;
}

/* --- Expand, Tile ------------------------------------------------------------------------------------------------- */

minnow_status ops_expand(op_context *c) {
    tensor shape = {.type = DTYPE_INT64};
    int64_t dims[TENSOR_MAX_RANK];
    stride_plan p;
    size_t n, count;
    int rank;
    TRY(ops_need(c, 2));
    const tensor *x = c->inputs[0];
    TRY(ops_ints(c, 1, shape.dims, TENSOR_MAX_RANK, &n));
    shape.rank = (int)n;
    TRY(tensor_check_shape(x->type, shape.rank, shape.dims, &count, c->error));
    TRY(stride_broadcast(c, (const tensor *const[]){x, &shape}, 2, &rank, dims, &p));
    if (p.count == tensor_count(x)) return ops_view(c, 0, 0, rank, dims);
    TRY(ops_output(c, 0, x->type, rank, dims));
    p.n_operands = 1;
    stride_copy(c, &p, dtype_bytes(x->type), x->data, c->outputs[0].data);
    return MINNOW_OK;
}

/* Each dim becomes two: [repeats, dim], strides [0, stride]. */
minnow_status ops_tile(op_context *c) {
    int64_t repeats[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK];
    stride_plan p = {.n_operands = 1};
    size_t n;
    TRY(ops_need(c, 2));
    const tensor *x = c->inputs[0];
    TRY(ops_ints(c, 1, repeats, TENSOR_MAX_RANK, &n));
    if (n != (size_t)x->rank) return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu repeats for rank %d", n, x->rank);
    stride_dense(x->rank, x->dims, strides);
    for (int d = 0; d < x->rank; d++) {
        if (repeats[d] < 0) return error_set(c->error, MINNOW_ERROR_FORMAT, "a negative repeat");
        if (x->dims[d] != 0 && repeats[d] > INT64_MAX / x->dims[d])
            return error_set(c->error, MINNOW_ERROR_FORMAT, "dims overflow");
        dims[d] = repeats[d] * x->dims[d];
        p.dims[2 * d] = repeats[d];
        p.strides[0][2 * d] = 0;
        p.dims[2 * d + 1] = x->dims[d];
        p.strides[0][2 * d + 1] = strides[d];
    }
    TRY(ops_output(c, 0, x->type, x->rank, dims));
    if (tensor_count(&c->outputs[0]) == 0) return MINNOW_OK;
    p.rank = 2 * x->rank;
    stride_collapse(&p);
    stride_copy(c, &p, dtype_bytes(x->type), x->data, c->outputs[0].data);
    return MINNOW_OK;
}

/* --- Trilu -------------------------------------------------------------------------------------------------------- */

minnow_status ops_trilu(op_context *c) {
    const int upper = graph_node_int(c->node, "upper", 1) != 0;
    int64_t k = 0;
    size_t n_k;
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    const size_t size = dtype_bytes(x->type);
    if (x->rank < 2) return error_set(c->error, MINNOW_ERROR_FORMAT, "rank %d is less than 2", x->rank);
    if (ops_has_input(c, 1)) {
        TRY(ops_ints(c, 1, &k, 1, &n_k));
        if (n_k != 1) return error_set(c->error, MINNOW_ERROR_FORMAT, "k must be one number");
    }
    TRY(ops_output_over(c, 0, x->type, x->rank, x->dims, 0));
    const int64_t rows = x->dims[x->rank - 2], columns = x->dims[x->rank - 1];
    const size_t count = tensor_count(x);
    char *out = c->outputs[0].data;
    if (count == 0) return MINNOW_OK;
    if (out != x->data) memcpy(out, x->data, count * size);
    k = clamp(k, -rows - 1, columns + 1);
    for (size_t r = 0; r < count / (size_t)columns; r++) {
        /* Kept: upper, column - row >= k; lower, column - row <= k. */
        const int64_t edge = clamp((int64_t)(r % (size_t)rows) + k + (upper ? 0 : 1), 0, columns);
        char *row = out + r * (size_t)columns * size;
        if (upper) memset(row, 0, (size_t)edge * size);
        else memset(row + (size_t)edge * size, 0, (size_t)(columns - edge) * size);
    }
    return MINNOW_OK;
}
