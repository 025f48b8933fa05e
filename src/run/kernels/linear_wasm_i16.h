/* SPDX-License-Identifier: Apache-2.0
 * The blocks of linear_impl.h for kernels_wasm_simd128.c: a panel is widened to 16 bits once for all rows of a block,
 * and rows once for all panels of a strip. Included by linear_impl.h. In: rows of codes, a matrix. Out: linear_block's.
 *
 *   rows     [LINEAR_ROWS][WIDE_INPUTS]    inputs of a row side by side, as they are in x
 *   columns  [INT8_PANEL][WIDE_INPUTS]     inputs of a column side by side; in a panel only 4 are
 *
 *   a     [ j   j+1   j+2   j+3   j+4   j+5   j+6   j+7 ]   i16x8, of a row
 *   b     [ j   j+1   j+2   j+3   j+4   j+5   j+6   j+7 ]   of a column
 *   acc   [ (j, j+1)  (j+2, j+3)  (j+4, j+5)  (j+6, j+7) ]   i32x4, a row's and a column's; added up at the end
 */
#define WIDE_ROWS_LEAST ((size_t)9) /* fewer use a panel too seldom to widen it apart */
#define WIDE_VECTOR ((size_t)8)     /* inputs of a vector, and of a step */
#define WIDE_STEPS 4                /* written out in a loop's body */

typedef struct wide_codes {
    _Alignas(64) int16_t rows[LINEAR_ROWS * WIDE_INPUTS];
    _Alignas(64) int16_t columns[INT8_PANEL * WIDE_INPUTS];
} wide_codes;

/* n inputs of each row, and zeros up to a whole vector. */
static void widen_block_rows(const int8_t *x, size_t stride, size_t rows, size_t n, int16_t *wide) {
    size_t r, j;
    for (r = 0; r < rows; r++, x += stride, wide += WIDE_INPUTS) {
        for (j = 0; j + WIDE_VECTOR <= n; j += WIDE_VECTOR) wasm_v128_store(wide + j, wasm_i16x8_load8x8(x + j));
        if (j < n) wasm_v128_store(wide + j, wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(x + j)));
    }
}

/* n inputs of a panel. A last vector's missing ones are anything: the rows' are 0. */
static void widen_panel(const uint8_t *panel, size_t n, int16_t *wide) {
    size_t j, c;
    for (j = 0; j < n; j += WIDE_VECTOR, panel += WIDE_VECTOR * INT8_PANEL, wide += WIDE_VECTOR) {
        const uint8_t *next = j + 4 < n ? panel + 4 * INT8_PANEL : panel;
        FIXED(panel);
        FIXED(next);
        FIXED(wide);
        UNROLL for (c = 0; c < INT8_PANEL; c += 4) { /* 4 inputs of 4 columns, and the 4 inputs behind them */
            const v128_t a = wasm_v128_load(panel + 4 * c), b = wasm_v128_load(next + 4 * c);
            const v128_t low = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), high = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
            wasm_v128_store(wide + c * WIDE_INPUTS, wasm_u16x8_extend_low_u8x16(low));
            wasm_v128_store(wide + (c + 1) * WIDE_INPUTS, wasm_u16x8_extend_high_u8x16(low));
            wasm_v128_store(wide + (c + 2) * WIDE_INPUTS, wasm_u16x8_extend_low_u8x16(high));
            wasm_v128_store(wide + (c + 3) * WIDE_INPUTS, wasm_u16x8_extend_high_u8x16(high));
        }
    }
}

/* 8 inputs. */
ALWAYS_INLINE void wide_step(const int16_t *x, const int16_t *w, size_t rows, v128_t acc[][2]) {
    const v128_t b0 = wasm_v128_load(w), b1 = wasm_v128_load(w + WIDE_INPUTS);
    size_t r;
    UNROLL for (r = 0; r < rows; r++) {
        const v128_t a = wasm_v128_load(x + r * WIDE_INPUTS);
        acc[r][0] = wasm_i32x4_add(acc[r][0], wasm_i32x4_dot_i16x8(a, b0));
        acc[r][1] = wasm_i32x4_add(acc[r][1], wasm_i32x4_dot_i16x8(a, b1));
    }
}

/* [a0 + a1, a2 + a3, b0 + b1, b2 + b3] */
ALWAYS_INLINE v128_t add_neighbours(v128_t a, v128_t b) {
    return wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 2, 4, 6), wasm_i32x4_shuffle(a, b, 1, 3, 5, 7));
}

/* sums[r][0 and 1] (+)= the products of `vectors` vectors of `rows` rows and 2 columns. Behind each step of the loop
 * there is a way out: clang mixes steps that follow each other, and runs out of registers. */
ALWAYS_INLINE void wide_tile(const int16_t *x, const int16_t *w, size_t vectors, size_t rows, int add, int32_t *sums) {
    uintptr_t last[WIDE_STEPS]; /* where x is if the first, second ... step is the last */
    v128_t acc[TILE_ROWS][2], pairs[TILE_ROWS];
    size_t r, step;
    UNROLL for (step = 0; step < WIDE_STEPS; step++) {
        last[step] = (uintptr_t)x + (vectors - 1 - step) * sizeof(v128_t);
        FIXED(last[step]);
    }
    UNROLL for (r = 0; r < rows; r++) acc[r][0] = acc[r][1] = wasm_i32x4_splat(0);
    for (;; x += WIDE_STEPS * WIDE_VECTOR, w += WIDE_STEPS * WIDE_VECTOR) {
        FIXED(x);
        FIXED(w);
        wide_step(x, w, rows, acc);
        if ((uintptr_t)x == last[0]) break;
        wide_step(x + WIDE_VECTOR, w + WIDE_VECTOR, rows, acc);
        if ((uintptr_t)x == last[1]) break;
        wide_step(x + 2 * WIDE_VECTOR, w + 2 * WIDE_VECTOR, rows, acc);
        if ((uintptr_t)x == last[2]) break;
        wide_step(x + 3 * WIDE_VECTOR, w + 3 * WIDE_VECTOR, rows, acc);
        if ((uintptr_t)x == last[3]) break;
    }
    UNROLL for (r = 0; r < rows; r++) pairs[r] = add_neighbours(acc[r][0], acc[r][1]);
    UNROLL for (r = 0; r < rows; r += 2) {
        const size_t other = r + 1 < rows ? r + 1 : r;
        int32_t *to = sums + r * TILE_COLUMNS, *to_other = sums + other * TILE_COLUMNS;
        v128_t sum = add_neighbours(pairs[r], pairs[other]);
        if (add) sum = wasm_i32x4_add(sum, wasm_v128_load64_lane(to_other, wasm_v128_load64_zero(to), 1));
        wasm_v128_store64_lane(to, sum, 0);
        wasm_v128_store64_lane(to_other, sum, 1);
    }
}

/* A panel's columns. */
#define DEFINE_WIDE_TILES(rows)                                                                           \
    static void wide_tiles_##rows(const int16_t *x, const int16_t *w, size_t vectors, int add, int32_t *sums) { \
        size_t c;                                                                                               \
        for (c = 0; c < INT8_PANEL; c += 2) wide_tile(x, w + c * WIDE_INPUTS, vectors, rows, add, sums + c);    \
    }
DEFINE_WIDE_TILES(3)
DEFINE_WIDE_TILES(4)

/* Of at least WIDE_ROWS_LEAST rows, which are tiles of 3 and 4. */
static void wide_panel_dots(const wide_codes *wide, size_t vectors, size_t rows, int add, int32_t *sums) {
    const int16_t *x = wide->rows;
    size_t n;
    for (; rows > 0; rows -= n, x += n * WIDE_INPUTS, sums += n * TILE_COLUMNS) {
        n = even_part(rows, TILE_ROWS);
        if (n == 3) wide_tiles_3(x, wide->columns, vectors, add, sums);
        else wide_tiles_4(x, wide->columns, vectors, add, sums);
    }
}

static void linear_block_of(const int8_t *x, size_t rows, const int8_matrix *w, const linear_out *out) {
    BUFFER int32_t minus[LINEAR_ROWS], sums[LINEAR_ROWS * TILE_COLUMNS];
    BUFFER wide_codes wide;
    size_t first, from, n, r, p;
    if (rows < WIDE_ROWS_LEAST || w->k == 0) {
        linear_block(x, rows, w, out);
        return;
    }
    for (r = 0; r < rows; r++) minus[r] = -INT8_WEIGHT_BIAS * sum_codes(x + r * w->k, w->k);
    for (first = 0; first < w->n; first += TILE_COLUMNS) {
        const size_t columns = w->n - first < TILE_COLUMNS ? w->n - first : TILE_COLUMNS;
        for (from = 0; from < w->k; from += n) {
            n = w->k - from < WIDE_INPUTS ? w->k - from : WIDE_INPUTS;
            if (first == 0 || w->k > WIDE_INPUTS) widen_block_rows(x + from, w->k, rows, n, wide.rows);
            for (p = 0; p < columns; p += INT8_PANEL) {
                widen_panel(w->panels + (first + p) * w->k + from * INT8_PANEL, n, wide.columns);
                wide_panel_dots(&wide, (n + WIDE_VECTOR - 1) / WIDE_VECTOR, rows, from > 0, sums + p);
            }
        }
        linear_finish(sums, minus, 0, rows, first, columns, w, out);
    }
}
