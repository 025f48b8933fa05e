/* SPDX-License-Identifier: Apache-2.0
 * Products of 8-bit integers, the NEON tier (AArch64): both sides widened to 16 bits. */
#include "convert/math/int8_tiers.h"

#include <arm_neon.h>

#define TIER(name) name##_neon
#define IV_LANES 4
#define IV_STEP 2
#define IV_PLACE(j, s) ((s) * IV_LANES + (j)) /* a row of B beside the next */
#define INT8_ROWS 6 /* 24 accumulators, 4 vectors of B and 1 of A in 32 registers */
#define INT8_VECTORS 4

typedef int16_t row_cell;
typedef int32x4_t iv;

static inline iv iv_load(const int32_t *p) { return vld1q_s32(p); }
static inline void iv_store(int32_t *p, iv v) { vst1q_s32(p, v); }
static inline iv iv_codes(const int8_t *p) { return vreinterpretq_s32_s16(vmovl_s8(vld1_s8(p))); }
static inline iv iv_group(const char *p) {
    int32_t pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return vdupq_n_s32(pair);
}
static inline iv iv_dot(iv sum, iv a, iv b) {
    const int16x8_t codes = vreinterpretq_s16_s32(b);
    const int16x4_t pair = vget_low_s16(vreinterpretq_s16_s32(a));
    sum = vmlal_lane_s16(sum, vget_low_s16(codes), pair, 0);
    return vmlal_high_lane_s16(sum, codes, pair, 1);
}
static inline size_t load_cells(const uint8_t *a, uint8_t flip, size_t k, row_cell *row) {
    const uint8x8_t flips = vdup_n_u8(flip);
    size_t i;
    for (i = 0; i + 8 <= k; i += 8)
        vst1q_s16(row + i, vreinterpretq_s16_u16(vmovl_u8(veor_u8(vld1_u8(a + i), flips))));
    return i;
}

#include "convert/math/int8_impl.h"
