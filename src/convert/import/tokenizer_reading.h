/* SPDX-License-Identifier: Apache-2.0
 * What the readers of tokenizer files share. */
#ifndef MINNOW_CONVERT_IMPORT_TOKENIZER_READING_H
#define MINNOW_CONVERT_IMPORT_TOKENIZER_READING_H

#include "base/arena.h"
#include "convert/import/tokenizer_files.h"
#include "convert/json/json.h"

/* A configuration in the making. All that it points to lives in the arena, or is static. */
typedef struct tokenizer_draft {
    arena *memory;
    tokenizer_config config;
    char *vocab_text;
    uint32_t *vocab_offsets;
    int32_t *vocab_ids;
    tokenizer_added_token *added_tokens;
    size_t added_capacity;
} tokenizer_draft;

/* Room for a vocabulary of n tokens and `bytes` bytes of text, and for n_added added tokens. */
minnow_status tokenizer_draft_reserve(tokenizer_draft *draft, size_t n, size_t bytes, size_t n_added,
                                      minnow_error *error);
void tokenizer_draft_add(tokenizer_draft *draft, const char *text, size_t bytes, int32_t id);

/* What tokenizer_from_json and tokenizer_from_vocab make a tokenizer of. *out points into `memory`; not checked yet:
 * tokenizer_create does. */
minnow_status tokenizer_config_from_json(tokenizer_config *out, arena *memory, const uint8_t *json, size_t bytes,
                                         minnow_error *error);
minnow_status tokenizer_config_from_vocab(tokenizer_config *out, arena *memory, const uint8_t *text, size_t bytes,
                                          const vocab_options *options, minnow_error *error);

/* tokenizer_config.json: the members that say how BertTokenizer uses its vocab.txt; what cannot be honoured is
 * refused. */
minnow_status vocab_options_read(vocab_options *options, yyjson_val *root, minnow_error *error);

#endif
