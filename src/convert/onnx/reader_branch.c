/* SPDX-License-Identifier: Apache-2.0
 * An If's branches (GraphProto in an attribute) -> nodes of the same graph that say which branch they are in.
 *
 * A branch may have names that others have too, so its own are kept as "branch 3: x". What it does not make itself it
 * takes from the graph around it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/onnx/reader.h"

/* Field numbers: NodeProto, AttributeProto, GraphProto, TensorProto, ValueInfoProto. */
enum { NODE_OUTPUT = 2, NODE_ATTRIBUTE = 5, ATTRIBUTE_NAME = 1, ATTRIBUTE_G = 6 };
enum { NODE = 1, INITIALIZER = 5, INPUT = 11, OUTPUT = 12, SPARSE_INITIALIZER = 15, TENSOR_NAME = 8, VALUE_NAME = 1 };

static minnow_status find_text(wire w, uint32_t number, reader_text *out, minnow_error *error) {
    wire_field f;
    *out = (reader_text){"", 0};
    for (;;) {
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) return MINNOW_OK;
        if (f.number == number) TRY(reader_text_get(&w, &f, out, error));
    }
}

/* "branch 3: x" in scratch memory. */
static minnow_status name_in(reader *r, uint32_t branch, reader_text name, const char **out, minnow_error *error) {
    char place[32];
    const int n = snprintf(place, sizeof place, "branch %" PRIu32 ": ", branch);
    TRY(reader_text_scratch_after(r, (reader_text){place, (size_t)n}, name, out, error));
    return MINNOW_OK;
}

minnow_status reader_branch_value(reader *r, reader_text name, int32_t *out, minnow_error *error) {
    const char *text = "";
    uint32_t branch = r->branch;
    *out = GRAPH_NO_VALUE;
    for (; branch != 0 && *out < 0; branch = r->g->branches[branch - 1].outer) {
        TRY(name_in(r, branch, name, &text, error));
        *out = graph_find_value(r->g, text);
    }
    return MINNOW_OK;
}

static minnow_status declare(reader *r, reader_text name, minnow_error *error) {
    const char *text = "";
    if (name.bytes == 0) return MINNOW_OK;
    TRY(name_in(r, r->branch, name, &text, error));
    if (graph_find_value(r->g, text) >= 0) return MINNOW_OK; /* made twice: found when nodes are sorted */
    return graph_add_value(r->g, text) >= 0 ? MINNOW_OK : reader_out_of_memory(r, error);
}

/* The names that the branch makes, before anything reads them. */
static minnow_status declare_names(reader *r, wire w, minnow_error *error) {
    wire_field f, output;
    for (;;) {
        reader_text name = {"", 0};
        wire message = w;
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) return MINNOW_OK;
        if (f.number != NODE && f.number != INITIALIZER) continue;
        TRY(wire_message(&w, &f, &message, error));
        if (f.number == INITIALIZER) {
            TRY(find_text(message, TENSOR_NAME, &name, error));
            TRY(declare(r, name, error));
            continue;
        }
        for (;;) {
            TRY(wire_next(&message, &output, error));
            if (output.number == 0) break;
            if (output.number != NODE_OUTPUT) continue;
            TRY(reader_text_get(&message, &output, &name, error));
            TRY(declare(r, name, error));
        }
    }
}

static minnow_status read_initializer(reader *r, wire w, minnow_error *error) {
    tensor *t = arena_alloc(&r->g->memory, sizeof *t);
    reader_text name;
    int32_t value;
    if (t == NULL) return reader_out_of_memory(r, error);
    TRY(find_text(w, TENSOR_NAME, &name, error));
    if (name.bytes == 0) return error_set(error, MINNOW_ERROR_FORMAT, "a tensor has no name");
    TRY(reader_value(r, name, &value, error));
    if (r->g->values[value].constant != NULL)
        return error_set(error, MINNOW_ERROR_FORMAT, "tensor '%s' is there twice", r->g->values[value].name);
    TRY(reader_tensor(r, w, t, error));
    graph_value_set_constant(r->g, value, t);
    return MINNOW_OK;
}

/* One kind of field of the branch. values[*n_outputs] is for the outputs, `wanted` in all. */
static minnow_status read_kind(reader *r, wire w, uint32_t kind, int32_t *values, size_t wanted, size_t *n_outputs,
                               minnow_error *error) {
    wire_field f;
    for (;;) {
        wire message = w;
        reader_text name;
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) return MINNOW_OK;
        if (f.number != kind) continue;
        TRY(wire_message(&w, &f, &message, error));
        if (kind == INPUT) return error_set(error, MINNOW_ERROR_FORMAT, "a branch of an If has no inputs");
        if (kind == SPARSE_INITIALIZER)
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "sparse initializers not supported");
        if (kind == INITIALIZER) TRY(read_initializer(r, message, error));
        if (kind == NODE) {
            TRY(reader_node(r, message, error));
            r->node++;
        }
        if (kind != OUTPUT) continue;
        TRY(find_text(message, VALUE_NAME, &name, error));
        if (name.bytes == 0) return error_set(error, MINNOW_ERROR_FORMAT, "an output has no name");
        if (*n_outputs < wanted) TRY(reader_value(r, name, &values[*n_outputs], error));
        ++*n_outputs;
    }
}

static minnow_status read_branch(reader *r, wire w, int32_t *values, size_t wanted, minnow_error *error) {
    static const uint32_t kinds[] = {INPUT, SPARSE_INITIALIZER, INITIALIZER, NODE, OUTPUT};
    size_t n_outputs = 0;
    TRY(declare_names(r, w, error));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        TRY(read_kind(r, w, kinds[i], values, wanted, &n_outputs, error));
    if (n_outputs == wanted) return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_FORMAT, "%zu outputs, but the node has %zu", n_outputs, wanted);
}

/* Reads the attribute's graph within a branch of its own. */
static minnow_status enter_branch(reader *r, wire w, const char *name, int32_t condition, int32_t *values,
                                  size_t wanted, minnow_error *error) {
    const uint32_t outer = r->branch;
    const size_t node = r->node;
    minnow_status status;
    if (graph_branch_depth(r->g, outer) == GRAPH_MAX_NESTING)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "more than %d branches around each other not supported",
                         GRAPH_MAX_NESTING);
    r->branch = graph_add_branch(r->g, condition, strcmp(name, "then_branch") == 0, outer);
    if (r->branch == 0) return reader_out_of_memory(r, error);
    r->node = 0;
    status = read_branch(r, w, values, wanted, error);
    r->branch = outer;
    r->node = node;
    return status == MINNOW_OK ? status : error_prefix(error, status, "%s", name);
}

/* The graph in the node's attribute of that name. */
static minnow_status find_graph(wire w, const char *name, wire *out, minnow_error *error) {
    wire_field f;
    for (;;) {
        wire attribute = w;
        reader_text text;
        TRY(wire_next(&w, &f, error));
        if (f.number == 0) return error_set(error, MINNOW_ERROR_FORMAT, "has no graph '%s'", name);
        if (f.number != NODE_ATTRIBUTE) continue;
        TRY(wire_message(&w, &f, &attribute, error));
        TRY(find_text(attribute, ATTRIBUTE_NAME, &text, error));
        if (!reader_text_equal(text, name)) continue;
        for (;;) {
            TRY(wire_next(&attribute, &f, error));
            if (f.number == 0) return error_set(error, MINNOW_ERROR_FORMAT, "attribute '%s' holds no graph", name);
            if (f.number == ATTRIBUTE_G) return wire_message(&attribute, &f, out, error);
        }
    }
}

minnow_status reader_if(reader *r, wire w, const reader_parts *p, int32_t **inputs, int32_t **outputs,
                        minnow_error *error) {
    static const char *const names[] = {"then_branch", "else_branch"};
    const size_t n = p->n_outputs;
    if (p->n_inputs != 1 || r->values[0] < 0) return error_set(error, MINNOW_ERROR_FORMAT, "needs one condition");
    *inputs = arena_array(&r->g->memory, 1 + 2 * n, sizeof **inputs);
    *outputs = arena_array(&r->g->memory, n, sizeof **outputs);
    if (*inputs == NULL || *outputs == NULL) return reader_out_of_memory(r, error);
    (*inputs)[0] = r->values[0];
    if (n > 0) memcpy(*outputs, r->values + 1, n * sizeof **outputs);
    for (size_t i = 0; i < 2; i++) {
        wire branch;
        TRY(find_graph(w, names[i], &branch, error));
        TRY(enter_branch(r, branch, names[i], (*inputs)[0], *inputs + 1 + i * n, n, error));
    }
    return MINNOW_OK;
}
