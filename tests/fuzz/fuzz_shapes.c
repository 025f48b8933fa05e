/* SPDX-License-Identifier: Apache-2.0
 * Bytes -> ONNX reader -> shape inference, twice: first as declared, then with every symbolic input axis bound to a number,
 * as `minnow inspect` does it.
 * Covers: src/convert/shapes src/convert/graph/sort.c */
#include <stddef.h>
#include <stdint.h>

#include "convert/onnx/onnx.h"
#include "convert/shapes/infer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    graph *g = NULL;
    minnow_error error;
    size_t i;
    int d;
    if (onnx_read(&g, data, size, NULL, &error) != MINNOW_OK) return 0;
    if (graph_infer_shapes(g, &error) == MINNOW_OK) {
        for (i = 0; i < g->n_inputs; i++)
            for (d = 0; d < g->values[g->inputs[i]].rank; d++)
                if (g->values[g->inputs[i]].dims[d].size < 0) g->values[g->inputs[i]].dims[d].size = 5;
        (void)graph_infer_shapes(g, &error);
    }
    graph_close(&g);
    return 0;
}
