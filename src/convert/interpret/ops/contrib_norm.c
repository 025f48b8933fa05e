/* SPDX-License-Identifier: Apache-2.0
 * com.microsoft's norms with the sum in front of them: SkipLayerNormalization, SkipSimplifiedLayerNormalization. In:
 * rows to add. Out: norm(x + skip + bias), and the sum. */
#include <string.h>

#include "convert/interpret/ops/table.h"

typedef struct job {
    const math_kernels *math;
    size_t n;                        /* elements of a row */
    size_t n_skip_rows;              /* rows of skip, over and over */
    const float *x, *skip, *bias;    /* bias NULL: none */
    const float *gamma, *beta;       /* beta NULL: none */
    float epsilon;
    int is_rms;
    float *y, *sum;                  /* sum NULL: not asked for */
} job;

static void skip_rows(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    for (size_t r = begin; r < end; r++) {
        float *y = j->y + r * j->n;
        j->math->add(j->x + r * j->n, j->skip + r % j->n_skip_rows * j->n, y, j->n);
        if (j->bias) j->math->add(y, j->bias, y, j->n);
        if (j->sum) memcpy(j->sum + r * j->n, y, j->n * sizeof *y);
        if (j->is_rms) rms_norm_row(j->math, y, j->gamma, j->epsilon, y, j->n);
        else j->math->layer_norm(y, j->gamma, j->beta, j->epsilon, y, j->n);
    }
}

/* Input `input`, [n] of the rows' type, or NULL where it is left out. */
static minnow_status vector_of(op_context *c, size_t input, int64_t n, const char *what, const float **out) {
    char shape[128];
    *out = NULL;
    if (!ops_has_input(c, input)) return MINNOW_OK;
    const tensor *t = c->inputs[input];
    if (t->type != DTYPE_FLOAT32) return ops_unsupported_type(c, t->type);
    if (t->rank != 1 || t->dims[0] != n)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%s is %s for rows of %lld", what,
                         tensor_describe(t, shape, sizeof shape), (long long)n);
    *out = t->data;
    return MINNOW_OK;
}

/* skip is x's shape, or one text of it for every text: [1, tokens, n] or [tokens, n]. */
static minnow_status check_skip(op_context *c) {
    const tensor *x = c->inputs[0], *skip = c->inputs[1];
    char a[128], b[128];
    int fits = (x->rank == 2 || x->rank == 3) && skip->rank >= 2 && skip->rank <= x->rank;
    for (int d = 1; fits && d <= skip->rank; d++) {
        const int64_t size = skip->dims[skip->rank - d];
        fits = size == x->dims[x->rank - d] || (d == 3 && size == 1);
    }
    if (fits) return MINNOW_OK;
    return error_set(c->error, MINNOW_ERROR_FORMAT, "skip is %s for rows %s", tensor_describe(skip, b, sizeof b),
                     tensor_describe(x, a, sizeof a));
}

static minnow_status refuse_statistics(op_context *c) {
    for (size_t i = 1; i < 3; i++)
        if (ops_wants_output(c, i))
            return error_set(c->error, MINNOW_ERROR_UNSUPPORTED,
                             "output %zu, a statistic of training, is not supported", i);
    return MINNOW_OK;
}

minnow_status ops_skip_norm(op_context *c) {
    const int is_rms = ops_variant(c) == 1;
    const size_t bias = is_rms ? 3 : 4;
    TRY(ops_need(c, 3));
    TRY(refuse_statistics(c));
    TRY(ops_same_type(c, 0, 1));
    const tensor *x = c->inputs[0];
    job j = {.math = c->math, .x = x->data, .skip = c->inputs[1]->data, .is_rms = is_rms,
             .epsilon = graph_node_float(c->node, "epsilon", 1e-12f)};
    if (x->type != DTYPE_FLOAT32) return ops_unsupported_type(c, x->type);
    TRY(check_skip(c));
    const int64_t n = x->dims[x->rank - 1];
    TRY(vector_of(c, 2, n, "gamma", &j.gamma));
    if (!is_rms) TRY(vector_of(c, 3, n, "beta", &j.beta));
    TRY(vector_of(c, bias, n, "bias", &j.bias));
    TRY(ops_charge_product(c, tensor_count(x), 6, 1));
    TRY(ops_output(c, 0, DTYPE_FLOAT32, x->rank, x->dims));
    if (ops_wants_output(c, 3)) {
        TRY(ops_output(c, 3, DTYPE_FLOAT32, x->rank, x->dims));
        j.sum = c->outputs[3].data;
    }
    if (tensor_count(x) == 0) return MINNOW_OK;
    j.n = (size_t)n;
    j.y = c->outputs[0].data;
    j.n_skip_rows = tensor_count(c->inputs[1]) / j.n;
    ops_parallel(c, tensor_count(x) / j.n, 1, 6 * j.n, skip_rows, &j);
    return MINNOW_OK;
}
