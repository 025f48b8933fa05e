/* SPDX-License-Identifier: Apache-2.0
 * Products of 8-bit integers, the AVX2 tier: both sides widened to 16 bits, as vpmaddubsw would saturate. */
#include "convert/math/int8_tiers.h"

#include <immintrin.h>

#define TIER(name) name##_avx2
#define IV_LANES 8
#define IV_STEP 2
#define IV_PLACE(j, s) ((j) * IV_STEP + (s))
#define INT8_ROWS 4 /* 8 accumulators, 2 vectors of B, 1 of A and a product in 16 registers */
#define INT8_VECTORS 2

typedef int16_t row_cell;
typedef __m256i iv;

static inline iv iv_load(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
static inline void iv_store(int32_t *p, iv v) { _mm256_storeu_si256((__m256i *)(void *)p, v); }
static inline iv iv_codes(const int8_t *p) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)p));
}
static inline iv iv_group(const char *p) {
    int32_t pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return _mm256_set1_epi32(pair);
}
static inline iv iv_dot(iv sum, iv a, iv b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }
static inline size_t load_cells(const uint8_t *a, uint8_t flip, size_t k, row_cell *row) {
    const __m128i flips = _mm_set1_epi8((char)flip);
    size_t i;
    for (i = 0; i + 16 <= k; i += 16) {
        const __m128i bytes = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)(a + i)), flips);
        _mm256_storeu_si256((__m256i *)(void *)(row + i), _mm256_cvtepu8_epi16(bytes));
    }
    return i;
}

#include "convert/math/int8_impl.h"
