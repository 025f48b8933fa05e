/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs that optimize_encoder is written in. Each looks at the node that makes a value, behind nodes that change
 * nothing, and says whether it is what was asked for, and where its inputs come from.
 *
 *     optimize.c     output -> layers -> embeddings     specimen.c  the graph at one batch size and length
 *     attention.c    context -> q, k, v, scale, mask    layout.c    what stands on each axis of a reshaped value
 *     embedding.c    words, positions, token types      probe.c     values that depend on sizes and the mask alone
 *     linear.c, norm.c, gelu.c                          mask.c      what a mask does to the scores
 *     match.c        producers, no-ops, messages        constant.c  weights, as float32 and without NaN
 *
 * Everything is matched on a specimen, in which every size is a number. Each step goes from a value to one that was
 * made earlier, so every walk ends; nothing recurses. */
#ifndef MINNOW_CONVERT_OPTIMIZE_MATCH_H
#define MINNOW_CONVERT_OPTIMIZE_MATCH_H

#include "convert/optimize/encoder.h"
#include "convert/optimize/layout.h"
#include "convert/optimize/specimen.h"

/* What a value's elements depend on; its sizes do not count. */
enum { DEPENDS_IDS = 1, DEPENDS_MASK = 2, DEPENDS_TYPES = 4, DEPENDS_OTHER = 8 };

#define MATCH_SPECIMENS 2

/* A constant that constant_load has been asked for: as it lies, and as a matrix of so many rows, transposed. */
typedef struct loaded_constant {
    const float *straight, *turned;
    int64_t turned_rows;
} loaded_constant;

/* The last mask that was found good: layers mostly share theirs. */
typedef struct accepted_mask {
    int32_t value; /* the addend or Where's condition; what follows is all zero before the first */
    int is_set, keep;
    double fill;
    layout scores;
} accepted_mask;

typedef struct matcher {
    const graph *original;
    specimen specimens[MATCH_SPECIMENS];
    const graph *g;           /* the first specimen's: same numbers of nodes and values as the original */
    int64_t batch, tokens;    /* its sizes */
    uint8_t *depends;         /* per value: DEPENDS_ bits */
    int32_t ids, mask, types; /* inputs; GRAPH_NO_VALUE: the graph has none */
    int32_t *copies, *rows;   /* per value: match_value and match_rows of it */
    loaded_constant *loaded;  /* per value */
    accepted_mask accepted;
    size_t n_probes;
    uint64_t probe_steps;     /* nodes and values looked at while cutting probes out */
    void *probed;             /* elements of the last value that was probed; malloc'd */
    encoder *e;
    arena scratch;
    minnow_error *error;
} matcher;

/* --- match.c ------------------------------------------------------------------------------------------------- */

/* Fills in depends, copies, rows, loaded, ids, mask and types. */
minnow_status match_inputs(matcher *m);
/* "node 17 'MatMul_4' (MatMul): expected ..." of the node that makes the value, or the input's or tensor's name. */
minnow_status match_fail(const matcher *m, int32_t value, const char *format, ...) MINNOW_PRINTF(3, 4);
minnow_status match_out_of_memory(const matcher *m);

/* The value that this one is a copy of: behind Identity, Dropout and casts from float to float. */
int32_t match_value(const matcher *m, int32_t value);
/* The same, and behind reshapes that keep the last axis: the rows of a matrix [tokens, features]. */
int32_t match_rows(const matcher *m, int32_t value);
/* The node that makes match_value(value); NULL if none does. Only operators of the default domain. */
const graph_node *match_node(const matcher *m, int32_t value);
/* The same if it is of this operator with at least n inputs present, else NULL. */
const graph_node *match_op(const matcher *m, int32_t value, const char *op_type, size_t n);
int match_is_op(const graph_node *node, const char *op_type);
int match_has_input(const graph_node *node, size_t i);
const graph_value *match_info(const matcher *m, int32_t value);
/* Size of axis -1 - `from_end`; -1 if it is not known. */
int64_t match_last(const matcher *m, int32_t value, int from_end);
/* A commutative node one of whose two inputs is a scalar number: 1, and the number and the other input. */
int match_with_scalar(matcher *m, const graph_node *node, double *scalar, int32_t *other);
/* A value of one element that is known: a constant, or computed from sizes. */
int match_scalar(matcher *m, int32_t value, double *out);
/* 1 if the axes of a reduction (attribute, or input 1) are the last one alone and it keeps its dimension. */
int match_reduces_last(matcher *m, const graph_node *node);

/* --- constant.c ---------------------------------------------------------------------------------------------- */

/* 1 if the value is a float constant, perhaps behind Cast, Transpose, Reshape and their like. */
int constant_is(const matcher *m, int32_t value);
/* Its elements as float32: in place where possible, else in the encoder's memory. dims and rank are those of `value`.
 * Refuses NaN and infinity. `transposed` (rank 2 only): the result is value^T; dims are those of the result. */
minnow_status constant_load(matcher *m, int32_t value, int transposed, tensor *out);
/* [n] elements, whatever leading ones the dims have. */
minnow_status constant_load_vector(matcher *m, int32_t value, size_t n, const float **out);

/* --- linear.c, norm.c, gelu.c -------------------------------------------------------------------------------- */

/* y = x W + b as the graph has it. */
typedef struct linear_match {
    size_t node;          /* the product */
    int32_t x;            /* rows */
    int32_t weight, bias; /* bias: GRAPH_NO_VALUE if there is none */
    int weight_is_nk;     /* 1: [n, k] (Gemm with transB), 0: [k, n] */
    int64_t n, k;
} linear_match;
int linear_find(const matcher *m, int32_t value, linear_match *out);
minnow_status linear_load(matcher *m, const linear_match *l, encoder_linear *out);

typedef struct norm_match {
    int32_t x, gamma, beta; /* beta: GRAPH_NO_VALUE if there is none */
    float epsilon;
} norm_match;
int norm_find(matcher *m, int32_t value, norm_match *out);
minnow_status norm_load(matcher *m, const norm_match *n, size_t hidden, encoder_norm *out);

/* value = gelu(*x), exactly (erf). */
minnow_status gelu_match(matcher *m, int32_t value, int32_t *x);

/* --- attention.c, embedding.c --------------------------------------------------------------------------------- */

/* context -> the projections of q, k, v, which must have the same input, *x. Sets the encoder's n_heads and scale, or
 * compares with them if they are set. */
minnow_status attention_match(matcher *m, int32_t context, encoder_layer *layer, int32_t *x);
/* 1 if rows chosen by input_ids are in the sum. */
int embedding_is(const matcher *m, int32_t sum);
/* The sum of the tables' rows. */
minnow_status embedding_match(matcher *m, int32_t sum);

#endif
