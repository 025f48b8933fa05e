/* SPDX-License-Identifier: Apache-2.0
 *
 * A double-array trie: byte strings -> numbers, one dependent load a byte.
 *
 *   the child of node i for byte c is node  k = nodes[i].base ^ c  if  nodes[k].parent == i,  else there is none
 *
 * base ^ c stays in one block of 256 nodes, so the array is a whole number of blocks and no index needs a check. */
#ifndef MINNOW_RUN_TOKENIZER_TRIE_H
#define MINNOW_RUN_TOKENIZER_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define TRIE_ROOT 0u
#define TRIE_NONE UINT32_MAX
#define TRIE_MAX_KEY_BYTES 4096

typedef struct trie_node {
    uint32_t base;    /* of the children; the top bit says that a key ends here */
    uint32_t parent;  /* TRIE_NONE: the slot is free (or the root) */
} trie_node;
#define TRIE_KEY_ENDS 0x80000000u

typedef struct trie {
    trie_node *nodes;
    int32_t *values; /* [n_nodes], meaningful where a key ends */
    size_t n_nodes;
} trie;

typedef struct trie_key {
    const uint8_t *text;
    uint32_t bytes; /* at least 1, at most TRIE_MAX_KEY_BYTES */
    int32_t value;
} trie_key;

/* Sorts by text, and by value where texts are equal (into `out`), or the other way round (in place); in n log n steps
 * at most. Fails if out of memory. */
minnow_status trie_sort_by_text(trie_key *out, const trie_key *keys, size_t n, minnow_error *error);
minnow_status trie_sort_by_value(trie_key *keys, size_t n, minnow_error *error);

/* Builds from keys that are sorted by text and have no duplicates; borrows their texts during the call only. Takes time
 * and memory linear in the keys' bytes. */
minnow_status trie_build(trie *out, const trie_key *keys, size_t n, minnow_error *error);
void trie_free(trie *t);

/* TRIE_NONE if there is no such child. */
static inline uint32_t trie_child(const trie_node *nodes, uint32_t node, uint8_t byte) {
    const uint32_t child = (nodes[node].base & ~TRIE_KEY_ENDS) ^ byte;
    return nodes[child].parent == node ? child : TRIE_NONE;
}

/* The longest key that text begins with: its bytes, 0 if there is none. */
static inline size_t trie_longest(const trie *t, uint32_t node, const uint8_t *text, size_t bytes, int32_t *value) {
    uint32_t best = TRIE_NONE;
    size_t best_bytes = 0;
    for (size_t i = 0; i < bytes; i++) {
        node = trie_child(t->nodes, node, text[i]);
        if (node == TRIE_NONE) break;
        if (t->nodes[node].base & TRIE_KEY_ENDS) {
            best = node;
            best_bytes = i + 1;
        }
    }
    if (best != TRIE_NONE) *value = t->values[best];
    return best_bytes;
}

#endif
