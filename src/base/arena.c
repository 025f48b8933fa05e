/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"

#define BLOCK_BYTES ((size_t)64 * 1024)
#define BLOCK_ALIGNMENT MEMORY_ALIGNMENT

typedef struct arena_block {
    struct arena_block *next;
    size_t used, capacity; /* offsets from the block's start, header included */
} arena_block;

void arena_init(arena *a, size_t limit_bytes) {
    memset(a, 0, sizeof *a);
    a->limit_bytes = limit_bytes;
}

void arena_free(arena *a) {
    arena_block *block = a->blocks;
    while (block != NULL) {
        arena_block *next = block->next;
        memory_aligned_free(block);
        block = next;
    }
    a->blocks = NULL;
    a->used_bytes = 0;
}

static size_t round_up(size_t n, size_t alignment) { return (n + alignment - 1) & ~(alignment - 1); }

void *arena_alloc(arena *a, size_t bytes) {
    const size_t alignment = bytes >= 64 ? 64 : 16;
    arena_block *block = a->blocks;
    size_t offset, needed;
    if (bytes > SIZE_MAX / 2) return NULL;
    needed = round_up(bytes == 0 ? 1 : bytes, alignment);
    if (a->limit_bytes != 0 && (needed > a->limit_bytes || a->used_bytes > a->limit_bytes - needed)) return NULL;
    offset = block == NULL ? 0 : round_up(block->used, alignment);
    if (block == NULL || offset > block->capacity || needed > block->capacity - offset) {
        const size_t header = round_up(sizeof(arena_block), BLOCK_ALIGNMENT);
        const int own_block = needed > BLOCK_BYTES / 4;
        const size_t capacity = round_up(own_block ? header + needed : BLOCK_BYTES, BLOCK_ALIGNMENT);
        arena_block *fresh = memory_aligned_alloc(capacity);
        if (fresh == NULL) return NULL;
        fresh->capacity = capacity;
        fresh->used = header;
        if (own_block && block != NULL) { /* keep filling the block that still has room */
            fresh->next = block->next;
            block->next = fresh;
        } else {
            fresh->next = block;
            a->blocks = fresh;
        }
        block = fresh;
        offset = header;
    }
    block->used = offset + needed;
    a->used_bytes += needed;
    return memset((char *)block + offset, 0, needed);
}

void *arena_array(arena *a, size_t count, size_t element_bytes) {
    if (element_bytes != 0 && count > SIZE_MAX / element_bytes) return NULL;
    return arena_alloc(a, count * element_bytes);
}

char *arena_string(arena *a, const char *text, size_t n) {
    char *copy = n == SIZE_MAX ? NULL : arena_alloc(a, n + 1);
    if (copy != NULL && n > 0) memcpy(copy, text, n);
    return copy;
}
