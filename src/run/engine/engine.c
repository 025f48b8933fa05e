/* SPDX-License-Identifier: Apache-2.0
 * The INT8 encoder: token ids in, hidden states out.
 *
 *   scratch:  [ a thread's own | ... | codes [rows, hidden] | qkv [rows, 3 hidden], twice if there are threads ]
 *               what attention needs, inner codes [BLOCK_ROWS, intermediate]
 *
 * All but attention works on rows, so a thread takes its rows, block by block, from one layer's attention through the
 * next layer's queries, keys and values; there it waits for the others' keys. The buffers of qkv take turns, so that
 * no thread writes where another still reads. Floats between a product and its rounding stay in registers; the residual
 * is added in place, and the norm finds it in the cache. */
#include "run/engine/engine.h"

#include "base/bytes.h"
#include "base/memory.h"

#define BLOCK_ROWS ((size_t)96)
#define SHARE_ROWS ((size_t)8) /* a thread's share is a multiple of it: a tile's height, and worth waking one for */

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }
static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* --- Memory ------------------------------------------------------------------------------------------------------- */
typedef struct scratch_parts {
    size_t inner, own;             /* where it begins in a thread's own memory; the size of that */
    size_t codes, qkv, second, end; /* where each begins, behind all threads' own; second: the other qkv */
} scratch_parts;

/* *next = at + a * b bytes, rounded up to MEMORY_ALIGNMENT. */
static int lay(size_t at, size_t a, size_t b, size_t *next) {
    size_t bytes;
    if (!size_mul(a, b, &bytes) || !size_add(at, bytes, next) || !size_add(*next, MEMORY_ALIGNMENT - 1, next)) return 0;
    *next &= ~(MEMORY_ALIGNMENT - 1);
    return 1;
}

static int lay_out(scratch_parts *parts, const int8_model *m, size_t rows, size_t longest, size_t n_threads) {
    const size_t attention = kernels_attention_scratch_bytes(longest, m->hidden / m->n_heads);
    const size_t qkv = 3 * m->hidden;
    return (attention > 0 || longest == 0) && lay(0, attention, 1, &parts->inner) &&
           lay(parts->inner, BLOCK_ROWS, m->intermediate, &parts->own) &&
           lay(0, n_threads, parts->own, &parts->codes) && lay(parts->codes, rows, m->hidden, &parts->qkv) &&
           lay(parts->qkv, n_threads > 1 ? rows : 0, qkv, &parts->second) &&
           lay(parts->second, rows, qkv, &parts->end);
}

size_t engine_threads_scratch_bytes(const int8_model *m, size_t rows, size_t longest, size_t n_threads) {
    scratch_parts parts;
    return lay_out(&parts, m, rows, longest, n_threads) ? parts.end : 0;
}

size_t engine_scratch_bytes(const int8_model *m, size_t rows, size_t longest) {
    return engine_threads_scratch_bytes(m, rows, longest, 1);
}

/* --- Rows of texts ------------------------------------------------------------------------------------------------ */
/* Tokens [begin, end) of text i that are among rows [first, last), counted from the text's first; 0 if none are. */
static int text_share(const engine_texts *texts, size_t i, size_t first, size_t last, size_t *begin, size_t *end) {
    const size_t start = texts->starts[i], stop = texts->starts[i + 1];
    *begin = larger(first, start) - start;
    *end = smaller(last, stop) - smaller(start, last);
    return *begin < *end;
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

static void embed_rows(const int8_model *m, const kernels *k, const engine_texts *texts, size_t first, size_t last,
                       float *hidden) {
    size_t i, t, end;
    for (i = 0; i < texts->n_texts; i++)
        if (text_share(texts, i, first, last, &t, &end))
            for (; t < end; t++) {
                const size_t at = texts->starts[i] + t;
                float *row = hidden + at * m->hidden;
                table_row(&m->words, (size_t)texts->ids[at], 0, row);
                table_row(&m->positions, t, 1, row);
                k->norm(row, NULL, &m->embedding_norm, m->norm_epsilon, m->hidden, row);
            }
}

void engine_embed(const int8_model *m, const kernels *k, const engine_texts *texts, float *hidden) {
    embed_rows(m, k, texts, 0, texts->starts[texts->n_texts], hidden);
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

static void attention_rows(const int8_model *m, const kernels *k, const int8_layer *layer, const engine_texts *texts,
                           size_t first, size_t last, const int8_t *qkv, void *scratch, int8_t *context) {
    size_t i, begin, end;
    for (i = 0; i < texts->n_texts; i++)
        if (text_share(texts, i, first, last, &begin, &end)) {
            const size_t start = texts->starts[i], n = texts->starts[i + 1] - start;
            k->attention_queries(qkv + start * 3 * m->hidden, n, begin, end - begin, m->n_heads,
                                 m->hidden / m->n_heads, layer->score_scale, &layer->context, scratch,
                                 context + start * m->hidden);
        }
}

void engine_attention(const int8_model *m, const kernels *k, const int8_layer *layer, const engine_texts *texts,
                      const int8_t *qkv, void *scratch, int8_t *context) {
    attention_rows(m, k, layer, texts, 0, texts->starts[texts->n_texts], qkv, scratch, context);
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

typedef struct engine_job {
    const int8_model *m;
    const kernels *k;
    const engine_texts *texts;
    thread_pool *pool;
    size_t n_active;         /* threads that have rows */
    scratch_parts parts;
    uint8_t *scratch;
    float *hidden;           /* [rows, hidden] */
    int8_t *codes, *qkv[2];  /* [rows, hidden], [rows, 3 hidden]; the same twice if there is one thread */
} engine_job;

/* Rows of hidden -> the queries, keys and values of layer l. */
static void begin_layer(const engine_job *j, size_t l, size_t first, size_t rows) {
    const int8_layer *layer = &j->m->layers[l];
    const size_t hidden = j->m->hidden;
    int8_t *codes = j->codes + first * hidden;
    engine_quantize(j->k, &layer->attention_input, j->hidden + first * hidden, rows, hidden, codes);
    engine_query_key_value(j->m, j->k, layer, codes, rows, NULL, j->qkv[l % 2] + first * 3 * hidden);
}

/* Rows of layer l's context codes -> hidden. */
static void finish_layer(const engine_job *j, size_t l, size_t first, size_t rows, int8_t *inner) {
    const int8_layer *layer = &j->m->layers[l];
    int8_t *codes = j->codes + first * j->m->hidden;
    float *hidden = j->hidden + first * j->m->hidden;
    engine_output(j->m, j->k, &layer->attention_output, &layer->attention_norm, codes, rows, NULL, hidden);
    engine_quantize(j->k, &layer->up_input, hidden, rows, j->m->hidden, codes);
    engine_up(j->m, j->k, layer, codes, rows, NULL, inner);
    engine_output(j->m, j->k, &layer->down, &layer->output_norm, inner, rows, NULL, hidden);
}

static void run_part(void *context, size_t part, size_t n_parts) {
    const engine_job *j = context;
    const size_t n_layers = j->m->n_layers;
    uint8_t *own = j->scratch + part * j->parts.own;
    size_t first, last, at, l;
    (void)n_parts;
    if (part >= j->n_active) return;
    thread_pool_share(j->texts->starts[j->texts->n_texts], SHARE_ROWS, part, j->n_active, &first, &last);
    embed_rows(j->m, j->k, j->texts, first, last, j->hidden);
    if (n_layers > 0) begin_layer(j, 0, first, last - first);
    for (l = 0; l < n_layers; l++) {
        thread_pool_barrier(j->pool, j->n_active);
        attention_rows(j->m, j->k, &j->m->layers[l], j->texts, first, last, j->qkv[l % 2], own, j->codes);
        for (at = first; at < last; at += BLOCK_ROWS) {
            const size_t n = smaller(BLOCK_ROWS, last - at);
            finish_layer(j, l, at, n, (int8_t *)(own + j->parts.inner));
            if (l + 1 < n_layers) begin_layer(j, l + 1, at, n);
        }
    }
}

void engine_run_threads(const int8_model *m, const kernels *k, const engine_texts *texts, thread_pool *pool,
                        void *scratch, float *hidden) {
    const size_t rows = texts->starts[texts->n_texts], n_threads = thread_pool_size(pool);
    engine_job j = {.m = m, .k = k, .texts = texts, .pool = pool, .scratch = scratch, .hidden = hidden};
    /* With the longest text here: the parts then end no later than those of the caller's bound. */
    if (!lay_out(&j.parts, m, rows, longest_text(texts), n_threads)) return; /* engine_scratch_bytes has said so */
    j.n_active = smaller(n_threads, (rows + SHARE_ROWS - 1) / SHARE_ROWS);
    j.codes = (int8_t *)(j.scratch + j.parts.codes);
    j.qkv[0] = (int8_t *)(j.scratch + j.parts.qkv);
    j.qkv[1] = (int8_t *)(j.scratch + j.parts.second);
    if (j.n_active > 1) thread_pool_run(pool, run_part, &j);
    else run_part(&j, 0, 1);
}

void engine_run(const int8_model *m, const kernels *k, const engine_texts *texts, void *scratch, float *hidden) {
    engine_run_threads(m, k, texts, NULL, scratch, hidden);
}
