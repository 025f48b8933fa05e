/* SPDX-License-Identifier: Apache-2.0
 * Nodes -> steps: chains that run faster as one (fusion_match.h) become one step each. Whether the tensors' shapes fit
 * is seen in each run; if not, the chain's nodes run one by one. A chain gives the same bits as its nodes. */
#include <string.h>

#include "convert/interpret/fusion_match.h"

static void note_readers(fusion_matcher *m) {
    for (size_t i = 0; i < m->g->n_values; i++) m->readers[i] = (fusion_reader){0, FUSION_NOBODY, FUSION_NOBODY};
    for (size_t i = 0; i < m->g->n_nodes; i++) {
        const graph_node *n = &m->in->nodes[i];
        for (size_t k = 0; k < n->n_inputs; k++) {
            if (n->inputs[k] < 0) continue;
            fusion_reader *r = &m->readers[n->inputs[k]];
            if (r->count == 0) r->first = (uint32_t)i;
            else if (r->count == 1) r->second = (uint32_t)i;
            r->count++;
        }
    }
    for (size_t i = 0; i < m->g->n_outputs; i++) m->readers[m->g->outputs[i]].count += 3; /* read by the caller */
}

static int in_one_branch(const fusion_matcher *m) {
    for (size_t i = 1; i < m->n_chain; i++)
        if (m->g->nodes[m->chain[i]].branch != m->g->nodes[m->chain[0]].branch) return 0;
    return 1;
}

/* Chains that were found, by their last node. */
static minnow_status find_chains(struct interpreter *in, fusion_matcher *m, step *chains, minnow_error *error) {
    for (uint32_t node = 0; node < m->g->n_nodes; node++) {
        fusion f;
        if (m->taken[node] || !fusion_match(m, node, &f)) continue;
        uint32_t last = 0;
        for (size_t i = 0; i < m->n_chain; i++) last = m->chain[i] > last ? m->chain[i] : last;
        if (last != m->chain[m->n_chain - 1] || !in_one_branch(m)) continue;
        fusion *kept = arena_alloc(&in->memory, sizeof f);
        uint32_t *nodes = arena_array(&in->memory, m->n_chain, sizeof *nodes);
        if (!kept || !nodes) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
        *kept = f;
        memcpy(nodes, m->chain, m->n_chain * sizeof *nodes);
        for (size_t i = 0; i < m->n_chain; i++) m->taken[nodes[i]] = 1;
        chains[last] = (step){.entry = in->entries[last], .node = last, .nodes = nodes, .n_nodes = m->n_chain,
                              .fused = kept};
    }
    return MINNOW_OK;
}

minnow_status fusion_plan_steps(struct interpreter *in, minnow_error *error) {
    const graph *g = in->g;
    fusion_matcher m = {.in = in, .g = g};
    step *chains = arena_array(&in->memory, g->n_nodes, sizeof *chains);
    m.readers = arena_array(&in->memory, g->n_values, sizeof *m.readers);
    m.taken = arena_array(&in->memory, g->n_nodes, sizeof *m.taken);
    in->steps = arena_array(&in->memory, g->n_nodes, sizeof *in->steps);
    if (!chains || !m.readers || !m.taken || !in->steps) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    note_readers(&m);
    for (size_t i = 0; i < g->n_nodes; i++) /* folded nodes run no more */
        m.taken[i] = g->nodes[i].n_outputs > 0 && g->nodes[i].outputs[0] >= 0 &&
            in->values[g->nodes[i].outputs[0]].is_constant;
    uint8_t *folded = arena_array(&in->memory, g->n_nodes, 1);
    if (!folded) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    if (g->n_nodes) memcpy(folded, m.taken, g->n_nodes);
    if (!in->no_fusion) TRY(find_chains(in, &m, chains, error));
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (folded[i]) continue;
        if (chains[i].fused) in->steps[in->n_steps++] = chains[i];
        else if (!m.taken[i]) in->steps[in->n_steps++] = (step){.entry = in->entries[i], .node = i};
    }
    for (size_t i = 0; i < in->n_steps; i++) {
        TRY(matmul_prepare(in, &in->steps[i], error));
        TRY(quantized_prepare(in, &in->steps[i], error));
    }
    return MINNOW_OK;
}
