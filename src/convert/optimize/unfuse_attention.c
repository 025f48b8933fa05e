/* SPDX-License-Identifier: Apache-2.0
 * Attention taken apart, com.microsoft's and ai.onnx's: into the nodes that exporters write for it. */
#include <string.h>

#include "convert/optimize/unfuse_impl.h"

/* Columns [first, first + n) of a constant [rows, columns] or [columns]. */
static int32_t columns_of(unfusing *u, const tensor *t, const char *leaf, size_t first, size_t n) {
    const size_t size = dtype_bytes(t->type), columns = (size_t)t->dims[t->rank - 1];
    int64_t dims[2] = {t->dims[0], (int64_t)n};
    tensor *part;
    const int32_t value = unfuse_new_constant(u, leaf, t->type, t->rank, t->rank == 2 ? dims : dims + 1, &part);
    if (part == NULL) return NONE;
    for (size_t r = 0; r < tensor_count(t) / columns; r++)
        memcpy((char *)part->data + r * n * size, (const char *)t->data + (r * columns + first) * size, n * size);
    return value;
}

/* What is added to the scores; *ok 0 if it is not known how. */
static int32_t mask_bias(unfusing *u, size_t input, dtype type, int *ok) {
    const int32_t value = input < u->node->n_inputs ? u->node->inputs[input] : NONE;
    int32_t mask, bias;
    *ok = 1;
    if (value < 0) return NONE;
    mask = u->mask_of[value] != NONE ? u->mask_of[value] : u->from->values[value].rank == 2 ? u->made[value] : NONE;
    *ok = mask != NONE;
    if (!*ok) return NONE;
    bias = piece_attention_bias(&u->b, mask);
    return type == DTYPE_FLOAT32 ? bias : unfuse_cast(u, bias, type);
}

/* What scores are multiplied by, or divided by if the node names no scale: the root of a head's size. */
static int32_t factor_of(unfusing *u, int64_t size, dtype type) {
    const float scale = graph_node_float(u->node, "scale", 0);
    const int32_t leaf = scale != 0 ? unfuse_new_scalar(u, "scale", scale) : unfuse_new_scalar(u, "size", (float)size);
    const int32_t factor = scale != 0 ? leaf : builder_op(&u->b, "Sqrt", leaf, NONE, NONE);
    return type == DTYPE_FLOAT32 ? factor : unfuse_cast(u, factor, type);
}

/* softmax(q k^T * scale + mask) of q [batch, heads, tokens, size] and k [batch, heads, size, tokens]. */
static int32_t probabilities(unfusing *u, int32_t q, int32_t k, int32_t factor, int32_t bias) {
    int32_t scores = builder_op(&u->b, "MatMul", q, k, NONE);
    scores = builder_op(&u->b, graph_node_float(u->node, "scale", 0) != 0 ? "Mul" : "Div", scores, factor, NONE);
    scores = builder_op(&u->b, "Softmax", unfuse_add(u, scores, bias), NONE, NONE);
    builder_int(&u->b, "axis", -1);
    return scores;
}

/* softmax(q k^T * scale + mask) v of q, k, v [batch, tokens, hidden], as output 0. */
static void attend(unfusing *u, const int32_t qkv[3], int64_t hidden, int32_t bias, dtype type) {
    const int64_t n = graph_node_int(u->node, "num_heads", 0);
    const int64_t split[4] = {0, 0, n, hidden / n}, join[3] = {0, 0, hidden};
    builder *b = &u->b;
    const int32_t shape = unfuse_new_sizes(u, "heads", split, 4), factor = factor_of(u, hidden / n, type);
    const int32_t q = piece_transpose(b, builder_op(b, "Reshape", qkv[0], shape, NONE), 0, 2, 1, 3);
    const int32_t k = piece_transpose(b, builder_op(b, "Reshape", qkv[1], shape, NONE), 0, 2, 3, 1);
    const int32_t v = piece_transpose(b, builder_op(b, "Reshape", qkv[2], shape, NONE), 0, 2, 1, 3);
    int32_t scores = probabilities(u, q, k, factor, bias);
    scores = piece_transpose(b, builder_op(b, "MatMul", scores, v, NONE), 0, 2, 1, 3);
    const int32_t rows = unfuse_new_sizes(u, "hidden", join, 3);
    unfuse_name_output(u);
    unfuse_give(u, 0, builder_op(b, "Reshape", scores, rows, NONE));
}

/* Heads that divide the hidden size, and nothing that an encoder does not have. */
static int is_plain(const unfusing *u, int64_t hidden, size_t first_other) {
    const int64_t n = graph_node_int(u->node, "num_heads", 0);
    for (size_t i = first_other; i < u->node->n_inputs; i++)
        if (u->node->inputs[i] >= 0) return 0;
    for (size_t i = 1; i < u->node->n_outputs; i++)
        if (u->node->outputs[i] >= 0) return 0;
    return n > 0 && hidden > 0 && hidden <= INT32_MAX && hidden % n == 0 &&
           graph_node_int(u->node, "unidirectional", 0) == 0 && graph_node_int(u->node, "do_rotary", 0) == 0 &&
           graph_node_attribute(u->node, "qkv_hidden_sizes") == NULL;
}

int unfuse_attention(unfusing *u) {
    static const char *const names[3][2] = {{"query", "query_bias"}, {"key", "key_bias"}, {"value", "value_bias"}};
    const tensor *w = unfuse_constant(u, 1, 2), *bias = unfuse_constant(u, 2, 1);
    const size_t hidden = w != NULL ? (size_t)w->dims[1] / 3 : 0;
    const dtype type = unfuse_float_type(u, u->node->inputs[0]);
    int32_t qkv[3], mask;
    int ok;
    if (w == NULL || hidden == 0 || (size_t)w->dims[1] != 3 * hidden || !is_plain(u, (int64_t)hidden, 4)) return 0;
    if (unfuse_input(u, 2) != NONE && (bias == NULL || bias->dims[0] != w->dims[1])) return 0;
    mask = mask_bias(u, 3, type, &ok);
    if (!ok) return 0;
    for (size_t i = 0; i < 3; i++) {
        const int32_t part = columns_of(u, w, names[i][0], i * hidden, hidden);
        qkv[i] = builder_op(&u->b, "MatMul", unfuse_input(u, 0), part, NONE);
        if (bias != NULL) qkv[i] = unfuse_add(u, qkv[i], columns_of(u, bias, names[i][1], i * hidden, hidden));
    }
    attend(u, qkv, (int64_t)hidden, mask, type);
    return 1;
}

int unfuse_multi_head_attention(unfusing *u) {
    static const char *const names[3] = {"query_bias", "key_bias", "value_bias"};
    const graph_value *q = &u->from->values[u->node->inputs[0]];
    const int64_t hidden = q->rank == 3 ? q->dims[2].size : 0;
    const tensor *bias = unfuse_constant(u, 3, 1);
    const dtype type = unfuse_float_type(u, u->node->inputs[0]);
    int32_t qkv[3], mask;
    int ok;
    for (size_t i = 0; i < 3; i++)
        if (unfuse_input(u, i) == NONE || u->from->values[u->node->inputs[i]].rank != 3) return 0;
    if (!is_plain(u, hidden, 5)) return 0;
    if (unfuse_input(u, 3) != NONE && (bias == NULL || bias->dims[0] != 3 * hidden)) return 0;
    mask = mask_bias(u, 4, type, &ok);
    if (!ok) return 0;
    for (size_t i = 0; i < 3; i++) {
        qkv[i] = unfuse_input(u, i);
        if (bias == NULL) continue;
        qkv[i] = unfuse_add(u, qkv[i], columns_of(u, bias, names[i], i * (size_t)hidden, (size_t)hidden));
    }
    attend(u, qkv, hidden, mask, type);
    return 1;
}

/* What is added to the scores of ai.onnx's Attention: the mask, or the lowest number where a boolean one is 0. */
static int32_t standard_bias(unfusing *u, dtype type) {
    const int32_t mask = unfuse_input(u, 3);
    int32_t none, all;
    if (mask == NONE || u->from->values[u->node->inputs[3]].type != DTYPE_BOOL) return mask;
    none = unfuse_new_scalar(u, "unmasked", 0);
    all = unfuse_new_scalar(u, "masked", type == DTYPE_FLOAT16 ? -65504.0f : -3e38f);
    if (type != DTYPE_FLOAT32) none = unfuse_cast(u, none, type), all = unfuse_cast(u, all, type);
    return builder_op(&u->b, "Where", mask, none, all);
}

/* ai.onnx's Attention with q, k, v [batch, heads, tokens, size], as PyTorch's exporter writes it from opset 23 on. */
int unfuse_standard_attention(unfusing *u) {
    const graph_value *q = &u->from->values[u->node->inputs[0]];
    const int64_t size = q->rank == 4 ? q->dims[3].size : 0;
    const dtype type = unfuse_float_type(u, u->node->inputs[0]);
    int32_t factor, bias, k;
    for (size_t i = 0; i < 3; i++)
        if (unfuse_input(u, i) == NONE || u->from->values[u->node->inputs[i]].rank != 4) return 0;
    for (size_t i = 4; i < u->node->n_inputs; i++)
        if (u->node->inputs[i] >= 0) return 0;
    for (size_t i = 1; i < u->node->n_outputs; i++)
        if (u->node->outputs[i] >= 0) return 0;
    if (size <= 0 || size > INT32_MAX || graph_node_int(u->node, "is_causal", 0) != 0 ||
        graph_node_float(u->node, "softcap", 0) != 0)
        return 0;
    factor = factor_of(u, size, type);
    bias = standard_bias(u, type);
    k = piece_transpose(&u->b, unfuse_input(u, 1), 0, 1, 3, 2);
    k = probabilities(u, unfuse_input(u, 0), k, factor, bias);
    unfuse_name_output(u);
    unfuse_give(u, 0, builder_op(&u->b, "MatMul", k, unfuse_input(u, 2), NONE));
    return 1;
}
