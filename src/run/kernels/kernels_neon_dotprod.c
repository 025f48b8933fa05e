/* SPDX-License-Identifier: Apache-2.0
 * Run-time kernels, NEON with dot products (sdot): 4 lanes. In: codes and floats. Out: those of ref.c. */
#include "run/kernels/tiers.h"

#include "run/kernels/verbs_neon.h"

#define TIER(name) name##_neon_dotprod
#define TIER_NAME "neon-dotprod"
#define TILE_ROWS 6 /* 24 accumulators, 4 vectors of weights and 1 of codes in 32 registers */
#define TILE_PANELS 1

/* sum + the products of 4 bytes a lane; a u7 is an s8 too. */
static inline vi vi_dot(vi sum, vi u7, vi s8) {
    return vdotq_s32(sum, vreinterpretq_s8_s32(u7), vreinterpretq_s8_s32(s8));
}

#include "run/kernels/kernels_impl.h"
