/* SPDX-License-Identifier: Apache-2.0
 * Products of 8-bit integers, WASM with SIMD128: both sides widened to 16 bits. */
#include "convert/math/int8_tiers.h"

#include <wasm_simd128.h>

#define TIER(name) name##_wasm_simd128
#define IV_LANES 4
#define IV_STEP 2
#define IV_PLACE(j, s) ((j) * IV_STEP + (s))
#define INT8_ROWS 4 /* 8 accumulators, 2 vectors of B, 1 of A and a product in 15 registers (x86-64) */
#define INT8_VECTORS 2

typedef int16_t row_cell;
typedef v128_t iv;

static inline iv iv_load(const int32_t *p) { return wasm_v128_load(p); }
static inline void iv_store(int32_t *p, iv v) { wasm_v128_store(p, v); }
static inline iv iv_codes(const int8_t *p) { return wasm_i16x8_load8x8(p); }
static inline iv iv_group(const char *p) { return wasm_v128_load32_splat(p); }
static inline iv iv_dot(iv sum, iv a, iv b) { return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(a, b)); }
static inline size_t load_cells(const uint8_t *a, uint8_t flip, size_t k, row_cell *row) {
    const v128_t flips = wasm_i16x8_splat(flip);
    size_t i;
    for (i = 0; i + 8 <= k; i += 8)
        wasm_v128_store(row + i, wasm_v128_xor(wasm_u16x8_load8x8(a + i), flips));
    return i;
}

#include "convert/math/int8_impl.h"
