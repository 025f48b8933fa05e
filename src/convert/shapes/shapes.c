/* SPDX-License-Identifier: Apache-2.0
 *
 * Shape inference: graph_infer_shapes, and what operators' functions see of the graph.
 *
 * Comes in: a sorted graph with the file's declarations. Goes out: the same graph with types and shapes of what could
 * be inferred. Where the file declares something else than what follows from the inputs, what follows is taken; where
 * nothing follows (an operator that is not known here), the declaration stands. */
#include "convert/shapes/shapes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const shape shapes_no_shape = {-1, {{0, SHAPES_UNKNOWN}}};

/* --- Inputs ------------------------------------------------------------------------------------------------- */

static int32_t input_value(const shape_op *op, size_t i) {
    const int32_t v = i < op->node->n_inputs ? op->node->inputs[i] : GRAPH_NO_VALUE;
    return v >= 0 && (size_t)v < op->in->g->n_values ? v : GRAPH_NO_VALUE;
}

int op_has_input(const shape_op *op, size_t i) {
    return input_value(op, i) != GRAPH_NO_VALUE;
}

dtype op_type(const shape_op *op, size_t i) {
    const int32_t v = input_value(op, i);
    return v == GRAPH_NO_VALUE ? DTYPE_UNDEFINED : op->in->g->values[v].type;
}

const shape *op_shape(const shape_op *op, size_t i) {
    const int32_t v = input_value(op, i);
    return v == GRAPH_NO_VALUE ? &shapes_no_shape : &op->in->shapes[v];
}

static int holds_partials(dtype type) {
    return type == DTYPE_INT64 || type == DTYPE_INT32 || type == DTYPE_BOOL;
}

partial *op_new_partial(const shape_op *op, int rank, const int64_t *dims) {
    partial *p;
    size_t n = 1, bytes, i;
    int d;
    for (d = 0; d < rank; d++) {
        if (dims[d] < 0 || dims[d] > SHAPES_MAX_ELEMENTS) return NULL;
        n *= (size_t)dims[d];
        if (n > SHAPES_MAX_ELEMENTS) return NULL;
    }
    bytes = sizeof *p + n * sizeof *p->elements;
    p = arena_alloc(&op->in->scratch, bytes);
    if (p == NULL) {
        if (op->in->scratch.limit_bytes - op->in->scratch.used_bytes > bytes + 64) op->in->starved = 1;
        return NULL;
    }
    p->rank = rank;
    if (rank > 0) memcpy(p->dims, dims, (size_t)rank * sizeof *dims);
    p->n = n;
    p->elements = (extent *)(p + 1);
    for (i = 0; i < n; i++) p->elements[i] = extent_unknown();
    return p;
}

static int64_t constant_element(const tensor *t, size_t i) {
    switch (t->type) {
    case DTYPE_INT64: return ((const int64_t *)t->data)[i];
    case DTYPE_INT32: return ((const int32_t *)t->data)[i];
    default: return ((const uint8_t *)t->data)[i] != 0;
    }
}

const partial *op_partial(const shape_op *op, size_t i) {
    const int32_t v = input_value(op, i);
    const tensor *constant;
    int64_t dims[TENSOR_MAX_RANK];
    partial *p;
    size_t k;
    int d;
    if (v == GRAPH_NO_VALUE || !holds_partials(op->in->g->values[v].type)) return NULL;
    if (op->in->partials[v] != NULL) return op->in->partials[v];
    if (op->in->shapes[v].rank < 0) return NULL;
    for (d = 0; d < op->in->shapes[v].rank; d++) {
        if (!extent_is_number(op->in->shapes[v].dims[d])) return NULL;
        dims[d] = op->in->shapes[v].dims[d].factor;
    }
    p = op_new_partial(op, op->in->shapes[v].rank, dims);
    constant = op->in->g->values[v].constant;
    if (p != NULL && constant != NULL)
        for (k = 0; k < p->n; k++) p->elements[k] = extent_number(constant_element(constant, k));
    return op->in->partials[v] = p;
}

int op_numbers(const shape_op *op, size_t i, int64_t *out, size_t *n) {
    const partial *p = op_partial(op, i);
    size_t k;
    if (p == NULL) return 0;
    for (k = 0; k < p->n; k++) {
        if (!extent_is_number(p->elements[k])) return 0;
        out[k] = p->elements[k].factor;
    }
    *n = p->n;
    return 1;
}

int op_list(const shape_op *op, const char *name, size_t i, int64_t *out, size_t *n) {
    const graph_attribute *a = graph_node_attribute(op->node, name);
    if (op_has_input(op, i)) return op_numbers(op, i, out, n);
    if (a == NULL || a->type != ATTRIBUTE_INTS) return -1;
    if (a->n > SHAPES_MAX_ELEMENTS) return 0;
    if (a->n > 0) memcpy(out, a->ints, a->n * sizeof *out);
    *n = a->n;
    return 1;
}

/* --- Outputs ------------------------------------------------------------------------------------------------ */

static int32_t output_value(const shape_op *op, size_t i) {
    const int32_t v = i < op->node->n_outputs ? op->node->outputs[i] : GRAPH_NO_VALUE;
    return v >= 0 && (size_t)v < op->in->g->n_values ? v : GRAPH_NO_VALUE;
}

void op_set(const shape_op *op, size_t i, dtype type, const shape *s) {
    const int32_t v = output_value(op, i);
    shape *to;
    int d;
    if (v == GRAPH_NO_VALUE) return;
    if (type != DTYPE_UNDEFINED) op->in->g->values[v].type = type;
    if (s->rank < 0 || s->rank > TENSOR_MAX_RANK) return;
    to = &op->in->shapes[v]; /* holds what the file declares */
    for (d = 0; d < s->rank; d++) {
        extent e = s->dims[d];
        if (extent_is_number(e) && e.factor < 0) e = extent_unknown();
        if (extent_is_known(e) || to->rank != s->rank) to->dims[d] = e;
    }
    to->rank = s->rank;
}

void op_set_partial(const shape_op *op, size_t i, dtype type, const partial *p) {
    const int32_t v = output_value(op, i);
    shape s;
    int d;
    if (v == GRAPH_NO_VALUE || p == NULL) return;
    s.rank = p->rank;
    for (d = 0; d < p->rank; d++) s.dims[d] = extent_number(p->dims[d]);
    op_set(op, i, type, &s);
    if (holds_partials(op->in->g->values[v].type)) op->in->partials[v] = p;
}

/* --- Errors ------------------------------------------------------------------------------------------------- */

minnow_status op_fail(const shape_op *op, const char *format, ...) {
    char node[192], text[MINNOW_ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0) text[0] = '\0';
    va_end(arguments);
    graph_node_describe(op->in->g, op->index, node, sizeof node);
    return error_set(op->error, MINNOW_ERROR_FORMAT, "%s: %s", node, text);
}

const char *op_describe(const shape_op *op, const shape *s, char *out, size_t capacity) {
    size_t used = 1;
    int d;
    if (s->rank < 0) {
        snprintf(out, capacity, "[...]");
        return out;
    }
    snprintf(out, capacity, "[");
    for (d = 0; d < s->rank && used < capacity; d++) {
        const char *separator = d > 0 ? ", " : "";
        const char *name = extent_is_known(s->dims[d]) && !extent_is_number(s->dims[d])
                               ? shapes_name(&op->in->terms, s->dims[d]) : NULL;
        int n;
        if (extent_is_number(s->dims[d]))
            n = snprintf(out + used, capacity - used, "%s%lld", separator, (long long)s->dims[d].factor);
        else n = snprintf(out + used, capacity - used, "%s%s", separator, name != NULL ? name : "?");
        if (n > 0) used += (size_t)n;
    }
    if (used < capacity) snprintf(out + used, capacity - used, "]");
    return out;
}

/* --- Rules that many operators share ------------------------------------------------------------------------ */

minnow_status op_axis(const shape_op *op, int64_t axis, int rank, int *out) {
    if (axis < -(int64_t)rank || axis >= rank)
        return op_fail(op, "axis %lld of a tensor of rank %d", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return MINNOW_OK;
}

static minnow_status broadcast_extent(const shape_op *op, extent a, extent b, extent *out) {
    if (extent_same(a, b) || extent_is(b, 1)) *out = a;
    else if (extent_is(a, 1)) *out = b;
    else if (extent_is_number(a) && extent_is_number(b))
        return op_fail(op, "sizes %lld and %lld do not broadcast", (long long)a.factor, (long long)b.factor);
    else if (extent_is_number(a)) *out = a;
    else if (extent_is_number(b)) *out = b;
    else *out = extent_unknown();
    return MINNOW_OK;
}

minnow_status op_broadcast(const shape_op *op, const shape *a, const shape *b, shape *out) {
    int d;
    shape result;
    if (a->rank < 0 || b->rank < 0) {
        *out = shapes_no_shape;
        return MINNOW_OK;
    }
    result.rank = a->rank > b->rank ? a->rank : b->rank;
    for (d = 0; d < result.rank; d++) {
        const int da = d - (result.rank - a->rank), db = d - (result.rank - b->rank);
        const extent ea = da < 0 ? extent_number(1) : a->dims[da], eb = db < 0 ? extent_number(1) : b->dims[db];
        TRY(broadcast_extent(op, ea, eb, &result.dims[d]));
    }
    *out = result;
    return MINNOW_OK;
}

extent op_count(const shape_op *op, const shape *s) {
    extent count = extent_number(1);
    int d;
    if (s->rank < 0) return extent_unknown();
    for (d = 0; d < s->rank; d++) count = extent_multiply(&op->in->terms, count, s->dims[d]);
    return count;
}

/* --- The walk ----------------------------------------------------------------------------------------------- */

static const shape_rule *find_rule(const graph_node *node) {
    static const shape_rule *const families[] = {shapes_elementwise_rules, shapes_layout_rules, shapes_create_rules,
                                                 shapes_index_rules, shapes_select_rules, shapes_linear_rules,
                                                 shapes_attention_rules, shapes_branch_rules, shapes_conv_rules,
                                                 shapes_quantized_rules};
    static const shape_rule *const contrib[] = {shapes_contrib_rules, shapes_quantized_contrib_rules};
    const int is_contrib = strcmp(node->domain, "com.microsoft") == 0;
    const shape_rule *rule;
    size_t f;
    for (f = 0; is_contrib && f < sizeof contrib / sizeof contrib[0]; f++)
        for (rule = contrib[f]; rule->op_type != NULL; rule++)
            if (strcmp(rule->op_type, node->op_type) == 0) return rule;
    if (node->domain[0] != '\0' && strcmp(node->domain, "ai.onnx") != 0) return NULL;
    for (f = 0; f < sizeof families / sizeof families[0]; f++)
        for (rule = families[f]; rule->op_type != NULL; rule++)
            if (strcmp(rule->op_type, node->op_type) == 0) return rule;
    return NULL;
}

static minnow_status infer_node(inference *in, size_t index, minnow_error *error) {
    const shape_op op = {in, &in->g->nodes[index], index, error};
    const shape_rule *rule = find_rule(op.node);
    int i;
    if (rule == NULL) return MINNOW_OK;
    for (i = 0; i < rule->min_inputs; i++)
        if (!op_has_input(&op, (size_t)i)) return op_fail(&op, "input %d is missing", i);
    return rule->infer(&op, rule->variant);
}

static void read_declaration(inference *in, size_t v) {
    graph_value *value = &in->g->values[v];
    shape *s = &in->shapes[v];
    int d;
    if (value->constant != NULL) {
        const tensor *t = value->constant;
        value->type = t->type;
        s->rank = t->rank;
        for (d = 0; d < t->rank; d++) s->dims[d] = extent_number(t->dims[d]);
        return;
    }
    s->rank = value->rank <= TENSOR_MAX_RANK ? value->rank : -1;
    for (d = 0; d < s->rank; d++) {
        const graph_dim *dim = &value->dims[d];
        if (dim->size >= 0) s->dims[d] = extent_number(dim->size);
        else if (dim->symbol != NULL && dim->symbol[0] != '\0') s->dims[d] = shapes_named(&in->terms, dim->symbol);
        else s->dims[d] = extent_unknown();
    }
}

static void write_result(inference *in, size_t v) {
    graph_value *value = &in->g->values[v];
    const shape *s = &in->shapes[v];
    int d;
    value->rank = s->rank;
    for (d = 0; d < s->rank; d++) {
        const extent e = s->dims[d];
        graph_dim dim = {-1, NULL};
        if (extent_is_number(e)) dim.size = e.factor;
        else if (extent_is_known(e)) dim.symbol = shapes_name(&in->terms, e);
        value->dims[d] = dim;
    }
}

/* Partial values may take this much: what an honest graph of its size needs many times over. */
static size_t scratch_budget(const graph *g) {
    const size_t each = 512, least = (size_t)1 << 20, most = (size_t)256 << 20;
    if (g->n_values > most / each) return most;
    return least + g->n_values * each;
}

minnow_status graph_infer_shapes(graph *g, minnow_error *error) {
    inference in = {0};
    minnow_status status = MINNOW_OK;
    size_t i;
    in.g = g;
    arena_init(&in.scratch, scratch_budget(g));
    in.shapes = calloc(g->n_values + 1, sizeof *in.shapes);
    in.partials = calloc(g->n_values + 1, sizeof *in.partials);
    if (in.shapes == NULL || in.partials == NULL || !shapes_terms_init(&in.terms, &g->memory)) {
        status = error_set(error, MINNOW_ERROR_MEMORY, "out of memory while inferring shapes");
        goto fail;
    }
    for (i = 0; i < g->n_values; i++) read_declaration(&in, i);
    for (i = 0; i < g->n_nodes; i++) {
        /* What contradicts itself in a branch that is never taken does no harm: a run tells. */
        if (g->nodes[i].branch != 0) (void)infer_node(&in, i, NULL);
        else status = infer_node(&in, i, error);
        if (in.starved) status = error_set(error, MINNOW_ERROR_MEMORY, "out of memory while inferring shapes");
        if (status != MINNOW_OK) goto fail;
    }
    for (i = 0; i < g->n_values; i++) write_result(&in, i);
fail:
    shapes_terms_free(&in.terms);
    arena_free(&in.scratch);
    free(in.partials);
    free(in.shapes);
    return status;
}
