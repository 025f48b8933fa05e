/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as an .npy file. What is read must lie in memory as its shape says: every element is looked at.
 * Covers: src/convert/npy */
#include <stdlib.h>

#include "convert/npy/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena memory;
    tensor t;
    minnow_error error;
    arena_init(&memory, 4 * size + 4096);
    if (npy_read(data, size, &memory, &t, &error) == MINNOW_OK) {
        const size_t bytes = tensor_bytes(&t);
        const uint8_t *p = t.data;
        unsigned sum = 0;
        size_t i;
        if (bytes > size) abort();
        for (i = 0; i < bytes; i++) sum += p[i];
        if (sum == 1u << 31) abort(); /* keeps the loop */
    }
    arena_free(&memory);
    return 0;
}
