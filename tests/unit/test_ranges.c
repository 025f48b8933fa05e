/* SPDX-License-Identifier: Apache-2.0
 * Histograms and the methods that pick a range, against cases worked out by hand and slow, obvious references. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convert/calibrate/ranges_impl.h"

#define HALF (RANGE_BINS / 2)

static range_histogram h, other;

static uint32_t state;
static double uniform(void) {
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / 16777216.0;
}

/* A bell with a few outliers; one-sided if asked. */
static void fill(size_t n, int one_sided) {
    state = 5;
    range_histogram_clear(&h, 0x1p-10);
    for (size_t i = 0; i < n; i++) {
        double x = 0;
        for (int k = 0; k < 6; k++) x += uniform() - 0.5;
        if (i % 1000 == 0) x *= 3;
        if (one_sided && x < 0) x *= 0.05;
        const float z = (float)x;
        range_histogram_add(&h, &z, 1);
    }
}

static void extremes_of(const range_histogram *g, float *least, float *most) {
    size_t first = 0, end = RANGE_BINS;
    while (g->counts[first] == 0) first++;
    while (g->counts[end - 1] == 0) end--;
    *least = (float)(((double)first - HALF) * g->width);
    *most = (float)(((double)end - HALF) * g->width);
}

static uint64_t count_all(const range_histogram *g) {
    uint64_t n = 0;
    for (size_t i = 0; i < RANGE_BINS; i++) n += g->counts[i];
    return n;
}

/* --- Histograms ----------------------------------------------------------------------------------------------- */

static void bins(void **unused) {
    const float z[] = {0, -0.25f, 0.25f, 0.24f, -0.26f, -1e-30f};
    (void)unused;
    range_histogram_clear(&h, 0.25);
    range_histogram_add(&h, z, 6);
    assert_int_equal(h.counts[HALF], 2);
    assert_int_equal(h.counts[HALF + 1], 1);
    assert_int_equal(h.counts[HALF - 1], 2);
    assert_int_equal(h.counts[HALF - 2], 1);
    assert_int_equal(h.total, 6);
    assert_true(range_histogram_width(1.0) == 0x1p-11); /* 1.0 itself would not fit in 4096 bins of 2^-12 */
    assert_true(range_histogram_width(0.999) == 0x1p-12);
}

static void growth_keeps_all_counts(void **unused) {
    const float far = -1000;
    (void)unused;
    fill(5000, 0);
    range_histogram_add(&h, &far, 1);
    assert_true(h.width == 0.25 && h.total == 5001 && count_all(&h) == 5001);
    assert_int_equal(h.counts[HALF - 4000], 1);
    /* The same as bins of that width from the start. */
    other = h;
    state = 5;
    range_histogram_clear(&h, 0.25);
    for (size_t i = 0; i < 5000; i++) {
        double x = 0;
        for (int k = 0; k < 6; k++) x += uniform() - 0.5;
        if (i % 1000 == 0) x *= 3;
        const float z = (float)x;
        range_histogram_add(&h, &z, 1);
    }
    range_histogram_add(&h, &far, 1);
    assert_memory_equal(&h, &other, sizeof h);
}

static void merging(void **unused) {
    const float a[] = {0.1f, 3}, b[] = {-100, 5000};
    (void)unused;
    range_histogram_clear(&h, 0x1p-8);
    range_histogram_clear(&other, 1);
    range_histogram_add(&h, a, 2);
    range_histogram_add(&other, b, 2);
    range_histogram_merge(&h, &other);
    assert_true(h.width == 2 && h.total == 4 && count_all(&h) == 4);
    assert_true(h.counts[HALF] == 1 && h.counts[HALF + 1] == 1 && h.counts[HALF - 50] == 1 && h.counts[HALF + 2500] == 1);
    range_histogram_clear(&other, 0x1p-8);
    range_histogram_add(&other, a, 2);
    range_histogram_merge(&h, &other);
    assert_true(h.width == 2 && h.total == 6 && h.counts[HALF] == 2 && h.counts[HALF + 1] == 2);
}

/* --- Methods -------------------------------------------------------------------------------------------------- */

static void minmax(void **unused) {
    const float z[] = {0.5f, 1.25f};
    float low, high;
    (void)unused;
    range_histogram_clear(&h, 0x1p-4);
    range_histogram_add(&h, z, 2);
    range_pick(&h, 0.5f, 1.25f, 0, -128, 127, RANGE_MINMAX, 99.99, &low, &high);
    assert_true(low == 0 && high == 1.25f); /* 0 is always in it */
    range_pick(&h, 0.5f, 1.25f, 1, -127, 127, RANGE_MINMAX, 99.99, &low, &high);
    assert_true(low == -1.25f && high == 1.25f);
    range_pick(&h, -3, -1, 0, -128, 127, RANGE_MINMAX, 99.99, &low, &high);
    assert_true(low == -3 && high == 0);
    for (int m = RANGE_MINMAX; m < RANGE_METHODS; m++) { /* only zeros */
        range_pick(&h, 0, 0, m & 1, -127, 127, (range_method)m, 99.99, &low, &high);
        assert_true(low < high && low <= 0 && high >= 0);
    }
}

/* 1000 values, one a bin: 0.5, 1.5, .. 999.5; and -0.5 .. -99.5. */
static void percentile(void **unused) {
    float low, high;
    (void)unused;
    range_histogram_clear(&h, 1);
    for (size_t i = 0; i < 900; i++) h.counts[HALF + i] = 1;
    for (size_t i = 0; i < 100; i++) h.counts[HALF - 1 - i] = 1;
    h.total = 1000;
    range_pick(&h, -99.5f, 899.5f, 0, -128, 127, RANGE_PERCENTILE, 98, &low, &high);
    assert_true(low == -90 && high == 890); /* 1 % off each end */
    range_pick(&h, -99.5f, 899.5f, 1, -127, 127, RANGE_PERCENTILE, 98, &low, &high);
    assert_true(low == -880 && high == 880); /* 2 % off |z| */
    range_pick(&h, -99.5f, 899.5f, 0, -128, 127, RANGE_PERCENTILE, 100, &low, &high);
    assert_true(low == -99.5f && high == 899.5f);
}

/* Every bin's centre goes to its code and back. */
static double slow_mse(const range_histogram *g, double low, double high, int symmetric, int low_code, int high_code) {
    double sum = 0;
    float scale;
    int zero;
    range_grid(low, high, symmetric, low_code, high_code, &scale, &zero);
    for (int i = 0; i < RANGE_BINS; i++) {
        const double z = (i + 0.5 - HALF) * g->width;
        double code = nearbyint(z / (double)scale) + zero;
        code = code < low_code ? low_code : code > high_code ? high_code : code;
        sum += (double)g->counts[i] * (z - (code - zero) * (double)scale) * (z - (code - zero) * (double)scale);
    }
    return sum / (double)g->total;
}

static void mse(void **unused) {
    static range_moments m;
    float least, most, low, high, scale;
    int zero;
    (void)unused;
    for (int one_sided = 0; one_sided < 2; one_sided++)
        for (int key = 0; key < 2 - one_sided; key++) {
            const int a = one_sided ? -128 : key ? -63 : -127, b = key ? 63 : 127;
            double best = INFINITY, found;
            fill(20000, one_sided);
            extremes_of(&h, &least, &most);
            range_moments_of(&m, &h);
            range_grid((double)least, (double)most, !one_sided, a, b, &scale, &zero);
            found = range_mse(&m, (double)scale, zero, a, b);
            assert_true(fabs(found / slow_mse(&h, (double)least, (double)most, !one_sided, a, b) - 1) < 1e-7);
            range_pick(&h, least, most, !one_sided, a, b, RANGE_MSE, 0, &low, &high);
            found = slow_mse(&h, (double)low, (double)high, !one_sided, a, b);
            const double most_z = one_sided ? (double)most : fmax((double)most, -(double)least);
            for (int i = one_sided ? 0 : 32; i <= 32; i++) /* a coarser grid, all of it, without prefix sums */
                for (int j = 1; j <= 32; j++)
                    best = fmin(best, slow_mse(&h, one_sided ? (double)least * i / 32 : -most_z * j / 32, most_z * j / 32, !one_sided,
                                               a, b));
            assert_true(found <= best * (1 + 1e-6));
            assert_true(found < slow_mse(&h, one_sided ? (double)least : -most_z, most_z, !one_sided, a, b)); /* it gains */
        }
}

/* As the definition has it, bin by bin. */
static double slow_kl(const double *counts, size_t n, size_t first, size_t end, size_t levels) {
    static double p[RANGE_BINS], q[RANGE_BINS];
    double p_sum = 0, q_sum = 0, kl = 0;
    memset(p, 0, sizeof p);
    memset(q, 0, sizeof q);
    for (size_t i = 0; i < n; i++) p[i < first ? first : i >= end ? end - 1 : i] += counts[i];
    for (size_t level = 0; level < levels; level++) {
        double sum = 0, full = 0;
        for (size_t i = first; i < end; i++)
            if ((i - first) * levels / (end - first) == level) sum += counts[i], full += p[i] > 0;
        for (size_t i = first; i < end; i++)
            if ((i - first) * levels / (end - first) == level && p[i] > 0) q[i] = sum / full;
    }
    for (size_t i = first; i < end; i++) p_sum += p[i], q_sum += q[i];
    for (size_t i = first; i < end; i++)
        if (p[i] > 0) kl += q[i] > 0 ? p[i] / p_sum * log(p[i] / p_sum / (q[i] / q_sum)) : INFINITY;
    return kl;
}

static void kl_is_its_definition(void **unused) {
    static range_divergence d;
    (void)unused;
    fill(20000, 0);
    for (int folded = 0; folded < 2; folded++) {
        range_divergence_of(&d, &h, folded);
        for (size_t i = 0; i < 12; i++) {
            const size_t end = folded ? 900 + 170 * i : HALF + 700 + 91 * i, first = folded ? 0 : HALF - 650 - 83 * i;
            const double want = slow_kl(d.counts, d.n, first, end, folded ? 64 : 256), got = range_kl(&d, first, end, folded ? 64 : 256);
            assert_true(isinf(want) ? got > 1e100 : fabs(got - want) < 1e-9);
        }
    }
    /* By hand: P = 2 1 | 1 4 in two levels, Q = 1.5 1.5 | 2.5 2.5. */
    range_histogram_clear(&h, 1);
    h.counts[HALF] = 2, h.counts[HALF + 1] = 1, h.counts[HALF + 2] = 1, h.counts[HALF + 3] = 4;
    range_divergence_of(&d, &h, 0);
    assert_true(fabs(range_kl(&d, HALF, HALF + 4, 2) -
                     (2 * log(2 / 1.5) + log(1 / 1.5) + log(1 / 2.5) + 4 * log(4 / 2.5)) / 8) < 1e-12);
}

static void entropy(void **unused) {
    static range_divergence d;
    float least, most, low, high;
    double best = INFINITY;
    size_t at = 0;
    (void)unused;
    fill(20000, 0);
    extremes_of(&h, &least, &most);
    const double edge = fmax((double)most, -(double)least);
    range_divergence_of(&d, &h, 1);
    for (size_t i = (size_t)(edge / h.width); i >= 128; i--)
        if (range_kl(&d, 0, i, 128) < best) best = range_kl(&d, 0, i, 128), at = i;
    range_pick(&h, least, most, 1, -127, 127, RANGE_ENTROPY, 0, &low, &high);
    assert_true(low == -high && (double)high == (double)at * h.width && (double)high < edge);
    fill(20000, 1);
    extremes_of(&h, &least, &most);
    range_pick(&h, least, most, 0, -128, 127, RANGE_ENTROPY, 0, &low, &high);
    range_divergence_of(&d, &h, 0);
    const size_t a = (size_t)(HALF + (double)low / h.width), b = (size_t)(HALF + (double)high / h.width);
    best = INFINITY;
    const size_t lows = (size_t)((double)-least / h.width), highs = (size_t)((double)most / h.width);
    for (size_t i = 0; i <= 16; i++)
        for (size_t j = 1; j <= 16; j++) {
            const size_t first = HALF - (lows * i + 15) / 16, end = HALF + (highs * j + 15) / 16;
            if (end - first >= 256) best = fmin(best, range_kl(&d, first, end, 256));
        }
    assert_true(range_kl(&d, a, b, 256) <= best + 1e-9);
}

static void scales(void **unused) {
    range_site site = {.low_code = -128, .high_code = 127, .low = -1, .high = 1.55f};
    float scale;
    int zero;
    (void)unused;
    range_scale(&site, &scale, &zero);
    assert_true(fabsf(scale - 0.01f) < 1e-7f && zero == -28);
    site.low = 0;
    range_scale(&site, &scale, &zero);
    assert_true(zero == -128);
    site = (range_site){.low_code = -63, .high_code = 63, .symmetric = 1, .low = -6.3f, .high = 6.3f};
    range_scale(&site, &scale, &zero);
    assert_true(fabsf(scale - 0.1f) < 1e-7f && zero == 0);
}

static void names(void **unused) {
    (void)unused;
    for (int m = 0; m < RANGE_METHODS; m++) assert_int_equal(range_method_from_name(range_method_name((range_method)m)), m);
    assert_int_equal(range_method_from_name("kl"), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bins),    cmocka_unit_test(growth_keeps_all_counts),
        cmocka_unit_test(merging), cmocka_unit_test(minmax),
        cmocka_unit_test(percentile), cmocka_unit_test(mse),
        cmocka_unit_test(kl_is_its_definition), cmocka_unit_test(entropy),
        cmocka_unit_test(scales),  cmocka_unit_test(names)};
    return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
