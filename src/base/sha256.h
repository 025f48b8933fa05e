/* SPDX-License-Identifier: Apache-2.0
 * SHA-256 (FIPS 180-4, sections 4.1.2, 5 and 6.2). */
#ifndef MINNOW_BASE_SHA256_H
#define MINNOW_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32

typedef struct sha256_state {
    uint32_t hash[8];
    uint64_t bytes;     /* of the message so far */
    uint8_t block[64];  /* its last bytes % 64 */
} sha256_state;

void sha256_begin(sha256_state *s);
void sha256_update(sha256_state *s, const void *data, size_t bytes);
void sha256_end(sha256_state *s, uint8_t out[SHA256_BYTES]);

/* All of it in one step. */
void sha256(const void *data, size_t bytes, uint8_t out[SHA256_BYTES]);

#endif
