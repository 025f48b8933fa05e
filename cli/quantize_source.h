/* SPDX-License-Identifier: Apache-2.0
 * What calibrate and quantize begin with: an FP32 model as an encoder, tokenizer, settings, calibration texts. */
#ifndef MINNOW_CLI_QUANTIZE_SOURCE_H
#define MINNOW_CLI_QUANTIZE_SOURCE_H

#include "api/open.h"
#include "cli.h"
#include "quantize_options.h"

/* Zeroed before the first use; freed with quantize_source_close, whatever happened. */
typedef struct quantize_source {
    model_location at;
    model_settings settings;
    tokenizer *tokenizer;
    graph *graph;
    encoder *encoder;
    size_t max_tokens;      /* what was asked for, else the model's */
    char *texts_path;
    thread_pool *pool;
    float_encoder *floats;
    calibration_texts texts; /* n_texts 0: none were asked for or, where that is allowed, found */
} quantize_source;

/* Opens everything. Texts may be absent only if `texts_optional`, no file is named, and there is none of ours. */
minnow_status quantize_source_open(quantize_source *s, const calibration_options *o, int texts_optional,
                                   minnow_error *error);
void quantize_source_close(quantize_source *s);
/* The FP32 weights' file: the ONNX file, or model.safetensors. malloc'd; NULL if out of memory. */
char *quantize_source_file(const quantize_source *s);

/* A run with a bar on the terminal for each of its phases, and the time that each took. */
#define QUANTIZE_MAX_PHASES 16
typedef struct quantize_progress {
    cli_progress bar;
    const char *phase; /* NULL: none */
    double started;
    struct { const char *name; double seconds; } phases[QUANTIZE_MAX_PHASES];
    size_t n_phases;
} quantize_progress;
/* The callback of range_options and quantize_options; `progress` is a quantize_progress, `phase` a static string. */
void quantize_progress_update(void *progress, const char *phase, uint64_t done, uint64_t total);
void quantize_progress_end(quantize_progress *p);
double quantize_progress_seconds(const quantize_progress *p);
void quantize_progress_print(const quantize_progress *p);      /* "calibrate 3.1 s, choose 4.0 s" */
void quantize_progress_print_json(const quantize_progress *p); /* {"calibrate":3.1,...} */

/* What calibration found. */
void quantize_ranges_print(const ranges *r);      /* a table of methods by kind of site */
void quantize_ranges_print_json(const ranges *r); /* members of an object: "sites":...,"texts":... */

/* Whether or not they are there yet. */
int quantize_is_same_file(const char *a, const char *b);
/* That an output can be written, before minutes of work: its folder is there and takes new files, it is no
 * folder, and none of the model, its tokenizer and the texts. */
minnow_status quantize_check_output(const quantize_source *s, const char *path, minnow_error *error);

#endif
