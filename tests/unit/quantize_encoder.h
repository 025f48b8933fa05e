/* SPDX-License-Identifier: Apache-2.0
 * A small random encoder with its texts and ranges, quantized; and what its matrices compute. */
#ifndef MINNOW_TESTS_QUANTIZE_ENCODER_H
#define MINNOW_TESTS_QUANTIZE_ENCODER_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "convert/quantize/parts.h"
#include "run/engine/pool.h"

static uint32_t random_state = 1;
static inline uint32_t random_u32(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}
static inline float random_float(void) { return (float)(int32_t)random_u32() * (1.0f / 2147483648.0f); }
/* Roughly normal, deviation 1. */
static inline float random_normal(void) {
    float sum = 0.0f;
    for (int i = 0; i < 6; i++) sum += random_float();
    return sum * 0.7071f;
}

/* --- A small encoder ---------------------------------------------------------------------------------------------- */
#define HIDDEN 32
#define HEADS 4
#define INNER 64
#define LAYERS 2
#define VOCAB 60
#define POSITIONS 24
#define TEXTS 80

typedef struct fixture {
    arena memory;
    encoder e;
    float_encoder *f;
    calibration_texts texts;
    ranges r;
} fixture;

static inline float *random_floats(arena *memory, size_t n, float deviation, float mean) {
    float *x = arena_array(memory, n, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) x[i] = mean + deviation * random_normal();
    return x;
}

static inline encoder_linear random_linear(arena *memory, size_t n, size_t k) {
    const float deviation = 1.0f / sqrtf((float)k);
    return (encoder_linear){n, k, random_floats(memory, n * k, deviation, 0.0f), random_floats(memory, n, 0.3f, 0.0f),
                            "linear"};
}

static inline encoder_norm random_norm(arena *memory) {
    return (encoder_norm){random_floats(memory, HIDDEN, 0.1f, 1.0f), random_floats(memory, HIDDEN, 0.2f, 0.0f), 1e-12f};
}

static inline void random_encoder(encoder *e, arena *memory) {
    *e = (encoder){.n_layers = LAYERS, .hidden = HIDDEN, .n_heads = HEADS, .intermediate = INNER, .n_vocab = VOCAB,
                   .n_positions = POSITIONS, .attention_scale = 1.0f / sqrtf((float)HIDDEN / HEADS)};
    e->words = random_floats(memory, VOCAB * HIDDEN, 0.5f, 0.0f);
    e->positions = random_floats(memory, POSITIONS * HIDDEN, 0.1f, 0.0f);
    e->embedding_norm = random_norm(memory);
    e->layers = arena_array(memory, LAYERS, sizeof *e->layers);
    assert_non_null(e->layers);
    for (size_t i = 0; i < LAYERS; i++) {
        encoder_layer *l = &e->layers[i];
        l->query = random_linear(memory, HIDDEN, HIDDEN);
        l->key = random_linear(memory, HIDDEN, HIDDEN);
        l->value = random_linear(memory, HIDDEN, HIDDEN);
        l->output = random_linear(memory, HIDDEN, HIDDEN);
        l->up = random_linear(memory, INNER, HIDDEN);
        l->down = random_linear(memory, HIDDEN, INNER);
        l->attention_norm = random_norm(memory);
        l->output_norm = random_norm(memory);
    }
}

static inline void random_texts(calibration_texts *t, arena *memory) {
    *t = (calibration_texts){.n_texts = TEXTS, .n_available = TEXTS};
    t->starts = arena_array(memory, TEXTS + 1, sizeof *t->starts);
    for (size_t i = 0; i < TEXTS; i++) {
        const size_t n = 1 + random_u32() % (POSITIONS - 1);
        if (n > t->longest) t->longest = n;
        t->starts[i + 1] = t->starts[i] + n;
    }
    t->rows = t->starts[TEXTS];
    t->ids = arena_array(memory, t->rows, sizeof *t->ids);
    for (size_t i = 0; i < t->rows; i++) t->ids[i] = (int32_t)(random_u32() % VOCAB);
}

/* --- Its ranges, by the plainest rule: extremes, centred in the middle, s by the extremes of each channel --------- */
static inline void add_rows(float *least, float *most, float *mean, const float *x, size_t rows, size_t n) {
    for (size_t j = 0; j < n; j++) {
        double sum = 0.0;
        least[j] = most[j] = x[j];
        for (size_t i = 0; i < rows; i++) {
            least[j] = fminf(least[j], x[i * n + j]);
            most[j] = fmaxf(most[j], x[i * n + j]);
            sum += (double)x[i * n + j];
        }
        if (mean != NULL) mean[j] = (float)(sum / (double)rows);
    }
}

static inline void make_site(fixture *x, size_t layer, range_role role, const float *values, size_t n, int equalize) {
    range_site *s = &x->r.sites[layer * RANGE_ROLES + role];
    const int is_key = role == RANGE_KEY, is_symmetric = is_key || role == RANGE_QUERY || role == RANGE_VALUE;
    *s = (range_site){.layer = layer, .channels = n, .role = role, .symmetric = is_symmetric, .method = RANGE_MINMAX};
    snprintf(s->name, sizeof s->name, "layer.%zu.%d", layer, (int)role);
    s->low_code = is_key ? -63 : is_symmetric ? -127 : -128;
    s->high_code = is_key ? 63 : 127;
    s->minimum = arena_array(&x->memory, n, sizeof(float));
    s->maximum = arena_array(&x->memory, n, sizeof(float));
    s->mean = arena_array(&x->memory, n, sizeof(float));
    s->center = arena_array(&x->memory, n, sizeof(float));
    s->s = arena_array(&x->memory, n, sizeof(float));
    add_rows(s->minimum, s->maximum, s->mean, values, x->texts.rows, n);
    for (size_t j = 0; j < n; j++) {
        const float half = 0.5f * (s->maximum[j] - s->minimum[j]), middle = 0.5f * (s->maximum[j] + s->minimum[j]);
        s->s[j] = equalize && !is_key && role != RANGE_QUERY ? sqrtf(half + 0.01f) : 1.0f;
        s->center[j] = equalize && role != RANGE_QUERY && role != RANGE_DOWN_INPUT ? middle : 0.0f;
        s->least = fminf(s->least, (s->minimum[j] - s->center[j]) / s->s[j]);
        s->most = fmaxf(s->most, (s->maximum[j] - s->center[j]) / s->s[j]);
    }
    s->low = is_symmetric ? -fmaxf(-s->least, s->most) : s->least;
    s->high = is_symmetric ? -s->low : s->most;
}

static inline void make_ranges(fixture *x, int equalize) {
    const size_t rows = x->texts.rows;
    float *hidden = arena_array(&x->memory, rows * HIDDEN, sizeof(float)),
        *sum = arena_array(&x->memory, rows * HIDDEN, sizeof(float));
    const engine_texts all = {x->texts.ids, x->texts.starts, TEXTS};
    float_activations a = {0};
    minnow_error error = {0};
    x->r = (ranges){.n_layers = LAYERS, .hidden = HIDDEN, .intermediate = INNER, .n_heads = HEADS,
                    .n_sites = LAYERS * RANGE_ROLES};
    x->r.sites = arena_array(&x->memory, x->r.n_sites, sizeof *x->r.sites);
    x->r.norms = arena_array(&x->memory, 2 * LAYERS + 1, sizeof *x->r.norms);
    for (size_t i = 0; i < 2 * LAYERS + 1; i++) {
        x->r.norms[i].minimum = arena_array(&x->memory, HIDDEN, sizeof(float));
        x->r.norms[i].maximum = arena_array(&x->memory, HIDDEN, sizeof(float));
    }
    assert_int_equal(float_activations_reserve(&a, &x->e, rows, &error), MINNOW_OK);
    assert_int_equal(float_encoder_embed(x->f, &all, sum, hidden, &error), MINNOW_OK);
    add_rows(x->r.norms[0].minimum, x->r.norms[0].maximum, NULL, sum, rows, HIDDEN);
    for (size_t i = 0; i < LAYERS; i++) {
        assert_int_equal(float_encoder_layer(x->f, i, &all, hidden, &a, &error), MINNOW_OK);
        make_site(x, i, RANGE_ATTENTION_INPUT, hidden, HIDDEN, equalize);
        make_site(x, i, RANGE_QUERY, a.query, HIDDEN, equalize);
        make_site(x, i, RANGE_KEY, a.key, HIDDEN, equalize);
        make_site(x, i, RANGE_VALUE, a.value, HIDDEN, equalize);
        make_site(x, i, RANGE_CONTEXT, a.context, HIDDEN, equalize);
        make_site(x, i, RANGE_UP_INPUT, a.attended, HIDDEN, equalize);
        make_site(x, i, RANGE_DOWN_INPUT, a.inner, INNER, equalize);
        add_rows(x->r.norms[1 + 2 * i].minimum, x->r.norms[1 + 2 * i].maximum, NULL, a.attention_sum, rows, HIDDEN);
        add_rows(x->r.norms[2 + 2 * i].minimum, x->r.norms[2 + 2 * i].maximum, NULL, a.output_sum, rows, HIDDEN);
        memcpy(hidden, a.hidden, rows * HIDDEN * sizeof(float));
    }
    float_activations_free(&a);
}

static inline void set_up(fixture *x) {
    minnow_error error = {0};
    *x = (fixture){0};
    random_state = 20261123;
    random_encoder(&x->e, &x->memory);
    random_texts(&x->texts, &x->memory);
    assert_int_equal(float_encoder_create(&x->f, &x->e, NULL, &error), MINNOW_OK);
    make_ranges(x, 1);
}

static inline void tear_down(fixture *x) {
    float_encoder_close(&x->f);
    arena_free(&x->memory);
}

static inline int8_model *quantized(fixture *x, const quantize_options *options, quantize_matrix_report *report) {
    int8_model *m = NULL;
    minnow_error error = {0};
    const minnow_status status = quantize_encoder(&m, &x->e, &x->r, x->f, &x->texts, options, report, &error);
    if (status != MINNOW_OK) fail_msg("%s", error.message);
    return m;
}

/* Pooled vectors of all texts, [TEXTS][HIDDEN]. */
static inline void float_vectors(fixture *x, float *out) {
    const engine_texts all = {x->texts.ids, x->texts.starts, TEXTS};
    float_activations a = {0};
    float *hidden = calloc(x->texts.rows * HIDDEN, sizeof *hidden);
    double scratch[HIDDEN];
    minnow_error error = {0};
    assert_int_equal(float_activations_reserve(&a, &x->e, x->texts.rows, &error), MINNOW_OK);
    assert_int_equal(float_encoder_embed(x->f, &all, NULL, hidden, &error), MINNOW_OK);
    for (size_t i = 0; i < LAYERS; i++) {
        assert_int_equal(float_encoder_layer(x->f, i, &all, hidden, &a, &error), MINNOW_OK);
        memcpy(hidden, a.hidden, x->texts.rows * HIDDEN * sizeof *hidden);
    }
    for (size_t t = 0; t < TEXTS; t++)
        pool_tokens(hidden + all.starts[t] * HIDDEN, all.starts[t + 1] - all.starts[t], HIDDEN, MINNOW_POOLING_MEAN, 1,
                    scratch, out + t * HIDDEN);
    float_activations_free(&a);
    free(hidden);
}

static inline void int8_vectors(const fixture *x, const int8_model *m, float *out) {
    const engine_texts all = {x->texts.ids, x->texts.starts, TEXTS};
    float *hidden = calloc(x->texts.rows * HIDDEN, sizeof *hidden);
    void *work = memory_aligned_alloc(engine_scratch_bytes(m, x->texts.rows, x->texts.longest));
    double scratch[HIDDEN];
    assert_non_null(work);
    engine_run(m, kernels_best(), &all, work, hidden);
    for (size_t t = 0; t < TEXTS; t++)
        pool_tokens(hidden + all.starts[t] * HIDDEN, all.starts[t + 1] - all.starts[t], HIDDEN, MINNOW_POOLING_MEAN, 1,
                    scratch, out + t * HIDDEN);
    memory_aligned_free(work);
    free(hidden);
}

/* Mean cosine of the model's vectors with the float encoder's. */
static inline double cosine(fixture *x, const int8_model *m) {
    static float a[TEXTS * HIDDEN], b[TEXTS * HIDDEN];
    double sum = 0.0;
    float_vectors(x, a);
    int8_vectors(x, m, b);
    for (size_t i = 0; i < TEXTS * HIDDEN; i++) sum += (double)a[i] * (double)b[i];
    return sum / TEXTS;
}

/* --- Matrices ----------------------------------------------------------------------------------------------------- */
static inline int code_of(const int8_matrix *m, size_t i, size_t j) {
    return (int)m->panels[int8_panel_index(m->k, i, j)] - 64;
}

/* y = scale * sum code * weight + bias. */
static inline double output_of(const int8_matrix *m, size_t i, const int *codes) {
    long sum = 0;
    for (size_t j = 0; j < m->k; j++) sum += (long)codes[j] * code_of(m, i, j);
    return (double)sum * (double)m->scale[i] + (double)m->bias[i];
}

#endif
