/* SPDX-License-Identifier: Apache-2.0
 * A site and a matrix of the INT8 model -> QuantizeLinear, DequantizeLinear, MatMul, Add. */
#include "convert/qdq/parts.h"

#define NONE GRAPH_NO_VALUE
#define ACTIVATION_ZERO_POINT 128 /* uint8: the engine's codes are 128 less */
#define LARGEST 1e37              /* of what is folded: within a float's range */
#define LEAST 1e-37

static void out_of_memory(builder *b) {
    builder_fail(b, error_set(b->error, MINNOW_ERROR_MEMORY, "out of memory"));
}

int32_t qdq_floats(builder *b, const char *leaf, const float *x, size_t n) {
    tensor t = {.type = DTYPE_FLOAT32, .rank = 1, .dims = {(int64_t)n}};
    t.data = (void *)(uintptr_t)x;
    return builder_constant(b, leaf, &t);
}

/* QuantizeLinear or DequantizeLinear by the one scale and zero point of all activations: codes are scaled already. */
static int32_t step_by_one(builder *b, const char *op_type, int32_t x) {
    static const uint8_t zero_point = ACTIVATION_ZERO_POINT;
    const int32_t one = builder_scalar(b, "one", 1.0f);
    int32_t zero = b->status == MINNOW_OK ? graph_find_value(b->g, "zero_point") : NONE;
    if (zero < 0) {
        tensor t = {.type = DTYPE_UINT8};
        t.data = (void *)(uintptr_t)&zero_point;
        zero = builder_named_constant(b, "zero_point", &t);
    }
    return builder_op(b, op_type, x, one, zero);
}

int32_t qdq_quantize(builder *b, int32_t x, const int8_quantizer *q, size_t n) {
    if (q != NULL) {
        x = builder_op(b, "Mul", x, qdq_floats(b, "multiplier", q->multiplier, n), NONE);
        x = builder_op(b, "Add", x, qdq_floats(b, "offset", q->offset, n), NONE);
    }
    x = step_by_one(b, "QuantizeLinear", x);
    return step_by_one(b, "DequantizeLinear", x);
}

/* --- Matrices ---------------------------------------------------------------------------------------------------- */

/* Panels -> codes [k, n], as MatMul takes them. */
static int32_t add_codes(builder *b, const int8_matrix *w, size_t first, size_t n) {
    tensor t = {.type = DTYPE_INT8, .rank = 2, .dims = {(int64_t)w->k, (int64_t)n}};
    int8_t *codes;
    size_t i, j;
    if (b->status != MINNOW_OK) return NONE;
    t.data = codes = arena_array(&b->g->memory, w->k, n);
    if (codes == NULL) return out_of_memory(b), NONE;
    for (j = 0; j < w->k; j++)
        for (i = 0; i < n; i++)
            codes[j * n + i] = (int8_t)(w->panels[int8_panel_index(w->k, first + i, j)] - INT8_WEIGHT_BIAS);
    return builder_constant(b, "weight", &t);
}

/* Scale and bias of the outputs, folded. */
static int32_t add_folded(builder *b, const char *leaf, const float *x, size_t n, const qdq_fold *fold, int is_bias) {
    float *folded;
    size_t i;
    if (b->status != MINNOW_OK) return NONE;
    if (fold == NULL) return qdq_floats(b, leaf, x, n);
    folded = arena_array(&b->g->memory, n, sizeof *folded);
    if (folded == NULL) return out_of_memory(b), NONE;
    for (i = 0; i < n; i++) {
        const double offset = is_bias && fold->offset != NULL ? fold->offset[i] : 0.0;
        const double y = (double)x[i] * fold->multiplier[i] + offset, size = y < 0.0 ? -y : y;
        if (!(size < LARGEST && (is_bias || y > LEAST))) {
            builder_fail(b, error_set(b->error, MINNOW_ERROR_UNSUPPORTED,
                                      "%s: the %s of output %zu would be %g, out of a float's range", b->scope + 1,
                                      leaf, i, y));
            return NONE;
        }
        folded[i] = (float)y;
    }
    return qdq_floats(b, leaf, folded, n);
}

/* No call has two calls among its arguments: their order is that of the file's bytes. */
int32_t qdq_linear(builder *b, int32_t codes, const char *module, const int8_matrix *w, size_t first, size_t n,
                   const qdq_fold *fold) {
    const size_t mark = builder_enter(b, module);
    const int32_t weight = add_codes(b, w, first, n);
    const int32_t scale = add_folded(b, "scale", w->scale + first, n, fold, 0);
    const int32_t values = builder_op(b, "DequantizeLinear", weight, scale, NONE);
    int32_t product, bias;
    builder_int(b, "axis", 1);
    product = builder_op(b, "MatMul", codes, values, NONE);
    bias = add_folded(b, "bias", w->bias + first, n, fold, 1);
    product = builder_op(b, "Add", product, bias, NONE);
    builder_leave(b, mark);
    return product;
}
