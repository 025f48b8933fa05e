/* SPDX-License-Identifier: Apache-2.0
 * vpdpbusd of 256 bits: 32 products in one instruction. */
#include <immintrin.h>

#include "peak.h"

double peak_avxvnni(size_t rounds) {
#define STEP(s, a, b) _mm256_dpbusd_avx_epi32(s, a, b)
    PEAK_LOOP(__m256i, 12, _mm256_setzero_si256(), STEP);
    return 32.0 * 12.0 * (double)rounds;
}
