/* SPDX-License-Identifier: Apache-2.0
 * src/run/engine/engine.h on small random models: a text gives the same bytes in any company, by every table of
 * kernels, and by the steps as by the whole; those bytes are the committed ones; embeddings against double. */
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
#include "base/sha256.h"
#include "kernel_tables.h"
#include "random_model.h"
#include "run/engine/engine.h"

#define GUARD_BYTES 64
#define N_TEXTS 9
/* Around the edges of panels (16), of tiles of rows and of the engine's blocks of rows (48). */
static const size_t lengths[N_TEXTS] = {1, 2, 5, 16, 17, 33, 48, 49, 80};

typedef struct batch {
    int32_t ids[512];
    size_t starts[N_TEXTS + 1];
    engine_texts texts;
} batch;

/* Text i of `which` has lengths[which[i]] tokens, which depend on which[i] alone. */
static void batch_init(batch *b, const size_t *which, size_t n_texts) {
    size_t i, t;
    b->starts[0] = 0;
    for (i = 0; i < n_texts; i++) {
        for (t = 0; t < lengths[which[i]]; t++)
            b->ids[b->starts[i] + t] = (int32_t)((t * (2 * which[i] + 3) + 7 * which[i]) % small_shape.n_vocab);
        b->starts[i + 1] = b->starts[i] + lengths[which[i]];
    }
    b->texts = (engine_texts){b->ids, b->starts, n_texts};
}

static size_t longest_of(const batch *b) {
    size_t i, longest = 0;
    for (i = 0; i < b->texts.n_texts; i++)
        if (b->starts[i + 1] - b->starts[i] > longest) longest = b->starts[i + 1] - b->starts[i];
    return longest;
}

static void model_init(random_model *r, int8_table_kind words, int norm_inputs, uint32_t seed) {
    random_shape s = small_shape;
    s.words = words;
    s.norm_inputs = norm_inputs;
    assert_true(random_model_init(r, &s, seed));
}

/* The hidden states, to be freed. Guards stand behind them and behind the scratch memory, which begins full of
 * something. */
static float *run(const int8_model *m, const kernels *k, const batch *b) {
    const size_t rows = b->starts[b->texts.n_texts], bytes = engine_scratch_bytes(m, rows, longest_of(b));
    const size_t out_bytes = rows * m->hidden * sizeof(float);
    uint8_t *scratch = memory_aligned_alloc(bytes + GUARD_BYTES);
    uint8_t *hidden = memory_aligned_alloc(out_bytes + GUARD_BYTES);
    size_t i;
    assert_true(bytes > 0 && scratch != NULL && hidden != NULL);
    memset(scratch, 0xa5, bytes + GUARD_BYTES);
    memset(hidden, 0xa5, out_bytes + GUARD_BYTES);
    engine_run(m, k, &b->texts, scratch, (float *)(void *)hidden);
    for (i = 0; i < GUARD_BYTES; i++) assert_true(scratch[bytes + i] == 0xa5 && hidden[out_bytes + i] == 0xa5);
    memory_aligned_free(scratch);
    return (float *)(void *)hidden;
}

static const size_t all_texts[N_TEXTS] = {0, 1, 2, 3, 4, 5, 6, 7, 8};

/* --- The same bytes ----------------------------------------------------------------------------------------------- */
static void check_company(const int8_model *m, const kernels *k, const batch *all, const float *expected) {
    static const size_t backwards[N_TEXTS] = {8, 7, 6, 5, 4, 3, 2, 1, 0}, some[4] = {4, 0, 7, 4};
    const size_t *sets[3 + N_TEXTS] = {all_texts, backwards, some};
    size_t sizes[3 + N_TEXTS] = {N_TEXTS, N_TEXTS, 4}, s, i;
    for (i = 0; i < N_TEXTS; i++) sets[3 + i] = &all_texts[i], sizes[3 + i] = 1; /* each alone */
    for (s = 0; s < 3 + N_TEXTS; s++) {
        batch b;
        float *hidden;
        batch_init(&b, sets[s], sizes[s]);
        hidden = run(m, k, &b);
        for (i = 0; i < sizes[s]; i++)
            if (memcmp(hidden + b.starts[i] * m->hidden, expected + all->starts[sets[s][i]] * m->hidden,
                       lengths[sets[s][i]] * m->hidden * sizeof(float)) != 0)
                fail_msg("%s: set %zu, text %zu: other bytes than the reference's in one batch", k->name, s, i);
        memory_aligned_free(hidden);
    }
}

static void test_same_bytes(void **state) {
    const kernels *tables[KERNEL_TABLES];
    const size_t n_tables = kernel_tables(tables);
    size_t i;
    int kind, norm_inputs;
    (void)state;
    for (kind = INT8_TABLE_ROWS; kind <= INT8_TABLE_MIXED; kind++)
        for (norm_inputs = 0; norm_inputs <= 1; norm_inputs++) {
            random_model r;
            batch all;
            float *expected;
            model_init(&r, (int8_table_kind)kind, norm_inputs, 1);
            batch_init(&all, all_texts, N_TEXTS);
            expected = run(&r.model, &kernels_scalar, &all);
            check_company(&r.model, &kernels_scalar, &all, expected);
            for (i = 0; i < n_tables; i++) check_company(&r.model, tables[i], &all, expected);
            memory_aligned_free(expected);
            random_model_free(&r);
        }
}

/* The reference's bytes, which no change of the code may change: SHA-256 of the hidden states of all texts in one
 * batch. */
static void test_golden(void **state) {
    static const char *const golden[2][5] = {
        {"", "2f6fc294694d8f0b6587819085449c82faa3485df452eac4a1b7a38b2a673b92",
         "b6bbf5f1193203c8942f3b77f3a2dd85d5a0da229094640f0a2d8ee8ab35e0ff",
         "9299fcf24d21d99c16dcbf6e5e7150d24bcd78e71a707bb7f69ad62f18095377",
         "76fc8c8be2c934da2d26dbef6d83b26adc6179f96c8d34b7acb2cc3b669faf7c"},
        {"", "a8e3f01b134ad7bf601c077bcaff36cd3da8ff09c4d92fc6f40db357f2ec0acc",
         "994fd3a2369397d7e4b8c828d22fbe23ba03f24eb4cbbb4d4416bb559b374e5b",
         "17d6d1f5a2474ee6838df9ef473f190ba01526f4c92e7777beb9c55dddea082d",
         "73f5259c08172992a8283d195c32c97f6213096a8544d86bd48d7d8413ae1851"}};
    int kind, norm_inputs, failures = 0;
    (void)state;
    for (kind = INT8_TABLE_ROWS; kind <= INT8_TABLE_MIXED; kind++)
        for (norm_inputs = 0; norm_inputs <= 1; norm_inputs++) {
            random_model r;
            batch all;
            float *hidden;
            uint8_t digest[SHA256_BYTES];
            char hex[2 * SHA256_BYTES + 1];
            size_t i;
            model_init(&r, (int8_table_kind)kind, norm_inputs, 2);
            batch_init(&all, all_texts, N_TEXTS);
            hidden = run(&r.model, kernels_best(), &all);
            sha256(hidden, all.starts[N_TEXTS] * r.model.hidden * sizeof *hidden, digest);
            for (i = 0; i < SHA256_BYTES; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
            if (strcmp(hex, golden[norm_inputs][kind]) != 0) {
                print_error("table kind %d, norm inputs %d: %s\n", kind, norm_inputs, hex);
                failures++;
            }
            memory_aligned_free(hidden);
            random_model_free(&r);
        }
    assert_int_equal(failures, 0);
}

/* quantize needs the steps one by one: they are the whole. */
static void test_steps(void **state) {
    random_model r;
    const int8_model *m = &r.model;
    const kernels *k = kernels_best();
    batch b;
    float *expected, *hidden;
    int8_t *codes, *qkv, *context, *inner;
    void *scratch;
    size_t rows, l;
    (void)state;
    model_init(&r, INT8_TABLE_ROWS, 0, 3);
    batch_init(&b, all_texts, N_TEXTS);
    rows = b.starts[N_TEXTS];
    expected = run(m, k, &b);
    scratch = memory_aligned_alloc(engine_scratch_bytes(m, rows, longest_of(&b)));
    hidden = memory_aligned_alloc(rows * m->hidden * sizeof *hidden);
    codes = memory_aligned_alloc(rows * m->hidden);
    qkv = memory_aligned_alloc(rows * 3 * m->hidden);
    context = memory_aligned_alloc(rows * m->hidden);
    inner = memory_aligned_alloc(rows * m->intermediate);
    assert_true(scratch && hidden && codes && qkv && context && inner);
    engine_embed(m, k, &b.texts, hidden);
    for (l = 0; l < m->n_layers; l++) {
        const int8_layer *layer = &m->layers[l];
        engine_quantize(k, &layer->attention_input, hidden, rows, m->hidden, codes);
        engine_query_key_value(m, k, layer, codes, rows, qkv);
        engine_attention(m, k, layer, &b.texts, qkv, scratch, context);
        engine_output(m, k, &layer->attention_output, &layer->attention_norm, context, rows, hidden);
        engine_quantize(k, &layer->up_input, hidden, rows, m->hidden, codes);
        engine_up(k, layer, codes, rows, inner);
        engine_output(m, k, &layer->down, &layer->output_norm, inner, rows, hidden);
    }
    assert_memory_equal(hidden, expected, rows * m->hidden * sizeof *hidden);
    memory_aligned_free(expected);
    memory_aligned_free(hidden);
    memory_aligned_free(codes);
    memory_aligned_free(qkv);
    memory_aligned_free(context);
    memory_aligned_free(inner);
    memory_aligned_free(scratch);
    random_model_free(&r);
}

/* --- Against double ----------------------------------------------------------------------------------------------- */
static double half_value(uint16_t half) {
    const int exponent = half >> 10 & 31;
    const double fraction = half & 0x3ff;
    const double magnitude = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024.0 + fraction, exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

static double table_value(const int8_table *t, size_t row, size_t column) {
    size_t o;
    if (t->kind == INT8_TABLE_HALF) return half_value(t->halves[row * t->columns + column]);
    for (o = 0; o < t->n_outliers; o++)
        if (t->outlier_columns[o] == column) return half_value(t->halves[row * t->n_outliers + o]);
    return (double)t->codes[row * t->columns + column] * (double)t->scale[t->kind == INT8_TABLE_TENSOR ? 0 : row];
}

static void check_embedding(const int8_model *m, const float *hidden, size_t word, size_t position) {
    const int8_norm *w = &m->embedding_norm;
    const double n = (double)m->hidden;
    double x[64], mean = 0.0, variance = 0.0;
    size_t i;
    for (i = 0; i < m->hidden; i++) {
        x[i] = table_value(&m->words, word, i) + table_value(&m->positions, position, i);
        mean += x[i] / n;
    }
    for (i = 0; i < m->hidden; i++) variance += (x[i] - mean) * (x[i] - mean) / n;
    for (i = 0; i < m->hidden; i++) {
        const double exact = (x[i] - mean) / sqrt(variance) * (double)w->gamma[i] + (double)w->beta[i];
        assert_true(fabs((double)hidden[i] - exact) < 1e-5);
    }
}

static void test_embedding(void **state) {
    float hidden[512 * 32];
    int kind;
    (void)state;
    for (kind = INT8_TABLE_ROWS; kind <= INT8_TABLE_MIXED; kind++) {
        random_model r;
        batch b;
        size_t i, t;
        model_init(&r, (int8_table_kind)kind, 0, 4);
        batch_init(&b, all_texts, N_TEXTS);
        engine_embed(&r.model, kernels_best(), &b.texts, hidden);
        for (i = 0; i < N_TEXTS; i++)
            for (t = b.starts[i]; t < b.starts[i + 1]; t++)
                check_embedding(&r.model, hidden + t * r.model.hidden, (size_t)b.ids[t], t - b.starts[i]);
        random_model_free(&r);
    }
}

/* --- Memory ------------------------------------------------------------------------------------------------------- */
static void test_scratch(void **state) {
    random_model r;
    (void)state;
    model_init(&r, INT8_TABLE_ROWS, 0, 5);
    assert_true(engine_scratch_bytes(&r.model, 1, 1) > 0);
    assert_true(engine_scratch_bytes(&r.model, 100, 80) >= engine_scratch_bytes(&r.model, 100, 20));
    assert_true(engine_scratch_bytes(&r.model, SIZE_MAX / 8, 80) == 0);
    assert_true(engine_scratch_bytes(&r.model, SIZE_MAX, 80) == 0);
    assert_true(engine_scratch_bytes(&r.model, 100, SIZE_MAX / 8) == 0);
    random_model_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_golden), cmocka_unit_test(test_steps),
        cmocka_unit_test(test_embedding), cmocka_unit_test(test_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
