/* SPDX-License-Identifier: Apache-2.0
 *
 * What quantization did, as one page of HTML for people: no script, nothing from the network, charts as inline SVG with
 * their numbers in a table beside them.
 *
 *   model, ranges, errors, drift, scores -> summary | what was made | sizes | by layer | activations | channels |
 *                                           token table | tasks
 *
 * The same input gives the same bytes. Names and texts may be anything: they cannot become markup. */
#ifndef MINNOW_CONVERT_REPORT_H
#define MINNOW_CONVERT_REPORT_H

#include "convert/eval/score.h"
#include "convert/quantize/quantize.h"

/* How far the INT8 model's token vectors are from FP32's at one place: after the embeddings, or after a layer. */
typedef struct report_drift {
    double cosine_mean, cosine_least; /* of the tokens' cosines */
    double relative_error;            /* |int8 - fp32| / |fp32|, over all tokens */
} report_drift;

/* One task of an evaluation. */
typedef struct report_task {
    const char *name, *kind;
    eval_scores reference, candidate; /* of FP32 and INT8; count 0: vectors compared, nothing scored */
    size_t n_texts;
    double cosine_mean, cosine_least; /* to FP32's vector of the same text; NaN if there are none */
} report_task;

typedef struct report_input {
    const encoder *encoder;
    const ranges *ranges;
    const int8_model *model;     /* with its labels */
    const tokenizer *tokenizer;  /* for the names of tokens */
    const quantize_options *options;
    const quantize_matrix_report *matrices; /* [4 n_layers] */
    const char *output, *texts;  /* names of files without folders; texts NULL: there were none */
    int ranges_given;            /* they came from a file, and were not chosen in this run */
    const uint8_t *file;         /* the .minnow file's bytes; NULL: another form was written */
    uint64_t file_bytes, source_bytes; /* 0: not known */
    /* Vectors of texts beside FP32's; n_compared 0: not compared. */
    size_t n_compared;
    int held_out;                /* calibration has not seen those texts */
    double cosine_mean, cosine_least;
    const report_drift *drift;   /* [n_layers + 1] or NULL */
    size_t n_drift_texts, n_drift_tokens;
    const report_task *tasks;    /* [n_tasks] */
    size_t n_tasks;
} report_input;

/* Writes all of it, whole or not at all. */
minnow_status report_write(const report_input *in, const char *path, minnow_error *error);

/* Both encoders over texts, layer by layer -> drift [n_layers + 1]. `m` is the INT8 model of the encoder of f. */
minnow_status report_drift_run(report_drift *drift, const int8_model *m, float_encoder *f, const engine_texts *texts,
                               minnow_error *error);

#endif
