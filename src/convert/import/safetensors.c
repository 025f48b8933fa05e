/* SPDX-License-Identifier: Apache-2.0
 * Import: bytes of a safetensors file -> named tensors that point into them.
 *
 *     [8 bytes: n, little-endian][n bytes: JSON, padded with spaces][tensors, end to end, without holes]
 *     {"__metadata__": {"format": "pt"}, "a.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
 *
 * Offsets count from the end of the header. Everything is checked before anything is believed. */
#include "convert/import/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "convert/json/json.h"

#define HEADER_MAX_BYTES ((uint64_t)100 * 1000 * 1000) /* the limit of the reference implementation */
#define ENTRIES_MAX ((size_t)100 * 1000)
#define METADATA_KEY "__metadata__"

/* Where a tensor lies, counted from the end of the header. */
typedef struct extent {
    uint64_t begin, end;
    const char *name;
} extent;

static const struct { const char *name; dtype type; } types[] = {
    {"F32", DTYPE_FLOAT32}, {"F16", DTYPE_FLOAT16}, {"BF16", DTYPE_BFLOAT16}, {"F64", DTYPE_FLOAT64},
    {"I64", DTYPE_INT64},   {"I32", DTYPE_INT32},   {"I16", DTYPE_INT16},     {"I8", DTYPE_INT8},
    {"U8", DTYPE_UINT8},    {"U16", DTYPE_UINT16},  {"U32", DTYPE_UINT32},    {"U64", DTYPE_UINT64},
    {"BOOL", DTYPE_BOOL},
};

static minnow_status read_type(dtype *out, yyjson_val *entry, minnow_error *error) {
    const char *name = yyjson_get_str(yyjson_obj_get(entry, "dtype"));
    size_t i;
    if (name == NULL) return error_set(error, MINNOW_ERROR_FORMAT, "'dtype' is missing or no string");
    for (i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].name, name) != 0) continue;
        *out = types[i].type;
        return MINNOW_OK;
    }
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "dtype '%.32s' not supported", name);
}

static minnow_status read_shape(tensor *t, size_t *count, yyjson_val *entry, minnow_error *error) {
    yyjson_val *shape = yyjson_obj_get(entry, "shape"), *dim;
    size_t i, n;
    if (!yyjson_is_arr(shape)) return error_set(error, MINNOW_ERROR_FORMAT, "'shape' is missing or no array");
    if (yyjson_arr_size(shape) > TENSOR_MAX_RANK)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "rank %zu not supported (at most %d)", yyjson_arr_size(shape),
                         TENSOR_MAX_RANK);
    yyjson_arr_foreach(shape, i, n, dim) {
        if (!yyjson_is_uint(dim) || yyjson_get_uint(dim) > INT64_MAX)
            return error_set(error, MINNOW_ERROR_FORMAT, "'shape' holds something else than sizes");
        t->dims[i] = (int64_t)yyjson_get_uint(dim);
    }
    t->rank = (int)n;
    return tensor_check_shape(t->type, t->rank, t->dims, count, error);
}

static minnow_status read_offsets(extent *out, yyjson_val *entry, uint64_t data_bytes, minnow_error *error) {
    yyjson_val *offsets = yyjson_obj_get(entry, "data_offsets");
    yyjson_val *begin = yyjson_arr_get(offsets, 0), *end = yyjson_arr_get(offsets, 1);
    if (yyjson_arr_size(offsets) != 2 || !yyjson_is_uint(begin) || !yyjson_is_uint(end))
        return error_set(error, MINNOW_ERROR_FORMAT, "'data_offsets' is missing or no pair of offsets");
    out->begin = yyjson_get_uint(begin);
    out->end = yyjson_get_uint(end);
    if (out->begin > out->end || out->end > data_bytes)
        return error_set(error, MINNOW_ERROR_FORMAT,
                         "data_offsets [%" PRIu64 ", %" PRIu64 "] do not lie in the file's %" PRIu64 " bytes of data",
                         out->begin, out->end, data_bytes);
    return MINNOW_OK;
}

static minnow_status read_entry(tensor *t, extent *at, yyjson_val *entry, const uint8_t *data, uint64_t data_bytes,
                                minnow_error *error) {
    size_t count;
    if (!yyjson_is_obj(entry)) return error_set(error, MINNOW_ERROR_FORMAT, "no object");
    TRY(read_type(&t->type, entry, error));
    TRY(read_shape(t, &count, entry, error));
    TRY(read_offsets(at, entry, data_bytes, error));
    if (at->end - at->begin != (uint64_t)count * dtype_bytes(t->type)) {
        char text[128];
        return error_set(error, MINNOW_ERROR_FORMAT, "%s does not take the %" PRIu64 " bytes between its data_offsets",
                         tensor_describe(t, text, sizeof text), at->end - at->begin);
    }
    /* Read only: `data` is void * because graphs own some of their tensors. */
    t->data = (void *)(uintptr_t)(data + at->begin);
    return MINNOW_OK;
}

static minnow_status check_metadata(yyjson_val *metadata, minnow_error *error) {
    size_t i, n;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(metadata)) return error_set(error, MINNOW_ERROR_FORMAT, "'" METADATA_KEY "' is no object");
    yyjson_obj_foreach(metadata, i, n, key, value) if (!yyjson_is_str(value)) return error_set(
        error, MINNOW_ERROR_FORMAT, "'" METADATA_KEY "' holds something else than strings");
    return MINNOW_OK;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const safetensors_entry *)a)->name, ((const safetensors_entry *)b)->name);
}

static int compare_extents(const void *a, const void *b) {
    const extent *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* The tensors must fill the data exactly: a hole could hide anything, an overlap gives one byte two meanings. */
static minnow_status check_extents(extent *extents, size_t n, uint64_t data_bytes, minnow_error *error) {
    uint64_t at = 0;
    size_t i;
    if (n > 0) qsort(extents, n, sizeof *extents, compare_extents);
    for (i = 0; i < n; i++) {
        if (extents[i].begin != at)
            return error_set(error, MINNOW_ERROR_FORMAT,
                             "tensor '%.200s' begins at %" PRIu64 ", %s byte %" PRIu64 ", where the one before it ends",
                             extents[i].name, extents[i].begin, extents[i].begin < at ? "before" : "after", at);
        at = extents[i].end;
    }
    if (at != data_bytes)
        return error_set(error, MINNOW_ERROR_FORMAT, "%" PRIu64 " bytes behind the last tensor belong to none",
                         data_bytes - at);
    return MINNOW_OK;
}

static minnow_status read_entries(safetensors *out, yyjson_val *root, const uint8_t *data, uint64_t data_bytes,
                                  minnow_error *error) {
    const size_t capacity = yyjson_obj_size(root);
    extent *extents;
    size_t i, n;
    yyjson_val *key, *value;
    if (capacity > ENTRIES_MAX)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "%zu tensors not supported (at most %zu)", capacity,
                         ENTRIES_MAX);
    out->entries = arena_array(&out->memory, capacity, sizeof *out->entries);
    extents = arena_array(&out->memory, capacity, sizeof *extents);
    if (out->entries == NULL || extents == NULL)
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu tensors", capacity);
    yyjson_obj_foreach(root, i, n, key, value) {
        const char *name = yyjson_get_str(key);
        safetensors_entry *entry = &out->entries[out->n_entries];
        minnow_status status;
        if (strlen(name) != yyjson_get_len(key))
            return error_set(error, MINNOW_ERROR_FORMAT, "a tensor's name holds a NUL: '%.200s'", name);
        if (strcmp(name, METADATA_KEY) == 0) {
            TRY(check_metadata(value, error));
            continue;
        }
        status = read_entry(&entry->value, &extents[out->n_entries], value, data, data_bytes, error);
        if (status != MINNOW_OK) return error_prefix(error, status, "tensor '%.200s'", name);
        entry->name = arena_string(&out->memory, name, yyjson_get_len(key));
        if (entry->name == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
        extents[out->n_entries++].name = entry->name;
    }
    TRY(check_extents(extents, out->n_entries, data_bytes, error));
    if (out->n_entries > 0) qsort(out->entries, out->n_entries, sizeof *out->entries, compare_names);
    return MINNOW_OK;
}

minnow_status safetensors_read(safetensors *out, const uint8_t *data, size_t bytes, minnow_error *error) {
    yyjson_doc *header = NULL;
    uint64_t header_bytes;
    minnow_status status;
    memset(out, 0, sizeof *out);
    arena_init(&out->memory, 0);
    if (bytes < 8) return error_set(error, MINNOW_ERROR_FORMAT, "%zu bytes are too few for a safetensors file", bytes);
    header_bytes = load_u64(data);
    if (header_bytes > bytes - 8)
        return error_set(error, MINNOW_ERROR_FORMAT,
                         "header of %" PRIu64 " bytes in a file of %zu: truncated, or no safetensors file",
                         header_bytes, bytes);
    if (header_bytes > HEADER_MAX_BYTES)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                         "header of %" PRIu64 " bytes not supported (at most %" PRIu64 ")", header_bytes,
                         HEADER_MAX_BYTES);
    if (header_bytes == 0 || data[8] != '{')
        return error_set(error, MINNOW_ERROR_FORMAT, "the header is no JSON object");
    status = json_parse(&header, (const char *)data + 8, (size_t)header_bytes, error);
    if (status != MINNOW_OK) return error_prefix(error, status, "header");
    status = read_entries(out, yyjson_doc_get_root(header), data + 8 + header_bytes, bytes - 8 - header_bytes, error);
    yyjson_doc_free(header);
    if (status != MINNOW_OK) safetensors_free(out);
    return status;
}

void safetensors_free(safetensors *s) {
    arena_free(&s->memory);
    memset(s, 0, sizeof *s);
}

const tensor *safetensors_find(const safetensors *s, const char *name) {
    size_t low = 0, high = s->n_entries;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(name, s->entries[middle].name);
        if (order == 0) return &s->entries[middle].value;
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}
