/* SPDX-License-Identifier: Apache-2.0
 *
 * Many texts -> vectors, on all threads, in order. Texts are gathered into a block; the block is encoded as one batch,
 * and then whatever the command makes of each vector is made on all threads too (to print a float takes as long as to
 * compute it). */
#ifndef MINNOW_CLI_ENCODER_H
#define MINNOW_CLI_ENCODER_H

#include <stddef.h>

#include "base/error.h"
#include "base/thread.h"
#include "buffer.h"
#include "cli.h"
#include "options.h"

/* One text of a block and what became of it. */
typedef struct cli_item {
    size_t offset, bytes; /* of the text in the block's texts */
    minnow_encoding encoding;
    cli_buffer json;      /* whatever the render function makes of it */
} cli_item;

typedef struct cli_encoder {
    minnow_model *model;
    cli_model_options options;
    size_t dimensions, max_tokens; /* the model's; those in force */
    size_t n_threads;
    minnow_context *context;
    thread_pool *pool;             /* for what follows encoding; NULL until it is needed, and for one thread */
    int has_pool;

    /* The block. */
    char *texts;
    size_t texts_bytes, texts_capacity;
    cli_item *items;            /* [capacity] */
    minnow_text *batch;         /* [capacity], while it is encoded */
    minnow_encoding *encodings; /* [capacity] */
    size_t n_items, capacity;
    size_t n_done;  /* after a run: leading items that succeeded; all of them unless the run failed */
    float *vectors; /* [capacity, dimensions] */

    uint64_t n_before;      /* texts that were done in the blocks before */
    cli_progress *progress; /* the caller's, told while a block is encoded; NULL: none */
} cli_encoder;

/* Opens the model; `block_items` is how many texts a block holds for each thread. */
minnow_status cli_encoder_open(cli_encoder *e, const cli_model_options *options, size_t block_items,
                               minnow_error *error);
void cli_encoder_close(cli_encoder *e);

/* Copies a text into the block. *full says that it is time to run it: it holds as many texts, or as many bytes, as it
 * should. */
minnow_status cli_encoder_add(cli_encoder *e, const char *text, size_t bytes, int *full, minnow_error *error);

const char *cli_encoder_text(const cli_encoder *e, size_t item);

/* What a command does with one item. */
typedef minnow_status (*cli_item_fn)(void *user, cli_encoder *e, size_t item, minnow_error *error);
/* Encodes the block's items into e->vectors and calls `finish` (NULL: nothing) for those that are done, on any thread,
 * in any order. Ends early after an interrupt, if those are caught. The error is that of the first item, in order, that
 * failed. */
minnow_status cli_encoder_run(cli_encoder *e, cli_item_fn finish, void *user, minnow_error *error);
/* Calls `encode`, which encodes the item with e->context itself, one item after the other;
 * an interrupt ends it, too. */
minnow_status cli_encoder_each(cli_encoder *e, cli_item_fn encode, void *user, minnow_error *error);
/* Empties the block. */
void cli_encoder_clear(cli_encoder *e);

#endif
