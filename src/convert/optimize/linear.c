/* SPDX-License-Identifier: Apache-2.0
 * Linear maps:  MatMul(x, W) [+ b]   or   Gemm(x, W, [b]) [+ b]   ->   weights [n, k], bias [n]. */
#include "convert/optimize/match.h"

static int is_product(const matcher *m, const graph_node *node) {
    return match_has_input(node, 0) && match_has_input(node, 1) &&
           (match_is_op(node, "MatMul") || match_is_op(node, "Gemm")) && constant_is(m, node->inputs[1]) &&
           match_info(m, node->inputs[1])->rank == 2;
}

static int find_product(const matcher *m, int32_t value, linear_match *out) {
    const graph_node *node;
    value = match_rows(m, value);
    node = match_node(m, value);
    if (node == NULL || !is_product(m, node)) return 0;
    out->node = (size_t)match_info(m, value)->producer;
    out->x = node->inputs[0];
    out->weight = node->inputs[1];
    out->weight_is_nk = 0;
    if (match_is_op(node, "Gemm")) {
        if (graph_node_int(node, "transA", 0) != 0 || graph_node_float(node, "alpha", 1.0f) != 1.0f) return 0;
        out->weight_is_nk = graph_node_int(node, "transB", 0) != 0;
        if (match_has_input(node, 2)) {
            if (out->bias >= 0 || graph_node_float(node, "beta", 1.0f) != 1.0f) return 0;
            out->bias = node->inputs[2];
        }
    }
    out->n = match_last(m, out->weight, out->weight_is_nk ? 1 : 0);
    out->k = match_last(m, out->weight, out->weight_is_nk ? 0 : 1);
    return out->n > 0 && out->k > 0;
}

int linear_find(const matcher *m, int32_t value, linear_match *out) {
    const graph_node *sum;
    int i;
    value = match_rows(m, value);
    out->bias = GRAPH_NO_VALUE;
    if (find_product(m, value, out)) return 1;
    sum = match_op(m, value, "Add", 2);
    for (i = 0; sum != NULL && i < 2; i++) {
        out->bias = sum->inputs[i];
        if (constant_is(m, sum->inputs[i]) && find_product(m, sum->inputs[1 - i], out)) return 1;
    }
    return 0;
}

minnow_status linear_load(matcher *m, const linear_match *l, encoder_linear *out) {
    tensor weight;
    out->name = m->original->nodes[l->node].name;
    out->n = (size_t)l->n;
    out->k = (size_t)l->k;
    TRY(constant_load(m, l->weight, !l->weight_is_nk, &weight));
    out->weight = weight.data;
    if (l->bias >= 0) return constant_load_vector(m, l->bias, out->n, &out->bias);
    out->bias = arena_array(&m->e->memory, out->n, sizeof *out->bias);
    return out->bias != NULL ? MINNOW_OK : match_out_of_memory(m);
}
