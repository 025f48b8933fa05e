/* SPDX-License-Identifier: Apache-2.0
 * Floats <-> codes: QuantizeLinear, DequantizeLinear (one scale, one for each index of an axis, one for each block of
 * it), DynamicQuantizeLinear.
 *
 *   codes = clamp(round(x / scale) + zero point), halves to even        x = (codes - zero point) * scale
 *
 * Arithmetic is float32 whatever the types: float16 and bfloat16 are widened before and rounded after. */
#include <string.h>

#include "convert/interpret/interpreter_impl.h"
#include "convert/interpret/ops/quantized.h"
#include "convert/interpret/ops/table.h"

/* --- Scales and zero points --------------------------------------------------------------------------------------- */

int quantized_range(dtype type, int32_t *least, int32_t *largest) {
    switch (type) {
    case DTYPE_UINT8: *least = 0, *largest = UINT8_MAX; return 1;
    case DTYPE_INT8: *least = INT8_MIN, *largest = INT8_MAX; return 1;
    case DTYPE_UINT16: *least = 0, *largest = UINT16_MAX; return 1;
    case DTYPE_INT16: *least = INT16_MIN, *largest = INT16_MAX; return 1;
    default: return 0;
    }
}

static int is_float_type(dtype t) {
    return t == DTYPE_FLOAT32 || t == DTYPE_FLOAT16 || t == DTYPE_BFLOAT16;
}

static minnow_status check_scale(op_context *c, size_t input, float scale) {
    if (quantized_is_scale(scale)) return MINNOW_OK;
    return error_set(c->error, MINNOW_ERROR_FORMAT, "scale %g of input %zu, a finite number above 0 needed",
                     (double)scale, input);
}

minnow_status quantized_scales(op_context *c, size_t input, const float **out, size_t *n) {
    tensor wide;
    if (!is_float_type(c->inputs[input]->type)) return ops_unsupported_type(c, c->inputs[input]->type);
    TRY(ops_cast_scratch(c, c->inputs[input], DTYPE_FLOAT32, &wide));
    *out = wide.data;
    *n = tensor_count(&wide);
    for (size_t i = 0; i < *n; i++) TRY(check_scale(c, input, (*out)[i]));
    return MINNOW_OK;
}

minnow_status quantized_zeros(op_context *c, size_t input, dtype type, size_t n, const int32_t **out) {
    tensor wide;
    *out = NULL;
    if (!ops_has_input(c, input)) return MINNOW_OK;
    const tensor *t = c->inputs[input];
    if (t->type != type)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "zero point of input %zu is %s, %s needed", input,
                         dtype_name(t->type), dtype_name(type));
    if (tensor_count(t) != n)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu zero points in input %zu, %zu needed", tensor_count(t),
                         input, n);
    TRY(ops_cast_scratch(c, t, DTYPE_INT32, &wide));
    *out = wide.data;
    return MINNOW_OK;
}

minnow_status quantized_scale(op_context *c, size_t input, float *out) {
    const float *scales;
    size_t n;
    TRY(quantized_scales(c, input, &scales, &n));
    if (n != 1) return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu scales in input %zu, one needed", n, input);
    *out = scales[0];
    return MINNOW_OK;
}

minnow_status quantized_zero(op_context *c, size_t input, dtype type, int32_t *out) {
    const int32_t *zeros;
    TRY(quantized_zeros(c, input, type, 1, &zeros));
    *out = zeros ? zeros[0] : 0;
    return MINNOW_OK;
}

/* --- Runs of elements that share a scale, or take one after another ----------------------------------------------- */

/* x as [outer, axis, inner]. Scales: one; [axis]; or in blocks [outer, n_blocks, inner]. */
typedef struct steps {
    size_t count, axis, inner, block, n_blocks;
    int per_axis; /* else one scale, or blocks if block is not 0 */
    const float *scales;
    const int32_t *zeros;
    const math_kernels *math;
    const void *x;
    void *y;
    dtype x_type, y_type;
    int32_t least, largest;
} steps;

typedef struct run {
    size_t n;     /* elements */
    size_t scale; /* the first one's scale */
    size_t step;  /* 1: the next element has the next scale */
} run;

static run run_at(const steps *s, size_t at, size_t end) {
    run r = {.n = end - at};
    if (s->per_axis || s->block) {
        const size_t i = at % s->inner, a = at / s->inner % s->axis, o = at / s->inner / s->axis;
        const size_t b = s->block ? o * s->n_blocks + a / s->block : a;
        size_t stop = s->inner == 1 ? s->axis - a : s->inner - i;
        if (s->block && s->inner == 1 && stop > s->block - a % s->block) stop = s->block - a % s->block;
        r.n = r.n < stop ? r.n : stop;
        r.scale = s->block ? b * s->inner + i : b;
        r.step = s->block ? s->inner > 1 : s->inner == 1;
    }
    return r;
}

static minnow_status blocked_shape(op_context *c, const tensor *x, const tensor *scale, int axis, int64_t block) {
    int fits = scale->rank == x->rank;
    for (int d = 0; fits && d < x->rank; d++) {
        const int64_t size = x->dims[d];
        fits = scale->dims[d] == (d == axis ? size / block + (size % block != 0) : size);
    }
    if (fits) return MINNOW_OK;
    char a[128], b[128];
    return error_set(c->error, MINNOW_ERROR_FORMAT, "scales %s for blocks of %lld on axis %d of %s",
                     tensor_describe(scale, a, sizeof a), (long long)block, axis, tensor_describe(x, b, sizeof b));
}

static minnow_status read_steps(op_context *c, dtype code_type, steps *s) {
    const tensor *x = c->inputs[0], *scale = c->inputs[1];
    const int64_t block = graph_node_int(c->node, "block_size", 0);
    size_t n;
    int axis;
    *s = (steps){.count = tensor_count(x), .axis = 1, .inner = 1, .math = c->math, .x = x->data, .x_type = x->type};
    TRY(quantized_scales(c, 1, &s->scales, &n));
    TRY(quantized_zeros(c, 2, code_type, n, &s->zeros));
    if (block < 0) return error_set(c->error, MINNOW_ERROR_FORMAT, "block_size %lld", (long long)block);
    if (block == 0 && n == 1) return MINNOW_OK;
    TRY(ops_axis(c, graph_node_int(c->node, "axis", 1), x->rank, &axis));
    if (block == 0 && (scale->rank != 1 || scale->dims[0] != x->dims[axis]))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu scales for axis %d of %lld", n, axis,
                         (long long)x->dims[axis]);
    if (block > 0) TRY(blocked_shape(c, x, scale, axis, block));
    s->per_axis = block == 0;
    s->axis = (size_t)x->dims[axis];
    for (int d = axis + 1; d < x->rank; d++) s->inner *= (size_t)x->dims[d];
    s->block = (uint64_t)block > s->axis && block > 0 ? s->axis : (size_t)block;
    if (s->block) s->n_blocks = (s->axis + s->block - 1) / s->block;
    return MINNOW_OK;
}

/* --- DequantizeLinear --------------------------------------------------------------------------------------------- */

static void dequantize_lanes(const steps *s, size_t first, size_t n, const run *r, float *y) {
    int64_t lanes[LANES_BLOCK];
    lanes_load(s->x_type, s->x, first, 1, n, lanes);
    for (size_t i = 0; i < n; i++) {
        const size_t k = r->scale + i * r->step;
        y[i] = (float)(lanes[i] - (s->zeros ? s->zeros[k] : 0)) * s->scales[k];
    }
}

static void dequantize_range(void *context, size_t begin, size_t end, size_t part) {
    const steps *s = context;
    float block[LANES_BLOCK];
    const int is_byte = quantized_is_byte(s->x_type), is_plain = s->y_type == DTYPE_FLOAT32;
    (void)part;
    while (begin < end) {
        run r = run_at(s, begin, end);
        const int whole = is_byte && is_plain && r.step == 0;
        if (!whole && r.n > LANES_BLOCK) r.n = LANES_BLOCK;
        float *y = is_plain ? (float *)s->y + begin : block;
        if (is_byte && r.step == 0)
            s->math->dequantize((const uint8_t *)s->x + begin, s->x_type == DTYPE_INT8,
                                s->zeros ? s->zeros[r.scale] : 0, s->scales[r.scale], y, r.n);
        else dequantize_lanes(s, begin, r.n, &r, y);
        if (!is_plain)
            lanes_cast(DTYPE_FLOAT32, block, s->y_type, (char *)s->y + begin * dtype_bytes(s->y_type), r.n);
        begin += r.n;
    }
}

minnow_status ops_dequantize_linear(op_context *c) {
    int32_t least, largest;
    steps s;
    TRY(ops_need(c, 2));
    const tensor *x = c->inputs[0];
    const int64_t named = graph_node_int(c->node, "output_dtype", 0);
    if (!quantized_range(x->type, &least, &largest) && x->type != DTYPE_INT32) return ops_unsupported_type(c, x->type);
    TRY(read_steps(c, x->type, &s));
    if (x->type == DTYPE_INT32 && s.zeros)
        for (size_t i = 0; i < tensor_count(c->inputs[2]); i++)
            if (s.zeros[i] != 0)
                return error_set(c->error, MINNOW_ERROR_FORMAT, "int32 has no zero point, %d given", (int)s.zeros[i]);
    s.y_type = named ? (dtype)named : c->inputs[1]->type;
    if (!is_float_type(s.y_type)) return ops_unsupported_type(c, s.y_type);
    TRY(ops_output(c, 0, s.y_type, x->rank, x->dims));
    s.y = c->outputs[0].data;
    ops_parallel(c, s.count, 64, 1, dequantize_range, &s);
    return MINNOW_OK;
}

/* --- QuantizeLinear ----------------------------------------------------------------------------------------------- */

static int64_t code_of(const steps *s, float x, size_t k) {
    const float v = x / s->scales[k];
    const int32_t zero = s->zeros ? s->zeros[k] : 0;
    const double low = (double)(s->least - zero), high = (double)(s->largest - zero);
    const double number = v != v ? 0 : (double)v < low ? low : (double)v > high ? high : (double)v;
    return (int64_t)exact_round_even(number) + zero;
}

static void quantize_range(void *context, size_t begin, size_t end, size_t part) {
    const steps *s = context;
    float block[LANES_BLOCK];
    int64_t lanes[LANES_BLOCK];
    const int is_plain = s->x_type == DTYPE_FLOAT32, is_byte = quantized_is_byte(s->y_type);
    (void)part;
    while (begin < end) {
        run r = run_at(s, begin, end);
        const int whole = is_byte && is_plain && r.step == 0;
        const float *x = block;
        if (!whole && r.n > LANES_BLOCK) r.n = LANES_BLOCK;
        if (is_plain) x = (const float *)s->x + begin;
        else lanes_cast(s->x_type, (const char *)s->x + begin * dtype_bytes(s->x_type), DTYPE_FLOAT32, block, r.n);
        if (is_byte && r.step == 0) {
            const int32_t zero = s->zeros ? s->zeros[r.scale] : 0;
            s->math->quantize(x, s->scales[r.scale], (float)(s->least - zero), (float)(s->largest - zero), zero,
                              (uint8_t *)s->y + begin, r.n);
        } else {
            for (size_t i = 0; i < r.n; i++) lanes[i] = code_of(s, x[i], r.scale + i * r.step);
            lanes_store(s->y_type, lanes, r.n, s->y, begin);
        }
        begin += r.n;
    }
}

minnow_status ops_quantize_linear(op_context *c) {
    steps s;
    TRY(ops_need(c, 2));
    const tensor *x = c->inputs[0];
    const int64_t named = graph_node_int(c->node, "output_dtype", 0);
    const int64_t precision = graph_node_int(c->node, "precision", 0);
    const dtype type = ops_has_input(c, 2) ? c->inputs[2]->type : named ? (dtype)named : DTYPE_UINT8;
    if (!is_float_type(x->type) && x->type != DTYPE_INT32) return ops_unsupported_type(c, x->type);
    if (named && (dtype)named != type)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "output_dtype is %s, the zero point %s",
                         dtype_name((dtype)named), dtype_name(type));
    if (precision != 0 && precision != DTYPE_FLOAT32)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "precision %s not supported, float32 is",
                         dtype_name((dtype)precision));
    TRY(read_steps(c, type, &s));
    if (!quantized_range(type, &s.least, &s.largest)) return ops_unsupported_type(c, type);
    TRY(ops_output(c, 0, type, x->rank, x->dims));
    s.y_type = type;
    s.y = c->outputs[0].data;
    ops_parallel(c, s.count, 64, 1, quantize_range, &s);
    return MINNOW_OK;
}

void quantized_codes(const op_context *c, const float *x, float scale, int32_t zero, dtype type, uint8_t *y, size_t n) {
    steps s = {.count = n, .axis = 1, .inner = 1, .scales = &scale, .zeros = &zero, .math = c->math, .x = x, .y = y,
               .x_type = DTYPE_FLOAT32, .y_type = type};
    quantized_range(type, &s.least, &s.largest);
    ops_parallel(c, n, 64, 1, quantize_range, &s);
}

void quantized_floats(const op_context *c, const uint8_t *x, dtype type, float scale, int32_t zero, float *y,
                      size_t n) {
    steps s = {.count = n, .axis = 1, .inner = 1, .scales = &scale, .zeros = &zero, .math = c->math, .x = x, .y = y,
               .x_type = type, .y_type = DTYPE_FLOAT32};
    ops_parallel(c, n, 64, 1, dequantize_range, &s);
}

/* --- DynamicQuantizeLinear ---------------------------------------------------------------------------------------- */

minnow_status quantized_dynamically(op_context *c, const tensor *x, uint8_t *codes, float *scale, uint8_t *zero) {
    float least, largest, number;
    if (x->type != DTYPE_FLOAT32) return ops_unsupported_type(c, x->type);
    c->math->range(x->data, tensor_count(x), &least, &largest);
    if (least != least) return error_set(c->error, MINNOW_ERROR_FORMAT, "NaN has no code");
    least = least < 0 ? least : 0;
    largest = largest > 0 ? largest : 0;
    *scale = largest == least ? 1 : (largest - least) / 255.0f;
    if (!quantized_is_scale(*scale))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "values from %g to %g have no finite scale", (double)least,
                         (double)largest);
    number = -least / *scale;
    *zero = (uint8_t)exact_round_even(number > 255.0f ? 255.0 : (double)number);
    quantized_codes(c, x->data, *scale, *zero, DTYPE_UINT8, codes, tensor_count(x));
    return MINNOW_OK;
}

minnow_status ops_dynamic_quantize_linear(op_context *c) {
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    if (c->n_outputs != 3) return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu outputs, 3 needed", c->n_outputs);
    TRY(ops_charge_product(c, tensor_count(x), 4, 1));
    TRY(ops_output(c, 0, DTYPE_UINT8, x->rank, x->dims));
    TRY(ops_output(c, 1, DTYPE_FLOAT32, 0, NULL));
    TRY(ops_output(c, 2, DTYPE_UINT8, 0, NULL));
    return quantized_dynamically(c, x, c->outputs[0].data, c->outputs[1].data, c->outputs[2].data);
}
