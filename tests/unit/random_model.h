/* SPDX-License-Identifier: Apache-2.0
 * A small int8_model of random numbers, built in memory: for tests of whatever takes a model. The same seed gives the
 * same model on every machine (integers and exact float steps only). Values are such that every step works in its
 * middle range. */
#ifndef MINNOW_TESTS_RANDOM_MODEL_H
#define MINNOW_TESTS_RANDOM_MODEL_H

#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "run/model/model.h"

typedef struct random_shape {
    size_t n_layers, hidden, n_heads, intermediate, n_vocab, n_positions;
    int8_table_kind words;
    int norm_inputs; /* 1: the norms round their inputs (--ln-inputs) */
} random_shape;

/* Heads of 8, a matrix of 3 x 32 = 96 columns (6 panels), an intermediate that ends inside a panel. */
static const random_shape small_shape = {.n_layers = 2, .hidden = 32, .n_heads = 4, .intermediate = 72, .n_vocab = 100,
                                         .n_positions = 80, .words = INT8_TABLE_ROWS};

typedef struct random_model {
    int8_model model;
    arena memory;
    uint32_t state;
} random_model;

static inline uint32_t random_bits(random_model *r) { /* xorshift32 */
    r->state ^= r->state << 13;
    r->state ^= r->state >> 17;
    r->state ^= r->state << 5;
    return r->state;
}
/* In [low, low + span). */
static inline float random_between(random_model *r, float low, float span) {
    return low + span * ((float)(random_bits(r) >> 8) * 0x1p-24f);
}

/* NULL if out of memory, as the whole model then is. */
static inline float *random_floats(random_model *r, size_t n, size_t room, float low, float span) {
    float *out = arena_array(&r->memory, room, sizeof *out);
    size_t i;
    for (i = 0; out != NULL && i < n; i++) out[i] = random_between(r, low, span);
    return out;
}

static inline int8_quantizer random_quantizer(random_model *r, size_t channels, float multiplier, float offset) {
    int8_quantizer q;
    q.multiplier = random_floats(r, channels, channels, multiplier * 0.5f, multiplier);
    q.offset = random_floats(r, channels, channels, offset, 0.0f);
    return q;
}

/* Outputs of about `size` for inputs of about 45. */
static inline int8_matrix random_matrix(random_model *r, size_t n, size_t k, float size) {
    const size_t bytes = int8_panels_bytes(n, k), room = int8_panels(n) * INT8_PANEL;
    float scale, root = 1.0f;
    uint8_t *panels = arena_alloc(&r->memory, bytes);
    int8_matrix w = {.n = n, .k = k, .panels = panels};
    size_t i, j;
    if (panels != NULL) {
        memset(panels, INT8_WEIGHT_BIAS, bytes);
        for (i = 0; i < n; i++)
            for (j = 0; j < k; j++) panels[int8_panel_index(k, i, j)] = (uint8_t)(random_bits(r) >> 25);
    }
    while (root * root < (float)k) root += 1.0f;
    scale = size * 0x1p-11f / root;
    w.scale = random_floats(r, n, room, 0.5f * scale, scale);
    w.bias = random_floats(r, n, room, -0.25f * size, 0.5f * size);
    return w;
}

static inline int8_norm random_norm(random_model *r, size_t n, int norm_inputs) {
    int8_norm norm = {0};
    norm.gamma = random_floats(r, n, n, 0.5f, 1.0f);
    norm.beta = random_floats(r, n, n, -0.5f, 1.0f);
    if (norm_inputs) {
        norm.input_multiplier = random_floats(r, n, n, 16.0f, 16.0f);
        norm.input_step = random_floats(r, n, n, 0x1p-5f, 0x1p-5f);
    }
    return norm;
}

static inline int8_table random_table(random_model *r, int8_table_kind kind, size_t rows, size_t columns) {
    int8_table t = {.kind = kind, .rows = rows, .columns = columns};
    const size_t n = rows * columns;
    size_t i, n_halves = 0;
    if (kind == INT8_TABLE_MIXED) {
        uint32_t *list = arena_array(&r->memory, 2, sizeof *list);
        if (list != NULL) list[0] = 3, list[1] = (uint32_t)columns - 1;
        t.outlier_columns = list;
        t.n_outliers = 2;
        n_halves = rows * 2;
    }
    if (kind == INT8_TABLE_HALF) n_halves = n;
    if (n_halves > 0) {
        uint16_t *halves = arena_array(&r->memory, n_halves, sizeof *halves);
        for (i = 0; halves != NULL && i < n_halves; i++) /* +-[2^-25, 2), subnormal ones too */
            halves[i] = (uint16_t)((random_bits(r) >> 16) & 0xbfff);
        t.halves = halves;
    }
    if (kind != INT8_TABLE_HALF) {
        int8_t *codes = arena_alloc(&r->memory, n);
        for (i = 0; codes != NULL && i < n; i++) codes[i] = (int8_t)((int)(random_bits(r) >> 24) - 128);
        for (i = 0; codes != NULL && kind == INT8_TABLE_MIXED && i < rows; i++)
            codes[i * columns + 3] = codes[(i + 1) * columns - 1] = 0;
        t.codes = codes;
        t.scale = random_floats(r, kind == INT8_TABLE_TENSOR ? 1 : rows, rows, 0x1p-7f, 0x1p-7f);
    }
    return t;
}

static inline void random_layer(random_model *r, const random_shape *s, int8_layer *layer) {
    const size_t h = s->hidden;
    layer->attention_input = random_quantizer(r, h, 40.0f, 3.0f);
    layer->query_key_value = random_matrix(r, 3 * h, h, 40.0f);
    layer->score_scale = random_floats(r, s->n_heads, s->n_heads, 0x1p-11f, 0x1p-10f);
    layer->context = random_quantizer(r, h, 2.0f, -1.0f);
    layer->attention_output = random_matrix(r, h, h, 1.0f);
    layer->attention_norm = random_norm(r, h, s->norm_inputs);
    layer->up_input = random_quantizer(r, h, 40.0f, 0.0f);
    layer->up = random_matrix(r, s->intermediate, h, 2.0f);
    layer->down_input = random_quantizer(r, s->intermediate, 40.0f, -100.0f);
    layer->down = random_matrix(r, h, s->intermediate, 1.0f);
    layer->output_norm = random_norm(r, h, s->norm_inputs);
}

static inline void random_model_free(random_model *r) { arena_free(&r->memory); }

/* 0 if out of memory. The model has no storage and no tokenizer: free it with random_model_free. */
static inline int random_model_init(random_model *r, const random_shape *s, uint32_t seed) {
    int8_model *m = &r->model;
    int8_layer *layers;
    size_t i;
    memset(r, 0, sizeof *r);
    arena_init(&r->memory, (size_t)1 << 28);
    r->state = seed * 2654435761u + 1u;
    m->n_layers = s->n_layers;
    m->hidden = s->hidden;
    m->n_heads = s->n_heads;
    m->intermediate = s->intermediate;
    m->n_vocab = s->n_vocab;
    m->n_positions = m->max_tokens = s->n_positions;
    m->activation = INT8_GELU;
    m->norm_epsilon = 1e-12f;
    m->words = random_table(r, s->words, s->n_vocab, s->hidden);
    m->positions = random_table(r, s->words == INT8_TABLE_HALF ? INT8_TABLE_HALF : INT8_TABLE_ROWS, s->n_positions,
                                s->hidden);
    m->embedding_norm = random_norm(r, s->hidden, s->norm_inputs);
    m->layers = layers = arena_array(&r->memory, s->n_layers, sizeof *layers);
    for (i = 0; layers != NULL && i < s->n_layers; i++) random_layer(r, s, &layers[i]);
    m->pooling = MINNOW_POOLING_MEAN;
    m->normalize = 1;
    m->name = "random";
    m->licence = m->source = "";
    if (arena_alloc(&r->memory, 1) != NULL) return 1;
    random_model_free(r);
    return 0;
}

#endif
