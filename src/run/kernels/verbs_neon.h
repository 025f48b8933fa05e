/* SPDX-License-Identifier: Apache-2.0
 * Vectors of 4 lanes and their verbs, for the NEON files of this folder; vi_dot and the tile are theirs. */
#include <arm_neon.h>
#include <string.h>

#define VF_LANES 4

typedef float32x4_t vf;
typedef int32x4_t vi;

static inline vf vf_load(const float *p) { return vld1q_f32(p); }
static inline void vf_store(float *p, vf v) { vst1q_f32(p, v); }
static inline vf vf_load_part(const float *p, size_t n, vf fill) {
    if (n > 0) fill = vld1q_lane_f32(p, fill, 0);
    if (n > 1) fill = vld1q_lane_f32(p + 1, fill, 1);
    if (n > 2) fill = vld1q_lane_f32(p + 2, fill, 2);
    return fill;
}
static inline void vf_store_part(float *p, size_t n, vf v) {
    if (n > 0) vst1q_lane_f32(p, v, 0);
    if (n > 1) vst1q_lane_f32(p + 1, v, 1);
    if (n > 2) vst1q_lane_f32(p + 2, v, 2);
}
static inline vf vf_set1(float x) { return vdupq_n_f32(x); }
/* Not vminq and vmaxq: they treat NaN and -0 differently from a < b ? a : b. */
static inline vf vf_min(vf a, vf b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
static inline vf vf_max(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
static inline vf vf_abs(vf a) { return vabsq_f32(a); }
static inline vi vf_bits(vf a) { return vreinterpretq_s32_f32(a); }
static inline vf vf_from_bits(vi a) { return vreinterpretq_f32_s32(a); }
static inline vf vf_from_int(vi a) { return vcvtq_f32_s32(a); }
static inline vi vi_set1(int32_t x) { return vdupq_n_s32(x); }
static inline vi vi_load(const void *p) { return vreinterpretq_s32_u8(vld1q_u8((const uint8_t *)p)); }
static inline void vi_store(void *p, vi a) { vst1q_u8((uint8_t *)p, vreinterpretq_u8_s32(a)); }
static inline vi vi_add(vi a, vi b) { return vaddq_s32(a, b); }
static inline vi vi_sub(vi a, vi b) { return vsubq_s32(a, b); }
static inline vi vi_and(vi a, vi b) { return vandq_s32(a, b); }
static inline vi vi_max(vi a, vi b) { return vmaxq_s32(a, b); }
#define vi_shl(a, n) vshlq_n_s32(a, n)
/* The same 4 bytes in every lane. */
static inline vi vi_set1_quad(const void *p) {
    int32_t quad;
    memcpy(&quad, p, sizeof quad);
    return vdupq_n_s32(quad);
}
/* The low byte of every lane, of the first n. */
static inline void vi_store_codes_part(int8_t *p, size_t n, vi a) {
    const int16x4_t halves = vmovn_s32(a);
    const int8x8_t bytes = vmovn_s16(vcombine_s16(halves, halves));
    int8_t codes[8];
    vst1_s8(codes, bytes);
    memcpy(p, codes, n);
}
static inline void vi_store_codes(int8_t *p, vi a) { vi_store_codes_part(p, 4, a); }
/* 4 rows of 16 bytes -> the bytes of each column side by side. */
static inline void interleave_rows(const int8_t *p, size_t stride, uint8_t *out) {
    int8x16x4_t rows;
    rows.val[0] = vld1q_s8(p);
    rows.val[1] = vld1q_s8(p + stride);
    rows.val[2] = vld1q_s8(p + 2 * stride);
    rows.val[3] = vld1q_s8(p + 3 * stride);
    vst4q_s8((int8_t *)out, rows);
}

/* Keys of 4 tokens, 16 bytes each, + 64 -> each 4 bytes of the four side by side, 64 bytes apart. Codes are in
 * [-64, 63], so that + 64 turns the 7th bit round and leaves the 8th empty. */
static inline void interleave_keys(const int8_t *p, size_t stride, uint8_t *out) {
    int32x4x4_t rows;
    int32_t quads[16];
    size_t i;
    rows.val[0] = vreinterpretq_s32_s8(vld1q_s8(p));
    rows.val[1] = vreinterpretq_s32_s8(vld1q_s8(p + stride));
    rows.val[2] = vreinterpretq_s32_s8(vld1q_s8(p + 2 * stride));
    rows.val[3] = vreinterpretq_s32_s8(vld1q_s8(p + 3 * stride));
    vst4q_s32(quads, rows);
    for (i = 0; i < 4; i++) {
        const uint8x16_t keys = vreinterpretq_u8_s32(vld1q_s32(quads + 4 * i));
        vst1q_u8(out + 64 * i, vandq_u8(veorq_u8(keys, vdupq_n_u8(0x40)), vdupq_n_u8(0x7f)));
    }
}

/* Lane i and lane i xor 2, 1 change places. */
static inline vf vf_swap2(vf a) { return vextq_f32(a, a, 2); }
static inline vf vf_swap1(vf a) { return vrev64q_f32(a); }
static inline float vf_first(vf a) { return vgetq_lane_f32(a, 0); }
