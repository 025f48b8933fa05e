/* SPDX-License-Identifier: Apache-2.0
 * Which table of kernels a machine gets: by rule, by force, by a clock. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cpu.h"
#include "base/thread.h"
#include "run/kernels/tiers.h"

/* A clock of the test: what each run of each table takes. */
typedef struct times {
    const kernels *usual;
    double seconds[2][CHOOSE_RUNS];
    size_t n_runs[2];
} times;

static double next_time(void *context, const kernels *k) {
    times *t = context;
    const size_t which = k == t->usual ? 0 : 1;
    assert_true(t->n_runs[which] < CHOOSE_RUNS);
    return t->seconds[which][t->n_runs[which]++];
}

/* 1 if the rival is chosen, whose quickest run takes `rival` and is its `at`-th, as the usual one's takes `usual`. */
static int rival_wins(double usual, double rival, size_t at) {
    static const kernels a = {.name = "a"}, b = {.name = "b"};
    times t = {.usual = &a};
    const kernels *chosen;
    size_t i;
    for (i = 0; i < CHOOSE_RUNS; i++) { /* all other runs are disturbed */
        t.seconds[0][i] = i == at ? usual : usual + 100.0 + (double)i;
        t.seconds[1][i] = i == at ? rival : rival + 200.0 - (double)i;
    }
    chosen = kernels_quicker(&a, &b, next_time, &t);
    assert_true(chosen == &a || chosen == &b);
    assert_int_equal(t.n_runs[0], CHOOSE_RUNS);
    assert_int_equal(t.n_runs[1], CHOOSE_RUNS);
    return chosen == &b;
}

static void test_quicker(void **state) {
    size_t at;
    (void)state;
    for (at = 0; at < CHOOSE_RUNS; at++) {
        assert_false(rival_wins(8.0, 9.0, at));
        assert_false(rival_wins(8.0, 8.0, at));
        assert_false(rival_wins(8.0, 7.5, at)); /* near ties go to the usual one */
        assert_false(rival_wins(8.0, 7.0, at));
        assert_true(rival_wins(8.0, 6.75, at));
        assert_true(rival_wins(8.0, 0.0, at));
        assert_false(rival_wins(0.0, 0.0, at)); /* a clock too coarse */
    }
}

/* Any machine: it returns one of the two, and one that is many times slower never. */
static void test_quicker_here(void **state) {
    const kernels *best = kernels_best();
    (void)state;
    assert_ptr_equal(kernels_quicker_here(best, best), best);
    if (best == &kernels_scalar) return;
    assert_ptr_equal(kernels_quicker_here(best, &kernels_scalar), best);
    assert_ptr_equal(kernels_quicker_here(&kernels_scalar, best), best);
}

static void ask(void *context, size_t part, size_t n_parts) {
    const kernels **answers = context;
    (void)n_parts;
    answers[part] = kernels_best();
}

static void test_best(void **state) {
    const kernels *answers[8], *best;
    const int forced = cpu_forced_tier();
    thread_pool *pool;
    minnow_error error;
    size_t i;
    int tier;
    (void)state;
    assert_int_equal(forced, -1);
    assert_int_equal(thread_pool_create(&pool, 8, &error), MINNOW_OK);
    thread_pool_run(pool, ask, answers); /* the process's first questions */
    thread_pool_close(&pool);
    best = kernels_best();
    for (i = 0; i < 8; i++) assert_ptr_equal(answers[i], best);
    /* Only a tier that may be as fast takes the place of the highest. */
    tier = cpu_tier_from_name(best->name);
    assert_ptr_equal(kernels_for_tier(tier), best);
    if (cpu_has_tier(CPU_TIER_AVX512VNNI)) assert_int_not_equal(tier, CPU_TIER_AVX2);
    /* A forced tier goes before what was chosen. */
    for (tier = 0; tier < CPU_TIER_COUNT; tier++)
        if (cpu_force_tier((cpu_tier)tier)) {
            assert_int_equal(cpu_forced_tier(), tier);
            assert_ptr_equal(kernels_best(), kernels_for_tier(tier));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_quicker), cmocka_unit_test(test_best),
                                       cmocka_unit_test(test_quicker_here)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
