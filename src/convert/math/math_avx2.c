/* SPDX-License-Identifier: Apache-2.0
 * Float arithmetic, the AVX2 tier (with FMA): 8 lanes. In: floats. Out: floats, with the bits of math_scalar.c. */
#include "convert/math/math_tiers.h"

#include <immintrin.h>

#if defined(MATH_UNFUSED) /* math_unfused_avx2.c */
#define TIER(name) name##_unfused_avx2
#define VF_FMA_ROUNDS_TWICE 1
#else
#define TIER(name) name##_avx2
#endif
#define VF_LANES 8
#define GEMM_ROWS 6 /* 12 accumulators, 2 vectors of B and 1 of A in 16 registers */
#define GEMM_VECTORS 2

typedef __m256 vf;
typedef __m256i vi;
typedef __m256 vm;

static inline __m256i first_lanes(size_t n) {
    static const int32_t ones_then_zeros[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    return _mm256_loadu_si256((const __m256i *)(const void *)(ones_then_zeros + 8 - n));
}
static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
static inline vf vf_load_part(const float *p, size_t n, vf fill) {
    const __m256i lanes = first_lanes(n);
    return _mm256_blendv_ps(fill, _mm256_maskload_ps(p, lanes), _mm256_castsi256_ps(lanes));
}
static inline void vf_store_part(float *p, size_t n, vf v) { _mm256_maskstore_ps(p, first_lanes(n), v); }
static inline vf vf_set1(float x) { return _mm256_set1_ps(x); }
#if !defined(VF_FMA_ROUNDS_TWICE)
static inline vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
#endif
static inline vf vf_sqrt(vf a) { return _mm256_sqrt_ps(a); }
static inline vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline vm vf_lt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline vm vf_nan(vf a) { return _mm256_cmp_ps(a, a, _CMP_UNORD_Q); }
static inline vf vf_select(vm m, vf a, vf b) { return _mm256_blendv_ps(b, a, m); }
static inline vi vf_bits(vf a) { return _mm256_castps_si256(a); }
static inline vf vf_from_bits(vi a) { return _mm256_castsi256_ps(a); }
static inline vf vf_from_int(vi a) { return _mm256_cvtepi32_ps(a); }
static inline vi vi_load(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
static inline vi vi_load_bytes(const uint8_t *p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
}
static inline void vi_store_bytes(uint8_t *p, vi v) { /* the low byte of each */
    const __m256i bytes = _mm256_shuffle_epi8(v, _mm256_set1_epi32(0x0c080400));
    const __m128i low = _mm256_castsi256_si128(bytes), high = _mm256_extracti128_si256(bytes, 1);
    _mm_storel_epi64((__m128i *)(void *)p, _mm_unpacklo_epi32(low, high));
}
static inline vi vi_set1(int32_t x) { return _mm256_set1_epi32(x); }
static inline vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
static inline vi vi_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
static inline vi vi_and(vi a, vi b) { return _mm256_and_si256(a, b); }
static inline vi vi_xor(vi a, vi b) { return _mm256_xor_si256(a, b); }
#define vi_shl(a, n) _mm256_slli_epi32(a, n)
#define vi_sar(a, n) _mm256_srai_epi32(a, n)

/* Lane i and lane i xor 4, 2, 1 change places. */
static inline vf vf_swap4(vf a) { return _mm256_permute2f128_ps(a, a, 1); }
static inline vf vf_swap2(vf a) { return _mm256_permute_ps(a, 0x4e); }
static inline vf vf_swap1(vf a) { return _mm256_permute_ps(a, 0xb1); }
static inline float vf_first(vf a) { return _mm256_cvtss_f32(a); }

#include "convert/math/math_impl.h"
