/* SPDX-License-Identifier: Apache-2.0
 * The tile of kernels_wasm_simd128.c. Included by dot_impl.h, after dot_tile. In: codes of 8 and 7 bits. Out: int32.
 *
 * A panel has 4 bytes (inputs j to j + 3) of each of 16 columns. 8 bytes of it, widened, are 2 columns; times 4 codes
 * of a row, twice over, they give two half sums a column:
 *
 *   b     [ c0 j   c0 j+1   c0 j+2   c0 j+3   c1 j   c1 j+1   c1 j+2   c1 j+3 ]   i16x8
 *   a     [    j      j+1      j+2      j+3      j      j+1      j+2      j+3 ]
 *   acc   [ c0 (j, j+1)     c0 (j+2, j+3)     c1 (j, j+1)     c1 (j+2, j+3)   ]   i32x4
 *
 * Rows are widened beforehand, WIDE_INPUTS inputs at a time, for all columns of a tile. */
#define NO_UNROLL _Pragma("clang loop unroll(disable)")
#define TILE_ANY_PANELS 1
#define WIDE_INPUTS ((size_t)400)
#define TILE_PAIRS 2 /* vectors of 2 columns at a time */

/* 4 inputs of 2 columns */
ALWAYS_INLINE v128_t wide_columns(const uint8_t *p, u7_side side) {
    return side == U7_PANELS ? wasm_u16x8_load8x8(p) : wasm_i16x8_load8x8(p);
}

/* Inputs `from` to `from` + n - 1 of each row -> [rows][WIDE_INPUTS / 4] vectors of the same 4 twice: engines put a
 * constant in the address of a plain load only. n is a multiple of 4. */
ALWAYS_INLINE void widen_rows(operands o, size_t from, size_t n, size_t rows, u7_side side, v128_t *wide) {
    size_t r, j;
    for (r = 0; r < rows; r++) {
        const uint8_t *x = o.x + r * o.stride + from;
        v128_t *to = wide + r * (WIDE_INPUTS / 4);
        for (j = 0; j + 8 <= n; j += 8, to += 2) {
            const v128_t codes = side == U7_ROWS ? wasm_u16x8_load8x8(x + j) : wasm_i16x8_load8x8(x + j);
            to[0] = wasm_i64x2_shuffle(codes, codes, 0, 0);
            to[1] = wasm_i64x2_shuffle(codes, codes, 1, 1);
        }
        if (j < n) {
            const v128_t quad = wasm_v128_load32_splat(x + j);
            *to = side == U7_ROWS ? wasm_u16x8_extend_low_u8x16(quad) : wasm_i16x8_extend_low_i8x16(quad);
        }
    }
}

/* out[r][c] (+)= the products of n inputs of `rows` rows and 2 TILE_PAIRS columns. */
ALWAYS_INLINE void dot_part(const v128_t *wide, const uint8_t *panel, size_t n, int32_t *out, size_t out_stride,
                            size_t rows, int add, u7_side side) {
    v128_t acc[TILE_ROWS][TILE_PAIRS], b[TILE_PAIRS];
    const v128_t *end = wide + n / 4;
    size_t r, v;
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < TILE_PAIRS; v++) acc[r][v] = wasm_i32x4_splat(0);
    }
    NO_UNROLL for (; wide < end; wide++, panel += 4 * INT8_PANEL) {
        FIXED(wide);
        FIXED(panel);
        UNROLL for (v = 0; v < TILE_PAIRS; v++) b[v] = wide_columns(panel + 8 * v, side);
        UNROLL for (r = 0; r < rows; r++) {
            const v128_t a = wasm_v128_load(wide + r * (WIDE_INPUTS / 4));
            UNROLL for (v = 0; v < TILE_PAIRS; v++)
                acc[r][v] = wasm_i32x4_add(acc[r][v], wasm_i32x4_dot_i16x8(a, b[v]));
        }
    }
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < TILE_PAIRS; v += 2) {
            int32_t *to = out + r * out_stride + 2 * v;
            const v128_t even = wasm_i32x4_shuffle(acc[r][v], acc[r][v + 1], 0, 2, 4, 6);
            const v128_t odd = wasm_i32x4_shuffle(acc[r][v], acc[r][v + 1], 1, 3, 5, 7);
            const v128_t sum = wasm_i32x4_add(even, odd);
            wasm_v128_store(to, add ? wasm_i32x4_add(sum, wasm_v128_load(to)) : sum);
        }
    }
}

ALWAYS_INLINE void dot_tile_of(operands o, int32_t *out, size_t out_stride, size_t rows, size_t panels, u7_side side) {
    BUFFER v128_t wide[TILE_ROWS * WIDE_INPUTS / 4];
    size_t from, n, p, c;
    for (from = 0; from < o.k || from == 0; from += n) {
        n = o.k - from < WIDE_INPUTS ? o.k - from : WIDE_INPUTS;
        widen_rows(o, from, n, rows, side, wide);
        for (p = 0; p < panels; p++)
            for (c = 0; c < INT8_PANEL; c += 2 * TILE_PAIRS)
                dot_part(wide, o.panels + p * o.panel_bytes + from * INT8_PANEL + 4 * c, n,
                         out + p * INT8_PANEL + c, out_stride, rows, from > 0, side);
        if (n == 0) break;
    }
}
