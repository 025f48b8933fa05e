/* SPDX-License-Identifier: Apache-2.0
 * onnxruntime's operators from codes to codes that a table of 256 answers does: QLinearSigmoid, QLinearLeakyRelu, and
 * QLinearConcat and QLinearWhere, whose inputs are brought to the output's scale:
 *
 *   table[code] = clamp(round(f((code - x_zero) x_scale) / y_scale) + y_zero) */
#include "convert/interpret/ops/quantized.h"
#include "convert/interpret/ops/table.h"

typedef struct steps {
    float x_scale, y_scale;
    int32_t x_zero, y_zero;
} steps;

static minnow_status read_steps(op_context *c, size_t x_scale, size_t x_zero, size_t y_scale, size_t y_zero, dtype type,
                                steps *s) {
    if (!quantized_is_byte(type)) return ops_unsupported_type(c, type);
    if (!ops_has_input(c, x_scale) || !ops_has_input(c, y_scale))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu is missing",
                         ops_has_input(c, x_scale) ? y_scale : x_scale);
    TRY(quantized_scale(c, x_scale, &s->x_scale));
    TRY(quantized_zero(c, x_zero, type, &s->x_zero));
    TRY(quantized_scale(c, y_scale, &s->y_scale));
    return quantized_zero(c, y_zero, type, &s->y_zero);
}

enum { TABLE_SAME = -1 };

/* By the codes' bytes. `kind`: a UNARY_ or TABLE_SAME. */
static void fill_table(const op_context *c, const steps *s, dtype type, int kind, uint8_t table[256]) {
    const float alpha = graph_node_float(c->node, "alpha", 0.01f);
    uint8_t bytes[256];
    float x[256];
    for (int i = 0; i < 256; i++) bytes[i] = (uint8_t)i;
    c->math->dequantize(bytes, type == DTYPE_INT8, s->x_zero, s->x_scale, x, 256);
    if (kind == UNARY_SIGMOID) c->math->sigmoid(x, x, 256);
    for (int i = 0; i < 256 && kind == UNARY_LEAKY_RELU; i++) x[i] = x[i] < 0 ? x[i] * alpha : x[i];
    quantized_codes(c, x, s->y_scale, s->y_zero, type, table, 256);
}

typedef struct job {
    const uint8_t *x, *table;
    uint8_t *y;
} job;

static void look_up(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    for (size_t i = begin; i < end; i++) j->y[i] = j->table[j->x[i]];
}

/* Inputs x, x_scale, x_zero, y_scale, y_zero. Variant: a UNARY_. */
minnow_status ops_qlinear_unary(op_context *c) {
    uint8_t table[256];
    steps s;
    TRY(ops_need(c, 2));
    const tensor *x = c->inputs[0];
    TRY(read_steps(c, 1, 2, 3, 4, x->type, &s));
    TRY(ops_output_over(c, 0, x->type, x->rank, x->dims, 0));
    fill_table(c, &s, x->type, ops_variant(c), table);
    job j = {x->data, table, c->outputs[0].data};
    ops_parallel(c, tensor_count(x), 64, 1, look_up, &j);
    return MINNOW_OK;
}

/* Input `input`, whose scale and zero point follow it, in the output's terms: *out, in scratch. */
static minnow_status bring_over(op_context *c, size_t input, size_t y_scale, size_t y_zero, tensor *out) {
    uint8_t table[256];
    steps s;
    TRY(read_steps(c, input + 1, input + 2, y_scale, y_zero, c->inputs[input]->type, &s));
    *out = *c->inputs[input];
    TRY(ops_charge(c, tensor_count(out)));
    TRY(ops_scratch(c, tensor_bytes(out), &out->data));
    fill_table(c, &s, out->type, TABLE_SAME, table);
    job j = {c->inputs[input]->data, table, out->data};
    ops_parallel(c, tensor_count(out), 64, 1, look_up, &j);
    return MINNOW_OK;
}

/* Runs an operator on tensors of ours in place of the node's inputs; it makes its output by ops_output. */
static minnow_status run_on(op_context *c, op_fn run, tensor *tensors, size_t n) {
    op_context inner = *c;
    void *inputs, *values;
    TRY(ops_scratch(c, n * sizeof *inner.inputs, &inputs));
    TRY(ops_scratch(c, n * sizeof *inner.input_values, &values));
    for (size_t i = 0; i < n; i++) {
        ((const tensor **)inputs)[i] = &tensors[i];
        ((int32_t *)values)[i] = -1;
    }
    inner.inputs = inputs;
    inner.input_values = values;
    inner.n_inputs = n;
    return run(&inner);
}

/* Inputs y_scale, y_zero, then x, x_scale, x_zero for each. */
minnow_status ops_qlinear_concat(op_context *c) {
    const size_t n = c->n_inputs > 2 ? (c->n_inputs - 2) / 3 : 0;
    void *memory;
    TRY(ops_need(c, c->n_inputs < 5 ? 5 : c->n_inputs));
    if (c->n_inputs != 2 + 3 * n)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu inputs, 2 and 3 for each tensor needed", c->n_inputs);
    TRY(ops_scratch(c, (n + 1) * sizeof(tensor), &memory));
    tensor *tensors = memory;
    for (size_t i = 0; i < n; i++) TRY(bring_over(c, 2 + 3 * i, 0, 1, &tensors[i]));
    if (n == 1) { /* which would be a view of scratch: an empty one beside it makes it a copy */
        int axis;
        TRY(ops_axis(c, graph_node_int(c->node, "axis", 0), tensors[0].rank, &axis));
        tensors[1] = tensors[0];
        tensors[1].dims[axis] = 0;
    }
    return run_on(c, ops_concat, tensors, n == 1 ? 2 : n);
}

/* Inputs condition, x, x_scale, x_zero, y, y_scale, y_zero, z_scale, z_zero. */
minnow_status ops_qlinear_where(op_context *c) {
    void *memory;
    TRY(ops_need(c, 9));
    TRY(ops_scratch(c, 3 * sizeof(tensor), &memory));
    tensor *tensors = memory;
    tensors[0] = *c->inputs[0];
    TRY(bring_over(c, 1, 7, 8, &tensors[1]));
    TRY(bring_over(c, 4, 7, 8, &tensors[2]));
    return run_on(c, ops_where, tensors, 3);
}
