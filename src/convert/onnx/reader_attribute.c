/* SPDX-License-Identifier: Apache-2.0
 * AttributeProto -> graph_attribute. */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "convert/onnx/reader.h"

/* Field numbers of AttributeProto. */
enum {
    NAME = 1, F = 2, I = 3, S = 4, T = 5, G = 6, FLOATS = 7, INTS = 8, STRINGS = 9, TYPE = 20, REF_ATTR_NAME = 21
};

/* Bytes that need not be UTF-8; the arena's copy ends in a NUL. */
static minnow_status read_string(reader *r, const wire_field *f, graph_attribute *out, minnow_error *error) {
    TRY(wire_bytes(f, error));
    out->s = arena_string(&r->g->memory, (const char *)f->data, f->bytes);
    out->s_bytes = f->bytes;
    return out->s != NULL ? MINNOW_OK : reader_out_of_memory(r, error);
}

/* Fields with one value, and the name. *seen is the type that a field with a value implies. */
static minnow_status read_single(reader *r, const wire *w, const wire_field *f, graph_attribute *out, int64_t *type,
                                 int64_t *seen, wire *tensor_message, minnow_error *error) {
    reader_text text = {"", 0};
    switch (f->number) {
    case NAME:
        TRY(reader_text_get(w, f, &text, error));
        return reader_text_copy(r, text, &out->name, error);
    case F: *seen = ATTRIBUTE_FLOAT; return wire_float(f, &out->f, error);
    case I: *seen = ATTRIBUTE_INT; return wire_int(f, &out->i, error);
    case S: *seen = ATTRIBUTE_STRING; return read_string(r, f, out, error);
    case T: *seen = ATTRIBUTE_TENSOR; return wire_message(w, f, tensor_message, error);
    case G: *seen = ATTRIBUTE_GRAPH; return MINNOW_OK;
    case FLOATS: *seen = ATTRIBUTE_FLOATS; return MINNOW_OK;
    case INTS: *seen = ATTRIBUTE_INTS; return MINNOW_OK;
    case STRINGS: *seen = ATTRIBUTE_STRINGS; return MINNOW_OK;
    case TYPE: return wire_int(f, type, error);
    case REF_ATTR_NAME:
        TRY(wire_bytes(f, error));
        if (f->bytes == 0) return MINNOW_OK;
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "refers to an attribute of a function: not supported");
    default: return MINNOW_OK;
    }
}

/* Walks over the repeated field `number` of the message, one element a call of `store` (NULL: counts alone). */
static minnow_status walk_list(wire w, uint32_t number, uint32_t type, float *floats, int64_t *ints, size_t *n,
                               minnow_error *error) {
    wire_field f;
    *n = 0;
    for (;;) {
        wire_numbers numbers;
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) return MINNOW_OK;
        if (f.number != number) continue;
        TRY(wire_numbers_begin(&w, &f, type, &numbers, error));
        if (floats == NULL && ints == NULL) {
            *n += numbers.n;
            continue;
        }
        while (numbers.n > 0) {
            uint64_t bits;
            TRY(wire_numbers_next(&numbers, &bits, error));
            if (floats != NULL) {
                const uint32_t low = (uint32_t)bits;
                floats[(*n)++] = load_f32(&low);
            } else {
                ints[(*n)++] = (int64_t)bits;
            }
        }
    }
}

static minnow_status read_floats(reader *r, wire w, graph_attribute *out, minnow_error *error) {
    float *floats;
    TRY(walk_list(w, FLOATS, WIRE_32, NULL, NULL, &out->n, error));
    out->floats = floats = arena_array(&r->g->memory, out->n, sizeof *floats);
    if (floats == NULL) return reader_out_of_memory(r, error);
    return walk_list(w, FLOATS, WIRE_32, floats, NULL, &out->n, error);
}

static minnow_status read_ints(reader *r, wire w, graph_attribute *out, minnow_error *error) {
    int64_t *ints;
    TRY(walk_list(w, INTS, WIRE_VARINT, NULL, NULL, &out->n, error));
    out->ints = ints = arena_array(&r->g->memory, out->n, sizeof *ints);
    if (ints == NULL) return reader_out_of_memory(r, error);
    return walk_list(w, INTS, WIRE_VARINT, NULL, ints, &out->n, error);
}

static minnow_status read_strings(reader *r, wire w, graph_attribute *out, minnow_error *error) {
    const char **strings = NULL;
    int pass;
    wire_field f;
    for (pass = 0; pass < 2; pass++) { /* count, then copy */
        wire fields = w;
        size_t n = 0;
        for (;;) {
            TRY(wire_next(&fields, &f, error));
            if (f.number == 0) break;
            if (f.number != STRINGS) continue;
            if (strings != NULL) {
                reader_text text = {"", 0};
                TRY(reader_text_get(&fields, &f, &text, error));
                TRY(reader_text_copy(r, text, &strings[n], error));
            }
            n++;
        }
        out->n = n;
        if (strings == NULL) strings = arena_array(&r->g->memory, n, sizeof *strings);
        if (strings == NULL) return reader_out_of_memory(r, error);
    }
    out->strings = strings;
    return MINNOW_OK;
}

static minnow_status read_tensor(reader *r, wire w, graph_attribute *out, minnow_error *error) {
    tensor *t = arena_alloc(&r->g->memory, sizeof *t);
    if (t == NULL) return reader_out_of_memory(r, error);
    out->t = t;
    return reader_tensor(r, w, t, error);
}

/* Reads what the attribute's type says it holds. */
static minnow_status read_value(reader *r, wire w, int64_t type, const wire *tensor_message, graph_attribute *out,
                                minnow_error *error) {
    switch (type) {
    case ATTRIBUTE_STRING:
        if (out->s == NULL) out->s = "";
        break;
    case ATTRIBUTE_TENSOR:
        if (tensor_message->base == NULL) return error_set(error, MINNOW_ERROR_FORMAT, "holds no tensor");
        TRY(read_tensor(r, *tensor_message, out, error));
        break;
    case ATTRIBUTE_FLOATS: TRY(read_floats(r, w, out, error)); break;
    case ATTRIBUTE_INTS: TRY(read_ints(r, w, out, error)); break;
    case ATTRIBUTE_STRINGS: TRY(read_strings(r, w, out, error)); break;
    case ATTRIBUTE_FLOAT:
    case ATTRIBUTE_INT:
    case ATTRIBUTE_GRAPH: break;
    default: return error_set(error, MINNOW_ERROR_UNSUPPORTED, "attribute type %" PRId64 " not supported", type);
    }
    out->type = (graph_attribute_type)type;
    return MINNOW_OK;
}

minnow_status reader_attribute(reader *r, wire w, graph_attribute *out, minnow_error *error) {
    wire fields = w, tensor_message = {NULL, NULL, NULL};
    int64_t type = 0, seen = 0;
    minnow_status status;
    wire_field f;
    memset(out, 0, sizeof *out);
    out->name = "";
    for (;;) {
        TRY(wire_next(&fields, &f, error));
        if (f.number == 0) break;
        status = read_single(r, &fields, &f, out, &type, &seen, &tensor_message, error);
        if (status != MINNOW_OK) return error_prefix(error, status, "attribute '%s'", out->name);
    }
    if (out->name[0] == '\0') return error_set(error, MINNOW_ERROR_FORMAT, "an attribute has no name");
    /* Writers of IR version 1 left the type out. */
    status = read_value(r, w, type != 0 ? type : seen, &tensor_message, out, error);
    return status == MINNOW_OK ? status : error_prefix(error, status, "attribute '%s'", out->name);
}
