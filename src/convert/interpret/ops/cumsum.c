/* SPDX-License-Identifier: Apache-2.0
 * CumSum: running sums along an axis, in order. */
#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

static void cumulate(const tensor *x, void *out, size_t first, size_t n, size_t stride, int exclusive, int reverse) {
    double sum64 = 0;
    float sum32 = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t at = first + (reverse ? n - 1 - i : i) * stride;
        if (x->type == DTYPE_FLOAT32) {
            const float before = sum32;
            sum32 += ((const float *)x->data)[at];
            ((float *)out)[at] = exclusive ? before : sum32;
        } else if (x->type == DTYPE_FLOAT64) {
            const double before = sum64;
            sum64 += ((const double *)x->data)[at];
            ((double *)out)[at] = exclusive ? before : sum64;
        } else {
            const uint64_t before = sum;
            int64_t v;
            lanes_load(x->type, x->data, at, 1, 1, &v);
            sum += (uint64_t)v;
            v = (int64_t)(exclusive ? before : sum);
            lanes_store(x->type, &v, 1, out, at);
        }
    }
}

minnow_status ops_cumsum(op_context *c) {
    const int exclusive = graph_node_int(c->node, "exclusive", 0) != 0;
    const int reverse = graph_node_int(c->node, "reverse", 0) != 0;
    int64_t wanted;
    size_t n_wanted, inner = 1, outer = 1;
    int axis;
    TRY(ops_need(c, 2));
    const tensor *x = c->inputs[0];
    if (x->type != DTYPE_FLOAT32 && x->type != DTYPE_FLOAT64 && (!lanes_is_integer(x->type) || x->type == DTYPE_BOOL))
        return ops_unsupported_type(c, x->type);
    TRY(ops_ints(c, 1, &wanted, 1, &n_wanted));
    if (n_wanted != 1) return error_set(c->error, MINNOW_ERROR_FORMAT, "the axis must be one number");
    TRY(ops_axis(c, wanted, x->rank, &axis));
    TRY(ops_output(c, 0, x->type, x->rank, x->dims));
    if (tensor_count(x) == 0) return MINNOW_OK;
    for (int d = 0; d < axis; d++) outer *= (size_t)x->dims[d];
    for (int d = axis + 1; d < x->rank; d++) inner *= (size_t)x->dims[d];
    const size_t n = (size_t)x->dims[axis];
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < inner; i++)
            cumulate(x, c->outputs[0].data, o * n * inner + i, n, inner, exclusive, reverse);
    return MINNOW_OK;
}
