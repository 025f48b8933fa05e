/* SPDX-License-Identifier: Apache-2.0
 * Constants of a graph that is being written, from a file of weights: found by the builder's scope. */
#ifndef MINNOW_CONVERT_IMPORT_BUILDER_WEIGHTS_H
#define MINNOW_CONVERT_IMPORT_BUILDER_WEIGHTS_H

#include "convert/compose/builder.h"
#include "convert/import/safetensors.h"

/* What builder.weights points to. */
typedef struct builder_weights {
    const safetensors *file;
    const char *prefix; /* what stands before the names of all weights: "", "bert." */
} builder_weights;

/* Weights of the scope: a vector [n], a matrix [rows, columns], or one transposed to [columns, rows] ("..._t"). The old
 * names of LayerNorm's (gamma, beta) are understood. */
int32_t builder_vector(builder *b, const char *name, int64_t n);
int32_t builder_matrix(builder *b, const char *name, int64_t rows, int64_t columns);
int32_t builder_matrix_transposed(builder *b, const char *name, int64_t rows, int64_t columns);

#endif
