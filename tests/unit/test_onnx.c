/* SPDX-License-Identifier: Apache-2.0
 * ONNX bytes -> graph -> ONNX bytes: every way to write a tensor, every refusal, damaged files, and round trips. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "convert/onnx/onnx.h"
#include "proto.h"

/* --- Models put together by hand ------------------------------------------------------------------------------ */

static proto value_info(const char *name, int64_t type) {
    proto dim1 = {{0}, 0}, dim2 = {{0}, 0}, shape = {{0}, 0}, tensor_type = {{0}, 0}, any_type = {{0}, 0};
    proto info = {{0}, 0};
    proto_text(&dim1, 2, "batch_size");
    proto_int(&dim2, 1, 3);
    proto_message(&shape, 1, &dim1);
    proto_message(&shape, 1, &dim2);
    proto_int(&tensor_type, 1, type);
    proto_message(&tensor_type, 2, &shape);
    proto_message(&any_type, 1, &tensor_type);
    proto_text(&info, 1, name);
    proto_message(&info, 2, &any_type);
    return info;
}

static proto node(const char *op, const char *in, const char *out) {
    proto p = {{0}, 0};
    if (in != NULL) proto_text(&p, 1, in);
    proto_text(&p, 2, out);
    proto_text(&p, 4, op);
    return p;
}

/* A graph from x to y by one Relu, with one more field (0: none) in front. */
static proto graph_with(uint32_t number, const proto *extra) {
    const proto relu = node("Relu", "x", "y"), x = value_info("x", 1), y = value_info("y", 1);
    proto g = {{0}, 0};
    if (number != 0) proto_message(&g, number, extra);
    proto_message(&g, 1, &relu);
    proto_text(&g, 2, "g");
    proto_message(&g, 11, &x);
    proto_message(&g, 12, &y);
    return g;
}

static void add_opset(proto *model, const char *domain, int64_t version) {
    proto opset = {{0}, 0};
    if (domain[0] != '\0') proto_text(&opset, 1, domain);
    proto_int(&opset, 2, version);
    proto_message(model, 8, &opset);
}

static proto model_with(const proto *g, int64_t ir_version, int64_t opset) {
    proto m = {{0}, 0};
    proto_int(&m, 1, ir_version);
    proto_message(&m, 7, g);
    add_opset(&m, "", opset);
    return m;
}

/* TensorProto 'w' with these dims. */
static proto tensor_head(int64_t type, size_t rank, const int64_t *dims) {
    proto t = {{0}, 0};
    for (size_t i = 0; i < rank; i++) proto_int(&t, 1, dims[i]);
    proto_int(&t, 2, type);
    proto_text(&t, 8, "w");
    return t;
}

static proto model_with_tensor(const proto *t) {
    const proto g = graph_with(5, t);
    return model_with(&g, 8, 17);
}

/* Reads from a block of exactly that size. */
static minnow_status read_exactly(graph **out, const uint8_t *bytes, size_t n, uint8_t **copy, minnow_error *error) {
    *copy = malloc(n > 0 ? n : 1);
    assert_non_null(*copy);
    if (n > 0) memcpy(*copy, bytes, n);
    return onnx_read(out, *copy, n, NULL, error);
}

static void refuses(const proto *m, minnow_status status, const char *message) {
    minnow_error error = {MINNOW_OK, ""};
    graph *g = NULL;
    uint8_t *copy;
    const minnow_status got = read_exactly(&g, m->bytes, m->n, &copy, &error);
    free(copy);
    assert_null(g);
    assert_string_equal(error.message, message);
    assert_int_equal(got, status);
}

/* The constant 'w' (or another name) of a model, checked against its bytes. */
static void expect_constant(const proto *m, const char *name, dtype type, int rank, const void *data, size_t bytes) {
    minnow_error error = {MINNOW_OK, ""};
    graph *g = NULL;
    uint8_t *copy;
    if (read_exactly(&g, m->bytes, m->n, &copy, &error) != MINNOW_OK) fail_msg("%s", error.message);
    const int32_t v = graph_find_value(g, name);
    assert_true(v >= 0);
    const tensor *t = g->values[v].constant;
    assert_non_null(t);
    assert_int_equal(t->type, type);
    assert_int_equal(t->rank, rank);
    assert_int_equal(tensor_bytes(t), bytes);
    if (bytes > 0) assert_memory_equal(t->data, data, bytes);
    assert_true((uintptr_t)t->data % dtype_bytes(type) == 0);
    graph_close(&g);
    free(copy);
}

/* --- Tensors -------------------------------------------------------------------------------------------------- */

static void reads_raw_data_of_every_type(void **state) {
    static const dtype types[] = {DTYPE_FLOAT32, DTYPE_UINT8, DTYPE_INT8, DTYPE_UINT16, DTYPE_INT16, DTYPE_INT32,
                                  DTYPE_INT64, DTYPE_BOOL, DTYPE_FLOAT16, DTYPE_FLOAT64, DTYPE_UINT32,
                                  DTYPE_UINT64, DTYPE_BFLOAT16};
    static const int64_t dims[] = {1, 3};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        for (int shift = 0; shift < 8; shift++) { /* any alignment within the file */
            uint8_t data[24];
            for (size_t k = 0; k < sizeof data; k++) data[k] = (uint8_t)(types[i] == DTYPE_BOOL ? k & 1 : k * 11);
            proto t = tensor_head((int64_t)types[i], 2, dims);
            proto_bytes(&t, 12, "padding", (size_t)shift);
            proto_bytes(&t, 9, data, 3 * dtype_bytes(types[i]));
            const proto m = model_with_tensor(&t);
            expect_constant(&m, "w", types[i], 2, data, 3 * dtype_bytes(types[i]));
        }
    }
}

/* One typed field, as single numbers and packed (and both). */
static void reads_typed(dtype type, uint32_t field, const int64_t values[3], const void *data) {
    static const int64_t dims[] = {3};
    for (int packed = 0; packed <= 3; packed++) { /* how many of the three */
        proto t = tensor_head((int64_t)type, 1, dims), list = {{0}, 0};
        for (int i = 0; i < packed; i++) proto_varint(&list, (uint64_t)values[i]);
        if (packed > 0) proto_message(&t, field, &list);
        for (int i = packed; i < 3; i++) proto_int(&t, field, values[i]);
        const proto m = model_with_tensor(&t);
        expect_constant(&m, "w", type, 1, data, 3 * dtype_bytes(type));
    }
}

static void reads_typed_data(void **state) {
    (void)state;
    reads_typed(DTYPE_INT8, 5, (int64_t[]){-128, 0, 127}, (int8_t[]){-128, 0, 127});
    reads_typed(DTYPE_UINT8, 5, (int64_t[]){0, 128, 255}, (uint8_t[]){0, 128, 255});
    reads_typed(DTYPE_INT16, 5, (int64_t[]){-32768, 0, 32767}, (int16_t[]){-32768, 0, 32767});
    reads_typed(DTYPE_UINT16, 5, (int64_t[]){0, 1, 65535}, (uint16_t[]){0, 1, 65535});
    reads_typed(DTYPE_FLOAT16, 5, (int64_t[]){0, 0x3c00, 0xfc00}, (uint16_t[]){0, 0x3c00, 0xfc00});
    reads_typed(DTYPE_BFLOAT16, 5, (int64_t[]){0, 0x3f80, 0xff80}, (uint16_t[]){0, 0x3f80, 0xff80});
    reads_typed(DTYPE_BOOL, 5, (int64_t[]){0, 1, 1}, (uint8_t[]){0, 1, 1});
    reads_typed(DTYPE_INT32, 5, (int64_t[]){INT32_MIN, -1, INT32_MAX}, (int32_t[]){INT32_MIN, -1, INT32_MAX});
    reads_typed(DTYPE_INT64, 7, (int64_t[]){INT64_MIN, -1, INT64_MAX}, (int64_t[]){INT64_MIN, -1, INT64_MAX});
    reads_typed(DTYPE_UINT32, 11, (int64_t[]){0, 1, UINT32_MAX}, (uint32_t[]){0, 1, UINT32_MAX});
    reads_typed(DTYPE_UINT64, 11, (int64_t[]){0, 1, -1}, (uint64_t[]){0, 1, UINT64_MAX});
}

static void reads_float_and_double_data(void **state) {
    static const float floats[] = {1.5f, -0.0f, 3e38f};
    static const double doubles[] = {1.5, -0.0, 3e300};
    static const int64_t dims[] = {3};
    proto t = tensor_head(1, 1, dims), m;
    (void)state;
    proto_bytes(&t, 4, floats, sizeof floats);
    m = model_with_tensor(&t);
    expect_constant(&m, "w", DTYPE_FLOAT32, 1, floats, sizeof floats);
    t = tensor_head(1, 1, dims);
    for (int i = 0; i < 3; i++) proto_float(&t, 4, floats[i]);
    m = model_with_tensor(&t);
    expect_constant(&m, "w", DTYPE_FLOAT32, 1, floats, sizeof floats);
    t = tensor_head(11, 1, dims);
    proto_bytes(&t, 10, doubles, sizeof doubles);
    m = model_with_tensor(&t);
    expect_constant(&m, "w", DTYPE_FLOAT64, 1, doubles, sizeof doubles);
    t = tensor_head(11, 1, dims);
    for (int i = 0; i < 3; i++) proto_double(&t, 10, doubles[i]);
    m = model_with_tensor(&t);
    expect_constant(&m, "w", DTYPE_FLOAT64, 1, doubles, sizeof doubles);
}

static void reads_scalars_and_empty_tensors(void **state) {
    static const int64_t dims[] = {4, 0}, packed_dims_want[] = {2, 3};
    const float one = 1;
    proto t = tensor_head(1, 0, NULL), m;
    (void)state;
    proto_bytes(&t, 9, &one, sizeof one);
    m = model_with_tensor(&t);
    expect_constant(&m, "w", DTYPE_FLOAT32, 0, &one, sizeof one);
    t = tensor_head(7, 2, dims);
    m = model_with_tensor(&t);
    expect_constant(&m, "w", DTYPE_INT64, 2, NULL, 0);
    t = tensor_head(3, 0, NULL);
    proto_bytes(&t, 1, "\x02\x03", 2); /* packed dims */
    proto_bytes(&t, 9, "abcdef", 6);
    m = model_with_tensor(&t);
    expect_constant(&m, "w", DTYPE_INT8, 2, "abcdef", (size_t)(packed_dims_want[0] * packed_dims_want[1]));
}

/* Appends one field to a float32 [2] (or other) tensor and expects a refusal. */
static void tensor_fails(const proto *t, minnow_status status, const char *message) {
    const proto m = model_with_tensor(t);
    refuses(&m, status, message);
}

static void refuses_wrong_tensors(void **state) {
    static const int64_t two[] = {2}, huge[] = {INT64_C(1) << 40, INT64_C(1) << 40}, negative[] = {-1};
    static const int64_t ones[] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, big[] = {1000, 1000, 1000, 1000};
    proto t = tensor_head(1, 1, two);
    (void)state;
    tensor_fails(&t, MINNOW_ERROR_FORMAT, "tensor 'w': 1 dims need 8 bytes, raw_data holds 0");
    proto_bytes(&t, 9, "1234567", 7);
    tensor_fails(&t, MINNOW_ERROR_FORMAT, "tensor 'w': 1 dims need 8 bytes, raw_data holds 7");
    proto_float(&t, 4, 1);
    tensor_fails(&t, MINNOW_ERROR_FORMAT, "tensor 'w': has both raw_data and float_data");
    t = tensor_head(1, 4, big); /* nothing is allocated for what is not there */
    tensor_fails(&t, MINNOW_ERROR_FORMAT, "tensor 'w': 4 dims need 4000000000000 bytes, raw_data holds 0");
    t = tensor_head(1, 1, two);
    proto_float(&t, 4, 1);
    tensor_fails(&t, MINNOW_ERROR_FORMAT, "tensor 'w': 1 dims need 2 elements, float_data holds 1");
    proto_int(&t, 7, 1);
    tensor_fails(&t, MINNOW_ERROR_FORMAT, "tensor 'w': has both float_data and int64_data");
    t = tensor_head(7, 1, two);
    proto_float(&t, 4, 1);
    tensor_fails(&t, MINNOW_ERROR_FORMAT, "tensor 'w': holds int64 in float_data");
    t = tensor_head(3, 1, two);
    proto_int(&t, 5, 1);
    proto_int(&t, 5, 128);
    tensor_fails(&t, MINNOW_ERROR_FORMAT, "tensor 'w': element 1: 128 is not in the range of int8");
    t = tensor_head(9, 1, two);
    proto_bytes(&t, 9, "\1\2", 2);
    tensor_fails(&t, MINNOW_ERROR_FORMAT, "tensor 'w': element 1: 2 is not in the range of bool");
    t = tensor_head(1, 2, huge);
    tensor_fails(&t, MINNOW_ERROR_FORMAT, "tensor 'w': dims overflow at dim 1: 1099511627776");
    t = tensor_head(1, 1, negative);
    tensor_fails(&t, MINNOW_ERROR_FORMAT, "tensor 'w': dim 0 is negative: -1");
    t = tensor_head(1, 9, ones);
    tensor_fails(&t, MINNOW_ERROR_UNSUPPORTED, "tensor 'w': rank 9 not supported (at most 8)");
    t = tensor_head(8, 1, two);
    tensor_fails(&t, MINNOW_ERROR_UNSUPPORTED, "tensor 'w': element type 8 (string) not supported");
    t = tensor_head(17, 1, two);
    tensor_fails(&t, MINNOW_ERROR_UNSUPPORTED, "tensor 'w': element type 17 (unknown) not supported");
    t = tensor_head(INT64_MAX, 1, two);
    tensor_fails(&t, MINNOW_ERROR_FORMAT, "tensor 'w': element type 9223372036854775807 does not exist");
    t = tensor_head(1, 1, two);
    proto_bytes(&t, 3, "", 0);
    tensor_fails(&t, MINNOW_ERROR_UNSUPPORTED, "tensor 'w': segments not supported");
    t = tensor_head(1, 1, two);
    proto_int(&t, 14, 2);
    tensor_fails(&t, MINNOW_ERROR_UNSUPPORTED, "tensor 'w': data_location 2 not supported");
    t.n = 0;
    proto_int(&t, 2, 1);
    tensor_fails(&t, MINNOW_ERROR_FORMAT, "tensor '': has no name");
}

/* --- Graphs and models ---------------------------------------------------------------------------------------- */

static void reads_a_small_model(void **state) {
    const proto g_message = graph_with(0, NULL);
    proto m = model_with(&g_message, 8, 17), metadata = {{0}, 0};
    minnow_error error;
    graph *g = NULL;
    (void)state;
    proto_text(&m, 2, "someone");
    proto_text(&m, 3, "1.2");
    proto_text(&metadata, 1, "key");
    proto_text(&metadata, 2, "value");
    proto_message(&m, 14, &metadata);
    add_opset(&m, "com.microsoft", 1);
    assert_int_equal(onnx_read(&g, m.bytes, m.n, NULL, &error), MINNOW_OK);
    assert_true(g->ir_version == 8 && g->n_opsets == 2 && g->opsets[0].version == 17);
    assert_string_equal(g->opsets[1].domain, "com.microsoft");
    assert_string_equal(g->producer_name, "someone");
    assert_string_equal(g->producer_version, "1.2");
    assert_string_equal(g->name, "g");
    assert_int_equal(g->n_metadata, 1);
    assert_string_equal(g->metadata[0].key, "key");
    assert_string_equal(g->metadata[0].value, "value");
    assert_true(g->n_inputs == 1 && g->n_outputs == 1 && g->n_nodes == 1);
    const graph_value *x = &g->values[g->inputs[0]];
    assert_string_equal(x->name, "x");
    assert_true(x->type == DTYPE_FLOAT32 && x->rank == 2 && x->dims[0].size == -1 && x->dims[1].size == 3);
    assert_string_equal(x->dims[0].symbol, "batch_size");
    assert_null(x->dims[1].symbol);
    assert_true(g->nodes[0].opset == 17);
    assert_true(g->nodes[0].inputs[0] == g->inputs[0] && g->nodes[0].outputs[0] == g->outputs[0]);
    graph_close(&g);
}

/* Files of other kinds that get an ONNX file's name. */
static void names_other_files(void **state) {
    static const char safetensors[] = "\x30\x09\0\0\0\0\0\0{\"a\": {}}";
    static const struct { const char *bytes; size_t n; const char *message; } cases[] = {
        {"version https://git-lfs.github.com/spec/v1\noid", 46,
         "a Git LFS pointer in place of the model: fetch the content (git lfs pull)"},
        {safetensors, sizeof safetensors - 1, "not an ONNX model, but safetensors: name its folder"},
        {"{\"a\": 1}", 8, "not an ONNX model: offset 0: field 15 has wire type 3"},
        {"\x08\x08\x0b", 3, "offset 2: field 1 has wire type 3"}, /* begins as one */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        proto m = {{0}, 0};
        proto_raw(&m, cases[i].bytes, cases[i].n);
        refuses(&m, MINNOW_ERROR_FORMAT, cases[i].message);
    }
}

static void refuses_wrong_models(void **state) {
    const proto g = graph_with(0, NULL);
    proto m = {{0}, 0}, extra = node("Relu", "x", "y");
    (void)state;
    refuses(&m, MINNOW_ERROR_FORMAT, "not an ONNX model: no graph in 0 bytes");
    m = model_with(&g, 8, 10);
    refuses(&m, MINNOW_ERROR_UNSUPPORTED, "opset 10 not supported (11 to 23 are)");
    m = model_with(&g, 8, 24);
    refuses(&m, MINNOW_ERROR_UNSUPPORTED, "opset 24 not supported (11 to 23 are)");
    m = model_with(&g, 8, -1);
    refuses(&m, MINNOW_ERROR_FORMAT, "domain '': opset -1 does not exist");
    m = model_with(&g, 8, 17);
    add_opset(&m, "ai.onnx", 17); /* the same by its other name */
    add_opset(&m, "ai.onnx", 18);
    refuses(&m, MINNOW_ERROR_FORMAT, "domain '': opset 18 is imported beside another one");
    m = model_with(&g, 2, 17);
    refuses(&m, MINNOW_ERROR_UNSUPPORTED, "IR version 2 not supported (3 to 13 are)");
    m = model_with(&g, INT64_MAX, 17);
    refuses(&m, MINNOW_ERROR_UNSUPPORTED, "IR version 9223372036854775807 not supported (3 to 13 are)");
    m.n = 0;
    proto_int(&m, 1, 8);
    proto_message(&m, 7, &g);
    refuses(&m, MINNOW_ERROR_FORMAT, "the model imports no opset of ai.onnx (11 to 23 are supported)");
    m = model_with(&g, 8, 17);
    proto_message(&m, 7, &g);
    refuses(&m, MINNOW_ERROR_FORMAT, "offset 87: a second graph");
    proto_text(&extra, 7, "com.microsoft");
    {
        const proto g2 = graph_with(1, &extra);
        m = model_with(&g2, 8, 17);
        refuses(&m, MINNOW_ERROR_FORMAT, "node 0 (Relu): the model imports no version of the domain 'com.microsoft'");
    }
}

static void graph_fails(uint32_t number, const proto *extra, minnow_status status, const char *message) {
    const proto g = graph_with(number, extra), m = model_with(&g, 8, 17);
    refuses(&m, status, message);
}

static void refuses_wrong_graphs(void **state) {
    proto p = value_info("x", 1), inner = {{0}, 0};
    (void)state;
    graph_fails(11, &p, MINNOW_ERROR_FORMAT, "input 'x': is declared twice");
    p = value_info("y", 1);
    graph_fails(12, &p, MINNOW_ERROR_FORMAT, "output 'y' is declared twice");
    p = value_info("z", 1);
    graph_fails(12, &p, MINNOW_ERROR_FORMAT, "output 'z': is made by no node");
    p = value_info("z", 99);
    graph_fails(11, &p, MINNOW_ERROR_UNSUPPORTED, "input 'z': element type 99 not supported");
    p.n = 0;
    proto_text(&p, 1, "z");
    graph_fails(11, &p, MINNOW_ERROR_UNSUPPORTED, "input 'z': only tensors with an element type are supported");
    p.n = 0;
    proto_text(&p, 1, "bad\xff");
    graph_fails(11, &p, MINNOW_ERROR_FORMAT, "offset 11: text is not UTF-8");
    p.n = 0;
    proto_bytes(&p, 1, "a\0b", 3);
    graph_fails(11, &p, MINNOW_ERROR_FORMAT, "offset 9: text holds a NUL");
    p = node("Relu", "nobody\x1b[31m", "z");
    graph_fails(1, &p, MINNOW_ERROR_FORMAT, "node 0 (Relu): input is made by no node: 'nobody\\x1b[31m'");
    p = node("Relu", "x", "y");
    proto_text(&p, 3, "again");
    graph_fails(1, &p, MINNOW_ERROR_FORMAT, "node 1 (Relu): output is already made by another node: 'y'");
    p = node("", "x", "z");
    graph_fails(1, &p, MINNOW_ERROR_FORMAT, "node 0 (): has no op_type");
    proto_text(&inner, 8, "few");
    p.n = 0;
    proto_message(&p, 1, &inner);
    graph_fails(15, &p, MINNOW_ERROR_UNSUPPORTED, "tensor 'few': sparse initializers not supported");
}

static void sees_initializers_that_are_inputs_as_constants(void **state) {
    static const int64_t dims[] = {1};
    const proto w_input = value_info("w", 3);
    const proto base = graph_with(11, &w_input);
    proto t = tensor_head(3, 1, dims), g_message = base, m;
    minnow_error error;
    graph *g = NULL;
    (void)state;
    proto_bytes(&t, 9, "\x07", 1);
    proto_message(&g_message, 5, &t);
    m = model_with(&g_message, 3, 11);
    assert_int_equal(onnx_read(&g, m.bytes, m.n, NULL, &error), MINNOW_OK);
    assert_int_equal(g->n_inputs, 1);
    assert_string_equal(g->values[g->inputs[0]].name, "x");
    assert_non_null(g->values[graph_find_value(g, "w")].constant);
    graph_close(&g);
    proto_message(&g_message, 5, &t);
    m = model_with(&g_message, 3, 11);
    refuses(&m, MINNOW_ERROR_FORMAT, "tensor 'w': is there twice");
}

static void refuses_functions_that_are_called(void **state) {
    proto call = node("F", "x", "z"), function = {{0}, 0}, other = {{0}, 0}, m;
    minnow_error error;
    graph *g = NULL;
    (void)state;
    proto_text(&call, 7, "my");
    proto_text(&function, 1, "F");
    proto_text(&function, 10, "my");
    proto_text(&other, 1, "F");
    proto_text(&other, 10, "mine");
    {
        const proto g_message = graph_with(1, &call);
        m = model_with(&g_message, 8, 17);
    }
    add_opset(&m, "my", 1);
    proto_message(&m, 25, &other);
    assert_int_equal(onnx_read(&g, m.bytes, m.n, NULL, &error), MINNOW_OK);
    graph_close(&g);
    proto_message(&m, 25, &function);
    refuses(&m, MINNOW_ERROR_UNSUPPORTED, "node 0 (F): calls a function of the model: not supported (inline it first)");
}

/* --- Nodes ---------------------------------------------------------------------------------------------------- */

static proto attribute(const char *name, int64_t type) {
    proto a = {{0}, 0};
    proto_text(&a, 1, name);
    if (type != 0) proto_int(&a, 20, type);
    return a;
}

static proto model_with_constant(const proto *a) {
    proto constant = node("Constant", NULL, "c");
    proto_message(&constant, 5, a);
    const proto g = graph_with(1, &constant);
    return model_with(&g, 8, 17);
}

static void turns_constant_nodes_into_constants(void **state) {
    static const int64_t dims[] = {2}, ints[] = {5, -6}, three = 3;
    static const float floats[] = {1.5f, 2.5f}, half = 0.5f;
    proto a = attribute("value_float", 1), t = tensor_head(3, 1, dims), m;
    minnow_error error;
    graph *g = NULL;
    (void)state;
    proto_float(&a, 2, half);
    m = model_with_constant(&a);
    expect_constant(&m, "c", DTYPE_FLOAT32, 0, &half, sizeof half);
    a = attribute("value_int", 0); /* without a type, as the oldest writers did */
    proto_int(&a, 3, three);
    m = model_with_constant(&a);
    expect_constant(&m, "c", DTYPE_INT64, 0, &three, sizeof three);
    a = attribute("value_floats", 6);
    proto_float(&a, 7, floats[0]);
    proto_float(&a, 7, floats[1]);
    m = model_with_constant(&a);
    expect_constant(&m, "c", DTYPE_FLOAT32, 1, floats, sizeof floats);
    a = attribute("value_ints", 7);
    proto_int(&a, 8, ints[0]);
    proto_int(&a, 8, ints[1]);
    m = model_with_constant(&a);
    expect_constant(&m, "c", DTYPE_INT64, 1, ints, sizeof ints);
    a = attribute("value", 4);
    proto_bytes(&t, 9, "\1\2", 2);
    proto_message(&a, 5, &t);
    m = model_with_constant(&a);
    expect_constant(&m, "c", DTYPE_INT8, 1, "\1\2", 2);
    a = attribute("value_string", 3); /* stays a node */
    proto_text(&a, 4, "text");
    m = model_with_constant(&a);
    assert_int_equal(onnx_read(&g, m.bytes, m.n, NULL, &error), MINNOW_OK);
    assert_int_equal(g->n_nodes, 2);
    assert_string_equal(graph_node_string(&g->nodes[0], "value_string", ""), "text");
    graph_close(&g);
    a = attribute("value", 4);
    m = model_with_constant(&a);
    refuses(&m, MINNOW_ERROR_FORMAT, "node 0 (Constant): attribute 'value': holds no tensor");
    a = attribute("value", 4);
    t.n = 0;
    proto_int(&t, 2, 1);
    proto_message(&a, 5, &t);
    m = model_with_constant(&a);
    refuses(&m, MINNOW_ERROR_FORMAT, "node 0 (Constant): attribute 'value': 0 dims need 4 bytes, raw_data holds 0");
    a = attribute("sparse_value", 11);
    m = model_with_constant(&a);
    refuses(&m, MINNOW_ERROR_UNSUPPORTED,
            "node 0 (Constant): attribute 'sparse_value': attribute type 11 not supported");
}

static void reads_attributes_and_missing_inputs(void **state) {
    proto n = node("Anything", "x", "z"), a = attribute("f", 1), g_message, m;
    minnow_error error;
    graph *g = NULL;
    (void)state;
    proto_text(&n, 1, "");
    proto_text(&n, 1, "x");
    proto_text(&n, 2, "");
    proto_text(&n, 3, "any");
    proto_float(&a, 2, 2.5f);
    proto_message(&n, 5, &a);
    a = attribute("bytes", 3);
    proto_bytes(&a, 4, "\0\xff", 2);
    proto_message(&n, 5, &a);
    a = attribute("names", 8);
    proto_text(&a, 9, "a");
    proto_text(&a, 9, "");
    proto_message(&n, 5, &a);
    a = attribute("body", 5);
    proto_text(&a, 6, "anything");
    proto_message(&n, 5, &a);
    g_message = graph_with(1, &n);
    m = model_with(&g_message, 8, 17);
    assert_int_equal(onnx_read(&g, m.bytes, m.n, NULL, &error), MINNOW_OK);
    const graph_node *node = &g->nodes[0];
    assert_true(node->n_inputs == 3 && node->inputs[1] == GRAPH_NO_VALUE && node->inputs[2] == node->inputs[0]);
    assert_true(node->n_outputs == 2 && node->outputs[1] == GRAPH_NO_VALUE);
    assert_true(graph_node_float(node, "f", 0) == 2.5f);
    assert_int_equal(graph_node_attribute(node, "bytes")->s_bytes, 2);
    assert_memory_equal(graph_node_attribute(node, "bytes")->s, "\0\xff", 3);
    assert_int_equal(graph_node_attribute(node, "names")->n, 2);
    assert_string_equal(graph_node_attribute(node, "names")->strings[0], "a");
    assert_int_equal(graph_node_attribute(node, "body")->type, ATTRIBUTE_GRAPH);
    graph_close(&g);
    proto_message(&n, 5, &a);
    g_message = graph_with(1, &n);
    m = model_with(&g_message, 8, 17);
    refuses(&m, MINNOW_ERROR_FORMAT, "node 0 'any' (Anything): attribute 'body' is given twice");
}

/* --- Damage and round trips ----------------------------------------------------------------------------------- */

static void visit_damage(const uint8_t *bytes, size_t n) {
    minnow_error error = {MINNOW_OK, ""};
    graph *g = NULL;
    uint8_t *copy;
    const minnow_status status = read_exactly(&g, bytes, n, &copy, &error);
    if ((status == MINNOW_OK) != (g != NULL) || (status != MINNOW_OK && error.message[0] == '\0'))
        fail_msg("status %d, message '%s'", (int)status, error.message);
    graph_close(&g);
    free(copy);
}

/* Every truncation and every bit of a small model that has something of everything; the sanitizers judge. */
static void survives_damage(void **state) {
    static const char *const names[] = {"encoder.onnx", "typed.onnx", "attributes.onnx", "constants.onnx",
                                        "external.onnx", "function_used.onnx"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        minnow_error error;
        file_map map;
        snprintf(path, sizeof path, "tests/fuzz/corpus/fuzz_onnx/%s", names[i]);
        if (file_map_open(&map, path, &error) != MINNOW_OK) fail_msg("%s", error.message);
        for (size_t n = 0; n < map.bytes; n++) visit_damage(map.data, n);
        uint8_t *flipped = malloc(map.bytes);
        assert_non_null(flipped);
        memcpy(flipped, map.data, map.bytes);
        for (size_t bit = 0; bit < map.bytes * 8; bit++) {
            flipped[bit / 8] ^= (uint8_t)(1u << bit % 8);
            visit_damage(flipped, map.bytes);
            flipped[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        free(flipped);
        file_map_close(&map);
    }
}

static void same_tensor(const tensor *a, const tensor *b) {
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->rank, b->rank);
    for (int i = 0; i < a->rank; i++) assert_true(a->dims[i] == b->dims[i]);
    if (tensor_bytes(a) > 0) assert_memory_equal(a->data, b->data, tensor_bytes(a));
}

static void same_value(const graph_value *a, const graph_value *b) {
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->constant != NULL, b->constant != NULL);
    if (a->constant != NULL) same_tensor(a->constant, b->constant);
}

static void same_declaration(const graph_value *a, const graph_value *b) {
    same_value(a, b);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->rank, b->rank);
    for (int i = 0; i < a->rank; i++) {
        assert_true(a->dims[i].size == b->dims[i].size);
        assert_int_equal(a->dims[i].symbol != NULL, b->dims[i].symbol != NULL);
        if (a->dims[i].symbol != NULL) assert_string_equal(a->dims[i].symbol, b->dims[i].symbol);
    }
}

static void same_attribute(const graph_attribute *a, const graph_attribute *b) {
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->type, b->type);
    assert_true(a->i == b->i && a->n == b->n && a->s_bytes == b->s_bytes);
    assert_memory_equal(&a->f, &b->f, sizeof a->f);
    if (a->s_bytes > 0) assert_memory_equal(a->s, b->s, a->s_bytes);
    if (a->t != NULL) same_tensor(a->t, b->t);
    if (a->type == ATTRIBUTE_FLOATS && a->n > 0) assert_memory_equal(a->floats, b->floats, a->n * sizeof *a->floats);
    if (a->type == ATTRIBUTE_INTS && a->n > 0) assert_memory_equal(a->ints, b->ints, a->n * sizeof *a->ints);
    for (size_t i = 0; a->type == ATTRIBUTE_STRINGS && i < a->n; i++) assert_string_equal(a->strings[i], b->strings[i]);
}

static void same_node(const graph *ga, const graph_node *a, const graph *gb, const graph_node *b) {
    assert_string_equal(a->op_type, b->op_type);
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->domain, b->domain);
    assert_true(a->opset == b->opset && a->n_inputs == b->n_inputs && a->n_outputs == b->n_outputs);
    for (size_t i = 0; i < a->n_inputs + a->n_outputs; i++) {
        const int32_t v = i < a->n_inputs ? a->inputs[i] : a->outputs[i - a->n_inputs];
        const int32_t w = i < a->n_inputs ? b->inputs[i] : b->outputs[i - a->n_inputs];
        assert_int_equal(v < 0, w < 0);
        if (v >= 0) same_value(&ga->values[v], &gb->values[w]);
    }
    assert_int_equal(a->n_attributes, b->n_attributes);
    for (size_t i = 0; i < a->n_attributes; i++) same_attribute(&a->attributes[i], &b->attributes[i]);
}

static void same_graph(const graph *a, const graph *b) {
    assert_true(a->n_inputs == b->n_inputs && a->n_outputs == b->n_outputs && a->n_nodes == b->n_nodes);
    assert_true(a->n_values == b->n_values && a->n_opsets == b->n_opsets && a->n_metadata == b->n_metadata);
    assert_string_equal(a->producer_name, b->producer_name);
    for (size_t i = 0; i < a->n_inputs; i++) same_declaration(&a->values[a->inputs[i]], &b->values[b->inputs[i]]);
    for (size_t i = 0; i < a->n_outputs; i++) same_declaration(&a->values[a->outputs[i]], &b->values[b->outputs[i]]);
    for (size_t i = 0; i < a->n_nodes; i++) same_node(a, &a->nodes[i], b, &b->nodes[i]);
    for (size_t i = 0; i < a->n_values; i++) { /* constants that nothing uses, too */
        const int32_t v = graph_find_value(b, a->values[i].name);
        assert_true(v >= 0);
        same_value(&a->values[i], &b->values[v]);
    }
}

static const char written[] = "minnow-test-onnx-written.tmp";

/* Read, write, read: the same graph; write again: the same bytes. Returns 0 if the file is one that is refused. */
static int round_trip(const char *path) {
    graph *first = NULL, *second = NULL;
    minnow_error error;
    file_map once, twice;
    const minnow_status status = onnx_open(&first, path, 0, &error);
    if (status == MINNOW_ERROR_FORMAT || status == MINNOW_ERROR_UNSUPPORTED) return 0;
    if (status != MINNOW_OK) fail_msg("%s", error.message);
    if (first->n_branches > 0) { /* are read, not written */
        assert_int_equal(onnx_write(first, written, &error), MINNOW_ERROR_UNSUPPORTED);
        graph_close(&first);
        return 0;
    }
    if (onnx_write(first, written, &error) != MINNOW_OK) fail_msg("%s", error.message);
    if (onnx_open(&second, written, 0, &error) != MINNOW_OK) fail_msg("%s", error.message);
    same_graph(first, second);
    assert_int_equal(file_map_open(&once, written, &error), MINNOW_OK);
    if (onnx_write(second, written, &error) != MINNOW_OK) fail_msg("%s", error.message);
    assert_int_equal(file_map_open(&twice, written, &error), MINNOW_OK);
    assert_int_equal(once.bytes, twice.bytes);
    assert_memory_equal(once.data, twice.data, once.bytes);
    file_map_close(&once);
    file_map_close(&twice);
    graph_close(&first);
    graph_close(&second);
    remove(written);
    return 1;
}

typedef struct folder_visit {
    const char *folder;
    size_t n_done;
} folder_visit;

static void visit_file(void *context, const char *name) {
    folder_visit *visit = context;
    char path[512];
    if (!path_has_suffix(name, ".onnx") || strcmp(name, "if.onnx") == 0) return;
    snprintf(path, sizeof path, "%s/%s", visit->folder, name);
    visit->n_done += (size_t)round_trip(path);
}

static void round_trips_small_models(void **state) {
    folder_visit visit = {"tests/fuzz/corpus/fuzz_onnx", 0};
    (void)state;
    assert_int_equal(os_list_folder(visit.folder, visit_file, &visit), 0);
    assert_true(visit.n_done >= 12);
}

static void round_trips_golden_models(void **state) {
    folder_visit visit = {"tests/golden/onnx", 0};
    (void)state;
    if (os_list_folder(visit.folder, visit_file, &visit) != 0) skip();
    assert_true(visit.n_done >= 7);
}

static void writes_only_what_can_be_written(void **state) {
    minnow_error error;
    graph *g = NULL;
    tensor t = {DTYPE_INT8, 1, {INT64_C(1) << 31}, NULL};
    (void)state;
    assert_int_equal(onnx_open(&g, "tests/fuzz/corpus/fuzz_onnx/if.onnx", 0, &error), MINNOW_OK);
    assert_int_equal(onnx_write(g, written, &error), MINNOW_ERROR_UNSUPPORTED);
    assert_false(file_exists(written));
    graph_close(&g);
    g = graph_create();
    assert_int_equal(onnx_write(g, written, &error), MINNOW_ERROR_ARGUMENT);
    assert_true(graph_set_opset(g, "", 17) && graph_add_constant(g, "large", &t) >= 0);
    /* 2 GiB: refused before its data is touched. */
    assert_int_equal(onnx_write(g, written, &error), MINNOW_ERROR_UNSUPPORTED);
    assert_false(file_exists(written));
    graph_close(&g);
    assert_int_equal(onnx_open(&g, "tests/unit/no-such-file.onnx", 0, &error), MINNOW_ERROR_IO);
    assert_null(g);
    assert_int_equal(onnx_open(&g, "tests/fuzz/corpus/fuzz_onnx/opset9.onnx", 0, &error), MINNOW_ERROR_UNSUPPORTED);
    assert_string_equal(error.message, "tests/fuzz/corpus/fuzz_onnx/opset9.onnx: opset 9 not supported (11 to 23 are)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_raw_data_of_every_type),
        cmocka_unit_test(reads_typed_data),
        cmocka_unit_test(reads_float_and_double_data),
        cmocka_unit_test(reads_scalars_and_empty_tensors),
        cmocka_unit_test(refuses_wrong_tensors),
        cmocka_unit_test(reads_a_small_model),
        cmocka_unit_test(names_other_files),
        cmocka_unit_test(refuses_wrong_models),
        cmocka_unit_test(refuses_wrong_graphs),
        cmocka_unit_test(sees_initializers_that_are_inputs_as_constants),
        cmocka_unit_test(refuses_functions_that_are_called),
        cmocka_unit_test(turns_constant_nodes_into_constants),
        cmocka_unit_test(reads_attributes_and_missing_inputs),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(round_trips_small_models),
        cmocka_unit_test(round_trips_golden_models),
        cmocka_unit_test(writes_only_what_can_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
