/* SPDX-License-Identifier: Apache-2.0
 * The chains that fusion_match.c found, run: the same functions in the same order as their nodes would call, so the
 * same bits. */
#include <string.h>

#include "convert/interpret/interpreter_impl.h"
#include "convert/interpret/product.h"

static const value_state *state_of(const op_context *c, int32_t value) { return &c->in->values[value]; }

static int is_dense_f32(const value_state *v) { return v->t.type == DTYPE_FLOAT32 && !v->is_strided; }

static int same_shape(const tensor *t, int rank, const int64_t *dims) {
    return t->rank == rank && (rank == 0 || memcmp(t->dims, dims, (size_t)rank * sizeof *dims) == 0);
}

/* The mask must broadcast to the scores and not make them larger. */
static int plan_mask(const op_context *c, const fusion *f, product *p, int rank, const int64_t *dims) {
    const value_state *v = state_of(c, f->mask);
    int64_t strides[TENSOR_MAX_RANK];
    if (!is_dense_f32(v) || v->t.rank > rank) return 0;
    stride_dense(v->t.rank, v->t.dims, strides);
    p->mask = v->t.data;
    for (int d = 0; d < rank; d++) {
        const int own = d - (rank - v->t.rank);
        const int64_t size = own < 0 ? 1 : v->t.dims[own], stride = size == 1 ? 0 : strides[own];
        if (size != 1 && size != dims[d]) return 0;
        if (d < rank - 2) p->mask_batch[d] = stride;
        else if (d == rank - 2) p->mask_row = stride;
        else p->mask_column = stride;
    }
    return 1;
}

static int plan_scores(const op_context *c, const fusion *f, product *p, int rank, const int64_t *dims) {
    const int axis = f->softmax_axis < 0 ? f->softmax_axis + rank : f->softmax_axis;
    if (rank < 2 || rank - 2 != p->batch_rank) return 0;
    if (f->scale_op == BINARY_MUL) p->epilogue.scale = f->scale;
    if (f->scale_op == BINARY_DIV) p->divisor = f->scale;
    if (f->mask >= 0 && !plan_mask(c, f, p, rank, dims)) return 0;
    if (f->softmax && axis != rank - 1) return 0;
    p->softmax = f->softmax;
    return 1;
}

/* C lies where the transpose would put it: its batch and row strides are those of the permuted shape. */
static int plan_context(const fusion *f, product *p, int rank, int64_t *dims) {
    int64_t permuted[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK];
    if (rank != f->perm_rank || rank - 2 != p->batch_rank) return 0;
    for (int d = 0; d < rank; d++) permuted[d] = dims[f->perm[d]];
    stride_dense(rank, permuted, strides);
    for (int d = 0; d < rank; d++) {
        if (f->perm[d] < rank - 2) p->c_batch[f->perm[d]] = strides[d];
        else if (f->perm[d] == rank - 2) p->c_row = strides[d];
    }
    memcpy(dims, permuted, (size_t)rank * sizeof *dims);
    return 1;
}

static int plan_linear(const op_context *c, const fusion *f, product *p, int rank, const int64_t *dims) {
    if (f->bias >= 0) {
        const value_state *v = state_of(c, f->bias);
        if (!is_dense_f32(v) || v->t.rank != 1 || (size_t)v->t.dims[0] != p->n || rank < 1) return 0;
        p->epilogue.bias = v->t.data;
    }
    if (f->gelu) p->epilogue.activation = MATH_ACTIVATION_GELU_ERF;
    if (f->residual >= 0) {
        const value_state *v = state_of(c, f->residual);
        if (!is_dense_f32(v) || !same_shape(&v->t, rank, dims)) return 0;
        p->epilogue.residual = v->t.data;
        p->epilogue.residual_stride = p->n;
    }
    return 1;
}

typedef struct gelu_job {
    const math_kernels *math;
    const float *x;
    float *y;
} gelu_job;

static void gelu_range(void *context, size_t begin, size_t end, size_t part) {
    const gelu_job *j = context;
    (void)part;
    j->math->gelu_erf(j->x + begin, j->y + begin, end - begin);
}

static minnow_status run_gelu(op_context *c, const value_state *x, int *handled) {
    if (!is_dense_f32(x)) return MINNOW_OK;
    *handled = 1;
    TRY(ops_output(c, 0, DTYPE_FLOAT32, x->t.rank, x->t.dims));
    gelu_job j = {c->math, x->t.data, c->outputs[0].data};
    ops_parallel(c, tensor_count(&x->t), 64, 16, gelu_range, &j);
    return MINNOW_OK;
}

minnow_status fusion_run(op_context *c, int *handled) {
    const fusion *f = c->step->fused;
    const value_state *a = state_of(c, f->a), *b = f->b >= 0 ? state_of(c, f->b) : NULL;
    minnow_error *const error = c->error;
    int64_t dims[TENSOR_MAX_RANK];
    minnow_status status;
    product p;
    int rank, fits;
    *handled = 0;
    if (f->kind == FUSION_GELU) return run_gelu(c, a, handled);
    if (f->kind == FUSION_INTEGER) return fusion_run_integer(c, handled);
    if (f->kind == FUSION_ROWS) return fusion_run_rows(c, handled);
    if (a->t.type != DTYPE_FLOAT32 || b->t.type != DTYPE_FLOAT32) return MINNOW_OK;
    c->error = NULL; /* what is wrong with the shapes is said by the nodes one by one */
    status = product_plan(c, &a->t, a->is_strided ? a->strides : NULL, &b->t, b->is_strided ? b->strides : NULL, &p,
                          &rank, dims);
    c->error = error;
    if (status != MINNOW_OK) return MINNOW_OK;
    if (f->kind == FUSION_LINEAR) fits = plan_linear(c, f, &p, rank, dims);
    else if (f->kind == FUSION_SCORES) fits = plan_scores(c, f, &p, rank, dims);
    else fits = plan_context(f, &p, rank, dims);
    if (!fits) return MINNOW_OK;
    *handled = 1;
    TRY(ops_output(c, 0, DTYPE_FLOAT32, rank, dims));
    p.c = c->outputs[0].data;
    if (c->step->packed && c->step->packed_value == f->b) p.packed = c->step->packed;
    return product_run(c, &p);
}
