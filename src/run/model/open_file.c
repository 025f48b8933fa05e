/* SPDX-License-Identifier: Apache-2.0
 * A model from a path: the one part of the run-time half that knows files. */
#include <string.h>

#include "base/memory.h"
#include "run/model/storage.h"

/* What was read from a pipe lies at any address; the model is used in place. */
static minnow_status align(file_map *map, uint8_t **copy, minnow_error *error) {
    if ((uintptr_t)map->data % MEMORY_ALIGNMENT == 0) return MINNOW_OK;
    *copy = memory_aligned_alloc(map->bytes);
    if (*copy == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu bytes", map->bytes);
    memcpy(*copy, map->data, map->bytes);
    file_map_close(map);
    return MINNOW_OK;
}

static void release_file(int8_storage *storage) {
    file_map_close(&storage->map);
    memory_aligned_free(storage->copy);
}

minnow_status int8_model_open(int8_model **out, const char *path, minnow_error *error) {
    file_map map;
    uint8_t *copy = NULL;
    size_t bytes;
    minnow_status status;
    *out = NULL;
    TRY(file_map_open(&map, path, error));
    bytes = map.bytes;
    status = align(&map, &copy, error);
    if (status == MINNOW_OK) status = int8_model_read(out, copy != NULL ? copy : map.data, bytes, error);
    if (status == MINNOW_OK) {
        (*out)->storage->map = map;
        (*out)->storage->copy = copy;
        (*out)->storage->release = release_file;
        return MINNOW_OK;
    }
    file_map_close(&map);
    memory_aligned_free(copy);
    return error_prefix(error, status, "%s", path);
}
