/* SPDX-License-Identifier: Apache-2.0
 *
 * Behind minnow_model. src/api joins the two halves: it opens whatever file it is given, and encodes with what fits.
 *
 *   all that a .minnow file in memory needs, of run time alone:
 *     model.c          what every model has
 *     open_memory.c    bytes of a .minnow file -> model
 *     context.c        options -> memory of a context; one text -> vector
 *     batch.c          many texts -> vectors: who takes which, progress, cancelling
 *     encode_int8.c    .minnow: the INT8 engine
 *   with files, ONNX and safetensors, of build time too (open.h):
 *     open.c           path -> model
 *     locate.c         path -> where the parts lie
 *     encode_graph.c   ONNX or safetensors: the graph, in the reference interpreter */
#ifndef MINNOW_API_MODEL_H
#define MINNOW_API_MODEL_H

#include <string.h>

#include "run/model/model.h"
#include "run/tokenizer/tokenizer.h"

struct batch_job;
struct context_settings;

/* One way from texts to vectors. `weights` is shared and read-only; a context's `state` is its own, and lies in the
 * context's memory. */
typedef struct encode_path {
    /* Bytes of a state; MINNOW_ERROR_UNSUPPORTED if the settings ask for what this path has not. */
    minnow_status (*state_bytes)(const minnow_model *m, const struct context_settings *s, size_t *bytes,
                                 minnow_error *error);
    /* In memory of state_bytes, 64-byte aligned. Nothing is left behind on failure. */
    minnow_status (*create)(void *state, const minnow_model *m, const struct context_settings *s, minnow_error *error);
    void (*close)(void *state);
    /* One text, on all threads -> *values: [n_tokens, dimensions], or [dimensions] if the model gives pooled vectors
     * only; valid until the next run. */
    minnow_status (*run)(minnow_context *c, const char *text, size_t text_bytes, const float **values,
                         minnow_encoding *encoding, minnow_error *error);
    void (*run_batch)(struct batch_job *job);
    const char *(*isa)(const void *state); /* NULL: there is no choice */
    void (*close_weights)(void *weights);
} encode_path;

struct minnow_model {
    const encode_path *path; /* NULL until the weights are there */
    void *weights;
    const tokenizer *tokenizer; /* of the weights */
    size_t dimensions;
    size_t max_tokens;       /* beyond which texts are cut by default */
    size_t max_positions;    /* beyond which they must be; 0 if nothing says */
    minnow_pooling pooling;  /* never DEFAULT */
    int pooled_only;         /* there are no token vectors */
};

/* The options in force: the caller's, as far as its struct goes, zeros behind. */
minnow_model_options model_options(const minnow_model_options *given);

/* minnow_model_open_memory; `verified` 1: the whole file's SHA-256 has been checked, the sections' sums need not be. */
minnow_status model_open_memory(minnow_model **out, const void *data, size_t bytes, const minnow_model_options *options,
                                int verified, minnow_error *error);

/* Fills in a zeroed model; takes over `weights` of run/model. */
void encode_int8_open(minnow_model *m, int8_model *weights);

/* Options of any of the API's structs, which begin with their size: `given` over zeroes. A caller of an older version
 * has fewer, one of a newer version has some that are not known here; size 0 stands for `bytes`. NULL: zeroes. */
static inline void options_copy(void *options, size_t bytes, const void *given) {
    size_t given_bytes;
    memset(options, 0, bytes);
    if (given == NULL) return;
    memcpy(&given_bytes, given, sizeof given_bytes);
    memcpy(options, given, given_bytes != 0 && given_bytes < bytes ? given_bytes : bytes);
}

#endif
