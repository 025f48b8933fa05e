/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes fused operators apart, onnxruntime's and ONNX's Attention. In: a graph that an optimizer or exporter saved.
 * Out: a graph of ONNX's own operators with the same weights. unfuse_impl.h says which becomes what. */
#include "convert/optimize/unfuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/optimize/unfuse_impl.h"

#define OPSET 17 /* of the nodes that are made here */

/* --- What the new nodes are made of ------------------------------------------------------------------------------- */

int32_t unfuse_input(const unfusing *u, size_t i) {
    return i < u->node->n_inputs && u->node->inputs[i] >= 0 ? u->made[u->node->inputs[i]] : NONE;
}

const tensor *unfuse_constant(const unfusing *u, size_t i, int rank) {
    const int32_t value = i < u->node->n_inputs ? u->node->inputs[i] : NONE;
    const tensor *t = value >= 0 ? u->from->values[value].constant : NULL;
    return t != NULL && t->rank == rank && dtype_bytes(t->type) != 0 ? t : NULL;
}

void unfuse_give(unfusing *u, size_t output, int32_t value) {
    if (output < u->node->n_outputs && u->node->outputs[output] >= 0) u->made[u->node->outputs[output]] = value;
}

void unfuse_name_output(unfusing *u) {
    const char *name = u->from->values[u->node->outputs[0]].name;
    if (graph_find_value(u->b.g, name) < 0) u->b.output_name = name;
}

int32_t unfuse_new_constant(unfusing *u, const char *leaf, dtype type, int rank, const int64_t *dims, tensor **out) {
    tensor *t = arena_alloc(&u->b.g->memory, sizeof *t);
    *out = NULL;
    if (t != NULL) {
        t->type = type;
        t->rank = rank;
        if (rank > 0) memcpy(t->dims, dims, (size_t)rank * sizeof *dims);
        t->data = arena_array(&u->b.g->memory, tensor_count(t), dtype_bytes(type));
    }
    if (t == NULL || t->data == NULL) {
        builder_fail(&u->b, error_set(u->b.error, MINNOW_ERROR_MEMORY, "out of memory while looking for the encoder"));
        return NONE;
    }
    *out = t;
    return builder_constant(&u->b, leaf, t);
}

int32_t unfuse_new_sizes(unfusing *u, const char *leaf, const int64_t *sizes, int64_t n) {
    tensor *t;
    const int32_t value = unfuse_new_constant(u, leaf, DTYPE_INT64, 1, &n, &t);
    if (t != NULL) memcpy(t->data, sizes, (size_t)n * sizeof *sizes);
    return value;
}

int32_t unfuse_new_scalar(unfusing *u, const char *leaf, float number) {
    tensor *t;
    const int32_t value = unfuse_new_constant(u, leaf, DTYPE_FLOAT32, 0, NULL, &t);
    if (t != NULL) memcpy(t->data, &number, sizeof number);
    return value;
}

int32_t unfuse_add(unfusing *u, int32_t x, int32_t bias) {
    return bias == NONE ? x : builder_op(&u->b, "Add", x, bias, NONE);
}

int32_t unfuse_cast(unfusing *u, int32_t x, dtype type) {
    const int32_t y = builder_op(&u->b, "Cast", x, NONE, NONE);
    builder_int(&u->b, "to", type);
    return y;
}

dtype unfuse_float_type(const unfusing *u, int32_t value_of_from) {
    const dtype type = value_of_from >= 0 ? u->from->values[value_of_from].type : DTYPE_UNDEFINED;
    return type == DTYPE_FLOAT16 || type == DTYPE_BFLOAT16 ? type : DTYPE_FLOAT32;
}

/* --- The graph ---------------------------------------------------------------------------------------------------- */

#define MICROSOFT "com.microsoft"

static const struct {
    const char *domain, *op_type;
    int (*take_apart)(unfusing *u);
    size_t n_inputs;
} known[] = {
    {"", "Attention", unfuse_standard_attention, 3},
    {MICROSOFT, "Attention", unfuse_attention, 2},
    {MICROSOFT, "BiasGelu", unfuse_bias_gelu, 2},
    {MICROSOFT, "EmbedLayerNormalization", unfuse_embed, 7},
    {MICROSOFT, "FastGelu", unfuse_bias_gelu, 1},
    {MICROSOFT, "FusedMatMul", unfuse_fused_matmul, 2},
    {MICROSOFT, "MultiHeadAttention", unfuse_multi_head_attention, 3},
    {MICROSOFT, "SkipLayerNormalization", unfuse_skip_norm, 3},
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
