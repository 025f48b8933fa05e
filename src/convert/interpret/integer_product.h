/* SPDX-License-Identifier: Apache-2.0
 * An exact product of 8-bit matrices, and what is done to its sums while they are in the cache:
 * C [batch, m, n] = (A - za) [batch, m, k] (B - zb) [batch, k, n], int32, or floats made of them. */
#ifndef MINNOW_CONVERT_INTERPRET_INTEGER_PRODUCT_H
#define MINNOW_CONVERT_INTERPRET_INTEGER_PRODUCT_H

#include "convert/interpret/product.h"
#include "convert/math/int8.h"

typedef struct integer_product {
    product shape;               /* batches, m, k, n and strides; its floats are not used */
    const int8_kernels *kernels;
    const uint8_t *a, *b;        /* A is dense */
    uint8_t a_flip, b_flip;      /* 0x80: signed A, unsigned B */
    int32_t a_zero;              /* of A as uint8 */
    const int32_t *a_zeros;      /* of each row, in place of a_zero; NULL */
    int32_t b_zero;              /* of B as int8 */
    const int32_t *b_zeros;      /* of each column, in place of b_zero; NULL */
    const void *packed;          /* of a B that all batches share; NULL: packed here */
    int32_t *sums;               /* C; NULL: floats */
    float *floats;               /* C = act(sum * scale + bias) + residual, the residual lying as C does */
    const float *scale, *bias, *residual;
    int scale_per_column;
    math_activation activation;
    int32_t *start;              /* below: integer_product_run's own */
    char *rows;
    int32_t *row_sums;
    void *scratch;
    size_t row_bytes, scratch_bytes, start_columns;
    size_t row_block, n_row_blocks, column_block, n_column_blocks;
} integer_product;

/* The shapes, which must fit; both dense, or B with strides of its own. Types other than int8 and uint8 and a k over
 * INT8_MAX_K are refused. Zero points are 0, and B is `b`'s data, until the caller says otherwise. */
minnow_status integer_product_plan(op_context *c, const tensor *a, const tensor *b, const int64_t *b_strides,
                                   integer_product *p, int *rank, int64_t *dims);
/* Zero points as the operators take them, of the operands' own types: n_a is 1 or m, n_b is 1 or n; NULL: 0. They are
 * copied if they must be changed. */
minnow_status integer_product_zeros(op_context *c, integer_product *p, const int32_t *a, size_t n_a, const int32_t *b,
                                    size_t n_b);
minnow_status integer_product_run(op_context *c, integer_product *p);

#endif
