/* SPDX-License-Identifier: Apache-2.0
 * graph_infer_shapes: symbols through every family of operators, partial values, contradictions, hostile sizes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "convert/graph/graph.h"
#include "convert/onnx/onnx.h"
#include "convert/shapes/infer.h"

/* --- Small graphs from a line of text ------------------------------------------------------------------------- */

#define MAX_INPUTS 9

static minnow_error error;

/* An input whose shape is spelt "batch,seq,384" ("?": unknown, "": a scalar, "*": unknown rank). */
static int32_t input(graph *g, const char *name, dtype type, const char *spelt) {
    const int32_t v = graph_add_value(g, name);
    graph_value *value = &g->values[v];
    assert_true(v >= 0);
    value->type = type;
    value->rank = strcmp(spelt, "*") == 0 ? -1 : 0;
    while (value->rank >= 0 && *spelt != '\0') {
        const size_t n = strcspn(spelt, ",");
        graph_dim *dim = &value->dims[value->rank++];
        dim->size = -1;
        dim->symbol = NULL;
        if ((*spelt >= '0' && *spelt <= '9') || *spelt == '-') dim->size = strtoll(spelt, NULL, 10);
        else if (*spelt != '?') dim->symbol = arena_string(&g->memory, spelt, n);
        spelt += n + (spelt[n] == ',');
    }
    return v;
}

static int32_t integers(graph *g, const char *name, const int64_t *x, size_t n, int rank) {
    tensor *t = arena_alloc(&g->memory, sizeof *t);
    assert_non_null(t);
    t->type = DTYPE_INT64;
    t->rank = rank;
    t->dims[0] = (int64_t)n;
    t->data = arena_array(&g->memory, n, sizeof *x);
    assert_non_null(t->data);
    if (n > 0) memcpy(t->data, x, n * sizeof *x);
    return graph_add_constant(g, name, t);
}

static int32_t list(graph *g, const char *name, size_t n, ...) {
    int64_t x[64];
    va_list arguments;
    size_t i;
    va_start(arguments, n);
    for (i = 0; i < n; i++) x[i] = va_arg(arguments, int);
    va_end(arguments);
    return integers(g, name, x, n, 1);
}

static int32_t number(graph *g, const char *name, int64_t x) {
    return integers(g, name, &x, 1, 0);
}

/* A node with one output of the same name. */
static int32_t node(graph *g, const char *op, const char *name, size_t n, ...) {
    int32_t inputs[MAX_INPUTS], output = graph_add_value(g, name);
    va_list arguments;
    size_t i;
    int32_t index;
    assert_true(output >= 0);
    g->values[output].rank = -1;
    va_start(arguments, n);
    for (i = 0; i < n; i++) inputs[i] = va_arg(arguments, int);
    va_end(arguments);
    index = graph_add_node(g, op, name, inputs, n, &output, 1);
    assert_true(index >= 0);
    g->nodes[index].opset = 17;
    return output;
}

static void set_int(graph *g, const char *name, int64_t i) {
    graph_attribute a;
    memset(&a, 0, sizeof a);
    a.name = name;
    a.type = ATTRIBUTE_INT;
    a.i = i;
    assert_int_equal(graph_add_attribute(g, (int32_t)g->n_nodes - 1, &a, &error), MINNOW_OK);
}

static void set_ints(graph *g, const char *name, size_t n, ...) {
    int64_t x[64];
    graph_attribute a;
    va_list arguments;
    size_t i;
    va_start(arguments, n);
    for (i = 0; i < n; i++) x[i] = va_arg(arguments, int);
    va_end(arguments);
    memset(&a, 0, sizeof a);
    a.name = name;
    a.type = ATTRIBUTE_INTS;
    a.n = n;
    a.ints = x;
    assert_int_equal(graph_add_attribute(g, (int32_t)g->n_nodes - 1, &a, &error), MINNOW_OK);
}

static void set_string(graph *g, const char *name, const char *s) {
    graph_attribute a;
    memset(&a, 0, sizeof a);
    a.name = name;
    a.type = ATTRIBUTE_STRING;
    a.s = s;
    a.s_bytes = strlen(s);
    assert_int_equal(graph_add_attribute(g, (int32_t)g->n_nodes - 1, &a, &error), MINNOW_OK);
}

static void infer(graph *g) {
    error.message[0] = '\0';
    if (graph_infer_shapes(g, &error) != MINNOW_OK) fail_msg("%s", error.message);
}

static void refuses(graph *g, const char *message) {
    assert_int_equal(graph_infer_shapes(g, &error), MINNOW_ERROR_FORMAT);
    if (strstr(error.message, message) == NULL) fail_msg("'%s' is not in '%s'", message, error.message);
    graph_close(&g);
}

/* The shape as input() spells it. */
static void assert_shape(const graph *g, int32_t v, const char *expected) {
    char text[256] = "*";
    size_t used = 0;
    int d;
    if (g->values[v].rank >= 0) text[0] = '\0';
    for (d = 0; d < g->values[v].rank; d++) {
        const graph_dim *dim = &g->values[v].dims[d];
        const char *comma = d > 0 ? "," : "";
        if (dim->size >= 0) snprintf(text + used, sizeof text - used, "%s%lld", comma, (long long)dim->size);
        else snprintf(text + used, sizeof text - used, "%s%s", comma, dim->symbol != NULL ? dim->symbol : "?");
        used = strlen(text);
    }
    assert_string_equal(text, expected);
}

static void assert_type(const graph *g, int32_t v, dtype type) {
    assert_int_equal(g->values[v].type, type);
}

/* --- Elementwise ---------------------------------------------------------------------------------------------- */

static void test_broadcast(void **state) {
    graph *g = graph_create();
    const int32_t a = input(g, "a", DTYPE_FLOAT32, "batch,seq,32"), b = input(g, "b", DTYPE_FLOAT32, "32");
    const int32_t c = input(g, "c", DTYPE_FLOAT32, "1,seq,1"), d = input(g, "d", DTYPE_FLOAT32, "?,7,32");
    const int32_t ab = node(g, "Add", "ab", 2, a, b), ac = node(g, "Mul", "ac", 2, c, a), ad = node(g, "Sub", "ad", 2,
            a, d);
    const int32_t eq = node(g, "Equal", "eq", 2, a, b), nan = node(g, "IsNaN", "nan", 1, a);
    const int32_t where = node(g, "Where", "where", 3, eq, c, a), max = node(g, "Max", "max", 3, b, c, a);
    const int32_t cast = node(g, "Cast", "cast", 1, a);
    (void)state;
    set_int(g, "to", DTYPE_FLOAT16);
    infer(g);
    assert_shape(g, ab, "batch,seq,32");
    assert_shape(g, ac, "batch,seq,32");
    assert_shape(g, ad, "?,7,32");
    assert_shape(g, where, "batch,seq,32");
    assert_shape(g, max, "batch,seq,32");
    assert_type(g, eq, DTYPE_BOOL);
    assert_type(g, nan, DTYPE_BOOL);
    assert_type(g, where, DTYPE_FLOAT32);
    assert_type(g, cast, DTYPE_FLOAT16);
    assert_shape(g, cast, "batch,seq,32");
    graph_close(&g);
}

static void test_quantization(void **state) {
    graph *g = graph_create();
    const int32_t x = input(g, "x", DTYPE_FLOAT32, "batch,64"), scale = input(g, "scale", DTYPE_FLOAT32, "");
    const int32_t zero = input(g, "zero", DTYPE_INT8, ""), w = input(g, "w", DTYPE_INT8, "64,16");
    const int32_t q = node(g, "QuantizeLinear", "q", 3, x, scale, zero), q8 = node(g, "QuantizeLinear", "q8", 2, x,
            scale);
    const int32_t d = node(g, "DequantizeLinear", "d", 3, q, scale, zero), mm = node(g, "MatMulInteger", "mm", 2, q, w);
    const int32_t qmm = node(g, "QLinearMatMul", "qmm", 8, q, scale, zero, w, scale, zero, scale, zero);
    (void)state;
    infer(g);
    assert_type(g, q, DTYPE_INT8);
    assert_type(g, q8, DTYPE_UINT8);
    assert_type(g, d, DTYPE_FLOAT32);
    assert_shape(g, d, "batch,64");
    assert_type(g, mm, DTYPE_INT32);
    assert_shape(g, mm, "batch,16");
    assert_type(g, qmm, DTYPE_INT8);
    assert_shape(g, qmm, "batch,16");
    graph_close(&g);
}

/* The last node is one of onnxruntime's. */
static void ms(graph *g) { g->nodes[g->n_nodes - 1].domain = "com.microsoft"; }

static void test_contrib_quantization(void **state) {
    graph *g = graph_create();
    const int32_t x = input(g, "x", DTYPE_UINT8, "batch,seq,64"), w = input(g, "w", DTYPE_INT8, "64,96");
    const int32_t scale = input(g, "scale", DTYPE_FLOAT32, ""), zero = input(g, "zero", DTYPE_UINT8, "");
    const int32_t f = input(g, "f", DTYPE_FLOAT32, "batch,seq,64"), bias = input(g, "bias", DTYPE_FLOAT32, "96");
    const int32_t ids = input(g, "ids", DTYPE_INT64, "batch,seq"), words = input(g, "words", DTYPE_UINT8, "100,64");
    const int32_t rows = input(g, "rows", DTYPE_UINT8, "m,64"), row = input(g, "row", DTYPE_UINT8, "64");
    int32_t y[10];
    (void)state;
    y[0] = node(g, "MatMulIntegerToFloat", "y0", 4, x, w, scale, scale), ms(g);
    y[1] = node(g, "DynamicQuantizeMatMul", "y1", 3, f, w, scale), ms(g);
    y[2] = node(g, "QAttention", "y2", 5, x, w, bias, scale, scale), ms(g);
    set_int(g, "num_heads", 4);
    y[3] = node(g, "QEmbedLayerNormalization", "y3", 3, ids, ids, words), ms(g);
    y[4] = node(g, "QGemm", "y4", 6, rows, scale, zero, w, scale, zero), ms(g);
    y[5] = node(g, "QGemm", "y5", 9, rows, scale, zero, w, scale, zero, bias, scale, zero), ms(g);
    y[6] = node(g, "QLinearAdd", "y6", 8, x, scale, zero, row, scale, zero, scale, zero), ms(g);
    y[7] = node(g, "QLinearSoftmax", "y7", 5, x, scale, zero, scale, zero), ms(g);
    y[8] = node(g, "DequantizeLinear", "y8", 3, x, scale, zero), ms(g);
    y[9] = node(g, "QuantizeLinear", "y9", 3, f, scale, zero), ms(g);
    infer(g);
    assert_shape(g, y[0], "batch,seq,96");
    assert_shape(g, y[1], "batch,seq,96");
    assert_shape(g, y[2], "batch,seq,32");
    assert_shape(g, y[3], "batch,seq,64");
    assert_shape(g, y[4], "m,96");
    assert_shape(g, y[6], "batch,seq,64");
    assert_shape(g, y[7], "batch,seq,64");
    for (int i = 0; i < 5; i++) assert_type(g, y[i], DTYPE_FLOAT32);
    assert_type(g, y[5], DTYPE_UINT8);
    assert_type(g, y[6], DTYPE_UINT8);
    assert_type(g, y[8], DTYPE_FLOAT32);
    assert_type(g, y[9], DTYPE_UINT8);
    graph_close(&g);
}

/* --- Shapes that tensors compute ------------------------------------------------------------------------------ */

/* What torch emits to split heads: Shape -> Gather -> Unsqueeze -> Concat -> Reshape. */
static void test_shape_chain(void **state) {
    graph *g = graph_create();
    const int32_t x = input(g, "x", DTYPE_FLOAT32, "batch,seq,384"), axis = list(g, "axis", 1, 0);
    const int32_t shape = node(g, "Shape", "shape", 1, x);
    const int32_t b = node(g, "Gather", "b", 2, shape, number(g, "zero", 0));
    const int32_t s = node(g, "Gather", "s", 2, shape, number(g, "one", -2));
    const int32_t b1 = node(g, "Unsqueeze", "b1", 2, b, axis), s1 = node(g, "Unsqueeze", "s1", 2, s, axis);
    const int32_t to = node(g, "Concat", "to", 4, b1, s1, list(g, "heads", 1, 12), list(g, "rest", 1, -1));
    int32_t y, flat, back;
    (void)state;
    set_int(g, "axis", 0);
    y = node(g, "Reshape", "y", 2, x, to);
    flat = node(g, "Reshape", "flat", 2, y, list(g, "flat_to", 2, -1, 384));
    back = node(g, "Reshape", "back", 2, y, list(g, "back_to", 3, 0, 0, 384));
    infer(g);
    assert_shape(g, shape, "3");
    assert_shape(g, b, "");
    assert_shape(g, to, "4");
    assert_shape(g, y, "batch,seq,12,32");
    assert_shape(g, flat, "batch*seq,384");
    assert_shape(g, back, "batch,seq,384");
    graph_close(&g);
}

/* What torch emits for Expand: -1 in the target is replaced by Where(Equal(shape, -1), ones, shape). */
static void test_expand_idiom(void **state) {
    graph *g = graph_create();
    const int32_t mask = input(g, "mask", DTYPE_BOOL, "batch,1,1,seq"), ids = input(g, "ids", DTYPE_INT64, "batch,seq");
    const int32_t axis = list(g, "axis", 1, 0), shape = node(g, "Shape", "shape", 1, ids);
    const int32_t s = node(g, "Gather", "s", 2, shape, number(g, "one", 1));
    const int32_t s1 = node(g, "Unsqueeze", "s1", 2, s, axis);
    const int32_t to = node(g, "Concat", "to", 4, list(g, "m1", 1, -1), list(g, "one1", 1, 1), s1, list(g, "m2", 1,
            -1));
    int32_t ones, minus, equal, target, y;
    (void)state;
    set_int(g, "axis", 0);
    ones = node(g, "ConstantOfShape", "ones", 1, node(g, "Shape", "shape_of_to", 1, to));
    {
        static int64_t one = 1;
        tensor t = {DTYPE_INT64, 1, {1}, &one};
        graph_attribute a;
        memset(&a, 0, sizeof a);
        a.name = "value";
        a.type = ATTRIBUTE_TENSOR;
        a.t = &t;
        assert_int_equal(graph_add_attribute(g, (int32_t)g->n_nodes - 1, &a, &error), MINNOW_OK);
    }
    minus = node(g, "Mul", "minus", 2, ones, number(g, "minus_one", -1));
    equal = node(g, "Equal", "equal", 2, to, minus);
    target = node(g, "Where", "target", 3, equal, ones, to);
    y = node(g, "Expand", "y", 2, mask, target);
    infer(g);
    assert_shape(g, y, "batch,1,seq,seq");
    assert_type(g, y, DTYPE_BOOL);
    graph_close(&g);
}

static void test_positions(void **state) {
    graph *g = graph_create();
    const int32_t ids = input(g, "ids", DTYPE_INT64, "batch,seq"), positions = input(g, "positions", DTYPE_INT64,
            "1,512");
    const int32_t table = input(g, "table", DTYPE_FLOAT32, "512,32"), axis = list(g, "axis", 1, 0), one = list(g,
            "one", 1, 1);
    const int32_t shape = node(g, "Shape", "shape", 1, ids);
    const int32_t s = node(g, "Gather", "s", 2, shape, number(g, "one0", 1));
    const int32_t end = node(g, "Add", "end", 2, node(g, "Unsqueeze", "s1", 2, s, axis), list(g, "past", 1, 0));
    const int32_t used = node(g, "Slice", "used", 4, positions, axis, end, one);
    const int32_t y = node(g, "Gather", "y", 2, table, used);
    const int32_t range = node(g, "Range", "range", 3, number(g, "from", 0), s, number(g, "by", 1));
    const int32_t next = node(g, "Range", "next", 3, number(g, "from1", 0), node(g, "Add", "s_1", 2, s, number(g,
            "add", 1)),
                              number(g, "by1", 1));
    const int32_t tail = node(g, "Slice", "tail", 4, next, list(g, "t1", 1, 1), list(g, "t2", 1, INT32_MAX), axis);
    (void)state;
    infer(g);
    assert_shape(g, used, "1,seq");
    assert_shape(g, y, "1,seq,32");
    assert_shape(g, range, "seq");
    assert_type(g, range, DTYPE_INT64);
    assert_shape(g, next, "(seq + 1)");
    assert_shape(g, tail, "seq");
    graph_close(&g);
}

/* --- Layout ---------------------------------------------------------------------------------------------------- */

static void test_layout(void **state) {
    graph *g = graph_create();
    const int32_t x = input(g, "x", DTYPE_FLOAT32, "batch,seq,4,8"), y = input(g, "y", DTYPE_FLOAT32, "batch,seq");
    const int32_t t = node(g, "Transpose", "t", 1, x);
    const int32_t ones = input(g, "ones", DTYPE_FLOAT32, "1,4,1");
    int32_t flat, un, sq, cat, tile, none, all;
    (void)state;
    set_ints(g, "perm", 4, 0, 2, 1, 3);
    flat = node(g, "Flatten", "flat", 1, x);
    set_int(g, "axis", 2);
    un = node(g, "Unsqueeze", "un", 1, y); /* opset 11: an attribute */
    set_ints(g, "axes", 2, 1, -1);
    sq = node(g, "Squeeze", "sq", 2, un, list(g, "sq_axes", 1, 1));
    cat = node(g, "Concat", "cat", 3, y, y, y);
    set_int(g, "axis", -1);
    tile = node(g, "Tile", "tile", 2, y, list(g, "times", 2, 1, 3));
    none = node(g, "Squeeze", "none", 1, y);
    all = node(g, "Squeeze", "all", 2, ones, integers(g, "no_axes", NULL, 0, 1)); /* as in a run */
    infer(g);
    assert_shape(g, t, "batch,4,seq,8");
    assert_shape(g, flat, "batch*seq,32");
    assert_shape(g, un, "batch,1,seq,1");
    assert_shape(g, sq, "batch,seq,1");
    assert_shape(g, cat, "batch,3*seq");
    assert_shape(g, tile, "batch,3*seq");
    assert_shape(g, none, "*");
    assert_shape(g, all, "4");
    graph_close(&g);
}

static void test_slices_and_splits(void **state) {
    graph *g = graph_create();
    const int32_t x = input(g, "x", DTYPE_FLOAT32, "batch,seq,10"), outputs[2] = {graph_add_value(g, "p"),
            graph_add_value(g, "q")};
    const int32_t axes = list(g, "axes", 1, 2), split_inputs[2] = {x, list(g, "sizes", 2, 3, 7)};
    const int32_t back = node(g, "Slice", "back", 5, x, list(g, "b", 1, -1), list(g, "e", 1, -20), axes, list(g, "st",
            1, -3));
    const int32_t first = node(g, "Slice", "first", 4, x, list(g, "b1", 1, 0), list(g, "e1", 1, 1), list(g, "a1", 1,
            1));
    /* Backwards from before the first element: the first element, as in a run. */
    const int32_t before = node(g, "Slice", "before", 5, x, list(g, "b2", 1, -20), list(g, "e2", 1, -20), axes,
                                list(g, "st2", 1, -1));
    const int32_t cls = node(g, "Gather", "cls", 2, x, number(g, "zero", 0));
    (void)state;
    set_int(g, "axis", 1);
    g->values[outputs[0]].rank = g->values[outputs[1]].rank = -1;
    assert_true(graph_add_node(g, "Split", "split", split_inputs, 2, outputs, 2) >= 0);
    set_int(g, "axis", -1);
    infer(g);
    assert_shape(g, back, "batch,seq,4");
    assert_shape(g, first, "batch,1,10");
    assert_shape(g, before, "batch,seq,1");
    assert_shape(g, cls, "batch,10");
    assert_shape(g, outputs[0], "batch,seq,3");
    assert_shape(g, outputs[1], "batch,seq,7");
    graph_close(&g);
}

/* --- Sums ------------------------------------------------------------------------------------------------------ */

static void test_matmul(void **state) {
    graph *g = graph_create();
    const int32_t x = input(g, "x", DTYPE_FLOAT32, "batch,4,seq,8"), w = input(g, "w", DTYPE_FLOAT32, "8,16");
    const int32_t row = input(g, "row", DTYPE_FLOAT32, "8"), k = input(g, "k", DTYPE_FLOAT32, "batch,4,8,seq");
    const int32_t xw = node(g, "MatMul", "xw", 2, x, w), xk = node(g, "MatMul", "xk", 2, x, k);
    const int32_t rw = node(g, "MatMul", "rw", 2, row, w), xr = node(g, "MatMul", "xr", 2, x, row);
    const int32_t rr = node(g, "MatMul", "rr", 2, row, row);
    const int32_t a = input(g, "a", DTYPE_FLOAT32, "16,batch"), gemm = node(g, "Gemm", "gemm", 2, a, w);
    int32_t einsum;
    (void)state;
    set_int(g, "transA", 1);
    set_int(g, "transB", 1);
    einsum = node(g, "Einsum", "einsum", 2, x, x);
    set_string(g, "equation", "bhid, bhjd -> bhij");
    infer(g);
    assert_shape(g, xw, "batch,4,seq,16");
    assert_shape(g, xk, "batch,4,seq,seq");
    assert_shape(g, rw, "16");
    assert_shape(g, xr, "batch,4,seq");
    assert_shape(g, rr, "");
    assert_shape(g, gemm, "batch,8");
    assert_shape(g, einsum, "batch,4,seq,seq");
    graph_close(&g);
}

static void test_reductions(void **state) {
    graph *g = graph_create();
    const int32_t x = input(g, "x", DTYPE_FLOAT32, "batch,seq,32"), gamma = input(g, "gamma", DTYPE_FLOAT32, "32");
    const int32_t mean = node(g, "ReduceMean", "mean", 1, x);
    int32_t sum, all, norm, soft, count;
    (void)state;
    set_ints(g, "axes", 1, -1);
    sum = node(g, "ReduceSum", "sum", 2, x, list(g, "axes", 1, 1));
    set_int(g, "keepdims", 0);
    all = node(g, "ReduceMax", "all", 1, x);
    set_int(g, "keepdims", 0);
    norm = node(g, "LayerNormalization", "norm", 2, x, gamma);
    soft = node(g, "Softmax", "soft", 1, x);
    count = node(g, "ReduceProd", "count", 1, node(g, "Shape", "shape", 1, x));
    infer(g);
    assert_shape(g, mean, "batch,seq,1");
    assert_shape(g, sum, "batch,32");
    assert_shape(g, all, "");
    assert_shape(g, norm, "batch,seq,32");
    assert_shape(g, soft, "batch,seq,32");
    assert_shape(g, count, "1");
    graph_close(&g);
}

/* --- What is unknown, and what is wrong ------------------------------------------------------------------------ */

static void test_unknown_operators(void **state) {
    graph *g = graph_create();
    const int32_t x = input(g, "x", DTYPE_FLOAT32, "batch,32"), odd = node(g, "Frobnicate", "odd", 1, x);
    const int32_t told = node(g, "Frobnicate", "told", 1, x), after = node(g, "Relu", "after", 1, told);
    const int32_t foreign = node(g, "Add", "foreign", 2, x, x);
    (void)state;
    g->nodes[g->n_nodes - 1].domain = "com.example";
    g->values[told].type = DTYPE_FLOAT32; /* the file declares it */
    g->values[told].rank = 1;
    g->values[told].dims[0] = (graph_dim){-1, "batch"};
    infer(g);
    assert_shape(g, odd, "*");
    assert_shape(g, foreign, "*");
    assert_shape(g, after, "batch");
    infer(g); /* twice gives the same */
    assert_shape(g, after, "batch");
    graph_close(&g);
}

static graph *two_inputs(const char *op, const char *a, const char *b) {
    graph *g = graph_create();
    const int32_t x = input(g, "a", DTYPE_FLOAT32, a), y = input(g, "b", DTYPE_FLOAT32, b);
    node(g, op, "n", 2, x, y);
    return g;
}

static graph *with_list(const char *op, const char *a, size_t n, int x, int y) {
    graph *g = graph_create();
    const int32_t v = input(g, "a", DTYPE_FLOAT32, a);
    node(g, op, "n", 2, v, list(g, "list", n, x, y));
    return g;
}

static void test_contradictions(void **state) {
    (void)state;
    refuses(two_inputs("MatMul", "batch,7,384", "512,16"), "node 0 'n' (MatMul): 384 columns by 512 rows");
    refuses(two_inputs("MatMul", "3,4", ""), "scalar");
    refuses(two_inputs("Add", "batch,3", "batch,4"), "sizes 3 and 4 do not broadcast");
    refuses(two_inputs("Gemm", "3,4", "5,6"), "4 columns by 5 rows");
    refuses(two_inputs("Gemm", "3,4,5", "5,6"), "rank 3 and 2");
    refuses(two_inputs("Concat", "3,4", "3,5"), "sizes 4 and 5 of axis 1");
    refuses(two_inputs("LayerNormalization", "3,4", "5"), "do not broadcast");
    refuses(with_list("Reshape", "3,4", 2, 5, -1), "12 elements into rows of 5");
    refuses(with_list("Reshape", "3,4", 2, 5, 2), "12 elements into 10");
    refuses(with_list("Reshape", "3,4", 2, -1, -1), "more than one -1");
    refuses(with_list("Reshape", "3,4", 2, -7, 1), "size -7");
    refuses(with_list("Squeeze", "3,1", 1, 0, 0), "axis 0 has size 3");
    refuses(with_list("Squeeze", "3,1", 1, 2, 0), "axis 2 of a tensor of rank 2");
    refuses(with_list("Unsqueeze", "3,1", 2, 1, 1), "axis 1 twice");
    refuses(with_list("Tile", "3,1", 2, -1, 1), "-1 repeats");
    refuses(with_list("Expand", "3,2", 2, 3, 5), "do not broadcast");
}

static void test_missing_input(void **state) {
    graph *g = graph_create();
    const int32_t x = input(g, "x", DTYPE_FLOAT32, "3");
    (void)state;
    node(g, "Add", "n", 2, x, GRAPH_NO_VALUE);
    refuses(g, "node 0 'n' (Add): input 1 is missing");
}

static void test_types_disagree(void **state) {
    graph *g = graph_create();
    const int32_t x = input(g, "x", DTYPE_FLOAT32, "3"), y = input(g, "y", DTYPE_INT64, "3");
    (void)state;
    node(g, "Add", "n", 2, x, y);
    refuses(g, "float32 and int64");
}

/* Sizes that overflow, huge results and ranks: unknown, quickly, in little memory. */
static void test_hostile_sizes(void **state) {
    static const int64_t big[3] = {INT64_MAX, INT64_MAX, 1}, low[1] = {INT64_MIN}, one[1] = {1};
    graph *g = graph_create();
    const int32_t n = integers(g, "n", big, 3, 1), min = integers(g, "min", low, 1, 0), unit = integers(g, "unit",
            one, 1, 0);
    const int32_t filled = node(g, "ConstantOfShape", "filled", 1, n), size = node(g, "Size", "size", 1, filled);
    const int32_t range = node(g, "Range", "range", 3, min, integers(g, "max", big, 1, 0), unit);
    const int32_t back = node(g, "Range", "back", 3, min, unit, min), tile = node(g, "Tile", "tile", 2, filled, n);
    const int32_t divided = node(g, "Div", "divided", 2, min, number(g, "minus", -1));
    const int32_t modulo = node(g, "Mod", "modulo", 2, min, number(g, "minus1", -1));
    const int32_t x = input(g, "x", DTYPE_FLOAT32, "1,1,1,1,1,1,1,1"), deep = node(g, "Unsqueeze", "deep", 2, x,
            list(g, "l", 1, 0));
    const int32_t slice = node(g, "Slice", "slice", 5, x, integers(g, "s", big, 1, 1), integers(g, "e", low, 1, 1),
                               list(g, "a", 1, 3), integers(g, "st", low, 1, 1));
    (void)state;
    infer(g);
    assert_shape(g, filled, "9223372036854775807,9223372036854775807,1");
    assert_shape(g, size, "");
    assert_shape(g, range, "?");
    assert_shape(g, back, "?");
    assert_shape(g, tile, "?,?,1");
    assert_shape(g, divided, "");
    assert_shape(g, modulo, "");
    assert_shape(g, deep, "*");
    assert_shape(g, slice, "1,1,1,1,1,1,1,1");
    graph_close(&g);
}

/* Sums and products of symbols grow in name, not in number: names that get long become unknown. */
static void test_growing_names(void **state) {
    graph *g = graph_create();
    const int32_t x = input(g, "x", DTYPE_INT64, "a_rather_long_name,another_rather_long_name");
    int32_t n = node(g, "Shape", "shape", 1, x), first = node(g, "Gather", "first", 2, n, number(g, "zero", 0));
    int32_t y;
    int i;
    char name[16];
    (void)state;
    n = node(g, "ReduceProd", "product", 1, n);
    for (i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "n%d", i);
        n = node(g, i % 2 ? "Add" : "Mul", name, 2, n, i % 3 ? n : first);
    }
    y = node(g, "ConstantOfShape", "y", 1, n);
    infer(g);
    assert_shape(g, y, "?");
    graph_close(&g);
}

/* --- A model of the real kind ---------------------------------------------------------------------------------- */

/* Every value of an exported model gets a shape, and none is a guess: the output is what the file itself declares. */
static void test_exported_models(void **state) {
    static const char *const names[] = {"bert_ts11", "bert_ts14", "bert_ts17_sdpa", "bert_ts17_pooled",
            "distilbert_ts14",
                                        "bert_dynamo18", "bert_dynamo20", "bert_ort_qdq", "bert_ort_qoperator",
                                        "bert_ort_dynamic_u8", "bert_ort_dynamic_s8"};
    static const char *const folders[] = {"tests/golden/onnx", "../shared/golden/onnx"};
    size_t i, k, tried = 0;
    int d;
    (void)state;
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128] = "";
        graph *g = NULL;
        for (k = 0; k < 2 && !file_exists(path); k++) snprintf(path, sizeof path, "%s/%s.onnx", folders[k], names[i]);
        if (!file_exists(path)) continue;
        tried++;
        if (onnx_open(&g, path, 0, &error) != MINNOW_OK) fail_msg("%s", error.message);
        for (k = 0; k < g->n_values; k++) /* without the exporter's own intermediate shapes */
            if (g->values[k].producer >= 0) g->values[k].rank = -1, g->values[k].type = DTYPE_UNDEFINED;
        infer(g);
        for (k = 0; k < g->n_values; k++) {
            const graph_value *v = &g->values[k];
            if (v->rank < 0 || v->type == DTYPE_UNDEFINED) fail_msg("%s: %s is unknown", names[i], v->name);
            for (d = 0; d < v->rank; d++)
                if (v->dims[d].size < 0 && v->dims[d].symbol == NULL)
                    fail_msg("%s: axis %d of %s is unknown", names[i], d, v->name);
        }
        assert_shape(g, graph_find_value(g, "last_hidden_state"), "batch,seq,32");
        graph_close(&g);
    }
    if (tried == 0) skip();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broadcast),        cmocka_unit_test(test_quantization),
        cmocka_unit_test(test_contrib_quantization),
        cmocka_unit_test(test_shape_chain),      cmocka_unit_test(test_expand_idiom),
        cmocka_unit_test(test_positions),        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_slices_and_splits), cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_reductions),       cmocka_unit_test(test_unknown_operators),
        cmocka_unit_test(test_contradictions),   cmocka_unit_test(test_missing_input),
        cmocka_unit_test(test_types_disagree),   cmocka_unit_test(test_hostile_sizes),
        cmocka_unit_test(test_growing_names),    cmocka_unit_test(test_exported_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
