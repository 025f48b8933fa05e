/* SPDX-License-Identifier: Apache-2.0
 * src/convert/math/linear_algebra: against plain loops, at sizes around the blocks, and the same bits for any number
 * of threads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convert/math/linear_algebra.h"

static uint32_t random_state = 1;
static double random_double(void) { /* [-1, 1) */
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return (double)(int32_t)random_state * (1.0 / 2147483648.0);
}

static double *random_array(size_t n) {
    double *x = malloc((n + 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) x[i] = random_double();
    return x;
}

/* B B^T + 0.1 I */
static double *random_positive(size_t n) {
    double *b = random_array(n * n), *a = random_array(n * n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = i == j ? 0.1 : 0.0;
            for (size_t m = 0; m < n; m++) sum += b[i * n + m] * b[j * n + m];
            a[i * n + j] = sum;
        }
    free(b);
    return a;
}

static double *copy_of(const double *x, size_t n) {
    double *y = random_array(n);
    memcpy(y, x, n * sizeof *x);
    return y;
}

static const size_t sizes[] = {1, 2, 15, 16, 17, 31, 32, 33, 48, 64, 65, 100, 131};
#define N_SIZES (sizeof sizes / sizeof *sizes)

static void test_subtract(void **state) {
    (void)state;
    for (size_t n = 0; n < 40; n++) {
        double *a = random_array(n), *x = random_array(n * LINEAR_LANES), *y = random_array(LINEAR_LANES);
        double *wanted = copy_of(y, LINEAR_LANES);
        for (size_t i = 0; i < n; i++)
            for (size_t l = 0; l < LINEAR_LANES; l++) wanted[l] -= a[i] * x[i * LINEAR_LANES + l];
        linear_subtract(y, a, x, n);
        assert_memory_equal(y, wanted, LINEAR_LANES * sizeof *y);
        free(a), free(x), free(y), free(wanted);
    }
}

static void test_cholesky(void **state) {
    (void)state;
    for (size_t s = 0; s < N_SIZES; s++) {
        const size_t n = sizes[s];
        double *a = random_positive(n), *l = copy_of(a, n * n);
        minnow_error error = {0};
        for (size_t i = 0; i < n; i++) /* the upper triangle is not read */
            for (size_t j = i + 1; j < n; j++) l[i * n + j] = NAN;
        assert_int_equal(linear_cholesky(l, n, NULL, &error), MINNOW_OK);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j <= i; j++) {
                double sum = 0.0;
                for (size_t m = 0; m <= j; m++) sum += l[i * n + m] * l[j * n + m];
                assert_true(fabs(sum - a[i * n + j]) < 1e-12 * (double)n);
                assert_true(l[i * n + j] == l[j * n + i]);
            }
        free(a), free(l);
    }
}

static void test_solve(void **state) {
    (void)state;
    for (size_t s = 0; s < N_SIZES; s++) {
        const size_t n = sizes[s];
        double *a = random_positive(n), *l = copy_of(a, n * n), *b = random_array(n * LINEAR_LANES);
        double *x = copy_of(b, n * LINEAR_LANES);
        minnow_error error = {0};
        assert_int_equal(linear_cholesky(l, n, NULL, &error), MINNOW_OK);
        linear_cholesky_solve(l, n, x);
        for (size_t i = 0; i < n; i++)
            for (size_t r = 0; r < LINEAR_LANES; r++) {
                double sum = -b[i * LINEAR_LANES + r];
                for (size_t m = 0; m < n; m++) sum += a[i * n + m] * x[m * LINEAR_LANES + r];
                assert_true(fabs(sum) < 1e-9);
            }
        free(a), free(l), free(b), free(x);
    }
}

static void test_threads(void **state) {
    (void)state;
    for (size_t s = 0; s < N_SIZES; s++) {
        const size_t n = sizes[s];
        double *a = random_positive(n), *one = copy_of(a, n * n);
        minnow_error error = {0};
        assert_int_equal(linear_cholesky(one, n, NULL, &error), MINNOW_OK);
        for (size_t threads = 2; threads <= 3; threads++) {
            double *many = copy_of(a, n * n);
            thread_pool *pool = NULL;
            assert_int_equal(thread_pool_create(&pool, threads, &error), MINNOW_OK);
            assert_int_equal(linear_cholesky(many, n, pool, &error), MINNOW_OK);
            assert_memory_equal(one, many, n * n * sizeof *one);
            thread_pool_close(&pool);
            free(many);
        }
        free(a), free(one);
    }
}

static void test_refusals(void **state) {
    const size_t n = 40;
    double *a = random_positive(n), *l = copy_of(a, n * n);
    minnow_error error = {0};
    (void)state;
    l[35 * n + 35] = -1.0;
    assert_int_equal(linear_cholesky(l, n, NULL, &error), MINNOW_ERROR_ARGUMENT);
    assert_string_equal(error.message, "a matrix of 40 rows is not positive definite");
    memcpy(l, a, n * n * sizeof *a);
    l[33 * n + 2] = NAN;
    assert_int_equal(linear_cholesky(l, n, NULL, &error), MINNOW_ERROR_ARGUMENT);
    memcpy(l, a, n * n * sizeof *a);
    l[0] = INFINITY;
    assert_int_equal(linear_cholesky(l, n, NULL, &error), MINNOW_ERROR_ARGUMENT);
    free(a), free(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subtract), cmocka_unit_test(test_cholesky), cmocka_unit_test(test_solve),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
