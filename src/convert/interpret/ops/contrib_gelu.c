/* SPDX-License-Identifier: Apache-2.0
 * com.microsoft's activations with a sum in front: BiasGelu, FastGelu, QuickGelu; and BiasAdd. In: rows x, a bias along
 * the last axis. Out: act(x + bias) of x's shape. */
#include "convert/interpret/ops/table.h"

#define BLOCK 256

typedef struct job {
    const math_kernels *math;
    int kind;
    size_t n;                          /* elements of a row */
    float alpha;
    const float *x, *bias, *skip;      /* bias, skip NULL: none */
    float *y;
} job;

/* x / (1 + e^(-alpha x)) */
static void quick_gelu(const math_kernels *m, float alpha, float *y, size_t n) {
    float u[BLOCK] = {0};
    m->mul_scalar(y, alpha, u, n);
    m->sigmoid(u, u, n);
    m->mul(y, u, y, n);
}

static void bias_rows(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    for (size_t r = begin; r < end; r++) {
        for (size_t at = 0; at < j->n; at += BLOCK) {
            const size_t n = j->n - at < BLOCK ? j->n - at : BLOCK;
            float *y = j->y + r * j->n + at;
            const float *x = j->x + r * j->n + at;
            if (j->bias) j->math->add(x, j->bias + at, y, n);
            else j->math->add_scalar(x, 0.0f, y, n);
            if (j->kind == CONTRIB_BIAS_GELU) j->math->gelu_erf(y, y, n);
            else if (j->kind == CONTRIB_FAST_GELU) gelu_tanh_block(j->math, y, y, n);
            else if (j->kind == CONTRIB_QUICK_GELU) quick_gelu(j->math, j->alpha, y, n);
            else j->math->add(y, j->skip + r * j->n + at, y, n);
        }
    }
}

minnow_status ops_bias_gelu(op_context *c) {
    const int kind = ops_variant(c);
    char a[128], b[128];
    TRY(ops_need(c, kind == CONTRIB_BIAS_ADD ? 3 : kind == CONTRIB_BIAS_GELU ? 2 : 1));
    const tensor *x = c->inputs[0];
    job j = {.math = c->math, .kind = kind, .alpha = graph_node_float(c->node, "alpha", 1.702f), .x = x->data};
    if (x->type != DTYPE_FLOAT32) return ops_unsupported_type(c, x->type);
    if (x->rank == 0) return error_set(c->error, MINNOW_ERROR_FORMAT, "a scalar has no rows");
    if (kind != CONTRIB_QUICK_GELU && ops_has_input(c, 1)) {
        const tensor *bias = c->inputs[1];
        TRY(ops_same_type(c, 0, 1));
        if (bias->rank != 1 || bias->dims[0] != x->dims[x->rank - 1])
            return error_set(c->error, MINNOW_ERROR_FORMAT, "bias %s for rows %s", tensor_describe(bias, a, sizeof a),
                             tensor_describe(x, b, sizeof b));
        j.bias = bias->data;
    }
    if (kind == CONTRIB_BIAS_ADD) {
        const tensor *skip = c->inputs[2];
        int same = skip->rank == x->rank;
        TRY(ops_same_type(c, 0, 2));
        for (int d = 0; same && d < x->rank; d++) same = skip->dims[d] == x->dims[d];
        if (!same)
            return error_set(c->error, MINNOW_ERROR_FORMAT, "skip is %s for rows %s",
                             tensor_describe(skip, a, sizeof a), tensor_describe(x, b, sizeof b));
        j.skip = skip->data;
    }
    TRY(ops_output_over(c, 0, x->type, x->rank, x->dims, 0));
    if (tensor_count(x) == 0) return MINNOW_OK;
    j.n = (size_t)x->dims[x->rank - 1];
    j.y = c->outputs[0].data;
    ops_parallel(c, tensor_count(x) / j.n, 1, 8 * j.n, bias_rows, &j);
    return MINNOW_OK;
}
