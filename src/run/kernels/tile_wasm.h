/* SPDX-License-Identifier: Apache-2.0
 * The tile of the relaxed WASM files: TILE_ROWS rows by TILE_VECTORS of a panel's 4 vectors, as few registers as
 * engines have on x86. Included by dot_impl.h, after dot_tile. In: codes of 8 and 7 bits. Out: int32. */

#ifdef TILE_ONES /* The products' ones: volatile, so that they are kept in a register and not made anew each time. */
static const volatile int32_t tile_ones = 0x00010001;
#define TILE_DOT(sum, u7, s8) vi_dot_ones(sum, u7, s8, ones)
#else
#define TILE_DOT(sum, u7, s8) vi_dot(sum, u7, s8)
#endif

#define TILE_ANY_PANELS 1
#define NEAR_INPUTS ((size_t)400)

/* Inputs `from` to `from` + n - 1 of each row -> [rows][NEAR_INPUTS / 4] vectors of the same 4 in each lane: engines
 * put a constant in the address of a plain load only. n is a multiple of 4. */
ALWAYS_INLINE void spread_rows(operands o, size_t from, size_t n, size_t rows, vi *near) {
    size_t r, j;
    for (r = 0; r < rows; r++) {
        const uint8_t *x = o.x + r * o.stride + from;
        vi *to = near + r * (NEAR_INPUTS / 4);
        for (j = 0; j + 16 <= n; j += 16, to += 4) {
            const v128_t a = wasm_v128_load(x + j);
            to[0] = (vi)wasm_i32x4_shuffle(a, a, 0, 0, 0, 0);
            to[1] = (vi)wasm_i32x4_shuffle(a, a, 1, 1, 1, 1);
            to[2] = (vi)wasm_i32x4_shuffle(a, a, 2, 2, 2, 2);
            to[3] = (vi)wasm_i32x4_shuffle(a, a, 3, 3, 3, 3);
        }
        for (; j < n; j += 4) *to++ = vi_set1_quad(x + j);
    }
}

/* 4 inputs. */
#ifdef TILE_ONES
#define TILE_STEP_ONES , vi ones
#define PASS_ONES , ones
#else
#define TILE_STEP_ONES
#define PASS_ONES
#endif
ALWAYS_INLINE void near_step(const vi *x, const uint8_t *panel, vi acc[][TILE_VECTORS], size_t rows,
                             u7_side side TILE_STEP_ONES) {
    vi b[TILE_VECTORS];
    size_t r, v;
    UNROLL for (v = 0; v < TILE_VECTORS; v++) b[v] = vi_load(panel + v * sizeof(vi));
    UNROLL for (r = 0; r < rows; r++) {
        const vi a = vi_load(x + r * (NEAR_INPUTS / 4));
        UNROLL for (v = 0; v < TILE_VECTORS; v++)
            acc[r][v] = side == U7_PANELS ? TILE_DOT(acc[r][v], b[v], a) : TILE_DOT(acc[r][v], a, b[v]);
    }
}

/* out[r][c] (+)= the products of n inputs of `rows` rows and TILE_VECTORS vectors of columns. Sums begin as what is
 * loaded, be it zeros: a vector of zeros that the compiler knows takes a register for itself. Behind each of the
 * loop's TILE_STEPS steps there is a way out: clang mixes steps that follow each other, and runs out of registers. */
ALWAYS_INLINE void dot_part(const vi *near, const uint8_t *panel, size_t n, int32_t *out, size_t out_stride,
                            size_t rows, int add, u7_side side) {
    static const int32_t zeros[TILE_VECTORS * VF_LANES];
    const int32_t *before = add ? out : zeros;
    const size_t before_stride = add ? out_stride : 0;
    const vi *x = near;
    uintptr_t last[TILE_STEPS]; /* where x is if the first, second ... step is the last */
    vi acc[TILE_ROWS][TILE_VECTORS];
    size_t r, v, step;
#ifdef TILE_ONES
    const vi ones = vi_set1(tile_ones);
#endif
    FIXED(before);
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < TILE_VECTORS; v++) acc[r][v] = vi_load(before + r * before_stride + v * VF_LANES);
    }
    UNROLL for (step = 0; step < TILE_STEPS; step++) {
        last[step] = (uintptr_t)near + (n / 4 - 1 - step) * sizeof(vi);
        FIXED(last[step]);
    }
    for (; n > 0; x += TILE_STEPS, panel += TILE_STEPS * 4 * INT8_PANEL) {
        FIXED(x);
        FIXED(panel);
        near_step(x, panel, acc, rows, side PASS_ONES);
        if ((uintptr_t)x == last[0]) break;
#if TILE_STEPS == 4
        near_step(x + 1, panel + 4 * INT8_PANEL, acc, rows, side PASS_ONES);
        if ((uintptr_t)x == last[1]) break;
        near_step(x + 2, panel + 8 * INT8_PANEL, acc, rows, side PASS_ONES);
        if ((uintptr_t)x == last[2]) break;
        near_step(x + 3, panel + 12 * INT8_PANEL, acc, rows, side PASS_ONES);
        if ((uintptr_t)x == last[3]) break;
#endif
    }
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < TILE_VECTORS; v++) vi_store(out + r * out_stride + v * VF_LANES, acc[r][v]);
    }
}

ALWAYS_INLINE void dot_tile_of(operands o, int32_t *out, size_t out_stride, size_t rows, size_t panels, u7_side side) {
    BUFFER vi near[TILE_ROWS * NEAR_INPUTS / 4];
    size_t from, n, p, v;
    for (from = 0; from < o.k || from == 0; from += n) {
        n = o.k - from < NEAR_INPUTS ? o.k - from : NEAR_INPUTS;
        spread_rows(o, from, n, rows, near);
        for (p = 0; p < panels; p++)
            for (v = 0; v < PANEL_VECTORS; v += TILE_VECTORS)
                dot_part(near, o.panels + p * o.panel_bytes + from * INT8_PANEL + v * sizeof(vi), n,
                         out + p * INT8_PANEL + v * VF_LANES, out_stride, rows, from > 0, side);
        if (n == 0) break;
    }
}
