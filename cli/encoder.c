/* SPDX-License-Identifier: Apache-2.0 */
#include "encoder.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "cli.h"

#define BLOCK_TEXT_BYTES ((size_t)4 * 1024 * 1024)
#define MAX_CONTEXTS ((size_t)16) /* each has its own packed weights; more threads than this share contexts */

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

minnow_status cli_encoder_open(cli_encoder *e, const cli_model_options *options, size_t block_items,
                               minnow_error *error) {
    minnow_status status = MINNOW_OK;
    memset(e, 0, sizeof *e);
    e->options = *options;
    TRY_GOTO(open_model(e, error));
    e->dimensions = minnow_model_dimensions(e->model);
    e->max_tokens = options->max_tokens != 0 ? options->max_tokens : minnow_model_max_tokens(e->model);
    e->n_threads = options->n_threads != 0 ? options->n_threads : cpu_count();
    e->n_contexts = e->n_threads < MAX_CONTEXTS ? e->n_threads : MAX_CONTEXTS;
    e->capacity = block_items * e->n_contexts;
    e->items = calloc(e->capacity, sizeof *e->items);
    e->vectors = calloc(e->capacity, e->dimensions * sizeof *e->vectors);
    e->narrow = calloc(e->n_contexts, sizeof(minnow_context *));
    if (e->items == NULL || e->vectors == NULL || e->narrow == NULL) TRY_GOTO(out_of_memory(error));
    return MINNOW_OK;
fail:
    cli_encoder_close(e);
    return status;
}

void cli_encoder_close(cli_encoder *e) {
    size_t i;
    thread_pool_close(&e->pool);
    minnow_context_close(&e->wide);
    for (i = 0; e->narrow != NULL && i < e->n_contexts; i++) minnow_context_close(&e->narrow[i]);
    for (i = 0; e->items != NULL && i < e->capacity; i++) cli_buffer_free(&e->items[i].json);
    minnow_model_close(&e->model);
    free(e->narrow);
    free(e->items);
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
    e->n_items = e->n_done = e->texts_bytes = 0;
    if (e->texts_capacity > 2 * BLOCK_TEXT_BYTES) { /* a giant passed through */
        free(e->texts);
        e->texts = NULL;
        e->texts_capacity = 0;
    }
}

static minnow_status create_context(const cli_encoder *e, minnow_context **out, size_t n_threads, minnow_error *error) {
    minnow_context_options options;
    if (*out != NULL) return MINNOW_OK;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.n_threads = n_threads;
    options.max_tokens = e->options.max_tokens;
    options.pooling = e->options.pooling;
    options.no_normalize = e->options.no_normalize;
    return minnow_context_create(out, e->model, &options, error);
}

/* A block on its way through the threads. */
typedef struct block_run {
    cli_encoder *encoder;
    cli_encode_fn encode;
    void *user;
    atomic_size_t next;
    minnow_error *errors; /* [n_contexts] */
    size_t *failed_items; /* [n_contexts], n_items if none */
} block_run;

static void run_part(void *context, size_t part, size_t n_parts) {
    block_run *run = context;
    cli_encoder *e = run->encoder;
    (void)n_parts;
    for (;;) {
        const size_t item = atomic_fetch_add(&run->next, 1);
        if (item >= e->n_items) return;
        if (run->encode(run->user, e, e->narrow[part], item, &run->errors[part]) == MINNOW_OK) continue;
        run->failed_items[part] = item;
        atomic_store(&run->next, e->n_items); /* items before this one are taken already, and will be finished */
        return;
    }
}

static minnow_status run_parallel(cli_encoder *e, cli_encode_fn encode, void *user, minnow_error *error) {
    block_run run;
    minnow_status status = MINNOW_OK;
    size_t i, first = e->n_items;
    if (e->pool == NULL) TRY(thread_pool_create(&e->pool, e->n_contexts, error));
    for (i = 0; i < e->n_contexts; i++) TRY(create_context(e, &e->narrow[i], e->n_threads / e->n_contexts, error));
    memset(&run, 0, sizeof run);
    run.encoder = e;
    run.encode = encode;
    run.user = user;
    run.errors = calloc(e->n_contexts, sizeof *run.errors);
    run.failed_items = calloc(e->n_contexts, sizeof *run.failed_items);
    if (run.errors == NULL || run.failed_items == NULL) {
        status = out_of_memory(error);
    } else {
        for (i = 0; i < e->n_contexts; i++) run.failed_items[i] = e->n_items;
        thread_pool_run(e->pool, run_part, &run);
        for (i = 0; i < e->n_contexts; i++) {
            if (run.failed_items[i] >= first) continue;
            first = run.failed_items[i];
            *error = run.errors[i];
            status = error->status;
        }
        e->n_done = first;
    }
    free(run.errors);
    free(run.failed_items);
    return status;
}

minnow_status cli_encoder_run(cli_encoder *e, cli_encode_fn encode, void *user, minnow_error *error) {
    size_t i;
    e->n_done = 0;
    if (e->n_threads > 1 && e->n_items >= 2 * e->n_threads) return run_parallel(e, encode, user, error);
    if (e->n_threads == 1) TRY(create_context(e, &e->narrow[0], 1, error));
    else TRY(create_context(e, &e->wide, e->n_threads, error));
    for (i = 0; i < e->n_items; i++) {
        TRY(encode(user, e, e->n_threads == 1 ? e->narrow[0] : e->wide, i, error));
        e->n_done = i + 1;
    }
    return MINNOW_OK;
}

minnow_status cli_encode_vector(void *user, cli_encoder *e, minnow_context *context, size_t item, minnow_error *error) {
    cli_item *it = &e->items[item];
    (void)user;
    return minnow_encode(context, cli_encoder_text(e, item), it->bytes, e->vectors + item * e->dimensions,
                         e->dimensions, &it->encoding, error);
}

const char *cli_encoder_text(const cli_encoder *e, size_t item) {
    return e->texts == NULL ? "" : e->texts + e->items[item].offset;
}
