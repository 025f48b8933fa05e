/* SPDX-License-Identifier: Apache-2.0
 * float16 and bfloat16 <-> float. Bits in, bits out; round to nearest even; a NaN stays a (quiet) NaN. */
#include "convert/math/math.h"

#include <string.h>

static float float_of(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint32_t bits_of(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

float math_half_to_float(uint16_t h) {
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, fraction = h & 0x3ffu;
    if (exponent == 31) return float_of(sign | 0x7f800000u | fraction << 13 | (fraction != 0 ? 0x400000u : 0));
    if (exponent == 0) { /* zero or subnormal: fraction * 2^-24, exact */
        const float magnitude = (float)fraction * 5.9604644775390625e-8f;
        return sign != 0 ? -magnitude : magnitude;
    }
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

/* value / 2^shift, to nearest, ties to even; 1 <= shift <= 31. */
static uint32_t shift_rounded(uint32_t value, uint32_t shift) {
    const uint32_t half = 1u << (shift - 1), rest = value & ((1u << shift) - 1), whole = value >> shift;
    return whole + (rest > half || (rest == half && (whole & 1u) != 0));
}

uint16_t math_float_to_half(float f) {
    const uint32_t bits = bits_of(f), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    uint32_t half;
    if (magnitude > 0x7f800000u) half = 0x7e00u | (magnitude >> 13 & 0x3ffu);
    else if (magnitude >= 0x47800000u) half = 0x7c00u; /* 2^16 and more */
    else if (magnitude >= 0x38800000u) half = shift_rounded(magnitude - (112u << 23), 13); /* may carry to infinity */
    else if (magnitude < 0x33000000u) half = 0; /* below 2^-25 */
    else half = shift_rounded((magnitude & 0x7fffffu) | 0x800000u, 126 - (magnitude >> 23));
    return (uint16_t)(sign | half);
}

float math_bfloat16_to_float(uint16_t h) { return float_of((uint32_t)h << 16); }

uint16_t math_float_to_bfloat16(float f) {
    const uint32_t bits = bits_of(f);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)shift_rounded(bits, 16);
}
