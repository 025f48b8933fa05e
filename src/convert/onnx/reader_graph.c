/* SPDX-License-Identifier: Apache-2.0
 * GraphProto -> graph. Fields may come in any order, values are numbered in this one: declared inputs, initializers,
 * then what nodes name; so the message is walked once for each kind. */
#include <inttypes.h>
#include <string.h>

#include "convert/onnx/reader.h"

/* Field numbers of GraphProto. */
enum { NODE = 1, NAME = 2, INITIALIZER = 5, INPUT = 11, OUTPUT = 12, VALUE_INFO = 13, SPARSE_INITIALIZER = 15 };

static minnow_status error_named(reader *r, minnow_error *error, minnow_status status, const char *kind,
                                 reader_text name) {
    const char *text;
    if (reader_text_scratch(r, name, &text, NULL) != MINNOW_OK) return status;
    return error_prefix(error, status, "%s '%s'", kind, text);
}

/* The text in the field `number` of a message. */
static minnow_status find_text(wire w, uint32_t number, reader_text *out, minnow_error *error) {
    wire_field f;
    *out = (reader_text){"", 0};
    for (;;) {
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) return MINNOW_OK;
        if (f.number == number) TRY(reader_text_get(&w, &f, out, error));
    }
}

/* The message in the field `number` of a message: the last one, as protobuf has it; empty if there is none. */
static minnow_status find_message(wire w, uint32_t number, wire *out, minnow_error *error) {
    wire_field f;
    *out = (wire){w.base, w.end, w.end};
    for (;;) {
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) return MINNOW_OK;
        if (f.number == number) TRY(wire_message(&w, &f, out, error));
    }
}

/* TensorShapeProto.Dimension: dim_value (1) or dim_param (2). */
static minnow_status read_dim(reader *r, wire w, graph_dim *out, minnow_error *error) {
    reader_text symbol = {"", 0};
    wire_field f;
    out->size = -1;
    for (;;) {
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) break;
        if (f.number == 1) {
            TRY(wire_int(&f, &out->size, error));
            if (out->size < 0) out->size = -1; /* how some exporters write "any" */
        }
        if (f.number == 2) TRY(reader_text_get(&w, &f, &symbol, error));
    }
    if (symbol.bytes > 0 && out->size < 0) return reader_text_copy(r, symbol, &out->symbol, error);
    return MINNOW_OK;
}

/* TypeProto.Tensor: elem_type (1), shape (2) of dims (1). */
static minnow_status read_tensor_type(reader *r, wire w, graph_value *v, minnow_error *error) {
    wire shape = {NULL, NULL, NULL};
    int64_t type = 0;
    wire_field f;
    for (;;) {
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) break;
        if (f.number == 1) TRY(wire_int(&f, &type, error));
        if (f.number == 2) TRY(wire_message(&w, &f, &shape, error));
    }
    if (type >= 0 && type <= INT16_MAX && strcmp(dtype_name((dtype)type), "unknown") != 0) v->type = (dtype)type;
    else return error_set(error, MINNOW_ERROR_UNSUPPORTED, "element type %" PRId64 " not supported", type);
    if (shape.base == NULL) return MINNOW_OK;
    for (v->rank = 0;;) {
        wire dim;
        TRY(wire_next(&shape, &f, error));
        if (f.number == 0) return MINNOW_OK;
        if (f.number != 1) continue;
        if (v->rank == TENSOR_MAX_RANK)
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "rank over %d not supported", TENSOR_MAX_RANK);
        TRY(wire_message(&shape, &f, &dim, error));
        TRY(read_dim(r, dim, &v->dims[v->rank++], error));
    }
}

/* ValueInfoProto's type (2): a tensor (1), or something else, which is left undefined. */
static minnow_status read_type(reader *r, wire w, graph_value *v, minnow_error *error) {
    wire type = w, tensor_type = w;
    wire_field f;
    TRY(find_message(w, 2, &type, error));
    for (;;) {
        TRY(wire_next(&type, &f, error));
        if (f.number == 0) return MINNOW_OK;
        if (f.number != 1) continue;
        TRY(wire_message(&type, &f, &tensor_type, error));
        v->rank = -1;
        TRY(read_tensor_type(r, tensor_type, v, error));
    }
}

static minnow_status read_input(reader *r, wire w, reader_text name, minnow_error *error) {
    const char *text = "";
    int32_t value;
    if (name.bytes == 0) return error_set(error, MINNOW_ERROR_FORMAT, "has no name");
    TRY(reader_text_scratch(r, name, &text, error));
    if (graph_find_value(r->g, text) >= 0) return error_set(error, MINNOW_ERROR_FORMAT, "is declared twice");
    value = graph_add_value(r->g, text);
    if (value < 0) return reader_out_of_memory(r, error);
    r->n_declared = r->g->n_values;
    TRY(read_type(r, w, &r->g->values[value], error));
    if (r->g->values[value].type == DTYPE_UNDEFINED)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "only tensors with an element type are supported");
    return MINNOW_OK;
}

static minnow_status read_initializer(reader *r, wire w, reader_text name, minnow_error *error) {
    tensor *t = arena_alloc(&r->g->memory, sizeof *t);
    minnow_status status;
    int32_t value;
    if (t == NULL) return reader_out_of_memory(r, error);
    if (name.bytes == 0) return error_set(error, MINNOW_ERROR_FORMAT, "has no name");
    TRY(reader_value(r, name, &value, error));
    if (r->g->values[value].constant != NULL) return error_set(error, MINNOW_ERROR_FORMAT, "is there twice");
    r->may_move = r->owns_input; /* no later pass looks into this message */
    status = reader_tensor(r, w, t, error);
    r->may_move = 0;
    TRY(status);
    graph_value_set_constant(r->g, value, t);
    return MINNOW_OK;
}

/* What the file says of the type of a value that is neither input nor constant; false claims are the shape inference's
 * to find. */
static minnow_status read_value_info(reader *r, wire w, reader_text name, int is_output, minnow_error *error) {
    graph_value declared;
    const char *text = "";
    minnow_status status;
    int32_t value;
    TRY(reader_text_scratch(r, name, &text, error));
    value = graph_find_value(r->g, text);
    if (value < 0 && is_output) return error_set(error, MINNOW_ERROR_FORMAT, "is made by no node");
    if (value < 0 || r->g->values[value].constant != NULL || (size_t)value < r->n_declared) return MINNOW_OK;
    declared = r->g->values[value];
    status = read_type(r, w, &declared, error);
    if (status == MINNOW_ERROR_UNSUPPORTED && !is_output) return MINNOW_OK;
    r->g->values[value] = declared;
    return status;
}

static minnow_status read_output(reader *r, wire w, reader_text name, minnow_error *error) {
    const char *text = "";
    if (name.bytes == 0) return error_set(error, MINNOW_ERROR_FORMAT, "has no name");
    TRY(read_value_info(r, w, name, 1, error));
    TRY(reader_text_scratch(r, name, &text, error));
    if (!graph_add_output(r->g, graph_find_value(r->g, text))) return reader_out_of_memory(r, error);
    return MINNOW_OK;
}

/* SparseTensorProto's values (1) carry the name. */
static minnow_status refuse_sparse(reader *r, wire w, minnow_error *error) {
    reader_text name = {"", 0};
    wire values = w;
    TRY(find_message(w, 1, &values, error));
    TRY(find_text(values, 8, &name, error));
    error_set(error, MINNOW_ERROR_UNSUPPORTED, "sparse initializers not supported");
    return error_named(r, error, MINNOW_ERROR_UNSUPPORTED, "tensor", name);
}

static minnow_status read_field(reader *r, const wire *w, const wire_field *f, minnow_error *error) {
    reader_text name = {"", 0};
    minnow_status status = MINNOW_OK;
    const char *kind = "";
    wire message = *w;
    if (f->number == NAME) {
        TRY(reader_text_get(w, f, &name, error));
        return reader_text_copy(r, name, &r->g->name, error);
    }
    TRY(wire_message(w, f, &message, error));
    if (f->number == NODE) {
        TRY(reader_node(r, message, error));
        r->node++;
        return MINNOW_OK;
    }
    if (f->number == SPARSE_INITIALIZER) return refuse_sparse(r, message, error);
    TRY(find_text(message, f->number == INITIALIZER ? 8 : 1, &name, error));
    switch (f->number) {
    case INPUT: kind = "input", status = read_input(r, message, name, error); break;
    case INITIALIZER: kind = "tensor", status = read_initializer(r, message, name, error); break;
    case OUTPUT: kind = "output", status = read_output(r, message, name, error); break;
    case VALUE_INFO: kind = "value", status = read_value_info(r, message, name, 0, error); break;
    default: break;
    }
    return status == MINNOW_OK ? status : error_named(r, error, status, kind, name);
}

/* An output that is listed twice would be a name twice in every answer. */
static minnow_status check_outputs(reader *r, minnow_error *error) {
    uint8_t *seen = arena_array(&r->g->memory, r->g->n_values, 1);
    size_t i;
    if (seen == NULL) return reader_out_of_memory(r, error);
    if (r->g->n_outputs == 0) return error_set(error, MINNOW_ERROR_FORMAT, "the graph has no outputs");
    for (i = 0; i < r->g->n_outputs; i++)
        if (seen[r->g->outputs[i]]++ != 0)
            return error_set(error, MINNOW_ERROR_FORMAT, "output '%s' is declared twice",
                             r->g->values[r->g->outputs[i]].name);
    return MINNOW_OK;
}

minnow_status reader_graph(reader *r, wire w, minnow_error *error) {
    static const uint32_t passes[] = {NAME, INPUT, INITIALIZER, SPARSE_INITIALIZER, NODE, OUTPUT, VALUE_INFO};
    size_t i;
    for (i = 0; i < sizeof passes / sizeof passes[0]; i++) {
        wire fields = w;
        wire_field f;
        for (;;) {
            TRY(wire_next(&fields, &f, error));
            if (f.number == 0) break;
            if (f.number == passes[i]) TRY(read_field(r, &fields, &f, error));
        }
    }
    for (i = 0; i < r->n_declared; i++)
        if (r->g->values[i].constant == NULL && !graph_add_input(r->g, (int32_t)i))
            return reader_out_of_memory(r, error);
    return check_outputs(r, error);
}
