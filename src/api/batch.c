/* SPDX-License-Identifier: Apache-2.0
 * minnow_encode_batch, whatever the model: texts are handed out, reported and counted here; the model's path does the
 * rest. */
#include "api/batch.h"

#include <string.h>

#include "base/bytes.h"

/* --- Handing out -------------------------------------------------------------------------------------------------- */

int batch_is_small(const batch_job *job) { return job->n_texts < 2 * job->n_threads; }

size_t batch_share(const batch_job *job) {
    const size_t next = atomic_load_explicit(&job->next, memory_order_relaxed);
    const size_t left = next < job->n_texts ? job->n_texts - next : 0;
    return left / job->n_threads + (left % job->n_threads != 0 || left == 0);
}

size_t batch_take(batch_job *job) {
    size_t place;
    if (atomic_load_explicit(&job->stop, memory_order_relaxed)) return BATCH_NONE;
    place = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed);
    return place < job->n_texts ? place : BATCH_NONE;
}

minnow_status batch_text(const batch_job *job, size_t place, const char **text, size_t *bytes, minnow_error *error) {
    const minnow_text *t = &job->texts[place];
    if (t->data == NULL && t->bytes != 0)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_encode_batch: text %zu is NULL", place);
    *text = t->data;
    *bytes = t->bytes == MINNOW_STRLEN ? strlen(t->data) : t->bytes;
    return MINNOW_OK;
}

void batch_fail(batch_job *job, size_t place, const minnow_error *error) {
    atomic_store_explicit(&job->stop, 1, memory_order_relaxed);
    while (atomic_flag_test_and_set_explicit(&job->failing, memory_order_acquire)) continue; /* for a short copy */
    if (place < job->failed) {
        job->failed = place;
        job->error = *error;
    }
    atomic_flag_clear_explicit(&job->failing, memory_order_release);
}

/* --- Reporting ---------------------------------------------------------------------------------------------------- */

static void report(batch_job *job, size_t n_done) {
    minnow_context *c = job->context;
    if (job->options.progress == NULL) return;
    fpenv_set(c->callers); /* the function is the caller's */
    if (job->options.progress(job->options.user, n_done, job->n_texts) != 0)
        atomic_store_explicit(&job->stop, 1, memory_order_relaxed);
    c->callers = fpenv_enter();
}

void batch_done(batch_job *job, size_t n, size_t part) {
    const size_t n_done = atomic_fetch_add_explicit(&job->n_done, n, memory_order_relaxed) + n;
    /* The end is reported when all threads have come to it, and once it is to stop there is nothing to ask. */
    if (part == 0 && n_done < job->n_texts && !atomic_load_explicit(&job->stop, memory_order_relaxed))
        report(job, n_done);
}

/* --- The whole ---------------------------------------------------------------------------------------------------- */

static minnow_status check(const minnow_context *c, const minnow_text *texts, size_t n_texts, const float *vectors,
                           size_t capacity, minnow_error *error) {
    size_t needed;
    if (c == NULL || ((texts == NULL || vectors == NULL) && n_texts != 0))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_encode_batch: NULL argument");
    if (!size_mul(n_texts, c->model->dimensions, &needed) || needed > capacity)
        return error_set(error, MINNOW_ERROR_CAPACITY, "%zu vectors of %zu numbers, room for %zu", n_texts,
                         c->model->dimensions, capacity);
    return MINNOW_OK;
}

/* All threads have come back. */
static minnow_status finish(batch_job *job, size_t *n_done, minnow_error *error) {
    const size_t next = atomic_load(&job->next), taken = next < job->n_texts ? next : job->n_texts;
    *n_done = job->failed < taken ? job->failed : taken;
    if (job->failed != SIZE_MAX) {
        if (error != NULL) *error = job->error;
        return job->error.status;
    }
    if (taken < job->n_texts)
        return error_set(error, MINNOW_ERROR_CANCELLED, "cancelled: %zu of %zu texts are done", taken, job->n_texts);
    report(job, taken);
    return MINNOW_OK;
}

minnow_status minnow_encode_batch(minnow_context *c, const minnow_text *texts, size_t n_texts, float *vectors,
                                  size_t capacity, minnow_encoding *encodings, const minnow_batch_options *options,
                                  size_t *n_done, minnow_error *error) {
    batch_job job;
    size_t done;
    minnow_status status;
    if (n_done == NULL) n_done = &done;
    *n_done = 0;
    TRY(check(c, texts, n_texts, vectors, capacity, error));
    memset(&job, 0, sizeof job);
    options_copy(&job.options, sizeof job.options, options);
    job.context = c;
    job.texts = texts;
    job.n_texts = n_texts;
    job.vectors = vectors;
    job.encodings = encodings;
    job.n_threads = c->settings.n_threads;
    job.failed = SIZE_MAX;
    atomic_flag_clear(&job.failing);
    TRY(context_begin(c, error));
    c->model->path->run_batch(&job);
    status = finish(&job, n_done, error);
    context_end(c);
    return status;
}
