/* SPDX-License-Identifier: Apache-2.0
 * No NaN and no infinity comes out of a model that the reader accepts: random models whose numbers are the worst that
 * it lets pass, through every table of kernels, which agree on the bits, and through pooling. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "convert/pack/pack.h"
#include "kernel_tables.h"
#include "random_model.h"
#include "run/engine/engine.h"
#include "run/engine/pool.h"
#include "run/model/format.h"

#define N_TEXTS ((size_t)3)
#define ROWS ((size_t)40)
#define MAX_HIDDEN ((size_t)64)
#define ROUNDS 150
#define EMULATED_ROUNDS 16

static const char vocab_text[] = "[UNK][CLS][SEP]a##ab";
static const uint32_t vocab_offsets[] = {0, 5, 10, 15, 16, 19, 20};
static const tokenizer_config small_tokenizer = {.vocab_text = vocab_text, .vocab_offsets = vocab_offsets, .n_vocab = 6,
                                                 .continuing_prefix = "##", .max_chars_per_word = 100};
static const size_t starts[N_TEXTS + 1] = {0, 1, 18, ROWS};

/* --- Spoiling a model --------------------------------------------------------------------------------------------- */

/* From 0 (a number as it was) on, the worse the higher. */
static float extreme(random_model *r, float largest) {
    static const float some[] = {0.0f, -0.0f, 0x1p-149f, -0x1p-149f, FLT_MIN, -FLT_MIN, 1e-30f, 1.0f, -1.0f, 1e15f,
                                 -1e15f, 1e30f, -1e30f};
    const uint32_t which = random_bits(r) >> 27; /* of 32 */
    float x;
    if (which < sizeof some / sizeof *some) x = some[which];
    else x = which % 2 ? -largest : largest;
    return x > largest ? largest : x < -largest ? -largest : x;
}

typedef struct spoiling {
    model_walk walk; /* first: the walk is the spoiling */
    random_model *r;
    section_kind kind;
    uint32_t share; /* of 256 numbers, how many are spoilt */
} spoiling;

static minnow_status begin_section(model_walk *w, section_kind kind, uint32_t layer, size_t bytes,
                                   minnow_error *error) {
    (void)layer, (void)bytes, (void)error;
    ((spoiling *)w)->kind = kind;
    return MINNOW_OK;
}

static int is_norm(section_kind kind) {
    return kind == SECTION_EMBEDDING_NORM || kind == SECTION_ATTENTION_NORM || kind == SECTION_OUTPUT_NORM;
}

static int is_floats(section_kind kind) {
    switch (kind) {
    case SECTION_WORD_SCALES: case SECTION_POSITION_SCALES: case SECTION_EMBEDDING_NORM_INPUT:
    case SECTION_ATTENTION_INPUT: case SECTION_QUERY_KEY_VALUE_SCALES: case SECTION_SCORE_SCALE: case SECTION_CONTEXT:
    case SECTION_ATTENTION_OUTPUT_SCALES: case SECTION_ATTENTION_NORM_INPUT: case SECTION_UP_INPUT:
    case SECTION_UP_SCALES: case SECTION_DOWN_INPUT: case SECTION_DOWN_SCALES: case SECTION_OUTPUT_NORM_INPUT: return 1;
    default: return is_norm(kind);
    }
}

/* The arrays are those of an arena: writable. Zeros are padding and stay. */
static const void *spoil_part(model_walk *w, const void *old, size_t bytes) {
    spoiling *s = (spoiling *)w;
    uint8_t *codes = (uint8_t *)(uintptr_t)old;
    float *x = (float *)(uintptr_t)old;
    size_t i;
    if (is_floats(s->kind)) {
        for (i = 0; i < bytes / sizeof *x; i++)
            if (x[i] != 0.0f && (random_bits(s->r) >> 24) < s->share) {
                x[i] = extreme(s->r, is_norm(s->kind) ? MODEL_MAX_NORM : FLT_MAX);
                if (s->kind == SECTION_SCORE_SCALE && !(x[i] > 0)) x[i] = 0x1p-149f;
            }
    } else if (s->kind == SECTION_UP || s->kind == SECTION_DOWN || s->kind == SECTION_QUERY_KEY_VALUE) {
        for (i = 0; i < bytes; i++) /* 64 may be padding */
            if (codes[i] != INT8_WEIGHT_BIAS && (random_bits(s->r) >> 24) < s->share) codes[i] = (i & 1) ? 0 : 127;
    }
    return old;
}

static void spoil(random_model *r, uint32_t share) {
    static const float epsilons[] = {1e-12f, 0x1p-149f, FLT_MIN, 1.0f, FLT_MAX};
    int8_model *m = &r->model;
    const int norm_inputs = m->embedding_norm.input_step != NULL;
    spoiling s = {{begin_section, spoil_part}, r, SECTION_MODEL, share};
    minnow_error error;
    assert_int_equal(model_walk_arrays(&s.walk, m, (int8_layer *)(uintptr_t)m->layers,
                                       norm_inputs ? NORM_INPUT_ALL : 0, &error), MINNOW_OK);
    m->norm_epsilon = epsilons[random_bits(r) % (sizeof epsilons / sizeof *epsilons)];
}

/* The reader lets it pass, which pack_bytes asks. */
static void assert_accepted(const int8_model *m) {
    uint8_t *file = NULL;
    size_t bytes;
    minnow_error error;
    if (pack_bytes(m, &small_tokenizer, &file, &bytes, &error) != MINNOW_OK) fail_msg("%s", error.message);
    memory_aligned_free(file);
}

/* --- Running it --------------------------------------------------------------------------------------------------- */

static void run(const int8_model *m, const kernels *k, const int32_t *ids, float *hidden) {
    const engine_texts texts = {ids, starts, N_TEXTS};
    void *scratch = memory_aligned_alloc(engine_scratch_bytes(m, ROWS, ROWS));
    assert_non_null(scratch);
    engine_run(m, k, &texts, scratch, hidden);
    memory_aligned_free(scratch);
}

static void assert_finite(const float *x, size_t n, const char *what, int round) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) fail_msg("round %d: %s %zu is %g", round, what, i, (double)x[i]);
}

static void check_pooled(const int8_model *m, const float *hidden, int round) {
    double scratch[MAX_HIDDEN];
    float vector[MAX_HIDDEN];
    for (size_t i = 0; i < N_TEXTS; i++)
        for (int pooling = MINNOW_POOLING_MEAN; pooling <= MINNOW_POOLING_MAX; pooling++)
            for (int normalize = 0; normalize <= 1; normalize++) {
                pool_tokens(hidden + starts[i] * m->hidden, starts[i + 1] - starts[i], m->hidden,
                            (minnow_pooling)pooling, normalize, scratch, vector);
                assert_finite(vector, m->hidden, normalize ? "unit vector" : "vector", round);
            }
}

static void check(random_model *r, int round) {
    const int8_model *m = &r->model;
    const kernels *tables[KERNEL_TABLES];
    const size_t n_tables = kernel_tables(tables), bytes = ROWS * m->hidden * sizeof(float);
    float *expected = memory_aligned_alloc(bytes), *hidden = memory_aligned_alloc(bytes);
    int32_t ids[ROWS];
    size_t i;
    assert_true(expected != NULL && hidden != NULL && m->hidden <= MAX_HIDDEN);
    for (i = 0; i < ROWS; i++) ids[i] = (int32_t)(random_bits(r) % m->n_vocab);
    run(m, &kernels_scalar, ids, expected);
    assert_finite(expected, ROWS * m->hidden, "token vectors' number", round);
    check_pooled(m, expected, round);
    for (i = 0; i < n_tables; i++) {
        run(m, tables[i], ids, hidden);
        if (memcmp(hidden, expected, bytes) != 0) fail_msg("round %d: %s has other bytes", round, tables[i]->name);
    }
    memory_aligned_free(expected);
    memory_aligned_free(hidden);
}

static void worst_models_give_numbers(void **state) {
    const int rounds = getenv("MINNOW_TEST_EMULATED") != NULL ? EMULATED_ROUNDS : ROUNDS;
    (void)state;
    for (int round = 0; round < rounds; round++) {
        random_shape shape = small_shape;
        random_model r;
        shape.words = (int8_table_kind)(INT8_TABLE_ROWS + round % 4);
        shape.norm_inputs = round / 4 % 2;
        shape.hidden = round % 3 == 0 ? 20 : 32; /* keys begin inside a panel, or not */
        shape.n_heads = round % 3 == 0 ? 5 : 4;
        assert_true(random_model_init(&r, &shape, (uint32_t)round));
        spoil(&r, (uint32_t[]){256, 128, 16, 1}[round / 8 % 4]);
        assert_accepted(&r.model);
        check(&r, round);
        random_model_free(&r);
    }
}

/* --- One limit, and what lies behind it --------------------------------------------------------------------------- */

static void set_norms(int8_model *m, float gamma, float beta) {
    int8_layer *last = (int8_layer *)(uintptr_t)&m->layers[m->n_layers - 1];
    float *g = (float *)(uintptr_t)last->output_norm.gamma, *b = (float *)(uintptr_t)last->output_norm.beta;
    for (size_t i = 0; i < m->hidden; i++) g[i] = gamma, b[i] = beta;
}

/* Were gamma 3e38, a token vector could be infinite, and a mean of such ones no number. */
static void norms_beyond_the_limit_are_refused(void **state) {
    static const float beyond[] = {1.1e15f, -1.1e15f, FLT_MAX, -FLT_MAX};
    random_model r;
    minnow_error error;
    uint8_t *file;
    size_t bytes;
    (void)state;
    assert_true(random_model_init(&r, &small_shape, 1));
    set_norms(&r.model, MODEL_MAX_NORM, -MODEL_MAX_NORM);
    assert_accepted(&r.model);
    check(&r, 0);
    for (size_t i = 0; i < 2 * sizeof beyond / sizeof *beyond; i++) {
        set_norms(&r.model, i % 2 ? beyond[i / 2] : 1.0f, i % 2 ? 1.0f : beyond[i / 2]);
        assert_int_equal(pack_bytes(&r.model, &small_tokenizer, &file, &bytes, &error), MINNOW_ERROR_FORMAT);
        assert_non_null(strstr(error.message, "layer 1: output_norm: a number is beyond 1e15"));
    }
    random_model_free(&r);
}

static void vectors_without_length_stay_zero(void **state) {
    float hidden[ROWS * 32], vector[32];
    const float zeros[32] = {0};
    double scratch[32];
    int32_t ids[ROWS] = {0};
    random_model r;
    (void)state;
    assert_true(random_model_init(&r, &small_shape, 1));
    set_norms(&r.model, 0.0f, 0.0f);
    assert_accepted(&r.model);
    run(&r.model, kernels_best(), ids, hidden);
    for (int pooling = MINNOW_POOLING_MEAN; pooling <= MINNOW_POOLING_MAX; pooling++) {
        pool_tokens(hidden, ROWS, 32, (minnow_pooling)pooling, 1, scratch, vector);
        for (size_t i = 0; i < 32; i++) assert_true(vector[i] == zeros[i]);
    }
    random_model_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worst_models_give_numbers),
        cmocka_unit_test(norms_beyond_the_limit_are_refused),
        cmocka_unit_test(vectors_without_length_stay_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
