/* SPDX-License-Identifier: Apache-2.0
 * A build without threads: no pool is ever made, and a job's one part runs on the caller's. */
#if defined(MINNOW_MINIMAL)
#include "base/thread.h"

minnow_status thread_pool_create(thread_pool **out, size_t n_threads, minnow_error *error) {
    return thread_pool_create_in(out, NULL, n_threads, error);
}

size_t thread_pool_bytes(size_t n_threads) {
    (void)n_threads;
    return 0;
}

minnow_status thread_pool_create_in(thread_pool **out, void *memory, size_t n_threads, minnow_error *error) {
    (void)memory;
    *out = NULL;
    if (n_threads <= 1) return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "%zu threads asked for: this build has none but the caller's",
                     n_threads);
}

void thread_pool_close(thread_pool **pool) { *pool = NULL; }

size_t thread_pool_size(const thread_pool *pool) {
    (void)pool;
    return 1;
}

void thread_pool_run(thread_pool *pool, thread_pool_run_fn run, void *context) {
    (void)pool;
    run(context, 0, 1);
}

void thread_pool_barrier(thread_pool *pool, size_t n) {
    (void)pool;
    (void)n;
}

#else
typedef int thread_none_is_not_for_this_build;
#endif
