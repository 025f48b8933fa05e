/* SPDX-License-Identifier: Apache-2.0
 * The FP32 encoder, layer by layer, over texts that lie end to end: what calibration watches and what quantization
 * aims at. Threads split texts and rows, never a sum; the bits are the same on every tier and with any number of
 * threads. */
#ifndef MINNOW_CONVERT_FLOAT_ENCODER_H
#define MINNOW_CONVERT_FLOAT_ENCODER_H

#include "base/thread.h"
#include "convert/math/math.h"
#include "convert/optimize/encoder.h"
#include "run/engine/engine.h"

typedef struct float_encoder float_encoder;

/* Packs the weights. The encoder and the pool (may be NULL) are borrowed. */
minnow_status float_encoder_create(float_encoder **out, const encoder *e, thread_pool *pool, minnow_error *error);
void float_encoder_close(float_encoder **f);
const encoder *float_encoder_weights(const float_encoder *f);
thread_pool *float_encoder_pool(const float_encoder *f);

/* One layer's values for `rows` tokens, each [rows, hidden] but `inner` [rows, intermediate]. One block of memory;
 * reuse it from batch to batch. */
typedef struct float_activations {
    float *query, *key, *value;  /* with bias, before the scale */
    float *context;              /* softmax(q k^T) v: input of the output projection */
    float *attention_sum;        /* h + output(context): input of attention_norm */
    float *attended;             /* after attention_norm: input of up */
    float *inner;                /* after GELU: input of down */
    float *output_sum;           /* attended + down(inner): input of output_norm */
    float *hidden;               /* after output_norm: the next layer's input */
    size_t capacity_rows;
    void *memory;
} float_activations;
minnow_status float_activations_reserve(float_activations *a, const encoder *e, size_t rows, minnow_error *error);
void float_activations_free(float_activations *a);

/* words + positions -> sum [rows, hidden] (before the norm; may be NULL) and hidden [rows, hidden]. */
minnow_status float_encoder_embed(float_encoder *f, const engine_texts *texts, float *sum, float *hidden,
                                  minnow_error *error);
/* hidden [rows, hidden] -> all of *out, which must have room for the rows. `hidden` may not be out->hidden. */
minnow_status float_encoder_layer(float_encoder *f, size_t layer, const engine_texts *texts, const float *hidden,
                                  float_activations *out, minnow_error *error);
/* Only the named tail of a layer, for trying a changed activation: from what stands in *a (query, key, value; or
 * context; or attended; or inner) to a->hidden. */
typedef enum float_step {
    FLOAT_FROM_INPUT, FLOAT_FROM_QKV, FLOAT_FROM_CONTEXT, FLOAT_FROM_ATTENDED, FLOAT_FROM_INNER
} float_step;
/* `hidden` is the layer's input, needed for the residual (FROM_INPUT, FROM_QKV, FROM_CONTEXT); `input` is what the
 * matrices are given in place of it (FROM_INPUT: query, key, value; FROM_ATTENDED: up), NULL for the same. */
minnow_status float_encoder_resume(float_encoder *f, size_t layer, float_step from, const engine_texts *texts,
                                   const float *hidden, const float *input, float_activations *a, minnow_error *error);

#endif
