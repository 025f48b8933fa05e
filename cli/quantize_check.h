/* SPDX-License-Identifier: Apache-2.0
 * A quick look at a fresh INT8 model: its vectors beside the FP32 model's, on texts of the calibration file that
 * calibration did not take, or, where it took (nearly) all, on some of those. */
#ifndef MINNOW_CLI_QUANTIZE_CHECK_H
#define MINNOW_CLI_QUANTIZE_CHECK_H

#include "quantize_source.h"

#define QUANTIZE_CHECK_TEXTS 100

typedef struct quantize_check {
    size_t n_texts;
    int held_out;       /* calibration has not seen them */
    double mean, least; /* cosine */
} quantize_check;

/* The texts to look at, at most QUANTIZE_CHECK_TEXTS, evenly spread: a copy, to be freed with calibration_texts_free;
 * none if there are no calibration texts. */
minnow_status quantize_check_texts(calibration_texts *out, int *held_out, const quantize_source *s,
                                   minnow_error *error);
/* Cosine of their pooled vectors, INT8's by the engine or, if `g` is not NULL, by the graph that is made of the model.
 * n_texts 0 if there are no texts. */
minnow_status quantize_check_run(quantize_check *out, const int8_model *m, const graph *g, const quantize_source *s,
                                 quantize_progress *progress, minnow_error *error);
/* Vectors of the texts, [n_texts, m->hidden], by that graph. */
minnow_status quantize_check_graph(float *out, const graph *g, const int8_model *m, const calibration_texts *texts,
                                   thread_pool *pool, minnow_error *error);

#endif
