/* SPDX-License-Identifier: Apache-2.0
 *
 * Behind minnow_context: one piece of memory, laid out before it is there.
 *
 *   [ minnow_context | pooled f64 [dimensions] | state of the model's path ]     each part at a multiple of 64 bytes */
#ifndef MINNOW_API_CONTEXT_H
#define MINNOW_API_CONTEXT_H

#include <stdatomic.h>

#include "api/model.h"
#include "base/fpenv.h"

/* The options in force, all checked; none is 0 that has a default. */
typedef struct context_settings {
    size_t n_threads, max_tokens;
    minnow_pooling pooling;
    int normalize;
    const char *isa;     /* NULL: the fastest */
    size_t batch_tokens;
} context_settings;

struct minnow_context {
    const minnow_model *model;
    atomic_flag busy; /* some thread is inside an encoding function */
    fpenv callers;    /* that thread's floating-point modes, to be put back */
    context_settings settings;
    double *pooled;   /* [dimensions] */
    void *state;      /* of model->path */
    size_t bytes;     /* of all of it */
    minnow_allocator allocator; /* that it came from; release is NULL for the caller's own memory */
};

/* Around a call that encodes: takes the context, which another call may have (MINNOW_ERROR_ARGUMENT), and sets the
 * floating-point modes; gives both back. */
minnow_status context_begin(minnow_context *c, minnow_error *error);
void context_end(minnow_context *c);

/* What run gave -> vector [dimensions]. scratch: float64 [dimensions]. */
void context_pool(const minnow_context *c, const float *values, size_t n_tokens, double *scratch, float *vector);

/* A text that has no tokens cannot be encoded. */
minnow_status context_no_tokens(minnow_error *error);

#endif
