/* SPDX-License-Identifier: Apache-2.0
 * tokenizer.json or vocab.txt -> tokenizer. */
#ifndef MINNOW_CONVERT_IMPORT_TOKENIZER_FILES_H
#define MINNOW_CONVERT_IMPORT_TOKENIZER_FILES_H

#include "base/arena.h"
#include "base/file.h"
#include "run/tokenizer/tokenizer.h"

/* Reads a tokenizer.json: BertNormalizer (or null), BertPreTokenizer, WordPiece, TemplateProcessing or BertProcessing
 * (or null); anything else is refused by name. `truncation` and `padding` are ignored. Bytes, for fuzzing; messages
 * have no file name. */
minnow_status tokenizer_from_json(tokenizer **out, const uint8_t *json, size_t bytes, minnow_error *error);

/* How a vocab.txt is to be used: what tokenizer_config.json says, or BertTokenizer's defaults. */
typedef struct vocab_options {
    int lowercase;      /* do_lower_case, default 1 */
    int strip_accents;  /* -1: as lowercase (null), 0, 1 */
    int chinese_chars;  /* tokenize_chinese_chars, default 1 */
} vocab_options;
/* One token a line; needs [UNK], [CLS], [SEP]; options may be NULL. */
minnow_status tokenizer_from_vocab(tokenizer **out, const uint8_t *text, size_t bytes, const vocab_options *options,
                                   minnow_error *error);

/* A file of either kind, told apart by its first non-blank byte; a vocab.txt's tokenizer_config.json is read from
 * beside it if there. Or a folder: tokenizer.json, else vocab.txt in it. Messages begin with the path. */
minnow_status tokenizer_open(tokenizer **out, const char *path, minnow_error *error);

/* The same data, for a model that carries its tokenizer along: what tokenizer_create takes. *out points into `memory`,
 * which the caller frees. It is not checked further than the file's form; tokenizer_create does that. */
minnow_status tokenizer_config_open(tokenizer_config *out, arena *memory, const char *path, minnow_error *error);

#endif
