/* SPDX-License-Identifier: Apache-2.0
 * Products of 8-bit integers, the AVX-512 tier: both sides widened to 16 bits. */
#include "convert/math/int8_tiers.h"

#include <immintrin.h>

#define TIER(name) name##_avx512
#define IV_LANES 16
#define IV_STEP 2
#define IV_PLACE(j, s) ((j) * IV_STEP + (s))
#define INT8_ROWS 6 /* 24 accumulators, 4 vectors of B, 1 of A and a product in 32 registers */
#define INT8_VECTORS 4

typedef int16_t row_cell;
typedef __m512i iv;

static inline iv iv_load(const int32_t *p) { return _mm512_loadu_si512(p); }
static inline void iv_store(int32_t *p, iv v) { _mm512_storeu_si512(p, v); }
static inline iv iv_codes(const int8_t *p) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
static inline iv iv_group(const char *p) {
    int32_t pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return _mm512_set1_epi32(pair);
}
static inline iv iv_dot(iv sum, iv a, iv b) { return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b)); }
static inline size_t load_cells(const uint8_t *a, uint8_t flip, size_t k, row_cell *row) {
    const __m256i flips = _mm256_set1_epi8((char)flip);
    size_t i;
    for (i = 0; i + 32 <= k; i += 32) {
        const __m256i bytes = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)(a + i)), flips);
        _mm512_storeu_si512(row + i, _mm512_cvtepu8_epi16(bytes));
    }
    return i;
}

#include "convert/math/int8_impl.h"
