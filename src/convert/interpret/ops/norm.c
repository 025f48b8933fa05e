/* SPDX-License-Identifier: Apache-2.0
 * Rows normalized: LayerNormalization, RMSNormalization (SimplifiedLayerNormalization), Softmax, LogSoftmax. */
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

typedef struct job {
    const math_kernels *math;
    size_t n; /* elements of a row */
    const void *x;
    void *y;
    const void *gamma, *beta;
    float epsilon;
    float *mean, *inverse; /* optional outputs, one number a row */
    int log;
} job;

/* --- Layer norm: y = (x - mean) / sqrt(var + epsilon) * gamma + beta ---------------------------------------------- */

/* The optional outputs, by the same sums as the vector function; y may be x, so this comes first. */
static void row_statistics(const job *j, size_t r) {
    const float *x = (const float *)j->x + r * j->n;
    const math_kernels *m = j->math;
    float block[256], mean = m->sum(x, j->n) / (float)j->n, var = 0, inverse;
    for (size_t at = 0; at < j->n; at += 256) {
        const size_t n = j->n - at < 256 ? j->n - at : 256;
        m->sub_scalar(x + at, mean, block, n);
        var += m->sum_squares(block, n);
    }
    inverse = var / (float)j->n + j->epsilon;
    m->sqrt(&inverse, &inverse, 1);
    if (j->mean) j->mean[r] = mean;
    if (j->inverse) j->inverse[r] = 1.0f / inverse;
}

static void layer_norm_rows(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    for (size_t r = begin; r < end; r++) {
        if (j->mean || j->inverse) row_statistics(j, r);
        j->math->layer_norm((const float *)j->x + r * j->n, j->gamma, j->beta, j->epsilon, (float *)j->y + r * j->n,
                            j->n);
    }
}

static void layer_norm_f64_rows(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    for (size_t r = begin; r < end; r++) {
        const double *x = (const double *)j->x + r * j->n, *gamma = j->gamma, *beta = j->beta;
        double *y = (double *)j->y + r * j->n, mean = 0, var = 0;
        for (size_t i = 0; i < j->n; i++) mean += x[i];
        mean /= (double)j->n;
        for (size_t i = 0; i < j->n; i++) var += (x[i] - mean) * (x[i] - mean);
        const double deviation = exact_sqrt(var / (double)j->n + (double)j->epsilon);
        if (j->mean) j->mean[r] = (float)mean;
        if (j->inverse) j->inverse[r] = (float)(1 / deviation);
        for (size_t i = 0; i < j->n; i++) y[i] = (x[i] - mean) / deviation * gamma[i] + (beta ? beta[i] : 0);
    }
}

/* Scale or bias as n dense elements: itself, or broadcast into scratch. */
static minnow_status weights_of(op_context *c, size_t input, int axis, size_t n, const void **out) {
    const tensor *w = c->inputs[input], *x = c->inputs[0];
    tensor rows = {.type = x->type, .rank = x->rank - axis};
    int64_t dims[TENSOR_MAX_RANK];
    stride_plan p;
    void *copy;
    int rank;
    if (w->type != x->type) return ops_unsupported_type(c, w->type); /* one may have been widened and the other not */
    *out = w->data;
    memcpy(rows.dims, x->dims + axis, (size_t)rows.rank * sizeof(int64_t));
    TRY(stride_broadcast(c, (const tensor *const[]){w, &rows}, 2, &rank, dims, &p));
    if (rank != rows.rank || p.count != n)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu does not fit the rows", input);
    if (tensor_count(w) == n) return MINNOW_OK;
    TRY(ops_scratch(c, n * dtype_bytes(w->type), &copy));
    p.n_operands = 1;
    stride_copy(c, &p, dtype_bytes(w->type), w->data, copy);
    *out = copy;
    return MINNOW_OK;
}

static void row_shape(const tensor *x, int axis, size_t *rows, size_t *n) {
    *rows = *n = 1;
    for (int d = 0; d < axis; d++) *rows *= (size_t)x->dims[d];
    for (int d = axis; d < x->rank; d++) *n *= (size_t)x->dims[d];
}

/* Output i, if it is asked for: a float32 number for each row, whatever the type of x. */
static minnow_status statistics_output(op_context *c, size_t i, int axis, float **out) {
    const tensor *x = c->inputs[0];
    int64_t dims[TENSOR_MAX_RANK];
    if (!ops_wants_output(c, i)) return MINNOW_OK;
    for (int d = 0; d < x->rank; d++) dims[d] = d < axis ? x->dims[d] : 1;
    TRY(ops_output(c, i, DTYPE_FLOAT32, x->rank, dims));
    *out = c->outputs[i].data;
    return MINNOW_OK;
}

minnow_status ops_layer_norm(op_context *c) {
    size_t rows, n;
    int axis;
    const int64_t stash = graph_node_int(c->node, "stash_type", DTYPE_FLOAT32);
    TRY(ops_need(c, 2));
    const tensor *x = c->inputs[0];
    job j = {.math = c->math, .x = x->data, .epsilon = graph_node_float(c->node, "epsilon", 1e-5f)};
    if (x->type != DTYPE_FLOAT32 && x->type != DTYPE_FLOAT64) return ops_unsupported_type(c, x->type);
    if (stash != DTYPE_FLOAT32)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "stash_type %lld not supported (1 is)", (long long)stash);
    TRY(ops_axis(c, graph_node_int(c->node, "axis", -1), x->rank, &axis));
    row_shape(x, axis, &rows, &n);
    TRY(ops_same_type(c, 0, 1));
    TRY(weights_of(c, 1, axis, n, &j.gamma));
    if (ops_has_input(c, 2)) TRY(ops_same_type(c, 0, 2));
    if (ops_has_input(c, 2)) TRY(weights_of(c, 2, axis, n, &j.beta));
    TRY(ops_charge_product(c, tensor_count(x), 4, 1));
    TRY(ops_output_over(c, 0, x->type, x->rank, x->dims, 0));
    TRY(statistics_output(c, 1, axis, &j.mean));
    TRY(statistics_output(c, 2, axis, &j.inverse));
    if (n == 0 && (j.mean || j.inverse))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "rows without elements have no mean");
    j.y = c->outputs[0].data;
    j.n = n;
    if (n) ops_parallel(c, rows, 1, 4 * n, x->type == DTYPE_FLOAT32 ? layer_norm_rows : layer_norm_f64_rows, &j);
    return MINNOW_OK;
}

/* --- RMS norm: y = x / sqrt(mean(x^2) + epsilon) * gamma ---------------------------------------------------------- */

float rms_norm_row(const math_kernels *m, const float *x, const float *gamma, float epsilon, float *y, size_t n) {
    float root = m->sum_squares(x, n) / (float)n + epsilon;
    m->sqrt(&root, &root, 1);
    m->div_scalar(x, root, y, n);
    m->mul(y, gamma, y, n);
    return root;
}

static void rms_norm_rows(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    for (size_t r = begin; r < end; r++) {
        const float root = rms_norm_row(j->math, (const float *)j->x + r * j->n, j->gamma, j->epsilon,
                                        (float *)j->y + r * j->n, j->n);
        if (j->inverse) j->inverse[r] = 1.0f / root;
    }
}

static void rms_norm_f64_rows(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    for (size_t r = begin; r < end; r++) {
        const double *x = (const double *)j->x + r * j->n, *gamma = j->gamma;
        double *y = (double *)j->y + r * j->n, squares = 0;
        for (size_t i = 0; i < j->n; i++) squares += x[i] * x[i];
        const double root = exact_sqrt(squares / (double)j->n + (double)j->epsilon);
        if (j->inverse) j->inverse[r] = (float)(1 / root);
        for (size_t i = 0; i < j->n; i++) y[i] = x[i] / root * gamma[i];
    }
}

minnow_status ops_rms_norm(op_context *c) {
    size_t rows, n;
    int axis;
    TRY(ops_need(c, 2));
    const tensor *x = c->inputs[0];
    job j = {.math = c->math, .x = x->data, .epsilon = graph_node_float(c->node, "epsilon", 1e-5f)};
    if (x->type != DTYPE_FLOAT32 && x->type != DTYPE_FLOAT64) return ops_unsupported_type(c, x->type);
    TRY(ops_axis(c, graph_node_int(c->node, "axis", -1), x->rank, &axis));
    row_shape(x, axis, &rows, &n);
    TRY(weights_of(c, 1, axis, n, &j.gamma));
    TRY(ops_charge_product(c, tensor_count(x), 4, 1));
    TRY(ops_output_over(c, 0, x->type, x->rank, x->dims, 0));
    TRY(statistics_output(c, 1, axis, &j.inverse));
    if (n == 0 && j.inverse)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "rows without elements have no mean");
    j.y = c->outputs[0].data;
    j.n = n;
    if (n) ops_parallel(c, rows, 1, 4 * n, x->type == DTYPE_FLOAT32 ? rms_norm_rows : rms_norm_f64_rows, &j);
    return MINNOW_OK;
}

/* --- Softmax: y = e^(x - max) / sum ------------------------------------------------------------------------------- */

static void log_softmax_row(const math_kernels *m, const float *x, float *y, size_t n) {
    float block[256], sum = 0;
    const float top = m->maximum(x, n);
    for (size_t at = 0; at < n; at += 256) {
        const size_t some = n - at < 256 ? n - at : 256;
        m->sub_scalar(x + at, top, block, some);
        m->exp(block, block, some);
        sum += m->sum(block, some);
    }
    m->log(&sum, &sum, 1);
    m->sub_scalar(x, top, y, n);
    m->sub_scalar(y, sum, y, n);
}

static void softmax_rows(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    for (size_t r = begin; r < end; r++) {
        const float *x = (const float *)j->x + r * j->n;
        float *y = (float *)j->y + r * j->n;
        if (j->log) log_softmax_row(j->math, x, y, j->n);
        else j->math->softmax(x, y, j->n);
    }
}

static void softmax_f64_rows(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    for (size_t r = begin; r < end; r++) {
        const double *x = (const double *)j->x + r * j->n;
        double *y = (double *)j->y + r * j->n, top = x[0], sum = 0;
        for (size_t i = 1; i < j->n; i++) top = x[i] > top || x[i] != x[i] ? x[i] : top;
        for (size_t i = 0; i < j->n; i++) sum += math_exp_f64(x[i] - top);
        for (size_t i = 0; i < j->n; i++)
            y[i] = j->log ? x[i] - top - math_log_f64(sum) : math_exp_f64(x[i] - top) / sum;
    }
}

/* Rows of n along the last axis of x into y. */
static void softmax_along(op_context *c, const void *x, void *y, dtype type, size_t rows, size_t n) {
    job j = {.math = c->math, .n = n, .x = x, .y = y, .log = ops_variant(c) == 1};
    if (n) ops_parallel(c, rows, 1, 8 * n, type == DTYPE_FLOAT32 ? softmax_rows : softmax_f64_rows, &j);
}

minnow_status ops_softmax(op_context *c) {
    const int flattens = c->node->opset < 13;
    int perm[TENSOR_MAX_RANK];
    size_t rows, n;
    void *moved;
    int axis;
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    if (x->type != DTYPE_FLOAT32 && x->type != DTYPE_FLOAT64) return ops_unsupported_type(c, x->type);
    if (x->rank == 0) return error_set(c->error, MINNOW_ERROR_FORMAT, "a scalar has no axis");
    TRY(ops_axis(c, graph_node_int(c->node, "axis", flattens ? 1 : -1), x->rank + (flattens && x->rank == 1), &axis));
    TRY(ops_charge_product(c, tensor_count(x), 4, 1));
    if (flattens || axis == x->rank - 1) {
        row_shape(x, axis < x->rank ? axis : x->rank - 1, &rows, &n);
        TRY(ops_output_over(c, 0, x->type, x->rank, x->dims, 0));
        softmax_along(c, x->data, c->outputs[0].data, x->type, rows, n);
        return MINNOW_OK;
    }
    /* The axis is swapped with the last one, there and back. */
    tensor swapped = *x;
    for (int d = 0; d < x->rank; d++) perm[d] = d;
    perm[axis] = x->rank - 1;
    perm[x->rank - 1] = axis;
    for (int d = 0; d < x->rank; d++) swapped.dims[d] = x->dims[perm[d]];
    TRY(ops_output(c, 0, x->type, x->rank, x->dims));
    if (tensor_count(x) == 0) return MINNOW_OK;
    TRY(ops_scratch(c, tensor_bytes(x), &moved));
    swapped.data = moved;
    stride_transpose(c, x, NULL, perm, moved);
    n = (size_t)x->dims[axis];
    softmax_along(c, moved, moved, x->type, tensor_count(x) / n, n);
    stride_transpose(c, &swapped, NULL, perm, c->outputs[0].data);
    return MINNOW_OK;
}
