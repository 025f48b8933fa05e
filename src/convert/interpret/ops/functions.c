/* SPDX-License-Identifier: Apache-2.0
 * The rarer functions of one element, computed in double and rounded once: trigonometric and hyperbolic functions and
 * their inverses, Celu, Mish, Selu, Shrink, Softsign, ThresholdedRelu. */
#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

#define WORK 64 /* of one element: a series, a division, a square root */

typedef struct job {
    int kind;
    double alpha, beta;
    dtype type;
    const void *in;
    void *out;
} job;

static double celu(double x, double alpha) { return x < 0 ? alpha * (math_exp_f64(x / alpha) - 1) : x; }

/* x tanh(log(1 + e^x)), with 1 + e^x = max(e^x, 1) (1 + e^-|x|) so that nothing overflows. */
static double mish(double x) {
    return x * math_tanh_f64((x < 0 ? 0 : x) + math_log_f64(1 + math_exp_f64(x < 0 ? x : -x)));
}

/* x moved by the bias towards 0, and 0 between -lambda and lambda. */
static double shrink(double x, double lambda, double bias) {
    return x < -lambda ? x + bias : x > lambda ? x - bias : x != x ? x : 0;
}

static double f64_one(const job *j, double x) {
    switch (j->kind) {
    case FUNCTION_ACOS: return math_acos_f64(x);
    case FUNCTION_ACOSH: return math_acosh_f64(x);
    case FUNCTION_ASIN: return math_asin_f64(x);
    case FUNCTION_ASINH: return math_asinh_f64(x);
    case FUNCTION_ATAN: return math_atan_f64(x);
    case FUNCTION_ATANH: return math_atanh_f64(x);
    case FUNCTION_COSH: return math_cosh_f64(x);
    case FUNCTION_SINH: return math_sinh_f64(x);
    case FUNCTION_TAN: return math_tan_f64(x);
    case FUNCTION_CELU: return celu(x, j->alpha);
    case FUNCTION_MISH: return mish(x);
    case FUNCTION_SELU: return x > 0 ? j->beta * x : j->beta * (j->alpha * math_exp_f64(x) - j->alpha);
    case FUNCTION_SHRINK: return shrink(x, j->alpha, j->beta);
    case FUNCTION_SOFTSIGN: return x / (1 + (x < 0 ? -x : x));
    default: return x > j->alpha || x != x ? x : 0; /* ThresholdedRelu */
    }
}

static void float_range(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    for (size_t i = begin; i < end; i++) {
        if (j->type == DTYPE_FLOAT32) ((float *)j->out)[i] = (float)f64_one(j, (double)((const float *)j->in)[i]);
        else ((double *)j->out)[i] = f64_one(j, ((const double *)j->in)[i]);
    }
}

/* Shrink alone takes integers; the result is truncated. */
static minnow_status shrink_integers(op_context *c, const job *j, const tensor *x) {
    const size_t n = tensor_count(x), size = dtype_bytes(x->type);
    for (size_t i = 0; i < n; i++) {
        const double y = f64_one(j, ops_scalar_f64(x, i));
        lanes_cast(DTYPE_FLOAT64, &y, x->type, (char *)c->outputs[0].data + i * size, 1);
    }
    return MINNOW_OK;
}

static void read_parameters(const graph_node *node, job *j) {
    static const float selu_alpha = 1.67326319217681884765625f, selu_gamma = 1.05070102214813232421875f;
    if (j->kind == FUNCTION_SHRINK) {
        j->alpha = (double)graph_node_float(node, "lambd", 0.5f);
        j->beta = (double)graph_node_float(node, "bias", 0.0f);
    } else {
        j->alpha = (double)graph_node_float(node, "alpha", j->kind == FUNCTION_SELU ? selu_alpha : 1.0f);
        j->beta = (double)graph_node_float(node, "gamma", selu_gamma);
    }
}

minnow_status ops_function(op_context *c) {
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    job j = {.kind = ops_variant(c), .type = x->type, .in = x->data};
    const int is_float = x->type == DTYPE_FLOAT32 || x->type == DTYPE_FLOAT64;
    if (!is_float && (j.kind != FUNCTION_SHRINK || !lanes_is_integer(x->type) || x->type == DTYPE_BOOL))
        return ops_unsupported_type(c, x->type);
    read_parameters(c->node, &j);
    TRY(ops_charge_product(c, tensor_count(x), WORK, 1));
    TRY(ops_output_over(c, 0, x->type, x->rank, x->dims, 0));
    j.out = c->outputs[0].data;
    if (!is_float) return shrink_integers(c, &j, x);
    ops_parallel(c, tensor_count(x), 64, WORK, float_range, &j);
    return MINNOW_OK;
}
