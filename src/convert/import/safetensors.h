/* SPDX-License-Identifier: Apache-2.0
 * safetensors: an 8-byte little-endian header length, a JSON header, raw tensors. Read in place. */
#ifndef MINNOW_CONVERT_IMPORT_SAFETENSORS_H
#define MINNOW_CONVERT_IMPORT_SAFETENSORS_H

#include "base/arena.h"
#include "convert/graph/tensor.h"

typedef struct safetensors_entry {
    const char *name;
    tensor value; /* data points into the file, perhaps unaligned; read with memcpy */
} safetensors_entry;
typedef struct safetensors {
    arena memory;
    safetensors_entry *entries; /* sorted by name */
    size_t n_entries;
} safetensors;

/* Checks everything: header size, duplicate keys, dtypes, shapes, offsets that overlap, leave holes or run past the end. `data`
 * must outlive the result. */
minnow_status safetensors_read(safetensors *out, const uint8_t *data, size_t bytes, minnow_error *error);
void safetensors_free(safetensors *s);
const tensor *safetensors_find(const safetensors *s, const char *name); /* NULL if absent */

#endif
