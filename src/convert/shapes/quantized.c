/* SPDX-License-Identifier: Apache-2.0
 * Shape inference: codes and floats, and com.microsoft's operators of codes. (MatMulInteger and QLinearMatMul are with
 * the other products in linear.c.) */
#include "convert/shapes/shapes.h"

/* --- Floats and codes ----------------------------------------------------------------------------------------- */

/* A scale for each slice along the axis must have as many elements as there are slices (blocks aside). */
static minnow_status check_scale(const shape_op *op) {
    const shape *x = op_shape(op, 0), *scale = op_shape(op, 1);
    int axis;
    if (x->rank < 1 || scale->rank != 1) return MINNOW_OK;
    if (!extent_is_number(scale->dims[0]) || extent_is(scale->dims[0], 1)) return MINNOW_OK; /* one needs no axis */
    TRY(op_axis(op, graph_node_int(op->node, "axis", 1), x->rank, &axis));
    if (extent_is_number(x->dims[axis]) && !extent_same(x->dims[axis], scale->dims[0]))
        return op_fail(op, "%lld scales for an axis of %lld", (long long)scale->dims[0].factor,
                       (long long)x->dims[axis].factor);
    return MINNOW_OK;
}

static minnow_status infer_quantize(const shape_op *op, int variant) {
    const int64_t named = graph_node_int(op->node, "output_dtype", 0);
    dtype type = op_has_input(op, 2) ? op_type(op, 2) : named > 0 && named <= 64 ? (dtype)named : DTYPE_UINT8;
    (void)variant;
    TRY(check_scale(op));
    op_set(op, 0, type, op_shape(op, 0));
    return MINNOW_OK;
}

static minnow_status infer_dequantize(const shape_op *op, int variant) {
    const int64_t named = graph_node_int(op->node, "output_dtype", 0);
    (void)variant;
    TRY(check_scale(op));
    op_set(op, 0, named > 0 && named <= 64 ? (dtype)named : op_type(op, 1), op_shape(op, 0));
    return MINNOW_OK;
}

static minnow_status infer_dynamic_quantize(const shape_op *op, int variant) {
    const shape scalar = {0, {{0, SHAPES_UNKNOWN}}};
    (void)variant;
    op_set(op, 0, DTYPE_UINT8, op_shape(op, 0));
    op_set(op, 1, DTYPE_FLOAT32, &scalar);
    op_set(op, 2, DTYPE_UINT8, &scalar);
    return MINNOW_OK;
}

/* --- com.microsoft's ------------------------------------------------------------------------------------------ */

/* A [..., m, k] in input 0, B [..., k, n] in input 1 -> float32. */
static minnow_status infer_product(const shape_op *op, int variant) {
    shape s;
    (void)variant;
    TRY(op_matmul_shape(op, op_shape(op, 0), op_shape(op, 1), &s));
    op_set(op, 0, DTYPE_FLOAT32, &s);
    return MINNOW_OK;
}

static shape flipped(const shape *s, int flips) {
    shape f = *s;
    if (flips && s->rank == 2) {
        f.dims[0] = s->dims[1];
        f.dims[1] = s->dims[0];
    }
    return f;
}

/* A and B in inputs 0 and 3; codes where an output's zero point is given, else float32. */
static minnow_status infer_qgemm(const shape_op *op, int variant) {
    const shape a = flipped(op_shape(op, 0), graph_node_int(op->node, "transA", 0) != 0);
    const shape b = flipped(op_shape(op, 3), graph_node_int(op->node, "transB", 0) != 0);
    shape s;
    (void)variant;
    if ((a.rank >= 0 && a.rank != 2) || (b.rank >= 0 && b.rank != 2))
        return op_fail(op, "inputs of rank %d and %d, not 2", a.rank, b.rank);
    TRY(op_matmul_shape(op, &a, &b, &s));
    op_set(op, 0, op_has_input(op, 8) ? op_type(op, 8) : DTYPE_FLOAT32, &s);
    return MINNOW_OK;
}

/* Codes of inputs 0 and 3, broadcast. */
static minnow_status infer_codes(const shape_op *op, int variant) {
    shape s;
    (void)variant;
    TRY(op_broadcast(op, op_shape(op, 0), op_shape(op, 3), &s));
    op_set(op, 0, op_type(op, 0), &s);
    return MINNOW_OK;
}

static minnow_status infer_same_codes(const shape_op *op, int variant) {
    (void)variant;
    op_set(op, 0, op_type(op, 0), op_shape(op, 0));
    return MINNOW_OK;
}

/* Inputs condition, x and, behind x's scale and zero point, y. */
static minnow_status infer_where_codes(const shape_op *op, int variant) {
    shape s;
    (void)variant;
    TRY(op_broadcast(op, op_shape(op, 1), op_shape(op, 4), &s));
    TRY(op_broadcast(op, op_shape(op, 0), &s, &s));
    op_set(op, 0, op_type(op, 1), &s);
    return MINNOW_OK;
}

const shape_rule shapes_quantized_rules[] = {
    {"DequantizeLinear", infer_dequantize, 2, 0},
    {"QuantizeLinear", infer_quantize, 2, 0},
    {"DynamicQuantizeLinear", infer_dynamic_quantize, 1, 0},
    {NULL, NULL, 0, 0},
};

const shape_rule shapes_quantized_contrib_rules[] = {
    {"DequantizeLinear", infer_dequantize, 2, 0},
    {"DynamicQuantizeMatMul", infer_product, 3, 0},
    {"MatMulIntegerToFloat", infer_product, 4, 0},
    {"QGemm", infer_qgemm, 6, 0},
    {"QLinearAdd", infer_codes, 2, 0},
    {"QLinearLeakyRelu", infer_same_codes, 2, 0},
    {"QLinearMul", infer_codes, 2, 0},
    {"QLinearSigmoid", infer_same_codes, 2, 0},
    {"QLinearSoftmax", infer_same_codes, 2, 0},
    {"QLinearWhere", infer_where_codes, 7, 0},
    {"QuantizeLinear", infer_quantize, 2, 0},
    {NULL, NULL, 0, 0},
};
