/* SPDX-License-Identifier: Apache-2.0
 * Run-time kernels, WASM with SIMD128: 4 lanes. In: codes and floats. Out: those of ref.c. There is no product of
 * bytes: codes are widened to 16 bits, whose products are added by twos (pmaddwd, smull and addp). */
#include "run/kernels/tiers.h"

#include "run/kernels/verbs_wasm.h"

#define TIER(name) name##_wasm_simd128
#define TIER_NAME "wasm-simd128"
#define TILE_ROWS 4 /* 8 accumulators, 4 vectors of codes, 2 of weights and a product in V8's 15 registers on x86,
                     * even where it loads a step's vectors before all products */
#define LINEAR_ROWS ((size_t)44) /* whole tiles; as many as a stack has room for, once widened */
#define LINEAR_HEADER "run/kernels/linear_wasm_i16.h"
#define TILE_PANELS 4
#define TILE_HEADER "run/kernels/tile_wasm_i16.h"

/* sum + the products of 4 bytes a lane */
static inline vi vi_dot(vi sum, vi u7, vi s8) {
    const v128_t a = (v128_t)u7, b = (v128_t)s8;
    const v128_t low = wasm_i32x4_dot_i16x8(wasm_u16x8_extend_low_u8x16(a), wasm_i16x8_extend_low_i8x16(b));
    const v128_t high = wasm_i32x4_dot_i16x8(wasm_u16x8_extend_high_u8x16(a), wasm_i16x8_extend_high_i8x16(b));
    const v128_t even = wasm_i32x4_shuffle(low, high, 0, 2, 4, 6), odd = wasm_i32x4_shuffle(low, high, 1, 3, 5, 7);
    return vi_add(sum, vi_add((vi)even, (vi)odd));
}

#include "run/kernels/kernels_impl.h"
