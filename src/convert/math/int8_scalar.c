/* SPDX-License-Identifier: Apache-2.0
 * Products of 8-bit integers, the scalar tier: plain C, the truth that the other tiers are compared with. */
#include "convert/math/int8_tiers.h"

#define TIER(name) name##_scalar
#define IV_LANES 1
#define IV_STEP 4
#define IV_PLACE(j, s) ((j) * IV_STEP + (s))
#define INT8_ROWS 4
#define INT8_VECTORS 4

typedef uint8_t row_cell;
typedef union iv {
    int32_t sum;
    uint8_t a[4];
    int8_t b[4];
} iv;

static inline iv iv_load(const int32_t *p) { return (iv){.sum = *p}; }
static inline void iv_store(int32_t *p, iv v) { *p = v.sum; }
static inline iv iv_codes(const int8_t *p) { return (iv){.b = {p[0], p[1], p[2], p[3]}}; }
static inline iv iv_group(const char *p) {
    const uint8_t *a = (const uint8_t *)p;
    return (iv){.a = {a[0], a[1], a[2], a[3]}};
}
static inline iv iv_dot(iv sum, iv a, iv b) { /* wraps */
    const int32_t four = a.a[0] * b.b[0] + a.a[1] * b.b[1] + a.a[2] * b.b[2] + a.a[3] * b.b[3];
    return (iv){.sum = (int32_t)((uint32_t)sum.sum + (uint32_t)four)};
}
static inline size_t load_cells(const uint8_t *a, uint8_t flip, size_t k, row_cell *row) {
    (void)a, (void)flip, (void)k, (void)row;
    return 0;
}

#include "convert/math/int8_impl.h"
