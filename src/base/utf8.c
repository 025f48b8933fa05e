/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

/* The allowed range of the second byte narrows after these lead bytes (Unicode 15.0, table 3-7). */
static void second_byte_range(uint8_t lead, uint8_t *low, uint8_t *high) {
    *low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    *high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
}

static size_t sequence_bytes(uint8_t lead) {
    return lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
}

/* How many bytes at p are a valid prefix of a sequence of `need` bytes. */
static size_t valid_prefix(const uint8_t *p, size_t n, size_t need) {
    uint8_t low, high;
    size_t i;
    second_byte_range(p[0], &low, &high);
    for (i = 1; i < need && i < n; i++) {
        if (p[i] < low || p[i] > high) break;
        low = 0x80;
        high = 0xbf;
    }
    return i;
}

size_t utf8_decode(const uint8_t *p, size_t n, uint32_t *code_point) {
    static const uint8_t lead_mask[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const size_t need = sequence_bytes(p[0]);
    uint32_t value;
    size_t i;
    if (need == 0 || need > n || valid_prefix(p, n, need) != need) return 0;
    value = p[0] & lead_mask[need];
    for (i = 1; i < need; i++) value = value << 6 | (p[i] & 0x3fu);
    *code_point = value;
    return need;
}

size_t utf8_ill_formed_bytes(const uint8_t *p, size_t n) {
    const size_t need = sequence_bytes(p[0]);
    return need < 2 ? 1 : valid_prefix(p, n, need);
}

size_t utf8_encode(uint32_t c, uint8_t *out) {
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

int utf8_is_bidi_control(uint32_t c) {
    return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}
