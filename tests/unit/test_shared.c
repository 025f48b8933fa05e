/* SPDX-License-Identifier: Apache-2.0
 * What threads may share: from the process's first encoding on, when kernels are chosen, they open, create, encode and
 * close at once, with a model each, with one model, and with one context, which lets one in at a time. The bytes are
 * always the same. `make test-tsan` watches. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "small_minnow.h"

#define N_THREADS 8
#define N_ROUNDS 6
#define N_TEXTS 5

static const minnow_text texts[N_TEXTS] = {{"Hello a b c", 11}, {"a", 1}, {"", 0}, {"c b a c b a c b a", 17},
                                           {"hello hello", 11}};

static uint8_t *file;
static size_t file_bytes;
static minnow_model *shared_model;
static minnow_context *shared_context;
static float expected[N_TEXTS * HIDDEN];
static atomic_int n_ready, n_wrong, n_refused;

/* Threads cannot fail a cmocka test: they count what is wrong. */
#define CHECK(condition) ((condition) ? (void)0 : (void)atomic_fetch_add(&n_wrong, 1))

/* All threads go on together. */
static void wait_for_all(void) {
    atomic_fetch_add(&n_ready, 1);
    while (atomic_load(&n_ready) % N_THREADS != 0) continue;
}

static void in_threads(void *(*run)(void *)) {
    pthread_t threads[N_THREADS];
    atomic_store(&n_ready, 0);
    atomic_store(&n_wrong, 0);
    for (uintptr_t i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, (void *)(i + 1)), 0);
    for (size_t i = 0; i < N_THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&n_wrong), 0);
}

static minnow_context *new_context(const minnow_model *m, size_t n_threads) {
    const minnow_context_options options = {.size = sizeof options, .n_threads = n_threads};
    minnow_context *c = NULL;
    minnow_error error;
    CHECK(minnow_context_create(&c, m, &options, &error) == MINNOW_OK);
    return c;
}

static void encode_batch(minnow_context *c) {
    float vectors[N_TEXTS * HIDDEN];
    minnow_error error;
    CHECK(minnow_encode_batch(c, texts, N_TEXTS, vectors, N_TEXTS * HIDDEN, NULL, NULL, NULL, &error) == MINNOW_OK);
    CHECK(memcmp(vectors, expected, sizeof vectors) == 0);
}

static void encode_each(minnow_context *c) {
    float vector[HIDDEN];
    minnow_error error;
    for (size_t i = 0; i < N_TEXTS; i++) {
        CHECK(minnow_encode(c, texts[i].data, texts[i].bytes, vector, HIDDEN, NULL, &error) == MINNOW_OK);
        CHECK(memcmp(vector, expected + i * HIDDEN, sizeof vector) == 0);
    }
}

/* --- From the first call on --------------------------------------------------------------------------------------- */

static uint8_t first_vectors[N_THREADS][sizeof expected];

/* Kernels are chosen here for the first time. */
static void *begin_at_once(void *argument) {
    const size_t self = (size_t)(uintptr_t)argument - 1;
    minnow_model *m = NULL;
    minnow_context *c;
    minnow_error error;
    wait_for_all();
    CHECK(minnow_isa(0) != NULL);
    CHECK(minnow_model_open_memory(&m, file, file_bytes, NULL, &error) == MINNOW_OK);
    c = new_context(m, 1);
    CHECK(minnow_encode_batch(c, texts, N_TEXTS, (float *)(void *)first_vectors[self], N_TEXTS * HIDDEN, NULL, NULL, NULL,
                              &error) == MINNOW_OK);
    minnow_context_close(&c);
    minnow_model_close(&m);
    return NULL;
}

static void the_first_calls_may_come_at_once(void **state) {
    (void)state;
    in_threads(begin_at_once);
    for (size_t i = 1; i < N_THREADS; i++) assert_memory_equal(first_vectors[i], first_vectors[0], sizeof expected);
    memcpy(expected, first_vectors[0], sizeof expected);
}

/* --- Sharing ------------------------------------------------------------------------------------------------------ */

static void *use_shared_model(void *argument) {
    const size_t self = (size_t)(uintptr_t)argument;
    wait_for_all();
    for (size_t round = 0; round < N_ROUNDS; round++) {
        minnow_context *c = new_context(shared_model, 1 + (self + round) % 3);
        int32_t ids[8];
        size_t n_ids = 0;
        minnow_error error;
        encode_each(c);
        encode_batch(c);
        CHECK(minnow_tokenize(shared_model, "hello a", 7, 0, ids, 8, &n_ids, NULL, &error) == MINNOW_OK && n_ids == 4);
        minnow_context_close(&c);
    }
    return NULL;
}

static void threads_share_a_model(void **state) {
    minnow_error error;
    (void)state;
    assert_int_equal(minnow_model_open_memory(&shared_model, file, file_bytes, NULL, &error), MINNOW_OK);
    in_threads(use_shared_model);
    minnow_model_close(&shared_model);
}

static void *open_and_close(void *argument) {
    (void)argument;
    wait_for_all();
    for (size_t round = 0; round < N_ROUNDS; round++) {
        minnow_model *m = NULL;
        minnow_context *a, *b;
        minnow_error error;
        CHECK(minnow_model_open_memory(&m, file, file_bytes, NULL, &error) == MINNOW_OK);
        a = new_context(m, 2);
        b = new_context(m, 1);
        encode_batch(b);
        encode_batch(a);
        minnow_context_close(&b);
        minnow_context_close(&a);
        minnow_model_close(&m);
    }
    return NULL;
}

static void threads_open_and_close(void **state) {
    (void)state;
    in_threads(open_and_close);
}

/* Refused, and nothing is written; or let in, and right. */
static void *use_shared_context(void *argument) {
    (void)argument;
    wait_for_all();
    for (size_t round = 0; round < 20 * N_ROUNDS; round++) {
        float vectors[N_TEXTS * HIDDEN] = {0};
        const float untouched[N_TEXTS * HIDDEN] = {0};
        minnow_error error;
        const minnow_status status =
            minnow_encode_batch(shared_context, texts, N_TEXTS, vectors, N_TEXTS * HIDDEN, NULL, NULL, NULL, &error);
        if (status == MINNOW_ERROR_ARGUMENT) {
            atomic_fetch_add(&n_refused, 1);
            CHECK(memcmp(vectors, untouched, sizeof vectors) == 0 && error.message[0] != '\0');
        } else {
            CHECK(status == MINNOW_OK && memcmp(vectors, expected, sizeof vectors) == 0);
        }
    }
    return NULL;
}

static void a_context_lets_one_thread_in(void **state) {
    minnow_error error;
    (void)state;
    assert_int_equal(minnow_model_open_memory(&shared_model, file, file_bytes, NULL, &error), MINNOW_OK);
    shared_context = new_context(shared_model, 2);
    in_threads(use_shared_context);
    encode_each(shared_context); /* nothing stays locked */
    assert_int_equal(atomic_load(&n_wrong), 0);
    print_message("%d of %d calls were refused\n", atomic_load(&n_refused), 20 * N_ROUNDS * N_THREADS);
    minnow_context_close(&shared_context);
    minnow_model_close(&shared_model);
}

static int set_up(void **state) {
    minnow_error error;
    (void)state;
    return small_minnow_bytes(&file, &file_bytes, &error) == MINNOW_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    memory_aligned_free(file);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_calls_may_come_at_once),
        cmocka_unit_test(threads_share_a_model),
        cmocka_unit_test(threads_open_and_close),
        cmocka_unit_test(a_context_lets_one_thread_in),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
