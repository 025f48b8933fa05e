/* SPDX-License-Identifier: Apache-2.0
 *
 * What the engine does, and where in its arena: a list of fused steps that is the same for every model, the buffers
 * they read and write with the shapes of one model, and offsets from lifetimes. engine.c runs by it.
 *
 *     arena   [ own memory of thread 0 | of thread 1 | ... ] and what all threads share, in the order of sizes
 *
 * Rows are tokens. Steps 3 to 6 go block by block through a thread's rows, so buffers of all rows that one of them
 * touches live until the last. A thread's own buffers live in the steps that touch them. */
#ifndef MINNOW_RUN_PLAN_H
#define MINNOW_RUN_PLAN_H

#include <stddef.h>

#include "run/engine/arrange.h"
#include "run/model/model.h"

#define ENGINE_SHARE_ROWS ((size_t)8) /* a thread's share is a multiple of it: a tile's height, and worth waking one */

#define ENGINE_BLOCK_ROWS ((size_t)256) /* rows at once of the steps after attention: they stay in the cache */

typedef enum engine_buffer {
    ENGINE_HIDDEN,    /* float32 [rows, hidden]: the caller's, not in the arena */
    ENGINE_CODES,     /* int8 [rows, hidden]: a product's input; between attention and output the context */
    ENGINE_QKV,       /* int8 [rows, 3 hidden] of even layers; of all layers if there is one thread */
    ENGINE_QKV_ODD,   /* of odd layers: other threads may still read the last layer's. One thread: ENGINE_QKV itself */
    ENGINE_ATTENTION, /* a thread's own: kernels_attention_scratch_bytes */
    ENGINE_INNER,     /* a thread's own: int8 [block_rows, intermediate] */
    ENGINE_BUFFERS
} engine_buffer;

/* A set of buffers, as bits. */
#define ENGINE_BIT(buffer) (1u << (buffer))

typedef enum engine_step {
    ENGINE_STEP_EMBED,
    ENGINE_STEP_FIRST_QKV,
    ENGINE_STEP_ATTENTION, /* threads wait for each other before it */
    ENGINE_STEP_OUTPUT,    /* from here on block by block */
    ENGINE_STEP_UP,
    ENGINE_STEP_DOWN,
    ENGINE_STEP_NEXT_QKV,
    ENGINE_STEPS
} engine_step;

typedef struct engine_step_info {
    const char *name;       /* "output + residual + norm" */
    unsigned reads, writes; /* sets of buffers, of an even layer. Scratch memory is written */
} engine_step_info;
extern const engine_step_info engine_steps[ENGINE_STEPS];

/* How often a step runs for a model: once, or once a layer; the last layer has no next one. */
size_t engine_step_times(engine_step step, size_t n_layers);

typedef struct engine_plan_buffer {
    const char *name;
    size_t rows, columns, element_bytes;
    size_t first, last; /* the steps of its life */
    int is_own;         /* each thread has one, plan.own_bytes apart; this is the first thread's */
    size_t offset;      /* in the arena; HIDDEN has none: 0 */
    size_t bytes;       /* without what aligns the next; 0: not needed. QKV_ODD's is 0 if it is QKV */
} engine_plan_buffer;

typedef struct engine_plan {
    engine_plan_buffer buffers[ENGINE_BUFFERS];
    size_t n_threads, block_rows;
    size_t own_bytes; /* a thread's own memory */
    size_t bytes;     /* the arena's */
} engine_plan;

/* The plan for up to `rows` tokens, of texts up to `longest`, by n_threads >= 1. A plan for fewer tokens or shorter
 * texts never takes more memory. Allocates nothing; takes a fraction of a microsecond. 0 if it does not fit in
 * size_t. */
int engine_plan_make(engine_plan *plan, const int8_model *m, size_t rows, size_t longest, size_t n_threads);

#endif
