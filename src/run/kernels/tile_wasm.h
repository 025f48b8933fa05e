/* SPDX-License-Identifier: Apache-2.0
 * The tile of the relaxed WASM files: TILE_ROWS rows by TILE_VECTORS of a panel's 4 vectors, as few registers as engines
 * have on x86. Included by dot_impl.h, after dot_tile. In: codes of 8 and 7 bits. Out: int32. */

#ifdef TILE_ONES /* The products' ones: volatile, so that they are kept in a register and not made anew each time. */
static const volatile int32_t tile_ones = 0x00010001;
#define TILE_DOT(sum, u7, s8) vi_dot_ones(sum, u7, s8, ones)
#else
#define TILE_DOT(sum, u7, s8) vi_dot(sum, u7, s8)
#endif

#define TILE_ANY_PANELS 1
#define NO_UNROLL _Pragma("clang loop unroll(disable)")
/* The compiler may not know where x points from: it would add up pointers of its own, where a load has room for a
 * constant. */
#define FIXED(x) __asm__ volatile("" : "+r"(x) : : "memory")
#define NEAR_INPUTS ((size_t)384)

/* Inputs `from` to `from` + n - 1 of each row -> [rows][NEAR_INPUTS / 4] vectors of the same 4 in each lane: engines put
 * a constant in the address of a plain load only. n is a multiple of 4. */
ALWAYS_INLINE void spread_rows(operands o, size_t from, size_t n, size_t rows, vi *near) {
    size_t r, j;
    for (r = 0; r < rows; r++) {
        const uint8_t *x = o.x + r * o.stride + from;
        for (j = 0; j < n; j += 4) near[(r * NEAR_INPUTS + j) / 4] = vi_set1_quad(x + j);
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

/* out[r][c] (+)= the products of n inputs of `rows` rows and TILE_VECTORS vectors of columns. */
ALWAYS_INLINE void dot_part(const vi *near, const uint8_t *panel, size_t n, int32_t *out, size_t out_stride,
                            size_t rows, int add, u7_side side) {
    vi acc[TILE_ROWS][TILE_VECTORS];
    const vi *x = near, *end = near + n / 4;
    size_t r, v;
#ifdef TILE_ONES
    const vi ones = vi_set1(tile_ones);
#endif
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < TILE_VECTORS; v++) acc[r][v] = vi_set1(0);
    }
    NO_UNROLL for (; x < end; x++, panel += 4 * INT8_PANEL) {
        FIXED(x);
        FIXED(panel);
        near_step(x, panel, acc, rows, side PASS_ONES);
    }
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < TILE_VECTORS; v++) {
            int32_t *to = out + r * out_stride + v * VF_LANES;
            vi_store(to, add ? vi_add(acc[r][v], vi_load(to)) : acc[r][v]);
        }
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
