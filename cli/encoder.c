/* SPDX-License-Identifier: Apache-2.0 */
#include "encoder.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/os.h"
#include "cli.h"

#define BLOCK_TEXT_BYTES ((size_t)4 * 1024 * 1024)
#define MAX_THREADS ((size_t)16) /* unless asked for */

static minnow_status out_of_memory(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

static minnow_status open_model(cli_encoder *e, minnow_error *error) {
    minnow_model_options options;
    char *found = NULL;
    const char *path = e->options.model;
    minnow_status status;
    if (path == NULL) {
        path = found = cli_find_model(error);
        if (found == NULL) return error->status;
    }
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.tokenizer_path = e->options.tokenizer;
    options.external_data = e->options.external_data;
    status = minnow_model_open_with(&e->model, path, &options, error);
    free(found);
    return status;
}

static minnow_status create_context(cli_encoder *e, minnow_error *error) {
    minnow_context_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.n_threads = e->n_threads;
    options.max_tokens = e->options.max_tokens;
    options.pooling = e->options.pooling;
    options.no_normalize = e->options.no_normalize;
    return minnow_context_create(&e->context, e->model, &options, error);
}

static size_t default_threads(void) { return cpu_count() < MAX_THREADS ? cpu_count() : MAX_THREADS; }

minnow_status cli_encoder_open(cli_encoder *e, const cli_model_options *options, size_t block_items,
                               minnow_error *error) {
    minnow_status status = MINNOW_OK;
    memset(e, 0, sizeof *e);
    e->options = *options;
    TRY_GOTO(open_model(e, error));
    e->dimensions = minnow_model_dimensions(e->model);
    e->max_tokens = options->max_tokens != 0 ? options->max_tokens : minnow_model_max_tokens(e->model);
    e->n_threads = options->n_threads != 0 ? options->n_threads : default_threads();
    e->capacity = block_items * (e->n_threads < MAX_THREADS ? e->n_threads : MAX_THREADS);
    e->items = calloc(e->capacity, sizeof *e->items);
    e->batch = calloc(e->capacity, sizeof *e->batch);
    e->encodings = calloc(e->capacity, sizeof *e->encodings);
    e->vectors = calloc(e->capacity, e->dimensions * sizeof *e->vectors);
    if (e->items == NULL || e->batch == NULL || e->encodings == NULL || e->vectors == NULL)
        TRY_GOTO(out_of_memory(error));
    return MINNOW_OK;
fail:
    cli_encoder_close(e);
    return status;
}

void cli_encoder_close(cli_encoder *e) {
    size_t i;
    thread_pool_close(&e->pool);
    minnow_context_close(&e->context);
    for (i = 0; e->items != NULL && i < e->capacity; i++) cli_buffer_free(&e->items[i].json);
    minnow_model_close(&e->model);
    free(e->items);
    free(e->batch);
    free(e->encodings);
    free(e->vectors);
    free(e->texts);
    memset(e, 0, sizeof *e);
}

minnow_status cli_encoder_add(cli_encoder *e, const char *text, size_t bytes, int *full, minnow_error *error) {
    cli_item *item = &e->items[e->n_items];
    if (bytes > e->texts_capacity - e->texts_bytes) {
        const size_t least = e->texts_bytes + bytes, usual = e->texts_capacity * 2;
        const size_t capacity = least > usual ? least : usual;
        char *grown = realloc(e->texts, capacity);
        if (grown == NULL) return out_of_memory(error);
        e->texts = grown;
        e->texts_capacity = capacity;
    }
    if (bytes > 0) memcpy(e->texts + e->texts_bytes, text, bytes);
    item->offset = e->texts_bytes;
    item->bytes = bytes;
    e->texts_bytes += bytes;
    e->n_items++;
    *full = e->n_items == e->capacity || e->texts_bytes >= BLOCK_TEXT_BYTES;
    return MINNOW_OK;
}

void cli_encoder_clear(cli_encoder *e) {
    e->n_before += e->n_done;
    e->n_items = e->n_done = e->texts_bytes = 0;
    if (e->texts_capacity > 2 * BLOCK_TEXT_BYTES) { /* a giant passed through */
        free(e->texts);
        e->texts = NULL;
        e->texts_capacity = 0;
    }
}

/* --- Running ------------------------------------------------------------------------------------------------------ */

/* What a graph says of a text, under the model's name, if it has one. */
static minnow_status name_model(const cli_encoder *e, minnow_status status, minnow_error *error) {
    if (e->options.model == NULL || (status != MINNOW_ERROR_FORMAT && status != MINNOW_ERROR_UNSUPPORTED)) return status;
    return error_prefix(error, status, "%s", e->options.model);
}

/* Not 0: stop, there was an interrupt. */
static int report(void *user, size_t n_done, size_t n_texts) {
    const cli_encoder *e = user;
    (void)n_texts;
    if (e->progress != NULL) cli_progress_update(e->progress, e->n_before + n_done);
    return os_interrupted() != 0;
}

static minnow_status encode_batch(cli_encoder *e, minnow_error *error) {
    const minnow_batch_options options = {sizeof options, report, e};
    minnow_status status;
    size_t i;
    for (i = 0; i < e->n_items; i++) e->batch[i] = (minnow_text){cli_encoder_text(e, i), e->items[i].bytes};
    status = minnow_encode_batch(e->context, e->batch, e->n_items, e->vectors, e->capacity * e->dimensions,
                                 e->encodings, &options, &e->n_done, error);
    for (i = 0; i < e->n_done; i++) e->items[i].encoding = e->encodings[i];
    return name_model(e, status, error);
}

/* What follows for items [0, n), by threads that take the next one. */
typedef struct finish_run {
    cli_encoder *encoder;
    cli_item_fn finish;
    void *user;
    size_t n;
    atomic_size_t next;
    atomic_flag failing; /* held for the two below */
    size_t failed;       /* the first item that failed, or n */
    minnow_error error;  /* why */
} finish_run;

static void note_failure(finish_run *run, size_t item, const minnow_error *error) {
    while (atomic_flag_test_and_set(&run->failing)) continue; /* for a short copy */
    if (item < run->failed) {
        run->failed = item;
        run->error = *error;
    }
    atomic_flag_clear(&run->failing);
}

static void finish_part(void *context, size_t part, size_t n_parts) {
    finish_run *run = context;
    minnow_error error;
    size_t item;
    (void)part;
    (void)n_parts;
    while ((item = atomic_fetch_add(&run->next, 1)) < run->n) {
        if (run->finish(run->user, run->encoder, item, &error) == MINNOW_OK) continue;
        note_failure(run, item, &error);
        atomic_store(&run->next, run->n); /* items before this one are taken already, and will be finished */
        return;
    }
}

static minnow_status finish_items(cli_encoder *e, cli_item_fn finish, void *user, minnow_error *error) {
    finish_run run = {.encoder = e, .finish = finish, .user = user, .n = e->n_done, .failed = e->n_done};
    if (!e->has_pool) TRY(thread_pool_create(&e->pool, e->n_threads, error));
    e->has_pool = 1;
    atomic_init(&run.next, 0);
    atomic_flag_clear(&run.failing);
    thread_pool_run(run.n > 1 ? e->pool : NULL, finish_part, &run);
    if (run.failed == run.n) return MINNOW_OK;
    e->n_done = run.failed;
    *error = run.error;
    return error->status;
}

minnow_status cli_encoder_run(cli_encoder *e, cli_item_fn finish, void *user, minnow_error *error) {
    minnow_status encoded;
    e->n_done = 0;
    if (e->context == NULL) TRY(create_context(e, error));
    encoded = encode_batch(e, error);
    if (finish != NULL && e->n_done > 0) { /* what was done before an error is worth having */
        minnow_error failed;
        const minnow_status status = finish_items(e, finish, user, &failed);
        if (status != MINNOW_OK) {
            *error = failed;
            return status;
        }
    }
    return encoded;
}

minnow_status cli_encoder_each(cli_encoder *e, cli_item_fn encode, void *user, minnow_error *error) {
    e->n_done = 0;
    if (e->context == NULL) TRY(create_context(e, error));
    while (e->n_done < e->n_items) {
        const minnow_status status = encode(user, e, e->n_done, error);
        if (status != MINNOW_OK) return name_model(e, status, error);
        e->n_done++;
        if (report(e, e->n_done, e->n_items) && e->n_done < e->n_items)
            return error_set(error, MINNOW_ERROR_CANCELLED, "interrupted");
    }
    return MINNOW_OK;
}

const char *cli_encoder_text(const cli_encoder *e, size_t item) {
    return e->texts == NULL ? "" : e->texts + e->items[item].offset;
}
