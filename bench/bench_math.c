/* SPDX-License-Identifier: Apache-2.0
 *
 * Speed of the float arithmetic, one thread: JSON lines on stdout, each figure the best of many short runs.
 *   {"bench":"gemm","tier":"avx512","m":128,"k":384,"n":384,"gflops":..,"share_of_peak":..}   packed B, no epilogue
 *   {"bench":"exp","tier":"avx512","n":4096,"ns_per_element":..}
 * The peak is measured: a loop of independent fused multiply-adds in registers.
 * Usage: bench_math [TIER] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/os.h"
#include "convert/math/math.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 24")
#endif
/* The compiler may know nothing about the value, so that it neither rearranges the sums nor drops one. */
#if defined(__aarch64__)
#define KEEP(x) __asm__ volatile("" : "+w"(x))
#else
#define KEEP(x) __asm__ volatile("" : "+v"(x))
#endif

static volatile float sink;

/* --- Peak: n rounds of 12 (24) independent chains of fused multiply-adds -------------------- */
#if defined(__x86_64__)
__attribute__((target("avx512f"))) static double peak_avx512(size_t rounds) {
    const __m512 x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(1e-3f);
    __m512 s[12];
    size_t i, j;
    UNROLL for (j = 0; j < 12; j++) s[j] = _mm512_set1_ps((float)j);
    for (i = 0; i < rounds; i++) {
        UNROLL for (j = 0; j < 12; j++) {
            s[j] = _mm512_fmadd_ps(s[j], x, y);
            KEEP(s[j]);
        }
    }
    UNROLL for (j = 1; j < 12; j++) s[0] = _mm512_add_ps(s[0], s[j]);
    sink = _mm512_cvtss_f32(s[0]);
    return 2.0 * 16 * 12 * (double)rounds;
}
__attribute__((target("avx2,fma"))) static double peak_avx2(size_t rounds) {
    const __m256 x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(1e-3f);
    __m256 s[12];
    size_t i, j;
    UNROLL for (j = 0; j < 12; j++) s[j] = _mm256_set1_ps((float)j);
    for (i = 0; i < rounds; i++) {
        UNROLL for (j = 0; j < 12; j++) {
            s[j] = _mm256_fmadd_ps(s[j], x, y);
            KEEP(s[j]);
        }
    }
    UNROLL for (j = 1; j < 12; j++) s[0] = _mm256_add_ps(s[0], s[j]);
    sink = _mm256_cvtss_f32(s[0]);
    return 2.0 * 8 * 12 * (double)rounds;
}
#elif defined(__aarch64__)
static double peak_neon(size_t rounds) {
    const float32x4_t x = vdupq_n_f32(0.999f), y = vdupq_n_f32(1e-3f);
    float32x4_t s[24];
    size_t i, j;
    UNROLL for (j = 0; j < 24; j++) s[j] = vdupq_n_f32((float)j);
    for (i = 0; i < rounds; i++) {
        UNROLL for (j = 0; j < 24; j++) {
            s[j] = vfmaq_f32(s[j], x, y);
            KEEP(s[j]);
        }
    }
    UNROLL for (j = 1; j < 24; j++) s[0] = vaddq_f32(s[0], s[j]);
    sink = vaddvq_f32(s[0]);
    return 2.0 * 4 * 24 * (double)rounds;
}
#endif

/* GFLOP/s; 0 where there is no peak to speak of. */
static double measure_peak(cpu_tier tier) {
    double best = 0;
    int run;
    for (run = 0; run < 40; run++) {
        const double start = os_seconds();
        double operations = 0, rate;
#if defined(__x86_64__)
        if (tier == CPU_TIER_AVX512) operations = peak_avx512(100000);
        else if (tier == CPU_TIER_AVX2) operations = peak_avx2(100000);
#elif defined(__aarch64__)
        if (tier == CPU_TIER_NEON) operations = peak_neon(100000);
#else
        (void)tier;
#endif
        rate = operations / (os_seconds() - start) * 1e-9;
        if (rate > best) best = rate;
    }
    return best;
}

static void fill(float *x, size_t n, float low, float high) {
    uint32_t state = 12345;
    size_t i;
    for (i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = low + (high - low) * (float)(state >> 8) / 16777216.0f;
    }
}

static float *floats(size_t n) {
    float *x = memory_aligned_alloc(n * sizeof *x);
    if (x == NULL) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    fill(x, n, -1.0f, 1.0f);
    return x;
}

static void bench_gemm(const math_kernels *math, const char *tier, double peak, size_t m, size_t k, size_t n,
                       int is_gelu) {
    const double operations = 2.0 * (double)m * (double)k * (double)n;
    float *a = floats(m * k), *b = floats(k * n), *c = floats(m * n), *bias = floats(n);
    float *packed = floats(math->packed_bytes(k, n) / sizeof(float));
    const math_epilogue epilogue = {1.0f, bias, MATH_ACTIVATION_GELU_ERF, NULL, 0};
    double best = 1e9, best_pack = 1e9, spent = 0;
    int run;
    for (run = 0; run < 5 || (spent < 0.25 && run < 2000); run++) {
        const double start = os_seconds();
        double middle, end;
        math->pack(b, n, 1, k, n, packed);
        middle = os_seconds();
        math->gemm(a, k, packed, c, n, m, k, n, is_gelu ? &epilogue : NULL);
        end = os_seconds();
        if (middle - start < best_pack) best_pack = middle - start;
        if (end - middle < best) best = end - middle;
        spent += end - start;
    }
    sink = c[0];
    printf("{\"bench\":\"%s\",\"tier\":\"%s\",\"m\":%zu,\"k\":%zu,\"n\":%zu",
           is_gelu ? "gemm+bias+gelu" : "gemm", tier, m, k, n);
    printf(",\"gflops\":%.1f,\"us\":%.1f,\"pack_us\":%.1f", operations / best * 1e-9, best * 1e6, best_pack * 1e6);
    if (peak > 0) printf(",\"share_of_peak\":%.3f", operations / best * 1e-9 / peak);
    puts("}");
    memory_aligned_free(a);
    memory_aligned_free(b);
    memory_aligned_free(c);
    memory_aligned_free(bias);
    memory_aligned_free(packed);
}

/* B as attention has it: the keys of one head, [n, k] with rows `stride` apart, used transposed. */
static void bench_pack_transposed(const math_kernels *math, const char *tier, size_t k, size_t n, size_t stride) {
    float *b = floats(n * stride), *packed = floats(math->packed_bytes(k, n) / sizeof(float));
    double best = 1e9;
    int run;
    for (run = 0; run < 1000; run++) {
        const double start = os_seconds();
        double seconds;
        math->pack(b, 1, stride, k, n, packed);
        seconds = os_seconds() - start;
        if (seconds < best) best = seconds;
    }
    printf("{\"bench\":\"pack_transposed\",\"tier\":\"%s\",\"k\":%zu,\"n\":%zu,\"us\":%.2f}\n", tier, k, n, best * 1e6);
    memory_aligned_free(b);
    memory_aligned_free(packed);
}

/* One call of `n` elements by its kind. */
typedef enum unary_kind { KIND_UNARY, KIND_SOFTMAX, KIND_LAYER_NORM } unary_kind;
static void bench_unary(const math_kernels *math, math_unary_fn fn, unary_kind kind, const char *name, const char *tier,
                        size_t n, float low, float high) {
    float *x = floats(n), *y = floats(n), *gamma = floats(n);
    double best = 1e9;
    int run, repeat;
    fill(x, n, low, high);
    for (run = 0; run < 200; run++) {
        const double start = os_seconds();
        double seconds;
        for (repeat = 0; repeat < 10; repeat++) {
            if (kind == KIND_SOFTMAX) math->softmax(x, y, n);
            else if (kind == KIND_LAYER_NORM) math->layer_norm(x, gamma, gamma, 1e-12f, y, n);
            else fn(x, y, n);
        }
        seconds = (os_seconds() - start) / 10;
        if (seconds < best) best = seconds;
    }
    sink = y[0];
    printf("{\"bench\":\"%s\",\"tier\":\"%s\",\"n\":%zu,\"ns_per_element\":%.3f}\n", name, tier, n,
           best * 1e9 / (double)n);
    memory_aligned_free(x);
    memory_aligned_free(y);
    memory_aligned_free(gamma);
}

static void bench_tier(cpu_tier t, const math_kernels *math) {
    static const size_t shapes[][3] = {{128, 384, 384}, {128, 384, 1536}, {128, 1536, 384}, {8, 384, 384},
                                       {8, 384, 1536}, {8, 1536, 384}, {16, 384, 384}, {16, 1536, 384},
                                       {32, 384, 384}, {32, 384, 1536}, {32, 1536, 384}, {100, 384, 384},
                                       {128, 32, 128}, {128, 128, 32}, {16, 32, 16}, {16, 16, 32}};
    const char *tier = cpu_tier_name(t);
    const double peak = measure_peak(t);
    const size_t n_shapes = t == CPU_TIER_SCALAR ? 1 : sizeof shapes / sizeof shapes[0];
    size_t i;
    printf("{\"bench\":\"peak\",\"tier\":\"%s\",\"gflops\":%.1f}\n", tier, peak);
    for (i = 0; i < n_shapes; i++) bench_gemm(math, tier, peak, shapes[i][0], shapes[i][1], shapes[i][2], 0);
    bench_gemm(math, tier, peak, 128, 384, 1536, 1);
    bench_pack_transposed(math, tier, 32, 128, 384);
    bench_unary(math, math->exp, KIND_UNARY, "exp", tier, 4096, -10.0f, 0.0f);
    bench_unary(math, math->erf, KIND_UNARY, "erf", tier, 4096, -4.0f, 4.0f);
    bench_unary(math, math->gelu_erf, KIND_UNARY, "gelu_erf", tier, 4096, -4.0f, 4.0f);
    bench_unary(math, math->tanh, KIND_UNARY, "tanh", tier, 4096, -4.0f, 4.0f);
    bench_unary(math, math->sigmoid, KIND_UNARY, "sigmoid", tier, 4096, -4.0f, 4.0f);
    bench_unary(math, math->log, KIND_UNARY, "log", tier, 4096, 0.0f, 4.0f);
    bench_unary(math, NULL, KIND_SOFTMAX, "softmax", tier, 128, -4.0f, 4.0f);
    bench_unary(math, NULL, KIND_LAYER_NORM, "layer_norm", tier, 384, -4.0f, 4.0f);
}

int main(int argc, char **argv) {
    const int wanted = argc > 1 ? cpu_tier_from_name(argv[1]) : -1;
    int tier;
    if (argc > 1 && wanted < 0) {
        fprintf(stderr, "usage: %s [scalar|avx2|avx512|neon]\n", argv[0]);
        return 2;
    }
    for (tier = 0; tier < CPU_TIER_COUNT; tier++) {
        const math_kernels *math = math_for_tier(tier);
        if (math == NULL || (int)cpu_base_tier((cpu_tier)tier) != tier) continue; /* other tiers have their base's */
        if (argc > 1 && tier != wanted) continue;
        bench_tier((cpu_tier)tier, math);
    }
    return 0;
}
