/* SPDX-License-Identifier: Apache-2.0
 * Run-time kernels, WASM with relaxed SIMD for x86 without AVX-VNNI: 4 lanes. In: codes and floats. Out: those of
 * ref.c. There an engine does the dot product in several instructions and makes a vector of ones for each; here sums of
 * pairs (pmaddubsw) are added by a multiplication with ones (pmaddwd) that stay in a register. */
#include "run/kernels/tiers.h"

#include "run/kernels/verbs_wasm.h"

#define TIER(name) name##_wasm_relaxed_pairs
#define TIER_NAME "wasm-relaxed-pairs"
#define TILE_ROWS 5
#define TILE_PANELS 24 /* of a strip: a tile's codes are spread once for all of them */
#define TILE_VECTORS 2 /* 10 accumulators, 2 vectors of weights, 1 of codes, 1 of ones, the products: 15 registers */
#define TILE_STEPS 1   /* a loop: products alone fill the time */
#define TILE_HEADER "run/kernels/tile_wasm.h"
#define TILE_ONES 1

static inline vi vi_dot_ones(vi sum, vi u7, vi s8, vi ones) {
    const v128_t pairs = wasm_i16x8_relaxed_dot_i8x16_i7x16((v128_t)s8, (v128_t)u7);
    return vi_add(sum, (vi)wasm_i32x4_dot_i16x8(pairs, (v128_t)ones));
}

/* sum + the products of 4 bytes a lane. u7 * s8 twice is at most 32512: a pair fits in 16 bits. */
static inline vi vi_dot(vi sum, vi u7, vi s8) { return vi_dot_ones(sum, u7, s8, vi_set1(0x00010001)); }

#include "run/kernels/kernels_impl.h"
