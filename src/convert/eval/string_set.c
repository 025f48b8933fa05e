/* SPDX-License-Identifier: Apache-2.0 */
#include "convert/eval/string_set.h"

#include <string.h>

int eval_strings_init(eval_strings *s, arena *memory, size_t capacity) {
    memset(s, 0, sizeof *s);
    if (capacity >= UINT32_MAX / 4) return 0; /* numbers and slots fit in 32 bits */
    s->memory = memory;
    s->capacity = capacity;
    for (s->n_slots = 16; s->n_slots < 2 * capacity;) s->n_slots *= 2;
    s->items = arena_array(memory, capacity, sizeof *s->items);
    s->hashes = arena_array(memory, capacity, sizeof *s->hashes);
    s->slots = arena_array(memory, s->n_slots, sizeof *s->slots);
    return s->items != NULL && s->hashes != NULL && s->slots != NULL;
}

/* FNV-1a, and a mix of the high bits into the low ones that choose the slot. */
static uint64_t hash_of(eval_text text) {
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < text.bytes; i++) h = (h ^ (unsigned char)text.data[i]) * 1099511628211u;
    return h ^ h >> 29;
}

/* The slot that has the string, or the empty one where it belongs. */
static size_t find_slot(const eval_strings *s, eval_text text, uint64_t hash) {
    size_t slot = (size_t)hash & (s->n_slots - 1);
    for (; s->slots[slot] != 0; slot = (slot + 1) & (s->n_slots - 1)) {
        const uint32_t i = s->slots[slot] - 1;
        if (s->hashes[i] != hash || s->items[i].bytes != text.bytes) continue;
        if (text.bytes == 0 || memcmp(s->items[i].data, text.data, text.bytes) == 0) break;
    }
    return slot;
}

uint32_t eval_strings_find(const eval_strings *s, eval_text text) {
    const size_t slot = find_slot(s, text, hash_of(text));
    return s->slots[slot] != 0 ? s->slots[slot] - 1 : EVAL_NO_STRING;
}

uint32_t eval_strings_add(eval_strings *s, eval_text text, int *is_new) {
    const uint64_t hash = hash_of(text);
    const size_t slot = find_slot(s, text, hash);
    if (is_new != NULL) *is_new = s->slots[slot] == 0;
    if (s->slots[slot] == 0) {
        eval_text *item = &s->items[s->count];
        if (s->count == s->capacity) return EVAL_NO_STRING;
        item->data = arena_string(s->memory, text.data, text.bytes);
        item->bytes = text.bytes;
        if (item->data == NULL) return EVAL_NO_STRING;
        s->hashes[s->count] = hash;
        s->slots[slot] = (uint32_t)++s->count;
    }
    return s->slots[slot] - 1;
}
