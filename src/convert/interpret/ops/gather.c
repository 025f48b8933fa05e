/* SPDX-License-Identifier: Apache-2.0
 * Elements picked and placed by index: Gather, GatherElements, GatherND, ScatterElements, ScatterND. Negative indices
 * count from the end; every index is checked. */
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

/* Index i of an integer tensor, in [0, n). */
static minnow_status index_at(op_context *c, const tensor *indices, size_t i, int64_t n, size_t *out) {
    int64_t k = ops_scalar_int(indices, i);
    const int64_t given = k;
    if (k < 0) k += n;
    if (k < 0 || k >= n)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "index %lld is outside an axis of %lld", (long long)given,
                         (long long)n);
    *out = (size_t)k;
    return MINNOW_OK;
}

static minnow_status check_indices(op_context *c, size_t input) {
    const dtype t = c->inputs[input]->type;
    return t == DTYPE_INT64 || t == DTYPE_INT32 ? MINNOW_OK : ops_unsupported_type(c, t);
}

/* out[outer, indices..., inner] = x[outer, index, inner] */
minnow_status ops_gather(op_context *c) {
    int64_t dims[TENSOR_MAX_RANK];
    size_t outer = 1, inner = 1;
    int axis, rank = 0;
    TRY(ops_need(c, 2));
    TRY(check_indices(c, 1));
    const tensor *x = c->inputs[0], *indices = c->inputs[1];
    TRY(ops_axis(c, graph_node_int(c->node, "axis", 0), x->rank, &axis));
    if (x->rank - 1 + indices->rank > TENSOR_MAX_RANK)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "rank %d not supported", x->rank - 1 + indices->rank);
    for (int d = 0; d < axis; d++) outer *= (size_t)(dims[rank++] = x->dims[d]);
    for (int d = 0; d < indices->rank; d++) dims[rank++] = indices->dims[d];
    for (int d = axis + 1; d < x->rank; d++) inner *= (size_t)(dims[rank++] = x->dims[d]);
    TRY(ops_output(c, 0, x->type, rank, dims));
    const size_t n = tensor_count(indices), bytes = inner * dtype_bytes(x->type), length = (size_t)x->dims[axis];
    TRY(ops_charge(c, n));
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        TRY(index_at(c, indices, i, x->dims[axis], &k));
        if (bytes == 0) continue;
        for (size_t o = 0; o < outer; o++)
            memcpy((char *)c->outputs[0].data + (o * n + i) * bytes, (const char *)x->data + (o * length + k) * bytes,
                   bytes);
    }
    return MINNOW_OK;
}

/* Steps a position of `dims` on by one, the last dim fastest. */
static void next_position(int rank, const int64_t *dims, int64_t *position) {
    for (int d = rank - 1; d >= 0 && ++position[d] == dims[d]; d--) position[d] = 0;
}

/* Where in x the element stands that position and index name. */
static size_t element_at(const tensor *x, int axis, const int64_t *position, size_t k) {
    size_t at = 0;
    for (int d = 0; d < x->rank; d++) at = at * (size_t)x->dims[d] + (d == axis ? k : (size_t)position[d]);
    return at;
}

static minnow_status check_elements(op_context *c, const tensor *x, const tensor *indices, int axis) {
    if (indices->rank != x->rank)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "ranks %d and %d", x->rank, indices->rank);
    for (int d = 0; d < x->rank; d++)
        if (d != axis && indices->dims[d] > x->dims[d])
            return error_set(c->error, MINNOW_ERROR_FORMAT, "the indices are larger than the data along axis %d", d);
    return MINNOW_OK;
}

minnow_status ops_gather_elements(op_context *c) {
    int64_t position[TENSOR_MAX_RANK] = {0};
    int axis;
    TRY(ops_need(c, 2));
    TRY(check_indices(c, 1));
    const tensor *x = c->inputs[0], *indices = c->inputs[1];
    const size_t size = dtype_bytes(x->type);
    TRY(ops_axis(c, graph_node_int(c->node, "axis", 0), x->rank, &axis));
    TRY(check_elements(c, x, indices, axis));
    TRY(ops_output(c, 0, x->type, indices->rank, indices->dims));
    for (size_t i = 0; i < tensor_count(indices); i++) {
        size_t k = 0;
        TRY(index_at(c, indices, i, x->dims[axis], &k));
        memcpy((char *)c->outputs[0].data + i * size, (const char *)x->data + element_at(x, axis, position, k) * size,
               size);
        next_position(indices->rank, indices->dims, position);
    }
    return MINNOW_OK;
}

/* Indices [..., depth] of GatherND and ScatterND: each row names a slice of x behind `batch` common dims. */
typedef struct nd {
    size_t rows, depth, slice; /* slice: elements of one */
    size_t batch, per_batch;   /* common dims: how many, rows in each */
    size_t x_batch;            /* elements of x in each */
} nd;

static minnow_status plan_nd(op_context *c, const tensor *x, const tensor *indices, int batch_dims, nd *p) {
    if (indices->rank <= batch_dims || x->rank <= batch_dims || indices->rank < 1)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "batch_dims %d is too many", batch_dims);
    const int64_t depth = indices->dims[indices->rank - 1];
    if (depth < 1 || depth > x->rank - batch_dims)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "indices of %lld numbers for rank %d", (long long)depth,
                         x->rank);
    *p = (nd){.rows = 1, .depth = (size_t)depth, .slice = 1, .batch = 1, .x_batch = 1};
    for (int d = 0; d < indices->rank - 1; d++) p->rows *= (size_t)indices->dims[d];
    for (int d = 0; d < batch_dims; d++) {
        if (indices->dims[d] != x->dims[d]) return error_set(c->error, MINNOW_ERROR_FORMAT, "batch dim %d differs", d);
        p->batch *= (size_t)x->dims[d];
    }
    for (int d = batch_dims; d < x->rank; d++) p->x_batch *= (size_t)x->dims[d];
    for (int d = batch_dims + (int)depth; d < x->rank; d++) p->slice *= (size_t)x->dims[d];
    p->per_batch = p->batch ? p->rows / p->batch : 0;
    return MINNOW_OK;
}

/* The first element of the slice that row `row` names. */
static minnow_status slice_of(op_context *c, const tensor *x, const tensor *indices, int batch_dims, const nd *p,
                              size_t row, size_t *at) {
    size_t within = 0;
    for (size_t d = 0; d < p->depth; d++) {
        const int64_t n = x->dims[(size_t)batch_dims + d];
        size_t k = 0;
        TRY(index_at(c, indices, row * p->depth + d, n, &k));
        within = within * (size_t)n + k;
    }
    *at = row / p->per_batch * p->x_batch + within * p->slice;
    return MINNOW_OK;
}

minnow_status ops_gather_nd(op_context *c) {
    const int64_t batch = graph_node_int(c->node, "batch_dims", 0);
    int64_t dims[2 * TENSOR_MAX_RANK];
    int rank = 0;
    nd p;
    TRY(ops_need(c, 2));
    TRY(check_indices(c, 1));
    const tensor *x = c->inputs[0], *indices = c->inputs[1];
    const size_t size = dtype_bytes(x->type);
    if (batch < 0 || batch > TENSOR_MAX_RANK)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "batch_dims %lld", (long long)batch);
    TRY(plan_nd(c, x, indices, (int)batch, &p));
    for (int d = 0; d < indices->rank - 1; d++) dims[rank++] = indices->dims[d];
    for (int d = (int)batch + (int)p.depth; d < x->rank; d++) dims[rank++] = x->dims[d];
    TRY(ops_output(c, 0, x->type, rank, dims));
    TRY(ops_charge_product(c, p.rows, p.depth, 1));
    for (size_t row = 0; row < p.rows; row++) {
        size_t at;
        TRY(slice_of(c, x, indices, (int)batch, &p, row, &at));
        if (p.slice)
            memcpy((char *)c->outputs[0].data + row * p.slice * size, (const char *)x->data + at * size,
                   p.slice * size);
    }
    return MINNOW_OK;
}

/* --- Scatter ------------------------------------------------------------------------------------------------------ */

enum { SCATTER_NONE, SCATTER_ADD, SCATTER_MUL, SCATTER_MIN, SCATTER_MAX };

static minnow_status scatter_kind(op_context *c, int *kind) {
    static const char *const names[] = {"none", "add", "mul", "min", "max"};
    const char *name = graph_node_string(c->node, "reduction", "none");
    for (*kind = 0; *kind < 5; ++*kind)
        if (strcmp(name, names[*kind]) == 0) return MINNOW_OK;
    return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "reduction '%s' not supported", name);
}

/* y[0..n) = kind(y, u) */
static minnow_status place(op_context *c, int kind, dtype type, void *y, const void *u, size_t n) {
    static const int kinds[] = {0, BINARY_ADD, BINARY_MUL, BINARY_MIN, BINARY_MAX};
    if (n == 0) return MINNOW_OK;
    if (kind == SCATTER_NONE) {
        memcpy(y, u, n * dtype_bytes(type));
        return MINNOW_OK;
    }
    const tensor old = {.type = type, .rank = 1, .dims = {(int64_t)n}, .data = y};
    const tensor update = {.type = type, .rank = 1, .dims = {(int64_t)n}, .data = (void *)(uintptr_t)u};
    tensor new = old;
    return binary_apply(c, kinds[kind], &old, &update, &new);
}

/* Output 0 begins as a copy of x. */
static minnow_status start_from(op_context *c, const tensor *x) {
    TRY(ops_output_over(c, 0, x->type, x->rank, x->dims, 0));
    if (c->outputs[0].data != x->data && tensor_bytes(x)) memcpy(c->outputs[0].data, x->data, tensor_bytes(x));
    return MINNOW_OK;
}

minnow_status ops_scatter_elements(op_context *c) {
    int64_t position[TENSOR_MAX_RANK] = {0};
    int axis, kind;
    TRY(ops_need(c, 3));
    TRY(check_indices(c, 1));
    TRY(ops_same_type(c, 0, 2));
    const tensor *x = c->inputs[0], *indices = c->inputs[1], *updates = c->inputs[2];
    const size_t size = dtype_bytes(x->type);
    TRY(ops_axis(c, graph_node_int(c->node, "axis", 0), x->rank, &axis));
    TRY(check_elements(c, x, indices, axis));
    TRY(scatter_kind(c, &kind));
    if (updates->rank != indices->rank || memcmp(updates->dims, indices->dims,
                                                 (size_t)indices->rank * sizeof(int64_t)) != 0)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "updates and indices differ in shape");
    TRY(start_from(c, x));
    TRY(ops_charge(c, tensor_count(indices)));
    for (size_t i = 0; i < tensor_count(indices); i++) {
        size_t k = 0;
        TRY(index_at(c, indices, i, x->dims[axis], &k));
        TRY(place(c, kind, x->type, (char *)c->outputs[0].data + element_at(x, axis, position, k) * size,
                  (const char *)updates->data + i * size, 1));
        next_position(indices->rank, indices->dims, position);
    }
    return MINNOW_OK;
}

minnow_status ops_scatter_nd(op_context *c) {
    int kind;
    size_t wanted;
    nd p;
    TRY(ops_need(c, 3));
    TRY(check_indices(c, 1));
    TRY(ops_same_type(c, 0, 2));
    const tensor *x = c->inputs[0], *indices = c->inputs[1], *updates = c->inputs[2];
    const size_t size = dtype_bytes(x->type);
    TRY(plan_nd(c, x, indices, 0, &p));
    TRY(scatter_kind(c, &kind));
    wanted = p.rows * p.slice;
    if (p.slice != 0 && (p.rows > SIZE_MAX / p.slice || tensor_count(updates) != wanted))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "updates do not have the shape of the slices");
    TRY(start_from(c, x));
    TRY(ops_charge_product(c, p.rows, p.depth, 1));
    TRY(ops_charge(c, tensor_count(updates)));
    for (size_t row = 0; row < p.rows; row++) {
        size_t at;
        TRY(slice_of(c, x, indices, 0, &p, row, &at));
        if (p.slice == 0) continue;
        TRY(place(c, kind, x->type, (char *)c->outputs[0].data + at * size,
                  (const char *)updates->data + row * p.slice * size, p.slice));
    }
    return MINNOW_OK;
}
