/* SPDX-License-Identifier: Apache-2.0
 *
 * The run-time kernels, written once: each tier's file defines vectors of VF_LANES floats (vf) or int32 (vi), a few
 * verbs (vf_load, vi_dot ...) and a tile's size, and includes this file. + - * / of floats are the vectors' own
 * operators.
 *
 *   functions.h     GELU, 2^x: of one vector
 *   kernels_impl.h  quantize, gelu, norm; the integer products; linear and attention, which are made of them; the table
 *
 * The bits are those of ref.c: sums of codes are integers, so their order is free; a float's lane does the same
 * operations whatever its neighbours do; norm has 16 partial sums whatever VF_LANES is (lanes that a tail does not fill
 * add +0, which changes no partial sum, as none is ever -0). */
#ifndef VF_LANES
#error "kernels_impl.h is included by the tiers' files only."
#endif

#include <string.h>

#include "run/kernels/functions.h"

/* --- Element-wise ------------------------------------------------------------------------------------------------- */
/* Rounded codes in the low bytes: t is clamped already. */
ALWAYS_INLINE vi round_of(vf t) { return vf_bits(t + vf_set1(RNE_MAGIC)); }

ALWAYS_INLINE vf rne_of(vf t) { return (t + vf_set1(RNE_MAGIC)) - vf_set1(RNE_MAGIC); }

static void quantize(const float *x, const float *multiplier, const float *offset, float low, float high, size_t n,
                     int8_t *codes) {
    const vf zero = vf_set1(0.0f), l = vf_set1(low), h = vf_set1(high);
    size_t i;
    for (i = 0; i + VF_LANES <= n; i += VF_LANES) {
        vf t = vf_load(x + i);
        if (multiplier != NULL) t = t * vf_load(multiplier + i) + vf_load(offset + i);
        vi_store_codes(codes + i, round_of(clamp_of(t, l, h)));
    }
    if (i < n) {
        vf t = vf_load_part(x + i, n - i, zero);
        if (multiplier != NULL)
            t = t * vf_load_part(multiplier + i, n - i, zero) + vf_load_part(offset + i, n - i, zero);
        vi_store_codes_part(codes + i, n - i, round_of(clamp_of(t, l, h)));
    }
}

static void gelu(float *x, size_t n) {
    size_t i;
    for (i = 0; i + VF_LANES <= n; i += VF_LANES) vf_store(x + i, gelu_of(vf_load(x + i)));
    if (i < n) vf_store_part(x + i, n - i, gelu_of(vf_load_part(x + i, n - i, vf_set1(0.0f))));
}

/* --- Layer norm --------------------------------------------------------------------------------------------------- */
#define PARTIAL_VECTORS (NORM_PARTIALS / VF_LANES)

/* The tree over 16 partials: ((p0+p8)+(p4+p12)) + ((p2+p10)+(p6+p14)), plus the same of the odd ones. */
ALWAYS_INLINE float sum_tree(vf *p) {
    size_t half, v;
    UNROLL for (half = PARTIAL_VECTORS / 2; half > 0; half /= 2) {
        UNROLL for (v = 0; v < half; v++) p[v] = p[v] + p[v + half];
    }
#if VF_LANES >= 16
    p[0] = p[0] + vf_swap8(p[0]);
#endif
#if VF_LANES >= 8
    p[0] = p[0] + vf_swap4(p[0]);
#endif
    p[0] = p[0] + vf_swap2(p[0]);
    p[0] = p[0] + vf_swap1(p[0]);
    return vf_first(p[0]);
}

/* Elements i to i + n - 1 of one vector, n <= VF_LANES; the other lanes are 0. */
ALWAYS_INLINE vf norm_input(const float *x, const float *residual, const int8_norm *w, size_t i, size_t n) {
    const vf zero = vf_set1(0.0f);
    vf s = n == VF_LANES ? vf_load(x + i) : vf_load_part(x + i, n, zero);
    if (residual != NULL) s = s + (n == VF_LANES ? vf_load(residual + i) : vf_load_part(residual + i, n, zero));
    if (w->input_step != NULL) {
        const vf m = n == VF_LANES ? vf_load(w->input_multiplier + i) : vf_load_part(w->input_multiplier + i, n, zero);
        const vf step = n == VF_LANES ? vf_load(w->input_step + i) : vf_load_part(w->input_step + i, n, zero);
        s = rne_of(clamp_of(s * m, vf_set1(-127.0f), vf_set1(127.0f))) * step;
    }
    return clamp_of(s, vf_set1(-NORM_LIMIT), vf_set1(NORM_LIMIT));
}

static float norm_mean(const float *x, const float *residual, const int8_norm *w, size_t n, float *y) {
    vf p[PARTIAL_VECTORS];
    size_t i = 0, v;
    UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) p[v] = vf_set1(0.0f);
    for (; i + NORM_PARTIALS <= n; i += NORM_PARTIALS) {
        UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) {
            const vf s = norm_input(x, residual, w, i + v * VF_LANES, VF_LANES);
            vf_store(y + i + v * VF_LANES, s);
            p[v] = p[v] + s;
        }
    }
    UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) {
        if (i < n) {
            const size_t lanes = n - i < VF_LANES ? n - i : VF_LANES;
            const vf s = norm_input(x, residual, w, i, lanes);
            if (lanes == VF_LANES) vf_store(y + i, s);
            else vf_store_part(y + i, lanes, s);
            p[v] = p[v] + s;
            i += lanes;
        }
    }
    return sum_tree(p) / (float)n;
}

static float norm_variance(const float *y, float mean, size_t n) {
    const vf m = vf_set1(mean);
    vf p[PARTIAL_VECTORS];
    size_t i = 0, v;
    UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) p[v] = vf_set1(0.0f);
    for (; i + NORM_PARTIALS <= n; i += NORM_PARTIALS) {
        UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) {
            const vf d = vf_load(y + i + v * VF_LANES) - m;
            p[v] = p[v] + d * d;
        }
    }
    UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) {
        if (i < n) {
            const size_t lanes = n - i < VF_LANES ? n - i : VF_LANES;
            const vf d = (lanes == VF_LANES ? vf_load(y + i) : vf_load_part(y + i, lanes, m)) - m;
            p[v] = p[v] + d * d;
            i += lanes;
        }
    }
    return sum_tree(p) / (float)n;
}

static void norm(const float *x, const float *residual, const int8_norm *w, float epsilon, size_t n, float *y) {
    const float mean = norm_mean(x, residual, w, n, y), variance = norm_variance(y, mean, n);
    const vf m = vf_set1(mean), factor = vf_set1(1.0f / __builtin_sqrtf(variance + epsilon)), zero = vf_set1(0.0f);
    size_t i;
    for (i = 0; i + VF_LANES <= n; i += VF_LANES)
        vf_store(y + i, ((vf_load(y + i) - m) * factor) * vf_load(w->gamma + i) + vf_load(w->beta + i));
    if (i < n) {
        const vf gamma = vf_load_part(w->gamma + i, n - i, zero), beta = vf_load_part(w->beta + i, n - i, zero);
        vf_store_part(y + i, n - i, ((vf_load_part(y + i, n - i, zero) - m) * factor) * gamma + beta);
    }
}

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

ALWAYS_INLINE void dot_tile(operands o, int32_t *out, size_t out_stride, size_t rows, size_t panels, u7_side side) {
    vi acc[TILE_ROWS][TILE_PANELS * PANEL_VECTORS], b[TILE_PANELS * PANEL_VECTORS];
    const size_t vectors = panels * PANEL_VECTORS;
    size_t j, r, v;
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < vectors; v++) acc[r][v] = vi_set1(0);
    }
    for (j = 0; j < o.k; j += 4) {
        UNROLL for (v = 0; v < vectors; v++)
            b[v] = vi_load(o.panels + v / PANEL_VECTORS * o.panel_bytes + j * INT8_PANEL +
                           v % PANEL_VECTORS * sizeof(vi));
        UNROLL for (v = 0; v < panels; v++) __builtin_prefetch(o.next + (j * panels + 4 * v) * INT8_PANEL, 0, 2);
        UNROLL for (r = 0; r < rows; r++) {
            const vi a = vi_set1_quad(o.x + r * o.stride + j);
            UNROLL for (v = 0; v < vectors; v++)
                acc[r][v] = side == U7_PANELS ? vi_dot(acc[r][v], b[v], a) : vi_dot(acc[r][v], a, b[v]);
        }
    }
    UNROLL for (r = 0; r < rows; r++) {
        UNROLL for (v = 0; v < vectors; v++) vi_store(out + r * out_stride + v * VF_LANES, acc[r][v]);
    }
}

#ifdef TILE_HEADER /* a tier's own way: dot_tile_of, for tiles of its choice */
#include TILE_HEADER
#else
#define dot_tile_of dot_tile
#endif

ALWAYS_INLINE void dot_rows(operands o, int32_t *out, size_t out_stride, size_t rows, size_t panels, u7_side side) {
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
}

/* Any number of panels, 1 to TILE_ROWS rows. */
#define DOT_CASE(n, side) case n: dot_rows(o, out, out_stride, n, panels, side); break;
#if TILE_ROWS == 8
#define DOT_CASES_4_7(side) DOT_CASE(4, side) DOT_CASE(5, side) DOT_CASE(6, side) DOT_CASE(7, side)
#elif TILE_ROWS == 6
#define DOT_CASES_4_7(side) DOT_CASE(4, side) DOT_CASE(5, side)
#elif TILE_ROWS == 4
#define DOT_CASES_4_7(side)
#else
#error "TILE_ROWS is 4, 6 or 8."
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

/* --- Linear ------------------------------------------------------------------------------------------------------- */
#ifndef STRIP_ROWS
#define STRIP_ROWS ((size_t)(TILE_ROWS == 6 ? 24 : 16)) /* whose sums are finished together; whole tiles */
#define LINEAR_ROWS ((size_t)48) /* rows at a time that share the weights in the cache; a multiple of STRIP_ROWS */
#endif

/* What becomes of y = (float)(dot - correction) * scale + bias, while it is in a register. */
typedef enum finish { FINISH_FLOATS, FINISH_ADD, FINISH_CODES, FINISH_GELU_CODES } finish;

typedef struct linear_out {
    finish how;
    float *y;                /* FLOATS: stored; ADD: added */
    int8_t *codes;           /* CODES: rounded between low and high; GELU_CODES: GELU, then quantized by q */
    size_t stride;           /* of y or codes */
    float low, high;
    const int8_quantizer *q;
} linear_out;

ALWAYS_INLINE vf load_lanes(const float *p, size_t n) {
    return n == VF_LANES ? vf_load(p) : vf_load_part(p, n, vf_set1(0.0f));
}
ALWAYS_INLINE void store_lanes(float *p, size_t n, vf v) {
    if (n == VF_LANES) vf_store(p, v);
    else vf_store_part(p, n, v);
}
ALWAYS_INLINE void store_codes_lanes(int8_t *p, size_t n, vi codes) {
    if (n == VF_LANES) vi_store_codes(p, codes);
    else vi_store_codes_part(p, n, codes);
}

/* What a vector of columns is finished with. */
typedef struct column_factors {
    vf scale, bias, multiplier, offset, low, high;
} column_factors;

/* `lanes` columns of n rows. sums: theirs, a tile's row apart. minus[i] is -64 * sum_k x[i][k], since the panels hold
 * w + 64. y, codes: where the first goes. */
ALWAYS_INLINE void finish_rows(const int32_t *sums, const int32_t *minus, size_t n, size_t lanes, column_factors f,
                               float *y, int8_t *codes, size_t stride, finish how) {
    vf value[GELU_AT_ONCE];
    size_t i;
    UNROLL for (i = 0; i < n; i++)
        value[i] = vf_from_int(vi_add(vi_load(sums + i * TILE_COLUMNS), vi_set1(minus[i]))) * f.scale + f.bias;
    if (how == FINISH_GELU_CODES) {
        gelu_of_each(value, n);
        UNROLL for (i = 0; i < n; i++) value[i] = value[i] * f.multiplier + f.offset;
    }
    UNROLL for (i = 0; i < n; i++) {
        if (how == FINISH_ADD) store_lanes(y + i * stride, lanes, value[i] + load_lanes(y + i * stride, lanes));
        else if (how == FINISH_FLOATS) store_lanes(y + i * stride, lanes, value[i]);
        else store_codes_lanes(codes + i * stride, lanes, round_of(clamp_of(value[i], f.low, f.high)));
    }
}

/* `lanes` columns from `column` on, of some rows from `row` on. */
ALWAYS_INLINE void finish_columns(const int32_t *sums, const int32_t *minus, size_t row, size_t rows, size_t column,
                                  size_t lanes, const int8_matrix *w, const linear_out *out, finish how) {
    const size_t stride = out->stride, at = row * stride + column;
    float *y = out->y != NULL ? out->y + at : NULL;
    int8_t *codes = out->codes != NULL ? out->codes + at : NULL;
    column_factors f = {.scale = vf_load(w->scale + column), .bias = vf_load(w->bias + column)};
    size_t r = 0;
    f.low = vf_set1(how == FINISH_CODES ? out->low : -128.0f);
    f.high = vf_set1(how == FINISH_CODES ? out->high : 127.0f);
    if (how == FINISH_GELU_CODES) {
        f.multiplier = load_lanes(out->q->multiplier + column, lanes);
        f.offset = load_lanes(out->q->offset + column, lanes);
    }
    for (; r + GELU_AT_ONCE <= rows; r += GELU_AT_ONCE) {
        finish_rows(sums + r * TILE_COLUMNS, minus + row + r, GELU_AT_ONCE, lanes, f, y, codes, stride, how);
        if (y != NULL) y += GELU_AT_ONCE * stride;
        if (codes != NULL) codes += GELU_AT_ONCE * stride;
    }
    for (; r < rows; r++) {
        finish_rows(sums + r * TILE_COLUMNS, minus + row + r, 1, lanes, f, y, codes, stride, how);
        if (y != NULL) y += stride;
        if (codes != NULL) codes += stride;
    }
}

/* Sums of `columns` columns from `first` on -> rows `row` to `row` + rows - 1. */
#define DEFINE_FINISH(name, how)                                                                                     \
    static void name(const int32_t *sums, const int32_t *minus, size_t row, size_t rows, size_t first,               \
                     size_t columns, const int8_matrix *w, const linear_out *out) {                                  \
        size_t c;                                                                                                    \
        for (c = 0; c + VF_LANES <= columns; c += VF_LANES)                                                          \
            finish_columns(sums + c, minus, row, rows, first + c, VF_LANES, w, out, how);                            \
        if (c < columns) finish_columns(sums + c, minus, row, rows, first + c, columns - c, w, out, how);            \
    }
DEFINE_FINISH(finish_floats, FINISH_FLOATS)
DEFINE_FINISH(finish_add, FINISH_ADD)
DEFINE_FINISH(finish_codes, FINISH_CODES)
DEFINE_FINISH(finish_gelu_codes, FINISH_GELU_CODES)

static void linear_finish(const int32_t *sums, const int32_t *minus, size_t row, size_t rows, size_t first,
                          size_t columns, const int8_matrix *w, const linear_out *out) {
    switch (out->how) {
    case FINISH_FLOATS: finish_floats(sums, minus, row, rows, first, columns, w, out); break;
    case FINISH_ADD: finish_add(sums, minus, row, rows, first, columns, w, out); break;
    case FINISH_CODES: finish_codes(sums, minus, row, rows, first, columns, w, out); break;
    case FINISH_GELU_CODES: finish_gelu_codes(sums, minus, row, rows, first, columns, w, out); break;
    }
}

/* sums[r][c] of a strip of rows and 1 to TILE_PANELS panels, rows TILE_COLUMNS apart */
static void strip_dots(operands o, size_t rows, size_t panels, int32_t *sums) {
    size_t r;
    for (r = 0; r < rows; r += TILE_ROWS, o.x += TILE_ROWS * o.stride)
        dot_u7_panels(o, sums + r * TILE_COLUMNS, TILE_COLUMNS, rows - r < TILE_ROWS ? rows - r : TILE_ROWS, panels);
}

#ifdef STRIP_HEADER /* a tier's own way: strip_dots_of, for strips of its choice; and what it wants around a product */
#include STRIP_HEADER
#else
#define strip_dots_of strip_dots
#define products_begin() ((void)0)
#define products_end() ((void)0)
#endif

/* Columns `first` on of rows `row` on: the sums of a strip of tiles lie in the nearest cache, so that constants and
 * columns' factors are loaded once a strip. */
static void linear_strip(const int8_t *x, const int32_t *minus, size_t row, size_t rows, size_t first,
                         const int8_matrix *w, const linear_out *out, int32_t *sums) {
    const size_t columns = w->n - first < TILE_COLUMNS ? w->n - first : TILE_COLUMNS;
    const uint8_t *panels = w->panels + first * w->k;
    const operands o = {(const uint8_t *)x + row * w->k, w->k, panels, INT8_PANEL * w->k, w->k, panels + columns * w->k};
    strip_dots_of(o, rows, int8_panels(columns), sums);
    linear_finish(sums, minus, row, rows, first, columns, w, out);
}

static void linear_block(const int8_t *x, size_t rows, const int8_matrix *w, const linear_out *out) {
    int32_t minus[LINEAR_ROWS], sums[STRIP_ROWS * TILE_COLUMNS];
    size_t first, r;
    for (r = 0; r < rows; r++) minus[r] = -INT8_WEIGHT_BIAS * sum_codes(x + r * w->k, w->k);
    for (first = 0; first < w->n; first += TILE_COLUMNS)
        for (r = 0; r < rows; r += STRIP_ROWS)
            linear_strip(x, minus, r, rows - r < STRIP_ROWS ? rows - r : STRIP_ROWS, first, w, out, sums);
}

static void linear_blocks(const int8_t *x, size_t rows, const int8_matrix *w, linear_out out) {
    products_begin();
    for (; rows > 0; x += LINEAR_ROWS * w->k) {
        const size_t n = rows < LINEAR_ROWS ? rows : LINEAR_ROWS;
        linear_block(x, n, w, &out);
        rows -= n;
        if (out.y != NULL) out.y += n * out.stride;
        if (out.codes != NULL) out.codes += n * out.stride;
    }
    products_end();
}

static void linear(const int8_t *x, size_t rows, const int8_matrix *w, float *y) {
    linear_blocks(x, rows, w, (linear_out){.how = FINISH_FLOATS, .y = y, .stride = w->n});
}

static void linear_add(const int8_t *x, size_t rows, const int8_matrix *w, float *y) {
    linear_blocks(x, rows, w, (linear_out){.how = FINISH_ADD, .y = y, .stride = w->n});
}

static void linear_codes(const int8_t *x, size_t rows, const int8_matrix *w, float low, float high, int8_t *codes,
                         size_t stride) {
    linear_blocks(x, rows, w,
                  (linear_out){.how = FINISH_CODES, .codes = codes, .stride = stride, .low = low, .high = high});
}

static void linear_gelu_codes(const int8_t *x, size_t rows, const int8_matrix *w, const int8_quantizer *q,
                              int8_t *codes) {
    linear_blocks(x, rows, w, (linear_out){.how = FINISH_GELU_CODES, .codes = codes, .stride = w->n, .q = q});
}

/* --- Attention ---------------------------------------------------------------------------------------------------- */
/* scratch: [ keys: panels of 16 tokens over head_dim | values: panels of 16 dimensions over tokens
 *          | scores: int32 [TILE_ROWS][padded] | exponentials: u7 [TILE_ROWS][padded] ]
 * padded: n_tokens up to a multiple of 16. Keys are stored + 64; what that adds to a query's scores is the same for all
 * keys and goes with the maximum. Padded tokens have exponentials 0; their values are 0 too, so that nothing unwritten
 * is read. */
typedef struct attention_memory {
    uint8_t *keys, *values, *exponentials;
    int32_t *scores;
    size_t padded;
} attention_memory;

/* keys [n_tokens][stride] of one head -> panels [padded / 16][head_dim / 4][16][4] of key + 64 */
static void pack_keys(const int8_t *keys, size_t stride, size_t n_tokens, size_t head_dim, attention_memory *a) {
    const size_t panel_bytes = INT8_PANEL * head_dim;
    size_t t, d;
    for (t = 0; t < a->padded; t++) {
        uint8_t *out = a->keys + t / INT8_PANEL * panel_bytes + t % INT8_PANEL * 4;
        for (d = 0; d < head_dim; d += 4) {
            uint32_t quad = 0;
            if (t < n_tokens) memcpy(&quad, keys + t * stride + d, sizeof quad);
            /* + 64 in each byte: codes are in [-64, 63], so adding to the low 7 bits and dropping the 8th is enough. */
            quad = ((quad & 0x7f7f7f7fu) + 0x40404040u) & 0x7f7f7f7fu;
            memcpy(out + d * INT8_PANEL, &quad, sizeof quad);
        }
    }
}

/* values [n_tokens][stride] of one head -> panels [head_dim / 16][padded / 4][16][4], zeros beyond both edges */
static void pack_values(const int8_t *values, size_t stride, size_t n_tokens, size_t head_dim, attention_memory *a) {
    const size_t panel_bytes = INT8_PANEL * a->padded;
    size_t t, d, first;
    for (first = 0; first < head_dim; first += INT8_PANEL) {
        const size_t dims = head_dim - first < INT8_PANEL ? head_dim - first : INT8_PANEL;
        uint8_t *panel = a->values + first / INT8_PANEL * panel_bytes;
        if (dims < INT8_PANEL || n_tokens < a->padded) memset(panel, 0, panel_bytes);
        for (t = 0; dims == INT8_PANEL && t + 4 <= n_tokens; t += 4)
            interleave_rows(values + t * stride + first, stride, panel + t * INT8_PANEL);
        for (; t < n_tokens; t++) {
            const int8_t *in = values + t * stride + first;
            uint8_t *out = panel + t / 4 * (4 * INT8_PANEL) + t % 4;
            for (d = 0; d < dims; d++) out[d * 4] = (uint8_t)in[d];
        }
    }
}

/* From place 16 - n on: ones in n lanes and zeros behind; in lowest_lanes zeros in n lanes, the least int behind. */
#define ONES -1, -1, -1, -1
#define ZEROS 0, 0, 0, 0
#define LOWEST INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN
static const int32_t used_lanes[32] = {ONES, ONES, ONES, ONES, ZEROS, ZEROS, ZEROS, ZEROS};
static const int32_t lowest_lanes[32] = {ZEROS, ZEROS, ZEROS, ZEROS, LOWEST, LOWEST, LOWEST, LOWEST};

/* Lanes that are used of the vector that begins at i. */
ALWAYS_INLINE size_t lanes_at(size_t i, size_t n) { return i >= n ? 0 : n - i < VF_LANES ? n - i : VF_LANES; }

/* score[0 .. n) of one query -> p[j] = round(127 * 2^((score[j] - max) * scale) + dither), 0 from n to padded; returns
 * their sum. */
static int32_t exponentials(const int32_t *score, size_t query, size_t n, size_t padded, float scale, uint8_t *p) {
    const float *dither = exp_dither + EXP_DITHER_STEP * query % EXP_DITHER_PERIOD;
    const vf s = vf_set1(scale);
    vi maximum = vi_set1(INT32_MIN), sum = vi_set1(0);
    size_t i;
    for (i = 0; i < n; i += VF_LANES) {
        const size_t place = 16 - lanes_at(i, n);
        const vi used = vi_and(vi_load(score + i), vi_load(used_lanes + place));
        maximum = vi_max(maximum, vi_add(used, vi_load(lowest_lanes + place)));
    }
    maximum = max_everywhere(maximum);
    for (i = 0; i < padded; i += VF_LANES) {
        const vf t = vf_from_int(vi_sub(vi_load(score + i), maximum)) * s;
        const vi used = vi_and(vi_load(used_lanes + 16 - lanes_at(i, n)), vi_set1(0xff));
        const vi code = vi_and(exp_code(t, vf_load(dither + i % EXP_DITHER_PERIOD)), used);
        vi_store_codes((int8_t *)p + i, code);
        sum = vi_add(sum, code);
    }
    return horizontal_sum(sum);
}

/* Dimensions `first` to `first` + dims - 1 of one query: code = clamp(dot * (1 / total) * multiplier + offset),
 * rounded. */
static void attention_finish(const int32_t *dot, float reciprocal, const float *multiplier, const float *offset,
                             size_t dims, int8_t *out) {
    const vf r = vf_set1(reciprocal), low = vf_set1(-128.0f), high = vf_set1(127.0f), zero = vf_set1(0.0f);
    size_t d;
    for (d = 0; d < dims; d += VF_LANES) {
        const size_t lanes = dims - d;
        const vf c = vf_from_int(vi_load(dot + d)) * r;
        if (lanes >= VF_LANES) {
            const vf t = c * vf_load(multiplier + d) + vf_load(offset + d);
            vi_store_codes(out + d, round_of(clamp_of(t, low, high)));
        } else {
            const vf t = c * vf_load_part(multiplier + d, lanes, zero) + vf_load_part(offset + d, lanes, zero);
            vi_store_codes_part(out + d, lanes, round_of(clamp_of(t, low, high)));
        }
    }
}

/* `rows` queries of one head from the text's `query` on, `stride` apart; out: context codes, `out_stride` apart. */
static void attend(const int8_t *queries, size_t stride, size_t query, size_t rows, size_t n_tokens, size_t head_dim,
                   float score_scale, const float *multiplier, const float *offset, const attention_memory *a,
                   int32_t *tile, int8_t *out, size_t out_stride) {
    const size_t padded = a->padded, n_panels = (head_dim + INT8_PANEL - 1) / INT8_PANEL;
    const operands qk = {(const uint8_t *)queries, stride, a->keys, INT8_PANEL * head_dim, head_dim, a->keys};
    float reciprocal[TILE_ROWS];
    size_t r, p;
    dot_u7_panels(qk, a->scores, padded, rows, padded / INT8_PANEL);
    for (r = 0; r < rows; r++)
        reciprocal[r] = 1.0f / (float)exponentials(a->scores + r * padded, query + r, n_tokens, padded, score_scale,
                                                   a->exponentials + r * padded);
    for (p = 0; p < n_panels; p += TILE_PANELS) {
        const size_t panels = n_panels - p < TILE_PANELS ? n_panels - p : TILE_PANELS, first = p * INT8_PANEL;
        const size_t dims = head_dim - first < TILE_COLUMNS ? head_dim - first : TILE_COLUMNS;
        const operands pv = {a->exponentials, padded, a->values + first * padded, INT8_PANEL * padded,
                             (n_tokens + 3) / 4 * 4, a->values};
        dot_u7_rows(pv, tile, TILE_COLUMNS, rows, panels);
        for (r = 0; r < rows; r++)
            attention_finish(tile + r * TILE_COLUMNS, reciprocal[r], multiplier + first, offset + first, dims,
                             out + r * out_stride + first);
    }
}

static void attention_queries(const int8_t *qkv, size_t n_tokens, size_t first, size_t n, size_t n_heads,
                              size_t head_dim, const float *score_scale, const int8_quantizer *context, void *scratch,
                              int8_t *out) {
    const size_t hidden = n_heads * head_dim, stride = 3 * hidden, padded = (n_tokens + 15) / 16 * 16;
    attention_memory a = {.padded = padded, .keys = scratch};
    int32_t tile[TILE_ROWS * TILE_COLUMNS];
    size_t h, t;
    a.values = a.keys + padded * head_dim;
    a.scores = (int32_t *)(void *)(a.values + padded * ((head_dim + 15) / 16 * 16));
    a.exponentials = (uint8_t *)(a.scores + TILE_ROWS * padded);
    for (h = 0; h < n_heads; h++) {
        const size_t at = h * head_dim;
        pack_keys(qkv + hidden + at, stride, n_tokens, head_dim, &a);
        pack_values(qkv + 2 * hidden + at, stride, n_tokens, head_dim, &a);
        for (t = first; t < first + n; t += TILE_ROWS) {
            const size_t rows = first + n - t < TILE_ROWS ? first + n - t : TILE_ROWS;
            attend(qkv + t * stride + at, stride, t, rows, n_tokens, head_dim, score_scale[h], context->multiplier + at,
                   context->offset + at, &a, tile, out + t * hidden + at, hidden);
        }
    }
}

static void attention(const int8_t *qkv, size_t n_tokens, size_t n_heads, size_t head_dim, const float *score_scale,
                      const int8_quantizer *context, void *scratch, int8_t *out) {
    attention_queries(qkv, n_tokens, 0, n_tokens, n_heads, head_dim, score_scale, context, scratch, out);
}

const kernels TIER(kernels) = {
    .name = TIER_NAME, .linear = linear, .linear_add = linear_add, .linear_codes = linear_codes,
    .linear_gelu_codes = linear_gelu_codes, .quantize = quantize, .gelu = gelu, .norm = norm, .attention = attention,
    .attention_queries = attention_queries, .attention_scratch_bytes = kernels_attention_scratch_bytes,
};
