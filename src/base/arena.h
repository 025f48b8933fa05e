/* SPDX-License-Identifier: Apache-2.0
 *
 * An arena: many small allocations of one lifetime, freed together.
 *
 *   block:  [header | object | object | ... | free ]   blocks are chained; a large object gets a block of its own
 *
 * Memory is zeroed and aligned to 64 bytes for objects of 64 bytes and more, to 16 otherwise. `limit_bytes` bounds
 * the sum: parsers set it from the size of their input, so that no file can ask for more than it is worth. */
#ifndef MINNOW_BASE_ARENA_H
#define MINNOW_BASE_ARENA_H

#include <stddef.h>

typedef struct arena {
    struct arena_block *blocks;
    size_t used_bytes;  /* sum over all objects, with their alignment */
    size_t limit_bytes; /* 0: none */
} arena;

/* A zeroed struct is an empty arena without limit. */
void arena_init(arena *a, size_t limit_bytes);
void arena_free(arena *a);

/* Zeroed memory, or NULL if out of memory or over the limit. A size of 0 gives a valid pointer. */
void *arena_alloc(arena *a, size_t bytes);
/* count * element_bytes, checked for overflow. */
void *arena_array(arena *a, size_t count, size_t element_bytes);
/* A NUL-terminated copy of n bytes. */
char *arena_string(arena *a, const char *text, size_t n);

#endif
