/* SPDX-License-Identifier: Apache-2.0
 *
 * The protobuf wire format, read in place and within bounds. A message is a run of fields:
 *
 *     tag (varint: number << 3 | type)   value
 *       type 0   varint, 1 to 10 bytes, 7 bits each, low bits first
 *       type 1   8 bytes
 *       type 5   4 bytes
 *       type 2   length (varint), then as many bytes: text, a nested message, or packed numbers
 *     Types 3 and 4 (groups) are older than ONNX and refused.
 *
 *     wire_field f;
 *     for (;;) {
 *         TRY(wire_next(&w, &f, error));
 *         if (f.number == 0) break;
 *         ...
 *     }
 *
 * Nothing is copied and nothing recurses: a nested message is another `wire`. Messages name byte offsets of the whole
 * input. */
#ifndef MINNOW_CONVERT_ONNX_WIRE_H
#define MINNOW_CONVERT_ONNX_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

typedef struct wire {
    const uint8_t *base; /* the whole input: offset 0 of error messages */
    const uint8_t *at, *end;
} wire;

typedef struct wire_field {
    uint32_t number; /* 0: the message has ended */
    uint32_t type;
    size_t offset;       /* of its tag */
    uint64_t value;      /* of types 0, 1 and 5 */
    const uint8_t *data; /* of type 2; points into the input */
    size_t bytes;
} wire_field;

wire wire_begin(const uint8_t *data, size_t bytes);
minnow_status wire_next(wire *w, wire_field *f, minnow_error *error);

/* What a field holds; an error if its wire type is another one. */
minnow_status wire_message(const wire *parent, const wire_field *f, wire *out, minnow_error *error);
minnow_status wire_int(const wire_field *f, int64_t *out, minnow_error *error);
minnow_status wire_float(const wire_field *f, float *out, minnow_error *error);
minnow_status wire_bytes(const wire_field *f, minnow_error *error); /* then use f->data, f->bytes */

/* The numbers of one field of a repeated number: one if it is not packed, any count if it is. */
typedef struct wire_numbers {
    wire rest;
    uint32_t type;  /* of each number: WIRE_VARINT, WIRE_32 or WIRE_64 */
    size_t n;       /* numbers left */
    uint64_t alone; /* the number that is not packed */
    int is_packed;
} wire_numbers;
minnow_status wire_numbers_begin(const wire *parent, const wire_field *f, uint32_t type, wire_numbers *out,
                                 minnow_error *error);
/* Call at most n times. */
minnow_status wire_numbers_next(wire_numbers *numbers, uint64_t *out, minnow_error *error);

#endif
