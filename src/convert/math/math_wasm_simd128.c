/* SPDX-License-Identifier: Apache-2.0
 * Float arithmetic, WASM with SIMD128: 4 lanes. In: floats. Out: floats, the same in every browser.
 *
 * WASM has no fused multiply-add that every engine computes alike, so vf_fma rounds twice, and results differ from the
 * other tiers' in the last digits; they are those of the unfused tables (math_unfused_*.c). What depends on one
 * rounding is written another way (VF_FMA_ROUNDS_TWICE). */
#include "convert/math/math_tiers.h"

#include <wasm_simd128.h>

#define TIER(name) name##_wasm_simd128
#define VF_LANES 4
#define VF_FMA_ROUNDS_TWICE 1
#define GEMM_ROWS 4 /* 8 accumulators, 2 vectors of B, 1 of A and a product in 15 registers (x86-64) */
#define GEMM_VECTORS 2

typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
typedef int32_t vm __attribute__((vector_size(16)));

static inline vf vf_load(const float *p) { return (vf)wasm_v128_load(p); }
static inline void vf_store(float *p, vf v) { wasm_v128_store(p, (v128_t)v); }
static inline vf vf_load_part(const float *p, size_t n, vf fill) {
    if (n > 0) fill[0] = p[0];
    if (n > 1) fill[1] = p[1];
    if (n > 2) fill[2] = p[2];
    return fill;
}
static inline void vf_store_part(float *p, size_t n, vf v) {
    if (n > 0) p[0] = v[0];
    if (n > 1) p[1] = v[1];
    if (n > 2) p[2] = v[2];
}
static inline vf vf_set1(float x) { return (vf)wasm_f32x4_splat(x); }
static inline vf vf_sqrt(vf a) { return (vf)wasm_f32x4_sqrt((v128_t)a); }
static inline vm vf_lt(vf a, vf b) { return a < b; }
static inline vm vf_nan(vf a) { return a != a; }
static inline vf vf_select(vm m, vf a, vf b) { return (vf)wasm_v128_bitselect((v128_t)a, (v128_t)b, (v128_t)m); }
/* a < b ? a : b is pmin with its operands changed over. */
static inline vf vf_min(vf a, vf b) { return (vf)wasm_f32x4_pmin((v128_t)b, (v128_t)a); }
static inline vf vf_max(vf a, vf b) { return (vf)wasm_f32x4_pmax((v128_t)b, (v128_t)a); }
static inline vi vf_bits(vf a) { return (vi)a; }
static inline vf vf_from_bits(vi a) { return (vf)a; }
static inline vf vf_from_int(vi a) { return (vf)wasm_f32x4_convert_i32x4((v128_t)a); }
static inline vi vi_load(const int32_t *p) { return (vi)wasm_v128_load(p); }
static inline vi vi_load_bytes(const uint8_t *p) {
    return (vi)wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(wasm_v128_load32_zero(p)));
}
static inline void vi_store_bytes(uint8_t *p, vi v) { /* the low byte of each */
    wasm_v128_store32_lane(p, wasm_i8x16_shuffle((v128_t)v, (v128_t)v, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8,
                                                 12), 0);
}
static inline vi vi_set1(int32_t x) { return (vi)wasm_i32x4_splat(x); }
static inline vi vi_add(vi a, vi b) { return (vi)wasm_i32x4_add((v128_t)a, (v128_t)b); } /* wraps */
static inline vi vi_sub(vi a, vi b) { return (vi)wasm_i32x4_sub((v128_t)a, (v128_t)b); }
static inline vi vi_and(vi a, vi b) { return a & b; }
static inline vi vi_xor(vi a, vi b) { return a ^ b; }
#define vi_shl(a, n) ((vi)wasm_i32x4_shl((v128_t)(a), (n)))
#define vi_sar(a, n) ((vi)wasm_i32x4_shr((v128_t)(a), (n)))

/* Lane i and lane i xor 2, 1 change places. */
static inline vf vf_swap2(vf a) { return __builtin_shufflevector(a, a, 2, 3, 0, 1); }
static inline vf vf_swap1(vf a) { return __builtin_shufflevector(a, a, 1, 0, 3, 2); }
static inline float vf_first(vf a) { return a[0]; }

#include "convert/math/math_impl.h"
