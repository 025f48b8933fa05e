/* SPDX-License-Identifier: Apache-2.0
 * com.microsoft's Attention, QAttention and MultiHeadAttention, as encoders have them. In: hidden rows and the packed
 * weights of q, k and v, or the three multiplied already. Out: the mixed values [batch, tokens, hidden]. */
#include <string.h>

#include "convert/interpret/interpreter_impl.h"
#include "convert/interpret/ops/attention_heads.h"
#include "convert/interpret/ops/quantized_product.h"
#include "convert/interpret/ops/table.h"
#include "convert/interpret/product.h"

#define MASK_FILTER (-10000.0f)
#define FLOAT_LOWEST (-3.402823466e38f)

static minnow_status only_float32(op_context *c, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (ops_has_input(c, i) && c->inputs[i]->type != DTYPE_FLOAT32)
            return ops_unsupported_type(c, c->inputs[i]->type);
    return MINNOW_OK;
}

static minnow_status refuse_input(op_context *c, size_t i, const char *what) {
    if (!ops_has_input(c, i)) return MINNOW_OK;
    return error_set(c->error, MINNOW_ERROR_UNSUPPORTED,
                     "input %zu, %s, is not supported; export the encoder without a cache", i, what);
}

static minnow_status refuse_output(op_context *c, size_t i, const char *what) {
    if (!ops_wants_output(c, i)) return MINNOW_OK;
    return error_set(c->error, MINNOW_ERROR_UNSUPPORTED,
                     "output %zu, %s, is not supported; export the encoder without a cache", i, what);
}

static void read_settings(const op_context *c, attention *a) {
    a->scale = graph_node_float(c->node, "scale", 0);
    a->is_causal = graph_node_int(c->node, "unidirectional", 0) != 0;
    a->causal_value = FLOAT_LOWEST;
}

/* --- Attention: q, k, v = x W + b --------------------------------------------------------------------------------- */

/* rows [batch * tokens, columns] = x W (+ b). */
static minnow_status project(op_context *c, size_t rows, size_t columns, float **out) {
    const tensor *x = c->inputs[0], *w = c->inputs[1];
    const size_t k = (size_t)w->dims[0];
    void *memory;
    TRY(ops_scratch_array(c, rows, columns, sizeof(float), &memory));
    product p = {.math = c->math, .batch = 1, .m = rows, .k = k, .n = columns, .a = x->data, .b = w->data, .c = memory,
                 .a_row = (int64_t)k, .a_column = 1, .b_row = (int64_t)columns, .b_column = 1,
                 .c_row = (int64_t)columns};
    if (ops_has_input(c, 2)) p.epilogue.bias = c->inputs[2]->data;
    if (c->step->packed && c->step->packed_value == c->input_values[1]) p.packed = c->step->packed;
    *out = memory;
    return product_run(c, &p);
}

static minnow_status check_projection(op_context *c, size_t past) {
    const tensor *x = c->inputs[0], *w = c->inputs[1];
    char a[128], b[128];
    TRY(refuse_input(c, past, "past"));
    TRY(refuse_output(c, 1, "present"));
    if (graph_node_int(c->node, "do_rotary", 0) != 0)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED,
                         "do_rotary is not supported; RotaryEmbedding nodes needed");
    if (x->rank != 3 || w->rank != 2 || w->dims[0] != x->dims[2])
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%s by weights %s, not [batch, tokens, k] by [k, columns]",
                         tensor_describe(x, a, sizeof a), tensor_describe(w, b, sizeof b));
    if (ops_has_input(c, 2) && (c->inputs[2]->rank != 1 || c->inputs[2]->dims[0] != w->dims[1]))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "bias %s for weights %s",
                         tensor_describe(c->inputs[2], a, sizeof a), tensor_describe(w, b, sizeof b));
    return MINNOW_OK;
}

/* The sizes of q, k and v among `columns`: attribute "qkv_hidden_sizes", else a third each; heads must divide them. */
static minnow_status hidden_sizes(op_context *c, int64_t columns, int64_t n_heads, int64_t hidden[3]) {
    const graph_attribute *sizes = graph_node_attribute(c->node, "qkv_hidden_sizes");
    if (n_heads <= 0)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "num_heads is %lld, at least 1 needed", (long long)n_heads);
    for (int i = 0; i < 3; i++) hidden[i] = columns / 3;
    if (sizes && sizes->type == ATTRIBUTE_INTS && sizes->n > 0) {
        if (sizes->n != 3)
            return error_set(c->error, MINNOW_ERROR_FORMAT, "qkv_hidden_sizes has %zu numbers, 3 needed", sizes->n);
        memcpy(hidden, sizes->ints, 3 * sizeof *hidden);
    }
    for (int i = 0; i < 3; i++) {
        if (hidden[i] <= 0 || hidden[i] > columns || hidden[i] % n_heads != 0)
            return error_set(c->error, MINNOW_ERROR_FORMAT, "%lld heads do not divide a hidden size of %lld",
                             (long long)n_heads, (long long)hidden[i]);
    }
    if (hidden[0] != hidden[1])
        return error_set(c->error, MINNOW_ERROR_FORMAT, "queries of %lld and keys of %lld numbers",
                         (long long)hidden[0], (long long)hidden[1]);
    if (hidden[0] + hidden[1] + hidden[2] != columns)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%lld columns for q, k and v of %lld, %lld and %lld",
                         (long long)columns, (long long)hidden[0], (long long)hidden[1], (long long)hidden[2]);
    return MINNOW_OK;
}

/* q, k and v beside each other in rows [batch * tokens], as the product makes them; and the sizes. */
static void packed_heads(const float *rows, size_t batch, size_t tokens, int64_t n_heads, const int64_t hidden[3],
                         attention *a) {
    const int64_t row = hidden[0] + hidden[1] + hidden[2];
    *a = (attention){.batch = batch, .n_heads = (size_t)n_heads, .n_queries = tokens, .n_keys = tokens,
                     .head_size = (size_t)(hidden[0] / n_heads), .value_size = (size_t)(hidden[2] / n_heads)};
    a->q = (attention_heads){rows, row * (int64_t)tokens, hidden[0] / n_heads, row};
    a->k = (attention_heads){rows + hidden[0], row * (int64_t)tokens, hidden[1] / n_heads, row};
    a->v = (attention_heads){rows + hidden[0] + hidden[1], row * (int64_t)tokens, hidden[2] / n_heads, row};
}

/* rows [batch * tokens] of q, k and v -> output 0. The inputs of mask and bias; SIZE_MAX: none. */
static minnow_status attend(op_context *c, const float *rows, int64_t n_heads, const int64_t hidden[3], size_t mask,
                            size_t bias) {
    const tensor *x = c->inputs[0];
    attention a;
    TRY(ops_output(c, 0, DTYPE_FLOAT32, 3, (const int64_t[]){x->dims[0], x->dims[1], hidden[2]}));
    packed_heads(rows, (size_t)x->dims[0], (size_t)x->dims[1], n_heads, hidden, &a);
    read_settings(c, &a);
    if (ops_has_input(c, mask))
        TRY(attention_read_mask(c, mask, graph_node_float(c->node, "mask_filter_value", MASK_FILTER), &a));
    if (ops_has_input(c, bias)) TRY(attention_read_bias(c, bias, &a));
    a.out = c->outputs[0].data;
    return attention_run(c, &a);
}

minnow_status ops_contrib_attention(op_context *c) {
    const int64_t n_heads = graph_node_int(c->node, "num_heads", 0);
    int64_t hidden[3];
    float *rows;
    TRY(ops_need(c, 2));
    TRY(only_float32(c, 3));
    TRY(check_projection(c, 4));
    const tensor *x = c->inputs[0];
    TRY(hidden_sizes(c, c->inputs[1]->dims[1], n_heads, hidden));
    TRY(project(c, (size_t)x->dims[0] * (size_t)x->dims[1], (size_t)c->inputs[1]->dims[1], &rows));
    return attend(c, rows, n_heads, hidden, 3, 5);
}

/* The same of 8-bit codes: the product is exact, what follows is in floats. */
minnow_status ops_qattention(op_context *c) {
    const int64_t n_heads = graph_node_int(c->node, "num_heads", 0);
    int64_t hidden[3], dims[TENSOR_MAX_RANK];
    integer_product p;
    size_t count;
    void *rows;
    int rank;
    TRY(ops_need(c, 5));
    TRY(check_projection(c, 8));
    TRY(hidden_sizes(c, c->inputs[1]->dims[1], n_heads, hidden));
    TRY(quantized_plan_attention(c, &p, &rank, dims));
    TRY(tensor_check_shape(DTYPE_FLOAT32, rank, dims, &count, c->error));
    TRY(ops_scratch(c, count * sizeof(float), &rows));
    p.floats = rows;
    TRY(integer_product_run(c, &p));
    return attend(c, rows, n_heads, hidden, 5, SIZE_MAX);
}

/* --- MultiHeadAttention: q, k, v as they come --------------------------------------------------------------------- */

/* A tensor [batch, tokens, heads * size], [batch, heads, tokens, size] or [batch, tokens, heads, parts, size], `part`
 * of the last. */
static minnow_status heads_of(op_context *c, size_t input, int parts, int part, int64_t n_heads, int64_t batch,
                              attention_heads *h, size_t *tokens, size_t *size) {
    const tensor *t = c->inputs[input];
    const int64_t *d = t->dims;
    char shape[128];
    int fits = 0;
    if (t->rank == 3 && parts == 1) {
        fits = d[2] % n_heads == 0;
        *h = (attention_heads){t->data, d[1] * d[2], d[2] / n_heads, d[2]};
        *size = (size_t)(d[2] / n_heads);
        *tokens = (size_t)d[1];
    } else if (t->rank == 4 && parts == 1) {
        fits = d[1] == n_heads;
        *h = (attention_heads){t->data, d[1] * d[2] * d[3], d[2] * d[3], d[3]};
        *size = (size_t)d[3];
        *tokens = (size_t)d[2];
    } else if (t->rank == 5 && parts > 1) {
        fits = d[2] == n_heads && d[3] == parts;
        *h = (attention_heads){(const float *)t->data + part * d[4], d[1] * d[2] * d[3] * d[4], d[3] * d[4],
                               d[2] * d[3] * d[4]};
        *size = (size_t)d[4];
        *tokens = (size_t)d[1];
    }
    if (!fits || d[0] != batch || *size == 0)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu is %s, which %lld heads of %lld texts do not fit",
                         input, tensor_describe(t, shape, sizeof shape), (long long)n_heads, (long long)batch);
    return MINNOW_OK;
}

/* Queries, keys and values where they lie; values' tokens in *n_values. */
static minnow_status find_heads(op_context *c, attention *a) {
    const int64_t n = (int64_t)a->n_heads, batch = (int64_t)a->batch;
    const int packs_all = !ops_has_input(c, 1), packs_pair = !packs_all && !ops_has_input(c, 2);
    const size_t key_input = packs_all ? 0 : 1, value_input = packs_all ? 0 : packs_pair ? 1 : 2;
    const int parts = packs_all ? 3 : packs_pair ? 2 : 1;
    size_t key_size, n_values;
    TRY(heads_of(c, 0, packs_all ? 3 : 1, 0, n, batch, &a->q, &a->n_queries, &a->head_size));
    TRY(heads_of(c, key_input, parts, parts - 2 > 0, n, batch, &a->k, &a->n_keys, &key_size));
    TRY(heads_of(c, value_input, parts, parts - 1, n, batch, &a->v, &n_values, &a->value_size));
    if (key_size != a->head_size)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "queries of %zu and keys of %zu numbers a head", a->head_size,
                         key_size);
    if (n_values != a->n_keys)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%zu keys and %zu values", a->n_keys, n_values);
    return MINNOW_OK;
}

/* heads + bias [heads * size], dense [batch, tokens, heads, size]. */
static minnow_status add_bias(op_context *c, const attention *a, attention_heads *h, size_t tokens, size_t size,
                              const float *bias) {
    const size_t row = a->n_heads * size;
    void *memory;
    TRY(ops_charge_product(c, a->batch, tokens, row));
    TRY(ops_scratch_array(c, a->batch * tokens, row, sizeof(float), &memory));
    float *out = memory;
    for (size_t b = 0; b < a->batch; b++)
        for (size_t t = 0; t < tokens; t++)
            for (size_t n = 0; n < a->n_heads; n++, out += size)
                c->math->add(h->data + (int64_t)b * h->batch + (int64_t)n * h->head + (int64_t)t * h->row,
                             bias + n * size, out, size);
    *h = (attention_heads){memory, (int64_t)(tokens * row), (int64_t)size, (int64_t)row};
    return MINNOW_OK;
}

static minnow_status add_biases(op_context *c, attention *a) {
    const size_t hidden = a->n_heads * a->head_size, values = a->n_heads * a->value_size;
    const tensor *t = c->inputs[3];
    const float *bias = t->data;
    if (t->rank != 1 || (size_t)t->dims[0] != 2 * hidden + values)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "the bias must have %zu elements", 2 * hidden + values);
    TRY(add_bias(c, a, &a->q, a->n_queries, a->head_size, bias));
    TRY(add_bias(c, a, &a->k, a->n_keys, a->head_size, bias + hidden));
    return add_bias(c, a, &a->v, a->n_keys, a->value_size, bias + 2 * hidden);
}

minnow_status ops_multi_head_attention(op_context *c) {
    const int64_t n_heads = graph_node_int(c->node, "num_heads", 0);
    attention a = {0};
    TRY(ops_need(c, 1));
    TRY(only_float32(c, 4));
    TRY(refuse_input(c, 6, "past_key"));
    TRY(refuse_input(c, 7, "past_value"));
    TRY(refuse_output(c, 1, "present_key"));
    TRY(refuse_output(c, 2, "present_value"));
    if (n_heads <= 0)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "num_heads is %lld, at least 1 needed", (long long)n_heads);
    if (c->inputs[0]->rank != 3 && c->inputs[0]->rank != 5)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "queries of rank %d, 3 or 5 needed", c->inputs[0]->rank);
    a.batch = (size_t)c->inputs[0]->dims[0];
    a.n_heads = (size_t)n_heads;
    TRY(find_heads(c, &a));
    TRY(ops_output(c, 0, DTYPE_FLOAT32, 3, (const int64_t[]){(int64_t)a.batch, (int64_t)a.n_queries,
                                                             n_heads * (int64_t)a.value_size}));
    if (ops_has_input(c, 3)) TRY(add_biases(c, &a));
    read_settings(c, &a);
    if (ops_has_input(c, 4))
        TRY(attention_read_mask(c, 4, graph_node_float(c->node, "mask_filter_value", MASK_FILTER), &a));
    if (ops_has_input(c, 5)) TRY(attention_read_bias(c, 5, &a));
    a.out = c->outputs[0].data;
    if (ops_wants_output(c, 3)) {
        TRY(ops_output(c, 3, DTYPE_FLOAT32, 4, (const int64_t[]){(int64_t)a.batch, n_heads, (int64_t)a.n_queries,
                                                                 (int64_t)a.n_keys}));
        a.show = c->outputs[3].data;
        a.show_what = ATTENTION_SHOW_MASKED;
    }
    return attention_run(c, &a);
}
