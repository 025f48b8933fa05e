/* SPDX-License-Identifier: Apache-2.0
 * Products of 8-bit integers: every tier against plain loops, at the edges of tiles, panels and groups, with the
 * extremes of both types, and guard bytes around what is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "convert/math/int8.h"

#if defined(__x86_64__)
extern const int8_kernels int8_kernels_avxvnni_evex; /* int8_avxvnni_avx512vnni.c */
#endif

#define GUARD 64
#define GUARD_BYTE 0xa5

static uint32_t seed = 1;
static uint32_t random_u32(void) { return seed = seed * 1664525u + 1013904223u; }

static size_t tables_here(const int8_kernels *tables[CPU_TIER_COUNT + 1]) {
    size_t n = 0;
    for (int tier = 0; tier < CPU_TIER_COUNT; tier++)
        if (int8_for_tier(tier)) tables[n++] = int8_for_tier(tier);
#if defined(__x86_64__)
    if (cpu_has_tier(CPU_TIER_AVX512VNNI)) tables[n++] = &int8_kernels_avxvnni_evex;
#endif
    return n;
}

/* Memory with guards before and after. */
static uint8_t *guarded(size_t bytes) {
    uint8_t *all = memory_aligned_alloc(bytes + 2 * GUARD);
    assert_non_null(all);
    memset(all, GUARD_BYTE, bytes + 2 * GUARD);
    return all + GUARD;
}

static void release(void *p, size_t bytes) {
    uint8_t *all = (uint8_t *)p - GUARD;
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(all[i], GUARD_BYTE);
        assert_int_equal(all[GUARD + bytes + i], GUARD_BYTE);
    }
    memory_aligned_free(all);
}

/* Bytes of all kinds, or only those whose products are largest. */
static void fill(uint8_t *x, size_t n, int extremes) {
    static const uint8_t ends[] = {0, 255, 128, 127};
    for (size_t i = 0; i < n; i++) x[i] = extremes ? ends[random_u32() >> 30] : (uint8_t)(random_u32() >> 24);
}

typedef struct shape {
    size_t m, k, n;
    int a_signed, b_unsigned, transposed, extremes;
} shape;

static int32_t code(uint8_t byte, int is_signed) { return is_signed ? (int8_t)byte : byte; }

static size_t b_at(const shape *s, size_t i, size_t j) { return s->transposed ? j * s->k + i : i * s->n + j; }

/* sum of (a as uint8)(b as int8) + start, as loops. */
static void plain(const shape *s, const uint8_t *a, size_t lda, const uint8_t *b, const int32_t *start, int32_t *c) {
    for (size_t i = 0; i < s->m; i++)
        for (size_t j = 0; j < s->n; j++) {
            uint32_t sum = (uint32_t)start[j];
            for (size_t x = 0; x < s->k; x++)
                sum += (uint32_t)((code(a[i * lda + x], s->a_signed) + (s->a_signed ? 128 : 0)) *
                                  (code(b[b_at(s, x, j)], !s->b_unsigned) - (s->b_unsigned ? 128 : 0)));
            c[i * s->n + j] = (int32_t)sum;
        }
}

static void check_sums(const int8_kernels *t, const shape *s, const uint8_t *a, size_t lda, const uint8_t *b,
                       const void *packed, const int32_t *row_sums) {
    for (size_t j = 0; j < s->n; j++) {
        int32_t sum = 0;
        for (size_t x = 0; x < s->k; x++)
            sum += code(b[b_at(s, x, j)], !s->b_unsigned) - (s->b_unsigned ? 128 : 0);
        assert_int_equal(int8_column_sums(packed)[j], sum);
    }
    for (size_t i = 0; i < s->m; i++) {
        int32_t sum = 0;
        for (size_t x = 0; x < s->k; x++) sum += code(a[i * lda + x], s->a_signed) + (s->a_signed ? 128 : 0);
        assert_int_equal(row_sums[i], sum);
    }
    (void)t;
}

static void check(const int8_kernels *t, const shape *s) {
    const size_t lda = s->k + random_u32() % 3, ldc = s->n + random_u32() % 3;
    const size_t packed_bytes = t->packed_bytes(s->k, s->n), rows_bytes = s->m * t->row_bytes(s->k);
    const size_t c_bytes = ((s->m - 1) * ldc + s->n) * sizeof(int32_t), start_count = t->padded_columns(s->n);
    uint8_t *a = guarded(s->m * lda), *b = guarded(s->k * s->n), *packed = guarded(packed_bytes);
    uint8_t *rows = guarded(rows_bytes);
    int32_t *c = (int32_t *)(void *)guarded(c_bytes), *row_sums = (int32_t *)(void *)guarded(s->m * sizeof *row_sums);
    int32_t *start = calloc(start_count, sizeof *start), *wanted = malloc(s->m * s->n * sizeof *wanted);
    assert_true(start && wanted);
    fill(a, s->m * lda, s->extremes);
    fill(b, s->k * s->n, s->extremes);
    for (size_t j = 0; j < s->n; j++) start[j] = (int32_t)random_u32();
    t->pack(b, s->transposed ? 1 : s->n, s->transposed ? s->k : 1, s->b_unsigned ? 0x80 : 0, s->k, s->n, packed);
    t->load_rows(a, lda, s->a_signed ? 0x80 : 0, s->m, s->k, rows, row_sums);
    check_sums(t, s, a, lda, b, packed, row_sums);
    plain(s, a, lda, b, start, wanted);
    /* In one piece, then from the second panel on. */
    for (size_t from = 0; from < s->n && from <= t->columns; from += t->columns) {
        t->gemm(rows, int8_columns_from(t, packed, s->k, s->n, from), start + from, c + from, ldc, s->m, s->k,
                s->n - from);
        for (size_t i = 0; i < s->m; i++)
            for (size_t j = from; j < s->n; j++) assert_int_equal(c[i * ldc + j], wanted[i * s->n + j]);
    }
    for (size_t i = 0; i + 1 < s->m; i++) /* between the rows */
        for (size_t x = s->n * 4; x < ldc * 4; x++)
            assert_int_equal(((uint8_t *)c)[i * ldc * 4 + x], GUARD_BYTE);
    release(a, s->m * lda);
    release(b, s->k * s->n);
    release(packed, packed_bytes);
    release(rows, rows_bytes);
    release(c, c_bytes);
    release(row_sums, s->m * sizeof *row_sums);
    free(start);
    free(wanted);
}

static void test_edges(void **state) {
    static const size_t ms[] = {1, 2, 3, 4, 5, 6, 7, 11, 13}, ks[] = {1, 2, 3, 4, 5, 15, 31, 64, 67, 130};
    static const size_t ns[] = {1, 3, 4, 5, 8, 15, 16, 17, 33, 63, 64, 65, 140};
    const int8_kernels *tables[CPU_TIER_COUNT + 1];
    const size_t n_tables = tables_here(tables);
    (void)state;
    for (size_t t = 0; t < n_tables; t++)
        for (size_t m = 0; m < sizeof ms / sizeof *ms; m++)
            for (size_t k = 0; k < sizeof ks / sizeof *ks; k++)
                for (size_t n = 0; n < sizeof ns / sizeof *ns; n++) {
                    const uint32_t bits = random_u32() >> 28;
                    const shape s = {ms[m], ks[k], ns[n], bits & 1, bits >> 1 & 1, bits >> 2 & 1, bits >> 3 & 1};
                    check(tables[t], &s);
                }
}

/* The longest k with nothing but the largest products: sums near the ends of int32. */
static void test_longest(void **state) {
    const int8_kernels *tables[CPU_TIER_COUNT + 1];
    const size_t n_tables = tables_here(tables);
    (void)state;
    for (size_t t = 0; t < n_tables; t++)
        for (int kind = 0; kind < 4; kind++) {
            const shape s = {2, INT8_MAX_K, 5, kind & 1, kind >> 1, 0, 1};
            check(tables[t], &s);
        }
}

static void test_choice(void **state) {
    (void)state;
    assert_non_null(int8_best());
    assert_non_null(int8_for_tier(CPU_TIER_SCALAR));
    assert_null(int8_for_tier(-1));
    assert_null(int8_for_tier(CPU_TIER_COUNT));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
