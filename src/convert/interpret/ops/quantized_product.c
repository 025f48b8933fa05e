/* SPDX-License-Identifier: Apache-2.0
 * Products of 8-bit matrices: MatMulInteger, QLinearMatMul, and onnxruntime's MatMulIntegerToFloat,
 * DynamicQuantizeMatMul and QGemm. Sums are exact; the float that is made of one is
 *
 *   float(sum) * (a_scale * b_scale) + bias
 *
 * in separate roundings: the same operations, in the same order, as Cast, Mul and Add as nodes of their own. */
#include <string.h>

#include "base/memory.h"
#include "convert/interpret/interpreter_impl.h"
#include "convert/interpret/ops/quantized.h"
#include "convert/interpret/ops/quantized_product.h"
#include "convert/interpret/ops/table.h"

/* --- Operands ----------------------------------------------------------------------------------------------------- */

/* Zero points of the operand whose input is `of`: one, or one for each of `n`. */
static minnow_status read_zeros(op_context *c, size_t input, size_t of, size_t n, const int32_t **out, size_t *count) {
    *count = 1;
    *out = NULL;
    if (!ops_has_input(c, input)) return MINNOW_OK;
    if (tensor_count(c->inputs[input]) != 1) *count = n;
    return quantized_zeros(c, input, c->inputs[of]->type, *count, out);
}

static minnow_status set_zeros(op_context *c, integer_product *p, size_t a, size_t a_zero, size_t b, size_t b_zero) {
    const int32_t *a_zeros, *b_zeros;
    size_t n_a, n_b;
    TRY(read_zeros(c, a_zero, a, p->shape.m, &a_zeros, &n_a));
    TRY(read_zeros(c, b_zero, b, p->shape.n, &b_zeros, &n_b));
    return integer_product_zeros(c, p, a_zeros, n_a, b_zeros, n_b);
}

/* a_scale * b_scale / y_scale, one or one for each column, as p->scale. y_scale 0: none. */
static minnow_status set_scale(op_context *c, integer_product *p, float a_scale, size_t b_scale, float y_scale) {
    const float *scales;
    void *memory;
    size_t n;
    TRY(quantized_scales(c, b_scale, &scales, &n));
    if (n != 1 && n != p->shape.n)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu scales in input %zu for %zu columns", n, b_scale,
                         p->shape.n);
    TRY(ops_scratch(c, n * sizeof(float), &memory));
    for (size_t j = 0; j < n; j++) {
        const float scale = a_scale * scales[j];
        ((float *)memory)[j] = y_scale != 0 ? scale / y_scale : scale;
    }
    p->scale = memory;
    p->scale_per_column = n != 1;
    return MINNOW_OK;
}

static minnow_status set_bias(op_context *c, integer_product *p, size_t input) {
    if (!ops_has_input(c, input)) return MINNOW_OK;
    const tensor *t = c->inputs[input];
    if (t->type != DTYPE_FLOAT32) return ops_unsupported_type(c, t->type);
    if (t->rank != 1 || (size_t)t->dims[0] != p->shape.n)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu biases for %zu columns", tensor_count(t), p->shape.n);
    p->bias = t->data;
    return MINNOW_OK;
}

static void use_packed(op_context *c, integer_product *p, size_t b) {
    if (c->step->packed && c->step->packed_value == c->input_values[b]) p->packed = c->step->packed;
}

minnow_status quantized_plan_sums(op_context *c, integer_product *p, int *rank, int64_t *dims) {
    TRY(ops_need(c, 2));
    TRY(integer_product_plan(c, c->inputs[0], c->inputs[1], NULL, p, rank, dims));
    use_packed(c, p, 1);
    return set_zeros(c, p, 0, 2, 1, 3);
}

/* Where an operator has what belongs to a (input 0) and b (input 1). */
typedef struct scaled_inputs {
    size_t a_scale, b_scale, a_zero, b_zero, bias;
} scaled_inputs;

static minnow_status plan_scaled(op_context *c, const scaled_inputs *at, integer_product *p, int *rank, int64_t *dims) {
    float a_scale;
    TRY(integer_product_plan(c, c->inputs[0], c->inputs[1], NULL, p, rank, dims));
    use_packed(c, p, 1);
    TRY(quantized_scale(c, at->a_scale, &a_scale));
    TRY(set_zeros(c, p, 0, at->a_zero, 1, at->b_zero));
    TRY(set_scale(c, p, a_scale, at->b_scale, 0));
    return set_bias(c, p, at->bias);
}

minnow_status quantized_plan_floats(op_context *c, integer_product *p, int *rank, int64_t *dims) {
    static const scaled_inputs at = {.a_scale = 2, .b_scale = 3, .a_zero = 4, .b_zero = 5, .bias = 6};
    TRY(ops_need(c, 4));
    return plan_scaled(c, &at, p, rank, dims);
}

minnow_status quantized_plan_attention(op_context *c, integer_product *p, int *rank, int64_t *dims) {
    static const scaled_inputs at = {.a_scale = 3, .b_scale = 4, .a_zero = 6, .b_zero = 7, .bias = 2};
    TRY(ops_need(c, 5));
    return plan_scaled(c, &at, p, rank, dims);
}

/* --- Operators ---------------------------------------------------------------------------------------------------- */

minnow_status ops_matmul_integer(op_context *c) {
    int64_t dims[TENSOR_MAX_RANK];
    integer_product p;
    int rank;
    TRY(quantized_plan_sums(c, &p, &rank, dims));
    TRY(ops_output(c, 0, DTYPE_INT32, rank, dims));
    p.sums = c->outputs[0].data;
    return integer_product_run(c, &p);
}

minnow_status ops_matmul_integer_to_float(op_context *c) {
    int64_t dims[TENSOR_MAX_RANK];
    integer_product p;
    int rank;
    TRY(quantized_plan_floats(c, &p, &rank, dims));
    TRY(ops_output(c, 0, DTYPE_FLOAT32, rank, dims));
    p.floats = c->outputs[0].data;
    return integer_product_run(c, &p);
}

/* Inputs a (float32), b, b_scale, b_zero, bias. */
minnow_status ops_dynamic_quantize_matmul(op_context *c) {
    int64_t dims[TENSOR_MAX_RANK];
    integer_product p;
    uint8_t a_zero;
    float a_scale;
    int rank;
    void *codes;
    TRY(ops_need(c, 3));
    tensor a = *c->inputs[0];
    TRY(ops_scratch(c, tensor_count(&a), &codes));
    TRY(quantized_dynamically(c, &a, codes, &a_scale, &a_zero));
    a.type = DTYPE_UINT8;
    a.data = codes;
    TRY(integer_product_plan(c, &a, c->inputs[1], NULL, &p, &rank, dims));
    const int32_t zero = a_zero, *b_zeros;
    size_t n_b;
    TRY(read_zeros(c, 3, 1, p.shape.n, &b_zeros, &n_b));
    TRY(integer_product_zeros(c, &p, &zero, 1, b_zeros, n_b));
    TRY(set_scale(c, &p, a_scale, 2, 0));
    TRY(set_bias(c, &p, 4));
    TRY(ops_output(c, 0, DTYPE_FLOAT32, rank, dims));
    p.floats = c->outputs[0].data;
    use_packed(c, &p, 1);
    return integer_product_run(c, &p);
}

/* Codes of floats[n] that have been divided by the output's scale, as output 0. */
static minnow_status give_codes(op_context *c, const float *floats, dtype type, int32_t zero, int rank,
                                const int64_t *dims) {
    TRY(ops_output(c, 0, type, rank, dims));
    quantized_codes(c, floats, 1, zero, type, c->outputs[0].data, tensor_count(&c->outputs[0]));
    return MINNOW_OK;
}

static minnow_status output_step(op_context *c, size_t scale, size_t zero, float *y_scale, int32_t *y_zero,
                                 dtype *type) {
    *type = c->inputs[zero]->type;
    if (!quantized_is_byte(*type)) return ops_unsupported_type(c, *type);
    TRY(quantized_scale(c, scale, y_scale));
    return quantized_zero(c, zero, *type, y_zero);
}

/* Inputs a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero. */
minnow_status ops_qlinear_matmul(op_context *c) {
    int64_t dims[TENSOR_MAX_RANK];
    integer_product p;
    float a_scale, y_scale;
    int32_t y_zero;
    dtype type;
    int rank;
    size_t count;
    void *floats;
    TRY(ops_need(c, 8));
    TRY(integer_product_plan(c, c->inputs[0], c->inputs[3], NULL, &p, &rank, dims));
    TRY(quantized_scale(c, 1, &a_scale));
    TRY(output_step(c, 6, 7, &y_scale, &y_zero, &type));
    TRY(set_zeros(c, &p, 0, 2, 3, 5));
    TRY(set_scale(c, &p, a_scale, 4, y_scale));
    TRY(tensor_check_shape(DTYPE_FLOAT32, rank, dims, &count, c->error));
    TRY(ops_scratch(c, count * sizeof(float), &floats));
    p.floats = floats;
    use_packed(c, &p, 3);
    TRY(integer_product_run(c, &p));
    return give_codes(c, floats, type, y_zero, rank, dims);
}

/* sums += C, which broadcasts to them. */
static minnow_status add_integers(op_context *c, size_t input, tensor *sums) {
    const tensor *t = c->inputs[input];
    int64_t dims[TENSOR_MAX_RANK];
    stride_plan plan;
    int rank;
    if (t->type != DTYPE_INT32) return ops_unsupported_type(c, t->type);
    TRY(stride_broadcast(c, (const tensor *const[]){t, sums}, 2, &rank, dims, &plan));
    if (rank != 2 || dims[0] != sums->dims[0] || dims[1] != sums->dims[1])
        return error_set(c->error, MINNOW_ERROR_FORMAT, "C does not broadcast to the result");
    return binary_apply(c, BINARY_ADD, sums, t, sums);
}

/* The transpose of a matrix of bytes, dense. */
static minnow_status transposed(op_context *c, const tensor *in, tensor *out) {
    static const int perm[2] = {1, 0};
    *out = *in;
    out->dims[0] = in->dims[1];
    out->dims[1] = in->dims[0];
    TRY(ops_scratch(c, tensor_bytes(in), &out->data));
    stride_transpose(c, in, NULL, perm, out->data);
    return MINNOW_OK;
}

static void rows_to_floats(const op_context *c, const integer_product *p, const tensor *sums, float *out) {
    const size_t m = (size_t)sums->dims[0], n = (size_t)sums->dims[1];
    for (size_t i = 0; i < m; i++)
        c->math->scale_sums((const int32_t *)sums->data + i * n, p->scale, p->scale_per_column, NULL,
                            MATH_ACTIVATION_NONE, NULL, out + i * n, n);
}

/* Inputs a, a_scale, a_zero, b, b_scale, b_zero, C (int32), y_scale, y_zero: codes, or floats without y_scale. */
minnow_status ops_qgemm(op_context *c) {
    const float alpha = graph_node_float(c->node, "alpha", 1);
    int64_t dims[TENSOR_MAX_RANK], strides[2];
    integer_product p;
    float a_scale, y_scale = 0;
    int32_t y_zero = 0;
    dtype type = DTYPE_FLOAT32;
    int rank;
    size_t count;
    void *floats;
    TRY(ops_need(c, 6));
    tensor a = *c->inputs[0], b = *c->inputs[3], sums = {.type = DTYPE_INT32, .rank = 2};
    if (a.rank != 2 || b.rank != 2) return error_set(c->error, MINNOW_ERROR_FORMAT, "ranks %d and %d", a.rank, b.rank);
    if (graph_node_int(c->node, "transA", 0)) TRY(transposed(c, c->inputs[0], &a));
    const int swaps = graph_node_int(c->node, "transB", 0) != 0;
    strides[swaps] = b.dims[1];
    strides[!swaps] = 1;
    b.dims[0] = c->inputs[3]->dims[swaps];
    b.dims[1] = c->inputs[3]->dims[!swaps];
    TRY(integer_product_plan(c, &a, &b, strides, &p, &rank, dims));
    TRY(quantized_scale(c, 1, &a_scale));
    if (ops_has_input(c, 7)) {
        if (!ops_has_input(c, 8)) return error_set(c->error, MINNOW_ERROR_FORMAT, "input 8 is missing");
        TRY(output_step(c, 7, 8, &y_scale, &y_zero, &type));
    }
    TRY(set_zeros(c, &p, 0, 2, 3, 5));
    TRY(set_scale(c, &p, a_scale * alpha, 4, y_scale));
    memcpy(sums.dims, dims, 2 * sizeof *dims);
    TRY(tensor_check_shape(DTYPE_INT32, rank, dims, &count, c->error));
    TRY(ops_scratch(c, count * sizeof(int32_t), &sums.data));
    p.sums = sums.data;
    use_packed(c, &p, 3);
    TRY(integer_product_run(c, &p));
    if (ops_has_input(c, 6)) TRY(add_integers(c, 6, &sums));
    if (type == DTYPE_FLOAT32) {
        TRY(ops_output(c, 0, type, rank, dims));
        rows_to_floats(c, &p, &sums, c->outputs[0].data);
        return MINNOW_OK;
    }
    TRY(ops_scratch(c, count * sizeof(float), &floats));
    rows_to_floats(c, &p, &sums, floats);
    return give_codes(c, floats, type, y_zero, rank, dims);
}

/* --- Constants packed once ---------------------------------------------------------------------------------------- */

/* Which input of an operator is the right-hand side; -1: it is no product of integers. */
static int right_hand_side(op_fn run) {
    if (run == ops_matmul_integer || run == ops_matmul_integer_to_float || run == ops_dynamic_quantize_matmul ||
        run == ops_qattention)
        return 1;
    return run == ops_qlinear_matmul || run == ops_qgemm ? 3 : -1;
}

minnow_status quantized_prepare(struct interpreter *in, step *s, minnow_error *error) {
    const size_t head = s->n_nodes ? s->nodes[0] : s->node;
    const graph_node *node = &in->nodes[head];
    const int input = right_hand_side(in->entries[head]->run);
    if (input < 0 || node->n_inputs <= (size_t)input || node->inputs[input] < 0) return MINNOW_OK;
    const int32_t value = node->inputs[input];
    const tensor *t = &in->values[value].t;
    if (!in->values[value].is_constant || t->rank != 2 || tensor_count(t) == 0 || !quantized_is_byte(t->type))
        return MINNOW_OK;
    const int swaps = in->entries[head]->run == ops_qgemm && graph_node_int(node, "transB", 0) != 0;
    const size_t k = (size_t)t->dims[swaps], n = (size_t)t->dims[!swaps], row = (size_t)t->dims[1];
    if (k > INT8_MAX_K || n > SIZE_MAX / 8 / (k + 64)) return MINNOW_OK; /* each run says what is wrong */
    const size_t bytes = in->int8->packed_bytes(k, n);
    if (bytes > 4 * tensor_bytes(t) + 65536 || in->held_bytes > in->memory_limit ||
        bytes > in->memory_limit - in->held_bytes || matmul_twin_packed(in, s, value))
        return MINNOW_OK;
    s->packed = memory_aligned_alloc(bytes);
    if (!s->packed) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for packed weights");
    s->packed_value = value;
    in->held_bytes += bytes;
    in->int8->pack(t->data, swaps ? 1 : row, swaps ? row : 1, t->type == DTYPE_UINT8 ? 0x80 : 0, k, n, s->packed);
    return MINNOW_OK;
}
