/* SPDX-License-Identifier: Apache-2.0
 * Times the interpreter inside one process, for bench_fp32.py, which times onnxruntime between its rounds.
 *
 * bench_fp32 MODEL.onnx; then lines "TOKENS RUNS" on stdin, each answered by the milliseconds of each run, one line.
 * The inputs are the integer inputs of an encoder, [1, TOKENS]: ids (i * 7919 + 11) % 1000 + 999 for the first, ones
 * for a mask, zeros else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "convert/interpret/interpreter.h"
#include "convert/onnx/onnx.h"

#define MAX_INPUTS 8
#define MAX_TOKENS 4096

static int64_t data[MAX_INPUTS][MAX_TOKENS];

static void fill_inputs(const graph *g, size_t n_tokens, tensor *inputs) {
    for (size_t k = 0; k < g->n_inputs; k++) {
        const char *name = g->values[g->inputs[k]].name;
        for (size_t i = 0; i < n_tokens; i++)
            data[k][i] = strstr(name, "mask") ? 1 : strstr(name, "input_ids") ? (int64_t)(i * 7919 + 11) % 1000 + 999
                : 0;
        inputs[k] = (tensor){.type = DTYPE_INT64, .rank = 2, .dims = {1, (int64_t)n_tokens}, .data = data[k]};
    }
}

static int answer(interpreter *in, const graph *g, size_t n_tokens, size_t n_runs) {
    tensor inputs[MAX_INPUTS], outputs[MAX_INPUTS];
    minnow_error error;
    fill_inputs(g, n_tokens, inputs);
    for (size_t r = 0; r < n_runs; r++) {
        const double start = os_seconds();
        if (interpreter_run(in, inputs, outputs, NULL, &error)) {
            fprintf(stderr, "bench_fp32: %s\n", error.message);
            return 1;
        }
        printf("%s%.6f", r ? " " : "", (os_seconds() - start) * 1e3);
    }
    printf("\n");
    return fflush(stdout) != 0;
}

int main(int argc, char **argv) {
    graph *g = NULL;
    interpreter *in = NULL;
    minnow_error error;
    size_t n_tokens, n_runs;
    int code = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: bench_fp32 MODEL.onnx < lines of TOKENS RUNS\n");
        return 2;
    }
    if (onnx_open(&g, argv[1], 0, &error) || interpreter_create(&in, g, NULL, &error)) {
        fprintf(stderr, "bench_fp32: %s\n", error.message);
        code = 1;
    } else if (g->n_inputs > MAX_INPUTS || g->n_outputs > MAX_INPUTS) {
        fprintf(stderr, "bench_fp32: %zu inputs and %zu outputs\n", g->n_inputs, g->n_outputs);
        code = 1;
    }
    while (code == 0 && scanf("%zu %zu", &n_tokens, &n_runs) == 2)
        code = n_tokens > MAX_TOKENS || answer(in, g, n_tokens, n_runs);
    interpreter_close(&in);
    graph_close(&g);
    return code;
}
