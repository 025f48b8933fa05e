/* SPDX-License-Identifier: Apache-2.0
 *
 * GPTQ's way through the layers: the FP32 model and the model being quantized go side by side over the same tokens,
 * and each matrix is fitted to give what the FP32 model has, from what the quantized model has up to there.
 *
 *   of all tokens between two steps                 in blocks of about 1,024 tokens
 *     wanted  [rows, hidden]  FP32 state              codes, qkv, FP32 activations of a layer
 *     sums    [rows, hidden]  FP32 sum before the layer's last norm
 *     state   [rows, hidden]  the quantized model's state
 *     codes   [rows, intermediate] its context, then its GELU output
 *
 * Before a residual add the target is the sum wanted less the state that is there: the residual's own error is made
 * good. */
#include "convert/quantize/parts.h"

#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"

#define BLOCK_ROWS ((size_t)1024) /* see statistics.c */
#define GROUP_ROWS ((size_t)256)  /* of a thread's step: its activations stay in the cache */

typedef struct walk {
    const int8_model *m;
    const kernels *kernels;
    const encoder *e;
    float_encoder *f;
    const calibration_texts *texts;
    thread_pool *pool;
    const quantize_options *options;
    float *wanted, *sums, *state;
    int8_t *codes;
    float_activations activations;
    /* The present block: texts [first, end), rows from row on. */
    size_t block_rows, first, end, row;
    size_t *starts;       /* [block_rows + 1] */
    engine_texts block;
    int8_t *block_codes, *qkv;
    /* Of each thread. */
    size_t scratch_bytes, group_rows;
    uint8_t *scratch;
    size_t *group_starts; /* [n_parts][group_rows + 1] */
    const int8_layer *layer;
    uint64_t done, total;
} walk;

/* --- Steps of the quantized model, texts shared by the threads ---------------------------------------------------- */
/* Texts [first, ...) of the block that end by row `limit`; `row` is where they begin in the block. */
typedef struct step {
    engine_texts texts;
    size_t row, rows;
    uint8_t *scratch;
} step;
typedef void (*step_fn)(const walk *w, const step *s);
typedef struct step_job {
    const walk *w;
    step_fn run;
} step_job;

/* Which text the thread's share begins at: shares are about equal in rows. */
static size_t share_begin(const engine_texts *block, size_t part, size_t n_parts) {
    const size_t rows = block->starts[block->n_texts];
    size_t t = 0;
    while (t < block->n_texts && block->starts[t] < rows * part / n_parts) t++;
    return t;
}

static void run_share(void *context, size_t part, size_t n_parts) {
    const step_job *job = context;
    const walk *w = job->w;
    const engine_texts *block = &w->block;
    const size_t end = part + 1 == n_parts ? block->n_texts : share_begin(block, part + 1, n_parts);
    size_t *starts = w->group_starts + part * (w->group_rows + 1);
    size_t t = share_begin(block, part, n_parts);
    while (t < end) {
        step s = {.row = block->starts[t], .scratch = w->scratch + part * w->scratch_bytes};
        size_t n = 0;
        starts[0] = 0;
        do {
            starts[n + 1] = block->starts[t + n + 1] - s.row;
            n++;
        } while (t + n < end && block->starts[t + n + 1] - s.row <= w->group_rows);
        s.rows = starts[n];
        s.texts = (engine_texts){block->ids + s.row, starts, n};
        job->run(w, &s);
        t += n;
    }
}

static void run_step(const walk *w, step_fn run) {
    step_job job = {w, run};
    thread_pool_run(w->pool, run_share, &job);
}

static float *state_of(const walk *w, const step *s) { return w->state + (w->row + s->row) * w->e->hidden; }
static int8_t *block_codes_of(const walk *w, const step *s) { return w->block_codes + s->row * w->e->hidden; }
static int8_t *context_of(const walk *w, const step *s) { return w->codes + (w->row + s->row) * w->e->hidden; }
static int8_t *inner_of(const walk *w, const step *s) { return w->codes + (w->row + s->row) * w->m->intermediate; }

static void step_embed(const walk *w, const step *s) { engine_embed(w->m, w->kernels, &s->texts, state_of(w, s)); }
static void step_attention_input(const walk *w, const step *s) {
    engine_quantize(w->kernels, &w->layer->attention_input, state_of(w, s), s->rows, w->e->hidden,
                    block_codes_of(w, s));
}
static void step_attention(const walk *w, const step *s) {
    int8_t *qkv = w->qkv + s->row * 3 * w->e->hidden;
    step_attention_input(w, s);
    engine_query_key_value(w->m, w->kernels, w->layer, block_codes_of(w, s), s->rows, qkv);
    engine_attention(w->m, w->kernels, w->layer, &s->texts, qkv, s->scratch, context_of(w, s));
}
static void step_up_input(const walk *w, const step *s) {
    engine_quantize(w->kernels, &w->layer->up_input, state_of(w, s), s->rows, w->e->hidden, block_codes_of(w, s));
}
static void step_attention_output(const walk *w, const step *s) {
    engine_output(w->m, w->kernels, &w->layer->attention_output, &w->layer->attention_norm, context_of(w, s), s->rows,
                  state_of(w, s));
    step_up_input(w, s);
}
static void step_up(const walk *w, const step *s) {
    step_up_input(w, s);
    engine_up(w->kernels, w->layer, block_codes_of(w, s), s->rows, inner_of(w, s));
}
static void step_down(const walk *w, const step *s) {
    engine_output(w->m, w->kernels, &w->layer->down, &w->layer->output_norm, inner_of(w, s), s->rows,
                  state_of(w, s));
}

/* --- Blocks ------------------------------------------------------------------------------------------------------- */
static void rewind_blocks(walk *w) { w->first = w->end = w->row = 0, w->block.n_texts = 0; }

/* The next block, or 0 after the last. */
static int next_block(walk *w) {
    if (w->block.n_texts > 0) w->row += w->block.starts[w->block.n_texts];
    w->first = w->end;
    if (w->first >= w->texts->n_texts) return 0;
    calibration_texts_block(w->texts, w->first, w->block_rows, &w->end, w->starts, &w->block);
    return 1;
}
static size_t rows_of_block(const walk *w) { return w->block.starts[w->block.n_texts]; }

static void report_progress(walk *w) {
    w->done += rows_of_block(w);
    if (w->options->progress != NULL) w->options->progress(w->options->progress_context, "quantize", w->done, w->total);
}

static minnow_status embed(walk *w, minnow_error *error) {
    for (rewind_blocks(w); next_block(w);) {
        TRY(float_encoder_embed(w->f, &w->block, NULL, w->wanted + w->row * w->e->hidden, error));
        run_step(w, step_embed);
    }
    return MINNOW_OK;
}

/* The FP32 model's layer: `wanted` becomes the state after attention, `sums` the layer's last sum. */
static minnow_status float_layer(walk *w, size_t layer, minnow_error *error) {
    const size_t bytes = rows_of_block(w) * w->e->hidden * sizeof(float);
    float *wanted = w->wanted + w->row * w->e->hidden;
    TRY(float_encoder_layer(w->f, layer, &w->block, wanted, &w->activations, error));
    memcpy(wanted, w->activations.attended, bytes);
    memcpy(w->sums + w->row * w->e->hidden, w->activations.output_sum, bytes);
    return MINNOW_OK;
}

/* --- The four matrices of a layer
 * ----------------------------------------------------------------------------------- */
typedef enum matrix_place { QUERY_KEY_VALUE, ATTENTION_OUTPUT, UP, DOWN } matrix_place;

static minnow_status gather(walk *w, size_t layer, matrix_place place, statistics *s, minnow_error *error) {
    const size_t hidden = w->e->hidden;
    for (rewind_blocks(w); next_block(w);) {
        const size_t rows = rows_of_block(w);
        const float *wanted = w->wanted + w->row * hidden, *state = w->state + w->row * hidden;
        switch (place) {
        case QUERY_KEY_VALUE:
            run_step(w, step_attention_input);
            statistics_add(s, w->block_codes, wanted, NULL, rows, w->pool);
            break;
        case ATTENTION_OUTPUT:
            run_step(w, step_attention);
            TRY(float_layer(w, layer, error));
            statistics_add(s, w->codes + w->row * hidden, w->activations.attention_sum, state, rows, w->pool);
            break;
        case UP:
            run_step(w, step_attention_output);
            statistics_add(s, w->block_codes, wanted, NULL, rows, w->pool);
            break;
        case DOWN:
            run_step(w, step_up);
            statistics_add(s, w->codes + w->row * w->m->intermediate, w->sums + w->row * hidden, state, rows, w->pool);
            break;
        }
        report_progress(w);
    }
    statistics_finish(s);
    return MINNOW_OK;
}

/* The layer's end: both models go on to the next. */
static void finish_layer(walk *w, size_t layer) {
    const encoder_norm *norm = &w->e->layers[layer].output_norm;
    const size_t hidden = w->e->hidden;
    for (rewind_blocks(w); next_block(w);) run_step(w, step_down);
    for (size_t i = 0; i < w->texts->rows; i++)
        math_best()->layer_norm(w->sums + i * hidden, norm->gamma, norm->beta, norm->epsilon, w->wanted + i * hidden,
                                hidden);
}

static minnow_status fit_layer(walk *w, size_t layer, const matrix_job *jobs, quantize_matrix_report *report,
                               minnow_error *error) {
    const double ridge = w->options->ridge, damping = w->options->damping;
    w->layer = w->m->layers + layer;
    for (int place = QUERY_KEY_VALUE; place <= DOWN; place++) {
        const matrix_job *job = jobs + 4 * layer + place;
        const int is_inputs = place == QUERY_KEY_VALUE || place == UP;
        double relative_error = 0.0;
        statistics s;
        minnow_status status =
            statistics_create(&s, job->k, is_inputs ? job->k : job->n, is_inputs, w->block_rows, w->pool, error);
        if (status == MINNOW_OK) status = gather(w, layer, (matrix_place)place, &s, error);
        if (status == MINNOW_OK) status = gptq_matrix(job, &s, ridge, damping, w->pool, &relative_error, error);
        statistics_free(&s);
        if (status != MINNOW_OK) return status;
        if (report != NULL) report[4 * layer + (size_t)place].relative_error = relative_error;
    }
    finish_layer(w, layer);
    return MINNOW_OK;
}

/* --- Memory ------------------------------------------------------------------------------------------------------- */
static void *take(arena *memory, size_t count, size_t element_bytes, int *is_short) {
    void *p = arena_array(memory, count, element_bytes);
    if (p == NULL) *is_short = 1;
    return p;
}

static minnow_status prepare(walk *w, arena *memory, minnow_error *error) {
    const calibration_texts *t = w->texts;
    const size_t rows = t->rows, hidden = w->e->hidden, parts = thread_pool_size(w->pool);
    const size_t widest = w->m->intermediate > hidden ? w->m->intermediate : hidden;
    int is_short = 0;
    w->block_rows = t->longest > BLOCK_ROWS ? t->longest : BLOCK_ROWS;
    w->group_rows = t->longest > GROUP_ROWS ? t->longest : GROUP_ROWS;
    w->scratch_bytes = engine_scratch_bytes(w->m, w->group_rows, t->longest);
    if (w->scratch_bytes == 0 || w->scratch_bytes > SIZE_MAX - 63)
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    w->scratch_bytes = (w->scratch_bytes + 63) / 64 * 64;
    w->wanted = take(memory, rows, hidden * sizeof(float), &is_short);
    w->sums = take(memory, rows, hidden * sizeof(float), &is_short);
    w->state = take(memory, rows, hidden * sizeof(float), &is_short);
    w->codes = take(memory, rows, widest, &is_short);
    w->starts = take(memory, w->block_rows + 1, sizeof(size_t), &is_short);
    w->block_codes = take(memory, w->block_rows, hidden, &is_short);
    w->qkv = take(memory, w->block_rows, 3 * hidden, &is_short);
    w->scratch = take(memory, parts, w->scratch_bytes, &is_short);
    w->group_starts = take(memory, parts, (w->group_rows + 1) * sizeof(size_t), &is_short);
    if (is_short) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu tokens", rows);
    return float_activations_reserve(&w->activations, w->e, w->block_rows, error);
}

minnow_status walk_layers(const int8_model *m, const matrix_job *jobs, float_encoder *f, const calibration_texts *texts,
                          const quantize_options *options, quantize_matrix_report *report, minnow_error *error) {
    walk w = {.m = m, .kernels = kernels_best(), .e = float_encoder_weights(f), .f = f, .texts = texts,
              .pool = options->pool,
              .options = options};
    arena memory = {0};
    minnow_status status = prepare(&w, &memory, error);
    w.total = (uint64_t)texts->rows * 4 * m->n_layers;
    if (status == MINNOW_OK) status = embed(&w, error);
    for (size_t layer = 0; status == MINNOW_OK && layer < m->n_layers; layer++)
        status = fit_layer(&w, layer, jobs, report, error);
    float_activations_free(&w.activations);
    arena_free(&memory);
    return status;
}
