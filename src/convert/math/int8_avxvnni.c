/* SPDX-License-Identifier: Apache-2.0
 * Products of 8-bit integers, the AVX-VNNI tier: vpdpbusd of 256 bits. Compiled for AVX512-VNNI instead, the same
 * instruction is written in AVX-512's encoding: so the tests run this file on processors that have only that. */
#include "convert/math/int8_tiers.h"

#include <immintrin.h>

#ifdef __AVXVNNI__
#define TIER(name) name##_avxvnni
#define DPBUSD _mm256_dpbusd_avx_epi32
#else
#define TIER(name) name##_avxvnni_evex
#define DPBUSD _mm256_dpbusd_epi32
#endif
#define IV_LANES 8
#define IV_STEP 4
#define IV_PLACE(j, s) ((j) * IV_STEP + (s))
#define INT8_ROWS 6 /* 12 accumulators, 2 vectors of B and 1 of A in 16 registers */
#define INT8_VECTORS 2

typedef uint8_t row_cell;
typedef __m256i iv;

static inline iv iv_load(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
static inline void iv_store(int32_t *p, iv v) { _mm256_storeu_si256((__m256i *)(void *)p, v); }
static inline iv iv_codes(const int8_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
static inline iv iv_group(const char *p) {
    int32_t four;
    __builtin_memcpy(&four, p, sizeof four);
    return _mm256_set1_epi32(four);
}
static inline iv iv_dot(iv sum, iv a, iv b) { return DPBUSD(sum, a, b); }
static inline size_t load_cells(const uint8_t *a, uint8_t flip, size_t k, row_cell *row) {
    const __m256i flips = _mm256_set1_epi8((char)flip);
    size_t i;
    for (i = 0; i + 32 <= k; i += 32)
        iv_store((int32_t *)(void *)(row + i),
                 _mm256_xor_si256(iv_load((const int32_t *)(const void *)(a + i)), flips));
    return i;
}

#ifndef __AVXVNNI__
extern const int8_kernels int8_kernels_avxvnni_evex;
#endif
#include "convert/math/int8_impl.h"
