/* SPDX-License-Identifier: Apache-2.0
 * Attention over heads. In: queries, keys, values, what is added to the scores. Out: the mixed values.
 *
 *   keys, values of one text and head -> packed once by a thread;  blocks of queries: [64, keys] scores -> [64, values]
 *
 * Products are chains over ascending k as everywhere; threads share texts, heads and blocks of queries. */
#include "convert/interpret/ops/attention_heads.h"

#include <string.h>

#include "base/bytes.h"

#define QUERY_BLOCK ((size_t)64)
#define ROUNDING ((size_t)128)

typedef struct job {
    const attention *a;
    const math_kernels *math;
    size_t n_blocks; /* of queries */
    float scale;
    float *scratch;
    size_t part_floats, keys_floats, values_floats; /* of a part: packed keys, packed values, scores */
} job;

static void show_row(const attention *a, int what, const float *row, size_t text, size_t head, size_t query) {
    if (a->show && a->show_what == what)
        memcpy(a->show + ((text * a->n_heads + head) * a->n_queries + query) * a->n_keys, row,
               a->n_keys * sizeof *row);
}

static const float *row_of(const attention_heads *h, size_t text, size_t head, size_t row) {
    return h->data + (int64_t)text * h->batch + (int64_t)head * h->head + (int64_t)row * h->row;
}

/* Scores of one query -> its softmax. */
static void finish_row(const job *j, float *row, size_t text, size_t head, size_t query) {
    const attention *a = j->a;
    const math_kernels *m = j->math;
    const size_t n = a->n_keys;
    show_row(a, ATTENTION_SHOW_PRODUCT, row, text, head, query);
    if (a->cap != 0) {
        m->div_scalar(row, a->cap, row, n);
        m->tanh(row, row, n);
        m->mul_scalar(row, a->cap, row, n);
    }
    show_row(a, ATTENTION_SHOW_CAPPED, row, text, head, query);
    if (a->mask.data) m->add(row, row_of(&a->mask, text, head, query), row, n);
    if (a->bias.data) m->add(row, row_of(&a->bias, text, head, query), row, n);
    for (size_t k = query + a->n_past + 1; a->is_causal && k < n; k++) row[k] = a->causal_value;
    show_row(a, ATTENTION_SHOW_MASKED, row, text, head, query);
    if (a->masked_is_zero && m->maximum(row, n) == -__builtin_inff()) memset(row, 0, n * sizeof *row);
    else m->softmax(row, row, n);
    show_row(a, ATTENTION_SHOW_SOFTMAX, row, text, head, query);
}

static void pack_head(const job *j, size_t text, size_t head, float *keys, float *values) {
    const attention *a = j->a;
    const size_t shared = a->n_key_heads ? head / (a->n_heads / a->n_key_heads) : head;
    j->math->pack(row_of(&a->k, text, shared, 0), 1, (size_t)a->k.row, a->head_size, a->n_keys, keys);
    j->math->pack(row_of(&a->v, text, shared, 0), (size_t)a->v.row, 1, a->n_keys, a->value_size, values);
}

static void run_blocks(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    const attention *a = j->a;
    float *keys = j->scratch + part * j->part_floats, *values = keys + j->keys_floats;
    float *scores = values + j->values_floats;
    const math_epilogue scaled = {.scale = j->scale};
    size_t packed = SIZE_MAX;
    for (size_t u = begin; u < end; u++) {
        const size_t at = u / j->n_blocks, text = at / a->n_heads, head = at % a->n_heads;
        const size_t first = u % j->n_blocks * QUERY_BLOCK;
        const size_t rows = a->n_queries - first < QUERY_BLOCK ? a->n_queries - first : QUERY_BLOCK;
        if (at != packed) pack_head(j, text, head, keys, values);
        packed = at;
        j->math->gemm(row_of(&a->q, text, head, first), (size_t)a->q.row, keys, scores, a->n_keys, rows, a->head_size,
                      a->n_keys, &scaled);
        for (size_t r = 0; r < rows; r++) finish_row(j, scores + r * a->n_keys, text, head, first + r);
        j->math->gemm(scores, a->n_keys, values,
                      a->out + (int64_t)text * a->out_batch + (int64_t)head * a->out_head + (int64_t)first * a->out_row,
                      (size_t)a->out_row, rows, a->n_keys, a->value_size, NULL);
    }
}

static size_t floats_of(size_t bytes) { return (bytes + 63) / 64 * 16; }

minnow_status attention_run(op_context *c, const attention *given) {
    attention a = *given;
    job j = {.a = &a, .math = c->math, .scale = a.scale};
    size_t bytes;
    void *scratch;
    if (a.out_row == 0) {
        a.out_head = (int64_t)a.value_size;
        a.out_row = (int64_t)(a.n_heads * a.value_size);
        a.out_batch = a.out_row * (int64_t)a.n_queries;
    }
    TRY(ops_charge_product(c, a.batch * a.n_heads * a.n_queries, a.n_keys, a.head_size + a.value_size + 16));
    if (a.batch == 0 || a.n_heads == 0 || a.n_queries == 0 || a.value_size == 0) return MINNOW_OK;
    if (a.n_keys == 0) return error_set(c->error, MINNOW_ERROR_FORMAT, "attention needs at least one key");
    if (j.scale == 0) {
        j.scale = (float)a.head_size;
        c->math->sqrt(&j.scale, &j.scale, 1);
        j.scale = 1.0f / j.scale;
    }
    /* A bound for what follows: a part's packed keys and values, whose columns are rounded up, and its scores. */
    if (!size_mul(a.n_keys + ROUNDING, (a.head_size + a.value_size + QUERY_BLOCK + ROUNDING) * sizeof(float), &bytes))
        return error_set(c->error, MINNOW_ERROR_MEMORY, "%zu keys are too many", a.n_keys);
    j.n_blocks = (a.n_queries + QUERY_BLOCK - 1) / QUERY_BLOCK;
    j.keys_floats = floats_of(c->math->packed_bytes(a.head_size, a.n_keys));
    j.values_floats = floats_of(c->math->packed_bytes(a.n_keys, a.value_size));
    j.part_floats = j.keys_floats + j.values_floats +
                    floats_of((a.n_queries < QUERY_BLOCK ? a.n_queries : QUERY_BLOCK) * a.n_keys * sizeof(float));
    TRY(ops_scratch_array(c, j.part_floats, ops_threads(c), sizeof(float), &scratch));
    j.scratch = scratch;
    ops_parallel(c, a.batch * a.n_heads * j.n_blocks, 1, QUERY_BLOCK * a.n_keys * a.head_size, run_blocks, &j);
    return MINNOW_OK;
}
