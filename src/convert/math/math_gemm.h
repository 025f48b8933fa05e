/* SPDX-License-Identifier: Apache-2.0
 *
 * C [m, n] = A [m, k] B [k, n], in the verbs of a tier (see math_impl.h).
 *
 *   B, packed:  panels of GEMM_COLUMNS columns; in a panel, row after row:
 *
 *       | b[0][0..47] | b[1][0..47] | ... | b[k-1][0..47] | b[0][48..95] | ...
 *
 *     the last panel is as wide as it must be, in whole vectors, filled up with zeros
 *   A:  used where it lies; a tile reads GEMM_ROWS of its rows side by side
 *   C:  a tile of GEMM_ROWS x GEMM_COLUMNS sums stays in registers over the whole of k, so that every sum is one chain
 *
 * A panel stays in the second-level cache while all rows of a block of A pass by. */
#ifndef MINNOW_CONVERT_MATH_GEMM_H
#define MINNOW_CONVERT_MATH_GEMM_H

#define GEMM_COLUMNS ((size_t)GEMM_VECTORS * VF_LANES)
#define GEMM_BLOCK_BYTES ((size_t)1 << 19) /* of A */

static size_t panel_width(size_t columns) {
    return columns >= GEMM_COLUMNS ? GEMM_COLUMNS : (columns + VF_LANES - 1) / VF_LANES * VF_LANES;
}

static size_t gemm_packed_bytes(size_t k, size_t n) {
    const size_t rest = n % GEMM_COLUMNS;
    return k * (n - rest + panel_width(rest)) * sizeof(float);
}

/* One panel; `columns` of its `width` are there. */
static void pack_panel(const float *b, size_t row_stride, size_t column_stride, size_t k, size_t columns, size_t width,
                       float *packed) {
    size_t i, j, block, end;
    if (column_stride == 1) {
        for (i = 0; i < k; i++, b += row_stride, packed += width) {
            for (j = 0; j + VF_LANES <= columns; j += VF_LANES) vf_store(packed + j, vf_load(b + j));
            if (j < columns) vf_store(packed + j, vf_load_part(b + j, columns - j, vf_set1(0.0f)));
        }
        return;
    }
    for (block = 0; block < k; block = end) { /* few rows at a time: they stay in the first-level cache */
        end = k - block > 64 ? block + 64 : k;
        for (j = 0; j < columns; j++) {
            const float *from = b + j * column_stride;
            for (i = block; i < end; i++) packed[i * width + j] = from[i * row_stride];
        }
        for (i = block; i < end; i++)
            for (j = columns; j < width; j++) packed[i * width + j] = 0.0f;
    }
}

static void gemm_pack(const float *b, size_t row_stride, size_t column_stride, size_t k, size_t n, float *packed) {
    size_t j;
    for (j = 0; j < n; j += GEMM_COLUMNS) {
        const size_t columns = n - j < GEMM_COLUMNS ? n - j : GEMM_COLUMNS, width = panel_width(columns);
        pack_panel(b + j * column_stride, row_stride, column_stride, k, columns, width, packed);
        packed += k * width;
    }
}

/* out[r][v] = sum over k of a[r][k] * b[k][v]; rows and vectors are constants where this is inlined. */
ALWAYS_INLINE void multiply(const float *a, size_t lda, const float *b, size_t k, float *out, size_t ld_out,
                            const size_t rows, const size_t vectors) {
    vf sums[GEMM_ROWS][GEMM_VECTORS];
    size_t i, r, v;
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < vectors; v++) sums[r][v] = vf_set1(0.0f);
    }
    for (i = 0; i < k; i++, b += vectors * VF_LANES) {
        vf columns[GEMM_VECTORS];
        UNROLL for (v = 0; v < vectors; v++) columns[v] = vf_load(b + v * VF_LANES);
        UNROLL for (r = 0; r < rows; r++) {
            const vf x = vf_set1(a[r * lda + i]);
            UNROLL for (v = 0; v < vectors; v++) sums[r][v] = vf_fma(x, columns[v], sums[r][v]);
        }
    }
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < vectors; v++) vf_store(out + r * ld_out + v * VF_LANES, sums[r][v]);
    }
}

/* One function a shape of tile: multiply_<rows>x<vectors>. */
typedef void (*multiply_fn)(const float *a, size_t lda, const float *b, size_t k, float *out, size_t ld_out);
#define DEFINE_TILE(rows, vectors)                                                                             \
    static void multiply_##rows##x##vectors(const float *a, size_t lda, const float *b, size_t k, float *out,  \
                                            size_t ld_out) {                                                   \
        multiply(a, lda, b, k, out, ld_out, rows, vectors);                                                    \
    }
#if GEMM_VECTORS == 2
#define DEFINE_TILES(rows) DEFINE_TILE(rows, 1) DEFINE_TILE(rows, 2)
#define TILES(rows) {multiply_##rows##x1, multiply_##rows##x2}
#elif GEMM_VECTORS == 3
#define DEFINE_TILES(rows) DEFINE_TILE(rows, 1) DEFINE_TILE(rows, 2) DEFINE_TILE(rows, 3)
#define TILES(rows) {multiply_##rows##x1, multiply_##rows##x2, multiply_##rows##x3}
#else
#define DEFINE_TILES(rows) DEFINE_TILE(rows, 1) DEFINE_TILE(rows, 2) DEFINE_TILE(rows, 3) DEFINE_TILE(rows, 4)
#define TILES(rows) {multiply_##rows##x1, multiply_##rows##x2, multiply_##rows##x3, multiply_##rows##x4}
#endif
DEFINE_TILES(1) DEFINE_TILES(2) DEFINE_TILES(3) DEFINE_TILES(4)
#if GEMM_ROWS > 4
DEFINE_TILES(5) DEFINE_TILES(6)
#endif
#if GEMM_ROWS > 6
DEFINE_TILES(7) DEFINE_TILES(8)
#endif
static const multiply_fn tiles[GEMM_ROWS][GEMM_VECTORS] = {
    TILES(1), TILES(2), TILES(3), TILES(4),
#if GEMM_ROWS > 4
    TILES(5), TILES(6),
#endif
#if GEMM_ROWS > 6
    TILES(7), TILES(8),
#endif
};

/* A vector of the epilogue: columns [j, j + columns) of one row, columns <= VF_LANES. */
ALWAYS_INLINE vf finish(vf y, const math_epilogue *e, const float *residual_row, size_t j, size_t columns) {
    const int is_part = columns < VF_LANES;
    const vf zero = vf_set1(0.0f);
    if (e->scale != 0.0f && e->scale != 1.0f) y = y * vf_set1(e->scale);
    if (e->bias != NULL) y = y + (is_part ? vf_load_part(e->bias + j, columns, zero) : vf_load(e->bias + j));
    if (e->activation == MATH_ACTIVATION_GELU_ERF) y = gelu_erf_of(y);
    if (residual_row != NULL)
        y = y + (is_part ? vf_load_part(residual_row + j, columns, zero) : vf_load(residual_row + j));
    return y;
}

/* Columns [j, j + columns) of rows [row, row + rows) of C from the raw sums of a tile. */
static void finish_tile(const float *sums, size_t width, float *c, size_t ldc, const math_epilogue *e, size_t row,
                        size_t rows, size_t j, size_t columns) {
    size_t r, v;
    for (r = 0; r < rows; r++, sums += width) {
        const float *residual = e->residual != NULL ? e->residual + (row + r) * e->residual_stride : NULL;
        float *to = c + (row + r) * ldc + j;
        for (v = 0; v + VF_LANES <= columns; v += VF_LANES)
            vf_store(to + v, finish(vf_load(sums + v), e, residual, j + v, VF_LANES));
        if (v < columns)
            vf_store_part(to + v, columns - v, finish(vf_load(sums + v), e, residual, j + v, columns - v));
    }
}

/* Rows of the next tile: a remainder is split in two near halves, as a tile of one or two rows keeps few chains
 * busy. */
static size_t tile_rows(size_t rows_left) {
    if (rows_left >= 2 * GEMM_ROWS) return GEMM_ROWS;
    return rows_left > GEMM_ROWS ? (rows_left + 1) / 2 : rows_left;
}

static void gemm(const float *a, size_t lda, const float *packed, float *c, size_t ldc, size_t m, size_t k, size_t n,
                 const math_epilogue *epilogue) {
    static const math_epilogue none = {1.0f, NULL, MATH_ACTIVATION_NONE, NULL, 0};
    __attribute__((aligned(64))) float sums[GEMM_ROWS * GEMM_COLUMNS];
    const math_epilogue *e = epilogue != NULL ? epilogue : &none;
    const int is_plain = e->bias == NULL && e->residual == NULL && e->activation == MATH_ACTIVATION_NONE &&
                         (e->scale == 0.0f || e->scale == 1.0f);
    const size_t fitting = GEMM_BLOCK_BYTES / sizeof(float) / (k + 1);
    const size_t block_rows = fitting < 2 * GEMM_ROWS ? 2 * GEMM_ROWS : fitting / GEMM_ROWS * GEMM_ROWS;
    size_t block, j, i, rows;
    for (block = 0; block < m; block += block_rows) {
        const size_t end = m - block > block_rows ? block + block_rows : m;
        const float *panel = packed;
        for (j = 0; j < n; j += GEMM_COLUMNS) {
            const size_t columns = n - j < GEMM_COLUMNS ? n - j : GEMM_COLUMNS, width = panel_width(columns);
            for (i = block; i < end; i += rows) {
                multiply_fn tile;
                rows = tile_rows(end - i);
                tile = tiles[rows - 1][width / VF_LANES - 1];
                if (is_plain && columns == width) {
                    tile(a + i * lda, lda, panel, k, c + i * ldc + j, ldc);
                } else {
                    tile(a + i * lda, lda, panel, k, sums, width);
                    finish_tile(sums, width, c, ldc, e, i, rows, j, columns);
                }
            }
            panel += k * width;
        }
    }
}

#endif
