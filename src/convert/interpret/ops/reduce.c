/* SPDX-License-Identifier: Apache-2.0
 * Many elements -> one: ReduceSum, ReduceMean ..., ArgMax, ArgMin. Reduced axes are brought to the end first, so that
 * every reduction is one over contiguous elements, in one fixed order. */
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

typedef struct job {
    const math_kernels *math;
    int kind;
    dtype type;
    size_t n; /* elements of a row */
    const void *in;
    void *out;
    float *scratch; /* a row a part, for kinds that need one */
} job;

/* --- One row ------------------------------------------------------------------------------------------------------ */

static float f32_log_sum_exp(const math_kernels *m, const float *x, size_t n, float *scratch) {
    float top = m->maximum(x, n), sum;
    const float largest = 3.40282347e38f;
    if (!(top >= -largest && top <= largest)) top = 0; /* infinities: exp says the right thing by itself */
    m->sub_scalar(x, top, scratch, n);
    m->exp(scratch, scratch, n);
    sum = m->sum(scratch, n);
    m->log(&sum, &sum, 1);
    return sum + top;
}

static float f32_row(const job *j, const float *x, float *scratch) {
    const math_kernels *m = j->math;
    float y = 0;
    switch (j->kind) {
    case REDUCE_SUM: return m->sum(x, j->n);
    case REDUCE_MEAN: return m->sum(x, j->n) / (float)j->n;
    case REDUCE_MAX: return m->maximum(x, j->n);
    case REDUCE_MIN:
        y = j->n ? x[0] : __builtin_inff();
        for (size_t i = 1; i < j->n; i++) y = x[i] != x[i] || x[i] < y ? x[i] : y;
        return y;
    case REDUCE_PROD:
        y = 1;
        for (size_t i = 0; i < j->n; i++) y *= x[i];
        return y;
    case REDUCE_L1: m->abs(x, scratch, j->n); return m->sum(scratch, j->n);
    case REDUCE_L2: y = m->sum_squares(x, j->n); m->sqrt(&y, &y, 1); return y;
    case REDUCE_SUM_SQUARE: return m->sum_squares(x, j->n);
    case REDUCE_LOG_SUM: y = m->sum(x, j->n); m->log(&y, &y, 1); return y;
    default: return f32_log_sum_exp(m, x, j->n, scratch);
    }
}

static double f64_row(const job *j, const double *x) {
    const double infinity = __builtin_inf();
    double y = j->kind == REDUCE_PROD ? 1 : 0, top = 0;
    if (j->kind == REDUCE_MAX || j->kind == REDUCE_MIN) {
        y = j->kind == REDUCE_MAX ? -infinity : infinity;
        for (size_t i = 0; i < j->n; i++)
            if (i == 0 || x[i] != x[i] || (j->kind == REDUCE_MAX ? x[i] > y : x[i] < y)) y = x[i];
        return y;
    }
    if (j->kind == REDUCE_LOG_SUM_EXP)
        for (size_t i = 0; i < j->n; i++) top = i == 0 || x[i] > top ? x[i] : top;
    if (top == infinity || top == -infinity) top = 0; /* exp says the right thing by itself */
    for (size_t i = 0; i < j->n; i++) {
        switch (j->kind) {
        case REDUCE_PROD: y *= x[i]; break;
        case REDUCE_L1: y += x[i] < 0 ? -x[i] : x[i]; break;
        case REDUCE_L2: case REDUCE_SUM_SQUARE: y += x[i] * x[i]; break;
        case REDUCE_LOG_SUM_EXP: y += math_exp_f64(x[i] - top); break;
        default: y += x[i]; break;
        }
    }
    if (j->kind == REDUCE_MEAN) return y / (double)j->n;
    if (j->kind == REDUCE_L2) return exact_sqrt(y);
    if (j->kind == REDUCE_LOG_SUM || j->kind == REDUCE_LOG_SUM_EXP) return math_log_f64(y) + top;
    return y;
}

static int64_t int_join(int kind, int is_u64, size_t at, int64_t y, int64_t v) {
    const uint64_t uy = (uint64_t)y, uv = (uint64_t)v;
    switch (kind) {
    case REDUCE_PROD: return (int64_t)(uy * uv);
    case REDUCE_SUM_SQUARE: return (int64_t)(uy + uv * uv);
    case REDUCE_L1: return (int64_t)(uy + (!is_u64 && v < 0 ? 0 - uv : uv));
    case REDUCE_MAX: return at == 0 || (is_u64 ? uv > uy : v > y) ? v : y;
    case REDUCE_MIN: return at == 0 || (is_u64 ? uv < uy : v < y) ? v : y;
    default: return (int64_t)(uy + uv);
    }
}

/* What the maximum or minimum of nothing is: the type's least or greatest value. */
static int64_t int_extreme(dtype type, int least) {
    const int is_signed = type == DTYPE_INT8 || type == DTYPE_INT16 || type == DTYPE_INT32 || type == DTYPE_INT64;
    const unsigned bits = type == DTYPE_BOOL ? 1 : 8 * (unsigned)dtype_bytes(type) - (unsigned)is_signed;
    const int64_t greatest = (int64_t)(UINT64_MAX >> (64 - bits));
    return !least ? greatest : is_signed ? -greatest - 1 : 0;
}

static void int_row(const job *j, size_t row) {
    const int is_u64 = j->type == DTYPE_UINT64;
    int64_t y = j->kind == REDUCE_PROD, lanes[LANES_BLOCK];
    if (j->n == 0 && (j->kind == REDUCE_MAX || j->kind == REDUCE_MIN)) y = int_extreme(j->type, j->kind == REDUCE_MAX);
    for (size_t at = 0; at < j->n; at += LANES_BLOCK) {
        const size_t m = j->n - at < LANES_BLOCK ? j->n - at : LANES_BLOCK;
        lanes_load(j->type, j->in, row * j->n + at, 1, m, lanes);
        for (size_t i = 0; i < m; i++) y = int_join(j->kind, is_u64, at + i, y, lanes[i]);
    }
    if (j->kind == REDUCE_MEAN) y = is_u64 ? (int64_t)((uint64_t)y / j->n) : y / (int64_t)j->n;
    lanes_store(j->type, &y, 1, j->out, row);
}

static void reduce_rows(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    float *scratch = j->scratch ? j->scratch + part * j->n : NULL;
    for (size_t r = begin; r < end; r++) {
        if (j->type == DTYPE_FLOAT32) ((float *)j->out)[r] = f32_row(j, (const float *)j->in + r * j->n, scratch);
        else if (j->type == DTYPE_FLOAT64) ((double *)j->out)[r] = f64_row(j, (const double *)j->in + r * j->n);
        else int_row(j, r);
    }
}

/* --- Reduce* ------------------------------------------------------------------------------------------------------ */

/* Which axes, and the shapes of result and rows. */
typedef struct reduction {
    int perm[TENSOR_MAX_RANK]; /* kept axes, then reduced ones */
    int rank;                  /* of the result */
    int64_t dims[TENSOR_MAX_RANK];
    size_t n;                  /* elements of a row */
    int moves;                 /* perm is not the identity, dims of 1 left aside */
} reduction;

static void plan_reduction(const tensor *x, const uint8_t *reduced, int keepdims, reduction *r) {
    int at = 0, seen_reduced = 0;
    *r = (reduction){.n = 1};
    for (int d = 0; d < x->rank; d++) {
        if (reduced[d]) {
            r->n *= (size_t)x->dims[d];
            if (x->dims[d] != 1) seen_reduced = 1;
            if (keepdims) r->dims[r->rank++] = 1;
        } else {
            r->perm[at++] = d;
            r->dims[r->rank++] = x->dims[d];
            if (seen_reduced && x->dims[d] != 1) r->moves = 1;
        }
    }
    for (int d = 0; d < x->rank; d++)
        if (reduced[d]) r->perm[at++] = d;
}

/* x with the reduced axes last: itself, or a copy. */
static minnow_status rows_of(op_context *c, const tensor *x, const reduction *r, const void **out) {
    void *copy;
    *out = x->data;
    if (!r->moves) return MINNOW_OK;
    TRY(ops_charge(c, tensor_count(x)));
    TRY(ops_scratch(c, tensor_bytes(x), &copy));
    stride_transpose(c, x, NULL, r->perm, copy);
    *out = copy;
    return MINNOW_OK;
}

static minnow_status check_reduction(op_context *c, int kind, const tensor *x, size_t n) {
    const int is_int = lanes_is_integer(x->type);
    if (x->type != DTYPE_FLOAT32 && x->type != DTYPE_FLOAT64 && !is_int) return ops_unsupported_type(c, x->type);
    if (x->type == DTYPE_BOOL && kind != REDUCE_MAX && kind != REDUCE_MIN) return ops_unsupported_type(c, x->type);
    if (n == 0 && is_int && kind == REDUCE_MEAN)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "no elements to reduce");
    return MINNOW_OK;
}

/* Integers under a root or a logarithm are reduced as doubles and truncated. */
static int reduces_as_double(int kind, dtype type) {
    return lanes_is_integer(type) && (kind == REDUCE_L2 || kind == REDUCE_LOG_SUM || kind == REDUCE_LOG_SUM_EXP);
}

static minnow_status reduce_over(op_context *c, const uint8_t *reduced, int keepdims) {
    const tensor *x = c->inputs[0];
    const int kind = ops_variant(c);
    reduction r;
    size_t rows;
    plan_reduction(x, reduced, keepdims, &r);
    TRY(check_reduction(c, kind, x, r.n));
    TRY(ops_charge(c, tensor_count(x)));
    TRY(ops_output(c, 0, x->type, r.rank, r.dims));
    rows = tensor_count(&c->outputs[0]);
    if (rows == 0) return MINNOW_OK;
    job j = {.math = c->math, .kind = kind, .type = x->type, .n = r.n, .out = c->outputs[0].data};
    tensor doubles;
    if (reduces_as_double(kind, x->type)) {
        TRY(ops_cast_scratch(c, x, DTYPE_FLOAT64, &doubles));
        TRY(ops_scratch_array(c, rows, 1, sizeof(double), &j.out));
        x = &doubles;
        j.type = DTYPE_FLOAT64;
    }
    TRY(rows_of(c, x, &r, &j.in));
    if (kind == REDUCE_L1 || kind == REDUCE_LOG_SUM_EXP) {
        void *scratch;
        TRY(ops_scratch_array(c, r.n, ops_threads(c), sizeof(float), &scratch));
        j.scratch = scratch;
    }
    ops_parallel(c, rows, 1, r.n + 8, reduce_rows, &j);
    if (x == &doubles) lanes_cast(DTYPE_FLOAT64, j.out, c->outputs[0].type, c->outputs[0].data, rows);
    return MINNOW_OK;
}

minnow_status ops_reduce(op_context *c) {
    int axes[TENSOR_MAX_RANK];
    uint8_t reduced[TENSOR_MAX_RANK] = {0};
    size_t n_axes;
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    TRY(ops_axes(c, 1, x->rank, axes, &n_axes));
    if (n_axes == 0 && graph_node_int(c->node, "noop_with_empty_axes", 0) == 0)
        for (int d = 0; d < x->rank; d++) axes[n_axes++] = d;
    for (size_t i = 0; i < n_axes; i++) reduced[axes[i]] = 1;
    return reduce_over(c, reduced, graph_node_int(c->node, "keepdims", 1) != 0);
}

/* [batch, channels, ...] -> [batch, channels, 1 ...] */
minnow_status ops_global_pool(op_context *c) {
    uint8_t reduced[TENSOR_MAX_RANK] = {0};
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    if (x->rank < 2) return error_set(c->error, MINNOW_ERROR_FORMAT, "rank %d is less than 2", x->rank);
    for (int d = 2; d < x->rank; d++) reduced[d] = 1;
    return reduce_over(c, reduced, 1);
}

/* --- ArgMax, ArgMin ----------------------------------------------------------------------------------------------- */

int element_beats(const tensor *x, const void *data, size_t a, size_t b, int least) {
    if (x->type == DTYPE_FLOAT32) {
        const float u = ((const float *)data)[a], v = ((const float *)data)[b];
        return (u != u && v == v) || (least ? u < v : u > v);
    }
    if (x->type == DTYPE_FLOAT64) {
        const double u = ((const double *)data)[a], v = ((const double *)data)[b];
        return (u != u && v == v) || (least ? u < v : u > v);
    }
    int64_t u, v;
    lanes_load(x->type, data, a, 1, 1, &u);
    lanes_load(x->type, data, b, 1, 1, &v);
    if (x->type == DTYPE_UINT64) return least ? (uint64_t)u < (uint64_t)v : (uint64_t)u > (uint64_t)v;
    return least ? u < v : u > v;
}

minnow_status ops_arg(op_context *c) {
    uint8_t reduced[TENSOR_MAX_RANK] = {0};
    const int last = graph_node_int(c->node, "select_last_index", 0) != 0, least = ops_variant(c) == 1;
    reduction r;
    const void *in;
    int axis;
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    TRY(ops_axis(c, graph_node_int(c->node, "axis", 0), x->rank, &axis));
    reduced[axis] = 1;
    plan_reduction(x, reduced, graph_node_int(c->node, "keepdims", 1) != 0, &r);
    TRY(check_reduction(c, REDUCE_MAX, x, r.n));
    TRY(ops_charge(c, tensor_count(x)));
    TRY(ops_output(c, 0, DTYPE_INT64, r.rank, r.dims));
    const size_t rows = tensor_count(&c->outputs[0]);
    if (rows && r.n == 0) return error_set(c->error, MINNOW_ERROR_FORMAT, "no elements along the axis");
    TRY(rows_of(c, x, &r, &in));
    for (size_t i = 0; i < rows; i++) {
        size_t best = 0;
        for (size_t k = 1; k < r.n; k++)
            if (last ? !element_beats(x, in, i * r.n + best, i * r.n + k, least)
                     : element_beats(x, in, i * r.n + k, i * r.n + best, least))
                best = k;
        ((int64_t *)c->outputs[0].data)[i] = (int64_t)best;
    }
    return MINNOW_OK;
}
