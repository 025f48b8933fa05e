/* SPDX-License-Identifier: Apache-2.0
 * What every model can do, and the library's own words. */
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

minnow_model_options model_options(const minnow_model_options *given) {
    minnow_model_options o;
    options_copy(&o, sizeof o, given);
    return o;
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
                              max_tokens, &found, &cut, error);
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
