/* SPDX-License-Identifier: Apache-2.0
 * Buffers with lifetimes -> places in one arena:
 *
 *     step      0 1 2 3 4
 *     a  64 kB  |---|             [a       ][c]
 *     b  96 kB        |---|       [b            ]
 *     c  32 kB  |---|              0       64  96 */
#ifndef MINNOW_RUN_ARRANGE_H
#define MINNOW_RUN_ARRANGE_H

#include <stddef.h>

typedef struct arrange_buffer {
    size_t bytes;       /* 0: takes no room */
    size_t first, last; /* the steps of its life, both counted; first <= last */
    size_t offset;      /* out: from the arena's begin, a multiple of MEMORY_ALIGNMENT */
} arrange_buffer;

/* Gives each buffer an offset such that no two that are alive in one step overlap. *bytes: the arena's, a multiple of
 * MEMORY_ALIGNMENT. The largest is placed first, each as low as it fits; a pure function of its input, without memory
 * of its own, for tens of buffers. 0 if it does not fit in size_t; then offsets and *bytes mean nothing. */
int arrange_buffers(arrange_buffer *buffers, size_t n, size_t *bytes);

#endif
