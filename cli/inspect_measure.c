/* SPDX-License-Identifier: Apache-2.0
 * minnow inspect: what a graph costs. Parameters are counted by tensor, activations by lifetime:
 *
 *     value   made by its node (inputs: before the first)   freed after the last node that reads it (outputs: never)
 *
 * Each value counts as memory of its own; an engine that reshapes in place needs less. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "inspect.h"

/* --- Sizes -------------------------------------------------------------------------------------------------- */

static uint64_t value_bytes(const graph_value *v) {
    uint64_t bytes = dtype_bytes(v->type);
    int d;
    if (v->rank < 0 || bytes == 0) return INSPECT_UNKNOWN;
    for (d = 0; d < v->rank; d++)
        if (v->dims[d].size < 0 || __builtin_mul_overflow(bytes, (uint64_t)v->dims[d].size, &bytes))
            return INSPECT_UNKNOWN;
    return bytes;
}

/* Sums that a hostile file makes too large stop at the top. */
static uint64_t add(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - 1 - b ? UINT64_MAX - 1 : a + b;
}

static void find_roles(inspection *in) {
    const graph *g = in->g;
    size_t i;
    for (i = 0; i < g->n_values; i++) in->roles[i] = g->values[i].constant != NULL ? ROLE_CONSTANT : ROLE_INNER;
    for (i = 0; i < g->n_inputs; i++) in->roles[g->inputs[i]] = ROLE_INPUT;
    for (i = 0; i < g->n_outputs; i++) in->roles[g->outputs[i]] = ROLE_OUTPUT;
}

const char *inspect_role_name(uint8_t role) {
    static const char *const names[] = {"inner", "constant", "input", "output"};
    return names[role];
}

/* --- Dimensions --------------------------------------------------------------------------------------------- */

/* The name of a symbolic input axis; unnamed ones are "input:axis". Lies in the graph's memory; NULL if there is none.
 * */
static const char *axis_name(graph *g, const graph_value *v, int d) {
    char suffix[16];
    char *name;
    size_t n;
    if (v->dims[d].size >= 0) return NULL;
    if (v->dims[d].symbol != NULL && v->dims[d].symbol[0] != '\0') return v->dims[d].symbol;
    snprintf(suffix, sizeof suffix, ":%d", d);
    n = strlen(v->name);
    if ((name = arena_alloc(&g->memory, n + sizeof suffix)) == NULL) return NULL;
    memcpy(name, v->name, n);
    memcpy(name + n, suffix, strlen(suffix) + 1);
    return name;
}

static inspect_dim *find_dim(inspection *in, const char *name, size_t bytes) {
    size_t i;
    for (i = 0; i < in->n_dims; i++)
        if (strlen(in->dims[i].name) == bytes && memcmp(in->dims[i].name, name, bytes) == 0) return &in->dims[i];
    return NULL;
}

static void collect_dims(inspection *in) {
    graph *g = in->g;
    size_t i;
    int d;
    for (i = 0; i < g->n_inputs; i++) {
        graph_value *v = &g->values[g->inputs[i]];
        for (d = 0; d < v->rank && in->n_dims < INSPECT_MAX_DIMS; d++) {
            const char *name = axis_name(g, v, d);
            if (name == NULL || find_dim(in, name, strlen(name)) != NULL) continue;
            v->dims[d].symbol = name;
            in->dims[in->n_dims].name = name;
            in->dims[in->n_dims++].size = d == 0 ? 1 : 128;
        }
    }
}

static minnow_status unknown_dim(const inspection *in, const char *name, size_t bytes, minnow_error *error) {
    char known[256] = "";
    size_t i, used = 0;
    for (i = 0; i < in->n_dims && used < sizeof known; i++) {
        const int n = snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ", in->dims[i].name);
        used += n > 0 ? (size_t)n : 0;
    }
    return error_set(error, MINNOW_ERROR_ARGUMENT, "--dims: no axis of the inputs is called '%.*s' (%s%s)",
                     bytes > 80 ? 80 : (int)bytes, name, known[0] != '\0' ? "there are " : "all have a fixed size",
                     known);
}

/* One "name=size" of --dims. */
static minnow_status read_dim(inspection *in, const char *item, size_t bytes, minnow_error *error) {
    const char *equals = item + bytes;
    char number[24];
    inspect_dim *dim;
    size_t digits, size;
    while (equals > item && equals[-1] != '=') equals--; /* the last '=': names may have some */
    if (equals == item)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "--dims: '%.*s' is not NAME=SIZE", bytes > 80 ? 80 : (int)bytes,
                         item);
    digits = (size_t)(item + bytes - equals);
    if (digits >= sizeof number) digits = 0;
    memcpy(number, equals, digits);
    number[digits] = '\0';
    if (!cli_parse_size(number, 0, INT32_MAX, &size))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "--dims: '%.*s': the size is not a number from 0 to %d",
                         bytes > 80 ? 80 : (int)bytes, item, INT32_MAX);
    dim = find_dim(in, item, (size_t)(equals - 1 - item));
    if (dim == NULL) return unknown_dim(in, item, (size_t)(equals - 1 - item), error);
    dim->size = (int64_t)size;
    dim->is_given = 1;
    return MINNOW_OK;
}

minnow_status inspect_read_dims(inspection *in, const char *given, minnow_error *error) {
    collect_dims(in);
    while (given != NULL && *given != '\0') {
        const size_t bytes = strcspn(given, ",");
        TRY(read_dim(in, given, bytes, error));
        given += bytes;
        if (*given == ',') given++;
    }
    return MINNOW_OK;
}

void inspect_bind_dims(inspection *in, int only_given) {
    graph *g = in->g;
    size_t i, k;
    int d;
    for (i = 0; i < g->n_values; i++) {
        for (d = 0; d < g->values[i].rank; d++) {
            graph_dim *dim = &g->values[i].dims[d];
            for (k = 0; k < in->n_dims && dim->size < 0 && dim->symbol != NULL; k++) {
                if (only_given && !in->dims[k].is_given) continue;
                if (strcmp(dim->symbol, in->dims[k].name) == 0) dim->size = in->dims[k].size;
            }
        }
    }
}

/* --- Parameters --------------------------------------------------------------------------------------------- */

static void count_tensor(const tensor *t, uint64_t *parameters, uint64_t *bytes) {
    *parameters = add(*parameters, tensor_count(t));
    *bytes = add(*bytes, tensor_bytes(t));
}

/* The tensor that a Constant node holds; NULL for other nodes. */
static const tensor *held_tensor(const graph_node *node) {
    const graph_attribute *a = strcmp(node->op_type, "Constant") == 0 ? graph_node_attribute(node, "value") : NULL;
    return a != NULL && a->type == ATTRIBUTE_TENSOR ? a->t : NULL;
}

static void count_parameters(inspection *in) {
    const graph *g = in->g;
    size_t i, k;
    for (i = 0; i < g->n_values; i++)
        if (g->values[i].constant != NULL) count_tensor(g->values[i].constant, &in->parameters, &in->parameter_bytes);
    for (i = 0; i < g->n_nodes; i++) {
        const tensor *held = held_tensor(&g->nodes[i]);
        inspect_node *node = &in->nodes[i];
        if (held != NULL) {
            count_tensor(held, &node->parameters, &node->parameter_bytes);
            count_tensor(held, &in->parameters, &in->parameter_bytes);
        }
        for (k = 0; k < g->nodes[i].n_inputs; k++) {
            const int32_t v = g->nodes[i].inputs[k];
            if (v >= 0 && g->values[v].constant != NULL)
                count_tensor(g->values[v].constant, &node->parameters, &node->parameter_bytes);
        }
    }
}

/* --- Lifetimes ---------------------------------------------------------------------------------------------- */

enum { NEVER_USED = -1 };

/* last_use[v]: the node that reads v last; n_nodes for outputs of the graph. */
static void find_last_uses(const graph *g, int64_t *last_use) {
    size_t i, k;
    for (i = 0; i < g->n_values; i++) last_use[i] = NEVER_USED;
    for (i = 0; i < g->n_nodes; i++)
        for (k = 0; k < g->nodes[i].n_inputs; k++)
            if (g->nodes[i].inputs[k] >= 0) last_use[g->nodes[i].inputs[k]] = (int64_t)i;
    for (i = 0; i < g->n_outputs; i++) last_use[g->outputs[i]] = (int64_t)g->n_nodes;
}

/* Bytes of values that are not constants; what is not known counts 0 and is told by n_unknown. */
static uint64_t live_bytes(const graph *g, int32_t v) {
    const uint64_t bytes = v < 0 || g->values[v].constant != NULL ? 0 : value_bytes(&g->values[v]);
    return bytes == INSPECT_UNKNOWN ? 0 : bytes;
}

/* Takes off the values that node i reads last, each once. */
static uint64_t release(const graph *g, const graph_node *node, size_t i, int64_t *last_use, uint64_t live) {
    size_t k;
    for (k = 0; k < node->n_inputs; k++) {
        const int32_t v = node->inputs[k];
        if (v < 0 || last_use[v] != (int64_t)i) continue;
        live -= live_bytes(g, v);
        last_use[v] = NEVER_USED;
    }
    for (k = 0; k < node->n_outputs; k++) /* made and never read */
        if (node->outputs[k] >= 0 && last_use[node->outputs[k]] == NEVER_USED) live -= live_bytes(g, node->outputs[k]);
    return live;
}

static void walk_lifetimes(inspection *in, int64_t *last_use) {
    const graph *g = in->g;
    uint64_t live = 0;
    size_t i, k;
    in->peak_node = -1;
    for (i = 0; i < g->n_inputs; i++) live = add(live, live_bytes(g, g->inputs[i]));
    in->peak_bytes = live;
    for (i = 0; i < g->n_nodes; i++) {
        const graph_node *node = &g->nodes[i];
        for (k = 0; k < node->n_outputs; k++) {
            const int32_t v = node->outputs[k];
            const uint64_t bytes = v < 0 ? 0 : value_bytes(&g->values[v]);
            if (bytes == INSPECT_UNKNOWN) {
                in->n_unknown++;
                in->nodes[i].output_bytes = INSPECT_UNKNOWN;
                continue;
            }
            if (in->nodes[i].output_bytes != INSPECT_UNKNOWN)
                in->nodes[i].output_bytes = add(in->nodes[i].output_bytes, bytes);
            live = add(live, bytes);
        }
        if (live > in->peak_bytes) in->peak_bytes = live, in->peak_node = (int64_t)i;
        live = live == UINT64_MAX - 1 ? live : release(g, node, i, last_use, live);
    }
}

minnow_status inspect_measure(inspection *in, minnow_error *error) {
    int64_t *last_use = malloc((in->g->n_values + 1) * sizeof *last_use);
    in->nodes = calloc(in->g->n_nodes + 1, sizeof *in->nodes);
    in->roles = calloc(in->g->n_values + 1, sizeof *in->roles);
    if (last_use == NULL || in->nodes == NULL || in->roles == NULL) {
        free(last_use);
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    }
    find_roles(in);
    count_parameters(in);
    find_last_uses(in->g, last_use);
    walk_lifetimes(in, last_use);
    free(last_use);
    return MINNOW_OK;
}

/* --- Operators ---------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) {
    const inspect_tally *x = a, *y = b;
    const int order = strcmp(x->domain, y->domain);
    return order != 0 ? order : strcmp(x->op_type, y->op_type);
}

static int by_count(const void *a, const void *b) {
    const inspect_tally *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return by_name(a, b);
}

inspect_tally *inspect_tally_operators(const inspection *in, size_t *n) {
    inspect_tally *all = calloc(in->g->n_nodes + 1, sizeof *all);
    size_t i;
    *n = 0;
    if (all == NULL) return NULL;
    for (i = 0; i < in->g->n_nodes; i++) {
        const graph_node *node = &in->g->nodes[i];
        all[i] = (inspect_tally){node->op_type, node->domain, 1, in->nodes[i].parameters, in->nodes[i].parameter_bytes};
    }
    if (in->g->n_nodes > 0) qsort(all, in->g->n_nodes, sizeof *all, by_name);
    for (i = 0; i < in->g->n_nodes; i++) { /* equal ones stand together now */
        if (*n > 0 && by_name(&all[*n - 1], &all[i]) == 0) {
            all[*n - 1].count++;
            all[*n - 1].parameters = add(all[*n - 1].parameters, all[i].parameters);
            all[*n - 1].parameter_bytes = add(all[*n - 1].parameter_bytes, all[i].parameter_bytes);
        } else {
            all[(*n)++] = all[i];
        }
    }
    if (*n > 0) qsort(all, *n, sizeof *all, by_count);
    return all;
}
