/* SPDX-License-Identifier: Apache-2.0
 * Encoding: text -> ids -> token vectors (reference interpreter) -> pooled, normalized vector. Each text runs alone at its own
 * length: no padding, so no batch can change a byte. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/model.h"
#include "run/engine/pool.h"

struct minnow_context {
    const minnow_model *model;
    thread_pool *pool;
    interpreter *interpreter;
    token_ids ids;
    int64_t *feed;     /* [max_inputs, max_tokens], int64 or int32 */
    double *scratch;   /* [dimensions] */
    tensor *outputs;   /* [graph->n_outputs] */
    uint8_t *wanted;   /* [graph->n_outputs] */
    size_t max_tokens;
    minnow_pooling pooling;
    int normalize;
};

static minnow_status check_options(minnow_context *c, const minnow_context_options *o, minnow_error *error) {
    const minnow_model *m = c->model;
    c->max_tokens = o->max_tokens != 0 ? o->max_tokens : m->max_tokens;
    if (m->settings.max_positions != 0 && c->max_tokens > m->settings.max_positions)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "%zu tokens asked for, the model has positions for %zu", c->max_tokens,
                         m->settings.max_positions);
    if ((unsigned)o->pooling > MINNOW_POOLING_MAX)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "unknown pooling %d", (int)o->pooling);
    c->pooling = o->pooling != MINNOW_POOLING_DEFAULT ? o->pooling : model_pooling(m);
    if (m->tokens_output == SIZE_MAX && o->pooling != MINNOW_POOLING_DEFAULT)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "the graph gives pooled vectors only: its pooling cannot be chosen");
    c->normalize = !o->no_normalize;
    return MINNOW_OK;
}

static minnow_status create_parts(minnow_context *c, size_t n_threads, minnow_error *error) {
    const graph *g = c->model->graph;
    interpreter_options options;
    TRY(thread_pool_create(&c->pool, n_threads, error));
    memset(&options, 0, sizeof options);
    options.pool = c->pool;
    options.twin = c->model->weights;
    TRY(interpreter_create(&c->interpreter, g, &options, error));
    c->scratch = malloc(c->model->dimensions * sizeof *c->scratch);
    c->outputs = calloc(g->n_outputs + 1, sizeof *c->outputs);
    c->wanted = calloc(g->n_outputs + 1, 1);
    if (c->scratch == NULL || c->outputs == NULL || c->wanted == NULL)
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    return MINNOW_OK;
}

minnow_status minnow_context_create(minnow_context **out, const minnow_model *model, const minnow_context_options *options,
                                    minnow_error *error) {
    minnow_context_options o;
    minnow_context *c = NULL;
    minnow_status status;
    if (out == NULL || model == NULL)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_context_create: NULL argument");
    *out = NULL;
    memset(&o, 0, sizeof o);
    if (options != NULL) memcpy(&o, options, options->size != 0 && options->size < sizeof o ? options->size : sizeof o);
    c = calloc(1, sizeof *c);
    if (c == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    c->model = model;
    TRY_GOTO(check_options(c, &o, error));
    TRY_GOTO(create_parts(c, o.n_threads, error));
    *out = c;
    return MINNOW_OK;
fail:
    minnow_context_close(&c);
    return status;
}

void minnow_context_close(minnow_context **context) {
    minnow_context *c = context != NULL ? *context : NULL;
    if (c == NULL) return;
    interpreter_close(&c->interpreter);
    thread_pool_close(&c->pool);
    token_ids_free(&c->ids);
    free(c->feed);
    free(c->scratch);
    free(c->outputs);
    free(c->wanted);
    free(c);
    *context = NULL;
}

/* What the graph input is given at token t. */
static int64_t feed_value(model_feed feed, const int32_t *ids, size_t t) {
    return feed == FEED_IDS ? ids[t] : feed == FEED_MASK ? 1 : feed == FEED_POSITIONS ? (int64_t)t : 0;
}

/* Text -> ids -> graph; `output` is the index of the one output that is asked for. */
static minnow_status run_graph(minnow_context *c, const char *text, size_t text_bytes, size_t output,
                               minnow_encoding *encoding, minnow_error *error) {
    const graph *g = c->model->graph;
    tensor inputs[MODEL_MAX_INPUTS];
    int truncated = 0;
    size_t i, t, n;
    int64_t *grown;
    TRY(tokenizer_encode(c->model->tokenizer, text, text_bytes == MINNOW_STRLEN ? strlen(text) : text_bytes, c->max_tokens,
                         &c->ids, &truncated, error));
    n = c->ids.count;
    if (n == 0) return error_set(error, MINNOW_ERROR_ARGUMENT, "the text has no tokens, and the tokenizer adds none");
    grown = realloc(c->feed, MODEL_MAX_INPUTS * n * sizeof *c->feed);
    if (grown == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    c->feed = grown;
    memset(inputs, 0, sizeof inputs);
    for (i = 0; i < g->n_inputs; i++) {
        tensor *in = &inputs[i];
        in->type = g->values[g->inputs[i]].type;
        in->rank = 2;
        in->dims[0] = 1;
        in->dims[1] = (int64_t)n;
        in->data = c->feed + i * n;
        for (t = 0; t < n; t++) {
            const int64_t value = feed_value(c->model->feeds[i], c->ids.data, t);
            if (in->type == DTYPE_INT64) ((int64_t *)in->data)[t] = value;
            else ((int32_t *)in->data)[t] = (int32_t)value;
        }
    }
    memset(c->wanted, 0, g->n_outputs);
    c->wanted[output] = 1;
    TRY(interpreter_run(c->interpreter, inputs, c->outputs, c->wanted, error));
    encoding->n_tokens = n;
    encoding->truncated = truncated;
    return MINNOW_OK;
}

/* An output must have the shape that its name promised when the model was opened. */
static minnow_status check_output(const minnow_context *c, size_t output, int rank, minnow_error *error) {
    const tensor *t = &c->outputs[output];
    char shape[96];
    if (t->type == DTYPE_FLOAT32 && t->rank == rank && t->dims[0] == 1 && (size_t)t->dims[rank - 1] == c->model->dimensions &&
        (rank == 2 || (size_t)t->dims[1] == c->ids.count))
        return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "output '%s' came out as %s",
                     c->model->graph->values[c->model->graph->outputs[output]].name, tensor_describe(t, shape, sizeof shape));
}

minnow_status minnow_encode(minnow_context *c, const char *text, size_t text_bytes, float *vector, size_t capacity,
                            minnow_encoding *encoding, minnow_error *error) {
    minnow_encoding found;
    size_t dimensions, d;
    if (c == NULL || vector == NULL || (text == NULL && text_bytes != 0))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_encode: NULL argument");
    dimensions = c->model->dimensions;
    if (capacity < dimensions)
        return error_set(error, MINNOW_ERROR_CAPACITY, "a vector has %zu numbers, room for %zu", dimensions, capacity);
    if (c->model->tokens_output != SIZE_MAX) {
        TRY(run_graph(c, text, text_bytes, c->model->tokens_output, &found, error));
        TRY(check_output(c, c->model->tokens_output, 3, error));
        pool_tokens(c->outputs[c->model->tokens_output].data, c->ids.count, dimensions, c->pooling, c->normalize, c->scratch,
                    vector);
    } else {
        TRY(run_graph(c, text, text_bytes, c->model->pooled_output, &found, error));
        TRY(check_output(c, c->model->pooled_output, 2, error));
        for (d = 0; d < dimensions; d++)
            c->scratch[d] = (double)((const float *)c->outputs[c->model->pooled_output].data)[d];
        pool_finish(c->scratch, dimensions, c->normalize, vector);
    }
    if (encoding != NULL) *encoding = found;
    return MINNOW_OK;
}

minnow_status minnow_encode_tokens(minnow_context *c, const char *text, size_t text_bytes, float *vectors, size_t capacity,
                                   minnow_encoding *encoding, minnow_error *error) {
    minnow_encoding found;
    size_t needed;
    if (c == NULL || (vectors == NULL && capacity != 0) || (text == NULL && text_bytes != 0))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_encode_tokens: NULL argument");
    if (c->model->tokens_output == SIZE_MAX)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "the graph gives pooled vectors only");
    TRY(run_graph(c, text, text_bytes, c->model->tokens_output, &found, error));
    TRY(check_output(c, c->model->tokens_output, 3, error));
    needed = c->ids.count * c->model->dimensions;
    if (needed > capacity)
        return error_set(error, MINNOW_ERROR_CAPACITY, "%zu numbers, room for %zu", needed, capacity);
    memcpy(vectors, c->outputs[c->model->tokens_output].data, needed * sizeof *vectors);
    if (encoding != NULL) *encoding = found;
    return MINNOW_OK;
}

double minnow_similarity(const float *a, const float *b, size_t n) {
    double ab = 0, aa = 0, bb = 0, product;
    size_t i;
    for (i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    product = sqrt(aa) * sqrt(bb);
    return product > 0 ? ab / product : 0;
}
