/* SPDX-License-Identifier: Apache-2.0
 * Attention in AMX's tiles: attention_queries_of of attention_impl.h, for kernels_amx.c. Included there.
 *
 * A head and 16 queries at a time, a query a lane, so that maxima and sums need no neighbours:
 *
 *   scores [keys][16 queries]               = keys [keys][head_dim]       * queries [head_dim / 4][16 queries][4]
 *   exponentials [keys / 4][16 queries][4]    of them, u7, as the next product wants them
 *   context [head_dim][16 queries]          = values [head_dim][keys]     * exponentials
 *
 * Keys are tiles as they lie in qkv; the last tile reaches back over keys that were done before. Tiles: C 0 and 1,
 * keys 2, queries 3; C 4 and 5, values 6, exponentials 7.
 *
 * scratch: [ values [head_dim / 16][padded / 64][16][64] | scores: int32 [padded][16] | exponentials: u7 [padded][16] ]
 * padded: n_tokens up to a multiple of 64; exponentials and values beyond n_tokens are 0. */
#define LANES ((size_t)16)

typedef struct attention_tiles {
    uint8_t *values, *exponentials;
    int32_t *scores;
    size_t padded, height; /* of a tile of keys */
} attention_tiles;

typedef struct attention_head {
    const int8_t *queries, *keys, *values; /* of the text's first token */
    size_t stride, n_tokens, head_dim, out_stride;
    float score_scale;
    const float *multiplier, *offset;
    int8_t *out;
} attention_head;

static void configure_attention(size_t height, size_t head_dim) {
    tile_shapes shapes = whole_tiles;
    shapes.rows[0] = shapes.rows[1] = shapes.rows[2] = (uint8_t)height;
    shapes.row_bytes[2] = (uint16_t)head_dim;
    shapes.rows[3] = (uint8_t)(head_dim / 4);
    load_shapes(&shapes);
}

/* 16 x 16 dwords: rows become columns. */
ALWAYS_INLINE void transpose(vi *m) {
    vi t[16];
    size_t i;
    UNROLL for (i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(m[i], m[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(m[i], m[i + 1]);
    }
    UNROLL for (i = 0; i < 16; i += 4) { /* a quarter of column 4 q + j of four rows in m[i + j] */
        m[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        m[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        m[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        m[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    UNROLL for (i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(m[i], m[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(m[i], m[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(m[i + 8], m[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(m[i + 8], m[i + 12], 0xdd);
    }
    UNROLL for (i = 0; i < 4; i++) {
        m[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        m[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        m[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        m[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/* Four ints a lane, each in -128 .. 127 (what is beyond becomes the nearest of these) -> their bytes side by side. */
ALWAYS_INLINE vi bytes_of(vi a, vi b, vi c, vi d) {
    const vi order = _mm512_set4_epi32(0x0f0b0703, 0x0e0a0602, 0x0d090501, 0x0c080400);
    return _mm512_shuffle_epi8(_mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d)), order);
}

/* values [n_tokens][stride] of 16 dimensions -> [padded / 64][16][64] */
static void transpose_values(const int8_t *values, size_t stride, size_t n_tokens, size_t padded, uint8_t *out) {
    size_t t, i, r;
    for (t = 0; t < padded; t += 64) {
        vi m[16];
        UNROLL for (i = 0; i < 16; i++) {
            const size_t token = t + 4 * i;
            uint8_t quads[64];
            m[i] = vi_set1(0);
            if (token + 4 <= n_tokens) {
                interleave_rows(values + token * stride, stride, quads);
                m[i] = vi_load(quads);
            } else if (token < n_tokens) {
                int8_t rows[4][16] = {{0}};
                for (r = 0; token + r < n_tokens; r++) memcpy(rows[r], values + (token + r) * stride, 16);
                interleave_rows(rows[0], 16, quads);
                m[i] = vi_load(quads);
            }
        }
        transpose(m);
        UNROLL for (i = 0; i < 16; i++) vi_store(out + t * 16 + i * 64, m[i]);
    }
}

/* n rows of head_dim codes -> [head_dim / 4][16][4], zeros from the n-th on */
static void pack_queries(const int8_t *queries, size_t stride, size_t n, size_t head_dim, uint8_t *out) {
    vi m[16];
    size_t i;
    UNROLL for (i = 0; i < 16; i++)
        m[i] = i < n ? _mm512_maskz_loadu_epi32(first_lanes(head_dim / 4), queries + i * stride) : vi_set1(0);
    transpose(m);
    UNROLL for (i = 0; i < 16; i++) vi_store(out + i * 64, m[i]);
}

static void score_keys(const attention_head *h, const attention_tiles *a, const uint8_t *queries) {
    const size_t last = h->n_tokens - a->height;
    size_t t;
    written_before_tiles();
    tile_load(3, queries, 64);
    for (t = 0; t < h->n_tokens; t += 2 * a->height) {
        const size_t first = t < last ? t : last, second = t + a->height < last ? t + a->height : last;
        tile_zero(0);
        tile_load(2, h->keys + first * h->stride, h->stride);
        tile_dot(0, 2, 3);
        tile_store(0, a->scores + first * LANES, 64);
        if (second == first) continue;
        tile_zero(1);
        tile_load(2, h->keys + second * h->stride, h->stride);
        tile_dot(1, 2, 3);
        tile_store(1, a->scores + second * LANES, 64);
    }
}

ALWAYS_INLINE vi exponential(const int32_t *score, vi maximum, vf scale, vf dither) {
    return nearest_of(exp_127(vf_from_int(vi_sub(vi_load(score), maximum)) * scale) + dither);
}

/* Scores [n_tokens][16] -> exponentials; returns their sums. dither: of key j mod 16, the lane's query. */
static vi exponentials_of(const attention_head *h, const attention_tiles *a, const vf *dither) {
    const vf scale = exp_step(h->score_scale);
    const vi ones = vi_set1(0x01010101);
    vi maximum[4], sum = vi_set1(0), code[4];
    size_t t, i;
    UNROLL for (i = 0; i < 4; i++) maximum[i] = vi_load(a->scores);
    for (t = 0; t + 4 <= h->n_tokens; t += 4) {
        UNROLL for (i = 0; i < 4; i++) maximum[i] = vi_max(maximum[i], vi_load(a->scores + (t + i) * LANES));
    }
    for (; t < h->n_tokens; t++) maximum[0] = vi_max(maximum[0], vi_load(a->scores + t * LANES));
    maximum[0] = vi_max(vi_max(maximum[0], maximum[1]), vi_max(maximum[2], maximum[3]));
    for (t = 0; t + 4 <= h->n_tokens; t += 4) {
        const int32_t *score = a->scores + t * LANES;
        UNROLL for (i = 0; i < 4; i++)
            code[i] = exponential(score + i * LANES, maximum[0], scale, dither[(t + i) % LANES]);
        code[0] = bytes_of(code[0], code[1], code[2], code[3]);
        sum = vi_dot(sum, code[0], ones);
        vi_store(a->exponentials + t * LANES, code[0]);
    }
    if (t < h->n_tokens) {
        UNROLL for (i = 0; i < 4; i++) {
            code[i] = vi_set1(0);
            if (t + i < h->n_tokens)
                code[i] = exponential(a->scores + (t + i) * LANES, maximum[0], scale, dither[(t + i) % LANES]);
        }
        code[0] = bytes_of(code[0], code[1], code[2], code[3]);
        sum = vi_dot(sum, code[0], ones);
        vi_store(a->exponentials + t * LANES, code[0]);
        t += 4;
    }
    for (; t < a->padded; t += 4) vi_store(a->exponentials + t * LANES, vi_set1(0));
    return sum;
}

/* Context of n <= 16 queries from `query` on: code = clamp(dot * (1 / total) * multiplier + offset), rounded. */
static void finish_context(const attention_head *h, const int32_t *context, vi total, size_t query, size_t n) {
    const vf reciprocal = vf_set1(1.0f) / vf_from_int(total), high = vf_set1(127.0f);
    vi m[16];
    size_t d, i;
    for (d = 0; d < 16; d++) m[d] = vi_set1(0);
    for (d = 0; d < h->head_dim; d += 4) {
        vi code[4];
        UNROLL for (i = 0; i < 4; i++) {
            const vf c = vf_from_int(vi_load(context + (d + i) * LANES)) * reciprocal;
            const vf t = c * vf_set1(h->multiplier[d + i]) + vf_set1(h->offset[d + i]);
            code[i] = nearest_of(vf_min(high, t));
        }
        m[d / 4] = bytes_of(code[0], code[1], code[2], code[3]);
    }
    transpose(m);
    for (i = 0; i < n; i++)
        _mm512_mask_storeu_epi32(h->out + (query + i) * h->out_stride, first_lanes(h->head_dim / 4), m[i]);
}

static void attend_tiles(const attention_head *h, const attention_tiles *a, const vf *dither, size_t query, size_t n) {
    BUFFER uint8_t queries[16 * 64];
    BUFFER int32_t context[64 * LANES];
    vi total;
    size_t d, t;
    pack_queries(h->queries + query * h->stride, h->stride, n, h->head_dim, queries);
    score_keys(h, a, queries);
    total = exponentials_of(h, a, dither);
    written_before_tiles();
    for (d = 0; d < h->head_dim; d += 32) { /* 16 dimensions, or 32 */
        const int both = d + 16 < h->head_dim;
        const uint8_t *values = a->values + d * a->padded;
        tile_zero(4);
        tile_zero(5);
        for (t = 0; t < a->padded; t += 64) {
            tile_load(7, a->exponentials + t * LANES, 64);
            tile_load(6, values + t * 16, 64);
            tile_dot(4, 6, 7);
            if (both) {
                tile_load(6, values + 16 * a->padded + t * 16, 64);
                tile_dot(5, 6, 7);
            }
        }
        tile_store(4, context + d * LANES, 64);
        if (both) tile_store(5, context + (d + 16) * LANES, 64);
    }
    finish_context(h, context, total, query, n);
}

static void attention_queries_of(const int8_t *qkv, size_t n_tokens, size_t first, size_t n, size_t n_heads,
                                 size_t head_dim, const float *score_scale, const int8_quantizer *context,
                                 void *scratch, int8_t *out) {
    const size_t hidden = n_heads * head_dim;
    attention_tiles a = {.values = scratch, .padded = (n_tokens + 63) / 64 * 64};
    vf dither[LANES];
    size_t head, d, t;
    if (n == 0 || head_dim % 16 != 0 || head_dim > 64) {
        attention_queries(qkv, n_tokens, first, n, n_heads, head_dim, score_scale, context, scratch, out);
        return;
    }
    a.height = n_tokens < TILE_HEIGHT ? n_tokens : TILE_HEIGHT;
    a.scores = (int32_t *)(void *)(a.values + a.padded * head_dim);
    a.exponentials = (uint8_t *)(a.scores + a.padded * LANES);
    for (t = 0; t < LANES; t++) { /* 16 queries on, it is the same */
        float of_lanes[LANES];
        for (d = 0; d < LANES; d++) of_lanes[d] = exp_dither[(t + EXP_DITHER_STEP * (first + d)) % EXP_DITHER_PERIOD];
        dither[t] = vf_load(of_lanes);
    }
    configure_attention(a.height, head_dim);
    for (head = 0; head < n_heads; head++) {
        const size_t at = head * head_dim;
        const attention_head h = {qkv + at, qkv + hidden + at, qkv + 2 * hidden + at, 3 * hidden, n_tokens, head_dim,
                                  hidden, score_scale[head], context->multiplier + at, context->offset + at, out + at};
        for (d = 0; d < head_dim; d += 16)
            transpose_values(h.values + d, h.stride, n_tokens, a.padded, a.values + d * a.padded);
        for (t = first; t < first + n; t += LANES)
            attend_tiles(&h, &a, dither, t, first + n - t < LANES ? first + n - t : LANES);
    }
    tile_release();
}
