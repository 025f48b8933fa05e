/* SPDX-License-Identifier: Apache-2.0
 * smmla: 2 x 2 sums of 8 products each in one instruction. */
#include <arm_neon.h>

#include "peak.h"

double peak_neon_i8mm(size_t rounds) {
#define STEP(s, a, b) vmmlaq_s32(s, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b))
    PEAK_LOOP(int32x4_t, 24, vdupq_n_s32(0), STEP);
    return 32.0 * 24.0 * (double)rounds;
}
