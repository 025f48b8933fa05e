/* SPDX-License-Identifier: Apache-2.0
 * Writing a graph the way a module is written in PyTorch: a scope that follows the module tree names nodes
 * ("/encoder/layer.0/attention/self/query/MatMul") and constants ("encoder.layer.0.attention.self.query.weight").
 *
 * The first failure is kept in `status` and `error`; every function then does nothing and returns GRAPH_NO_VALUE, so
 * that a forward pass reads like one and looks once, at its end. */
#ifndef MINNOW_CONVERT_COMPOSE_BUILDER_H
#define MINNOW_CONVERT_COMPOSE_BUILDER_H

#include "convert/graph/graph.h"

#define BUILDER_SCOPE_BYTES 192
#define BUILDER_NAME_BYTES 512

typedef struct builder {
    graph *g;
    const struct builder_weights *weights; /* of import/builder_weights.h; NULL: made of something else */
    char scope[BUILDER_SCOPE_BYTES];
    minnow_status status;
    minnow_error *error;
    int32_t last_node;
    const char *output_name; /* what the next node's output is called instead of after the node; NULL: as usual */
} builder;

void builder_fail(builder *b, minnow_status status);
/* Goes into a submodule; the number it returns is for builder_leave. */
size_t builder_enter(builder *b, const char *module);
void builder_leave(builder *b, size_t mark);

/* A node with one output, named after the scope and the operator. Inputs that are GRAPH_NO_VALUE at the end are left
 * out. */
int32_t builder_op(builder *b, const char *op_type, int32_t a, int32_t c, int32_t d);
/* The same for operators of other numbers of inputs. */
int32_t builder_op_n(builder *b, const char *op_type, const int32_t *inputs, size_t n);
/* Attributes of the node added last. */
void builder_int(builder *b, const char *name, int64_t value);
void builder_float(builder *b, const char *name, float value);
void builder_ints(builder *b, const char *name, const int64_t *values, size_t n);

/* Constants that have no weight behind them; one of each name. */
int32_t builder_scalar(builder *b, const char *name, float value);
int32_t builder_int64s(builder *b, const char *name, const int64_t *values, size_t n);

/* "/encoder/layer.0" + "weight" -> "encoder.layer.0.weight" */
void builder_constant_name(const builder *b, const char *leaf, char out[BUILDER_NAME_BYTES]);
/* A constant of the scope by that name; its data must outlive the graph or lie in its arena. */
int32_t builder_constant(builder *b, const char *leaf, const tensor *t);
/* The same under a whole name. */
int32_t builder_named_constant(builder *b, const char *name, const tensor *t);

/* Declares a graph input or output. */
int32_t builder_input(builder *b, const char *name, dtype type, int rank, const graph_dim *dims);
void builder_output(builder *b, int32_t value, int rank, const graph_dim *dims);
void builder_metadata(builder *b, const char *key, const char *value);

#endif
