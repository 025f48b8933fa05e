/* SPDX-License-Identifier: Apache-2.0
 * TensorProto -> tensor. The elements lie in one of three places: raw_data (little-endian, used in place where it is
 * aligned), the typed field that belongs to the element type (numbers, packed or not), or another file. */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "convert/onnx/reader.h"

/* Field numbers of TensorProto. */
enum {
    DIMS = 1, DATA_TYPE = 2, SEGMENT = 3, FLOAT_DATA = 4, INT32_DATA = 5, STRING_DATA = 6, INT64_DATA = 7, NAME = 8,
    RAW_DATA = 9, DOUBLE_DATA = 10, UINT64_DATA = 11, EXTERNAL_DATA = 13, DATA_LOCATION = 14
};

/* What the message says before its elements are read. */
typedef struct parts {
    int64_t type, location;
    int64_t dims[TENSOR_MAX_RANK];
    size_t rank; /* as declared: may be more than dims holds */
    size_t n_typed; /* elements in the typed field */
    const uint8_t *raw;
    size_t raw_bytes;
    reader_external external;
    int has_raw, has_external;
    uint32_t typed; /* the typed field that is used; 0: none */
} parts;

static uint32_t wire_type_of(uint32_t typed_field) {
    return typed_field == FLOAT_DATA ? WIRE_32 : typed_field == DOUBLE_DATA ? WIRE_64 : WIRE_VARINT;
}

/* The typed field for an element type, after onnx.proto. */
static uint32_t typed_field_of(dtype type) {
    switch (type) {
    case DTYPE_FLOAT32: return FLOAT_DATA;
    case DTYPE_FLOAT64: return DOUBLE_DATA;
    case DTYPE_INT64: return INT64_DATA;
    case DTYPE_UINT32:
    case DTYPE_UINT64: return UINT64_DATA;
    default: return INT32_DATA;
    }
}

static const char *typed_field_name(uint32_t field) {
    switch (field) {
    case FLOAT_DATA: return "float_data";
    case INT32_DATA: return "int32_data";
    case INT64_DATA: return "int64_data";
    case DOUBLE_DATA: return "double_data";
    default: return "uint64_data";
    }
}

static minnow_status read_dims(const wire *w, const wire_field *f, parts *p, minnow_error *error) {
    wire_numbers numbers;
    TRY(wire_numbers_begin(w, f, WIRE_VARINT, &numbers, error));
    while (numbers.n > 0) {
        uint64_t dim;
        TRY(wire_numbers_next(&numbers, &dim, error));
        if (p->rank < TENSOR_MAX_RANK) p->dims[p->rank] = (int64_t)dim;
        p->rank++;
    }
    return MINNOW_OK;
}

static minnow_status count_typed(const wire *w, const wire_field *f, parts *p, minnow_error *error) {
    wire_numbers numbers;
    TRY(wire_numbers_begin(w, f, wire_type_of(f->number), &numbers, error));
    if (p->typed != 0 && p->typed != f->number)
        return error_set(error, MINNOW_ERROR_FORMAT, "has both %s and %s", typed_field_name(p->typed),
                         typed_field_name(f->number));
    if (numbers.n > 0) p->typed = f->number;
    p->n_typed += numbers.n;
    return MINNOW_OK;
}

static minnow_status read_part(reader *r, const wire *w, const wire_field *f, parts *p, minnow_error *error) {
    wire entry;
    switch (f->number) {
    case DIMS: return read_dims(w, f, p, error);
    case DATA_TYPE: return wire_int(f, &p->type, error);
    case SEGMENT: return error_set(error, MINNOW_ERROR_UNSUPPORTED, "segments not supported");
    case FLOAT_DATA:
    case INT32_DATA:
    case INT64_DATA:
    case DOUBLE_DATA:
    case UINT64_DATA: return count_typed(w, f, p, error);
    case RAW_DATA:
        TRY(wire_bytes(f, error));
        p->raw = f->data;
        p->raw_bytes = f->bytes;
        p->has_raw = 1;
        return MINNOW_OK;
    case EXTERNAL_DATA:
        TRY(wire_message(w, f, &entry, error));
        p->has_external = 1;
        return reader_external_entry(r, entry, &p->external, error);
    case DATA_LOCATION: return wire_int(f, &p->location, error);
    default: return MINNOW_OK;
    }
}

/* Stores one number as an element; 0 if the element type cannot hold it. Varints of int32 fields are sign-extended to
 * 64 bits; float16 and bfloat16 lie there as their 16 bits. */
static int store(dtype type, uint64_t bits, uint8_t *to) {
    const int64_t value = (int64_t)bits;
    const size_t bytes = dtype_bytes(type);
    int64_t low = 0, high = 0;
    switch (type) {
    case DTYPE_INT8: low = INT8_MIN, high = INT8_MAX; break;
    case DTYPE_INT16: low = INT16_MIN, high = INT16_MAX; break;
    case DTYPE_INT32: low = INT32_MIN, high = INT32_MAX; break;
    case DTYPE_BOOL: high = 1; break;
    case DTYPE_UINT8: high = UINT8_MAX; break;
    case DTYPE_UINT16:
    case DTYPE_FLOAT16:
    case DTYPE_BFLOAT16: high = UINT16_MAX; break;
    case DTYPE_UINT32:
    case DTYPE_FLOAT32: high = UINT32_MAX; break;
    default: low = INT64_MIN, high = INT64_MAX; break;
    }
    if (value < low || value > high) return 0;
    memcpy(to, &bits, bytes); /* little-endian: the low bytes */
    return 1;
}

/* Reads the elements of the typed field, which may come in any number of pieces. */
static minnow_status read_typed(reader *r, wire w, const parts *p, tensor *t, minnow_error *error) {
    const size_t element_bytes = dtype_bytes(t->type);
    uint8_t *data = arena_array(&r->g->memory, p->n_typed, element_bytes);
    size_t i = 0;
    wire_field f;
    if (data == NULL) return reader_out_of_memory(r, error);
    t->data = data;
    for (;;) {
        wire_numbers numbers;
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) return MINNOW_OK;
        if (f.number != p->typed) continue;
        TRY(wire_numbers_begin(&w, &f, wire_type_of(p->typed), &numbers, error));
        for (; numbers.n > 0; i++) {
            uint64_t bits;
            TRY(wire_numbers_next(&numbers, &bits, error));
            if (!store(t->type, bits, data + i * element_bytes))
                return error_set(error, MINNOW_ERROR_FORMAT, "element %zu: %" PRId64 " is not in the range of %s", i,
                                 (int64_t)bits, dtype_name(t->type));
        }
    }
}

/* How far raw_data has to move down to be aligned; 0 if it may not or cannot. The field's own tag and length, 3 bytes
 * of 128 or more, make room. */
static size_t room_to_align(const reader *r, const uint8_t *bytes, size_t n_bytes, size_t element_bytes) {
    const size_t past = (uintptr_t)bytes % element_bytes;
    return r->may_move && past <= 3 && n_bytes >= 128 ? past : 0;
}

/* Elements that lie in the file as they will lie in memory. */
static minnow_status use_bytes(reader *r, const uint8_t *bytes, size_t n_bytes, tensor *t, minnow_error *error) {
    size_t i;
    for (i = 0; t->type == DTYPE_BOOL && i < n_bytes; i++)
        if (bytes[i] > 1)
            return error_set(error, MINNOW_ERROR_FORMAT, "element %zu: %d is not in the range of bool", i, bytes[i]);
    if (n_bytes > 0 && (uintptr_t)bytes % dtype_bytes(t->type) == 0) {
        t->data = (void *)(uintptr_t)bytes; /* never written through: graph.h's tensors are const */
        return MINNOW_OK;
    }
    const size_t down = room_to_align(r, bytes, n_bytes, dtype_bytes(t->type));
    if (down > 0) {
        t->data = (uint8_t *)(uintptr_t)bytes - down;
        memmove(t->data, bytes, n_bytes);
        return MINNOW_OK;
    }
    t->data = arena_alloc(&r->g->memory, n_bytes);
    if (t->data == NULL) return reader_out_of_memory(r, error);
    if (n_bytes > 0) memcpy(t->data, bytes, n_bytes);
    return MINNOW_OK;
}

/* Finds where the elements are and that there are as many as the dims say. */
static minnow_status read_elements(reader *r, wire w, const parts *p, size_t count, tensor *t, minnow_error *error) {
    const size_t bytes = count * dtype_bytes(t->type);
    const uint8_t *external = NULL;
    if (p->location != 0 && p->location != 1)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "data_location %" PRId64 " not supported", p->location);
    if (p->location == 1) {
        if (p->has_raw || p->typed != 0)
            return error_set(error, MINNOW_ERROR_FORMAT, "has both external data and data of its own");
        TRY(reader_external_find(r, &p->external, bytes, &external, error));
        return use_bytes(r, external, bytes, t, error);
    }
    if (p->has_raw && p->typed != 0)
        return error_set(error, MINNOW_ERROR_FORMAT, "has both raw_data and %s", typed_field_name(p->typed));
    if (p->typed != 0) {
        if (p->typed != typed_field_of(t->type))
            return error_set(error, MINNOW_ERROR_FORMAT, "holds %s in %s", dtype_name(t->type),
                             typed_field_name(p->typed));
        if (p->n_typed != count)
            return error_set(error, MINNOW_ERROR_FORMAT, "%d dims need %zu elements, %s holds %zu", t->rank, count,
                             typed_field_name(p->typed), p->n_typed);
        return read_typed(r, w, p, t, error);
    }
    if (p->raw_bytes != bytes)
        return error_set(error, MINNOW_ERROR_FORMAT, "%d dims need %zu bytes, raw_data holds %zu", t->rank, bytes,
                         p->raw_bytes);
    return use_bytes(r, p->raw, bytes, t, error);
}

minnow_status reader_tensor(reader *r, wire w, tensor *out, minnow_error *error) {
    parts p = {0};
    wire fields = w;
    wire_field f;
    size_t count;
    for (;;) {
        TRY(wire_next(&fields, &f, error));
        if (f.number == 0) break;
        TRY(read_part(r, &fields, &f, &p, error));
    }
    memset(out, 0, sizeof *out);
    if (p.rank > TENSOR_MAX_RANK)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "rank %zu not supported (at most %d)", p.rank,
                         TENSOR_MAX_RANK);
    if (p.type < 0 || p.type > INT16_MAX)
        return error_set(error, MINNOW_ERROR_FORMAT, "element type %" PRId64 " does not exist", p.type);
    TRY(tensor_check_shape((dtype)p.type, (int)p.rank, p.dims, &count, error));
    out->type = (dtype)p.type;
    out->rank = (int)p.rank;
    memcpy(out->dims, p.dims, p.rank * sizeof *p.dims);
    return read_elements(r, w, &p, count, out, error);
}
