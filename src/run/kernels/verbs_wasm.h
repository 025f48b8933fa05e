/* SPDX-License-Identifier: Apache-2.0
 * Vectors of 4 lanes and their verbs, for the WASM files of this folder; vi_dot and the tile are theirs. */
#include <stdint.h>
#include <string.h>
#include <wasm_simd128.h>

#define VF_LANES 4
#define FINISH_HEADER "run/kernels/finish_wasm.h"
#define EXPONENTIALS_HEADER "run/kernels/exponentials_wasm.h"
#ifndef GELU_AT_ONCE
#define GELU_AT_ONCE 4 /* what 15 registers hold */
#endif

/* The compiler may not know where p points from: it would add up pointers of its own, where a load has room for a
 * constant. */
#define FIXED(p) __asm__ volatile("" : "+r"(p) : : "memory")

typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));

static inline vf vf_load(const float *p) { return (vf)wasm_v128_load(p); }
static inline void vf_store(float *p, vf v) { wasm_v128_store(p, (v128_t)v); }
static inline vf vf_load_part(const float *p, size_t n, vf fill) {
    v128_t v = (v128_t)fill;
    if (n > 0) v = wasm_v128_load32_lane(p, v, 0);
    if (n > 1) v = wasm_v128_load32_lane(p + 1, v, 1);
    if (n > 2) v = wasm_v128_load32_lane(p + 2, v, 2);
    return (vf)v;
}
static inline void vf_store_part(float *p, size_t n, vf v) {
    if (n > 0) wasm_v128_store32_lane(p, (v128_t)v, 0);
    if (n > 1) wasm_v128_store32_lane(p + 1, (v128_t)v, 1);
    if (n > 2) wasm_v128_store32_lane(p + 2, (v128_t)v, 2);
}
/* The compiler may not take x for a constant: engines make vectors of constants anew at each use, in three
 * instructions, and keep in registers what comes from a variable. */
static inline vf vf_set1(float x) {
    __asm__("" : "+r"(x));
    return (vf)wasm_f32x4_splat(x);
}
/* pmin(b, a) is a < b ? a : b, one instruction on x86; f32x4.min treats NaN and -0 differently. */
static inline vf vf_min(vf a, vf b) { return (vf)wasm_f32x4_pmin((v128_t)b, (v128_t)a); }
static inline vf vf_max(vf a, vf b) { return (vf)wasm_f32x4_pmax((v128_t)b, (v128_t)a); }
/* Not f32x4.abs, which V8 on x86 takes a mask from memory for. */
static inline vf vf_abs(vf a) {
    int32_t mask = INT32_MAX;
    __asm__("" : "+r"(mask));
    return (vf)wasm_v128_and((v128_t)a, wasm_i32x4_splat(mask));
}
static inline vi vf_bits(vf a) { return (vi)a; }
static inline vf vf_from_bits(vi a) { return (vf)a; }
static inline vf vf_from_int(vi a) { return (vf)wasm_f32x4_convert_i32x4((v128_t)a); }
static inline vi vi_set1(int32_t x) { return (vi)wasm_i32x4_splat(x); }
static inline vi vi_load(const void *p) { return (vi)wasm_v128_load(p); }
static inline void vi_store(void *p, vi a) { wasm_v128_store(p, (v128_t)a); }
static inline vi vi_add(vi a, vi b) { return (vi)wasm_i32x4_add((v128_t)a, (v128_t)b); }
static inline vi vi_sub(vi a, vi b) { return (vi)wasm_i32x4_sub((v128_t)a, (v128_t)b); }
static inline vi vi_and(vi a, vi b) { return a & b; }
static inline vi vi_max(vi a, vi b) { return (vi)wasm_i32x4_max((v128_t)a, (v128_t)b); }
static inline vi vi_shl(vi a, uint32_t n) { return (vi)wasm_i32x4_shl((v128_t)a, n); }
/* The same 4 bytes in every lane. */
static inline vi vi_set1_quad(const void *p) { return (vi)wasm_v128_load32_splat(p); }
/* The low byte of every lane, of the first n. */
static inline vi low_bytes(vi a) {
    return (vi)wasm_i8x16_shuffle((v128_t)a, (v128_t)a, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
}
static inline void vi_store_codes(int8_t *p, vi a) { wasm_v128_store32_lane(p, (v128_t)low_bytes(a), 0); }
/* 16 codes of 4 vectors. */
static inline void vi_store_codes_16(int8_t *p, vi a, vi b, vi c, vi d) {
    const v128_t ab = wasm_i16x8_narrow_i32x4((v128_t)a, (v128_t)b), cd = wasm_i16x8_narrow_i32x4((v128_t)c, (v128_t)d);
    wasm_v128_store(p, wasm_i8x16_narrow_i16x8(ab, cd));
}
static inline void vi_store_codes_part(int8_t *p, size_t n, vi a) {
    const v128_t codes = (v128_t)low_bytes(a);
    if (n > 0) wasm_v128_store8_lane(p, codes, 0);
    if (n > 1) wasm_v128_store8_lane(p + 1, codes, 1);
    if (n > 2) wasm_v128_store8_lane(p + 2, codes, 2);
    if (n > 3) wasm_v128_store8_lane(p + 3, codes, 3);
}

/* 4 rows of 16 bytes -> the bytes of each column side by side. */
static inline void interleave_rows(const int8_t *p, size_t stride, uint8_t *out) {
    const v128_t a = wasm_v128_load(p), b = wasm_v128_load(p + stride);
    const v128_t c = wasm_v128_load(p + 2 * stride), d = wasm_v128_load(p + 3 * stride);
#define LOW_BYTES_OF(a, b) wasm_i8x16_shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH_BYTES_OF(a, b) wasm_i8x16_shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOW_PAIRS_OF(a, b) wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_PAIRS_OF(a, b) wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
    const v128_t ab_low = LOW_BYTES_OF(a, b), ab_high = HIGH_BYTES_OF(a, b);
    const v128_t cd_low = LOW_BYTES_OF(c, d), cd_high = HIGH_BYTES_OF(c, d);
    wasm_v128_store(out, LOW_PAIRS_OF(ab_low, cd_low));
    wasm_v128_store(out + 16, HIGH_PAIRS_OF(ab_low, cd_low));
    wasm_v128_store(out + 32, LOW_PAIRS_OF(ab_high, cd_high));
    wasm_v128_store(out + 48, HIGH_PAIRS_OF(ab_high, cd_high));
}

/* Keys of 4 tokens, 16 bytes each, + 64 -> each 4 bytes of the four side by side, 64 bytes apart. Codes are in
 * [-64, 63], so that a byte's sum is in [0, 127]. */
static inline void interleave_keys(const int8_t *p, size_t stride, uint8_t *out) {
    const v128_t bias = wasm_i8x16_splat(64);
    const v128_t a = wasm_i8x16_add(wasm_v128_load(p), bias);
    const v128_t b = wasm_i8x16_add(wasm_v128_load(p + stride), bias);
    const v128_t c = wasm_i8x16_add(wasm_v128_load(p + 2 * stride), bias);
    const v128_t d = wasm_i8x16_add(wasm_v128_load(p + 3 * stride), bias);
    const v128_t ab_low = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), ab_high = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
    const v128_t cd_low = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), cd_high = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
    wasm_v128_store(out, wasm_i64x2_shuffle(ab_low, cd_low, 0, 2));
    wasm_v128_store(out + 64, wasm_i64x2_shuffle(ab_low, cd_low, 1, 3));
    wasm_v128_store(out + 128, wasm_i64x2_shuffle(ab_high, cd_high, 0, 2));
    wasm_v128_store(out + 192, wasm_i64x2_shuffle(ab_high, cd_high, 1, 3));
}

/* Lane i and lane i xor 2, 1 change places. */
static inline vf vf_swap2(vf a) { return (vf)wasm_i32x4_shuffle((v128_t)a, (v128_t)a, 2, 3, 0, 1); }
static inline vf vf_swap1(vf a) { return (vf)wasm_i32x4_shuffle((v128_t)a, (v128_t)a, 1, 0, 3, 2); }
static inline float vf_first(vf a) { return a[0]; }
