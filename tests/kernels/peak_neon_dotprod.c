/* SPDX-License-Identifier: Apache-2.0
 * sdot: 16 products in one instruction. */
#include <arm_neon.h>

#include "peak.h"

double peak_neon_dotprod(size_t rounds) {
#define STEP(s, a, b) vdotq_s32(s, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b))
    PEAK_LOOP(int32x4_t, 24, vdupq_n_s32(0), STEP);
    return 16.0 * 24.0 * (double)rounds;
}
