/* SPDX-License-Identifier: Apache-2.0
 * The blocks of linear_impl.h where registers are left beside a whole tile's sums: while its products are summed, the
 * tile before is finished, a vector every 4 steps, in what the products leave idle.
 *
 *     products   | tile 0 | tile 1 | tile 2 | ...
 *     finishing           | tile 0 | tile 1 | ...
 *
 * Only a vector's multiplications take turns with the products. Included by linear_impl.h; the tier has
 * VI_DOT_IN_ORDER: left to themselves, compilers reorder 24 sums and what is between until they no longer fit in
 * registers. */

/* Here compilers move no access to memory to the other side, and forget what lies behind p: constants and codes wait in
 * memory, not in registers that the sums need. */
#define FORGET(p) __asm__ volatile("" : "+r"(p) : : "memory")

/* A tile of sums that is being finished. */
typedef struct unfinished {
    size_t left;                                     /* vectors to go */
    const int32_t *sums, *minus;                     /* of the next vector; of its row */
    size_t column;                                   /* of the next vector, from the tile's first */
    const float *scale, *bias, *multiplier, *offset; /* of the tile's columns */
    float *y;                                        /* the row's */
    int8_t *codes;
    size_t stride;
    float gelu[GELU_FACTORS], low, high;
} unfinished;

ALWAYS_INLINE void finish_quarter(unfinished *u, const unfinished *constants, gelu_parts *g, size_t quarter,
                                  finish how) {
    const size_t c = u->column;
    if (quarter == (how == FINISH_GELU_CODES ? 0 : 3)) /* only GELU is long enough to be worth quarters */
        g->x = vf_from_int(vi_add(vi_load(u->sums), vi_set1_quad(u->minus))) * vf_load(u->scale + c) +
               vf_load(u->bias + c);
    if (how == FINISH_GELU_CODES) gelu_quarter(g, quarter, constants->gelu);
    if (quarter < 3) return;
    if (how == FINISH_GELU_CODES) g->x = g->x * vf_load(u->multiplier + c) + vf_load(u->offset + c);
    if (how == FINISH_ADD) vf_store(u->y + c, g->x + vf_load(u->y + c));
    else if (how == FINISH_FLOATS) vf_store(u->y + c, g->x);
    else vi_store_codes(u->codes + c, round_of(clamp_of(g->x, vf_set1(constants->low), vf_set1(constants->high))));
    u->left--;
    u->sums += VF_LANES;
    u->column += VF_LANES;
    if (u->column < TILE_COLUMNS) return;
    u->column = 0;
    u->minus++;
    if (how == FINISH_ADD || how == FINISH_FLOATS) u->y += u->stride;
    else u->codes += u->stride;
}

/* tile_step of a whole tile, its products in the order written. */
ALWAYS_INLINE void tile_step_in_order(operands o, size_t j, vi acc[][TILE_PANELS]) {
    vi b[TILE_PANELS];
    size_t r, v;
    UNROLL for (v = 0; v < TILE_PANELS; v++) {
        b[v] = vi_load(o.panels + v * o.panel_bytes + j * INT8_PANEL);
        __builtin_prefetch(o.next + (j * TILE_PANELS + 4 * v) * INT8_PANEL, 0, 2);
    }
    UNROLL for (r = 0; r < TILE_ROWS; r++) {
        const vi a = vi_set1_quad(o.x + r * o.stride + j);
        UNROLL for (v = 0; v < TILE_PANELS; v++) VI_DOT_IN_ORDER(acc[r][v], b[v], a);
    }
}

/* A whole tile's sums, meanwhile finishing the tile before. */
ALWAYS_INLINE void tile_and_finish(operands o, int32_t *sums, unfinished u, const unfinished *constants, finish how) {
    vi acc[TILE_ROWS][TILE_PANELS];
    gelu_parts g;
    size_t j = 0;
    tile_zero_sums(acc, TILE_ROWS, TILE_PANELS);
    while (u.left > 0 && j + 16 <= o.k) {
#define STEP_AND_QUARTER(quarter)                      \
    tile_step_in_order(o, j, acc);                     \
    j += 4;                                            \
    FORGET(constants);                                 \
    finish_quarter(&u, constants, &g, quarter, how);
        STEP_AND_QUARTER(0)
        STEP_AND_QUARTER(1)
        STEP_AND_QUARTER(2)
        STEP_AND_QUARTER(3)
    }
    for (; j < o.k; j += 4) tile_step(o, j, acc, TILE_ROWS, TILE_PANELS, U7_PANELS);
    tile_store_sums(acc, sums, TILE_COLUMNS, TILE_ROWS, TILE_PANELS);
    while (u.left > 0) {
        finish_quarter(&u, constants, &g, 0, how);
        finish_quarter(&u, constants, &g, 1, how);
        finish_quarter(&u, constants, &g, 2, how);
        finish_quarter(&u, constants, &g, 3, how);
    }
}

#define DEFINE_TILE_AND_FINISH(name, how)                                             \
    static void name(operands o, int32_t *sums, const unfinished *u) {                \
        tile_and_finish(o, sums, *u, u, how);                                         \
    }
DEFINE_TILE_AND_FINISH(tile_and_finish_floats, FINISH_FLOATS)
DEFINE_TILE_AND_FINISH(tile_and_finish_add, FINISH_ADD)
DEFINE_TILE_AND_FINISH(tile_and_finish_codes, FINISH_CODES)
DEFINE_TILE_AND_FINISH(tile_and_finish_gelu_codes, FINISH_GELU_CODES)

/* What is the same for all tiles. */
static unfinished unfinished_init(const linear_out *out) {
    unfinished u = {.stride = out->stride, .low = -128.0f, .high = 127.0f};
    if (out->how == FINISH_CODES) {
        u.low = out->low;
        u.high = out->high;
    }
    memcpy(u.gelu, gelu_factors, sizeof gelu_factors);
    return u;
}

static void unfinished_set(unfinished *u, const int32_t *sums, const int32_t *minus, size_t row, size_t column,
                           const int8_matrix *w, const linear_out *out) {
    u->left = TILE_ROWS * TILE_COLUMNS / VF_LANES;
    u->sums = sums;
    u->minus = minus + row;
    u->scale = w->scale + column;
    u->bias = w->bias + column;
    if (out->y != NULL) u->y = out->y + row * out->stride + column;
    if (out->codes != NULL) u->codes = out->codes + row * out->stride + column;
    if (out->q != NULL) {
        u->multiplier = out->q->multiplier + column;
        u->offset = out->q->offset + column;
    }
}

static void linear_block_of(const int8_t *x, size_t rows, const int8_matrix *w, const linear_out *out) {
    BUFFER int32_t minus[LINEAR_ROWS], sums[STRIP_ROWS * TILE_COLUMNS], tiles[2][TILE_ROWS * TILE_COLUMNS];
    unfinished u = unfinished_init(out);
    /* One row too many is shared out over two tiles: alone it would wait for its weights. */
    const size_t left = rows % TILE_ROWS, whole = rows - left - (left == 1 ? TILE_ROWS : 0);
    size_t first, r, row = 0, column = 0, t = 0;
    if (rows < TILE_ROWS) {
        linear_block(x, rows, w, out);
        return;
    }
    for (r = 0; r < rows; r++) minus[r] = -INT8_WEIGHT_BIAS * sum_codes(x + r * w->k, w->k);
    for (first = 0; first < w->n; first += TILE_COLUMNS) {
        for (r = 0; r < whole && first + TILE_COLUMNS <= w->n; r += TILE_ROWS, t ^= 1) {
            const uint8_t *panels = w->panels + first * w->k;
            const operands o = {(const uint8_t *)x + r * w->k, w->k, panels, INT8_PANEL * w->k, w->k,
                                panels + TILE_COLUMNS * w->k};
            switch (out->how) {
            case FINISH_FLOATS: tile_and_finish_floats(o, tiles[t], &u); break;
            case FINISH_ADD: tile_and_finish_add(o, tiles[t], &u); break;
            case FINISH_CODES: tile_and_finish_codes(o, tiles[t], &u); break;
            case FINISH_GELU_CODES: tile_and_finish_gelu_codes(o, tiles[t], &u); break;
            }
            unfinished_set(&u, tiles[t], minus, row = r, column = first, w, out);
        }
        for (; r < rows; r += STRIP_ROWS)
            linear_strip(x, minus, r, rows - r < STRIP_ROWS ? rows - r : STRIP_ROWS, first, w, out, sums);
    }
    if (u.left > 0) linear_finish(u.sums, minus, row, TILE_ROWS, column, TILE_COLUMNS, w, out);
}
