/* SPDX-License-Identifier: Apache-2.0
 * A verb of all x86-64 files of this folder: SSE2 is enough. */
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

#endif
