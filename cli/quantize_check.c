/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run/engine/pool.h"

#define FEWEST_HELD_OUT ((size_t)20)

typedef struct check_text {
    const int32_t *ids;
    size_t n;
} check_text;

typedef struct check_run {
    const int8_model *model;
    const quantize_source *source;
    calibration_texts more; /* of the same file; owns the ids of those that are held out */
    check_text texts[QUANTIZE_CHECK_TEXTS];
    size_t n_texts, longest;
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
    calibration_texts_free(&run->more);
}

/* --- Which texts -------------------------------------------------------------------------------------------- */

static check_text text_of(const calibration_texts *t, size_t i) {
    return (check_text){t->ids + t->starts[i], t->starts[i + 1] - t->starts[i]};
}

static int is_among(const calibration_texts *t, check_text text) {
    size_t i;
    for (i = 0; i < t->n_texts; i++) {
        const check_text other = text_of(t, i);
        if (other.n == text.n && memcmp(other.ids, text.ids, text.n * sizeof *text.ids) == 0) return 1;
    }
    return 0;
}

static void choose(check_run *run, const calibration_texts *from) {
    size_t i;
    run->n_texts = from->n_texts < QUANTIZE_CHECK_TEXTS ? from->n_texts : QUANTIZE_CHECK_TEXTS;
    for (i = 0; i < run->n_texts; i++) run->texts[i] = text_of(from, i * from->n_texts / run->n_texts);
}

/* A few more of the file than calibration took, less those that it did take: its memory does not grow with the file. */
static int choose_held_out(check_run *run) {
    const quantize_source *s = run->source;
    const size_t taken = s->texts.n_texts, wanted = taken + 2 * QUANTIZE_CHECK_TEXTS;
    size_t i, n = 0, step;
    if (taken + FEWEST_HELD_OUT > s->texts.n_available) return 0;
    if (calibration_texts_open(&run->more, s->texts_path, s->tokenizer, wanted, s->max_tokens,
                               NULL) != MINNOW_OK) return 0;
    for (i = 0; i < run->more.n_texts; i++) n += !is_among(&s->texts, text_of(&run->more, i));
    step = (n + QUANTIZE_CHECK_TEXTS - 1) / QUANTIZE_CHECK_TEXTS;
    for (i = n = 0; i < run->more.n_texts; i++) {
        const check_text text = text_of(&run->more, i);
        if (!is_among(&s->texts, text) && n++ % step == 0) run->texts[run->n_texts++] = text;
    }
    return run->n_texts >= FEWEST_HELD_OUT;
}

static void choose_texts(check_run *run, quantize_check *out) {
    size_t i;
    out->held_out = choose_held_out(run);
    if (!out->held_out) choose(run, &run->source->texts);
    for (i = 0; i < run->n_texts; i++)
        if (run->texts[i].n > run->longest) run->longest = run->texts[i].n;
}

/* --- Their vectors ------------------------------------------------------------------------------------------ */

static minnow_status reserve(check_run *run, minnow_error *error) {
    const size_t hidden = run->model->hidden, longest = run->longest;
    const size_t scratch_bytes = engine_scratch_bytes(run->model, longest, longest);
    int ok;
    size_t i;
    run->n_threads = thread_pool_size(run->source->pool);
    run->floats = calloc(run->n_texts, hidden * sizeof *run->floats);
    run->codes = calloc(run->n_texts, hidden * sizeof *run->codes);
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
    starts[0] = 0;
    starts[1] = run->texts[i].n;
    return (engine_texts){run->texts[i].ids, starts, 1};
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
    for (i = part; i < run->n_texts; i += n_parts) {
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
    for (i = 0; i < run->n_texts && status == MINNOW_OK; i++) {
        quantize_progress_update(progress, "check", i, run->n_texts);
        status = run_floats(run, i, &a, error);
    }
    float_activations_free(&a);
    if (status == MINNOW_OK) thread_pool_run(run->source->pool, run_codes, run);
    return status;
}

minnow_status quantize_check_run(quantize_check *out, const int8_model *m, const quantize_source *s,
                                 quantize_progress *progress, minnow_error *error) {
    check_run run;
    minnow_status status;
    size_t i;
    memset(out, 0, sizeof *out);
    memset(&run, 0, sizeof run);
    run.model = m;
    run.source = s;
    if (s->texts.n_texts == 0) return MINNOW_OK;
    choose_texts(&run, out);
    status = reserve(&run, error);
    if (status == MINNOW_OK) status = run_both(&run, progress, error);
    for (i = 0; i < run.n_texts && status == MINNOW_OK; i++) {
        const double cosine = minnow_similarity(run.floats + i * m->hidden, run.codes + i * m->hidden, m->hidden);
        out->mean += cosine / (double)run.n_texts;
        if (i == 0 || cosine < out->least) out->least = cosine;
    }
    out->n_texts = run.n_texts;
    free_run(&run);
    return status;
}
