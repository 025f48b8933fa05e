/* SPDX-License-Identifier: Apache-2.0
 * Vectors of 16 lanes and their verbs, for the AVX-512 files of this folder; vi_dot and the tile are theirs. */
#include <immintrin.h>

#include "run/kernels/interleave_x86.h"

#define VF_LANES 16

typedef __m512 vf;
typedef __m512i vi;

static inline __mmask16 first_lanes(size_t n) { return (__mmask16)((1u << n) - 1u); }
static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
static inline vf vf_load_part(const float *p, size_t n, vf fill) {
    return _mm512_mask_loadu_ps(fill, first_lanes(n), p);
}
static inline void vf_store_part(float *p, size_t n, vf v) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }
static inline vf vf_set1(float x) { return _mm512_set1_ps(x); }
static inline vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vf vf_abs(vf a) { return _mm512_abs_ps(a); }
#define VF_HAS_POWERS
static inline vf vf_round(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline vf vf_times_power(vf a, vf n) { return _mm512_scalef_ps(a, n); } /* a * 2^n, n a whole number */
static inline vi vf_bits(vf a) { return _mm512_castps_si512(a); }
static inline vf vf_from_bits(vi a) { return _mm512_castsi512_ps(a); }
static inline vf vf_from_int(vi a) { return _mm512_cvtepi32_ps(a); }
static inline vi vi_set1(int32_t x) { return _mm512_set1_epi32(x); }
static inline vi vi_load(const void *p) { return _mm512_loadu_si512(p); }
static inline void vi_store(void *p, vi a) { _mm512_storeu_si512(p, a); }
static inline vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
static inline vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
static inline vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
static inline vi vi_max(vi a, vi b) { return _mm512_max_epi32(a, b); }
#define vi_shl(a, n) _mm512_slli_epi32(a, n)
/* In a register from here on: GCC loads weights again for each of two or three rows. */
#define VI_KEEP(a) __asm__("" : "+v"(a))
/* The same 4 bytes in every lane. */
static inline vi vi_set1_quad(const void *p) {
    int32_t quad;
    memcpy(&quad, p, sizeof quad);
    return _mm512_set1_epi32(quad);
}
/* The low byte of every lane, of the first n. */
static inline void vi_store_codes(int8_t *p, vi a) { _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(a)); }
static inline void vi_store_codes_part(int8_t *p, size_t n, vi a) {
    _mm512_mask_cvtepi32_storeu_epi8(p, first_lanes(n), a);
}

/* Lane i and lane i xor 8, 4, 2, 1 change places. */
static inline vf vf_swap8(vf a) { return _mm512_shuffle_f32x4(a, a, 0x4e); }
static inline vf vf_swap4(vf a) { return _mm512_shuffle_f32x4(a, a, 0xb1); }
static inline vf vf_swap2(vf a) { return _mm512_permute_ps(a, 0x4e); }
static inline vf vf_swap1(vf a) { return _mm512_permute_ps(a, 0xb1); }
static inline float vf_first(vf a) { return _mm512_cvtss_f32(a); }
