/* SPDX-License-Identifier: Apache-2.0
 *
 * The reference interpreter: runs a graph node by node, with the same bits on every machine and with any number of
 * threads.
 *
 * Its arithmetic: no libm; every product sum is one chain of fused multiply-adds over ascending k; other sums have one
 * fixed order (convert/math/math.h); threads split rows, columns or elements, never a sum. In a graph that rounds to
 * codes (QuantizeLinear and its like) multiply-adds are not fused, so that WASM, which cannot, gives the same bits. */
#ifndef MINNOW_CONVERT_INTERPRET_INTERPRETER_H
#define MINNOW_CONVERT_INTERPRET_INTERPRETER_H

#include "base/thread.h"
#include "convert/graph/graph.h"

typedef struct interpreter interpreter;

typedef struct interpreter_options {
    thread_pool *pool;      /* borrowed; NULL: one thread */
    size_t memory_limit_bytes; /* for the values of a run; 0: 8 GiB */
    /* Called after each node with its outputs (calibration, --dump); NULL: none. A status other than MINNOW_OK ends the
     * run. */
    minnow_status (*observe)(void *context, const graph *g, size_t node, const tensor *outputs, size_t n_outputs,
                             minnow_error *error);
    void *observe_context;
    int no_fusion;          /* 1: run node by node, so that `observe` sees every value */
    /* Another interpreter of this graph, made with the same no_fusion: its packed weights are used instead of packing
     * them again, so it must outlive this one. Only read, so many may share one, on any threads. NULL: none. */
    const interpreter *twin;
    /* 1: the graph's constants may be written: one that a single product reads, and nothing else, is packed where it
     * lies, so that weights are in memory once. No other interpreter may read the graph's constants then but a twin. */
    int packs_in_place;
    uint64_t work_limit;    /* of a run, in multiply-adds; an element written counts as 16; 0: 2^42 */
} interpreter_options;

/* Checks that every node's operator is supported (unsupported ones are refused by node and name), packs constant
 * weights and plans lifetimes. The graph is borrowed and must be sorted; it is not changed. `options` may be NULL. */
minnow_status interpreter_create(interpreter **out, const graph *g, const interpreter_options *options,
                                 minnow_error *error);
void interpreter_close(interpreter **in);

/* Runs the graph. inputs[i] belongs to g->inputs[i]: type and shape are checked against the declaration (symbols of the
 * same name must agree). outputs[i], for g->outputs[i], point into the interpreter's memory and hold until the next run
 * or close. Not reentrant. `wanted` (NULL: all) says which outputs are asked for; nodes that no wanted output needs are
 * not run. */
minnow_status interpreter_run(interpreter *in, const tensor *inputs, tensor *outputs, const uint8_t *wanted,
                              minnow_error *error);

/* 1 if the interpreter runs this operator of this domain and opset. */
int interpreter_supports(const char *domain, const char *op_type, int64_t opset);

#endif
