/* SPDX-License-Identifier: Apache-2.0
 *
 * A pool in WASM: one crew of helpers, who come from the host (thread_wasm.h) and stay; a pool is how many of them a
 * caller has asked for. One thread calls, so there is one job at a time and its state is the crew's.
 *
 * A helper's part is the order in which it came. A job is announced by `jobs`, which has its number and how many parts
 * it has in one word: who has none in it never looks further, and who has one keeps the job from ending until it is
 * done. Who waits spins first, because barriers follow each other within microseconds, and then sleeps until memory
 * changes: it costs nothing then. A page's main thread may not sleep; modules with threads are for workers. */
#include "base/thread.h"

#include <stdatomic.h>
#include <stdint.h>

#include "base/thread_wasm.h"

#define SPINS 20000    /* of one atomic read: some 20 microseconds */
#define PARTS_BITS 9   /* the low bits of `jobs`; THREAD_POOL_MAX fits */
#define PARTS_MASK ((1u << PARTS_BITS) - 1)
_Static_assert(THREAD_POOL_MAX <= PARTS_MASK, "parts fit");

struct thread_pool {
    size_t n_threads; /* with the caller */
};

static struct {
    atomic_uint n_helpers;
    atomic_uint jobs;      /* number << PARTS_BITS | parts */
    atomic_uint ended;
    atomic_uint n_running; /* helpers in the job */
    atomic_uint n_arrived; /* at the barrier, which has been passed `rounds` times */
    atomic_uint rounds;
    thread_pool_run_fn run;
    void *context;
} crew;

/* --- Waiting ------------------------------------------------------------------------------------------------------ */

static int32_t *futex(atomic_uint *word) { return (int32_t *)(void *)word; }

static void wake_all(atomic_uint *word) { __builtin_wasm_memory_atomic_notify(futex(word), UINT32_MAX); }

/* Returns another value than `seen`. To go to sleep compares once more, so no change is missed. */
static unsigned wait_for_change(atomic_uint *word, unsigned seen) {
    unsigned value;
    int i;
    for (i = 0; i < SPINS; i++) {
        value = atomic_load_explicit(word, memory_order_acquire);
        if (value != seen) return value;
    }
    while ((value = atomic_load_explicit(word, memory_order_acquire)) == seen)
        __builtin_wasm_memory_atomic_wait32(futex(word), (int32_t)seen, -1);
    return value;
}

/* --- The crew ----------------------------------------------------------------------------------------------------- */

void thread_wasm_help(void) {
    /* Read before this one counts: no job that has a part for it can have been announced. */
    unsigned seen = atomic_load(&crew.jobs);
    const unsigned part = atomic_fetch_add(&crew.n_helpers, 1) + 1;
    while (!atomic_load(&crew.ended)) {
        seen = wait_for_change(&crew.jobs, seen);
        if (part >= (seen & PARTS_MASK)) continue;
        crew.run(crew.context, part, seen & PARTS_MASK);
        if (atomic_fetch_sub_explicit(&crew.n_running, 1, memory_order_acq_rel) == 1) wake_all(&crew.n_running);
    }
}

unsigned thread_wasm_helpers(void) { return atomic_load(&crew.ended) ? 0 : atomic_load(&crew.n_helpers); }

static void announce(unsigned parts) {
    const unsigned number = (atomic_load_explicit(&crew.jobs, memory_order_relaxed) >> PARTS_BITS) + 1;
    atomic_store_explicit(&crew.jobs, number << PARTS_BITS | parts, memory_order_release);
    wake_all(&crew.jobs);
}

void thread_wasm_end(void) {
    atomic_store(&crew.ended, 1);
    announce(0);
}

/* --- Pools -------------------------------------------------------------------------------------------------------- */

size_t thread_pool_bytes(size_t n_threads) { return n_threads <= 1 ? 0 : sizeof(thread_pool); }

minnow_status thread_pool_create_in(thread_pool **out, void *memory, size_t n_threads, minnow_error *error) {
    thread_pool *pool = memory;
    *out = NULL;
    if (n_threads == 1) return MINNOW_OK;
    if (n_threads > (size_t)thread_wasm_helpers() + 1 || n_threads > THREAD_POOL_MAX)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "%zu threads asked for, %u helpers have come", n_threads,
                         thread_wasm_helpers());
    pool->n_threads = n_threads;
    *out = pool;
    return MINNOW_OK;
}

/* In the run-time half a pool always lies in its context. */
minnow_status thread_pool_create(thread_pool **out, size_t n_threads, minnow_error *error) {
    *out = NULL;
    if (n_threads <= 1) return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "a pool of %zu threads lies in memory of the caller's here",
                     n_threads);
}

void thread_pool_close(thread_pool **pool) { *pool = NULL; }

size_t thread_pool_size(const thread_pool *pool) { return pool == NULL ? 1 : pool->n_threads; }

void thread_pool_run(thread_pool *pool, thread_pool_run_fn run, void *context) {
    unsigned left;
    if (pool == NULL) {
        run(context, 0, 1);
        return;
    }
    crew.run = run;
    crew.context = context;
    left = (unsigned)pool->n_threads - 1;
    atomic_store_explicit(&crew.n_running, left, memory_order_relaxed);
    announce((unsigned)pool->n_threads);
    run(context, 0, pool->n_threads);
    /* Only the last helper wakes: a sleeper that saw another count sleeps on, or does not fall asleep. */
    while ((left = atomic_load_explicit(&crew.n_running, memory_order_acquire)) != 0)
        wait_for_change(&crew.n_running, left);
}

void thread_pool_barrier(thread_pool *pool, size_t n) {
    unsigned round;
    (void)pool;
    if (n <= 1) return;
    round = atomic_load_explicit(&crew.rounds, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&crew.n_arrived, 1, memory_order_acq_rel) + 1 < n) {
        wait_for_change(&crew.rounds, round);
        return;
    }
    atomic_store_explicit(&crew.n_arrived, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&crew.rounds, 1, memory_order_release);
    wake_all(&crew.rounds);
}
