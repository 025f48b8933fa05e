/* SPDX-License-Identifier: Apache-2.0
 * Matching: from a value to the node that makes it, past what changes nothing; and the messages when it is another. */
#include "convert/optimize/match.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/optimize/probe.h"

minnow_status match_out_of_memory(const matcher *m) {
    return error_set(m->error, MINNOW_ERROR_MEMORY, "out of memory while looking for the encoder");
}

minnow_status match_fail(const matcher *m, int32_t value, const char *format, ...) {
    char place[192], text[MINNOW_ERROR_MESSAGE_BYTES];
    const graph_value *v = &m->g->values[value];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0) text[0] = '\0';
    va_end(arguments);
    if (v->producer >= 0) graph_node_describe(m->g, (size_t)v->producer, place, sizeof place);
    else snprintf(place, sizeof place, "%s '%s'", v->constant != NULL ? "tensor" : "input", v->name);
    return error_set(m->error, MINNOW_ERROR_UNSUPPORTED, "%s: %s", place, text);
}

/* --- Inputs and what depends on them ------------------------------------------------------------------------- */

static uint8_t input_bit(const char *name) {
    if (strcmp(name, "input_ids") == 0) return DEPENDS_IDS;
    if (strcmp(name, "attention_mask") == 0) return DEPENDS_MASK;
    if (strcmp(name, "token_type_ids") == 0) return DEPENDS_TYPES;
    return DEPENDS_OTHER;
}

static int reads_sizes_alone(const graph_node *node) {
    return match_is_op(node, "Shape") || match_is_op(node, "Size");
}

/* --- Producers ------------------------------------------------------------------------------------------------ */

int match_is_op(const graph_node *node, const char *op_type) {
    return (node->domain[0] == '\0' || strcmp(node->domain, "ai.onnx") == 0) && strcmp(node->op_type, op_type) == 0;
}

int match_has_input(const graph_node *node, size_t i) { return i < node->n_inputs && node->inputs[i] >= 0; }

const graph_value *match_info(const matcher *m, int32_t value) { return &m->g->values[value]; }

int64_t match_last(const matcher *m, int32_t value, int from_end) {
    const graph_value *v = &m->g->values[value];
    return v->rank > from_end ? v->dims[v->rank - 1 - from_end].size : -1;
}

static int is_float(dtype t) {
    return t == DTYPE_FLOAT32 || t == DTYPE_FLOAT16 || t == DTYPE_BFLOAT16 || t == DTYPE_FLOAT64;
}

static const graph_node *producer(const matcher *m, int32_t value) {
    const int32_t node = value >= 0 ? m->g->values[value].producer : -1;
    return node >= 0 ? &m->g->nodes[node] : NULL;
}

static int is_copy(const matcher *m, const graph_node *node, int32_t value) {
    if (!match_has_input(node, 0) || node->outputs[0] != value) return 0;
    if (match_is_op(node, "Identity")) return 1;
    if (match_is_op(node, "Dropout")) return !match_has_input(node, 2); /* training_mode is false unless given */
    return match_is_op(node, "Cast") && is_float(m->g->values[node->inputs[0]].type) &&
           is_float(m->g->values[value].type);
}

static int keeps_rows(const matcher *m, const graph_node *node, int32_t value) {
    if (!match_has_input(node, 0) || node->outputs[0] != value) return 0;
    if (!match_is_op(node, "Reshape") && !match_is_op(node, "Squeeze") && !match_is_op(node, "Unsqueeze") &&
        !match_is_op(node, "Flatten")) return 0;
    return match_last(m, node->inputs[0], 0) >= 0 && match_last(m, node->inputs[0], 0) == match_last(m, value, 0);
}

int32_t match_value(const matcher *m, int32_t value) { return m->copies[value]; }

int32_t match_rows(const matcher *m, int32_t value) { return m->rows[value]; }

/* Nodes stand in order, so what an input is a copy of is known before its node is looked at. */
static void find_copies(matcher *m) {
    size_t i, k;
    for (i = 0; i < m->g->n_values; i++) m->copies[i] = m->rows[i] = (int32_t)i;
    for (i = 0; i < m->g->n_nodes; i++) {
        const graph_node *node = &m->g->nodes[i];
        for (k = 0; k < node->n_outputs; k++) {
            const int32_t value = node->outputs[k];
            if (value < 0) continue;
            if (is_copy(m, node, value)) {
                m->copies[value] = m->copies[node->inputs[0]];
                m->rows[value] = m->rows[node->inputs[0]];
            } else if (keeps_rows(m, node, value)) {
                m->rows[value] = m->rows[node->inputs[0]];
            }
        }
    }
}

minnow_status match_inputs(matcher *m) {
    const graph *g = m->g;
    size_t i, k;
    m->ids = m->mask = m->types = GRAPH_NO_VALUE;
    m->depends = arena_alloc(&m->scratch, g->n_values);
    m->loaded = arena_array(&m->scratch, g->n_values, sizeof *m->loaded);
    m->copies = arena_array(&m->scratch, g->n_values, sizeof *m->copies);
    m->rows = arena_array(&m->scratch, g->n_values, sizeof *m->rows);
    if (m->depends == NULL || m->loaded == NULL || m->copies == NULL || m->rows == NULL) return match_out_of_memory(m);
    find_copies(m);
    for (i = 0; i < g->n_inputs; i++) {
        const int32_t v = g->inputs[i];
        const uint8_t bit = input_bit(g->values[v].name);
        m->depends[v] = bit;
        if (bit == DEPENDS_IDS) m->ids = v;
        if (bit == DEPENDS_MASK) m->mask = v;
        if (bit == DEPENDS_TYPES) m->types = v;
    }
    for (i = 0; i < g->n_nodes; i++) {
        const graph_node *node = &g->nodes[i];
        uint8_t bits = 0;
        for (k = 0; k < node->n_inputs; k++)
            if (node->inputs[k] >= 0) bits |= m->depends[node->inputs[k]];
        if (reads_sizes_alone(node)) bits = 0;
        for (k = 0; k < node->n_outputs; k++)
            if (node->outputs[k] >= 0) m->depends[node->outputs[k]] = bits;
    }
    return MINNOW_OK;
}

const graph_node *match_node(const matcher *m, int32_t value) {
    const graph_node *node;
    value = match_value(m, value);
    node = producer(m, value);
    return node != NULL && node->outputs[0] == value ? node : NULL; /* further outputs are never what is looked for */
}

const graph_node *match_op(const matcher *m, int32_t value, const char *op_type, size_t n) {
    const graph_node *node = match_node(m, value);
    size_t i;
    if (node == NULL || !match_is_op(node, op_type)) return NULL;
    for (i = 0; i < n; i++)
        if (!match_has_input(node, i)) return NULL;
    return node;
}

/* --- Numbers -------------------------------------------------------------------------------------------------- */

int match_scalar(matcher *m, int32_t value, double *out) {
    const graph_value *v;
    int d;
    if (value < 0) return 0;
    value = match_value(m, value);
    v = &m->g->values[value];
    for (d = 0; d < v->rank; d++)
        if (v->dims[d].size != 1) return 0;
    if (v->rank < 0 || dtype_bytes(v->type) == 0) return 0;
    if (v->constant == NULL) return m->depends[value] == 0 && probe_scalar(m, value, out);
    *out = ops_scalar_f64(v->constant, 0);
    return 1;
}

int match_with_scalar(matcher *m, const graph_node *node, double *scalar, int32_t *other) {
    int i;
    if (!match_has_input(node, 0) || !match_has_input(node, 1)) return 0;
    for (i = 0; i < 2; i++) {
        if (!match_scalar(m, node->inputs[i], scalar)) continue;
        *other = node->inputs[1 - i];
        return 1;
    }
    return 0;
}

int match_reduces_last(matcher *m, const graph_node *node) {
    const graph_attribute *a = graph_node_attribute(node, "axes");
    const int rank = m->g->values[node->inputs[0]].rank;
    double axis;
    if (graph_node_int(node, "keepdims", 1) != 1) return 0;
    if (a != NULL && a->type == ATTRIBUTE_INTS && a->n == 1) axis = (double)a->ints[0];
    else if (a != NULL || !match_has_input(node, 1) || !match_scalar(m, node->inputs[1], &axis)) return 0;
    return axis == -1.0 || axis == (double)(rank - 1);
}
