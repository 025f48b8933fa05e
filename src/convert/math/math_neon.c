/* SPDX-License-Identifier: Apache-2.0
 * Float arithmetic, the NEON tier (AArch64): 4 lanes. In: floats. Out: floats, with the bits of math_scalar.c. */
#include "convert/math/math_tiers.h"

#include <arm_neon.h>

#if defined(MATH_UNFUSED) /* math_unfused_neon.c */
#define TIER(name) name##_unfused_neon
#define VF_FMA_ROUNDS_TWICE 1
#else
#define TIER(name) name##_neon
#endif
#define VF_LANES 4
#define GEMM_ROWS 6 /* 24 accumulators, 4 vectors of B and 1 of A in 32 registers */
#define GEMM_VECTORS 4

typedef float32x4_t vf;
typedef int32x4_t vi;
typedef uint32x4_t vm;

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
#if !defined(VF_FMA_ROUNDS_TWICE)
static inline vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
#endif
static inline vf vf_sqrt(vf a) { return vsqrtq_f32(a); }
static inline vm vf_lt(vf a, vf b) { return vcltq_f32(a, b); }
static inline vm vf_nan(vf a) { return vmvnq_u32(vceqq_f32(a, a)); }
static inline vf vf_select(vm m, vf a, vf b) { return vbslq_f32(m, a, b); }
/* Not vminq and vmaxq: they treat NaN and -0 differently from a < b ? a : b. */
static inline vf vf_min(vf a, vf b) { return vf_select(vcltq_f32(a, b), a, b); }
static inline vf vf_max(vf a, vf b) { return vf_select(vcgtq_f32(a, b), a, b); }
static inline vi vf_bits(vf a) { return vreinterpretq_s32_f32(a); }
static inline vf vf_from_bits(vi a) { return vreinterpretq_f32_s32(a); }
static inline vf vf_from_int(vi a) { return vcvtq_f32_s32(a); }
static inline vi vi_load(const int32_t *p) { return vld1q_s32(p); }
static inline vi vi_load_bytes(const uint8_t *p) {
    uint32_t four;
    __builtin_memcpy(&four, p, sizeof four);
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four)))));
}
static inline void vi_store_bytes(uint8_t *p, vi v) { /* the low byte of each */
    const uint8x16_t bytes = vreinterpretq_u8_s32(v), even = vuzp1q_u8(bytes, bytes);
    vst1q_lane_u32((uint32_t *)(void *)p, vreinterpretq_u32_u8(vuzp1q_u8(even, even)), 0);
}
static inline vi vi_set1(int32_t x) { return vdupq_n_s32(x); }
static inline vi vi_add(vi a, vi b) { return vaddq_s32(a, b); }
static inline vi vi_sub(vi a, vi b) { return vsubq_s32(a, b); }
static inline vi vi_and(vi a, vi b) { return vandq_s32(a, b); }
static inline vi vi_xor(vi a, vi b) { return veorq_s32(a, b); }
#define vi_shl(a, n) vshlq_n_s32(a, n)
#define vi_sar(a, n) vshrq_n_s32(a, n)

/* Lane i and lane i xor 2, 1 change places. */
static inline vf vf_swap2(vf a) { return vextq_f32(a, a, 2); }
static inline vf vf_swap1(vf a) { return vrev64q_f32(a); }
static inline float vf_first(vf a) { return vgetq_lane_f32(a, 0); }

#include "convert/math/math_impl.h"
