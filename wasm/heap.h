/* SPDX-License-Identifier: Apache-2.0
 * What the host may ask of the allocator (heap.c), which has the C library's names: malloc, calloc, realloc,
 * aligned_alloc, free. All it gives is aligned to 64 bytes. For one thread: the one that calls the module. */
#ifndef MINNOW_WASM_HEAP_H
#define MINNOW_WASM_HEAP_H

#include <stddef.h>

/* Memory does not grow beyond this many bytes, code's and stack's included, whatever the host would give; 0: no
 * bound. */
void heap_limit(size_t bytes);
/* Bytes that are allocated, headers included. */
size_t heap_used(void);

#endif
