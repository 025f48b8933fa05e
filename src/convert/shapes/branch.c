/* SPDX-License-Identifier: Apache-2.0
 * Shape inference: If. What both branches agree on, or all of the one that is taken if that is known. */
#include "convert/shapes/shapes.h"

static void set_taken(const shape_op *op, size_t output, size_t input) {
    op_set(op, output, op_type(op, input), op_shape(op, input));
    op_set_partial(op, output, op_type(op, input), op_partial(op, input));
}

static void set_common(const shape_op *op, size_t output, size_t a, size_t b) {
    const shape *x = op_shape(op, a), *y = op_shape(op, b);
    shape s = *x;
    int d;
    if (x->rank < 0 || x->rank != y->rank) s = shapes_no_shape;
    for (d = 0; d < s.rank; d++)
        if (!extent_same(x->dims[d], y->dims[d])) s.dims[d] = extent_unknown();
    op_set(op, output, op_type(op, a) == op_type(op, b) ? op_type(op, a) : DTYPE_UNDEFINED, &s);
}

static minnow_status infer_if(const shape_op *op, int variant) {
    const size_t n = op->node->n_outputs;
    int64_t condition[SHAPES_MAX_ELEMENTS];
    size_t n_condition = 0, i;
    const int is_known = op_numbers(op, 0, condition, &n_condition) && n_condition == 1;
    (void)variant;
    for (i = 0; i < n; i++) {
        if (is_known) set_taken(op, i, condition[0] != 0 ? 1 + i : 1 + n + i);
        else set_common(op, i, 1 + i, 1 + n + i);
    }
    return MINNOW_OK;
}

const shape_rule shapes_branch_rules[] = {{"If", infer_if, 1, 0}, {NULL, NULL, 0, 0}};
