/* SPDX-License-Identifier: Apache-2.0
 * Order: nodes as a file or a rewrite left them -> nodes in which every input comes before its use.
 *
 * A depth-first walk over producers that starts from each node in turn, with its own stack: linear, and a graph that is
 * in order already keeps its order. A node in a branch needs the branch's condition as well. */
#include "convert/graph/graph.h"

#include <stdlib.h>
#include <string.h>

enum { UNSEEN = 0, OPEN, DONE };

/* One node on the walk's path and which of its inputs comes next. */
typedef struct step {
    int32_t node;
    size_t next_input;
} step;

/* Everything the walk needs, in one block. */
typedef struct walk {
    graph *g;
    uint8_t *state;     /* [n_nodes] */
    uint8_t *is_source; /* [n_values]: inputs and constants */
    step *path;         /* [n_nodes] */
    int32_t *order;     /* [n_nodes]: node numbers in their new order */
    size_t n_ordered;
} walk;

static minnow_status error_at(const graph *g, size_t node, minnow_error *error, const char *what, const char *value) {
    char text[256];
    return error_set(error, MINNOW_ERROR_FORMAT, "%s: %s '%s'", graph_node_describe(g, node, text, sizeof text), what,
                     value);
}

/* Numbers producers afresh and finds values that are made twice. */
static minnow_status find_producers(walk *w, minnow_error *error) {
    graph *g = w->g;
    size_t i, j;
    for (i = 0; i < g->n_values; i++) {
        g->values[i].producer = -1;
        w->is_source[i] = g->values[i].constant != NULL;
    }
    for (i = 0; i < g->n_inputs; i++) w->is_source[g->inputs[i]] = 1;
    for (i = 0; i < g->n_nodes; i++) {
        for (j = 0; j < g->nodes[i].n_outputs; j++) {
            const int32_t v = g->nodes[i].outputs[j];
            if (v == GRAPH_NO_VALUE) continue;
            if (w->is_source[v] || g->values[v].producer >= 0)
                return error_at(g, i, error, w->is_source[v] ? "output is also an input or constant of the graph:"
                                                             : "output is already made by another node:",
                                g->values[v].name);
            g->values[v].producer = (int32_t)i;
        }
    }
    for (i = 0; i < g->n_outputs; i++) {
        const graph_value *v = &g->values[g->outputs[i]];
        if (!w->is_source[g->outputs[i]] && v->producer < 0)
            return error_set(error, MINNOW_ERROR_FORMAT, "output '%s' of the graph is made by no node", v->name);
    }
    return MINNOW_OK;
}

/* What a node needs: its inputs, then the conditions of the branches around it. 0: that was all. */
static int next_need(const walk *w, step *at, int32_t *value) {
    const graph_node *node = &w->g->nodes[at->node];
    size_t i = at->next_input++;
    uint32_t branch = node->branch;
    if (i < node->n_inputs) {
        *value = node->inputs[i];
        return 1;
    }
    for (i -= node->n_inputs; branch != 0 && i > 0; i--) branch = w->g->branches[branch - 1].outer;
    if (branch != 0) *value = w->g->branches[branch - 1].condition;
    return branch != 0;
}

/* Puts a node and everything it needs into the order. */
static minnow_status visit(walk *w, int32_t start, minnow_error *error) {
    const graph *g = w->g;
    size_t depth = 0;
    if (w->state[start] != UNSEEN) return MINNOW_OK;
    w->path[depth++] = (step){start, 0};
    w->state[start] = OPEN;
    while (depth > 0) {
        step *at = &w->path[depth - 1];
        int32_t v = GRAPH_NO_VALUE, producer;
        if (!next_need(w, at, &v)) {
            w->state[at->node] = DONE;
            w->order[w->n_ordered++] = at->node;
            depth--;
            continue;
        }
        if (v == GRAPH_NO_VALUE || w->is_source[v]) continue;
        producer = g->values[v].producer;
        if (producer < 0) return error_at(g, (size_t)at->node, error, "input is made by no node:", g->values[v].name);
        if (w->state[producer] == OPEN)
            return error_at(g, (size_t)at->node, error, "is in a cycle: it needs", g->values[v].name);
        if (w->state[producer] == DONE) continue;
        w->state[producer] = OPEN;
        w->path[depth++] = (step){producer, 0};
    }
    return MINNOW_OK;
}

/* Moves the nodes; their producers' numbers move along. */
static minnow_status apply(walk *w, minnow_error *error) {
    graph *g = w->g;
    graph_node *sorted = malloc(g->n_nodes * sizeof *sorted + 1);
    size_t i, j;
    if (sorted == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    for (i = 0; i < g->n_nodes; i++) sorted[i] = g->nodes[w->order[i]];
    if (g->n_nodes > 0) memcpy(g->nodes, sorted, g->n_nodes * sizeof *sorted);
    free(sorted);
    for (i = 0; i < g->n_nodes; i++)
        for (j = 0; j < g->nodes[i].n_outputs; j++)
            if (g->nodes[i].outputs[j] >= 0) g->values[g->nodes[i].outputs[j]].producer = (int32_t)i;
    return MINNOW_OK;
}

minnow_status graph_sort(graph *g, minnow_error *error) {
    walk w = {.g = g};
    minnow_status status = MINNOW_OK;
    size_t i;
    w.state = calloc(g->n_nodes + 1, sizeof *w.state);
    w.is_source = calloc(g->n_values + 1, sizeof *w.is_source);
    w.path = calloc(g->n_nodes + 1, sizeof *w.path);
    w.order = calloc(g->n_nodes + 1, sizeof *w.order);
    if (w.state == NULL || w.is_source == NULL || w.path == NULL || w.order == NULL)
        TRY_GOTO(error_set(error, MINNOW_ERROR_MEMORY, "out of memory"));
    TRY_GOTO(find_producers(&w, error));
    for (i = 0; i < g->n_nodes; i++) TRY_GOTO(visit(&w, (int32_t)i, error));
    TRY_GOTO(apply(&w, error));
fail:
    free(w.state);
    free(w.is_source);
    free(w.path);
    free(w.order);
    return status;
}
