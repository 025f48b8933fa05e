/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as an ONNX model. What is read must be a graph that holds together, and writing it must give a file that
 * reads back and is written as the same bytes.
 * Covers: src/convert/onnx src/convert/graph/graph.c src/convert/graph/tensor.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/onnx/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                            \
    do {                                                                                                            \
        if (!(condition)) {                                                                                         \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                         \
            abort();                                                                                                \
        }                                                                                                           \
    } while (0)

/* Sums what tensors hold, so that the sanitizers see each byte read. */
static unsigned touch(const tensor *t) {
    const uint8_t *p = t->data;
    const size_t n = tensor_bytes(t);
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) sum += p[i];
    CHECK(n == 0 || (uintptr_t)p % dtype_bytes(t->type) == 0);
    return sum;
}

static void check_graph(const graph *g) {
    unsigned sum = 0;
    for (size_t i = 0; i < g->n_values; i++) {
        CHECK(graph_find_value(g, g->values[i].name) == (int32_t)i);
        if (g->values[i].constant != NULL) sum += touch(g->values[i].constant);
    }
    for (size_t i = 0; i < g->n_nodes; i++) {
        const graph_node *node = &g->nodes[i];
        for (size_t j = 0; j < node->n_inputs; j++)
            CHECK(node->inputs[j] == GRAPH_NO_VALUE || g->values[node->inputs[j]].producer < (int32_t)i);
        for (size_t j = 0; j < node->n_outputs; j++)
            CHECK(node->outputs[j] == GRAPH_NO_VALUE || g->values[node->outputs[j]].producer == (int32_t)i);
        for (size_t j = 0; j < node->n_attributes; j++)
            if (node->attributes[j].type == ATTRIBUTE_TENSOR) sum += touch(node->attributes[j].t);
    }
    CHECK(sum != 1u << 31); /* keeps the sum alive */
}

/* 0 if the graph cannot be written. */
static int write_to_memory(const graph *g, char **out, size_t *bytes) {
    file_writer file = {.stream = open_memstream(out, bytes), .path = (char *)(uintptr_t)"memory"};
    minnow_error error;
    CHECK(file.stream != NULL);
    const minnow_status status = onnx_write_into(g, &file, &error);
    fclose(file.stream);
    if (status != MINNOW_OK) free(*out);
    CHECK(status == MINNOW_OK || status == MINNOW_ERROR_UNSUPPORTED);
    return status == MINNOW_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    graph *first = NULL, *second = NULL;
    char *once = NULL, *twice = NULL;
    size_t once_bytes = 0, twice_bytes = 0;
    minnow_error error = {0};
    if (onnx_read(&first, data, size, NULL, &error) != MINNOW_OK) {
        CHECK(first == NULL && error.status != MINNOW_OK);
        CHECK(error.message[0] != '\0' && strchr(error.message, '\n') == NULL);
        return 0;
    }
    check_graph(first);
    if (write_to_memory(first, &once, &once_bytes)) {
        if (onnx_read(&second, (const uint8_t *)once, once_bytes, NULL, &error) != MINNOW_OK) {
            fprintf(stderr, "%s\n", error.message);
            abort();
        }
        check_graph(second);
        CHECK(write_to_memory(second, &twice, &twice_bytes));
        CHECK(once_bytes == twice_bytes && memcmp(once, twice, once_bytes) == 0);
        graph_close(&second);
        free(once);
        free(twice);
    }
    graph_close(&first);
    return 0;
}
