/* SPDX-License-Identifier: Apache-2.0
 * Shape inference: operators that sum over axes: matrix products, reductions, normalizations. */
#include <string.h>

#include "convert/shapes/shapes.h"

/* --- Matrix products ----------------------------------------------------------------------------------------- */

/* a [..., m, k] times b [..., k, n]; one-dimensional ones are a row and a column, whose axis is dropped from the
 * result. */
minnow_status op_matmul_shape(const shape_op *op, const shape *a, const shape *b, shape *out) {
    extent k_a, k_b, rows, columns;
    shape stack_a, stack_b;
    *out = shapes_no_shape;
    if (a->rank == 0 || b->rank == 0) return op_fail(op, "a scalar where a matrix is needed");
    if (a->rank < 0 || b->rank < 0) return MINNOW_OK;
    k_a = a->dims[a->rank - 1];
    k_b = b->dims[b->rank > 1 ? b->rank - 2 : 0];
    if (extent_is_number(k_a) && extent_is_number(k_b) && !extent_same(k_a, k_b)) {
        char text_a[128], text_b[128];
        return op_fail(op, "%lld columns by %lld rows: %s by %s", (long long)k_a.factor, (long long)k_b.factor,
                       op_describe(op, a, text_a, sizeof text_a), op_describe(op, b, text_b, sizeof text_b));
    }
    stack_a = *a;
    stack_b = *b;
    stack_a.rank = a->rank > 2 ? a->rank - 2 : 0;
    stack_b.rank = b->rank > 2 ? b->rank - 2 : 0;
    TRY(op_broadcast(op, &stack_a, &stack_b, out));
    rows = a->rank > 1 ? a->dims[a->rank - 2] : extent_unknown();
    columns = b->dims[b->rank - 1];
    if (a->rank > 1) out->dims[out->rank++] = rows;
    if (b->rank > 1) out->dims[out->rank++] = columns;
    return MINNOW_OK;
}

enum { MATMUL_PLAIN, MATMUL_INTEGER, MATMUL_QLINEAR };

static minnow_status infer_matmul(const shape_op *op, int kind) {
    const size_t second = kind == MATMUL_QLINEAR ? 3 : 1;
    const dtype a = op_type(op, 0), b = op_type(op, 1);
    shape s;
    if (kind == MATMUL_PLAIN && a != DTYPE_UNDEFINED && b != DTYPE_UNDEFINED && a != b)
        return op_fail(op, "inputs of types %s and %s", dtype_name(a), dtype_name(b));
    TRY(op_matmul_shape(op, op_shape(op, 0), op_shape(op, second), &s));
    op_set(op, 0, kind == MATMUL_INTEGER ? DTYPE_INT32 : kind == MATMUL_QLINEAR ? op_type(op, 7) : a, &s);
    return MINNOW_OK;
}

minnow_status op_infer_gemm(const shape_op *op, int variant) {
    const shape *a = op_shape(op, 0), *b = op_shape(op, 1);
    const int flip_a = graph_node_int(op->node, "transA", 0) != 0, flip_b = graph_node_int(op->node, "transB", 0) != 0;
    shape s = {2, {{0, SHAPES_UNKNOWN}}};
    (void)variant;
    s.dims[0] = s.dims[1] = extent_unknown();
    if ((a->rank >= 0 && a->rank != 2) || (b->rank >= 0 && b->rank != 2))
        return op_fail(op, "inputs of rank %d and %d, not 2", a->rank, b->rank);
    if (a->rank == 2) s.dims[0] = a->dims[flip_a];
    if (b->rank == 2) s.dims[1] = b->dims[!flip_b];
    if (a->rank == 2 && b->rank == 2) {
        const extent k_a = a->dims[!flip_a], k_b = b->dims[flip_b];
        if (extent_is_number(k_a) && extent_is_number(k_b) && !extent_same(k_a, k_b))
            return op_fail(op, "%lld columns by %lld rows", (long long)k_a.factor, (long long)k_b.factor);
    }
    if (op_has_input(op, 2)) { /* C must broadcast to the product, not the other way round */
        shape with_c;
        TRY(op_broadcast(op, &s, op_shape(op, 2), &with_c));
        if (with_c.rank > 2) return op_fail(op, "C has rank %d", with_c.rank);
    }
    op_set(op, 0, op_type(op, 0), &s);
    return MINNOW_OK;
}

/* --- Einsum -------------------------------------------------------------------------------------------------- */

#define EINSUM_MAX_TEXT 256

/* What two sizes of a letter make together: 1 gives way, and two names may be 1 each. */
static extent einsum_join(extent a, extent b) {
    if (extent_same(a, b) || extent_is(b, 1)) return a;
    if (extent_is(a, 1) || extent_is_number(b)) return b;
    return extent_is_number(a) ? a : extent_unknown();
}

/* One operand's letters against its shape; sizes[letter] gathers what is known, and starts as 1. */
static minnow_status einsum_operand(const shape_op *op, const char *letters, int n, const shape *x, extent *sizes) {
    int i;
    if (x->rank < 0) {
        for (i = 0; i < n; i++) sizes[(unsigned char)letters[i]] = extent_unknown();
        return MINNOW_OK;
    }
    if (x->rank != n) return op_fail(op, "%d letters for a tensor of rank %d", n, x->rank);
    for (i = 0; i < n; i++) {
        extent *known = &sizes[(unsigned char)letters[i]];
        const extent size = x->dims[i];
        if (extent_is_number(*known) && extent_is_number(size) && !extent_same(*known, size) && !extent_is(size, 1) &&
            !extent_is(*known, 1))
            return op_fail(op, "'%c' is %lld and %lld", letters[i], (long long)known->factor, (long long)size.factor);
        *known = einsum_join(*known, size);
    }
    return MINNOW_OK;
}

/* "bhid,bhjd->bhij": letters and an explicit result. Dots and implicit results stay unknown. */
static minnow_status infer_einsum(const shape_op *op, int variant) {
    const char *equation = graph_node_string(op->node, "equation", "");
    extent sizes[256];
    char letters[EINSUM_MAX_TEXT];
    size_t operand = 0, i;
    int n = 0, result = 0;
    shape s;
    (void)variant;
    op_set(op, 0, op_type(op, 0), &shapes_no_shape);
    if (strlen(equation) >= EINSUM_MAX_TEXT || strchr(equation, '.') != NULL || strstr(equation, "->") == NULL)
        return MINNOW_OK;
    for (i = 0; i < 256; i++) sizes[i] = extent_number(1);
    for (; *equation != '\0'; equation++) {
        const int arrow = equation[0] == '-' && equation[1] == '>';
        if (arrow || *equation == ',') {
            if (result) return op_fail(op, "malformed equation");
            TRY(einsum_operand(op, letters, n, op_shape(op, operand++), sizes));
            n = 0;
            result = arrow;
            equation += arrow;
        } else if ((*equation >= 'a' && *equation <= 'z') || (*equation >= 'A' && *equation <= 'Z')) {
            letters[n++] = *equation;
        } else if (*equation != ' ') {
            return op_fail(op, "malformed equation");
        }
    }
    if (operand != op->node->n_inputs)
        return op_fail(op, "%zu operands in the equation, %zu inputs", operand, op->node->n_inputs);
    if (n > TENSOR_MAX_RANK) return MINNOW_OK;
    s.rank = n;
    for (i = 0; i < (size_t)n; i++) s.dims[i] = sizes[(unsigned char)letters[i]];
    op_set(op, 0, op_type(op, 0), &s);
    return MINNOW_OK;
}

/* --- Reductions ---------------------------------------------------------------------------------------------- */

enum { REDUCE_OTHER, REDUCE_SUM, REDUCE_PROD, REDUCE_MAX, REDUCE_MIN };

/* A one-dimensional partial value folded into one element: ReduceProd of a shape is a count. */
static void reduce_partial(const shape_op *op, int kind, int keep) {
    const partial *x = op_partial(op, 0);
    const int64_t one[1] = {1};
    shapes_terms *terms = &op->in->terms;
    extent e;
    partial *y;
    size_t i;
    if (kind == REDUCE_OTHER || x == NULL || x->rank != 1 || x->n == 0) return;
    e = x->elements[0];
    for (i = 1; i < x->n; i++) {
        const extent next = x->elements[i];
        e = kind == REDUCE_SUM    ? extent_add(terms, e, next)
            : kind == REDUCE_PROD ? extent_multiply(terms, e, next)
            : kind == REDUCE_MAX  ? extent_largest(terms, e, next)
                                  : extent_smallest(terms, e, next);
    }
    if ((y = op_new_partial(op, keep ? 1 : 0, one)) != NULL) y->elements[0] = e;
    op_set_partial(op, 0, op_type(op, 0), y);
}

static minnow_status infer_reduce(const shape_op *op, int kind) {
    const shape *x = op_shape(op, 0);
    const int keep = graph_node_int(op->node, "keepdims", 1) != 0;
    int64_t axes[SHAPES_MAX_ELEMENTS];
    size_t n = 0, i;
    int known = op_list(op, "axes", 1, axes, &n), d;
    unsigned bits = 0;
    shape s = {0, {{0, SHAPES_UNKNOWN}}};
    op_set(op, 0, op_type(op, 0), &shapes_no_shape);
    if (x->rank < 0) return MINNOW_OK;
    if (known == 0) { /* some axes: with keepdims the rank at least */
        s.rank = keep ? x->rank : -1;
        for (d = 0; d < s.rank; d++) s.dims[d] = extent_unknown();
        op_set(op, 0, op_type(op, 0), &s);
        return MINNOW_OK;
    }
    for (i = 0; i < n; i++) {
        int axis;
        TRY(op_axis(op, axes[i], x->rank, &axis));
        bits |= 1u << axis;
    }
    if (n == 0) { /* all axes, or with noop_with_empty_axes none */
        if (graph_node_int(op->node, "noop_with_empty_axes", 0) != 0) {
            op_set(op, 0, op_type(op, 0), x);
            return MINNOW_OK;
        }
        bits = (1u << x->rank) - 1;
    }
    for (d = 0; d < x->rank; d++) {
        if (!((bits >> d) & 1)) s.dims[s.rank++] = x->dims[d];
        else if (keep) s.dims[s.rank++] = extent_number(1);
    }
    op_set(op, 0, op_type(op, 0), &s);
    if (bits == 1) reduce_partial(op, kind, keep);
    return MINNOW_OK;
}

/* ArgMax, ArgMin. */
static minnow_status infer_arg(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0);
    const int keep = graph_node_int(op->node, "keepdims", 1) != 0;
    shape s = {0, {{0, SHAPES_UNKNOWN}}};
    int axis, d;
    (void)variant;
    op_set(op, 0, DTYPE_INT64, &shapes_no_shape);
    if (x->rank < 0) return MINNOW_OK;
    TRY(op_axis(op, graph_node_int(op->node, "axis", 0), x->rank, &axis));
    for (d = 0; d < x->rank; d++) {
        if (d != axis) s.dims[s.rank++] = x->dims[d];
        else if (keep) s.dims[s.rank++] = extent_number(1);
    }
    op_set(op, 0, DTYPE_INT64, &s);
    return MINNOW_OK;
}

/* --- Normalizations ------------------------------------------------------------------------------------------ */

static minnow_status infer_softmax(const shape_op *op, int variant) {
    const shape *x = op_shape(op, 0);
    const int flattens = op->node->opset < 13; /* default axis 1, for a row too */
    int axis;
    (void)variant;
    if (x->rank > 0)
        TRY(op_axis(op, graph_node_int(op->node, "axis", flattens ? 1 : -1), x->rank + (flattens && x->rank == 1),
                    &axis));
    op_set(op, 0, op_type(op, 0), x);
    return MINNOW_OK;
}

/* LayerNormalization, RMSNormalization: scale and bias broadcast over the axes from `axis` on; mean and deviation have
 * those as 1. The result has the type of input `typed`: of x, or of the scale. */
minnow_status op_infer_normalization(const shape_op *op, int typed) {
    const shape *x = op_shape(op, 0);
    shape statistics = *x, broadcast;
    const dtype statistics_type = (dtype)graph_node_int(op->node, "stash_type", DTYPE_FLOAT32);
    size_t i;
    int axis, d;
    if (x->rank == 0) return op_fail(op, "a scalar where a tensor is needed");
    if (x->rank > 0) {
        TRY(op_axis(op, graph_node_int(op->node, "axis", -1), x->rank, &axis));
        for (d = axis; d < x->rank; d++) statistics.dims[d] = extent_number(1);
        for (i = 1; i <= 2; i++) {
            TRY(op_broadcast(op, x, op_shape(op, i), &broadcast));
            if (broadcast.rank > x->rank)
                return op_fail(op, "scale or bias of rank %d for rank %d", broadcast.rank, x->rank);
        }
    }
    op_set(op, 0, op_type(op, (size_t)typed), x);
    op_set(op, 1, statistics_type, &statistics);
    op_set(op, 2, statistics_type, &statistics);
    return MINNOW_OK;
}

const shape_rule shapes_linear_rules[] = {
    {"MatMul", infer_matmul, 2, MATMUL_PLAIN},
    {"MatMulInteger", infer_matmul, 2, MATMUL_INTEGER},
    {"QLinearMatMul", infer_matmul, 8, MATMUL_QLINEAR},
    {"Gemm", op_infer_gemm, 2, 0},
    {"Einsum", infer_einsum, 1, 0},
    {"Softmax", infer_softmax, 1, 0},
    {"LayerNormalization", op_infer_normalization, 2, 0},
    {"RMSNormalization", op_infer_normalization, 2, 1},
    {"SimplifiedLayerNormalization", op_infer_normalization, 2, 1},
    {"LogSoftmax", infer_softmax, 1, 0},
    {"Hardmax", infer_softmax, 1, 0},
    {"ReduceMean", infer_reduce, 1, REDUCE_OTHER},
    {"ReduceSum", infer_reduce, 1, REDUCE_SUM},
    {"ReduceMax", infer_reduce, 1, REDUCE_MAX},
    {"ReduceMin", infer_reduce, 1, REDUCE_MIN},
    {"ReduceProd", infer_reduce, 1, REDUCE_PROD},
    {"ReduceL1", infer_reduce, 1, REDUCE_OTHER},
    {"ReduceL2", infer_reduce, 1, REDUCE_OTHER},
    {"ReduceLogSum", infer_reduce, 1, REDUCE_OTHER},
    {"ReduceLogSumExp", infer_reduce, 1, REDUCE_OTHER},
    {"ReduceSumSquare", infer_reduce, 1, REDUCE_OTHER},
    {"ArgMax", infer_arg, 1, 0},
    {"ArgMin", infer_arg, 1, 0},
    {NULL, NULL, 0, 0},
};
