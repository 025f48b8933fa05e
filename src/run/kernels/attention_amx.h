/* SPDX-License-Identifier: Apache-2.0
 * Attention in AMX's tiles: attention_queries_of of attention_impl.h, for kernels_amx.c. Included there.
 *
 * A head and 16 queries at a time, a query a lane, so that maxima and sums need no neighbours:
 *
 *   scores [keys][16 queries]               = keys [keys][head_dim]       * queries [head_dim / 4][16 queries][4]
 *   exponentials [keys / 4][16 queries][4]    of them, u7, as the next product wants them
 *   context [head_dim][16 queries]          = values [head_dim][keys]     * exponentials
 *
 * Keys are tiles as they lie in qkv; the last tile reaches back over keys that were done before. Tiles: C 0, keys 1,
 * queries 2; C 4 and 5, values 6 and 3, exponentials 7.
 *
 * scratch: [ values [head_dim / 16][padded / 64][16][64] | scores: float [padded][16] | exponentials: u7 [padded][16] ]
 * padded: n_tokens up to a multiple of 64; exponentials and values beyond n_tokens are 0. */
#define LANES ((size_t)16)

typedef struct attention_tiles {
    uint8_t *values, *exponentials;
    float *scores;
    size_t stride, n_tokens, padded, height; /* stride: of qkv's tokens; height: of a tile of keys */
} attention_tiles;

/* A head and up to 16 queries. */
typedef struct attention_group {
    uint8_t queries[16 * 64]; /* packed */
    int32_t dots[64 * 16];    /* values * exponentials: [head_dim][16 queries] */
    vi total;                 /* the sums of the exponentials */
    const int8_t *keys;       /* the head's, of the text's first token */
    float score_scale;
    size_t head, query, n;
} attention_group;

typedef struct attention_text {
    const int8_t *qkv;
    size_t first, n, n_heads, head_dim, groups; /* groups of a head */
    const float *score_scale, *multiplier, *offset;
    int8_t *out;
} attention_text;

static void configure_attention(size_t height, size_t head_dim) {
    tile_shapes shapes = whole_tiles;
    shapes.rows[0] = shapes.rows[1] = (uint8_t)height;
    shapes.row_bytes[1] = (uint16_t)head_dim;
    shapes.rows[2] = (uint8_t)(head_dim / 4);
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
            BUFFER uint8_t quads[64];
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

/* A score as a float: 1.5 * 2^23 + the score, exactly, for |score| <= 2^20. Its bits begin the sums of a tile, so that
 * integers become floats in the tile. */
#define SCORE_ZERO_BITS 0x4b400000 /* 12582912.0f */

#define FOUR(x) x, x, x, x
static const int32_t score_zeros[LANES] = {FOUR(SCORE_ZERO_BITS), FOUR(SCORE_ZERO_BITS), FOUR(SCORE_ZERO_BITS),
                                           FOUR(SCORE_ZERO_BITS)};

/* Scores of a tile of keys, from key t on, by the queries in tile 2. */
static inline void score_keys(const attention_group *g, const attention_tiles *a, size_t t) {
    tile_load(0, score_zeros, 0);
    tile_load(1, g->keys + t * a->stride, a->stride);
    tile_dot(0, 1, 2);
    tile_store(0, a->scores + t * LANES, 64);
}

ALWAYS_INLINE vf maximum_of(vf maximum, const float *scores, size_t n) {
    size_t i;
    UNROLL for (i = 0; i < n; i++) maximum = vf_max(vf_load(scores + i * LANES), maximum);
    return maximum;
}

/* All scores of a group; returns their maxima. */
static vf scores_of(const attention_group *g, const attention_tiles *a) {
    vf maximum = vf_set1(0.0f); /* less than any score */
    size_t t;
    written_before_tiles();
    tile_load(2, g->queries, 64);
    for (t = 0; t + a->height <= a->n_tokens; t += a->height) score_keys(g, a, t);
    if (t < a->n_tokens) score_keys(g, a, a->n_tokens - a->height);
    for (t = 0; t < a->n_tokens; t++) maximum = maximum_of(maximum, a->scores + t * LANES, 1);
    return maximum;
}

/* exp_code of functions.h, as an int, in fewer operations. 2^n 2^f is exact, so fused with adding the dither it is
 * rounded as often as there. 128 more than RNE_MAGIC leave 2^(n + 1) where they are shifted to; the cubic is halved. */
ALWAYS_INLINE vi exponential(const float *score, vf maximum, vf scale, vf dither) {
    const vf t = vf_max((vf_load(score) - maximum) * scale, vf_set1(-16.0f));
    const vf power = vf_from_bits(vi_shl(vf_bits(t + vf_set1(RNE_MAGIC + 128.0f)), 23));
    const vf f = _mm512_reduce_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); /* t - round(t) */
    vf p = vf_set1(0.5f * 6.98613453f);
    p = p * f + vf_set1(0.5f * 30.7607918f);
    p = p * f + vf_set1(0.5f * 88.0469284f);
    p = p * f + vf_set1(0.5f * 127.0f);
    return nearest_of(_mm512_fmadd_ps(p, power, dither));
}

/* Of four keys, side by side; of the n-th on, 0. */
ALWAYS_INLINE vi exponentials_of(const float *scores, size_t n, vf maximum, vf scale, const vf *dither) {
    vi code[4];
    size_t i;
    UNROLL for (i = 0; i < 4; i++)
        code[i] = i < n ? exponential(scores + i * LANES, maximum, scale, dither[i]) : vi_set1(0);
    return bytes_of(code[0], code[1], code[2], code[3]);
}

/* Scores of a group -> exponentials and their sums; in the place of the scores come those of the group after it, and
 * in *maximum theirs. dither: of key j mod 16, the lane's query. */
static vi exponentials_and_scores(const attention_group *g, const attention_group *next, const attention_tiles *a,
                                  const vf *dither, vf *maximum) {
    const vf scale = vf_set1(g->score_scale), largest = *maximum;
    const vi ones = vi_set1(0x01010101);
    const size_t n = a->n_tokens;
    vf of_next[4];
    vi sum = vi_set1(0);
    size_t t, i, done = 0;
    UNROLL for (i = 0; i < 4; i++) of_next[i] = vf_set1(0.0f); /* less than any score */
    written_before_tiles();
    if (next != NULL) tile_load(2, next->queries, 64);
    for (t = 0; t + LANES <= n; t += LANES) {
        UNROLL for (i = 0; i < LANES; i += 4) {
            const vi codes = exponentials_of(a->scores + (t + i) * LANES, 4, largest, scale, dither + i);
            sum = vi_dot(sum, codes, ones);
            vi_store(a->exponentials + (t + i) * LANES, codes);
        }
        if (next == NULL) continue;
        score_keys(next, a, t);
        if (t > 0) { /* of the tile before: this one is not there yet */
            UNROLL for (i = 0; i < 4; i++)
                of_next[i] = maximum_of(of_next[i], a->scores + (done + 4 * i) * LANES, 4);
            done = t;
        }
    }
    for (; t < n; t += 4) {
        const size_t left = n - t < 4 ? n - t : 4;
        const vi codes = exponentials_of(a->scores + t * LANES, left, largest, scale, dither + t % LANES);
        sum = vi_dot(sum, codes, ones);
        vi_store(a->exponentials + t * LANES, codes);
    }
    for (; t < a->padded; t += 4) vi_store(a->exponentials + t * LANES, vi_set1(0));
    if (next == NULL) return sum;
    if (n % LANES != 0) score_keys(next, a, n - a->height);
    for (; done < n; done++) of_next[done % 4] = maximum_of(of_next[done % 4], a->scores + done * LANES, 1);
    *maximum = vf_max(vf_max(of_next[0], of_next[1]), vf_max(of_next[2], of_next[3]));
    return sum;
}

/* Context of a group: code = clamp(dot * (1 / total) * multiplier + offset), rounded. */
static void finish_context(const attention_group *g, const attention_text *text) {
    const vf reciprocal = vf_set1(1.0f) / vf_from_int(g->total), high = vf_set1(127.0f);
    const size_t at = g->head * text->head_dim, hidden = text->n_heads * text->head_dim;
    const float *multiplier = text->multiplier + at, *offset = text->offset + at;
    vi m[16];
    size_t d, i;
    for (d = 0; d < 16; d++) m[d] = vi_set1(0);
    for (d = 0; d < text->head_dim; d += 4) {
        vi code[4];
        UNROLL for (i = 0; i < 4; i++) {
            const vf c = vf_from_int(vi_load(g->dots + (d + i) * LANES)) * reciprocal;
            const vf t = c * vf_set1(multiplier[d + i]) + vf_set1(offset[d + i]);
            code[i] = nearest_of(vf_min(high, t));
        }
        m[d / 4] = bytes_of(code[0], code[1], code[2], code[3]);
    }
    transpose(m);
    for (i = 0; i < g->n; i++)
        _mm512_mask_storeu_epi32(text->out + (g->query + i) * hidden + at, first_lanes(text->head_dim / 4), m[i]);
}

static void sum_values(attention_group *g, const attention_tiles *a, size_t head_dim) {
    size_t d, t;
    written_before_tiles();
    for (d = 0; d < head_dim; d += 32) { /* 16 dimensions, or 32 */
        const int both = d + 16 < head_dim;
        const uint8_t *values = a->values + d * a->padded;
        tile_zero(4);
        tile_zero(5);
        for (t = 0; t < a->padded; t += 64) {
            tile_load(7, a->exponentials + t * LANES, 64);
            tile_load(6, values + t * 16, 64);
            tile_dot(4, 6, 7);
            if (both) {
                tile_load(3, values + 16 * a->padded + t * 16, 64);
                tile_dot(5, 3, 7);
            }
        }
        tile_store(4, g->dots + d * LANES, 64);
        if (both) tile_store(5, g->dots + (d + 16) * LANES, 64);
    }
}

/* Group i of a text's: queries of a head lie side by side. */
static void group_init(attention_group *g, size_t i, const attention_text *text, size_t stride) {
    const size_t hidden = text->n_heads * text->head_dim, from = i % text->groups * LANES;
    const int8_t *head = text->qkv + i / text->groups * text->head_dim;
    g->head = i / text->groups;
    g->query = text->first + from;
    g->n = text->n - from < LANES ? text->n - from : LANES;
    g->keys = head + hidden;
    g->score_scale = text->score_scale[g->head];
    pack_queries(head + g->query * stride, stride, g->n, text->head_dim, g->queries);
}

/* While a group's exponentials are taken, the next one's scores are multiplied; a group is finished when the one after
 * it has been multiplied. */
static void attend_groups(const attention_text *text, const attention_tiles *a, const vf *dither) {
    BUFFER attention_group group[3];
    const size_t n = text->groups * text->n_heads;
    vf maximum;
    size_t i, d;
    group_init(&group[0], 0, text, a->stride);
    maximum = scores_of(&group[0], a);
    for (i = 0; i < n; i++) {
        attention_group *g = &group[i % 3], *next = i + 1 < n ? &group[(i + 1) % 3] : NULL;
        if (next != NULL) group_init(next, i + 1, text, a->stride);
        if (i % text->groups == 0)
            for (d = 0; d < text->head_dim; d += 16)
                transpose_values(g->keys + text->n_heads * text->head_dim + d, a->stride, a->n_tokens, a->padded,
                                 a->values + d * a->padded);
        g->total = exponentials_and_scores(g, next, a, dither, &maximum);
        sum_values(g, a, text->head_dim);
        if (i > 0) finish_context(&group[(i - 1) % 3], text);
    }
    finish_context(&group[(n - 1) % 3], text);
}

static void attention_queries_of(const int8_t *qkv, size_t n_tokens, size_t first, size_t n, size_t n_heads,
                                 size_t head_dim, const float *score_scale, const int8_quantizer *context,
                                 void *scratch, int8_t *out) {
    const attention_text text = {qkv, first, n, n_heads, head_dim, (n + LANES - 1) / LANES,
                                 score_scale, context->multiplier, context->offset, out};
    attention_tiles a = {.values = scratch, .stride = 3 * n_heads * head_dim, .n_tokens = n_tokens,
                         .padded = (n_tokens + 63) / 64 * 64};
    vf dither[LANES];
    size_t d, t;
    if (n == 0 || head_dim % 16 != 0 || head_dim > 64) {
        attention_queries(qkv, n_tokens, first, n, n_heads, head_dim, score_scale, context, scratch, out);
        return;
    }
    a.height = n_tokens < TILE_HEIGHT ? n_tokens : TILE_HEIGHT;
    a.scores = (float *)(void *)(a.values + a.padded * head_dim);
    a.exponentials = (uint8_t *)(a.scores + a.padded * LANES);
    for (t = 0; t < LANES; t++) { /* 16 queries on, it is the same */
        float of_lanes[LANES];
        for (d = 0; d < LANES; d++) of_lanes[d] = exp_dither[(t + EXP_DITHER_STEP * (first + d)) % EXP_DITHER_PERIOD];
        dither[t] = vf_load(of_lanes);
    }
    configure_attention(a.height, head_dim);
    attend_groups(&text, &a, dither);
    tile_release();
}
