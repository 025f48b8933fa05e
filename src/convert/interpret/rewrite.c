/* SPDX-License-Identifier: Apache-2.0
 * Operators between dequantized operands become operators of their codes, as in onnxruntime (DQ, Q: DequantizeLinear,
 * QuantizeLinear):
 *
 *   MatMul(DQ(a, sa, za), DQ(B, sb, zb))        ->  MatMulIntegerToFloat(a, B, sa, sb, za, zb)
 *   Q(MatMul(DQ(a, sa, za), DQ(B, sb, zb)), ..) ->  QLinearMatMul(a, sa, za, B, sb, zb, ..)
 *   Q(Add(DQ(a, ..), DQ(b, ..)), ..), Q(Mul ..) ->  QLinearAdd(a, .., b, .., ..), QLinearMul
 *   Q(Softmax(DQ(x, ..)), ..)                   ->  QLinearSoftmax(x, .., ..)
 *
 * where all scales and zero points are constants, one a tensor, but one for each column if B is a constant too. The
 * sums of products are exact then and rounded once, where those of dequantized floats round at every step: the result
 * differs in its last digits from what the operators say apart, and is nearer to the truth. It is so whether chains are
 * fused or not. What nobody reads any more is not run. */
#include <string.h>

#include "convert/interpret/interpreter_impl.h"
#include "convert/interpret/ops/quantized.h"
#include "convert/interpret/ops/table.h"

static const tensor *constant_of(const struct interpreter *in, int32_t value) {
    return value >= 0 && in->values[value].is_constant ? &in->values[value].t : NULL;
}

/* Constant float32 scales that are none of those that the operators refuse; what is wrong with others they say. */
static const tensor *scales_of(const struct interpreter *in, int32_t value) {
    const tensor *t = constant_of(in, value);
    if (!t || t->type != DTYPE_FLOAT32 || tensor_count(t) == 0) return NULL;
    for (size_t i = 0; i < tensor_count(t); i++)
        if (!quantized_is_scale(((const float *)t->data)[i])) return NULL;
    return t;
}

/* The DequantizeLinear that makes a value, if its scales are not in blocks. */
static const graph_node *dequantizer_of(const struct interpreter *in, int32_t value) {
    const int32_t producer = value >= 0 ? in->g->values[value].producer : -1;
    if (producer < 0 || in->entries[producer]->run != ops_dequantize_linear) return NULL;
    const graph_node *n = &in->nodes[producer];
    if (n->n_inputs < 2 || n->inputs[0] < 0 || graph_node_int(n, "block_size", 0) != 0) return NULL;
    if (!scales_of(in, n->inputs[1])) return NULL;
    return graph_node_int(n, "output_dtype", DTYPE_FLOAT32) == DTYPE_FLOAT32 ? n : NULL;
}

static int is_byte(const tensor *t) { return t && quantized_is_byte(t->type); }

/* One scale and one zero point of a byte type, which the codes then have. */
static int left_fits(const struct interpreter *in, const graph_node *n) {
    const tensor *zero = n->n_inputs > 2 ? constant_of(in, n->inputs[2]) : NULL;
    return is_byte(zero) && tensor_count(zero) == 1 && tensor_count(constant_of(in, n->inputs[1])) == 1;
}

static int right_fits(const struct interpreter *in, const graph_node *n) {
    const tensor *b = constant_of(in, n->inputs[0]), *scale = constant_of(in, n->inputs[1]);
    const int32_t zero = n->n_inputs > 2 ? n->inputs[2] : -1;
    const int64_t axis = graph_node_int(n, "axis", 1);
    if (!b) return left_fits(in, n); /* a product of activations */
    if (!is_byte(b) || b->rank != 2 || b->dims[0] > INT8_MAX_K) return 0;
    if (zero >= 0 && (!constant_of(in, zero) || constant_of(in, zero)->type != b->type ||
                      tensor_count(constant_of(in, zero)) != tensor_count(scale)))
        return 0;
    return tensor_count(scale) == 1 || ((axis == 1 || axis == -1) && scale->rank == 1 && scale->dims[0] == b->dims[1]);
}

/* The node becomes onnxruntime's `op_type` with these inputs and attributes. */
static minnow_status become(struct interpreter *in, size_t node, const char *op_type, const int32_t *inputs,
                            size_t n_inputs, const graph_attribute *attributes, size_t n_attributes,
                            minnow_error *error) {
    graph_node *n = &in->nodes[node];
    int32_t *own = arena_array(&in->memory, n_inputs, sizeof *own);
    graph_attribute *kept = arena_array(&in->memory, n_attributes, sizeof *kept);
    if (!own || !kept) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    memcpy(own, inputs, n_inputs * sizeof *own);
    if (n_attributes) memcpy(kept, attributes, n_attributes * sizeof *kept);
    n->op_type = op_type;
    n->domain = strcmp(op_type, "QLinearMatMul") == 0 ? "" : "com.microsoft";
    n->opset = n->domain[0] ? 1 : 21;
    n->inputs = own;
    n->n_inputs = n_inputs;
    n->attributes = kept;
    n->n_attributes = n_attributes;
    in->entries[node] = ops_find(n->domain, n->op_type, n->opset);
    return MINNOW_OK;
}

static minnow_status rewrite_product(struct interpreter *in, size_t node, minnow_error *error) {
    const graph_node *n = &in->nodes[node];
    if (in->entries[node]->run != ops_matmul || n->n_inputs != 2) return MINNOW_OK;
    const graph_node *a = dequantizer_of(in, n->inputs[0]), *b = dequantizer_of(in, n->inputs[1]);
    if (!a || !b || !left_fits(in, a) || !right_fits(in, b)) return MINNOW_OK;
    const int32_t inputs[] = {a->inputs[0], b->inputs[0], a->inputs[1], b->inputs[1], a->inputs[2],
                              b->n_inputs > 2 ? b->inputs[2] : -1};
    return become(in, node, "MatMulIntegerToFloat", inputs, 6, NULL, 0, error);
}

/* The scale and zero point of a QuantizeLinear: one constant each, of codes of type `type`. */
static int codes_fit(const struct interpreter *in, const graph_node *n, dtype type) {
    const tensor *scale = n->n_inputs > 2 ? scales_of(in, n->inputs[1]) : NULL;
    const tensor *zero = scale ? constant_of(in, n->inputs[2]) : NULL;
    return zero && zero->type == type && tensor_count(zero) == 1 && tensor_count(scale) == 1;
}

static minnow_status rewrite_product_of_codes(struct interpreter *in, size_t node, minnow_error *error) {
    const graph_node *n = &in->nodes[node];
    if (in->entries[node]->run != ops_quantize_linear || n->n_inputs != 3 || n->inputs[0] < 0) return MINNOW_OK;
    const int32_t producer = in->g->values[n->inputs[0]].producer;
    if (producer < 0 || in->entries[producer]->run != ops_matmul_integer_to_float) return MINNOW_OK;
    const graph_node *p = &in->nodes[producer];
    const tensor *zero = p->n_inputs == 6 ? constant_of(in, p->inputs[4]) : NULL;
    if (!zero || p->inputs[5] < 0 || !codes_fit(in, n, zero->type)) return MINNOW_OK;
    const int32_t inputs[] = {p->inputs[0], p->inputs[2], p->inputs[4], p->inputs[1], p->inputs[3], p->inputs[5],
                              n->inputs[1], n->inputs[2]};
    return become(in, node, "QLinearMatMul", inputs, 8, NULL, 0, error);
}

static minnow_status rewrite_binary(struct interpreter *in, size_t node, minnow_error *error) {
    const graph_node *n = &in->nodes[node];
    if (in->entries[node]->run != ops_quantize_linear || n->n_inputs != 3 || n->inputs[0] < 0) return MINNOW_OK;
    const int32_t producer = in->g->values[n->inputs[0]].producer;
    if (producer < 0 || in->entries[producer]->run != ops_binary || in->nodes[producer].n_inputs != 2) return MINNOW_OK;
    const graph_node *p = &in->nodes[producer];
    const int kind = in->entries[producer]->variant;
    const graph_node *a = dequantizer_of(in, p->inputs[0]), *b = dequantizer_of(in, p->inputs[1]);
    if ((kind != BINARY_ADD && kind != BINARY_MUL) || !a || !b || !left_fits(in, a) || !left_fits(in, b))
        return MINNOW_OK;
    const dtype type = constant_of(in, a->inputs[2])->type;
    if (constant_of(in, b->inputs[2])->type != type || !codes_fit(in, n, type)) return MINNOW_OK;
    const int32_t inputs[] = {a->inputs[0], a->inputs[1], a->inputs[2], b->inputs[0], b->inputs[1], b->inputs[2],
                              n->inputs[1], n->inputs[2]};
    return become(in, node, kind == BINARY_ADD ? "QLinearAdd" : "QLinearMul", inputs, 8, NULL, 0, error);
}

static minnow_status rewrite_softmax(struct interpreter *in, size_t node, minnow_error *error) {
    const graph_node *n = &in->nodes[node];
    if (in->entries[node]->run != ops_quantize_linear || n->n_inputs != 3 || n->inputs[0] < 0) return MINNOW_OK;
    const int32_t producer = in->g->values[n->inputs[0]].producer;
    if (producer < 0 || in->entries[producer]->run != ops_softmax || in->entries[producer]->variant != 0)
        return MINNOW_OK;
    const graph_node *softmax = &in->nodes[producer];
    const graph_node *x = softmax->n_inputs == 1 ? dequantizer_of(in, softmax->inputs[0]) : NULL;
    if (!x || !left_fits(in, x) || !codes_fit(in, n, constant_of(in, x->inputs[2])->type)) return MINNOW_OK;
    const int64_t axis = graph_node_int(softmax, "axis", softmax->opset < 13 ? 1 : -1);
    const int rank = in->g->values[n->inputs[0]].rank; /* negative: not known */
    if (softmax->opset >= 13 && axis != -1 && (rank < 0 || axis != rank - 1)) return MINNOW_OK;
    const int32_t inputs[] = {x->inputs[0], x->inputs[1], x->inputs[2], n->inputs[1], n->inputs[2]};
    const graph_attribute attributes[] = {{.name = "axis", .type = ATTRIBUTE_INT, .i = axis},
                                          {.name = "opset", .type = ATTRIBUTE_INT, .i = softmax->opset}};
    return become(in, node, "QLinearSoftmax", inputs, 5, attributes, 2, error);
}

minnow_status rewrite_quantized(struct interpreter *in, minnow_error *error) {
    for (size_t i = 0; i < in->g->n_nodes; i++) {
        TRY(rewrite_product(in, i, error));
        TRY(rewrite_product_of_codes(in, i, error));
        TRY(rewrite_binary(in, i, error));
        TRY(rewrite_softmax(in, i, error));
    }
    return MINNOW_OK;
}
