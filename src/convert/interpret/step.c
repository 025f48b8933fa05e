/* SPDX-License-Identifier: Apache-2.0
 * One step of a run: a node or a chain of them. In: values that are set. Out: the outputs' values; inputs that nobody
 * reads any more give their memory back. */
#include <string.h>

#include "convert/interpret/interpreter_impl.h"

minnow_status error_at_node(const struct interpreter *in, size_t node, minnow_status status, minnow_error *error) {
    char place[256];
    return error_prefix(error, status, "%s", graph_node_describe(in->g, node, place, sizeof place));
}

static op_context context_for(struct interpreter *in, const step *s, minnow_error *error) {
    const graph_node *node = &in->nodes[s->node];
    op_context c = {.in = in, .node = node, .step = s, .math = in->math, .pool = in->pool, .error = error,
                    .n_inputs = node->n_inputs, .n_outputs = node->n_outputs, .inputs = in->op_inputs,
                    .strides = in->op_strides, .input_values = in->op_values, .output_values = in->op_output_values,
                    .outputs = in->op_outputs, .output_buffers = in->op_buffers,
                    .output_strides = in->op_output_strides, .output_strided = in->op_output_strided,
                    .dense_only = in->no_fusion || in->observe};
    memset(in->op_outputs, 0, (node->n_outputs + 1) * sizeof *in->op_outputs);
    memset(in->op_output_strided, 0, node->n_outputs + 1);
    for (size_t i = 0; i <= node->n_outputs; i++) in->op_buffers[i] = -1;
    for (size_t i = 0; i < node->n_outputs; i++) {
        const int32_t v = node->outputs[i];
        in->op_output_values[i] = v >= 0 && (in->uses[v] > 0 || in->observe) ? v : -1;
    }
    return c;
}

/* 1 if the branches around a node are those that this run takes. The outer ones' conditions come first, so an inner one
 * that has no value is in a branch that is not taken. */
static int is_taken(const struct interpreter *in, size_t node) {
    for (uint32_t b = in->g->nodes[node].branch; b != 0; b = in->g->branches[b - 1].outer) {
        const value_state *v = &in->values[in->g->branches[b - 1].condition];
        if (!v->is_set || v->t.type != DTYPE_BOOL || tensor_count(&v->t) != 1) return 0;
        if ((*(const uint8_t *)v->t.data != 0) != in->g->branches[b - 1].when) return 0;
    }
    return 1;
}

minnow_status value_make_dense(op_context *c, int32_t value) {
    struct interpreter *in = c->in;
    value_state *v = &in->values[value];
    int perm[TENSOR_MAX_RANK];
    int32_t b;
    TRY(ops_charge(c, tensor_count(&v->t)));
    TRY(buffer_acquire(in, tensor_bytes(&v->t), &b, c->error));
    for (int d = 0; d < v->t.rank; d++) perm[d] = d;
    stride_transpose(c, &v->t, v->strides, perm, in->buffers[b].data);
    buffer_release(in, v->buffer);
    v->buffer = b;
    v->t.data = in->buffers[b].data;
    v->is_strided = 0;
    return MINNOW_OK;
}

static minnow_status take_inputs(op_context *c, int flags, dtype *half) {
    struct interpreter *in = c->in;
    *half = DTYPE_UNDEFINED;
    for (size_t i = 0; i < c->n_inputs; i++) {
        const int32_t value = c->node->inputs[i];
        in->op_values[i] = value;
        in->op_strides[i] = NULL;
        in->op_inputs[i] = NULL;
        if (value < 0) continue;
        value_state *v = &in->values[value];
        if (!v->is_set && flags & OP_LAZY) continue;
        if (!v->is_set)
            return error_set(c->error, MINNOW_ERROR_FORMAT, "input '%s' has no value", in->g->values[value].name);
        if (v->is_strided && !(flags & OP_STRIDED)) TRY(value_make_dense(c, value));
        if (v->is_strided) in->op_strides[i] = v->strides;
        in->op_inputs[i] = &v->t;
        if (!(flags & OP_HALF) || (v->t.type != DTYPE_FLOAT16 && v->t.type != DTYPE_BFLOAT16)) continue;
        if (v->is_strided) TRY(value_make_dense(c, value));
        in->op_strides[i] = NULL;
        const int tells = flags & OP_FIRST_TYPE ? i == 0 : flags & OP_SECOND_TYPE ? i == 1 : 1;
        if (*half == DTYPE_UNDEFINED && tells) *half = v->t.type;
        if (i == 1 && c->step->packed && c->step->packed_value == value) { /* the packed copy is float32, and is used */
            in->op_widened[i] = v->t;
            in->op_widened[i].type = DTYPE_FLOAT32;
            in->op_widened[i].data = NULL;
            in->op_inputs[i] = &in->op_widened[i];
            continue;
        }
        TRY(ops_cast_scratch(c, &v->t, DTYPE_FLOAT32, &in->op_widened[i]));
        in->op_inputs[i] = &in->op_widened[i];
        in->op_values[i] = -1;
    }
    return MINNOW_OK;
}

static minnow_status narrow_outputs(op_context *c, int flags, dtype half) {
    struct interpreter *in = c->in;
    for (size_t i = 0; i < c->n_outputs && (i == 0 || !(flags & OP_FIRST_OUTPUT)); i++) {
        tensor *t = &c->outputs[i];
        const size_t n = tensor_count(t);
        int32_t b;
        if (t->type != DTYPE_FLOAT32) continue;
        TRY(buffer_acquire(in, n * dtype_bytes(half), &b, c->error));
        lanes_cast(DTYPE_FLOAT32, t->data, half, in->buffers[b].data, n);
        buffer_release(in, c->output_buffers[i]);
        c->output_buffers[i] = b;
        t->type = half;
        t->data = in->buffers[b].data;
    }
    return MINNOW_OK;
}

static void drop_outputs(op_context *c) {
    for (size_t i = 0; i <= c->n_outputs; i++) {
        buffer_release(c->in, c->output_buffers[i]);
        c->output_buffers[i] = -1;
    }
}

/* What the operator made becomes the state of the node's values. */
static void keep_outputs(op_context *c) {
    struct interpreter *in = c->in;
    for (size_t i = 0; i < c->n_outputs; i++) {
        const int32_t value = c->node->outputs[i];
        if (value < 0 || c->outputs[i].type == DTYPE_UNDEFINED) continue;
        value_state *v = &in->values[value];
        v->t = c->outputs[i];
        v->buffer = c->output_buffers[i];
        v->is_set = 1;
        v->is_strided = c->output_strided[i];
        if (v->is_strided) memcpy(v->strides, c->output_strides[i], sizeof v->strides);
        c->output_buffers[i] = -1;
        if (in->uses[value] == 0) value_clear(in, value);
    }
    drop_outputs(c);
}

static void release_inputs(struct interpreter *in, const graph_node *node) {
    for (size_t i = 0; i < node->n_inputs; i++) {
        const int32_t value = node->inputs[i];
        if (value < 0 || in->values[value].is_constant) continue;
        if (in->values[value].uses_left > 0 && --in->values[value].uses_left == 0) value_clear(in, value);
    }
}

minnow_status step_run_node(struct interpreter *in, const step *s, minnow_error *error) {
    op_context c = context_for(in, s, error);
    dtype half;
    minnow_status status = take_inputs(&c, s->entry->flags, &half);
    if (status == MINNOW_OK) status = ops_charge(&c, 1);
    if (status == MINNOW_OK) status = s->entry->run(&c);
    if (status == MINNOW_OK && half != DTYPE_UNDEFINED) status = narrow_outputs(&c, s->entry->flags, half);
    scratch_release(in);
    if (status == MINNOW_OK && in->observe)
        status = in->observe(in->observe_context, in->g, s->node, c.outputs, c.n_outputs, error);
    if (status != MINNOW_OK) {
        drop_outputs(&c);
        return error_at_node(in, s->node, status, error);
    }
    keep_outputs(&c);
    release_inputs(in, c.node);
    return MINNOW_OK;
}

/* The product's and residual's readers need them set; strided bias or mask is for the nodes one by one. */
static int operands_set(const struct interpreter *in, const fusion *f) {
    const int32_t operands[] = {f->a, f->b, f->bias, f->residual, f->mask};
    for (size_t i = 0; i < sizeof operands / sizeof *operands; i++)
        if (operands[i] >= 0 && !in->values[operands[i]].is_set) return 0;
    return 1;
}

/* A step in a branch that is not taken. */
static void skip_step(struct interpreter *in, const step *s) {
    if (!s->fused) release_inputs(in, &in->nodes[s->node]);
    for (size_t i = 0; s->fused && i < s->n_nodes; i++) release_inputs(in, &in->nodes[s->nodes[i]]);
}

minnow_status step_run(struct interpreter *in, const step *s, minnow_error *error) {
    int handled = 0;
    if (!is_taken(in, s->node)) {
        skip_step(in, s);
        return MINNOW_OK;
    }
    if (!s->fused) return step_run_node(in, s, error);
    if (operands_set(in, s->fused)) {
        op_context c = context_for(in, s, error);
        c.n_inputs = 0;
        minnow_status status = fusion_run(&c, &handled);
        scratch_release(in);
        if (handled && status == MINNOW_OK && in->observe)
            status = in->observe(in->observe_context, in->g, s->node, c.outputs, c.n_outputs, error);
        if (status != MINNOW_OK) {
            drop_outputs(&c);
            return error_at_node(in, s->node, status, error);
        }
        if (handled) {
            keep_outputs(&c);
            for (size_t i = 0; i < s->n_nodes; i++) release_inputs(in, &in->nodes[s->nodes[i]]);
            return MINNOW_OK;
        }
    }
    for (size_t i = 0; i < s->n_nodes; i++) {
        const step one = {.entry = in->entries[s->nodes[i]], .node = s->nodes[i], .packed = i == 0 ? s->packed : NULL,
                          .packed_value = s->packed_value};
        TRY(step_run_node(in, &one, error));
    }
    return MINNOW_OK;
}
