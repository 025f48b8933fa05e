/* SPDX-License-Identifier: Apache-2.0
 * Bytes as a recipe for a small ONNX model that is well-formed: they choose operators, attributes, types, shapes and
 * wiring after a grammar (onnx_grammar.h), mostly as an exporter would, now and then wrong. What is written must be
 * read; what runs must have inferable shapes, inferred shapes must be true, and running fused and node by node must
 * give the same bits; what does not run says why in one line.
 * Covers: src/convert/onnx src/convert/shapes src/convert/interpret */
#include <stdio.h>

#include "convert/math/math.h"
#include "convert/onnx/onnx.h"
#include "convert/shapes/infer.h"
#include "onnx_grammar.h"
#include "run_graph.h"
#define PROTO_BYTES 65536
#include "../unit/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_VALUES 96
#define MAX_NODES 8
#define MAX_ELEMENTS 512
#define PICK(list, b) (list)[next(b) % (sizeof(list) / sizeof *(list))]

typedef struct value {
    char name[16];
    dtype type;       /* DTYPE_UNDEFINED: whatever the node makes */
    int is_made;      /* by a node */
    int is_read;      /* by a node */
} value;

typedef struct recipe {
    bytes b;
    int64_t base[4];  /* shapes are the last of these, or 1 */
    int64_t opset;
    value values[MAX_VALUES];
    size_t n_values, n_inputs;
    int is_open;      /* 1: an input has an axis of no declared size */
    int slices;       /* 1: there is a Slice */
    tensor inputs[MAX_VALUES];
    uint64_t data[MAX_VALUES][MAX_ELEMENTS]; /* of inputs, and of initializers while they are written */
    proto model, graph;
} recipe;

/* --- Tensors ------------------------------------------------------------------------------------------------------ */

static const int64_t numbers[] = {0, 1, 2, 3, -1, -2, 4, 1, 0, 2, -3, 8, 1, INT64_MAX, INT64_MIN, INT32_MAX};

static int64_t small_number(recipe *r) {
    const unsigned pick = next(&r->b);
    return pick < 224 ? (int64_t)(pick % 5) - (pick >= 160 ? 2 : 0) : PICK(numbers, &r->b);
}

static void fill(recipe *r, tensor *t) {
    const size_t n = tensor_count(t), size = dtype_bytes(t->type);
    const unsigned salt = next(&r->b);
    for (size_t i = 0; i < n; i++) {
        const int64_t whole = (int64_t)((i * 7 + salt) % 6) - (t->type == DTYPE_UINT8 || salt % 4 == 0 ? 0 : 2);
        const float f = salt == 255 ? (float)(i % 2 ? 1e30 : -1e30) : (float)((i * 37 + salt) % 23) * 0.25f - 2.0f;
        const double d = (double)f;
        const uint16_t half = t->type == DTYPE_FLOAT16 ? math_float_to_half(f) : math_float_to_bfloat16(f);
        char *to = (char *)t->data + i * size;
        switch (t->type) {
        case DTYPE_FLOAT32: memcpy(to, &f, size); break;
        case DTYPE_FLOAT64: memcpy(to, &d, size); break;
        case DTYPE_FLOAT16:
        case DTYPE_BFLOAT16: memcpy(to, &half, size); break;
        case DTYPE_BOOL: *to = (char)(whole & 1); break;
        default: memcpy(to, &whole, size); break;
        }
    }
}

static void write_tensor(proto *to, uint32_t field, const tensor *t, const char *name) {
    static proto p;
    p.n = 0;
    for (int d = 0; d < t->rank; d++) proto_int(&p, 1, t->dims[d]);
    proto_int(&p, 2, t->type);
    proto_text(&p, 8, name);
    proto_bytes(&p, 9, t->data, tensor_bytes(t));
    proto_message(to, field, &p);
}

/* A graph input's declaration, with sizes, with symbols "<input>_<axis>", with a rank alone, or with none. */
static void write_input(recipe *r, const tensor *t, const char *name) {
    static proto dim, shape, tensor_type, type, info;
    const unsigned how = next(&r->b);
    shape.n = tensor_type.n = type.n = info.n = 0;
    for (int d = 0; d < t->rank; d++) {
        char symbol[32];
        dim.n = 0;
        snprintf(symbol, sizeof symbol, "%zu_%d", r->n_inputs, d);
        if (how >> (d % 4) & 1) proto_int(&dim, 1, t->dims[d]);
        else if (how < 192) proto_text(&dim, 2, symbol);
        r->is_open |= !(how >> (d % 4) & 1);
        proto_message(&shape, 1, &dim);
    }
    proto_int(&tensor_type, 1, t->type);
    r->is_open |= how >= 240;
    if (how < 240) proto_message(&tensor_type, 2, &shape);
    proto_message(&type, 1, &tensor_type);
    proto_text(&info, 1, name);
    proto_message(&info, 2, &type);
    proto_message(&r->graph, 11, &info);
}

/* A new value, an input of the graph or an initializer, with the `given` elements if not NULL; -1: no room. */
static int add_tensor(recipe *r, dtype type, int rank, const int64_t *dims, const int64_t *given, int constant) {
    const size_t at = r->n_values;
    tensor t = {.type = type, .rank = rank, .data = r->data[at]};
    if (at == MAX_VALUES || r->graph.n > PROTO_BYTES / 2) return -1;
    if (rank > 0) memcpy(t.dims, dims, (size_t)rank * sizeof *dims);
    if (tensor_count(&t) > MAX_ELEMENTS) t.rank = 0;
    if (given) memcpy(t.data, given, tensor_bytes(&t));
    else fill(r, &t);
    value *v = &r->values[r->n_values++];
    *v = (value){.type = type};
    snprintf(v->name, sizeof v->name, "v%zu", at);
    if (constant) {
        write_tensor(&r->graph, 5, &t, v->name);
    } else {
        write_input(r, &t, v->name);
        r->inputs[r->n_inputs++] = t;
    }
    return (int)at;
}

/* Of the usual shapes: the last `rank` of the base, some of them 1. */
static int add_usual(recipe *r, dtype type, int rank) {
    const unsigned ones = next(&r->b), how = next(&r->b);
    int64_t dims[4];
    for (int d = 0; d < rank; d++) dims[d] = (ones >> (2 * d) & 3) == 3 ? 1 : r->base[4 - rank + d];
    return add_tensor(r, type, rank, dims, NULL, how % 4 == 0);
}

/* Numbers as axes, shapes, pads: constants for the most part. */
static int add_list(recipe *r, int rank) {
    static const int lengths[] = {1, 2, 3, 4, 1, 2, 6, 8};
    int64_t list[8] = {0}, dims[1] = {rank == 0 ? 1 : PICK(lengths, &r->b)};
    const unsigned how = next(&r->b);
    for (int64_t i = 0; i < dims[0]; i++)
        list[i] = how & 1 ? small_number(r) : how & 2 ? r->base[next(&r->b) % 4] : i; /* anything, a shape, 0 1 2 .. */
    return add_tensor(r, DTYPE_INT64, rank, dims, list, how < 224);
}

/* --- Operands ----------------------------------------------------------------------------------------------------- */

/* The latest value of that type after some; -1 if there is none. */
static int reuse(recipe *r, dtype type) {
    size_t skip = next(&r->b) % 4;
    int found = -1;
    for (size_t i = r->n_values; i-- > 0;) {
        if (r->values[i].type != type) continue;
        found = (int)i;
        if (skip-- == 0) break;
    }
    return found;
}

static dtype small_integer(recipe *r) { return next(&r->b) % 2 ? DTYPE_UINT8 : DTYPE_INT8; }

/* For a letter of the grammar, made anew. */
static int make_operand(recipe *r, char letter, dtype type) {
    static const float scales[] = {0.5f, 0.01f, 1.0f, 0.25f, 2.0f, 0.125f, -1.0f, 0.0f};
    const int64_t width = r->base[3];
    const int rank = (int)(next(&r->b) % 16) % 5;
    int64_t bits = 0, dims[2];
    switch (letter) {
    case 'Z': return add_tensor(r, type, 0, NULL, NULL, 1);
    case 'F': return add_usual(r, DTYPE_FLOAT32, rank);
    case 'L': return add_tensor(r, DTYPE_FLOAT32, 1, &width, NULL, 1);
    case 'I': return add_list(r, 1);
    case 'S': return add_list(r, 0);
    case 'X': return add_usual(r, next(&r->b) % 4 ? DTYPE_INT64 : DTYPE_INT32, rank);
    case 'B': return add_usual(r, DTYPE_BOOL, rank);
    case 'U': return add_usual(r, small_integer(r), rank);
    case 'N': return add_usual(r, DTYPE_INT32, rank);
    case 'V': return add_tensor(r, small_integer(r), 0, NULL, NULL, 1);
    case 'Q': {
        const float scale = PICK(scales, &r->b);
        memcpy(&bits, &scale, sizeof scale);
        return add_tensor(r, DTYPE_FLOAT32, 0, NULL, &bits, next(&r->b) % 4 != 0);
    }
    case 'H':
        dims[0] = next(&r->b) % 4 ? width : 4;
        dims[1] = next(&r->b) % 4 ? 3 * width : width;
        return add_tensor(r, DTYPE_FLOAT32, 2, dims, NULL, 1);
    default: return add_usual(r, type, rank);
    }
}

static int choose_operand(recipe *r, char letter, dtype type) {
    const unsigned how = next(&r->b);
    int found = -1;
    if (how >= 250 && r->n_values > 0) return (int)(next(&r->b) % r->n_values); /* whatever there is */
    if (how % 8 < 5 && strchr("TFBUNX", letter)) {
        const dtype wanted = letter == 'T' ? type : letter == 'F' ? DTYPE_FLOAT32 : letter == 'B' ? DTYPE_BOOL
                             : letter == 'U' ? small_integer(r) : letter == 'N' ? DTYPE_INT32 : DTYPE_INT64;
        found = reuse(r, wanted);
    }
    if (how % 8 < 2 && strchr("IS", letter)) found = reuse(r, DTYPE_INT64);
    return found >= 0 ? found : make_operand(r, letter, type);
}

/* --- Nodes -------------------------------------------------------------------------------------------------------- */

static void write_word(recipe *r, proto *attribute, const char *kind) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = 0;
        if (strcmp(words[i].kind, kind) != 0) continue;
        while (n < 8 && words[i].words[n]) n++;
        proto_text(attribute, 4, next(&r->b) < 250 ? words[i].words[next(&r->b) % n] : "odd");
    }
    proto_int(attribute, 20, ATTRIBUTE_STRING);
}

static void write_numbers(recipe *r, proto *attribute, int is_permutation) {
    const unsigned n = next(&r->b) % 5, turn = next(&r->b);
    for (unsigned i = 0; i < n; i++)
        proto_int(attribute, 8, is_permutation ? (int64_t)((i + turn) % n) : turn & 1 ? small_number(r) : (int64_t)i);
    proto_int(attribute, 20, ATTRIBUTE_INTS);
}

static void write_attribute(recipe *r, proto *node, const char *name, size_t name_bytes, const char *kind) {
    static const float factors[] = {0.0f, 1.0f, 0.5f, -1.0f, 1e-5f, 2.0f, 0.1f, 1e30f};
    static proto p;
    p.n = 0;
    proto_bytes(&p, 1, name, name_bytes);
    if (kind[1] != '\0') write_word(r, &p, kind);
    else if (kind[0] == 'A' || kind[0] == 'P') write_numbers(r, &p, kind[0] == 'P');
    else if (kind[0] == 'f') {
        proto_float(&p, 2, PICK(factors, &r->b));
        proto_int(&p, 20, ATTRIBUTE_FLOAT);
    } else {
        const int64_t number = kind[0] == 'b'   ? (int64_t)(next(&r->b) & 1)
                               : kind[0] == 't' ? (int64_t)(next(&r->b) % 17)
                                                : small_number(r);
        proto_int(&p, 3, number);
        proto_int(&p, 20, ATTRIBUTE_INT);
    }
    proto_message(node, 5, &p);
}

/* "axis:a keepdims:b", each there or not. */
static void write_attributes(recipe *r, proto *node, const char *list) {
    while (*list != '\0') {
        const size_t name = strcspn(list, ":"), kind_bytes = strcspn(list + name + 1, " ");
        char kind[16] = "";
        memcpy(kind, list + name + 1, kind_bytes < sizeof kind ? kind_bytes : sizeof kind - 1);
        if (next(&r->b) % 8 < 5 || kind[1] != '\0') write_attribute(r, node, list, name, kind);
        list += name + 1 + kind_bytes;
        list += *list == ' ';
    }
}

static void write_inputs(recipe *r, proto *node, const char *letters, dtype type) {
    for (char letter = 'T'; *letters != '\0'; letters++) {
        const unsigned times = *letters == '+' ? next(&r->b) % 4 : 1;
        if (*letters != '+') letter = *letters;
        for (unsigned i = 0; i < times; i++) {
            const int optional = letter >= 'a', left_out = optional && next(&r->b) % 2;
            const int v = left_out ? -1 : choose_operand(r, optional ? (char)(letter - 'a' + 'A') : letter, type);
            if (v >= 0) r->values[v].is_read = 1;
            proto_text(node, 1, v < 0 ? "" : r->values[v].name);
        }
    }
}

static void write_outputs(recipe *r, proto *node, const char *letters, dtype type) {
    const size_t all = strlen(letters), n = all > 1 ? 1 + next(&r->b) % all : all;
    for (size_t i = 0; i < n && r->n_values < MAX_VALUES; i++) {
        value *v = &r->values[r->n_values];
        *v = (value){.is_made = 1};
        switch (letters[i]) {
        case 'T': v->type = type; break;
        case 'B': v->type = DTYPE_BOOL; break;
        case 'I': v->type = DTYPE_INT64; break;
        case 'F': v->type = DTYPE_FLOAT32; break;
        case 'U': v->type = DTYPE_UINT8; break;
        case 'N': v->type = DTYPE_INT32; break;
        default: break;
        }
        snprintf(v->name, sizeof v->name, "v%zu", r->n_values);
        proto_text(node, 2, v->name);
        r->n_values++;
    }
}

static const grammar_rule *choose_rule(recipe *r) {
    const size_t n = sizeof grammar / sizeof *grammar, at = next(&r->b);
    for (size_t i = 0; i < n; i++) {
        const grammar_rule *rule = &grammar[(at + i) % n];
        if (interpreter_supports(rule->domain, rule->op, rule->domain[0] ? 1 : r->opset)) return rule;
    }
    abort();
}

static void add_node(recipe *r) {
    static const dtype types[] = {DTYPE_FLOAT32, DTYPE_FLOAT32, DTYPE_FLOAT32, DTYPE_FLOAT32, DTYPE_INT64,
                                  DTYPE_FLOAT32, DTYPE_INT32, DTYPE_FLOAT16, DTYPE_FLOAT64, DTYPE_BOOL, DTYPE_INT8,
                                  DTYPE_UINT8, DTYPE_UINT64, DTYPE_BFLOAT16, DTYPE_INT16, DTYPE_UINT32};
    static proto node;
    const grammar_rule *rule = choose_rule(r);
    const unsigned how = next(&r->b);
    dtype type = types[how / 16];
    if (how % 2 && r->n_values > 0) { /* go on with what is there */
        const dtype last = r->values[r->n_values - 1 - how / 2 % (r->n_values < 4 ? r->n_values : 4)].type;
        if (last != DTYPE_UNDEFINED) type = last;
    }
    node.n = 0;
    r->slices |= strcmp(rule->op, "Slice") == 0;
    write_inputs(r, &node, rule->inputs, type);
    write_outputs(r, &node, rule->outputs, type);
    proto_text(&node, 4, rule->op);
    write_attributes(r, &node, rule->attributes);
    if (rule->domain[0]) proto_text(&node, 7, rule->domain);
    proto_message(&r->graph, 1, &node);
}

/* --- The model ---------------------------------------------------------------------------------------------------- */

static void write_opset(recipe *r, const char *domain, int64_t version) {
    static proto opset;
    opset.n = 0;
    proto_text(&opset, 1, domain);
    proto_int(&opset, 2, version);
    proto_message(&r->model, 8, &opset);
}

/* Outputs: what no node reads, so that every node runs, and sometimes an inner value. */
static void write_model(recipe *r) {
    static const int64_t opsets[] = {11, 12, 13, 14, 17, 18, 20, 21, 23, 17, 18, 20, 23, 15, 16, 19};
    static proto output;
    r->opset = PICK(opsets, &r->b);
    for (int d = 0; d < 4; d++) {
        const unsigned pick = next(&r->b);
        r->base[d] = pick >= 248 ? 0 : 1 + (int64_t)(pick % 4);
    }
    for (unsigned n = 1 + next(&r->b) % MAX_NODES; n > 0 && r->graph.n < PROTO_BYTES / 2; n--) add_node(r);
    const size_t inner = next(&r->b);
    for (size_t i = 0; i < r->n_values; i++) {
        if (!r->values[i].is_made || (r->values[i].is_read && i != inner)) continue;
        output.n = 0;
        proto_text(&output, 1, r->values[i].name);
        proto_message(&r->graph, 12, &output);
    }
    proto_text(&r->graph, 2, "g");
    proto_int(&r->model, 1, 8);
    proto_message(&r->model, 7, &r->graph);
    write_opset(r, "", r->opset);
    write_opset(r, MICROSOFT, 1);
}

/* --- What has to hold --------------------------------------------------------------------------------------------- */

static const recipe *current;

static void fail(const char *what, const graph *g) {
    fprintf(stderr, "%s\n", what);
    for (size_t i = 0; i < g->n_nodes; i++) {
        char place[192];
        fprintf(stderr, "  %s\n", graph_node_describe(g, i, place, sizeof place));
    }
    abort();
}

/* An inferred extent in this run; -1: not known. */
static int64_t extent_of(graph_dim dim) {
    size_t input;
    int axis;
    char rest;
    if (dim.size >= 0 || dim.symbol == NULL) return dim.size;
    if (sscanf(dim.symbol, "%zu_%d%c", &input, &axis, &rest) != 2) return -1;
    return current->inputs[input].dims[axis];
}

static void check_inferred(const graph *g, const tensor *outputs) {
    for (size_t i = 0; i < g->n_outputs; i++) {
        const graph_value *v = &g->values[g->outputs[i]];
        const tensor *t = &outputs[i];
        if (v->type != DTYPE_UNDEFINED && v->type != t->type) fail("another type than inferred", g);
        if (v->rank >= 0 && v->rank != t->rank) fail("another rank than inferred", g);
        if (current->slices && current->is_open) continue; /* slices of symbols are taken to lie within them */
        for (int d = 0; d < v->rank; d++) {
            const int64_t extent = extent_of(v->dims[d]);
            if (extent >= 0 && extent != t->dims[d]) fail("another shape than inferred", g);
        }
    }
}

/* Sizes that are not declared are taken not to be 0: [n, 4] does not become [n]. */
static int has_empty_input(const recipe *r) {
    for (size_t i = 0; i < r->n_inputs; i++)
        if (tensor_count(&r->inputs[i]) == 0) return 1;
    return 0;
}

static void check_model(const recipe *r, int threaded) {
    graph *g = NULL;
    minnow_error error = {0};
    current = r;
    if (onnx_read(&g, r->model.bytes, r->model.n, NULL, &error) != MINNOW_OK) {
        fprintf(stderr, "not read: %s\n", error.message);
        abort();
    }
    const minnow_status status = graph_infer_shapes(g, &error);
    if (status != MINNOW_OK && (error.message[0] == '\0' || strchr(error.message, '\n'))) abort();
    const int ran = run_both(g, r->inputs, threaded, status == MINNOW_OK ? check_inferred : NULL);
    if (ran && status != MINNOW_OK && !has_empty_input(r)) fail(error.message, g);
    graph_close(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static recipe r; /* large */
    r.b = (bytes){data, size};
    r.n_values = r.n_inputs = 0;
    r.is_open = r.slices = 0;
    r.model.n = r.graph.n = 0;
    const int threaded = next(&r.b) % 16 == 0;
    write_model(&r);
    check_model(&r, threaded);
    return 0;
}
