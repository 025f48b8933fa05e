/* SPDX-License-Identifier: Apache-2.0
 * Run-time kernels, WASM with relaxed SIMD: 4 lanes. In: codes and floats. Out: those of ref.c. The dot product is one
 * instruction where the processor has AVX-VNNI or sdot; its second operand is in [0, 127], so that every way an engine
 * may do it gives the same integers. */
#include "run/kernels/tiers.h"

#include "run/kernels/verbs_wasm.h"

#define TIER(name) name##_wasm_relaxed
#define TIER_NAME "wasm-relaxed"
#define TILE_ROWS 6
#define TILE_PANELS 24 /* of a strip: a tile's codes are spread once for all of them */
#define TILE_VECTORS 2 /* 12 accumulators, 2 vectors of weights and 1 of codes: the 15 registers of V8 on x86 */
#define TILE_STEPS 4   /* a loop */
#define TILE_HEADER "run/kernels/tile_wasm.h"

/* sum + the products of 4 bytes a lane */
static inline vi vi_dot(vi sum, vi u7, vi s8) {
    return (vi)wasm_i32x4_relaxed_dot_i8x16_i7x16_add((v128_t)s8, (v128_t)u7, (v128_t)sum);
}

#include "run/kernels/kernels_impl.h"
