/* SPDX-License-Identifier: Apache-2.0
 * The tile of the relaxed WASM files: TILE_ROWS rows by TILE_VECTORS of a panel's 4 vectors, as few registers as engines
 * have on x86. Included by dot_impl.h, after dot_tile. In: codes of 8 and 7 bits. Out: int32. */

#ifdef TILE_ONES /* The products' ones: volatile, so that they are kept in a register and not made anew each time. */
static const volatile int32_t tile_ones = 0x00010001;
#define TILE_DOT(sum, u7, s8) vi_dot_ones(sum, u7, s8, ones)
#else
#define TILE_DOT(sum, u7, s8) vi_dot(sum, u7, s8)
#endif

/* out[r][c] of `rows` rows and the TILE_VECTORS vectors of columns that begin at o.panels. */
ALWAYS_INLINE void dot_part(operands o, int32_t *out, size_t out_stride, size_t rows, u7_side side) {
    vi acc[TILE_ROWS][TILE_VECTORS], b[TILE_VECTORS];
    const uint8_t *x[TILE_ROWS], *panel = o.panels, *end = o.panels + o.k * INT8_PANEL;
    size_t j = 0, r, v;
#ifdef TILE_ONES
    const vi ones = vi_set1(tile_ones);
#endif
    UNROLL for (r = 0; r < rows; r++) {
        x[r] = o.x + r * o.stride;
        UNROLL for (v = 0; v < TILE_VECTORS; v++) acc[r][v] = vi_set1(0);
    }
    for (; panel < end; panel += 4 * INT8_PANEL, j += 4) {
        UNROLL for (v = 0; v < TILE_VECTORS; v++) b[v] = vi_load(panel + v * sizeof(vi));
        UNROLL for (r = 0; r < rows; r++) {
            const vi a = vi_set1_quad(x[r] + j);
            UNROLL for (v = 0; v < TILE_VECTORS; v++)
                acc[r][v] = side == U7_PANELS ? TILE_DOT(acc[r][v], b[v], a) : TILE_DOT(acc[r][v], a, b[v]);
        }
    }
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < TILE_VECTORS; v++) vi_store(out + r * out_stride + v * VF_LANES, acc[r][v]);
    }
}

ALWAYS_INLINE void dot_tile_of(operands o, int32_t *out, size_t out_stride, size_t rows, size_t panels, u7_side side) {
    size_t v;
    (void)panels; /* 1 */
    for (v = 0; v < PANEL_VECTORS; v += TILE_VECTORS) {
        dot_part(o, out + v * VF_LANES, out_stride, rows, side);
        o.panels += TILE_VECTORS * sizeof(vi);
    }
}
