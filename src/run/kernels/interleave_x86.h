/* SPDX-License-Identifier: Apache-2.0
 * Verbs of all x86-64 files of this folder: SSE2 is enough. */
#ifndef MINNOW_RUN_KERNELS_INTERLEAVE_X86_H
#define MINNOW_RUN_KERNELS_INTERLEAVE_X86_H

#include <emmintrin.h>
#include <stddef.h>
#include <stdint.h>

/* 4 rows of 16 bytes -> the bytes of each column side by side. */
static inline void interleave_rows(const int8_t *p, size_t stride, uint8_t *out) {
    const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p + stride));
    const __m128i c = _mm_loadu_si128((const __m128i *)(const void *)(p + 2 * stride));
    const __m128i d = _mm_loadu_si128((const __m128i *)(const void *)(p + 3 * stride));
    const __m128i ab = _mm_unpacklo_epi8(a, b), cd = _mm_unpacklo_epi8(c, d);
    const __m128i ab_high = _mm_unpackhi_epi8(a, b), cd_high = _mm_unpackhi_epi8(c, d);
    __m128i *to = (__m128i *)(void *)out;
    _mm_storeu_si128(to, _mm_unpacklo_epi16(ab, cd));
    _mm_storeu_si128(to + 1, _mm_unpackhi_epi16(ab, cd));
    _mm_storeu_si128(to + 2, _mm_unpacklo_epi16(ab_high, cd_high));
    _mm_storeu_si128(to + 3, _mm_unpackhi_epi16(ab_high, cd_high));
}

/* Keys of 4 tokens, 16 bytes each, + 64 -> each 4 bytes of the four side by side, 64 bytes apart. Codes are in
 * [-64, 63], so that + 64 turns the 7th bit round and leaves the 8th empty. */
static inline void interleave_keys(const int8_t *p, size_t stride, uint8_t *out) {
    const __m128i turned = _mm_set1_epi8(0x40), kept = _mm_set1_epi8(0x7f);
    const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p + stride));
    const __m128i c = _mm_loadu_si128((const __m128i *)(const void *)(p + 2 * stride));
    const __m128i d = _mm_loadu_si128((const __m128i *)(const void *)(p + 3 * stride));
    const __m128i ab = _mm_unpacklo_epi32(a, b), cd = _mm_unpacklo_epi32(c, d);
    const __m128i ab_high = _mm_unpackhi_epi32(a, b), cd_high = _mm_unpackhi_epi32(c, d);
    const __m128i rows[4] = {_mm_unpacklo_epi64(ab, cd), _mm_unpackhi_epi64(ab, cd),
                             _mm_unpacklo_epi64(ab_high, cd_high), _mm_unpackhi_epi64(ab_high, cd_high)};
    size_t i;
    for (i = 0; i < 4; i++)
        _mm_storeu_si128((__m128i *)(void *)(out + 64 * i), _mm_and_si128(_mm_xor_si128(rows[i], turned), kept));
}

#endif
