/* SPDX-License-Identifier: Apache-2.0
 *
 * Text -> token ids, exactly as Hugging Face `tokenizers` does it for BERT models.
 *
 *   UTF-8 text -> split at added tokens -> BertNormalizer -> BertPreTokenizer -> WordPiece -> [CLS] ids [SEP]
 *
 * This file is the run-time half: it takes settings and a vocabulary that somebody has read already (tokenizer.json and
 * vocab.txt are read by convert/import/tokenizer_files.h). It depends on libc alone. */
#ifndef MINNOW_RUN_TOKENIZER_H
#define MINNOW_RUN_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct tokenizer tokenizer;

/* A token that is found in the raw (or normalized) text before anything else is done, such as "[SEP]". */
typedef struct tokenizer_added_token {
    const char *content;
    size_t content_bytes;
    int32_t id;
    uint8_t special, single_word, lstrip, rstrip, normalized;
} tokenizer_added_token;

/* Everything create needs; borrowed during the call only. */
typedef struct tokenizer_config {
    /* The vocabulary: token i is vocab_text[vocab_offsets[i] .. vocab_offsets[i + 1]), with its id in vocab_ids[i]
     * (NULL: i). */
    const char *vocab_text;
    const uint32_t *vocab_offsets;
    const int32_t *vocab_ids;
    size_t n_vocab;
    const tokenizer_added_token *added_tokens;
    size_t n_added_tokens;
    /* BertNormalizer */
    int clean_text, handle_chinese_chars, strip_accents, lowercase;
    /* WordPiece */
    const char *continuing_prefix; /* "##" */
    int32_t unknown_id;
    size_t max_chars_per_word; /* 100 */
    /* TemplateProcessing: ids in front and behind; [CLS] and [SEP] */
    const int32_t *prefix_ids, *suffix_ids;
    size_t n_prefix, n_suffix;
} tokenizer_config;

minnow_status tokenizer_create(tokenizer **out, const tokenizer_config *config, minnow_error *error);
void tokenizer_close(tokenizer **t);

/* Where ids go: a growing array that is kept between calls. Zeroed to start with. */
typedef struct token_ids {
    int32_t *data;
    size_t count, capacity;
} token_ids;
void token_ids_free(token_ids *ids);

/* Replaces `ids` by the ids of a text. `max_tokens` 0: no limit; else ids are cut to it as `tokenizers` does
 * (LongestFirst: the end of the text goes, [CLS] and [SEP] stay) and *truncated (may be NULL) says so. Takes time
 * linear in the text's length; with a limit it stops reading once the limit is certain to be passed. Fails only for
 * lack of memory, or if max_tokens is smaller than the special tokens. Read-only on the tokenizer: threads may share
 * it. */
minnow_status tokenizer_encode(const tokenizer *t, const char *text, size_t text_bytes, size_t max_tokens,
                               token_ids *ids, int *truncated, minnow_error *error);

/* The same without an allocation, whatever the text: `ids` has room for max_tokens, at least 1; *n_ids is how many
 * there are. `scratch` is tokenizer_scratch_bytes, at any address. Fails only if max_tokens is too small. */
size_t tokenizer_scratch_bytes(const tokenizer *t);
minnow_status tokenizer_encode_into(const tokenizer *t, const char *text, size_t text_bytes, size_t max_tokens,
                                    void *scratch, int32_t *ids, size_t *n_ids, int *truncated, minnow_error *error);

size_t tokenizer_vocab_size(const tokenizer *t); /* largest id + 1 */
/* The token with this id ("##ing"), not terminated; NULL if there is none. */
const char *tokenizer_token_text(const tokenizer *t, int32_t id, size_t *bytes);

#endif
