/* SPDX-License-Identifier: Apache-2.0
 * Shape inference: Conv, and pooling over all places. */
#include <string.h>

#include "convert/shapes/shapes.h"

/* The number at i of a list attribute of n; `fallback` without it, -1 if that is not what stands there. */
static int64_t number_of(const shape_op *op, const char *name, size_t n, size_t i, int64_t fallback) {
    const graph_attribute *a = graph_node_attribute(op->node, name);
    if (a == NULL) return fallback;
    return a->type == ATTRIBUTE_INTS && a->n == n && a->ints[i] >= 0 && a->ints[i] <= INT32_MAX ? a->ints[i] : -1;
}

/* (x + pads - (kernel - 1) dilation - 1) / stride + 1, where auto_pad leaves that to the attributes. */
static extent places(const shape_op *op, extent x, extent kernel, size_t n, size_t axis) {
    const int64_t stride = number_of(op, "strides", n, axis, 1), dilation = number_of(op, "dilations", n, axis, 1);
    const int64_t before = number_of(op, "pads", 2 * n, axis, 0), after = number_of(op, "pads", 2 * n, axis + n, 0);
    const char *mode = graph_node_string(op->node, "auto_pad", "NOTSET");
    int64_t change;
    if (strcmp(mode, "NOTSET") != 0 || !extent_is_number(kernel) || kernel.factor < 1 || kernel.factor > INT32_MAX ||
        stride < 1 || dilation < 1 || before < 0 || after < 0)
        return extent_unknown();
    change = before + after - (kernel.factor - 1) * dilation - 1;
    if (extent_is_number(x) && x.factor <= INT32_MAX)
        return extent_number(x.factor + change < 0 ? 0 : (x.factor + change) / stride + 1);
    if (stride != 1 || change + 1 < 0) return extent_unknown(); /* a short x has no places, and not fewer than that */
    return extent_add(&op->in->terms, x, extent_number(change + 1));
}

static minnow_status infer_conv(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0), *w = op_shape(op, 1);
    shape s = shapes_no_shape;
    int d;
    (void)variant;
    if (x->rank >= 3) {
        s.rank = x->rank;
        s.dims[0] = x->dims[0];
        s.dims[1] = w->rank == x->rank ? w->dims[0] : extent_unknown();
        for (d = 2; d < s.rank; d++)
            s.dims[d] = w->rank != x->rank ? extent_unknown()
                                           : places(op, x->dims[d], w->dims[d], (size_t)s.rank - 2, (size_t)d - 2);
    }
    op_set(op, 0, op_type(op, 0), &s);
    return MINNOW_OK;
}

static minnow_status infer_global_pool(const shape_op *op, int variant) {
    shape s = *op_shape(op, 0);
    int d;
    (void)variant;
    for (d = 2; d < s.rank; d++) s.dims[d] = extent_number(1);
    op_set(op, 0, op_type(op, 0), &s);
    return MINNOW_OK;
}

const shape_rule shapes_conv_rules[] = {
    {"Conv", infer_conv, 2, 0},
    {"GlobalAveragePool", infer_global_pool, 1, 0},
    {"GlobalMaxPool", infer_global_pool, 1, 0},
    {NULL, NULL, 0, 0},
};
