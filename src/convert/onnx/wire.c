/* SPDX-License-Identifier: Apache-2.0
 * Protobuf bytes -> fields, see wire.h. */
#include "convert/onnx/wire.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"

wire wire_begin(const uint8_t *data, size_t bytes) {
    static const uint8_t nothing[1];
    if (bytes == 0) data = nothing; /* it may have been NULL */
    return (wire){data, data, data + bytes};
}

static size_t offset_of(const wire *w) { return (size_t)(w->at - w->base); }
static size_t bytes_left(const wire *w) { return (size_t)(w->end - w->at); }

static minnow_status read_varint(wire *w, uint64_t *out, minnow_error *error) {
    const size_t offset = offset_of(w);
    uint64_t value = 0;
    unsigned shift;
    for (shift = 0; shift < 70; shift += 7) {
        uint8_t byte;
        if (w->at == w->end)
            return error_set(error, MINNOW_ERROR_FORMAT, "offset %zu: a number is cut off", offset);
        byte = *w->at++;
        if (shift == 63 && byte > 1) break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return MINNOW_OK;
        }
    }
    return error_set(error, MINNOW_ERROR_FORMAT, "offset %zu: a number has more than 64 bits", offset);
}

static minnow_status read_fixed(wire *w, size_t bytes, uint64_t *out, minnow_error *error) {
    if (bytes_left(w) < bytes)
        return error_set(error, MINNOW_ERROR_FORMAT, "offset %zu: a number is cut off", offset_of(w));
    *out = bytes == 4 ? load_u32(w->at) : load_u64(w->at);
    w->at += bytes;
    return MINNOW_OK;
}

static minnow_status read_number(wire *w, uint32_t type, uint64_t *out, minnow_error *error) {
    return type == WIRE_VARINT ? read_varint(w, out, error) : read_fixed(w, type == WIRE_32 ? 4 : 8, out, error);
}

minnow_status wire_next(wire *w, wire_field *f, minnow_error *error) {
    uint64_t tag, length;
    memset(f, 0, sizeof *f);
    f->offset = offset_of(w);
    if (w->at == w->end) return MINNOW_OK;
    TRY(read_varint(w, &tag, error));
    if (tag > UINT32_MAX || tag >> 3 == 0)
        return error_set(error, MINNOW_ERROR_FORMAT, "offset %zu: no field has the number %" PRIu64, f->offset,
                         tag >> 3);
    f->number = (uint32_t)(tag >> 3);
    f->type = (uint32_t)(tag & 7);
    switch (f->type) {
    case WIRE_VARINT:
    case WIRE_32:
    case WIRE_64: return read_number(w, f->type, &f->value, error);
    case WIRE_BYTES:
        TRY(read_varint(w, &length, error));
        if (length > bytes_left(w))
            return error_set(error, MINNOW_ERROR_FORMAT,
                             "offset %zu: field %" PRIu32 " claims %" PRIu64 " bytes, %zu are left", f->offset,
                             f->number, length, bytes_left(w));
        f->data = w->at;
        f->bytes = (size_t)length;
        w->at += f->bytes;
        return MINNOW_OK;
    default:
        return error_set(error, MINNOW_ERROR_FORMAT, "offset %zu: field %" PRIu32 " has wire type %" PRIu32, f->offset,
                         f->number, f->type);
    }
}

static minnow_status expect(const wire_field *f, uint32_t type, minnow_error *error) {
    if (f->type == type) return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_FORMAT,
                     "offset %zu: field %" PRIu32 " has wire type %" PRIu32 " instead of %" PRIu32, f->offset,
                     f->number, f->type, type);
}

minnow_status wire_message(const wire *parent, const wire_field *f, wire *out, minnow_error *error) {
    TRY(expect(f, WIRE_BYTES, error));
    *out = (wire){parent->base, f->data, f->data + f->bytes};
    return MINNOW_OK;
}

minnow_status wire_int(const wire_field *f, int64_t *out, minnow_error *error) {
    TRY(expect(f, WIRE_VARINT, error));
    *out = (int64_t)f->value;
    return MINNOW_OK;
}

minnow_status wire_float(const wire_field *f, float *out, minnow_error *error) {
    const uint32_t bits = (uint32_t)f->value;
    TRY(expect(f, WIRE_32, error));
    *out = load_f32(&bits);
    return MINNOW_OK;
}

minnow_status wire_bytes(const wire_field *f, minnow_error *error) { return expect(f, WIRE_BYTES, error); }

minnow_status wire_numbers_begin(const wire *parent, const wire_field *f, uint32_t type, wire_numbers *out,
                                 minnow_error *error) {
    const size_t element_bytes = type == WIRE_32 ? 4 : 8;
    size_t i;
    memset(out, 0, sizeof *out);
    out->type = type;
    out->is_packed = f->type == WIRE_BYTES;
    if (!out->is_packed) {
        TRY(expect(f, type, error));
        out->alone = f->value;
        out->n = 1;
        return MINNOW_OK;
    }
    TRY(wire_message(parent, f, &out->rest, error));
    if (type == WIRE_VARINT) { /* each ends with a byte below 0x80 */
        for (i = 0; i < f->bytes; i++) out->n += f->data[i] < 0x80;
        if (f->bytes > 0 && f->data[f->bytes - 1] >= 0x80)
            return error_set(error, MINNOW_ERROR_FORMAT, "offset %zu: the last number of field %" PRIu32 " is cut off",
                             f->offset, f->number);
    } else {
        out->n = f->bytes / element_bytes;
        if (f->bytes % element_bytes != 0)
            return error_set(error, MINNOW_ERROR_FORMAT,
                             "offset %zu: field %" PRIu32 " holds %zu bytes, not a multiple of %zu", f->offset,
                             f->number, f->bytes, element_bytes);
    }
    return MINNOW_OK;
}

minnow_status wire_numbers_next(wire_numbers *numbers, uint64_t *out, minnow_error *error) {
    numbers->n--;
    if (numbers->is_packed) return read_number(&numbers->rest, numbers->type, out, error);
    *out = numbers->alone;
    return MINNOW_OK;
}
