/* SPDX-License-Identifier: Apache-2.0
 * The pool of threads: every part runs once, the barrier holds all, shares cover all; also with many more threads than
 * processors. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

#define MAX_PARTS 64

static size_t rounds(void) { return getenv("MINNOW_TEST_EMULATED") != NULL ? 20 : 200; }

/* Written by their parts alone, without atomics: the pool orders all accesses (ThreadSanitizer watches). */
typedef struct phases {
    thread_pool *pool;
    size_t n_active, counts[MAX_PARTS], errors[MAX_PARTS], runs[MAX_PARTS];
} phases;

/* Between two barriers each part checks that all are as far as itself. */
static void count_together(void *context, size_t part, size_t n_parts) {
    phases *p = context;
    size_t round, i;
    p->runs[part]++;
    if (n_parts != thread_pool_size(p->pool)) p->errors[part]++;
    if (part >= p->n_active) return;
    for (round = 1; round <= rounds(); round++) {
        p->counts[part]++;
        thread_pool_barrier(p->pool, p->n_active);
        for (i = 0; i < p->n_active; i++)
            if (p->counts[i] != round) p->errors[part]++;
        thread_pool_barrier(p->pool, p->n_active);
    }
}

static void check(size_t n_threads, size_t n_active) {
    phases p = {.n_active = n_active};
    minnow_error error;
    size_t i, job;
    assert_int_equal(thread_pool_create(&p.pool, n_threads, &error), MINNOW_OK);
    assert_int_equal(thread_pool_size(p.pool), n_threads);
    for (job = 1; job <= 3; job++) {
        memset(p.counts, 0, sizeof p.counts);
        thread_pool_run(p.pool, count_together, &p);
        for (i = 0; i < n_threads; i++) {
            assert_int_equal(p.runs[i], job);
            assert_int_equal(p.errors[i], 0);
            assert_int_equal(p.counts[i], i < n_active ? rounds() : 0);
        }
    }
    thread_pool_close(&p.pool);
    assert_null(p.pool);
}

static void test_barrier(void **state) {
    (void)state;
    check(1, 1);
    check(2, 2);
    check(2, 1);
    check(5, 3);
    check(MAX_PARTS, MAX_PARTS); /* more than most machines have processors */
}

static void test_limits(void **state) {
    thread_pool *pool;
    minnow_error error;
    (void)state;
    assert_int_equal(thread_pool_create(&pool, 100000, &error), MINNOW_ERROR_ARGUMENT);
    assert_null(pool);
    assert_int_equal(thread_pool_size(NULL), 1);
    thread_pool_close(&pool);
    assert_int_equal(thread_pool_create(&pool, 0, &error), MINNOW_OK);
    assert_true(thread_pool_size(pool) >= 1);
    thread_pool_close(&pool);
}

static void test_share(void **state) {
    size_t n, grain, parts, part;
    (void)state;
    for (n = 0; n < 70; n += 3)
        for (grain = 1; grain < 20; grain += 6)
            for (parts = 1; parts < 9; parts++) {
                size_t expected = 0, begin, end;
                for (part = 0; part < parts; part++, expected = end) {
                    thread_pool_share(n, grain, part, parts, &begin, &end);
                    assert_int_equal(begin, expected);
                    assert_true(end >= begin && (end == n || end % grain == 0));
                }
                assert_int_equal(expected, n);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_barrier), cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_share)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
