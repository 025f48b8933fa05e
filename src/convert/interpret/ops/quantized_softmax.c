/* SPDX-License-Identifier: Apache-2.0
 * QLinearSoftmax: codes -> codes, in whole numbers, as onnxruntime defines it:
 *
 *   e(d) = round(q exp(-d x_scale)), d = max code - code, q = min(2^23 - 1, (2^32 - 1) / n)
 *   y    = clamp((e s + sum e / 2) / sum e + y_zero), s = floor(1 / y_scale), divisions towards zero
 *
 * s is where it departs from Softmax between DequantizeLinear and QuantizeLinear, by a code here and there. */
#include <string.h>

#include "convert/interpret/ops/quantized.h"
#include "convert/interpret/ops/table.h"

typedef struct job {
    const uint8_t *x;
    uint8_t *y;
    uint8_t x_flip;
    size_t n;
    uint32_t table[256]; /* by d */
    double scale; /* a whole number, as all of these: quotients are exact enough to be truncated */
    int32_t zero, least, largest;
} job;

static void rows_of_codes(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    for (size_t r = begin; r < end; r++) {
        const uint8_t *x = j->x + r * j->n;
        uint8_t *y = j->y + r * j->n, top = 0;
        uint64_t sum = 0;
        for (size_t i = 0; i < j->n; i++) top = (x[i] ^ j->x_flip) > top ? x[i] ^ j->x_flip : top;
        for (size_t i = 0; i < j->n; i++) sum += j->table[top - (x[i] ^ j->x_flip)];
        const double divisor = (double)sum, half = (double)(sum / 2);
        for (size_t i = 0; i < j->n; i++) {
            const double e = (double)j->table[top - (x[i] ^ j->x_flip)];
            const int64_t code = (int64_t)((e * j->scale + half) / divisor) + j->zero;
            y[i] = (uint8_t)(code < j->least ? j->least : code > j->largest ? j->largest : code);
        }
    }
}

static void fill_table(job *j, float x_scale) {
    const double whole = 4294967295.0 / (double)j->n, q = whole < 8388607.0 ? whole : 8388607.0;
    for (int d = 0; d < 256; d++) j->table[d] = (uint32_t)(q * math_exp_f64(-(double)d * (double)x_scale) + 0.5);
}

/* Inputs x, x_scale, x_zero, y_scale, y_zero; the zero point of x changes nothing. */
minnow_status ops_qlinear_softmax(op_context *c) {
    const int flattens = graph_node_int(c->node, "opset", 13) < 13;
    float x_scale, y_scale;
    int axis;
    size_t rows = 1;
    TRY(ops_need(c, 2));
    const tensor *x = c->inputs[0];
    job *j;
    void *memory;
    TRY(ops_scratch(c, sizeof *j, &memory));
    j = memory;
    *j = (job){.x = x->data, .x_flip = x->type == DTYPE_INT8 ? 0x80 : 0, .n = 1};
    if (!quantized_is_byte(x->type)) return ops_unsupported_type(c, x->type);
    if (!ops_has_input(c, 3) || !ops_has_input(c, 4))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "the scale and zero point of the output are missing");
    TRY(quantized_scale(c, 1, &x_scale));
    TRY(quantized_scale(c, 3, &y_scale));
    TRY(quantized_zero(c, 4, x->type, &j->zero));
    quantized_range(x->type, &j->least, &j->largest);
    if (x->rank == 0) return error_set(c->error, MINNOW_ERROR_FORMAT, "a scalar has no axis");
    TRY(ops_axis(c, graph_node_int(c->node, "axis", flattens ? 1 : -1), x->rank + (flattens && x->rank == 1), &axis));
    if (axis == x->rank) axis = 0; /* a row, as Softmax has it */
    if (!flattens && axis != x->rank - 1)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "axis %d not supported, the last one is", axis);
    for (int d = 0; d < axis; d++) rows *= (size_t)x->dims[d];
    for (int d = axis; d < x->rank; d++) j->n *= (size_t)x->dims[d];
    j->scale = y_scale < 1e-6f ? 1e6 : (double)(uint64_t)(1.0f / y_scale);
    TRY(ops_charge_product(c, tensor_count(x), 8, 1));
    TRY(ops_output(c, 0, x->type, x->rank, x->dims));
    j->y = c->outputs[0].data;
    if (j->n == 0) return MINNOW_OK;
    fill_table(j, x_scale);
    ops_parallel(c, rows, 1, 8 * j->n, rows_of_codes, j);
    return MINNOW_OK;
}
