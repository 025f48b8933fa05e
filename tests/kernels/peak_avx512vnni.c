/* SPDX-License-Identifier: Apache-2.0
 * vpdpbusd: 64 products in one instruction; of 256 bits, 32. */
#include <immintrin.h>

#include "peak.h"

double peak_avx512vnni(size_t rounds) {
#define STEP(s, a, b) _mm512_dpbusd_epi32(s, a, b)
    PEAK_LOOP(__m512i, 16, _mm512_setzero_si512(), STEP);
    return 64.0 * 16.0 * (double)rounds;
}

double peak_avx512vnni_256(size_t rounds) {
#define STEP_256(s, a, b) _mm256_dpbusd_epi32(s, a, b)
    PEAK_LOOP(__m256i, 16, _mm256_setzero_si256(), STEP_256);
    return 32.0 * 16.0 * (double)rounds;
}
