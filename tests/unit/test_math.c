/* SPDX-License-Identifier: Apache-2.0
 * src/convert/math: every tier of this machine against the scalar one, bit for bit (NaN equals NaN), with guard bytes
 * around what is written; the scalar tier against the C library's double and long double functions. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "convert/math/math.h"

#define LIMIT 512 /* floats in a buffer of the element-wise tests */
#define GUARD 24
static const uint32_t guard_bits = 0x7fa5a5a5u; /* a NaN that no operation makes */

static uint32_t random_state = 1;
static uint32_t random_u32(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}
static float random_float(void) { return (float)(int32_t)random_u32() * (1.0f / 1073741824.0f); }

static float from_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}
static uint32_t to_bits(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static float *allocate(size_t n) {
    float *p = memory_aligned_alloc((n + 1) * sizeof *p);
    assert_non_null(p);
    return p;
}

static int same(float a, float b) { return to_bits(a) == to_bits(b) || (isnan(a) && isnan(b)); }

static void assert_same(const float *a, const float *b, size_t n, const char *what, int tier, size_t size) {
    size_t i;
    for (i = 0; i < n; i++)
        if (!same(a[i], b[i]))
            fail_msg("%s, %s, n = %zu: element %zu is %.9g (%08x), not %.9g (%08x)", what,
                     cpu_tier_name((cpu_tier)tier), size, i, (double)a[i], to_bits(a[i]), (double)b[i], to_bits(b[i]));
}

static void set_guards(float *p, size_t n) {
    size_t i;
    for (i = 0; i < n; i++) memcpy(p + i, &guard_bits, sizeof guard_bits);
}
static void assert_guards(const float *p, size_t n, const char *what, int tier) {
    size_t i;
    for (i = 0; i < n; i++)
        if (memcmp(p + i, &guard_bits, sizeof guard_bits) != 0)
            fail_msg("%s, %s: writes outside its output", what, cpu_tier_name((cpu_tier)tier));
}

/* Edge values first, then ordinary ones of several magnitudes. */
static void fill_mixed(float *x, size_t n, size_t rotate) {
    static const uint32_t edges[] = {0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000,
                                     0xffc00001, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x7f7fffff,
                                     0xff7fffff, 0x42b17218, 0x42b17217,
                                     0xc2aeac50, 0xc2cff1b4, 0xc2cff1b5, 0xc2d00000, 0x407b3333, 0x4110cccd,
                                     0x3f3504f3, 0x3f3504f4,
                                     0x4b000000, 0xcb400000, 0x33800000, 0xb3000000, 0x3effffff, 0x5f000000,
                                     0xdf000001, 0x7f000000};
    const size_t n_edges = sizeof edges / sizeof edges[0];
    static const float scales[] = {1.0f, 10.0f, 100.0f, 0.01f, 1e-20f, 1e-42f, 1e30f};
    size_t i;
    for (i = 0; i < n; i++) {
        if (rotate % 3 != 2 && (i + rotate) % 2 == 0) x[i] = from_bits(edges[(i / 2 + rotate) % n_edges]);
        else x[i] = random_float() * scales[random_u32() % (sizeof scales / sizeof scales[0])];
    }
}
static void fill_plain(float *x, size_t n) {
    size_t i;
    for (i = 0; i < n; i++) x[i] = random_float();
}

/* Fused multiply-adds, or the tables without. */
static int is_unfused;
static const math_kernels *table_of(int tier) {
    return is_unfused ? math_unfused_for_tier(tier) : math_for_tier(tier);
}
static int use_unfused(void **state) {
    (void)state;
    is_unfused = 1;
    return 0;
}
static int use_fused(void **state) {
    (void)state;
    is_unfused = 0;
    return 0;
}

/* --- Tiers against the scalar one --------------------------------------------------------------------------------- */
#define FOR_EACH_TIER(tier, math)                                             \
    for ((tier) = 1; (tier) < CPU_TIER_COUNT; (tier)++)                       \
        if ((int)cpu_base_tier((cpu_tier)(tier)) == (tier) && ((math) = table_of(tier)) != NULL)

#define N_UNARY 10
static math_unary_fn unary_of(const math_kernels *m, int i, const char **name) {
    static const char *const names[N_UNARY] = {"exp", "erf", "tanh", "sigmoid", "log", "sqrt", "reciprocal", "neg",
                                               "abs", "gelu_erf"};
    const math_unary_fn all[N_UNARY] = {m->exp, m->erf, m->tanh, m->sigmoid, m->log, m->sqrt, m->reciprocal, m->neg,
                                        m->abs, m->gelu_erf};
    *name = names[i];
    return all[i];
}
#define N_BINARY 6
static math_binary_fn binary_of(const math_kernels *m, int i, const char **name) {
    static const char *const names[N_BINARY] = {"add", "sub", "mul", "div", "min", "max"};
    const math_binary_fn all[N_BINARY] = {m->add, m->sub, m->mul, m->div, m->min, m->max};
    *name = names[i];
    return all[i];
}
#define N_SCALAR 8
static math_scalar_fn scalar_of(const math_kernels *m, int i, const char **name) {
    static const char *const names[N_SCALAR] = {"add_scalar", "sub_scalar", "rsub_scalar", "mul_scalar",
                                                "div_scalar", "rdiv_scalar", "min_scalar", "max_scalar"};
    const math_scalar_fn all[N_SCALAR] = {m->add_scalar, m->sub_scalar, m->rsub_scalar, m->mul_scalar,
                                          m->div_scalar, m->rdiv_scalar, m->min_scalar, m->max_scalar};
    *name = names[i];
    return all[i];
}

/* An output of n floats at `offset` floats into a buffer, with guards on both sides. */
typedef struct output {
    float *buffer, *y;
} output;
static output output_of(float *buffer, size_t n, size_t offset) {
    const output o = {buffer, buffer + GUARD + offset};
    set_guards(buffer, n + 2 * GUARD + offset);
    return o;
}
static void assert_output(output o, const float *expected, size_t n, const char *what, int tier) {
    assert_same(o.y, expected, n, what, tier, n);
    assert_guards(o.buffer, (size_t)(o.y - o.buffer), what, tier);
    assert_guards(o.y + n, GUARD, what, tier);
}

/* Codes and back, and sums of codes, of every tier against the scalar one; y in place where that is allowed. */
static void test_quantize(void **state) {
    const math_kernels *const truth = math_for_tier(CPU_TIER_SCALAR), *math;
    float *x = allocate(LIMIT), *scales = allocate(LIMIT), *bias = allocate(LIMIT), *residual = allocate(LIMIT);
    float *expected = allocate(LIMIT), *buffer = allocate(LIMIT);
    int32_t sums[80];
    uint8_t codes[2][80];
    int tier;
    (void)state;
    FOR_EACH_TIER(tier, math) {
        for (size_t n = 0; n <= 70; n++) {
            for (unsigned turn = 0; turn < 8; turn++) {
                const float scale = turn == 3 ? 3e-39f : (float)(1 + turn) * 0.01f;
                const int32_t zero = (int32_t)(turn * 37 % 256);
                const output o = output_of(buffer, n, turn % 5);
                fill_mixed(x, n, turn + n);
                fill_plain(scales, n);
                fill_mixed(bias, n, turn);
                fill_plain(residual, n);
                memset(codes, GUARD, sizeof codes);
                truth->quantize(x, scale, (float)-zero, (float)(255 - zero), zero, codes[0], n);
                math->quantize(x, scale, (float)-zero, (float)(255 - zero), zero, codes[1], n);
                assert_memory_equal(codes[0], codes[1], sizeof codes[0]);
                truth->dequantize(codes[0], (int)(turn & 1), zero, scale, expected, n);
                math->dequantize(codes[0], (int)(turn & 1), zero, scale, o.y, n);
                assert_output(o, expected, n, "dequantize", tier);
                float least[2], largest[2];
                truth->range(x, n, &least[0], &largest[0]);
                math->range(x, n, &least[1], &largest[1]);
                assert_same(&least[1], &least[0], 1, "range", tier, n);
                assert_same(&largest[1], &largest[0], 1, "range", tier, n);
                for (size_t i = 0; i < n; i++) sums[i] = (int32_t)random_u32();
                const math_activation activation = turn & 1 ? MATH_ACTIVATION_GELU_ERF : MATH_ACTIVATION_NONE;
                truth->scale_sums(sums, scales, turn >= 4, turn & 2 ? bias : NULL, activation,
                                  turn & 1 ? residual : NULL, expected, n);
                math->scale_sums(sums, scales, turn >= 4, turn & 2 ? bias : NULL, activation,
                                 turn & 1 ? residual : NULL, o.y, n);
                assert_output(o, expected, n, "scale_sums", tier);
            }
        }
    }
    memory_aligned_free(x);
    memory_aligned_free(scales);
    memory_aligned_free(bias);
    memory_aligned_free(residual);
    memory_aligned_free(expected);
    memory_aligned_free(buffer);
}

/* Halves go to the even code, ends are held, NaN is 0: by hand. */
static void test_codes_by_hand(void **state) {
    static const float x[] = {0.25f, 0.75f, 1.25f, -0.25f, -100, 1e9f, -1e9f, NAN, INFINITY};
    static const uint8_t wanted[] = {10, 12, 12, 10, 0, 255, 0, 10, 255};
    uint8_t y[sizeof wanted];
    int8_t s[2];
    float back[2];
    (void)state;
    math_best()->quantize(x, 0.5f, -10, 245, 10, y, sizeof y);
    assert_memory_equal(y, wanted, sizeof y);
    math_best()->quantize((const float[]){-64.1f, 1000}, 0.5f, -128, 127, 0, (uint8_t *)s, 2);
    assert_int_equal(s[0], -128);
    assert_int_equal(s[1], 127);
    math_best()->dequantize((const uint8_t *)s, 1, -8, 0.5f, back, 2);
    assert_true(back[0] == -60 && back[1] == 67.5f);
}

static void test_element_wise(void **state) {
    const math_kernels *const truth = table_of(CPU_TIER_SCALAR), *math;
    float *x = allocate(LIMIT), *z = allocate(LIMIT), *expected = allocate(LIMIT), *buffer = allocate(LIMIT);
    const char *name;
    int tier, i;
    size_t n, turn;
    (void)state;
    FOR_EACH_TIER(tier, math) {
        for (n = 0; n <= 70; n++) {
            for (turn = 0; turn < 6; turn++) {
                const size_t offset = turn % 5;
                float *a = x + offset, *b = z + (turn + 1) % 3;
                fill_mixed(a, n, turn + n);
                fill_mixed(b, n, turn / 2 + 7 * n);
                for (i = 0; i < N_UNARY; i++) {
                    const output o = output_of(buffer, n, offset);
                    unary_of(truth, i, &name)(a, expected, n);
                    unary_of(math, i, &name)(a, o.y, n);
                    assert_output(o, expected, n, name, tier);
                    if (n > 0) memcpy(o.y, a, n * sizeof *a);
                    unary_of(math, i, &name)(o.y, o.y, n);
                    assert_output(o, expected, n, name, tier);
                }
                for (i = 0; i < N_BINARY; i++) {
                    const output o = output_of(buffer, n, offset);
                    binary_of(truth, i, &name)(a, b, expected, n);
                    binary_of(math, i, &name)(a, b, o.y, n);
                    assert_output(o, expected, n, name, tier);
                }
                for (i = 0; i < N_SCALAR; i++) {
                    const output o = output_of(buffer, n, offset);
                    const float scalar = n > 0 ? b[n - 1] : 0.0f;
                    scalar_of(truth, i, &name)(a, scalar, expected, n);
                    scalar_of(math, i, &name)(a, scalar, o.y, n);
                    assert_output(o, expected, n, name, tier);
                }
            }
        }
    }
    memory_aligned_free(x);
    memory_aligned_free(z);
    memory_aligned_free(expected);
    memory_aligned_free(buffer);
}

/* A million floats over all bit patterns. */
static void test_all_magnitudes(void **state) {
    enum { CHUNK = 4096 };
    const math_kernels *const truth = table_of(CPU_TIER_SCALAR), *math;
    static float x[CHUNK], y[CHUNK], expected[CHUNK];
    const char *name;
    uint32_t bits = 0;
    int chunk, tier, i;
    size_t j;
    (void)state;
    for (chunk = 0; chunk < 256; chunk++) {
        for (j = 0; j < CHUNK; j++, bits += 4099) x[j] = from_bits(bits);
        for (i = 0; i < N_UNARY; i++) {
            unary_of(truth, i, &name)(x, expected, CHUNK);
            FOR_EACH_TIER(tier, math) {
                unary_of(math, i, &name)(x, y, CHUNK);
                assert_same(y, expected, CHUNK, name, tier, CHUNK);
            }
        }
    }
}

static void test_reductions(void **state) {
    const math_kernels *const truth = table_of(CPU_TIER_SCALAR), *math;
    float *x = allocate(LIMIT), *gamma = allocate(LIMIT), *beta = allocate(LIMIT), *expected = allocate(LIMIT);
    float *buffer = allocate(LIMIT);
    int tier, turn;
    size_t n;
    (void)state;
    FOR_EACH_TIER(tier, math) {
        for (n = 0; n <= 400; n = n < 70 ? n + 1 : n + 33) {
            for (turn = 0; turn < 5; turn++) {
                const float *betas = turn % 2 == 0 ? beta : NULL;
                float *a = x + turn, sums[2][3];
                output o;
                if (turn < 3) fill_plain(a, n);
                else fill_mixed(a, n, (size_t)turn + n);
                if (turn == 2 && n > 0) a[random_u32() % n] = turn % 2 == 0 ? NAN : INFINITY;
                fill_plain(gamma, n);
                fill_plain(beta, n);
                sums[0][0] = math->sum(a, n), sums[0][1] = math->sum_squares(a, n), sums[0][2] = math->maximum(a, n);
                sums[1][0] = truth->sum(a, n), sums[1][1] = truth->sum_squares(a, n), sums[1][2] = truth->maximum(a, n);
                assert_same(sums[0], sums[1], 3, "sum, sum of squares, maximum", tier, n);
                o = output_of(buffer, n, (size_t)turn);
                truth->softmax(a, expected, n);
                math->softmax(a, o.y, n);
                assert_output(o, expected, n, "softmax", tier);
                if (n > 0) memcpy(o.y, a, n * sizeof *a);
                math->softmax(o.y, o.y, n);
                assert_output(o, expected, n, "softmax in place", tier);
                o = output_of(buffer, n, (size_t)turn);
                truth->layer_norm(a, gamma, betas, 1e-12f, expected, n);
                math->layer_norm(a, gamma, betas, 1e-12f, o.y, n);
                assert_output(o, expected, n, "layer_norm", tier);
            }
        }
    }
    memory_aligned_free(x);
    memory_aligned_free(gamma);
    memory_aligned_free(beta);
    memory_aligned_free(expected);
    memory_aligned_free(buffer);
}

/* --- GEMM --------------------------------------------------------------------------------------------------------- */
typedef struct gemm_case {
    size_t m, k, n, lda, ldc;
    int is_transposed;
    math_epilogue epilogue;
} gemm_case;

static void run_gemm(const math_kernels *math, const gemm_case *g, const float *a, const float *b, float *packed,
                     float *c) {
    const size_t row_stride = g->is_transposed ? 1 : g->n, column_stride = g->is_transposed ? g->k : 1;
    const size_t bytes = math->packed_bytes(g->k, g->n);
    set_guards(packed, bytes / sizeof(float) + GUARD);
    math->pack(b, row_stride, column_stride, g->k, g->n, packed);
    assert_guards(packed + bytes / sizeof(float), GUARD, "pack", 0);
    set_guards(c, g->m * g->ldc + GUARD);
    math->gemm(a, g->lda, packed, c, g->ldc, g->m, g->k, g->n, &g->epilogue);
}

/* Every element, and nothing between the rows. */
static void check_gemm(const gemm_case *g, const float *c, const float *expected, const char *what, int tier) {
    size_t i;
    for (i = 0; i < g->m; i++) {
        assert_same(c + i * g->ldc, expected + i * g->ldc, g->n, what, tier, g->n);
        assert_guards(c + i * g->ldc + g->n, g->ldc - g->n, what, tier);
    }
    assert_guards(c + g->m * g->ldc, GUARD, what, tier);
}

static void compare_gemm(gemm_case g, int is_checked_by_hand) {
    const math_kernels *const truth = table_of(CPU_TIER_SCALAR), *math;
    float *a = allocate(g.m * g.lda), *b = allocate(g.k * g.n), *bias = allocate(g.n);
    float *residual = allocate(g.m * (g.n + 5));
    float *c = allocate(g.m * g.ldc + GUARD), *expected = allocate(g.m * g.ldc + GUARD);
    float *packed = allocate(g.k * (g.n + 64) + GUARD);
    int tier;
    fill_plain(a, g.m * g.lda);
    fill_plain(b, g.k * g.n);
    fill_plain(bias, g.n);
    fill_plain(residual, g.m * (g.n + 5));
    if (g.epilogue.bias != NULL) g.epilogue.bias = bias;
    if (g.epilogue.residual != NULL) g.epilogue.residual = residual, g.epilogue.residual_stride = g.n + 5;
    run_gemm(truth, &g, a, b, packed, expected);
    check_gemm(&g, expected, expected, "gemm", 0);
    if (is_checked_by_hand) {
        size_t i, j, k;
        for (i = 0; i < g.m; i++) {
            for (j = 0; j < g.n; j++) {
                float y = 0.0f;
                for (k = 0; k < g.k; k++) {
                    const float x = a[i * g.lda + k], w = b[g.is_transposed ? j * g.k + k : k * g.n + j];
                    y = is_unfused ? x * w + y : fmaf(x, w, y);
                }
                if (g.epilogue.scale != 0.0f) y = y * g.epilogue.scale;
                if (g.epilogue.bias != NULL) y = y + bias[j];
                if (g.epilogue.activation == MATH_ACTIVATION_GELU_ERF) truth->gelu_erf(&y, &y, 1);
                if (g.epilogue.residual != NULL) y = y + residual[i * (g.n + 5) + j];
                assert_same(expected + i * g.ldc + j, &y, 1, "gemm by hand", 0, g.n);
            }
        }
    }
    FOR_EACH_TIER(tier, math) {
        run_gemm(math, &g, a, b, packed, c);
        check_gemm(&g, c, expected, "gemm", tier);
        if (g.epilogue.residual != NULL) { /* the residual may be what C overwrites */
            size_t i;
            math_epilogue in_place = g.epilogue;
            for (i = 0; i < g.m; i++) memcpy(c + i * g.ldc, residual + i * (g.n + 5), g.n * sizeof *c);
            in_place.residual = c, in_place.residual_stride = g.ldc;
            math->gemm(a, g.lda, packed, c, g.ldc, g.m, g.k, g.n, &in_place);
            check_gemm(&g, c, expected, "gemm in place", tier);
        }
    }
    memory_aligned_free(a);
    memory_aligned_free(b);
    memory_aligned_free(bias);
    memory_aligned_free(residual);
    memory_aligned_free(c);
    memory_aligned_free(expected);
    memory_aligned_free(packed);
}

static const float present; /* "use a bias": compare_gemm puts its own array in place */

static void test_gemm_small(void **state) {
    static const size_t ks[] = {0, 1, 2, 3, 7, 16, 33, 40};
    size_t m, n, turn = 0;
    (void)state;
    for (m = 1; m <= 20; m++) {
        for (n = 1; n <= 70; n++, turn++) {
            gemm_case g = {m, ks[turn % 8], n, ks[turn % 8] + turn % 3, n + turn % 4, turn % 5 < 2,
                           {0, NULL, MATH_ACTIVATION_NONE, NULL, 0}};
            if (turn % 2 != 0) g.epilogue.scale = 0.125f;
            if (turn % 3 != 0) g.epilogue.bias = &present;
            if (turn % 4 == 0) g.epilogue.activation = MATH_ACTIVATION_GELU_ERF;
            if (turn % 7 < 3) g.epilogue.residual = &present;
            if (turn % 11 == 0) memset(&g.epilogue, 0, sizeof g.epilogue);
            compare_gemm(g, turn % 4 == 1 || n < 20);
        }
    }
}

static void test_gemm_large(void **state) {
    static const size_t shapes[][3] = {{128, 384, 96}, {50, 200, 150}, {37, 1536, 50}, {300, 520, 17}, {7, 384, 384},
                                       {130, 32, 130}, {1, 3000, 49}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        gemm_case g = {shapes[i][0], shapes[i][1], shapes[i][2], shapes[i][1] + i, shapes[i][2] + i % 3, i % 2 != 0,
                       {0, NULL, MATH_ACTIVATION_NONE, NULL, 0}};
        compare_gemm(g, 0);
        g.epilogue.bias = &present;
        compare_gemm(g, 0);
    }
}

/* Columns split at panels give what the whole gives. */
static void test_gemm_panels(void **state) {
    enum { M = 9, K = 21, N = 110 };
    static float a[M * K], b[K * N], whole[M * N], parts[M * N];
    const math_kernels *math;
    int tier;
    (void)state;
    fill_plain(a, M * K);
    fill_plain(b, K * N);
    for (tier = 0; tier < CPU_TIER_COUNT; tier++) {
        float *packed;
        size_t j;
        if ((math = math_for_tier(tier)) == NULL) continue;
        packed = allocate(math->packed_bytes(K, N) / sizeof(float));
        math->pack(b, N, 1, K, N, packed);
        math->gemm(a, K, packed, whole, N, M, K, N, NULL);
        for (j = 0; j < N; j += math->gemm_columns) {
            const size_t columns = N - j < math->gemm_columns ? N - j : math->gemm_columns;
            math->gemm(a, K, packed + j * K, parts + j, N, M, K, columns, NULL);
        }
        assert_same(parts, whole, M * N, "gemm by panels", tier, N);
        memory_aligned_free(packed);
    }
}

/* --- The scalar tier against the C library ------------------------------------------------------------------------ */
static double reference_sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

/* The error in units of the last place of the exact value (subnormal spacing at the bottom). */
static double ulps(float y, double exact) {
    int exponent;
    frexp(exact, &exponent);
    return fabs((double)y - exact) / ldexp(1.0, (exponent < -125 ? -125 : exponent) - 24);
}

static void check_accuracy(math_unary_fn fn, double (*reference)(double), const char *name, double limit) {
    double worst = 0;
    float worst_x = 0;
    uint64_t bits;
    for (bits = 0; bits <= 0xffffffffu; bits += 4093) {
        const float x = from_bits((uint32_t)bits);
        const double exact = reference((double)x);
        float y;
        double error;
        fn(&x, &y, 1);
        if (isnan(exact)) {
            if (!isnan(y)) fail_msg("%s(%.9g) is %.9g, not NaN", name, (double)x, (double)y);
            continue;
        }
        if (isinf((float)exact) || isinf(y)) {
            if (y != (float)exact && ulps(y, exact) > limit) fail_msg("%s(%.9g) is %.9g", name, (double)x, (double)y);
            continue;
        }
        error = ulps(y, exact);
        if (error > worst) worst = error, worst_x = x;
    }
    print_message("%s: %.2f ulp at %.9g\n", name, worst, (double)worst_x);
    if (!(worst <= limit)) fail_msg("%s: %.2f ulp at %.9g", name, worst, (double)worst_x);
}

static void test_accuracy(void **state) {
    const math_kernels *const math = math_for_tier(CPU_TIER_SCALAR);
    double worst = 0;
    float x, y;
    (void)state;
    check_accuracy(math->exp, exp, "exp", 1.0);
    check_accuracy(math->erf, erf, "erf", 2.0);
    check_accuracy(math->tanh, tanh, "tanh", 2.0);
    check_accuracy(math->sigmoid, reference_sigmoid, "sigmoid", 3.0);
    check_accuracy(math->log, log, "log", 2.0);
    for (x = -4.5f; x < 4.5f; x += 1e-5f) {
        math->erf(&x, &y, 1);
        if (fabs((double)y - erf((double)x)) > worst) worst = fabs((double)y - erf((double)x));
    }
    print_message("erf: %.3g absolute\n", worst);
    assert_true(worst <= 1e-7);
}

static float apply(math_unary_fn fn, float x) {
    fn(&x, &x, 1);
    return x;
}

static void test_limits(void **state) {
    const math_kernels *const m = math_for_tier(CPU_TIER_SCALAR);
    const float inf = INFINITY;
    const float nan_and_one[3] = {1.0f, NAN, 2.0f};
    (void)state;
    assert_true(apply(m->exp, inf) == inf && apply(m->exp, -inf) == 0.0f && apply(m->exp, 0.0f) == 1.0f);
    assert_true(apply(m->exp, 88.72283f) < inf && apply(m->exp, 88.72284f) == inf);
    assert_true(apply(m->exp, -103.97f) == from_bits(1) && apply(m->exp, -104.0f) == 0.0f);
    assert_true(apply(m->erf, inf) == 1.0f && apply(m->erf, -inf) == -1.0f && apply(m->erf, 3.95f) == 1.0f);
    assert_true(apply(m->tanh, inf) == 1.0f && apply(m->tanh, -inf) == -1.0f && apply(m->tanh, 9.05f) == 1.0f);
    assert_true(to_bits(apply(m->erf, -0.0f)) == 0x80000000u && to_bits(apply(m->tanh, -0.0f)) == 0x80000000u);
    assert_true(apply(m->sigmoid, inf) == 1.0f && apply(m->sigmoid, -inf) == 0.0f && apply(m->sigmoid, 0.0f) == 0.5f);
    assert_true(apply(m->log, 0.0f) == -inf && apply(m->log, -0.0f) == -inf && apply(m->log, inf) == inf);
    assert_true(isnan(apply(m->log, -1.0f)) && apply(m->log, 1.0f) == 0.0f && isnan(apply(m->log, -from_bits(1))));
    assert_true(isnan(m->maximum(nan_and_one, 3)) && m->maximum(nan_and_one, 0) == -inf &&
                m->sum(nan_and_one, 0) == 0.0f);
}

/* Bit-equal to the separate operators of an exported graph, as their own calls. */
static void test_gelu_is_its_parts(void **state) {
    enum { N = 4096 };
    static float x[N], parts[N], whole[N];
    const math_kernels *math;
    int tier;
    (void)state;
    for (tier = 0; tier < CPU_TIER_COUNT; tier++) {
        if ((math = math_for_tier(tier)) == NULL) continue;
        fill_mixed(x, N, 0);
        math->div_scalar(x, 1.41421354f, parts, N);
        math->erf(parts, parts, N);
        math->add_scalar(parts, 1.0f, parts, N);
        math->mul(x, parts, parts, N);
        math->mul_scalar(parts, 0.5f, parts, N);
        math->gelu_erf(x, whole, N);
        assert_same(whole, parts, N, "gelu_erf", tier, N);
    }
}

/* The order that math.h states, written down a second time. */
static float tree(const float *p) {
    const float even = ((p[0] + p[8]) + (p[4] + p[12])) + ((p[2] + p[10]) + (p[6] + p[14]));
    const float odd = ((p[1] + p[9]) + (p[5] + p[13])) + ((p[3] + p[11]) + (p[7] + p[15]));
    return even + odd;
}
static void test_sum_order(void **state) {
    const math_kernels *const m = math_for_tier(CPU_TIER_SCALAR);
    float x[100], y[100], p[16], q[16];
    size_t n, i;
    (void)state;
    for (n = 0; n <= 100; n++) {
        float mean, deviation, gamma[100], beta[100];
        fill_plain(x, n);
        fill_plain(gamma, n);
        fill_plain(beta, n);
        memset(p, 0, sizeof p);
        memset(q, 0, sizeof q);
        for (i = 0; i < n; i++) p[i % 16] += x[i], q[i % 16] = fmaf(x[i], x[i], q[i % 16]);
        assert_true(m->sum(x, n) == tree(p) && m->sum_squares(x, n) == tree(q));
        if (n == 0) continue;
        mean = tree(p) / (float)n;
        memset(q, 0, sizeof q);
        for (i = 0; i < n; i++) q[i % 16] = fmaf(x[i] - mean, x[i] - mean, q[i % 16]);
        deviation = sqrtf(tree(q) / (float)n + 1e-5f);
        m->layer_norm(x, gamma, beta, 1e-5f, y, n);
        for (i = 0; i < n; i++) assert_true(y[i] == (x[i] - mean) / deviation * gamma[i] + beta[i]);
    }
}

/* --- Half, bfloat16, double --------------------------------------------------------------------------------------- */
static void test_half(void **state) {
    uint32_t h;
    (void)state;
    for (h = 0; h <= 0xffffu; h++) {
        const float f = math_half_to_float((uint16_t)h), next = math_half_to_float((uint16_t)(h + 1));
        const float b = math_bfloat16_to_float((uint16_t)h), b_next = math_bfloat16_to_float((uint16_t)(h + 1));
        if (isnan(f)) assert_true((h & 0x7c00u) == 0x7c00u && isnan(math_half_to_float(math_float_to_half(f))));
        else assert_int_equal(math_float_to_half(f), h);
        if (isnan(b)) assert_true(isnan(math_bfloat16_to_float(math_float_to_bfloat16(b))));
        else assert_int_equal(math_float_to_bfloat16(b), h);
        if ((h & 0x7fffu) < 0x7bffu) { /* halfway goes to the even one, a bit beyond to the nearer */
            const float middle = (f + next) / 2.0f, sign = f < 0.0f || h >= 0x8000u ? -1.0f : 1.0f;
            assert_true(fabsf(f) == ldexpf((float)((h & 0x3ffu) + ((h & 0x7c00u) ? 1024u : 0u)),
                                           (int)((h & 0x7c00u) ? (h & 0x7c00u) >> 10 : 1u) - 25));
            assert_int_equal(math_float_to_half(middle), (h & 1u) ? h + 1 : h);
            assert_int_equal(math_float_to_half(nextafterf(middle, sign * INFINITY)), h + 1);
            assert_int_equal(math_float_to_half(nextafterf(middle, 0.0f)), h);
        }
        if ((h & 0x7fffu) > 0x80u && (h & 0x7fffu) < 0x7f00u) {
            const float middle = b / 2.0f + b_next / 2.0f;
            assert_int_equal(math_float_to_bfloat16(middle), (h & 1u) ? h + 1 : h);
            assert_int_equal(math_float_to_bfloat16(nextafterf(middle, 0.0f)), h);
        }
    }
    assert_int_equal(math_float_to_half(65519.996f), 0x7bff);
    assert_int_equal(math_float_to_half(65520.0f), 0x7c00);
    assert_int_equal(math_float_to_half(-1e30f), 0xfc00);
    assert_int_equal(math_float_to_half(2.9802322e-8f), 0); /* 2^-25: a tie with zero */
    assert_int_equal(math_float_to_half(2.9802326e-8f), 1);
    assert_int_equal(math_float_to_bfloat16(FLT_MAX), 0x7f80);
}

static void check_f64(const char *name, double y, long double exact, double x, double limit) {
    const double expected = (double)exact;
    long double error;
    if (isnan(expected) || isinf(expected) || expected == 0.0) {
        if (!(isnan(expected) ? isnan(y) : y == expected && signbit(y) == signbit(expected)))
            fail_msg("%s(%.17g) is %.17g, not %.17g", name, x, y, expected);
        return;
    }
    error = fabsl((long double)y - exact) / fabsl(exact);
    if (fabs(expected) < DBL_MIN) error = fabsl((long double)y - exact) / (long double)DBL_MIN;
    if (!(error <= (long double)limit)) fail_msg("%s(%.17g) is %.17g, not %.17g: %Lg", name, x, y, expected, error);
}

static void test_f64(void **state) {
    int i;
    (void)state;
    for (i = 0; i < 20000; i++) {
        const double u = (double)(int32_t)random_u32() / 2147483648.0 + (double)random_u32() * 1e-19;
        const double wide = u * 700.0, narrow = u * 4.0, positive = exp(u * 300.0), angle = u * 1048575.0;
        check_f64("exp", math_exp_f64(wide), expl((long double)wide), wide, 1e-15);
        check_f64("exp", math_exp_f64(-708.0 + u * 38.0), expl(-708.0L + (long double)(u * 38.0)), u, 1e-12);
        check_f64("log", math_log_f64(positive), logl((long double)positive), positive, 1e-15);
        check_f64("log", math_log_f64(1.0 + u * 0.5), logl((long double)(1.0 + u * 0.5)), 1.0 + u * 0.5, 1e-15);
        check_f64("erf", math_erf_f64(narrow), erfl((long double)narrow), narrow, 1e-14);
        check_f64("tanh", math_tanh_f64(narrow), tanhl((long double)narrow), narrow, 1e-14);
        check_f64("sin", math_sin_f64(angle), sinl((long double)angle), angle, 1e-14);
        check_f64("cos", math_cos_f64(angle), cosl((long double)angle), angle, 1e-14);
        check_f64("sin", math_sin_f64(u), sinl((long double)u), u, 1e-15);
        check_f64("pow", math_pow_f64(positive, u * 2.3), powl((long double)positive, (long double)(u * 2.3)), positive,
                  1e-14);
        check_f64("pow", math_pow_f64(1.0 + u * 1e-6, wide * 1e6),
                  powl((long double)(1.0 + u * 1e-6), (long double)(wide * 1e6)), u, 1e-14);
    }
}

static void test_trig(void **state) {
    int i;
    (void)state;
    for (i = 0; i < 5000; i++) {
        const double u = (double)(int32_t)random_u32() / 2147483648.0 + (double)random_u32() * 1e-19;
        const double wide = u * 700.0, large = exp(fabs(u) * 300.0), tiny = u * exp(u * 30.0 - 30.0);
        const double xs[] = {u, wide, tiny, u < 0 ? -large : large};
        size_t k;
        for (k = 0; k < sizeof xs / sizeof *xs; k++) {
            const double x = xs[k];
            const long double e = (long double)x;
            check_f64("atan", math_atan_f64(x), atanl(e), x, 1e-14);
            check_f64("asinh", math_asinh_f64(x), asinhl(e), x, 1e-14);
            if (fabs(x) < 700) check_f64("sinh", math_sinh_f64(x), sinhl(e), x, 1e-14);
            if (fabs(x) < 700) check_f64("cosh", math_cosh_f64(x), coshl(e), x, 1e-14);
            if (fabs(x) < 1000) check_f64("tan", math_tan_f64(x), tanl(e), x, 1e-14);
            if (fabs(x) <= 1) check_f64("asin", math_asin_f64(x), asinl(e), x, 1e-14);
            if (fabs(x) <= 1) check_f64("acos", math_acos_f64(x), acosl(e), x, 1e-14);
            if (fabs(x) < 1) check_f64("atanh", math_atanh_f64(x), atanhl(e), x, 1e-14);
            check_f64("acosh", math_acosh_f64(1 + fabs(x)), acoshl((long double)(1 + fabs(x))), 1 + fabs(x), 1e-14);
        }
    }
}

static void test_trig_specials(void **state) {
    static const double values[] = {0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 1e300, -1e300, 1e-300, 5e-324, 710.0, -710.0,
                                    1e9, 1.0000000000000002, 0.99999999999999989, INFINITY, -INFINITY, NAN};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof values / sizeof *values; i++) {
        const double x = values[i];
        check_f64("atan", math_atan_f64(x), (long double)atan(x), x, 1e-14);
        check_f64("asin", math_asin_f64(x), (long double)asin(x), x, 1e-14);
        check_f64("acos", math_acos_f64(x), (long double)acos(x), x, 1e-14);
        check_f64("sinh", math_sinh_f64(x), (long double)sinh(x), x, 1e-13);
        check_f64("cosh", math_cosh_f64(x), (long double)cosh(x), x, 1e-13);
        check_f64("asinh", math_asinh_f64(x), (long double)asinh(x), x, 1e-14);
        check_f64("acosh", math_acosh_f64(x), (long double)acosh(x), x, 1e-14);
        check_f64("atanh", math_atanh_f64(x), (long double)atanh(x), x, 1e-14);
    }
    assert_true(isnan(math_tan_f64(INFINITY)) && isnan(math_tan_f64(NAN)) && signbit(math_tan_f64(-0.0)));
}

static void test_f64_specials(void **state) {
    static const double values[] = {0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, 1e300, -1e300, 1e-300,
                                    5e-324, 9007199254740993.0,
                                    -9007199254740991.0, 1e19, 3e200, INFINITY, -INFINITY, NAN,
                                    1.0000000000000002, 9.0, -11.0, 7.5};
    const size_t n = sizeof values / sizeof values[0];
    size_t i, j;
    (void)state;
    for (i = 0; i < n; i++) {
        const double x = values[i];
        check_f64("exp", math_exp_f64(x), (long double)exp(x), x, 1e-15);
        check_f64("log", math_log_f64(x), (long double)log(x), x, 1e-15);
        check_f64("erf", math_erf_f64(x), (long double)erf(x), x, 1e-15);
        check_f64("tanh", math_tanh_f64(x), (long double)tanh(x), x, 1e-15);
        for (j = 0; j < n; j++) check_f64("pow", math_pow_f64(x, values[j]), (long double)pow(x, values[j]), x, 1e-14);
    }
    assert_true(math_sin_f64(0.0) == 0.0 && signbit(math_sin_f64(-0.0)) && math_cos_f64(0.0) == 1.0);
    assert_true(isnan(math_sin_f64(INFINITY)) && isnan(math_cos_f64(NAN)) && isnan(math_sin_f64(1e10)));
    assert_true(math_pow_f32(3.0f, 2.0f) == 9.0f && math_pow_f32(2.0f, 0.5f) == sqrtf(2.0f) &&
                math_pow_f32(-2.0f, 3.0f) == -8.0f);
    assert_true(math_pow_f32(-INFINITY, 0.5f) == INFINITY && !signbit(math_pow_f32(-0.0f, 0.5f)) &&
                isnan(math_pow_f32(-1.0f, 0.5f)));
    assert_true(math_pow_f32(10.0f, -2.0f) == 0.01f && math_pow_f32(10.0f, 39.0f) == INFINITY);
}

#define UNFUSED(test) {#test " unfused", test, use_unfused, use_fused, NULL}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_element_wise),
        cmocka_unit_test(test_quantize),
        cmocka_unit_test(test_codes_by_hand), cmocka_unit_test(test_all_magnitudes), cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_gemm_small), cmocka_unit_test(test_gemm_large), cmocka_unit_test(test_gemm_panels),
        UNFUSED(test_element_wise), UNFUSED(test_all_magnitudes), UNFUSED(test_reductions),
        UNFUSED(test_gemm_small), UNFUSED(test_gemm_large),
        cmocka_unit_test(test_accuracy), cmocka_unit_test(test_limits), cmocka_unit_test(test_gelu_is_its_parts),
        cmocka_unit_test(test_sum_order), cmocka_unit_test(test_half), cmocka_unit_test(test_f64),
        cmocka_unit_test(test_f64_specials), cmocka_unit_test(test_trig), cmocka_unit_test(test_trig_specials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
