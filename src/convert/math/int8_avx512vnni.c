/* SPDX-License-Identifier: Apache-2.0
 * Products of 8-bit integers, the AVX512-VNNI tier: vpdpbusd, which sums four products exactly. */
#include "convert/math/int8_tiers.h"

#include <immintrin.h>

#define TIER(name) name##_avx512vnni
#define IV_LANES 16
#define IV_STEP 4
#define IV_PLACE(j, s) ((j) * IV_STEP + (s))
#define INT8_ROWS 6 /* 24 accumulators, 4 vectors of B and 1 of A in 32 registers */
#define INT8_VECTORS 4

typedef uint8_t row_cell;
typedef __m512i iv;

static inline iv iv_load(const int32_t *p) { return _mm512_loadu_si512(p); }
static inline void iv_store(int32_t *p, iv v) { _mm512_storeu_si512(p, v); }
static inline iv iv_codes(const int8_t *p) { return _mm512_loadu_si512(p); }
static inline iv iv_group(const char *p) {
    int32_t four;
    __builtin_memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
}
static inline iv iv_dot(iv sum, iv a, iv b) { return _mm512_dpbusd_epi32(sum, a, b); }
static inline size_t load_cells(const uint8_t *a, uint8_t flip, size_t k, row_cell *row) {
    const __m512i flips = _mm512_set1_epi8((char)flip);
    size_t i;
    for (i = 0; i + 64 <= k; i += 64)
        _mm512_storeu_si512(row + i, _mm512_xor_si512(_mm512_loadu_si512(a + i), flips));
    return i;
}

#include "convert/math/int8_impl.h"
