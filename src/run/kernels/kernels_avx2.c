/* SPDX-License-Identifier: Apache-2.0
 * Run-time kernels, the AVX2 tier: 8 lanes. In: codes and floats. Out: those of ref.c. */
#include "run/kernels/tiers.h"

#include "run/kernels/verbs_avx2.h"

#define TIER(name) name##_avx2
#define TIER_NAME "avx2"
#define TILE_ROWS 4 /* 8 accumulators, 2 vectors of weights, 1 of codes, 1 of ones and the products in 16 registers */
#define TILE_PANELS 1

/* sum + the products of 4 bytes a lane. u7 * s8 twice is at most 32512: vpmaddubsw does not saturate. */
static inline vi vi_dot(vi sum, vi u7, vi s8) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(u7, s8), _mm256_set1_epi16(1)));
}

#include "run/kernels/kernels_impl.h"
