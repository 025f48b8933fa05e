/* SPDX-License-Identifier: Apache-2.0
 * A pool on pthreads (winpthreads on Windows). A job is announced under the lock by raising `generation`. Who waits
 * spins first, because jobs and barriers follow each other within microseconds and to be woken takes tens of them; then
 * lets others run; then sleeps. Where there are more threads than processors, spinning keeps others from what is waited
 * for: nobody does. */
#if !defined(MINNOW_MINIMAL)
#include "base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/fpenv.h"

#define SPINS 1000 /* of relax(): some 30 microseconds */
#define YIELDS 50

typedef struct worker {
    struct thread_pool *pool;
    pthread_t thread;
    size_t part;
} worker;

struct thread_pool {
    size_t n_threads;   /* with the caller */
    int is_allocated;   /* by thread_pool_create */
    pthread_mutex_t lock;
    pthread_cond_t started, finished, passed;
    int spins;
    atomic_uint generation;
    atomic_size_t n_running;
    atomic_size_t n_arrived; /* at the barrier, which has been passed `rounds` times */
    atomic_size_t n_asleep;  /* there */
    atomic_uint rounds;
    int stop; /* under lock; read after generation has changed */
    thread_pool_run_fn run;
    void *context;
    worker workers[]; /* [n_threads - 1] */
};

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Waits for another generation than `seen`; returns it. */
static unsigned wait_for_job(thread_pool *pool, unsigned seen) {
    unsigned now = seen;
    int i;
    for (i = 0; i < pool->spins; i++) {
        now = atomic_load_explicit(&pool->generation, memory_order_acquire);
        if (now != seen) return now;
        relax();
    }
    pthread_mutex_lock(&pool->lock);
    while ((now = atomic_load_explicit(&pool->generation, memory_order_acquire)) == seen)
        pthread_cond_wait(&pool->started, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    return now;
}

static void *work(void *argument) {
    worker *self = argument;
    thread_pool *pool = self->pool;
    unsigned seen = 0;
    (void)fpenv_enter(); /* a thread begins with the modes of the one that created it */
    for (;;) {
        seen = wait_for_job(pool, seen);
        if (pool->stop) return NULL;
        pool->run(pool->context, self->part, pool->n_threads);
        if (atomic_fetch_sub_explicit(&pool->n_running, 1, memory_order_acq_rel) == 1) {
            pthread_mutex_lock(&pool->lock);
            pthread_cond_signal(&pool->finished);
            pthread_mutex_unlock(&pool->lock);
        }
    }
}

static void announce(thread_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
    pthread_cond_broadcast(&pool->started);
    pthread_mutex_unlock(&pool->lock);
}

size_t thread_pool_bytes(size_t n_threads) {
    return n_threads <= 1 ? 0 : sizeof(thread_pool) + (n_threads - 1) * sizeof(worker);
}

minnow_status thread_pool_create_in(thread_pool **out, void *memory, size_t n_threads, minnow_error *error) {
    thread_pool *pool = memory;
    size_t i;
    *out = NULL;
    if (n_threads == 1) return MINNOW_OK;
    memset(pool, 0, sizeof *pool);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->started, NULL);
    pthread_cond_init(&pool->finished, NULL);
    pthread_cond_init(&pool->passed, NULL);
    pool->spins = n_threads <= cpu_count() ? SPINS : 0;
    pool->n_threads = 1;
    for (i = 1; i < n_threads; i++) {
        worker *w = &pool->workers[i - 1];
        w->pool = pool;
        w->part = i;
        if (pthread_create(&w->thread, NULL, work, w) != 0) {
            thread_pool_close(&pool);
            return error_set(error, MINNOW_ERROR_MEMORY, "cannot start thread %zu of %zu", i + 1, n_threads);
        }
        pool->n_threads = i + 1; /* no job runs yet, so no worker reads it */
    }
    *out = pool;
    return MINNOW_OK;
}

minnow_status thread_pool_create(thread_pool **out, size_t n_threads, minnow_error *error) {
    minnow_status status;
    void *memory;
    *out = NULL;
    if (n_threads == 0) n_threads = cpu_count() < THREAD_POOL_MAX ? cpu_count() : THREAD_POOL_MAX;
    if (n_threads > THREAD_POOL_MAX)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "%zu threads asked for, at most %zu possible", n_threads,
                         THREAD_POOL_MAX);
    if (n_threads == 1) return MINNOW_OK;
    memory = malloc(thread_pool_bytes(n_threads));
    if (memory == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    status = thread_pool_create_in(out, memory, n_threads, error);
    if (status == MINNOW_OK) (*out)->is_allocated = 1;
    else free(memory);
    return status;
}

void thread_pool_close(thread_pool **p) {
    thread_pool *pool = *p;
    size_t i;
    if (pool == NULL) return;
    pool->stop = 1;
    announce(pool);
    for (i = 1; i < pool->n_threads; i++) pthread_join(pool->workers[i - 1].thread, NULL);
    pthread_cond_destroy(&pool->passed);
    pthread_cond_destroy(&pool->finished);
    pthread_cond_destroy(&pool->started);
    pthread_mutex_destroy(&pool->lock);
    if (pool->is_allocated) free(pool);
    *p = NULL;
}

size_t thread_pool_size(const thread_pool *pool) { return pool == NULL ? 1 : pool->n_threads; }

void thread_pool_run(thread_pool *pool, thread_pool_run_fn run, void *context) {
    int i;
    if (pool == NULL || pool->n_threads == 1) {
        run(context, 0, 1);
        return;
    }
    pool->run = run;
    pool->context = context;
    atomic_store_explicit(&pool->n_running, pool->n_threads - 1, memory_order_relaxed);
    announce(pool);
    run(context, 0, pool->n_threads);
    for (i = 0; i < pool->spins; i++) {
        if (atomic_load_explicit(&pool->n_running, memory_order_acquire) == 0) return;
        relax();
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load_explicit(&pool->n_running, memory_order_acquire) != 0)
        pthread_cond_wait(&pool->finished, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

/* Until the barrier has been passed more than `round` times. n_asleep is raised before `rounds` is read, and read after
 * `rounds` is raised: either the sleeper sees that or the last to arrive sees it and wakes it. */
static void sleep_at_barrier(thread_pool *pool, unsigned round) {
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->n_asleep, 1);
    while (atomic_load(&pool->rounds) == round) pthread_cond_wait(&pool->passed, &pool->lock);
    atomic_fetch_sub(&pool->n_asleep, 1);
    pthread_mutex_unlock(&pool->lock);
}

static void pass_barrier(thread_pool *pool) {
    atomic_store_explicit(&pool->n_arrived, 0, memory_order_relaxed);
    atomic_fetch_add(&pool->rounds, 1);
    if (atomic_load(&pool->n_asleep) == 0) return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->passed);
    pthread_mutex_unlock(&pool->lock);
}

void thread_pool_barrier(thread_pool *pool, size_t n) {
    unsigned round;
    int i;
    if (n <= 1) return;
    round = atomic_load_explicit(&pool->rounds, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&pool->n_arrived, 1, memory_order_acq_rel) + 1 == n) {
        pass_barrier(pool);
        return;
    }
    for (i = 0; i < pool->spins + YIELDS; i++) {
        if (atomic_load_explicit(&pool->rounds, memory_order_acquire) != round) return;
        if (i < pool->spins) relax();
        else sched_yield();
    }
    sleep_at_barrier(pool, round);
}

#else
typedef int thread_is_not_for_this_build;
#endif
