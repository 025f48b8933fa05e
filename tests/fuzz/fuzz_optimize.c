/* SPDX-License-Identifier: Apache-2.0
 * Bytes as an ONNX file, looked at as an encoder: whatever the graph claims, optimize_encoder ends, with an encoder whose
 * every weight can be read, or with a message of one line. The first byte says how many changes are made to the graph that
 * was read (inputs of nodes exchanged, operators renamed), so that good files lead to graphs that are almost right.
 * Covers: src/convert/optimize */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "convert/onnx/onnx.h"
#include "convert/optimize/encoder.h"
#include "convert/shapes/infer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const operators[] = {"Add", "Mul", "Div", "Sub", "MatMul", "Gemm", "Reshape", "Transpose", "Softmax",
                                        "Gather", "Slice", "Where", "Cast", "Identity", "LayerNormalization", "Gelu",
                                        "Erf", "Tanh", "Expand", "Unsqueeze", "Dropout", "Shape"};
#define N_OPERATORS (sizeof operators / sizeof operators[0])

/* Three bytes: a node, what to do with it, and by what. Inputs come from before the node, as sorting would have it. */
static void change(graph *g, const uint8_t *b) {
    graph_node *node = &g->nodes[(size_t)b[0] % g->n_nodes];
    const size_t i = node->n_inputs > 0 ? b[1] / 4u % node->n_inputs : 0;
    int32_t value;
    if (b[1] % 4 == 0 || node->n_inputs == 0) {
        node->op_type = operators[b[2] % N_OPERATORS];
        return;
    }
    value = b[1] % 4 == 1 && b[2] < g->n_inputs ? g->inputs[b[2]] : node->inputs[b[2] % node->n_inputs];
    if (b[1] % 4 == 2) {
        const graph_node *other = &g->nodes[b[2] % (size_t)(node - g->nodes + 1)];
        if (other != node && other->n_outputs > 0) value = other->outputs[0];
    }
    node->inputs[i] = value;
}

/* Every number is read: a sanitizer sees what lies outside. */
static float sum(const float *x, size_t n) {
    float s = 0.0f;
    size_t i;
    for (i = 0; i < n; i++) {
        if (x[i] - x[i] != 0.0f) abort(); /* NaN or infinite */
        s += x[i] > 0.0f ? 1.0f : 0.0f;
    }
    return s;
}

static float sum_linear(const encoder_linear *l) { return sum(l->weight, l->n * l->k) + sum(l->bias, l->n); }
static float sum_norm(const encoder_norm *n, size_t width) { return sum(n->gamma, width) + sum(n->beta, width); }

static volatile float keep;

static void read_all(const encoder *e) {
    float s = sum(e->words, e->n_vocab * e->hidden) + sum(e->positions, e->n_positions * e->hidden);
    size_t l;
    s += sum_norm(&e->embedding_norm, e->hidden);
    for (l = 0; l < e->n_layers; l++) {
        const encoder_layer *y = &e->layers[l];
        s += sum_linear(&y->query) + sum_linear(&y->key) + sum_linear(&y->value) + sum_linear(&y->output);
        s += sum_linear(&y->up) + sum_linear(&y->down);
        s += sum_norm(&y->attention_norm, e->hidden) + sum_norm(&y->output_norm, e->hidden);
    }
    if (e->n_layers == 0 || e->n_heads == 0 || e->hidden % e->n_heads != 0) abort();
    keep = s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    graph *g = NULL;
    encoder *e = NULL;
    minnow_error error = {0};
    minnow_status status;
    size_t changes, i;
    if (size < 1) return 0;
    changes = data[0] % 4;
    if (size < 1 + 3 * changes) return 0;
    if (onnx_read(&g, data + 1 + 3 * changes, size - 1 - 3 * changes, NULL, &error) != MINNOW_OK) return 0;
    for (i = 0; i < changes && g->n_nodes > 0; i++) change(g, data + 1 + 3 * i);
    status = graph_infer_shapes(g, &error);
    if (status == MINNOW_OK) status = optimize_encoder(&e, g, &error);
    if (status == MINNOW_OK) read_all(e);
    else if (e != NULL || error.message[0] == '\0' || strchr(error.message, '\n') != NULL) abort();
    encoder_close(&e);
    graph_close(&g);
    return 0;
}
