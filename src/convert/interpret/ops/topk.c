/* SPDX-License-Identifier: Apache-2.0
 * TopK: the k largest or smallest elements along an axis, in order, equal ones by position; and where they were. */
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

static int goes_first(const tensor *x, size_t a, size_t b, int least) {
    if (element_beats(x, x->data, a, b, least)) return 1;
    return !element_beats(x, x->data, b, a, least) && a < b;
}

/* Heap sort of positions, the last in order on top: stable by position, no recursion. */
static void sift(const tensor *x, size_t *heap, size_t n, size_t at, int least) {
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n) return;
        if (child + 1 < n && goes_first(x, heap[child], heap[child + 1], least)) child++;
        if (!goes_first(x, heap[at], heap[child], least)) return;
        const size_t t = heap[at];
        heap[at] = heap[child];
        heap[child] = t;
        at = child;
    }
}

static void sort_positions(const tensor *x, size_t *heap, size_t n, int least) {
    for (size_t i = n / 2; i-- > 0;) sift(x, heap, n, i, least);
    for (size_t end = n; end-- > 1;) {
        const size_t t = heap[0];
        heap[0] = heap[end];
        heap[end] = t;
        sift(x, heap, end, 0, least);
    }
}

minnow_status ops_topk(op_context *c) {
    const int least = graph_node_int(c->node, "largest", 1) == 0;
    int64_t k, dims[TENSOR_MAX_RANK];
    size_t n_k, inner = 1, outer = 1;
    void *heap;
    int axis;
    TRY(ops_need(c, 2));
    const tensor *x = c->inputs[0];
    if (x->type != DTYPE_FLOAT32 && x->type != DTYPE_FLOAT64 && !lanes_is_integer(x->type))
        return ops_unsupported_type(c, x->type);
    TRY(ops_axis(c, graph_node_int(c->node, "axis", -1), x->rank, &axis));
    TRY(ops_ints(c, 1, &k, 1, &n_k));
    if (n_k != 1 || k < 0 || k > x->dims[axis])
        return error_set(c->error, MINNOW_ERROR_FORMAT, "k is outside the axis");
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = k;
    TRY(ops_charge_product(c, tensor_count(x), 64, 1));
    TRY(ops_output(c, 0, x->type, x->rank, dims));
    if (c->n_outputs > 1) TRY(ops_output(c, 1, DTYPE_INT64, x->rank, dims));
    if (tensor_count(x) == 0) return MINNOW_OK;
    const size_t n = (size_t)x->dims[axis], size = dtype_bytes(x->type);
    for (int d = 0; d < axis; d++) outer *= (size_t)x->dims[d];
    for (int d = axis + 1; d < x->rank; d++) inner *= (size_t)x->dims[d];
    TRY(ops_scratch_array(c, n, 1, sizeof(size_t), &heap));
    for (size_t row = 0; row < outer * inner; row++) {
        const size_t first = row / inner * n * inner + row % inner, to = row / inner * (size_t)k * inner + row % inner;
        for (size_t i = 0; i < n; i++) ((size_t *)heap)[i] = first + i * inner;
        sort_positions(x, heap, n, least);
        for (size_t i = 0; i < (size_t)k; i++) {
            const size_t at = ((size_t *)heap)[i];
            memcpy((char *)c->outputs[0].data + (to + i * inner) * size, (const char *)x->data + at * size, size);
            if (c->n_outputs > 1) ((int64_t *)c->outputs[1].data)[to + i * inner] = (int64_t)((at - first) / inner);
        }
    }
    return MINNOW_OK;
}
