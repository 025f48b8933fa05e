/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run/engine/pool.h"

typedef struct check_run {
    const int8_model *model;
    const graph *graph;    /* NULL: the engine runs the model */
    const quantize_source *source;
    calibration_texts texts;
    float *floats, *codes; /* [n_texts, hidden]: vectors of the two models */
    void **scratch;        /* [threads]; one text of the longest length each */
    float **hidden;        /* [threads], [longest, hidden] */
    double **pooled;       /* [threads], [hidden] */
    size_t n_threads;
} check_run;

static void free_run(check_run *run) {
    size_t i;
    for (i = 0; i < run->n_threads; i++) {
        if (run->scratch != NULL) memory_aligned_free(run->scratch[i]);
        if (run->hidden != NULL) memory_aligned_free(run->hidden[i]);
        if (run->pooled != NULL) free(run->pooled[i]);
    }
    free(run->scratch);
    free(run->hidden);
    free(run->pooled);
    free(run->floats);
    free(run->codes);
    calibration_texts_free(&run->texts);
}

/* --- Their vectors ------------------------------------------------------------------------------------------ */

static minnow_status reserve(check_run *run, minnow_error *error) {
    const size_t hidden = run->model->hidden, longest = run->texts.longest;
    const size_t scratch_bytes = engine_scratch_bytes(run->model, longest, longest);
    int ok;
    size_t i;
    run->n_threads = thread_pool_size(run->source->pool);
    run->floats = calloc(run->texts.n_texts, hidden * sizeof *run->floats);
    run->codes = calloc(run->texts.n_texts, hidden * sizeof *run->codes);
    run->scratch = calloc(run->n_threads, sizeof *run->scratch);
    run->hidden = calloc(run->n_threads, sizeof *run->hidden);
    run->pooled = calloc(run->n_threads, sizeof *run->pooled);
    ok = scratch_bytes != 0 && run->floats != NULL && run->codes != NULL && run->scratch != NULL &&
         run->hidden != NULL && run->pooled != NULL;
    for (i = 0; ok && i < run->n_threads; i++) {
        run->scratch[i] = memory_aligned_alloc(scratch_bytes);
        run->hidden[i] = memory_aligned_alloc(longest * hidden * sizeof(float));
        run->pooled[i] = malloc(hidden * sizeof(double));
        ok = run->scratch[i] != NULL && run->hidden[i] != NULL && run->pooled[i] != NULL;
    }
    return ok ? MINNOW_OK : error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

/* The i-th text, alone; starts [2]. */
static engine_texts text_at(const check_run *run, size_t i, size_t *starts) {
    const calibration_texts *t = &run->texts;
    starts[0] = 0;
    starts[1] = t->starts[i + 1] - t->starts[i];
    return (engine_texts){t->ids + t->starts[i], starts, 1};
}

/* FP32: layers one by one, on all threads. */
static minnow_status run_floats(const check_run *run, size_t i, float_activations *a, minnow_error *error) {
    float_encoder *f = run->source->floats;
    const size_t hidden = run->model->hidden;
    size_t starts[2], layer;
    const engine_texts one = text_at(run, i, starts);
    float *h = run->hidden[0];
    TRY(float_activations_reserve(a, run->source->encoder, starts[1], error));
    TRY(float_encoder_embed(f, &one, NULL, h, error));
    for (layer = 0; layer < run->model->n_layers; layer++) {
        TRY(float_encoder_layer(f, layer, &one, h, a, error));
        memcpy(h, a->hidden, starts[1] * hidden * sizeof *h);
    }
    pool_tokens(h, starts[1], hidden, run->model->pooling, 1, run->pooled[0], run->floats + i * hidden);
    return MINNOW_OK;
}

/* INT8: texts spread over the threads. */
static void run_codes(void *context, size_t part, size_t n_parts) {
    const check_run *run = context;
    const size_t hidden = run->model->hidden;
    size_t i;
    for (i = part; i < run->texts.n_texts; i += n_parts) {
        size_t starts[2];
        const engine_texts one = text_at(run, i, starts);
        engine_run(run->model, kernels_best(), &one, run->scratch[part], run->hidden[part]);
        pool_tokens(run->hidden[part], starts[1], hidden, run->model->pooling, 1, run->pooled[part],
                    run->codes + i * hidden);
    }
}

static minnow_status run_both(check_run *run, quantize_progress *progress, minnow_error *error) {
    float_activations a;
    minnow_status status = MINNOW_OK;
    size_t i;
    memset(&a, 0, sizeof a);
    for (i = 0; i < run->texts.n_texts && status == MINNOW_OK; i++) {
        quantize_progress_update(progress, "check", i, run->texts.n_texts);
        status = run_floats(run, i, &a, error);
    }
    float_activations_free(&a);
    if (status != MINNOW_OK) return status;
    if (run->graph != NULL)
        return quantize_check_graph(run->codes, run->graph, run->model, &run->texts, run->source->pool, error);
    thread_pool_run(run->source->pool, run_codes, run);
    return MINNOW_OK;
}

minnow_status quantize_check_run(quantize_check *out, const int8_model *m, const graph *g, const quantize_source *s,
                                 quantize_progress *progress, minnow_error *error) {
    check_run run;
    minnow_status status;
    size_t i;
    memset(out, 0, sizeof *out);
    memset(&run, 0, sizeof run);
    run.model = m;
    run.graph = g;
    run.source = s;
    if (s->texts.n_texts == 0) return MINNOW_OK;
    TRY(quantize_check_texts(&run.texts, &out->held_out, s, error));
    status = reserve(&run, error);
    if (status == MINNOW_OK) status = run_both(&run, progress, error);
    for (i = 0; i < run.texts.n_texts && status == MINNOW_OK; i++) {
        const double cosine = minnow_similarity(run.floats + i * m->hidden, run.codes + i * m->hidden, m->hidden);
        out->mean += cosine / (double)run.texts.n_texts;
        if (i == 0 || cosine < out->least) out->least = cosine;
    }
    out->n_texts = run.texts.n_texts;
    free_run(&run);
    return status;
}
