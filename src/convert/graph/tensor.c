/* SPDX-License-Identifier: Apache-2.0
 * Element types and shapes: in come what files declare, out go checked counts and texts for messages. */
#include "convert/graph/tensor.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"

static const struct { const char *name; uint8_t bytes; } types[] = {
    [DTYPE_UNDEFINED] = {"undefined", 0},
    [DTYPE_FLOAT32] = {"float32", 4},
    [DTYPE_UINT8] = {"uint8", 1},
    [DTYPE_INT8] = {"int8", 1},
    [DTYPE_UINT16] = {"uint16", 2},
    [DTYPE_INT16] = {"int16", 2},
    [DTYPE_INT32] = {"int32", 4},
    [DTYPE_INT64] = {"int64", 8},
    [DTYPE_STRING] = {"string", 0},
    [DTYPE_BOOL] = {"bool", 1},
    [DTYPE_FLOAT16] = {"float16", 2},
    [DTYPE_FLOAT64] = {"float64", 8},
    [DTYPE_UINT32] = {"uint32", 4},
    [DTYPE_UINT64] = {"uint64", 8},
    [DTYPE_BFLOAT16] = {"bfloat16", 2},
};
#define N_TYPES (sizeof types / sizeof types[0])

/* Types come from files as plain numbers: any value may arrive here. */
static size_t type_index(dtype t) { return (uint32_t)t < N_TYPES ? (size_t)t : N_TYPES; }

size_t dtype_bytes(dtype t) { return type_index(t) < N_TYPES ? types[type_index(t)].bytes : 0; }

const char *dtype_name(dtype t) {
    const size_t i = type_index(t);
    return i < N_TYPES && types[i].name != NULL ? types[i].name : "unknown";
}

size_t tensor_count(const tensor *t) {
    size_t count = 1;
    int i;
    for (i = 0; i < t->rank; i++) count *= (size_t)t->dims[i];
    return count;
}

size_t tensor_bytes(const tensor *t) { return tensor_count(t) * dtype_bytes(t->type); }

minnow_status tensor_check_shape(dtype type, int rank, const int64_t *dims, size_t *count, minnow_error *error) {
    size_t product = 1; /* of the dims that are not 0: strides of an empty tensor must not overflow either */
    size_t bytes;
    int is_empty = 0;
    int i;
    if (dtype_bytes(type) == 0)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "element type %d (%s) not supported", (int)type,
                         dtype_name(type));
    if (rank < 0) return error_set(error, MINNOW_ERROR_FORMAT, "rank %d is negative", rank);
    if (rank > TENSOR_MAX_RANK)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "rank %d not supported (at most %d)", rank, TENSOR_MAX_RANK);
    for (i = 0; i < rank; i++) {
        if (dims[i] < 0) return error_set(error, MINNOW_ERROR_FORMAT, "dim %d is negative: %" PRId64, i, dims[i]);
        if (dims[i] == 0) {
            is_empty = 1;
        } else if ((uint64_t)dims[i] > SIZE_MAX || !size_mul(product, (size_t)dims[i], &product)) {
            return error_set(error, MINNOW_ERROR_FORMAT, "dims overflow at dim %d: %" PRId64, i, dims[i]);
        }
    }
    if (!size_mul(product, dtype_bytes(type), &bytes) || bytes > PTRDIFF_MAX)
        return error_set(error, MINNOW_ERROR_FORMAT, "dims overflow: %zu elements of %zu bytes", product,
                         dtype_bytes(type));
    *count = is_empty ? 0 : product;
    return MINNOW_OK;
}

char *tensor_describe(const tensor *t, char *out, size_t capacity) {
    size_t used;
    int i;
    int n = snprintf(out, capacity, "%s[", dtype_name(t->type));
    for (i = 0, used = (size_t)n; i < t->rank && used < capacity; i++, used += (size_t)n)
        n = snprintf(out + used, capacity - used, "%s%" PRId64, i > 0 ? "," : "", t->dims[i]);
    if (used < capacity) snprintf(out + used, capacity - used, "]");
    return out;
}
