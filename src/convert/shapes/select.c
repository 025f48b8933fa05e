/* SPDX-License-Identifier: Apache-2.0
 * Shape inference: operators whose outcome depends on the elements: the largest ones, the different ones, one-hot rows;
 * and EyeLike. */
#include "convert/shapes/shapes.h"

/* k of the input, [..., k, ...] along the axis. */
static minnow_status infer_topk(const shape_op *op, int variant) {
    const partial *k = op_partial(op, 1);
    shape s = *op_shape(op, 0);
    int axis;
    (void)variant;
    if (s.rank >= 0) {
        TRY(op_axis(op, graph_node_int(op->node, "axis", -1), s.rank, &axis));
        const extent size = k != NULL && k->n == 1 ? k->elements[0] : extent_unknown();
        const extent had = s.dims[axis];
        if (extent_is_number(size) && (size.factor < 0 || (extent_is_number(had) && size.factor > had.factor)))
            return op_fail(op, "k is %lld, axis %d has %lld", (long long)size.factor, axis, (long long)had.factor);
        s.dims[axis] = size;
    }
    op_set(op, 0, op_type(op, 0), &s);
    op_set(op, 1, DTYPE_INT64, &s);
    return MINNOW_OK;
}

/* indices [...], depth -> [..., depth, ...] with the depth at `axis`. */
static minnow_status infer_one_hot(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0);
    const partial *depth = op_partial(op, 1);
    shape s = shapes_no_shape;
    int axis, d;
    (void)variant;
    if (x->rank >= 0 && x->rank < TENSOR_MAX_RANK) {
        TRY(op_axis(op, graph_node_int(op->node, "axis", -1), x->rank + 1, &axis));
        s.rank = x->rank + 1;
        for (d = 0; d < s.rank; d++) s.dims[d] = d < axis ? x->dims[d] : d > axis ? x->dims[d - 1] : extent_unknown();
        if (depth != NULL && depth->n == 1) s.dims[axis] = depth->elements[0];
    }
    op_set(op, 0, op_type(op, 2), &s);
    return MINNOW_OK;
}

/* Without an axis the input is taken flat. */
static minnow_status infer_compress(const shape_op *op, int variant) {
    const graph_attribute *along = graph_node_attribute(op->node, "axis");
    shape s = *op_shape(op, 0);
    int axis = 0;
    (void)variant;
    if (along == NULL) s.rank = 1;
    else if (s.rank >= 0) TRY(op_axis(op, along->i, s.rank, &axis));
    if (s.rank > 0) s.dims[axis] = extent_unknown();
    op_set(op, 0, op_type(op, 0), &s);
    return MINNOW_OK;
}

static minnow_status infer_unique(const shape_op *op, int variant) {
    shape list = {1, {{0, SHAPES_UNKNOWN}}};
    size_t i;
    list.dims[0] = extent_unknown();
    TRY(infer_compress(op, variant));
    for (i = 1; i < 4; i++) op_set(op, i, DTYPE_INT64, &list);
    return MINNOW_OK;
}

static minnow_status infer_eye_like(const shape_op *op, int variant) {
    const int64_t named = graph_node_int(op->node, "dtype", 0);
    (void)variant;
    op_set(op, 0, named > 0 && named <= 64 ? (dtype)named : op_type(op, 0), op_shape(op, 0));
    return MINNOW_OK;
}

const shape_rule shapes_select_rules[] = {
    {"Compress", infer_compress, 2, 0},
    {"EyeLike", infer_eye_like, 1, 0},
    {"Unique", infer_unique, 1, 0},
    {"TopK", infer_topk, 2, 0},
    {"OneHot", infer_one_hot, 3, 0},
    {NULL, NULL, 0, 0},
};
