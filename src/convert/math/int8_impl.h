/* SPDX-License-Identifier: Apache-2.0
 *
 * Products of 8-bit integers, written once: each tier's file defines a vector of IV_LANES int32 and a few verbs, and
 * includes this file. IV_STEP values of k are multiplied at a time: four bytes, or two that are widened to 16 bits.
 *
 *   B, packed:  panels of INT8_COLUMNS columns; in a panel, group of IV_STEP rows after group; in a group, vector after
 *               vector, code (lane j, row s) at IV_PLACE(j, s). The last panel is as wide as it must be, in whole
 *               vectors; what is missing of columns and of the last group is zeros.
 *   A, loaded:  a row is 32-bit groups of IV_STEP cells: uint8, or int16 of the same values
 *   C:          a tile of INT8_ROWS x INT8_COLUMNS sums stays in registers over the whole of k */
#ifndef IV_LANES
#error "int8_impl.h is included by the tiers' files only."
#endif

#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define INT8_COLUMNS ((size_t)INT8_VECTORS * IV_LANES)
#define GROUP_BYTES ((size_t)IV_LANES * IV_STEP) /* of codes, in one vector */

static size_t groups_of(size_t k) { return (k + IV_STEP - 1) / IV_STEP; }

static size_t panel_width(size_t columns) {
    return columns >= INT8_COLUMNS ? INT8_COLUMNS : (columns + IV_LANES - 1) / IV_LANES * IV_LANES;
}

static size_t packed_columns(size_t n) { return n - n % INT8_COLUMNS + panel_width(n % INT8_COLUMNS); }

/* --- Packing ------------------------------------------------------------------------------------------------------ */

/* The sums come first, in whole 64-byte lines. */
static size_t padded_columns(size_t n) { return (packed_columns(n) + 15) / 16 * 16; }

static size_t packed_bytes(size_t k, size_t n) {
    return padded_columns(n) * sizeof(int32_t) + packed_columns(n) * groups_of(k) * IV_STEP;
}

/* One vector's columns through all of k; `vectors` of them make the panel. */
static void pack_vector(const uint8_t *b, size_t row_stride, size_t column_stride, uint8_t flip, size_t k,
                        size_t columns, size_t vectors, int8_t *codes, int32_t *sums) {
    size_t i, j, s;
    for (j = 0; j < IV_LANES; j++) sums[j] = 0;
    for (i = 0; i < k; i += IV_STEP, codes += vectors * GROUP_BYTES) {
        memset(codes, 0, GROUP_BYTES);
        for (s = 0; s < IV_STEP && i + s < k; s++) {
            const uint8_t *from = b + (i + s) * row_stride;
            for (j = 0; j < columns; j++) {
                const int8_t code = (int8_t)(from[j * column_stride] ^ flip);
                codes[IV_PLACE(j, s)] = code;
                sums[j] += code;
            }
        }
    }
}

static void pack(const uint8_t *b, size_t row_stride, size_t column_stride, uint8_t flip, size_t k, size_t n,
                 void *packed) {
    int32_t *sums = packed;
    int8_t *codes = (int8_t *)packed + padded_columns(n) * sizeof *sums;
    size_t j, v;
    for (j = 0; j < n; j += INT8_COLUMNS) {
        const size_t columns = n - j < INT8_COLUMNS ? n - j : INT8_COLUMNS, width = panel_width(columns);
        for (v = 0; v < width; v += IV_LANES) {
            const size_t some = columns - v < IV_LANES ? columns - v : IV_LANES;
            pack_vector(b + (j + v) * column_stride, row_stride, column_stride, flip, k, some, width / IV_LANES,
                        codes + v * IV_STEP, sums + j + v);
        }
        codes += width * groups_of(k) * IV_STEP;
    }
}

/* --- Rows --------------------------------------------------------------------------------------------------------- */

static size_t row_bytes(size_t k) { return groups_of(k) * sizeof(uint32_t); }

static int32_t sum_of_row(const uint8_t *a, uint8_t flip, size_t k) {
    uint32_t sum = 0;
    size_t i;
    for (i = 0; i < k; i++) sum += (uint32_t)(a[i] ^ flip);
    return (int32_t)sum;
}

static void load_rows(const uint8_t *a, size_t lda, uint8_t flip, size_t m, size_t k, void *rows, int32_t *row_sums) {
    const size_t bytes = row_bytes(k);
    size_t r, i;
    for (r = 0; r < m; r++, a += lda) {
        row_cell *row = (row_cell *)(void *)((char *)rows + r * bytes);
        i = load_cells(a, flip, k, row);
        for (; i < k; i++) row[i] = (row_cell)(a[i] ^ flip);
        for (; i < groups_of(k) * IV_STEP; i++) row[i] = 0;
        if (row_sums != NULL) row_sums[r] = sum_of_row(a, flip, k);
    }
}

/* --- Tiles -------------------------------------------------------------------------------------------------------- */

/* out[r][v] = start[v] + sum over k of a[r][k] * b[k][v]; rows and vectors are constants where this is inlined. */
ALWAYS_INLINE void multiply(const char *a, size_t lda, const int8_t *b, const int32_t *start, size_t groups,
                            int32_t *out, size_t ld_out, size_t rows, size_t vectors) {
    iv sums[INT8_ROWS][INT8_VECTORS];
    size_t i, r, v;
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < vectors; v++) sums[r][v] = iv_load(start + v * IV_LANES);
    }
    for (i = 0; i < groups; i++, b += vectors * GROUP_BYTES) {
        iv columns[INT8_VECTORS];
        UNROLL for (v = 0; v < vectors; v++) columns[v] = iv_codes(b + v * GROUP_BYTES);
        UNROLL for (r = 0; r < rows; r++) {
            const iv x = iv_group(a + r * lda + i * sizeof(uint32_t));
            UNROLL for (v = 0; v < vectors; v++) sums[r][v] = iv_dot(sums[r][v], x, columns[v]);
        }
    }
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < vectors; v++) iv_store(out + r * ld_out + v * IV_LANES, sums[r][v]);
    }
}

/* One function a shape of tile: multiply_<rows>x<vectors>. */
typedef void (*multiply_fn)(const char *a, size_t lda, const int8_t *b, const int32_t *start, size_t groups,
                            int32_t *out, size_t ld_out);
#define DEFINE_TILE(rows, vectors)                                                                             \
    static void multiply_##rows##x##vectors(const char *a, size_t lda, const int8_t *b, const int32_t *start,  \
                                            size_t groups, int32_t *out, size_t ld_out) {                      \
        multiply(a, lda, b, start, groups, out, ld_out, rows, vectors);                                        \
    }
#if INT8_VECTORS == 2
#define DEFINE_TILES(rows) DEFINE_TILE(rows, 1) DEFINE_TILE(rows, 2)
#define TILES(rows) {multiply_##rows##x1, multiply_##rows##x2}
#else
#define DEFINE_TILES(rows) DEFINE_TILE(rows, 1) DEFINE_TILE(rows, 2) DEFINE_TILE(rows, 3) DEFINE_TILE(rows, 4)
#define TILES(rows) {multiply_##rows##x1, multiply_##rows##x2, multiply_##rows##x3, multiply_##rows##x4}
#endif
DEFINE_TILES(1) DEFINE_TILES(2) DEFINE_TILES(3) DEFINE_TILES(4)
#if INT8_ROWS > 4
DEFINE_TILES(5) DEFINE_TILES(6)
#endif
static const multiply_fn tiles[INT8_ROWS][INT8_VECTORS] = {
    TILES(1), TILES(2), TILES(3), TILES(4),
#if INT8_ROWS > 4
    TILES(5), TILES(6),
#endif
};

/* Rows of the next tile: a remainder is split in two near halves. */
static size_t tile_rows(size_t rows_left) {
    if (rows_left >= 2 * INT8_ROWS) return INT8_ROWS;
    return rows_left > INT8_ROWS ? (rows_left + 1) / 2 : rows_left;
}

static void gemm(const void *rows, const int8_t *codes, const int32_t *start, int32_t *c, size_t ldc, size_t m,
                 size_t k, size_t n) {
    __attribute__((aligned(64))) int32_t sums[INT8_ROWS * INT8_COLUMNS];
    const size_t groups = groups_of(k), lda = row_bytes(k);
    size_t i, j, r, some;
    for (j = 0; j < n; j += INT8_COLUMNS) {
        const size_t columns = n - j < INT8_COLUMNS ? n - j : INT8_COLUMNS, width = panel_width(columns);
        for (i = 0; i < m; i += some) {
            const char *a = (const char *)rows + i * lda;
            some = tile_rows(m - i);
            const multiply_fn tile = tiles[some - 1][width / IV_LANES - 1];
            if (columns == width) {
                tile(a, lda, codes, start + j, groups, c + i * ldc + j, ldc);
                continue;
            }
            tile(a, lda, codes, start + j, groups, sums, width);
            for (r = 0; r < some; r++) memcpy(c + (i + r) * ldc + j, sums + r * width, columns * sizeof *sums);
        }
        codes += width * groups * IV_STEP;
    }
}

const int8_kernels TIER(int8_kernels) = {
    .padded_columns = padded_columns, .packed_bytes = packed_bytes, .pack = pack, .row_bytes = row_bytes,
    .load_rows = load_rows, .gemm = gemm, .columns = INT8_COLUMNS, .step = IV_STEP,
};
