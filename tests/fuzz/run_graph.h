/* SPDX-License-Identifier: Apache-2.0
 * For fuzz targets that run graphs: the input taken byte by byte, and a graph run fused and node by node within limits,
 * which must give the same bits (NaNs count as equal). */
#ifndef MINNOW_TESTS_FUZZ_RUN_GRAPH_H
#define MINNOW_TESTS_FUZZ_RUN_GRAPH_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "convert/interpret/interpreter.h"

#define MEMORY_LIMIT ((size_t)8 << 20) /* of a run */
#define WORK_LIMIT ((uint64_t)1 << 23)

typedef struct bytes {
    const uint8_t *at;
    size_t left;
} bytes;

static inline unsigned next(bytes *b) {
    if (b->left == 0) return 0;
    b->left--;
    return *b->at++;
}

/* NaNs may differ in their payload. */
static inline int same_elements(const tensor *a, const tensor *b) {
    const size_t n = tensor_count(a), size = dtype_bytes(a->type);
    if (a->type != b->type || a->rank != b->rank || tensor_count(b) != n) return 0;
    if (a->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) != 0) return 0;
    for (size_t i = 0; i < n; i++) {
        const char *x = (const char *)a->data + i * size, *y = (const char *)b->data + i * size;
        if (memcmp(x, y, size) == 0) continue;
        if (a->type == DTYPE_FLOAT32) {
            float u, v;
            memcpy(&u, x, size), memcpy(&v, y, size);
            if (u != u && v != v) continue;
        } else if (a->type == DTYPE_FLOAT64) {
            double u, v;
            memcpy(&u, x, size), memcpy(&v, y, size);
            if (u != u && v != v) continue;
        } else if (a->type == DTYPE_FLOAT16) {
            uint16_t u, v;
            memcpy(&u, x, size), memcpy(&v, y, size);
            if ((u & 0x7fff) > 0x7c00 && (v & 0x7fff) > 0x7c00) continue;
        } else if (a->type == DTYPE_BFLOAT16) {
            uint16_t u, v;
            memcpy(&u, x, size), memcpy(&v, y, size);
            if ((u & 0x7fff) > 0x7f80 && (v & 0x7fff) > 0x7f80) continue;
        }
        return 0;
    }
    return 1;
}

static inline thread_pool *two_threads(void) {
    static thread_pool *pool;
    if (!pool && thread_pool_create(&pool, 2, NULL) != MINNOW_OK) abort();
    return pool;
}

/* Says whether the graph ran; what came out is shown to `check` (NULL: nobody). Graphs that do not run have to say why
 * in one line. */
static inline int run_both(const graph *g, const tensor *inputs, int threaded,
                           void (*check)(const graph *g, const tensor *outputs)) {
    interpreter *in[2] = {NULL, NULL};
    tensor *outputs[2] = {NULL, NULL};
    minnow_status status[2];
    minnow_error error;
    for (int i = 0; i < 2; i++) {
        const interpreter_options options = {.memory_limit_bytes = MEMORY_LIMIT, .work_limit = WORK_LIMIT,
                                             .no_fusion = i == 1,
                                             .pool = threaded && i == 0 ? two_threads() : NULL};
        outputs[i] = calloc(g->n_outputs + 1, sizeof **outputs);
        if (!outputs[i]) abort();
        status[i] = interpreter_create(&in[i], g, &options, &error);
        if (status[i] == MINNOW_OK) status[i] = interpreter_run(in[i], inputs, outputs[i], NULL, &error);
        if (status[i] != MINNOW_OK && (error.message[0] == '\0' || strchr(error.message, '\n'))) abort();
    }
    const int ran = status[0] == MINNOW_OK && status[1] == MINNOW_OK;
    for (size_t o = 0; ran && o < g->n_outputs; o++)
        if (!same_elements(&outputs[0][o], &outputs[1][o])) abort();
    if (ran && check) check(g, outputs[0]);
    for (int i = 0; i < 2; i++) {
        interpreter_close(&in[i]);
        free(outputs[i]);
    }
    return ran;
}

#endif
