/* SPDX-License-Identifier: Apache-2.0
 * ModelProto -> graph: versions and functions first, because nodes are read by them, wherever they stand. */
#include "convert/onnx/reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert/onnx/onnx.h"

#define MAX_DOMAINS 64 /* they are found by looking at each */

/* Field numbers of ModelProto. */
enum {
    IR_VERSION = 1, PRODUCER_NAME = 2, PRODUCER_VERSION = 3, GRAPH = 7, OPSET_IMPORT = 8, METADATA_PROPS = 14,
    FUNCTIONS = 25
};

/* Messages of two texts or a text and a number. */
static minnow_status read_opset(reader *r, wire w, minnow_error *error) {
    reader_text domain = {"", 0};
    const char *name = "";
    int64_t version = 0, known;
    wire_field f;
    for (;;) {
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) break;
        if (f.number == 1) TRY(reader_text_get(&w, &f, &domain, error));
        if (f.number == 2) TRY(wire_int(&f, &version, error));
    }
    TRY(reader_text_copy(r, reader_text_domain(domain), &name, error));
    known = graph_opset_version(r->g, name);
    if (version <= 0 || (known != 0 && known != version))
        return error_set(error, MINNOW_ERROR_FORMAT, "domain '%s': opset %" PRId64 "%s", name, version,
                         version <= 0 ? " does not exist" : " is imported beside another one");
    if (name[0] == '\0' && (version < ONNX_OPSET_MIN || version > ONNX_OPSET_MAX))
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "opset %" PRId64 " not supported (%d to %d are)", version,
                         ONNX_OPSET_MIN, ONNX_OPSET_MAX);
    if (known == 0 && r->g->n_opsets == MAX_DOMAINS)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "more than %d domains not supported", MAX_DOMAINS);
    return graph_set_opset(r->g, name, version) ? MINNOW_OK : reader_out_of_memory(r, error);
}

static minnow_status read_metadata(reader *r, wire w, minnow_error *error) {
    reader_text key = {"", 0}, value = {"", 0};
    graph *g = r->g;
    wire_field f;
    for (;;) {
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) break;
        if (f.number == 1) TRY(reader_text_get(&w, &f, &key, error));
        if (f.number == 2) TRY(reader_text_get(&w, &f, &value, error));
    }
    TRY(reader_text_copy(r, key, &g->metadata[g->n_metadata].key, error));
    TRY(reader_text_copy(r, value, &g->metadata[g->n_metadata].value, error));
    g->n_metadata++;
    return MINNOW_OK;
}

/* FunctionProto: name (1), domain (10). The bodies are not read: a node that calls one is refused. */
static minnow_status read_function(reader *r, wire w, minnow_error *error) {
    reader_function *function = &r->functions[r->n_functions];
    wire_field f;
    *function = (reader_function){{"", 0}, {"", 0}};
    for (;;) {
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) break;
        if (f.number == 1) TRY(reader_text_get(&w, &f, &function->name, error));
        if (f.number == 10) TRY(reader_text_get(&w, &f, &function->domain, error));
    }
    function->domain = reader_text_domain(function->domain);
    r->n_functions++;
    return MINNOW_OK;
}

static int order_functions(const void *a, const void *b) {
    const reader_function *x = a, *y = b;
    const int order = reader_text_order(x->name, y->name);
    return order != 0 ? order : reader_text_order(x->domain, y->domain);
}

static minnow_status check_versions(const reader *r, minnow_error *error) {
    if (r->g->ir_version < ONNX_IR_MIN || r->g->ir_version > ONNX_IR_MAX)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "IR version %" PRId64 " not supported (%d to %d are)",
                         r->g->ir_version, ONNX_IR_MIN, ONNX_IR_MAX);
    if (graph_opset_version(r->g, "") == 0)
        return error_set(error, MINNOW_ERROR_FORMAT, "the model imports no opset of ai.onnx (%d to %d are supported)",
                         ONNX_OPSET_MIN, ONNX_OPSET_MAX);
    return MINNOW_OK;
}

/* Why a file is no ONNX model, in words, where its first bytes tell. */
static minnow_status name_other(wire w, minnow_error *error) {
    static const char pointer[] = "version https://git-lfs.github.com/";
    const size_t n = (size_t)(w.end - w.at);
    if (n >= sizeof pointer - 1 && memcmp(w.at, pointer, sizeof pointer - 1) == 0)
        return error_set(error, MINNOW_ERROR_FORMAT,
                         "a Git LFS pointer in place of the model: fetch the content (git lfs pull)");
    if (n > 9 && w.at[7] == 0 && w.at[8] == '{')
        return error_set(error, MINNOW_ERROR_FORMAT, "not an ONNX model, but safetensors: name its folder");
    if (n > 0 && w.at[0] != (IR_VERSION << 3))
        return error_prefix(error, MINNOW_ERROR_FORMAT, "not an ONNX model");
    return MINNOW_ERROR_FORMAT;
}

/* Room for what comes in any number, and where the graph is. */
static minnow_status prepare(reader *r, wire w, wire *graph_message, minnow_error *error) {
    size_t n_metadata = 0, n_functions = 0;
    const wire whole = w;
    wire_field f;
    for (;;) {
        if (wire_next(&w, &f, error) != MINNOW_OK) return name_other(whole, error);
        if (f.number == 0) break;
        n_metadata += f.number == METADATA_PROPS;
        n_functions += f.number == FUNCTIONS;
        if (f.number != GRAPH) continue;
        if (graph_message->base != NULL)
            return error_set(error, MINNOW_ERROR_FORMAT, "offset %zu: a second graph", f.offset);
        TRY(wire_message(&w, &f, graph_message, error));
    }
    if (graph_message->base == NULL)
        return error_set(error, MINNOW_ERROR_FORMAT, "not an ONNX model: no graph in %zu bytes",
                         (size_t)(w.end - whole.at));
    r->functions = malloc(n_functions * sizeof *r->functions + 1);
    r->g->metadata = arena_array(&r->g->memory, n_metadata, sizeof *r->g->metadata);
    if (r->functions == NULL || r->g->metadata == NULL) return reader_out_of_memory(r, error);
    return MINNOW_OK;
}

static minnow_status read_field(reader *r, const wire *w, const wire_field *f, minnow_error *error) {
    reader_text text = {"", 0};
    wire message = *w;
    switch (f->number) {
    case IR_VERSION: return wire_int(f, &r->g->ir_version, error);
    case PRODUCER_NAME:
        TRY(reader_text_get(w, f, &text, error));
        return reader_text_copy(r, text, &r->g->producer_name, error);
    case PRODUCER_VERSION:
        TRY(reader_text_get(w, f, &text, error));
        return reader_text_copy(r, text, &r->g->producer_version, error);
    case OPSET_IMPORT:
        TRY(wire_message(w, f, &message, error));
        return read_opset(r, message, error);
    case METADATA_PROPS:
        TRY(wire_message(w, f, &message, error));
        return read_metadata(r, message, error);
    case FUNCTIONS:
        TRY(wire_message(w, f, &message, error));
        return read_function(r, message, error);
    default: return MINNOW_OK;
    }
}

static minnow_status read_model(reader *r, wire w, minnow_error *error) {
    wire graph_message = {NULL, NULL, NULL};
    wire_field f;
    TRY(prepare(r, w, &graph_message, error));
    r->g->ir_version = 0;
    for (;;) {
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) break;
        TRY(read_field(r, &w, &f, error));
    }
    TRY(check_versions(r, error));
    if (r->n_functions > 0) qsort(r->functions, r->n_functions, sizeof *r->functions, order_functions);
    TRY(reader_graph(r, graph_message, error));
    return graph_sort(r->g, error);
}

static minnow_status read_bytes(graph **out, const uint8_t *data, size_t bytes, const char *folder, int owns_input,
                                minnow_error *error) {
    reader r = {.g = graph_create(), .folder = folder, .owns_input = owns_input};
    minnow_status status;
    *out = NULL;
    if (r.g == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    r.g->memory.limit_bytes = bytes > (SIZE_MAX / 4 - READER_MEMORY_BASE) / READER_MEMORY_FACTOR
                                  ? SIZE_MAX / 4 : READER_MEMORY_BASE + bytes * READER_MEMORY_FACTOR;
    status = read_model(&r, wire_begin(data, bytes), error);
    free(r.external_names);
    free(r.functions);
    free(r.values);
    free(r.text);
    r.g->memory.limit_bytes = 0; /* what later stages add is theirs to bound */
    if (status != MINNOW_OK) graph_close(&r.g);
    *out = r.g;
    return status;
}

minnow_status onnx_read(graph **out, const uint8_t *data, size_t bytes, const char *folder, minnow_error *error) {
    return read_bytes(out, data, bytes, folder, 0, error);
}

minnow_status onnx_read_owned(graph **out, uint8_t *data, size_t bytes, minnow_error *error) {
    return read_bytes(out, data, bytes, NULL, 1, error);
}

minnow_status onnx_open(graph **out, const char *path, int external_data, minnow_error *error) {
    char *folder = NULL;
    minnow_status status;
    file_map map;
    *out = NULL;
    TRY(file_map_open(&map, path, error));
    if (external_data) folder = path_folder(path);
    if (external_data && folder == NULL) status = error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    else status = onnx_read(out, map.data, map.bytes, folder, error);
    free(folder);
    if (status == MINNOW_OK && !graph_add_map(*out, &map)) {
        graph_close(out);
        status = error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    }
    if (status == MINNOW_OK) return MINNOW_OK;
    file_map_close(&map);
    return error_prefix(error, status, "%s", path);
}
