/* SPDX-License-Identifier: Apache-2.0
 * The linear layers and what is fused with them: residual, rounding, GELU and rounding. Included by kernels_impl.h, in
 * the verbs of a tier; one with a way of its own for blocks of rows names a LINEAR_HEADER that has
 * linear_block_of. In: rows of codes, a matrix. Out: rows of floats or codes. */

/* --- Linear ------------------------------------------------------------------------------------------------------- */
#ifndef STRIP_ROWS
#define STRIP_ROWS ((size_t)(TILE_ROWS == 6 ? 24 : TILE_ROWS == 5 ? 20 : 16)) /* finished together; whole tiles */
#ifndef LINEAR_ROWS /* rows at a time that share the weights in the cache */
#define LINEAR_ROWS (STRIP_ROWS * (48 / STRIP_ROWS))
#endif
#define LINEAR_FEW ((size_t)8)   /* fewer are not left to be the last: alone they would wait for their weights */
#else
#define LINEAR_FEW ((size_t)1)
#endif

/* What becomes of y = (float)(dot - correction) * scale + bias, while it is in a register. */
typedef enum finish { FINISH_FLOATS, FINISH_ADD, FINISH_CODES, FINISH_GELU_CODES } finish;

typedef struct linear_out {
    finish how;
    float *y;                /* FLOATS: stored; ADD: added */
    int8_t *codes;           /* CODES: rounded between low and high; GELU_CODES: GELU, then quantized by q */
    size_t stride;           /* of y or codes */
    float low, high;
    const int8_quantizer *q;
} linear_out;

ALWAYS_INLINE vf load_lanes(const float *p, size_t n) {
    return n == VF_LANES ? vf_load(p) : vf_load_part(p, n, vf_set1(0.0f));
}
ALWAYS_INLINE void store_lanes(float *p, size_t n, vf v) {
    if (n == VF_LANES) vf_store(p, v);
    else vf_store_part(p, n, v);
}
ALWAYS_INLINE void store_codes_lanes(int8_t *p, size_t n, vi codes) {
    if (n == VF_LANES) vi_store_codes(p, codes);
    else vi_store_codes_part(p, n, codes);
}

/* What a vector of columns is finished with. */
typedef struct column_factors {
    vf scale, bias, multiplier, offset, low, high;
} column_factors;

/* `lanes` columns of n rows. sums: theirs, a tile's row apart. minus[i] is -64 * sum_k x[i][k], since the panels hold
 * w + 64. y, codes: where the first goes. */
ALWAYS_INLINE void finish_rows(const int32_t *sums, const int32_t *minus, size_t n, size_t lanes, column_factors f,
                               float *y, int8_t *codes, size_t stride, finish how) {
    vf value[GELU_AT_ONCE];
    size_t i;
    UNROLL for (i = 0; i < n; i++)
        value[i] = vf_from_int(vi_add(vi_load(sums + i * TILE_COLUMNS), vi_set1(minus[i]))) * f.scale + f.bias;
    if (how == FINISH_GELU_CODES) {
        gelu_of_each(value, n);
        UNROLL for (i = 0; i < n; i++) value[i] = value[i] * f.multiplier + f.offset;
    }
    UNROLL for (i = 0; i < n; i++) {
        if (how == FINISH_ADD) store_lanes(y + i * stride, lanes, value[i] + load_lanes(y + i * stride, lanes));
        else if (how == FINISH_FLOATS) store_lanes(y + i * stride, lanes, value[i]);
        else store_codes_lanes(codes + i * stride, lanes, round_of(clamp_of(value[i], f.low, f.high)));
    }
}

/* `lanes` columns from `column` on, of some rows from `row` on. */
ALWAYS_INLINE void finish_columns(const int32_t *sums, const int32_t *minus, size_t row, size_t rows, size_t column,
                                  size_t lanes, const int8_matrix *w, const linear_out *out, finish how) {
    const size_t stride = out->stride, at = row * stride + column;
    float *y = out->y != NULL ? out->y + at : NULL;
    int8_t *codes = out->codes != NULL ? out->codes + at : NULL;
    column_factors f = {.scale = vf_load(w->scale + column), .bias = vf_load(w->bias + column)};
    size_t r = 0;
    f.low = vf_set1(how == FINISH_CODES ? out->low : -128.0f);
    f.high = vf_set1(how == FINISH_CODES ? out->high : 127.0f);
    if (how == FINISH_GELU_CODES) {
        f.multiplier = load_lanes(out->q->multiplier + column, lanes);
        f.offset = load_lanes(out->q->offset + column, lanes);
    }
    for (; r + GELU_AT_ONCE <= rows; r += GELU_AT_ONCE) {
        finish_rows(sums + r * TILE_COLUMNS, minus + row + r, GELU_AT_ONCE, lanes, f, y, codes, stride, how);
        if (y != NULL) y += GELU_AT_ONCE * stride;
        if (codes != NULL) codes += GELU_AT_ONCE * stride;
    }
    for (; r < rows; r++) {
        finish_rows(sums + r * TILE_COLUMNS, minus + row + r, 1, lanes, f, y, codes, stride, how);
        if (y != NULL) y += stride;
        if (codes != NULL) codes += stride;
    }
}

#ifdef FINISH_HEADER /* a tier's own way: DEFINE_FINISH */
#include FINISH_HEADER
#else
/* Sums of `columns` columns from `first` on -> rows `row` to `row` + rows - 1. */
#define DEFINE_FINISH(name, how)                                                                                     \
    static void name(const int32_t *sums, const int32_t *minus, size_t row, size_t rows, size_t first,               \
                     size_t columns, const int8_matrix *w, const linear_out *out) {                                  \
        size_t c;                                                                                                    \
        for (c = 0; c + VF_LANES <= columns; c += VF_LANES)                                                          \
            finish_columns(sums + c, minus, row, rows, first + c, VF_LANES, w, out, how);                            \
        if (c < columns) finish_columns(sums + c, minus, row, rows, first + c, columns - c, w, out, how);            \
    }
#endif
DEFINE_FINISH(finish_floats, FINISH_FLOATS)
DEFINE_FINISH(finish_add, FINISH_ADD)
DEFINE_FINISH(finish_codes, FINISH_CODES)
DEFINE_FINISH(finish_gelu_codes, FINISH_GELU_CODES)

static void linear_finish(const int32_t *sums, const int32_t *minus, size_t row, size_t rows, size_t first,
                          size_t columns, const int8_matrix *w, const linear_out *out) {
    switch (out->how) {
    case FINISH_FLOATS: finish_floats(sums, minus, row, rows, first, columns, w, out); break;
    case FINISH_ADD: finish_add(sums, minus, row, rows, first, columns, w, out); break;
    case FINISH_CODES: finish_codes(sums, minus, row, rows, first, columns, w, out); break;
    case FINISH_GELU_CODES: finish_gelu_codes(sums, minus, row, rows, first, columns, w, out); break;
    }
}

/* The next part of `left` rows in as few parts of at most `most` as there can be, each as high as the others. */
static size_t even_part(size_t left, size_t most) {
    const size_t parts = (left + most - 1) / most;
    return (left + parts - 1) / parts;
}

/* sums[r][c] of a strip of rows and 1 to TILE_PANELS panels, rows TILE_COLUMNS apart; a tile of a row or two would wait
 * for its weights. */
static void strip_dots(operands o, size_t rows, size_t panels, int32_t *sums) {
    size_t n;
    for (; rows > 0; rows -= n) {
        n = even_part(rows, TILE_ROWS);
        dot_u7_panels(o, sums, TILE_COLUMNS, n, panels);
        o.x += n * o.stride;
        sums += n * TILE_COLUMNS;
    }
}

/* Columns `first` on of rows `row` on: the sums of a strip of tiles lie in the nearest cache, so that constants and
 * columns' factors are loaded once a strip. */
static void linear_strip(const int8_t *x, const int32_t *minus, size_t row, size_t rows, size_t first,
                         const int8_matrix *w, const linear_out *out, int32_t *sums) {
    const size_t columns = w->n - first < TILE_COLUMNS ? w->n - first : TILE_COLUMNS;
    const uint8_t *panels = w->panels + first * w->k;
    const operands o = {(const uint8_t *)x + row * w->k, w->k, panels, INT8_PANEL * w->k, w->k,
                        row > 0 ? panels : panels + columns * w->k};
    strip_dots(o, rows, int8_panels(columns), sums);
    linear_finish(sums, minus, row, rows, first, columns, w, out);
}

static void linear_block(const int8_t *x, size_t rows, const int8_matrix *w, const linear_out *out) {
    BUFFER int32_t minus[LINEAR_ROWS], sums[STRIP_ROWS * TILE_COLUMNS];
    size_t first, r, n;
    for (r = 0; r < rows; r++) minus[r] = -INT8_WEIGHT_BIAS * sum_codes(x + r * w->k, w->k);
    for (first = 0; first < w->n; first += TILE_COLUMNS)
        for (r = 0; r < rows; r += n) {
            n = even_part(rows - r, STRIP_ROWS);
            linear_strip(x, minus, r, n, first, w, out, sums);
        }
}

#ifdef LINEAR_HEADER /* a tier's own way: linear_block_of */
#include LINEAR_HEADER
#else
#define linear_block_of linear_block
#endif

static void linear_blocks(const int8_t *x, size_t rows, const int8_matrix *w, linear_out out) {
    size_t n;
    for (; rows > 0; rows -= n, x += n * w->k) {
        n = rows < LINEAR_ROWS ? rows : LINEAR_ROWS;
        if (rows > n && rows - n < LINEAR_FEW) n -= LINEAR_FEW;
        linear_block_of(x, n, w, &out);
        if (out.y != NULL) out.y += n * out.stride;
        if (out.codes != NULL) out.codes += n * out.stride;
    }
}

static void linear(const int8_t *x, size_t rows, const int8_matrix *w, float *y) {
    linear_blocks(x, rows, w, (linear_out){.how = FINISH_FLOATS, .y = y, .stride = w->n});
}

static void linear_add(const int8_t *x, size_t rows, const int8_matrix *w, float *y) {
    linear_blocks(x, rows, w, (linear_out){.how = FINISH_ADD, .y = y, .stride = w->n});
}

static void linear_codes(const int8_t *x, size_t rows, const int8_matrix *w, float low, float high, int8_t *codes,
                         size_t stride) {
    linear_blocks(x, rows, w,
                  (linear_out){.how = FINISH_CODES, .codes = codes, .stride = stride, .low = low, .high = high});
}

static void linear_gelu_codes(const int8_t *x, size_t rows, const int8_matrix *w, const int8_quantizer *q,
                              int8_t *codes) {
    linear_blocks(x, rows, w, (linear_out){.how = FINISH_GELU_CODES, .codes = codes, .stride = w->n, .q = q});
}
