/* SPDX-License-Identifier: Apache-2.0
 * The protobuf wire format: each kind of field, and each way to be wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "convert/onnx/wire.h"
#include "proto.h"

/* The first field of `bytes`, read from a block of exactly that size. */
static minnow_status first(const void *bytes, size_t n, wire_field *f, minnow_error *error) {
    uint8_t *copy = malloc(n > 0 ? n : 1);
    wire w;
    minnow_status status;
    assert_non_null(copy);
    if (n > 0) memcpy(copy, bytes, n);
    w = wire_begin(copy, n);
    status = wire_next(&w, f, error);
    free(copy);
    return status;
}

static void refuses(const char *bytes, size_t n, const char *message) {
    minnow_error error = {MINNOW_OK, ""};
    wire_field f;
    assert_int_equal(first(bytes, n, &f, &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message, message);
}

static void reads_each_type(void **state) {
    proto p = {{0}, 0};
    minnow_error error;
    int64_t number = 0;
    float x = 0;
    wire_field f;
    wire w, child;
    (void)state;
    proto_int(&p, 1, -2);
    proto_float(&p, 2, 1.5f);
    proto_double(&p, 3, 2.5);
    proto_text(&p, 536870911, "abc");
    w = wire_begin(p.bytes, p.n);
    assert_int_equal(wire_next(&w, &f, &error), MINNOW_OK);
    assert_int_equal(f.number, 1);
    assert_int_equal(wire_int(&f, &number, &error), MINNOW_OK);
    assert_true(number == -2);
    assert_int_equal(wire_next(&w, &f, &error), MINNOW_OK);
    assert_int_equal(wire_float(&f, &x, &error), MINNOW_OK);
    assert_true(x == 1.5f);
    assert_int_equal(wire_int(&f, &number, &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message, "offset 11: field 2 has wire type 5 instead of 0");
    assert_int_equal(wire_message(&w, &f, &child, &error), MINNOW_ERROR_FORMAT);
    assert_int_equal(wire_next(&w, &f, &error), MINNOW_OK);
    assert_true(load_f64(&f.value) == 2.5);
    assert_int_equal(wire_next(&w, &f, &error), MINNOW_OK);
    assert_int_equal(f.number, 536870911);
    assert_int_equal(wire_bytes(&f, &error), MINNOW_OK);
    assert_int_equal(f.bytes, 3);
    assert_memory_equal(f.data, "abc", 3);
    assert_int_equal(wire_next(&w, &f, &error), MINNOW_OK);
    assert_int_equal(f.number, 0);
    assert_int_equal(wire_next(&w, &f, &error), MINNOW_OK); /* the end stays the end */
    assert_int_equal(f.number, 0);
}

static void reads_varints_to_their_limits(void **state) {
    minnow_error error;
    wire_field f;
    (void)state;
    assert_int_equal(first("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, &f, &error), MINNOW_OK);
    assert_true(f.value == UINT64_MAX);
    assert_int_equal(first("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11, &f, &error), MINNOW_OK);
    assert_true(f.value == 0); /* the long way */
    refuses("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, "offset 1: a number has more than 64 bits");
    refuses("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80", 11, "offset 1: a number has more than 64 bits");
    refuses("\x08\x80", 2, "offset 1: a number is cut off");
    refuses("\x08", 1, "offset 1: a number is cut off");
    refuses("\x80", 1, "offset 0: a number is cut off");
}

static void refuses_broken_fields(void **state) {
    (void)state;
    refuses("\x00\x00", 2, "offset 0: no field has the number 0");
    refuses("\x80\x80\x80\x80\x10\x00", 6, "offset 0: no field has the number 536870912");
    refuses("\x0b\x0c", 2, "offset 0: field 1 has wire type 3");
    refuses("\x0c", 1, "offset 0: field 1 has wire type 4");
    refuses("\x0e", 1, "offset 0: field 1 has wire type 6");
    refuses("\x0f", 1, "offset 0: field 1 has wire type 7");
    refuses("\x0d\x01\x02\x03", 4, "offset 1: a number is cut off");
    refuses("\x09\x01\x02\x03\x04\x05\x06\x07", 8, "offset 1: a number is cut off");
    refuses("\x0a\x05" "abcd", 6, "offset 0: field 1 claims 5 bytes, 4 are left");
    refuses("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11,
            "offset 0: field 1 claims 18446744073709551615 bytes, 0 are left");
    refuses("\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11,
            "offset 0: field 1 claims 9223372036854775808 bytes, 0 are left");
}

/* Sums the numbers of the first field; their count goes to *n. */
static minnow_status sum_numbers(const proto *p, uint32_t type, size_t *n, uint64_t *sum, minnow_error *error) {
    wire w = wire_begin(p->bytes, p->n);
    wire_numbers numbers;
    wire_field f;
    *sum = 0;
    assert_int_equal(wire_next(&w, &f, error), MINNOW_OK);
    {
        const minnow_status status = wire_numbers_begin(&w, &f, type, &numbers, error);
        if (status != MINNOW_OK) return status;
    }
    *n = numbers.n;
    while (numbers.n > 0) {
        uint64_t value = 0;
        const minnow_status status = wire_numbers_next(&numbers, &value, error);
        if (status != MINNOW_OK) return status;
        *sum += value;
    }
    return MINNOW_OK;
}

static void reads_repeated_numbers(void **state) {
    static const uint32_t words[] = {1, 20, 300};
    proto p = {{0}, 0};
    minnow_error error;
    uint64_t sum = 0;
    size_t n = 0;
    (void)state;
    proto_bytes(&p, 4, "\x01\xac\x02\x05", 4);
    assert_int_equal(sum_numbers(&p, WIRE_VARINT, &n, &sum, &error), MINNOW_OK);
    assert_true(n == 3 && sum == 306);
    p.n = 0;
    proto_int(&p, 4, 7);
    assert_int_equal(sum_numbers(&p, WIRE_VARINT, &n, &sum, &error), MINNOW_OK);
    assert_true(n == 1 && sum == 7);
    assert_int_equal(sum_numbers(&p, WIRE_32, &n, &sum, &error), MINNOW_ERROR_FORMAT);
    p.n = 0;
    proto_bytes(&p, 4, words, sizeof words);
    assert_int_equal(sum_numbers(&p, WIRE_32, &n, &sum, &error), MINNOW_OK);
    assert_true(n == 3 && sum == 321);
    assert_int_equal(sum_numbers(&p, WIRE_64, &n, &sum, &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message, "offset 0: field 4 holds 12 bytes, not a multiple of 8");
    p.n = 0;
    proto_bytes(&p, 4, "", 0);
    assert_int_equal(sum_numbers(&p, WIRE_VARINT, &n, &sum, &error), MINNOW_OK);
    assert_true(n == 0);
    p.n = 0;
    proto_bytes(&p, 4, "\x01\x80", 2);
    assert_int_equal(sum_numbers(&p, WIRE_VARINT, &n, &sum, &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message, "offset 0: the last number of field 4 is cut off");
    p.n = 0;
    proto_bytes(&p, 4, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11);
    assert_int_equal(sum_numbers(&p, WIRE_VARINT, &n, &sum, &error), MINNOW_ERROR_FORMAT);
}

static void names_offsets_of_the_whole_input(void **state) {
    proto inner = {{0}, 0}, outer = {{0}, 0};
    minnow_error error;
    wire_field f;
    wire w, child;
    (void)state;
    proto_raw(&inner, "\x0a\x05" "ab", 4);
    proto_int(&outer, 1, 1);
    proto_message(&outer, 2, &inner);
    w = wire_begin(outer.bytes, outer.n);
    assert_int_equal(wire_next(&w, &f, &error), MINNOW_OK);
    assert_int_equal(wire_next(&w, &f, &error), MINNOW_OK);
    assert_int_equal(wire_message(&w, &f, &child, &error), MINNOW_OK);
    assert_int_equal(wire_next(&child, &f, &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message, "offset 4: field 1 claims 5 bytes, 2 are left");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_type),
        cmocka_unit_test(reads_varints_to_their_limits),
        cmocka_unit_test(refuses_broken_fields),
        cmocka_unit_test(reads_repeated_numbers),
        cmocka_unit_test(names_offsets_of_the_whole_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
