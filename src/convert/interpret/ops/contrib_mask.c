/* SPDX-License-Identifier: Apache-2.0
 * What is added to attention's scores. In: a mask in one of com.microsoft's forms, or a bias. Out: float32 rows.
 *
 *   [batch] lengths            texts' keys from there on are masked
 *   [2 batch] ends, starts     and those before a text's start
 *   [batch, keys]              0: masked, for every query
 *   [batch, queries, keys]     0: masked, for this query */
#include <string.h>

#include "convert/interpret/ops/attention_heads.h"

static minnow_status wrong_shape(op_context *c, size_t input, const attention *a) {
    char shape[128];
    return error_set(c->error, MINNOW_ERROR_FORMAT,
                     "input %zu is %s, no mask for %zu texts of %zu queries and %zu keys", input,
                     tensor_describe(c->inputs[input], shape, sizeof shape), a->batch, a->n_queries, a->n_keys);
}

/* The shape is one of the forms; *rows: of the mask in memory, one a text or one a query. */
static int is_mask(const tensor *t, const attention *a, size_t *rows) {
    const size_t first = t->rank > 0 ? (size_t)t->dims[0] : 0;
    *rows = t->rank == 3 ? a->batch * a->n_queries : a->batch;
    switch (t->rank) {
    case 1: return first == a->batch || first == 2 * a->batch;
    case 2: return first == a->batch && (size_t)t->dims[1] == a->n_keys;
    case 3: return first == a->batch && (size_t)t->dims[1] == a->n_queries && (size_t)t->dims[2] == a->n_keys;
    default: return 0;
    }
}

/* Keys outside [start, end) are masked. */
static void mask_ends(const tensor *t, const attention *a, float filter, float *out) {
    const int has_starts = (size_t)t->dims[0] == 2 * a->batch;
    for (size_t b = 0; b < a->batch; b++) {
        const int64_t end = ops_scalar_int(t, b), start = has_starts ? ops_scalar_int(t, a->batch + b) : 0;
        for (size_t k = 0; k < a->n_keys; k++)
            out[b * a->n_keys + k] = (int64_t)k < start || (int64_t)k >= end ? filter : 0.0f;
    }
}

/* Keys that are not above 0 are masked. */
static void mask_zeros(const tensor *t, float filter, float *out) {
    int64_t lanes[LANES_BLOCK];
    const size_t n = tensor_count(t);
    for (size_t at = 0; at < n; at += LANES_BLOCK) {
        const size_t m = n - at < LANES_BLOCK ? n - at : LANES_BLOCK;
        lanes_load(t->type, t->data, at, 1, m, lanes);
        for (size_t i = 0; i < m; i++) out[at + i] = lanes[i] > 0 ? 0.0f : filter;
    }
}

minnow_status attention_read_mask(op_context *c, size_t input, float filter, attention *a) {
    const tensor *t = c->inputs[input];
    const int dummy = t->rank == 2 && t->dims[1] == 1 && a->n_keys != 1 &&
                      (t->dims[0] == 1 || (size_t)t->dims[0] == a->batch);
    const int64_t keys = (int64_t)a->n_keys;
    size_t rows;
    void *out;
    if (!lanes_is_integer(t->type)) return ops_unsupported_type(c, t->type);
    if (t->rank == 4)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED,
                         "a mask of rank 4 is not supported; of rank 1, 2 or 3 needed");
    if (dummy) return MINNOW_OK;
    if (!is_mask(t, a, &rows)) return wrong_shape(c, input, a);
    TRY(ops_charge_product(c, rows, a->n_keys, 1));
    TRY(ops_scratch_array(c, rows, a->n_keys, sizeof(float), &out));
    if (t->rank == 1) mask_ends(t, a, filter, out);
    else mask_zeros(t, filter, out);
    a->mask = (attention_heads){out, t->rank == 3 ? keys * (int64_t)a->n_queries : keys, 0, t->rank == 3 ? keys : 0};
    return MINNOW_OK;
}

minnow_status attention_read_bias(op_context *c, size_t input, attention *a) {
    const tensor *t = c->inputs[input];
    const int64_t plane = (int64_t)(a->n_queries * a->n_keys);
    char shape[128];
    if (t->type != DTYPE_FLOAT32) return ops_unsupported_type(c, t->type);
    if (t->rank != 4 || (t->dims[0] != 1 && (size_t)t->dims[0] != a->batch) ||
        (t->dims[1] != 1 && (size_t)t->dims[1] != a->n_heads) || (size_t)t->dims[2] != a->n_queries ||
        (size_t)t->dims[3] != a->n_keys)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu is %s, not [%zu, %zu, %zu, %zu]", input,
                         tensor_describe(t, shape, sizeof shape), a->batch, a->n_heads, a->n_queries, a->n_keys);
    a->bias = (attention_heads){t->data, t->dims[0] == 1 ? 0 : t->dims[1] * plane, t->dims[1] == 1 ? 0 : plane,
                                (int64_t)a->n_keys};
    return MINNOW_OK;
}
