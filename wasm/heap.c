/* SPDX-License-Identifier: Apache-2.0
 *
 * The C library's allocator on the memory of a WASM instance, in modules with threads and without (wasi-libc's does not
 * link with shared memory). One thread allocates: the one that calls the module. Helpers never do, because encoding
 * takes nothing from here.
 *
 *   heap    [ block | block | ... | block ]      from __heap_base to the end of memory, every byte in one block
 *   block   [ header 64 | what the caller has ]  a multiple of 64 bytes, at a multiple of 64
 *
 * Free blocks are in a list and never touch each other. The first that is large enough is cut; if there is none, memory
 * grows by the pages that are missing and no more. Nothing can be given back to the host: what is freed is used
 * again. */
#include "heap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define UNIT ((size_t)64) /* base/memory.h's alignment, and a header's bytes */
#define PAGE ((size_t)65536)

typedef struct block {
    size_t bytes;                /* with the header */
    struct block *before;        /* the neighbour below; NULL: the first */
    struct block *previous, *next; /* in the list, of a free block */
    int is_free;
} block;
_Static_assert(sizeof(block) <= UNIT, "a header fits");

extern uint8_t __heap_base; /* the linker's */

static block *first, *last; /* NULL: nothing has been allocated yet */
static uint8_t *end;        /* of the last block */
static block *free_list;
static size_t limit = SIZE_MAX;

/* --- Blocks ------------------------------------------------------------------------------------------------------- */

static block *behind(const block *b) {
    uint8_t *at = (uint8_t *)(uintptr_t)b + b->bytes;
    return at == end ? NULL : (block *)(void *)at;
}

static void *contents(block *b) { return (uint8_t *)b + UNIT; }
static block *block_of(void *memory) { return (block *)(void *)((uint8_t *)memory - UNIT); }

static void list(block *b) {
    b->is_free = 1;
    b->previous = NULL;
    b->next = free_list;
    if (free_list != NULL) free_list->previous = b;
    free_list = b;
}

static void unlist(block *b) {
    b->is_free = 0;
    if (b->previous != NULL) b->previous->next = b->next;
    else free_list = b->next;
    if (b->next != NULL) b->next->previous = b->previous;
}

/* What follows b is `before`'s neighbour. */
static void set_bytes(block *b, size_t bytes) {
    block *next;
    b->bytes = bytes;
    next = behind(b);
    if (next != NULL) next->before = b;
    else last = b;
}

/* Joined with its free neighbours and listed. */
static void release(block *b) {
    block *next = behind(b);
    if (next != NULL && next->is_free) {
        unlist(next);
        set_bytes(b, b->bytes + next->bytes);
    }
    if (b->before != NULL && b->before->is_free) {
        block *before = b->before;
        unlist(before);
        set_bytes(before, before->bytes + b->bytes);
        b = before;
    }
    list(b);
}

/* A block in use becomes `bytes` long; the rest, if it can be a block, is free. */
static void cut(block *b, size_t bytes) {
    block *rest;
    if (b->bytes - bytes < 2 * UNIT) return;
    rest = (block *)(void *)((uint8_t *)b + bytes);
    rest->before = b;
    rest->is_free = 0;
    set_bytes(rest, b->bytes - bytes);
    b->bytes = bytes;
    release(rest);
}

/* --- Growing ------------------------------------------------------------------------------------------------------ */

/* The memory that the instance has from the start. */
static void begin(void) {
    const uintptr_t start = ((uintptr_t)&__heap_base + UNIT - 1) & ~(uintptr_t)(UNIT - 1);
    end = (uint8_t *)(__builtin_wasm_memory_size(0) * PAGE);
    first = last = (block *)start;
    last->before = NULL;
    last->bytes = (size_t)((uintptr_t)end - start);
    list(last);
}

/* The end moves up by `bytes` at least. Returns 0 if it cannot. */
static int grow(size_t bytes) {
    const size_t pages = __builtin_wasm_memory_size(0), more = bytes / PAGE + (bytes % PAGE != 0);
    block *added;
    if (more > limit / PAGE || pages > limit / PAGE - more) return 0;
    if (__builtin_wasm_memory_grow(0, more) != pages) return 0;
    added = (block *)(void *)end;
    added->before = last;
    added->is_free = 0;
    end += more * PAGE;
    set_bytes(added, more * PAGE);
    release(added);
    return 1;
}

/* Bytes of a block for `bytes` of the caller's; 0 if there can be none. */
static size_t block_bytes(size_t bytes) {
    if (bytes == 0) bytes = 1;
    return bytes > SIZE_MAX - 2 * UNIT ? 0 : UNIT + ((bytes + UNIT - 1) & ~(UNIT - 1));
}

static block *find(size_t bytes) {
    block *b = free_list;
    while (b != NULL && b->bytes < bytes) b = b->next;
    return b;
}

/* --- The C library's names ---------------------------------------------------------------------------------------- */

void *malloc(size_t bytes) {
    const size_t needed = block_bytes(bytes);
    block *b;
    if (needed == 0) return NULL;
    if (last == NULL) begin();
    b = find(needed);
    if (b == NULL) {
        if (!grow(needed - (last->is_free ? last->bytes : 0))) return NULL;
        b = last;
    }
    unlist(b);
    cut(b, needed);
    return contents(b);
}

void free(void *memory) {
    if (memory != NULL) release(block_of(memory));
}

void *aligned_alloc(size_t alignment, size_t bytes) { return alignment > UNIT ? NULL : malloc(bytes); }

void *calloc(size_t n, size_t bytes) {
    void *memory;
    size_t all;
    if (__builtin_mul_overflow(n, bytes, &all)) return NULL;
    memory = malloc(all);
    if (memory != NULL) memset(memory, 0, all);
    return memory;
}

/* In place if what is behind is free or can be had from the host: how a file of unknown length comes in without being
 * there twice. */
static int extend(block *b, size_t needed) {
    block *next = behind(b);
    size_t there = b->bytes + (next != NULL && next->is_free ? next->bytes : 0);
    if (there < needed) {
        if (next != NULL && !(next->is_free && next == last)) return 0;
        if (!grow(needed - there)) return 0;
        next = behind(b);
    }
    unlist(next);
    set_bytes(b, b->bytes + next->bytes);
    return 1;
}

void *realloc(void *memory, size_t bytes) {
    const size_t needed = block_bytes(bytes);
    block *b;
    void *moved;
    if (memory == NULL) return malloc(bytes);
    if (needed == 0) return NULL;
    b = block_of(memory);
    if (b->bytes >= needed || extend(b, needed)) {
        cut(b, needed);
        return memory;
    }
    moved = malloc(bytes);
    if (moved == NULL) return NULL;
    memcpy(moved, memory, b->bytes - UNIT);
    free(memory);
    return moved;
}

/* --- For the host ------------------------------------------------------------------------------------------------- */

void heap_limit(size_t bytes) { limit = bytes != 0 ? bytes : SIZE_MAX; }

size_t heap_used(void) {
    size_t used;
    const block *b;
    if (last == NULL) return 0;
    used = (size_t)(end - (uint8_t *)first);
    for (b = free_list; b != NULL; b = b->next) used -= b->bytes;
    return used;
}
