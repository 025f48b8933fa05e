/* SPDX-License-Identifier: Apache-2.0
 * Import: a folder in sentence-transformers layout -> a graph that owns its weights file. */
#include "convert/import/import.h"

#include <stdlib.h>
#include <string.h>

#include "convert/import/bert.h"
#include "convert/import/model_card.h"
#include "convert/import/model_metadata.h"

#define OPSET 17 /* the first with LayerNormalization */

/* What an import needs while it lasts. */
typedef struct import {
    char *config_path, *weights_path, *index_path, *card_path;
    yyjson_doc *config;
    safetensors weights;
    model_settings settings;
    char prefix[256], license[64];
} import;

static minnow_status make_paths(import *m, const char *folder, minnow_error *error) {
    m->config_path = path_join(folder, "config.json");
    m->weights_path = path_join(folder, "model.safetensors");
    m->index_path = path_join(folder, "model.safetensors.index.json");
    m->card_path = path_join(folder, "README.md");
    if (m->config_path != NULL && m->weights_path != NULL && m->index_path != NULL && m->card_path != NULL)
        return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_MEMORY, "%s: out of memory", folder);
}

static void import_free(import *m) {
    free(m->config_path);
    free(m->weights_path);
    free(m->index_path);
    free(m->card_path);
    yyjson_doc_free(m->config);
    safetensors_free(&m->weights);
    settings_free(&m->settings);
}

/* Maps the weights for as long as the graph lives. */
static minnow_status open_weights(import *m, graph *g, minnow_error *error) {
    file_map map;
    minnow_status status;
    if (!file_exists(m->weights_path) && file_exists(m->index_path))
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "%s: weights in several files are not supported",
                         m->index_path);
    TRY(file_map_open(&map, m->weights_path, error));
    if (!graph_add_map(g, &map)) {
        file_map_close(&map);
        return error_set(error, MINNOW_ERROR_MEMORY, "%s: out of memory", m->weights_path);
    }
    status = safetensors_read(&m->weights, map.data, map.bytes, error);
    if (status == MINNOW_OK) status = bert_find_prefix(&m->weights, m->prefix, sizeof m->prefix, error);
    return status == MINNOW_OK ? MINNOW_OK : error_prefix(error, status, "%s", m->weights_path);
}

/* A model card that cannot be read is no reason to fail. */
static void read_license(import *m) {
    file_map card;
    if (!file_exists(m->card_path) || file_map_open(&card, m->card_path, NULL) != MINNOW_OK) return;
    model_card_license((const char *)card.data, card.bytes, m->license, sizeof m->license);
    file_map_close(&card);
}

static minnow_status build(import *m, graph *g, const import_options *options, minnow_error *error) {
    const builder_weights weights = {&m->weights, m->prefix};
    const model_metadata metadata = {m->settings.name, m->license, m->settings.pooling, m->settings.normalize,
                                     m->settings.max_tokens};
    builder b;
    bert_config config;
    minnow_status status = bert_config_read(&config, yyjson_doc_get_root(m->config), error);
    if (status != MINNOW_OK) return error_prefix(error, status, "%s", m->config_path);
    memset(&b, 0, sizeof b);
    b.g = g;
    b.weights = &weights;
    b.error = error;
    g->name = "bert";
    g->producer_name = "minnow";
    g->producer_version = MINNOW_VERSION_STRING;
    if (!graph_set_opset(g, "", OPSET)) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    bert_build(&b, &config, &m->settings, options != NULL && options->pooled);
    model_metadata_add(&b, &metadata);
    return b.status == MINNOW_OK ? MINNOW_OK : error_prefix(error, b.status, "%s", m->weights_path);
}

minnow_status import_folder(graph **out, const char *folder, const import_options *options, minnow_error *error) {
    minnow_status status = MINNOW_OK;
    graph *g = graph_create();
    import m;
    *out = NULL;
    memset(&m, 0, sizeof m);
    if (g == NULL) TRY_GOTO(error_set(error, MINNOW_ERROR_MEMORY, "%s: out of memory", folder));
    TRY_GOTO(make_paths(&m, folder, error));
    TRY_GOTO(settings_read(&m.settings, folder, error));
    TRY_GOTO(json_open(&m.config, m.config_path, error));
    TRY_GOTO(open_weights(&m, g, error));
    read_license(&m);
    TRY_GOTO(build(&m, g, options, error));
    import_free(&m);
    *out = g;
    return MINNOW_OK;
fail:
    import_free(&m);
    graph_close(&g);
    return status;
}
