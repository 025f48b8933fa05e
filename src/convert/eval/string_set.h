/* SPDX-License-Identifier: Apache-2.0
 * A set of byte strings, numbered in the order in which they first appear. */
#ifndef MINNOW_CONVERT_EVAL_STRING_SET_H
#define MINNOW_CONVERT_EVAL_STRING_SET_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

typedef struct eval_text {
    const char *data; /* any bytes, not terminated */
    size_t bytes;
} eval_text;

typedef struct eval_strings {
    arena *memory;
    eval_text *items; /* [count], copies in `memory` */
    size_t count, capacity;
    uint32_t *slots;  /* open addressing: number + 1, 0 for an empty slot */
    uint64_t *hashes; /* [count] */
    size_t n_slots;   /* a power of two, at least twice the capacity */
} eval_strings;

#define EVAL_NO_STRING UINT32_MAX

/* Room for `capacity` strings. 0 if out of memory. */
int eval_strings_init(eval_strings *s, arena *memory, size_t capacity);
/* The string's number, given now if it is new (*is_new may be NULL); EVAL_NO_STRING if out of memory. */
uint32_t eval_strings_add(eval_strings *s, eval_text text, int *is_new);
/* EVAL_NO_STRING if it is not there. */
uint32_t eval_strings_find(const eval_strings *s, eval_text text);

#endif
