/* SPDX-License-Identifier: Apache-2.0
 * Float arithmetic, the AVX-512 tier: 16 lanes. In: floats. Out: floats, with the bits of math_scalar.c. */
#include "convert/math/math_tiers.h"

#include <immintrin.h>

#if defined(MATH_UNFUSED) /* math_unfused_avx512.c */
#define TIER(name) name##_unfused_avx512
#define VF_FMA_ROUNDS_TWICE 1
#else
#define TIER(name) name##_avx512
#endif
#define VF_LANES 16
#define GEMM_ROWS 8 /* 24 accumulators, 3 vectors of B and 1 of A in 32 registers */
#define GEMM_VECTORS 3

typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;

static inline vm first_lanes(size_t n) { return (vm)((1u << n) - 1u); }
static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
static inline vf vf_load_part(const float *p, size_t n, vf fill) {
    return _mm512_mask_loadu_ps(fill, first_lanes(n), p);
}
static inline void vf_store_part(float *p, size_t n, vf v) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }
static inline vf vf_set1(float x) { return _mm512_set1_ps(x); }
#if !defined(VF_FMA_ROUNDS_TWICE)
static inline vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
#endif
static inline vf vf_sqrt(vf a) { return _mm512_sqrt_ps(a); }
static inline vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vm vf_lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline vm vf_nan(vf a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
static inline vf vf_select(vm m, vf a, vf b) { return _mm512_mask_blend_ps(m, b, a); }
static inline vi vf_bits(vf a) { return _mm512_castps_si512(a); }
static inline vf vf_from_bits(vi a) { return _mm512_castsi512_ps(a); }
static inline vf vf_from_int(vi a) { return _mm512_cvtepi32_ps(a); }
static inline vi vi_load(const int32_t *p) { return _mm512_loadu_si512(p); }
static inline vi vi_load_bytes(const uint8_t *p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}
static inline void vi_store_bytes(uint8_t *p, vi v) { /* the low byte of each */
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(v));
}
static inline vi vi_set1(int32_t x) { return _mm512_set1_epi32(x); }
static inline vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
static inline vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
static inline vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
static inline vi vi_xor(vi a, vi b) { return _mm512_xor_si512(a, b); }
#define vi_shl(a, n) _mm512_slli_epi32(a, n)
#define vi_sar(a, n) _mm512_srai_epi32(a, n)

/* Lane i and lane i xor 8, 4, 2, 1 change places. */
static inline vf vf_swap8(vf a) { return _mm512_shuffle_f32x4(a, a, 0x4e); }
static inline vf vf_swap4(vf a) { return _mm512_shuffle_f32x4(a, a, 0xb1); }
static inline vf vf_swap2(vf a) { return _mm512_permute_ps(a, 0x4e); }
static inline vf vf_swap1(vf a) { return _mm512_permute_ps(a, 0xb1); }
static inline float vf_first(vf a) { return _mm512_cvtss_f32(a); }

#include "convert/math/math_impl.h"
