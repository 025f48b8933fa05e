/* SPDX-License-Identifier: Apache-2.0
 * A .minnow file: ids -> token vectors, by the INT8 engine. All memory is there before the first text. */
#include <stdlib.h>

#include "api/model.h"
#include "base/memory.h"
#include "run/engine/engine.h"

typedef struct int8_state {
    const int8_model *model;
    const kernels *kernels;
    thread_pool *pool;
    void *scratch;  /* engine_threads_scratch_bytes */
    float *hidden;  /* [max_tokens, dimensions] */
} int8_state;

static void close_state(void *state) {
    int8_state *s = state;
    if (s == NULL) return;
    thread_pool_close(&s->pool);
    memory_aligned_free(s->scratch);
    memory_aligned_free(s->hidden);
    free(s);
}

static minnow_status create_state(void **out, const minnow_model *m, size_t max_tokens, size_t n_threads,
                                  minnow_error *error) {
    const int8_model *model = m->weights;
    int8_state *s = calloc(1, sizeof *s);
    size_t scratch_bytes;
    minnow_status status;
    if (s == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    s->model = model;
    s->kernels = kernels_best();
    TRY_GOTO(thread_pool_create(&s->pool, n_threads, error));
    scratch_bytes = engine_threads_scratch_bytes(model, max_tokens, max_tokens, thread_pool_size(s->pool));
    if (scratch_bytes != 0 && max_tokens <= SIZE_MAX / sizeof(float) / model->hidden) {
        s->scratch = memory_aligned_alloc(scratch_bytes);
        s->hidden = memory_aligned_alloc(max_tokens * model->hidden * sizeof *s->hidden);
    }
    if (s->scratch == NULL || s->hidden == NULL)
        TRY_GOTO(error_set(error, MINNOW_ERROR_MEMORY, "out of memory: %zu tokens at once", max_tokens));
    *out = s;
    return MINNOW_OK;
fail:
    close_state(s);
    return status;
}

static minnow_status run(void *state, const int32_t *ids, size_t n, const float **values, minnow_error *error) {
    int8_state *s = state;
    const size_t starts[2] = {0, n};
    const engine_texts texts = {ids, starts, 1};
    size_t i;
    for (i = 0; i < n; i++) /* opening has checked the tokenizer, but no table may be read past its end */
        if (ids[i] < 0 || (size_t)ids[i] >= s->model->n_vocab)
            return error_set(error, MINNOW_ERROR_FORMAT, "token id %d: the model has %zu", (int)ids[i],
                             s->model->n_vocab);
    engine_run_threads(s->model, s->kernels, &texts, s->pool, s->scratch, s->hidden);
    *values = s->hidden;
    return MINNOW_OK;
}

static void close_weights(void *weights) {
    int8_model *model = weights;
    int8_model_close(&model);
}

static const encode_path int8_path = {create_state, run, close_state, close_weights};

minnow_status encode_int8_open(minnow_model *m, const model_location *at, minnow_error *error) {
    int8_model *model = NULL;
    TRY(int8_model_open(&model, at->packed, error));
    m->path = &int8_path;
    m->weights = model;
    m->tokenizer = model->tokenizer;
    m->dimensions = model->hidden;
    m->max_tokens = model->max_tokens;
    m->max_positions = model->n_positions;
    m->pooling = model->pooling;
    return MINNOW_OK;
}
