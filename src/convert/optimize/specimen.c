/* SPDX-License-Identifier: Apache-2.0
 * Makes specimens: copies a graph's values and nodes, sets the sizes of its inputs and infers all others. */
#include "convert/optimize/specimen.h"
#include "convert/shapes/infer.h"

#include <string.h>

static int copy_values(graph *to, const graph *from) {
    size_t i;
    for (i = 0; i < from->n_values; i++) {
        const graph_value *v = &from->values[i];
        if (graph_add_value(to, v->name) != (int32_t)i) return 0;
        if (v->constant != NULL) graph_value_set_constant(to, (int32_t)i, v->constant);
    }
    return 1;
}

static int copy_nodes(graph *to, const graph *from) {
    size_t i;
    for (i = 0; i < from->n_nodes; i++) {
        const graph_node *n = &from->nodes[i];
        const int32_t made = graph_add_node(to, n->op_type, n->name, n->inputs, n->n_inputs, n->outputs, n->n_outputs);
        if (made != (int32_t)i) return 0;
        to->nodes[i].domain = n->domain;
        to->nodes[i].opset = n->opset;
        to->nodes[i].attributes = n->attributes;
        to->nodes[i].n_attributes = to->nodes[i].attributes_capacity = n->n_attributes;
    }
    return 1;
}

static int copy_inputs(graph *to, const graph *from, int64_t batch, int64_t tokens) {
    const int64_t sizes[2] = {batch, tokens};
    size_t i;
    int d;
    for (i = 0; i < from->n_inputs; i++) {
        const graph_value *declared = &from->values[from->inputs[i]];
        graph_value *v = &to->values[from->inputs[i]];
        if (!graph_add_input(to, from->inputs[i])) return 0;
        v->type = declared->type;
        v->rank = declared->rank;
        memcpy(v->dims, declared->dims, sizeof v->dims);
        for (d = 0; d < 2 && v->rank == 2; d++)
            if (v->dims[d].size < 0) v->dims[d] = (graph_dim){sizes[d], NULL};
    }
    for (i = 0; i < from->n_outputs; i++)
        if (!graph_add_output(to, from->outputs[i])) return 0;
    return 1;
}

minnow_status specimen_create(specimen *out, const graph *original, int32_t ids, int64_t batch, int64_t tokens,
                              minnow_error *error) {
    graph *g = graph_create();
    minnow_status status;
    size_t i;
    int ok = g != NULL;
    memset(out, 0, sizeof *out);
    for (i = 0; ok && i < original->n_opsets; i++)
        ok = graph_set_opset(g, original->opsets[i].domain, original->opsets[i].version);
    ok = ok && copy_values(g, original) && copy_nodes(g, original) && copy_inputs(g, original, batch, tokens);
    if (!ok) status = error_set(error, MINNOW_ERROR_MEMORY, "out of memory while looking for the encoder");
    else status = graph_infer_shapes(g, error);
    if (status != MINNOW_OK) {
        graph_close(&g);
        return status;
    }
    out->g = g;
    out->batch = g->values[ids].dims[0].size;
    out->tokens = g->values[ids].dims[1].size;
    return MINNOW_OK;
}

void specimen_close(specimen *s) { graph_close(&s->g); }
