/* SPDX-License-Identifier: Apache-2.0
 * FP32 encoder + ranges (+ texts) -> INT8 model. */
#ifndef MINNOW_CONVERT_QUANTIZE_H
#define MINNOW_CONVERT_QUANTIZE_H

#include "convert/calibrate/ranges.h"
#include "run/model/model.h"

typedef enum quantize_rounding { QUANTIZE_NEAREST, QUANTIZE_GPTQ } quantize_rounding;
typedef enum quantize_norm_inputs {
    QUANTIZE_NORM_FLOAT,
    QUANTIZE_NORM_PER_TENSOR,
    QUANTIZE_NORM_PER_CHANNEL
} quantize_norm_inputs;

typedef struct quantize_options {
    quantize_rounding rounding;
    int no_bias_correction;        /* nearest only; GPTQ's bias is always fitted */
    int8_table_kind embedding;     /* INT8_TABLE_ROWS by default */
    quantize_norm_inputs norm_inputs;
    size_t n_copies;               /* of inner channels, in each layer (split.c); a multiple of 4; 0: none */
    double ridge;                  /* GPTQ: of the regression, times the mean diagonal; 0: the default */
    double damping;                /* GPTQ: of the Hessian, times the mean diagonal; 0: the default */
    thread_pool *pool;             /* may be NULL */
    void (*progress)(void *context, const char *phase, uint64_t done, uint64_t total);
    void *progress_context;
} quantize_options;

/* The number of copies that the command line takes: 1 in 24 inner channels, in whole panels; 64 of MiniLM's 1,536. */
static inline size_t quantize_usual_copies(size_t intermediate) {
    return intermediate / (24 * INT8_PANEL) * INT8_PANEL;
}

/* What became of each matrix, for reports. */
typedef struct quantize_matrix_report {
    const char *name; /* "layer.0.query_key_value"; lives as long as the model */
    /* GPTQ: |t - Q x'|^2 / |t|^2 over the calibration tokens, both centred, t what is wanted of the matrix; nearest:
     * that of the weights in units of input codes. */
    double relative_error;
} quantize_matrix_report;

/* The result owns its memory (int8_model_close frees it); its tokenizer and names are not set yet, its pooling is
 * mean, its max_tokens n_positions. GPTQ needs texts and the float encoder; nearest works from the ranges
 * alone (f and texts may be NULL). */
minnow_status quantize_encoder(int8_model **out, const encoder *e, const ranges *r, float_encoder *f,
                               const calibration_texts *texts, const quantize_options *options,
                               quantize_matrix_report *report /* [4 n_layers] or NULL */, minnow_error *error);

#endif
