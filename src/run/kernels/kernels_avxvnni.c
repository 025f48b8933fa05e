/* SPDX-License-Identifier: Apache-2.0
 * Run-time kernels, AVX2 with AVX-VNNI: 8 lanes. In: codes and floats. Out: those of ref.c.
 * Compiled for AVX512-VNNI instead, the same instruction is written in AVX-512's encoding: so the tests run this
 * file on processors that have only that. */
#include "run/kernels/tiers.h"

#include "run/kernels/verbs_avx2.h"

#ifdef __AVXVNNI__
#define TIER(name) name##_avxvnni
#define TIER_NAME "avxvnni"
#define DPBUSD _mm256_dpbusd_avx_epi32
#else
#define TIER(name) name##_avxvnni_evex
#define TIER_NAME "avxvnni (EVEX)"
#define DPBUSD _mm256_dpbusd_epi32
#endif
#define TILE_ROWS 6 /* 12 accumulators, 2 vectors of weights and 1 of codes in 16 registers */
#define TILE_PANELS 1

/* sum + the products of 4 bytes a lane */
static inline vi vi_dot(vi sum, vi u7, vi s8) { return DPBUSD(sum, u7, s8); }

#include "run/kernels/kernels_impl.h"
