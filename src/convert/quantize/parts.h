/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of quantize share: a matrix on its way from float weights to codes.
 *
 * A matrix is quantized in the units of its input's codes: x[j] = (code[j] - offset[j]) / multiplier[j], so with
 *   w[i][j] = W[i][j] / multiplier[j]
 * the output is W x + b = sum_j w[i][j] code[j] + (b[i] - sum_j w[i][j] offset[j]), and w becomes
 * scale[i] * integers. */
#ifndef MINNOW_CONVERT_QUANTIZE_PARTS_H
#define MINNOW_CONVERT_QUANTIZE_PARTS_H

#include "convert/calibrate/ranges.h"
#include "convert/quantize/quantize.h"

/* To the nearest integer, ties to even; |x| < 2^51. */
static inline double quantize_nearest(double x) { return (x + 6755399441055744.0) - 6755399441055744.0; }
static inline double quantize_clamp(double x, double low, double high) { return x > low ? (x < high ? x : high) : low; }

/* --- Sites (sites.c) ---------------------------------------------------------------------------------------------- */
/* Arrays live in `memory`. A scale or s that is zero, negative or not finite is refused by the site's name. */
minnow_status site_quantizer(int8_quantizer *out, arena *memory, const range_site *site, minnow_error *error);
/* The context's site as the engine reaches it: from sums of value codes, which lack the value's centre. */
minnow_status site_context(int8_quantizer *out, arena *memory, const range_site *context, const range_site *value,
                           minnow_error *error);
/* Value of one code and centre of each channel, [channels] each: x = code * step + center. For query, key and value. */
minnow_status site_steps(const range_site *site, double *step, double *center, minnow_error *error);
/* score_scale[h] from the steps of query and key, which must multiply to one number inside a head. */
minnow_status site_scores(float *score_scale, const ranges *r, size_t layer, float attention_scale,
                          minnow_error *error);

/* --- Channel splitting (split.c) ---------------------------------------------------------------------------------- */
/* The way from up to down, as it will be in the INT8 model: at first the float model's, then wider. */
typedef struct split_layer {
    encoder_linear up, down;
    range_site site; /* RANGE_DOWN_INPUT */
} split_layer;
/* Adds n_extra copies of channels; alpha is the equalization's. What changes gets arrays of its own in `memory`. */
minnow_status split_channels(split_layer *layer, arena *memory, float alpha, size_t n_extra, minnow_error *error);

/* --- Matrices (matrix.c) ------------------------------------------------------------------------------------------ */
#define MATRIX_PARTS 3
typedef struct matrix_job {
    char name[40];
    const encoder_linear *parts[MATRIX_PARTS]; /* stacked: outputs of the first, then of the second ... */
    size_t n_parts, n, k;
    int8_quantizer input;
    const double *step, *center; /* [n]: outputs become codes themselves, y = code * step + center; or both NULL */
    uint8_t *panels;             /* of the model, as are scale and bias */
    float *scale, *bias;
} matrix_job;

/* Row i of the weights, and its bias. */
const float *matrix_row(const matrix_job *job, size_t i, float *bias);
/* Allocates the model's arrays; panels hold zero codes. */
minnow_status matrix_reserve(matrix_job *job, int8_matrix *out, arena *memory, minnow_error *error);
/* Row i is done: y = scale * sum_j codes[j] * input code[j] + bias, in the units of W x. */
void matrix_store(const matrix_job *job, size_t i, const int8_t *codes, double scale, double bias);
/* The step of a row w [k] (stride between elements) that loses least, by sum importance[j] * error^2 (NULL: 1 each):
 * a float's value, > 0. */
double matrix_row_scale(const double *w, size_t stride, const double *importance, size_t k);
/* Rounds every weight to the nearest code. mean [k] of x: corrects the bias by (W - Q) mean; or NULL. */
minnow_status matrix_nearest(const matrix_job *job, const float *mean, thread_pool *pool, double *relative_error,
                             minnow_error *error);

/* --- Embedding tables (tables.c) ---------------------------------------------------------------------------------- */
minnow_status table_quantize(int8_table *out, arena *memory, int8_table_kind kind, const float *values, size_t rows,
                             size_t columns, thread_pool *pool, minnow_error *error);

/* --- Statistics of calibration tokens (statistics.c) -------------------------------------------------------------- */
/* Of codes c [k] and targets t [m]: either the outputs wanted (m = n), or the float inputs whose products are wanted.
 * Sums while tokens are added, centred by statistics_finish. */
typedef struct statistics {
    size_t k, m, capacity_rows;
    int is_inputs;
    double count;
    double *gram;        /* [k, k]: sum c c^T */
    double *cross;       /* [k, m]: sum c t^T */
    double *target;      /* is_inputs: [m, m], sum t t^T; else [m], sum t^2 */
    double *code_mean, *target_mean; /* [k], [m] */
    float *codes_transposed, *targets_transposed, *packed_codes, *packed_targets, *products; /* of a block */
    size_t n_parts, product_floats;
    void *memory;
} statistics;
minnow_status statistics_create(statistics *s, size_t k, size_t m, int is_inputs, size_t capacity_rows,
                                thread_pool *pool, minnow_error *error);
void statistics_free(statistics *s);
/* A block of tokens: codes [rows, k]; t[j] = target[r][j] - residual[r][j], both [rows, m]; residual may be NULL. */
void statistics_add(statistics *s, const int8_t *codes, const float *target, const float *residual, size_t rows,
                    thread_pool *pool);
void statistics_finish(statistics *s);

/* --- GPTQ (gptq.c, walk.c) ---------------------------------------------------------------------------------------- */
minnow_status gptq_matrix(const matrix_job *job, const statistics *s, double ridge, double damping, thread_pool *pool,
                          double *relative_error, minnow_error *error);
/* Layer by layer over the texts: jobs [4 n_layers] in order. */
minnow_status walk_layers(const int8_model *m, const matrix_job *jobs, float_encoder *f, const calibration_texts *texts,
                          const quantize_options *options, quantize_matrix_report *report, minnow_error *error);

#endif
