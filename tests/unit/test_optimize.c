/* SPDX-License-Identifier: Apache-2.0
 * optimize_encoder: the same network from seven exporters gives the same weights; an obvious forward pass over what was
 * recognised gives what the graph gives; and graphs that compute something else, each made from a good one by one
 * change, are refused by the node that stops it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "convert/import/import.h"
#include "convert/interpret/interpreter.h"
#include "convert/onnx/onnx.h"
#include "convert/optimize/encoder.h"
#include "convert/optimize/layout.h"
#include "convert/shapes/infer.h"

#define FOLDER "tests/golden/optimize/"
#define PLAIN FOLDER "bert_dynamo18_eager.onnx" /* what the others are compared with and refusals are made from */

static graph *open_graph(const char *path) {
    graph *g = NULL;
    minnow_error error = {0};
    if (onnx_open(&g, path, 0, &error) != MINNOW_OK || graph_infer_shapes(g, &error) != MINNOW_OK)
        fail_msg("%s", error.message);
    return g;
}

static encoder *recognise(const graph *g) {
    encoder *e = NULL;
    minnow_error error = {0};
    if (optimize_encoder(&e, g, &error) != MINNOW_OK) fail_msg("%s", error.message);
    return e;
}

/* --- An obvious forward pass, in double ----------------------------------------------------------------------------- */

static void linear(const encoder_linear *l, const double *x, size_t rows, double *y) {
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < l->n; i++) {
            double sum = (double)l->bias[i];
            for (size_t j = 0; j < l->k; j++) sum += (double)l->weight[i * l->k + j] * x[r * l->k + j];
            y[r * l->n + i] = sum;
        }
}

/* x = norm(x + y); y may be NULL. */
static void norm(const encoder_norm *n, double *x, const double *y, size_t rows, size_t width) {
    for (size_t r = 0; r < rows; r++) {
        double *row = x + r * width, mean = 0, variance = 0;
        for (size_t i = 0; i < width; i++) row[i] += y != NULL ? y[r * width + i] : 0.0;
        for (size_t i = 0; i < width; i++) mean += row[i] / (double)width;
        for (size_t i = 0; i < width; i++) variance += (row[i] - mean) * (row[i] - mean) / (double)width;
        for (size_t i = 0; i < width; i++)
            row[i] = (row[i] - mean) / sqrt(variance + (double)n->epsilon) * (double)n->gamma[i] + (double)n->beta[i];
    }
}

static void attend(const encoder *e, const double *q, const double *k, const double *v, size_t rows, double *out) {
    const size_t dim = e->hidden / e->n_heads;
    double *p = malloc(rows * sizeof *p);
    for (size_t h = 0; h < e->n_heads; h++)
        for (size_t i = 0; i < rows; i++) {
            double total = 0;
            for (size_t j = 0; j < rows; j++) {
                double score = 0;
                for (size_t d = 0; d < dim; d++)
                    score += q[i * e->hidden + h * dim + d] * k[j * e->hidden + h * dim + d];
                total += p[j] = exp(score * (double)e->attention_scale);
            }
            for (size_t d = 0; d < dim; d++) {
                double sum = 0;
                for (size_t j = 0; j < rows; j++) sum += p[j] / total * v[j * e->hidden + h * dim + d];
                out[i * e->hidden + h * dim + d] = sum;
            }
        }
    free(p);
}

/* One text: out [n, hidden]. */
static void forward(const encoder *e, const int64_t *ids, size_t n, double *out) {
    double *memory = malloc(n * (5 * e->hidden + e->intermediate) * sizeof *memory);
    double *q = memory, *k = q + n * e->hidden, *v = k + n * e->hidden, *c = v + n * e->hidden, *y = c + n * e->hidden;
    double *inner = y + n * e->hidden;
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < e->hidden; i++)
            out[t * e->hidden + i] =
                (double)e->words[(size_t)ids[t] * e->hidden + i] + (double)e->positions[t * e->hidden + i];
    norm(&e->embedding_norm, out, NULL, n, e->hidden);
    for (size_t l = 0; l < e->n_layers; l++) {
        const encoder_layer *layer = &e->layers[l];
        linear(&layer->query, out, n, q);
        linear(&layer->key, out, n, k);
        linear(&layer->value, out, n, v);
        attend(e, q, k, v, n, c);
        linear(&layer->output, c, n, y);
        norm(&layer->attention_norm, out, y, n, e->hidden);
        linear(&layer->up, out, n, inner);
        for (size_t i = 0; i < n * e->intermediate; i++) inner[i] *= 0.5 * (1.0 + erf(inner[i] / sqrt(2.0)));
        linear(&layer->down, inner, n, y);
        norm(&layer->output_norm, out, y, n, e->hidden);
    }
    free(memory);
}

/* --- Against the interpreter ---------------------------------------------------------------------------------------- */

static int64_t dim_or(const graph *g, int32_t value, int d, int64_t otherwise) {
    const int64_t size = g->values[value].dims[d].size;
    return size > 0 ? size : otherwise;
}

/* Ids that differ from text to text, an open mask, token type 0. */
static void fill_input(const graph_value *v, tensor *t, size_t n_vocab) {
    int64_t *data = calloc(tensor_count(t), sizeof *data);
    t->data = data;
    for (size_t i = 0; i < tensor_count(t); i++) {
        if (strcmp(v->name, "input_ids") == 0) data[i] = (int64_t)((i * 7919 + 3) % n_vocab);
        if (strcmp(v->name, "attention_mask") == 0) data[i] = 1;
    }
}

static void compare_with_graph(const char *path, double tolerance) {
    graph *g = open_graph(path);
    encoder *e = recognise(g);
    const int32_t ids = graph_find_value(g, "input_ids");
    const int64_t batch = dim_or(g, ids, 0, 2), tokens = dim_or(g, ids, 1, 6);
    interpreter *in = NULL;
    minnow_error error = {0};
    tensor inputs[4] = {{.type = DTYPE_UNDEFINED}}, outputs[4];
    const int64_t *id_data = NULL;
    double *expected = malloc((size_t)tokens * e->hidden * sizeof *expected);
    assert_in_range(g->n_inputs, 1, 4);
    assert_in_range(g->n_outputs, 1, 4);
    for (size_t i = 0; i < g->n_inputs; i++) {
        inputs[i] = (tensor){.type = DTYPE_INT64, .rank = 2, .dims = {batch, tokens}};
        fill_input(&g->values[g->inputs[i]], &inputs[i], e->n_vocab);
        if (g->inputs[i] == ids) id_data = inputs[i].data;
    }
    assert_int_equal(interpreter_create(&in, g, NULL, &error), MINNOW_OK);
    assert_int_equal(interpreter_run(in, inputs, outputs, NULL, &error), MINNOW_OK);
    assert_int_equal(tensor_count(&outputs[0]), (size_t)(batch * tokens) * e->hidden);
    for (int64_t b = 0; b < batch; b++) {
        forward(e, id_data + b * tokens, (size_t)tokens, expected);
        for (size_t i = 0; i < (size_t)tokens * e->hidden; i++) {
            const double found = (double)((const float *)outputs[0].data)[(size_t)(b * tokens) * e->hidden + i];
            if (fabs(found - expected[i]) > tolerance)
                fail_msg("%s: text %d, element %zu is %.8g, not %.8g", path, (int)b, i, expected[i], found);
        }
    }
    for (size_t i = 0; i < g->n_inputs; i++) free(inputs[i].data);
    free(expected);
    interpreter_close(&in);
    encoder_close(&e);
    graph_close(&g);
}

static void test_forward_pass(void **state) {
    static const char *const paths[] = {
        PLAIN, FOLDER "bert_dynamo20_sdpa.onnx", FOLDER "bert_ts11_eager.onnx", FOLDER "bert_ts14_sdpa.onnx",
        FOLDER "bert_ts17_static.onnx", "tests/golden/onnx/bert_ts11.onnx", "tests/golden/onnx/bert_ts14.onnx",
        "tests/golden/onnx/bert_ts17_sdpa.onnx", "tests/golden/onnx/bert_ts17_pooled.onnx",
        "tests/golden/onnx/bert_dynamo18.onnx", "tests/golden/onnx/bert_dynamo20.onnx",
        "tests/golden/onnx/distilbert_ts14.onnx"};
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) compare_with_graph(paths[i], 1e-5);
}

static void test_real_model(void **state) {
    static const char path[] = "models/all-MiniLM-L6-v2/onnx/model.onnx";
    FILE *f = fopen(path, "rb");
    graph *g;
    encoder *e;
    (void)state;
    if (f == NULL || getenv("MINNOW_TEST_EMULATED") != NULL) {
        if (f != NULL) fclose(f);
        skip();
    }
    fclose(f);
    g = open_graph(path);
    e = recognise(g);
    assert_int_equal(e->n_layers, 6);
    assert_int_equal(e->hidden, 384);
    assert_int_equal(e->n_heads, 12);
    assert_int_equal(e->intermediate, 1536);
    assert_int_equal(e->n_vocab, 30522);
    assert_int_equal(e->n_positions, 512);
    encoder_close(&e);
    graph_close(&g);
    compare_with_graph(path, 1e-5);
}

/* --- The same network, exported in other ways ------------------------------------------------------------------------- */

static void same_floats(const char *path, const char *what, const float *a, const float *b, size_t n, double tolerance) {
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= tolerance))
            fail_msg("%s: %s: element %zu is %.9g, not %.9g", path, what, i, (double)b[i], (double)a[i]);
}

static void same_linear(const char *path, const char *what, const encoder_linear *a, const encoder_linear *b,
                        double tolerance) {
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->k, b->k);
    same_floats(path, what, a->weight, b->weight, a->n * a->k, tolerance);
    same_floats(path, what, a->bias, b->bias, a->n, tolerance);
}

static void same_norm(const char *path, const char *what, const encoder_norm *a, const encoder_norm *b, size_t n,
                      double tolerance) {
    same_floats(path, what, a->gamma, b->gamma, n, tolerance);
    same_floats(path, what, a->beta, b->beta, n, tolerance);
    same_floats(path, what, &a->epsilon, &b->epsilon, 1, tolerance);
}

static void same_encoder(const char *path, const encoder *a, const encoder *b, double tolerance) {
    assert_int_equal(a->n_layers, b->n_layers);
    assert_int_equal(a->hidden, b->hidden);
    assert_int_equal(a->n_heads, b->n_heads);
    assert_int_equal(a->intermediate, b->intermediate);
    assert_int_equal(a->n_vocab, b->n_vocab);
    assert_in_range(b->n_positions, 1, a->n_positions); /* a graph of one fixed length keeps no more */
    same_floats(path, "scale", &a->attention_scale, &b->attention_scale, 1, tolerance > 1e-7 ? tolerance : 1e-7);
    same_floats(path, "words", a->words, b->words, a->n_vocab * a->hidden, tolerance);
    same_floats(path, "positions", a->positions, b->positions, b->n_positions * a->hidden, tolerance);
    same_norm(path, "embedding norm", &a->embedding_norm, &b->embedding_norm, a->hidden, tolerance);
    for (size_t l = 0; l < a->n_layers; l++) {
        const encoder_layer *x = &a->layers[l], *y = &b->layers[l];
        same_linear(path, "query", &x->query, &y->query, tolerance);
        same_linear(path, "key", &x->key, &y->key, tolerance);
        same_linear(path, "value", &x->value, &y->value, tolerance);
        same_linear(path, "output", &x->output, &y->output, tolerance);
        same_linear(path, "up", &x->up, &y->up, tolerance);
        same_linear(path, "down", &x->down, &y->down, tolerance);
        same_norm(path, "attention norm", &x->attention_norm, &y->attention_norm, a->hidden, tolerance);
        same_norm(path, "output norm", &x->output_norm, &y->output_norm, a->hidden, tolerance);
    }
}

static void test_exporters_agree(void **state) {
    static const struct { const char *path; double tolerance; } others[] = {
        {FOLDER "bert_ts11_eager.onnx", 0},    /* decomposed norms, the mask gathered */
        {FOLDER "bert_ts14_sdpa.onnx", 0},     /* scales on q and k, computed from sizes */
        {FOLDER "bert_ts17_pooled.onnx", 0},   /* only the pooled vector is put out */
        {FOLDER "bert_ts17_static.onnx", 0},   /* one fixed batch and length */
        {FOLDER "bert_dynamo20_sdpa.onnx", 0}, /* Gelu, no token_type_ids */
        {FOLDER "bert_ts17_half.onnx", 2e-3}}; /* float16 weights */
    graph *plain = open_graph(PLAIN);
    encoder *e = recognise(plain);
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        graph *g = open_graph(others[i].path);
        encoder *o = recognise(g);
        same_encoder(others[i].path, e, o, others[i].tolerance);
        encoder_close(&o);
        graph_close(&g);
    }
    encoder_close(&e);
    graph_close(&plain);
}

/* Our own export; and what its nodes are called. */
static void test_import(void **state) {
    graph *g = NULL;
    encoder *e;
    minnow_error error = {0};
    (void)state;
    assert_int_equal(import_folder(&g, "tests/golden/tiny-bert/gelu-f32", NULL, &error), MINNOW_OK);
    assert_int_equal(graph_infer_shapes(g, &error), MINNOW_OK);
    e = recognise(g);
    assert_string_equal(e->layers[0].query.name, "/encoder/layer.0/attention/self/query/MatMul");
    assert_string_equal(e->layers[0].down.name, "/encoder/layer.0/output/dense/MatMul");
    encoder_close(&e);
    graph_close(&g);
}

/* --- One change to a good graph --------------------------------------------------------------------------------------- */

/* The n-th node (from 0) of this operator. */
static graph_node *nth(graph *g, const char *op_type, int n) {
    for (size_t i = 0; i < g->n_nodes; i++)
        if (strcmp(g->nodes[i].op_type, op_type) == 0 && n-- == 0) return &g->nodes[i];
    fail_msg("no such %s", op_type);
    return NULL;
}

static void set_int(graph_node *node, const char *name, int64_t i) {
    for (size_t k = 0; k < node->n_attributes; k++)
        if (strcmp(node->attributes[k].name, name) == 0) node->attributes[k].i = i;
}

/* A copy of a constant that may be changed. */
static void *own_constant(graph *g, int32_t value) {
    const tensor *t = g->values[value].constant;
    tensor *copy = arena_alloc(&g->memory, sizeof *copy);
    assert_non_null(t);
    *copy = *t;
    copy->data = arena_alloc(&g->memory, tensor_bytes(t));
    memcpy(copy->data, t->data, tensor_bytes(t));
    g->values[value].constant = copy;
    return copy->data;
}

static int32_t add_scalar(graph *g, const char *name, float x) {
    tensor t = {.type = DTYPE_FLOAT32, .data = arena_alloc(&g->memory, sizeof x)};
    memcpy(t.data, &x, sizeof x);
    return graph_add_constant(g, name, &t);
}

static void put_permutation(graph *g, graph_node *node, int64_t a, int64_t b, int64_t c, int64_t d) {
    int64_t *perm = arena_array(&g->memory, 4, sizeof *perm);
    perm[0] = a, perm[1] = b, perm[2] = c, perm[3] = d;
    node->attributes[0].ints = perm;
}

static void use_tanh(graph *g) { nth(g, "Erf", 1)->op_type = "Tanh"; }
static void use_relu(graph *g) {
    graph_node *gelu = &g->nodes[g->values[nth(g, "LayerNormalization", 4)->inputs[0]].producer]; /* the last residual */
    gelu = &g->nodes[g->values[gelu->inputs[0]].producer];                                          /* + bias */
    gelu = &g->nodes[g->values[gelu->inputs[0]].producer];                                          /* MatMul */
    gelu = &g->nodes[g->values[gelu->inputs[0]].producer];
    gelu->op_type = "Relu";
    gelu->n_inputs = 1;
}
static void use_other_root(graph *g) { /* erf(x / 1.5) */
    graph_node *half = &g->nodes[g->values[nth(g, "Erf", 1)->inputs[0]].producer];
    ((float *)own_constant(g, half->inputs[1]))[0] = 1.5f;
}
static void softmax_axis(graph *g) { set_int(nth(g, "Softmax", 1), "axis", 2); }
static void softmax_domain(graph *g) { nth(g, "Softmax", 1)->domain = "com.microsoft"; }
static void norm_axis(graph *g) { set_int(nth(g, "LayerNormalization", 4), "axis", 1); }
static void context_order(graph *g) { put_permutation(g, nth(g, "Transpose", 7), 0, 1, 2, 3); }
static void values_order(graph *g) { put_permutation(g, nth(g, "Transpose", 5), 1, 2, 0, 3); }
static void residual_elsewhere(graph *g) {
    graph_node *sum = &g->nodes[g->values[nth(g, "LayerNormalization", 4)->inputs[0]].producer];
    sum->inputs[1] = nth(g, "LayerNormalization", 2)->outputs[0];
}
static void attention_residual(graph *g) {
    graph_node *sum = &g->nodes[g->values[nth(g, "LayerNormalization", 3)->inputs[0]].producer];
    sum->inputs[1] = nth(g, "LayerNormalization", 1)->outputs[0];
}
static void keys_elsewhere(graph *g) { nth(g, "MatMul", 9)->inputs[0] = nth(g, "LayerNormalization", 1)->outputs[0]; }
static void nan_weight(graph *g) { ((float *)own_constant(g, nth(g, "MatMul", 8)->inputs[1]))[3] = NAN; }
static void infinite_word(graph *g) { ((float *)own_constant(g, nth(g, "Gather", 0)->inputs[0]))[5] = -INFINITY; }
static void shift_positions(graph *g) { ((int64_t *)own_constant(g, nth(g, "Slice", 0)->inputs[0]))[2] = 7; }
static void shift_last_position(graph *g) { ((int64_t *)own_constant(g, nth(g, "Slice", 0)->inputs[0]))[15] = 7; }
static void positions_by_id(graph *g) { nth(g, "Gather", 2)->inputs[1] = graph_find_value(g, "input_ids"); }
/* The mask is (1 - attention_mask) * -3.4e38. */
static void inverse_mask(graph *g) { nth(g, "Sub", 0)->inputs[0] = add_scalar(g, "zero", 0.0f); }
static void relative_positions(graph *g) { nth(g, "Sub", 0)->inputs[0] = add_scalar(g, "more", 1.25f); }
static void weak_mask(graph *g) { /* -1 where the file has -3.4e38 */
    graph_node *sub = nth(g, "Sub", 0);
    for (size_t i = 0; i < g->n_nodes; i++)
        if (strcmp(g->nodes[i].op_type, "Mul") == 0 && g->nodes[i].inputs[0] == sub->outputs[0])
            ((float *)own_constant(g, g->nodes[i].inputs[1]))[0] = -1.0f;
}
static void other_scale(graph *g) {
    graph_node *product = &g->nodes[g->values[nth(g, "Softmax", 0)->inputs[0]].producer];
    graph_node *scale = &g->nodes[g->values[product->inputs[0]].producer];
    scale->inputs[1] = add_scalar(g, "four", 4.0f);
}
static void input_name(graph *g) { g->values[graph_find_value(g, "input_ids")].name = "ids"; }
static void embeddings_alone(graph *g) { g->outputs[0] = nth(g, "LayerNormalization", 0)->outputs[0]; }
static void output_is_ids(graph *g) { g->outputs[0] = graph_find_value(g, "input_ids"); }
static void subtracted_bias(graph *g) { /* in the linear map before the last GELU */
    graph_node *half = &g->nodes[g->values[nth(g, "Erf", 1)->inputs[0]].producer];
    g->nodes[g->values[half->inputs[0]].producer].op_type = "Sub";
}
static void fused_product(graph *g) {
    graph_node *product = nth(g, "MatMul", 15);
    product->op_type = "FusedGemv";
    product->domain = "com.microsoft";
}

static const struct {
    void (*change)(graph *g);
    const char *op, *message; /* within the message */
} refusals[] = {
    {use_tanh, "(Tanh)", "expected the Erf of an exact GELU"},
    {use_relu, "(Relu)", "expected the Erf of an exact GELU"},
    {use_other_root, "(Mul)", "expected an exact GELU"},
    {softmax_axis, "(Softmax)", "expected a softmax over the last axis, found axis 2"},
    {softmax_domain, "(Softmax)", "expected attention's softmax"},
    {norm_axis, "(LayerNormalization)", "expected a layer norm"},
    {context_order, "(Reshape)", "expected a shape that splits or joins heads, tokens and batch"},
    {residual_elsewhere, "(Add)", "expected the residual to be the feed-forward's input"},
    {attention_residual, "(Add)", "expected the residual to be attention's input"},
    {keys_elsewhere, "(MatMul)", "expected queries and keys of the same hidden state"},
    {nan_weight, "tensor '", "element 3 is NaN"},
    {infinite_word, "tensor '", "element 5 is infinite"},
    {shift_positions, "(Gather)", "expected rows 0, 1, 2 ... for the tokens of every text"},
    {shift_last_position, "(Gather)", "expected rows 0, 1, 2 ... up to 16 tokens"},
    {positions_by_id, "(Gather)", "expected one table of words, found a second"},
    {inverse_mask, "(Add)", "expected a mask, found a value that changes scores of tokens that are not masked"},
    {weak_mask, "(Add)", "expected a mask, found one that leaves masked tokens in"},
    {relative_positions, "(Add)", "expected a mask, found a value that changes scores"},
    {other_scale, "(MatMul)", "expected scores scaled by 0.5 as in the layers after it, found 0.25"},
    {input_name, "no encoder", "the graph has no input 'input_ids'"},
    {embeddings_alone, "(LayerNormalization)", "expected at least one layer, found embeddings alone"},
    {output_is_ids, "no encoder", "no output is a last hidden state [batch, tokens, hidden]"},
    {subtracted_bias, "(Sub)", "expected the linear map before the GELU"},
    {fused_product, "(FusedGemv)", "expected an operator of ONNX whose shapes are known"},
};

static void expect_refusal(graph *g, const char *op, const char *message) {
    encoder *e = NULL;
    minnow_error error = {0};
    assert_int_equal(optimize_encoder(&e, g, &error), MINNOW_ERROR_UNSUPPORTED);
    assert_null(e);
    if (strstr(error.message, op) == NULL || strstr(error.message, message) == NULL ||
        strchr(error.message, '\n') != NULL)
        fail_msg("expected '%s ... %s', found '%s'", op, message, error.message);
}

static void test_refusals(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        graph *g = open_graph(PLAIN);
        refusals[i].change(g);
        expect_refusal(g, refusals[i].op, refusals[i].message);
        graph_close(&g);
    }
}

/* --- onnxruntime's fused operators ---------------------------------------------------------------------------------- */

#define FUSED "tests/golden/onnx/"

static void unidirectional(graph *g) {
    const graph_attribute a = {.name = "unidirectional", .type = ATTRIBUTE_INT, .i = 1};
    const int32_t node = (int32_t)(nth(g, "Attention", 1) - g->nodes);
    assert_int_equal(graph_add_attribute(g, node, &a, NULL), MINNOW_OK);
}
static void odd_heads(graph *g) { set_int(nth(g, "Attention", 1), "num_heads", 8); }
static void fused_tanh(graph *g) { nth(g, "BiasGelu", 0)->op_type = "FastGelu"; }
static void lengths_of_ids(graph *g) { /* a mask that is not EmbedLayerNormalization's */
    graph_node *attention = nth(g, "Attention", 0);
    attention->inputs[3] = attention->inputs[2];
}
static void fused_positions(graph *g) { /* rows chosen by the ids */
    graph_node *embed = nth(g, "EmbedLayerNormalization", 0);
    int32_t *inputs = arena_array(&g->memory, 9, sizeof *inputs);
    assert_non_null(inputs);
    memcpy(inputs, embed->inputs, embed->n_inputs * sizeof *inputs);
    inputs[8] = inputs[0];
    embed->inputs = inputs;
    embed->n_inputs = 9;
}

static const struct {
    void (*change)(graph *g);
    const char *op, *message;
} fused_refusals[] = {
    {unidirectional, "(Attention)", "expected attention's product of probabilities and values"},
    {odd_heads, "(MatMul)", "expected 8 heads as in the layers after it, found 4"},
    {fused_tanh, "(Gelu)", "expected the exact GELU, found approximate = 'tanh'"},
    {lengths_of_ids, "(Attention)", "expected attention's product of probabilities and values"},
    {fused_positions, "(Gather)", "expected one table of words, found a second"},
};

/* Taken apart they are the encoder that was fused, and compute what the fused ones do. */
static void test_fused(void **state) {
    static const struct { const char *source, *fused; double tolerance; } pairs[] = {
        {FUSED "bert_ts14.onnx", FUSED "bert_ort_fused.onnx", 0},
        {FUSED "distilbert_ts14.onnx", FUSED "distilbert_ort_fused_f16.onnx", 2e-3}};
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        graph *source = open_graph(pairs[i].source), *fused = open_graph(pairs[i].fused);
        encoder *a = recognise(source), *b = recognise(fused);
        same_encoder(pairs[i].fused, a, b, pairs[i].tolerance);
        encoder_close(&a);
        encoder_close(&b);
        graph_close(&source);
        graph_close(&fused);
    }
    compare_with_graph(FUSED "bert_ort_fused.onnx", 1e-5);
    compare_with_graph(FUSED "bert_ort_fused_session.onnx", 1e-5);
    for (size_t i = 0; i < sizeof fused_refusals / sizeof fused_refusals[0]; i++) {
        graph *g = open_graph(FUSED "bert_ort_fused.onnx");
        fused_refusals[i].change(g);
        expect_refusal(g, fused_refusals[i].op, fused_refusals[i].message);
        graph_close(&g);
    }
}

static void causal(graph *g) {
    const graph_attribute a = {.name = "is_causal", .type = ATTRIBUTE_INT, .i = 1};
    graph_node *n = nth(g, "Attention", 1);
    if (graph_node_attribute(n, "is_causal") != NULL) set_int(n, "is_causal", 1);
    else assert_int_equal(graph_add_attribute(g, (int32_t)(n - g->nodes), &a, NULL), MINNOW_OK);
}

/* ai.onnx's Attention is taken apart where it is an encoder's. */
static void test_standard_attention(void **state) {
    graph *g = open_graph("tests/golden/onnx/bert_dynamo23.onnx");
    (void)state;
    compare_with_graph("tests/golden/onnx/bert_dynamo23.onnx", 1e-5);
    causal(g);
    expect_refusal(g, "(Attention)", "expected attention's product of probabilities and values");
    graph_close(&g);
}

/* A transpose that swaps batch and heads contradicts the shapes before anybody looks for an encoder. */
static void test_contradiction(void **state) {
    graph *g = open_graph(PLAIN);
    encoder *e = NULL;
    minnow_error error = {0};
    (void)state;
    values_order(g);
    assert_int_not_equal(optimize_encoder(&e, g, &error), MINNOW_OK);
    assert_non_null(strstr(error.message, "node "));
    graph_close(&g);
}

static void test_quantized(void **state) {
    static const char *const names[] = {"bert_ort_dynamic_s8", "bert_ort_dynamic_u8", "bert_ort_qdq",
                                        "bert_ort_qoperator"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "tests/golden/onnx/%s.onnx", names[i]);
        graph *g = open_graph(path);
        expect_refusal(g, "Linear)", "the graph is quantized already; the FP32 file");
        graph_close(&g);
    }
}

/* --- Changes that leave the encoder as it is ---------------------------------------------------------------------------- */

static void no_bias(graph *g) { /* of the last feed-forward: the addition becomes a copy */
    graph_node *sum = &g->nodes[g->values[nth(g, "LayerNormalization", 4)->inputs[0]].producer];
    graph_node *bias = &g->nodes[g->values[sum->inputs[0]].producer];
    bias->op_type = "Identity";
    bias->n_inputs = 1;
}
static void swap_inputs(graph *g) { /* of every commutative node */
    for (size_t i = 0; i < g->n_nodes; i++) {
        graph_node *n = &g->nodes[i];
        if ((strcmp(n->op_type, "Add") != 0 && strcmp(n->op_type, "Mul") != 0) || n->n_inputs != 2) continue;
        const int32_t a = n->inputs[0];
        n->inputs[0] = n->inputs[1];
        n->inputs[1] = a;
    }
}
static void scale_by_product(graph *g) {
    for (int i = 0; i < 2; i++) {
        graph_node *sum = &g->nodes[g->values[nth(g, "Softmax", i)->inputs[0]].producer];
        graph_node *scale = &g->nodes[g->values[sum->inputs[0]].producer];
        scale->op_type = "Mul";
        scale->inputs[1] = add_scalar(g, i == 0 ? "half" : "half again", 0.5f);
    }
}

static int32_t add_ints(graph *g, const char *name, int64_t a, int64_t b) {
    tensor t = {.type = DTYPE_INT64, .rank = 1, .dims = {2}, .data = arena_alloc(&g->memory, 2 * sizeof a)};
    ((int64_t *)t.data)[0] = a, ((int64_t *)t.data)[1] = b;
    return graph_add_constant(g, name, &t);
}

static int32_t add_transposed(graph *g, const char *name, int32_t value) {
    const tensor *w = g->values[value].constant;
    tensor t = {.type = DTYPE_FLOAT32, .rank = 2, .dims = {w->dims[1], w->dims[0]}};
    t.data = arena_alloc(&g->memory, tensor_bytes(w));
    for (int64_t i = 0; i < w->dims[0]; i++)
        for (int64_t j = 0; j < w->dims[1]; j++)
            ((float *)t.data)[j * w->dims[0] + i] = ((const float *)w->data)[i * w->dims[1] + j];
    return graph_add_constant(g, name, &t);
}

/* The last feed-forward's second product on rows [batch * tokens, intermediate]: Reshape, Gemm with W^T and the bias,
 * Reshape to the shape that the contexts get. */
static void use_gemm(graph *g) {
    const graph_attribute trans_b = {.name = "transB", .type = ATTRIBUTE_INT, .i = 1};
    const int32_t flat = graph_add_value(g, "flat"), rows = add_ints(g, "rows", -1, 12);
    graph_node *biased = &g->nodes[g->values[nth(g, "LayerNormalization", 4)->inputs[0]].producer], *product;
    int32_t reshape_inputs[2], gemm_inputs[3], node;
    minnow_error error;
    biased = &g->nodes[g->values[biased->inputs[0]].producer];
    product = &g->nodes[g->values[biased->inputs[0]].producer];
    reshape_inputs[0] = product->inputs[0], reshape_inputs[1] = rows;
    gemm_inputs[0] = flat, gemm_inputs[1] = add_transposed(g, "turned", product->inputs[1]), gemm_inputs[2] = biased->inputs[1];
    biased->op_type = "Reshape";
    biased->inputs[1] = nth(g, "Reshape", 7)->inputs[1]; /* {batch, tokens, 8} */
    node = graph_add_node(g, "Gemm", "gemm", gemm_inputs, 3, product->outputs, 1); /* may move the nodes */
    assert_int_equal(graph_add_attribute(g, node, &trans_b, &error), MINNOW_OK);
    product = &g->nodes[g->values[reshape_inputs[0]].producer + 1];
    assert_string_equal(product->op_type, "MatMul");
    product->op_type = "Reshape";
    product->inputs[0] = reshape_inputs[0], product->inputs[1] = reshape_inputs[1];
    product->outputs[0] = flat;
    g->values[flat].producer = (int32_t)(product - g->nodes);
    if (graph_sort(g, &error) != MINNOW_OK) fail_msg("%s", error.message);
}

static void test_same_function(void **state) {
    static void (*const changes[])(graph *) = {no_bias, swap_inputs, scale_by_product, use_gemm};
    graph *plain = open_graph(PLAIN);
    encoder *e = recognise(plain);
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        graph *g = open_graph(PLAIN);
        encoder *o;
        changes[i](g);
        o = recognise(g);
        if (changes[i] == no_bias) {
            for (size_t k = 0; k < o->hidden; k++) assert_true(o->layers[1].down.bias[k] == 0.0f);
            o->layers[1].down.bias = e->layers[1].down.bias;
        }
        same_encoder("changed", e, o, 0);
        encoder_close(&o);
        graph_close(&g);
    }
    encoder_close(&e);
    graph_close(&plain);
}

/* --- Layouts -------------------------------------------------------------------------------------------------------------- */

static int axis_is(const layout *l, int axis, layout_part a, layout_part b) {
    const layout_part parts[] = {a, b, (layout_part)0};
    return layout_axes_are(l, axis, axis + 1, parts);
}

static void test_layout(void **state) {
    const graph_dim split[] = {{7, NULL}, {5, NULL}, {4, NULL}, {8, NULL}}, joined[] = {{28, NULL}, {5, NULL}, {8, NULL}};
    const graph_dim wrong[] = {{5, NULL}, {7, NULL}, {32, NULL}};
    const int64_t perm[] = {0, 2, 1, 3}, twice[] = {0, 0, 1, 3};
    layout l, copy;
    (void)state;
    layout_clear(&l);
    layout_add_axis(&l, LAYOUT_BATCH, 7);
    layout_add_axis(&l, LAYOUT_QUERY, 5);
    layout_add_axis(&l, LAYOUT_FEATURES, 32);
    copy = l;
    assert_false(layout_reshape(&copy, 3, wrong));
    assert_true(layout_reshape(&l, 4, split));
    copy = l;
    assert_false(layout_transpose(&copy, twice, 4));
    assert_true(layout_transpose(&l, perm, 4));
    assert_true(axis_is(&l, 1, LAYOUT_HEAD, (layout_part)0) && axis_is(&l, 2, LAYOUT_QUERY, (layout_part)0));
    assert_int_equal(layout_size(&l, LAYOUT_HEAD), 4);
    assert_true(layout_reshape(&l, 3, joined));
    assert_int_equal(l.rank, 3);
    assert_true(axis_is(&l, 0, LAYOUT_BATCH, LAYOUT_HEAD) && axis_is(&l, 2, LAYOUT_DIM, (layout_part)0));
    assert_false(axis_is(&l, 0, LAYOUT_HEAD, LAYOUT_BATCH));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exporters_agree), cmocka_unit_test(test_import),        cmocka_unit_test(test_forward_pass),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_fused), cmocka_unit_test(test_standard_attention),
        cmocka_unit_test(test_contradiction), cmocka_unit_test(test_same_function),
        cmocka_unit_test(test_quantized),       cmocka_unit_test(test_layout),        cmocka_unit_test(test_real_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
