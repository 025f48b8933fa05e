/* SPDX-License-Identifier: Apache-2.0
 * A float32 matrix product and what is done to its rows while they are in the cache: C [batch, m, n] = A [batch, m, k]
 * B [batch, k, n]. */
#ifndef MINNOW_CONVERT_INTERPRET_PRODUCT_H
#define MINNOW_CONVERT_INTERPRET_PRODUCT_H

#include "convert/interpret/ops/ops.h"

typedef struct product {
    const math_kernels *math;
    int batch_rank;
    size_t batch, m, k, n;
    int64_t batch_dims[TENSOR_MAX_RANK];
    int64_t a_batch[TENSOR_MAX_RANK], b_batch[TENSOR_MAX_RANK], c_batch[TENSOR_MAX_RANK], mask_batch[TENSOR_MAX_RANK];
    const float *a, *b;
    float *c;
    int64_t a_row, a_column, b_row, b_column, c_row;
    const float *packed;        /* of all batches; NULL: each batch is packed into its part's scratch */
    float *scratch;
    size_t scratch_floats;      /* of one part */
    math_epilogue epilogue;     /* the residual lies as c does */
    float divisor;              /* 0: none */
    const float *mask;
    int64_t mask_row, mask_column;
    int softmax;
    size_t row_block, n_row_blocks, column_block, n_column_blocks;
} product;

/* NumPy's rules: the last two dims multiply, a vector is a row or a column, the rest broadcast. Strides NULL: dense.
 * Gives the shape of the result; p->c is for the caller to set. Any element type. */
minnow_status product_plan(op_context *c, const tensor *a, const int64_t *a_strides, const tensor *b,
                           const int64_t *b_strides, product *p, int *rank, int64_t *dims);
/* Computes it; counts its work. float32 only. */
minnow_status product_run(op_context *c, product *p);

#endif
