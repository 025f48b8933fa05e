/* SPDX-License-Identifier: Apache-2.0
 * smull, smlal of the upper halves, sadalp: 16 products in three instructions. Twice 127 * 128 fits in 16 bits. */
#include <arm_neon.h>

#include "peak.h"

static int32x4_t step(int32x4_t s, int8x16_t a, int8x16_t b) {
    return vpadalq_s16(s, vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b));
}

double peak_neon(size_t rounds) {
#define STEP(s, a, b) step(s, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b))
    PEAK_LOOP(int32x4_t, 16, vdupq_n_s32(0), STEP);
    return 16.0 * 16.0 * (double)rounds;
}
