/* SPDX-License-Identifier: Apache-2.0
 * If: its branches as the reader lays them out, in shape inference and in the interpreter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "convert/interpret/interpreter.h"
#include "convert/onnx/onnx.h"
#include "convert/shapes/infer.h"
#include "proto.h"

/* --- Messages ----------------------------------------------------------------------------------------------------- */

/* op(a, b) -> out; names may be NULL. */
static proto node(const char *op, const char *a, const char *b, const char *out) {
    proto p = {.n = 0};
    if (a) proto_text(&p, 1, a);
    if (b) proto_text(&p, 1, b);
    if (out) proto_text(&p, 2, out);
    proto_text(&p, 3, op);
    proto_text(&p, 4, op);
    return p;
}

static void add_graph(proto *p, const char *name, const proto *branch) {
    proto a = {.n = 0};
    proto_text(&a, 1, name);
    proto_message(&a, 6, branch);
    proto_int(&a, 20, 5);
    proto_message(p, 5, &a);
}

static proto if_node(const char *condition, const char *out, const proto *then_branch, const proto *else_branch) {
    proto p = node("If", condition, NULL, out);
    if (then_branch) add_graph(&p, "then_branch", then_branch);
    if (else_branch) add_graph(&p, "else_branch", else_branch);
    return p;
}

/* `n` nodes, and outputs of these names without types. */
static proto branch(const proto *nodes, size_t n, const char *out) {
    proto g = {.n = 0}, v = {.n = 0};
    for (size_t i = 0; i < n; i++) proto_message(&g, 1, &nodes[i]);
    proto_text(&v, 1, out);
    proto_message(&g, 12, &v);
    return g;
}

/* float32[1] of one number. */
static proto initializer(const char *name, float value) {
    proto t = {.n = 0};
    proto_int(&t, 1, 1);
    proto_int(&t, 2, 1);
    proto_float(&t, 4, value);
    proto_text(&t, 8, name);
    return t;
}

static proto value_info(const char *name, int type, const int64_t *dims, size_t rank) {
    proto v = {.n = 0}, t = {.n = 0}, s = {.n = 0}, whole = {.n = 0};
    for (size_t i = 0; i < rank; i++) {
        proto d = {.n = 0};
        proto_int(&d, 1, dims[i]);
        proto_message(&s, 1, &d);
    }
    proto_int(&t, 1, type);
    if (dims) proto_message(&t, 2, &s);
    proto_message(&whole, 1, &t);
    proto_text(&v, 1, name);
    proto_message(&v, 2, &whole);
    return v;
}

/* Inputs: booleans c and d, x float32[1, 3]; output y float32. */
static proto model(const proto *nodes, size_t n) {
    static const int64_t dims[] = {1, 3};
    proto g = {.n = 0}, m = {.n = 0}, opset = {.n = 0}, v;
    for (size_t i = 0; i < n; i++) proto_message(&g, 1, &nodes[i]);
    v = value_info("c", 9, dims, 0), proto_message(&g, 11, &v);
    v = value_info("d", 9, dims, 0), proto_message(&g, 11, &v);
    v = value_info("x", 1, dims, 2), proto_message(&g, 11, &v);
    v = value_info("y", 1, NULL, 0), proto_message(&g, 12, &v);
    proto_int(&opset, 2, 17);
    proto_int(&m, 1, 8);
    proto_message(&m, 7, &g);
    proto_message(&m, 8, &opset);
    return m;
}

/* --- Runs --------------------------------------------------------------------------------------------------------- */

static graph *read_model(const proto *m) {
    graph *g = NULL;
    minnow_error error;
    if (onnx_read(&g, m->bytes, m->n, NULL, &error)) fail_msg("%s", error.message);
    return g;
}

static minnow_status run(const graph *g, int c, int d, float *out, tensor *y, const interpreter_options *options,
                         minnow_error *error) {
    uint8_t booleans[] = {(uint8_t)c, (uint8_t)d};
    float x[] = {1, 2, 3};
    const tensor inputs[] = {{.type = DTYPE_BOOL, .data = &booleans[0]}, {.type = DTYPE_BOOL, .data = &booleans[1]},
                             {.type = DTYPE_FLOAT32, .rank = 2, .dims = {1, 3}, .data = x}};
    interpreter *in = NULL;
    minnow_status status = interpreter_create(&in, g, options, error);
    for (int i = 0; i < 2 && status == MINNOW_OK; i++) /* twice: nothing is left from a run */
        status = interpreter_run(in, inputs, y, NULL, error);
    if (status == MINNOW_OK) memcpy(out, y->data, tensor_bytes(y));
    interpreter_close(&in);
    return status;
}

static void gives(const graph *g, int c, int d, int rank, float wanted) {
    for (int no_fusion = 0; no_fusion < 2; no_fusion++) {
        float out[8];
        tensor y;
        minnow_error error;
        const interpreter_options options = {.no_fusion = no_fusion};
        if (run(g, c, d, out, &y, &options, &error)) fail_msg("%s", error.message);
        assert_int_equal(y.rank, rank);
        assert_true(out[2] == wanted);
    }
}

static void refuses(const proto *m, const char *message) {
    graph *g = NULL;
    minnow_error error;
    assert_int_not_equal(onnx_read(&g, m->bytes, m->n, NULL, &error), MINNOW_OK);
    assert_null(g);
    assert_string_equal(error.message, message);
}

static void refuses_run(const proto *m, int c, const char *message) {
    graph *g = read_model(m);
    float out[8];
    tensor y;
    minnow_error error;
    assert_int_not_equal(run(g, c, 1, out, &y, NULL, &error), MINNOW_OK);
    assert_string_equal(error.message, message);
    graph_close(&g);
}

/* As PyTorch writes squeeze: the branch that does not fit is not run. Both have a value "t"; one has a constant. */
static void takes_one_branch(void **state) {
    const proto squeeze[] = {node("Squeeze", "x", NULL, "s"), node("Add", "s", "k", "t")};
    const proto other = node("MatMul", "x", "x", "t");
    const proto k = initializer("k", 10);
    proto then_branch = branch(squeeze, 2, "t"), else_branch = branch(&other, 1, "t");
    (void)state;
    proto_message(&then_branch, 5, &k);
    const proto nodes[] = {if_node("c", "z", &then_branch, &else_branch), node("Neg", "z", NULL, "y")};
    const proto m = model(nodes, 2);
    graph *g = read_model(&m);
    minnow_error error;
    assert_int_equal(g->n_branches, 2);
    assert_int_equal(graph_infer_shapes(g, &error), MINNOW_OK);
    gives(g, 1, 0, 1, -13);
    graph_close(&g);
    refuses_run(&m, 0, "node 2 'MatMul' (MatMul): float32[1,3] times float32[1,3]");
}

static void branches_in_branches(void **state) {
    const proto add = node("Add", "x", "u", "t"), neg = node("Neg", "u", NULL, "t");
    const proto same = node("Identity", "x", NULL, "t"), outer_else = branch(&same, 1, "t");
    const proto inner_then = branch(&add, 1, "t"), inner_else = branch(&neg, 1, "t");
    (void)state;
    const proto nested[] = {if_node("q", "t", &inner_then, &inner_else), node("Not", "d", NULL, "q"),
                            node("Mul", "x", "x", "u")};
    const proto outer_then = branch(nested, 3, "t");
    const proto nodes[] = {node("Abs", "w", NULL, "y"), if_node("c", "w", &outer_then, &outer_else)};
    const proto m = model(nodes, 2);
    graph *g = read_model(&m);
    minnow_error error;
    assert_int_equal(graph_infer_shapes(g, &error), MINNOW_OK);
    assert_int_equal(g->values[g->outputs[0]].rank, 2);
    assert_int_equal(g->values[g->outputs[0]].dims[1].size, 3);
    gives(g, 1, 0, 2, 12);
    gives(g, 1, 1, 2, 9);
    gives(g, 0, 0, 2, 3);
    graph_close(&g);
}

static proto nest(int depth) {
    proto inner = node("Neg", "x", NULL, "t");
    for (int i = 0; i < depth; i++) {
        const proto b = branch(&inner, 1, "t");
        const proto leaf = node("Neg", "x", NULL, "t"), other = branch(&leaf, 1, "t");
        inner = if_node("c", i == depth - 1 ? "y" : "t", &b, &other);
    }
    return inner;
}

static void depth_is_bounded(void **state) {
    proto n = nest(GRAPH_MAX_NESTING), m = model(&n, 1);
    graph *g = read_model(&m);
    (void)state;
    gives(g, 1, 1, 2, -3);
    gives(g, 0, 1, 2, -3);
    graph_close(&g);
    n = nest(GRAPH_MAX_NESTING + 1), m = model(&n, 1);
    minnow_error error;
    assert_int_equal(onnx_read(&g, m.bytes, m.n, NULL, &error), MINNOW_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "more than 8 branches around each other not supported"));
}

static void refuses_what_is_no_if(void **state) {
    const proto neg = node("Neg", "x", NULL, "t"), good = branch(&neg, 1, "t");
    proto bad = branch(&neg, 1, "t"), n = if_node("c", "y", &good, NULL), m = model(&n, 1);
    (void)state;
    refuses(&m, "node 0 'If' (If): has no graph 'else_branch'");
    proto_message(&bad, 12, &(const proto){.bytes = {10, 1, 't'}, .n = 3});
    n = if_node("c", "y", &good, &bad), m = model(&n, 1);
    refuses(&m, "node 0 'If' (If): else_branch: 2 outputs, but the node has 1");
    bad = branch(&neg, 1, "t");
    proto_message(&bad, 11, &(const proto){.bytes = {10, 1, 'i'}, .n = 3});
    n = if_node("c", "y", &bad, &good), m = model(&n, 1);
    refuses(&m, "node 0 'If' (If): then_branch: a branch of an If has no inputs");
    n = if_node(NULL, "y", &good, &good), m = model(&n, 1);
    refuses(&m, "node 0 'If' (If): needs one condition");
    bad = branch(&neg, 1, "nobody");
    n = if_node("c", "y", &bad, &good), m = model(&n, 1);
    refuses(&m, "node 2 'If' (If): input is made by no node: 'nobody'");
    const proto loop = node("Neg", "y", NULL, "t");
    bad = branch(&loop, 1, "t");
    n = if_node("c", "y", &bad, &good), m = model(&n, 1);
    graph *g = NULL;
    minnow_error error;
    assert_int_equal(onnx_read(&g, m.bytes, m.n, NULL, &error), MINNOW_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "is in a cycle"));
    n = if_node("x", "y", &good, &good), m = model(&n, 1);
    refuses_run(&m, 1, "node 2 'If' (If): the condition must be one boolean");
    const proto unknown = node("Loop", "x", NULL, "t");
    bad = branch(&unknown, 1, "t");
    n = if_node("c", "y", &good, &bad), m = model(&n, 1);
    refuses_run(&m, 1, "node 1 'Loop' (Loop): operator Loop of opset 17 not supported; export without control flow");
}

/* A branch may be nothing but a value from outside. Graphs with Ifs are not written. */
static void branches_without_nodes(void **state) {
    const proto empty = branch(NULL, 0, "x"), neg = node("Neg", "x", NULL, "t"), other = branch(&neg, 1, "t");
    const proto n = if_node("c", "y", &empty, &other), m = model(&n, 1);
    graph *g = read_model(&m);
    minnow_error error;
    (void)state;
    gives(g, 1, 0, 2, 3);
    gives(g, 0, 0, 2, -3);
    assert_int_equal(onnx_write(g, "test_branch.onnx", &error), MINNOW_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "writing it is not supported"));
    graph_close(&g);
}

/* A Constant node of type `type` with the bytes given, [rows, columns] or a scalar if rows is 0. */
static proto constant(const char *out, int type, int64_t rows, int64_t columns, const void *data, size_t bytes) {
    proto p = node("Constant", NULL, NULL, out), a = {.n = 0}, t = {.n = 0}, raw = {.n = bytes};
    memcpy(raw.bytes, data, bytes);
    if (rows) proto_int(&t, 1, rows), proto_int(&t, 1, columns);
    proto_int(&t, 2, type);
    proto_message(&t, 9, &raw);
    proto_text(&a, 1, "value");
    proto_message(&a, 5, &t);
    proto_int(&a, 20, 4);
    proto_message(&p, 5, &a);
    return p;
}

static proto with_third(proto p, const char *input) {
    proto_text(&p, 1, input);
    return p;
}

/* A product that is rewritten reads the codes. Where its branch is not taken, the floats are still there for others. */
static void rewritten_in_a_branch(void **state) {
    static const uint8_t zero = 0, weights[9] = {1, 0, 0, 0, 1, 0, 0, 0, 2};
    static const float one = 1;
    const proto product = node("MatMul", "f", "wf", "t"), same = node("Identity", "x", NULL, "t");
    const proto then_branch = branch(&product, 1, "t"), else_branch = branch(&same, 1, "t");
    (void)state;
    const proto nodes[] = {constant("s", 1, 0, 0, &one, 4), constant("z", 2, 0, 0, &zero, 1),
                           constant("w", 2, 3, 3, weights, 9),
                           with_third(node("QuantizeLinear", "x", "s", "q"), "z"),
                           with_third(node("DequantizeLinear", "q", "s", "f"), "z"),
                           with_third(node("DequantizeLinear", "w", "s", "wf"), "z"),
                           if_node("c", "u", &then_branch, &else_branch), node("Add", "f", "u", "y")};
    const proto m = model(nodes, sizeof nodes / sizeof *nodes);
    graph *g = read_model(&m);
    gives(g, 1, 0, 2, 9);
    gives(g, 0, 0, 2, 6);
    graph_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_one_branch),
        cmocka_unit_test(branches_in_branches),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(refuses_what_is_no_if),
        cmocka_unit_test(branches_without_nodes),
        cmocka_unit_test(rewritten_in_a_branch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
