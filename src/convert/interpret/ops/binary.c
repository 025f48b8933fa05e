/* SPDX-License-Identifier: Apache-2.0
 * Arithmetic of two tensors, element by element, with broadcasting: Add, Sub, Mul, Div, Min, Max, Pow, Mod, PRelu; and
 * their chains Sum, Mean, Max, Min over many. Floats go through the vector functions, integers through int64 lanes and
 * wrap. */
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

typedef struct job {
    const stride_plan *p;
    const math_kernels *math;
    int kind;
    dtype type, b_type; /* b_type differs from type for Pow's exponent only */
    const void *a, *b;
    void *out;
    int divided_by_zero;
} job;

/* --- float32 ----------------------------------------------------------------------------------------------------- */

typedef struct f32_verbs {
    math_binary_fn vv;
    math_scalar_fn vs, sv; /* sv(b, a) = a op b */
} f32_verbs;

static int f32_verbs_of(const math_kernels *m, int kind, f32_verbs *v) {
    switch (kind) {
    case BINARY_ADD: *v = (f32_verbs){m->add, m->add_scalar, m->add_scalar}; return 1;
    case BINARY_SUB: *v = (f32_verbs){m->sub, m->sub_scalar, m->rsub_scalar}; return 1;
    case BINARY_MUL: *v = (f32_verbs){m->mul, m->mul_scalar, m->mul_scalar}; return 1;
    case BINARY_DIV: *v = (f32_verbs){m->div, m->div_scalar, m->rdiv_scalar}; return 1;
    case BINARY_MIN: *v = (f32_verbs){m->min, m->min_scalar, m->min_scalar}; return 1;
    case BINARY_MAX: *v = (f32_verbs){m->max, m->max_scalar, m->max_scalar}; return 1;
    default: return 0;
    }
}

static float f32_one(int kind, float a, float b) {
    switch (kind) {
    case BINARY_POW: return math_pow_f32(a, b);
    case BINARY_FMOD: return (float)exact_fmod((double)a, (double)b);
    case BINARY_MOD: {
        const double r = exact_fmod((double)a, (double)b);
        return (float)(r != 0 && (r < 0) != (b < 0) ? r + (double)b : r);
    }
    default: return a < 0 ? a * b : a; /* PRelu */
    }
}

static void f32_run(void *context, size_t first, size_t n, const int64_t *offsets, const int64_t *steps) {
    const job *j = context;
    const float *a = (const float *)j->a + offsets[0], *b = (const float *)j->b + offsets[1];
    float *out = (float *)j->out + first;
    f32_verbs v;
    if (j->kind == BINARY_POW && steps[1] == 0 && steps[0] == 1 && (*b == 2.0f || *b == 0.5f)) {
        if (*b == 2.0f) j->math->mul(a, a, out, n);
        else for (size_t i = 0; i < n; i++) out[i] = math_pow_f32(a[i], *b);
    } else if (!f32_verbs_of(j->math, j->kind, &v)) {
        for (size_t i = 0; i < n; i++) out[i] = f32_one(j->kind, a[i * (size_t)steps[0]], b[i * (size_t)steps[1]]);
    } else if (steps[1] == 0 && steps[0] != 0) {
        v.vs(a, *b, out, n);
    } else if (steps[0] == 0 && steps[1] != 0) {
        v.sv(b, *a, out, n);
    } else {
        v.vv(a, b, out, n); /* both steps 0: one element */
    }
}

/* --- float64 ----------------------------------------------------------------------------------------------------- */

static double f64_one(int kind, double a, double b) {
    double r;
    switch (kind) {
    case BINARY_ADD: return a + b;
    case BINARY_SUB: return a - b;
    case BINARY_MUL: return a * b;
    case BINARY_DIV: return a / b;
    case BINARY_MIN: return a != a || a < b ? a : b;
    case BINARY_MAX: return a != a || a > b ? a : b;
    case BINARY_POW: return math_pow_f64(a, b);
    case BINARY_FMOD: return exact_fmod(a, b);
    case BINARY_MOD: r = exact_fmod(a, b); return r != 0 && (r < 0) != (b < 0) ? r + b : r;
    default: return a < 0 ? a * b : a;
    }
}

static void f64_run(void *context, size_t first, size_t n, const int64_t *offsets, const int64_t *steps) {
    const job *j = context;
    const double *a = (const double *)j->a + offsets[0], *b = (const double *)j->b + offsets[1];
    double *out = (double *)j->out + first;
    for (size_t i = 0; i < n; i++) out[i] = f64_one(j->kind, a[i * (size_t)steps[0]], b[i * (size_t)steps[1]]);
}

/* --- Integers ---------------------------------------------------------------------------------------------------- */

static uint64_t power_wrapping(uint64_t base, uint64_t exponent) {
    uint64_t y = 1;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1) y *= base;
    return y;
}

static int64_t power(int64_t a, int64_t b) {
    if (b >= 0) return (int64_t)power_wrapping((uint64_t)a, (uint64_t)b);
    if (a == 1) return 1;
    if (a == -1) return b % 2 == 0 ? 1 : -1;
    return 0;
}

/* b is not 0 where it divides. */
static int64_t divide(int kind, int is_u64, int64_t a, int64_t b) {
    int64_t r;
    if (is_u64) return (int64_t)(kind == BINARY_DIV ? (uint64_t)a / (uint64_t)b : (uint64_t)a % (uint64_t)b);
    if (b == -1) return kind == BINARY_DIV ? (int64_t)(0 - (uint64_t)a) : 0; /* the smallest integer by -1 wraps */
    if (kind == BINARY_DIV) return a / b;
    r = a % b;
    return kind == BINARY_MOD && r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static int64_t int_one(int kind, int is_u64, int64_t a, int64_t b) {
    const int less = is_u64 ? (uint64_t)a < (uint64_t)b : a < b;
    switch (kind) {
    case BINARY_ADD: return (int64_t)((uint64_t)a + (uint64_t)b);
    case BINARY_SUB: return (int64_t)((uint64_t)a - (uint64_t)b);
    case BINARY_MUL: return (int64_t)((uint64_t)a * (uint64_t)b);
    case BINARY_MIN: return less ? a : b;
    case BINARY_MAX: return less ? b : a;
    case BINARY_POW: return is_u64 ? (int64_t)power_wrapping((uint64_t)a, (uint64_t)b) : power(a, b);
    case BINARY_PRELU: return !is_u64 && a < 0 ? (int64_t)((uint64_t)a * (uint64_t)b) : a;
    default: return divide(kind, is_u64, a, b);
    }
}

static void int_run(void *context, size_t first, size_t n, const int64_t *offsets, const int64_t *steps) {
    job *j = context;
    const int is_u64 = j->type == DTYPE_UINT64;
    const int divides = j->kind == BINARY_DIV || j->kind == BINARY_MOD || j->kind == BINARY_FMOD;
    int64_t a[LANES_BLOCK], b[LANES_BLOCK];
    for (size_t at = 0; at < n; at += LANES_BLOCK) {
        const size_t m = n - at < LANES_BLOCK ? n - at : LANES_BLOCK;
        lanes_load(j->type, j->a, (size_t)offsets[0] + at * (size_t)steps[0], (size_t)steps[0], m, a);
        lanes_load(j->b_type, j->b, (size_t)offsets[1] + at * (size_t)steps[1], (size_t)steps[1], m, b);
        for (size_t i = 0; i < m; i++) {
            if (divides && b[i] == 0) {
                j->divided_by_zero = 1;
                return;
            }
            a[i] = int_one(j->kind, is_u64, a[i], b[i]);
        }
        lanes_store(j->type, a, m, j->out, first + at);
    }
}

static void float_range(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    stride_walk(j->p, begin, end, j->type == DTYPE_FLOAT32 ? f32_run : f64_run, context);
}

minnow_status binary_apply(op_context *c, int kind, const tensor *a, const tensor *b, tensor *out) {
    const tensor *operands[2] = {a, b};
    stride_plan plan;
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    job j = {.p = &plan, .math = c->math, .kind = kind, .type = a->type, .b_type = b->type, .a = a->data, .b = b->data,
             .out = out->data};
    TRY(stride_broadcast(c, operands, 2, &rank, dims, &plan));
    if (plan.count == 0) return MINNOW_OK;
    if (a->type == DTYPE_FLOAT32 || a->type == DTYPE_FLOAT64) {
        if (kind == BINARY_MOD || kind == BINARY_FMOD) TRY(ops_charge_product(c, plan.count, 1024, 1));
        ops_parallel(c, plan.count, 64, kind == BINARY_POW ? 16 : 1, float_range, &j);
        return MINNOW_OK;
    }
    if (!lanes_is_integer(a->type) || a->type == DTYPE_BOOL) return ops_unsupported_type(c, a->type);
    stride_walk(&plan, 0, plan.count, int_run, &j);
    if (j.divided_by_zero) return error_set(c->error, MINNOW_ERROR_FORMAT, "an integer is divided by zero");
    return MINNOW_OK;
}

/* The exponent in the base's type; integers to a float power go by way of double. */
static minnow_status pow_mixed(op_context *c, const tensor *a, const tensor *b) {
    tensor wide_a, wide_b, wide_out;
    const tensor *operands[2] = {a, b};
    stride_plan plan;
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    if (!lanes_is_integer(a->type) || lanes_is_integer(b->type)) {
        TRY(ops_cast_scratch(c, b, a->type, &wide_b));
        return binary_apply(c, BINARY_POW, a, &wide_b, &c->outputs[0]);
    }
    TRY(stride_broadcast(c, operands, 2, &rank, dims, &plan));
    TRY(ops_cast_scratch(c, a, DTYPE_FLOAT64, &wide_a));
    TRY(ops_cast_scratch(c, b, DTYPE_FLOAT64, &wide_b));
    wide_out = c->outputs[0];
    wide_out.type = DTYPE_FLOAT64;
    TRY(ops_scratch(c, tensor_bytes(&wide_out), &wide_out.data));
    TRY(binary_apply(c, BINARY_POW, &wide_a, &wide_b, &wide_out));
    lanes_cast(DTYPE_FLOAT64, wide_out.data, a->type, c->outputs[0].data, plan.count);
    return MINNOW_OK;
}

static minnow_status check_prelu(op_context *c) {
    /* The slope broadcasts to x, never the other way. */
    const tensor *x = c->inputs[0], *slope = c->inputs[1];
    const tensor *operands[2] = {x, slope};
    stride_plan plan;
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    TRY(stride_broadcast(c, operands, 2, &rank, dims, &plan));
    if (plan.count != tensor_count(x))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "the slope does not broadcast to the input");
    return MINNOW_OK;
}

minnow_status ops_binary(op_context *c) {
    int kind = ops_variant(c), rank;
    int64_t dims[TENSOR_MAX_RANK];
    stride_plan plan;
    size_t over;
    TRY(ops_need(c, 2));
    const tensor *a = c->inputs[0], *b = c->inputs[1];
    if (kind == BINARY_POW && a->type == DTYPE_BOOL) return ops_unsupported_type(c, a->type);
    if (kind != BINARY_POW) TRY(ops_same_type(c, 0, 1));
    if (kind == BINARY_PRELU) TRY(check_prelu(c));
    if (kind == BINARY_MOD && graph_node_int(c->node, "fmod", 0) != 0) kind = BINARY_FMOD;
    TRY(stride_broadcast(c, (const tensor *const[]){a, b}, 2, &rank, dims, &plan));
    over = tensor_count(a) == plan.count ? 0 : 1;
    if (a->type != b->type) over = SIZE_MAX; /* pow_mixed needs its inputs to the end */
    TRY(ops_output_over(c, 0, a->type, rank, dims, over));
    if (kind == BINARY_POW && a->type != b->type) return pow_mixed(c, a, b);
    return binary_apply(c, kind, a, b, &c->outputs[0]);
}

/* Sum, Mean, Max, Min of any number of tensors: from the left, in the memory of the result. */
minnow_status ops_variadic(op_context *c) {
    const int kind = ops_variant(c) == OP_MEAN ? BINARY_ADD : ops_variant(c);
    int64_t dims[TENSOR_MAX_RANK];
    stride_plan plan;
    tensor shape = {0};
    int rank;
    TRY(ops_need(c, c->n_inputs ? c->n_inputs : 1));
    shape = *c->inputs[0];
    for (size_t i = 1; i < c->n_inputs; i++) {
        TRY(ops_same_type(c, 0, i));
        TRY(stride_broadcast(c, (const tensor *const[]){&shape, c->inputs[i]}, 2, &rank, dims, &plan));
        shape.rank = rank;
        if (rank) memcpy(shape.dims, dims, (size_t)rank * sizeof *dims);
    }
    if (c->n_inputs == 2 && ops_variant(c) != OP_MEAN) { /* the usual case: no copy */
        TRY(ops_output(c, 0, shape.type, shape.rank, shape.dims));
        return binary_apply(c, kind, c->inputs[0], c->inputs[1], &c->outputs[0]);
    }
    TRY(ops_output(c, 0, shape.type, shape.rank, shape.dims));
    tensor *out = &c->outputs[0];
    TRY(stride_broadcast(c, (const tensor *const[]){c->inputs[0], out}, 2, &rank, dims, &plan));
    plan.n_operands = 1;
    stride_copy(c, &plan, dtype_bytes(shape.type), c->inputs[0]->data, out->data);
    for (size_t i = 1; i < c->n_inputs; i++) {
        TRY(ops_charge(c, plan.count));
        TRY(binary_apply(c, kind, out, c->inputs[i], out));
    }
    if (ops_variant(c) == OP_MEAN) {
        float n32 = (float)c->n_inputs;
        double n64 = (double)c->n_inputs;
        const tensor n = {.type = out->type, .data = out->type == DTYPE_FLOAT32 ? (void *)&n32 : (void *)&n64};
        if (lanes_is_integer(out->type)) return ops_unsupported_type(c, out->type);
        return binary_apply(c, BINARY_DIV, out, &n, out);
    }
    return MINNOW_OK;
}
