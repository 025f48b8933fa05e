/* SPDX-License-Identifier: Apache-2.0
 *
 * The graph: what every build-time stage reads and writes. It mirrors ONNX's GraphProto: values are numbered, nodes
 * refer to values by number, constants (initializers) are values with a tensor.
 *
 *     values:  0 input_ids   1 W (constant)   2 h      3 y
 *     nodes:   [MatMul  inputs {0, 1}  outputs {2}]   [Erf  inputs {2}  outputs {3}]
 *
 * Nodes stand in an order in which every input comes before its use (graph_sort makes it so). All memory belongs to the
 * graph's arena, except tensor data that points into a mapped file, which the graph keeps open.
 *
 * There are no graphs within a graph. The nodes of an If's branches stand among the others and say which branch they
 * belong to; the If itself picks from the values that its branches end in:
 *
 *     [Equal -> 4]   [Squeeze 3 -> 5, in branch 1: where 4 is 1]   [Identity 3 -> 6, in branch 2: where 4 is 0]
 *     [If  inputs {4, 5, 6}  outputs {7}] */
#ifndef MINNOW_CONVERT_GRAPH_H
#define MINNOW_CONVERT_GRAPH_H

#include "base/arena.h"
#include "base/file.h"
#include "convert/graph/tensor.h"

#define GRAPH_NO_VALUE (-1) /* an optional input or output that is left out */

/* One dimension of a declared or inferred shape. */
typedef struct graph_dim {
    int64_t size;       /* -1: not known before the run */
    const char *symbol; /* its name if it has one ("batch_size"), else NULL */
} graph_dim;

typedef struct graph_value {
    const char *name;   /* never NULL; unique among values */
    dtype type;         /* DTYPE_UNDEFINED until declared or inferred */
    int rank;           /* -1: not known */
    graph_dim dims[TENSOR_MAX_RANK];
    const tensor *constant; /* the value itself, for initializers; else NULL */
    int32_t producer;   /* index of the node that makes it; -1 for inputs and constants */
} graph_value;

/* ONNX's AttributeProto types. */
typedef enum graph_attribute_type {
    ATTRIBUTE_FLOAT = 1, ATTRIBUTE_INT = 2, ATTRIBUTE_STRING = 3, ATTRIBUTE_TENSOR = 4, ATTRIBUTE_GRAPH = 5,
    ATTRIBUTE_FLOATS = 6, ATTRIBUTE_INTS = 7, ATTRIBUTE_STRINGS = 8
} graph_attribute_type;

typedef struct graph_attribute {
    const char *name;
    graph_attribute_type type;
    float f;
    int64_t i;
    const char *s;      /* NUL-terminated copy */
    size_t s_bytes;
    const tensor *t;
    size_t n;           /* length of floats, ints or strings */
    const float *floats;
    const int64_t *ints;
    const char *const *strings;
    /* ATTRIBUTE_GRAPH carries nothing: it is kept so that the interpreter can refuse the node by name. */
} graph_attribute;

typedef struct graph_node {
    const char *name;    /* "" if it has none */
    const char *op_type; /* "MatMul" */
    const char *domain;  /* "" is ai.onnx */
    int64_t opset;       /* version of that domain that the model imports */
    int32_t *inputs, *outputs; /* value numbers or GRAPH_NO_VALUE */
    size_t n_inputs, n_outputs;
    graph_attribute *attributes;
    size_t n_attributes, attributes_capacity;
    uint32_t branch;     /* runs in g->branches[branch - 1] only; 0: always */
} graph_node;

#define GRAPH_MAX_NESTING 8 /* of branches */

/* A branch of an If. The If's inputs are its condition, then the values of the branch for 1, then those of the one for
 * 0, as many each as it has outputs. */
typedef struct graph_branch {
    int32_t condition; /* a value of one boolean */
    int when;          /* what it has to be: 1 or 0 */
    uint32_t outer;    /* the branch that the If stands in; 0: none */
} graph_branch;

typedef struct graph_opset {
    const char *domain;
    int64_t version;
} graph_opset;

typedef struct graph {
    arena memory;
    file_map *maps; /* files that tensor data points into; closed with the graph */
    size_t n_maps, maps_capacity;
    graph_value *values;
    size_t n_values, values_capacity;
    graph_node *nodes;
    size_t n_nodes, nodes_capacity;
    graph_branch *branches;
    size_t n_branches, branches_capacity;
    int32_t *inputs, *outputs; /* value numbers; inputs leave out initializers */
    size_t n_inputs, n_outputs, inputs_capacity, outputs_capacity;
    graph_opset *opsets;
    size_t n_opsets;
    int64_t ir_version;
    const char *name, *producer_name, *producer_version;
    struct { const char *key, *value; } *metadata; /* metadata_props */
    size_t n_metadata;
    struct graph_names *names; /* graph.c's table of value names */
} graph;

graph *graph_create(void); /* NULL if out of memory */
void graph_close(graph **g);
/* Of the files that the graph keeps mapped: the model's, and those with external data. */
uint64_t graph_mapped_bytes(const graph *g);

/* Adds; return the number, or -1 if out of memory (or, for values, if the name is taken). Names are copied. */
int32_t graph_add_value(graph *g, const char *name);
/* t's data must outlive the graph (or lie in its arena). */
int32_t graph_add_constant(graph *g, const char *name, const tensor *t);
/* `inputs` and `outputs` are copied; sets the outputs' producer. */
int32_t graph_add_node(graph *g, const char *op_type, const char *name, const int32_t *inputs, size_t n_inputs,
                       const int32_t *outputs, size_t n_outputs);
#define GRAPH_MAX_ATTRIBUTES 256 /* of one node: they are found by looking at each */
/* Returns the branch's number, which is never 0, or 0 if out of memory. `outer` must be less deep than the limit. */
uint32_t graph_add_branch(graph *g, int32_t condition, int when, uint32_t outer);
int graph_branch_depth(const graph *g, uint32_t branch); /* 0 for branch 0 */
/* The attribute is copied. Messages name the attribute, not the node. */
minnow_status graph_add_attribute(graph *g, int32_t node, const graph_attribute *attribute, minnow_error *error);
/* Says which version of a domain ("" is ai.onnx) the model imports; nodes added later get it. Returns 0 if out of
 * memory. */
int graph_set_opset(graph *g, const char *domain, int64_t version);
int64_t graph_opset_version(const graph *g, const char *domain); /* 0 if it imports none */
/* Makes a value a constant, with the tensor's type and shape; the tensor itself is not copied. */
void graph_value_set_constant(graph *g, int32_t value, const tensor *t);
/* Appends to the graph's inputs or outputs. Returns 0 if out of memory. */
int graph_add_input(graph *g, int32_t value);
int graph_add_output(graph *g, int32_t value);
/* Hands a map over to the graph, which closes it. Returns 0, and leaves it with the caller, if out of memory. */
int graph_add_map(graph *g, const file_map *map);
/* The value with this name, or -1. O(1). (graph.c keeps a hash table in the arena.) */
int32_t graph_find_value(const graph *g, const char *name);

const graph_attribute *graph_node_attribute(const graph_node *node, const char *name); /* NULL if absent */
int64_t graph_node_int(const graph_node *node, const char *name, int64_t fallback);
float graph_node_float(const graph_node *node, const char *name, float fallback);
const char *graph_node_string(const graph_node *node, const char *name, const char *fallback);

/* "node 17 'MatMul_4' (MatMul)" for messages; returns out. */
char *graph_node_describe(const graph *g, size_t node, char *out, size_t capacity);

/* Orders nodes so that producers come first; refuses cycles, values made twice, and inputs that nobody makes, by
 * name. */
minnow_status graph_sort(graph *g, minnow_error *error);

#endif
