/* SPDX-License-Identifier: Apache-2.0
 * INT8 model -> QDQ graph: the forward pass of model.h in ONNX's operators (opset 17), named as `minnow export` names
 * its own. */
#include "convert/qdq/qdq.h"

#include <stdio.h>
#include <string.h>

#include "convert/import/model_metadata.h"
#include "convert/qdq/parts.h"

#define NONE GRAPH_NO_VALUE
#define LN_2 0.693147180559945309417

static const graph_dim batch = {-1, "batch_size"}, sequence = {-1, "sequence_length"};

/* x rounded to 8 bits and back where the model asks for it; then the norm. */
static int32_t layer_norm(builder *b, int32_t x, const int8_norm *norm, const int8_model *m, const char *output) {
    const size_t mark = builder_enter(b, "LayerNorm");
    int32_t gamma, beta;
    if (norm->input_step != NULL) {
        const int32_t low = builder_scalar(b, "least_code", -127.0f), high = builder_scalar(b, "largest_code", 127.0f);
        x = builder_op(b, "Mul", x, qdq_floats(b, "input_multiplier", norm->input_multiplier, m->hidden), NONE);
        x = qdq_quantize(b, builder_op(b, "Clip", x, low, high), NULL, 0);
        x = builder_op(b, "Mul", x, qdq_floats(b, "input_step", norm->input_step, m->hidden), NONE);
    }
    gamma = qdq_floats(b, "weight", norm->gamma, m->hidden);
    beta = qdq_floats(b, "bias", norm->beta, m->hidden);
    b->output_name = output; /* of the next node */
    x = piece_layer_norm(b, x, gamma, beta, m->norm_epsilon);
    builder_leave(b, mark);
    return x;
}

/* A site: x -> codes as values. */
static int32_t site(builder *b, const char *module, int32_t x, const int8_quantizer *q, size_t n) {
    const size_t mark = builder_enter(b, module);
    x = qdq_quantize(b, x, q, n);
    builder_leave(b, mark);
    return x;
}

/* What is done with query and value after the matrix, in doubles for the matrix. */
typedef struct folds {
    qdq_fold query, value;
} folds;

static int fold_attention(builder *b, folds *out, const int8_model *m, const int8_layer *l) {
    double *query, *multiplier, *offset;
    size_t i;
    if (b->status != MINNOW_OK) return 0;
    query = arena_array(&b->g->memory, m->hidden, sizeof *query);
    multiplier = arena_array(&b->g->memory, m->hidden, sizeof *multiplier);
    offset = arena_array(&b->g->memory, m->hidden, sizeof *offset);
    if (query == NULL || multiplier == NULL || offset == NULL) {
        builder_fail(b, error_set(b->error, MINNOW_ERROR_MEMORY, "out of memory"));
        return 0;
    }
    for (i = 0; i < m->hidden; i++) {
        query[i] = (double)l->score_scale[i / (m->hidden / m->n_heads)] * LN_2;
        multiplier[i] = (double)l->context.multiplier[i];
        offset[i] = (double)l->context.offset[i];
    }
    *out = (folds){{query, NULL}, {multiplier, offset}};
    return 1;
}

/* x [b, s, h] -> codes of the context, as values */
static int32_t self_attention(builder *b, int32_t x, int32_t bias, const int8_model *m, const int8_layer *l) {
    const piece_heads heads = piece_heads_of(b, (int64_t)m->n_heads, (int64_t)m->hidden);
    const size_t mark = builder_enter(b, "self"), h = m->hidden;
    const int8_matrix *w = &l->query_key_value;
    const int32_t codes = site(b, "input", x, &l->attention_input, h);
    int32_t q, k, v;
    folds f;
    if (!fold_attention(b, &f, m, l)) return NONE;
    q = qdq_linear(b, codes, "query", w, 0, h, &f.query);
    k = qdq_linear(b, codes, "key", w, h, h, NULL);
    v = qdq_linear(b, codes, "value", w, 2 * h, h, &f.value);
    x = piece_attention(b, q, k, v, bias, heads, NONE);
    x = site(b, "context", x, NULL, 0);
    builder_leave(b, mark);
    return x;
}

/* norm(linear(codes) + residual) */
static int32_t output_block(builder *b, int32_t codes, int32_t residual, const int8_matrix *w, const int8_norm *norm,
                            const int8_model *m, const char *output) {
    const size_t mark = builder_enter(b, "output");
    int32_t x = qdq_linear(b, codes, "dense", w, 0, m->hidden, NULL);
    x = builder_op(b, "Add", x, residual, NONE);
    x = layer_norm(b, x, norm, m, output);
    builder_leave(b, mark);
    return x;
}

static int32_t layer(builder *b, int32_t x, int32_t bias, const int8_model *m, size_t index) {
    const int8_layer *l = &m->layers[index];
    const char *const output = index + 1 == m->n_layers ? "last_hidden_state" : NULL;
    char name[32];
    size_t mark, inner;
    int32_t attended, codes;
    snprintf(name, sizeof name, "layer.%zu", index);
    mark = builder_enter(b, name);
    inner = builder_enter(b, "attention");
    codes = self_attention(b, x, bias, m, l);
    attended = output_block(b, codes, x, &l->attention_output, &l->attention_norm, m, NULL);
    builder_leave(b, inner);
    inner = builder_enter(b, "intermediate");
    codes = site(b, "input", attended, &l->up_input, m->hidden);
    x = piece_gelu(b, qdq_linear(b, codes, "dense", &l->up, 0, m->intermediate, NULL));
    codes = site(b, "inner", x, &l->down_input, m->intermediate);
    builder_leave(b, inner);
    x = output_block(b, codes, attended, &l->down, &l->output_norm, m, output);
    builder_leave(b, mark);
    return x;
}

static void build(builder *b, const int8_model *m, const qdq_types *types) {
    const graph_dim tokens[3] = {batch, sequence, {(int64_t)m->hidden, NULL}};
    const int32_t ids = builder_input(b, "input_ids", DTYPE_INT64, 2, tokens);
    const int32_t mask = builder_input(b, "attention_mask", DTYPE_INT64, 2, tokens);
    const int32_t type_ids = types->n > 0 ? builder_input(b, "token_type_ids", DTYPE_INT64, 2, tokens) : NONE;
    const int32_t bias = piece_attention_bias(b, mask);
    size_t mark = builder_enter(b, "embeddings"), i;
    int32_t x = qdq_embeddings(b, ids, type_ids, m, types);
    x = layer_norm(b, x, &m->embedding_norm, m, NULL);
    builder_leave(b, mark);
    mark = builder_enter(b, "encoder");
    for (i = 0; i < m->n_layers && b->status == MINNOW_OK; i++) x = layer(b, x, bias, m, i);
    builder_leave(b, mark);
    builder_output(b, x, 3, tokens);
}

minnow_status qdq_graph(graph **out, const int8_model *m, const qdq_types *types, minnow_error *error) {
    static const qdq_types none = {0, NULL};
    const model_metadata metadata = {m->name, m->licence, m->pooling, m->normalize, m->max_tokens};
    builder b = {.error = error};
    graph *g = graph_create();
    *out = NULL;
    if (g == NULL || !graph_set_opset(g, "", QDQ_OPSET)) {
        graph_close(&g);
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    }
    b.g = g;
    g->name = "bert";
    g->producer_name = "minnow";
    g->producer_version = MINNOW_VERSION_STRING;
    build(&b, m, types != NULL ? types : &none);
    model_metadata_add(&b, &metadata);
    if (b.status == MINNOW_OK) *out = g;
    else graph_close(&g);
    return b.status;
}
