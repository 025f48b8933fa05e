/* SPDX-License-Identifier: Apache-2.0
 * Elements of every type. In: bytes of one type. Out: int64 lanes, or bytes of another type. */
#include <string.h>

#include "convert/interpret/ops/ops.h"

int lanes_is_integer(dtype t) {
    switch (t) {
    case DTYPE_INT8: case DTYPE_INT16: case DTYPE_INT32: case DTYPE_INT64:
    case DTYPE_UINT8: case DTYPE_UINT16: case DTYPE_UINT32: case DTYPE_UINT64: case DTYPE_BOOL:
        return 1;
    default:
        return 0;
    }
}

#define LOAD(T)                                                                                                     \
    do {                                                                                                            \
        const T *p = (const T *)data + first;                                                                       \
        for (size_t i = 0; i < n; i++) out[i] = (int64_t)p[i * step];                                               \
    } while (0)

void lanes_load(dtype type, const void *data, size_t first, size_t step, size_t n, int64_t *out) {
    switch (type) {
    case DTYPE_INT8: LOAD(int8_t); break;
    case DTYPE_INT16: LOAD(int16_t); break;
    case DTYPE_INT32: LOAD(int32_t); break;
    case DTYPE_INT64: LOAD(int64_t); break;
    case DTYPE_UINT8: LOAD(uint8_t); break;
    case DTYPE_UINT16: LOAD(uint16_t); break;
    case DTYPE_UINT32: LOAD(uint32_t); break;
    case DTYPE_UINT64: LOAD(uint64_t); break;
    case DTYPE_BOOL:
        for (size_t i = 0; i < n; i++) out[i] = ((const uint8_t *)data)[first + i * step] != 0;
        break;
    default: memset(out, 0, n * sizeof *out); break;
    }
}

#define STORE(T)                                                                                                    \
    do {                                                                                                            \
        T *p = (T *)data + first;                                                                                   \
        for (size_t i = 0; i < n; i++) p[i] = (T)(uint64_t)in[i];                                                   \
    } while (0)

void lanes_store(dtype type, const int64_t *in, size_t n, void *data, size_t first) {
    switch (type) {
    case DTYPE_INT8: STORE(int8_t); break;
    case DTYPE_INT16: STORE(int16_t); break;
    case DTYPE_INT32: STORE(int32_t); break;
    case DTYPE_INT64: STORE(int64_t); break;
    case DTYPE_UINT8: STORE(uint8_t); break;
    case DTYPE_UINT16: STORE(uint16_t); break;
    case DTYPE_UINT32: STORE(uint32_t); break;
    case DTYPE_UINT64: STORE(uint64_t); break;
    case DTYPE_BOOL:
        for (size_t i = 0; i < n; i++) ((uint8_t *)data)[first + i] = in[i] != 0;
        break;
    default: break;
    }
}

static int is_float(dtype t) {
    return t == DTYPE_FLOAT32 || t == DTYPE_FLOAT64 || t == DTYPE_FLOAT16 || t == DTYPE_BFLOAT16;
}

static void load_f64_block(dtype type, const void *data, size_t first, size_t n, double *out) {
    for (size_t i = 0; i < n; i++) {
        switch (type) {
        case DTYPE_FLOAT32: out[i] = (double)((const float *)data)[first + i]; break;
        case DTYPE_FLOAT64: out[i] = ((const double *)data)[first + i]; break;
        case DTYPE_FLOAT16: out[i] = (double)math_half_to_float(((const uint16_t *)data)[first + i]); break;
        default: out[i] = (double)math_bfloat16_to_float(((const uint16_t *)data)[first + i]); break;
        }
    }
}

static void store_f64_block(dtype type, const double *in, size_t n, void *data, size_t first) {
    for (size_t i = 0; i < n; i++) {
        switch (type) {
        case DTYPE_FLOAT32: ((float *)data)[first + i] = (float)in[i]; break;
        case DTYPE_FLOAT64: ((double *)data)[first + i] = in[i]; break;
        case DTYPE_FLOAT16: ((uint16_t *)data)[first + i] = math_float_to_half((float)in[i]); break;
        default: ((uint16_t *)data)[first + i] = math_float_to_bfloat16((float)in[i]); break;
        }
    }
}

/* Integers go to floats in one rounding, so not by way of double where the target is float32. */
static void store_int_as_float(dtype from, dtype to, const int64_t *in, size_t n, void *data, size_t first) {
    for (size_t i = 0; i < n; i++) {
        if (to == DTYPE_FLOAT64) {
            ((double *)data)[first + i] = from == DTYPE_UINT64 ? (double)(uint64_t)in[i] : (double)in[i];
            continue;
        }
        const float f = from == DTYPE_UINT64 ? (float)(uint64_t)in[i] : (float)in[i];
        if (to == DTYPE_FLOAT32) ((float *)data)[first + i] = f;
        else if (to == DTYPE_FLOAT16) ((uint16_t *)data)[first + i] = math_float_to_half(f);
        else ((uint16_t *)data)[first + i] = math_float_to_bfloat16(f);
    }
}

/* Truncated and held to the type's range; NaN gives 0. Bounds are the powers of two next to the range. */
static int64_t saturate(dtype to, double x) {
    static const struct { int64_t low, high; double below, above; } ranges[] = {
        [DTYPE_UINT8] = {0, UINT8_MAX, -1.0, 256.0},
        [DTYPE_INT8] = {INT8_MIN, INT8_MAX, -129.0, 128.0},
        [DTYPE_UINT16] = {0, UINT16_MAX, -1.0, 65536.0},
        [DTYPE_INT16] = {INT16_MIN, INT16_MAX, -32769.0, 32768.0},
        [DTYPE_INT32] = {INT32_MIN, INT32_MAX, -2147483649.0, 2147483648.0},
        [DTYPE_INT64] = {INT64_MIN, INT64_MAX, -9223372036854775808.0, 9223372036854775808.0},
        [DTYPE_UINT32] = {0, UINT32_MAX, -1.0, 4294967296.0},
    };
    if (to == DTYPE_BOOL) return x != 0;
    if (x != x) return 0;
    if (to == DTYPE_UINT64) {
        if (x <= -1.0) return 0;
        return x >= 18446744073709551616.0 ? (int64_t)UINT64_MAX : (int64_t)(x < 0 ? 0 : (uint64_t)x);
    }
    if (x <= ranges[to].below) return ranges[to].low;
    if (x >= ranges[to].above) return ranges[to].high;
    return (int64_t)x;
}

void lanes_cast(dtype from, const void *in, dtype to, void *out, size_t n) {
    int64_t lanes[LANES_BLOCK];
    double doubles[LANES_BLOCK];
    if (from == to) {
        if (n) memcpy(out, in, n * dtype_bytes(from));
        return;
    }
    for (size_t first = 0; first < n; first += LANES_BLOCK) {
        const size_t m = n - first < LANES_BLOCK ? n - first : LANES_BLOCK;
        if (is_float(from)) {
            load_f64_block(from, in, first, m, doubles);
            if (is_float(to)) {
                store_f64_block(to, doubles, m, out, first);
                continue;
            }
            for (size_t i = 0; i < m; i++) lanes[i] = saturate(to, doubles[i]);
            lanes_store(to, lanes, m, out, first);
        } else {
            lanes_load(from, in, first, 1, m, lanes);
            if (is_float(to)) store_int_as_float(from, to, lanes, m, out, first);
            else lanes_store(to, lanes, m, out, first);
        }
    }
}

minnow_status ops_cast_scratch(op_context *c, const tensor *in, dtype type, tensor *out) {
    const size_t n = tensor_count(in);
    *out = *in;
    if (in->type == type) return MINNOW_OK;
    out->type = type;
    TRY(ops_charge(c, n));
    TRY(ops_scratch_array(c, n, 1, dtype_bytes(type), &out->data));
    lanes_cast(in->type, in->data, type, out->data, n);
    return MINNOW_OK;
}

double ops_scalar_f64(const tensor *t, size_t i) {
    double x = 0;
    const size_t size = dtype_bytes(t->type);
    lanes_cast(t->type, (const char *)t->data + i * size, DTYPE_FLOAT64, &x, 1);
    return x;
}

int64_t ops_scalar_int(const tensor *t, size_t i) {
    int64_t x = 0;
    const size_t size = dtype_bytes(t->type);
    lanes_cast(t->type, (const char *)t->data + i * size, DTYPE_INT64, &x, 1);
    return x;
}
