/* SPDX-License-Identifier: Apache-2.0
 * Graph -> ModelProto. Fields are put in the order of their numbers, so the same graph gives the same bytes.
 *
 * Protobuf wants a message's length before the message. Every put_* function therefore runs against a sink that counts
 * or one that writes: put_message counts its content first, then puts it. Weights are never copied, and counting one
 * is an addition. */
#include <inttypes.h>
#include <string.h>

#include "convert/onnx/onnx.h"
#include "convert/onnx/wire.h"

typedef struct sink {
    file_writer *file; /* NULL: counts alone */
    uint64_t bytes;
    minnow_status status; /* the first failure; nothing is written after it */
    minnow_error *error;
    const graph *g;
} sink;

typedef void (*put_fn)(sink *s, const void *object);

static void put_raw(sink *s, const void *data, size_t bytes) {
    s->bytes += bytes;
    if (s->file != NULL && s->status == MINNOW_OK) s->status = file_writer_write(s->file, data, bytes, s->error);
}

static void put_varint(sink *s, uint64_t value) {
    uint8_t bytes[10];
    size_t n = 0;
    for (; value >= 0x80; value >>= 7) bytes[n++] = (uint8_t)(value | 0x80);
    bytes[n++] = (uint8_t)value;
    put_raw(s, bytes, n);
}

static void put_tag(sink *s, uint32_t number, uint32_t type) { put_varint(s, (uint64_t)number << 3 | type); }

static void put_int(sink *s, uint32_t number, int64_t value) {
    put_tag(s, number, WIRE_VARINT);
    put_varint(s, (uint64_t)value);
}

static void put_float(sink *s, uint32_t number, float value) {
    put_tag(s, number, WIRE_32);
    put_raw(s, &value, sizeof value);
}

static void put_bytes(sink *s, uint32_t number, const void *data, size_t bytes) {
    put_tag(s, number, WIRE_BYTES);
    put_varint(s, bytes);
    put_raw(s, data, bytes);
}

static void put_text(sink *s, uint32_t number, const char *text) { put_bytes(s, number, text, strlen(text)); }

/* Text that is left out if it is "", protobuf's default. */
static void put_optional_text(sink *s, uint32_t number, const char *text) {
    if (text != NULL && text[0] != '\0') put_text(s, number, text);
}

static void put_message(sink *s, uint32_t number, put_fn put, const void *object) {
    sink counter = {.g = s->g, .error = s->error};
    put(&counter, object);
    if (s->status == MINNOW_OK) s->status = counter.status;
    put_tag(s, number, WIRE_BYTES);
    put_varint(s, counter.bytes);
    if (s->file != NULL) put(s, object);
    else s->bytes += counter.bytes;
}

/* TensorProto. Its name is put by whoever knows it. */
typedef struct named_tensor {
    const char *name;
    const tensor *t;
} named_tensor;

static void put_tensor(sink *s, const void *object) {
    const named_tensor *named = object;
    const tensor *t = named->t;
    int i;
    for (i = 0; i < t->rank; i++) put_int(s, 1, t->dims[i]);
    put_int(s, 2, t->type);
    put_optional_text(s, 8, named->name);
    put_bytes(s, 9, t->data, tensor_bytes(t));
}

static void put_attribute(sink *s, const void *object) {
    const graph_attribute *a = object;
    const named_tensor unnamed = {"", a->t};
    size_t i;
    put_text(s, 1, a->name);
    switch (a->type) {
    case ATTRIBUTE_FLOAT: put_float(s, 2, a->f); break;
    case ATTRIBUTE_INT: put_int(s, 3, a->i); break;
    case ATTRIBUTE_STRING: put_bytes(s, 4, a->s, a->s_bytes); break;
    case ATTRIBUTE_TENSOR: put_message(s, 5, put_tensor, &unnamed); break;
    case ATTRIBUTE_FLOATS:
        for (i = 0; i < a->n; i++) put_float(s, 7, a->floats[i]);
        break;
    case ATTRIBUTE_INTS:
        for (i = 0; i < a->n; i++) put_int(s, 8, a->ints[i]);
        break;
    case ATTRIBUTE_STRINGS:
        for (i = 0; i < a->n; i++) put_text(s, 9, a->strings[i]);
        break;
    case ATTRIBUTE_GRAPH:
        if (s->status == MINNOW_OK)
            s->status = error_set(s->error, MINNOW_ERROR_UNSUPPORTED,
                                  "attribute '%s' holds a graph: writing it is not supported", a->name);
        break;
    }
    put_int(s, 20, a->type);
}

static void put_node(sink *s, const void *object) {
    const graph_node *node = object;
    size_t i;
    const int is_if = strcmp(node->op_type, "If") == 0 && node->domain[0] == '\0';
    if ((node->branch != 0 || is_if) && s->status == MINNOW_OK)
        s->status = error_set(s->error, MINNOW_ERROR_UNSUPPORTED, "node '%s' (%s) %s: writing it is not supported",
                              node->name, node->op_type, is_if ? "has branches" : "is in a branch of an If");
    for (i = 0; i < node->n_inputs; i++)
        put_text(s, 1, node->inputs[i] == GRAPH_NO_VALUE ? "" : s->g->values[node->inputs[i]].name);
    for (i = 0; i < node->n_outputs; i++)
        put_text(s, 2, node->outputs[i] == GRAPH_NO_VALUE ? "" : s->g->values[node->outputs[i]].name);
    put_optional_text(s, 3, node->name);
    put_text(s, 4, node->op_type);
    for (i = 0; i < node->n_attributes; i++) put_message(s, 5, put_attribute, &node->attributes[i]);
    put_optional_text(s, 7, node->domain);
}

static void put_dim(sink *s, const void *object) {
    const graph_dim *dim = object;
    if (dim->size >= 0) put_int(s, 1, dim->size);
    else put_optional_text(s, 2, dim->symbol);
}

static void put_shape(sink *s, const void *object) {
    const graph_value *v = object;
    int i;
    for (i = 0; i < v->rank; i++) put_message(s, 1, put_dim, &v->dims[i]);
}

static void put_tensor_type(sink *s, const void *object) {
    const graph_value *v = object;
    put_int(s, 1, v->type);
    if (v->rank >= 0) put_message(s, 2, put_shape, v);
}

static void put_type(sink *s, const void *object) { put_message(s, 1, put_tensor_type, object); }

static void put_value_info(sink *s, const void *object) {
    const graph_value *v = object;
    put_text(s, 1, v->name);
    if (v->type != DTYPE_UNDEFINED) put_message(s, 2, put_type, v);
}

static void put_graph(sink *s, const void *object) {
    const graph *g = object;
    size_t i;
    for (i = 0; i < g->n_nodes; i++) put_message(s, 1, put_node, &g->nodes[i]);
    put_text(s, 2, g->name != NULL && g->name[0] != '\0' ? g->name : "graph"); /* onnx.checker wants a name */
    for (i = 0; i < g->n_values; i++) {
        const named_tensor named = {g->values[i].name, g->values[i].constant};
        if (named.t != NULL && g->values[i].producer < 0) put_message(s, 5, put_tensor, &named);
    }
    for (i = 0; i < g->n_inputs; i++) put_message(s, 11, put_value_info, &g->values[g->inputs[i]]);
    for (i = 0; i < g->n_outputs; i++) put_message(s, 12, put_value_info, &g->values[g->outputs[i]]);
}

static void put_opset(sink *s, const void *object) {
    const graph_opset *opset = object;
    put_optional_text(s, 1, opset->domain);
    put_int(s, 2, opset->version);
}

typedef struct text_pair {
    const char *key, *value;
} text_pair;

static void put_text_pair(sink *s, const void *object) {
    const text_pair *pair = object;
    put_text(s, 1, pair->key);
    put_text(s, 2, pair->value);
}

static void put_model(sink *s, const graph *g) {
    size_t i;
    /* Before version 4 constants had to be declared as inputs as well. */
    put_int(s, 1, g->ir_version == 0 ? 8 : g->ir_version < 4 ? 4 : g->ir_version);
    put_optional_text(s, 2, g->producer_name);
    put_optional_text(s, 3, g->producer_version);
    put_message(s, 7, put_graph, g);
    for (i = 0; i < g->n_opsets; i++) put_message(s, 8, put_opset, &g->opsets[i]);
    for (i = 0; i < g->n_metadata; i++) {
        const text_pair pair = {g->metadata[i].key, g->metadata[i].value};
        put_message(s, 14, put_text_pair, &pair);
    }
}

/* Everything that can be refused is refused before the first byte. */
static minnow_status check(const graph *g, minnow_error *error) {
    sink counter = {.g = g, .error = error};
    if (graph_opset_version(g, "") == 0) return error_set(error, MINNOW_ERROR_ARGUMENT, "the graph says no opset");
    put_model(&counter, g);
    if (counter.status == MINNOW_OK && counter.bytes > INT32_MAX)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "%" PRIu64 " bytes: ONNX files end at 2 GiB", counter.bytes);
    return counter.status;
}

minnow_status onnx_write_into(const graph *g, file_writer *file, minnow_error *error) {
    sink writer = {.g = g, .error = error, .file = file};
    TRY(check(g, error));
    put_model(&writer, g);
    return writer.status;
}

minnow_status onnx_write(const graph *g, const char *path, minnow_error *error) {
    sink writer = {.g = g, .error = error};
    file_writer file;
    const minnow_status status = check(g, error);
    if (status != MINNOW_OK) return error_prefix(error, status, "%s", path);
    TRY(file_writer_open(&file, path, error));
    writer.file = &file;
    put_model(&writer, g);
    if (writer.status == MINNOW_OK) return file_writer_commit(&file, error);
    file_writer_abort(&file);
    return writer.status;
}
