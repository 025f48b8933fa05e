/* SPDX-License-Identifier: Apache-2.0
 * Run-time kernels, NEON with byte matrices (smmla): 4 lanes. In: codes and floats. Out: those of ref.c.
 *
 * smmla multiplies 2 rows x 8 bytes by 2 columns x 8 bytes: twice the products of an sdot. Panels hold 4 bytes a
 * column; two vectors that lie 4 inputs apart, zipped, are 8 bytes of each of 4 columns, so they need no repacking:
 * 8 zips for 24 smmla in a tile of 6 rows, where sdot takes 48. From 3 rows down sdot needs no more instructions, and
 * does it. */
#include "run/kernels/tiers.h"

#include "run/kernels/verbs_neon.h"

#define TIER(name) name##_neon_i8mm
#define TIER_NAME "neon-i8mm"
#define TILE_ROWS 6 /* 24 accumulators of 2 x 2, 3 vectors of codes, 2 of weights and their zips in 32 registers */
#define TILE_PANELS 1
#define TILE_HEADER "run/kernels/tile_i8mm.h" /* has dot_tile_of */

/* sum + the products of 4 bytes a lane; a u7 is an s8 too. */
static inline vi vi_dot(vi sum, vi u7, vi s8) {
    return vdotq_s32(sum, vreinterpretq_s8_s32(u7), vreinterpretq_s8_s32(s8));
}

#include "run/kernels/kernels_impl.h"
