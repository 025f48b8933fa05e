/* SPDX-License-Identifier: Apache-2.0
 * What an int8_model owns: a map of its file, or an arena that it was built in. */
#ifndef MINNOW_RUN_MODEL_STORAGE_H
#define MINNOW_RUN_MODEL_STORAGE_H

#include "base/arena.h"
#include "run/model/model.h"

typedef struct int8_storage {
    file_map map;  /* zeroed if there is none */
    uint8_t *copy; /* of a file that could not be mapped; memory_aligned_free */
    void (*release)(struct int8_storage *storage); /* of these two; NULL: there is neither */
    arena memory;  /* layers, and (built models) all arrays */
    const uint8_t *tokenizer_data; /* the file's tokenizer section, for tokenizer_data_read; NULL in built models */
    size_t tokenizer_bytes;
} int8_storage;

/* An empty model with its storage; int8_model_close frees both. NULL if out of memory. */
int8_model *int8_model_create(void);

#endif
