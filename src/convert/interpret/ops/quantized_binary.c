/* SPDX-License-Identifier: Apache-2.0
 * QLinearAdd, QLinearMul: codes and codes -> codes, one scale and zero point a tensor, with broadcasting.
 *
 *   Add:  y = clamp(round((a - za) (sa / sy) + ((b - zb) (sb / sy) + zy))), summed as onnxruntime does: zy goes to b,
 *         or to a where that is one number
 *   Mul:  y = clamp(round((a - za)(b - zb) (sa sb / sy)) + zy), the product exact */
#include "convert/interpret/ops/quantized.h"
#include "convert/interpret/ops/table.h"

typedef struct job {
    const stride_plan *p;
    const math_kernels *math;
    const uint8_t *a, *b;
    uint8_t *y;
    int is_signed, multiplies;
    int32_t a_zero, b_zero, y_zero;
    float a_scale, b_scale, low, high;
    float sum_zero, product_scale; /* zy of a sum; of a product, whose operands' scales are 1 */
} job;

#define BLOCK 256

static void combine(const job *j, const float *a, int64_t a_step, const float *b, int64_t b_step, float *y, size_t n) {
    const math_kernels *m = j->math;
    if (a_step == 0 && n > 1) (j->multiplies ? m->mul_scalar : m->add_scalar)(b, *a, y, n);
    else if (b_step == 0 && n > 1) (j->multiplies ? m->mul_scalar : m->add_scalar)(a, *b, y, n);
    else (j->multiplies ? m->mul : m->add)(a, b, y, n);
    if (j->multiplies) m->mul_scalar(y, j->product_scale, y, n);
}

static void codes_run(void *context, size_t first, size_t n, const int64_t *offsets, const int64_t *steps) {
    const job *j = context;
    float a[BLOCK], b[BLOCK];
    for (size_t at = 0; at < n; at += BLOCK) {
        const size_t some = n - at < BLOCK ? n - at : BLOCK;
        j->math->dequantize(j->a + offsets[0] + (int64_t)at * steps[0], j->is_signed, j->a_zero, j->a_scale, a,
                            steps[0] ? some : 1);
        j->math->dequantize(j->b + offsets[1] + (int64_t)at * steps[1], j->is_signed, j->b_zero, j->b_scale, b,
                            steps[1] ? some : 1);
        if (!j->multiplies && steps[0] == 0) a[0] += j->sum_zero;
        else if (!j->multiplies) j->math->add_scalar(b, j->sum_zero, b, steps[1] ? some : 1);
        if (steps[0] == 0 && steps[1] == 0) /* one element */
            combine(j, a, 1, b, 1, a, 1);
        else combine(j, a, steps[0], b, steps[1], steps[0] ? a : b, some);
        j->math->quantize(steps[0] == 0 && steps[1] != 0 ? b : a, 1, j->low, j->high, j->y_zero, j->y + first + at,
                          some);
    }
}

static void codes_range(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    stride_walk(j->p, begin, end, codes_run, context);
}

/* Inputs a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero. Variant BINARY_ADD or BINARY_MUL. */
minnow_status ops_qlinear_binary(op_context *c) {
    job j = {.math = c->math, .multiplies = ops_variant(c) == BINARY_MUL};
    int64_t dims[TENSOR_MAX_RANK];
    int32_t least, largest;
    float y_scale;
    stride_plan plan;
    int rank;
    TRY(ops_need(c, 2));
    if (!ops_has_input(c, 3) || !ops_has_input(c, 4) || !ops_has_input(c, 6))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "8 inputs needed");
    const tensor *a = c->inputs[0], *b = c->inputs[3];
    if (!quantized_is_byte(a->type)) return ops_unsupported_type(c, a->type);
    TRY(ops_same_type(c, 0, 3));
    j.is_signed = a->type == DTYPE_INT8;
    TRY(quantized_scale(c, 1, &j.a_scale));
    TRY(quantized_scale(c, 4, &j.b_scale));
    TRY(quantized_scale(c, 6, &y_scale));
    TRY(quantized_zero(c, 2, a->type, &j.a_zero));
    TRY(quantized_zero(c, 5, a->type, &j.b_zero));
    TRY(quantized_zero(c, 7, a->type, &j.y_zero));
    j.product_scale = j.a_scale * j.b_scale / y_scale;
    j.a_scale = j.multiplies ? 1 : j.a_scale / y_scale;
    j.b_scale = j.multiplies ? 1 : j.b_scale / y_scale;
    quantized_range(a->type, &least, &largest);
    if (!j.multiplies) { /* added before rounding */
        j.sum_zero = (float)j.y_zero;
        j.y_zero = 0;
    }
    j.low = (float)(least - j.y_zero);
    j.high = (float)(largest - j.y_zero);
    TRY(stride_broadcast(c, (const tensor *const[]){a, b}, 2, &rank, dims, &plan));
    TRY(ops_output(c, 0, a->type, rank, dims));
    j.p = &plan;
    j.a = a->data;
    j.b = b->data;
    j.y = c->outputs[0].data;
    ops_parallel(c, tensor_count(&c->outputs[0]), 64, 2, codes_range, &j);
    return MINNOW_OK;
}
