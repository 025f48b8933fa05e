/* SPDX-License-Identifier: Apache-2.0
 * The public API on the real model: text in, PyTorch's vector out, the same bytes on every tier and with any number of threads.
 * Skipped where models/all-MiniLM-L6-v2 is not there (`make model` gets it). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cpu.h"
#include "base/file.h"
#include "convert/json/json.h"
#include "convert/npy/npy.h"
#include "minnow.h"

#define MODEL "models/all-MiniLM-L6-v2"
#define DIMENSIONS 384
/* Of the vectors of `texts` below; changes only if the arithmetic does. */
#define GOLDEN_HASH UINT64_C(0xfc2231f1fee13797)

static minnow_model *model;
static minnow_error error;

static int open_model(void **state) {
    (void)state;
    if (file_is_directory(MODEL) && minnow_model_open(&model, MODEL, &error) != MINNOW_OK) {
        fprintf(stderr, "%s\n", error.message);
        return -1;
    }
    return 0;
}

static int close_model(void **state) {
    (void)state;
    minnow_model_close(&model);
    return 0;
}

static minnow_context *new_context(size_t n_threads, size_t max_tokens) {
    const minnow_context_options options = {.size = sizeof options, .n_threads = n_threads, .max_tokens = max_tokens};
    minnow_context *context = NULL;
    if (minnow_context_create(&context, model, &options, &error) != MINNOW_OK) fail_msg("%s", error.message);
    return context;
}

static void encode(minnow_context *context, const char *text, float *vector) {
    if (minnow_encode(context, text, MINNOW_STRLEN, vector, DIMENSIONS, NULL, &error) != MINNOW_OK) fail_msg("%s", error.message);
}

/* Texts: JSON lines, strings or objects with "text"; vectors: float32 [n, 384] of the same order. Returns how many were compared. */
static size_t compare_with(const char *texts_path, const char *vectors_path) {
    minnow_context *context = new_context(0, 0);
    file_map texts, vectors_file;
    tensor vectors;
    arena memory;
    const char *line, *end;
    size_t n = 0;
    arena_init(&memory, 0);
    assert_int_equal(file_map_open(&texts, texts_path, &error), MINNOW_OK);
    assert_int_equal(file_map_open(&vectors_file, vectors_path, &error), MINNOW_OK);
    assert_int_equal(npy_read(vectors_file.data, vectors_file.bytes, &memory, &vectors, &error), MINNOW_OK);
    assert_int_equal(vectors.dims[1], DIMENSIONS);
    line = (const char *)texts.data;
    end = line + texts.bytes;
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const size_t bytes = stop != NULL ? (size_t)(stop - line) : (size_t)(end - line);
        const float *want = (const float *)vectors.data + n * DIMENSIONS;
        float got[DIMENSIONS];
        yyjson_doc *doc;
        const char *text;
        yyjson_val *value;
        assert_true((int64_t)n < vectors.dims[0]);
        assert_int_equal(json_parse(&doc, line, bytes, &error), MINNOW_OK);
        value = yyjson_doc_get_root(doc);
        if (yyjson_is_obj(value)) value = yyjson_obj_get(value, "text");
        text = yyjson_get_str(value);
        assert_non_null(text);
        assert_int_equal(minnow_encode(context, text, yyjson_get_len(value), got, DIMENSIONS, NULL, &error), MINNOW_OK);
        if (minnow_similarity(got, want, DIMENSIONS) < 0.999999) fail_msg("line %zu of %s: cosine %.9f", n + 1, texts_path,
                                                                         minnow_similarity(got, want, DIMENSIONS));
        yyjson_doc_free(doc);
        n++;
        line += bytes + 1;
    }
    assert_int_equal(n, vectors.dims[0]);
    file_map_close(&texts);
    file_map_close(&vectors_file);
    arena_free(&memory);
    minnow_context_close(&context);
    return n;
}

/* Under an emulator (scripts/test.mk says so) the long texts would take minutes; the hash below stands for them. */
static int is_emulated(void) { return getenv("MINNOW_TEST_EMULATED") != NULL; }
#if defined(__SANITIZE_ADDRESS__) /* where 300 texts more take minutes too, and run the same code */
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static void vectors_are_pytorchs(void **state) {
    (void)state;
    if (model == NULL || is_emulated()) skip();
    assert_true(compare_with("tests/golden/minilm_texts.jsonl", "tests/golden/minilm_vectors.npy") >= 20);
}

static void vectors_are_pytorchs_on_shared_texts(void **state) {
    (void)state;
    if (model == NULL || is_emulated() || SANITIZED || !file_exists("../shared/golden/fp32_texts.jsonl")) skip();
    assert_int_equal(compare_with("../shared/golden/fp32_texts.jsonl", "../shared/golden/fp32_vectors.npy"), 300);
}

static const char *const texts[] = {"How do I reset my password?", "", "x",
                                    ("Refunds are paid within 14 days of the day on which we receive the returned goods; \xe2\x82\xac"
                                    "20.00 postage is not refunded unless the item was faulty (see section 7.2)."),
                                    "na\xc3\xafve caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e \xf0\x9f\x90\x9f"};
#define N_TEXTS (sizeof texts / sizeof *texts)

/* FNV-1a, 64 bits. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t bytes) {
    const uint8_t *p = data;
    size_t i;
    for (i = 0; i < bytes; i++) hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* The contract itself: these bits on every machine, for the pinned weights. */
static void vectors_have_the_golden_hash(void **state) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    minnow_context *context;
    float vector[DIMENSIONS];
    size_t i;
    (void)state;
    if (model == NULL) skip();
    context = new_context(0, 0);
    for (i = 0; i < N_TEXTS; i++) {
        encode(context, texts[i], vector);
        hash = hash_bytes(hash, vector, sizeof vector);
    }
    minnow_context_close(&context);
    if (hash != GOLDEN_HASH) fail_msg("0x%016llx", (unsigned long long)hash);
}

static void bytes_do_not_depend_on_threads_or_order(void **state) {
    static const size_t counts[] = {1, 2, 3, 7};
    float want[N_TEXTS][DIMENSIONS], got[DIMENSIONS];
    size_t c, i;
    (void)state;
    if (model == NULL || is_emulated()) skip();
    for (c = 0; c < sizeof counts / sizeof *counts; c++) {
        minnow_context *context = new_context(counts[c], 0);
        for (i = 0; i < N_TEXTS; i++) {
            const size_t t = c % 2 ? N_TEXTS - 1 - i : i;
            encode(context, texts[t], c == 0 ? want[t] : got);
            if (c > 0) assert_memory_equal(got, want[t], sizeof got);
        }
        minnow_context_close(&context);
    }
}

static void bytes_do_not_depend_on_the_tier(void **state) {
    const cpu_tier best = cpu_best_tier();
    float want[DIMENSIONS], got[DIMENSIONS];
    int tier;
    (void)state;
    if (model == NULL) skip();
    for (tier = (int)CPU_TIER_COUNT - 1; tier >= 0; tier--) {
        minnow_context *context;
        if (!cpu_force_tier((cpu_tier)tier)) continue;
        context = new_context(0, 0);
        /* Scalar machines without FMA do it in software: one short text is enough. */
        encode(context, "How do I reset my password?", tier == (int)best ? want : got);
        if (tier != (int)best) assert_memory_equal(got, want, sizeof got);
        minnow_context_close(&context);
    }
    cpu_force_tier(best);
}

static void truncation_is_reported(void **state) {
    minnow_context *context;
    minnow_encoding encoding;
    float vector[DIMENSIONS];
    char *text = malloc(2001);
    size_t i;
    (void)state;
    if (model == NULL || is_emulated()) {
        free(text);
        skip();
    }
    for (i = 0; i < 1000; i++) memcpy(text + 2 * i, "a ", 3);
    context = new_context(0, 0);
    assert_int_equal(minnow_encode(context, text, MINNOW_STRLEN, vector, DIMENSIONS, &encoding, &error), MINNOW_OK);
    assert_int_equal(encoding.n_tokens, 256);
    assert_true(encoding.truncated);
    assert_int_equal(minnow_encode(context, text, 2 * 254, vector, DIMENSIONS, &encoding, &error), MINNOW_OK);
    assert_int_equal(encoding.n_tokens, 256);
    assert_false(encoding.truncated);
    minnow_context_close(&context);
    free(text);
}

static void token_vectors_pool_to_the_vector(void **state) {
    minnow_context *context;
    minnow_encoding encoding;
    static float vectors[256 * DIMENSIONS];
    float vector[DIMENSIONS];
    double mean[DIMENSIONS] = {0}, norm = 0;
    size_t t, d;
    (void)state;
    if (model == NULL) skip();
    context = new_context(1, 0);
    encode(context, texts[0], vector);
    assert_int_equal(minnow_encode_tokens(context, texts[0], MINNOW_STRLEN, vectors, 256 * DIMENSIONS, &encoding, &error), MINNOW_OK);
    assert_int_equal(encoding.n_tokens, 9);
    for (t = 0; t < encoding.n_tokens; t++)
        for (d = 0; d < DIMENSIONS; d++) mean[d] += (double)vectors[t * DIMENSIONS + d];
    for (d = 0; d < DIMENSIONS; d++) norm += mean[d] * mean[d];
    for (d = 0; d < DIMENSIONS; d++) {
        const double difference = mean[d] * mean[d] / norm - (double)vector[d] * (double)vector[d];
        assert_true(difference < 1e-6 && difference > -1e-6);
    }
    assert_int_equal(minnow_encode_tokens(context, texts[0], MINNOW_STRLEN, vectors, 10, &encoding, &error), MINNOW_ERROR_CAPACITY);
    encoding.n_tokens = 77; /* outputs of a failed call stay as they were */
    encoding.truncated = 77;
    assert_int_equal(minnow_encode_tokens(context, "a", 1, vectors, 10, &encoding, &error), MINNOW_ERROR_CAPACITY);
    assert_int_equal(encoding.n_tokens, 77);
    assert_int_equal(encoding.truncated, 77);
    minnow_context_close(&context);
}

static void wrong_calls_are_errors(void **state) {
    minnow_context_options options = {.size = sizeof options, .n_threads = 1, .max_tokens = 513};
    minnow_context *context = NULL;
    minnow_model *none = NULL;
    float vector[DIMENSIONS];
    int32_t ids[3];
    size_t n_ids = 0;
    int truncated = 77;
    (void)state;
    assert_int_equal(minnow_model_open(&none, "no/such/model", &error), MINNOW_ERROR_IO);
    assert_string_equal(error.message, "no/such/model: no such file or folder");
    assert_null(none);
    assert_int_equal(minnow_model_open(&none, "no/such/model", NULL), MINNOW_ERROR_IO);
    assert_int_equal(minnow_model_open(NULL, NULL, &error), MINNOW_ERROR_ARGUMENT);
    minnow_model_close(&none);
    minnow_context_close(&context);
    if (model == NULL) skip();
    assert_int_equal(minnow_context_create(&context, model, &options, &error), MINNOW_ERROR_ARGUMENT);
    assert_null(context);
    context = new_context(1, 0);
    assert_int_equal(minnow_encode(context, "x", 1, vector, DIMENSIONS - 1, NULL, &error), MINNOW_ERROR_CAPACITY);
    assert_int_equal(minnow_encode(NULL, "x", 1, vector, DIMENSIONS, NULL, &error), MINNOW_ERROR_ARGUMENT);
    assert_int_equal(minnow_encode(context, NULL, MINNOW_STRLEN, vector, DIMENSIONS, NULL, &error), MINNOW_ERROR_ARGUMENT);
    assert_int_equal(minnow_encode(context, NULL, 0, vector, DIMENSIONS, NULL, &error), MINNOW_OK);
    assert_int_equal(minnow_encode(context, "x", 1, NULL, DIMENSIONS, NULL, &error), MINNOW_ERROR_ARGUMENT);
    assert_int_equal(minnow_encode_tokens(NULL, "x", 1, vector, DIMENSIONS, NULL, NULL), MINNOW_ERROR_ARGUMENT);
    assert_int_equal(minnow_encode_tokens(context, "x", 1, NULL, DIMENSIONS, NULL, NULL), MINNOW_ERROR_ARGUMENT);
    assert_int_equal(minnow_tokenize(NULL, "x", 1, 0, ids, 3, &n_ids, &truncated, &error), MINNOW_ERROR_ARGUMENT);
    assert_int_equal(minnow_tokenize(model, "x", 1, 0, NULL, 3, &n_ids, &truncated, &error), MINNOW_ERROR_ARGUMENT);
    assert_int_equal(n_ids, 0);
    assert_int_equal(minnow_tokenize(model, "x y", 3, 3, ids, 2, &n_ids, &truncated, &error), MINNOW_ERROR_CAPACITY);
    assert_int_equal(n_ids, 3);
    assert_int_equal(truncated, 77);
    assert_int_equal(minnow_model_dimensions(NULL), 0);
    assert_int_equal(minnow_model_max_tokens(NULL), 0);
    minnow_context_close(&context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_pytorchs),
        cmocka_unit_test(vectors_are_pytorchs_on_shared_texts),
        cmocka_unit_test(vectors_have_the_golden_hash),
        cmocka_unit_test(bytes_do_not_depend_on_threads_or_order),
        cmocka_unit_test(bytes_do_not_depend_on_the_tier),
        cmocka_unit_test(truncation_is_reported),
        cmocka_unit_test(token_vectors_pool_to_the_vector),
        cmocka_unit_test(wrong_calls_are_errors),
    };
    return cmocka_run_group_tests_name("encode", tests, open_model, close_model);
}
