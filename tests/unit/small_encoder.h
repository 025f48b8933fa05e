/* SPDX-License-Identifier: Apache-2.0
 * A small random encoder and texts for it, the same on every machine. */
#ifndef MINNOW_TESTS_SMALL_ENCODER_H
#define MINNOW_TESTS_SMALL_ENCODER_H

#include "convert/calibrate/ranges.h"

enum { SMALL_HIDDEN = 12, SMALL_HEADS = 3, SMALL_INNER = 20, SMALL_LAYERS = 2, SMALL_VOCAB = 40, SMALL_POSITIONS = 90, SMALL_TEXTS = 70 };

typedef struct small_encoder {
    encoder e;
    encoder_layer layers[SMALL_LAYERS];
    float weights[8000];
    size_t used;
    uint32_t state;
    int32_t ids[4096];
    size_t starts[SMALL_TEXTS + 1];
    calibration_texts texts;
} small_encoder;

static inline uint32_t small_random(small_encoder *s) {
    s->state = s->state * 1664525u + 1013904223u;
    return s->state >> 8;
}

static inline float *small_floats(small_encoder *s, size_t n, float middle, float width) {
    float *x = s->weights + s->used;
    for (size_t i = 0; i < n; i++) x[i] = middle + width * ((float)small_random(s) / 8388608.0f - 1.0f);
    s->used += n;
    return x;
}

static inline encoder_linear small_linear(small_encoder *s, size_t n, size_t k) {
    encoder_linear w = {n, k, NULL, NULL, "linear"};
    w.weight = small_floats(s, n * k, 0, 0.5f);
    w.bias = small_floats(s, n, 0, 0.2f);
    return w;
}

static inline encoder_norm small_norm(small_encoder *s) {
    encoder_norm w = {NULL, NULL, 1e-12f};
    w.gamma = small_floats(s, SMALL_HIDDEN, 1, 0.8f);
    w.beta = small_floats(s, SMALL_HIDDEN, 0, 0.3f);
    return w;
}

/* Texts of 1, 2, ..: all lengths up to 71, so that attention has blocks of rows and a rest. */
static inline void small_texts(small_encoder *s) {
    size_t t, i, at = 0;
    for (t = 0; t < SMALL_TEXTS; t++) {
        const size_t n = 1 + t * 29 % 71;
        s->starts[t] = at;
        for (i = 0; i < n; i++) s->ids[at++] = (int32_t)(small_random(s) % SMALL_VOCAB);
        if (n > s->texts.longest) s->texts.longest = n;
    }
    s->starts[t] = at;
    s->texts.ids = s->ids;
    s->texts.starts = s->starts;
    s->texts.n_texts = s->texts.n_available = SMALL_TEXTS;
    s->texts.rows = at;
}

static inline void small_encoder_make(small_encoder *s) {
    size_t i;
    *s = (small_encoder){.state = 7};
    s->e = (encoder){.n_layers = SMALL_LAYERS, .hidden = SMALL_HIDDEN, .n_heads = SMALL_HEADS, .intermediate = SMALL_INNER,
                     .n_vocab = SMALL_VOCAB, .n_positions = SMALL_POSITIONS, .attention_scale = 0.5f, .layers = s->layers};
    s->e.words = small_floats(s, SMALL_VOCAB * SMALL_HIDDEN, 0, 1);
    s->e.positions = small_floats(s, SMALL_POSITIONS * SMALL_HIDDEN, 0, 0.3f);
    s->e.embedding_norm = small_norm(s);
    for (i = 0; i < SMALL_LAYERS; i++) {
        encoder_layer *l = &s->layers[i];
        l->query = small_linear(s, SMALL_HIDDEN, SMALL_HIDDEN);
        l->key = small_linear(s, SMALL_HIDDEN, SMALL_HIDDEN);
        l->value = small_linear(s, SMALL_HIDDEN, SMALL_HIDDEN);
        l->output = small_linear(s, SMALL_HIDDEN, SMALL_HIDDEN);
        l->attention_norm = small_norm(s);
        l->up = small_linear(s, SMALL_INNER, SMALL_HIDDEN);
        l->down = small_linear(s, SMALL_HIDDEN, SMALL_INNER);
        l->output_norm = small_norm(s);
    }
    small_texts(s);
}

#endif
