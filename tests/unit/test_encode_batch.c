/* SPDX-License-Identifier: Apache-2.0
 * minnow_encode_batch on a small random .minnow model, and on a small graph: whatever the mix, the order and the
 * number of threads, the vectors of single texts; progress, cancelling and failing in the middle. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "small_minnow.h"

#define GRAPH "tests/golden/tiny-bert/gelu-f32"
#define N_TEXTS 150
#define MAX_TEXT 64

static uint8_t *file_bytes;
static minnow_model *model;
static minnow_error error;
static char stored[N_TEXTS][MAX_TEXT];
static minnow_text texts[N_TEXTS];
static float expected[N_TEXTS][HIDDEN], vectors[N_TEXTS][HIDDEN];
static minnow_encoding of_singles[N_TEXTS], of_batch[N_TEXTS];

static minnow_context *new_context(const minnow_model *m, size_t n_threads, size_t batch_tokens) {
    const minnow_context_options options = {
        .size = sizeof options, .n_threads = n_threads, .batch_tokens = batch_tokens, .pooling = MINNOW_POOLING_MEAN};
    minnow_context *c = NULL;
    if (minnow_context_create(&c, m, &options, &error) != MINNOW_OK) fail_msg("%s", error.message);
    return c;
}

/* Texts of 0 to 24 words, so some are empty and some are cut. */
static void write_texts(void) {
    static const char *const words[] = {"a", "b", "ab", "hello", "ba", "zz"};
    uint32_t random = 1;
    size_t i, n;
    for (i = 0; i < N_TEXTS; i++) {
        for (n = (i * 7) % 25; n > 0 && strlen(stored[i]) + 7 < MAX_TEXT; n--) {
            random = random * 1664525u + 1013904223u;
            strcat(stored[i], words[(random >> 24) % 6]);
            strcat(stored[i], " ");
        }
        texts[i].data = i % 25 == 0 ? NULL : stored[i];
        texts[i].bytes = i % 25 != 0 && i % 3 == 1 ? MINNOW_STRLEN : strlen(stored[i]);
    }
}

static int set_up(void **state) {
    size_t i;
    minnow_context *c;
    (void)state;
    if (small_minnow_open(&model, &file_bytes, &error) != 0) return -1;
    write_texts();
    c = new_context(model, 1, 0);
    for (i = 0; i < N_TEXTS; i++)
        if (minnow_encode(c, texts[i].data, texts[i].bytes, expected[i], HIDDEN, &of_singles[i], &error) != MINNOW_OK)
            return -1;
    minnow_context_close(&c);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return small_minnow_close(&model, &file_bytes);
}

/* Encodes texts [first, first + n) and compares. */
static void check_batch(minnow_context *c, size_t first, size_t n) {
    size_t i, n_done = 99;
    memset(vectors, 0x55, sizeof vectors);
    memset(of_batch, 0x55, sizeof of_batch);
    if (minnow_encode_batch(c, texts + first, n, vectors[0], n * HIDDEN, of_batch, NULL, &n_done, &error) != MINNOW_OK)
        fail_msg("%s", error.message);
    assert_int_equal(n_done, n);
    assert_memory_equal(vectors, expected[first], n * sizeof *vectors);
    for (i = 0; i < n; i++) {
        assert_int_equal(of_batch[i].n_tokens, of_singles[first + i].n_tokens);
        assert_int_equal(of_batch[i].truncated, of_singles[first + i].truncated);
    }
    assert_int_equal(n == N_TEXTS ? 0x55 : ((const uint8_t *)vectors)[n * sizeof *vectors], 0x55);
}

static void a_batch_is_its_texts(void **state) {
    static const size_t sizes[] = {0, 1, 2, 3, 5, 8, 15, 16, 17, 40, N_TEXTS};
    size_t n_threads, s, tokens;
    (void)state;
    for (n_threads = 1; n_threads <= 8; n_threads++)
        for (tokens = MAX_TOKENS; tokens <= 300; tokens = tokens * 3 + 1) {
            minnow_context *c = new_context(model, n_threads, tokens);
            for (s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                const size_t first = (s * 11 + n_threads) % (N_TEXTS - sizes[s] + 1);
                check_batch(c, first, sizes[s]);
            }
            minnow_context_close(&c);
        }
}

static void a_context_does_singles_and_batches_in_turn(void **state) {
    minnow_context *c = new_context(model, 3, 0);
    float tokens[MAX_TOKENS * HIDDEN], vector[HIDDEN];
    size_t i;
    (void)state;
    for (i = 0; i < 19; i++) {
        check_batch(c, i, 7 * i);
        assert_int_equal(minnow_encode(c, texts[i].data, texts[i].bytes, vector, HIDDEN, NULL, &error), MINNOW_OK);
        assert_memory_equal(vector, expected[i], sizeof vector);
        assert_int_equal(minnow_encode_tokens(c, texts[i].data, texts[i].bytes, tokens, MAX_TOKENS * HIDDEN, NULL,
                                              &error), MINNOW_OK);
    }
    minnow_context_close(&c);
}

/* --- Progress ----------------------------------------------------------------------------------------------------- */

typedef struct watch {
    size_t n_calls, last, n_texts, stop_at; /* stop_at: says stop when so many are done */
    minnow_context *context;
    minnow_status inside; /* what the context says to a call from here */
} watch;

static int on_progress(void *user, size_t n_done, size_t n_texts) {
    watch *w = user;
    float vector[HIDDEN];
    if (n_done < w->last || n_done > n_texts || n_texts != w->n_texts) w->n_calls += 1000000;
    w->n_calls++;
    w->last = n_done;
    w->inside = minnow_encode(w->context, "a", 1, vector, HIDDEN, NULL, NULL);
    return n_done >= w->stop_at;
}

static void progress_counts_up_to_the_end(void **state) {
    size_t n_threads, n_done;
    (void)state;
    for (n_threads = 1; n_threads <= 4; n_threads++) {
        minnow_context *c = new_context(model, n_threads, MAX_TOKENS);
        watch w = {.n_texts = N_TEXTS, .stop_at = SIZE_MAX, .context = c};
        const minnow_batch_options options = {sizeof options, on_progress, &w};
        assert_int_equal(minnow_encode_batch(c, texts, N_TEXTS, vectors[0], N_TEXTS * HIDDEN, NULL, &options, &n_done,
                                             &error), MINNOW_OK);
        assert_int_equal(w.last, N_TEXTS);
        assert_in_range(w.n_calls, 1, N_TEXTS);
        if (n_threads == 1) assert_true(w.n_calls > 10);
        assert_int_equal(w.inside, MINNOW_ERROR_ARGUMENT);
        w = (watch){.n_texts = 3, .stop_at = SIZE_MAX, .context = c};
        assert_int_equal(minnow_encode_batch(c, texts, 3, vectors[0], 3 * HIDDEN, NULL, &options, NULL, NULL),
                         MINNOW_OK);
        assert_int_equal(w.last, 3);
        minnow_context_close(&c);
    }
}

static void a_batch_can_be_stopped(void **state) {
    size_t n_threads, n_done, stop;
    (void)state;
    for (n_threads = 1; n_threads <= 4; n_threads++)
        for (stop = 1; stop < N_TEXTS; stop += 13) {
            minnow_context *c = new_context(model, n_threads, 2 * MAX_TOKENS);
            watch w = {.n_texts = N_TEXTS, .stop_at = stop, .context = c};
            const minnow_batch_options options = {sizeof options, on_progress, &w};
            const minnow_status status = minnow_encode_batch(c, texts, N_TEXTS, vectors[0], N_TEXTS * HIDDEN, NULL,
                                                             &options, &n_done, &error);
            assert_memory_equal(vectors, expected, n_done * sizeof *vectors);
            if (n_threads == 1 && stop <= N_TEXTS - 25) assert_int_equal(status, MINNOW_ERROR_CANCELLED);
            if (status == MINNOW_ERROR_CANCELLED) {
                assert_in_range(n_done, stop, N_TEXTS - 1);
                assert_string_equal(minnow_status_text(error.status), "cancelled");
            } else { /* the last texts were under way already */
                assert_int_equal(status, MINNOW_OK);
                assert_int_equal(n_done, N_TEXTS);
            }
            check_batch(c, 0, 30); /* and the context goes on */
            minnow_context_close(&c);
        }
}

/* --- Failing ------------------------------------------------------------------------------------------------------ */

static void the_first_bad_text_is_the_error(void **state) {
    size_t n_threads, bad, n_done;
    minnow_text some[N_TEXTS];
    char message[64];
    (void)state;
    for (n_threads = 1; n_threads <= 4; n_threads++)
        for (bad = 0; bad < N_TEXTS; bad += 29) {
            minnow_context *c = new_context(model, n_threads, 0);
            size_t i;
            memcpy(some, texts, sizeof some);
            for (i = bad; i < N_TEXTS; i += 3) some[i] = (minnow_text){NULL, 1};
            memset(vectors, 0, sizeof vectors);
            assert_int_equal(minnow_encode_batch(c, some, N_TEXTS, vectors[0], N_TEXTS * HIDDEN, NULL, NULL, &n_done,
                                                 &error), MINNOW_ERROR_ARGUMENT);
            snprintf(message, sizeof message, "minnow_encode_batch: text %zu is NULL", bad);
            assert_string_equal(error.message, message);
            assert_int_equal(n_done, bad);
            assert_memory_equal(vectors, expected, bad * sizeof *vectors);
            minnow_context_close(&c);
        }
}

static void wrong_calls_are_errors(void **state) {
    minnow_context *c = new_context(model, 2, 0);
    size_t n_done = 99;
    (void)state;
    assert_int_equal(minnow_encode_batch(c, texts, 3, vectors[0], 3 * HIDDEN - 1, NULL, NULL, &n_done, &error),
                     MINNOW_ERROR_CAPACITY);
    assert_string_equal(error.message, "3 vectors of 32 numbers, room for 95");
    assert_int_equal(n_done, 0);
    assert_int_equal(minnow_encode_batch(c, texts, SIZE_MAX / 4, vectors[0], SIZE_MAX, NULL, NULL, NULL, &error),
                     MINNOW_ERROR_CAPACITY);
    assert_int_equal(minnow_encode_batch(NULL, texts, 1, vectors[0], HIDDEN, NULL, NULL, NULL, &error),
                     MINNOW_ERROR_ARGUMENT);
    assert_int_equal(minnow_encode_batch(c, NULL, 1, vectors[0], HIDDEN, NULL, NULL, NULL, &error),
                     MINNOW_ERROR_ARGUMENT);
    assert_int_equal(minnow_encode_batch(c, texts, 1, NULL, HIDDEN, NULL, NULL, NULL, NULL), MINNOW_ERROR_ARGUMENT);
    assert_int_equal(minnow_encode_batch(c, NULL, 0, NULL, 0, NULL, NULL, &n_done, &error), MINNOW_OK);
    minnow_context_close(&c);
}

/* --- A graph ------------------------------------------------------------------------------------------------------ */

#define GRAPH_TEXTS 12

static void a_graph_takes_batches_too(void **state) {
    const minnow_model_options model_options = {sizeof model_options, "tests/cli/data/vocab.txt", 0};
    minnow_model *m = NULL;
    size_t n_threads, n, i, n_done, dimensions;
    float *singles, *batch;
    (void)state;
    assert_int_equal(minnow_model_open_with(&m, GRAPH, &model_options, &error), MINNOW_OK);
    dimensions = minnow_model_dimensions(m);
    singles = calloc(2 * GRAPH_TEXTS, dimensions * sizeof *singles);
    assert_non_null(singles);
    batch = singles + GRAPH_TEXTS * dimensions;
    for (n_threads = 1; n_threads <= 4; n_threads++) {
        minnow_context *c = new_context(m, n_threads, 0);
        watch w = {.stop_at = SIZE_MAX, .context = c};
        const minnow_batch_options options = {sizeof options, on_progress, &w};
        for (i = 0; n_threads == 1 && i < GRAPH_TEXTS; i++)
            assert_int_equal(minnow_encode(c, texts[i].data, texts[i].bytes, singles + i * dimensions, dimensions,
                                           NULL, &error), MINNOW_OK);
        for (n = 1; n <= GRAPH_TEXTS; n += 3) {
            memset(batch, 0, n * dimensions * sizeof *batch);
            w.n_texts = n;
            w.last = 0;
            assert_int_equal(minnow_encode_batch(c, texts, n, batch, n * dimensions, of_batch, &options, &n_done,
                                                 &error), MINNOW_OK);
            assert_int_equal(n_done, n);
            assert_int_equal(w.last, n);
            assert_memory_equal(batch, singles, n * dimensions * sizeof *batch);
        }
        assert_true(w.n_calls < 1000000);
        minnow_context_close(&c);
    }
    free(singles);
    minnow_model_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_its_texts),
        cmocka_unit_test(a_context_does_singles_and_batches_in_turn),
        cmocka_unit_test(progress_counts_up_to_the_end),
        cmocka_unit_test(a_batch_can_be_stopped),
        cmocka_unit_test(the_first_bad_text_is_the_error),
        cmocka_unit_test(wrong_calls_are_errors),
        cmocka_unit_test(a_graph_takes_batches_too),
    };
    return cmocka_run_group_tests_name("encode_batch", tests, set_up, tear_down);
}
