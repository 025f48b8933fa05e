/* SPDX-License-Identifier: Apache-2.0
 *
 * optimize_encoder: a graph -> the encoder that it computes, or the node that is none of it.
 *
 * Comes in: a sorted graph. Goes out: its weights by role. Goes back from the last hidden state, two norms a layer:
 *
 *     hidden = norm(down(gelu(up(attended))) + attended)      attended = norm(output(attention(x)) + x)
 *
 * until a norm's sum has the words' embeddings in it. */
#include <stdlib.h>
#include <string.h>

#include "convert/optimize/match.h"
#include "convert/optimize/unfuse.h"

#define OPTIMIZE_MAX_LAYERS 128
#define OPTIMIZE_MAX_TOKENS ((int64_t)1 << 20) /* in the batch of a graph of a fixed size */

/* sum = linear + rest: gives both, whichever side they stand on. */
static int find_residual(matcher *m, int32_t sum, linear_match *linear, int32_t *rest) {
    const graph_node *add = match_op(m, match_rows(m, sum), "Add", 2);
    int i;
    for (i = 0; add != NULL && i < 2; i++) {
        *rest = match_rows(m, add->inputs[1 - i]);
        if (linear_find(m, add->inputs[i], linear)) return 1;
    }
    return 0;
}

/* In what should have been linear + rest: what is behind additions and scales, so that messages name the product. */
static int32_t find_culprit(matcher *m, int32_t value) {
    const graph_node *node;
    norm_match norm;
    size_t i;
    value = match_rows(m, value);
    while ((node = match_node(m, value)) != NULL) {
        int32_t next = GRAPH_NO_VALUE;
        if (!match_is_op(node, "Add") && !match_is_op(node, "Mul") && !match_is_op(node, "Cast")) break;
        for (i = 0; i < node->n_inputs && next < 0; i++)
            if (match_has_input(node, i) && (m->depends[node->inputs[i]] & DEPENDS_IDS) != 0 &&
                !norm_find(m, node->inputs[i], &norm)) next = node->inputs[i];
        if (next < 0) break;
        value = match_rows(m, next);
    }
    return value;
}

static minnow_status expect_size(const matcher *m, int32_t place, int64_t found, size_t expected, const char *what) {
    if (found == (int64_t)expected) return MINNOW_OK;
    return match_fail(m, place, "expected %s of %zu elements, found %lld", what, expected, (long long)found);
}

/* norm(output(attention(x)) + x): gives x. */
static minnow_status match_attention(matcher *m, int32_t attended, encoder_layer *layer, int32_t *x) {
    const size_t hidden = m->e->hidden;
    linear_match output;
    norm_match norm;
    int32_t residual;
    if (!norm_find(m, attended, &norm))
        return match_fail(m, match_rows(m, attended), "expected attention's layer norm");
    TRY(norm_load(m, &norm, hidden, &layer->attention_norm));
    if (!find_residual(m, norm.x, &output, &residual))
        return match_fail(m, match_rows(m, norm.x), "expected the sum of attention's output and its input");
    TRY(linear_load(m, &output, &layer->output));
    TRY(expect_size(m, norm.x, output.n, hidden, "attention's output"));
    TRY(expect_size(m, norm.x, output.k, hidden, "attention's context"));
    TRY(attention_match(m, output.x, layer, x));
    if (residual != *x) return match_fail(m, norm.x, "expected the residual to be attention's input");
    TRY(expect_size(m, *x, (int64_t)layer->query.k, hidden, "attention's input"));
    TRY(expect_size(m, *x, (int64_t)layer->query.n, hidden, "queries"));
    TRY(expect_size(m, *x, (int64_t)layer->key.n, hidden, "keys"));
    return expect_size(m, *x, (int64_t)layer->value.n, hidden, "values");
}

/* down(gelu(up(attended))) + attended, of which `down` and the residual are found. */
static minnow_status match_feed_forward(matcher *m, int32_t sum, const linear_match *down, int32_t residual,
                                        encoder_layer *layer) {
    encoder *e = m->e;
    linear_match up;
    int32_t inner;
    TRY(linear_load(m, down, &layer->down));
    TRY(gelu_match(m, down->x, &inner));
    if (!linear_find(m, inner, &up)) return match_fail(m, inner, "expected the linear map before the GELU");
    TRY(linear_load(m, &up, &layer->up));
    if (match_rows(m, up.x) != residual)
        return match_fail(m, sum, "expected the residual to be the feed-forward's input");
    if (e->intermediate == 0) e->intermediate = layer->up.n;
    TRY(expect_size(m, sum, down->n, e->hidden, "the feed-forward's output"));
    TRY(expect_size(m, sum, down->k, e->intermediate, "the GELU's output"));
    TRY(expect_size(m, sum, up.n, e->intermediate, "the GELU's input"));
    return expect_size(m, sum, up.k, e->hidden, "the feed-forward's input");
}

/* The layers, last first. *sum becomes what the embeddings' norm is taken of. */
static minnow_status match_layers(matcher *m, int32_t value) {
    encoder *e = m->e;
    encoder_layer *layers = arena_array(&m->scratch, OPTIMIZE_MAX_LAYERS, sizeof *layers);
    linear_match down;
    norm_match norm;
    int32_t residual;
    size_t i;
    if (layers == NULL) return match_out_of_memory(m);
    for (;;) {
        encoder_layer *layer = &layers[e->n_layers];
        if (!norm_find(m, value, &norm)) return match_fail(m, match_rows(m, value), "expected a layer norm");
        if (!find_residual(m, norm.x, &down, &residual)) {
            if (embedding_is(m, norm.x)) break;
            return match_fail(m, find_culprit(m, norm.x),
                              "expected the feed-forward's output, MatMul or Gemm by constant float weights");
        }
        if (e->n_layers == OPTIMIZE_MAX_LAYERS)
            return match_fail(m, value, "expected at most %d layers", OPTIMIZE_MAX_LAYERS);
        TRY(norm_load(m, &norm, e->hidden, &layer->output_norm));
        TRY(match_feed_forward(m, norm.x, &down, residual, layer));
        TRY(match_attention(m, residual, layer, &value));
        e->n_layers++;
    }
    TRY(norm_load(m, &norm, e->hidden, &e->embedding_norm));
    TRY(embedding_match(m, norm.x));
    e->layers = arena_array(&e->memory, e->n_layers, sizeof *e->layers);
    if (e->layers == NULL) return match_out_of_memory(m);
    for (i = 0; i < e->n_layers; i++) e->layers[i] = layers[e->n_layers - 1 - i];
    return MINNOW_OK;
}

/* --- The output ----------------------------------------------------------------------------------------------- */

static int is_hidden_state(const matcher *m, int32_t value) {
    const graph_value *v = match_info(m, value);
    return v->rank == 3 && v->dims[0].size == m->batch && v->dims[1].size == m->tokens && v->dims[2].size > 0;
}

/* In a graph that only gives pooled vectors: the last layer norm of tokens that they depend on. */
static minnow_status find_behind_pooling(matcher *m, int32_t *out) {
    uint8_t *needed = arena_alloc(&m->scratch, m->g->n_values);
    norm_match norm;
    size_t i, k;
    if (needed == NULL) return match_out_of_memory(m);
    for (i = 0; i < m->g->n_outputs; i++) needed[m->g->outputs[i]] = 1;
    for (i = m->g->n_nodes; i > 0; i--) {
        const graph_node *node = &m->g->nodes[i - 1];
        for (k = 0; k < node->n_outputs; k++)
            if (node->outputs[k] >= 0 && needed[node->outputs[k]]) break;
        if (k == node->n_outputs) continue;
        *out = node->outputs[k];
        if (k == 0 && is_hidden_state(m, *out) && norm_find(m, *out, &norm)) return MINNOW_OK;
        for (k = 0; k < node->n_inputs; k++)
            if (node->inputs[k] >= 0) needed[node->inputs[k]] = 1;
    }
    return error_set(m->error, MINNOW_ERROR_UNSUPPORTED,
                     "no encoder: no output is a last hidden state [batch, tokens, hidden], and none is made of one");
}

/* An output whose shape nobody knows: the first node where shapes are lost stands for it. */
static minnow_status refuse_unknown_shape(const matcher *m, int32_t output) {
    size_t i, k;
    for (i = 0; i < m->g->n_nodes; i++) {
        const graph_node *node = &m->g->nodes[i];
        int known = node->n_outputs > 0 && node->outputs[0] >= 0 && match_info(m, node->outputs[0])->rank < 0;
        for (k = 0; k < node->n_inputs && known; k++)
            known = node->inputs[k] < 0 || match_info(m, node->inputs[k])->rank >= 0;
        if (known) return match_fail(m, node->outputs[0], "expected an operator of ONNX whose shapes are known");
    }
    return match_fail(m, output, "expected a value of a known shape");
}

/* The last hidden state: by name, else by shape. */
static minnow_status find_output(matcher *m, int32_t *out) {
    static const char *const names[] = {"last_hidden_state", "token_embeddings"};
    size_t i, k;
    for (k = 0; k < sizeof names / sizeof names[0]; k++)
        for (i = 0; i < m->g->n_outputs; i++) {
            *out = m->g->outputs[i];
            if (strcmp(match_info(m, *out)->name, names[k]) != 0) continue;
            if (is_hidden_state(m, *out)) return MINNOW_OK;
            if (match_info(m, *out)->rank < 0) return refuse_unknown_shape(m, *out);
            return match_fail(m, *out, "expected '%s' to be [batch, tokens, hidden]", names[k]);
        }
    for (i = 0; i < m->g->n_outputs; i++) {
        *out = m->g->outputs[i];
        if (is_hidden_state(m, *out)) return MINNOW_OK;
    }
    return find_behind_pooling(m, out);
}

/* --- The whole ------------------------------------------------------------------------------------------------ */

static minnow_status create_specimens(matcher *m) {
    static const int64_t sizes[MATCH_SPECIMENS][2] = {{7, 5}, {2, 3}}; /* [batch, tokens] */
    const graph *g = m->original;
    size_t i;
    m->ids = graph_find_value(g, "input_ids");
    for (i = 0; i < g->n_inputs; i++)
        if (g->inputs[i] == m->ids) break;
    if (i == g->n_inputs)
        return error_set(m->error, MINNOW_ERROR_UNSUPPORTED, "no encoder: the graph has no input 'input_ids'");
    if (g->values[m->ids].rank != 2)
        return error_set(m->error, MINNOW_ERROR_UNSUPPORTED, "no encoder: input 'input_ids' is not [batch, tokens]");
    for (i = 0; i < MATCH_SPECIMENS; i++)
        TRY(specimen_create(&m->specimens[i], g, m->ids, sizes[i][0], sizes[i][1], m->error));
    m->g = m->specimens[0].g;
    m->batch = m->specimens[0].batch;
    m->tokens = m->specimens[0].tokens;
    if (m->batch >= 1 && m->tokens >= 2 && m->batch <= OPTIMIZE_MAX_TOKENS / m->tokens) return MINNOW_OK;
    return match_fail(m, m->ids, "expected a batch of texts of 2 tokens or more, found [%lld, %lld]",
                      (long long)m->batch, (long long)m->tokens);
}

/* Codes in place of weights, or of activations: whatever the rest is, nothing here can be quantized again. */
static minnow_status refuse_quantized(const matcher *m) {
    static const char *const names[] = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear",
                                        "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul",
                                        "QLinearMatMul", "QGemm", "QAttention"};
    const graph *g = m->original;
    char place[256];
    size_t i, k;
    for (i = 0; i < g->n_nodes; i++)
        for (k = 0; k < sizeof names / sizeof names[0]; k++)
            if (strcmp(g->nodes[i].op_type, names[k]) == 0)
                return error_set(m->error, MINNOW_ERROR_UNSUPPORTED,
                                 "%s: the graph is quantized already; the FP32 file that it was made of is needed",
                                 graph_node_describe(g, i, place, sizeof place));
    return MINNOW_OK;
}

static minnow_status match_encoder(matcher *m) {
    encoder *e = m->e;
    int32_t output = GRAPH_NO_VALUE;
    TRY(refuse_quantized(m));
    TRY(unfuse(&e->unfused, m->original, m->error));
    if (e->unfused != NULL) m->original = e->unfused;
    TRY(create_specimens(m));
    TRY(match_inputs(m));
    TRY(find_output(m, &output));
    e->hidden = (size_t)match_last(m, output, 0);
    TRY(match_layers(m, output));
    if (e->n_layers == 0) return match_fail(m, output, "expected at least one layer, found embeddings alone");
    return MINNOW_OK;
}

minnow_status optimize_encoder(encoder **out, const graph *g, minnow_error *error) {
    matcher m = {.original = g, .error = error};
    minnow_status status;
    size_t i;
    *out = NULL;
    m.e = calloc(1, sizeof *m.e);
    if (m.e == NULL) return match_out_of_memory(&m);
    status = match_encoder(&m);
    if (status == MINNOW_OK) {
        *out = m.e;
        m.e = NULL;
    }
    for (i = 0; i < MATCH_SPECIMENS; i++) specimen_close(&m.specimens[i]);
    free(m.probed);
    arena_free(&m.scratch);
    encoder_close(&m.e);
    return status;
}

void encoder_close(encoder **e) {
    if (e == NULL || *e == NULL) return;
    arena_free(&(*e)->memory);
    graph_close(&(*e)->unfused);
    free(*e);
    *e = NULL;
}
