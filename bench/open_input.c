/* SPDX-License-Identifier: Apache-2.0
 * int8_model_open of bench_stages as a WASM command, which has no files: whatever the path, the model is what comes in
 * on standard input. It is never closed. */
#include <unistd.h>

#include "base/memory.h"
#include "run/model/model.h"

#define MOST_BYTES ((size_t)1 << 27)

minnow_status int8_model_open(int8_model **out, const char *path, minnow_error *error) {
    uint8_t *data = memory_aligned_alloc(MOST_BYTES);
    size_t bytes = 0;
    ssize_t n;
    (void)path;
    *out = NULL;
    if (data == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu bytes", MOST_BYTES);
    while (bytes < MOST_BYTES && (n = read(STDIN_FILENO, data + bytes, MOST_BYTES - bytes)) > 0) bytes += (size_t)n;
    return int8_model_read(out, data, bytes, error);
}
