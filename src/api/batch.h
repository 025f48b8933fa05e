/* SPDX-License-Identifier: Apache-2.0
 *
 * A batch on its way through the threads. Texts are taken one by one, in order, by whichever thread wants more; one
 * that is taken is finished, or has failed. So the texts before the first that failed, or that nobody took, are done,
 * and no list of them is needed. */
#ifndef MINNOW_API_BATCH_H
#define MINNOW_API_BATCH_H

#include <stdatomic.h>

#include "api/context.h"

#define BATCH_NONE SIZE_MAX

typedef struct batch_job {
    minnow_context *context;
    const minnow_text *texts;    /* [n_texts] */
    size_t n_texts;
    float *vectors;              /* [n_texts, dimensions] */
    minnow_encoding *encodings;  /* [n_texts] or NULL */
    size_t n_threads;
    minnow_batch_options options;
    atomic_size_t next;          /* the first text that nobody took */
    atomic_size_t n_done;
    atomic_int stop;             /* no more are taken */
    atomic_flag failing;         /* held for the two below */
    size_t failed;               /* the first text that failed; SIZE_MAX */
    minnow_error error;          /* why */
} batch_job;

/* Are there so few texts that all threads should share each? */
int batch_is_small(const batch_job *job);
/* How many texts a thread should take at once: so many that the threads end together. At least 1. */
size_t batch_share(const batch_job *job);
/* The next text's place; BATCH_NONE if there is none to take. */
size_t batch_take(batch_job *job);
/* Its bytes. */
minnow_status batch_text(const batch_job *job, size_t place, const char **text, size_t *bytes, minnow_error *error);
void batch_fail(batch_job *job, size_t place, const minnow_error *error);
/* n texts more are done. `part` 0 is the caller's thread, which reports it. */
void batch_done(batch_job *job, size_t n, size_t part);

#endif
