/* SPDX-License-Identifier: Apache-2.0
 * Float arithmetic, the scalar tier: plain C, the truth that the other tiers are compared with. In: floats. Out:
 * floats. */
#include "convert/math/math_tiers.h"

#include <string.h>

#if defined(MATH_UNFUSED) /* math_unfused_scalar.c */
#define TIER(name) name##_unfused_scalar
#define VF_FMA_ROUNDS_TWICE 1
#else
#define TIER(name) name##_scalar
#endif
#define VF_LANES 1
#define GEMM_ROWS 4
#define GEMM_VECTORS 4

typedef float vf;
typedef int32_t vi;
typedef int vm;

static inline vf vf_load(const float *p) { return *p; }
static inline void vf_store(float *p, vf v) { *p = v; }
static inline vf vf_load_part(const float *p, size_t n, vf fill) { return n > 0 ? *p : fill; }
static inline void vf_store_part(float *p, size_t n, vf v) {
    if (n > 0) *p = v;
}
static inline vf vf_set1(float x) { return x; }
static inline float vf_first(vf a) { return a; }
static inline vf vf_sqrt(vf a) { return __builtin_sqrtf(a); }
static inline vf vf_min(vf a, vf b) { return a < b ? a : b; }
static inline vf vf_max(vf a, vf b) { return a > b ? a : b; }
static inline vm vf_lt(vf a, vf b) { return a < b; }
static inline vm vf_nan(vf a) { return a != a; }
static inline vf vf_select(vm m, vf a, vf b) { return m ? a : b; }
static inline vi vf_bits(vf a) {
    vi v;
    memcpy(&v, &a, sizeof v);
    return v;
}
static inline vf vf_from_bits(vi a) {
    vf v;
    memcpy(&v, &a, sizeof v);
    return v;
}
static inline vf vf_from_int(vi a) { return (float)a; }
static inline vi vi_load(const int32_t *p) { return *p; }
static inline vi vi_load_bytes(const uint8_t *p) { return *p; }
static inline void vi_store_bytes(uint8_t *p, vi v) { *p = (uint8_t)v; }
static inline vi vi_set1(int32_t x) { return x; }
static inline vi vi_add(vi a, vi b) { return (vi)((uint32_t)a + (uint32_t)b); }
static inline vi vi_sub(vi a, vi b) { return (vi)((uint32_t)a - (uint32_t)b); }
static inline vi vi_and(vi a, vi b) { return a & b; }
static inline vi vi_xor(vi a, vi b) { return a ^ b; }
#define vi_shl(a, n) ((vi)((uint32_t)(a) << (n)))
#define vi_sar(a, n) ((a) >> (n)) /* arithmetic: every compiler that this builds with does so */

#if !defined(VF_FMA_ROUNDS_TWICE)
/* fma(a, b, c) with one rounding. Without the instruction: the product is exact in double, the sum is rounded to odd,
 * which the rounding to float (28 bits shorter) turns into the correctly rounded result [Boldo and Melquiond 2008]. */
static inline vf vf_fma(vf a, vf b, vf c) {
#if defined(__FMA__) || defined(__aarch64__)
    return __builtin_fmaf(a, b, c);
#else
    const double product = (double)a * (double)b, addend = (double)c, sum = product + addend;
    const double part = sum - product, error = (product - (sum - part)) + (addend - part);
    uint64_t bits;
    double odd;
    memcpy(&bits, &sum, sizeof bits);
    if (!(bits & 1) && (error > 0 || error < 0)) bits = (error > 0) == (sum > 0) ? bits + 1 : bits - 1;
    memcpy(&odd, &bits, sizeof odd);
    return (float)odd;
#endif
}
#endif

#include "convert/math/math_impl.h"
