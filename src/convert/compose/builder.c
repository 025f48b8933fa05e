/* SPDX-License-Identifier: Apache-2.0
 * One operator or constant at a time -> a graph with readable, unique names. */
#include "convert/compose/builder.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int failed(const builder *b) { return b->status != MINNOW_OK; }

void builder_fail(builder *b, minnow_status status) {
    if (!failed(b)) b->status = status;
}

static int32_t out_of_memory(builder *b) {
    builder_fail(b, error_set(b->error, MINNOW_ERROR_MEMORY, "out of memory"));
    return GRAPH_NO_VALUE;
}

/* --- Scope and names ------------------------------------------------------------------------------------------ */

size_t builder_enter(builder *b, const char *module) {
    const size_t mark = strlen(b->scope);
    snprintf(b->scope + mark, sizeof b->scope - mark, "/%s", module);
    return mark;
}

void builder_leave(builder *b, size_t mark) { b->scope[mark] = '\0'; }

void builder_constant_name(const builder *b, const char *leaf, char out[BUILDER_NAME_BYTES]) {
    char *p;
    snprintf(out, BUILDER_NAME_BYTES, "%s%s%s", b->scope[0] == '/' ? b->scope + 1 : "", b->scope[0] == '/' ? "." : "",
             leaf);
    for (p = out; *p != '\0'; p++)
        if (*p == '/') *p = '.';
}

/* SCOPE/MatMul, SCOPE/MatMul_1, ...: the first whose output's name is free. Gives the output's value. */
static int32_t add_named_value(builder *b, const char *op_type, char *node_name) {
    char value_name[BUILDER_NAME_BYTES + 16];
    const char *given = b->output_name;
    int32_t value = GRAPH_NO_VALUE;
    int i;
    for (i = 0; value < 0; i++) {
        if (i == 0) snprintf(node_name, BUILDER_NAME_BYTES, "%s/%s", b->scope, op_type);
        else snprintf(node_name, BUILDER_NAME_BYTES, "%s/%s_%d", b->scope, op_type, i);
        snprintf(value_name, sizeof value_name, "%s_output_0", node_name);
        if (graph_find_value(b->g, value_name) >= 0) continue;
        value = graph_add_value(b->g, given != NULL ? given : value_name);
        b->output_name = NULL;
        if (value < 0) return out_of_memory(b);
    }
    return value;
}

/* --- Nodes ---------------------------------------------------------------------------------------------------- */

int32_t builder_op_n(builder *b, const char *op_type, const int32_t *inputs, size_t n) {
    char name[BUILDER_NAME_BYTES];
    int32_t output;
    if (failed(b)) return GRAPH_NO_VALUE;
    output = add_named_value(b, op_type, name);
    if (failed(b)) return GRAPH_NO_VALUE;
    b->last_node = graph_add_node(b->g, op_type, name, inputs, n, &output, 1);
    return b->last_node < 0 ? out_of_memory(b) : output;
}

int32_t builder_op(builder *b, const char *op_type, int32_t a, int32_t c, int32_t d) {
    const int32_t inputs[3] = {a, c, d};
    return builder_op_n(b, op_type, inputs, d >= 0 ? 3 : c >= 0 ? 2 : 1);
}

static void add_attribute(builder *b, graph_attribute *attribute, const char *name, graph_attribute_type type) {
    if (failed(b)) return;
    attribute->name = name;
    attribute->type = type;
    builder_fail(b, graph_add_attribute(b->g, b->last_node, attribute, b->error));
}

void builder_int(builder *b, const char *name, int64_t value) {
    graph_attribute attribute = {.i = value};
    add_attribute(b, &attribute, name, ATTRIBUTE_INT);
}

void builder_float(builder *b, const char *name, float value) {
    graph_attribute attribute = {.f = value};
    add_attribute(b, &attribute, name, ATTRIBUTE_FLOAT);
}

void builder_ints(builder *b, const char *name, const int64_t *values, size_t n) {
    graph_attribute attribute = {.ints = values, .n = n};
    add_attribute(b, &attribute, name, ATTRIBUTE_INTS);
}

/* --- Constants ------------------------------------------------------------------------------------------------ */

int32_t builder_named_constant(builder *b, const char *name, const tensor *t) {
    int32_t value;
    if (failed(b)) return GRAPH_NO_VALUE;
    value = graph_add_constant(b->g, name, t);
    return value < 0 ? out_of_memory(b) : value;
}

int32_t builder_constant(builder *b, const char *leaf, const tensor *t) {
    char name[BUILDER_NAME_BYTES];
    builder_constant_name(b, leaf, name);
    return builder_named_constant(b, name, t);
}

static int32_t small_constant(builder *b, const char *name, tensor *t, const void *data) {
    const int32_t known = failed(b) ? GRAPH_NO_VALUE : graph_find_value(b->g, name);
    if (failed(b) || known >= 0) return known;
    t->data = arena_alloc(&b->g->memory, tensor_bytes(t));
    if (t->data == NULL) return out_of_memory(b);
    memcpy(t->data, data, tensor_bytes(t));
    return builder_named_constant(b, name, t);
}

int32_t builder_scalar(builder *b, const char *name, float value) {
    tensor t = {.type = DTYPE_FLOAT32};
    return small_constant(b, name, &t, &value);
}

int32_t builder_int64s(builder *b, const char *name, const int64_t *values, size_t n) {
    tensor t = {.type = DTYPE_INT64, .rank = 1, .dims = {(int64_t)n}};
    return small_constant(b, name, &t, values);
}

/* --- The graph's edges ---------------------------------------------------------------------------------------- */

static void declare(builder *b, int32_t value, dtype type, int rank, const graph_dim *dims) {
    graph_value *v = &b->g->values[value];
    v->type = type;
    v->rank = rank;
    memcpy(v->dims, dims, (size_t)rank * sizeof *dims);
}

int32_t builder_input(builder *b, const char *name, dtype type, int rank, const graph_dim *dims) {
    const int32_t value = failed(b) ? GRAPH_NO_VALUE : graph_add_value(b->g, name);
    if (failed(b)) return GRAPH_NO_VALUE;
    if (value < 0 || !graph_add_input(b->g, value)) return out_of_memory(b);
    declare(b, value, type, rank, dims);
    return value;
}

void builder_output(builder *b, int32_t value, int rank, const graph_dim *dims) {
    if (failed(b)) return;
    declare(b, value, DTYPE_FLOAT32, rank, dims);
    if (!graph_add_output(b->g, value)) out_of_memory(b);
}

void builder_metadata(builder *b, const char *key, const char *value) {
    graph *g = b->g;
    const size_t bytes = sizeof *g->metadata, n = g->n_metadata;
    void *grown;
    if (failed(b)) return;
    grown = arena_array(&g->memory, n + 1, bytes);
    if (grown == NULL) {
        out_of_memory(b);
        return;
    }
    if (n > 0) memcpy(grown, g->metadata, n * bytes);
    g->metadata = grown;
    g->metadata[n].key = arena_string(&g->memory, key, strlen(key));
    g->metadata[n].value = arena_string(&g->memory, value, strlen(value));
    if (g->metadata[n].key == NULL || g->metadata[n].value == NULL) out_of_memory(b);
    else g->n_metadata++;
}
