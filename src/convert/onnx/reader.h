/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the ONNX reader share. One file for each kind of message:
 *
 *     reader.c           ModelProto: versions, the graph, functions       reader_tensor.c    TensorProto
 *     reader_graph.c     GraphProto: inputs, initializers, outputs        reader_external.c  tensor data in other files
 *     reader_node.c      NodeProto, Constant nodes                        reader_text.c      strings, out of memory
 *     reader_attribute.c AttributeProto                                   reader_branch.c    an If's branches
 *
 * Messages nest as deep as the functions call each other, a fixed depth: GRAPH_MAX_NESTING branches of Ifs; the graphs
 * of other operators (Loop) are not entered. Each byte is looked at a fixed number of times. */
#ifndef MINNOW_CONVERT_ONNX_READER_H
#define MINNOW_CONVERT_ONNX_READER_H

#include "convert/graph/graph.h"
#include "convert/onnx/wire.h"

/* Memory that a graph may take for each byte of its file, and to begin with: a small packed number takes 8 bytes once
 * read, a small node some hundred. */
#define READER_MEMORY_FACTOR 16
#define READER_MEMORY_BASE ((size_t)64 << 20)

/* Text as it lies in the input. */
typedef struct reader_text {
    const char *data;
    size_t bytes;
} reader_text;

/* A function of the model (ModelProto.functions), by what nodes call it. */
typedef struct reader_function {
    reader_text domain, name;
} reader_function;

typedef struct reader {
    graph *g;
    const char *folder;      /* where external data may lie; NULL: nowhere */
    size_t n_declared;       /* values [0, n_declared) are the inputs that the file declares, initializers among them */
    int owns_input;          /* the input may be written (onnx_read_owned) */
    int may_move;            /* the tensor that is being read is read once, so its elements may move in the input */
    size_t node;             /* number of the node being read, as the file counts; within its branch if it is in one */
    uint32_t branch;         /* being read; 0: none */
    char **external_names;   /* of the graph's maps, [g->n_maps]; malloc'd */
    reader_function *functions; /* sorted; malloc'd */
    size_t n_functions;
    int32_t *values;         /* scratch: value numbers of a node's inputs, then outputs; malloc'd */
    size_t values_capacity;
    char *text;              /* scratch: a NUL-terminated name; malloc'd */
    size_t text_capacity;
} reader;

/* reader_text.c */
minnow_status reader_out_of_memory(const reader *r, minnow_error *error);
/* A field that holds text: UTF-8 without NULs. */
minnow_status reader_text_get(const wire *w, const wire_field *f, reader_text *out, minnow_error *error);
/* A NUL-terminated copy, in the graph's arena. */
minnow_status reader_text_copy(reader *r, reader_text text, const char **out, minnow_error *error);
/* The same in scratch memory, until the next call. */
minnow_status reader_text_scratch(reader *r, reader_text text, const char **out, minnow_error *error);
int reader_text_equal(reader_text a, const char *b);
/* < 0, 0, > 0, as memcmp has it, a prefix first. */
int reader_text_order(reader_text a, reader_text b);
/* "" for "" and "ai.onnx", which mean the same. */
reader_text reader_text_domain(reader_text domain);
/* `first` and then `text`, in scratch memory. */
minnow_status reader_text_scratch_after(reader *r, reader_text first, reader_text text, const char **out,
                                        minnow_error *error);
/* The value of that name, the innermost branch's first, which is added outside of branches if there is none. */
minnow_status reader_value(reader *r, reader_text name, int32_t *out, minnow_error *error);

/* One message each. Errors of reader_tensor do not name the tensor: the caller knows what it is. */
minnow_status reader_graph(reader *r, wire w, minnow_error *error);
minnow_status reader_node(reader *r, wire w, minnow_error *error);
minnow_status reader_attribute(reader *r, wire w, graph_attribute *out, minnow_error *error);
minnow_status reader_tensor(reader *r, wire w, tensor *out, minnow_error *error);

/* A node's fields but for its attributes. */
typedef struct reader_parts {
    reader_text name, op_type, domain;
    size_t n_inputs, n_outputs, n_attributes; /* value numbers: reader.values[n_inputs + n_outputs] */
} reader_parts;

/* Reads an If's branches; gives the inputs and outputs that the graph's node has (graph.h), in the arena. */
minnow_status reader_if(reader *r, wire w, const reader_parts *p, int32_t **inputs, int32_t **outputs,
                        minnow_error *error);
/* The value of that name that a branch being read makes, the innermost first; GRAPH_NO_VALUE if none does. */
minnow_status reader_branch_value(reader *r, reader_text name, int32_t *out, minnow_error *error);

/* What a tensor's external_data entries say. */
typedef struct reader_external {
    const char *location; /* NULL: not said; in the graph's arena */
    uint64_t offset, length;
    int has_length;
} reader_external;
minnow_status reader_external_entry(reader *r, wire w, reader_external *out, minnow_error *error);
/* Where the tensor's `bytes` bytes are. */
minnow_status reader_external_find(reader *r, const reader_external *e, size_t bytes, const uint8_t **out,
                                   minnow_error *error);

#endif
