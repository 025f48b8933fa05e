/* SPDX-License-Identifier: Apache-2.0
 * Run-time kernels, the NEON tier (no dot product needed): 4 lanes. In: codes and floats. Out: those of ref.c. */
#include "run/kernels/tiers.h"

#include "run/kernels/verbs_neon.h"

#define TIER(name) name##_neon
#define TIER_NAME "neon"
#define TILE_ROWS 4 /* 16 accumulators, 4 vectors of weights, 1 of codes and the products in 32 registers */
#define TILE_PANELS 1

/* sum + the products of 4 bytes a lane; a u7 is an s8 too. Twice 127 * 128 fits in 16 bits. */
static inline vi vi_dot(vi sum, vi u7, vi s8) {
    const int8x16_t a = vreinterpretq_s8_s32(u7), b = vreinterpretq_s8_s32(s8);
    const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);
    return vpadalq_s16(sum, vpaddq_s16(low, high));
}

#include "run/kernels/kernels_impl.h"
