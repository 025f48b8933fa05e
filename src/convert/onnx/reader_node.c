/* SPDX-License-Identifier: Apache-2.0
 * NodeProto -> graph_node. Constant nodes become constants of the graph, so that later stages meet one kind only. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert/onnx/reader.h"

/* Field numbers of NodeProto. */
enum { INPUT = 1, OUTPUT = 2, NAME = 3, OP_TYPE = 4, ATTRIBUTE = 5, DOMAIN_NAME = 7, OVERLOAD = 8 };

static minnow_status push_value(reader *r, size_t at, int32_t value, minnow_error *error) {
    if (at == r->values_capacity) {
        const size_t capacity = at < 64 ? 64 : at * 2;
        int32_t *grown = realloc(r->values, capacity * sizeof *grown);
        if (grown == NULL) return reader_out_of_memory(r, error);
        r->values = grown;
        r->values_capacity = capacity;
    }
    r->values[at] = value;
    return MINNOW_OK;
}

/* Reads the names in the fields of one number and appends their values; "" leaves one out. */
static minnow_status read_values(reader *r, wire w, uint32_t number, size_t at, size_t *n, minnow_error *error) {
    wire_field f;
    for (*n = 0;; ) {
        reader_text name = {"", 0};
        int32_t value = GRAPH_NO_VALUE;
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) return MINNOW_OK;
        if (f.number != number) continue;
        TRY(reader_text_get(&w, &f, &name, error));
        if (name.bytes > 0) TRY(reader_value(r, name, &value, error));
        TRY(push_value(r, at + (*n)++, value, error));
    }
}

static minnow_status read_parts(reader *r, wire w, reader_parts *p, minnow_error *error) {
    wire fields = w;
    wire_field f;
    for (;;) {
        TRY(wire_next(&fields, &f, error));
        if (f.number == 0) break;
        switch (f.number) {
        case NAME: TRY(reader_text_get(&fields, &f, &p->name, error)); break;
        case OP_TYPE: TRY(reader_text_get(&fields, &f, &p->op_type, error)); break;
        case DOMAIN_NAME: TRY(reader_text_get(&fields, &f, &p->domain, error)); break;
        case ATTRIBUTE: p->n_attributes++; break;
        default: break;
        }
    }
    p->domain = reader_text_domain(p->domain);
    if (p->op_type.bytes == 0) return error_set(error, MINNOW_ERROR_FORMAT, "has no op_type");
    TRY(read_values(r, w, INPUT, 0, &p->n_inputs, error));
    return read_values(r, w, OUTPUT, p->n_inputs, &p->n_outputs, error);
}

/* What a Constant node's attribute is worth as a tensor; t->data is NULL if it is none of those that are read here. */
static void constant_tensor(const graph_attribute *a, tensor *t) {
    static const struct { const char *name; graph_attribute_type type; } known[] = {
        {"value", ATTRIBUTE_TENSOR}, {"value_float", ATTRIBUTE_FLOAT}, {"value_int", ATTRIBUTE_INT},
        {"value_floats", ATTRIBUTE_FLOATS}, {"value_ints", ATTRIBUTE_INTS},
    };
    const int is_list = a->type == ATTRIBUTE_FLOATS || a->type == ATTRIBUTE_INTS;
    size_t i;
    memset(t, 0, sizeof *t);
    for (i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(a->name, known[i].name) == 0 && a->type == known[i].type) break;
    if (i == sizeof known / sizeof known[0]) return;
    if (a->type == ATTRIBUTE_TENSOR) {
        *t = *a->t;
        return;
    }
    t->type = a->type == ATTRIBUTE_FLOAT || a->type == ATTRIBUTE_FLOATS ? DTYPE_FLOAT32 : DTYPE_INT64;
    t->rank = is_list;
    t->dims[0] = is_list ? (int64_t)a->n : 0;
    t->data = a->type == ATTRIBUTE_FLOATS ? (void *)(uintptr_t)a->floats
            : a->type == ATTRIBUTE_INTS   ? (void *)(uintptr_t)a->ints
            : a->type == ATTRIBUTE_FLOAT  ? (void *)(uintptr_t)&a->f : (void *)(uintptr_t)&a->i;
}

/* The node's only attribute, in the arena. */
static minnow_status read_only_attribute(reader *r, wire w, graph_attribute **out, minnow_error *error) {
    wire_field f;
    *out = arena_alloc(&r->g->memory, sizeof **out);
    if (*out == NULL) return reader_out_of_memory(r, error);
    for (;;) {
        wire attribute;
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) return MINNOW_OK;
        if (f.number != ATTRIBUTE) continue;
        TRY(wire_message(&w, &f, &attribute, error));
        TRY(reader_attribute(r, attribute, *out, error));
    }
}

/* Turns a Constant node into a constant. *done 0: it is one that stays a node (strings, say). */
static minnow_status read_constant(reader *r, wire w, const reader_parts *p, int *done, minnow_error *error) {
    const int32_t value = r->values[p->n_inputs];
    graph_attribute *a = NULL;
    tensor *t;
    *done = 0;
    TRY(read_only_attribute(r, w, &a, error));
    t = arena_alloc(&r->g->memory, sizeof *t);
    if (t == NULL) return reader_out_of_memory(r, error);
    constant_tensor(a, t);
    if (t->type == DTYPE_UNDEFINED) return MINNOW_OK;
    if ((size_t)value < r->n_declared || r->g->values[value].constant != NULL || r->g->values[value].producer >= 0)
        return error_set(error, MINNOW_ERROR_FORMAT, "output '%s' is made twice", r->g->values[value].name);
    graph_value_set_constant(r->g, value, t);
    *done = 1;
    return MINNOW_OK;
}

static minnow_status refuse_function(const reader *r, const reader_parts *p, minnow_error *error) {
    size_t low = 0, high = r->n_functions;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        int order = reader_text_order(p->op_type, r->functions[middle].name);
        if (order == 0) order = reader_text_order(p->domain, r->functions[middle].domain);
        if (order == 0)
            return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                             "calls a function of the model: not supported (inline it first)");
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return MINNOW_OK;
}

/* Adds the node, without attributes. */
static minnow_status add_node(reader *r, const reader_parts *p, const int32_t *inputs, size_t n_inputs,
                              const int32_t *outputs, int32_t *node, minnow_error *error) {
    const char *op_type = "", *name = "", *domain = "";
    graph *g = r->g;
    TRY(reader_text_copy(r, p->op_type, &op_type, error));
    TRY(reader_text_copy(r, p->name, &name, error));
    TRY(reader_text_copy(r, p->domain, &domain, error));
    *node = graph_add_node(g, op_type, name, inputs, n_inputs, outputs, p->n_outputs);
    if (*node < 0) return reader_out_of_memory(r, error);
    g->nodes[*node].domain = domain;
    g->nodes[*node].branch = r->branch;
    g->nodes[*node].opset = graph_opset_version(g, domain);
    if (g->nodes[*node].opset == 0)
        return error_set(error, MINNOW_ERROR_FORMAT, "the model imports no version of the domain '%s'", domain);
    return MINNOW_OK;
}

static minnow_status read_attributes(reader *r, wire w, int32_t node, minnow_error *error) {
    graph_attribute a;
    wire_field f;
    for (;;) {
        wire attribute;
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) return MINNOW_OK;
        if (f.number != ATTRIBUTE) continue;
        TRY(wire_message(&w, &f, &attribute, error));
        TRY(reader_attribute(r, attribute, &a, error));
        TRY(graph_add_attribute(r->g, node, &a, error));
    }
}

static minnow_status read_node(reader *r, wire w, reader_parts *p, minnow_error *error) {
    int32_t node, *inputs = NULL, *outputs = NULL;
    int done = 0;
    TRY(read_parts(r, w, p, error));
    TRY(refuse_function(r, p, error));
    if (reader_text_equal(p->op_type, "If") && p->domain.bytes == 0) {
        TRY(reader_if(r, w, p, &inputs, &outputs, error));
        return add_node(r, p, inputs, 1 + 2 * p->n_outputs, outputs, &node, error);
    }
    if (reader_text_equal(p->op_type, "Constant") && p->domain.bytes == 0 && p->n_inputs == 0 && p->n_outputs == 1 &&
        p->n_attributes == 1 && r->values[0] >= 0)
        TRY(read_constant(r, w, p, &done, error));
    if (done) return MINNOW_OK;
    TRY(add_node(r, p, r->values, p->n_inputs, r->values == NULL ? NULL : r->values + p->n_inputs, &node, error));
    return read_attributes(r, w, node, error);
}

minnow_status reader_node(reader *r, wire w, minnow_error *error) {
    reader_parts p = {{"", 0}, {"", 0}, {"", 0}, 0, 0, 0};
    const char *name;
    const minnow_status status = read_node(r, w, &p, error);
    const int type_bytes = (int)(p.op_type.bytes < 100 ? p.op_type.bytes : 100); /* names may be as long as the file */
    if (status == MINNOW_OK) return MINNOW_OK;
    if (p.name.bytes == 0)
        return error_prefix(error, status, "node %zu (%.*s)", r->node, type_bytes, p.op_type.data);
    if (reader_text_scratch(r, p.name, &name, NULL) != MINNOW_OK) return status;
    return error_prefix(error, status, "node %zu '%.100s' (%.*s)", r->node, name, type_bytes, p.op_type.data);
}
