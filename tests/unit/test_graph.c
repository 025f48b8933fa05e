/* SPDX-License-Identifier: Apache-2.0
 * The graph: names, attributes, order; and tensor shapes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/graph/graph.h"

static int32_t value(graph *g, const char *name) {
    const int32_t v = graph_find_value(g, name);
    return v >= 0 ? v : graph_add_value(g, name);
}

/* A node from one value to another, both made as needed. */
static int32_t unary(graph *g, const char *name, const char *in, const char *out) {
    const int32_t input = value(g, in), output = value(g, out);
    return graph_add_node(g, "Relu", name, &input, 1, &output, 1);
}

static graph *with_input_and_output(void) {
    graph *g = graph_create();
    assert_non_null(g);
    assert_true(graph_add_input(g, value(g, "x")) && graph_add_output(g, value(g, "y")));
    return g;
}

static void finds_values_by_name(void **state) {
    enum { N = 20000 };
    graph *g = graph_create();
    char name[32];
    (void)state;
    assert_int_equal(graph_find_value(g, "v0"), -1);
    for (int32_t i = 0; i < N; i++) {
        snprintf(name, sizeof name, "v%d", (int)i);
        assert_int_equal(graph_add_value(g, name), i);
    }
    for (int32_t i = 0; i < N; i++) {
        snprintf(name, sizeof name, "v%d", (int)i);
        assert_int_equal(graph_find_value(g, name), i);
        assert_string_equal(g->values[i].name, name);
        assert_true(g->values[i].rank == -1 && g->values[i].producer == -1 && g->values[i].type == DTYPE_UNDEFINED);
    }
    assert_int_equal(graph_add_value(g, "v7"), -1);
    assert_int_equal(graph_find_value(g, "v20000"), -1);
    assert_int_equal(graph_find_value(g, ""), -1);
    assert_int_equal(graph_add_value(g, ""), N);
    assert_int_equal(g->n_values, N + 1);
    graph_close(&g);
    assert_null(g);
    graph_close(&g);
}

static void keeps_constants(void **state) {
    graph *g = graph_create();
    float data[6] = {1, 2, 3, 4, 5, 6};
    const tensor t = {DTYPE_FLOAT32, 2, {2, 3}, data};
    const int32_t v = graph_add_constant(g, "w", &t);
    (void)state;
    assert_int_equal(v, 0);
    assert_true(g->values[v].constant != &t && g->values[v].constant->data == data);
    assert_true(g->values[v].type == DTYPE_FLOAT32 && g->values[v].rank == 2 && g->values[v].dims[1].size == 3);
    assert_int_equal(graph_add_constant(g, "w", &t), -1);
    graph_close(&g);
}

static void keeps_attributes(void **state) {
    static const float floats[] = {1.5f, -2};
    static const int64_t ints[] = {1, INT64_MIN};
    static const char *const strings[] = {"a", "bc"};
    static const tensor t = {DTYPE_INT64, 0, {0}, NULL};
    const graph_attribute all[] = {
        {.name = "f", .type = ATTRIBUTE_FLOAT, .f = 0.5f},
        {.name = "i", .type = ATTRIBUTE_INT, .i = -7},
        {.name = "s", .type = ATTRIBUTE_STRING, .s = "hi\0there", .s_bytes = 8},
        {.name = "t", .type = ATTRIBUTE_TENSOR, .t = &t},
        {.name = "floats", .type = ATTRIBUTE_FLOATS, .n = 2, .floats = floats},
        {.name = "ints", .type = ATTRIBUTE_INTS, .n = 2, .ints = ints},
        {.name = "strings", .type = ATTRIBUTE_STRINGS, .n = 2, .strings = strings},
        {.name = "g", .type = ATTRIBUTE_GRAPH},
    };
    graph *g = with_input_and_output();
    minnow_error error;
    graph_node *node;
    const int32_t n = unary(g, "r", "x", "y");
    char name[32], text[64];
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_int_equal(graph_add_attribute(g, n, &all[i], &error), MINNOW_OK);
    node = &g->nodes[n];
    assert_true(graph_node_float(node, "f", 0) == 0.5f && graph_node_float(node, "absent", 9) == 9);
    assert_true(graph_node_int(node, "i", 0) == -7);
    assert_true(graph_node_int(node, "f", 3) == 3); /* another type: the fallback */
    assert_string_equal(graph_node_string(node, "s", ""), "hi");
    assert_int_equal(graph_node_attribute(node, "s")->s_bytes, 8);
    assert_memory_equal(graph_node_attribute(node, "s")->s, "hi\0there", 9);
    assert_int_equal(graph_node_attribute(node, "t")->t->type, DTYPE_INT64);
    assert_memory_equal(graph_node_attribute(node, "floats")->floats, floats, sizeof floats);
    assert_memory_equal(graph_node_attribute(node, "ints")->ints, ints, sizeof ints);
    assert_string_equal(graph_node_attribute(node, "strings")->strings[1], "bc");
    assert_int_equal(graph_node_attribute(node, "g")->type, ATTRIBUTE_GRAPH);
    assert_int_equal(graph_add_attribute(g, n, &all[1], &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message, "attribute 'i' is given twice");
    for (int i = (int)node->n_attributes; i < GRAPH_MAX_ATTRIBUTES; i++) {
        const graph_attribute more = {.name = name, .type = ATTRIBUTE_INT};
        snprintf(name, sizeof name, "more%d", i);
        assert_int_equal(graph_add_attribute(g, n, &more, &error), MINNOW_OK);
    }
    assert_int_equal(graph_add_attribute(g, n, &(graph_attribute){.name = "one", .type = ATTRIBUTE_INT}, &error),
                     MINNOW_ERROR_UNSUPPORTED);
    assert_string_equal(graph_node_describe(g, 0, text, sizeof text), "node 0 'r' (Relu)");
    assert_string_equal(graph_node_describe(g, 0, text, 7), "node 0");
    g->nodes[0].name = "";
    assert_string_equal(graph_node_describe(g, 0, text, sizeof text), "node 0 (Relu)");
    graph_close(&g);
}

static void keeps_opsets(void **state) {
    graph *g = graph_create();
    (void)state;
    assert_true(graph_opset_version(g, "") == 0);
    assert_true(graph_set_opset(g, "", 17) && graph_set_opset(g, "com.microsoft", 1) && graph_set_opset(g, "", 18));
    assert_true(g->n_opsets == 2 && graph_opset_version(g, "") == 18 && graph_opset_version(g, "com.microsoft") == 1);
    unary(g, "r", "x", "y");
    assert_true(g->nodes[0].opset == 18);
    graph_close(&g);
}

static void sort_keeps_what_is_in_order(void **state) {
    static const char names[] = "abcd";
    graph *g = with_input_and_output();
    minnow_error error;
    (void)state;
    /* Two strands, interleaved. */
    unary(g, "a", "x", "p");
    unary(g, "b", "x", "q");
    unary(g, "c", "q", "y");
    unary(g, "d", "p", "z");
    assert_int_equal(graph_sort(g, &error), MINNOW_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_true(g->nodes[i].name[0] == names[i]);
        assert_int_equal(g->values[g->nodes[i].outputs[0]].producer, i);
    }
    graph_close(&g);
}

static void sort_is_not_recursive(void **state) {
    enum { N = 100000 };
    graph *g = with_input_and_output();
    minnow_error error;
    char in[32], out[32];
    (void)state;
    for (int i = N - 1; i >= 0; i--) { /* backwards: the worst order */
        snprintf(in, sizeof in, i == 0 ? "x" : "v%d", i - 1);
        snprintf(out, sizeof out, i == N - 1 ? "y" : "v%d", i);
        assert_int_equal(unary(g, "", in, out), N - 1 - i);
    }
    assert_int_equal(graph_sort(g, &error), MINNOW_OK);
    assert_int_equal(g->n_nodes, N);
    for (size_t i = 1; i < N; i++) assert_int_equal(g->values[g->nodes[i].inputs[0]].producer, i - 1);
    graph_close(&g);
}

static void sort_fails(graph *g, const char *message) {
    minnow_error error = {MINNOW_OK, ""};
    assert_int_equal(graph_sort(g, &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message, message);
    graph_close(&g);
}

static void sort_refuses_what_has_no_order(void **state) {
    const tensor t = {DTYPE_FLOAT32, 1, {0}, NULL};
    graph *g = with_input_and_output();
    (void)state;
    unary(g, "r", "y", "y");
    sort_fails(g, "node 0 'r' (Relu): is in a cycle: it needs 'y'");
    g = with_input_and_output();
    unary(g, "r", "x", "y");
    unary(g, "s", "b", "a");
    unary(g, "t", "a", "b");
    sort_fails(g, "node 2 't' (Relu): is in a cycle: it needs 'a'");
    g = with_input_and_output();
    unary(g, "r", "x", "y");
    unary(g, "s", "x", "y");
    sort_fails(g, "node 1 's' (Relu): output is already made by another node: 'y'");
    g = with_input_and_output();
    unary(g, "r", "nobody", "y");
    sort_fails(g, "node 0 'r' (Relu): input is made by no node: 'nobody'");
    g = with_input_and_output();
    unary(g, "r", "x", "x");
    sort_fails(g, "node 0 'r' (Relu): output is also an input or constant of the graph: 'x'");
    g = with_input_and_output();
    assert_true(graph_add_constant(g, "w", &t) >= 0);
    unary(g, "r", "x", "w");
    sort_fails(g, "node 0 'r' (Relu): output is also an input or constant of the graph: 'w'");
    sort_fails(with_input_and_output(), "output 'y' of the graph is made by no node");
}

static void shape_fails(int type, int rank, const int64_t *dims, minnow_status status, const char *message) {
    minnow_error error = {MINNOW_OK, ""};
    size_t count = 77;
    assert_int_equal(tensor_check_shape((dtype)type, rank, dims, &count, &error), status);
    assert_string_equal(error.message, message);
    assert_int_equal(count, 77);
}

static void checks_shapes(void **state) {
    const int64_t small[] = {2, 3, 4}, empty[] = {5, 0, 7}, ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    const int64_t negative[] = {2, -1}, lowest[] = {INT64_MIN}, square[] = {INT64_C(1) << 32, INT64_C(1) << 32};
    const int64_t hidden[] = {0, INT64_MAX, INT64_MAX}, half[] = {INT64_C(1) << 62};
    minnow_error error;
    size_t count = 0;
    (void)state;
    assert_int_equal(tensor_check_shape(DTYPE_FLOAT32, 3, small, &count, &error), MINNOW_OK);
    assert_int_equal(count, 24);
    assert_int_equal(tensor_check_shape(DTYPE_BOOL, 0, small, &count, &error), MINNOW_OK);
    assert_int_equal(count, 1);
    assert_int_equal(tensor_check_shape(DTYPE_INT64, 3, empty, &count, &error), MINNOW_OK);
    assert_int_equal(count, 0);
    assert_int_equal(tensor_check_shape(DTYPE_INT8, 8, ones, &count, &error), MINNOW_OK);
    shape_fails(DTYPE_FLOAT32, 9, ones, MINNOW_ERROR_UNSUPPORTED, "rank 9 not supported (at most 8)");
    shape_fails(DTYPE_FLOAT32, -1, ones, MINNOW_ERROR_FORMAT, "rank -1 is negative");
    shape_fails(DTYPE_FLOAT32, 2, negative, MINNOW_ERROR_FORMAT, "dim 1 is negative: -1");
    shape_fails(DTYPE_FLOAT32, 1, lowest, MINNOW_ERROR_FORMAT, "dim 0 is negative: -9223372036854775808");
    shape_fails(DTYPE_STRING, 0, NULL, MINNOW_ERROR_UNSUPPORTED, "element type 8 (string) not supported");
    shape_fails(17, 0, NULL, MINNOW_ERROR_UNSUPPORTED, "element type 17 (unknown) not supported");
    shape_fails(DTYPE_UNDEFINED, 0, NULL, MINNOW_ERROR_UNSUPPORTED, "element type 0 (undefined) not supported");
    if (sizeof(size_t) < 8) skip();
    shape_fails(DTYPE_INT8, 2, square, MINNOW_ERROR_FORMAT, "dims overflow at dim 1: 4294967296");
    shape_fails(DTYPE_INT8, 3, hidden, MINNOW_ERROR_FORMAT, "dims overflow at dim 2: 9223372036854775807");
    shape_fails(DTYPE_INT16, 1, half, MINNOW_ERROR_FORMAT, "dims overflow: 4611686018427387904 elements of 2 bytes");
}

static void describes_tensors(void **state) {
    const tensor t = {DTYPE_FLOAT32, 3, {2, 7, 384}, NULL};
    const tensor scalar = {DTYPE_INT64, 0, {0}, NULL};
    char text[64];
    (void)state;
    assert_string_equal(tensor_describe(&t, text, sizeof text), "float32[2,7,384]");
    assert_string_equal(tensor_describe(&scalar, text, sizeof text), "int64[]");
    for (size_t n = 1; n < 20; n++) {
        memset(text, '#', sizeof text);
        assert_true(strlen(tensor_describe(&t, text, n)) < n);
        assert_int_equal(text[n], '#');
    }
    assert_string_equal(dtype_name((dtype)13), "uint64");
    assert_string_equal(dtype_name((dtype)15), "unknown");
    assert_string_equal(dtype_name((dtype)-1), "unknown");
    assert_int_equal(dtype_bytes((dtype)1000), 0);
    assert_int_equal(tensor_bytes(&t), 2 * 7 * 384 * 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_values_by_name),
        cmocka_unit_test(keeps_constants),
        cmocka_unit_test(keeps_attributes),
        cmocka_unit_test(keeps_opsets),
        cmocka_unit_test(sort_keeps_what_is_in_order),
        cmocka_unit_test(sort_is_not_recursive),
        cmocka_unit_test(sort_refuses_what_has_no_order),
        cmocka_unit_test(checks_shapes),
        cmocka_unit_test(describes_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
