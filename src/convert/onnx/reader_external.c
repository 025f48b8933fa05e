/* SPDX-License-Identifier: Apache-2.0
 * External data: a tensor's entries (location, offset, length) -> its bytes in a mapped file beneath the model's
 * folder. A location is a name that somebody else chose: file_map_open_beneath says which are allowed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert/onnx/reader.h"

#define MAX_FILES 256 /* they are found by looking at each */

/* A whole decimal number. */
static minnow_status parse_number(const char *key, reader_text text, uint64_t *out, minnow_error *error) {
    uint64_t value = 0;
    size_t i;
    for (i = 0; i < text.bytes; i++) {
        const unsigned digit = (unsigned)(uint8_t)text.data[i] - '0';
        if (digit > 9 || value > ((uint64_t)INT64_MAX - digit) / 10) break;
        value = value * 10 + digit;
    }
    if (text.bytes == 0 || i < text.bytes)
        return error_set(error, MINNOW_ERROR_FORMAT, "external data: %s is not a number", key);
    *out = value;
    return MINNOW_OK;
}

minnow_status reader_external_entry(reader *r, wire w, reader_external *out, minnow_error *error) {
    reader_text key = {"", 0}, value = {"", 0};
    const char *text = "";
    wire_field f;
    for (;;) {
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) break;
        if (f.number == 1) TRY(reader_text_get(&w, &f, &key, error));
        if (f.number == 2) TRY(reader_text_get(&w, &f, &value, error));
    }
    if (reader_text_equal(key, "location")) return reader_text_copy(r, value, &out->location, error);
    if (reader_text_equal(key, "offset")) return parse_number("offset", value, &out->offset, error);
    if (reader_text_equal(key, "length")) {
        out->has_length = 1;
        return parse_number("length", value, &out->length, error);
    }
    if (reader_text_equal(key, "checksum")) return MINNOW_OK; /* of the whole file; few writers give one */
    TRY(reader_text_scratch(r, key, &text, error));
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "external data: key '%s' not supported", text);
}

/* The map of a file, opened at its first use. */
static minnow_status open_map(reader *r, const char *location, const file_map **out, minnow_error *error) {
    file_map map;
    char **names;
    size_t i;
    for (i = 0; i < r->g->n_maps; i++) {
        *out = &r->g->maps[i];
        if (strcmp(r->external_names[i], location) == 0) return MINNOW_OK;
    }
    if (r->g->n_maps == MAX_FILES)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "external data in more than %d files not supported",
                         MAX_FILES);
    names = realloc(r->external_names, (r->g->n_maps + 1) * sizeof *names);
    if (names == NULL) return reader_out_of_memory(r, error);
    r->external_names = names;
    TRY(file_map_open_beneath(&map, r->folder, location, error));
    if (!graph_add_map(r->g, &map)) {
        file_map_close(&map);
        return reader_out_of_memory(r, error);
    }
    names[r->g->n_maps - 1] = (char *)(uintptr_t)location;
    r->g->memory.limit_bytes += map.bytes; /* tensors that are not aligned are copied */
    *out = &r->g->maps[r->g->n_maps - 1];
    return MINNOW_OK;
}

minnow_status reader_external_find(reader *r, const reader_external *e, size_t bytes, const uint8_t **out,
                                   minnow_error *error) {
    const file_map *map = NULL;
    if (e->location == NULL || e->location[0] == '\0')
        return error_set(error, MINNOW_ERROR_FORMAT, "external data has no location");
    if (r->owns_input)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                         "external data ('%s') not supported: the file must hold its tensors",
                         e->location);
    if (r->folder == NULL)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                         "external data ('%s') is off unless asked for (--external-data)", e->location);
    if (e->has_length && e->length != bytes)
        return error_set(error, MINNOW_ERROR_FORMAT, "dims need %zu bytes, external data '%s' has length %" PRIu64,
                         bytes, e->location, e->length);
    TRY(open_map(r, e->location, &map, error));
    if (e->offset > map->bytes || bytes > map->bytes - e->offset)
        return error_set(error, MINNOW_ERROR_FORMAT,
                         "external data '%s' holds %zu bytes, %zu at offset %" PRIu64 " are wanted", e->location,
                         map->bytes, bytes, e->offset);
    *out = map->data + e->offset;
    return MINNOW_OK;
}
