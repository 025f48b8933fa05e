/* SPDX-License-Identifier: Apache-2.0
 * A chain that begins with a product of 8-bit integers, run: the sums become floats, with bias, gelu and residual,
 * while they are in the cache. */
#include <string.h>

#include "convert/interpret/interpreter_impl.h"
#include "convert/interpret/ops/quantized_product.h"

/* The head's inputs become the context's; 0 if one is no dense tensor. */
static int take_operands(op_context *c, const graph_node *head) {
    struct interpreter *in = c->in;
    for (size_t i = 0; i < head->n_inputs; i++) {
        const int32_t value = head->inputs[i];
        in->op_values[i] = value;
        in->op_inputs[i] = NULL;
        if (value < 0) continue;
        if (!in->values[value].is_set || in->values[value].is_strided) return 0;
        in->op_inputs[i] = &in->values[value].t;
    }
    c->n_inputs = head->n_inputs;
    return 1;
}

static const tensor *dense_f32(const op_context *c, int32_t value) {
    const value_state *v = &c->in->values[value];
    return v->is_set && !v->is_strided && v->t.type == DTYPE_FLOAT32 ? &v->t : NULL;
}

/* One element, or a row of n. */
static int plan_scale(const op_context *c, integer_product *p, int rank) {
    const tensor *t = dense_f32(c, c->step->fused->sum_scale);
    if (!t || t->rank > rank) return 0;
    const size_t count = tensor_count(t);
    if (count != 1 && (count != p->shape.n || (size_t)t->dims[t->rank - 1] != count)) return 0;
    p->scale = t->data;
    p->scale_per_column = count != 1;
    return 1;
}

static int plan_rest(const op_context *c, integer_product *p, int rank, const int64_t *dims) {
    const fusion *f = c->step->fused;
    if (f->bias >= 0) {
        const tensor *t = dense_f32(c, f->bias);
        if (!t || t->rank != 1 || (size_t)t->dims[0] != p->shape.n || rank < 1 || p->bias) return 0;
        p->bias = t->data;
    }
    if (f->gelu) p->activation = MATH_ACTIVATION_GELU_ERF;
    if (f->residual >= 0) {
        const tensor *t = dense_f32(c, f->residual);
        if (!t || t->rank != rank || (rank && memcmp(t->dims, dims, (size_t)rank * sizeof *dims) != 0)) return 0;
        p->residual = t->data;
    }
    return 1;
}

minnow_status fusion_run_integer(op_context *c, int *handled) {
    const graph_node *head = &c->in->nodes[c->step->nodes[0]];
    minnow_error *const error = c->error;
    int64_t dims[TENSOR_MAX_RANK];
    integer_product p;
    int rank;
    if (!take_operands(c, head)) return MINNOW_OK;
    c->error = NULL; /* what is wrong is said by the nodes one by one */
    const minnow_status status = c->step->fused->sum_scale >= 0 ? quantized_plan_sums(c, &p, &rank, dims)
                                                                : quantized_plan_floats(c, &p, &rank, dims);
    c->error = error;
    if (status != MINNOW_OK || !plan_rest(c, &p, rank, dims)) return MINNOW_OK;
    if (c->step->fused->sum_scale >= 0 && !plan_scale(c, &p, rank)) return MINNOW_OK;
    *handled = 1;
    TRY(ops_output(c, 0, DTYPE_FLOAT32, rank, dims));
    p.floats = c->outputs[0].data;
    return integer_product_run(c, &p);
}
