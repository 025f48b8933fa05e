/* SPDX-License-Identifier: Apache-2.0
 * Functions of one element: Exp, Erf, Tanh, Relu, Gelu, Floor ...; Not; Clip. float32 in blocks of vector functions,
 * float64 in plain C, integers where the operator takes them. */
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

#define BLOCK 256

/* --- Exact functions without libm --------------------------------------------------------------------------------- */

static uint64_t bits_of(double x) {
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static double from_bits(uint64_t u) {
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

#define SIGN_BIT ((uint64_t)1 << 63)

/* x without its fraction, with x's sign; numbers from 2^52 on have none. NaN passes. */
static double truncated(double x) {
    const double limit = 4503599627370496.0;
    if (!(x > -limit && x < limit)) return x;
    return from_bits(bits_of((double)(int64_t)x) | (bits_of(x) & SIGN_BIT));
}

double exact_floor(double x) {
    const double t = truncated(x);
    return t > x ? t - 1 : t;
}

double exact_ceil(double x) {
    const double t = truncated(x);
    if (!(t < x)) return t;
    return t == 0 && x < 0 ? t : t + 1;
}

double exact_round_even(double x) {
    const double t = truncated(x), rest = x - t, magnitude = rest < 0 ? -rest : rest;
    if (!(magnitude >= 0.5)) return t;
    if (magnitude == 0.5 && (int64_t)t % 2 == 0) return t;
    return from_bits(bits_of(t + (x < 0 ? -1.0 : 1.0)) | (bits_of(x) & SIGN_BIT));
}

/* Remainder with x's sign, exactly: the divisor's doublings are taken off from the top. */
double exact_fmod(double x, double y) {
    const double largest = 1.7976931348623157e308;
    double r = x < 0 ? -x : x, d = y < 0 ? -y : y, t;
    if (x != x || y != y || r > largest || d == 0) return from_bits(0x7ff8000000000000u);
    if (r < d) return x;
    t = d;
    while (t <= r * 0.5) t *= 2;
    for (;;) {
        if (t <= r) r -= t;
        if (t == d) break;
        t *= 0.5; /* a doubling undone: exact */
    }
    return from_bits(bits_of(r) | (bits_of(x) & SIGN_BIT));
}

double exact_sqrt(double x) { return __builtin_sqrt(x); }

/* --- float32 ------------------------------------------------------------------------------------------------------ */

typedef struct job {
    const math_kernels *math;
    int kind;
    float alpha, beta;
    const void *in;
    void *out;
} job;

static math_unary_fn f32_verb(const math_kernels *m, int kind) {
    switch (kind) {
    case UNARY_ABS: return m->abs;
    case UNARY_ERF: return m->erf;
    case UNARY_EXP: return m->exp;
    case UNARY_LOG: return m->log;
    case UNARY_NEG: return m->neg;
    case UNARY_RECIPROCAL: return m->reciprocal;
    case UNARY_SIGMOID: return m->sigmoid;
    case UNARY_SQRT: return m->sqrt;
    case UNARY_TANH: return m->tanh;
    case UNARY_GELU: return m->gelu_erf;
    default: return NULL;
    }
}

static float f32_one(const job *j, float x) {
    switch (j->kind) {
    case UNARY_CEIL: return (float)exact_ceil((double)x);
    case UNARY_FLOOR: return (float)exact_floor((double)x);
    case UNARY_ROUND: return (float)exact_round_even((double)x);
    case UNARY_COS: return (float)math_cos_f64((double)x);
    case UNARY_SIN: return (float)math_sin_f64((double)x);
    case UNARY_RELU: return x < 0 ? 0.0f : x;
    case UNARY_SIGN: return x > 0 ? 1.0f : x < 0 ? -1.0f : x;
    case UNARY_LEAKY_RELU: return x < 0 ? j->alpha * x : x;
    default: { /* HardSigmoid, HardSwish: max(0, min(1, alpha x + beta)) */
        const float y = j->alpha * x + j->beta;
        const float hard = y < 0 ? 0.0f : y > 1 ? 1.0f : y;
        return j->kind == UNARY_HARD_SWISH ? x * hard : hard;
    }
    }
}

/* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
void gelu_tanh_block(const math_kernels *m, const float *x, float *y, size_t n) {
    float u[BLOCK] = {0};
    for (size_t i = 0; i < n; i++) u[i] = 0.797884583f * (x[i] + 0.0447149985f * (x[i] * x[i] * x[i]));
    m->tanh(u, u, n);
    for (size_t i = 0; i < n; i++) y[i] = 0.5f * x[i] * (1.0f + u[i]);
}

/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|) */
static void softplus(const math_kernels *m, const float *x, float *y, size_t n) {
    float u[BLOCK] = {0};
    for (size_t i = 0; i < n; i++) u[i] = x[i] < 0 ? x[i] : -x[i];
    m->exp(u, u, n);
    for (size_t i = 0; i < n; i++) u[i] += 1.0f;
    m->log(u, u, n);
    for (size_t i = 0; i < n; i++) y[i] = (x[i] < 0 ? 0.0f : x[i]) + u[i];
}

static void elu(const job *j, const float *x, float *y, size_t n) {
    float u[BLOCK] = {0};
    j->math->exp(x, u, n);
    for (size_t i = 0; i < n; i++) y[i] = x[i] < 0 ? j->alpha * (u[i] - 1.0f) : x[i];
}

static void f32_range(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    const float *x = j->in;
    float *y = j->out;
    const math_unary_fn verb = f32_verb(j->math, j->kind);
    (void)part;
    if (verb) {
        verb(x + begin, y + begin, end - begin);
        return;
    }
    for (size_t at = begin; at < end; at += BLOCK) {
        const size_t n = end - at < BLOCK ? end - at : BLOCK;
        if (j->kind == UNARY_GELU_TANH) gelu_tanh_block(j->math, x + at, y + at, n);
        else if (j->kind == UNARY_SOFTPLUS) softplus(j->math, x + at, y + at, n);
        else if (j->kind == UNARY_ELU) elu(j, x + at, y + at, n);
        else for (size_t i = at; i < at + n; i++) y[i] = f32_one(j, x[i]);
    }
}

/* --- float64 and integers ----------------------------------------------------------------------------------------- */

static double f64_one(const job *j, double x) {
    switch (j->kind) {
    case UNARY_ABS: return from_bits(bits_of(x) & ~SIGN_BIT);
    case UNARY_CEIL: return exact_ceil(x);
    case UNARY_COS: return math_cos_f64(x);
    case UNARY_ERF: return math_erf_f64(x);
    case UNARY_EXP: return math_exp_f64(x);
    case UNARY_FLOOR: return exact_floor(x);
    case UNARY_LOG: return math_log_f64(x);
    case UNARY_NEG: return -x;
    case UNARY_RECIPROCAL: return 1 / x;
    case UNARY_RELU: return x < 0 ? 0 : x;
    case UNARY_ROUND: return exact_round_even(x);
    case UNARY_SIGMOID: return 1 / (1 + math_exp_f64(-x));
    case UNARY_SIGN: return x > 0 ? 1 : x < 0 ? -1 : x;
    case UNARY_SIN: return math_sin_f64(x);
    case UNARY_SOFTPLUS: return (x < 0 ? 0 : x) + math_log_f64(1 + math_exp_f64(x < 0 ? x : -x));
    case UNARY_SQRT: return exact_sqrt(x);
    case UNARY_TANH: return math_tanh_f64(x);
    case UNARY_GELU: return 0.5 * x * (1 + math_erf_f64(x / 1.4142135623730951));
    case UNARY_GELU_TANH: return 0.5 * x * (1 + math_tanh_f64(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case UNARY_ELU: return x < 0 ? (double)j->alpha * (math_exp_f64(x) - 1) : x;
    case UNARY_LEAKY_RELU: return x < 0 ? (double)j->alpha * x : x;
    default: {
        const double y = (double)j->alpha * x + (double)j->beta, hard = y < 0 ? 0 : y > 1 ? 1 : y;
        return j->kind == UNARY_HARD_SWISH ? x * hard : hard;
    }
    }
}

static void f64_range(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    for (size_t i = begin; i < end; i++) ((double *)j->out)[i] = f64_one(j, ((const double *)j->in)[i]);
}

static minnow_status on_integers(op_context *c, int kind, const tensor *x, tensor *out) {
    const int is_u = x->type == DTYPE_UINT8 || x->type == DTYPE_UINT16 || x->type == DTYPE_UINT32 ||
        x->type == DTYPE_UINT64;
    const size_t n = tensor_count(x);
    int64_t lanes[LANES_BLOCK];
    if (x->type == DTYPE_BOOL || (kind != UNARY_ABS && kind != UNARY_NEG && kind != UNARY_SIGN && kind != UNARY_RELU))
        return ops_unsupported_type(c, x->type);
    for (size_t at = 0; at < n; at += LANES_BLOCK) {
        const size_t m = n - at < LANES_BLOCK ? n - at : LANES_BLOCK;
        lanes_load(x->type, x->data, at, 1, m, lanes);
        for (size_t i = 0; i < m; i++) {
            const int64_t v = lanes[i], negated = (int64_t)(0 - (uint64_t)v);
            const int below = !is_u && v < 0;
            if (kind == UNARY_ABS) lanes[i] = below ? negated : v;
            else if (kind == UNARY_NEG) lanes[i] = negated;
            else if (kind == UNARY_SIGN) lanes[i] = below ? -1 : v != 0;
            else lanes[i] = below ? 0 : v;
        }
        lanes_store(x->type, lanes, m, out->data, at);
    }
    return MINNOW_OK;
}

static minnow_status unary(op_context *c, int kind, float alpha, float beta) {
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    const size_t n = tensor_count(x);
    if (x->type != DTYPE_FLOAT32 && x->type != DTYPE_FLOAT64 && !lanes_is_integer(x->type))
        return ops_unsupported_type(c, x->type);
    TRY(ops_output_over(c, 0, x->type, x->rank, x->dims, 0));
    job j = {.math = c->math, .kind = kind, .alpha = alpha, .beta = beta, .in = x->data, .out = c->outputs[0].data};
    if (n == 0) return MINNOW_OK;
    if (x->type == DTYPE_FLOAT32) ops_parallel(c, n, 64, 8, f32_range, &j);
    else if (x->type == DTYPE_FLOAT64) ops_parallel(c, n, 64, 64, f64_range, &j);
    else return on_integers(c, kind, x, &c->outputs[0]);
    return MINNOW_OK;
}

void unary_in_place(op_context *c, int kind, float alpha, float beta, tensor *t) {
    job j = {.math = c->math, .kind = kind, .alpha = alpha, .beta = beta, .in = t->data, .out = t->data};
    ops_parallel(c, tensor_count(t), 64, 8, f32_range, &j);
}

minnow_status ops_unary(op_context *c) {
    const int kind = ops_variant(c);
    float alpha = kind == UNARY_LEAKY_RELU ? 0.01f : kind == UNARY_ELU ? 1.0f : 0.2f, beta = 0.5f;
    if (kind == UNARY_HARD_SWISH) return unary(c, kind, 1.0f / 6.0f, 0.5f);
    alpha = graph_node_float(c->node, "alpha", alpha);
    beta = graph_node_float(c->node, "beta", beta);
    return unary(c, kind, alpha, beta);
}

minnow_status ops_gelu(op_context *c) {
    const char *how = graph_node_string(c->node, "approximate", "none");
    if (strcmp(how, "none") == 0) return unary(c, UNARY_GELU, 0, 0);
    if (strcmp(how, "tanh") == 0) return unary(c, UNARY_GELU_TANH, 0, 0);
    return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "approximate '%s' not supported", how);
}

minnow_status ops_not(op_context *c) {
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    const size_t n = tensor_count(x);
    if (x->type != DTYPE_BOOL) return ops_unsupported_type(c, x->type);
    TRY(ops_output_over(c, 0, DTYPE_BOOL, x->rank, x->dims, 0));
    for (size_t i = 0; i < n; i++) ((uint8_t *)c->outputs[0].data)[i] = ((const uint8_t *)x->data)[i] == 0;
    return MINNOW_OK;
}

/* min(max(x, low), high); either may be left out. */
minnow_status ops_clip(op_context *c) {
    static const int kinds[2] = {BINARY_MAX, BINARY_MIN};
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    tensor limits[2];
    for (size_t i = 0; i < 2; i++) {
        if (!ops_has_input(c, i + 1)) continue;
        TRY(ops_same_type(c, 0, i + 1));
        limits[i] = *c->inputs[i + 1];
        if (tensor_count(&limits[i]) != 1)
            return error_set(c->error, MINNOW_ERROR_FORMAT, "the limits must be scalars");
        limits[i].rank = 0;
    }
    if (x->type != DTYPE_FLOAT32 && x->type != DTYPE_FLOAT64 && (!lanes_is_integer(x->type) || x->type == DTYPE_BOOL))
        return ops_unsupported_type(c, x->type);
    TRY(ops_output_over(c, 0, x->type, x->rank, x->dims, 0));
    tensor *out = &c->outputs[0];
    const tensor *now = x;
    for (size_t i = 0; i < 2; i++) {
        if (!ops_has_input(c, i + 1)) continue;
        TRY(binary_apply(c, kinds[i], now, &limits[i], out));
        now = out;
    }
    if (now == x && out->data != x->data && tensor_bytes(x)) memcpy(out->data, x->data, tensor_bytes(x));
    return MINNOW_OK;
}
