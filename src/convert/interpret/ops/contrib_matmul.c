/* SPDX-License-Identifier: Apache-2.0
 * com.microsoft's products: FusedMatMul (TransposeMatMul), alpha * op(A) op(B), and FusedGemm, a Gemm with an
 * activation behind it. float32. */
#include <string.h>

#include "convert/interpret/interpreter_impl.h"
#include "convert/interpret/ops/table.h"
#include "convert/interpret/product.h"

/* An operand seen as the product wants it. Attribute `transposes_batches` brings the first dim behind the batches,
 * `transposes` exchanges the last two dims then. */
static minnow_status operand_view(op_context *c, size_t input, const char *transposes_batches, const char *transposes,
                                  tensor *t, int64_t *strides) {
    const int batches = graph_node_int(c->node, transposes_batches, 0) != 0;
    const int swaps = graph_node_int(c->node, transposes, 0) != 0;
    const tensor *x = c->inputs[input];
    int64_t dense[TENSOR_MAX_RANK];
    const int r = x->rank;
    *t = *x;
    stride_dense(r, x->dims, dense);
    if (c->strides[input]) memcpy(dense, c->strides[input], (size_t)r * sizeof *dense);
    if (r > 0) memcpy(strides, dense, (size_t)r * sizeof *dense);
    if (batches && r < 3)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "transBatch needs rank 3 or more, input %zu has %d", input, r);
    for (int d = 0; batches && d < r - 1; d++) {
        const int from = d == r - 2 ? 0 : d + 1;
        t->dims[d] = x->dims[from];
        strides[d] = dense[from];
    }
    if (swaps && r >= 2) {
        const int64_t size = t->dims[r - 1], stride = strides[r - 1];
        t->dims[r - 1] = t->dims[r - 2];
        strides[r - 1] = strides[r - 2];
        t->dims[r - 2] = size;
        strides[r - 2] = stride;
    }
    return MINNOW_OK;
}

minnow_status ops_fused_matmul(op_context *c) {
    const float alpha = graph_node_float(c->node, "alpha", 1);
    int64_t dims[TENSOR_MAX_RANK], as[TENSOR_MAX_RANK], bs[TENSOR_MAX_RANK];
    tensor a, b;
    product p;
    int rank;
    TRY(ops_need(c, 2));
    TRY(ops_same_type(c, 0, 1));
    if (c->inputs[0]->type != DTYPE_FLOAT32) return ops_unsupported_type(c, c->inputs[0]->type);
    TRY(operand_view(c, 0, "transBatchA", "transA", &a, as));
    TRY(operand_view(c, 1, "transBatchB", "transB", &b, bs));
    TRY(product_plan(c, &a, as, &b, bs, &p, &rank, dims));
    TRY(ops_output(c, 0, DTYPE_FLOAT32, rank, dims));
    p.c = c->outputs[0].data;
    if (c->step->packed && c->step->packed_value == c->input_values[1]) p.packed = c->step->packed;
    p.epilogue.scale = alpha;
    if (alpha == 0) {
        if (tensor_count(&c->outputs[0])) memset(p.c, 0, tensor_bytes(&c->outputs[0]));
        return MINNOW_OK;
    }
    return product_run(c, &p);
}

/* --- FusedGemm ---------------------------------------------------------------------------------------------------- */

/* The activation's name; alpha and beta are attributes "activation_alpha" and "activation_beta". */
static int activation_of(const char *name, float *alpha, float *beta) {
    static const struct { const char *name; int kind; float alpha, beta; } known[] = {
        {"Abs", UNARY_ABS, 0, 0}, {"Elu", UNARY_ELU, 1, 0}, {"HardSigmoid", UNARY_HARD_SIGMOID, 0.2f, 0.5f},
        {"LeakyRelu", UNARY_LEAKY_RELU, 0.01f, 0}, {"Relu", UNARY_RELU, 0, 0}, {"Sigmoid", UNARY_SIGMOID, 0, 0},
        {"Softplus", UNARY_SOFTPLUS, 0, 0}, {"Tanh", UNARY_TANH, 0, 0},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) != 0) continue;
        *alpha = known[i].alpha;
        *beta = known[i].beta;
        return known[i].kind;
    }
    return -1;
}

minnow_status ops_fused_gemm(op_context *c) {
    const char *name = graph_node_string(c->node, "activation", "");
    float alpha = 0, beta = 0;
    const int kind = activation_of(name, &alpha, &beta);
    if (kind < 0)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "activation '%s' is not supported", name);
    TRY(ops_gemm(c));
    if (c->outputs[0].type != DTYPE_FLOAT32) return ops_unsupported_type(c, c->outputs[0].type);
    unary_in_place(c, kind, graph_node_float(c->node, "activation_alpha", alpha),
                   graph_node_float(c->node, "activation_beta", beta), &c->outputs[0]);
    return MINNOW_OK;
}
