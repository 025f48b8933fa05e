/* SPDX-License-Identifier: Apache-2.0
 * For tests: protobuf messages put together by hand, valid or not. */
#ifndef MINNOW_TESTS_UNIT_PROTO_H
#define MINNOW_TESTS_UNIT_PROTO_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef PROTO_BYTES
#define PROTO_BYTES 8192
#endif

typedef struct proto {
    uint8_t bytes[PROTO_BYTES];
    size_t n;
} proto;

static inline void proto_raw(proto *p, const void *data, size_t n) {
    assert(n <= sizeof p->bytes - p->n);
    if (n > 0) memcpy(p->bytes + p->n, data, n);
    p->n += n;
}
static inline void proto_varint(proto *p, uint64_t value) {
    do {
        const uint8_t byte = (uint8_t)((value & 0x7f) | (value >= 0x80 ? 0x80 : 0));
        proto_raw(p, &byte, 1);
        value >>= 7;
    } while (value != 0);
}
static inline void proto_int(proto *p, uint32_t number, int64_t value) {
    proto_varint(p, (uint64_t)number << 3);
    proto_varint(p, (uint64_t)value);
}
static inline void proto_float(proto *p, uint32_t number, float value) {
    proto_varint(p, (uint64_t)number << 3 | 5);
    proto_raw(p, &value, sizeof value);
}
static inline void proto_double(proto *p, uint32_t number, double value) {
    proto_varint(p, (uint64_t)number << 3 | 1);
    proto_raw(p, &value, sizeof value);
}
static inline void proto_bytes(proto *p, uint32_t number, const void *data, size_t n) {
    proto_varint(p, (uint64_t)number << 3 | 2);
    proto_varint(p, n);
    proto_raw(p, data, n);
}
static inline void proto_text(proto *p, uint32_t number, const char *text) {
    proto_bytes(p, number, text, strlen(text));
}
static inline void proto_message(proto *p, uint32_t number, const proto *message) {
    proto_bytes(p, number, message->bytes, message->n);
}

#endif
