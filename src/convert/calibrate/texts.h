/* SPDX-License-Identifier: Apache-2.0
 * Calibration texts: a file of lines or JSONL -> token ids that lie end to end. */
#ifndef MINNOW_CONVERT_TEXTS_H
#define MINNOW_CONVERT_TEXTS_H

#include "run/engine/engine.h"

typedef struct calibration_texts {
    int32_t *ids;
    size_t *starts;      /* [n_texts + 1] */
    size_t n_texts, rows, longest;
    size_t n_available;  /* texts in the file */
    size_t n_truncated;  /* texts cut to max_tokens */
} calibration_texts;

/* Reads a file of one text a line (or, if its first non-blank byte is '"' or '{', JSONL: strings or objects with
 * "text"), takes `samples` of them at an even stride (0: all), tokenizes each at its own length, cut to max_tokens.
 * Blank lines are skipped; a file without texts is an error. Invalid UTF-8 is replaced as minnow.h says. Messages
 * begin with the path. */
minnow_status calibration_texts_open(calibration_texts *out, const char *path, const tokenizer *t, size_t samples,
                                     size_t max_tokens, minnow_error *error);
void calibration_texts_free(calibration_texts *t);
/* Texts [first, *end) whose rows fit in max_rows (at least one text); as engine_texts with starts rebased into
 * `starts` [n + 1]. */
void calibration_texts_block(const calibration_texts *t, size_t first, size_t max_rows, size_t *end, size_t *starts,
                             engine_texts *out);

#endif
