/* SPDX-License-Identifier: Apache-2.0
 * A pool of threads that run the parts of one job and wait for each other. */
#ifndef MINNOW_BASE_THREAD_H
#define MINNOW_BASE_THREAD_H

#include <stddef.h>

#include "base/error.h"

typedef struct thread_pool thread_pool;

#define THREAD_POOL_MAX ((size_t)256)

/* n_threads counts the caller; 0 means one a processor, and 1 needs no pool: *out is NULL. Its threads have the default
 * floating-point modes (base/fpenv.h). */
minnow_status thread_pool_create(thread_pool **out, size_t n_threads, minnow_error *error);
/* The same in memory of the caller's, thread_pool_bytes (0 for one thread), aligned as malloc's is. n_threads is not
 * 0. */
size_t thread_pool_bytes(size_t n_threads);
minnow_status thread_pool_create_in(thread_pool **out, void *memory, size_t n_threads, minnow_error *error);
void thread_pool_close(thread_pool **pool);
size_t thread_pool_size(const thread_pool *pool); /* 1 for NULL */

/* Calls run(context, part, n_parts) once for each part of [0, n_parts), n_parts = thread_pool_size(pool), and returns
 * when all are done. Part 0 runs on the caller's thread. `pool` may be NULL: one part. Not reentrant. */
typedef void (*thread_pool_run_fn)(void *context, size_t part, size_t n_parts);
void thread_pool_run(thread_pool *pool, thread_pool_run_fn run, void *context);

/* Inside a job, for the parts 0 to n - 1: returns when each has called it as often. What they wrote before is seen
 * behind it. For parts that are microseconds apart: waits actively for some time, then sleeps. */
void thread_pool_barrier(thread_pool *pool, size_t n);

/* The static split: part's share [*begin, *end) of n items, in multiples of `grain` (>= 1). */
void thread_pool_share(size_t n, size_t grain, size_t part, size_t n_parts, size_t *begin, size_t *end);

#endif
