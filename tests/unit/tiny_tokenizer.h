/* SPDX-License-Identifier: Apache-2.0
 * A tokenizer of six tokens, one of them an added one, for models in files that tests spoil. */
#ifndef MINNOW_TESTS_TINY_TOKENIZER_H
#define MINNOW_TESTS_TINY_TOKENIZER_H

#include "run/tokenizer/tokenizer.h"

static const char vocab_text[] = "[UNK][CLS][SEP]a##ab";
static const uint32_t vocab_offsets[] = {0, 5, 10, 15, 16, 19, 20};
static const int32_t cls = 1, sep = 2;
static const tokenizer_added_token added = {"[SEP]", 5, 2, 1, 0, 0, 0, 0};
static const tokenizer_config small_tokenizer = {.vocab_text = vocab_text, .vocab_offsets = vocab_offsets, .n_vocab = 6,
                                                 .added_tokens = &added, .n_added_tokens = 1, .lowercase = 1,
                                                 .continuing_prefix = "##", .max_chars_per_word = 100,
                                                 .prefix_ids = &cls, .suffix_ids = &sep, .n_prefix = 1, .n_suffix = 1};

#endif
