/* SPDX-License-Identifier: Apache-2.0
 * ONNX or safetensors: files -> graph, tokenizer, settings, and which graph inputs and outputs mean what; then ids ->
 * the output that is asked for, by the reference interpreter. */
#include <stdlib.h>
#include <string.h>

#include "api/batch.h"
#include "api/open.h"
#include "base/thread.h"
#include "convert/graph/graph.h"
#include "convert/import/tokenizer_files.h"
#include "convert/interpret/interpreter.h"
#include "convert/onnx/onnx.h"
#include "convert/shapes/infer.h"

/* What a graph input is fed with. */
typedef enum input_feed { FEED_IDS, FEED_MASK, FEED_TYPES, FEED_POSITIONS } input_feed;
#define MAX_INPUTS 4

typedef struct graph_weights {
    graph *graph;
    interpreter *shared; /* never run: contexts share its packed weights */
    tokenizer *tokenizer;
    input_feed feeds[MAX_INPUTS]; /* [graph->n_inputs] */
    size_t tokens_output;  /* index of the output [batch, tokens, dimensions]; SIZE_MAX if there is none */
    size_t pooled_output;  /* index of the output [batch, dimensions]; SIZE_MAX if there is none */
} graph_weights;

/* What runs one text at a time. */
typedef struct graph_lane {
    interpreter *interpreter;
    token_ids ids;
    int64_t *feed;     /* [MAX_INPUTS, n tokens], int64 or int32 */
    tensor *outputs;   /* [graph->n_outputs] */
    double *pooled;    /* [dimensions] */
} graph_lane;

typedef struct graph_state {
    const minnow_model *model;
    const graph_weights *weights;
    size_t max_tokens, n_threads;
    thread_pool *pool;
    graph_lane wide;   /* all threads share each product */
    graph_lane *narrow; /* [n_threads]: one thread each; made for the first batch of many texts */
    uint8_t *wanted;   /* [graph->n_outputs]: one of them */
    size_t output;     /* that one */
} graph_state;

/* --- Opening ------------------------------------------------------------------------------------------------ */

/* Inputs are known by the names that every exporter gives them. */
static minnow_status bind_inputs(graph_weights *m, minnow_error *error) {
    static const struct { const char *name; input_feed feed; } known[] = {
        {"input_ids", FEED_IDS}, {"attention_mask", FEED_MASK}, {"token_type_ids", FEED_TYPES}, {"position_ids",
                                                                                                 FEED_POSITIONS}};
    size_t i, k;
    int has_ids = 0;
    for (i = 0; i < m->graph->n_inputs; i++) {
        const graph_value *v = &m->graph->values[m->graph->inputs[i]];
        for (k = 0; k < sizeof known / sizeof *known && strcmp(known[k].name, v->name) != 0; k++) continue;
        if (k == sizeof known / sizeof *known || i >= MAX_INPUTS)
            return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                             "graph input '%s' is none of input_ids, attention_mask, token_type_ids, position_ids",
                             v->name);
        if ((v->type != DTYPE_INT64 && v->type != DTYPE_INT32) || (v->rank != 2 && v->rank != -1))
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "graph input '%s' is not int64 or int32 [batch, tokens]",
                             v->name);
        m->feeds[i] = known[k].feed;
        has_ids |= known[k].feed == FEED_IDS;
    }
    if (!has_ids) return error_set(error, MINNOW_ERROR_UNSUPPORTED, "the graph has no input 'input_ids'");
    return MINNOW_OK;
}

/* The token vectors and the pooled vector, by name first, then by rank. */
static minnow_status bind_outputs(graph_weights *m, minnow_error *error) {
    static const char *const token_names[] = {"last_hidden_state", "token_embeddings"};
    size_t i, k;
    m->tokens_output = m->pooled_output = SIZE_MAX;
    for (i = 0; i < m->graph->n_outputs; i++) {
        const graph_value *v = &m->graph->values[m->graph->outputs[i]];
        if (v->type != DTYPE_FLOAT32 && v->type != DTYPE_UNDEFINED) continue;
        for (k = 0; k < 2; k++)
            if (strcmp(v->name, token_names[k]) == 0) m->tokens_output = i;
        if (strcmp(v->name, "sentence_embedding") == 0) m->pooled_output = i;
    }
    for (i = 0; i < m->graph->n_outputs && m->tokens_output == SIZE_MAX; i++) {
        const graph_value *v = &m->graph->values[m->graph->outputs[i]];
        if (v->type == DTYPE_FLOAT32 && v->rank == 3) m->tokens_output = i;
    }
    if (m->tokens_output == SIZE_MAX && m->pooled_output == SIZE_MAX)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                         "the graph is no encoder: no output 'last_hidden_state' or 'sentence_embedding', none of "
                         "float32 [batch, tokens, dimensions]");
    return MINNOW_OK;
}

/* The last dimension of the output, from its shape. */
static minnow_status find_dimensions(const graph_weights *m, size_t *out, minnow_error *error) {
    const size_t output = m->tokens_output != SIZE_MAX ? m->tokens_output : m->pooled_output;
    const graph_value *v = &m->graph->values[m->graph->outputs[output]];
    if (v->rank >= 1 && v->dims[v->rank - 1].size > 0) {
        *out = (size_t)v->dims[v->rank - 1].size;
        return MINNOW_OK;
    }
    return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                     "the last dimension of output '%s' cannot be known from the graph", v->name);
}

static void close_weights(void *weights) {
    graph_weights *w = weights;
    interpreter_close(&w->shared);
    graph_close(&w->graph);
    tokenizer_close(&w->tokenizer);
    free(w);
}

/* --- Running ------------------------------------------------------------------------------------------------ */

static void close_lane(graph_lane *l) {
    interpreter_close(&l->interpreter);
    token_ids_free(&l->ids);
    free(l->feed);
    free(l->outputs);
    free(l->pooled);
    memset(l, 0, sizeof *l);
}

/* Into a zeroed lane, which it is again on failure. */
static minnow_status create_lane(graph_lane *l, const graph_state *s, thread_pool *pool, minnow_error *error) {
    const interpreter_options options = {.pool = pool, .twin = s->weights->shared};
    TRY(interpreter_create(&l->interpreter, s->weights->graph, &options, error));
    l->outputs = calloc(s->weights->graph->n_outputs + 1, sizeof *l->outputs);
    l->pooled = calloc(s->model->dimensions, sizeof *l->pooled);
    if (l->outputs != NULL && l->pooled != NULL) return MINNOW_OK;
    close_lane(l);
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

static void close_state(void *state) {
    graph_state *s = state;
    size_t i;
    close_lane(&s->wide);
    for (i = 0; s->narrow != NULL && i < s->n_threads; i++) close_lane(&s->narrow[i]);
    thread_pool_close(&s->pool);
    free(s->narrow);
    free(s->wanted);
}

static minnow_status create_parts(graph_state *s, minnow_error *error) {
    TRY(thread_pool_create(&s->pool, s->n_threads, error));
    TRY(create_lane(&s->wide, s, s->pool, error));
    s->narrow = calloc(s->n_threads, sizeof *s->narrow);
    s->wanted = calloc(s->weights->graph->n_outputs + 1, 1);
    if (s->narrow == NULL || s->wanted == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    s->output = s->model->pooled_only ? s->weights->pooled_output : s->weights->tokens_output;
    s->wanted[s->output] = 1;
    return MINNOW_OK;
}

static minnow_status create_state(void *state, const minnow_model *m, const context_settings *settings,
                                  minnow_error *error) {
    graph_state *s = state;
    minnow_status status;
    memset(s, 0, sizeof *s);
    s->model = m;
    s->weights = m->weights;
    s->max_tokens = settings->max_tokens;
    s->n_threads = settings->n_threads;
    status = create_parts(s, error);
    if (status != MINNOW_OK) close_state(s);
    return status;
}

/* The interpreter takes its own memory, as it goes. */
static minnow_status state_bytes(const minnow_model *m, const context_settings *s, size_t *bytes, minnow_error *error) {
    (void)m;
    (void)s;
    (void)error;
    *bytes = sizeof(graph_state);
    return MINNOW_OK;
}

/* What the graph input is given at token t. */
static int64_t feed_value(input_feed feed, const int32_t *ids, size_t t) {
    return feed == FEED_IDS ? ids[t] : feed == FEED_MASK ? 1 : feed == FEED_POSITIONS ? (int64_t)t : 0;
}

static minnow_status fill_inputs(const graph_state *s, graph_lane *l, tensor *inputs, minnow_error *error) {
    const graph *g = s->weights->graph;
    const size_t n = l->ids.count;
    int64_t *grown = realloc(l->feed, MAX_INPUTS * n * sizeof *l->feed);
    size_t i, t;
    if (grown == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    l->feed = grown;
    for (i = 0; i < g->n_inputs; i++) {
        tensor *in = &inputs[i];
        in->type = g->values[g->inputs[i]].type;
        in->rank = 2;
        in->dims[0] = 1;
        in->dims[1] = (int64_t)n;
        in->data = l->feed + i * n;
        for (t = 0; t < n; t++) {
            const int64_t value = feed_value(s->weights->feeds[i], l->ids.data, t);
            if (in->type == DTYPE_INT64) ((int64_t *)in->data)[t] = value;
            else ((int32_t *)in->data)[t] = (int32_t)value;
        }
    }
    return MINNOW_OK;
}

/* The output must have the shape that its name promised when the model was opened. */
static minnow_status check_output(const graph_state *s, const tensor *t, size_t n, minnow_error *error) {
    const int rank = s->model->pooled_only ? 2 : 3;
    char shape[96];
    if (t->type == DTYPE_FLOAT32 && t->rank == rank && t->dims[0] == 1 &&
        (size_t)t->dims[rank - 1] == s->model->dimensions &&
        (rank == 2 || (size_t)t->dims[1] == n))
        return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "output '%s' came out as %s",
                     s->weights->graph->values[s->weights->graph->outputs[s->output]].name,
                     tensor_describe(t, shape, sizeof shape));
}

static minnow_status run_lane(const graph_state *s, graph_lane *l, const char *text, size_t text_bytes,
                              const float **values, minnow_encoding *encoding, minnow_error *error) {
    tensor inputs[MAX_INPUTS];
    TRY(tokenizer_encode(s->model->tokenizer, text, text_bytes, s->max_tokens, &l->ids, &encoding->truncated, error));
    encoding->n_tokens = l->ids.count;
    if (l->ids.count == 0) return context_no_tokens(error);
    memset(inputs, 0, sizeof inputs);
    TRY(fill_inputs(s, l, inputs, error));
    TRY(interpreter_run(l->interpreter, inputs, l->outputs, s->wanted, error));
    TRY(check_output(s, &l->outputs[s->output], l->ids.count, error));
    *values = l->outputs[s->output].data;
    return MINNOW_OK;
}

static minnow_status run(minnow_context *c, const char *text, size_t text_bytes, const float **values,
                         minnow_encoding *encoding, minnow_error *error) {
    graph_state *s = c->state;
    return run_lane(s, &s->wide, text, text_bytes, values, encoding, error);
}

/* --- A batch: text by text, on all threads or each on its own ----------------------------------------------- */

static minnow_status encode_place(const batch_job *job, graph_lane *l, size_t place, minnow_error *error) {
    const graph_state *s = job->context->state;
    minnow_encoding encoding;
    const float *values;
    const char *text;
    size_t bytes;
    if (l->interpreter == NULL) TRY(create_lane(l, s, NULL, error));
    TRY(batch_text(job, place, &text, &bytes, error));
    TRY(run_lane(s, l, text, bytes, &values, &encoding, error));
    context_pool(job->context, values, encoding.n_tokens, l->pooled, job->vectors + place * s->model->dimensions);
    if (job->encodings != NULL) job->encodings[place] = encoding;
    return MINNOW_OK;
}

static void encode_texts(batch_job *job, graph_lane *l, size_t part) {
    minnow_error error;
    size_t place;
    while ((place = batch_take(job)) != BATCH_NONE) {
        if (encode_place(job, l, place, &error) != MINNOW_OK) batch_fail(job, place, &error);
        else batch_done(job, 1, part);
    }
}

static void run_part(void *context, size_t part, size_t n_parts) {
    batch_job *job = context;
    graph_state *s = job->context->state;
    (void)n_parts;
    encode_texts(job, &s->narrow[part], part);
}

static void run_batch(batch_job *job) {
    graph_state *s = job->context->state;
    if (s->n_threads == 1 || batch_is_small(job)) encode_texts(job, &s->wide, 0);
    else thread_pool_run(s->pool, run_part, job);
}

static const encode_path graph_path = {state_bytes, create_state, close_state, run, run_batch, NULL, close_weights};

/* --- All of it ---------------------------------------------------------------------------------------------- */

static minnow_status open_graph(graph_weights *w, const model_location *at, int external_data, size_t *dimensions,
                                minnow_error *error) {
    TRY(tokenizer_open(&w->tokenizer, at->tokenizer, error));
    if (at->onnx != NULL) TRY(onnx_open(&w->graph, at->onnx, external_data, error));
    else TRY(import_folder(&w->graph, at->folder, NULL, error));
    if (graph_infer_shapes(w->graph, error) || bind_inputs(w, error) || bind_outputs(w, error) ||
        find_dimensions(w, dimensions, error) || interpreter_create(&w->shared, w->graph, NULL, error))
        return error_prefix(error, error->status, "%s", at->onnx != NULL ? at->onnx : at->folder);
    return MINNOW_OK;
}

minnow_status encode_graph_open(minnow_model *m, const model_location *at, int external_data, minnow_error *error) {
    model_settings settings;
    graph_weights *w;
    if (at->tokenizer == NULL)
        return error_set(error, MINNOW_ERROR_IO, "%s: no tokenizer.json or vocab.txt beside it",
                         at->onnx != NULL ? at->onnx : at->folder);
    TRY(settings_read(&settings, at->folder, error));
    m->max_positions = settings.max_positions;
    m->max_tokens = model_max_tokens(&settings);
    m->pooling = model_pooling(&settings);
    settings_free(&settings);
    w = calloc(1, sizeof *w);
    if (w == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    m->path = &graph_path;
    m->weights = w;
    TRY(open_graph(w, at, external_data, &m->dimensions, error));
    m->tokenizer = w->tokenizer;
    m->pooled_only = w->tokens_output == SIZE_MAX;
    return MINNOW_OK;
}
