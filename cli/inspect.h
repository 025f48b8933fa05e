/* SPDX-License-Identifier: Apache-2.0
 *
 * minnow inspect, from inside: a graph with inferred shapes is measured once (inspect_measure.c) and shown as a table
 * (inspect_table.c), JSON (inspect_json.c) or Graphviz (inspect_dot.c).
 *
 *     open -> infer -> values as shown -> bind sizes -> infer again -> bytes and lifetimes -> print */
#ifndef MINNOW_CLI_INSPECT_H
#define MINNOW_CLI_INSPECT_H

#include <stdint.h>

#include "convert/graph/graph.h"
#include "run/engine/plan.h"

#define INSPECT_UNKNOWN UINT64_MAX /* a count of bytes that depends on sizes nobody gave */
#define INSPECT_MAX_DIMS 16

/* A symbolic size and the number it is given. */
typedef struct inspect_dim {
    const char *name;
    int64_t size;
    int is_given; /* by --dims; else it is the estimate's */
} inspect_dim;

typedef struct inspect_node {
    uint64_t parameters, parameter_bytes; /* of the constants it reads or holds */
    uint64_t output_bytes;                /* of all its outputs; INSPECT_UNKNOWN */
} inspect_node;

typedef enum inspect_role { ROLE_INNER, ROLE_CONSTANT, ROLE_INPUT, ROLE_OUTPUT } inspect_role;

typedef struct inspection {
    const char *path;
    graph *g;
    uint64_t file_bytes;             /* of the files that hold the graph and its tensors; 0: not known */
    graph_value *values;             /* [g->n_values] as shown: symbols where the file has them */
    uint8_t *roles;                  /* [g->n_values] enum inspect_role */
    inspect_node *nodes;             /* [g->n_nodes] */
    uint64_t parameters, parameter_bytes; /* each constant once */
    inspect_dim dims[INSPECT_MAX_DIMS];   /* what the estimate below holds for */
    size_t n_dims;
    uint64_t peak_bytes;             /* activations alive at once; each value is freed after its last use */
    int64_t peak_node;               /* where; -1: none */
    size_t n_unknown;                /* values that the estimate leaves out because their size is not known */
} inspection;

/* Sizes of g's symbolic input axes: those in `given` ("batch=1,seq=128"; NULL: none) and, for the rest, 1 for a first
 * axis and 128 for others. Unnamed axes are called "input:axis". MINNOW_ERROR_ARGUMENT if a name in `given` is not one
 * of the model's. */
minnow_status inspect_read_dims(inspection *in, const char *given, minnow_error *error);
/* Puts the sizes into the graph's shapes: all of them, or those that were given. */
void inspect_bind_dims(inspection *in, int only_given);
/* Fills roles, nodes and sums from in->g, whose shapes are those of the estimate. */
minnow_status inspect_measure(inspection *in, minnow_error *error);

typedef struct inspect_tally {
    const char *op_type, *domain;
    size_t count;
    uint64_t parameters, parameter_bytes;
} inspect_tally;
/* One line for each operator, the most frequent first; malloc'd, NULL if out of memory. */
inspect_tally *inspect_tally_operators(const inspection *in, size_t *n);

enum { INSPECT_NODES = 1, INSPECT_VALUES = 2 };
minnow_status inspect_print_table(const inspection *in, int show, minnow_error *error);
void inspect_print_json(const inspection *in, int show);
void inspect_print_dot(const inspection *in);

/* A .minnow file, which has sections instead of nodes (inspect_minnow.c), and a plan for one text (inspect_plan.c).
 * INSPECT_NODES shows them. */
typedef struct inspect_packed_options {
    int show, json;
    size_t n_tokens, n_threads; /* what the plan is for; 0: the model's limit; one */
} inspect_packed_options;
minnow_status inspect_minnow(const char *path, const inspect_packed_options *options, minnow_error *error);

/* The plan's bytes in a line; its steps and buffers; as a JSON field with a comma behind. */
void inspect_plan_memory(const engine_plan *plan);
void inspect_plan_table(const engine_plan *plan, size_t n_layers);
void inspect_plan_json(const engine_plan *plan, size_t n_layers, int show);

/* "input", "constant", "output", or "inner" for what nodes pass on. */
const char *inspect_role_name(uint8_t role);

#endif
