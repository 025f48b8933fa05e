/* SPDX-License-Identifier: Apache-2.0
 *
 * CRC-32C in portable C: eight tables, eight bytes a step ("slicing by 8"), and the choice of the fastest way. */
#include "base/crc32c.h"

#include "base/bytes.h"
#include "base/cpu.h"
#include "base/crc32c_tables.h"

static inline uint32_t step_word(uint32_t state, uint64_t word) {
    const uint32_t low = (uint32_t)word ^ state, high = (uint32_t)(word >> 32);
    return crc32c_tables[7][low & 0xff] ^ crc32c_tables[6][low >> 8 & 0xff] ^ crc32c_tables[5][low >> 16 & 0xff] ^
           crc32c_tables[4][low >> 24] ^ crc32c_tables[3][high & 0xff] ^ crc32c_tables[2][high >> 8 & 0xff] ^
           crc32c_tables[1][high >> 16 & 0xff] ^ crc32c_tables[0][high >> 24];
}

static inline uint32_t step_byte(uint32_t state, uint8_t byte) {
    return crc32c_tables[0][(state ^ byte) & 0xff] ^ state >> 8;
}

#define UPDATE crc32c_update_tables
#define STEP_WORD step_word
#define STEP_BYTE step_byte
#include "base/crc32c_streams.h"

/* The product of two polynomials modulo the CRC's; bit 31 is the coefficient of 1. */
static uint32_t multiply(uint32_t a, uint32_t b) {
    uint32_t product = 0;
    for (; a != 0; a <<= 1) {
        product ^= b & (0u - (a >> 31));
        b = b >> 1 ^ (0x82f63b78u & (0u - (b & 1)));
    }
    return product;
}

uint32_t crc32c_append_zeros(uint32_t state, size_t n) {
    for (uint32_t power = 1u << 23; n > 0; n >>= 1, power = multiply(power, power)) /* x^8, squared again and again */
        if (n & 1) state = multiply(state, power);
    return state;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes) {
    if (bytes == 0) return crc; /* data may be NULL */
#if defined(CPU_TIERS_X86)
    if (cpu_best_tier() != CPU_TIER_SCALAR) return ~crc32c_update_avx2(~crc, data, bytes);
#elif defined(CPU_TIERS_ARM)
    if (cpu_best_tier() >= CPU_TIER_NEON_DOTPROD) return ~crc32c_update_neon_dotprod(~crc, data, bytes);
#endif
    return ~crc32c_update_tables(~crc, data, bytes);
}
