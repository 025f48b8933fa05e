/* SPDX-License-Identifier: Apache-2.0
 * Attention of one text, head by head, TILE_ROWS queries at a time: scores, exponentials, the sum of values. Included
 * by kernels_impl.h, in the verbs of a tier. In: codes of queries, keys and values. Out: codes of the context. */

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
    if (n_tokens < a->padded) memset(a->keys + (a->padded - INT8_PANEL) * head_dim, INT8_WEIGHT_BIAS, panel_bytes);
    for (t = 0; t < n_tokens; t++) {
        uint8_t *out = a->keys + t / INT8_PANEL * panel_bytes + t % INT8_PANEL * 4;
        const int8_t *in = keys + t * stride;
        d = 0;
        if (t % 4 == 0 && t + 4 <= n_tokens) {
            for (; d + 16 <= head_dim; d += 16) interleave_keys(in + d, stride, out + d * INT8_PANEL);
            if (d == head_dim) {
                t += 3;
                continue;
            }
            d = 0;
        }
        for (; d < head_dim; d += 4) {
            uint32_t quad;
            memcpy(&quad, in + d, sizeof quad);
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

#ifdef EXPONENTIALS_HEADER
#include EXPONENTIALS_HEADER
#endif

/* The largest of score[0 .. n), in every lane. */
ALWAYS_INLINE vi largest_score(const int32_t *score, size_t n) {
    vi maximum = vi_set1(INT32_MIN);
    size_t i = 0;
#ifdef EXPONENTIALS_HEADER
    i = largest_of_many(score, n, &maximum);
#endif
    for (; i + VF_LANES <= n; i += VF_LANES) maximum = vi_max(maximum, vi_load(score + i));
    if (i < n) {
        const vi used = vi_and(vi_load(score + i), vi_load(used_lanes + 16 - (n - i)));
        maximum = vi_max(maximum, vi_add(used, vi_load(lowest_lanes + 16 - (n - i))));
    }
    return max_everywhere(maximum);
}

/* score[0 .. n) of one query -> p[j] = round(127 * 2^((score[j] - max) * scale) + dither), 0 from n to padded; returns
 * lanes whose sum is theirs. */
ALWAYS_INLINE vi exponentials(const int32_t *score, vi maximum, const float *dither, size_t n, size_t padded, vf scale,
                              uint8_t *p) {
    vi sum = vi_set1(0);
    size_t i = 0;
#ifdef EXPONENTIALS_HEADER /* a tier's own way: of the first, as many as it likes */
    i = exponentials_of_many(score, maximum, dither, n, scale, p, &sum);
#endif
    /* What lies above the codes of whole vectors is taken off beforehand. */
    sum = vi_sub(sum, vi_set1((int32_t)((uint32_t)((n - i) / VF_LANES) * EXP_CODE_ABOVE)));
    for (; i + VF_LANES <= n; i += VF_LANES) {
        const vf t = vf_from_int(vi_sub(vi_load(score + i), maximum)) * scale;
        const vi code = exp_code(t, vf_load(dither + i % EXP_DITHER_PERIOD));
        vi_store_codes((int8_t *)p + i, code);
        sum = vi_add(sum, code);
    }
    for (; i < padded; i += VF_LANES) {
        const vf t = vf_from_int(vi_sub(vi_load(score + i), maximum)) * scale;
        const vi used = vi_and(vi_load(used_lanes + 16 - lanes_at(i, n)), vi_set1(0xff));
        const vi code = vi_and(exp_code(t, vf_load(dither + i % EXP_DITHER_PERIOD)), used);
        vi_store_codes((int8_t *)p + i, code);
        sum = vi_add(sum, code);
    }
    return sum;
}

/* Scores of `rows` queries from the text's `query` on -> exponentials, and 1 / their sums. Step by step for all rows:
 * one alone would wait for its maximum and its sum. */
static void attention_exponentials(const attention_memory *a, size_t query, size_t rows, size_t n, float scale,
                                   float *reciprocal) {
    const size_t padded = a->padded;
    const vf step = exp_step(scale);
    BUFFER vi maximum[TILE_ROWS], sum[TILE_ROWS];
    size_t r;
    for (r = 0; r < rows; r++) maximum[r] = largest_score(a->scores + r * padded, n);
    for (r = 0; r < rows; r++)
        sum[r] = exponentials(a->scores + r * padded, maximum[r],
                              exp_dither + EXP_DITHER_STEP * (query + r) % EXP_DITHER_PERIOD, n, padded,
                              step, a->exponentials + r * padded);
    for (r = 0; r < rows; r++) reciprocal[r] = 1.0f / (float)horizontal_sum(sum[r]);
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
    BUFFER float reciprocal[TILE_ROWS];
    size_t r, p;
    dot_u7_panels(qk, a->scores, padded, rows, padded / INT8_PANEL);
    attention_exponentials(a, query, rows, n_tokens, score_scale, reciprocal);
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
    BUFFER int32_t tile[TILE_ROWS * TILE_COLUMNS];
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

#ifdef ATTENTION_HEADER /* a tier's own way: attention_queries_of */
#include ATTENTION_HEADER
#else
#define attention_queries_of attention_queries
#endif
