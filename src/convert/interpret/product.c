/* SPDX-License-Identifier: Apache-2.0
 * float32 products, block by block. B is packed, once for a constant, else batch by batch into scratch; operands may be
 * strided views, so a transpose before a product costs nothing. Threads share batches, rows and column panels, never k.
 */
#include "convert/interpret/product.h"

#include <string.h>

#define SCORE_ROWS ((size_t)64) /* of attention scores: a block stays in the cache until its softmax is done */

/* --- The product of one block ------------------------------------------------------------------------------------- */

static void finish_scores(const product *p, float *c, const float *mask, size_t rows) {
    for (size_t r = 0; r < rows; r++, c += p->c_row) {
        if (p->divisor != 0) p->math->div_scalar(c, p->divisor, c, p->n);
        if (mask) {
            const float *row = mask + (int64_t)r * p->mask_row;
            if (p->mask_column) p->math->add(c, row, c, p->n);
            else p->math->add_scalar(c, *row, c, p->n);
        }
        if (p->softmax) p->math->softmax(c, c, p->n);
    }
}

static void run_block(const product *p, const float *a, const float *packed, float *c, const float *mask, size_t row,
                      size_t column) {
    const size_t rows = p->m - row < p->row_block ? p->m - row : p->row_block;
    const size_t columns = p->n - column < p->column_block ? p->n - column : p->column_block;
    math_epilogue e = p->epilogue;
    a += (int64_t)row * p->a_row;
    c += (int64_t)row * p->c_row + (int64_t)column;
    if (e.bias) e.bias += column;
    if (e.residual) e.residual += (c - p->c);
    p->math->gemm(a, (size_t)p->a_row, packed + column * p->k, c, (size_t)p->c_row, rows, p->k, columns, &e);
    if (p->divisor != 0 || mask || p->softmax)
        finish_scores(p, c, mask ? mask + (int64_t)row * p->mask_row : NULL, rows);
}

static void batch_offsets(const product *p, size_t batch, int64_t *a, int64_t *b, int64_t *c, int64_t *mask) {
    *a = *b = *c = *mask = 0;
    for (int d = p->batch_rank - 1; d >= 0; d--) {
        const int64_t i = (int64_t)(batch % (size_t)p->batch_dims[d]);
        batch /= (size_t)p->batch_dims[d];
        *a += i * p->a_batch[d];
        *b += i * p->b_batch[d];
        *c += i * p->c_batch[d];
        *mask += i * p->mask_batch[d];
    }
}

static void run_blocks(void *context, size_t begin, size_t end, size_t part) {
    const product *p = context;
    const size_t blocks = p->n_row_blocks * p->n_column_blocks;
    const float *packed = p->packed;
    size_t at = SIZE_MAX;
    int64_t a = 0, b = 0, c = 0, mask = 0;
    for (size_t u = begin; u < end; u++) {
        const size_t batch = u / blocks, block = u % blocks;
        if (batch != at) {
            batch_offsets(p, batch, &a, &b, &c, &mask);
            at = batch;
            if (!p->packed) {
                float *scratch = p->scratch + part * p->scratch_floats;
                p->math->pack(p->b + b, (size_t)p->b_row, (size_t)p->b_column, p->k, p->n, scratch);
                packed = scratch;
            }
        }
        run_block(p, p->a + a, packed, p->c + c, p->mask ? p->mask + mask : NULL,
                  block / p->n_column_blocks * p->row_block, block % p->n_column_blocks * p->column_block);
    }
}

/* --- Planning ----------------------------------------------------------------------------------------------------- */

/* Rows of neighbouring batches that share B and lie on each other are rows of one batch. */
static void merge_batches(product *p) {
    while (p->batch_rank > 0) {
        const int d = p->batch_rank - 1;
        const int64_t m = (int64_t)p->m;
        if (p->batch_dims[d] != 1) {
            if (p->b_batch[d] != 0 || p->a_batch[d] != m * p->a_row || p->c_batch[d] != m * p->c_row || p->mask) return;
            p->m *= (size_t)p->batch_dims[d];
            p->batch /= (size_t)p->batch_dims[d];
        }
        p->batch_rank--;
    }
}

static size_t divide_up(size_t a, size_t b) { return a / b + (a % b != 0); }

/* Blocks: enough for the threads; rows first, columns of a single short product otherwise. */
static void choose_blocks(product *p, size_t threads) {
    p->row_block = p->softmax && p->m > SCORE_ROWS ? SCORE_ROWS : p->m;
    p->column_block = p->n;
    if (threads > 1 && p->batch < 4 * threads) {
        const size_t share = (divide_up(p->m, threads) + 7) / 8 * 8;
        if (share < p->row_block) p->row_block = share;
    }
    p->n_row_blocks = divide_up(p->m, p->row_block);
    if (threads > 1 && p->batch * p->n_row_blocks < threads && p->packed && !p->softmax && !p->mask && p->divisor == 0)
        p->column_block = divide_up(divide_up(p->n, p->math->gemm_columns), threads) * p->math->gemm_columns;
    p->n_column_blocks = divide_up(p->n, p->column_block);
}

/* A's columns must lie side by side. */
static minnow_status dense_a(op_context *c, product *p) {
    const size_t rows = p->batch * p->m;
    stride_plan plan = {.rank = p->batch_rank + 2, .n_operands = 1};
    void *copy;
    if (p->a_column == 1 || p->k <= 1 || rows == 0) return MINNOW_OK;
    TRY(ops_charge_product(c, rows, p->k, 1));
    TRY(ops_scratch_array(c, rows, p->k, sizeof(float), &copy));
    for (int d = 0; d < p->batch_rank; d++) {
        plan.dims[d] = p->batch_dims[d];
        plan.strides[0][d] = p->a_batch[d];
    }
    plan.dims[p->batch_rank] = (int64_t)p->m;
    plan.strides[0][p->batch_rank] = p->a_row;
    plan.dims[p->batch_rank + 1] = (int64_t)p->k;
    plan.strides[0][p->batch_rank + 1] = p->a_column;
    stride_collapse(&plan);
    stride_copy(c, &plan, sizeof(float), p->a, copy);
    p->a = copy;
    p->a_column = 1;
    p->a_row = (int64_t)p->k;
    for (int64_t d = p->batch_rank - 1, stride = (int64_t)(p->m * p->k); d >= 0; stride *= p->batch_dims[d--])
        p->a_batch[d] = stride;
    return MINNOW_OK;
}

minnow_status product_run(op_context *c, product *p) {
    int shares_b = 1;
    TRY(ops_charge_product(c, p->batch * p->m, p->n, p->k));
    if (p->batch == 0 || p->m == 0 || p->n == 0) return MINNOW_OK;
    TRY(dense_a(c, p));
    merge_batches(p);
    for (int d = 0; d < p->batch_rank; d++)
        if (p->b_batch[d] != 0 && p->batch_dims[d] != 1) shares_b = 0;
    const size_t bytes = p->math->packed_bytes(p->k, p->n);
    if (!p->packed && shares_b) {
        void *packed;
        TRY(ops_scratch(c, bytes, &packed));
        p->math->pack(p->b, (size_t)p->b_row, (size_t)p->b_column, p->k, p->n, packed);
        p->packed = packed;
    } else if (!p->packed) {
        void *scratch;
        p->scratch_floats = (bytes + 63) / 64 * 16;
        TRY(ops_scratch_array(c, p->scratch_floats, ops_threads(c), sizeof(float), &scratch));
        p->scratch = scratch;
    }
    choose_blocks(p, ops_threads(c));
    const size_t units = p->batch * p->n_row_blocks * p->n_column_blocks;
    const size_t work = p->row_block * p->column_block;
    ops_parallel(c, units, 1, work > SIZE_MAX / (p->k + 1) ? SIZE_MAX : work * p->k, run_blocks, p);
    return MINNOW_OK;
}

minnow_status product_plan(op_context *c, const tensor *a, const int64_t *a_strides, const tensor *b,
                           const int64_t *b_strides, product *p, int *rank, int64_t *dims) {
    const int a_rank = a->rank < 2 ? 2 : a->rank, b_rank = b->rank < 2 ? 2 : b->rank;
    int64_t as[TENSOR_MAX_RANK], bs[TENSOR_MAX_RANK];
    if (a->rank == 0 || b->rank == 0) return error_set(c->error, MINNOW_ERROR_FORMAT, "a scalar operand");
    stride_dense(a->rank, a->dims, as);
    stride_dense(b->rank, b->dims, bs);
    if (a_strides) memcpy(as, a_strides, (size_t)a->rank * sizeof *as);
    if (b_strides) memcpy(bs, b_strides, (size_t)b->rank * sizeof *bs);
    *p = (product){.math = c->math, .batch = 1, .a = a->data, .b = b->data};
    const int64_t k = a->dims[a->rank - 1], k_b = b->rank == 1 ? b->dims[0] : b->dims[b->rank - 2];
    if (k != k_b) {
        char x[128], y[128];
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%s times %s", tensor_describe(a, x, sizeof x),
                         tensor_describe(b, y, sizeof y));
    }
    p->m = a->rank == 1 ? 1 : (size_t)a->dims[a->rank - 2];
    p->n = b->rank == 1 ? 1 : (size_t)b->dims[b->rank - 1];
    p->k = (size_t)k;
    p->a_row = a->rank == 1 ? k : as[a->rank - 2];
    p->a_column = as[a->rank - 1];
    p->b_row = b->rank == 1 ? bs[0] : bs[b->rank - 2];
    p->b_column = b->rank == 1 ? 1 : bs[b->rank - 1];
    p->batch_rank = (a_rank > b_rank ? a_rank : b_rank) - 2;
    *rank = 0;
    for (int d = 0; d < p->batch_rank; d++) {
        const int ad = d - (p->batch_rank - (a_rank - 2)), bd = d - (p->batch_rank - (b_rank - 2));
        const int64_t x = ad < 0 ? 1 : a->dims[ad], y = bd < 0 ? 1 : b->dims[bd];
        if (x != y && x != 1 && y != 1)
            return error_set(c->error, MINNOW_ERROR_FORMAT, "batches of %lld and %lld", (long long)x, (long long)y);
        p->batch_dims[d] = dims[(*rank)++] = x == 1 ? y : x;
        p->a_batch[d] = x == 1 ? 0 : as[ad];
        p->b_batch[d] = y == 1 ? 0 : bs[bd];
    }
    if (a->rank > 1) dims[(*rank)++] = (int64_t)p->m;
    if (b->rank > 1) dims[(*rank)++] = (int64_t)p->n;
    size_t count;
    TRY(tensor_check_shape(a->type, *rank, dims, &count, c->error));
    p->c_row = (int64_t)p->n;
    int64_t stride = (int64_t)(p->m * p->n);
    for (int d = p->batch_rank - 1; d >= 0; d--) {
        p->c_batch[d] = stride;
        stride *= p->batch_dims[d] > 0 ? p->batch_dims[d] : 1;
        p->batch *= (size_t)p->batch_dims[d];
    }
    return MINNOW_OK;
}
