/* SPDX-License-Identifier: Apache-2.0
 * com.microsoft's EmbedLayerNormalization and QEmbedLayerNormalization. In: ids and the tables of words, positions and
 * (if there is one) segments, of floats or of 8-bit codes. Out: norm(words[id] + positions[p] (+ segments[s])), each
 * text's number of tokens, the sum. */
#include <string.h>

#include "convert/interpret/ops/quantized.h"
#include "convert/interpret/ops/table.h"

enum { WORDS, POSITIONS, SEGMENTS, N_TABLES };

typedef struct job {
    const math_kernels *math;
    size_t tokens, n;                /* of a text; elements of a row */
    const tensor *tables[N_TABLES];  /* [rows, n]; NULL: none */
    int is_quantized;                /* tables of codes: (code - zero) * scale */
    float scales[N_TABLES], zeros[N_TABLES];
    const tensor *ids[N_TABLES];     /* positions NULL: 0, 1, 2 ... */
    size_t position_stride;          /* 0: the same positions in every text */
    const float *gamma, *beta;
    float epsilon;
    float *y, *sum, *scratch;        /* sum NULL: not asked for; scratch: a row for each part */
} job;

static int64_t id_of(const job *j, int table, size_t at) {
    if (table != POSITIONS) return ops_scalar_int(j->ids[table], at);
    if (!j->ids[POSITIONS]) return (int64_t)(at % j->tokens);
    return ops_scalar_int(j->ids[POSITIONS], j->position_stride ? at : at % j->tokens);
}

static const float *row_of(const job *j, int table, size_t at, float *scratch) {
    const tensor *t = j->tables[table];
    const char *row = (const char *)t->data + (size_t)id_of(j, table, at) * j->n * dtype_bytes(t->type);
    if (t->type == DTYPE_FLOAT32) return (const float *)(const void *)row;
    lanes_cast(t->type, row, DTYPE_FLOAT32, scratch, j->n);
    if (!j->is_quantized) return scratch;
    j->math->sub_scalar(scratch, j->zeros[table], scratch, j->n);
    j->math->mul_scalar(scratch, j->scales[table], scratch, j->n);
    return scratch;
}

static void embed_rows(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    float *scratch = j->scratch + part * 2 * j->n;
    for (size_t r = begin; r < end; r++) {
        float *y = j->y + r * j->n;
        const float *word = row_of(j, WORDS, r, scratch), *position = row_of(j, POSITIONS, r, scratch + j->n);
        j->math->add(word, position, y, j->n);
        if (j->tables[SEGMENTS]) j->math->add(y, row_of(j, SEGMENTS, r, scratch), y, j->n);
        if (j->sum) memcpy(j->sum + r * j->n, y, j->n * sizeof *y);
        j->math->layer_norm(y, j->gamma, j->beta, j->epsilon, y, j->n);
    }
}

/* --- Inputs ------------------------------------------------------------------------------------------------------- */

/* Scale and zero point of quantized input 2 + i. */
static minnow_status read_step(op_context *c, int i, float *scale, float *zero) {
    int32_t code = 0;
    if (!ops_has_input(c, (size_t)i + 8)) return error_set(c->error, MINNOW_ERROR_FORMAT, "input %d is missing", i + 8);
    TRY(quantized_scale(c, (size_t)i + 8, scale));
    TRY(quantized_zero(c, (size_t)i + 13, c->inputs[2]->type, &code));
    *zero = (float)code;
    return MINNOW_OK;
}

static minnow_status check_table(op_context *c, job *j, int table, size_t input) {
    const tensor *t = c->inputs[input];
    char shape[128];
    if (j->is_quantized ? !quantized_is_byte(t->type)
                        : t->type != DTYPE_FLOAT32 && t->type != DTYPE_FLOAT16 && t->type != DTYPE_BFLOAT16)
        return ops_unsupported_type(c, t->type);
    if (t->type != c->inputs[2]->type) return ops_same_type(c, 2, input);
    if (t->rank != 2 || t->dims[1] != c->inputs[2]->dims[1])
        return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu is %s, not a table of rows of %lld", input,
                         tensor_describe(t, shape, sizeof shape), (long long)c->inputs[2]->dims[1]);
    j->tables[table] = t;
    return j->is_quantized ? read_step(c, table, &j->scales[table], &j->zeros[table]) : MINNOW_OK;
}

/* Ids of the shape of input 0; for positions one text's are enough. */
static minnow_status check_ids(op_context *c, job *j, int table, size_t input) {
    const tensor *t = c->inputs[input], *ids = c->inputs[0];
    char shape[128];
    if (!lanes_is_integer(t->type) || t->type == DTYPE_BOOL) return ops_unsupported_type(c, t->type);
    if (t->rank != 2 || t->dims[1] != ids->dims[1] ||
        (t->dims[0] != ids->dims[0] && (table != POSITIONS || t->dims[0] != 1)))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu is %s, ids of [%lld, %lld] needed", input,
                         tensor_describe(t, shape, sizeof shape), (long long)ids->dims[0], (long long)ids->dims[1]);
    j->ids[table] = t;
    if (table == POSITIONS) j->position_stride = t->dims[0] == ids->dims[0];
    return MINNOW_OK;
}

static minnow_status check_range(op_context *c, const job *j, int table) {
    static const char *const names[] = {"word", "position", "segment"};
    const size_t n = tensor_count(c->inputs[0]);
    if (!j->tables[table]) return MINNOW_OK;
    for (size_t i = 0; i < n; i++) {
        const int64_t id = id_of(j, table, i);
        if (id < 0 || id >= j->tables[table]->dims[0])
            return error_set(c->error, MINNOW_ERROR_FORMAT, "%s %lld is outside a table of %lld rows", names[table],
                             (long long)id, (long long)j->tables[table]->dims[0]);
    }
    return MINNOW_OK;
}

static minnow_status take_inputs(op_context *c, job *j) {
    char shape[128];
    TRY(ops_need(c, 1));
    if (c->inputs[0]->rank != 2)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "ids are %s, not [batch, tokens]",
                         tensor_describe(c->inputs[0], shape, sizeof shape));
    for (size_t i = 2; i <= 6; i++)
        if (i != 4 && !ops_has_input(c, i)) return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu is missing", i);
    if (ops_has_input(c, 1) != ops_has_input(c, 4))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "segment ids and their table must both be there");
    if (c->inputs[2]->rank != 2) return error_set(c->error, MINNOW_ERROR_FORMAT, "the words are no table");
    j->tokens = (size_t)c->inputs[0]->dims[1];
    j->n = (size_t)c->inputs[2]->dims[1];
    TRY(check_ids(c, j, WORDS, 0));
    TRY(check_table(c, j, WORDS, 2));
    TRY(check_table(c, j, POSITIONS, 3));
    if (!j->is_quantized && ops_has_input(c, 8)) TRY(check_ids(c, j, POSITIONS, 8));
    if (ops_has_input(c, 4)) {
        TRY(check_ids(c, j, SEGMENTS, 1));
        TRY(check_table(c, j, SEGMENTS, 4));
    }
    for (int table = 0; table < N_TABLES; table++) TRY(check_range(c, j, table));
    return MINNOW_OK;
}

/* Input 5 or 6 as float32 [n]. */
static minnow_status vector_of(op_context *c, const job *j, size_t input, const float **out) {
    const tensor *t = c->inputs[input];
    float scale, zero;
    tensor wide;
    if (t->type != c->inputs[2]->type) return ops_same_type(c, 2, input);
    if (t->rank != 1 || (size_t)t->dims[0] != j->n)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "input %zu must have %zu elements", input, j->n);
    TRY(ops_cast_scratch(c, t, DTYPE_FLOAT32, &wide));
    *out = wide.data;
    if (!j->is_quantized) return MINNOW_OK;
    TRY(read_step(c, (int)input - 2, &scale, &zero));
    j->math->sub_scalar(wide.data, zero, wide.data, j->n);
    j->math->mul_scalar(wide.data, scale, wide.data, j->n);
    return MINNOW_OK;
}

/* --- Outputs ------------------------------------------------------------------------------------------------------ */

/* Output 1: how many of each text's mask are 1; 0 without a mask. */
static minnow_status count_tokens(op_context *c) {
    const tensor *ids = c->inputs[0];
    if (!ops_wants_output(c, 1)) return MINNOW_OK;
    TRY(ops_output(c, 1, DTYPE_INT32, 1, ids->dims));
    int32_t *counts = c->outputs[1].data;
    for (size_t b = 0; b < (size_t)ids->dims[0]; b++) {
        counts[b] = 0;
        for (size_t t = 0; ops_has_input(c, 7) && t < (size_t)ids->dims[1]; t++)
            counts[b] += ops_scalar_int(c->inputs[7], b * (size_t)ids->dims[1] + t) == 1;
    }
    return MINNOW_OK;
}

/* Output i of the tables' type, and float32 memory for it: its own, or scratch that is narrowed at the end. */
static minnow_status float_output(op_context *c, const job *j, size_t i, float **rows) {
    const tensor *ids = c->inputs[0];
    const dtype type = j->is_quantized ? DTYPE_FLOAT32 : c->inputs[2]->type;
    void *memory;
    TRY(ops_output(c, i, type, 3, (const int64_t[]){ids->dims[0], ids->dims[1], (int64_t)j->n}));
    *rows = c->outputs[i].data;
    if (type == DTYPE_FLOAT32) return MINNOW_OK;
    TRY(ops_scratch_array(c, tensor_count(&c->outputs[i]), 1, sizeof(float), &memory));
    *rows = memory;
    return MINNOW_OK;
}

static void narrow(op_context *c, size_t i, const float *rows) {
    tensor *out = &c->outputs[i];
    if (rows && out->type != DTYPE_FLOAT32) lanes_cast(DTYPE_FLOAT32, rows, out->type, out->data, tensor_count(out));
}

minnow_status ops_embed_layer_norm(op_context *c) {
    job j = {.math = c->math, .is_quantized = ops_variant(c) == 1,
             .epsilon = graph_node_float(c->node, "epsilon", 1e-12f)};
    void *scratch;
    TRY(take_inputs(c, &j));
    TRY(vector_of(c, &j, 5, &j.gamma));
    TRY(vector_of(c, &j, 6, &j.beta));
    if (ops_has_input(c, 7)) {
        job ignored = {0};
        TRY(check_ids(c, &ignored, WORDS, 7));
    }
    const size_t rows = tensor_count(c->inputs[0]);
    TRY(ops_charge_product(c, rows, j.n, 8));
    TRY(float_output(c, &j, 0, &j.y));
    if (ops_wants_output(c, 2)) TRY(float_output(c, &j, 2, &j.sum));
    TRY(count_tokens(c));
    if (rows == 0 || j.n == 0) return MINNOW_OK;
    TRY(ops_scratch_array(c, ops_threads(c) * 2, j.n, sizeof(float), &scratch));
    j.scratch = scratch;
    ops_parallel(c, rows, 1, 8 * j.n, embed_rows, &j);
    narrow(c, 0, j.y);
    narrow(c, 2, j.sum);
    return MINNOW_OK;
}
