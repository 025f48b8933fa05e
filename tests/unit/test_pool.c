/* SPDX-License-Identifier: Apache-2.0
 * Pooling and normalization against values worked out by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "run/engine/pool.h"

static const float tokens[3][4] = {{1, 2, -1, 0}, {3, -2, -5, 0}, {2, 3, 0, 0}};

static void pools(void **state) {
    static const struct { minnow_pooling pooling; float want[4]; } cases[] = {
        {MINNOW_POOLING_MEAN, {2, 1, -2, 0}}, {MINNOW_POOLING_CLS, {1, 2, -1, 0}}, {MINNOW_POOLING_MAX, {3, 3, 0, 0}}};
    double scratch[4];
    float out[4];
    size_t i;
    (void)state;
    for (i = 0; i < 3; i++) {
        pool_tokens(&tokens[0][0], 3, 4, cases[i].pooling, 0, scratch, out);
        assert_memory_equal(out, cases[i].want, sizeof out);
    }
    pool_tokens(&tokens[0][0], 3, 4, MINNOW_POOLING_MEAN, 1, scratch, out);
    assert_true(out[0] == 2.0f / 3 && out[1] == 1.0f / 3 && out[2] == -2.0f / 3 && out[3] == 0);
}

static void a_vector_without_length_stays_zero(void **state) {
    const double v[3] = {0, 0, 0};
    float out[3] = {1, 1, 1};
    (void)state;
    pool_finish(v, 3, 1, out);
    assert_true(out[0] == 0 && out[1] == 0 && out[2] == 0);
}

/* Sums in float32 would lose the small ones: 2^25 + 1 + ... */
static void sums_are_float64(void **state) {
    const float column[4] = {33554432.0f, 1, 1, 1};
    double scratch[1];
    float out[1];
    (void)state;
    pool_tokens(column, 4, 1, MINNOW_POOLING_MEAN, 0, scratch, out);
    assert_true(scratch[0] == 33554435.0 / 4);
}

static void similarity(void **state) {
    const float a[3] = {1, 2, 2}, b[3] = {2, 4, 4}, c[3] = {-2, 1, 0}, zero[3] = {0, 0, 0};
    (void)state;
    assert_true(minnow_similarity(a, b, 3) == 1.0);
    assert_true(minnow_similarity(a, c, 3) == 0.0);
    assert_true(minnow_similarity(a, zero, 3) == 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pools), cmocka_unit_test(a_vector_without_length_stays_zero),
                                       cmocka_unit_test(sums_are_float64), cmocka_unit_test(similarity)};
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
