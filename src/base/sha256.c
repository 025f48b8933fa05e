/* SPDX-License-Identifier: Apache-2.0
 * SHA-256, as the standard writes it, but that the eight variables keep their places and take turns in their roles:
 * a browser checks a whole model by it before the first text. */
#include "base/sha256.h"

#include <string.h>

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t load_big(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static void store_big(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

/* The round t for variables in these roles: d becomes e of the next one, h its a. */
#define ROUND(a, b, c, d, e, f, g, h, t)                                                                            \
    do {                                                                                                            \
        h += (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + constants[t] + w[t];           \
        d += h;                                                                                                     \
        h += (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));                        \
    } while (0)

static void add_block(uint32_t hash[8], const uint8_t *block) {
    uint32_t a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4], f = hash[5], g = hash[6], h = hash[7];
    uint32_t w[64];
    for (int t = 0; t < 16; t++) w[t] = load_big(block + 4 * t);
    for (int t = 16; t < 64; t++) {
        const uint32_t x = w[t - 15], y = w[t - 2];
        w[t] = (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10) + w[t - 7];
        w[t] += (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[t - 16];
    }
    for (int t = 0; t < 64; t += 8) {
        ROUND(a, b, c, d, e, f, g, h, t);
        ROUND(h, a, b, c, d, e, f, g, t + 1);
        ROUND(g, h, a, b, c, d, e, f, t + 2);
        ROUND(f, g, h, a, b, c, d, e, t + 3);
        ROUND(e, f, g, h, a, b, c, d, t + 4);
        ROUND(d, e, f, g, h, a, b, c, t + 5);
        ROUND(c, d, e, f, g, h, a, b, t + 6);
        ROUND(b, c, d, e, f, g, h, a, t + 7);
    }
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
    hash[5] += f;
    hash[6] += g;
    hash[7] += h;
}

void sha256_begin(sha256_state *s) {
    /* The first 32 bits of the fractional parts of the square roots of the first 8 primes. */
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memset(s, 0, sizeof *s);
    memcpy(s->hash, initial, sizeof initial);
}

void sha256_update(sha256_state *s, const void *data, size_t bytes) {
    const uint8_t *p = data;
    while (bytes > 0) {
        const size_t used = (size_t)(s->bytes % 64), room = 64 - used, n = bytes < room ? bytes : room;
        if (n == 64) {
            add_block(s->hash, p);
        } else {
            memcpy(s->block + used, p, n);
            if (n == room) add_block(s->hash, s->block);
        }
        s->bytes += n;
        p += n;
        bytes -= n;
    }
}

/* The message is followed by a one, zeros, and its length in bits, to a whole number of blocks. */
void sha256_end(sha256_state *s, uint8_t out[SHA256_BYTES]) {
    const uint64_t bits = s->bytes * 8;
    const size_t used = (size_t)(s->bytes % 64), zeros = used < 56 ? 55 - used : 119 - used;
    uint8_t padding[72] = {0x80};
    store_big(padding + 1 + zeros, (uint32_t)(bits >> 32));
    store_big(padding + 5 + zeros, (uint32_t)bits);
    sha256_update(s, padding, zeros + 9);
    for (int i = 0; i < 8; i++) store_big(out + 4 * i, s->hash[i]);
}

void sha256(const void *data, size_t bytes, uint8_t out[SHA256_BYTES]) {
    sha256_state s;
    sha256_begin(&s);
    sha256_update(&s, data, bytes);
    sha256_end(&s, out);
}
