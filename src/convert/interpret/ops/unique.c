/* SPDX-License-Identifier: Apache-2.0
 * Unique: the different slices along an axis (without one, the different elements), sorted or in the order of their
 * first appearance; where each stands first, which one each slice is, and how often each is there. */
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

typedef struct slices {
    dtype type;
    const void *data; /* [n, m], a slice a row */
    size_t n, m;
} slices;

/* -1, 0, 1; NaN is the largest and equal to itself. */
static int order_floats(double a, double b) {
    if (a != a || b != b) return (a != a) - (b != b);
    return (a > b) - (a < b);
}

static int order(const slices *s, size_t x, size_t y) {
    const tensor t = {.type = s->type, .data = (void *)(uintptr_t)s->data};
    for (size_t i = 0; i < s->m; i++) {
        const size_t at = x * s->m + i, to = y * s->m + i;
        int result;
        if (lanes_is_integer(s->type)) {
            int64_t a = 0, b = 0;
            lanes_load(s->type, s->data, at, 1, 1, &a);
            lanes_load(s->type, s->data, to, 1, 1, &b);
            if (s->type == DTYPE_UINT64) result = ((uint64_t)a > (uint64_t)b) - ((uint64_t)a < (uint64_t)b);
            else result = (a > b) - (a < b);
        } else {
            result = order_floats(ops_scalar_f64(&t, at), ops_scalar_f64(&t, to));
        }
        if (result != 0) return result;
    }
    return 0;
}

/* Slices in order, equal ones by position: merged in runs of 1, 2, 4 ... between two arrays. Returns the sorted one. */
static size_t *sort_slices(const slices *s, size_t *from, size_t *to) {
    for (size_t i = 0; i < s->n; i++) from[i] = i;
    for (size_t run = 1; run < s->n; run *= 2) {
        for (size_t start = 0; start < s->n; start += 2 * run) {
            const size_t middle = start + run < s->n ? start + run : s->n;
            const size_t end = middle + run < s->n ? middle + run : s->n;
            size_t a = start, b = middle;
            for (size_t k = start; k < end; k++)
                to[k] = b == end || (a < middle && order(s, from[a], from[b]) <= 0) ? from[a++] : from[b++];
        }
        size_t *const swap = from;
        from = to;
        to = swap;
    }
    return from;
}

typedef struct groups {
    size_t n;        /* different slices */
    size_t *first;   /* [n] where each stands first */
    size_t *counts;  /* [n] */
    size_t *inverse; /* [slices] which one each is */
} groups;

/* Groups in sorted order: `sorted` has equal slices side by side, the first of them first. */
static void group_sorted(const slices *s, const size_t *sorted, groups *g) {
    g->n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (i == 0 || order(s, sorted[i - 1], sorted[i]) != 0) {
            g->first[g->n] = sorted[i];
            g->counts[g->n++] = 0;
        }
        g->counts[g->n - 1]++;
        g->inverse[sorted[i]] = g->n - 1;
    }
}

/* The same groups in the order of their first slices; `places` [n] is room for where each group goes. */
static void order_by_first(const slices *s, groups *g, const groups *from, size_t *places) {
    g->n = 0;
    for (size_t i = 0; i < s->n; i++) {
        const size_t group = from->inverse[i];
        if (from->first[group] == i) {
            places[group] = g->n;
            g->first[g->n] = i;
            g->counts[g->n++] = from->counts[group];
        }
        g->inverse[i] = places[group];
    }
}

static minnow_status find_groups(op_context *c, const slices *s, groups *g) {
    const int sorted = graph_node_int(c->node, "sorted", 1) != 0;
    groups found;
    void *room;
    uint64_t levels = 1;
    while ((s->n >> levels) > 0 && levels < 63) levels++;
    TRY(ops_charge_product(c, 16 * levels, s->n, s->m ? s->m : 1));
    if (s->n > SIZE_MAX / (16 * sizeof(size_t))) return error_set(c->error, MINNOW_ERROR_MEMORY, "%zu slices", s->n);
    TRY(ops_scratch(c, 9 * (s->n + 1) * sizeof(size_t), &room));
    size_t *r = room;
    found = (groups){0, r, r + s->n, r + 2 * s->n};
    *g = (groups){0, r + 3 * s->n, r + 4 * s->n, r + 5 * s->n};
    group_sorted(s, sort_slices(s, r + 6 * s->n, r + 7 * s->n), &found);
    if (sorted) *g = found;
    else order_by_first(s, g, &found, r + 8 * s->n);
    return MINNOW_OK;
}

/* An int64 list as output i, if somebody may ask for it. */
static minnow_status put_list(op_context *c, size_t i, const size_t *list, size_t n) {
    const int64_t dims[1] = {(int64_t)n};
    if (i >= c->n_outputs) return MINNOW_OK;
    TRY(ops_output(c, i, DTYPE_INT64, 1, dims));
    for (size_t k = 0; k < n; k++) ((int64_t *)c->outputs[i].data)[k] = (int64_t)list[k];
    return MINNOW_OK;
}

/* Output 0: the slices of `s` that stand first, back along the axis of x. */
static minnow_status put_slices(op_context *c, const slices *s, const groups *g, const tensor *x, int axis) {
    int64_t dims[TENSOR_MAX_RANK];
    const size_t size = dtype_bytes(s->type);
    size_t inner = 1;
    if (axis < 0) dims[0] = (int64_t)g->n;
    else memcpy(dims, x->dims, sizeof dims);
    if (axis >= 0) dims[axis] = (int64_t)g->n;
    for (int d = axis + 1; axis >= 0 && d < x->rank; d++) inner *= (size_t)x->dims[d];
    TRY(ops_output(c, 0, s->type, axis < 0 ? 1 : x->rank, dims));
    for (size_t k = 0; k < g->n; k++)
        for (size_t i = 0; i < s->m; i++) {
            const size_t to = i / inner * g->n * inner + k * inner + i % inner;
            const size_t from = g->first[k] * s->m + i;
            memcpy((char *)c->outputs[0].data + to * size, (const char *)s->data + from * size, size);
        }
    return MINNOW_OK;
}

minnow_status ops_unique(op_context *c) {
    const graph_attribute *along = graph_node_attribute(c->node, "axis");
    int perm[TENSOR_MAX_RANK], axis = -1;
    groups g = {0};
    void *moved;
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    slices s = {.type = x->type, .data = x->data, .n = tensor_count(x), .m = 1};
    if (along) TRY(ops_axis(c, along->i, x->rank, &axis));
    if (axis >= 0) {
        s.n = (size_t)x->dims[axis];
        for (int d = 0; d < x->rank; d++) s.m *= d == axis ? 1 : (size_t)x->dims[d];
        for (int d = 0; d < x->rank; d++) perm[d] = d == 0 ? axis : d <= axis ? d - 1 : d;
        TRY(ops_scratch(c, tensor_bytes(x), &moved));
        stride_transpose(c, x, NULL, perm, moved);
        s.data = moved;
    }
    TRY(find_groups(c, &s, &g));
    TRY(put_slices(c, &s, &g, x, axis));
    TRY(put_list(c, 1, g.first, g.n));
    TRY(put_list(c, 2, g.inverse, s.n));
    return put_list(c, 3, g.counts, g.n);
}
