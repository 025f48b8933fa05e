/* SPDX-License-Identifier: Apache-2.0
 * UTF-8, strictly (no surrogates, no overlong forms, nothing above U+10FFFF). */
#ifndef MINNOW_BASE_UTF8_H
#define MINNOW_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the character at p. Returns its length in bytes (1 to 4), or 0 if it is ill-formed or cut off. n >= 1. */
size_t utf8_decode(const uint8_t *p, size_t n, uint32_t *code_point);

/* After utf8_decode returned 0: bytes of the maximal ill-formed subpart that one U+FFFD stands for
 * (Unicode 15.0, section 3.9, table 3-8), at least 1. */
size_t utf8_ill_formed_bytes(const uint8_t *p, size_t n);

/* Writes a scalar value (not a surrogate, <= 0x10FFFF); returns 1 to 4. `out` holds 4 bytes. */
size_t utf8_encode(uint32_t code_point, uint8_t *out);

/* U+061C, U+200E-200F, U+202A-202E, U+2066-2069: they reorder what a terminal shows. */
int utf8_is_bidi_control(uint32_t code_point);

#endif
