/* SPDX-License-Identifier: Apache-2.0
 * Memory aligned to 64 bytes: a cache line, and the widest vector. */
#ifndef MINNOW_BASE_MEMORY_H
#define MINNOW_BASE_MEMORY_H

#include <stddef.h>

#define MEMORY_ALIGNMENT ((size_t)64)

/* Uninitialized; NULL if out of memory. Free with memory_aligned_free (NULL is allowed). */
void *memory_aligned_alloc(size_t bytes);
void memory_aligned_free(void *p);

#endif
