/* SPDX-License-Identifier: Apache-2.0
 * Tensors normalized along some of their axes: LpNormalization, MeanVarianceNormalization. These axes are brought to
 * the end, the rows normalized with sums in double, in order, and the axes brought back. */
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

typedef struct job {
    int kind;
    int64_t p;
    dtype type;
    size_t n; /* elements of a row */
    void *rows;
} job;

static double load(const job *j, size_t i) {
    return j->type == DTYPE_FLOAT32 ? (double)((const float *)j->rows)[i] : ((const double *)j->rows)[i];
}

static void store(const job *j, size_t i, double y) {
    if (j->type == DTYPE_FLOAT32) ((float *)j->rows)[i] = (float)y;
    else ((double *)j->rows)[i] = y;
}

/* x / |x|_p, and 0 for a row of zeros. */
static void lp_row(const job *j, size_t first) {
    double sum = 0;
    for (size_t i = first; i < first + j->n; i++) {
        const double x = load(j, i);
        sum += j->p == 1 ? (x < 0 ? -x : x) : x * x;
    }
    if (j->p == 2) sum = exact_sqrt(sum);
    for (size_t i = first; i < first + j->n; i++) store(j, i, sum == 0 ? 0 : load(j, i) / sum);
}

/* (x - mean) / (deviation + 1e-9) */
static void mean_variance_row(const job *j, size_t first) {
    double mean = 0, variance = 0;
    for (size_t i = first; i < first + j->n; i++) mean += load(j, i);
    mean /= (double)j->n;
    for (size_t i = first; i < first + j->n; i++) variance += (load(j, i) - mean) * (load(j, i) - mean);
    const double deviation = exact_sqrt(variance / (double)j->n) + 1e-9;
    for (size_t i = first; i < first + j->n; i++) store(j, i, (load(j, i) - mean) / deviation);
}

static void run_rows(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    for (size_t r = begin; r < end; r++) (j->kind == ALONG_LP ? lp_row : mean_variance_row)(j, r * j->n);
}

/* The axes of the operator, as bits. */
static minnow_status read_axes(op_context *c, int kind, int rank, unsigned *bits) {
    static const int64_t images[] = {0, 2, 3};
    const graph_attribute *a = graph_node_attribute(c->node, "axes");
    const int64_t last = graph_node_int(c->node, "axis", -1), *axes = kind == ALONG_LP ? &last : images;
    size_t n = kind == ALONG_LP ? 1 : 3;
    *bits = 0;
    if (kind == ALONG_MEAN_VARIANCE && a && a->type == ATTRIBUTE_INTS) {
        axes = a->ints;
        n = a->n;
    }
    for (size_t i = 0; i < n; i++) {
        int axis = 0;
        TRY(ops_axis(c, axes[i], rank, &axis));
        *bits |= 1u << axis;
    }
    return MINNOW_OK;
}

minnow_status ops_along(op_context *c) {
    int perm[TENSOR_MAX_RANK], back[TENSOR_MAX_RANK], at = 0;
    unsigned bits;
    void *moved;
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    job j = {.kind = ops_variant(c), .p = graph_node_int(c->node, "p", 2), .type = x->type, .n = 1};
    if (x->type != DTYPE_FLOAT32 && x->type != DTYPE_FLOAT64) return ops_unsupported_type(c, x->type);
    if (j.p != 1 && j.p != 2)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "p = %lld not supported (1 and 2 are)", (long long)j.p);
    TRY(read_axes(c, j.kind, x->rank, &bits));
    TRY(ops_charge_product(c, tensor_count(x), 8, 1));
    TRY(ops_output(c, 0, x->type, x->rank, x->dims));
    if (tensor_count(x) == 0) return MINNOW_OK;
    tensor rows = *x;
    for (unsigned last = 0; last < 2; last++)
        for (int d = 0; d < x->rank; d++)
            if ((bits >> d & 1) == last) perm[at++] = d;
    for (int d = 0; d < x->rank; d++) {
        back[perm[d]] = d;
        rows.dims[d] = x->dims[perm[d]];
        if (bits >> d & 1) j.n *= (size_t)x->dims[d];
    }
    TRY(ops_scratch(c, tensor_bytes(x), &moved));
    stride_transpose(c, x, NULL, perm, moved);
    rows.data = j.rows = moved;
    ops_parallel(c, tensor_count(x) / j.n, 1, 8 * j.n, run_rows, &j);
    stride_transpose(c, &rows, NULL, back, c->outputs[0].data);
    return MINNOW_OK;
}
