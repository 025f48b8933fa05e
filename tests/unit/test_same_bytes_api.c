/* SPDX-License-Identifier: Apache-2.0
 * The same text gives the same bytes, through the public API: by the random model and, if it is there and known, by the
 * real one; on every instruction set, by 1 to 64 threads, in 1,000 random batches, whatever floating-point modes the
 * caller has set. test_same_bytes.c makes the golden hashes, by the reference. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/fpenv.h"
#include "minnow.h"
#include "same_bytes.h"

#define MAX_THREADS ((size_t)64)
#define MAX_DIMENSIONS ((size_t)1024)
#define MAX_BATCH ((size_t)24)

static minnow_error error;
static same_bytes_texts texts;
static minnow_text list[SAME_BYTES_TEXTS]; /* of texts */
static yyjson_doc *golden;
static minnow_model *model;                /* the random one */
static size_t dimensions;
static float *expected;                    /* [SAME_BYTES_TEXTS, dimensions], by it: each text alone */
static char model_hex[HEX_BYTES];

static int is_emulated(void) { return getenv("MINNOW_TEST_EMULATED") != NULL; }
static int is_scalar(const char *isa) { return strcmp(isa, "scalar") == 0; }

/* batch_tokens 0: the default. */
static minnow_context *new_context(const minnow_model *m, const char *isa, size_t n_threads, size_t batch_tokens) {
    const minnow_context_options options = {
        .size = sizeof options, .n_threads = n_threads, .isa = isa, .batch_tokens = batch_tokens};
    minnow_context *c = NULL;
    if (minnow_context_create(&c, m, &options, &error) != MINNOW_OK) fail_msg("%s", error.message);
    return c;
}

static void encode_batch(minnow_context *c, const minnow_text *some, size_t n, float *vectors, size_t n_floats) {
    if (minnow_encode_batch(c, some, n, vectors, n_floats, NULL, NULL, NULL, &error) != MINNOW_OK)
        fail_msg("%s", error.message);
}

static int set_up(void **state) {
    minnow_context *c = NULL;
    const minnow_context_options one = {.size = sizeof one, .n_threads = 1};
    minnow_status status = same_bytes_texts_read(&texts, &error);
    size_t i;
    (void)state;
    for (i = 0; i < SAME_BYTES_TEXTS; i++) list[i] = (minnow_text){texts.data[i], texts.bytes[i]};
    if (status == MINNOW_OK) status = json_open(&golden, SAME_BYTES_GOLDEN, &error);
    if (status == MINNOW_OK) status = minnow_model_open(&model, SAME_BYTES_RANDOM, &error);
    if (status == MINNOW_OK) status = minnow_context_create(&c, model, &one, &error);
    if (status == MINNOW_OK) {
        dimensions = minnow_model_dimensions(model);
        expected = malloc(SAME_BYTES_TEXTS * dimensions * sizeof *expected);
        if (expected == NULL) return -1;
        for (i = 0; i < SAME_BYTES_TEXTS && status == MINNOW_OK; i++)
            status = minnow_encode(c, list[i].data, list[i].bytes, expected + i * dimensions, dimensions, NULL, &error);
    }
    minnow_context_close(&c);
    if (status != MINNOW_OK) fprintf(stderr, "%s\n", error.message);
    return status == MINNOW_OK && same_bytes_file_hex(SAME_BYTES_RANDOM, model_hex) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    free(expected);
    minnow_model_close(&model);
    yyjson_doc_free(golden);
    same_bytes_texts_free(&texts);
    return 0;
}

static void check_hash(const char *isa, const char *of_model, const float *vectors, size_t n, size_t n_floats) {
    char hex[HEX_BYTES];
    same_bytes_hex(vectors, n_floats * sizeof *vectors, hex);
    if (strcmp(hex, same_bytes_expected(golden, of_model, n)) != 0) fail_msg("%s, %zu texts: %s", isa, n, hex);
}

/* The first n texts in one call, by two threads. */
static void check_isa(const minnow_model *m, const char *of_model, const char *isa, size_t n) {
    const size_t n_floats = n * minnow_model_dimensions(m);
    float *vectors = malloc(n_floats * sizeof *vectors);
    minnow_context *c = new_context(m, isa, 2, 0);
    assert_non_null(vectors);
    assert_string_equal(minnow_context_isa(c), isa);
    encode_batch(c, list, n, vectors, n_floats);
    check_hash(isa, of_model, vectors, n, n_floats);
    minnow_context_close(&c);
    free(vectors);
}

static void test_instruction_sets(void **state) {
    const char *isa;
    size_t i;
    (void)state;
    check_hash("one by one", model_hex, expected, SAME_BYTES_TEXTS, SAME_BYTES_TEXTS * dimensions);
    for (i = 0; (isa = minnow_isa(i)) != NULL; i++)
        check_isa(model, model_hex, isa, is_scalar(isa) ? 20 : is_emulated() ? 100 : SAME_BYTES_TEXTS);
}

/* As many texts as a test has time for; `make same-bytes-real` takes all. */
static void test_real_model(void **state) {
    minnow_model *m = NULL;
    char hex[HEX_BYTES];
    const char *isa;
    size_t i;
    (void)state;
    if (is_emulated() || !same_bytes_file_hex(SAME_BYTES_REAL, hex)) skip();
    if (strcmp(same_bytes_expected(golden, hex, 20), "") == 0) {
        print_message("%s: %s is not in %s\n", SAME_BYTES_REAL, hex, SAME_BYTES_GOLDEN);
        skip();
    }
    assert_int_equal(minnow_model_open(&m, SAME_BYTES_REAL, &error), MINNOW_OK);
    for (i = 0; (isa = minnow_isa(i)) != NULL; i++) check_isa(m, hex, isa, is_scalar(isa) ? 20 : 100);
    minnow_model_close(&m);
}

/* --- The caller's floating-point modes ---------------------------------------------------------------------------- */
#if defined(__x86_64__) /* MXCSR; 0x1f80 is the default */
#define FLUSH 0x8040 /* FTZ, DAZ */
#define UPWARD 0x4000
static const fpenv modes[] = {{0x1f80 | FLUSH}, {0x1f80 | UPWARD}, {0x1f80 | FLUSH | UPWARD}, {0x1f80 | 0x6000},
                              {0x0000}}; /* the last: truncate; every exception a trap */
#define FLAGS 0x3f
#elif defined(__aarch64__) /* FPCR; 0 is the default */
#define FLUSH (1u << 24)
#define UPWARD (1u << 22)
static const fpenv modes[] = {{FLUSH}, {UPWARD}, {FLUSH | UPWARD}, {3u << 22}};
#define FLAGS 0
#else
static const fpenv modes[] = {{0}};
#define FLAGS 0
#endif

/* One text, its tokens, and a batch, in a context whose threads begin with these modes: the same bytes, and the modes
 * stay. */
static void check_modes(const char *isa, fpenv mode, float *vectors) {
    float vector[MAX_DIMENSIONS];
    minnow_status status[3];
    fpenv before, after[3];
    minnow_context *c;
    size_t n = is_emulated() ? 10 : 100;
    before = fpenv_get();
    fpenv_set(mode);
    c = new_context(model, isa, 3, 0);
    status[0] = minnow_encode(c, list[1].data, list[1].bytes, vector, dimensions, NULL, &error);
    after[0] = fpenv_get();
    status[1] = minnow_encode_batch(c, list, n, vectors, n * dimensions, NULL, NULL, NULL, &error);
    after[1] = fpenv_get();
    status[2] = minnow_encode_tokens(c, list[1].data, list[1].bytes, vectors + n * dimensions, 512 * dimensions, NULL,
                                     &error);
    after[2] = fpenv_get();
    minnow_context_close(&c);
    fpenv_set(before);
    assert_true(status[0] == MINNOW_OK && status[1] == MINNOW_OK && status[2] == MINNOW_OK);
    assert_memory_equal(vector, expected + dimensions, dimensions * sizeof *vector);
    assert_memory_equal(vectors, expected, n * dimensions * sizeof *vectors);
    for (n = 0; n < 3; n++) assert_int_equal(after[n].modes & ~(uint64_t)FLAGS, mode.modes);
}

static void test_modes(void **state) {
    float *vectors = malloc((100 + 512) * dimensions * sizeof *vectors);
    const char *isa;
    size_t i, k;
    (void)state;
    assert_non_null(vectors);
    assert_true(dimensions <= MAX_DIMENSIONS);
    for (i = 0; (isa = minnow_isa(i)) != NULL; i++)
        for (k = 0; k < sizeof modes / sizeof *modes; k++) check_modes(isa, modes[k], vectors);
    free(vectors);
}

/* --- In company --------------------------------------------------------------------------------------------------- */
/* Random texts in random order, one more than once at times. */
static void check_mix(minnow_context *c, size_t n_threads, size_t most, float *vectors) {
    minnow_text some[MAX_BATCH];
    size_t which[MAX_BATCH], n = 1 + dice(most), i;
    for (i = 0; i < n; i++) {
        which[i] = i > 0 && dice(16) == 0 ? which[dice(i)] : dice(SAME_BYTES_TEXTS);
        some[i] = list[which[i]];
    }
    encode_batch(c, some, n, vectors, n * dimensions);
    for (i = 0; i < n; i++)
        if (memcmp(vectors + i * dimensions, expected + which[i] * dimensions, dimensions * sizeof *vectors) != 0)
            fail_msg("%s, %zu threads, text %zu as %zu of %zu: other bytes than alone", minnow_context_isa(c),
                     n_threads, which[i], i + 1, n);
}

/* By 1 to 64 threads, batches cut in 16 places: 1,024 mixes. */
static void test_mixes(void **state) {
    const size_t longest = minnow_model_max_tokens(model), most = is_emulated() ? 2 : MAX_BATCH;
    float *vectors = malloc(MAX_BATCH * dimensions * sizeof *vectors);
    const char *isa;
    size_t n_threads, n_isa = 0, i;
    (void)state;
    assert_non_null(vectors);
    while ((isa = minnow_isa(n_isa)) != NULL && !is_scalar(isa)) n_isa++;
    for (n_threads = 1; n_threads <= MAX_THREADS; n_threads++) {
        minnow_context *c = new_context(model, minnow_isa(n_isa > 0 ? n_threads % n_isa : 0), n_threads,
                                        longest + dice(2 * longest));
        for (i = 0; i < 16; i++) check_mix(c, n_threads, most, vectors);
        minnow_context_close(&c);
    }
    free(vectors);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_instruction_sets), cmocka_unit_test(test_real_model),
                                       cmocka_unit_test(test_modes), cmocka_unit_test(test_mixes)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
