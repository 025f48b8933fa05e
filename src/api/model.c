/* SPDX-License-Identifier: Apache-2.0
 * Opening a model, whatever file it is, and what every model can tell. */
#include "api/model.h"

#include <stdlib.h>
#include <string.h>

const char *minnow_version(void) { return MINNOW_VERSION_STRING; }

const char *minnow_status_text(minnow_status status) {
    switch (status) {
    case MINNOW_OK: return "ok";
    case MINNOW_ERROR_ARGUMENT: return "invalid argument";
    case MINNOW_ERROR_IO: return "input/output error";
    case MINNOW_ERROR_FORMAT: return "malformed input";
    case MINNOW_ERROR_UNSUPPORTED: return "unsupported";
    case MINNOW_ERROR_MEMORY: return "out of memory or over a limit";
    case MINNOW_ERROR_CAPACITY: return "buffer too small";
    case MINNOW_ERROR_CANCELLED: return "cancelled";
    }
    return "unknown status";
}

minnow_pooling model_pooling(const model_settings *s) {
    return s->pooling == MINNOW_POOLING_DEFAULT ? MINNOW_POOLING_MEAN : s->pooling;
}

size_t model_max_tokens(const model_settings *s) {
    const size_t limit = s->max_tokens != 0 ? s->max_tokens : MODEL_DEFAULT_MAX_TOKENS;
    return s->max_positions != 0 && limit > s->max_positions ? s->max_positions : limit;
}

minnow_status minnow_model_open_with(minnow_model **out, const char *path, const minnow_model_options *options,
                                     minnow_error *error) {
    minnow_model_options o = {sizeof o, NULL, 0};
    model_location at = {NULL, NULL, NULL, NULL};
    minnow_error own; /* error_prefix needs one even if the caller has none */
    minnow_model *m = NULL;
    minnow_status status;
    if (error == NULL) error = &own;
    if (out == NULL || path == NULL) return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_model_open: NULL argument");
    *out = NULL;
    if (options != NULL) memcpy(&o, options, options->size != 0 && options->size < sizeof o ? options->size : sizeof o);
    TRY_GOTO(model_locate(&at, path, o.tokenizer_path, error));
    m = calloc(1, sizeof *m);
    if (m == NULL) TRY_GOTO(error_set(error, MINNOW_ERROR_MEMORY, "out of memory"));
    TRY_GOTO(at.packed != NULL ? encode_int8_open(m, &at, error) : encode_graph_open(m, &at, o.external_data, error));
    model_location_free(&at);
    *out = m;
    return MINNOW_OK;
fail:
    model_location_free(&at);
    minnow_model_close(&m);
    return status;
}

minnow_status minnow_model_open(minnow_model **out, const char *path, minnow_error *error) {
    return minnow_model_open_with(out, path, NULL, error);
}

void minnow_model_close(minnow_model **model) {
    minnow_model *m = model != NULL ? *model : NULL;
    if (m == NULL) return;
    if (m->path != NULL) m->path->close_weights(m->weights);
    free(m);
    *model = NULL;
}

size_t minnow_model_dimensions(const minnow_model *model) { return model == NULL ? 0 : model->dimensions; }
size_t minnow_model_max_tokens(const minnow_model *model) { return model == NULL ? 0 : model->max_tokens; }

minnow_status minnow_tokenize(const minnow_model *model, const char *text, size_t text_bytes, size_t max_tokens,
                              int32_t *ids, size_t capacity, size_t *n_ids, int *truncated, minnow_error *error) {
    token_ids found = {NULL, 0, 0};
    int cut = 0;
    minnow_status status;
    if (model == NULL || (ids == NULL && capacity != 0) || (text == NULL && text_bytes != 0))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_tokenize: NULL argument");
    status = tokenizer_encode(model->tokenizer, text, text_bytes == MINNOW_STRLEN ? strlen(text) : text_bytes,
                              max_tokens,
                              &found, &cut, error);
    if (status == MINNOW_OK) {
        if (n_ids != NULL) *n_ids = found.count;
        if (found.count > capacity)
            status = error_set(error, MINNOW_ERROR_CAPACITY, "%zu ids, room for %zu", found.count, capacity);
        else if (found.count > 0)
            memcpy(ids, found.data, found.count * sizeof *ids);
        if (status == MINNOW_OK && truncated != NULL) *truncated = cut;
    }
    token_ids_free(&found);
    return status;
}
