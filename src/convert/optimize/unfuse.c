/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes fused operators apart, onnxruntime's and ONNX's Attention. In: a graph that an optimizer or exporter saved. Out: a graph of ONNX's own
 * operators with the same weights:
 *
 *     EmbedLayerNormalization  ->  Gather, Gather, first rows, Add, Add, LayerNormalization
 *     Attention                ->  MatMul and Add three times, by columns of the packed weights; heads, scores, softmax
 *     Attention (ai.onnx)      ->  scores, softmax
 *     MultiHeadAttention       ->  Add three times; heads, scores, softmax
 *     SkipLayerNormalization   ->  Add, Add, LayerNormalization
 *     BiasGelu, FastGelu       ->  Add, Gelu
 *     FusedMatMul              ->  Transpose, MatMul, Mul
 *
 * A mask of lengths is EmbedLayerNormalization's number of ones. Texts are padded at their end, where it means what the
 * mask itself means, so the mask is put in its place. */
#include "convert/optimize/unfuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "convert/compose/pieces.h"

#define NONE GRAPH_NO_VALUE
#define OPSET 17 /* of the nodes that are made here */

typedef struct unfusing {
    builder b;
    const graph *from;
    int32_t *made;          /* per value of `from`: its number in the new graph; NONE: not yet */
    int32_t *mask_of;       /* per value of `from` that counts a mask's ones: the mask, in the new graph; else NONE */
    const graph_node *node; /* the fused one */
} unfusing;

static int is_fused(const graph_node *n, const char *op_type) {
    return strcmp(n->domain, "com.microsoft") == 0 && strcmp(n->op_type, op_type) == 0;
}

static int32_t input_of(const unfusing *u, size_t i) {
    return i < u->node->n_inputs && u->node->inputs[i] >= 0 ? u->made[u->node->inputs[i]] : NONE;
}

/* Input i as a constant of so many dims; NULL if it is none. */
static const tensor *constant_of(const unfusing *u, size_t i, int rank) {
    const int32_t value = i < u->node->n_inputs ? u->node->inputs[i] : NONE;
    const tensor *t = value >= 0 ? u->from->values[value].constant : NULL;
    return t != NULL && t->rank == rank && dtype_bytes(t->type) != 0 ? t : NULL;
}

static void give(unfusing *u, size_t output, int32_t value) {
    if (output < u->node->n_outputs && u->node->outputs[output] >= 0) u->made[u->node->outputs[output]] = value;
}

/* The next node makes output 0, under its name if that is free. */
static void name_output(unfusing *u) {
    const char *name = u->from->values[u->node->outputs[0]].name;
    if (graph_find_value(u->b.g, name) < 0) u->b.output_name = name;
}

/* A constant of the node's own. */
static int32_t new_constant(unfusing *u, const char *leaf, dtype type, int rank, const int64_t *dims, tensor **out) {
    tensor *t = arena_alloc(&u->b.g->memory, sizeof *t);
    *out = NULL;
    if (t != NULL) {
        t->type = type;
        t->rank = rank;
        memcpy(t->dims, dims, (size_t)rank * sizeof *dims);
        t->data = arena_array(&u->b.g->memory, tensor_count(t), dtype_bytes(type));
    }
    if (t == NULL || t->data == NULL) {
        builder_fail(&u->b, error_set(u->b.error, MINNOW_ERROR_MEMORY, "out of memory while looking for the encoder"));
        return NONE;
    }
    *out = t;
    return builder_constant(&u->b, leaf, t);
}

static int32_t new_sizes(unfusing *u, const char *leaf, const int64_t *sizes, int64_t n) {
    tensor *t;
    const int32_t value = new_constant(u, leaf, DTYPE_INT64, 1, &n, &t);
    if (t != NULL) memcpy(t->data, sizes, (size_t)n * sizeof *sizes);
    return value;
}

static int32_t new_scalar(unfusing *u, const char *leaf, float number) {
    tensor *t;
    const int32_t value = new_constant(u, leaf, DTYPE_FLOAT32, 0, NULL, &t);
    if (t != NULL) memcpy(t->data, &number, sizeof number);
    return value;
}

/* x + bias, if there is one. */
static int32_t add(unfusing *u, int32_t x, int32_t bias) {
    return bias == NONE ? x : builder_op(&u->b, "Add", x, bias, NONE);
}

static int32_t cast(unfusing *u, int32_t x, dtype type) {
    const int32_t y = builder_op(&u->b, "Cast", x, NONE, NONE);
    builder_int(&u->b, "to", type);
    return y;
}

/* --- Norms, activations, products ------------------------------------------------------------------------------------ */

static dtype float_of(const unfusing *u, int32_t value_of_from) {
    const dtype type = value_of_from >= 0 ? u->from->values[value_of_from].type : DTYPE_UNDEFINED;
    return type == DTYPE_FLOAT16 || type == DTYPE_BFLOAT16 ? type : DTYPE_FLOAT32;
}

static int is_product(const unfusing *u, size_t input) {
    const int32_t producer = u->from->values[u->node->inputs[input]].producer;
    return producer >= 0 && strstr(u->from->nodes[producer].op_type, "MatMul") != NULL;
}

static int skip_norm(unfusing *u) {
    int32_t sum;
    if (input_of(u, 1) == NONE || input_of(u, 2) == NONE) return 0;
    const int second = is_product(u, 1) && !is_product(u, 0); /* the bias is the product's */
    sum = add(u, input_of(u, (size_t)second), input_of(u, 4));
    sum = builder_op(&u->b, "Add", sum, input_of(u, (size_t)!second), NONE);
    name_output(u);
    give(u, 0, piece_layer_norm(&u->b, sum, input_of(u, 2), input_of(u, 3),
                                graph_node_float(u->node, "epsilon", 1e-12f)));
    give(u, 3, sum);
    return 1;
}

static int bias_gelu(unfusing *u) {
    graph_attribute how = {.name = "approximate", .type = ATTRIBUTE_STRING, .s = "tanh", .s_bytes = 4};
    const int32_t sum = add(u, input_of(u, 0), input_of(u, 1));
    name_output(u);
    give(u, 0, builder_op(&u->b, "Gelu", sum, NONE, NONE));
    if (is_fused(u->node, "FastGelu") && u->b.status == MINNOW_OK)
        builder_fail(&u->b, graph_add_attribute(u->b.g, u->b.last_node, &how, u->b.error));
    return 1;
}

static int32_t swapped(unfusing *u, size_t input, const char *attribute) {
    const int rank = u->from->values[u->node->inputs[input]].rank;
    int64_t perm[TENSOR_MAX_RANK];
    int32_t y;
    if (graph_node_int(u->node, attribute, 0) == 0) return input_of(u, input);
    for (int d = 0; d < rank; d++) perm[d] = d;
    perm[rank - 2] = rank - 1;
    perm[rank - 1] = rank - 2;
    y = builder_op(&u->b, "Transpose", input_of(u, input), NONE, NONE);
    builder_ints(&u->b, "perm", perm, (size_t)rank);
    return y;
}

static int fused_matmul(unfusing *u) {
    const float alpha = graph_node_float(u->node, "alpha", 1);
    int32_t a, b;
    if (input_of(u, 1) == NONE || graph_node_int(u->node, "transBatchA", 0) != 0 || graph_node_int(u->node, "transBatchB", 0) != 0 ||
        u->from->values[u->node->inputs[0]].rank < 2 || u->from->values[u->node->inputs[1]].rank < 2 ||
        float_of(u, u->node->inputs[0]) != DTYPE_FLOAT32)
        return 0;
    a = swapped(u, 0, "transA");
    b = swapped(u, 1, "transB");
    if (alpha == 1) name_output(u);
    a = builder_op(&u->b, "MatMul", a, b, NONE);
    if (alpha != 1) {
        b = new_scalar(u, "alpha", alpha);
        name_output(u);
        a = builder_op(&u->b, "Mul", a, b, NONE);
    }
    give(u, 0, a);
    return 1;
}

/* --- Embeddings ----------------------------------------------------------------------------------------------------- */

static int embed(unfusing *u) {
    const int32_t ids = input_of(u, 0), segments = input_of(u, 1), mask = input_of(u, 7);
    int32_t sum, positions;
    for (size_t i = 2; i <= 6; i++)
        if (i != 4 && input_of(u, i) == NONE) return 0;
    if ((segments == NONE) != (input_of(u, 4) == NONE)) return 0;
    sum = builder_op(&u->b, "Gather", input_of(u, 2), ids, NONE);
    if (input_of(u, 8) != NONE) positions = builder_op(&u->b, "Gather", input_of(u, 3), input_of(u, 8), NONE);
    else positions = piece_first_rows(&u->b, input_of(u, 3), piece_length(&u->b, ids));
    sum = builder_op(&u->b, "Add", sum, positions, NONE);
    if (segments != NONE)
        sum = builder_op(&u->b, "Add", sum, builder_op(&u->b, "Gather", input_of(u, 4), segments, NONE), NONE);
    name_output(u);
    give(u, 0, piece_layer_norm(&u->b, sum, input_of(u, 5), input_of(u, 6),
                                graph_node_float(u->node, "epsilon", 1e-12f)));
    give(u, 2, sum);
    if (u->node->n_outputs > 1 && u->node->outputs[1] >= 0) u->mask_of[u->node->outputs[1]] = mask;
    return 1;
}

/* --- Attention ------------------------------------------------------------------------------------------------------ */

/* Columns [first, first + n) of a constant [rows, columns] or [columns]. */
static int32_t columns_of(unfusing *u, const tensor *t, const char *leaf, size_t first, size_t n) {
    const size_t size = dtype_bytes(t->type), columns = (size_t)t->dims[t->rank - 1];
    int64_t dims[2] = {t->dims[0], (int64_t)n};
    tensor *part;
    const int32_t value = new_constant(u, leaf, t->type, t->rank, t->rank == 2 ? dims : dims + 1, &part);
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
    return type == DTYPE_FLOAT32 ? bias : cast(u, bias, type);
}

/* What scores are multiplied by, or divided by if the node names no scale: the root of a head's size. */
static int32_t factor_of(unfusing *u, int64_t size, dtype type) {
    const float scale = graph_node_float(u->node, "scale", 0);
    const int32_t leaf = scale != 0 ? new_scalar(u, "scale", scale) : new_scalar(u, "size", (float)size);
    const int32_t factor = scale != 0 ? leaf : builder_op(&u->b, "Sqrt", leaf, NONE, NONE);
    return type == DTYPE_FLOAT32 ? factor : cast(u, factor, type);
}

/* softmax(q k^T * scale + mask) of q [batch, heads, tokens, size] and k [batch, heads, size, tokens]. */
static int32_t probabilities(unfusing *u, int32_t q, int32_t k, int32_t factor, int32_t bias) {
    int32_t scores = builder_op(&u->b, "MatMul", q, k, NONE);
    scores = builder_op(&u->b, graph_node_float(u->node, "scale", 0) != 0 ? "Mul" : "Div", scores, factor, NONE);
    scores = builder_op(&u->b, "Softmax", add(u, scores, bias), NONE, NONE);
    builder_int(&u->b, "axis", -1);
    return scores;
}

/* softmax(q k^T * scale + mask) v of q, k, v [batch, tokens, hidden], as output 0. */
static void attend(unfusing *u, const int32_t qkv[3], int64_t hidden, int32_t bias, dtype type) {
    const int64_t n = graph_node_int(u->node, "num_heads", 0), split[4] = {0, 0, n, hidden / n}, join[3] = {0, 0, hidden};
    builder *b = &u->b;
    const int32_t shape = new_sizes(u, "heads", split, 4), factor = factor_of(u, hidden / n, type);
    const int32_t q = piece_transpose(b, builder_op(b, "Reshape", qkv[0], shape, NONE), 0, 2, 1, 3);
    const int32_t k = piece_transpose(b, builder_op(b, "Reshape", qkv[1], shape, NONE), 0, 2, 3, 1);
    const int32_t v = piece_transpose(b, builder_op(b, "Reshape", qkv[2], shape, NONE), 0, 2, 1, 3);
    int32_t scores = probabilities(u, q, k, factor, bias);
    scores = piece_transpose(b, builder_op(b, "MatMul", scores, v, NONE), 0, 2, 1, 3);
    const int32_t rows = new_sizes(u, "hidden", join, 3);
    name_output(u);
    give(u, 0, builder_op(b, "Reshape", scores, rows, NONE));
}

/* Heads that divide the hidden size, and nothing that an encoder does not have. */
static int is_plain(const unfusing *u, int64_t hidden, size_t first_other) {
    const int64_t n = graph_node_int(u->node, "num_heads", 0);
    for (size_t i = first_other; i < u->node->n_inputs; i++)
        if (u->node->inputs[i] >= 0) return 0;
    for (size_t i = 1; i < u->node->n_outputs; i++)
        if (u->node->outputs[i] >= 0) return 0;
    return n > 0 && hidden > 0 && hidden <= INT32_MAX && hidden % n == 0 && graph_node_int(u->node, "unidirectional", 0) == 0 &&
           graph_node_int(u->node, "do_rotary", 0) == 0 && graph_node_attribute(u->node, "qkv_hidden_sizes") == NULL;
}

static int attention(unfusing *u) {
    static const char *const names[3][2] = {{"query", "query_bias"}, {"key", "key_bias"}, {"value", "value_bias"}};
    const tensor *w = constant_of(u, 1, 2), *bias = constant_of(u, 2, 1);
    const size_t hidden = w != NULL ? (size_t)w->dims[1] / 3 : 0;
    const dtype type = float_of(u, u->node->inputs[0]);
    int32_t qkv[3], mask;
    int ok;
    if (w == NULL || hidden == 0 || (size_t)w->dims[1] != 3 * hidden || !is_plain(u, (int64_t)hidden, 4)) return 0;
    if (input_of(u, 2) != NONE && (bias == NULL || bias->dims[0] != w->dims[1])) return 0;
    mask = mask_bias(u, 3, type, &ok);
    if (!ok) return 0;
    for (size_t i = 0; i < 3; i++) {
        const int32_t part = columns_of(u, w, names[i][0], i * hidden, hidden);
        qkv[i] = builder_op(&u->b, "MatMul", input_of(u, 0), part, NONE);
        if (bias != NULL) qkv[i] = add(u, qkv[i], columns_of(u, bias, names[i][1], i * hidden, hidden));
    }
    attend(u, qkv, (int64_t)hidden, mask, type);
    return 1;
}

static int multi_head_attention(unfusing *u) {
    static const char *const names[3] = {"query_bias", "key_bias", "value_bias"};
    const graph_value *q = &u->from->values[u->node->inputs[0]];
    const int64_t hidden = q->rank == 3 ? q->dims[2].size : 0;
    const tensor *bias = constant_of(u, 3, 1);
    const dtype type = float_of(u, u->node->inputs[0]);
    int32_t qkv[3], mask;
    int ok;
    for (size_t i = 0; i < 3; i++)
        if (input_of(u, i) == NONE || u->from->values[u->node->inputs[i]].rank != 3) return 0;
    if (!is_plain(u, hidden, 5) || (input_of(u, 3) != NONE && (bias == NULL || bias->dims[0] != 3 * hidden))) return 0;
    mask = mask_bias(u, 4, type, &ok);
    if (!ok) return 0;
    for (size_t i = 0; i < 3; i++) {
        qkv[i] = input_of(u, i);
        if (bias != NULL) qkv[i] = add(u, qkv[i], columns_of(u, bias, names[i], i * (size_t)hidden, (size_t)hidden));
    }
    attend(u, qkv, hidden, mask, type);
    return 1;
}

/* What is added to the scores of ai.onnx's Attention: the mask itself, or the lowest number where a boolean one is 0. */
static int32_t standard_bias(unfusing *u, dtype type) {
    const int32_t mask = input_of(u, 3);
    int32_t none, all;
    if (mask == NONE || u->from->values[u->node->inputs[3]].type != DTYPE_BOOL) return mask;
    none = new_scalar(u, "unmasked", 0);
    all = new_scalar(u, "masked", type == DTYPE_FLOAT16 ? -65504.0f : -3e38f);
    if (type != DTYPE_FLOAT32) none = cast(u, none, type), all = cast(u, all, type);
    return builder_op(&u->b, "Where", mask, none, all);
}

/* ai.onnx's Attention with q, k, v [batch, heads, tokens, size], as PyTorch's exporter writes it from opset 23 on. */
static int standard_attention(unfusing *u) {
    const graph_value *q = &u->from->values[u->node->inputs[0]];
    const int64_t size = q->rank == 4 ? q->dims[3].size : 0;
    const dtype type = float_of(u, u->node->inputs[0]);
    int32_t factor, bias, k;
    for (size_t i = 0; i < 3; i++)
        if (input_of(u, i) == NONE || u->from->values[u->node->inputs[i]].rank != 4) return 0;
    for (size_t i = 4; i < u->node->n_inputs; i++)
        if (u->node->inputs[i] >= 0) return 0;
    for (size_t i = 1; i < u->node->n_outputs; i++)
        if (u->node->outputs[i] >= 0) return 0;
    if (size <= 0 || size > INT32_MAX || graph_node_int(u->node, "is_causal", 0) != 0 ||
        graph_node_float(u->node, "softcap", 0) != 0)
        return 0;
    factor = factor_of(u, size, type);
    bias = standard_bias(u, type);
    k = piece_transpose(&u->b, input_of(u, 1), 0, 1, 3, 2);
    k = probabilities(u, input_of(u, 0), k, factor, bias);
    name_output(u);
    give(u, 0, builder_op(&u->b, "MatMul", k, input_of(u, 2), NONE));
    return 1;
}

/* --- The graph ------------------------------------------------------------------------------------------------------ */

#define MICROSOFT "com.microsoft"

static const struct {
    const char *domain, *op_type;
    int (*take_apart)(unfusing *u);
    size_t n_inputs;
} known[] = {
    {"", "Attention", standard_attention, 3},
    {MICROSOFT, "Attention", attention, 2},
    {MICROSOFT, "BiasGelu", bias_gelu, 2},
    {MICROSOFT, "EmbedLayerNormalization", embed, 7},
    {MICROSOFT, "FastGelu", bias_gelu, 1},
    {MICROSOFT, "FusedMatMul", fused_matmul, 2},
    {MICROSOFT, "MultiHeadAttention", multi_head_attention, 3},
    {MICROSOFT, "SkipLayerNormalization", skip_norm, 3},
};

static int find_known(const graph_node *n, size_t *k) {
    for (*k = 0; *k < sizeof known / sizeof *known; ++*k)
        if (strcmp(n->domain, known[*k].domain) == 0 && strcmp(n->op_type, known[*k].op_type) == 0)
            return n->branch == 0 && n->n_inputs >= known[*k].n_inputs && n->n_outputs > 0 && n->outputs[0] >= 0 &&
                   n->inputs[0] >= 0;
    return 0;
}

/* The same value under its name, or one beside it if the name is taken. */
static int32_t copy_value(unfusing *u, int32_t value) {
    const graph_value *v = &u->from->values[value];
    char name[64];
    int32_t copy = graph_add_value(u->b.g, v->name);
    if (copy < 0) {
        snprintf(name, sizeof name, "value.%ld", (long)value);
        copy = graph_add_value(u->b.g, name);
    }
    if (copy < 0) builder_fail(&u->b, error_set(u->b.error, MINNOW_ERROR_MEMORY, "out of memory"));
    else if (v->constant != NULL) graph_value_set_constant(u->b.g, copy, v->constant);
    return copy;
}

static int32_t value_of(unfusing *u, int32_t value) {
    if (value < 0 || u->b.status != MINNOW_OK) return NONE;
    if (u->made[value] == NONE) u->made[value] = copy_value(u, value);
    return u->made[value];
}

static void copy_node(unfusing *u, const graph_node *n, int32_t *numbers) {
    graph *g = u->b.g;
    int32_t *outputs = numbers + n->n_inputs;
    size_t i;
    for (i = 0; i < n->n_inputs; i++) numbers[i] = value_of(u, n->inputs[i]);
    for (i = 0; i < n->n_outputs; i++) outputs[i] = value_of(u, n->outputs[i]);
    if (u->b.status != MINNOW_OK) return;
    const int32_t made = graph_add_node(g, n->op_type, n->name, numbers, n->n_inputs, outputs, n->n_outputs);
    if (made < 0) {
        builder_fail(&u->b, error_set(u->b.error, MINNOW_ERROR_MEMORY, "out of memory"));
        return;
    }
    g->nodes[made].domain = n->domain;
    g->nodes[made].opset = n->opset;
    g->nodes[made].branch = n->branch;
    g->nodes[made].attributes = n->attributes;
    g->nodes[made].n_attributes = g->nodes[made].attributes_capacity = n->n_attributes;
}

static void take_node(unfusing *u, size_t index, int32_t *numbers) {
    const graph_node *n = &u->from->nodes[index];
    char scope[BUILDER_SCOPE_BYTES / 2];
    size_t k, mark, i;
    int done = 0;
    if (find_known(n, &k)) {
        for (i = 0; i < n->n_inputs; i++) (void)value_of(u, n->inputs[i]);
        u->node = n;
        snprintf(scope, sizeof scope, "%.60s.%zu", n->name[0] != '\0' ? n->name : n->op_type, index);
        mark = builder_enter(&u->b, scope);
        done = known[k].take_apart(u);
        u->b.output_name = NULL;
        builder_leave(&u->b, mark);
    }
    if (!done) copy_node(u, n, numbers);
}

/* Names that the pieces have for their numbers: theirs before anybody else's. */
static void reserve_names(builder *b) {
    static const int64_t zero = 0, axes[2] = {1, 2};
    (void)builder_scalar(b, "one", 1.0f);
    (void)builder_scalar(b, "lowest", -0x1.fffffep127f);
    (void)builder_int64s(b, "zero", &zero, 1);
    (void)builder_int64s(b, "axes_1_2", axes, 2);
}

static int start(unfusing *u, const graph *g, int32_t **numbers) {
    size_t widest = 1, i;
    for (i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].n_inputs + g->nodes[i].n_outputs > widest)
            widest = g->nodes[i].n_inputs + g->nodes[i].n_outputs;
    u->made = malloc((g->n_values + 1) * sizeof *u->made);
    u->mask_of = malloc((g->n_values + 1) * sizeof *u->mask_of);
    *numbers = calloc(widest, sizeof **numbers);
    if (u->b.g == NULL || u->made == NULL || u->mask_of == NULL || *numbers == NULL) return 0;
    for (i = 0; i < g->n_values; i++) u->made[i] = u->mask_of[i] = NONE;
    for (i = 0; i < g->n_opsets; i++)
        if (!graph_set_opset(u->b.g, g->opsets[i].domain, g->opsets[i].version)) return 0;
    return graph_set_opset(u->b.g, "", OPSET); /* nodes that are copied keep theirs */
}

static void rebuild(unfusing *u, int32_t *numbers) {
    const graph *g = u->from;
    graph *to = u->b.g;
    size_t i;
    reserve_names(&u->b);
    for (i = 0; i < g->n_inputs; i++) {
        const graph_value *declared = &g->values[g->inputs[i]];
        const int32_t value = value_of(u, g->inputs[i]);
        if (value < 0 || !graph_add_input(to, value)) return;
        to->values[value].type = declared->type;
        to->values[value].rank = declared->rank;
        memcpy(to->values[value].dims, declared->dims, sizeof declared->dims);
    }
    for (i = 0; i < g->n_branches && u->b.status == MINNOW_OK; i++) {
        const graph_branch *branch = &g->branches[i];
        if (graph_add_branch(to, value_of(u, branch->condition), branch->when, branch->outer) == 0)
            builder_fail(&u->b, error_set(u->b.error, MINNOW_ERROR_MEMORY, "out of memory"));
    }
    for (i = 0; i < g->n_nodes && u->b.status == MINNOW_OK; i++) take_node(u, i, numbers);
    for (i = 0; i < g->n_outputs && u->b.status == MINNOW_OK; i++)
        if (!graph_add_output(to, value_of(u, g->outputs[i])))
            builder_fail(&u->b, error_set(u->b.error, MINNOW_ERROR_MEMORY, "out of memory"));
}

minnow_status unfuse(graph **out, const graph *g, minnow_error *error) {
    unfusing u = {.from = g, .b.error = error};
    int32_t *numbers = NULL;
    size_t i, k, n = 0;
    *out = NULL;
    for (i = 0; i < g->n_nodes; i++) n += (size_t)find_known(&g->nodes[i], &k);
    if (n == 0) return MINNOW_OK;
    u.b.g = graph_create();
    if (start(&u, g, &numbers)) rebuild(&u, numbers);
    else builder_fail(&u.b, error_set(error, MINNOW_ERROR_MEMORY, "out of memory while looking for the encoder"));
    free(numbers);
    free(u.made);
    free(u.mask_of);
    if (u.b.status != MINNOW_OK) graph_close(&u.b.g);
    *out = u.b.g;
    return u.b.status;
}
