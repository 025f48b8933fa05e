/* SPDX-License-Identifier: Apache-2.0
 * The reference interpreter: a sorted graph and input tensors -> output tensors. A run's steps are in step.c, the
 * operators in ops/, chains of them in fusion*.c, memory in memory.c. */
#include "convert/interpret/interpreter.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "convert/interpret/interpreter_impl.h"

#define DEFAULT_MEMORY_LIMIT ((uint64_t)8 << 30)
#define DEFAULT_WORK_LIMIT ((uint64_t)1 << 42)
#define FOLDING_WORK ((uint64_t)1 << 26)
#define SPARE_OPERANDS 8

int interpreter_supports(const char *domain, const char *op_type, int64_t opset) {
    return ops_find(domain, op_type, opset) != NULL;
}

/* --- Creation ----------------------------------------------------------------------------------------------------- */

static minnow_status out_of_memory(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

static minnow_status find_operators(struct interpreter *in, minnow_error *error) {
    const graph *g = in->g;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const graph_node *n = &g->nodes[i];
        in->entries[i] = ops_find(n->domain, n->op_type, n->opset);
        if (!in->entries[i]) {
            const char *advice = ops_advice(n->domain, n->op_type);
            error_set(error, MINNOW_ERROR_UNSUPPORTED, "operator %s%s%s of opset %lld not supported%s%s", n->domain,
                      n->domain[0] ? "." : "", n->op_type, (long long)n->opset, advice ? "; " : "",
                      advice ? advice : "");
            return error_at_node(in, i, MINNOW_ERROR_UNSUPPORTED, error);
        }
        for (size_t k = 0; k < n->n_attributes; k++) {
            if (n->attributes[k].type != ATTRIBUTE_GRAPH) continue;
            error_set(error, MINNOW_ERROR_UNSUPPORTED, "subgraphs not supported");
            return error_at_node(in, i, MINNOW_ERROR_UNSUPPORTED, error);
        }
    }
    return MINNOW_OK;
}

static minnow_status make_room(struct interpreter *in, minnow_error *error) {
    const graph *g = in->g;
    arena *m = &in->memory;
    size_t widest = 0, inputs = g->n_inputs * TENSOR_MAX_RANK;
    for (size_t i = 0; i < g->n_nodes; i++) {
        widest = g->nodes[i].n_inputs > widest ? g->nodes[i].n_inputs : widest;
        widest = g->nodes[i].n_outputs > widest ? g->nodes[i].n_outputs : widest;
    }
    widest += SPARE_OPERANDS;
    in->nodes = arena_array(m, g->n_nodes, sizeof *in->nodes);
    in->entries = arena_array(m, g->n_nodes, sizeof *in->entries);
    in->values = arena_array(m, g->n_values, sizeof *in->values);
    in->uses = arena_array(m, g->n_values, sizeof *in->uses);
    in->needed = arena_array(m, g->n_nodes, 1);
    in->wanted = arena_array(m, g->n_outputs, 1);
    in->symbols = arena_array(m, inputs, sizeof *in->symbols);
    in->symbol_sizes = arena_array(m, inputs, sizeof *in->symbol_sizes);
    in->op_inputs = arena_array(m, widest, sizeof *in->op_inputs);
    in->op_strides = arena_array(m, widest, sizeof *in->op_strides);
    in->op_values = arena_array(m, widest, sizeof *in->op_values);
    in->op_widened = arena_array(m, widest, sizeof *in->op_widened);
    in->op_outputs = arena_array(m, widest, sizeof *in->op_outputs);
    in->op_buffers = arena_array(m, widest, sizeof *in->op_buffers);
    in->op_output_values = arena_array(m, widest, sizeof *in->op_output_values);
    in->op_output_strides = arena_array(m, widest, sizeof *in->op_output_strides);
    in->op_output_strided = arena_array(m, widest, 1);
    if (!in->nodes || !in->entries || !in->values || !in->uses || !in->needed || !in->wanted || !in->symbols ||
        !in->symbol_sizes || !in->op_inputs || !in->op_strides || !in->op_values || !in->op_widened ||
        !in->op_outputs || !in->op_buffers || !in->op_output_values || !in->op_output_strides ||
        !in->op_output_strided)
        return out_of_memory(error);
    if (g->n_nodes) memcpy(in->nodes, g->nodes, g->n_nodes * sizeof *in->nodes);
    return MINNOW_OK;
}

static size_t set_constants(struct interpreter *in) {
    size_t bytes = 0;
    for (size_t i = 0; i < in->g->n_values; i++) {
        value_state *v = &in->values[i];
        v->buffer = -1;
        if (!in->g->values[i].constant) continue;
        v->t = *in->g->values[i].constant;
        v->is_set = v->is_constant = 1;
        bytes += tensor_bytes(&v->t);
    }
    return bytes;
}

/* How often each value is read, in whatever run. */
static void count_readers(struct interpreter *in) {
    const graph *g = in->g;
    memset(in->uses, 0, g->n_values * sizeof *in->uses);
    for (size_t i = 0; i < g->n_outputs; i++) in->uses[g->outputs[i]]++;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (size_t k = 0; k < in->nodes[i].n_inputs; k++)
            if (in->nodes[i].inputs[k] >= 0) in->uses[in->nodes[i].inputs[k]]++;
}

static int can_fold(const struct interpreter *in, const graph_node *n) {
    for (size_t i = 0; i < n->n_inputs; i++)
        if (n->inputs[i] >= 0 && !in->values[n->inputs[i]].is_constant) return 0;
    return n->n_outputs == 1 && n->outputs[0] >= 0 && in->uses[n->outputs[0]] > 0;
}

/* Nodes that depend on constants alone run once, within memory that the constants are worth; those that fail, or need
 * more, wait for a run and its message. */
static void fold_constants(struct interpreter *in, size_t constant_bytes) {
    const size_t limit = in->memory_limit;
    const size_t worth = constant_bytes < SIZE_MAX / 4 ? 2 * constant_bytes + ((size_t)1 << 20) : SIZE_MAX;
    if (worth < limit) in->memory_limit = worth;
    in->work_left = in->work_limit < FOLDING_WORK ? in->work_limit : FOLDING_WORK;
    for (size_t i = 0; i < in->g->n_values; i++) in->uses[i] = in->uses[i] > 0;
    for (size_t i = 0; i < in->g->n_nodes; i++) {
        const graph_node *n = &in->nodes[i];
        const step s = {.entry = in->entries[i], .node = i, .packed_value = -1};
        if (!can_fold(in, n) || step_run_node(in, &s, NULL) != MINNOW_OK) continue;
        in->values[n->outputs[0]].is_constant = in->values[n->outputs[0]].is_set;
    }
    in->memory_limit = limit;
}

/* Floats become codes in some node: QuantizeLinear, DynamicQuantizeLinear, QLinearAdd, QAttention ... */
static int rounds_to_codes(const graph *g) {
    for (size_t i = 0; i < g->n_nodes; i++) {
        const char *op_type = g->nodes[i].op_type;
        if (op_type[0] == 'Q' && strcmp(op_type, "QuickGelu") != 0) return 1;
        if (strncmp(op_type, "DynamicQuantize", 15) == 0) return 1;
    }
    return 0;
}

minnow_status interpreter_create(interpreter **out, const graph *g, const interpreter_options *options,
                                 minnow_error *error) {
    static const interpreter_options defaults;
    minnow_status status = MINNOW_OK;
    struct interpreter *in = calloc(1, sizeof *in);
    *out = NULL;
    if (!in) return out_of_memory(error);
    if (!options) options = &defaults;
    in->g = g;
    in->pool = options->pool;
    in->math = rounds_to_codes(g) ? math_unfused() : math_best();
    in->int8 = int8_best();
    in->memory_limit = options->memory_limit_bytes;
    if (in->memory_limit == 0)
        in->memory_limit = DEFAULT_MEMORY_LIMIT > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)DEFAULT_MEMORY_LIMIT;
    in->work_limit = options->work_limit ? options->work_limit : DEFAULT_WORK_LIMIT;
    in->no_fusion = options->no_fusion;
    in->packs_in_place = options->packs_in_place;
    in->twin = options->twin;
    arena_init(&in->memory, 0);
    buffers_init(in);
    TRY_GOTO(make_room(in, error));
    TRY_GOTO(find_operators(in, error));
    const size_t constant_bytes = set_constants(in);
    TRY_GOTO(rewrite_quantized(in, error));
    count_readers(in);
    if (!in->no_fusion) {
        in->no_fusion = 1; /* constants are dense */
        fold_constants(in, constant_bytes);
        in->no_fusion = 0;
    }
    count_readers(in);
    TRY_GOTO(fusion_plan_steps(in, error));
    in->observe = options->observe;
    in->observe_context = options->observe_context;
    *out = in;
    return MINNOW_OK;
fail:
    interpreter_close(&in);
    return status;
}

void interpreter_close(interpreter **in) {
    if (!in || !*in) return;
    for (size_t i = 0; i < (*in)->n_steps; i++)
        if (!(*in)->steps[i].packed_is_borrowed) memory_aligned_free((*in)->steps[i].packed);
    buffers_close(*in);
    arena_free(&(*in)->memory);
    free(*in);
    *in = NULL;
}

/* --- A run -------------------------------------------------------------------------------------------------------- */

/* Which nodes the wanted outputs need, and how often each value is read. */
static void plan_uses(struct interpreter *in, const uint8_t *wanted) {
    const graph *g = in->g;
    int same = in->have_needed;
    for (size_t i = 0; i < g->n_outputs; i++) {
        const uint8_t w = !wanted || wanted[i];
        if (in->wanted[i] != w) same = 0;
        in->wanted[i] = w;
    }
    if (same) return;
    in->have_needed = 1;
    memset(in->uses, 0, g->n_values * sizeof *in->uses);
    for (size_t i = 0; i < g->n_outputs; i++) in->uses[g->outputs[i]] += in->wanted[i];
    for (size_t i = g->n_nodes; i-- > 0;) {
        const graph_node *n = &in->nodes[i];
        in->needed[i] = 0;
        for (size_t k = 0; k < n->n_outputs; k++)
            if (n->outputs[k] >= 0 && in->uses[n->outputs[k]] > 0) in->needed[i] = 1;
        if (!in->needed[i]) continue;
        for (size_t k = 0; k < n->n_inputs; k++)
            if (n->inputs[k] >= 0) in->uses[n->inputs[k]]++;
    }
}

static void forget_run(struct interpreter *in) {
    scratch_release(in);
    for (size_t i = 0; i < in->g->n_values; i++) value_clear(in, (int32_t)i);
}

/* A dimension's declared size or symbol against what came. */
static minnow_status check_dim(struct interpreter *in, const graph_dim *declared, int64_t size, int d,
                               size_t *n_symbols, minnow_error *error) {
    if (declared->size >= 0 && declared->size != size)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "dim %d is %lld, %lld expected", d, (long long)size,
                         (long long)declared->size);
    if (declared->size >= 0 || !declared->symbol || declared->symbol[0] == '\0') return MINNOW_OK;
    for (size_t i = 0; i < *n_symbols; i++) {
        if (strcmp(in->symbols[i]->symbol, declared->symbol) != 0) continue;
        if (in->symbol_sizes[i] == size) return MINNOW_OK;
        return error_set(error, MINNOW_ERROR_ARGUMENT, "dim %d (%s) is %lld, but %lld in another input", d,
                         declared->symbol, (long long)size, (long long)in->symbol_sizes[i]);
    }
    in->symbols[*n_symbols] = declared;
    in->symbol_sizes[(*n_symbols)++] = size;
    return MINNOW_OK;
}

static minnow_status check_input(struct interpreter *in, const graph_value *declared, const tensor *t,
                                 size_t *n_symbols, minnow_error *error) {
    size_t count;
    TRY(tensor_check_shape(t->type, t->rank, t->dims, &count, error));
    if (count && !t->data) return error_set(error, MINNOW_ERROR_ARGUMENT, "no data");
    if (declared->type != DTYPE_UNDEFINED && declared->type != t->type)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "type %s, %s expected", dtype_name(t->type),
                         dtype_name(declared->type));
    if (declared->rank < 0) return MINNOW_OK;
    if (declared->rank != t->rank)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "rank %d, %d expected", t->rank, declared->rank);
    for (int d = 0; d < t->rank; d++) TRY(check_dim(in, &declared->dims[d], t->dims[d], d, n_symbols, error));
    return MINNOW_OK;
}

static minnow_status set_inputs(struct interpreter *in, const tensor *inputs, minnow_error *error) {
    size_t n_symbols = 0;
    for (size_t i = 0; i < in->g->n_inputs; i++) {
        const int32_t value = in->g->inputs[i];
        value_state *v = &in->values[value];
        const minnow_status status = check_input(in, &in->g->values[value], &inputs[i], &n_symbols, error);
        if (status != MINNOW_OK) return error_prefix(error, status, "input '%s'", in->g->values[value].name);
        v->t = inputs[i];
        v->buffer = -1;
        v->is_set = 1;
        v->is_strided = 0;
    }
    return MINNOW_OK;
}

/* Outputs are dense and in memory of ours; an input that is an output is copied. */
static minnow_status give_output(struct interpreter *in, int32_t value, tensor *out, minnow_error *error) {
    value_state *v = &in->values[value];
    op_context c = {.in = in, .error = error, .pool = in->pool, .math = in->math};
    if (!v->is_set) return error_set(error, MINNOW_ERROR_FORMAT, "output '%s' has no value", in->g->values[value].name);
    if (v->is_strided) TRY(value_make_dense(&c, value));
    if (v->buffer < 0 && !v->is_constant) {
        const size_t bytes = tensor_bytes(&v->t);
        int32_t b;
        TRY(buffer_acquire(in, bytes, &b, error));
        if (bytes) memcpy(in->buffers[b].data, v->t.data, bytes);
        v->buffer = b;
        v->t.data = in->buffers[b].data;
    }
    *out = v->t;
    return MINNOW_OK;
}

minnow_status interpreter_run(interpreter *in, const tensor *inputs, tensor *outputs, const uint8_t *wanted,
                              minnow_error *error) {
    minnow_status status = MINNOW_OK;
    forget_run(in);
    plan_uses(in, wanted);
    for (size_t i = 0; i < in->g->n_values; i++) in->values[i].uses_left = in->uses[i];
    in->work_left = in->work_limit;
    TRY_GOTO(set_inputs(in, inputs, error));
    for (size_t i = 0; i < in->n_steps; i++) {
        if (!in->needed[in->steps[i].node]) continue;
        TRY_GOTO(step_run(in, &in->steps[i], error));
    }
    for (size_t i = 0; i < in->g->n_outputs; i++) {
        memset(&outputs[i], 0, sizeof outputs[i]);
        if (in->wanted[i]) TRY_GOTO(give_output(in, in->g->outputs[i], &outputs[i], error));
    }
    return MINNOW_OK;
fail:
    forget_run(in);
    return status;
}
