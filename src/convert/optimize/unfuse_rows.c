/* SPDX-License-Identifier: Apache-2.0
 * Fused operators of rows taken apart: embeddings, norms with a sum in front, activations, products. */
#include <string.h>

#include "convert/optimize/unfuse_impl.h"

/* --- Norms, activations, products --------------------------------------------------------------------------------- */

static int is_product(const unfusing *u, size_t input) {
    const int32_t producer = u->from->values[u->node->inputs[input]].producer;
    return producer >= 0 && strstr(u->from->nodes[producer].op_type, "MatMul") != NULL;
}

int unfuse_skip_norm(unfusing *u) {
    int32_t sum;
    if (unfuse_input(u, 1) == NONE || unfuse_input(u, 2) == NONE) return 0;
    const int second = is_product(u, 1) && !is_product(u, 0); /* the bias is the product's */
    sum = unfuse_add(u, unfuse_input(u, (size_t)second), unfuse_input(u, 4));
    sum = builder_op(&u->b, "Add", sum, unfuse_input(u, (size_t)!second), NONE);
    unfuse_name_output(u);
    unfuse_give(u, 0, piece_layer_norm(&u->b, sum, unfuse_input(u, 2), unfuse_input(u, 3),
                                graph_node_float(u->node, "epsilon", 1e-12f)));
    unfuse_give(u, 3, sum);
    return 1;
}

int unfuse_bias_gelu(unfusing *u) {
    graph_attribute how = {.name = "approximate", .type = ATTRIBUTE_STRING, .s = "tanh", .s_bytes = 4};
    const int32_t sum = unfuse_add(u, unfuse_input(u, 0), unfuse_input(u, 1));
    unfuse_name_output(u);
    unfuse_give(u, 0, builder_op(&u->b, "Gelu", sum, NONE, NONE));
    if (strcmp(u->node->op_type, "FastGelu") == 0 && u->b.status == MINNOW_OK)
        builder_fail(&u->b, graph_add_attribute(u->b.g, u->b.last_node, &how, u->b.error));
    return 1;
}

static int32_t swapped(unfusing *u, size_t input, const char *attribute) {
    const int rank = u->from->values[u->node->inputs[input]].rank;
    int64_t perm[TENSOR_MAX_RANK];
    int32_t y;
    if (graph_node_int(u->node, attribute, 0) == 0) return unfuse_input(u, input);
    for (int d = 0; d < rank; d++) perm[d] = d;
    perm[rank - 2] = rank - 1;
    perm[rank - 1] = rank - 2;
    y = builder_op(&u->b, "Transpose", unfuse_input(u, input), NONE, NONE);
    builder_ints(&u->b, "perm", perm, (size_t)rank);
    return y;
}

int unfuse_fused_matmul(unfusing *u) {
    const float alpha = graph_node_float(u->node, "alpha", 1);
    int32_t a, b;
    if (unfuse_input(u, 1) == NONE || graph_node_int(u->node, "transBatchA", 0) != 0 ||
        graph_node_int(u->node, "transBatchB", 0) != 0 ||
        u->from->values[u->node->inputs[0]].rank < 2 || u->from->values[u->node->inputs[1]].rank < 2 ||
        unfuse_float_type(u, u->node->inputs[0]) != DTYPE_FLOAT32)
        return 0;
    a = swapped(u, 0, "transA");
    b = swapped(u, 1, "transB");
    if (alpha == 1) unfuse_name_output(u);
    a = builder_op(&u->b, "MatMul", a, b, NONE);
    if (alpha != 1) {
        b = unfuse_new_scalar(u, "alpha", alpha);
        unfuse_name_output(u);
        a = builder_op(&u->b, "Mul", a, b, NONE);
    }
    unfuse_give(u, 0, a);
    return 1;
}

/* --- Embeddings --------------------------------------------------------------------------------------------------- */

int unfuse_embed(unfusing *u) {
    const int32_t ids = unfuse_input(u, 0), segments = unfuse_input(u, 1), mask = unfuse_input(u, 7);
    const int32_t places = unfuse_input(u, 8);
    int32_t sum, positions;
    for (size_t i = 2; i <= 6; i++)
        if (i != 4 && unfuse_input(u, i) == NONE) return 0;
    if ((segments == NONE) != (unfuse_input(u, 4) == NONE)) return 0;
    sum = builder_op(&u->b, "Gather", unfuse_input(u, 2), ids, NONE);
    if (places != NONE) positions = builder_op(&u->b, "Gather", unfuse_input(u, 3), places, NONE);
    else positions = piece_first_rows(&u->b, unfuse_input(u, 3), piece_length(&u->b, ids));
    sum = builder_op(&u->b, "Add", sum, positions, NONE);
    if (segments != NONE)
        sum = builder_op(&u->b, "Add", sum, builder_op(&u->b, "Gather", unfuse_input(u, 4), segments, NONE), NONE);
    unfuse_name_output(u);
    unfuse_give(u, 0, piece_layer_norm(&u->b, sum, unfuse_input(u, 5), unfuse_input(u, 6),
                                graph_node_float(u->node, "epsilon", 1e-12f)));
    unfuse_give(u, 2, sum);
    if (u->node->n_outputs > 1 && u->node->outputs[1] >= 0) u->mask_of[u->node->outputs[1]] = mask;
    return 1;
}
