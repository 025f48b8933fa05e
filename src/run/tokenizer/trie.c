/* SPDX-License-Identifier: Apache-2.0
 *
 * Building the trie. Each range of sorted keys with a common prefix is a node; a node's children are placed where all
 * of their slots are free. Nodes with one child (most) take the first free slot there is; for others a bounded number
 * of places is tried before a new block is opened, so that no set of keys makes building slow. */
#include "run/tokenizer/trie.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 256u
#define MAX_NODES ((size_t)1 << 28)
#define MAX_TRIES 64

/* --- Sorting ------------------------------------------------------------------------------------------------------ */

static int compare_texts(const trie_key *a, const trie_key *b) {
    const int order = memcmp(a->text, b->text, a->bytes < b->bytes ? a->bytes : b->bytes);
    if (order != 0) return order;
    return a->bytes != b->bytes ? (a->bytes < b->bytes ? -1 : 1) : 0;
}

static int compare_values(const trie_key *a, const trie_key *b) {
    return a->value != b->value ? (a->value < b->value ? -1 : 1) : 0;
}

static int by_text(const trie_key *a, const trie_key *b) {
    const int order = compare_texts(a, b);
    return order != 0 ? order : compare_values(a, b);
}

static int by_value(const trie_key *a, const trie_key *b) {
    const int order = compare_values(a, b);
    return order != 0 ? order : compare_texts(a, b);
}

/* Merge sort: the C library's qsort may be quadratic on keys that were made for it. */
static minnow_status sort_keys(trie_key *keys, size_t n, int (*compare)(const trie_key *, const trie_key *),
                               minnow_error *error) {
    trie_key *from = keys, *to, *spare;
    if (n < 2) return MINNOW_OK;
    to = spare = n > SIZE_MAX / sizeof *spare ? NULL : malloc(n * sizeof *spare);
    if (spare == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu tokens", n);
    for (size_t width = 1; width < n; width *= 2) {
        trie_key *swap = from;
        for (size_t start = 0; start < n; start += 2 * width) {
            const size_t middle = n - start < width ? n : start + width;
            const size_t end = n - middle < width ? n : middle + width;
            size_t a = start, b = middle;
            for (size_t k = start; k < end; k++)
                to[k] = a < middle && (b >= end || compare(&from[a], &from[b]) <= 0) ? from[a++] : from[b++];
        }
        from = to;
        to = swap;
    }
    if (from != keys) memcpy(keys, from, n * sizeof *keys);
    free(spare);
    return MINNOW_OK;
}

minnow_status trie_sort_by_text(trie_key *keys, size_t n, minnow_error *error) {
    return sort_keys(keys, n, by_text, error);
}

minnow_status trie_sort_by_value(trie_key *keys, size_t n, minnow_error *error) {
    return sort_keys(keys, n, by_value, error);
}

/* --- Slots -------------------------------------------------------------------------------------------------------- */

/* A range of keys that share their first `depth` bytes and still needs its children. */
typedef struct pending {
    uint32_t node, depth;
    size_t first, end;
} pending;

/* Free slots are a doubly linked list through `next` and `previous`, oldest block first. */
typedef struct builder {
    trie *out;
    size_t capacity;
    uint32_t *next, *previous; /* [capacity] */
    uint32_t head, tail;
    pending *stack; /* ranges are disjoint and not empty: at most one for each key */
    size_t n_stack;
} builder;

static int grow_array(void **array, size_t count, size_t element_bytes) {
    void *grown = count > SIZE_MAX / element_bytes ? NULL : realloc(*array, count * element_bytes);
    if (grown == NULL) return 0;
    *array = grown;
    return 1;
}

static minnow_status add_block(builder *b, minnow_error *error) {
    const size_t first = b->out->n_nodes;
    if (first + BLOCK > MAX_NODES) return error_set(error, MINNOW_ERROR_MEMORY, "the vocabulary is too large");
    if (first + BLOCK > b->capacity) {
        const size_t capacity = b->capacity == 0 ? 4 * BLOCK : 2 * b->capacity;
        void *nodes = b->out->nodes, *values = b->out->values, *next = b->next, *previous = b->previous;
        const int grown =
            grow_array(&nodes, capacity, sizeof(trie_node)) + grow_array(&values, capacity, sizeof(int32_t)) +
            grow_array(&next, capacity, sizeof(uint32_t)) + grow_array(&previous, capacity, sizeof(uint32_t));
        b->out->nodes = nodes;
        b->out->values = values;
        b->next = next;
        b->previous = previous;
        if (grown != 4) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu trie nodes", capacity);
        b->capacity = capacity;
    }
    for (uint32_t i = (uint32_t)first; i < first + BLOCK; i++) {
        b->out->nodes[i] = (trie_node){0, TRIE_NONE};
        b->out->values[i] = 0;
        b->previous[i] = b->tail;
        b->next[i] = TRIE_NONE;
        if (b->tail == TRIE_NONE) b->head = i;
        else b->next[b->tail] = i;
        b->tail = i;
    }
    b->out->n_nodes = first + BLOCK;
    return MINNOW_OK;
}

static void take_slot(builder *b, uint32_t slot) {
    const uint32_t next = b->next[slot], previous = b->previous[slot];
    if (previous == TRIE_NONE) b->head = next;
    else b->next[previous] = next;
    if (next == TRIE_NONE) b->tail = previous;
    else b->previous[next] = previous;
    b->next[slot] = b->previous[slot] = slot; /* marks it as taken */
}

static int slot_is_free(const builder *b, uint32_t slot) { return b->next[slot] != slot; }

/* A base for which every label's slot is free. */
static minnow_status find_base(builder *b, const uint8_t *labels, size_t n, uint32_t *base, minnow_error *error) {
    uint32_t slot = n == 1 ? b->head : b->tail;
    for (int i = 0; i < MAX_TRIES && slot != TRIE_NONE; i++, slot = b->previous[slot]) {
        size_t fits = 1;
        *base = slot ^ labels[0];
        while (fits < n && slot_is_free(b, *base ^ labels[fits])) fits++;
        if (fits == n) return MINNOW_OK;
    }
    *base = (uint32_t)b->out->n_nodes;
    return add_block(b, error);
}

/* --- Nodes -------------------------------------------------------------------------------------------------------- */

static minnow_status expand(builder *b, pending range, const trie_key *keys, minnow_error *error) {
    trie *t = b->out;
    uint8_t labels[BLOCK];
    size_t starts[BLOCK + 1];
    size_t n = 0;
    uint32_t base;
    if (keys[range.first].bytes == range.depth) { /* the shortest key of a range comes first */
        t->nodes[range.node].base |= TRIE_KEY_ENDS;
        t->values[range.node] = keys[range.first++].value;
    }
    for (size_t i = range.first; i < range.end; i++) {
        const uint8_t label = keys[i].text[range.depth];
        if (n > 0 && labels[n - 1] == label) continue;
        labels[n] = label;
        starts[n++] = i;
    }
    if (n == 0) return MINNOW_OK;
    starts[n] = range.end;
    TRY(find_base(b, labels, n, &base, error));
    t->nodes[range.node].base |= base;
    for (size_t i = 0; i < n; i++) {
        const uint32_t child = base ^ labels[i];
        take_slot(b, child);
        t->nodes[child].parent = range.node;
        b->stack[b->n_stack++] = (pending){child, range.depth + 1, starts[i], starts[i + 1]};
    }
    return MINNOW_OK;
}

minnow_status trie_build(trie *out, const trie_key *keys, size_t n, minnow_error *error) {
    builder b = {out, 0, NULL, NULL, TRIE_NONE, TRIE_NONE, NULL, 0};
    minnow_status status;
    memset(out, 0, sizeof *out);
    TRY_GOTO(add_block(&b, error));
    take_slot(&b, TRIE_ROOT);
    b.stack = n > SIZE_MAX / sizeof *b.stack - 1 ? NULL : malloc((n + 1) * sizeof *b.stack);
    if (b.stack == NULL) {
        status = error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu tokens", n);
        goto fail;
    }
    if (n > 0) b.stack[b.n_stack++] = (pending){TRIE_ROOT, 0, 0, n};
    while (b.n_stack > 0) TRY_GOTO(expand(&b, b.stack[--b.n_stack], keys, error));
fail:
    free(b.stack);
    free(b.next);
    free(b.previous);
    if (status != MINNOW_OK) trie_free(out);
    return status;
}

void trie_free(trie *t) {
    free(t->nodes);
    free(t->values);
    memset(t, 0, sizeof *t);
}
