/* SPDX-License-Identifier: Apache-2.0
 * Bytes of files <-> numbers. All formats here are little-endian, and so must the machine be. */
#ifndef MINNOW_BASE_BYTES_H
#define MINNOW_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Minnow does not support big-endian machines: tensors are used as they lie in the file."
#endif

static inline uint16_t load_u16(const void *p) { uint16_t v; memcpy(&v, p, sizeof v); return v; }
static inline uint32_t load_u32(const void *p) { uint32_t v; memcpy(&v, p, sizeof v); return v; }
static inline uint64_t load_u64(const void *p) { uint64_t v; memcpy(&v, p, sizeof v); return v; }
static inline float load_f32(const void *p) { float v; memcpy(&v, p, sizeof v); return v; }
static inline double load_f64(const void *p) { double v; memcpy(&v, p, sizeof v); return v; }

/* a * b and a + b in size_t; return 0 (and leave *out) if they do not fit. */
static inline int size_mul(size_t a, size_t b, size_t *out) {
    if (b != 0 && a > SIZE_MAX / b) return 0;
    *out = a * b;
    return 1;
}
static inline int size_add(size_t a, size_t b, size_t *out) {
    if (a > SIZE_MAX - b) return 0;
    *out = a + b;
    return 1;
}
/* n up to a multiple of a power of two. */
static inline int size_align(size_t n, size_t alignment, size_t *out) {
    if (!size_add(n, alignment - 1, out)) return 0;
    *out &= ~(alignment - 1);
    return 1;
}

#endif
