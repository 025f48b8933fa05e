/* SPDX-License-Identifier: Apache-2.0
 * A small random .minnow model with a tokenizer of a few words, for tests of the public API. */
#ifndef MINNOW_TESTS_SMALL_MINNOW_H
#define MINNOW_TESTS_SMALL_MINNOW_H

#include <stdio.h>

#include "convert/pack/pack.h"
#include "minnow.h"
#include "random_model.h"

#define HIDDEN 32
#define MAX_TOKENS 12

static const char vocab_text[] = "[UNK][CLS][SEP]abcd##a##bhello";
static const uint32_t vocab_offsets[] = {0, 5, 10, 15, 16, 17, 18, 19, 22, 25, 30};
static const int32_t small_cls = 1, small_sep = 2;
static const tokenizer_config small_tokenizer = {.vocab_text = vocab_text, .vocab_offsets = vocab_offsets,
                                                 .n_vocab = 10, .lowercase = 1, .continuing_prefix = "##",
                                                 .max_chars_per_word = 100, .prefix_ids = &small_cls,
                                                 .suffix_ids = &small_sep, .n_prefix = 1, .n_suffix = 1};

/* The file's bytes: *out is to be freed with memory_aligned_free. */
static inline minnow_status small_minnow_bytes(uint8_t **out, size_t *bytes, minnow_error *error) {
    random_model r;
    minnow_status status;
    if (!random_model_init(&r, &small_shape, 7)) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    r.model.max_tokens = MAX_TOKENS;
    r.model.pooling = MINNOW_POOLING_CLS;
    status = pack_bytes(&r.model, &small_tokenizer, out, bytes, error);
    random_model_free(&r);
    return status;
}

/* The model itself, which borrows the bytes; for set_up and tear_down: 0, or -1 after a message. */
static inline int small_minnow_open(minnow_model **model, uint8_t **file, minnow_error *error) {
    size_t bytes;
    if (small_minnow_bytes(file, &bytes, error) == MINNOW_OK &&
        minnow_model_open_memory(model, *file, bytes, NULL, error) == MINNOW_OK)
        return 0;
    fprintf(stderr, "%s\n", error->message);
    return -1;
}
static inline int small_minnow_close(minnow_model **model, uint8_t **file) {
    minnow_model_close(model);
    memory_aligned_free(*file);
    *file = NULL;
    return 0;
}

#endif
