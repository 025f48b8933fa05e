/* SPDX-License-Identifier: Apache-2.0
 * Opening a model, whatever file it is. */
#include "api/open.h"

#include <stdlib.h>

#include "base/fpenv.h"

minnow_pooling model_pooling(const model_settings *s) {
    return s->pooling == MINNOW_POOLING_DEFAULT ? MINNOW_POOLING_MEAN : s->pooling;
}

size_t model_max_tokens(const model_settings *s) {
    const size_t limit = s->max_tokens != 0 ? s->max_tokens : MODEL_DEFAULT_MAX_TOKENS;
    return s->max_positions != 0 && limit > s->max_positions ? s->max_positions : limit;
}

static minnow_status open_packed(minnow_model *m, const char *path, minnow_error *error) {
    int8_model *weights = NULL;
    TRY(int8_model_open(&weights, path, error));
    encode_int8_open(m, weights);
    return MINNOW_OK;
}

static minnow_status open_located(minnow_model **out, const model_location *at, int external_data,
                                  minnow_error *error) {
    minnow_model *m = calloc(1, sizeof *m);
    minnow_status status;
    if (m == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    status = at->packed != NULL ? open_packed(m, at->packed, error) : encode_graph_open(m, at, external_data, error);
    if (status == MINNOW_OK) *out = m;
    else minnow_model_close(&m);
    return status;
}

minnow_status minnow_model_open_with(minnow_model **out, const char *path, const minnow_model_options *options,
                                     minnow_error *error) {
    const minnow_model_options o = model_options(options);
    model_location at = {NULL, NULL, NULL, NULL};
    minnow_error own; /* error_prefix needs one even if the caller has none */
    minnow_status status;
    fpenv before;
    if (error == NULL) error = &own;
    if (out != NULL) *out = NULL;
    if (out == NULL || path == NULL) return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_model_open: NULL argument");
    before = fpenv_enter(); /* constants of a graph are computed here */
    status = model_locate(&at, path, o.tokenizer_path, error);
    if (status == MINNOW_OK) status = open_located(out, &at, o.external_data, error);
    fpenv_set(before);
    model_location_free(&at);
    return status;
}

minnow_status minnow_model_open(minnow_model **out, const char *path, minnow_error *error) {
    return minnow_model_open_with(out, path, NULL, error);
}
