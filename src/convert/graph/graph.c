/* SPDX-License-Identifier: Apache-2.0
 * Building and reading graphs: readers and rewrites add values, nodes and attributes; everybody finds them by name.
 * Arrays double within the arena; what they leave behind there is at most what they hold. */
#include "convert/graph/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* Value numbers by name: open addressing with linear probes, at most half full; 0 is an empty slot, v + 1 value v.
 * The hash is keyed, so that no file can choose names that all meet in one slot. */
typedef struct graph_names {
    uint64_t key[2];
    int32_t *slots;
    size_t capacity; /* a power of two */
} graph_names;

static uint64_t rotate(uint64_t x, int n) { return (x << n) | (x >> (64 - n)); }

static void sip_round(uint64_t v[4]) {
    v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein, 2012). */
static uint64_t hash_name(const graph_names *names, const char *name) {
    const size_t n = strlen(name);
    uint64_t v[4] = {names->key[0] ^ 0x736f6d6570736575u, names->key[1] ^ 0x646f72616e646f6du,
                     names->key[0] ^ 0x6c7967656e657261u, names->key[1] ^ 0x7465646279746573u};
    uint64_t word;
    size_t i;
    for (i = 0; i + 8 <= n; i += 8) {
        word = load_u64(name + i);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)n << 56;
    for (; i < n; i++) word |= (uint64_t)(uint8_t)name[i] << (8 * (i % 8));
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    sip_round(v), sip_round(v), sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The slot that holds the name, or the empty one where it belongs. */
static int32_t *find_slot(const graph *g, const char *name) {
    const graph_names *names = g->names;
    size_t i = (size_t)hash_name(names, name) & (names->capacity - 1);
    while (names->slots[i] != 0 && strcmp(g->values[names->slots[i] - 1].name, name) != 0)
        i = (i + 1) & (names->capacity - 1);
    return &names->slots[i];
}

static int grow_names(graph *g) {
    const size_t capacity = g->names->capacity * 2;
    int32_t *slots = arena_array(&g->memory, capacity, sizeof *slots);
    size_t v;
    if (slots == NULL) return 0;
    g->names->slots = slots;
    g->names->capacity = capacity;
    for (v = 0; v < g->n_values; v++) *find_slot(g, g->values[v].name) = (int32_t)v + 1;
    return 1;
}

/* Room for one more element: doubles the array within the arena. Returns 0 if out of memory. */
static int grow_array(graph *g, void **array, size_t count, size_t *capacity, size_t element_bytes) {
    const size_t wanted = count < 4 ? 4 : count * 2;
    void *grown;
    if (count < *capacity) return 1;
    if (count >= INT32_MAX / 2) return 0;
    grown = arena_array(&g->memory, wanted, element_bytes);
    if (grown == NULL) return 0;
    if (count > 0) memcpy(grown, *array, count * element_bytes);
    *array = grown;
    *capacity = wanted;
    return 1;
}

graph *graph_create(void) {
    graph *g = calloc(1, sizeof *g);
    if (g == NULL) return NULL;
    arena_init(&g->memory, 0);
    g->name = g->producer_name = g->producer_version = "";
    g->ir_version = 8;
    g->names = arena_alloc(&g->memory, sizeof *g->names);
    if (g->names != NULL) {
        g->names->capacity = 64;
        g->names->slots = arena_array(&g->memory, g->names->capacity, sizeof *g->names->slots);
        /* Where things lie differs from run to run; nothing that is put out depends on the key. */
        g->names->key[0] = (uint64_t)(uintptr_t)g;
        g->names->key[1] = (uint64_t)(uintptr_t)&g ^ rotate((uint64_t)(uintptr_t)g->names, 32);
    }
    if (g->names == NULL || g->names->slots == NULL) graph_close(&g);
    return g;
}

void graph_close(graph **g) {
    size_t i;
    if (g == NULL || *g == NULL) return;
    for (i = 0; i < (*g)->n_maps; i++) file_map_close(&(*g)->maps[i]);
    arena_free(&(*g)->memory);
    free(*g);
    *g = NULL;
}

uint64_t graph_mapped_bytes(const graph *g) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < g->n_maps; i++) bytes += g->maps[i].bytes;
    return bytes;
}

int32_t graph_add_value(graph *g, const char *name) {
    void *values = g->values;
    graph_value *v;
    int32_t *slot;
    if (2 * (g->n_values + 1) > g->names->capacity && !grow_names(g)) return -1;
    slot = find_slot(g, name);
    if (*slot != 0) return -1;
    if (!grow_array(g, &values, g->n_values, &g->values_capacity, sizeof *g->values)) return -1;
    g->values = values;
    v = &g->values[g->n_values];
    memset(v, 0, sizeof *v);
    v->name = arena_string(&g->memory, name, strlen(name));
    if (v->name == NULL) return -1;
    v->rank = -1;
    v->producer = -1;
    *slot = (int32_t)g->n_values + 1;
    return (int32_t)g->n_values++;
}

int32_t graph_add_constant(graph *g, const char *name, const tensor *t) {
    tensor *copy = arena_alloc(&g->memory, sizeof *copy);
    const int32_t v = copy == NULL ? -1 : graph_add_value(g, name);
    if (v < 0) return -1;
    *copy = *t;
    graph_value_set_constant(g, v, copy);
    return v;
}

void graph_value_set_constant(graph *g, int32_t value, const tensor *t) {
    graph_value *v = &g->values[value];
    int i;
    v->constant = t;
    v->type = t->type;
    v->rank = t->rank;
    memset(v->dims, 0, sizeof v->dims);
    for (i = 0; i < t->rank; i++) v->dims[i].size = t->dims[i];
}

int32_t graph_find_value(const graph *g, const char *name) { return *find_slot(g, name) - 1; }

int32_t graph_add_node(graph *g, const char *op_type, const char *name, const int32_t *inputs, size_t n_inputs,
                       const int32_t *outputs, size_t n_outputs) {
    void *nodes = g->nodes;
    graph_node *node;
    size_t i;
    if (!grow_array(g, &nodes, g->n_nodes, &g->nodes_capacity, sizeof *g->nodes)) return -1;
    g->nodes = nodes;
    node = &g->nodes[g->n_nodes];
    memset(node, 0, sizeof *node);
    node->op_type = arena_string(&g->memory, op_type, strlen(op_type));
    node->name = arena_string(&g->memory, name, strlen(name));
    node->inputs = arena_array(&g->memory, n_inputs, sizeof *node->inputs);
    node->outputs = arena_array(&g->memory, n_outputs, sizeof *node->outputs);
    if (node->op_type == NULL || node->name == NULL || node->inputs == NULL || node->outputs == NULL) return -1;
    if (n_inputs > 0) memcpy(node->inputs, inputs, n_inputs * sizeof *inputs);
    if (n_outputs > 0) memcpy(node->outputs, outputs, n_outputs * sizeof *outputs);
    node->n_inputs = n_inputs;
    node->n_outputs = n_outputs;
    node->domain = "";
    node->opset = graph_opset_version(g, "");
    for (i = 0; i < n_outputs; i++)
        if (outputs[i] >= 0) g->values[outputs[i]].producer = (int32_t)g->n_nodes;
    return (int32_t)g->n_nodes++;
}

/* Copies of the strings of a list, and the list. */
static const char *const *copy_strings(arena *a, const char *const *strings, size_t n) {
    const char **copy = arena_array(a, n, sizeof *copy);
    size_t i;
    for (i = 0; copy != NULL && i < n; i++) {
        copy[i] = arena_string(a, strings[i], strlen(strings[i]));
        if (copy[i] == NULL) return NULL;
    }
    return copy;
}

static const void *copy_array(arena *a, const void *data, size_t n, size_t element_bytes) {
    void *copy = arena_array(a, n, element_bytes);
    if (copy != NULL && n > 0) memcpy(copy, data, n * element_bytes);
    return copy;
}

/* Fills in what the attribute's type says it has; the rest stays zero. Returns 0 if out of memory. */
static int copy_attribute(arena *a, graph_attribute *to, const graph_attribute *from) {
    to->type = from->type;
    to->name = arena_string(a, from->name, strlen(from->name));
    if (to->name == NULL) return 0;
    switch (from->type) {
    case ATTRIBUTE_FLOAT: to->f = from->f; return 1;
    case ATTRIBUTE_INT: to->i = from->i; return 1;
    case ATTRIBUTE_STRING:
        to->s_bytes = from->s_bytes;
        return (to->s = arena_string(a, from->s, from->s_bytes)) != NULL;
    case ATTRIBUTE_TENSOR: return (to->t = copy_array(a, from->t, 1, sizeof *from->t)) != NULL;
    case ATTRIBUTE_FLOATS:
        to->n = from->n;
        return (to->floats = copy_array(a, from->floats, from->n, sizeof *from->floats)) != NULL;
    case ATTRIBUTE_INTS:
        to->n = from->n;
        return (to->ints = copy_array(a, from->ints, from->n, sizeof *from->ints)) != NULL;
    case ATTRIBUTE_STRINGS:
        to->n = from->n;
        return (to->strings = copy_strings(a, from->strings, from->n)) != NULL;
    case ATTRIBUTE_GRAPH: break;
    }
    return 1;
}

minnow_status graph_add_attribute(graph *g, int32_t node, const graph_attribute *attribute, minnow_error *error) {
    graph_node *n = &g->nodes[node];
    void *attributes = n->attributes;
    if (graph_node_attribute(n, attribute->name) != NULL)
        return error_set(error, MINNOW_ERROR_FORMAT, "attribute '%s' is given twice", attribute->name);
    if (n->n_attributes >= GRAPH_MAX_ATTRIBUTES)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "more than %d attributes not supported",
                         GRAPH_MAX_ATTRIBUTES);
    if (!grow_array(g, &attributes, n->n_attributes, &n->attributes_capacity, sizeof *n->attributes))
        return error_set(error, MINNOW_ERROR_MEMORY, "attribute '%s': out of memory", attribute->name);
    n->attributes = attributes;
    if (!copy_attribute(&g->memory, &n->attributes[n->n_attributes], attribute))
        return error_set(error, MINNOW_ERROR_MEMORY, "attribute '%s': out of memory", attribute->name);
    n->n_attributes++;
    return MINNOW_OK;
}

int64_t graph_opset_version(const graph *g, const char *domain) {
    size_t i;
    for (i = 0; i < g->n_opsets; i++)
        if (strcmp(g->opsets[i].domain, domain) == 0) return g->opsets[i].version;
    return 0;
}

int graph_set_opset(graph *g, const char *domain, int64_t version) {
    graph_opset *grown;
    size_t i;
    for (i = 0; i < g->n_opsets; i++) {
        if (strcmp(g->opsets[i].domain, domain) != 0) continue;
        g->opsets[i].version = version;
        return 1;
    }
    grown = arena_array(&g->memory, g->n_opsets + 1, sizeof *grown);
    if (grown == NULL) return 0;
    if (g->n_opsets > 0) memcpy(grown, g->opsets, g->n_opsets * sizeof *grown);
    grown[g->n_opsets].domain = arena_string(&g->memory, domain, strlen(domain));
    grown[g->n_opsets].version = version;
    if (grown[g->n_opsets].domain == NULL) return 0;
    g->opsets = grown;
    g->n_opsets++;
    return 1;
}

int graph_add_input(graph *g, int32_t value) {
    void *inputs = g->inputs;
    if (!grow_array(g, &inputs, g->n_inputs, &g->inputs_capacity, sizeof *g->inputs)) return 0;
    g->inputs = inputs;
    g->inputs[g->n_inputs++] = value;
    return 1;
}

int graph_add_output(graph *g, int32_t value) {
    void *outputs = g->outputs;
    if (!grow_array(g, &outputs, g->n_outputs, &g->outputs_capacity, sizeof *g->outputs)) return 0;
    g->outputs = outputs;
    g->outputs[g->n_outputs++] = value;
    return 1;
}

uint32_t graph_add_branch(graph *g, int32_t condition, int when, uint32_t outer) {
    void *branches = g->branches;
    if (!grow_array(g, &branches, g->n_branches, &g->branches_capacity, sizeof *g->branches)) return 0;
    g->branches = branches;
    g->branches[g->n_branches] = (graph_branch){condition, when, outer};
    return (uint32_t)++g->n_branches;
}

int graph_branch_depth(const graph *g, uint32_t branch) {
    int depth = 0;
    for (; branch != 0; branch = g->branches[branch - 1].outer) depth++;
    return depth;
}

int graph_add_map(graph *g, const file_map *map) {
    void *maps = g->maps;
    if (!grow_array(g, &maps, g->n_maps, &g->maps_capacity, sizeof *g->maps)) return 0;
    g->maps = maps;
    g->maps[g->n_maps++] = *map;
    return 1;
}

const graph_attribute *graph_node_attribute(const graph_node *node, const char *name) {
    size_t i;
    for (i = 0; i < node->n_attributes; i++)
        if (strcmp(node->attributes[i].name, name) == 0) return &node->attributes[i];
    return NULL;
}

int64_t graph_node_int(const graph_node *node, const char *name, int64_t fallback) {
    const graph_attribute *a = graph_node_attribute(node, name);
    return a != NULL && a->type == ATTRIBUTE_INT ? a->i : fallback;
}

float graph_node_float(const graph_node *node, const char *name, float fallback) {
    const graph_attribute *a = graph_node_attribute(node, name);
    return a != NULL && a->type == ATTRIBUTE_FLOAT ? a->f : fallback;
}

const char *graph_node_string(const graph_node *node, const char *name, const char *fallback) {
    const graph_attribute *a = graph_node_attribute(node, name);
    return a != NULL && a->type == ATTRIBUTE_STRING ? a->s : fallback;
}

char *graph_node_describe(const graph *g, size_t node, char *out, size_t capacity) {
    const graph_node *n = &g->nodes[node];
    if (n->name[0] != '\0') snprintf(out, capacity, "node %zu '%s' (%s)", node, n->name, n->op_type);
    else snprintf(out, capacity, "node %zu (%s)", node, n->op_type);
    return out;
}
