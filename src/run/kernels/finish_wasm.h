/* SPDX-License-Identifier: Apache-2.0
 * How the WASM files finish sums: row by row, 16 columns at a time. Included by linear_impl.h, after finish_columns.
 * In: sums. Out: floats or codes.
 *
 * clang writes a vector's operations one behind the other, whatever their order in C, and a processor that looks 100
 * instructions ahead sees too few vectors to fill the time that each operation waits for the one before. So GELU goes
 * over a row three times, with few operations in a chain each time:
 *
 *   sums -> x, p (quarter 0) | p (quarters 1 and 2) | quarter 3, codes */
#define FINISH_AT_ONCE INT8_PANEL

typedef struct row_factors {
    const float *scale, *bias, *multiplier, *offset; /* of the strip's columns */
    float low, high;
} row_factors;

ALWAYS_INLINE vf finish_value(const int32_t *sums, vi minus, const float *scale, const float *bias) {
    return vf_from_int(vi_add(vi_load(sums), minus)) * vf_load(scale) + vf_load(bias);
}

/* 16 codes. */
ALWAYS_INLINE void store_rounded(int8_t *to, vf a, vf b, vf c, vf d, vf low, vf high) {
    const vi above = vf_bits(vf_set1(RNE_MAGIC)); /* what a code's float is above it */
    const vi i = vi_sub(round_of(clamp_of(a, low, high)), above), j = vi_sub(round_of(clamp_of(b, low, high)), above);
    const vi k = vi_sub(round_of(clamp_of(c, low, high)), above), l = vi_sub(round_of(clamp_of(d, low, high)), above);
    vi_store_codes_16(to, i, j, k, l);
}

ALWAYS_INLINE void finish_row(const int32_t *sums, int32_t row_minus, size_t columns, const row_factors *f, float *y,
                              int8_t *codes, finish how) {
    const vi minus = vi_set1(row_minus);
    const vf low = vf_set1(f->low), high = vf_set1(f->high);
    const float *scale = f->scale, *bias = f->bias;
    size_t v;
    for (; columns > 0; columns -= FINISH_AT_ONCE) {
        vf x[FINISH_AT_ONCE / VF_LANES];
        FIXED(sums);
        FIXED(scale);
        FIXED(bias);
        UNROLL for (v = 0; v < FINISH_AT_ONCE / VF_LANES; v++)
            x[v] = finish_value(sums + v * VF_LANES, minus, scale + v * VF_LANES, bias + v * VF_LANES);
        sums += FINISH_AT_ONCE;
        scale += FINISH_AT_ONCE;
        bias += FINISH_AT_ONCE;
        if (how == FINISH_CODES) {
            store_rounded(codes, x[0], x[1], x[2], x[3], low, high);
            codes += FINISH_AT_ONCE;
            continue;
        }
        FIXED(y);
        UNROLL for (v = 0; v < FINISH_AT_ONCE / VF_LANES; v++)
            vf_store(y + v * VF_LANES, how == FINISH_ADD ? x[v] + vf_load(y + v * VF_LANES) : x[v]);
        y += FINISH_AT_ONCE;
    }
}

/* u anew from x, and p as it is after the quarters before. */
ALWAYS_INLINE gelu_parts gelu_again(const float *x) {
    gelu_parts g = {.x = vf_load(x)};
    gelu_quarter(&g, 0, gelu_factors);
    g.p = vf_load(x + FINISH_AT_ONCE);
    return g;
}

static void finish_gelu_row(const int32_t *sums, int32_t row_minus, size_t columns, const row_factors *f,
                            int8_t *codes) {
    BUFFER _Alignas(16) float between[2 * TILE_COLUMNS]; /* of each 16 columns: x, p */
    const vi minus = vi_set1(row_minus);
    const vf low = vf_set1(f->low), high = vf_set1(f->high);
    const float *a = f->scale, *b = f->bias;
    float *x;
    size_t c, v;
    for (c = 0, x = between; c < columns; c += FINISH_AT_ONCE) {
        FIXED(x);
        FIXED(sums);
        FIXED(a);
        FIXED(b);
        UNROLL for (v = 0; v < FINISH_AT_ONCE; v += VF_LANES) {
            gelu_parts g = {.x = finish_value(sums + v, minus, a + v, b + v)};
            vf_store(x + v, g.x);
            gelu_quarter(&g, 0, gelu_factors);
            vf_store(x + FINISH_AT_ONCE + v, g.p);
        }
        x += 2 * FINISH_AT_ONCE;
        sums += FINISH_AT_ONCE;
        a += FINISH_AT_ONCE;
        b += FINISH_AT_ONCE;
    }
    for (c = 0, x = between; c < columns; c += FINISH_AT_ONCE) {
        FIXED(x);
        UNROLL for (v = 0; v < FINISH_AT_ONCE; v += VF_LANES) {
            gelu_parts g = gelu_again(x + v);
            gelu_quarter(&g, 1, gelu_factors);
            gelu_quarter(&g, 2, gelu_factors);
            vf_store(x + FINISH_AT_ONCE + v, g.p);
        }
        x += 2 * FINISH_AT_ONCE;
    }
    a = f->multiplier;
    b = f->offset;
    for (c = 0, x = between; c < columns; c += FINISH_AT_ONCE) {
        vf t[FINISH_AT_ONCE / VF_LANES];
        FIXED(x);
        FIXED(a);
        FIXED(b);
        UNROLL for (v = 0; v < FINISH_AT_ONCE / VF_LANES; v++) {
            gelu_parts g = gelu_again(x + v * VF_LANES);
            gelu_quarter(&g, 3, gelu_factors);
            t[v] = g.x * vf_load(a + v * VF_LANES) + vf_load(b + v * VF_LANES);
        }
        store_rounded(codes, t[0], t[1], t[2], t[3], low, high);
        x += 2 * FINISH_AT_ONCE;
        a += FINISH_AT_ONCE;
        b += FINISH_AT_ONCE;
        codes += FINISH_AT_ONCE;
    }
}

/* Sums of `columns` columns from `first` on -> rows `row` to `row` + rows - 1. */
ALWAYS_INLINE void finish_strip(const int32_t *sums, const int32_t *minus, size_t row, size_t rows, size_t first,
                                size_t columns, const int8_matrix *w, const linear_out *out, finish how) {
    const size_t whole = columns / FINISH_AT_ONCE * FINISH_AT_ONCE;
    row_factors f = {.scale = w->scale + first, .bias = w->bias + first, .low = -128.0f, .high = 127.0f};
    size_t r, c;
    if (how == FINISH_CODES) {
        f.low = out->low;
        f.high = out->high;
    }
    if (how == FINISH_GELU_CODES) {
        f.multiplier = out->q->multiplier + first;
        f.offset = out->q->offset + first;
    }
    for (r = 0; r < rows; r++) {
        const size_t at = (row + r) * out->stride + first;
        if (how == FINISH_GELU_CODES)
            finish_gelu_row(sums + r * TILE_COLUMNS, minus[row + r], whole, &f, out->codes + at);
        else if (how == FINISH_CODES)
            finish_row(sums + r * TILE_COLUMNS, minus[row + r], whole, &f, NULL, out->codes + at, how);
        else
            finish_row(sums + r * TILE_COLUMNS, minus[row + r], whole, &f, out->y + at, NULL, how);
    }
    for (c = whole; c < columns; c += VF_LANES)
        finish_columns(sums + c, minus, row, rows, first + c, columns - c < VF_LANES ? columns - c : VF_LANES, w, out,
                       how);
}

#define DEFINE_FINISH(name, how)                                                                                     \
    static void name(const int32_t *sums, const int32_t *minus, size_t row, size_t rows, size_t first,               \
                     size_t columns, const int8_matrix *w, const linear_out *out) {                                  \
        finish_strip(sums, minus, row, rows, first, columns, w, out, how);                                           \
    }
