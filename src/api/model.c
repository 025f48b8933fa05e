/* SPDX-License-Identifier: Apache-2.0
 * Opening a model: files -> graph, tokenizer, settings, and which graph inputs and outputs mean what. */
#include "api/model.h"

#include <stdlib.h>
#include <string.h>

#include "convert/import/tokenizer_files.h"
#include "convert/onnx/onnx.h"

const char *minnow_version(void) { return MINNOW_VERSION_STRING; }

const char *minnow_status_text(minnow_status status) {
    switch (status) {
    case MINNOW_OK: return "ok";
    case MINNOW_ERROR_ARGUMENT: return "invalid argument";
    case MINNOW_ERROR_IO: return "input/output error";
    case MINNOW_ERROR_FORMAT: return "malformed input";
    case MINNOW_ERROR_UNSUPPORTED: return "unsupported";
    case MINNOW_ERROR_MEMORY: return "out of memory or over a limit";
    case MINNOW_ERROR_CAPACITY: return "buffer too small";
    case MINNOW_ERROR_CANCELLED: return "cancelled";
    }
    return "unknown status";
}

minnow_pooling model_pooling(const minnow_model *model) {
    return model->settings.pooling == MINNOW_POOLING_DEFAULT ? MINNOW_POOLING_MEAN : model->settings.pooling;
}

/* Inputs are known by the names that every exporter gives them. */
static minnow_status bind_inputs(minnow_model *m, minnow_error *error) {
    static const struct { const char *name; model_feed feed; } known[] = {
        {"input_ids", FEED_IDS}, {"attention_mask", FEED_MASK}, {"token_type_ids", FEED_TYPES}, {"position_ids", FEED_POSITIONS}};
    size_t i, k;
    int has_ids = 0;
    for (i = 0; i < m->graph->n_inputs; i++) {
        const graph_value *v = &m->graph->values[m->graph->inputs[i]];
        for (k = 0; k < sizeof known / sizeof *known && strcmp(known[k].name, v->name) != 0; k++) continue;
        if (k == sizeof known / sizeof *known || i >= MODEL_MAX_INPUTS)
            return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                             "graph input '%s' is none of input_ids, attention_mask, token_type_ids, position_ids", v->name);
        if ((v->type != DTYPE_INT64 && v->type != DTYPE_INT32) || (v->rank != 2 && v->rank != -1))
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "graph input '%s' is not int64 or int32 [batch, tokens]", v->name);
        m->feeds[i] = known[k].feed;
        has_ids |= known[k].feed == FEED_IDS;
    }
    if (!has_ids) return error_set(error, MINNOW_ERROR_UNSUPPORTED, "the graph has no input 'input_ids'");
    return MINNOW_OK;
}

/* The token vectors and the pooled vector, by name first, then by rank. */
static minnow_status bind_outputs(minnow_model *m, minnow_error *error) {
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
                         "the graph is no encoder: no output 'last_hidden_state' or 'sentence_embedding', none of float32 [batch, tokens, dimensions]");
    return MINNOW_OK;
}

/* The last dimension of the output, from its shape. */
static minnow_status find_dimensions(minnow_model *m, minnow_error *error) {
    const size_t output = m->tokens_output != SIZE_MAX ? m->tokens_output : m->pooled_output;
    const graph_value *v = &m->graph->values[m->graph->outputs[output]];
    if (v->rank >= 1 && v->dims[v->rank - 1].size > 0) {
        m->dimensions = (size_t)v->dims[v->rank - 1].size;
        return MINNOW_OK;
    }
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "the last dimension of output '%s' cannot be known from the graph", v->name);
}

static minnow_status open_parts(minnow_model *m, const model_location *at, int external_data, minnow_error *error) {
    size_t limit;
    if (at->tokenizer == NULL)
        return error_set(error, MINNOW_ERROR_IO, "%s: no tokenizer.json or vocab.txt beside it", at->onnx != NULL ? at->onnx : at->folder);
    TRY(settings_read(&m->settings, at->folder, error));
    TRY(tokenizer_open(&m->tokenizer, at->tokenizer, error));
    if (at->onnx != NULL) TRY(onnx_open(&m->graph, at->onnx, external_data, error));
    else TRY(import_folder(&m->graph, at->folder, NULL, error));
    if (graph_infer_shapes(m->graph, error) || bind_inputs(m, error) || bind_outputs(m, error) || find_dimensions(m, error) ||
        interpreter_create(&m->weights, m->graph, NULL, error))
        return error_prefix(error, error != NULL ? error->status : MINNOW_ERROR_UNSUPPORTED, "%s", at->onnx != NULL ? at->onnx : at->folder);
    limit = m->settings.max_tokens != 0 ? m->settings.max_tokens : MODEL_DEFAULT_MAX_TOKENS;
    m->max_tokens = m->settings.max_positions != 0 && limit > m->settings.max_positions ? m->settings.max_positions : limit;
    return MINNOW_OK;
}

minnow_status minnow_model_open_with(minnow_model **out, const char *path, const minnow_model_options *options,
                                     minnow_error *error) {
    minnow_model_options o = {sizeof o, NULL, 0};
    model_location at = {NULL, NULL, NULL};
    minnow_error own; /* error_prefix needs one even if the caller has none */
    minnow_model *m = NULL;
    minnow_status status;
    if (error == NULL) error = &own;
    if (out == NULL || path == NULL) return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_model_open: NULL argument");
    *out = NULL;
    if (options != NULL) memcpy(&o, options, options->size != 0 && options->size < sizeof o ? options->size : sizeof o);
    TRY_GOTO(model_locate(&at, path, o.tokenizer_path, error));
    m = calloc(1, sizeof *m);
    if (m == NULL) TRY_GOTO(error_set(error, MINNOW_ERROR_MEMORY, "out of memory"));
    TRY_GOTO(open_parts(m, &at, o.external_data, error));
    model_location_free(&at);
    *out = m;
    return MINNOW_OK;
fail:
    model_location_free(&at);
    minnow_model_close(&m);
    return status;
}

minnow_status minnow_model_open(minnow_model **out, const char *path, minnow_error *error) {
    return minnow_model_open_with(out, path, NULL, error);
}

void minnow_model_close(minnow_model **model) {
    minnow_model *m = model != NULL ? *model : NULL;
    if (m == NULL) return;
    interpreter_close(&m->weights);
    graph_close(&m->graph);
    tokenizer_close(&m->tokenizer);
    settings_free(&m->settings);
    free(m);
    *model = NULL;
}

size_t minnow_model_dimensions(const minnow_model *model) { return model == NULL ? 0 : model->dimensions; }
size_t minnow_model_max_tokens(const minnow_model *model) { return model == NULL ? 0 : model->max_tokens; }

minnow_status minnow_tokenize(const minnow_model *model, const char *text, size_t text_bytes, size_t max_tokens,
                              int32_t *ids, size_t capacity, size_t *n_ids, int *truncated, minnow_error *error) {
    token_ids found = {NULL, 0, 0};
    int cut = 0;
    minnow_status status;
    if (model == NULL || (ids == NULL && capacity != 0) || (text == NULL && text_bytes != 0))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "minnow_tokenize: NULL argument");
    status = tokenizer_encode(model->tokenizer, text, text_bytes == MINNOW_STRLEN ? strlen(text) : text_bytes, max_tokens,
                              &found, &cut, error);
    if (status == MINNOW_OK) {
        if (n_ids != NULL) *n_ids = found.count;
        if (found.count > capacity)
            status = error_set(error, MINNOW_ERROR_CAPACITY, "%zu ids, room for %zu", found.count, capacity);
        else if (found.count > 0)
            memcpy(ids, found.data, found.count * sizeof *ids);
        if (status == MINNOW_OK && truncated != NULL) *truncated = cut;
    }
    token_ids_free(&found);
    return status;
}
