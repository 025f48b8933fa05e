/* SPDX-License-Identifier: Apache-2.0
 * Vectors of one lane and the verbs that functions.h needs, for ref.c and its tests. */
#include <stdint.h>
#include <string.h>

typedef float vf;
typedef int32_t vi;

static inline vf vf_set1(float x) { return x; }
static inline vf vf_min(vf a, vf b) { return a < b ? a : b; }
static inline vf vf_max(vf a, vf b) { return a > b ? a : b; }
static inline vf vf_abs(vf a) { return __builtin_fabsf(a); }
static inline vi vf_bits(vf a) {
    vi v;
    memcpy(&v, &a, sizeof v);
    return v;
}
static inline vf vf_from_bits(vi a) {
    vf v;
    memcpy(&v, &a, sizeof v);
    return v;
}
static inline vi vi_add(vi a, vi b) { return (vi)((uint32_t)a + (uint32_t)b); }
static inline vi vi_shl(vi a, int n) { return (vi)((uint32_t)a << n); }
