/* SPDX-License-Identifier: Apache-2.0
 *
 * What minnow-full.wasm exports beside minnow_wasm.h: an ONNX file in memory -> a graph that runs. The contract between
 * wasm/full.c and js/src/full.js. Pointers and sizes are wasm32's, 32 bits.
 *
 *     void *file = minnow_wasm_allocate(bytes);      the caller writes the ONNX file there
 *     minnow_full_open(file, bytes, 1, 0)
 *     void *data = minnow_full_set(i, type, rank, dims);   for each input; the caller writes its elements there
 *     minnow_full_run(NULL)
 *     minnow_full_result(o)                          type, dims, and where the elements are
 *
 * One instance has one graph, on one thread. A function that can fail returns a minnow_status or NULL, and
 * minnow_full_error then gives its one line; the instance stays usable. Addresses stay valid as said; views of memory
 * that JavaScript has made do not, since it may have grown: take them anew. */
#ifndef MINNOW_FULL_H
#define MINNOW_FULL_H

#include "minnow_wasm.h"

#define MINNOW_FULL_MAX_RANK 8

/* The last failure's line: UTF-8, NUL-terminated, static. */
const char *minnow_full_error(void);

/* Opens the ONNX file in `data`; a graph that was open is closed first. `owned` 1: the memory comes from
 * minnow_wasm_allocate and belongs to the graph from here on, whatever happens; weights are then in memory once: they
 * are aligned and packed where they lie. `owned` 0: it is only read, stays the caller's, and must outlive the graph;
 * weights are packed in memory of their own. External data is refused. memory_limit: bytes that weights packed in
 * memory of their own and the values of a run may take; 0: 2 GiB. */
minnow_status minnow_full_open(void *data, size_t bytes, int owned, size_t memory_limit);
void minnow_full_close(void);

/* A declared input or output, or a result. Types are ONNX's numbers (TensorProto.DataType): 1 float32, 7 int64, ... */
typedef struct minnow_full_value {
    const char *name;   /* UTF-8, NUL-terminated, until close */
    uint32_t type;
    int32_t rank;       /* -1: not declared */
    int32_t dims[MINNOW_FULL_MAX_RANK];           /* -1: not known before a run */
    const char *symbols[MINNOW_FULL_MAX_RANK];    /* the dimension's name ("batch_size"), or NULL */
    const void *data;   /* row-major elements, of a result; else NULL */
    size_t bytes;       /* of data */
} minnow_full_value;

uint32_t minnow_full_n_inputs(void); /* initializers are none */
uint32_t minnow_full_n_outputs(void);
/* NULL beyond the last. What is returned holds until the next call of one of these three. */
const minnow_full_value *minnow_full_input(uint32_t i);
const minnow_full_value *minnow_full_output(uint32_t i);
/* Of the last run; its data holds until the next run, set or close. NULL: the output was not asked for, or no run
 * succeeded since. */
const minnow_full_value *minnow_full_result(uint32_t i);

/* Says type and shape of input i and gives room for its elements, uninitialized, aligned to 64 bytes: valid until the
 * input is set again or the graph closed. It stays set from run to run. Types and dims are checked against the
 * declaration by the run. Results of the last run are given up. */
void *minnow_full_set(uint32_t i, uint32_t type, uint32_t rank, const int32_t *dims);

/* Runs the graph. wanted[o] 0: output o is not asked for, and what it alone needs is not computed; NULL: all are. */
minnow_status minnow_full_run(const uint8_t *wanted);

#endif
