/* SPDX-License-Identifier: Apache-2.0
 * A tensor: a type, a shape, and row-major elements that somebody else owns. */
#ifndef MINNOW_CONVERT_GRAPH_TENSOR_H
#define MINNOW_CONVERT_GRAPH_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* ONNX's numbers (onnx.proto, TensorProto.DataType). */
typedef enum dtype {
    DTYPE_UNDEFINED = 0,
    DTYPE_FLOAT32 = 1,
    DTYPE_UINT8 = 2,
    DTYPE_INT8 = 3,
    DTYPE_UINT16 = 4,
    DTYPE_INT16 = 5,
    DTYPE_INT32 = 6,
    DTYPE_INT64 = 7,
    DTYPE_STRING = 8, /* known by name only: no operator here takes strings */
    DTYPE_BOOL = 9,
    DTYPE_FLOAT16 = 10,
    DTYPE_FLOAT64 = 11,
    DTYPE_UINT32 = 12,
    DTYPE_UINT64 = 13,
    DTYPE_BFLOAT16 = 16
} dtype;

size_t dtype_bytes(dtype t);        /* of one element; 0 if not held here */
const char *dtype_name(dtype t);    /* "float32", "int64", "bool", ...; "type 17" style names are "unknown" */

#define TENSOR_MAX_RANK 8

typedef struct tensor {
    dtype type;
    int rank; /* 0: a scalar */
    int64_t dims[TENSOR_MAX_RANK];
    void *data; /* row-major, aligned for its type; may be NULL if the tensor has no elements */
} tensor;

/* Product of the dims; 1 for a scalar. The dims must have been checked (tensor_check_shape). */
size_t tensor_count(const tensor *t);
size_t tensor_bytes(const tensor *t);

/* Refuses negative dims, ranks over TENSOR_MAX_RANK, and sizes whose bytes do not fit in PTRDIFF_MAX; gives the
 * count. */
minnow_status tensor_check_shape(dtype type, int rank, const int64_t *dims, size_t *count, minnow_error *error);

/* "float32[2,7,384]" into `out`, always terminated; returns out. */
char *tensor_describe(const tensor *t, char *out, size_t capacity);

#endif
