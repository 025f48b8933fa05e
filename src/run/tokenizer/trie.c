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

/* Merge sort: the C library's qsort may be quadratic on keys that were made for it. `spare` is as long as `keys`. */
static void merge_sort(trie_key *keys, size_t n, trie_key *spare,
                       int (*compare)(const trie_key *, const trie_key *)) {
    trie_key *from = keys, *to = spare;
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
}

/* The first bytes of a key as a number: its order is theirs. */
#define PREFIX_BYTES 8

typedef struct prefixed_key {
    uint64_t prefix;
    uint32_t place; /* among the keys */
} prefixed_key;

static uint64_t text_prefix(const trie_key *key) {
    uint64_t prefix = 0;
    for (uint32_t i = 0; i < PREFIX_BYTES; i++) prefix = prefix << 8 | (i < key->bytes ? key->text[i] : 0);
    return prefix;
}

/* Sorts by prefix alone: a stable counting sort by each of its bytes, the last one first. Returns the sorted half of
 * `items`, [2 n]. */
static prefixed_key *sort_prefixes(prefixed_key *items, size_t n) {
    prefixed_key *from = items, *to = items + n;
    for (unsigned shift = 0; shift < 8 * PREFIX_BYTES; shift += 8) {
        prefixed_key *swap = from;
        size_t place[256] = {0}, sum = 0;
        for (size_t i = 0; i < n; i++) place[from[i].prefix >> shift & 0xff]++;
        if (place[from[0].prefix >> shift & 0xff] == n) continue;
        for (size_t byte = 0; byte < 256; byte++) {
            const size_t count = place[byte];
            place[byte] = sum;
            sum += count;
        }
        for (size_t i = 0; i < n; i++) to[place[from[i].prefix >> shift & 0xff]++] = from[i];
        from = to;
        to = swap;
    }
    return from;
}

/* Keys of one prefix, by what is behind it. `items` are the keys' prefixes in order. */
static minnow_status sort_behind_prefixes(trie_key *keys, const prefixed_key *items, size_t n, minnow_error *error) {
    trie_key *spare = NULL;
    size_t capacity = 0;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && items[end].prefix == items[i].prefix;) end++;
        if (end - i == 1) continue;
        if (end - i > capacity) {
            capacity = 2 * (end - i);
            free(spare);
            spare = capacity > SIZE_MAX / sizeof *spare ? NULL : malloc(capacity * sizeof *spare);
            if (spare == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu tokens", n);
        }
        merge_sort(keys + i, end - i, spare, by_text);
    }
    free(spare);
    return MINNOW_OK;
}

minnow_status trie_sort_by_text(trie_key *out, const trie_key *keys, size_t n, minnow_error *error) {
    prefixed_key *items, *sorted;
    minnow_status status;
    if (n == 0) return MINNOW_OK;
    items = n > UINT32_MAX || n > SIZE_MAX / 2 / sizeof *items ? NULL : malloc(2 * n * sizeof *items);
    if (items == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu tokens", n);
    for (size_t i = 0; i < n; i++) items[i] = (prefixed_key){text_prefix(&keys[i]), (uint32_t)i};
    sorted = sort_prefixes(items, n);
    for (size_t i = 0; i < n; i++) out[i] = keys[sorted[i].place];
    status = sort_behind_prefixes(out, sorted, n, error);
    free(items);
    return status;
}

/* What is in order at the beginning stays there: vocabularies are. */
minnow_status trie_sort_by_value(trie_key *keys, size_t n, minnow_error *error) {
    size_t sorted = n > 0, a, b, end = n;
    trie_key *spare;
    while (sorted < n && by_value(&keys[sorted - 1], &keys[sorted]) <= 0) sorted++;
    if (sorted == n) return MINNOW_OK;
    spare = malloc((n - sorted) * sizeof *spare);
    if (spare == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu tokens", n);
    merge_sort(keys + sorted, n - sorted, spare, by_value);
    memcpy(spare, keys + sorted, (n - sorted) * sizeof *spare);
    for (a = sorted, b = n - sorted; b > 0;) /* merged from the back */
        keys[--end] = a > 0 && by_value(&keys[a - 1], &spare[b - 1]) > 0 ? keys[--a] : spare[--b];
    free(spare);
    return MINNOW_OK;
}

/* --- Slots -------------------------------------------------------------------------------------------------------- */

/* A range of two keys or more that share their first `depth` bytes; it still needs its children. */
typedef struct pending {
    uint32_t node, depth;
    size_t first, end;
} pending;

/* Free slots are a doubly linked list, oldest block first; the links are in the slots: nodes[i].base is the next one,
 * values[i] the one before. */
typedef struct builder {
    trie *out;
    size_t capacity;
    uint32_t head, tail;
    pending *stack; /* ranges are disjoint and of two keys or more: at most one for each key */
    size_t n_stack;
    uint8_t labels[BLOCK]; /* of one node's children ... */
    size_t starts[BLOCK + 1]; /* ... whose keys begin here */
} builder;

#define TAKEN_ROOT (TRIE_NONE - 1) /* the root's parent while the trie is built: its slot is not free */

static minnow_status grow(builder *b, minnow_error *error) {
    const size_t capacity = b->capacity == 0 ? 4 * BLOCK : 2 * b->capacity;
    void *nodes = realloc(b->out->nodes, capacity * sizeof *b->out->nodes), *values;
    if (nodes != NULL) b->out->nodes = nodes;
    values = realloc(b->out->values, capacity * sizeof *b->out->values);
    if (values != NULL) b->out->values = values;
    if (nodes == NULL || values == NULL)
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu trie nodes", capacity);
    b->capacity = capacity;
    return MINNOW_OK;
}

static minnow_status add_block(builder *b, minnow_error *error) {
    const size_t first = b->out->n_nodes;
    if (first + BLOCK > MAX_NODES) return error_set(error, MINNOW_ERROR_MEMORY, "the vocabulary is too large");
    if (first + BLOCK > b->capacity) TRY(grow(b, error));
    for (uint32_t i = (uint32_t)first; i < first + BLOCK; i++) {
        b->out->nodes[i] = (trie_node){i + 1, TRIE_NONE};
        b->out->values[i] = (int32_t)(i - 1);
    }
    b->out->nodes[first + BLOCK - 1].base = TRIE_NONE;
    b->out->values[first] = (int32_t)b->tail;
    if (b->tail == TRIE_NONE) b->head = (uint32_t)first;
    else b->out->nodes[b->tail].base = (uint32_t)first;
    b->tail = (uint32_t)(first + BLOCK - 1);
    b->out->n_nodes = first + BLOCK;
    return MINNOW_OK;
}

static uint32_t previous_slot(const builder *b, uint32_t slot) { return (uint32_t)b->out->values[slot]; }
static int slot_is_free(const builder *b, uint32_t slot) { return b->out->nodes[slot].parent == TRIE_NONE; }

static void take_slot(builder *b, uint32_t slot, uint32_t parent) {
    const uint32_t next = b->out->nodes[slot].base, previous = previous_slot(b, slot);
    if (previous == TRIE_NONE) b->head = next;
    else b->out->nodes[previous].base = next;
    if (next == TRIE_NONE) b->tail = previous;
    else b->out->values[next] = (int32_t)previous;
    b->out->nodes[slot] = (trie_node){0, parent};
    b->out->values[slot] = 0;
}

/* A base for which every label's slot is free. */
static minnow_status find_base(builder *b, size_t n_labels, uint32_t *base, minnow_error *error) {
    uint32_t slot = n_labels == 1 ? b->head : b->tail;
    for (int i = 0; i < MAX_TRIES && slot != TRIE_NONE; i++, slot = previous_slot(b, slot)) {
        size_t fits = 1;
        *base = slot ^ b->labels[0];
        while (fits < n_labels && slot_is_free(b, *base ^ b->labels[fits])) fits++;
        if (fits == n_labels) return MINNOW_OK;
    }
    *base = (uint32_t)b->out->n_nodes;
    return add_block(b, error);
}

/* --- Nodes -------------------------------------------------------------------------------------------------------- */

/* The rest of a key that shares no more with another: one child after another. */
static minnow_status add_rest(builder *b, uint32_t node, uint32_t depth, const trie_key *key, minnow_error *error) {
    for (; depth < key->bytes; depth++) {
        uint32_t child;
        if (b->head == TRIE_NONE) TRY(add_block(b, error));
        child = b->head;
        take_slot(b, child, node);
        b->out->nodes[node].base |= child ^ key->text[depth];
        node = child;
    }
    b->out->nodes[node].base |= TRIE_KEY_ENDS;
    b->out->values[node] = key->value;
    return MINNOW_OK;
}

/* The labels that follow in a range's keys, and where in it they begin; returns their number. */
static size_t find_labels(builder *b, const pending *range, const trie_key *keys) {
    size_t n = 0;
    for (size_t i = range->first; i < range->end; i++) {
        const uint8_t label = keys[i].text[range->depth];
        if (n > 0 && b->labels[n - 1] == label) continue;
        b->labels[n] = label;
        b->starts[n++] = i;
    }
    b->starts[n] = range->end;
    return n;
}

static minnow_status expand(builder *b, pending range, const trie_key *keys, minnow_error *error) {
    size_t n;
    uint32_t base;
    if (keys[range.first].bytes == range.depth) { /* the shortest key of a range comes first */
        b->out->nodes[range.node].base |= TRIE_KEY_ENDS;
        b->out->values[range.node] = keys[range.first++].value;
    }
    n = find_labels(b, &range, keys);
    TRY(find_base(b, n, &base, error));
    b->out->nodes[range.node].base |= base;
    for (size_t i = 0; i < n; i++) take_slot(b, base ^ b->labels[i], range.node);
    for (size_t i = 0; i < n; i++) {
        const uint32_t child = base ^ b->labels[i];
        if (b->starts[i + 1] - b->starts[i] > 1)
            b->stack[b->n_stack++] = (pending){child, range.depth + 1, b->starts[i], b->starts[i + 1]};
        else
            TRY(add_rest(b, child, range.depth + 1, &keys[b->starts[i]], error));
    }
    return MINNOW_OK;
}

/* What is left free holds no links any more. */
static void clear_free_slots(builder *b) {
    for (uint32_t slot = b->head, next; slot != TRIE_NONE; slot = next) {
        next = b->out->nodes[slot].base;
        b->out->nodes[slot].base = 0;
        b->out->values[slot] = 0;
    }
    b->out->nodes[TRIE_ROOT].parent = TRIE_NONE;
}

minnow_status trie_build(trie *out, const trie_key *keys, size_t n, minnow_error *error) {
    builder *b = malloc(sizeof *b);
    minnow_status status;
    memset(out, 0, sizeof *out);
    if (b == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for a trie");
    b->out = out;
    b->capacity = b->n_stack = 0;
    b->head = b->tail = TRIE_NONE;
    b->stack = n > SIZE_MAX / sizeof *b->stack - 1 ? NULL : malloc((n + 1) * sizeof *b->stack);
    if (b->stack == NULL) TRY_GOTO(error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu tokens", n));
    TRY_GOTO(add_block(b, error));
    take_slot(b, TRIE_ROOT, TAKEN_ROOT);
    if (n == 1) TRY_GOTO(add_rest(b, TRIE_ROOT, 0, keys, error));
    if (n > 1) b->stack[b->n_stack++] = (pending){TRIE_ROOT, 0, 0, n};
    while (b->n_stack > 0) TRY_GOTO(expand(b, b->stack[--b->n_stack], keys, error));
    clear_free_slots(b);
fail:
    free(b->stack);
    free(b);
    if (status != MINNOW_OK) trie_free(out);
    return status;
}

void trie_free(trie *t) {
    free(t->nodes);
    free(t->values);
    memset(t, 0, sizeof *t);
}
