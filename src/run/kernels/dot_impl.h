/* SPDX-License-Identifier: Apache-2.0
 * Sums of products of codes, in tiles that stay in registers: what linear_impl.h and attention_impl.h are made of.
 * Included by kernels_impl.h, in the verbs of a tier; a tier with instructions for more than vi_dot names a
 * TILE_HEADER that has dot_tile_of (TILE_ANY_PANELS: of any number of panels, a few columns of them in registers). In:
 * codes of 8 and 7 bits. Out: int32, exact, so their order is free. */

/* --- Integer products --------------------------------------------------------------------------------------------- */
/* out[r][c] = sum_j x[r][j] * panel[c][j]; panels as int8_matrix has them: [n][k / 4][16][4] bytes. One side is u7, the
 * other s8; which, is known at compile time. Tiles of up to TILE_ROWS rows by TILE_PANELS panels stay in registers. */
#define PANEL_VECTORS (INT8_PANEL / VF_LANES)
#define TILE_COLUMNS (TILE_PANELS * INT8_PANEL)

typedef enum u7_side { U7_PANELS, U7_ROWS } u7_side;

typedef struct operands {
    const uint8_t *x; /* [rows], `stride` bytes apart */
    size_t stride;
    const uint8_t *panels; /* each panel_bytes long */
    size_t panel_bytes;
    size_t k; /* a multiple of 4 */
    const uint8_t *next; /* what is wanted after this tile, of the size of its panels: fetched meanwhile, for hardware
                          * does not look across pages. Fetching harms nothing, wherever it points */
} operands;

ALWAYS_INLINE void tile_zero_sums(vi acc[][TILE_PANELS * PANEL_VECTORS], size_t rows, size_t panels) {
    size_t r, v;
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < panels * PANEL_VECTORS; v++) acc[r][v] = vi_set1(0);
    }
}

/* Inputs j to j + 3. */
ALWAYS_INLINE void tile_step(operands o, size_t j, vi acc[][TILE_PANELS * PANEL_VECTORS], size_t rows, size_t panels,
                             u7_side side) {
    const size_t vectors = panels * PANEL_VECTORS;
    vi b[TILE_PANELS * PANEL_VECTORS];
    size_t r, v;
    UNROLL for (v = 0; v < vectors; v++)
        b[v] = vi_load(o.panels + v / PANEL_VECTORS * o.panel_bytes + j * INT8_PANEL + v % PANEL_VECTORS * sizeof(vi));
#ifdef VI_KEEP
    if (rows == 2 || rows == 3) {
        UNROLL for (v = 0; v < vectors; v++) VI_KEEP(b[v]);
    }
#endif
    UNROLL for (v = 0; v < panels; v++) __builtin_prefetch(o.next + (j * panels + 4 * v) * INT8_PANEL, 0, 2);
    UNROLL for (r = 0; r < rows; r++) {
        const vi a = vi_set1_quad(o.x + r * o.stride + j);
        UNROLL for (v = 0; v < vectors; v++)
            acc[r][v] = side == U7_PANELS ? vi_dot(acc[r][v], b[v], a) : vi_dot(acc[r][v], a, b[v]);
    }
}

ALWAYS_INLINE void tile_store_sums(vi acc[][TILE_PANELS * PANEL_VECTORS], int32_t *out, size_t out_stride, size_t rows,
                                   size_t panels) {
    size_t r, v;
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < panels * PANEL_VECTORS; v++) vi_store(out + r * out_stride + v * VF_LANES, acc[r][v]);
    }
}

ALWAYS_INLINE void dot_tile(operands o, int32_t *out, size_t out_stride, size_t rows, size_t panels, u7_side side) {
    vi acc[TILE_ROWS][TILE_PANELS * PANEL_VECTORS];
    size_t j;
    tile_zero_sums(acc, rows, panels);
    for (j = 0; j < o.k; j += 4) tile_step(o, j, acc, rows, panels, side);
    tile_store_sums(acc, out, out_stride, rows, panels);
}

#ifdef TILE_HEADER /* a tier's own way: dot_tile_of, for tiles of its choice */
#include TILE_HEADER
#else
#define dot_tile_of dot_tile
#endif

ALWAYS_INLINE void dot_rows(operands o, int32_t *out, size_t out_stride, size_t rows, size_t panels, u7_side side) {
#ifdef TILE_ANY_PANELS
    dot_tile_of(o, out, out_stride, rows, panels, side);
#else
    for (; panels >= TILE_PANELS; panels -= TILE_PANELS) {
        dot_tile_of(o, out, out_stride, rows, TILE_PANELS, side);
        o.panels += TILE_PANELS * o.panel_bytes;
        out += TILE_COLUMNS;
    }
#if TILE_PANELS > 2
    if (panels >= 2) { /* a head of 32 */
        dot_tile_of(o, out, out_stride, rows, 2, side);
        o.panels += 2 * o.panel_bytes;
        out += 2 * INT8_PANEL;
        panels -= 2;
    }
#endif
#if TILE_PANELS > 1
    for (; panels > 0; panels--) {
        dot_tile_of(o, out, out_stride, rows, 1, side);
        o.panels += o.panel_bytes;
        out += INT8_PANEL;
    }
#endif
#endif
}

/* Any number of panels, 1 to TILE_ROWS rows. */
#define DOT_CASE(n, side) case n: dot_rows(o, out, out_stride, n, panels, side); break;
#if TILE_ROWS == 8
#define DOT_CASES_4_7(side) DOT_CASE(4, side) DOT_CASE(5, side) DOT_CASE(6, side) DOT_CASE(7, side)
#elif TILE_ROWS == 6
#define DOT_CASES_4_7(side) DOT_CASE(4, side) DOT_CASE(5, side)
#elif TILE_ROWS == 5
#define DOT_CASES_4_7(side) DOT_CASE(4, side)
#elif TILE_ROWS == 4
#define DOT_CASES_4_7(side)
#else
#error "TILE_ROWS is 4, 5, 6 or 8."
#endif
#define DEFINE_DOT(name, side)                                                                      \
    static void name(operands o, int32_t *out, size_t out_stride, size_t rows, size_t panels) {     \
        switch (rows) {                                                                             \
        DOT_CASE(1, side) DOT_CASE(2, side) DOT_CASE(3, side) DOT_CASES_4_7(side)                   \
        default: dot_rows(o, out, out_stride, TILE_ROWS, panels, side); break;                      \
        }                                                                                           \
    }
DEFINE_DOT(dot_u7_panels, U7_PANELS)
DEFINE_DOT(dot_u7_rows, U7_ROWS)

#define SWAPPED(a, n) vf_bits(vf_swap##n(vf_from_bits(a)))
#if VF_LANES == 16
#define FOLD(op, a) \
    a = op(a, SWAPPED(a, 8)), a = op(a, SWAPPED(a, 4)), a = op(a, SWAPPED(a, 2)), a = op(a, SWAPPED(a, 1))
#elif VF_LANES == 8
#define FOLD(op, a) a = op(a, SWAPPED(a, 4)), a = op(a, SWAPPED(a, 2)), a = op(a, SWAPPED(a, 1))
#else
#define FOLD(op, a) a = op(a, SWAPPED(a, 2)), a = op(a, SWAPPED(a, 1))
#endif

ALWAYS_INLINE int32_t first_of(vi a) {
    const float first = vf_first(vf_from_bits(a));
    int32_t bits;
    memcpy(&bits, &first, sizeof bits);
    return bits;
}

ALWAYS_INLINE int32_t horizontal_sum(vi a) { return FOLD(vi_add, a), first_of(a); }
ALWAYS_INLINE vi max_everywhere(vi a) { return FOLD(vi_max, a), a; }

static int32_t sum_codes(const int8_t *x, size_t n) {
    const vi ones = vi_set1(0x01010101);
    vi acc = vi_set1(0);
    int32_t sum;
    size_t i;
    for (i = 0; i + sizeof(vi) <= n; i += sizeof(vi)) acc = vi_dot(acc, ones, vi_load(x + i));
    for (sum = horizontal_sum(acc); i < n; i++) sum += x[i];
    return sum;
}
