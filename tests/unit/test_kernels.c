/* SPDX-License-Identifier: Apache-2.0
 * src/run/kernels: the reference against the formulas of model.h in double, by hand and by digest; dispatch. That every
 * tier has the reference's bits is tests/kernels' part. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sha256.h"
#include "kernel_tables.h"
#include "run/kernels/verbs_scalar.h"

#include "run/kernels/functions.h"

static uint32_t random_state = 1;
static uint32_t random_u32(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}
/* In [-1, 1). */
static float random_float(void) { return (float)((int32_t)random_u32() >> 8) * 0x1p-23f; }
static int8_t random_code(void) { return (int8_t)((int)(random_u32() >> 24) - 128); }

static void *allocate(size_t bytes) {
    void *p = memory_aligned_alloc(bytes + 1);
    assert_non_null(p);
    return p;
}

/* Edge values first, then ordinary ones of several magnitudes. */
static void fill_mixed(float *x, size_t n, size_t rotate) {
    static const float edges[] = {0.0f, -0.0f, 1.0f, -1.0f, INFINITY, -INFINITY, NAN, -NAN, 0x1p-149f, -0x1p-149f,
                                  0x1p-126f, 3.4e38f, -3.4e38f, 0.5f, -0.5f, 1.5f, 2.5f, 126.5f, 127.5f, -127.5f,
                                  -128.5f, 5.2f, -5.2f, 1e15f, -1e15f, 12582912.0f, 63.5f, -64.5f};
    const size_t n_edges = sizeof edges / sizeof edges[0];
    static const float sizes[] = {1.0f, 6.0f, 100.0f, 0.01f, 1e-20f, 1e20f};
    size_t i;
    for (i = 0; i < n; i++)
        if (rotate % 3 != 2 && (i + rotate) % 2 == 0) x[i] = edges[(i / 2 + rotate) % n_edges];
        else x[i] = random_float() * sizes[random_u32() % (sizeof sizes / sizeof sizes[0])];
}
static void fill_between(float *x, size_t n, float low, float high) {
    size_t i;
    for (i = 0; i < n; i++) x[i] = 0.5f * (low + high) + 0.5f * (high - low) * random_float();
}

/* --- Linear ------------------------------------------------------------------------------------------------------- */
/* By hand: (1 2 3 4) . (1 1 1 1) = 10 and (1 2 3 4) . (-64 63 0 -1) = 58. */
static void test_linear_by_hand(void **state) {
    static const int8_t x[4] = {1, 2, 3, 4}, w[2][4] = {{1, 1, 1, 1}, {-64, 63, 0, -1}};
    uint8_t *panels = allocate(64);
    float scale[16] = {0.5f, 2.0f}, bias[16] = {1.0f, -0.25f}, y[2];
    const int8_matrix m = {.n = 2, .k = 4, .panels = panels, .scale = scale, .bias = bias};
    size_t i, j;
    (void)state;
    memset(panels, INT8_WEIGHT_BIAS, 64);
    for (i = 0; i < 2; i++)
        for (j = 0; j < 4; j++) panels[i * 4 + j] = (uint8_t)(w[i][j] + INT8_WEIGHT_BIAS);
    kernels_scalar.linear(x, 1, &m, y);
    assert_true(y[0] == 6.0f && y[1] == 115.75f);
    memory_aligned_free(panels);
}

/* --- Quantize ----------------------------------------------------------------------------------------------------- */
static void check_quantize(const float *x, const float *multiplier, const float *offset, float low, float high,
                           size_t n) {
    int8_t *expected = allocate(n);
    size_t i;
    kernels_scalar.quantize(x, multiplier, offset, low, high, n, expected);
    for (i = 0; i < n; i++) {
        const float t = multiplier != NULL ? x[i] * multiplier[i] + offset[i] : x[i];
        const double exact = isnan(t) ? (double)low : fmin(fmax((double)t, (double)low), (double)high);
        assert_true((double)expected[i] == nearbyint(exact)); /* ties to even */
    }
    memory_aligned_free(expected);
}

static void test_quantize(void **state) {
    float x[400], multiplier[400], offset[400];
    size_t n, rotate;
    (void)state;
    for (rotate = 0; rotate < 30; rotate++)
        for (n = 0; n <= 70; n++) {
            const size_t at = rotate % 5;
            fill_mixed(x, n + 5, rotate);
            fill_between(multiplier, n + 5, 0.0f, 30.0f);
            fill_between(offset, n + 5, -128.0f, 127.0f);
            check_quantize(x + at, multiplier + at, offset + at, -128.0f, 127.0f, n);
            check_quantize(x + at, NULL, NULL, -128.0f, 127.0f, n);
            check_quantize(x + at, NULL, NULL, -64.0f, 63.0f, n);
        }
    fill_mixed(x, 384, 2);
    fill_between(multiplier, 384, 0.0f, 30.0f);
    fill_between(offset, 384, -128.0f, 127.0f);
    check_quantize(x, multiplier, offset, -128.0f, 127.0f, 384);
}

/* x m = 1 + 2^-11 + 2^-24 rounds to 1 + 2^-11, and the sum is a tie; a fused multiply-add would make it 0.5 + 2^-24. */
static void test_quantize_is_not_fused(void **state) {
    float x[32], offset[32];
    int8_t codes[32];
    size_t i;
    (void)state;
    for (i = 0; i < 32; i++) x[i] = 1.0f + 0x1p-12f, offset[i] = -0.5f - 0x1p-11f;
    check_quantize(x, x, offset, -128.0f, 127.0f, 32);
    kernels_scalar.quantize(x, x, offset, -128.0f, 127.0f, 32, codes);
    for (i = 0; i < 32; i++) assert_int_equal(codes[i], 0);
}

/* --- GELU and 2^x ------------------------------------------------------------------------------------------------- */
static void test_gelu_accuracy(void **state) {
    const double step = getenv("MINNOW_TEST_EMULATED") != NULL ? 1e-3 : 2e-5;
    double x, worst = 0.0;
    (void)state;
    for (x = -12.0; x <= 12.0; x += step) {
        const float in = (float)x;
        const double error = fabs((double)gelu_of(in) - 0.5 * (double)in * erfc(-(double)in * sqrt(0.5)));
        worst = fmax(worst, error);
    }
    assert_true(worst < 1.0e-6);
    assert_true(gelu_of(0.0f) == 0.0f && gelu_of(100.0f) == 100.0f && gelu_of(INFINITY) == INFINITY &&
                gelu_of(3e38f) == 3e38f);
    assert_true(fabsf(gelu_of(-100.0f)) < 6e-7f && fabsf(gelu_of(-INFINITY)) < 6e-7f && fabsf(gelu_of(NAN)) < 6e-7f);
}

static void test_exponential(void **state) {
    double t, worst = 0.0;
    float sum = 0.0f;
    int32_t codes = 0;
    size_t i;
    (void)state;
    assert_int_equal(exp_code(0.0f, 0.0f) & 0xff, 127);
    assert_int_equal(exp_code(-0.0f, 0.0f) & 0xff, 127);
    assert_int_equal(exp_code(-1.0f, 0.0f) & 0xff, 64); /* 63.5: to even */
    assert_int_equal(exp_code(-7.0f, 0.0f) & 0xff, 1);
    assert_int_equal(exp_code(-8.0f, 0.0f) & 0xff, 0);
    assert_int_equal(exp_code(-16.5f, 0.0f) & 0xff, 0);
    assert_int_equal(exp_code(-INFINITY, 0.0f) & 0xff, 0);
    assert_int_equal(exp_code(NAN, 0.0f) & 0xff, 0);
    for (t = -20.0; t <= 0.0; t += 1e-4) {
        const double exact = 127.0 * exp2((double)(float)t);
        worst = fmax(worst, fabs((double)(exp_code((float)t, 0.0f) & 0xff) - exact) - 0.5);
    }
    assert_true(worst < 0.014);
    for (i = 0; i < 2 * EXP_DITHER_PERIOD; i++) { /* never out of 0 .. 127 */
        assert_int_equal(exp_code(0.0f, exp_dither[i]) & 0xff, 127);
        assert_int_equal(exp_code(-100.0f, exp_dither[i]) & 0xff, 0);
        sum += exp_dither[i];
        codes += exp_code(-9.0f, exp_dither[i]) & 0xff; /* 127 / 512 = 0.248: a quarter of them */
    }
    assert_true(sum == 0.0f);
    assert_int_equal(codes, EXP_DITHER_PERIOD / 2);
}

static void check_digest(const void *data, size_t bytes, const char *expected) {
    uint8_t digest[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    size_t i;
    sha256(data, bytes, digest);
    for (i = 0; i < SHA256_BYTES; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(hex, expected);
}

/* Their bits are part of every model: GELU at 2^16 floats of all magnitudes, 2^t at 9 * 2^14 places. */
static void test_functions_golden(void **state) {
    const size_t n_gelu = 65536, n_codes = (size_t)9 << 14;
    float *y = allocate(n_gelu * sizeof *y);
    uint8_t *codes = allocate(n_codes);
    size_t i;
    (void)state;
    for (i = 0; i < n_gelu; i++) {
        const uint32_t bits = (uint32_t)i * 65521u; /* not a number here and there */
        memcpy(&y[i], &bits, sizeof bits);
        y[i] = gelu_of(y[i]);
    }
    check_digest(y, n_gelu * sizeof *y, "c3a2ed8382157bfe940410be3b2013aa6cfec0439fc5eb7024182a9b7f6350cb");
    for (i = 0; i < n_codes; i++) codes[i] = (uint8_t)(exp_code(-(float)i * 0x1p-14f, 0.0f) & 0xff);
    check_digest(codes, n_codes, "babb4556394cb0f260544642df82c8a25968ebc5264f02f38e6b69a7bef3580d");
    memory_aligned_free(y);
    memory_aligned_free(codes);
}

/* --- Norm --------------------------------------------------------------------------------------------------------- */
#define NORM_MAX 384
static float gamma_[NORM_MAX], beta_[NORM_MAX];

static void fill_norm(size_t n) {
    fill_between(gamma_, n, 0.2f, 2.0f);
    fill_between(beta_, n, -1.0f, 1.0f);
}

static void test_norm_accuracy(void **state) {
    static float x[NORM_MAX], residual[NORM_MAX], y[NORM_MAX];
    const size_t n = 384;
    const int8_norm w = {gamma_, beta_, NULL, NULL};
    double mean = 0.0, variance = 0.0;
    size_t i;
    (void)state;
    fill_norm(n);
    fill_between(x, n, -3.0f, 4.0f);
    fill_between(residual, n, -1.0f, 1.0f);
    kernels_scalar.norm(x, residual, &w, 0.5f, n, y);
    for (i = 0; i < n; i++) mean += ((double)x[i] + (double)residual[i]) / (double)n;
    for (i = 0; i < n; i++) {
        const double d = (double)x[i] + (double)residual[i] - mean;
        variance += d * d / (double)n;
    }
    for (i = 0; i < n; i++) {
        const double d = (double)x[i] + (double)residual[i] - mean;
        const double exact = d / sqrt(variance + 0.5) * (double)gamma_[i] + (double)beta_[i];
        assert_true(fabs((double)y[i] - exact) < 2e-6);
    }
}

/* The tree's order, by sums that others would round differently: partials 2^24, 1, 1, -2^24 in places 0, 8, 4, 12. */
static void test_norm_order(void **state) {
    float x[16] = {0}, y[16], one[16], zero[16] = {0};
    const int8_norm w = {one, zero, NULL, NULL};
    size_t i;
    (void)state;
    for (i = 0; i < 16; i++) one[i] = 1.0f;
    x[0] = 16777216.0f;
    x[8] = 1.0f; /* lost in p0 + p8 */
    x[4] = 1.0f;
    x[12] = -16777216.0f; /* p4 + p12 = -16777215 */
    kernels_scalar.norm(x, NULL, &w, 0.0f, 16, y);
    {
        const float mean = 1.0f / 16.0f; /* (2^24 + 0) + (-16777215), and nothing more */
        float variance, d0 = x[0] - mean, d12 = x[12] - mean;
        variance = d0 * d0 + d12 * d12; /* what the rest adds is below half a unit of 2^49 */
        assert_true(y[0] == d0 * (1.0f / sqrtf(variance / 16.0f)));
    }
}

/* --- Attention ---------------------------------------------------------------------------------------------------- */
typedef struct attention_case {
    size_t n_tokens, n_heads, head_dim, hidden;
    int8_t *buffer, *qkv, *expected;
    float *score_scale, *multiplier, *offset;
    void *scratch;
} attention_case;

static void attention_case_init(attention_case *c, size_t n_tokens, size_t n_heads, size_t head_dim,
                                float scale) {
    size_t i;
    c->n_tokens = n_tokens;
    c->n_heads = n_heads;
    c->head_dim = head_dim;
    c->hidden = n_heads * head_dim;
    c->buffer = allocate(n_tokens * 3 * c->hidden + 8);
    c->qkv = c->buffer + random_u32() % 8;
    c->expected = allocate(n_tokens * c->hidden);
    c->score_scale = allocate(n_heads * sizeof(float));
    c->multiplier = allocate(c->hidden * sizeof(float));
    c->offset = allocate(c->hidden * sizeof(float));
    c->scratch = allocate(kernels_attention_scratch_bytes(n_tokens, head_dim));
    for (i = 0; i < n_tokens * 3 * c->hidden; i++) {
        const int8_t code = random_code();
        c->qkv[i] = i / c->hidden % 3 == 1 ? (int8_t)(code / 2) : code;
    }
    fill_between(c->score_scale, n_heads, 0.5f * scale, 1.5f * scale);
    fill_between(c->multiplier, c->hidden, 0.5f, 4.0f);
    fill_between(c->offset, c->hidden, -30.0f, 30.0f);
}
static void attention_case_free(attention_case *c) {
    memory_aligned_free(c->buffer);
    memory_aligned_free(c->expected);
    memory_aligned_free(c->score_scale);
    memory_aligned_free(c->multiplier);
    memory_aligned_free(c->offset);
    memory_aligned_free(c->scratch);
}
static void attention_run(const attention_case *c) {
    const int8_quantizer context = {c->multiplier, c->offset};
    kernels_scalar.attention_queries(c->qkv, c->n_tokens, 0, c->n_tokens, c->n_heads, c->head_dim, c->score_scale,
                                     &context, c->scratch, c->expected);
}

static void test_attention_accuracy(void **state) {
    attention_case c;
    double error = 0.0;
    size_t i, j, d, h;
    (void)state;
    attention_case_init(&c, 50, 2, 32, 2e-4f);
    for (d = 0; d < c.hidden; d++) c.multiplier[d] *= 0.25f;
    attention_run(&c);
    for (i = 0; i < c.n_tokens; i++)
        for (h = 0; h < 2; h++) {
            double score[50], largest = -1e9, total = 0.0;
            for (j = 0; j < c.n_tokens; j++) {
                score[j] = 0.0;
                for (d = 0; d < 32; d++)
                    score[j] += (double)c.qkv[i * 192 + h * 32 + d] * (double)c.qkv[j * 192 + 64 + h * 32 + d];
                largest = fmax(largest, score[j]);
            }
            for (j = 0; j < c.n_tokens; j++) {
                score[j] = nearbyint(127.0 * exp2((score[j] - largest) * (double)c.score_scale[h]) +
                                     (double)exp_dither[(j + 5 * i) % 16]);
                total += score[j];
            }
            for (d = h * 32; d < h * 32 + 32; d++) {
                double sum = 0.0, exact;
                for (j = 0; j < c.n_tokens; j++) sum += score[j] * (double)c.qkv[j * 192 + 128 + d];
                exact = fmin(fmax(sum / total * (double)c.multiplier[d] + (double)c.offset[d], -128.0), 127.0);
                error += fabs((double)c.expected[i * 64 + d] - exact);
                /* Rounding, and an exponential that is rounded the other way here and there: one of 127 or more. */
                assert_true(fabs((double)c.expected[i * 64 + d] - exact) < 0.5 + 255.0 / 127.0);
            }
        }
    assert_true(error / (double)(c.n_tokens * c.hidden) < 0.26); /* rounding alone: 1/4 */
    attention_case_free(&c);
}

/* Key 0 is 9 above all others, whose exponentials are 127 / 512 = 0.248 of a code: dithered, those of every fourth key
 * become a whole one, of other keys for each query. Value j is 100 in dimension j alone, so dimension j shows p[j]: 1
 * or 0. */
static void test_attention_is_dithered(void **state) {
    static const size_t reversed[16] = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};
    enum { N = 40 };
    attention_case c;
    size_t i, j;
    (void)state;
    attention_case_init(&c, N, 1, N, 1.0f);
    memset(c.qkv, 0, N * 3 * N);
    for (i = 0; i < N; i++) {
        c.qkv[i * 3 * N] = 1;
        c.qkv[i * 3 * N + 2 * N + i] = 100;
        c.multiplier[i] = 1.37f; /* 100 / 137 * 1.37 = 1 */
        c.offset[i] = 0.0f;
    }
    c.qkv[N] = 9;
    c.score_scale[0] = 1.0f;
    attention_run(&c);
    for (j = 0; j < 2 * EXP_DITHER_PERIOD; j++)
        assert_true(exp_dither[j] == ((float)reversed[j % 16] + 0.5f) / 16.0f - 0.5f);
    for (i = 0; i < N; i++)
        for (j = 1; j < N; j++) assert_int_equal(c.expected[i * N + j], reversed[(j + 5 * i) % 16] >= 12);
    attention_case_free(&c);
}

/* One token attends to itself alone: the context is its value. */
static void test_attention_of_one(void **state) {
    attention_case c;
    size_t d;
    (void)state;
    attention_case_init(&c, 1, 1, 32, 1e-3f);
    for (d = 0; d < 32; d++) c.multiplier[d] = 1.0f, c.offset[d] = 0.0f;
    attention_run(&c);
    assert_memory_equal(c.expected, c.qkv + 64, 32);
    attention_case_free(&c);
}

/* 3 m = 3 + 1.5 * 2^-22 rounds up by half of that unit, and the sum is 1.5: 2. Fused, it would be just below: 1. */
static void test_attention_is_not_fused(void **state) {
    attention_case c;
    size_t d;
    (void)state;
    attention_case_init(&c, 1, 1, 36, 1e-3f);
    for (d = 0; d < 36; d++) {
        c.qkv[72 + d] = 3;
        c.multiplier[d] = 1.0f + 0x1p-23f;
        c.offset[d] = -1.5f - 0x1p-21f;
    }
    attention_run(&c);
    for (d = 0; d < 36; d++) assert_int_equal(c.expected[d], 2);
    attention_case_free(&c);
}

/* --- Dispatch ----------------------------------------------------------------------------------------------------- */
static void test_dispatch(void **state) {
    const kernels *tables[KERNEL_TABLES];
    int tier;
    (void)state;
    assert_ptr_equal(kernels_for_tier(CPU_TIER_SCALAR), &kernels_scalar);
    assert_null(kernels_for_tier(-1));
    assert_null(kernels_for_tier(CPU_TIER_COUNT));
    for (tier = 0; tier < CPU_TIER_COUNT; tier++)
        assert_true((kernels_for_tier(tier) != NULL) == (cpu_has_tier((cpu_tier)tier) != 0));
    if (kernel_tables(tables) > 0) assert_ptr_not_equal(kernels_best(), &kernels_scalar);
    assert_true(kernels_attention_scratch_bytes(SIZE_MAX, 32) == 0);
    assert_true(kernels_attention_scratch_bytes(SIZE_MAX / 64, 32) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_by_hand), cmocka_unit_test(test_quantize),
        cmocka_unit_test(test_quantize_is_not_fused), cmocka_unit_test(test_gelu_accuracy),
        cmocka_unit_test(test_exponential), cmocka_unit_test(test_functions_golden),
        cmocka_unit_test(test_norm_accuracy), cmocka_unit_test(test_norm_order),
        cmocka_unit_test(test_attention_accuracy), cmocka_unit_test(test_attention_of_one),
        cmocka_unit_test(test_attention_is_dithered), cmocka_unit_test(test_attention_is_not_fused),
        cmocka_unit_test(test_dispatch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
