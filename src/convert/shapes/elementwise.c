/* SPDX-License-Identifier: Apache-2.0
 * Shape inference: operators that work element by element, with broadcasting, and the same on partial values. */
#include <string.h>

#include "convert/shapes/shapes.h"

/* --- One input ---------------------------------------------------------------------------------------------- */

enum { UNARY_OTHER, UNARY_IDENTITY, UNARY_NEG, UNARY_ABS, UNARY_NOT, UNARY_TO_BOOL };

static extent unary_extent(const shape_op *op, int kind, extent x) {
    switch (kind) {
    case UNARY_IDENTITY: return x;
    case UNARY_NEG: return extent_subtract(&op->in->terms, extent_number(0), x);
    case UNARY_ABS:
        if (extent_is_nonnegative(&op->in->terms, x)) return x;
        return extent_is_number(x) ? extent_subtract(&op->in->terms, extent_number(0), x) : extent_unknown();
    case UNARY_NOT: return extent_is_number(x) ? extent_number(x.factor == 0) : extent_unknown();
    default: return extent_unknown();
    }
}

static minnow_status infer_unary(const shape_op *op, int kind) {
    const dtype type = kind == UNARY_TO_BOOL || kind == UNARY_NOT ? DTYPE_BOOL : op_type(op, 0);
    const partial *x = op_partial(op, 0);
    op_set(op, 0, type, op_shape(op, 0));
    if (x != NULL && kind != UNARY_OTHER && kind != UNARY_TO_BOOL) {
        partial *y = op_new_partial(op, x->rank, x->dims);
        size_t i;
        for (i = 0; y != NULL && i < y->n; i++) y->elements[i] = unary_extent(op, kind, x->elements[i]);
        op_set_partial(op, 0, type, y);
    }
    return MINNOW_OK;
}

/* A number as it is after a cast. */
static extent cast_extent(extent e, dtype to) {
    if (to == DTYPE_BOOL) return extent_is_number(e) ? extent_number(e.factor != 0) : extent_unknown();
    if (to == DTYPE_INT32 && extent_is_number(e) && (e.factor > INT32_MAX || e.factor < INT32_MIN))
        return extent_unknown();
    return e;
}

static minnow_status infer_cast(const shape_op *op, int like) {
    const int64_t number = graph_node_int(op->node, "to", 0);
    const dtype to = like ? op_type(op, 1) : number > 0 && number <= 64 ? (dtype)number : DTYPE_UNDEFINED;
    const partial *x = op_partial(op, 0);
    op_set(op, 0, to, op_shape(op, 0));
    if (x != NULL) {
        partial *y = op_new_partial(op, x->rank, x->dims);
        size_t i;
        for (i = 0; y != NULL && i < y->n; i++) y->elements[i] = cast_extent(x->elements[i], to);
        op_set_partial(op, 0, to, y);
    }
    return MINNOW_OK;
}

/* --- Two inputs --------------------------------------------------------------------------------------------- */

enum {
    BINARY_OTHER, BINARY_ADD, BINARY_SUB, BINARY_MUL, BINARY_DIV, BINARY_MOD, BINARY_MAX, BINARY_MIN, BINARY_POW,
    BINARY_EQUAL, BINARY_LESS, BINARY_LESS_EQUAL, BINARY_GREATER, BINARY_GREATER_EQUAL, /* from here: bool */
    BINARY_AND, BINARY_OR, BINARY_XOR
};

static extent truth(int x) {
    return extent_number(x != 0);
}

static extent compare_extents(const shape_op *op, int kind, extent a, extent b) {
    const int order = extent_compare(&op->in->terms, a, b);
    if (order == 2) return extent_unknown();
    switch (kind) {
    case BINARY_EQUAL: return truth(order == 0);
    case BINARY_LESS: return truth(order < 0);
    case BINARY_LESS_EQUAL: return truth(order <= 0);
    case BINARY_GREATER: return truth(order > 0);
    default: return truth(order >= 0);
    }
}

static extent logic_extents(int kind, extent a, extent b) {
    if (kind == BINARY_AND && (extent_is(a, 0) || extent_is(b, 0))) return truth(0);
    if (kind == BINARY_OR && (extent_is(a, 1) || extent_is(b, 1))) return truth(1);
    if (!extent_is_number(a) || !extent_is_number(b)) return extent_unknown();
    if (kind == BINARY_AND) return truth(a.factor && b.factor);
    if (kind == BINARY_OR) return truth(a.factor || b.factor);
    return truth((a.factor != 0) != (b.factor != 0));
}

/* ONNX's Mod: the sign of the divisor, or with fmod = 1 of the dividend. */
static extent mod_extents(const shape_op *op, extent a, extent b) {
    int64_t r;
    if (!extent_is_number(a) || !extent_is_number(b) || b.factor == 0) return extent_unknown();
    if (b.factor == -1) return extent_number(0);
    r = a.factor % b.factor;
    if (r != 0 && graph_node_int(op->node, "fmod", 0) == 0 && (r < 0) != (b.factor < 0)) r += b.factor;
    return extent_number(r);
}

static extent binary_extents(const shape_op *op, int kind, extent a, extent b) {
    shapes_terms *terms = &op->in->terms;
    switch (kind) {
    case BINARY_ADD: return extent_add(terms, a, b);
    case BINARY_SUB: return extent_subtract(terms, a, b);
    case BINARY_MUL: return extent_multiply(terms, a, b);
    case BINARY_DIV: return extent_divide(terms, a, b);
    case BINARY_MOD: return mod_extents(op, a, b);
    case BINARY_MAX: return extent_largest(terms, a, b);
    case BINARY_MIN: return extent_smallest(terms, a, b);
    case BINARY_POW: return extent_unknown();
    case BINARY_AND:
    case BINARY_OR:
    case BINARY_XOR: return logic_extents(kind, a, b);
    default: return compare_extents(op, kind, a, b);
    }
}

/* Where element i of the broadcast result reads in `p`. */
static size_t broadcast_index(const partial *p, const partial *result, size_t i) {
    size_t index = 0, stride = 1;
    int d;
    for (d = result->rank - 1; d >= 0; d--) {
        const int dp = d - (result->rank - p->rank);
        const size_t size = (size_t)result->dims[d], at = i % size;
        i /= size;
        if (dp < 0) continue;
        if (p->dims[dp] != 1) index += at * stride;
        stride *= (size_t)p->dims[dp];
    }
    return index;
}

static partial *broadcast_partial(const shape_op *op, const shape *s) {
    int64_t dims[TENSOR_MAX_RANK];
    int d;
    if (s->rank < 0) return NULL;
    for (d = 0; d < s->rank; d++) {
        if (!extent_is_number(s->dims[d])) return NULL;
        dims[d] = s->dims[d].factor;
    }
    return op_new_partial(op, s->rank, dims);
}

/* Folds inputs a and b, of broadcast shape s. */
static partial *fold_binary(const shape_op *op, int kind, const partial *a, const partial *b, const shape *s) {
    partial *y = broadcast_partial(op, s);
    size_t i;
    for (i = 0; y != NULL && i < y->n; i++)
        y->elements[i] = binary_extents(op, kind, a->elements[broadcast_index(a, y, i)],
                                        b->elements[broadcast_index(b, y, i)]);
    return y;
}

static minnow_status check_same_type(const shape_op *op, size_t i, size_t j) {
    const dtype a = op_type(op, i), b = op_type(op, j);
    if (a == DTYPE_UNDEFINED || b == DTYPE_UNDEFINED || a == b) return MINNOW_OK;
    return op_fail(op, "inputs of types %s and %s", dtype_name(a), dtype_name(b));
}

static minnow_status infer_binary(const shape_op *op, int kind) {
    const dtype from = op_type(op, 0), type = kind >= BINARY_EQUAL ? DTYPE_BOOL : from;
    const partial *a = op_partial(op, 0), *b = op_partial(op, 1);
    shape s;
    if (kind != BINARY_POW) TRY(check_same_type(op, 0, 1));
    TRY(op_broadcast(op, op_shape(op, 0), op_shape(op, 1), &s));
    op_set(op, 0, type, &s);
    if (a != NULL && b != NULL && kind != BINARY_OTHER) op_set_partial(op, 0, type, fold_binary(op, kind, a, b, &s));
    return MINNOW_OK;
}

/* Max, Min, Sum, Mean: any number of inputs. */
static minnow_status infer_variadic(const shape_op *op, int kind) {
    const partial *folded = op_partial(op, 0);
    shape s = *op_shape(op, 0);
    size_t i;
    for (i = 1; i < op->node->n_inputs; i++) {
        const partial *x = op_partial(op, i);
        TRY(check_same_type(op, 0, i));
        TRY(op_broadcast(op, &s, op_shape(op, i), &s));
        folded = folded != NULL && x != NULL ? fold_binary(op, kind, folded, x, &s) : NULL;
    }
    op_set(op, 0, op_type(op, 0), &s);
    if (kind != BINARY_OTHER) op_set_partial(op, 0, op_type(op, 0), folded);
    return MINNOW_OK;
}

static minnow_status infer_where(const shape_op *op, int variant) {
    const partial *c = op_partial(op, 0), *x = op_partial(op, 1), *y = op_partial(op, 2);
    partial *out;
    shape s;
    size_t i;
    (void)variant;
    TRY(check_same_type(op, 1, 2));
    TRY(op_broadcast(op, op_shape(op, 0), op_shape(op, 1), &s));
    TRY(op_broadcast(op, &s, op_shape(op, 2), &s));
    op_set(op, 0, op_type(op, 1), &s);
    if (c == NULL || x == NULL || y == NULL || (out = broadcast_partial(op, &s)) == NULL) return MINNOW_OK;
    for (i = 0; i < out->n; i++) {
        const extent if_true = x->elements[broadcast_index(x, out, i)];
        const extent if_false = y->elements[broadcast_index(y, out, i)];
        const extent condition = c->elements[broadcast_index(c, out, i)];
        if (extent_is_number(condition)) out->elements[i] = condition.factor ? if_true : if_false;
        else if (extent_same(if_true, if_false)) out->elements[i] = if_true;
    }
    op_set_partial(op, 0, op_type(op, 1), out);
    return MINNOW_OK;
}

/* Nothing is dropped outside training; the second output is the mask. */
static minnow_status infer_dropout(const shape_op *op, int variant) {
    (void)variant;
    op_set(op, 0, op_type(op, 0), op_shape(op, 0));
    op_set(op, 1, DTYPE_BOOL, op_shape(op, 0));
    return MINNOW_OK;
}

static minnow_status infer_clip(const shape_op *op, int variant) {
    (void)variant;
    op_set(op, 0, op_type(op, 0), op_shape(op, 0));
    return MINNOW_OK;
}

const shape_rule shapes_elementwise_rules[] = {
    {"Add", infer_binary, 2, BINARY_ADD},
    {"Mul", infer_binary, 2, BINARY_MUL},
    {"Sub", infer_binary, 2, BINARY_SUB},
    {"Div", infer_binary, 2, BINARY_DIV},
    {"Cast", infer_cast, 1, 0},
    {"Where", infer_where, 3, 0},
    {"Abs", infer_unary, 1, UNARY_ABS},
    {"Acos", infer_unary, 1, UNARY_OTHER},
    {"Acosh", infer_unary, 1, UNARY_OTHER},
    {"And", infer_binary, 2, BINARY_AND},
    {"Asin", infer_unary, 1, UNARY_OTHER},
    {"Asinh", infer_unary, 1, UNARY_OTHER},
    {"Atan", infer_unary, 1, UNARY_OTHER},
    {"Atanh", infer_unary, 1, UNARY_OTHER},
    {"BitShift", infer_binary, 2, BINARY_OTHER},
    {"BitwiseAnd", infer_binary, 2, BINARY_OTHER},
    {"BitwiseNot", infer_unary, 1, UNARY_OTHER},
    {"BitwiseOr", infer_binary, 2, BINARY_OTHER},
    {"BitwiseXor", infer_binary, 2, BINARY_OTHER},
    {"CastLike", infer_cast, 2, 1},
    {"Ceil", infer_unary, 1, UNARY_OTHER},
    {"Celu", infer_unary, 1, UNARY_OTHER},
    {"Clip", infer_clip, 1, 0},
    {"Cos", infer_unary, 1, UNARY_OTHER},
    {"Cosh", infer_unary, 1, UNARY_OTHER},
    {"Dropout", infer_dropout, 1, 0},
    {"Elu", infer_unary, 1, UNARY_OTHER},
    {"Equal", infer_binary, 2, BINARY_EQUAL},
    {"Erf", infer_unary, 1, UNARY_OTHER},
    {"Exp", infer_unary, 1, UNARY_OTHER},
    {"Floor", infer_unary, 1, UNARY_OTHER},
    {"Gelu", infer_unary, 1, UNARY_OTHER},
    {"Greater", infer_binary, 2, BINARY_GREATER},
    {"GreaterOrEqual", infer_binary, 2, BINARY_GREATER_EQUAL},
    {"HardSigmoid", infer_unary, 1, UNARY_OTHER},
    {"HardSwish", infer_unary, 1, UNARY_OTHER},
    {"Identity", infer_unary, 1, UNARY_IDENTITY},
    {"IsInf", infer_unary, 1, UNARY_TO_BOOL},
    {"IsNaN", infer_unary, 1, UNARY_TO_BOOL},
    {"LeakyRelu", infer_unary, 1, UNARY_OTHER},
    {"Less", infer_binary, 2, BINARY_LESS},
    {"LessOrEqual", infer_binary, 2, BINARY_LESS_EQUAL},
    {"Log", infer_unary, 1, UNARY_OTHER},
    {"LpNormalization", infer_unary, 1, UNARY_OTHER},
    {"Max", infer_variadic, 1, BINARY_MAX},
    {"Mean", infer_variadic, 1, BINARY_OTHER},
    {"MeanVarianceNormalization", infer_unary, 1, UNARY_OTHER},
    {"Min", infer_variadic, 1, BINARY_MIN},
    {"Mish", infer_unary, 1, UNARY_OTHER},
    {"Mod", infer_binary, 2, BINARY_MOD},
    {"Neg", infer_unary, 1, UNARY_NEG},
    {"Not", infer_unary, 1, UNARY_NOT},
    {"Or", infer_binary, 2, BINARY_OR},
    {"PRelu", infer_binary, 2, BINARY_OTHER},
    {"Pow", infer_binary, 2, BINARY_POW},
    {"Reciprocal", infer_unary, 1, UNARY_OTHER},
    {"Relu", infer_unary, 1, UNARY_OTHER},
    {"ReverseSequence", infer_unary, 1, UNARY_OTHER},
    {"Round", infer_unary, 1, UNARY_OTHER},
    {"Selu", infer_unary, 1, UNARY_OTHER},
    {"Shrink", infer_unary, 1, UNARY_OTHER},
    {"Sigmoid", infer_unary, 1, UNARY_OTHER},
    {"Sign", infer_unary, 1, UNARY_OTHER},
    {"Sin", infer_unary, 1, UNARY_OTHER},
    {"Sinh", infer_unary, 1, UNARY_OTHER},
    {"Softplus", infer_unary, 1, UNARY_OTHER},
    {"Softsign", infer_unary, 1, UNARY_OTHER},
    {"Sqrt", infer_unary, 1, UNARY_OTHER},
    {"Sum", infer_variadic, 1, BINARY_ADD},
    {"Swish", infer_unary, 1, UNARY_OTHER},
    {"Tan", infer_unary, 1, UNARY_OTHER},
    {"Tanh", infer_unary, 1, UNARY_OTHER},
    {"ThresholdedRelu", infer_unary, 1, UNARY_OTHER},
    {"Xor", infer_binary, 2, BINARY_XOR},
    {NULL, NULL, 0, 0},
};
