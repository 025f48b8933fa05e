/* SPDX-License-Identifier: Apache-2.0
 * The interpreter on graphs that nobody would write. The first byte says how the rest is read: even, an ONNX file, run
 * on made inputs; 1 mod 4, a recipe for a small graph of random operators, shapes, attributes and constants; 3 mod 4,
 * one for a chain of the kinds that fusion looks for. Memory and work are limited, and what runs both fused and node by
 * node must give the same bits (NaNs count as equal).
 * Covers: src/convert/interpret src/convert/graph/sort.c src/convert/math */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/onnx/onnx.h"
#include "run_graph.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_TENSORS 12
#define MAX_NODES 10
#define MAX_OPERANDS 9

/* --- ONNX files --------------------------------------------------------------------------------------------------- */

static void run_file(const uint8_t *data, size_t size) {
    graph *g = NULL;
    minnow_error error;
    tensor inputs[MAX_TENSORS];
    void *owned[MAX_TENSORS] = {NULL};
    size_t count;
    int fits = 1;
    if (onnx_read(&g, data, size, NULL, &error) != MINNOW_OK) return;
    if (g->n_inputs > MAX_TENSORS) fits = 0;
    for (size_t i = 0; fits && i < g->n_inputs; i++) {
        const graph_value *v = &g->values[g->inputs[i]];
        tensor *t = &inputs[i];
        *t = (tensor){.type = v->type == DTYPE_UNDEFINED ? DTYPE_FLOAT32 : v->type, .rank = v->rank < 0 ? 2 : v->rank};
        for (int d = 0; d < t->rank; d++) t->dims[d] = v->rank >= 0 && v->dims[d].size >= 0 ? v->dims[d].size : 3;
        if (tensor_check_shape(t->type, t->rank, t->dims, &count, &error) != MINNOW_OK || count > 4096) {
            fits = 0;
            break;
        }
        owned[i] = t->data = calloc(count + 1, 8);
        if (!t->data) abort();
        for (size_t k = 0; k < count; k++) ((uint8_t *)t->data)[k * dtype_bytes(t->type)] = (uint8_t)(k % 3);
    }
    if (fits) (void)run_both(g, inputs, 0, NULL);
    for (size_t i = 0; i < MAX_TENSORS; i++) free(owned[i]);
    graph_close(&g);
}

/* --- Recipes ------------------------------------------------------------------------------------------------------ */

static const char *const operators[] = {
    "Add", "Sub", "Mul", "Div", "Mod", "Pow", "Max", "Min", "Sum", "Mean", "PRelu", "And", "Or", "Xor", "Not", "Equal",
        "Greater",
    "GreaterOrEqual", "Less", "LessOrEqual", "Where", "IsNaN", "IsInf", "Abs", "Ceil", "Cos", "Erf", "Exp", "Floor",
        "Log", "Neg",
    "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Softplus", "Sqrt", "Tanh", "Gelu", "LeakyRelu",
        "HardSigmoid",
    "HardSwish", "Elu", "Clip", "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1",
        "ReduceL2",
    "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp", "ArgMax", "ArgMin", "CumSum", "TopK", "Transpose", "Concat",
        "Split",
    "Slice", "Expand", "Tile", "Pad", "Trilu", "Constant", "ConstantOfShape", "Shape", "Size", "Range", "Identity",
        "Reshape",
    "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Cast", "CastLike", "OneHot", "Gather", "GatherElements", "GatherND",
    "ScatterElements", "ScatterND", "MatMul", "Gemm", "Einsum", "LayerNormalization", "RMSNormalization", "Softmax",
        "LogSoftmax",
    "MatMul", "MatMul", "Transpose", "Add", "Softmax", "Mul", "Div",
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QLinearMatMul",
    "com.microsoft:MatMulIntegerToFloat", "com.microsoft:DynamicQuantizeMatMul", "com.microsoft:QGemm",
    "com.microsoft:QLinearAdd", "com.microsoft:QLinearMul", "com.microsoft:QLinearSoftmax",
    "com.microsoft:QuantizeLinear", "com.microsoft:DequantizeLinear"};
static const char *const int_names[] = {"axis", "keepdims", "transA", "transB", "to", "largest", "upper", "exclusive",
                                        "reverse",
                                        "batch_dims", "allowzero", "start", "end", "num_outputs", "fmod",
                                            "noop_with_empty_axes", "block_size", "output_dtype", "opset"};
static const char *const ints_names[] = {"axes", "perm", "split", "value_ints"};
static const char *const string_names[] = {"mode", "equation", "reduction", "approximate"};
static const char *const strings[] = {"reflect", "edge", "wrap", "constant", "ij,jk->ik", "...ij,...jk->...ik",
                                      "ii->i", "ij->",
                                      "a,b->ba", "abc,adc->bd", "add", "mul", "min", "max", "tanh", "none"};
static const int64_t numbers[] = {0, 1, 2, 3, 4, 5, -1, -2, -3, 7, 8, 16, INT64_MAX, INT64_MIN, INT32_MAX,
                                  (int64_t)1 << 32};
static const int64_t opsets[] = {11, 12, 13, 14, 17, 18, 20, 23};

#define PICK(list, b) list[next(b) % (sizeof list / sizeof *list)]

static void add_attribute(graph *g, int32_t node, bytes *b) {
    int64_t ints[4];
    graph_attribute a = {0};
    minnow_error error;
    switch (next(b) % 4) {
    case 0:
    case 1: a.type = ATTRIBUTE_INT, a.name = PICK(int_names, b), a.i = PICK(numbers, b); break;
    case 2:
        a.type = ATTRIBUTE_INTS, a.name = PICK(ints_names, b), a.n = next(b) % 5, a.ints = ints;
        for (size_t i = 0; i < a.n; i++) ints[i] = PICK(numbers, b);
        break;
    default: a.type = ATTRIBUTE_STRING, a.name = PICK(string_names, b), a.s = PICK(strings, b),
        a.s_bytes = strlen(a.s); break;
    }
    if (graph_add_attribute(g, node, &a, &error) != MINNOW_OK) return;
}

/* A tensor of a few elements: patterns, small numbers or extremes. */
static tensor make_tensor(graph *g, bytes *b) {
    static const dtype types[] = {DTYPE_FLOAT32, DTYPE_FLOAT32, DTYPE_FLOAT32, DTYPE_INT64, DTYPE_INT64, DTYPE_INT32,
                                  DTYPE_BOOL,
                                  DTYPE_FLOAT16, DTYPE_BFLOAT16, DTYPE_FLOAT64, DTYPE_INT8, DTYPE_UINT8, DTYPE_UINT64,
                                      DTYPE_UINT16,
                                  DTYPE_INT16, DTYPE_UINT32};
    static const int64_t sizes[] = {1, 2, 3, 4, 0, 5, 1, 2};
    tensor t = {.type = PICK(types, b), .rank = (int)(next(b) % 5)};
    for (int d = 0; d < t.rank; d++) t.dims[d] = PICK(sizes, b);
    const size_t n = tensor_count(&t), size = dtype_bytes(t.type);
    const unsigned how = next(b);
    unsigned char *p = arena_alloc(&g->memory, n * 8 + 8);
    if (!p) abort();
    for (size_t i = 0; i < n; i++) {
        const int64_t number = PICK(numbers, b);
        const float f = how & 1 ? (float)number / 8.0f : 0.25f * (float)(i % 7) - 0.75f;
        const double d = (double)f;
        if (t.type == DTYPE_FLOAT32) memcpy(p + i * size, &f, size);
        else if (t.type == DTYPE_FLOAT64) memcpy(p + i * size, &d, size);
        else memcpy(p + i * size, &number, size);
    }
    t.data = p;
    return t;
}

static void add_node(graph *g, bytes *b, size_t number) {
    int32_t in[MAX_OPERANDS], out[3];
    const unsigned wide = next(b); /* quantized operators have up to nine inputs and three outputs */
    const size_t n_in = wide % 8 == 7 ? 6 + wide / 8 % 4 : wide % 5 + (next(b) & 1);
    const size_t n_out = next(b) % 8 == 0 ? 2 + (wide >> 6 & 1) : 1;
    char name[16];
    for (size_t i = 0; i < n_in && i < MAX_OPERANDS; i++) {
        const unsigned pick = next(b);
        in[i] = pick % 16 == 15 ? GRAPH_NO_VALUE : (int32_t)(g->n_values - 1 - pick % (g->n_values < 15 ? g->n_values
                                                                                       : 15));
    }
    const char *op = PICK(operators, b);
    for (size_t i = 0; i < n_out; i++) {
        snprintf(name, sizeof name, "n%zu_%zu", number, i);
        out[i] = graph_add_value(g, name);
        if (out[i] < 0) abort();
    }
    const char *colon = strchr(op, ':');
    const int32_t node = graph_add_node(g, colon ? colon + 1 : op, "", in, n_in, out, n_out);
    if (node < 0) abort();
    g->nodes[node].opset = PICK(opsets, b);
    if (colon) g->nodes[node].domain = "com.microsoft";
    for (unsigned i = next(b) % 3; i > 0; i--) add_attribute(g, node, b);
}

static void run_recipe(bytes b) {
    tensor inputs[MAX_TENSORS];
    graph *g = graph_create();
    minnow_error error;
    if (!g) abort();
    g->inputs = arena_array(&g->memory, MAX_TENSORS, sizeof *g->inputs);
    g->outputs = arena_array(&g->memory, 3 * MAX_NODES, sizeof *g->outputs);
    if (!g->inputs || !g->outputs) abort();
    const unsigned threaded = next(&b) % 8 == 0, n_tensors = next(&b) % MAX_TENSORS + 1,
        n_nodes = next(&b) % MAX_NODES + 1;
    for (unsigned i = 0; i < n_tensors; i++) {
        char name[16];
        const int constant = next(&b) & 1;
        const tensor t = make_tensor(g, &b);
        snprintf(name, sizeof name, "t%u", i);
        const int32_t v = constant ? graph_add_constant(g, name, &t) : graph_add_value(g, name);
        if (v < 0) abort();
        if (constant) continue;
        g->values[v].type = t.type;
        g->values[v].rank = -1;
        inputs[g->n_inputs] = t;
        g->inputs[g->n_inputs++] = v;
    }
    for (unsigned i = 0; i < n_nodes; i++) add_node(g, &b, i);
    /* Outputs: the last values, so that chains have insides. */
    for (unsigned i = next(&b) % 3 + 1; i > 0 && i <= g->n_values; i--)
        g->outputs[g->n_outputs++] = (int32_t)(g->n_values - i);
    if (graph_sort(g, &error) == MINNOW_OK) (void)run_both(g, inputs, (int)threaded, NULL);
    graph_close(&g);
}

/* --- Chains: what fusion looks for, with links left out, doubled, swapped or of another shape --------------------------- */

static int32_t add_filled(graph *g, bytes *b, const char *name, int constant, int rank, const int64_t *dims,
                          tensor *inputs) {
    tensor t = {.type = next(b) % 64 == 0 ? DTYPE_FLOAT64 : DTYPE_FLOAT32, .rank = rank};
    for (int d = 0; d < rank; d++) t.dims[d] = next(b) % 16 == 0 ? (int64_t)(next(b) % 4) : dims[d];
    const size_t n = tensor_count(&t);
    const unsigned salt = next(b);
    float *p = arena_alloc(&g->memory, n * 8 + 8);
    if (!p) abort();
    for (size_t i = 0; i < n * dtype_bytes(t.type) / 4; i++) p[i] = (float)((i * 37 + salt) % 23) * 0.125f - 1.25f;
    if (rank == 0) p[0] = salt % 4 == 0 ? 1.41421354f : salt % 4 == 1 ? 1.0f : salt % 4 == 2 ? 0.5f : (float)salt;
    t.data = p;
    const int32_t v = constant ? graph_add_constant(g, name, &t) : graph_add_value(g, name);
    if (v < 0) abort();
    if (constant) return v;
    g->values[v].rank = -1;
    inputs[g->n_inputs] = t;
    g->inputs[g->n_inputs++] = v;
    return v;
}

static int32_t add_link(graph *g, const char *op, int32_t a, int32_t b, int swapped) {
    char name[24];
    const int32_t in[2] = {swapped && b >= 0 ? b : a, swapped && b >= 0 ? a : b};
    snprintf(name, sizeof name, "n%zu", g->n_nodes);
    const int32_t out = graph_add_value(g, name);
    const int32_t node = out < 0 ? -1 : graph_add_node(g, op, "", in, b < 0 ? 1 : 2, &out, 1);
    if (node < 0) abort();
    g->nodes[node].opset = 20;
    return out;
}

static int32_t transposed(graph *g, bytes *b, int32_t x) {
    static const int64_t perms[][4] = {{0, 2, 1, 3}, {0, 2, 3, 1}, {0, 1, 3, 2}, {2, 1, 0, 3}};
    const graph_attribute perm = {.name = "perm", .type = ATTRIBUTE_INTS, .n = 4, .ints = perms[next(b) % 4]};
    const int32_t y = add_link(g, "Transpose", x, -1, 0);
    minnow_error error;
    if (graph_add_attribute(g, g->values[y].producer, &perm, &error) != MINNOW_OK) abort();
    return y;
}

/* After a product: links in the usual order, each there or not. */
static int32_t add_links(graph *g, bytes *b, int32_t x, const int32_t *constants, int32_t bias, int32_t residual) {
    const unsigned which = next(b), swaps = next(b);
    if (which & 1) x = add_link(g, swaps & 1 ? "Div" : "Mul", x, constants[next(b) % 4], swaps >> 1 & 1);
    if (which & 2) x = add_link(g, "Add", x, bias, swaps >> 2 & 1);
    if (which & 4) {
        const int32_t h = x, e = add_link(g, "Erf", add_link(g, "Div", h, constants[next(b) % 4], 0), -1, 0);
        x = add_link(g, "Mul", h, add_link(g, "Add", e, constants[next(b) % 4], swaps >> 3 & 1), swaps >> 4 & 1);
        x = add_link(g, "Mul", x, constants[next(b) % 4], swaps >> 5 & 1);
    }
    if (which & 8) x = add_link(g, "Gelu", x, -1, 0);
    if (which & 16) x = add_link(g, "Add", x, residual, swaps >> 6 & 1);
    if (which & 32) x = add_link(g, "Softmax", x, -1, 0);
    return x;
}

static int32_t add_attention(graph *g, bytes *b, const int32_t *constants, tensor *inputs) {
    static const int64_t heads[4] = {2, 3, 2, 4}, mask[4] = {2, 1, 1, 3};
    const int32_t q = add_filled(g, b, "q", 0, 4, heads, inputs), k = add_filled(g, b, "k", 0, 4, heads, inputs);
    const int32_t v = add_filled(g, b, "v", 0, 4, heads, inputs);
    const int32_t m = add_filled(g, b, "m", next(b) & 1, 4, mask, inputs);
    const int32_t qt = transposed(g, b, q), kt = transposed(g, b, k);
    const int32_t scores = add_links(g, b, add_link(g, "MatMul", qt, kt, 0), constants, m, m);
    return transposed(g, b, add_link(g, "MatMul", scores, transposed(g, b, v), 0));
}

static int32_t add_linear(graph *g, bytes *b, const int32_t *constants, tensor *inputs) {
    static const int64_t wide[3] = {2, 3, 5}, narrow[3] = {2, 3, 4}, weights[2] = {4, 5};
    const int32_t x = add_filled(g, b, "x", 0, 3, narrow, inputs);
    const int32_t w = add_filled(g, b, "w", next(b) % 8 != 0, 2, weights, inputs);
    const int32_t bias = add_filled(g, b, "b", next(b) % 8 != 0, 1, wide + 2, inputs);
    const int32_t residual = add_filled(g, b, "r", next(b) % 8 == 0, 3, wide, inputs);
    return add_links(g, b, add_link(g, "MatMul", x, w, 0), constants, bias, residual);
}

static int32_t add_codes(graph *g, bytes *b, const char *name, int rank, const int64_t *dims, tensor *inputs) {
    const unsigned how = next(b);
    tensor t = {.type = how & 1 ? DTYPE_INT8 : DTYPE_UINT8, .rank = rank};
    for (int d = 0; d < rank; d++) t.dims[d] = next(b) % 16 == 0 ? (int64_t)(next(b) % 4) : dims[d];
    const size_t n = tensor_count(&t);
    uint8_t *p = arena_alloc(&g->memory, n + 8);
    if (!p) abort();
    for (size_t i = 0; i < n; i++) p[i] = (uint8_t)(i * 37 + how);
    t.data = p;
    const int constant = how % 8 != 6;
    const int32_t v = constant ? graph_add_constant(g, name, &t) : graph_add_value(g, name);
    if (v < 0) abort();
    if (constant) return v;
    g->values[v].rank = -1;
    inputs[g->n_inputs] = t;
    g->inputs[g->n_inputs++] = v;
    return v;
}

static int32_t add_operator(graph *g, const char *op, const int32_t *in, size_t n_in, int32_t *out, size_t n_out) {
    for (size_t i = 0; i < n_out; i++) {
        char name[24];
        snprintf(name, sizeof name, "q%zu_%zu", g->n_nodes, i);
        out[i] = graph_add_value(g, name);
        if (out[i] < 0) abort();
    }
    const int32_t node = graph_add_node(g, op, "", in, n_in, out, n_out);
    if (node < 0) abort();
    g->nodes[node].opset = 21;
    return out[0];
}

/* A product of codes, dynamic (MatMulInteger, Cast, Mul) or between DequantizeLinear, and what follows. */
static int32_t add_quantized(graph *g, bytes *b, const int32_t *constants, tensor *inputs) {
    static const int64_t wide[3] = {2, 3, 5}, narrow[3] = {2, 3, 4}, weights[2] = {4, 5};
    const int32_t x = add_filled(g, b, "x", 0, 3, narrow, inputs);
    const int32_t w = add_codes(g, b, "w", 2, weights, inputs);
    const int32_t z = add_codes(g, b, "z", (int)(next(b) & 1), wide + 2, inputs);
    const int32_t bias = add_filled(g, b, "b", next(b) % 8 != 0, 1, wide + 2, inputs);
    const int32_t residual = add_filled(g, b, "r", next(b) % 8 == 0, 3, wide, inputs);
    const unsigned how = next(b);
    int32_t codes[3], y;
    if (how & 1) {
        add_operator(g, "DynamicQuantizeLinear", &x, 1, codes, 3);
        const int32_t in[4] = {codes[0], w, how & 2 ? codes[2] : -1, how & 4 ? z : -1};
        const int32_t sums = add_operator(g, "MatMulInteger", in, 4, &y, 1);
        const int32_t cast = add_operator(g, "Cast", &sums, 1, &y, 1);
        const graph_attribute to = {.name = "to", .type = ATTRIBUTE_INT, .i = next(b) % 16 == 0 ? DTYPE_FLOAT64 : 1};
        minnow_error error;
        if (graph_add_attribute(g, g->values[cast].producer, &to, &error) != MINNOW_OK) abort();
        y = add_link(g, "Mul", cast, how & 8 ? codes[1] : bias, how >> 4 & 1);
    } else {
        const int32_t zero = add_codes(g, b, "xz", 0, NULL, inputs);
        int32_t both[2], out;
        const int32_t q[3] = {x, constants[next(b) % 4], zero};
        const int32_t left[3] = {add_operator(g, "QuantizeLinear", q, 3, &out, 1), q[1], zero};
        const int32_t right[3] = {w, how & 2 ? bias : constants[next(b) % 4], how & 4 ? z : -1};
        both[0] = add_operator(g, "DequantizeLinear", left, 3, &out, 1);
        both[1] = add_operator(g, "DequantizeLinear", right, 3, &out, 1);
        y = add_operator(g, how & 8 ? "Mul" : "MatMul", both, 2, &out, 1);
        if (how & 16) y = add_link(g, "Softmax", both[0], -1, 0);
        const int32_t last[3] = {y, constants[next(b) % 4], zero};
        if (how & 32) y = add_operator(g, "QuantizeLinear", last, 3, &out, 1);
    }
    return add_links(g, b, y, constants, bias, residual);
}

static void run_chain(bytes b) {
    tensor inputs[MAX_TENSORS];
    int32_t constants[4];
    minnow_error error;
    graph *g = graph_create();
    if (!g) abort();
    g->inputs = arena_array(&g->memory, MAX_TENSORS, sizeof *g->inputs);
    g->outputs = arena_array(&g->memory, 2, sizeof *g->outputs);
    if (!g->inputs || !g->outputs) abort();
    const int threaded = next(&b) % 8 == 0;
    const unsigned kind = next(&b);
    for (int i = 0; i < 4; i++) {
        static const char *const names[4] = {"c0", "c1", "c2", "c3"};
        constants[i] = add_filled(g, &b, names[i], 1, 0, NULL, inputs);
    }
    const int32_t end = kind % 8 >= 6 ? add_quantized(g, &b, constants, inputs)
        : kind & 1                    ? add_attention(g, &b, constants, inputs)
                                      : add_linear(g, &b, constants, inputs);
    g->outputs[g->n_outputs++] = end;
    if (next(&b) % 4 == 0) g->outputs[g->n_outputs++] = (int32_t)(next(&b) % g->n_values); /* an inside, seen */
    if (graph_sort(g, &error) == MINNOW_OK) (void)run_both(g, inputs, threaded, NULL);
    graph_close(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    if ((data[0] & 3) == 3) run_chain((bytes){data + 1, size - 1});
    else if (data[0] & 1) run_recipe((bytes){data + 1, size - 1});
    else run_file(data + 1, size - 1);
    return 0;
}
