/* SPDX-License-Identifier: Apache-2.0
 * Quantization from a model's files to a .minnow or ONNX file, and what to tell of it. */
#ifndef MINNOW_CLI_QUANTIZE_JOB_H
#define MINNOW_CLI_QUANTIZE_JOB_H

#include "base/sha256.h"
#include "convert/quantize/quantize.h"
#include "export.h"
#include "quantize_check.h"
#include "quantize_source.h"

typedef struct quantize_settings {
    calibration_options calibration;
    quantize_options quantize;
    int usual_copies;           /* 1: quantize_usual_copies in place of quantize.n_copies */
    const char *output;
    int to_onnx;                /* a QDQ ONNX file, not a .minnow file */
    int force;                  /* to_onnx: replaces small files that differ */
    const char *ranges;         /* a file; NULL: calibrate */
    const char *name, *licence; /* NULL: those of the model's files */
    const char *report;         /* a page about it; NULL: none */
    const char **eval;          /* [n_eval] folders of tasks, for the report */
    size_t n_eval;
} quantize_settings;

/* What the file says of itself and its source; texts are UTF-8. */
typedef struct quantize_labels {
    char *name;        /* the model's folder's, or config.json's */
    char *file;        /* the FP32 weights, without folders; "" if they came through a pipe */
    uint64_t bytes;    /* of the files of FP32 weights, external data included */
    uint8_t sha256[SHA256_BYTES];
    char licence[128];
} quantize_labels;

/* Zeroed before the first use; freed with quantize_job_close, whatever happened. */
typedef struct quantize_job {
    const quantize_settings *settings;
    quantize_source source;
    quantize_progress progress;
    quantize_labels labels;
    ranges *ranges;
    quantize_matrix_report *matrices; /* [n_matrices] */
    size_t n_matrices;
    int8_model *model;
    arena memory;                     /* the tokenizer's data */
    uint8_t *file;                    /* the packed model */
    size_t file_bytes;                /* of what was written; 0: a pipe, of ONNX */
    export_files files;               /* to_onnx: where they go */
    graph *graph;                     /* to_onnx: points into the model that was read back */
    quantize_check check;
} quantize_job;

/* Reads them from the model's files; *l is zeroed before, and freed with quantize_labels_free whatever happened. */
minnow_status quantize_labels_read(quantize_labels *l, const quantize_source *s, minnow_error *error);
void quantize_labels_free(quantize_labels *l);

minnow_status quantize_job_run(quantize_job *j, const quantize_settings *settings, minnow_error *error);

/* --to onnx: decides what goes where and makes the folders, before minutes of work; makes the graph; writes it. */
minnow_status quantize_onnx_plan(quantize_job *j, minnow_error *error);
minnow_status quantize_onnx_make(quantize_job *j, const int8_model *m, minnow_error *error);
minnow_status quantize_onnx_write(quantize_job *j, minnow_error *error);

/* The file that is written. */
const char *quantize_job_output(const quantize_job *j);
void quantize_job_close(quantize_job *j);
void quantize_job_print(const quantize_job *j, int json);

#endif
