/* SPDX-License-Identifier: Apache-2.0
 * The INT8 encoder: token ids in, hidden states out.
 *
 *   scratch:  [ a step's own | codes [rows, hidden] | wide [rows, 3 hidden or intermediate] ]
 *               what attention needs
 *
 * Floats between a product and its rounding stay in registers (linear_codes ...); the residual is added in place, a
 * block of rows at a time, so that the norm finds them in the cache. */
#include "run/engine/engine.h"

#include "base/bytes.h"
#include "base/memory.h"

#define BLOCK_ROWS ((size_t)48)

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }
static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* --- Memory ------------------------------------------------------------------------------------------------------- */
typedef struct scratch_parts {
    size_t codes, wide, end; /* where each begins; a step's own is at 0 */
} scratch_parts;

/* *next = at + a * b bytes, rounded up to MEMORY_ALIGNMENT. */
static int lay(size_t at, size_t a, size_t b, size_t *next) {
    size_t bytes;
    if (!size_mul(a, b, &bytes) || !size_add(at, bytes, next) || !size_add(*next, MEMORY_ALIGNMENT - 1, next)) return 0;
    *next &= ~(MEMORY_ALIGNMENT - 1);
    return 1;
}

static int lay_out(scratch_parts *parts, const int8_model *m, size_t rows, size_t longest) {
    const size_t wide = larger(3 * m->hidden, m->intermediate);
    const size_t attention = kernels_attention_scratch_bytes(longest, m->hidden / m->n_heads);
    return (attention > 0 || longest == 0) && lay(0, attention, 1, &parts->codes) && lay(parts->codes, rows, m->hidden, &parts->wide) &&
           lay(parts->wide, rows, wide, &parts->end);
}

size_t engine_scratch_bytes(const int8_model *m, size_t rows, size_t longest) {
    scratch_parts parts;
    return lay_out(&parts, m, rows, longest) ? parts.end : 0;
}

/* --- Embedding ---------------------------------------------------------------------------------------------------- */
/* binary16 -> binary32, exactly. */
static float from_half(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16, magnitude = half & 0x7fffu;
    union {
        uint32_t bits;
        float value;
    } f;
    if (magnitude < 0x0400u) { /* zero, or subnormal: a multiple of 2^-24 */
        f.value = (float)magnitude * 0x1p-24f;
        f.bits |= sign;
    } else if (magnitude < 0x7c00u) {
        f.bits = sign | ((magnitude << 13) + ((127u - 15u) << 23));
    } else {
        f.bits = sign | 0x7f800000u | ((magnitude & 0x03ffu) << 13);
    }
    return f.value;
}

/* out[c] = row[c], or out[c] + row[c]. */
static void table_row(const int8_table *table, size_t row, int add, float *out) {
    const size_t n = table->columns;
    size_t c, o = 0;
    if (table->kind == INT8_TABLE_HALF) {
        const uint16_t *halves = table->halves + row * n;
        for (c = 0; c < n; c++) out[c] = from_half(halves[c]) + (add ? out[c] : 0.0f);
    } else {
        const int8_t *codes = table->codes + row * n;
        const float scale = table->scale[table->kind == INT8_TABLE_TENSOR ? 0 : row];
        for (c = 0; c < n; c++) {
            float x = (float)codes[c] * scale;
            if (o < table->n_outliers && table->outlier_columns[o] == c)
                x = from_half(table->halves[row * table->n_outliers + o++]);
            out[c] = x + (add ? out[c] : 0.0f);
        }
    }
}

void engine_embed(const int8_model *m, const kernels *k, const engine_texts *texts, float *hidden) {
    size_t i, t;
    for (i = 0; i < texts->n_texts; i++)
        for (t = texts->starts[i]; t < texts->starts[i + 1]; t++) {
            float *row = hidden + t * m->hidden;
            table_row(&m->words, (size_t)texts->ids[t], 0, row);
            table_row(&m->positions, t - texts->starts[i], 1, row);
            k->norm(row, NULL, &m->embedding_norm, m->norm_epsilon, m->hidden, row);
        }
}

/* --- Steps of a layer --------------------------------------------------------------------------------------------- */
void engine_quantize(const kernels *k, const int8_quantizer *q, const float *x, size_t rows, size_t channels,
                     int8_t *codes) {
    size_t i;
    for (i = 0; i < rows; i++)
        k->quantize(x + i * channels, q->multiplier, q->offset, -128.0f, 127.0f, channels, codes + i * channels);
}

/* The scales are in the matrix: what is left is to round, keys to 7 bits. */
void engine_query_key_value(const int8_model *m, const kernels *k, const int8_layer *layer, const int8_t *codes,
                            size_t rows, void *scratch, int8_t *qkv) {
    const size_t hidden = m->hidden, stride = 3 * hidden;
    size_t part, i, j;
    (void)scratch;
    if (hidden % INT8_PANEL == 0) {
        for (part = 0; part < 3; part++) {
            const int8_matrix w = int8_matrix_columns(&layer->query_key_value, part * hidden, hidden);
            k->linear_codes(codes, rows, &w, part == 1 ? -64.0f : -128.0f, part == 1 ? 63.0f : 127.0f,
                            qkv + part * hidden, stride);
        }
        return;
    }
    /* Keys begin inside a panel: to clamp after rounding is the same. */
    k->linear_codes(codes, rows, &layer->query_key_value, -128.0f, 127.0f, qkv, stride);
    for (i = 0; i < rows; i++)
        for (j = hidden; j < 2 * hidden; j++) {
            int8_t *key = qkv + i * stride + j;
            *key = (int8_t)(*key < -64 ? -64 : *key > 63 ? 63 : *key);
        }
}

void engine_attention(const int8_model *m, const kernels *k, const int8_layer *layer, const engine_texts *texts,
                      const int8_t *qkv, void *scratch, int8_t *context) {
    size_t i;
    for (i = 0; i < texts->n_texts; i++) {
        const size_t start = texts->starts[i], n = texts->starts[i + 1] - start;
        k->attention(qkv + start * 3 * m->hidden, n, m->n_heads, m->hidden / m->n_heads, layer->score_scale,
                     &layer->context, scratch, context + start * m->hidden);
    }
}

void engine_output(const int8_model *m, const kernels *k, const int8_matrix *w, const int8_norm *norm,
                   const int8_t *codes, size_t rows, void *scratch, float *hidden) {
    size_t at, i;
    (void)scratch;
    for (at = 0; at < rows; at += BLOCK_ROWS) { /* so that the norm finds its row in the cache */
        const size_t n = smaller(BLOCK_ROWS, rows - at);
        k->linear_add(codes + at * w->k, n, w, hidden + at * m->hidden);
        for (i = at; i < at + n; i++) {
            float *row = hidden + i * m->hidden;
            k->norm(row, NULL, norm, m->norm_epsilon, m->hidden, row);
        }
    }
}

void engine_up(const int8_model *m, const kernels *k, const int8_layer *layer, const int8_t *codes, size_t rows,
               void *scratch, int8_t *inner) {
    (void)m;
    (void)scratch;
    k->linear_gelu_codes(codes, rows, &layer->up, &layer->down_input, inner);
}

/* --- The whole ---------------------------------------------------------------------------------------------------- */
static size_t longest_text(const engine_texts *texts) {
    size_t i, longest = 0;
    for (i = 0; i < texts->n_texts; i++) longest = larger(longest, texts->starts[i + 1] - texts->starts[i]);
    return longest;
}

void engine_run(const int8_model *m, const kernels *k, const engine_texts *texts, void *scratch, float *hidden) {
    const size_t rows = texts->starts[texts->n_texts];
    scratch_parts parts;
    uint8_t *base = scratch;
    int8_t *codes, *wide;
    size_t l;
    /* With the longest text here: the parts then end no later than those of the caller's bound. */
    if (!lay_out(&parts, m, rows, longest_text(texts))) return; /* engine_scratch_bytes has said so */
    codes = (int8_t *)(base + parts.codes);
    wide = (int8_t *)(base + parts.wide);
    engine_embed(m, k, texts, hidden);
    for (l = 0; l < m->n_layers; l++) {
        const int8_layer *layer = &m->layers[l];
        engine_quantize(k, &layer->attention_input, hidden, rows, m->hidden, codes);
        engine_query_key_value(m, k, layer, codes, rows, scratch, wide);
        engine_attention(m, k, layer, texts, wide, scratch, codes);
        engine_output(m, k, &layer->attention_output, &layer->attention_norm, codes, rows, scratch, hidden);
        engine_quantize(k, &layer->up_input, hidden, rows, m->hidden, codes);
        engine_up(m, k, layer, codes, rows, scratch, wide);
        engine_output(m, k, &layer->down, &layer->output_norm, wide, rows, scratch, hidden);
    }
}
