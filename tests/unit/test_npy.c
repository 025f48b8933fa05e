/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "convert/npy/npy.h"

#define PATH "test_npy.tmp.npy"

/* Builds a file: version, header text as it is, elements. */
static size_t build(uint8_t *out, int major, const char *header, const void *elements, size_t bytes) {
    const size_t n = strlen(header), prefix = major == 1 ? 10 : 12;
    const uint32_t n32 = (uint32_t)n;
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (uint8_t)major;
    out[7] = 0;
    memcpy(out + 8, &n32, major == 1 ? 2 : 4);
    memcpy(out + prefix, header, n);
    if (bytes > 0) memcpy(out + prefix + n, elements, bytes);
    return prefix + n + bytes;
}

static void expect(int major, const char *header, size_t element_bytes, minnow_status status, const char *message) {
    static const uint8_t zeros[256];
    uint8_t file[1024];
    arena memory;
    tensor t;
    minnow_error error;
    const size_t bytes = build(file, major, header, zeros, element_bytes);
    arena_init(&memory, 0);
    memset(&error, 0, sizeof error);
    assert_int_equal(npy_read(file, bytes, &memory, &t, &error), status);
    if (strcmp(error.message, message) != 0) fail_msg("%s -> %s", header, error.message);
    arena_free(&memory);
}

static void reads_all_versions(void **state) {
    const float values[] = {1, -2, 3.5f, 4, 5, 6};
    uint8_t file[256];
    int major;
    (void)state;
    for (major = 1; major <= 3; major++) {
        const size_t bytes = build(file, major, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n",
                                   values, sizeof values);
        arena memory;
        tensor t;
        size_t n;
        arena_init(&memory, 0);
        assert_int_equal(npy_read(file, bytes, &memory, &t, NULL), MINNOW_OK);
        assert_int_equal(t.type, DTYPE_FLOAT32);
        assert_int_equal(t.rank, 2);
        assert_int_equal(t.dims[0], 2);
        assert_int_equal(t.dims[1], 3);
        assert_memory_equal(t.data, values, sizeof values);
        arena_free(&memory);
        for (n = 0; n < bytes; n++) { /* cut off anywhere: an error */
            arena_init(&memory, 0);
            assert_int_not_equal(npy_read(file, n, &memory, &t, NULL), MINNOW_OK);
            arena_free(&memory);
        }
    }
}

static void reads_what_python_writes(void **state) {
    (void)state;
    expect(1, "{\"shape\":(3,),\"fortran_order\":False,\"descr\":\"|u1\"}", 3, MINNOW_OK, "");
    expect(1, "{'descr': '|b1', 'fortran_order': False, 'shape': (), }\n", 1, MINNOW_OK, "");
    expect(1, "{'descr': '<i8', 'fortran_order': False, 'shape': (2L, 0L), }\n", 0, MINNOW_OK, "");
    expect(1, "{'descr': '<f2', 'fortran_order': True, 'shape': (4,), }\n", 8, MINNOW_OK, "");
    expect(1, "{'descr': '>i1', 'fortran_order': False, 'shape': (4,)}", 4, MINNOW_OK, "");
}

static void refuses_by_name(void **state) {
    const minnow_status no = MINNOW_ERROR_UNSUPPORTED;
    (void)state;
    expect(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", 16, no,
           "npy: Fortran order is not supported; save a C-ordered array");
    expect(1, "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8, no,
           "npy: big-endian type '>f4' is not supported");
    expect(1, "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", 8, no, "npy: type '|O' is not supported");
    expect(1, "{'descr': '<c16', 'fortran_order': False, 'shape': (2,), }", 32, no,
           "npy: type '<c16' is not supported");
    expect(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8, no,
           "npy: structured types are not supported");
    expect(4, "{}", 0, no, "npy: version 4.0 is not supported");
    expect(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 4, no,
           "npy: more than 8 dimensions are not supported");
}

static void refuses_malformed(void **state) {
    const minnow_status bad = MINNOW_ERROR_FORMAT;
    (void)state;
    expect(1, "", 0, bad, "npy header, character 1: '{' expected");
    expect(1, "{}", 0, bad, "npy header: descr, fortran_order or shape is missing");
    expect(1, "{'descr': '<f4', 'descr': '<f4'}", 0, bad, "npy header: key 'descr' twice");
    expect(1, "{'colour': 'red'}", 0, bad, "npy header: unknown key 'colour'");
    expect(1, "{'shape': (3)}", 0, bad, "npy header, character 14: ',' in a shape of one dimension expected");
    expect(1, "{'shape': (-3,)}", 0, bad, "npy header, character 12: a dimension expected");
    expect(1, "{'shape': (3, 4}", 0, bad, "npy header, character 16: ',' or ')' expected");
    expect(1, "{'shape': (99999999999999999999,)}", 0, bad, "npy: dimension 0 is too large");
    expect(1, "{'fortran_order': Maybe}", 0, bad, "npy header, character 19: True or False expected");
    expect(1, "{'descr': '<f4", 0, bad, "npy header, character 15: a closing quote expected");
    expect(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", 8, bad,
           "npy header, character 57: the end expected");
    expect(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 7, bad,
           "npy: the shape needs 8 bytes of elements, the file has 7");
    expect(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 9, bad,
           "npy: the shape needs 8 bytes of elements, the file has 9");
}

static void refuses_huge_shapes_and_bad_bools(void **state) {
    const uint8_t two = 2;
    uint8_t file[256];
    arena memory;
    tensor t;
    minnow_error error;
    size_t bytes;
    (void)state;
    arena_init(&memory, 0);
    bytes = build(file, 1, "{'descr':'<f8','fortran_order':False,'shape':(4294967296,4294967296)}", NULL, 0);
    assert_int_not_equal(npy_read(file, bytes, &memory, &t, &error), MINNOW_OK);
    bytes = build(file, 1, "{'descr':'<f8','fortran_order':False,'shape':(0,9223372036854775800)}", NULL, 0);
    npy_read(file, bytes, &memory, &t, &error); /* either answer will do, without overflow */
    bytes = build(file, 1, "{'descr':'|b1','fortran_order':False,'shape':(1,)}", &two, 1);
    assert_int_equal(npy_read(file, bytes, &memory, &t, &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message, "npy: element 0 is 2, not a bool");
    assert_true(memory.used_bytes < 4096);
    arena_free(&memory);
}

static void read_back(const tensor *written) {
    file_map map;
    arena memory;
    tensor t;
    minnow_error error;
    if (npy_write(PATH, written, &error) != MINNOW_OK) fail_msg("%s", error.message);
    assert_int_equal(file_map_open(&map, PATH, &error), MINNOW_OK);
    arena_init(&memory, 0);
    if (npy_read(map.data, map.bytes, &memory, &t, &error) != MINNOW_OK) fail_msg("%s", error.message);
    assert_int_equal((map.bytes - tensor_bytes(written)) % 64, 0);
    assert_int_equal(t.type, written->type);
    assert_int_equal(t.rank, written->rank);
    assert_memory_equal(t.dims, written->dims, sizeof t.dims[0] * (size_t)t.rank);
    assert_memory_equal(t.data, written->data, tensor_bytes(written));
    arena_free(&memory);
    file_map_close(&map);
    remove(PATH);
}

static void writes_every_type(void **state) {
    static const dtype types[] = {DTYPE_FLOAT32, DTYPE_FLOAT64, DTYPE_FLOAT16, DTYPE_INT8,   DTYPE_INT16,  DTYPE_INT32,
                                  DTYPE_INT64,   DTYPE_UINT8,   DTYPE_UINT16,  DTYPE_UINT32, DTYPE_UINT64, DTYPE_BOOL};
    uint8_t data[8 * 24];
    tensor t;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i % 2);
    for (i = 0; i < sizeof types / sizeof types[0]; i++) {
        memset(&t, 0, sizeof t);
        t.type = types[i];
        t.data = data;
        read_back(&t); /* a scalar */
        t.rank = 1;
        t.dims[0] = 5;
        read_back(&t);
        t.rank = 3;
        t.dims[1] = 0;
        t.dims[2] = 7;
        read_back(&t);
        t.dims[0] = 2;
        t.dims[1] = 3;
        t.dims[2] = 4;
        read_back(&t);
    }
    t.type = DTYPE_BFLOAT16;
    assert_int_equal(npy_write(PATH, &t, NULL), MINNOW_ERROR_UNSUPPORTED);
    assert_false(file_exists(PATH));
}

static void streams(void **state) {
    const float rows[] = {1, 2, 3, 4, 5, 6};
    npy_stream s;
    file_map map;
    arena memory;
    tensor t;
    (void)state;
    remove(PATH);
    assert_int_equal(npy_stream_open(&s, PATH, DTYPE_FLOAT32, 2, NULL), MINNOW_OK);
    assert_int_equal(npy_stream_write(&s, rows, 2, NULL), MINNOW_OK);
    assert_false(file_exists(PATH));
    assert_int_equal(npy_stream_write(&s, rows + 4, 1, NULL), MINNOW_OK);
    assert_int_equal(npy_stream_commit(&s, NULL), MINNOW_OK);
    assert_int_equal(file_map_open(&map, PATH, NULL), MINNOW_OK);
    arena_init(&memory, 0);
    assert_int_equal(npy_read(map.data, map.bytes, &memory, &t, NULL), MINNOW_OK);
    assert_int_equal(t.dims[0], 3);
    assert_int_equal(t.dims[1], 2);
    assert_memory_equal(t.data, rows, sizeof rows);
    arena_free(&memory);
    file_map_close(&map);
    remove(PATH);
    assert_int_equal(npy_stream_open(&s, PATH, DTYPE_FLOAT32, 2, NULL), MINNOW_OK);
    assert_int_equal(npy_stream_write(&s, rows, 2, NULL), MINNOW_OK);
    npy_stream_abort(&s);
    assert_false(file_exists(PATH));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all_versions),
        cmocka_unit_test(reads_what_python_writes),
        cmocka_unit_test(refuses_by_name),
        cmocka_unit_test(refuses_malformed),
        cmocka_unit_test(refuses_huge_shapes_and_bad_bools),
        cmocka_unit_test(writes_every_type),
        cmocka_unit_test(streams),
    };
    return cmocka_run_group_tests_name("npy", tests, NULL, NULL);
}
