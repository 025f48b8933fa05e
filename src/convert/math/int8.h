/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact products of 8-bit integers, for quantized graphs: C [m, n] int32 = A [m, k] u8 times B [k, n] s8. Sums are
 * exact modulo 2^32 in whatever order, so every tier gives the same bits (int8_scalar.c is the truth).
 *
 * Signed A and unsigned B are brought to u8 and s8 by turning over the top bit (`flip` 0x80), which moves their zero
 * points by 128: (a - za)(b - zb) stays what it is. What zero points add is made of the sums of rows and columns:
 *
 *   sum (a - za)(b - zb) = sum a b - za * column_sum - zb * row_sum + k za zb */
#ifndef MINNOW_CONVERT_INT8_H
#define MINNOW_CONVERT_INT8_H

#include <stddef.h>
#include <stdint.h>

/* From this k on, sums of (a - za)(b - zb) can leave int32: each product is at most 255 * 255. */
#define INT8_MAX_K 33025

typedef struct int8_kernels {
    /* B packed: the sums of its columns, int32 [padded_columns(n)], then its codes as the tier's tiles read them. */
    size_t (*padded_columns)(size_t n);
    size_t (*packed_bytes)(size_t k, size_t n);
    /* b[i * row_stride + j * column_stride] ^ flip is a code; packed is aligned to 64 bytes. */
    void (*pack)(const uint8_t *b, size_t row_stride, size_t column_stride, uint8_t flip, size_t k, size_t n,
                 void *packed);
    /* Rows of A as the tiles read them, row_bytes(k) each, aligned to 4 bytes; row_sums[m] (NULL: not asked for). */
    size_t (*row_bytes)(size_t k);
    void (*load_rows)(const uint8_t *a, size_t lda, uint8_t flip, size_t m, size_t k, void *rows, int32_t *row_sums);
    /* C (row stride ldc) = rows * packed + start, start [padded_columns(n)]. Columns [j0, n) only: packed, from
     * int8_columns_from on, start + j0, c + j0, n - j0, j0 in multiples of `columns`. */
    void (*gemm)(const void *rows, const int8_t *codes, const int32_t *start, int32_t *c, size_t ldc, size_t m,
                 size_t k, size_t n);
    size_t columns; /* panel width */
    size_t step;    /* of k in a panel: codes of a column that lie together */
} int8_kernels;

const int8_kernels *int8_best(void);             /* for cpu_best_tier() */
const int8_kernels *int8_for_tier(int cpu_tier); /* NULL if the build or machine lacks it */

static inline const int32_t *int8_column_sums(const void *packed) { return packed; }
/* The codes of columns from j0 on, j0 in multiples of the panel width. */
static inline const int8_t *int8_columns_from(const int8_kernels *kernels, const void *packed, size_t k, size_t n,
                                              size_t j0) {
    const size_t groups = (k + kernels->step - 1) / kernels->step;
    return (const int8_t *)packed + kernels->padded_columns(n) * sizeof(int32_t) + j0 * groups * kernels->step;
}

#endif
