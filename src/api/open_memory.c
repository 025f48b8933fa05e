/* SPDX-License-Identifier: Apache-2.0
 * Bytes of a .minnow file -> model, which borrows them. */
#include <stdlib.h>

#include "api/model.h"
#include "base/fpenv.h"

minnow_status model_open_memory(minnow_model **out, const void *data, size_t bytes, const minnow_model_options *options,
                                int verified, minnow_error *error) {
    int8_model *weights = NULL;
    minnow_status status;
    fpenv before;
    if (out != NULL) *out = NULL;
    if (out == NULL || data == NULL)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_model_open_memory: NULL argument");
    if (model_options(options).tokenizer_path != NULL)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "a .minnow file has its own tokenizer; no other can be given");
    before = fpenv_enter();
    status = (verified ? int8_model_read_verified : int8_model_read)(&weights, data, bytes, error);
    fpenv_set(before);
    TRY(status);
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        int8_model_close(&weights);
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    }
    encode_int8_open(*out, weights);
    return MINNOW_OK;
}

minnow_status minnow_model_open_memory(minnow_model **out, const void *data, size_t bytes,
                                       const minnow_model_options *options, minnow_error *error) {
    return model_open_memory(out, data, bytes, options, 0, error);
}
