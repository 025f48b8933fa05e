/* SPDX-License-Identifier: Apache-2.0
 *
 * The INT8 encoder, step by step. Texts lie end to end, never padded:
 *
 *     ids     [CLS] how ... [SEP] [CLS] where ... [SEP]      rows = starts[n_texts] tokens
 *     starts  0                   9                    15
 *
 * Every step works on all rows and is a pure function of its inputs: a text gives the same bytes in any company. The
 * arithmetic is that of run/model/model.h. */
#ifndef MINNOW_RUN_ENGINE_H
#define MINNOW_RUN_ENGINE_H

#include "base/thread.h"
#include "run/kernels/kernels.h"
#include "run/model/model.h"

typedef struct engine_texts {
    const int32_t *ids;    /* [rows]; each in [0, n_vocab) */
    const size_t *starts;  /* [n_texts + 1], ascending from 0; a text has 1 to n_positions tokens */
    size_t n_texts;
} engine_texts;

/* The whole encoder: hidden [rows, hidden] out. scratch: engine_scratch_bytes, 64-byte aligned. */
size_t engine_scratch_bytes(const int8_model *m, size_t rows, size_t longest); /* 0 if it does not fit in size_t */
void engine_run(const int8_model *m, const kernels *k, const engine_texts *texts, void *scratch, float *hidden);

/* The same, to the bit, by the threads of a pool: each has a share of the rows, and they meet once a layer. `pool` may
 * be NULL: one thread. */
size_t engine_threads_scratch_bytes(const int8_model *m, size_t rows, size_t longest, size_t n_threads);
void engine_run_threads(const int8_model *m, const kernels *k, const engine_texts *texts, thread_pool *pool,
                        void *scratch, float *hidden);

/* Its steps, for quantization, which needs the activations between them. */
void engine_embed(const int8_model *m, const kernels *k, const engine_texts *texts, float *hidden);
/* x [rows, channels] -> codes [rows, channels] */
void engine_quantize(const kernels *k, const int8_quantizer *q, const float *x, size_t rows, size_t channels,
                     int8_t *codes);
/* codes [rows, hidden] -> qkv [rows, 3 hidden]: query | key | value codes of each token */
void engine_query_key_value(const int8_model *m, const kernels *k, const int8_layer *layer, const int8_t *codes,
                            size_t rows, int8_t *qkv);
/* qkv -> context codes [rows, hidden]. scratch: engine_scratch_bytes */
void engine_attention(const int8_model *m, const kernels *k, const int8_layer *layer, const engine_texts *texts,
                      const int8_t *qkv, void *scratch, int8_t *context);
/* hidden [rows, hidden] = norm(hidden + w(codes [rows, w->k])) */
void engine_output(const int8_model *m, const kernels *k, const int8_matrix *w, const int8_norm *norm,
                   const int8_t *codes, size_t rows, float *hidden);
/* codes [rows, hidden] -> GELU(up(codes)) as codes [rows, intermediate] of down_input */
void engine_up(const kernels *k, const int8_layer *layer, const int8_t *codes, size_t rows, int8_t *inner);

#endif
