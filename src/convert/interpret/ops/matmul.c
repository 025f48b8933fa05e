/* SPDX-License-Identifier: Apache-2.0
 * MatMul and Gemm of every type: float32 by product.c, float64 and integers by plain loops. */
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "convert/interpret/interpreter_impl.h"
#include "convert/interpret/ops/table.h"
#include "convert/interpret/product.h"

/* --- Other types -------------------------------------------------------------------------------------------------- */

static minnow_status plain_f64(size_t m, size_t k, size_t n, const double *a, const double *b, double *out) {
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t x = 0; x < k; x++) sum += a[i * k + x] * b[x * n + j];
            out[i * n + j] = sum;
        }
    }
    return MINNOW_OK;
}

/* Integers wrap. */
static minnow_status plain_int(op_context *c, dtype type, size_t m, size_t k, size_t n, const void *a, const void *b,
                               void *out) {
    const tensor ta = {.type = type, .rank = 1, .dims = {(int64_t)(m * k)}, .data = (void *)(uintptr_t)a};
    const tensor tb = {.type = type, .rank = 1, .dims = {(int64_t)(k * n)}, .data = (void *)(uintptr_t)b};
    tensor wide_a, wide_b;
    TRY(ops_cast_scratch(c, &ta, type == DTYPE_UINT64 ? DTYPE_UINT64 : DTYPE_INT64, &wide_a));
    TRY(ops_cast_scratch(c, &tb, type == DTYPE_UINT64 ? DTYPE_UINT64 : DTYPE_INT64, &wide_b));
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            uint64_t sum = 0;
            for (size_t x = 0; x < k; x++)
                sum += load_u64((const char *)wide_a.data + (i * k + x) * 8) *
                       load_u64((const char *)wide_b.data + (x * n + j) * 8);
            const int64_t wrapped = (int64_t)sum;
            lanes_store(type, &wrapped, 1, out, i * n + j);
        }
    }
    return MINNOW_OK;
}

minnow_status matmul_dense(op_context *c, dtype type, size_t batch, size_t m, size_t k, size_t n, const void *a,
                           const void *b, void *out) {
    const size_t size = dtype_bytes(type);
    if (type == DTYPE_FLOAT32) {
        product p = {.math = c->math, .batch_rank = 1, .batch = batch, .m = m, .k = k, .n = n,
                     .batch_dims = {(int64_t)batch}, .a_batch = {(int64_t)(m * k)}, .b_batch = {(int64_t)(k * n)},
                     .c_batch = {(int64_t)(m * n)}, .a = a, .b = b, .c = out, .a_row = (int64_t)k, .a_column = 1,
                     .b_row = (int64_t)n, .b_column = 1, .c_row = (int64_t)n};
        return product_run(c, &p);
    }
    if (type != DTYPE_FLOAT64 && (!lanes_is_integer(type) || type == DTYPE_BOOL)) return ops_unsupported_type(c, type);
    TRY(ops_charge_product(c, batch * m, n, k));
    for (size_t i = 0; i < batch && m && n; i++) {
        const char *ai = (const char *)a + i * m * k * size, *bi = (const char *)b + i * k * n * size;
        char *ci = (char *)out + i * m * n * size;
        if (type == DTYPE_FLOAT64) TRY(plain_f64(m, k, n, (const void *)ai, (const void *)bi, (void *)ci));
        else TRY(plain_int(c, type, m, k, n, ai, bi, ci));
    }
    return MINNOW_OK;
}

/* MatMul of another type: both operands dense and with all their batches. */
static minnow_status matmul_other(op_context *c, const product *p, const tensor *a, const tensor *b) {
    const size_t size = dtype_bytes(a->type);
    size_t bytes[2];
    void *dense[2];
    if (!size_mul(p->batch * p->m, p->k * size, &bytes[0]) || !size_mul(p->batch * p->k, p->n * size, &bytes[1]))
        return error_set(c->error, MINNOW_ERROR_MEMORY, "the operands are too large");
    for (int i = 0; i < 2; i++) {
        stride_plan plan = {.rank = p->batch_rank + 2, .n_operands = 1};
        for (int d = 0; d < p->batch_rank; d++) {
            plan.dims[d] = p->batch_dims[d];
            plan.strides[0][d] = i ? p->b_batch[d] : p->a_batch[d];
        }
        plan.dims[p->batch_rank] = (int64_t)(i ? p->k : p->m);
        plan.strides[0][p->batch_rank] = i ? p->b_row : p->a_row;
        plan.dims[p->batch_rank + 1] = (int64_t)(i ? p->n : p->k);
        plan.strides[0][p->batch_rank + 1] = i ? p->b_column : p->a_column;
        TRY(ops_scratch(c, bytes[i], &dense[i]));
        TRY(ops_charge(c, bytes[i] / size));
        if (bytes[i] == 0) continue;
        stride_collapse(&plan);
        stride_copy(c, &plan, size, i ? b->data : a->data, dense[i]);
    }
    return matmul_dense(c, a->type, p->batch, p->m, p->k, p->n, dense[0], dense[1], c->outputs[0].data);
}

/* --- Operators ---------------------------------------------------------------------------------------------------- */

minnow_status ops_matmul(op_context *c) {
    int64_t dims[TENSOR_MAX_RANK];
    int rank;
    product p;
    TRY(ops_need(c, 2));
    TRY(ops_same_type(c, 0, 1));
    const tensor *a = c->inputs[0], *b = c->inputs[1];
    TRY(product_plan(c, a, c->strides[0], b, c->strides[1], &p, &rank, dims));
    TRY(ops_output(c, 0, a->type, rank, dims));
    if (a->type != DTYPE_FLOAT32) return matmul_other(c, &p, a, b);
    p.c = c->outputs[0].data;
    if (c->step->packed && c->step->packed_value == c->input_values[1]) p.packed = c->step->packed;
    return product_run(c, &p);
}

/* out = out * alpha + C * beta, for what the epilogue cannot do. */
static minnow_status scale_and_add(op_context *c, float alpha, float beta) {
    tensor *out = &c->outputs[0], scaled;
    const tensor factor = {.type = DTYPE_FLOAT32, .data = &alpha}, beta_factor = {.type = DTYPE_FLOAT32, .data = &beta};
    tensor wide;
    if (alpha != 1) {
        TRY(ops_cast_scratch(c, &factor, out->type, &wide));
        TRY(binary_apply(c, BINARY_MUL, out, &wide, out));
    }
    if (!ops_has_input(c, 2)) return MINNOW_OK;
    scaled = *c->inputs[2];
    if (beta != 1) {
        TRY(ops_cast_scratch(c, &beta_factor, out->type, &wide));
        TRY(ops_scratch(c, tensor_bytes(&scaled), &scaled.data));
        TRY(binary_apply(c, BINARY_MUL, c->inputs[2], &wide, &scaled));
    }
    return binary_apply(c, BINARY_ADD, out, &scaled, out);
}

static minnow_status check_gemm(op_context *c, const int64_t *dims) {
    tensor shape = {.type = DTYPE_FLOAT32, .rank = 2, .dims = {dims[0], dims[1]}};
    int64_t got[TENSOR_MAX_RANK];
    stride_plan plan;
    int rank;
    if (!ops_has_input(c, 2)) return MINNOW_OK;
    TRY(ops_same_type(c, 0, 2));
    TRY(stride_broadcast(c, (const tensor *const[]){c->inputs[2], &shape}, 2, &rank, got, &plan));
    if (rank != 2 || got[0] != dims[0] || got[1] != dims[1])
        return error_set(c->error, MINNOW_ERROR_FORMAT, "C does not broadcast to the result");
    return MINNOW_OK;
}

minnow_status ops_gemm(op_context *c) {
    const float alpha = graph_node_float(c->node, "alpha", 1), beta = graph_node_float(c->node, "beta", 1);
    const int a_swaps = graph_node_int(c->node, "transA", 0) != 0, b_swaps = graph_node_int(c->node, "transB", 0) != 0;
    int64_t dims[TENSOR_MAX_RANK], as[2], bs[2];
    product p;
    int rank;
    TRY(ops_need(c, 2));
    TRY(ops_same_type(c, 0, 1));
    tensor a = *c->inputs[0], b = *c->inputs[1];
    if (a.rank != 2 || b.rank != 2) return error_set(c->error, MINNOW_ERROR_FORMAT, "ranks %d and %d", a.rank, b.rank);
    for (int d = 0; d < 2; d++) {
        a.dims[d] = c->inputs[0]->dims[a_swaps ? 1 - d : d];
        b.dims[d] = c->inputs[1]->dims[b_swaps ? 1 - d : d];
        as[d] = (d == 1) != a_swaps ? 1 : c->inputs[0]->dims[1];
        bs[d] = (d == 1) != b_swaps ? 1 : c->inputs[1]->dims[1];
    }
    TRY(product_plan(c, &a, as, &b, bs, &p, &rank, dims));
    TRY(check_gemm(c, dims));
    TRY(ops_output(c, 0, a.type, rank, dims));
    if (tensor_count(&c->outputs[0]) == 0) return MINNOW_OK;
    if (a.type != DTYPE_FLOAT32) {
        if (lanes_is_integer(a.type) && (alpha != 1 || beta != 1)) return ops_unsupported_type(c, a.type);
        TRY(matmul_other(c, &p, &a, &b));
        return scale_and_add(c, alpha, beta);
    }
    p.c = c->outputs[0].data;
    if (c->step->packed && c->step->packed_value == c->input_values[1]) p.packed = c->step->packed;
    const tensor *bias = ops_has_input(c, 2) && alpha == 1 && beta == 1 ? c->inputs[2] : NULL;
    if (bias && bias->rank > 0 && bias->dims[bias->rank - 1] == dims[1] && tensor_count(bias) == p.n) {
        p.epilogue.bias = bias->data;
        return product_run(c, &p);
    }
    TRY(product_run(c, &p));
    return scale_and_add(c, alpha, beta);
}

/* The twin's packed weights, if it has them for the same tier. Steps of twins correspond: one graph, fused alike. */
int matmul_twin_packed(const struct interpreter *in, step *s, int32_t value) {
    const struct interpreter *twin = in->twin;
    const size_t index = (size_t)(s - in->steps);
    if (!twin || twin->g != in->g || twin->math != in->math || twin->int8 != in->int8 ||
        twin->n_steps != in->n_steps || !twin->steps[index].packed || twin->steps[index].packed_value != value)
        return 0;
    s->packed = twin->steps[index].packed;
    s->packed_value = value;
    s->packed_is_borrowed = 1;
    return 1;
}

/* Packs a constant where it lies, by way of memory that is given back: what it needs is its own size. */
static minnow_status pack_in_place(struct interpreter *in, step *s, const tensor *t, int swaps, size_t bytes,
                                   minnow_error *error) {
    const size_t k = (size_t)t->dims[swaps], n = (size_t)t->dims[!swaps], row = (size_t)t->dims[1];
    float *packed = memory_aligned_alloc(bytes);
    if (!packed) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for packed weights");
    in->math->pack(t->data, swaps ? 1 : row, swaps ? row : 1, k, n, packed);
    memcpy(t->data, packed, bytes);
    memory_aligned_free(packed);
    s->packed = t->data;
    s->packed_is_borrowed = 1;
    return MINNOW_OK;
}

/* A constant of halves goes through float32 memory that is given back. */
static minnow_status pack_constant(struct interpreter *in, const tensor *t, int swaps, float *packed,
                                   minnow_error *error) {
    const size_t k = (size_t)t->dims[swaps], n = (size_t)t->dims[!swaps], row = (size_t)t->dims[1];
    float *wide = NULL;
    if (t->type != DTYPE_FLOAT32) {
        wide = memory_aligned_alloc(tensor_count(t) * sizeof *wide);
        if (!wide) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for packed weights");
        lanes_cast(t->type, t->data, DTYPE_FLOAT32, wide, tensor_count(t));
    }
    in->math->pack(wide ? wide : t->data, swaps ? 1 : row, swaps ? row : 1, k, n, packed);
    memory_aligned_free(wide);
    return MINNOW_OK;
}

/* float32, or halves that the operator gets as float32 (a chain's first is a MatMul). */
static int can_pack(const step *s, dtype type) {
    if (type == DTYPE_FLOAT32) return 1;
    return (s->fused || (s->entry->flags & OP_HALF)) && (type == DTYPE_FLOAT16 || type == DTYPE_BFLOAT16);
}

minnow_status matmul_prepare(struct interpreter *in, step *s, minnow_error *error) {
    const graph_node *node = &in->nodes[s->n_nodes ? s->nodes[0] : s->node];
    const int32_t value = s->fused ? s->fused->b : node->n_inputs > 1 ? node->inputs[1] : -1;
    size_t bytes;
    s->packed_value = -1;
    if (value < 0 || (s->fused && (s->fused->kind == FUSION_GELU || s->fused->kind == FUSION_INTEGER ||
                                    s->fused->kind == FUSION_ROWS)) ||
        (!s->fused && !(s->entry->flags & OP_PACKS)))
        return MINNOW_OK;
    const value_state *v = &in->values[value];
    if (!v->is_constant || !can_pack(s, v->t.type) || v->t.rank != 2 || tensor_count(&v->t) == 0) return MINNOW_OK;
    const int swaps = !s->fused && graph_node_int(node, "transB", 0) != 0;
    const size_t k = (size_t)v->t.dims[swaps], n = (size_t)v->t.dims[!swaps];
    bytes = in->math->packed_bytes(k, n);
    if (bytes > 4 * tensor_bytes(&v->t) + 65536 || in->held_bytes > in->memory_limit ||
        bytes > in->memory_limit - in->held_bytes)
        return MINNOW_OK; /* not worth its memory: packed in each run */
    if (matmul_twin_packed(in, s, value)) return MINNOW_OK;
    s->packed_value = value;
    if (in->packs_in_place && v->buffer < 0 && in->uses[value] == 1 && v->t.type == DTYPE_FLOAT32 &&
        bytes == tensor_bytes(&v->t))
        return pack_in_place(in, s, &v->t, swaps, bytes, error);
    s->packed = memory_aligned_alloc(bytes);
    if (!s->packed) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for packed weights");
    in->held_bytes += bytes;
    return pack_constant(in, &v->t, swaps, s->packed, error);
}
