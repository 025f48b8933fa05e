/* SPDX-License-Identifier: Apache-2.0
 * The public API on .minnow files: a small random one, made here, and the real one, if `make model` has made it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/file.h"
#include "run/engine/pool.h"
#include "small_minnow.h"

#define FP32 "models/all-MiniLM-L6-v2"
#define INT8 "models/all-MiniLM-L6-v2/model.minnow"
#define REAL 384

static const char *const texts[] = {"", "a", "hello a b c d", "Hello, hello! x", "a b c d a b c d a b c d a b c d a b"};
#define N_TEXTS (sizeof texts / sizeof *texts)

static char folder[] = "/tmp/minnow-test-XXXXXX", path[96];
static uint8_t *file_bytes; /* [n_bytes] */
static size_t n_bytes;
static minnow_model *model;
static minnow_error error;

static int set_up(void **state) {
    minnow_status status;
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(path, sizeof path, "%s/model.minnow", folder);
    status = small_minnow_bytes(&file_bytes, &n_bytes, &error);
    if (status == MINNOW_OK) status = file_write_all(path, file_bytes, n_bytes, &error);
    if (status == MINNOW_OK) status = minnow_model_open(&model, path, &error);
    if (status != MINNOW_OK) fprintf(stderr, "%s\n", error.message);
    return status == MINNOW_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    minnow_model_close(&model);
    memory_aligned_free(file_bytes);
    remove(path);
    remove(folder);
    return 0;
}

static minnow_context *new_context(const minnow_model *m, size_t n_threads, size_t max_tokens, minnow_pooling pooling) {
    const minnow_context_options options = {
        .size = sizeof options, .n_threads = n_threads, .max_tokens = max_tokens, .pooling = pooling};
    minnow_context *context = NULL;
    if (minnow_context_create(&context, m, &options, &error) != MINNOW_OK) fail_msg("%s", error.message);
    return context;
}

static void encode(minnow_context *context, const char *text, float *vector, size_t n) {
    if (minnow_encode(context, text, MINNOW_STRLEN, vector, n, NULL, &error) != MINNOW_OK) fail_msg("%s",
                                                                                                    error.message);
}

static void the_file_says_it_all(void **state) {
    int32_t ids[8];
    size_t n_ids;
    int truncated;
    (void)state;
    assert_int_equal(minnow_model_dimensions(model), HIDDEN);
    assert_int_equal(minnow_model_max_tokens(model), MAX_TOKENS);
    assert_int_equal(minnow_tokenize(model, "Hello ba", MINNOW_STRLEN, 0, ids, 8, &n_ids, &truncated, &error),
                     MINNOW_OK);
    assert_int_equal(n_ids, 5);
    assert_int_equal(truncated, 0);
    assert_memory_equal(ids, ((const int32_t[]){1, 9, 4, 7, 2}), 5 * sizeof *ids);
}

static void a_folder_may_hold_it_alone(void **state) {
    minnow_model *other = NULL;
    minnow_context *a = new_context(model, 1, 0, MINNOW_POOLING_DEFAULT), *b;
    float x[HIDDEN], y[HIDDEN];
    (void)state;
    assert_int_equal(minnow_model_open(&other, folder, &error), MINNOW_OK);
    b = new_context(other, 1, 0, MINNOW_POOLING_DEFAULT);
    encode(a, texts[2], x, HIDDEN);
    encode(b, texts[2], y, HIDDEN);
    assert_memory_equal(x, y, sizeof x);
    minnow_context_close(&a);
    minnow_context_close(&b);
    minnow_model_close(&other);
}

/* The vector is what pool_tokens makes of the token vectors, by the file's pooling unless another is asked for. */
static void vectors_are_pooled_tokens(void **state) {
    static const minnow_pooling poolings[] = {MINNOW_POOLING_DEFAULT, MINNOW_POOLING_MEAN, MINNOW_POOLING_CLS,
                                              MINNOW_POOLING_MAX};
    float tokens[MAX_TOKENS * HIDDEN], vector[HIDDEN], expected[HIDDEN];
    double scratch[HIDDEN];
    minnow_encoding of_tokens, of_vector;
    size_t p, i;
    (void)state;
    for (p = 0; p < 4; p++) {
        minnow_context *c = new_context(model, 1, 0, poolings[p]);
        for (i = 0; i < N_TEXTS; i++) {
            assert_int_equal(minnow_encode_tokens(c, texts[i], MINNOW_STRLEN, tokens, MAX_TOKENS * HIDDEN, &of_tokens,
                                                  &error), MINNOW_OK);
            assert_int_equal(minnow_encode(c, texts[i], MINNOW_STRLEN, vector, HIDDEN, &of_vector, &error), MINNOW_OK);
            assert_int_equal(of_tokens.n_tokens, of_vector.n_tokens);
            assert_int_equal(of_vector.truncated, i == N_TEXTS - 1);
            assert_int_equal(of_tokens.truncated, of_vector.truncated);
            pool_tokens(tokens, of_tokens.n_tokens, HIDDEN, p == 0 ? MINNOW_POOLING_CLS : poolings[p], 1, scratch,
                        expected);
            assert_memory_equal(vector, expected, sizeof vector);
        }
        minnow_context_close(&c);
    }
}

/* The same bytes on every tier, with any number of threads asked for, in any order, with a wider limit. */
static void bytes_depend_on_the_text_alone(void **state) {
    float expected[N_TEXTS][HIDDEN], vector[HIDDEN];
    minnow_context *c = new_context(model, 1, 0, MINNOW_POOLING_MEAN);
    const cpu_tier best = cpu_best_tier();
    int tier;
    size_t i;
    (void)state;
    for (i = 0; i < N_TEXTS; i++) encode(c, texts[i], expected[i], HIDDEN);
    for (i = N_TEXTS; i-- > 0;) {
        encode(c, texts[i], vector, HIDDEN);
        assert_memory_equal(vector, expected[i], sizeof vector);
    }
    minnow_context_close(&c);
    for (tier = 0; tier < CPU_TIER_COUNT; tier++) {
        if (!cpu_force_tier((cpu_tier)tier)) continue;
        c = new_context(model, (size_t)tier + 2, 80, MINNOW_POOLING_MEAN);
        for (i = 0; i + 1 < N_TEXTS; i++) { /* the last is not cut now */
            encode(c, texts[i], vector, HIDDEN);
            assert_memory_equal(vector, expected[i], sizeof vector);
        }
        minnow_context_close(&c);
    }
    assert_true(cpu_force_tier(best));
}

static void normalizing_can_be_left_out(void **state) {
    minnow_context_options options = {.size = sizeof options, .n_threads = 1, .no_normalize = 1};
    minnow_context *c = new_context(model, 1, 0, MINNOW_POOLING_DEFAULT), *raw = NULL;
    float x[HIDDEN], y[HIDDEN];
    double length = 0;
    size_t i;
    (void)state;
    assert_int_equal(minnow_context_create(&raw, model, &options, &error), MINNOW_OK);
    encode(c, texts[2], x, HIDDEN);
    encode(raw, texts[2], y, HIDDEN);
    for (i = 0; i < HIDDEN; i++) length += (double)x[i] * (double)x[i];
    assert_true(fabs(length - 1) < 1e-6);
    assert_true(minnow_similarity(x, y, HIDDEN) > 0.999999);
    assert_memory_not_equal(x, y, sizeof x);
    minnow_context_close(&c);
    minnow_context_close(&raw);
}

static void wrong_calls_are_errors(void **state) {
    minnow_model_options options = {sizeof options, "tests/cli/data/vocab.txt", 0};
    minnow_context_options too_long = {.size = sizeof too_long, .max_tokens = 81};
    minnow_model *none = NULL;
    minnow_context *c = NULL;
    float vector[HIDDEN];
    (void)state;
    assert_int_equal(minnow_model_open_with(&none, path, &options, &error), MINNOW_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "has its own tokenizer"));
    assert_null(none);
    assert_int_equal(minnow_context_create(&c, model, &too_long, &error), MINNOW_ERROR_ARGUMENT);
    assert_string_equal(error.message, "81 tokens asked for, the model has positions for 80");
    assert_null(c);
    c = new_context(model, 0, 0, MINNOW_POOLING_DEFAULT);
    assert_int_equal(minnow_encode(c, "a", 1, vector, HIDDEN - 1, NULL, &error), MINNOW_ERROR_CAPACITY);
    assert_int_equal(minnow_encode_tokens(c, "a", 1, vector, HIDDEN, NULL, &error), MINNOW_ERROR_CAPACITY);
    minnow_context_close(&c);
}

/* Every instruction set that the machine names gives the same bytes as any other. */
static void instruction_sets_have_names(void **state) {
    minnow_context_options options = {.size = sizeof options, .n_threads = 1};
    float expected[HIDDEN], vector[HIDDEN];
    minnow_context *c = new_context(model, 1, 0, MINNOW_POOLING_DEFAULT);
    const char *name;
    size_t i, n = 0;
    (void)state;
    encode(c, texts[2], expected, HIDDEN);
    assert_string_equal(minnow_context_isa(c), cpu_tier_name(cpu_best_tier()));
    minnow_context_close(&c);
    while (minnow_isa(n) != NULL) n++;
    assert_true(n >= 1);
    assert_string_equal(minnow_isa(n - 1), "scalar");
    for (i = 0; i < n; i++) {
        options.isa = name = minnow_isa(i);
        assert_true(cpu_has_tier((cpu_tier)cpu_tier_from_name(name)));
        assert_int_equal(minnow_context_create(&c, model, &options, &error), MINNOW_OK);
        assert_string_equal(minnow_context_isa(c), name);
        encode(c, texts[2], vector, HIDDEN);
        assert_memory_equal(vector, expected, sizeof vector);
        minnow_context_close(&c);
    }
    options.isa = "sse9";
    assert_int_equal(minnow_context_create(&c, model, &options, &error), MINNOW_ERROR_ARGUMENT);
    assert_string_equal(error.message, "there is no instruction set 'sse9'");
    assert_null(c);
    options.isa = cpu_has_tier(CPU_TIER_NEON) ? "avx2" : "neon";
    assert_int_equal(minnow_context_create(&c, model, &options, &error), MINNOW_ERROR_UNSUPPORTED);
    assert_null(minnow_context_isa(NULL));
    assert_null(minnow_isa((size_t)-1));
}

/* Memory that holds the file does as well, and is used where it lies. */
static void a_model_may_lie_in_memory(void **state) {
    minnow_model_options options = {sizeof options, NULL, 0};
    uint8_t *copy = memory_aligned_alloc(n_bytes + 64);
    minnow_model *m = NULL;
    minnow_context *a = new_context(model, 1, 0, MINNOW_POOLING_DEFAULT), *b;
    float x[HIDDEN], y[HIDDEN];
    size_t n;
    (void)state;
    assert_non_null(copy);
    memcpy(copy, file_bytes, n_bytes);
    assert_int_equal(minnow_model_open_memory(&m, copy, n_bytes, &options, &error), MINNOW_OK);
    assert_int_equal(minnow_model_max_tokens(m), MAX_TOKENS);
    b = new_context(m, 1, 0, MINNOW_POOLING_DEFAULT);
    encode(a, texts[2], x, HIDDEN);
    encode(b, texts[2], y, HIDDEN);
    assert_memory_equal(x, y, sizeof x);
    memset(copy + n_bytes / 2, 1, n_bytes / 2); /* the weights are here and nowhere else */
    encode(b, texts[2], y, HIDDEN);
    assert_memory_not_equal(x, y, sizeof x);
    minnow_context_close(&a);
    minnow_context_close(&b);
    minnow_model_close(&m);
    for (n = 0; n < n_bytes; n += 1 + n_bytes / 101) {
        memcpy(copy, file_bytes, n_bytes);
        assert_int_not_equal(minnow_model_open_memory(&m, copy, n, NULL, &error), MINNOW_OK);
        assert_null(m);
        copy[n] ^= 0x10;
        assert_int_not_equal(minnow_model_open_memory(&m, copy, n_bytes, NULL, NULL), MINNOW_OK);
        assert_null(m);
    }
    memmove(copy + 8, file_bytes, n_bytes);
    assert_int_equal(minnow_model_open_memory(&m, copy + 8, n_bytes, NULL, &error), MINNOW_ERROR_ARGUMENT);
    assert_string_equal(error.message, "a model in memory must begin at a multiple of 64 bytes");
    assert_int_equal(minnow_model_open_memory(&m, NULL, n_bytes, NULL, &error), MINNOW_ERROR_ARGUMENT);
    options.tokenizer_path = "tests/cli/data/vocab.txt";
    assert_int_equal(minnow_model_open_memory(&m, file_bytes, n_bytes, &options, &error), MINNOW_ERROR_ARGUMENT);
    assert_null(m);
    memory_aligned_free(copy);
}

/* A cut or spoilt file is an error with the path in it, at every length and wherever a byte is changed. */
static void damaged_files_are_errors(void **state) {
    char other[128];
    file_map map;
    uint8_t *copy;
    size_t n;
    (void)state;
    snprintf(other, sizeof other, "%s/other", folder);
    assert_int_equal(file_map_open(&map, path, &error), MINNOW_OK);
    copy = malloc(map.bytes);
    assert_non_null(copy);
    for (n = 0; n < map.bytes; n += 1 + map.bytes / 61) {
        minnow_model *none = NULL;
        assert_int_equal(file_write_all(other, map.data, n, &error), MINNOW_OK);
        assert_int_not_equal(minnow_model_open(&none, other, &error), MINNOW_OK);
        memcpy(copy, map.data, map.bytes);
        copy[n] ^= 0x10;
        assert_int_equal(file_write_all(other, copy, map.bytes, &error), MINNOW_OK);
        assert_int_not_equal(minnow_model_open(&none, other, &error), MINNOW_OK);
        assert_null(none);
        assert_int_equal(strncmp(error.message, other, strlen(other)), 0);
    }
    remove(other);
    free(copy);
    file_map_close(&map);
}

/* Beside FP32, on texts that are not those of calibration. */
static void the_real_model_is_close_to_fp32(void **state) {
    static const char *const real[] = {"How do I reset my password?",
                                       "The committee met on Tuesday to discuss the budget.",
                                       "na\xc3\xafve caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "x"};
    minnow_model *a = NULL, *b = NULL;
    minnow_context *floats, *codes;
    float x[REAL], y[REAL];
    size_t i;
    (void)state;
    if (!file_exists(INT8) || getenv("MINNOW_TEST_EMULATED") != NULL) skip();
    assert_int_equal(minnow_model_open(&a, FP32, &error), MINNOW_OK); /* not the .minnow file that lies there, too */
    assert_int_equal(minnow_model_open(&b, INT8, &error), MINNOW_OK);
    assert_int_equal(minnow_model_max_tokens(b), minnow_model_max_tokens(a));
    floats = new_context(a, 1, 0, MINNOW_POOLING_DEFAULT);
    codes = new_context(b, 1, 0, MINNOW_POOLING_DEFAULT);
    for (i = 0; i < sizeof real / sizeof *real; i++) {
        encode(floats, real[i], x, REAL);
        encode(codes, real[i], y, REAL);
        assert_memory_not_equal(x, y, sizeof x);
        if (minnow_similarity(x, y, REAL) < 0.98) fail_msg("'%s': cosine %.6f", real[i], minnow_similarity(x, y, REAL));
    }
    minnow_context_close(&floats);
    minnow_context_close(&codes);
    minnow_model_close(&a);
    minnow_model_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_says_it_all),
        cmocka_unit_test(a_folder_may_hold_it_alone),
        cmocka_unit_test(vectors_are_pooled_tokens),
        cmocka_unit_test(bytes_depend_on_the_text_alone),
        cmocka_unit_test(normalizing_can_be_left_out),
        cmocka_unit_test(wrong_calls_are_errors),
        cmocka_unit_test(instruction_sets_have_names),
        cmocka_unit_test(a_model_may_lie_in_memory),
        cmocka_unit_test(damaged_files_are_errors),
        cmocka_unit_test(the_real_model_is_close_to_fp32),
    };
    return cmocka_run_group_tests_name("encode_int8", tests, set_up, tear_down);
}
