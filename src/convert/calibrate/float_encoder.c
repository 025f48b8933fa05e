/* SPDX-License-Identifier: Apache-2.0
 *
 * The FP32 encoder: ids that lie end to end -> every layer's values, by the build-time arithmetic (convert/math).
 *
 *   one layer, three jobs:  rows            query, key, value = linear(h)
 *                           text x head     context = softmax(q k^T * scale) v
 *                           rows            attention_sum, attended, inner, output_sum, hidden
 *
 * Rows and pairs of text and head are independent, so it changes no bit which thread takes which. */
#include "convert/calibrate/float_encoder.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"

#define ATTENTION_ROWS ((size_t)64) /* queries at a time: their scores stay in the cache */
#define ROW_GRAIN ((size_t)8)

typedef struct packed_layer {
    const float *query, *key, *value, *output, *up, *down;
} packed_layer;

struct float_encoder {
    const encoder *e;
    const math_kernels *math;
    thread_pool *pool;
    packed_layer *layers; /* [n_layers] */
    float *weights;       /* what they point into */
    float *scratch;       /* [threads][scratch_floats]: see attention_scratch */
    size_t scratch_floats, scratch_tokens;
};

const encoder *float_encoder_weights(const float_encoder *f) { return f->e; }
thread_pool *float_encoder_pool(const float_encoder *f) { return f->pool; }

static size_t aligned_floats(size_t bytes) { return (bytes + 63) / 64 * 16; }

static minnow_status out_of_memory(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

/* --- Weights -------------------------------------------------------------------------------------------------- */

static size_t layer_linears(const encoder_layer *l, const encoder_linear *out[6]) {
    out[0] = &l->query, out[1] = &l->key, out[2] = &l->value;
    out[3] = &l->output, out[4] = &l->up, out[5] = &l->down;
    return 6;
}

static size_t packed_floats(const float_encoder *f, const encoder_linear *w) {
    return aligned_floats(f->math->packed_bytes(w->k, w->n));
}

/* Packs one matrix at *at and moves on. */
static const float *pack_linear(const float_encoder *f, const encoder_linear *w, float **at) {
    float *packed = *at;
    f->math->pack(w->weight, 1, w->k, w->k, w->n, packed);
    *at += packed_floats(f, w);
    return packed;
}

static minnow_status pack_weights(float_encoder *f, minnow_error *error) {
    const encoder_linear *linears[6];
    size_t total = 0, i, j;
    float *at;
    for (i = 0; i < f->e->n_layers; i++) {
        const size_t n = layer_linears(&f->e->layers[i], linears);
        for (j = 0; j < n; j++) total += packed_floats(f, linears[j]);
    }
    f->layers = calloc(f->e->n_layers + 1, sizeof *f->layers);
    f->weights = memory_aligned_alloc(total * sizeof(float) + 64);
    if (f->layers == NULL || f->weights == NULL) return out_of_memory(error);
    at = f->weights;
    for (i = 0; i < f->e->n_layers; i++) {
        const encoder_layer *l = &f->e->layers[i];
        packed_layer *p = &f->layers[i];
        p->query = pack_linear(f, &l->query, &at);
        p->key = pack_linear(f, &l->key, &at);
        p->value = pack_linear(f, &l->value, &at);
        p->output = pack_linear(f, &l->output, &at);
        p->up = pack_linear(f, &l->up, &at);
        p->down = pack_linear(f, &l->down, &at);
    }
    return MINNOW_OK;
}

minnow_status float_encoder_create(float_encoder **out, const encoder *e, thread_pool *pool, minnow_error *error) {
    minnow_status status;
    float_encoder *f;
    *out = NULL;
    f = calloc(1, sizeof *f);
    if (f == NULL) return out_of_memory(error);
    f->e = e;
    f->math = math_best();
    f->pool = pool;
    TRY_GOTO(pack_weights(f, error));
    *out = f;
    return MINNOW_OK;
fail:
    float_encoder_close(&f);
    return status;
}

void float_encoder_close(float_encoder **f) {
    if (f == NULL || *f == NULL) return;
    memory_aligned_free((*f)->weights);
    memory_aligned_free((*f)->scratch);
    free((*f)->layers);
    free(*f);
    *f = NULL;
}

/* --- Memory --------------------------------------------------------------------------------------------------- */

minnow_status float_activations_reserve(float_activations *a, const encoder *e, size_t rows, minnow_error *error) {
    const size_t hidden = (e->hidden + 15) / 16 * 16, inner = (e->intermediate + 15) / 16 * 16;
    size_t floats, bytes;
    float *at;
    if (a->memory != NULL && rows <= a->capacity_rows) return MINNOW_OK;
    float_activations_free(a);
    rows = (rows + 15) / 16 * 16;
    if (!size_mul(8 * hidden + inner, rows, &floats) || !size_mul(floats, sizeof(float), &bytes))
        return out_of_memory(error);
    a->memory = memory_aligned_alloc(bytes + 64);
    if (a->memory == NULL) return out_of_memory(error);
    at = a->memory;
    float **const parts[8] = {&a->query, &a->key, &a->value, &a->context, &a->attention_sum, &a->attended,
                              &a->output_sum, &a->hidden};
    for (size_t i = 0; i < 8; i++, at += hidden * rows) *parts[i] = at;
    a->inner = at;
    a->capacity_rows = rows;
    return MINNOW_OK;
}

void float_activations_free(float_activations *a) {
    memory_aligned_free(a->memory);
    memset(a, 0, sizeof *a);
}

/* A thread's scratch for texts of up to `tokens` tokens: K packed | V packed | scores [ATTENTION_ROWS, tokens]. */
typedef struct attention_scratch {
    float *key, *value, *scores;
} attention_scratch;

static minnow_status reserve_scratch(float_encoder *f, size_t tokens, minnow_error *error) {
    const size_t head_dim = f->e->hidden / f->e->n_heads, threads = thread_pool_size(f->pool);
    size_t floats;
    if (tokens <= f->scratch_tokens) return MINNOW_OK;
    floats = aligned_floats(f->math->packed_bytes(head_dim, tokens)) +
             aligned_floats(f->math->packed_bytes(tokens, head_dim)) +
             aligned_floats(ATTENTION_ROWS * tokens * sizeof(float));
    memory_aligned_free(f->scratch);
    f->scratch_tokens = 0;
    f->scratch = memory_aligned_alloc(threads * floats * sizeof(float));
    if (f->scratch == NULL) return out_of_memory(error);
    f->scratch_floats = floats;
    f->scratch_tokens = tokens;
    return MINNOW_OK;
}

static attention_scratch scratch_of(const float_encoder *f, size_t part, size_t tokens) {
    const size_t head_dim = f->e->hidden / f->e->n_heads;
    attention_scratch s;
    s.key = f->scratch + part * f->scratch_floats;
    s.value = s.key + aligned_floats(f->math->packed_bytes(head_dim, tokens));
    s.scores = s.value + aligned_floats(f->math->packed_bytes(tokens, head_dim));
    return s;
}

/* --- Embeddings ----------------------------------------------------------------------------------------------- */

typedef struct embed_job {
    const float_encoder *f;
    const engine_texts *texts;
    float *sum, *hidden; /* sum may be NULL */
} embed_job;

static void embed_texts(void *context, size_t part, size_t n_parts) {
    const embed_job *j = context;
    const encoder *e = j->f->e;
    size_t begin, end, t, i;
    thread_pool_share(j->texts->n_texts, 1, part, n_parts, &begin, &end);
    for (t = begin; t < end; t++) {
        const size_t start = j->texts->starts[t];
        for (i = start; i < j->texts->starts[t + 1]; i++) {
            const float *word = e->words + (size_t)j->texts->ids[i] * e->hidden;
            float *hidden = j->hidden + i * e->hidden, *sum = j->sum != NULL ? j->sum + i * e->hidden : hidden;
            j->f->math->add(word, e->positions + (i - start) * e->hidden, sum, e->hidden);
            j->f->math->layer_norm(sum, e->embedding_norm.gamma, e->embedding_norm.beta, e->embedding_norm.epsilon,
                                   hidden, e->hidden);
        }
    }
}

static minnow_status check_texts(const encoder *e, const engine_texts *texts, minnow_error *error) {
    size_t t, i;
    for (t = 0; t < texts->n_texts; t++)
        if (texts->starts[t + 1] - texts->starts[t] > e->n_positions)
            return error_set(error, MINNOW_ERROR_ARGUMENT, "text %zu has %zu tokens, the model has positions for %zu",
                             t, texts->starts[t + 1] - texts->starts[t], e->n_positions);
    for (i = 0; i < texts->starts[texts->n_texts]; i++)
        if (texts->ids[i] < 0 || (size_t)texts->ids[i] >= e->n_vocab)
            return error_set(error, MINNOW_ERROR_ARGUMENT, "token id %ld is not in the model's vocabulary of %zu",
                             (long)texts->ids[i], e->n_vocab);
    return MINNOW_OK;
}

minnow_status float_encoder_embed(float_encoder *f, const engine_texts *texts, float *sum, float *hidden,
                                  minnow_error *error) {
    embed_job j = {f, texts, sum, hidden};
    TRY(check_texts(f->e, texts, error));
    thread_pool_run(f->pool, embed_texts, &j);
    return MINNOW_OK;
}

/* --- A layer -------------------------------------------------------------------------------------------------- */

typedef struct layer_job {
    const float_encoder *f;
    const encoder_layer *w;
    const packed_layer *packed;
    const engine_texts *texts;
    float_step from;
    const float *hidden; /* the layer's input */
    const float *input;  /* what the first matrices are given */
    float_activations *a;
} layer_job;

/* y = W x + b over rows [begin, end), with the activation and the residual [rows, n] if there is one. */
static void linear(const layer_job *j, const encoder_linear *w, const float *packed, const float *x, size_t begin,
                   size_t end, math_activation activation, const float *residual, float *y) {
    const math_epilogue e = {1.0f, w->bias, activation, residual != NULL ? residual + begin * w->n : NULL, w->n};
    j->f->math->gemm(x + begin * w->k, w->k, packed, y + begin * w->n, w->n, end - begin, w->k, w->n, &e);
}

static void norm(const layer_job *j, const encoder_norm *w, const float *x, size_t begin, size_t end, float *y) {
    const size_t n = j->f->e->hidden;
    for (size_t r = begin; r < end; r++)
        j->f->math->layer_norm(x + r * n, w->gamma, w->beta, w->epsilon, y + r * n, n);
}

static void run_projections(void *context, size_t part, size_t n_parts) {
    const layer_job *j = context;
    float_activations *a = j->a;
    size_t begin, end;
    thread_pool_share(j->texts->starts[j->texts->n_texts], ROW_GRAIN, part, n_parts, &begin, &end);
    if (begin == end) return;
    linear(j, &j->w->query, j->packed->query, j->input, begin, end, MATH_ACTIVATION_NONE, NULL, a->query);
    linear(j, &j->w->key, j->packed->key, j->input, begin, end, MATH_ACTIVATION_NONE, NULL, a->key);
    linear(j, &j->w->value, j->packed->value, j->input, begin, end, MATH_ACTIVATION_NONE, NULL, a->value);
}

/* One head of the text that begins at row `first`. */
static void attend(const layer_job *j, size_t first, size_t tokens, size_t head, const attention_scratch *s) {
    const math_kernels *m = j->f->math;
    const size_t hidden = j->f->e->hidden, head_dim = hidden / j->f->e->n_heads, at = first * hidden + head * head_dim;
    const math_epilogue scaled = {j->f->e->attention_scale, NULL, MATH_ACTIVATION_NONE, NULL, 0};
    size_t row, rows, r;
    m->pack(j->a->key + at, 1, hidden, head_dim, tokens, s->key);
    m->pack(j->a->value + at, hidden, 1, tokens, head_dim, s->value);
    for (row = 0; row < tokens; row += rows) {
        rows = tokens - row < ATTENTION_ROWS ? tokens - row : ATTENTION_ROWS;
        m->gemm(j->a->query + at + row * hidden, hidden, s->key, s->scores, tokens, rows, head_dim, tokens, &scaled);
        for (r = 0; r < rows; r++) m->softmax(s->scores + r * tokens, s->scores + r * tokens, tokens);
        m->gemm(s->scores, tokens, s->value, j->a->context + at + row * hidden, hidden, rows, tokens, head_dim, NULL);
    }
}

/* Work of one head of a text; the split between threads follows its running sum. */
static uint64_t attention_cost(size_t tokens) { return (uint64_t)tokens * (tokens + 32); }

static void run_attention(void *context, size_t part, size_t n_parts) {
    const layer_job *j = context;
    const size_t n_heads = j->f->e->n_heads;
    uint64_t total = 0, done = 0;
    size_t t, head;
    for (t = 0; t < j->texts->n_texts; t++)
        total += n_heads * attention_cost(j->texts->starts[t + 1] - j->texts->starts[t]);
    for (t = 0; t < j->texts->n_texts; t++) {
        const size_t first = j->texts->starts[t], tokens = j->texts->starts[t + 1] - first;
        const attention_scratch s = scratch_of(j->f, part, tokens);
        for (head = 0; head < n_heads; head++, done += attention_cost(tokens))
            if (done >= total * part / n_parts && done < total * (part + 1) / n_parts)
                attend(j, first, tokens, head, &s);
    }
}

static void run_rest(void *context, size_t part, size_t n_parts) {
    const layer_job *j = context;
    float_activations *a = j->a;
    const float *up_input = a->attended;
    size_t begin, end;
    thread_pool_share(j->texts->starts[j->texts->n_texts], ROW_GRAIN, part, n_parts, &begin, &end);
    if (begin == end) return;
    if (j->from <= FLOAT_FROM_CONTEXT) {
        linear(j, &j->w->output, j->packed->output, a->context, begin, end, MATH_ACTIVATION_NONE, j->hidden,
               a->attention_sum);
        norm(j, &j->w->attention_norm, a->attention_sum, begin, end, a->attended);
    } else if (j->from == FLOAT_FROM_ATTENDED) {
        up_input = j->input;
    }
    if (j->from <= FLOAT_FROM_ATTENDED)
        linear(j, &j->w->up, j->packed->up, up_input, begin, end, MATH_ACTIVATION_GELU_ERF, NULL, a->inner);
    linear(j, &j->w->down, j->packed->down, a->inner, begin, end, MATH_ACTIVATION_NONE, a->attended, a->output_sum);
    norm(j, &j->w->output_norm, a->output_sum, begin, end, a->hidden);
}

static size_t longest_text(const engine_texts *texts) {
    size_t longest = 0, t;
    for (t = 0; t < texts->n_texts; t++)
        if (texts->starts[t + 1] - texts->starts[t] > longest) longest = texts->starts[t + 1] - texts->starts[t];
    return longest;
}

minnow_status float_encoder_resume(float_encoder *f, size_t layer, float_step from, const engine_texts *texts,
                                   const float *hidden, const float *input, float_activations *a,
                                   minnow_error *error) {
    layer_job j = {f, &f->e->layers[layer], &f->layers[layer], texts, from, hidden, input, a};
    if (input == NULL) j.input = from == FLOAT_FROM_INPUT ? hidden : a->attended;
    if (from <= FLOAT_FROM_QKV) TRY(reserve_scratch(f, longest_text(texts), error));
    if (from == FLOAT_FROM_INPUT) thread_pool_run(f->pool, run_projections, &j);
    if (from <= FLOAT_FROM_QKV) thread_pool_run(f->pool, run_attention, &j);
    thread_pool_run(f->pool, run_rest, &j);
    return MINNOW_OK;
}

minnow_status float_encoder_layer(float_encoder *f, size_t layer, const engine_texts *texts, const float *hidden,
                                  float_activations *out, minnow_error *error) {
    return float_encoder_resume(f, layer, FLOAT_FROM_INPUT, texts, hidden, NULL, out, error);
}
