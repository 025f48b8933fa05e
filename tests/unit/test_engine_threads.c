/* SPDX-License-Identifier: Apache-2.0
 * The engine by the threads of a pool: the bytes of one thread, whatever the number of threads and the texts. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "random_model.h"
#include "run/engine/engine.h"

#define MAX_ROWS ((size_t)200)
#define GUARD_BYTES ((size_t)64)

/* Hidden states of texts that end at `starts`, by n_threads; freed by the caller. Memory begins full of something, and
 * exactly what was asked for is there. */
static float *run(const int8_model *m, const size_t *starts, size_t n_texts, size_t n_threads) {
    int32_t ids[MAX_ROWS];
    const engine_texts texts = {ids, starts, n_texts};
    const size_t rows = starts[n_texts], bytes = engine_threads_scratch_bytes(m, rows, m->n_positions, n_threads);
    float *hidden = memory_aligned_alloc(rows * m->hidden * sizeof *hidden);
    uint8_t *scratch = memory_aligned_alloc(bytes + GUARD_BYTES);
    thread_pool *pool = NULL;
    minnow_error error;
    size_t i, again;
    assert_true(hidden != NULL && scratch != NULL && bytes > 0);
    for (i = 0; i < rows; i++) ids[i] = (int32_t)((i * 37 + 11) % m->n_vocab);
    assert_int_equal(thread_pool_create(&pool, n_threads, &error), MINNOW_OK);
    for (again = 0; again < 3; again++) {
        memset(scratch, 0xa5, bytes + GUARD_BYTES);
        memset(hidden, 0xa5, rows * m->hidden * sizeof *hidden);
        engine_run_threads(m, kernels_best(), &texts, pool, scratch, hidden);
        for (i = 0; i < GUARD_BYTES; i++) assert_int_equal(scratch[bytes + i], 0xa5);
    }
    thread_pool_close(&pool);
    memory_aligned_free(scratch);
    return hidden;
}

static void check(const int8_model *m, const size_t *starts, size_t n_texts) {
    static const size_t threads[] = {2, 3, 4, 7, 16, 64};
    const size_t bytes = starts[n_texts] * m->hidden * sizeof(float);
    float *expected = run(m, starts, n_texts, 1), *hidden;
    size_t i;
    for (i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        hidden = run(m, starts, n_texts, threads[i]);
        if (memcmp(hidden, expected, bytes) != 0)
            fail_msg("%zu texts, %zu rows, %zu threads: other bytes", n_texts, starts[n_texts], threads[i]);
        memory_aligned_free(hidden);
    }
    memory_aligned_free(expected);
}

static void test_threads(void **state) {
    static const size_t ends[] = {1, 3, 4, 5, 8, 9, 16, 17, 31, 48, 49, 80};
    static const size_t batches[3][6] = {{0, 1, 2, 3, 4, 5}, {0, 7, 20, 21, 60, 61}, {0, 80, 160, 161, 199, 200}};
    random_model r;
    size_t i;
    (void)state;
    assert_true(random_model_init(&r, &small_shape, 11));
    for (i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const size_t starts[2] = {0, ends[i]};
        check(&r.model, starts, 1);
    }
    for (i = 0; i < 3; i++) check(&r.model, batches[i], 5);
    random_model_free(&r);
}

static void test_memory(void **state) {
    random_model r;
    (void)state;
    assert_true(random_model_init(&r, &small_shape, 12));
    assert_true(engine_threads_scratch_bytes(&r.model, 80, 80, 1) == engine_scratch_bytes(&r.model, 80, 80));
    assert_true(engine_threads_scratch_bytes(&r.model, 80, 80, 2) > engine_scratch_bytes(&r.model, 80, 80));
    assert_true(engine_threads_scratch_bytes(&r.model, 80, 80, SIZE_MAX / 64) == 0);
    random_model_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads), cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
