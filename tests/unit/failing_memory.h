/* SPDX-License-Identifier: Apache-2.0
 *
 * An operating system that refuses: the n-th request for memory, a thread or a map fails, for every n in turn, alone or
 * with all that follow it. For programs that the Makefile links with --wrap (WRAPPED), so that only this project's own
 * calls are counted, not those of libc; included by one file of such a program.
 *
 *     memory_watch(n, all)  ->  the code under test  ->  memory_unwatch()  ->  memory_live()
 *
 * Blocks made while watching are known until they are freed: what is left at the end has leaked. */
#ifndef MINNOW_TESTS_FAILING_MEMORY_H
#define MINNOW_TESTS_FAILING_MEMORY_H

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define NEVER SIZE_MAX
#define LIVE_CAPACITY ((size_t)1 << 16)

static struct {
    pthread_mutex_t lock;
    int watching, all;
    size_t n_requests, failing; /* so far; the one that fails */
    size_t n_refused;
    size_t n_live, n_maps;
    const void *live[LIVE_CAPACITY]; /* a hash table by linear probing */
} memory = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t live_place(const void *p) { return (size_t)(((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15u >> 48); }

/* Under the lock, as the next one. */
static void live_add(const void *p) {
    size_t at = live_place(p) % LIVE_CAPACITY;
    if (memory.n_live > LIVE_CAPACITY / 2) abort(); /* more than these tests are made for */
    while (memory.live[at] != NULL) at = (at + 1) % LIVE_CAPACITY;
    memory.live[at] = p;
    memory.n_live++;
}

static void live_remove(const void *p) {
    size_t at = live_place(p) % LIVE_CAPACITY, next, home;
    while (memory.live[at] != p) {
        if (memory.live[at] == NULL) return; /* made while nobody watched */
        at = (at + 1) % LIVE_CAPACITY;
    }
    memory.n_live--;
    /* Move up what the gap would hide. */
    for (next = (at + 1) % LIVE_CAPACITY; memory.live[next] != NULL; next = (next + 1) % LIVE_CAPACITY) {
        home = live_place(memory.live[next]) % LIVE_CAPACITY;
        if ((next - home) % LIVE_CAPACITY >= (next - at) % LIVE_CAPACITY) {
            memory.live[at] = memory.live[next];
            at = next;
        }
    }
    memory.live[at] = NULL;
}

/* 1 if this request is to fail. */
static int is_refused(void) {
    int refused = 0;
    pthread_mutex_lock(&memory.lock);
    if (memory.watching) {
        refused = memory.n_requests == memory.failing || (memory.all && memory.n_requests > memory.failing);
        memory.n_requests++;
        memory.n_refused += (size_t)refused;
    }
    pthread_mutex_unlock(&memory.lock);
    return refused;
}

static void *noted(void *p) {
    pthread_mutex_lock(&memory.lock);
    if (p != NULL && memory.watching) live_add(p);
    pthread_mutex_unlock(&memory.lock);
    return p;
}

static void forget(const void *p) {
    pthread_mutex_lock(&memory.lock);
    if (p != NULL) live_remove(p);
    pthread_mutex_unlock(&memory.lock);
}

/* --- In place of libc's ------------------------------------------------------------------------------------------- */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void __real_free(void *p);
void *__real_mmap(void *at, size_t bytes, int protection, int flags, int descriptor, off_t offset);
int __real_munmap(void *at, size_t bytes);
int __real_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void __wrap_free(void *p);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int descriptor, off_t offset);
int __wrap_munmap(void *at, size_t bytes);
int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);

void *__wrap_malloc(size_t bytes) { return is_refused() ? NULL : noted(__real_malloc(bytes)); }
void *__wrap_calloc(size_t n, size_t bytes) { return is_refused() ? NULL : noted(__real_calloc(n, bytes)); }
void *__wrap_aligned_alloc(size_t alignment, size_t bytes) {
    return is_refused() ? NULL : noted(__real_aligned_alloc(alignment, bytes));
}
void *__wrap_realloc(void *p, size_t bytes) { /* refused: the old block stays */
    if (is_refused()) return NULL;
    forget(p); /* before another thread can be given its place; these tests never run out of memory in earnest */
    return noted(__real_realloc(p, bytes));
}
void __wrap_free(void *p) {
    forget(p);
    __real_free(p);
}

void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int descriptor, off_t offset) {
    void *map = MAP_FAILED;
    if (is_refused()) errno = ENOMEM;
    else map = __real_mmap(at, bytes, protection, flags, descriptor, offset);
    if (map != MAP_FAILED) memory.n_maps++; /* on one thread, in this project */
    return map;
}
int __wrap_munmap(void *at, size_t bytes) {
    memory.n_maps--;
    return __real_munmap(at, bytes);
}
int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
    return is_refused() ? EAGAIN : __real_pthread_create(out, attributes, run, argument);
}

/* --- For the tests ------------------------------------------------------------------------------------------------ */

/* Request number `failing` from here on fails; `all`: and each after it. */
static inline void memory_watch(size_t failing, int all) {
    memory.watching = 1;
    memory.all = all;
    memory.failing = failing;
    memory.n_requests = memory.n_refused = 0;
}
static inline void memory_unwatch(void) { memory.watching = 0; }
static inline int memory_was_refused(void) { return memory.n_refused > 0; }

/* Blocks, maps and open files: the same number before and after, or something has leaked. */
static inline size_t memory_live(void) {
    const int lowest_free = dup(0);
    if (lowest_free >= 0) close(lowest_free);
    return memory.n_live + memory.n_maps + (size_t)(lowest_free + 1);
}

#endif
