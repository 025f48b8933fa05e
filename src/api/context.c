/* SPDX-License-Identifier: Apache-2.0
 * Encoding: text -> ids -> token vectors (encode_path) -> pooled, normalized vector. Each text runs alone at its own
 * length: no padding, so no batch can change a byte. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/model.h"
#include "run/engine/pool.h"

struct minnow_context {
    const minnow_model *model;
    void *state;       /* of model->path */
    token_ids ids;
    double *scratch;   /* [dimensions] */
    size_t max_tokens;
    minnow_pooling pooling;
    int normalize;
};

static minnow_status check_options(minnow_context *c, const minnow_context_options *o, minnow_error *error) {
    const minnow_model *m = c->model;
    c->max_tokens = o->max_tokens != 0 ? o->max_tokens : m->max_tokens;
    if (m->max_positions != 0 && c->max_tokens > m->max_positions)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "%zu tokens asked for, the model has positions for %zu",
                         c->max_tokens,
                         m->max_positions);
    if ((unsigned)o->pooling > MINNOW_POOLING_MAX)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "unknown pooling %d", (int)o->pooling);
    c->pooling = o->pooling != MINNOW_POOLING_DEFAULT ? o->pooling : m->pooling;
    if (m->pooled_only && o->pooling != MINNOW_POOLING_DEFAULT)
        return error_set(error, MINNOW_ERROR_ARGUMENT,
                         "the graph gives pooled vectors only: its pooling cannot be chosen");
    c->normalize = !o->no_normalize;
    return MINNOW_OK;
}

minnow_status minnow_context_create(minnow_context **out, const minnow_model *model,
                                    const minnow_context_options *options,
                                    minnow_error *error) {
    minnow_context_options o;
    minnow_context *c = NULL;
    minnow_status status;
    if (out == NULL || model == NULL)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_context_create: NULL argument");
    *out = NULL;
    memset(&o, 0, sizeof o);
    if (options != NULL) memcpy(&o, options, options->size != 0 && options->size < sizeof o ? options->size : sizeof o);
    c = calloc(1, sizeof *c);
    if (c == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    c->model = model;
    TRY_GOTO(check_options(c, &o, error));
    c->scratch = malloc(model->dimensions * sizeof *c->scratch);
    if (c->scratch == NULL) TRY_GOTO(error_set(error, MINNOW_ERROR_MEMORY, "out of memory"));
    TRY_GOTO(model->path->create(&c->state, model, c->max_tokens, o.n_threads, error));
    *out = c;
    return MINNOW_OK;
fail:
    minnow_context_close(&c);
    return status;
}

void minnow_context_close(minnow_context **context) {
    minnow_context *c = context != NULL ? *context : NULL;
    if (c == NULL) return;
    c->model->path->close(c->state);
    token_ids_free(&c->ids);
    free(c->scratch);
    free(c);
    *context = NULL;
}

static minnow_status run_text(minnow_context *c, const char *text, size_t text_bytes, const float **values,
                              minnow_encoding *encoding, minnow_error *error) {
    int truncated = 0;
    TRY(tokenizer_encode(c->model->tokenizer, text, text_bytes == MINNOW_STRLEN ? strlen(text) : text_bytes,
                         c->max_tokens,
                         &c->ids, &truncated, error));
    if (c->ids.count == 0)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "the text has no tokens, and the tokenizer adds none");
    TRY(c->model->path->run(c->state, c->ids.data, c->ids.count, values, error));
    encoding->n_tokens = c->ids.count;
    encoding->truncated = truncated;
    return MINNOW_OK;
}

minnow_status minnow_encode(minnow_context *c, const char *text, size_t text_bytes, float *vector, size_t capacity,
                            minnow_encoding *encoding, minnow_error *error) {
    minnow_encoding found;
    const float *values;
    size_t dimensions, d;
    if (c == NULL || vector == NULL || (text == NULL && text_bytes != 0))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_encode: NULL argument");
    dimensions = c->model->dimensions;
    if (capacity < dimensions)
        return error_set(error, MINNOW_ERROR_CAPACITY, "a vector has %zu numbers, room for %zu", dimensions, capacity);
    TRY(run_text(c, text, text_bytes, &values, &found, error));
    if (!c->model->pooled_only) {
        pool_tokens(values, found.n_tokens, dimensions, c->pooling, c->normalize, c->scratch, vector);
    } else {
        for (d = 0; d < dimensions; d++) c->scratch[d] = (double)values[d];
        pool_finish(c->scratch, dimensions, c->normalize, vector);
    }
    if (encoding != NULL) *encoding = found;
    return MINNOW_OK;
}

minnow_status minnow_encode_tokens(minnow_context *c, const char *text, size_t text_bytes, float *vectors,
                                   size_t capacity,
                                   minnow_encoding *encoding, minnow_error *error) {
    minnow_encoding found;
    const float *values;
    size_t needed;
    if (c == NULL || (vectors == NULL && capacity != 0) || (text == NULL && text_bytes != 0))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_encode_tokens: NULL argument");
    if (c->model->pooled_only)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "the graph gives pooled vectors only");
    TRY(run_text(c, text, text_bytes, &values, &found, error));
    needed = found.n_tokens * c->model->dimensions;
    if (needed > capacity)
        return error_set(error, MINNOW_ERROR_CAPACITY, "%zu numbers, room for %zu", needed, capacity);
    memcpy(vectors, values, needed * sizeof *vectors);
    if (encoding != NULL) *encoding = found;
    return MINNOW_OK;
}

double minnow_similarity(const float *a, const float *b, size_t n) {
    double ab = 0, aa = 0, bb = 0, product;
    size_t i;
    for (i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    product = sqrt(aa) * sqrt(bb);
    return product > 0 ? ab / product : 0;
}
