/* SPDX-License-Identifier: Apache-2.0
 * From inside: the engine's steps on a thread's rows [first, last), counted through all texts. The rest of the steps
 * knows no texts: engine.h. */
#ifndef MINNOW_RUN_STEPS_H
#define MINNOW_RUN_STEPS_H

#include "run/engine/engine.h"

static inline size_t larger(size_t a, size_t b) { return a > b ? a : b; }
static inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* Tokens [begin, end) of text i that are among rows [first, last), counted from the text's first; 0 if none are. */
static inline int text_share(const engine_texts *texts, size_t i, size_t first, size_t last, size_t *begin,
                             size_t *end) {
    const size_t start = texts->starts[i], stop = texts->starts[i + 1];
    *begin = larger(first, start) - start;
    *end = smaller(last, stop) - smaller(start, last);
    return *begin < *end;
}

/* hidden, and as codes [rows, hidden] of q, if it is not NULL. */
void steps_embed(const int8_model *m, const kernels *k, const engine_texts *texts, size_t first, size_t last,
                 float *hidden, const int8_quantizer *q, int8_t *codes);
void steps_attention(const int8_model *m, const kernels *k, const int8_layer *layer, const engine_texts *texts,
                     size_t first, size_t last, const int8_t *qkv, void *scratch, int8_t *context);
/* Of `rows` rows that are there already: hidden = norm(hidden + w(codes)), and as `next` codes of q, if it is not NULL.
 * `next` may be `codes`. */
void steps_output(const int8_model *m, const kernels *k, const int8_matrix *w, const int8_norm *norm,
                  const int8_t *codes, size_t rows, float *hidden, const int8_quantizer *q, int8_t *next);

#endif
