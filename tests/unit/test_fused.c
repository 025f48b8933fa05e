/* SPDX-License-Identifier: Apache-2.0
 * The fused kernels of src/run/kernels: every table, the reference too, against the reference's steps one by one, bit
 * for bit, at the edges of tiles, with guard bytes between rows and behind the last; the engine where keys begin inside
 * a panel. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "kernel_tables.h"
#include "random_model.h"
#include "run/engine/engine.h"

#define GUARD ((size_t)7) /* elements behind a row */

typedef struct fused_case {
    random_model r; /* numbers are its; no model is made */
    int8_matrix w;
    int8_quantizer q;
    int8_t *x;
    float *residual, *y; /* y: linear by itself */
    size_t rows;
} fused_case;

static void *allocate(size_t bytes) {
    void *p = memory_aligned_alloc(bytes + 1);
    assert_non_null(p);
    return p;
}

static void case_init(fused_case *c, size_t rows, size_t n, size_t k, int with_nan) {
    size_t i;
    memset(c, 0, sizeof *c);
    arena_init(&c->r.memory, (size_t)1 << 26);
    c->r.state = (uint32_t)(rows * 7919 + n * 31 + k);
    c->rows = rows;
    c->w = random_matrix(&c->r, n, k, 40.0f * 128.0f);
    c->q = random_quantizer(&c->r, n, 1.0f, -20.0f);
    c->x = arena_alloc(&c->r.memory, rows * k);
    c->residual = random_floats(&c->r, rows * n, rows * n, -100.0f, 200.0f);
    c->y = arena_array(&c->r.memory, rows * n, sizeof *c->y);
    assert_true(c->y != NULL && c->residual != NULL && c->x != NULL);
    for (i = 0; i < rows * k; i++) c->x[i] = (int8_t)(random_bits(&c->r) >> 24);
    for (i = 0; with_nan && i < rows * n; i += 3) c->residual[i] = i % 2 ? __builtin_nanf("") : __builtin_inff();
    kernels_scalar.linear(c->x, rows, &c->w, c->y);
}

static void check_add(const fused_case *c, const kernels *k) {
    const size_t n = c->rows * c->w.n;
    float *expected = allocate((n + GUARD) * sizeof(float)), *y = allocate((n + GUARD) * sizeof(float));
    size_t i;
    for (i = 0; i < n; i++) expected[i] = c->y[i] + c->residual[i];
    for (i = n; i < n + GUARD; i++) expected[i] = 17.0f;
    memcpy(y, expected, (n + GUARD) * sizeof *y);
    memcpy(y, c->residual, n * sizeof *y);
    k->linear_add(c->x, c->rows, &c->w, y);
    for (i = 0; i < n + GUARD; i++) /* which NaN comes out of two is of no account: norm clamps them */
        if (memcmp(&y[i], &expected[i], sizeof *y) != 0 && !(y[i] != y[i] && expected[i] != expected[i]))
            fail_msg("linear_add, %s, (%zu, %zu, %zu): %zu differs", k->name, c->rows, c->w.n, c->w.k, i);
    memory_aligned_free(y);
    memory_aligned_free(expected);
}

static void check_codes(const fused_case *c, const kernels *k, float low, float high) {
    const size_t stride = c->w.n + GUARD, bytes = c->rows * stride;
    int8_t *expected = allocate(bytes), *codes = allocate(bytes);
    size_t i;
    memset(expected, 0x5a, bytes);
    memset(codes, 0x5a, bytes);
    for (i = 0; i < c->rows; i++)
        kernels_scalar.quantize(c->y + i * c->w.n, NULL, NULL, low, high, c->w.n, expected + i * stride);
    k->linear_codes(c->x, c->rows, &c->w, low, high, codes, stride);
    if (memcmp(codes, expected, bytes) != 0)
        fail_msg("linear_codes, %s, (%zu, %zu, %zu)", k->name, c->rows, c->w.n, c->w.k);
    memory_aligned_free(codes);
    memory_aligned_free(expected);
}

static void check_gelu_codes(const fused_case *c, const kernels *k) {
    const size_t n = c->rows * c->w.n;
    int8_t *expected = allocate(n + GUARD), *codes = allocate(n + GUARD);
    float *y = allocate(n * sizeof *y);
    size_t i;
    memset(expected, 0x5a, n + GUARD);
    memset(codes, 0x5a, n + GUARD);
    for (i = 0; i < n; i++) y[i] = c->y[i];
    kernels_scalar.gelu(y, n);
    for (i = 0; i < c->rows; i++)
        kernels_scalar.quantize(y + i * c->w.n, c->q.multiplier, c->q.offset, -128.0f, 127.0f, c->w.n,
                                expected + i * c->w.n);
    k->linear_gelu_codes(c->x, c->rows, &c->w, &c->q, codes);
    if (memcmp(codes, expected, n + GUARD) != 0)
        fail_msg("linear_gelu_codes, %s, (%zu, %zu, %zu)", k->name, c->rows, c->w.n, c->w.k);
    memory_aligned_free(y);
    memory_aligned_free(codes);
    memory_aligned_free(expected);
}

static void check(size_t rows, size_t n, size_t k) {
    const kernels *tables[KERNEL_TABLES + 1];
    const size_t n_tables = kernel_tables(tables);
    fused_case c;
    size_t i;
    tables[n_tables] = &kernels_scalar;
    case_init(&c, rows, n, k, rows % 3 == 0);
    for (i = 0; i <= n_tables; i++) {
        check_add(&c, tables[i]);
        check_codes(&c, tables[i], -128.0f, 127.0f);
        check_codes(&c, tables[i], -64.0f, 63.0f);
        check_gelu_codes(&c, tables[i]);
    }
    arena_free(&c.r.memory);
}

static void test_linear(void **state) {
    static const size_t columns[] = {1, 4, 15, 16, 17, 32, 33, 47, 48, 49, 64, 65, 96, 97, 111, 144, 145};
    size_t rows, i;
    (void)state;
    for (i = 0; i < sizeof columns / sizeof columns[0]; i++)
        for (rows = 1; rows <= 18; rows++) check(rows, columns[i], 4 + 4 * (rows % 7));
    check(48, 80, 64);
    check(49, 80, 64);
    check(97, 33, 132);
    check(25, 112, 384); /* tiles that are finished wholly while the next is summed */
    check(16, 96, 404);
}

/* Heads of 12: keys and values begin inside a panel, whose columns are clamped differently. */
static void test_keys_inside_a_panel(void **state) {
    random_shape shape = small_shape;
    const kernels *k = kernels_best();
    random_model r;
    int8_t codes[20 * 24], qkv[20 * 72], expected[20 * 72];
    float y[20 * 72];
    size_t i;
    (void)state;
    shape.hidden = 24;
    shape.n_heads = 2;
    assert_true(random_model_init(&r, &shape, 9));
    for (i = 0; i < sizeof codes; i++) codes[i] = (int8_t)(random_bits(&r) >> 24);
    kernels_scalar.linear(codes, 20, &r.model.layers[0].query_key_value, y);
    for (i = 0; i < 60; i++)
        kernels_scalar.quantize(y + i * 24, NULL, NULL, i % 3 == 1 ? -64.0f : -128.0f, i % 3 == 1 ? 63.0f : 127.0f, 24,
                                expected + i * 24);
    engine_query_key_value(&r.model, k, &r.model.layers[0], codes, 20, NULL, qkv);
    assert_memory_equal(qkv, expected, sizeof qkv);
    random_model_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_linear), cmocka_unit_test(test_keys_inside_a_panel)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
