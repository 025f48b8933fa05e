/* SPDX-License-Identifier: Apache-2.0
 * The steps of a layer. Floats between a product and its rounding stay in registers; the residual is added in place,
 * and the norm finds it in the cache. */
#include "run/engine/steps.h"

#include "run/engine/plan.h"

void engine_quantize(const kernels *k, const int8_quantizer *q, const float *x, size_t rows, size_t channels,
                     int8_t *codes) {
    size_t i;
    for (i = 0; i < rows; i++)
        k->quantize(x + i * channels, q->multiplier, q->offset, -128.0f, 127.0f, channels, codes + i * channels);
}

/* The scales are in the matrix: what is left is to round, keys to 7 bits. */
void engine_query_key_value(const int8_model *m, const kernels *k, const int8_layer *layer, const int8_t *codes,
                            size_t rows, int8_t *qkv) {
    const size_t hidden = m->hidden, stride = 3 * hidden;
    size_t part, i, j;
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

#define CACHE_LINE ((size_t)64)

/* Keys and values of rows that another thread has just written lie in its cache. Asked for one by one, as attention
 * packs them, each line takes some 0.1 us to come; asked for together they come in a tenth of that. */
static void fetch_keys_values(const int8_t *qkv, size_t first, size_t last, size_t hidden) {
    size_t i, at;
    for (i = first; i < last; i++)
        for (at = hidden; at < 3 * hidden; at += CACHE_LINE) __builtin_prefetch(qkv + i * 3 * hidden + at, 0, 2);
}

void steps_attention(const int8_model *m, const kernels *k, const int8_layer *layer, const engine_texts *texts,
                     size_t first, size_t last, const int8_t *qkv, void *scratch, int8_t *context) {
    size_t i, begin, end;
    for (i = 0; i < texts->n_texts; i++)
        if (text_share(texts, i, first, last, &begin, &end)) {
            const size_t start = texts->starts[i], n = texts->starts[i + 1] - start;
            fetch_keys_values(qkv + start * 3 * m->hidden, 0, begin, m->hidden);
            fetch_keys_values(qkv + start * 3 * m->hidden, end, n, m->hidden);
            k->attention_queries(qkv + start * 3 * m->hidden, n, begin, end - begin, m->n_heads,
                                 m->hidden / m->n_heads, layer->score_scale, &layer->context, scratch,
                                 context + start * m->hidden);
        }
}

void engine_attention(const int8_model *m, const kernels *k, const int8_layer *layer, const engine_texts *texts,
                      const int8_t *qkv, void *scratch, int8_t *context) {
    steps_attention(m, k, layer, texts, 0, texts->starts[texts->n_texts], qkv, scratch, context);
}

void steps_output(const int8_model *m, const kernels *k, const int8_matrix *w, const int8_norm *norm,
                  const int8_t *codes, size_t rows, float *hidden, const int8_quantizer *q, int8_t *next) {
    k->linear_add(codes, rows, w, hidden);
    k->norm_codes(hidden, rows, norm, m->norm_epsilon, q, m->hidden, next);
}

void engine_output(const int8_model *m, const kernels *k, const int8_matrix *w, const int8_norm *norm,
                   const int8_t *codes, size_t rows, float *hidden) {
    size_t at;
    for (at = 0; at < rows; at += ENGINE_BLOCK_ROWS) /* so that the norm finds its row in the cache */
        steps_output(m, k, w, norm, codes + at * w->k, smaller(ENGINE_BLOCK_ROWS, rows - at), hidden + at * m->hidden,
                     NULL, NULL);
}

void engine_up(const kernels *k, const int8_layer *layer, const int8_t *codes, size_t rows, int8_t *inner) {
    k->linear_gelu_codes(codes, rows, &layer->up, &layer->down_input, inner);
}
