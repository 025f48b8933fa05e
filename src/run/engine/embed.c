/* SPDX-License-Identifier: Apache-2.0
 * The first step: token ids -> rows of two tables, added and normalized.
 *
 * Tables are read in strips of a fixed length, which compilers turn into vectors of any instruction set; the few
 * columns kept in float16 are put in their places afterwards. */
#include "run/engine/steps.h"

#include <string.h>

#define STRIP ((size_t)16)

/* binary16 -> binary32, exactly; without branches, and without float32's subnormal numbers: a subnormal half is read as
 * if it had an exponent, which is then taken off. */
static void from_halves(const uint16_t *restrict halves, size_t n, float *restrict out) {
    uint32_t bits[STRIP];
    float value[STRIP], excess[STRIP];
    size_t i;
    for (i = 0; i < n; i++) {
        const uint32_t magnitude = halves[i] & 0x7fffu;
        const uint32_t is_subnormal = magnitude < 0x0400u, is_special = magnitude > 0x7bffu;
        bits[i] = (magnitude << 13) + ((127u - 15u + is_subnormal + (is_special << 7) - (is_special << 4)) << 23);
        excess[i] = (float)(int32_t)is_subnormal * 0x1p-14f;
    }
    memcpy(value, bits, n * sizeof *value);
    for (i = 0; i < n; i++) value[i] -= excess[i];
    memcpy(bits, value, n * sizeof *value);
    for (i = 0; i < n; i++) bits[i] |= (uint32_t)(halves[i] & 0x8000u) << 16;
    memcpy(out, bits, n * sizeof *out);
}

/* out[c] += codes[c] * scale */
static void add_codes(const int8_t *restrict codes, float scale, size_t n, float *restrict out) {
    size_t at, c;
    for (at = 0; at + STRIP <= n; at += STRIP)
        for (c = 0; c < STRIP; c++) out[at + c] += (float)codes[at + c] * scale;
    for (; at < n; at++) out[at] += (float)codes[at] * scale;
}

static void add_halves(const uint16_t *halves, size_t n, float *out) {
    float x[STRIP];
    size_t at, c;
    for (at = 0; at + STRIP <= n; at += STRIP) {
        from_halves(halves + at, STRIP, x);
        for (c = 0; c < STRIP; c++) out[at + c] += x[c];
    }
    from_halves(halves + at, n - at, x);
    for (c = 0; at + c < n; c++) out[at + c] += x[c];
}

/* Columns that a mixed table keeps as halves: a word's, the first to be added. */
static void put_outliers(const int8_table *table, size_t row, float *out) {
    const uint16_t *halves = table->halves + row * table->n_outliers;
    float x;
    size_t o;
    for (o = 0; o < table->n_outliers; o++) {
        from_halves(halves + o, 1, &x);
        out[table->outlier_columns[o]] = x + 0.0f; /* as a sum with 0: -0 becomes 0 */
    }
}

/* out[c] += table[row][c], outliers apart */
static void add_row(const int8_table *table, size_t row, float *out) {
    const size_t n = table->columns;
    if (table->kind == INT8_TABLE_HALF) add_halves(table->halves + row * n, n, out);
    else add_codes(table->codes + row * n, table->scale[table->kind == INT8_TABLE_TENSOR ? 0 : row], n, out);
}

static void embed_token(const int8_model *m, size_t word, size_t position, float *out) {
    memset(out, 0, m->hidden * sizeof *out);
    add_row(&m->words, word, out);
    if (m->words.kind == INT8_TABLE_MIXED) put_outliers(&m->words, word, out);
    add_row(&m->positions, position, out);
}

void steps_embed(const int8_model *m, const kernels *k, const engine_texts *texts, size_t first, size_t last,
                 float *hidden, const int8_quantizer *q, int8_t *codes) {
    const size_t n = m->hidden;
    size_t i, t, end;
    for (i = 0; i < texts->n_texts; i++)
        if (text_share(texts, i, first, last, &t, &end))
            for (; t < end; t++) {
                const size_t at = texts->starts[i] + t;
                embed_token(m, (size_t)texts->ids[at], t, hidden + at * n);
            }
    if (first < last)
        k->norm_codes(hidden + first * n, last - first, &m->embedding_norm, m->norm_epsilon, q, n,
                      q != NULL ? codes + first * n : NULL);
}

void engine_embed(const int8_model *m, const kernels *k, const engine_texts *texts, float *hidden) {
    steps_embed(m, k, texts, 0, texts->starts[texts->n_texts], hidden, NULL, NULL);
}
