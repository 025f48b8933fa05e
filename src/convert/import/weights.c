/* SPDX-License-Identifier: Apache-2.0
 * Import: tensors as they lie in a file (float16, bfloat16, float32, float64, perhaps unaligned) -> float32. */
#include "convert/import/weights.h"

#include <string.h>

#include "base/bytes.h"

#define TRANSPOSE_BLOCK ((size_t)32) /* 32 x 32 floats read and written stay in the first-level cache */

static float float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. Exact: every half is a float. */
static float float_from_half(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = (half >> 10) & 31u, fraction = half & 1023u;
    if (exponent == 31) return float_from_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent != 0) return float_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
    return float_from_bits(sign | 0x3f800000u) *
           ((float)fraction * 0x1p-24f); /* zero and subnormals: fraction * 2^-24 */
}

static float load_element(const uint8_t *data, size_t i, dtype type) {
    switch (type) {
    case DTYPE_FLOAT16: return float_from_half(load_u16(data + 2 * i));
    case DTYPE_BFLOAT16: return float_from_bits((uint32_t)load_u16(data + 2 * i) << 16);
    case DTYPE_FLOAT64: return (float)load_f64(data + 8 * i);
    default: return load_f32(data + 4 * i);
    }
}

static minnow_status check(const tensor *stored, const char *name, int rank, const int64_t *dims, minnow_error *error) {
    tensor wanted;
    char has[128], wants[128];
    const dtype type = stored->type;
    memset(&wanted, 0, sizeof wanted);
    wanted.type = DTYPE_FLOAT32;
    wanted.rank = rank;
    memcpy(wanted.dims, dims, (size_t)rank * sizeof *dims);
    tensor_describe(stored, has, sizeof has);
    tensor_describe(&wanted, wants, sizeof wants);
    if (type != DTYPE_FLOAT32 && type != DTYPE_FLOAT16 && type != DTYPE_BFLOAT16 && type != DTYPE_FLOAT64)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                         "tensor '%.200s' is %s: weights of this type are not supported", name, has);
    if (stored->rank != rank || memcmp(stored->dims, dims, (size_t)rank * sizeof *dims) != 0)
        return error_set(error, MINNOW_ERROR_FORMAT, "tensor '%.200s' is %s, but config.json asks for %s", name, has,
                         wants + strlen(dtype_name(DTYPE_FLOAT32)));
    return MINNOW_OK;
}

static minnow_status allocate(tensor *out, const char *name, int rank, const int64_t *dims, arena *memory,
                              minnow_error *error) {
    memset(out, 0, sizeof *out);
    out->type = DTYPE_FLOAT32;
    out->rank = rank;
    memcpy(out->dims, dims, (size_t)rank * sizeof *dims);
    if (memory == NULL) return MINNOW_OK;
    out->data = arena_array(memory, tensor_count(out), sizeof(float));
    if (out->data == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "tensor '%.200s': out of memory", name);
    return MINNOW_OK;
}

minnow_status weights_load(tensor *out, const tensor *stored, const char *name, int rank, const int64_t *dims,
                           arena *memory, minnow_error *error) {
    const int in_place = stored->type == DTYPE_FLOAT32 && (uintptr_t)stored->data % sizeof(float) == 0;
    size_t i, n;
    float *to;
    TRY(check(stored, name, rank, dims, error));
    TRY(allocate(out, name, rank, dims, in_place ? NULL : memory, error));
    if (in_place) {
        out->data = stored->data;
        return MINNOW_OK;
    }
    to = out->data;
    for (i = 0, n = tensor_count(out); i < n; i++) to[i] = load_element(stored->data, i, stored->type);
    return MINNOW_OK;
}

minnow_status weights_load_transposed(tensor *out, const tensor *stored, const char *name, int64_t rows,
                                      int64_t columns, arena *memory, minnow_error *error) {
    const int64_t stored_dims[2] = {rows, columns}, dims[2] = {columns, rows};
    const size_t n_rows = (size_t)rows, n_columns = (size_t)columns;
    size_t r0, c0, r, c;
    float *to;
    TRY(check(stored, name, 2, stored_dims, error));
    TRY(allocate(out, name, 2, dims, memory, error));
    to = out->data;
    for (r0 = 0; r0 < n_rows; r0 += TRANSPOSE_BLOCK)
        for (c0 = 0; c0 < n_columns; c0 += TRANSPOSE_BLOCK)
            for (c = c0; c < n_columns && c < c0 + TRANSPOSE_BLOCK; c++)
                for (r = r0; r < n_rows && r < r0 + TRANSPOSE_BLOCK; r++)
                    to[c * n_rows + r] = load_element(stored->data, r * n_columns + c, stored->type);
    return MINNOW_OK;
}
