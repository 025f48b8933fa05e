/* SPDX-License-Identifier: Apache-2.0
 * Vectors of 8 lanes and their verbs, for the AVX2 files of this folder; vi_dot and the tile are theirs. */
#include <immintrin.h>
#include <string.h>

#include "run/kernels/interleave_x86.h"

#define VF_LANES 8

typedef __m256 vf;
typedef __m256i vi;

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
static inline vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline vi vf_bits(vf a) { return _mm256_castps_si256(a); }
static inline vf vf_from_bits(vi a) { return _mm256_castsi256_ps(a); }
static inline vf vf_from_int(vi a) { return _mm256_cvtepi32_ps(a); }
static inline vi vi_set1(int32_t x) { return _mm256_set1_epi32(x); }
static inline vi vi_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline void vi_store(void *p, vi a) { _mm256_storeu_si256((__m256i *)p, a); }
static inline vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
static inline vi vi_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
static inline vi vi_and(vi a, vi b) { return _mm256_and_si256(a, b); }
static inline vi vi_max(vi a, vi b) { return _mm256_max_epi32(a, b); }
#define vi_shl(a, n) _mm256_slli_epi32(a, n)
static inline vf vf_abs(vf a) { return vf_from_bits(vi_and(vf_bits(a), vi_set1(0x7fffffff))); }
/* The same 4 bytes in every lane. */
static inline vi vi_set1_quad(const void *p) {
    int32_t quad;
    memcpy(&quad, p, sizeof quad);
    return _mm256_set1_epi32(quad);
}
/* The low byte of every lane, of the first n. */
static inline __m128i low_bytes(vi a) {
    const __m128i pick = _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    return _mm_unpacklo_epi32(_mm_shuffle_epi8(_mm256_castsi256_si128(a), pick),
                              _mm_shuffle_epi8(_mm256_extracti128_si256(a, 1), pick));
}
static inline void vi_store_codes(int8_t *p, vi a) { _mm_storel_epi64((__m128i *)(void *)p, low_bytes(a)); }
static inline void vi_store_codes_part(int8_t *p, size_t n, vi a) {
    int8_t codes[8];
    vi_store_codes(codes, a);
    memcpy(p, codes, n);
}
/* Lane i and lane i xor 4, 2, 1 change places. */
static inline vf vf_swap4(vf a) { return _mm256_permute2f128_ps(a, a, 1); }
static inline vf vf_swap2(vf a) { return _mm256_permute_ps(a, 0x4e); }
static inline vf vf_swap1(vf a) { return _mm256_permute_ps(a, 0xb1); }
static inline float vf_first(vf a) { return _mm256_cvtss_f32(a); }
