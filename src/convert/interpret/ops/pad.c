/* SPDX-License-Identifier: Apache-2.0
 * Pad: elements before and after those of each axis, or fewer of them. Any type. */
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

enum { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP };

/* The element of [0, n) that position p of a padded axis shows; -1: the constant. */
static int64_t pad_source(int mode, int64_t p, int64_t n) {
    if (p >= 0 && p < n) return p;
    if (mode == PAD_CONSTANT || n == 0) return -1;
    if (mode == PAD_EDGE || n == 1) return p < 0 ? 0 : n - 1;
    const int64_t period = mode == PAD_WRAP ? n : 2 * (n - 1);
    p %= period;
    if (p < 0) p += period;
    return p < n ? p : period - p;
}

static minnow_status pad_mode(op_context *c, int *mode) {
    static const char *const names[] = {"constant", "reflect", "edge", "wrap"};
    const char *name = graph_node_string(c->node, "mode", "constant");
    for (*mode = 0; *mode < 4; ++*mode)
        if (strcmp(name, names[*mode]) == 0) return MINNOW_OK;
    return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "mode '%s' not supported", name);
}

static minnow_status read_pads(op_context *c, const tensor *x, int64_t *before, int64_t *dims) {
    int64_t pads[2 * TENSOR_MAX_RANK], axes[TENSOR_MAX_RANK];
    size_t n, n_axes = (size_t)x->rank;
    unsigned seen = 0;
    TRY(ops_ints(c, 1, pads, 2 * TENSOR_MAX_RANK, &n));
    for (int d = 0; d < x->rank; d++) axes[d] = d, before[d] = 0, dims[d] = x->dims[d];
    if (ops_has_input(c, 3)) TRY(ops_ints(c, 3, axes, TENSOR_MAX_RANK, &n_axes));
    if (n != 2 * n_axes) return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu pads for %zu axes", n, n_axes);
    for (size_t i = 0; i < n_axes; i++) {
        const int64_t low = pads[i], high = pads[i + n_axes], limit = (int64_t)1 << 60;
        int axis;
        TRY(ops_axis(c, axes[i], x->rank, &axis));
        if (seen >> axis & 1) return error_set(c->error, MINNOW_ERROR_FORMAT, "axis %d stands twice", axis);
        seen |= 1u << axis;
        if (low < -limit || low > limit || high < -limit || high > limit || x->dims[axis] > limit ||
            x->dims[axis] + low + high < 0)
            return error_set(c->error, MINNOW_ERROR_FORMAT, "pads of %lld and %lld are out of range", (long long)low,
                             (long long)high);
        before[axis] = low;
        dims[axis] = x->dims[axis] + low + high;
    }
    return MINNOW_OK;
}

minnow_status ops_pad(op_context *c) {
    int64_t before[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK], index[TENSOR_MAX_RANK] = {0}, strides[TENSOR_MAX_RANK];
    const uint64_t zero = 0;
    const void *fill = &zero;
    int mode;
    TRY(ops_need(c, 2));
    const tensor *x = c->inputs[0];
    const size_t size = dtype_bytes(x->type);
    TRY(pad_mode(c, &mode));
    if (ops_has_input(c, 2) && mode == PAD_CONSTANT) {
        TRY(ops_same_type(c, 0, 2));
        if (tensor_count(c->inputs[2]) != 1)
            return error_set(c->error, MINNOW_ERROR_FORMAT, "the value must be a scalar");
        fill = c->inputs[2]->data;
    }
    TRY(read_pads(c, x, before, dims));
    TRY(ops_charge(c, 8));
    TRY(ops_output(c, 0, x->type, x->rank, dims));
    stride_dense(x->rank, x->dims, strides);
    const size_t n = tensor_count(&c->outputs[0]);
    TRY(ops_charge_product(c, n, 8, 1));
    for (int d = 0; d < x->rank && n; d++)
        if (x->dims[d] == 0 && mode != PAD_CONSTANT)
            return error_set(c->error, MINNOW_ERROR_FORMAT, "nothing to repeat along axis %d", d);
    for (size_t i = 0; i < n; i++) {
        int64_t at = 0;
        int inside = 1;
        for (int d = 0; d < x->rank; d++) {
            const int64_t p = pad_source(mode, index[d] - before[d], x->dims[d]);
            if (p < 0) inside = 0;
            at += p * strides[d];
        }
        memcpy((char *)c->outputs[0].data + i * size, inside ? (const char *)x->data + (size_t)at * size : fill, size);
        for (int d = x->rank - 1; d >= 0 && ++index[d] == dims[d]; d--) index[d] = 0;
    }
    return MINNOW_OK;
}
