/* SPDX-License-Identifier: Apache-2.0
 * Models as handles: made empty, opened from a path, closed. */
#include "run/model/storage.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

int8_model *int8_model_create(void) {
    int8_model *m = calloc(1, sizeof *m);
    if (m == NULL) return NULL;
    m->storage = calloc(1, sizeof *m->storage);
    if (m->storage == NULL) {
        free(m);
        return NULL;
    }
    m->name = m->licence = m->source = "";
    return m;
}

void int8_model_close(int8_model **model) {
    if (model == NULL || *model == NULL) return;
    tokenizer_close(&(*model)->tokenizer);
    arena_free(&(*model)->storage->memory);
    file_map_close(&(*model)->storage->map);
    memory_aligned_free((*model)->storage->copy);
    free((*model)->storage);
    free(*model);
    *model = NULL;
}

/* What was read from a pipe lies at any address; the model is used in place. */
static minnow_status align(file_map *map, uint8_t **copy, minnow_error *error) {
    if ((uintptr_t)map->data % MEMORY_ALIGNMENT == 0) return MINNOW_OK;
    *copy = memory_aligned_alloc(map->bytes);
    if (*copy == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu bytes", map->bytes);
    memcpy(*copy, map->data, map->bytes);
    file_map_close(map);
    return MINNOW_OK;
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
        return MINNOW_OK;
    }
    file_map_close(&map);
    memory_aligned_free(copy);
    return error_prefix(error, status, "%s", path);
}
