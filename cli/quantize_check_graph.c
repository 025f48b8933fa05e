/* SPDX-License-Identifier: Apache-2.0
 * The check of a model that is written as ONNX: its graph, text by text in the interpreter. */
#include <stdlib.h>
#include <string.h>

#include "convert/interpret/interpreter.h"
#include "quantize_check.h"
#include "run/engine/pool.h"

#define INPUTS 3 /* ids, mask and, maybe, token types: as qdq_graph declares them */

typedef struct graph_run {
    interpreter *interpreter;
    int64_t *feed;  /* [INPUTS][longest] */
    double *pooled; /* [hidden] */
} graph_run;

static minnow_status run_text(const graph_run *run, const int32_t *ids, size_t n, size_t longest, const int8_model *m,
                              float *out, minnow_error *error) {
    tensor inputs[INPUTS], hidden;
    size_t i;
    for (i = 0; i < INPUTS; i++)
        inputs[i] = (tensor){.type = DTYPE_INT64, .rank = 2, .dims = {1, (int64_t)n}, .data = run->feed + i * longest};
    for (i = 0; i < n; i++) {
        run->feed[i] = ids[i];
        run->feed[longest + i] = 1;
        run->feed[2 * longest + i] = 0;
    }
    TRY(interpreter_run(run->interpreter, inputs, &hidden, NULL, error));
    pool_tokens(hidden.data, n, m->hidden, m->pooling, 1, run->pooled, out);
    return MINNOW_OK;
}

minnow_status quantize_check_graph(float *out, const graph *g, const int8_model *m, const calibration_texts *texts,
                                   thread_pool *pool, minnow_error *error) {
    const interpreter_options options = {.pool = pool};
    graph_run run = {0};
    minnow_status status = interpreter_create(&run.interpreter, g, &options, error);
    size_t i;
    if (status != MINNOW_OK) return status;
    run.feed = calloc(INPUTS * texts->longest, sizeof *run.feed);
    run.pooled = calloc(m->hidden, sizeof *run.pooled);
    if (run.feed == NULL || run.pooled == NULL) status = error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    for (i = 0; i < texts->n_texts && status == MINNOW_OK; i++) {
        const size_t first = texts->starts[i], n = texts->starts[i + 1] - first;
        status = run_text(&run, texts->ids + first, n, texts->longest, m, out + i * m->hidden, error);
    }
    free(run.feed);
    free(run.pooled);
    interpreter_close(&run.interpreter);
    return status;
}
