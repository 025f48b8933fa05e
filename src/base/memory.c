/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#ifdef _WIN32
#include <malloc.h>
#endif

void *memory_aligned_alloc(size_t bytes) {
    if (bytes > SIZE_MAX / 2) return NULL;
    bytes = (bytes + MEMORY_ALIGNMENT - 1) & ~(MEMORY_ALIGNMENT - 1);
    if (bytes == 0) bytes = MEMORY_ALIGNMENT;
#ifdef _WIN32
    return _aligned_malloc(bytes, MEMORY_ALIGNMENT);
#else
    return aligned_alloc(MEMORY_ALIGNMENT, bytes);
#endif
}

void memory_aligned_free(void *p) {
#ifdef _WIN32
    _aligned_free(p);
#else
    free(p);
#endif
}
