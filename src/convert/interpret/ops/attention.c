/* SPDX-License-Identifier: Apache-2.0
 * ai.onnx's Attention (opset 23). In: queries, keys, values as [batch, tokens, heads * size] or [batch, heads, tokens,
 * size], a mask, keys and values of before. Out: the mixed values in the queries' form, all keys and values, the
 * scores. */
#include <string.h>

#include "convert/interpret/ops/attention_heads.h"
#include "convert/interpret/ops/table.h"

#define MASKED (-__builtin_inff())

typedef struct sides {
    int64_t batch, heads, tokens, size;
} sides;

/* Heads of input `input`, of `n_heads` if it has rank 3. */
static minnow_status heads_of(op_context *c, size_t input, const char *attribute, attention_heads *h, sides *s) {
    const tensor *t = c->inputs[input];
    const int64_t *d = t->dims, n = t->rank == 4 ? d[1] : graph_node_int(c->node, attribute, 0);
    char shape[128];
    if (t->type != DTYPE_FLOAT32) return ops_unsupported_type(c, t->type);
    if ((t->rank != 3 && t->rank != 4) || t->rank != c->inputs[0]->rank || n <= 0 || (t->rank == 3 && d[2] % n != 0))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu is %s, which %lld heads do not fit", input,
                         tensor_describe(t, shape, sizeof shape), (long long)n);
    *s = (sides){d[0], n, t->rank == 4 ? d[2] : d[1], t->rank == 4 ? d[3] : d[2] / n};
    if (s->batch != c->inputs[0]->dims[0] || s->size <= 0)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu is %s for %lld texts", input,
                         tensor_describe(t, shape, sizeof shape), (long long)c->inputs[0]->dims[0]);
    *h = (attention_heads){t->data, s->heads * s->tokens * s->size, s->size, s->heads * s->size};
    if (t->rank == 4) h->head = s->tokens * s->size, h->row = s->size;
    return MINNOW_OK;
}

/* --- Keys and values of before ------------------------------------------------------------------------------------ */

/* The past's rows and then h's, [batch, heads, past + tokens, size], in output `output`. */
static minnow_status join(op_context *c, size_t past, size_t output, attention_heads *h, sides *s) {
    const tensor *p = ops_has_input(c, past) ? c->inputs[past] : NULL;
    const size_t size = (size_t)s->size;
    int64_t dims[4] = {s->batch, s->heads, s->tokens, s->size};
    char shape[128];
    if (p && (p->type != DTYPE_FLOAT32 || p->rank != 4 || p->dims[0] != s->batch || p->dims[1] != s->heads ||
              p->dims[3] != s->size))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu is %s, not [%lld, %lld, past, %lld]", past,
                         tensor_describe(p, shape, sizeof shape), (long long)s->batch, (long long)s->heads,
                         (long long)s->size);
    const size_t n_past = p ? (size_t)p->dims[2] : 0, n = (size_t)s->tokens;
    dims[2] += (int64_t)n_past;
    TRY(ops_output(c, output, DTYPE_FLOAT32, 4, dims));
    float *out = c->outputs[output].data;
    for (size_t b = 0; b < (size_t)s->batch; b++) {
        for (size_t head = 0; head < (size_t)s->heads; head++) {
            const size_t at = b * (size_t)s->heads + head;
            if (n_past) memcpy(out, (const float *)p->data + at * n_past * size, n_past * size * sizeof *out);
            out += n_past * size;
            for (size_t t = 0; t < n; t++, out += size)
                memcpy(out, h->data + (int64_t)b * h->batch + (int64_t)head * h->head + (int64_t)t * h->row,
                       size * sizeof *out);
        }
    }
    *h = (attention_heads){c->outputs[output].data, s->heads * dims[2] * s->size, dims[2] * s->size, s->size};
    s->tokens = dims[2];
    return MINNOW_OK;
}

static minnow_status join_past(op_context *c, attention *a, sides *k, sides *v) {
    if (ops_has_input(c, 4) != ops_has_input(c, 5))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "past_key and past_value must both be there");
    if (ops_has_input(c, 4) && c->inputs[4]->rank == 4) a->n_past = (size_t)c->inputs[4]->dims[2];
    if (ops_has_input(c, 4) || ops_wants_output(c, 1)) TRY(join(c, 4, 1, &a->k, k));
    if (ops_has_input(c, 5) || ops_wants_output(c, 2)) TRY(join(c, 5, 2, &a->v, v));
    return MINNOW_OK;
}

/* --- The mask ----------------------------------------------------------------------------------------------------- */

/* Input 3, bool (0: masked) or float32, of a shape that broadcasts to [batch, heads, queries, keys]. */
static minnow_status read_mask(op_context *c, attention *a) {
    const tensor *t = c->inputs[3];
    const int64_t wanted[4] = {(int64_t)a->batch, (int64_t)a->n_heads, (int64_t)a->n_queries, (int64_t)a->n_keys};
    int64_t dims[4] = {1, 1, 1, 1}, strides[4];
    char shape[128];
    void *memory;
    int fits = t->rank <= 4;
    if (t->type != DTYPE_BOOL && t->type != DTYPE_FLOAT32) return ops_unsupported_type(c, t->type);
    for (int d = 0; fits && d < t->rank; d++) dims[4 - t->rank + d] = t->dims[d];
    for (int d = 0; fits && d < 4; d++) fits = dims[d] == 1 || dims[d] == wanted[d];
    if (!fits)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "the mask is %s for scores [%zu, %zu, %zu, %zu]",
                         tensor_describe(t, shape, sizeof shape), a->batch, a->n_heads, a->n_queries, a->n_keys);
    const size_t rows = (size_t)(dims[0] * dims[1] * dims[2]), columns = (size_t)dims[3];
    TRY(ops_charge_product(c, rows, a->n_keys, 1));
    TRY(ops_scratch_array(c, rows, a->n_keys, sizeof(float), &memory));
    float *out = memory;
    for (size_t i = 0; i < rows * a->n_keys; i++) {
        const size_t from = i / a->n_keys * columns + (columns == 1 ? 0 : i % a->n_keys);
        if (t->type == DTYPE_FLOAT32) out[i] = ((const float *)t->data)[from];
        else out[i] = ((const uint8_t *)t->data)[from] ? 0.0f : MASKED;
    }
    strides[2] = (int64_t)a->n_keys;
    strides[1] = dims[2] * strides[2];
    strides[0] = dims[1] * strides[1];
    a->mask = (attention_heads){out, dims[0] == 1 ? 0 : strides[0], dims[1] == 1 ? 0 : strides[1],
                                dims[2] == 1 ? 0 : strides[2]};
    return MINNOW_OK;
}

/* --- The operator ------------------------------------------------------------------------------------------------- */

static minnow_status check_sides(op_context *c, const sides *q, const sides *k, const sides *v) {
    if (k->heads != v->heads || k->tokens != v->tokens)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%lld keys of %lld heads, %lld values of %lld",
                         (long long)k->tokens, (long long)k->heads, (long long)v->tokens, (long long)v->heads);
    if (q->heads % k->heads != 0)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%lld heads of queries do not share %lld of keys",
                         (long long)q->heads, (long long)k->heads);
    if (q->size != k->size)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "queries of %lld and keys of %lld numbers a head",
                         (long long)q->size, (long long)k->size);
    return MINNOW_OK;
}

static minnow_status make_output(op_context *c, attention *a) {
    const int64_t batch = (int64_t)a->batch, heads = (int64_t)a->n_heads, queries = (int64_t)a->n_queries,
                  size = (int64_t)a->value_size;
    if (c->inputs[0]->rank == 3) {
        TRY(ops_output(c, 0, DTYPE_FLOAT32, 3, (const int64_t[]){batch, queries, heads * size}));
    } else {
        TRY(ops_output(c, 0, DTYPE_FLOAT32, 4, (const int64_t[]){batch, heads, queries, size}));
        a->out_row = size;
        a->out_head = queries * size;
        a->out_batch = heads * queries * size;
    }
    a->out = c->outputs[0].data;
    if (!ops_wants_output(c, 3)) return MINNOW_OK;
    TRY(ops_output(c, 3, DTYPE_FLOAT32, 4, (const int64_t[]){batch, heads, queries, (int64_t)a->n_keys}));
    a->show = c->outputs[3].data;
    a->show_what = (int)graph_node_int(c->node, "qk_matmul_output_mode", 0);
    return MINNOW_OK;
}

minnow_status ops_attention(op_context *c) {
    attention a = {.scale = graph_node_float(c->node, "scale", 0), .cap = graph_node_float(c->node, "softcap", 0),
                   .is_causal = graph_node_int(c->node, "is_causal", 0) != 0, .causal_value = MASKED,
                   .masked_is_zero = 1};
    const int64_t precision = graph_node_int(c->node, "softmax_precision", DTYPE_FLOAT32);
    sides q, k, v;
    TRY(ops_need(c, 3));
    if (precision == DTYPE_FLOAT64)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED,
                         "softmax_precision float64 is not supported; float32 needed");
    TRY(heads_of(c, 0, "q_num_heads", &a.q, &q));
    TRY(heads_of(c, 1, "kv_num_heads", &a.k, &k));
    TRY(heads_of(c, 2, "kv_num_heads", &a.v, &v));
    TRY(check_sides(c, &q, &k, &v));
    TRY(join_past(c, &a, &k, &v));
    a.batch = (size_t)q.batch;
    a.n_heads = (size_t)q.heads;
    a.n_key_heads = (size_t)k.heads;
    a.n_queries = (size_t)q.tokens;
    a.n_keys = (size_t)k.tokens;
    a.head_size = (size_t)q.size;
    a.value_size = (size_t)v.size;
    if (ops_has_input(c, 3)) TRY(read_mask(c, &a));
    TRY(make_output(c, &a));
    return attention_run(c, &a);
}
