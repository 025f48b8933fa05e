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
/* The compiler may not know where p points from: else it would add up pointers of its own in a loop, where a load's
 * instruction has room for a constant. Nor may it load ahead what follows: there are no registers for that. */
#define FIXED(p) __asm__ volatile("" : "+r"(p) : : "memory")
#define NEAR_INPUTS ((size_t)1536)

/* Inputs `from` to `from` + n - 1 of each row -> [rows][NEAR_INPUTS]; n is a multiple of 4. */
ALWAYS_INLINE void copy_rows(operands o, size_t from, size_t n, size_t rows, uint8_t *near) {
    size_t r, j;
    for (r = 0; r < rows; r++) {
        const uint8_t *x = o.x + r * o.stride + from;
        uint8_t *to = near + r * NEAR_INPUTS;
        for (j = 0; j + sizeof(vi) <= n; j += sizeof(vi)) vi_store(to + j, vi_load(x + j));
        for (; j < n; j += 4) memcpy(to + j, x + j, 4);
    }
}

/* Inputs 4 * step to 4 * step + 3 from x and panel on. */
#ifdef TILE_ONES
#define TILE_STEP_ONES , vi ones
#define PASS_ONES , ones
#else
#define TILE_STEP_ONES
#define PASS_ONES
#endif
ALWAYS_INLINE void near_step(const uint8_t *x, const uint8_t *panel, vi acc[][TILE_VECTORS], size_t step, size_t rows,
                             u7_side side TILE_STEP_ONES) {
    vi b[TILE_VECTORS];
    size_t r, v;
    UNROLL for (v = 0; v < TILE_VECTORS; v++) b[v] = vi_load(panel + step * 4 * INT8_PANEL + v * sizeof(vi));
    UNROLL for (r = 0; r < rows; r++) {
        const vi a = vi_set1_quad(x + r * NEAR_INPUTS + 4 * step);
        UNROLL for (v = 0; v < TILE_VECTORS; v++)
            acc[r][v] = side == U7_PANELS ? TILE_DOT(acc[r][v], b[v], a) : TILE_DOT(acc[r][v], a, b[v]);
    }
}

/* out[r][c] (+)= the products of n inputs of `rows` rows and TILE_VECTORS vectors of columns. */
ALWAYS_INLINE void dot_part(const uint8_t *near, const uint8_t *panel, size_t n, int32_t *out, size_t out_stride,
                            size_t rows, int add, u7_side side) {
    vi acc[TILE_ROWS][TILE_VECTORS];
    const uint8_t *x = near, *end = near + n / 8 * 8;
    size_t r, v;
#ifdef TILE_ONES
    const vi ones = vi_set1(tile_ones);
#endif
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < TILE_VECTORS; v++) acc[r][v] = vi_set1(0);
    }
    NO_UNROLL for (; x < end; x += 8, panel += 8 * INT8_PANEL) {
        FIXED(x);
        FIXED(panel);
        near_step(x, panel, acc, 0, rows, side PASS_ONES);
        FIXED(x);
        near_step(x, panel, acc, 1, rows, side PASS_ONES);
    }
    if (n % 8 != 0) near_step(x, panel, acc, 0, rows, side PASS_ONES);
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < TILE_VECTORS; v++) {
            int32_t *to = out + r * out_stride + v * VF_LANES;
            vi_store(to, add ? vi_add(acc[r][v], vi_load(to)) : acc[r][v]);
        }
    }
}

ALWAYS_INLINE void dot_tile_of(operands o, int32_t *out, size_t out_stride, size_t rows, size_t panels, u7_side side) {
    BUFFER uint8_t near[TILE_ROWS * NEAR_INPUTS];
    size_t from, n, p, v;
    for (from = 0; from < o.k || from == 0; from += n) {
        n = o.k - from < NEAR_INPUTS ? o.k - from : NEAR_INPUTS;
        copy_rows(o, from, n, rows, near);
        for (p = 0; p < panels; p++)
            for (v = 0; v < PANEL_VECTORS; v += TILE_VECTORS)
                dot_part(near, o.panels + p * o.panel_bytes + from * INT8_PANEL + v * sizeof(vi), n,
                         out + p * INT8_PANEL + v * VF_LANES, out_stride, rows, from > 0, side);
        if (n == 0) break;
    }
}
