/* SPDX-License-Identifier: Apache-2.0
 * Products: MatMul, Gemm, and the chains around them that fusion.c found. C [batch, m, n] = A [batch, m, k] B [batch, k, n].
 *
 * float32: B is packed, once for a constant, else batch by batch into scratch; operands may be strided views, so a transpose
 * before a product costs nothing. Threads share batches, rows and column panels, never k. What follows the product is done
 * on rows that are still in the cache, by the same functions in the same order as separate nodes would. */
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "convert/graph/interpreter_impl.h"
#include "convert/graph/ops_table.h"

#define MAX_BATCH_RANK TENSOR_MAX_RANK
#define SCORE_ROWS ((size_t)64)

typedef struct product {
    const math_kernels *math;
    int batch_rank;
    size_t batch, m, k, n;
    int64_t batch_dims[MAX_BATCH_RANK];
    int64_t a_batch[MAX_BATCH_RANK], b_batch[MAX_BATCH_RANK], c_batch[MAX_BATCH_RANK], mask_batch[MAX_BATCH_RANK];
    const float *a, *b;
    float *c;
    int64_t a_row, a_column, b_row, b_column, c_row;
    const float *packed;        /* of all batches; NULL: each batch is packed into its part's scratch */
    float *scratch;
    size_t scratch_floats;      /* of one part */
    math_epilogue epilogue;     /* the residual lies as c does */
    float divisor;              /* 0: none */
    const float *mask;
    int64_t mask_row, mask_column;
    int softmax;
    size_t row_block, n_row_blocks, column_block, n_column_blocks;
} product;

/* --- The product of one block ---------------------------------------------------------------------------------------------------- */

static void finish_scores(const product *p, float *c, const float *mask, size_t rows) {
    for (size_t r = 0; r < rows; r++, c += p->c_row) {
        if (p->divisor != 0) p->math->div_scalar(c, p->divisor, c, p->n);
        if (mask) {
            const float *row = mask + (int64_t)r * p->mask_row;
            if (p->mask_column) p->math->add(c, row, c, p->n);
            else p->math->add_scalar(c, *row, c, p->n);
        }
        if (p->softmax) p->math->softmax(c, c, p->n);
    }
}

static void run_block(const product *p, const float *a, const float *packed, float *c, const float *mask, size_t row,
                      size_t column) {
    const size_t rows = p->m - row < p->row_block ? p->m - row : p->row_block;
    const size_t columns = p->n - column < p->column_block ? p->n - column : p->column_block;
    math_epilogue e = p->epilogue;
    a += (int64_t)row * p->a_row;
    c += (int64_t)row * p->c_row + (int64_t)column;
    if (e.bias) e.bias += column;
    if (e.residual) e.residual += (c - p->c);
    p->math->gemm(a, (size_t)p->a_row, packed + column * p->k, c, (size_t)p->c_row, rows, p->k, columns, &e);
    if (p->divisor != 0 || mask || p->softmax) finish_scores(p, c, mask ? mask + (int64_t)row * p->mask_row : NULL, rows);
}

static void batch_offsets(const product *p, size_t batch, int64_t *a, int64_t *b, int64_t *c, int64_t *mask) {
    *a = *b = *c = *mask = 0;
    for (int d = p->batch_rank - 1; d >= 0; d--) {
        const int64_t i = (int64_t)(batch % (size_t)p->batch_dims[d]);
        batch /= (size_t)p->batch_dims[d];
        *a += i * p->a_batch[d];
        *b += i * p->b_batch[d];
        *c += i * p->c_batch[d];
        *mask += i * p->mask_batch[d];
    }
}

static void run_blocks(void *context, size_t begin, size_t end, size_t part) {
    const product *p = context;
    const size_t blocks = p->n_row_blocks * p->n_column_blocks;
    const float *packed = p->packed;
    size_t at = SIZE_MAX;
    int64_t a = 0, b = 0, c = 0, mask = 0;
    for (size_t u = begin; u < end; u++) {
        const size_t batch = u / blocks, block = u % blocks;
        if (batch != at) {
            batch_offsets(p, batch, &a, &b, &c, &mask);
            at = batch;
            if (!p->packed) {
                float *scratch = p->scratch + part * p->scratch_floats;
                p->math->pack(p->b + b, (size_t)p->b_row, (size_t)p->b_column, p->k, p->n, scratch);
                packed = scratch;
            }
        }
        run_block(p, p->a + a, packed, p->c + c, p->mask ? p->mask + mask : NULL, block / p->n_column_blocks * p->row_block,
                  block % p->n_column_blocks * p->column_block);
    }
}

/* --- Planning ------------------------------------------------------------------------------------------------------------------------ */

/* Rows of neighbouring batches that share B and lie on each other are rows of one batch. */
static void merge_batches(product *p) {
    while (p->batch_rank > 0) {
        const int d = p->batch_rank - 1;
        const int64_t m = (int64_t)p->m;
        if (p->batch_dims[d] != 1) {
            if (p->b_batch[d] != 0 || p->a_batch[d] != m * p->a_row || p->c_batch[d] != m * p->c_row || p->mask) return;
            p->m *= (size_t)p->batch_dims[d];
            p->batch /= (size_t)p->batch_dims[d];
        }
        p->batch_rank--;
    }
}

static size_t divide_up(size_t a, size_t b) { return a / b + (a % b != 0); }

/* Blocks: enough for the threads; rows first, columns of a single short product otherwise. */
static void choose_blocks(product *p, size_t threads) {
    p->row_block = p->softmax && p->m > SCORE_ROWS ? SCORE_ROWS : p->m;
    p->column_block = p->n;
    if (threads > 1 && p->batch < 4 * threads) {
        const size_t share = (divide_up(p->m, threads) + 7) / 8 * 8;
        if (share < p->row_block) p->row_block = share;
    }
    p->n_row_blocks = divide_up(p->m, p->row_block);
    if (threads > 1 && p->batch * p->n_row_blocks < threads && p->packed && !p->softmax && !p->mask && p->divisor == 0)
        p->column_block = divide_up(divide_up(p->n, p->math->gemm_columns), threads) * p->math->gemm_columns;
    p->n_column_blocks = divide_up(p->n, p->column_block);
}

/* A's columns must lie side by side. */
static minnow_status dense_a(op_context *c, product *p) {
    const size_t count = p->batch * p->m * p->k;
    stride_plan plan = {.rank = p->batch_rank + 2, .n_operands = 1};
    void *copy;
    if (p->a_column == 1 || p->k <= 1 || count == 0) return MINNOW_OK;
    TRY(ops_charge(c, count));
    TRY(ops_scratch(c, count * sizeof(float), &copy));
    for (int d = 0; d < p->batch_rank; d++) {
        plan.dims[d] = p->batch_dims[d];
        plan.strides[0][d] = p->a_batch[d];
    }
    plan.dims[p->batch_rank] = (int64_t)p->m;
    plan.strides[0][p->batch_rank] = p->a_row;
    plan.dims[p->batch_rank + 1] = (int64_t)p->k;
    plan.strides[0][p->batch_rank + 1] = p->a_column;
    stride_collapse(&plan);
    stride_copy(c, &plan, sizeof(float), p->a, copy);
    p->a = copy;
    p->a_column = 1;
    p->a_row = (int64_t)p->k;
    for (int64_t d = p->batch_rank - 1, stride = (int64_t)(p->m * p->k); d >= 0; stride *= p->batch_dims[d--]) p->a_batch[d] = stride;
    return MINNOW_OK;
}

static minnow_status run_product(op_context *c, product *p) {
    size_t bytes;
    int shares_b = 1;
    TRY(ops_charge_product(c, p->batch * p->m, p->n, p->k));
    if (p->batch == 0 || p->m == 0 || p->n == 0) return MINNOW_OK;
    TRY(dense_a(c, p));
    merge_batches(p);
    for (int d = 0; d < p->batch_rank; d++)
        if (p->b_batch[d] != 0 && p->batch_dims[d] != 1) shares_b = 0;
    bytes = p->math->packed_bytes(p->k, p->n);
    if (!p->packed && shares_b) {
        void *packed;
        TRY(ops_scratch(c, bytes, &packed));
        p->math->pack(p->b, (size_t)p->b_row, (size_t)p->b_column, p->k, p->n, packed);
        p->packed = packed;
    } else if (!p->packed) {
        void *scratch;
        p->scratch_floats = (bytes + 63) / 64 * 16;
        if (!size_mul(p->scratch_floats * sizeof(float), ops_threads(c), &bytes)) bytes = SIZE_MAX;
        TRY(ops_scratch(c, bytes, &scratch));
        p->scratch = scratch;
    }
    choose_blocks(p, ops_threads(c));
    const size_t units = p->batch * p->n_row_blocks * p->n_column_blocks;
    const size_t work = p->row_block * p->column_block;
    ops_parallel(c, units, 1, work > SIZE_MAX / (p->k + 1) ? SIZE_MAX : work * p->k, run_blocks, p);
    return MINNOW_OK;
}

/* NumPy's rules: the last two dims multiply, a vector is a row or a column, the rest broadcast. Gives the result's shape. */
static minnow_status plan_product(op_context *c, const tensor *a, const int64_t *a_strides, const tensor *b,
                                  const int64_t *b_strides, product *p, int *rank, int64_t *dims) {
    const int a_rank = a->rank < 2 ? 2 : a->rank, b_rank = b->rank < 2 ? 2 : b->rank;
    int64_t as[TENSOR_MAX_RANK], bs[TENSOR_MAX_RANK];
    if (a->rank == 0 || b->rank == 0) return error_set(c->error, MINNOW_ERROR_FORMAT, "a scalar operand");
    stride_dense(a->rank, a->dims, as);
    stride_dense(b->rank, b->dims, bs);
    if (a_strides) memcpy(as, a_strides, (size_t)a->rank * sizeof *as);
    if (b_strides) memcpy(bs, b_strides, (size_t)b->rank * sizeof *bs);
    *p = (product){.math = c->math, .batch = 1, .a = a->data, .b = b->data};
    const int64_t k = a->dims[a->rank - 1], k_b = b->rank == 1 ? b->dims[0] : b->dims[b->rank - 2];
    if (k != k_b) {
        char x[128], y[128];
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%s times %s", tensor_describe(a, x, sizeof x), tensor_describe(b, y, sizeof y));
    }
    p->m = a->rank == 1 ? 1 : (size_t)a->dims[a->rank - 2];
    p->n = b->rank == 1 ? 1 : (size_t)b->dims[b->rank - 1];
    p->k = (size_t)k;
    p->a_row = a->rank == 1 ? k : as[a->rank - 2];
    p->a_column = as[a->rank - 1];
    p->b_row = b->rank == 1 ? bs[0] : bs[b->rank - 2];
    p->b_column = b->rank == 1 ? 1 : bs[b->rank - 1];
    p->batch_rank = (a_rank > b_rank ? a_rank : b_rank) - 2;
    *rank = 0;
    for (int d = 0; d < p->batch_rank; d++) {
        const int ad = d - (p->batch_rank - (a_rank - 2)), bd = d - (p->batch_rank - (b_rank - 2));
        const int64_t x = ad < 0 ? 1 : a->dims[ad], y = bd < 0 ? 1 : b->dims[bd];
        if (x != y && x != 1 && y != 1) return error_set(c->error, MINNOW_ERROR_FORMAT, "batches of %lld and %lld", (long long)x, (long long)y);
        p->batch_dims[d] = dims[(*rank)++] = x == 1 ? y : x;
        p->a_batch[d] = x == 1 ? 0 : as[ad];
        p->b_batch[d] = y == 1 ? 0 : bs[bd];
    }
    if (a->rank > 1) dims[(*rank)++] = (int64_t)p->m;
    if (b->rank > 1) dims[(*rank)++] = (int64_t)p->n;
    size_t count;
    TRY(tensor_check_shape(a->type, *rank, dims, &count, c->error));
    p->c_row = (int64_t)p->n;
    int64_t stride = (int64_t)(p->m * p->n);
    for (int d = p->batch_rank - 1; d >= 0; d--) {
        p->c_batch[d] = stride;
        stride *= p->batch_dims[d] > 0 ? p->batch_dims[d] : 1;
        p->batch *= (size_t)p->batch_dims[d];
    }
    return MINNOW_OK;
}

/* --- Other types ---------------------------------------------------------------------------------------------------------------------- */

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
static minnow_status plain_int(op_context *c, dtype type, size_t m, size_t k, size_t n, const void *a, const void *b, void *out) {
    const tensor ta = {.type = type, .rank = 1, .dims = {(int64_t)(m * k)}, .data = (void *)(uintptr_t)a};
    const tensor tb = {.type = type, .rank = 1, .dims = {(int64_t)(k * n)}, .data = (void *)(uintptr_t)b};
    tensor wide_a, wide_b;
    TRY(ops_cast_scratch(c, &ta, type == DTYPE_UINT64 ? DTYPE_UINT64 : DTYPE_INT64, &wide_a));
    TRY(ops_cast_scratch(c, &tb, type == DTYPE_UINT64 ? DTYPE_UINT64 : DTYPE_INT64, &wide_b));
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            uint64_t sum = 0;
            for (size_t x = 0; x < k; x++)
                sum += load_u64((const char *)wide_a.data + (i * k + x) * 8) * load_u64((const char *)wide_b.data + (x * n + j) * 8);
            const int64_t wrapped = (int64_t)sum;
            lanes_store(type, &wrapped, 1, out, i * n + j);
        }
    }
    return MINNOW_OK;
}

minnow_status matmul_dense(op_context *c, dtype type, size_t batch, size_t m, size_t k, size_t n, const void *a, const void *b,
                           void *out) {
    const size_t size = dtype_bytes(type);
    if (type == DTYPE_FLOAT32) {
        product p = {.math = c->math, .batch_rank = 1, .batch = batch, .m = m, .k = k, .n = n, .batch_dims = {(int64_t)batch},
                     .a_batch = {(int64_t)(m * k)}, .b_batch = {(int64_t)(k * n)}, .c_batch = {(int64_t)(m * n)}, .a = a, .b = b,
                     .c = out, .a_row = (int64_t)k, .a_column = 1, .b_row = (int64_t)n, .b_column = 1, .c_row = (int64_t)n};
        return run_product(c, &p);
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
static minnow_status matmul_other(op_context *c, const product *p, const tensor *a, const int64_t *a_strides, const tensor *b,
                                  const int64_t *b_strides) {
    const size_t size = dtype_bytes(a->type);
    size_t bytes[2];
    void *dense[2];
    (void)a_strides;
    (void)b_strides;
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

/* --- Operators ---------------------------------------------------------------------------------------------------------------------------- */

minnow_status ops_matmul(op_context *c) {
    int64_t dims[TENSOR_MAX_RANK];
    int rank;
    product p;
    TRY(ops_need(c, 2));
    TRY(ops_same_type(c, 0, 1));
    const tensor *a = c->inputs[0], *b = c->inputs[1];
    TRY(plan_product(c, a, c->strides[0], b, c->strides[1], &p, &rank, dims));
    TRY(ops_output(c, 0, a->type, rank, dims));
    if (a->type != DTYPE_FLOAT32) return matmul_other(c, &p, a, c->strides[0], b, c->strides[1]);
    p.c = c->outputs[0].data;
    if (c->step->packed && c->step->packed_value == c->input_values[1]) p.packed = c->step->packed;
    return run_product(c, &p);
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
    TRY(plan_product(c, &a, as, &b, bs, &p, &rank, dims));
    TRY(check_gemm(c, dims));
    TRY(ops_output(c, 0, a.type, rank, dims));
    if (tensor_count(&c->outputs[0]) == 0) return MINNOW_OK;
    if (a.type != DTYPE_FLOAT32) {
        if (lanes_is_integer(a.type) && (alpha != 1 || beta != 1)) return ops_unsupported_type(c, a.type);
        TRY(matmul_other(c, &p, &a, as, &b, bs));
        return scale_and_add(c, alpha, beta);
    }
    p.c = c->outputs[0].data;
    if (c->step->packed && c->step->packed_value == c->input_values[1]) p.packed = c->step->packed;
    if (alpha == 1 && beta == 1 && ops_has_input(c, 2) && c->inputs[2]->dims[c->inputs[2]->rank ? c->inputs[2]->rank - 1 : 0] == dims[1] &&
        tensor_count(c->inputs[2]) == p.n && c->inputs[2]->rank > 0) {
        p.epilogue.bias = c->inputs[2]->data;
        return run_product(c, &p);
    }
    TRY(run_product(c, &p));
    return scale_and_add(c, alpha, beta);
}

minnow_status matmul_prepare(struct interpreter *in, step *s, minnow_error *error) {
    const graph_node *node = &in->g->nodes[s->n_nodes ? s->nodes[0] : s->node];
    const int is_gemm = s->entry && s->entry->run == ops_gemm;
    const int32_t value = s->fused ? s->fused->b : node->n_inputs > 1 ? node->inputs[1] : -1;
    size_t bytes;
    s->packed_value = -1;
    if (value < 0 || (s->fused && s->fused->kind == FUSION_GELU) || (!s->fused && !is_gemm && s->entry->run != ops_matmul))
        return MINNOW_OK;
    const value_state *v = &in->values[value];
    if (!v->is_constant || v->t.type != DTYPE_FLOAT32 || v->t.rank != 2 || tensor_count(&v->t) == 0) return MINNOW_OK;
    const int swaps = is_gemm && graph_node_int(node, "transB", 0) != 0;
    const size_t k = (size_t)v->t.dims[swaps], n = (size_t)v->t.dims[!swaps], row = (size_t)v->t.dims[1];
    bytes = in->math->packed_bytes(k, n);
    if (bytes > 4 * tensor_bytes(&v->t) + 65536 || in->held_bytes > in->memory_limit || bytes > in->memory_limit - in->held_bytes)
        return MINNOW_OK; /* not worth its memory: packed in each run */
    s->packed = memory_aligned_alloc(bytes);
    if (!s->packed) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for packed weights");
    in->held_bytes += bytes;
    in->math->pack(v->t.data, swaps ? 1 : row, swaps ? row : 1, k, n, s->packed);
    s->packed_value = value;
    return MINNOW_OK;
}

/* --- Fused chains ---------------------------------------------------------------------------------------------------------------------------- */

static const value_state *state_of(const op_context *c, int32_t value) { return &c->in->values[value]; }

static int is_dense_f32(const value_state *v) { return v->t.type == DTYPE_FLOAT32 && !v->is_strided; }

static int same_shape(const tensor *t, int rank, const int64_t *dims) {
    return t->rank == rank && (rank == 0 || memcmp(t->dims, dims, (size_t)rank * sizeof *dims) == 0);
}

/* The mask must broadcast to the scores and not make them larger. */
static int plan_mask(const op_context *c, const fusion *f, product *p, int rank, const int64_t *dims) {
    const value_state *v = state_of(c, f->mask);
    int64_t strides[TENSOR_MAX_RANK];
    if (!is_dense_f32(v) || v->t.rank > rank) return 0;
    stride_dense(v->t.rank, v->t.dims, strides);
    p->mask = v->t.data;
    for (int d = 0; d < rank; d++) {
        const int own = d - (rank - v->t.rank);
        const int64_t size = own < 0 ? 1 : v->t.dims[own], stride = size == 1 ? 0 : strides[own];
        if (size != 1 && size != dims[d]) return 0;
        if (d < rank - 2) p->mask_batch[d] = stride;
        else if (d == rank - 2) p->mask_row = stride;
        else p->mask_column = stride;
    }
    return 1;
}

static int plan_scores(const op_context *c, const fusion *f, product *p, int rank, const int64_t *dims) {
    const int axis = f->softmax_axis < 0 ? f->softmax_axis + rank : f->softmax_axis;
    if (rank < 2 || rank - 2 != p->batch_rank) return 0;
    if (f->scale_op == BINARY_MUL) p->epilogue.scale = f->scale;
    if (f->scale_op == BINARY_DIV) p->divisor = f->scale;
    if (f->mask >= 0 && !plan_mask(c, f, p, rank, dims)) return 0;
    if (f->softmax && axis != rank - 1) return 0;
    p->softmax = f->softmax;
    return 1;
}

/* C lies where the transpose would put it: its batch and row strides are those of the permuted shape. */
static int plan_context(const fusion *f, product *p, int rank, int64_t *dims) {
    int64_t permuted[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK];
    if (rank != f->perm_rank || rank - 2 != p->batch_rank) return 0;
    for (int d = 0; d < rank; d++) permuted[d] = dims[f->perm[d]];
    stride_dense(rank, permuted, strides);
    for (int d = 0; d < rank; d++) {
        if (f->perm[d] < rank - 2) p->c_batch[f->perm[d]] = strides[d];
        else if (f->perm[d] == rank - 2) p->c_row = strides[d];
    }
    memcpy(dims, permuted, (size_t)rank * sizeof *dims);
    return 1;
}

static int plan_linear(const op_context *c, const fusion *f, product *p, int rank, const int64_t *dims) {
    if (f->bias >= 0) {
        const value_state *v = state_of(c, f->bias);
        if (!is_dense_f32(v) || v->t.rank != 1 || (size_t)v->t.dims[0] != p->n || rank < 1) return 0;
        p->epilogue.bias = v->t.data;
    }
    if (f->gelu) p->epilogue.activation = MATH_ACTIVATION_GELU_ERF;
    if (f->residual >= 0) {
        const value_state *v = state_of(c, f->residual);
        if (!is_dense_f32(v) || !same_shape(&v->t, rank, dims)) return 0;
        p->epilogue.residual = v->t.data;
        p->epilogue.residual_stride = p->n;
    }
    return 1;
}

typedef struct gelu_job {
    const math_kernels *math;
    const float *x;
    float *y;
} gelu_job;

static void gelu_range(void *context, size_t begin, size_t end, size_t part) {
    const gelu_job *j = context;
    (void)part;
    j->math->gelu_erf(j->x + begin, j->y + begin, end - begin);
}

static minnow_status run_gelu(op_context *c, const value_state *x, int *handled) {
    if (!is_dense_f32(x)) return MINNOW_OK;
    *handled = 1;
    TRY(ops_output(c, 0, DTYPE_FLOAT32, x->t.rank, x->t.dims));
    gelu_job j = {c->math, x->t.data, c->outputs[0].data};
    ops_parallel(c, tensor_count(&x->t), 64, 16, gelu_range, &j);
    return MINNOW_OK;
}

minnow_status fusion_run(op_context *c, int *handled) {
    const fusion *f = c->step->fused;
    const value_state *a = state_of(c, f->a), *b = f->b >= 0 ? state_of(c, f->b) : NULL;
    minnow_error *const error = c->error;
    int64_t dims[TENSOR_MAX_RANK];
    minnow_status status;
    product p;
    int rank, fits;
    *handled = 0;
    if (f->kind == FUSION_GELU) return run_gelu(c, a, handled);
    if (a->t.type != DTYPE_FLOAT32 || b->t.type != DTYPE_FLOAT32) return MINNOW_OK;
    c->error = NULL; /* what is wrong with the shapes is said by the nodes one by one */
    status = plan_product(c, &a->t, a->is_strided ? a->strides : NULL, &b->t, b->is_strided ? b->strides : NULL, &p, &rank, dims);
    c->error = error;
    if (status != MINNOW_OK) return MINNOW_OK;
    if (f->kind == FUSION_LINEAR) fits = plan_linear(c, f, &p, rank, dims);
    else if (f->kind == FUSION_SCORES) fits = plan_scores(c, f, &p, rank, dims);
    else fits = plan_context(f, &p, rank, dims);
    if (!fits) return MINNOW_OK;
    *handled = 1;
    TRY(ops_output(c, 0, DTYPE_FLOAT32, rank, dims));
    p.c = c->outputs[0].data;
    if (c->step->packed && c->step->packed_value == f->b) p.packed = c->step->packed;
    return run_product(c, &p);
}
