/* SPDX-License-Identifier: Apache-2.0
 * The INT8 encoder: token ids in, hidden states out, by the plan of plan.h.
 *
 * All but attention works on rows, so a thread takes its rows, block by block, from one layer's attention through the
 * next layer's queries, keys and values; there it waits for the others' keys. The buffers of qkv take turns, so that
 * no thread writes where another still reads. */
#include "run/engine/engine.h"

#include "run/engine/plan.h"
#include "run/engine/steps.h"

size_t engine_threads_scratch_bytes(const int8_model *m, size_t rows, size_t longest, size_t n_threads) {
    engine_plan plan;
    return engine_plan_make(&plan, m, rows, longest, n_threads) ? plan.bytes : 0;
}

size_t engine_scratch_bytes(const int8_model *m, size_t rows, size_t longest) {
    return engine_threads_scratch_bytes(m, rows, longest, 1);
}

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
    const engine_plan *plan;
    uint8_t *scratch;
    float *hidden;           /* [rows, hidden] */
    int8_t *codes, *qkv[2];  /* [rows, hidden], [rows, 3 hidden]; the same twice if there is one thread */
} engine_job;

/* Rows of codes -> the queries, keys and values of layer l. */
static void begin_layer(const engine_job *j, size_t l, size_t first, size_t rows) {
    const size_t hidden = j->m->hidden;
    engine_query_key_value(j->m, j->k, &j->m->layers[l], j->codes + first * hidden, rows,
                           j->qkv[l % 2] + first * 3 * hidden);
}

/* Rows of layer l's context codes -> hidden, and its codes for the layer behind. */
static void finish_layer(const engine_job *j, size_t l, size_t first, size_t rows, int8_t *inner) {
    const int8_layer *layer = &j->m->layers[l];
    const int8_quantizer *next = l + 1 < j->m->n_layers ? &layer[1].attention_input : NULL;
    int8_t *codes = j->codes + first * j->m->hidden;
    float *hidden = j->hidden + first * j->m->hidden;
    steps_output(j->m, j->k, &layer->attention_output, &layer->attention_norm, codes, rows, hidden, &layer->up_input,
                 codes);
    engine_up(j->k, layer, codes, rows, inner);
    steps_output(j->m, j->k, &layer->down, &layer->output_norm, inner, rows, hidden, next, codes);
}

static void run_part(void *context, size_t part, size_t n_parts) {
    const engine_job *j = context;
    const size_t n_layers = j->m->n_layers;
    uint8_t *own = j->scratch + part * j->plan->own_bytes; /* the offsets are the first thread's */
    uint8_t *attention = own + j->plan->buffers[ENGINE_ATTENTION].offset;
    int8_t *inner = (int8_t *)(own + j->plan->buffers[ENGINE_INNER].offset);
    size_t first, last, at, l;
    (void)n_parts;
    if (part >= j->n_active) return;
    thread_pool_share(j->texts->starts[j->texts->n_texts], ENGINE_SHARE_ROWS, part, j->n_active, &first, &last);
    steps_embed(j->m, j->k, j->texts, first, last, j->hidden, n_layers > 0 ? &j->m->layers[0].attention_input : NULL,
                j->codes);
    if (n_layers > 0) begin_layer(j, 0, first, last - first);
    for (l = 0; l < n_layers; l++) {
        thread_pool_barrier(j->pool, j->n_active);
        steps_attention(j->m, j->k, &j->m->layers[l], j->texts, first, last, j->qkv[l % 2], attention, j->codes);
        for (at = first; at < last; at += j->plan->block_rows) {
            const size_t n = smaller(j->plan->block_rows, last - at);
            finish_layer(j, l, at, n, inner);
            if (l + 1 < n_layers) begin_layer(j, l + 1, at, n);
        }
    }
}

void engine_run_threads(const int8_model *m, const kernels *k, const engine_texts *texts, thread_pool *pool,
                        void *scratch, float *hidden) {
    const size_t rows = texts->starts[texts->n_texts], n_threads = thread_pool_size(pool);
    engine_plan plan;
    engine_job j = {.m = m, .k = k, .texts = texts, .pool = pool, .plan = &plan, .scratch = scratch, .hidden = hidden};
    /* For the texts at hand, so that little memory is touched; it takes no more than the plan for the caller's bounds,
     * and fits, for engine_scratch_bytes has said so. */
    if (!engine_plan_make(&plan, m, rows, longest_text(texts), n_threads)) return;
    j.n_active = smaller(n_threads, (rows + ENGINE_SHARE_ROWS - 1) / ENGINE_SHARE_ROWS);
    j.codes = (int8_t *)(j.scratch + plan.buffers[ENGINE_CODES].offset);
    j.qkv[0] = (int8_t *)(j.scratch + plan.buffers[ENGINE_QKV].offset);
    j.qkv[1] = (int8_t *)(j.scratch + plan.buffers[ENGINE_QKV_ODD].offset);
    if (j.n_active > 1) thread_pool_run(pool, run_part, &j);
    else run_part(&j, 0, 1);
}

void engine_run(const int8_model *m, const kernels *k, const engine_texts *texts, void *scratch, float *hidden) {
    engine_run_threads(m, k, texts, NULL, scratch, hidden);
}
