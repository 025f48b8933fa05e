/* SPDX-License-Identifier: Apache-2.0
 * attention, whole and for some queries of a text. */
#include "check.h"

#include <string.h>

#include "run/kernels/tiers.h"

enum { TOKENS, HEADS, HEAD_DIM, FIRST, QUERIES };

/* How far scores are apart: as in a model; less; more; so far that all but the largest vanish; all alike. */
static const float score_scales[] = {1e-4f, 1e-5f, 3e-4f, 1e-2f, 1e37f, 1e-30f};
enum { AS_USUAL, CLOSE, APART, FAR_APART, ONE_ALONE, ALL_ALIKE, SCALES };

typedef struct attention_args {
    const int8_t *qkv;
    size_t n_tokens, n_heads, head_dim;
    const float *score_scale;
    int8_quantizer context;
    void *scratch;
} attention_args;

static int8_t *random_qkv(check_job *j, size_t n_tokens, size_t hidden) {
    int8_t *qkv = check_codes(j, n_tokens * 3 * hidden, j->c.x);
    size_t i;
    for (i = 0; i < n_tokens * 3 * hidden; i++) {
        const int code = j->c.x == P_RANDOM ? qkv[i] / 2 : qkv[i];
        if (i / hidden % 3 == 1) qkv[i] = (int8_t)(code > 63 ? 63 : code < -64 ? -64 : code);
    }
    return qkv;
}

/* Key 0 is 9 above all others, whose exponentials are 127 / 512 = 0.248 of a code: dithering makes those of every
 * fourth key a whole one. Value t is 100 in one dimension, so that the exponentials are seen one by one. */
static void dithered(const attention_args *a, int8_t *qkv, float *multiplier, float *offset, float *scale) {
    const size_t hidden = a->n_heads * a->head_dim;
    size_t t, h, i;
    memset(qkv, 0, a->n_tokens * 3 * hidden);
    for (h = 0; h < a->n_heads; h++) {
        scale[h] = 1.0f;
        for (t = 0; t < a->n_tokens; t++) {
            int8_t *token = qkv + t * 3 * hidden + h * a->head_dim;
            token[0] = 1;
            token[2 * hidden + t % a->head_dim] = 100;
        }
        qkv[hidden + h * a->head_dim] = 9;
    }
    for (i = 0; i < hidden; i++) multiplier[i] = 1.37f, offset[i] = 0.0f;
}

/* 3 m = 3 + 1.5 * 2^-22 rounds up by half of that unit, and the sum is 1.5: 2. Fused, it would be just below: 1. */
static void not_fused(const attention_args *a, int8_t *qkv, float *multiplier, float *offset) {
    const size_t hidden = a->n_heads * a->head_dim;
    size_t t, i;
    for (t = 0; t < a->n_tokens; t++) memset(qkv + t * 3 * hidden + 2 * hidden, 3, hidden);
    for (i = 0; i < hidden; i++) multiplier[i] = 1.0f + 0x1p-23f, offset[i] = -1.5f - 0x1p-21f;
}

static void prepare_attention(check_job *j) {
    const size_t n_tokens = j->c.size[TOKENS], hidden = j->c.size[HEADS] * j->c.size[HEAD_DIM];
    const float scale = score_scales[j->c.variant];
    attention_args *a = check_operand(j, sizeof *a, 64);
    int8_t *qkv = random_qkv(j, n_tokens, hidden);
    float *score_scale = check_floats(j, j->c.size[HEADS], P_RANDOM, 0.5f * scale, 1.5f * scale);
    float *multiplier = check_floats(j, hidden, P_RANDOM, 0.5f, 4.0f);
    float *offset = check_floats(j, hidden, P_RANDOM, -30.0f, 30.0f);
    *a = (attention_args){.qkv = qkv, .n_tokens = n_tokens, .n_heads = j->c.size[HEADS],
                          .head_dim = j->c.size[HEAD_DIM], .score_scale = score_scale,
                          .context = {multiplier, offset}};
    if (j->c.w == P_TIES) dithered(a, qkv, multiplier, offset, score_scale);
    if (j->c.w == P_SPECIAL) not_fused(a, qkv, multiplier, offset);
    a->scratch = check_scratch(j, kernels_attention_scratch_bytes(n_tokens, a->head_dim));
    j->args = a;
    j->rows = n_tokens;
    j->columns = j->stride = hidden;
    j->element = 1;
    j->macs = 2.0 * (double)n_tokens * (double)n_tokens * (double)hidden;
}

static void prepare_queries(check_job *j) {
    prepare_attention(j);
    j->macs *= (double)j->c.size[QUERIES] / (double)j->rows;
}

static void run_attention(const check_job *j, const kernels *k, void *out) {
    const attention_args *a = j->args;
    k->attention_queries(a->qkv, a->n_tokens, 0, a->n_tokens, a->n_heads, a->head_dim, a->score_scale, &a->context,
                         a->scratch, out);
}
static void run_queries(const check_job *j, const kernels *k, void *out) {
    const attention_args *a = j->args;
    k->attention_queries(a->qkv, a->n_tokens, j->c.size[FIRST], j->c.size[QUERIES], a->n_heads, a->head_dim,
                         a->score_scale, &a->context, a->scratch, out);
}

/* --- Cases -------------------------------------------------------------------------------------------------------- */
static void one(check *run, size_t n_tokens, size_t n_heads, size_t head_dim, pattern x, pattern w, int variant) {
    check_one(run, (check_case){.size = {n_tokens, n_heads, head_dim}, .x = x, .w = w, .variant = variant});
}

static void cases_attention(check *run) {
    static const size_t head_dims[] = {4, 8, 12, 16, 20, 32, 36, 48, 64, 80, 100};
    static const size_t lengths[] = {71, 95, 96, 97, 127, 128, 129, 200, 255, 256, 257, 511};
    const int quick = check_is_quick(run);
    size_t n, i;
    int p, v;
    for (n = 1; n <= 70; n++) one(run, n, 2, 32, P_RANDOM, P_RANDOM, AS_USUAL);
    for (i = 0; i < sizeof head_dims / sizeof head_dims[0]; i++)
        for (n = 1; n <= 40; n += n < 20 ? 1 : 7) one(run, n, 1 + n % 3, head_dims[i], P_RANDOM, P_RANDOM, APART);
    for (p = P_RANDOM; p <= P_ZEROS; p++)
        for (v = 0; v < SCALES; v++)
            for (n = 1; n <= 70; n += quick ? 23 : 3) one(run, n, 1, 16u << (n % 3), (pattern)p, P_RANDOM, v);
    for (n = 1; n <= 70; n += quick ? 13 : 1) {
        one(run, n, 1, 40, P_RANDOM, P_TIES, AS_USUAL);
        one(run, n, 1, 36, P_RANDOM, P_SPECIAL, AS_USUAL);
    }
    for (i = 0; !quick && i < sizeof lengths / sizeof lengths[0]; i++)
        one(run, lengths[i], 1, 32, P_RANDOM, P_RANDOM, AS_USUAL);
    one(run, 512, 1, 32, P_RANDOM, P_RANDOM, CLOSE);
    if (!quick) one(run, 512, 2, 32, P_EXTREMES, P_RANDOM, ALL_ALIKE); /* sums of 512 * 127 * 128 */
}

static void some(check *run, size_t n_tokens, size_t first, size_t n, pattern x) {
    check_one(run, (check_case){.size = {n_tokens, 2, 32, first, n}, .x = x,
                                .variant = x == P_RANDOM ? CLOSE : ALL_ALIKE});
}

/* Every length from 1 to 512, and every place of the first query and number of them in short texts. */
static void cases_queries(check *run) {
    const int quick = check_is_quick(run);
    size_t n, first, count;
    for (n = 1; n <= 20; n += quick ? 6 : 1)
        for (first = 0; first < n; first++)
            for (count = 0; first + count <= n; count += quick ? 3 : 1) some(run, n, first, count, P_RANDOM);
    for (n = 21; n <= 512; n += quick ? 61 : 1)
        some(run, n, n * 7 % (n - 12), 1 + n % 12, n % 5 ? P_RANDOM : P_EXTREMES);
}

static void bench_attention(check *run) {
    size_t n;
    for (n = 8; n <= 512; n *= 2) one(run, n, 12, 32, P_RANDOM, P_RANDOM, AS_USUAL);
}
static void bench_queries(check *run) { some(run, 256, 0, 128, P_RANDOM); } /* one of two threads */

const kernel_check attention_checks[] = {
    {"attention", {"tokens", "heads", "head_dim"}, cases_attention, bench_attention, prepare_attention, run_attention,
     NULL, 0},
    {"attention_queries", {"tokens", "heads", "head_dim", "first", "queries"}, cases_queries, bench_queries,
     prepare_queries, run_queries, NULL, 0},
    {.name = NULL},
};
