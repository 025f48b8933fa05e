/* SPDX-License-Identifier: Apache-2.0
 * CRC-32C (Castagnoli; RFC 3720, appendix B.4): polynomial 0x1edc6f41, reflected, begun with and xored
 * with all ones. */
#ifndef MINNOW_BASE_CRC32C_H
#define MINNOW_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The sum of `bytes` bytes that follow what `crc` is the sum of; begin with 0. The same on every machine. */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);

/* One file for each way of doing it; all take and give the register, without the inversions. */
uint32_t crc32c_update_tables(uint32_t state, const uint8_t *p, size_t bytes);
uint32_t crc32c_update_avx2(uint32_t state, const uint8_t *p, size_t bytes); /* x86-64: every AVX2 machine has SSE4.2 */
uint32_t crc32c_update_neon_dotprod(uint32_t state, const uint8_t *p, size_t bytes); /* AArch64 */

/* The register after `n` bytes of zeros; in steps by the digits of n. */
uint32_t crc32c_append_zeros(uint32_t state, size_t n);

#endif
