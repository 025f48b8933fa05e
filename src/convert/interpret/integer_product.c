/* SPDX-License-Identifier: Apache-2.0
 * Products of 8-bit matrices, block by block. B is packed, once for a constant, else batch by batch into scratch.
 * Threads share batches, rows and column panels, never k; sums are exact, so nothing depends on how. */
#include "convert/interpret/integer_product.h"

#include <string.h>

#include "convert/interpret/interpreter_impl.h"
#include "convert/interpret/ops/quantized.h"

#define BLOCK_ROWS ((size_t)48) /* sums of a block stay in the cache until they are floats */

/* --- The product of one block ------------------------------------------------------------------------------------- */

/* What zero points of rows and columns add to the sums of `rows` rows from `row` on; those of one za are in the start
 * values already. */
static void correct(const integer_product *p, const int32_t *column_sums, const int32_t *row_sums, int32_t *c,
                    size_t row, size_t rows, size_t column, size_t columns) {
    for (size_t r = 0; r < rows; r++, c += p->shape.c_row) {
        for (size_t j = 0; j < columns; j++) {
            const uint32_t zb = (uint32_t)(p->b_zeros ? p->b_zeros[column + j] : p->b_zero);
            uint32_t sum = (uint32_t)c[j];
            if (row_sums) sum -= zb * (uint32_t)row_sums[r];
            if (p->a_zeros) {
                const uint32_t za = (uint32_t)p->a_zeros[row + r];
                sum += za * (zb * (uint32_t)p->shape.k - (uint32_t)column_sums[column + j]);
            }
            c[j] = (int32_t)sum;
        }
    }
}

static void to_floats(const integer_product *p, const int32_t *sums, size_t at, size_t rows, size_t column,
                      size_t columns) {
    for (size_t r = 0; r < rows; r++, at += (size_t)p->shape.c_row)
        p->shape.math->scale_sums(sums + at, p->scale + (p->scale_per_column ? column : 0), p->scale_per_column,
                                  p->bias ? p->bias + column : NULL, p->activation,
                                  p->residual ? p->residual + at : NULL, p->floats + at, columns);
}

/* Start values: what one za adds to every sum of a column. */
static void set_start(const integer_product *p, const void *packed, int32_t *start) {
    const int32_t *sums = int8_column_sums(packed);
    const uint32_t za = (uint32_t)p->a_zero, k = (uint32_t)p->shape.k;
    for (size_t j = 0; j < p->shape.n; j++) {
        const uint32_t zb = (uint32_t)(p->b_zeros ? p->b_zeros[j] : p->b_zero);
        start[j] = p->a_zeros ? 0 : (int32_t)(za * (zb * k - (uint32_t)sums[j]));
    }
    for (size_t j = p->shape.n; j < p->start_columns; j++) start[j] = 0;
}

typedef struct place {
    size_t a, c; /* elements */
    const void *packed;
    const int32_t *start;
} place;

static void run_block(const integer_product *p, const place *at, size_t row, size_t column) {
    const product *s = &p->shape;
    const size_t rows = s->m - row < p->row_block ? s->m - row : p->row_block;
    const size_t columns = s->n - column < p->column_block ? s->n - column : p->column_block;
    const size_t c = at->c + row * (size_t)s->c_row + column, a_row = at->a / (s->k ? s->k : 1) + row;
    int32_t *sums = p->sums ? p->sums : (int32_t *)(void *)p->floats;
    const int32_t *row_sums = p->row_sums ? p->row_sums + a_row : NULL;
    p->kernels->gemm(p->rows + a_row * p->row_bytes,
                     int8_columns_from(p->kernels, at->packed, s->k, s->n, column), at->start + column, sums + c,
                     (size_t)s->c_row, rows, s->k, columns);
    if (row_sums || p->a_zeros)
        correct(p, int8_column_sums(at->packed), row_sums, sums + c, row, rows, column, columns);
    if (!p->sums) to_floats(p, sums, c, rows, column, columns);
}

static void find_batch(const integer_product *p, size_t batch, size_t part, place *at) {
    const product *s = &p->shape;
    int64_t a = 0, b = 0, c = 0;
    for (int d = s->batch_rank - 1; d >= 0; d--) {
        const int64_t i = (int64_t)(batch % (size_t)s->batch_dims[d]);
        batch /= (size_t)s->batch_dims[d];
        a += i * s->a_batch[d];
        b += i * s->b_batch[d];
        c += i * s->c_batch[d];
    }
    at->a = (size_t)a;
    at->c = (size_t)c;
    if (p->packed) return;
    char *scratch = (char *)p->scratch + part * p->scratch_bytes;
    int32_t *start = (int32_t *)(void *)scratch;
    void *packed = scratch + p->start_columns * sizeof *start;
    p->kernels->pack(p->b + b, (size_t)s->b_row, (size_t)s->b_column, p->b_flip, s->k, s->n, packed);
    set_start(p, packed, start);
    at->packed = packed;
    at->start = start;
}

static void run_blocks(void *context, size_t begin, size_t end, size_t part) {
    const integer_product *p = context;
    const size_t blocks = p->n_row_blocks * p->n_column_blocks;
    place at = {.packed = p->packed, .start = p->start};
    size_t batch = SIZE_MAX;
    for (size_t u = begin; u < end; u++) {
        if (u / blocks != batch) find_batch(p, batch = u / blocks, part, &at);
        run_block(p, &at, u % blocks / p->n_column_blocks * p->row_block, u % p->n_column_blocks * p->column_block);
    }
}

/* --- Planning ----------------------------------------------------------------------------------------------------- */

/* Rows of neighbouring batches that share B and lie on each other are rows of one batch. */
static void merge_batches(product *p) {
    while (p->batch_rank > 0) {
        const int d = p->batch_rank - 1;
        if (p->batch_dims[d] != 1) {
            if (p->b_batch[d] != 0 || p->a_batch[d] != (int64_t)(p->m * p->k) ||
                p->c_batch[d] != (int64_t)(p->m * p->n))
                return;
            p->m *= (size_t)p->batch_dims[d];
            p->batch /= (size_t)p->batch_dims[d];
        }
        p->batch_rank--;
    }
}

static size_t divide_up(size_t a, size_t b) { return a / b + (a % b != 0); }

static void choose_blocks(integer_product *p, size_t threads) {
    const product *s = &p->shape;
    p->row_block = s->m < BLOCK_ROWS ? s->m : BLOCK_ROWS;
    p->column_block = s->n;
    if (threads > 1 && s->batch < 4 * threads) {
        const size_t share = (divide_up(s->m, threads) + 5) / 6 * 6;
        if (share < p->row_block) p->row_block = share;
    }
    p->n_row_blocks = divide_up(s->m, p->row_block);
    if (threads > 1 && s->batch * p->n_row_blocks < threads && p->packed)
        p->column_block = divide_up(divide_up(s->n, p->kernels->columns), threads) * p->kernels->columns;
    p->n_column_blocks = divide_up(s->n, p->column_block);
}

typedef struct loading {
    const integer_product *p;
    size_t k;
} loading;

static void load_range(void *context, size_t begin, size_t end, size_t part) {
    const integer_product *p = ((const loading *)context)->p;
    const size_t k = ((const loading *)context)->k;
    (void)part;
    p->kernels->load_rows(p->a + begin * k, k, p->a_flip, end - begin, k, p->rows + begin * p->row_bytes,
                          p->row_sums ? p->row_sums + begin : NULL);
}

/* All of A as the kernels read it, with the sums of its rows where B's zero points are not all 0. */
static minnow_status load_a(op_context *c, integer_product *p, size_t rows) {
    void *memory;
    p->row_bytes = p->kernels->row_bytes(p->shape.k);
    TRY(ops_scratch_array(c, rows, p->row_bytes, 1, &memory));
    p->rows = memory;
    p->row_sums = NULL;
    if (p->b_zero != 0 || p->b_zeros) {
        TRY(ops_scratch_array(c, rows, 1, sizeof(int32_t), &memory));
        p->row_sums = memory;
    }
    loading l = {p, p->shape.k};
    ops_parallel(c, rows, 1, p->shape.k, load_range, &l);
    return MINNOW_OK;
}

/* B packed for all batches, or room to pack each. */
static minnow_status pack_b(op_context *c, integer_product *p) {
    const product *s = &p->shape;
    const size_t bytes = p->kernels->packed_bytes(s->k, s->n);
    int shared = 1;
    void *memory;
    p->start_columns = p->kernels->padded_columns(s->n);
    for (int d = 0; d < s->batch_rank; d++)
        if (s->b_batch[d] != 0 && s->batch_dims[d] != 1) shared = 0;
    if (!p->packed && !shared) {
        p->scratch_bytes = (p->start_columns * sizeof(int32_t) + bytes + 63) / 64 * 64;
        return ops_scratch_array(c, p->scratch_bytes, ops_threads(c), 1, &p->scratch);
    }
    if (!p->packed) {
        TRY(ops_scratch(c, bytes, &memory));
        p->kernels->pack(p->b, (size_t)s->b_row, (size_t)s->b_column, p->b_flip, s->k, s->n, memory);
        p->packed = memory;
    }
    TRY(ops_scratch(c, p->start_columns * sizeof(int32_t), &memory));
    p->start = memory;
    set_start(p, p->packed, p->start);
    return MINNOW_OK;
}

minnow_status integer_product_run(op_context *c, integer_product *p) {
    product *s = &p->shape;
    size_t rows = s->m;
    TRY(ops_charge_product(c, s->batch * s->m, s->n, s->k));
    if (s->batch == 0 || s->m == 0 || s->n == 0) return MINNOW_OK;
    if (!p->a_zeros) merge_batches(s);
    rows = s->m;
    for (int d = 0; d < s->batch_rank; d++)
        if (s->a_batch[d] != 0) rows *= (size_t)s->batch_dims[d];
    TRY(load_a(c, p, rows));
    TRY(pack_b(c, p));
    choose_blocks(p, ops_threads(c));
    const size_t work = p->row_block * p->column_block;
    ops_parallel(c, s->batch * p->n_row_blocks * p->n_column_blocks, 1,
                 work > SIZE_MAX / (s->k + 1) ? SIZE_MAX : work * s->k / 4, run_blocks, p);
    return MINNOW_OK;
}

minnow_status integer_product_plan(op_context *c, const tensor *a, const tensor *b, const int64_t *b_strides,
                                   integer_product *p, int *rank, int64_t *dims) {
    memset(p, 0, sizeof *p);
    if (!quantized_is_byte(a->type)) return ops_unsupported_type(c, a->type);
    if (!quantized_is_byte(b->type)) return ops_unsupported_type(c, b->type);
    TRY(product_plan(c, a, NULL, b, b_strides, &p->shape, rank, dims));
    if (p->shape.k > INT8_MAX_K)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "sums of %zu products could leave int32, at most %d fit",
                         p->shape.k, INT8_MAX_K);
    p->kernels = c->in->int8;
    p->a = a->data;
    p->b = b->data;
    p->a_flip = a->type == DTYPE_INT8 ? 0x80 : 0;
    p->b_flip = b->type == DTYPE_UINT8 ? 0x80 : 0;
    return integer_product_zeros(c, p, NULL, 1, NULL, 1);
}

static minnow_status moved(op_context *c, const int32_t *zeros, size_t n, int32_t by, const int32_t **out) {
    void *memory;
    TRY(ops_scratch(c, n * sizeof *zeros, &memory));
    for (size_t i = 0; i < n; i++) ((int32_t *)memory)[i] = zeros[i] + by;
    *out = memory;
    return MINNOW_OK;
}

minnow_status integer_product_zeros(op_context *c, integer_product *p, const int32_t *a, size_t n_a, const int32_t *b,
                                    size_t n_b) {
    const int32_t a_shift = p->a_flip, b_shift = -(int32_t)p->b_flip;
    int same = 1;
    p->a_zeros = p->b_zeros = NULL;
    p->a_zero = (a && n_a ? a[0] : 0) + a_shift;
    p->b_zero = (b && n_b ? b[0] : 0) + b_shift;
    if (a && n_a > 1) TRY(moved(c, a, n_a, a_shift, &p->a_zeros));
    for (size_t j = 1; b && j < n_b; j++) same &= b[j] == b[0];
    if (b && !same) TRY(moved(c, b, n_b, b_shift, &p->b_zeros));
    return MINNOW_OK;
}
