/* SPDX-License-Identifier: Apache-2.0
 * The interpreter's insides: what the files of this folder share.
 *
 *   values:   [state: shape, data, buffer ----.] ...      one for each value of the graph
 *   buffers:  [memory, refs] <----------------'           shared by views; refs 0: in the free list of its size
 *   steps:    [node] [nodes 4 5 6 fused] [node] ...       what a run does, in order */
#ifndef MINNOW_CONVERT_INTERPRET_INTERPRETER_IMPL_H
#define MINNOW_CONVERT_INTERPRET_INTERPRETER_IMPL_H

#include "convert/interpret/interpreter.h"
#include "convert/interpret/ops/ops.h"
#include "convert/math/int8.h"

typedef struct value_state {
    tensor t;
    int32_t buffer;      /* -1: the memory is not ours (inputs, constants) */
    uint32_t uses_left;
    uint8_t is_set;
    uint8_t is_constant; /* initializer or folded: stays from run to run */
    uint8_t is_strided;
    int64_t strides[TENSOR_MAX_RANK];
} value_state;

typedef struct buffer {
    void *data;
    size_t capacity;
    uint32_t refs;
    int32_t next_free;
} buffer;

/* Sizes are rounded up to quarter powers of two: class 4 e + q holds (4 + q) 2^(e - 2) bytes. */
#define BUFFER_CLASSES 256

/* A chain of nodes that runs as one. The operands are those that the chain reads from outside. */
typedef enum fusion_kind {
    FUSION_NONE = 0,
    FUSION_LINEAR,  /* MatMul by a constant, + bias, gelu, + residual */
    FUSION_SCORES,  /* MatMul, * or / scalar, + mask, softmax over the last axis */
    FUSION_CONTEXT, /* MatMul, then Transpose that keeps the last axis: rows are written where they belong */
    FUSION_GELU,    /* the five nodes of an erf gelu */
    FUSION_INTEGER, /* a product of 8-bit integers, * scale, + bias, gelu, + residual */
    FUSION_ROWS     /* DequantizeLinear of a constant table in `a`, then Gather of its rows by the ids in `b` */
} fusion_kind;

typedef struct fusion {
    fusion_kind kind;
    int32_t a, b;        /* the product's operands, or the gelu's input in `a` */
    int32_t bias, residual, mask; /* -1: none */
    int32_t sum_scale;   /* what a product of integers is multiplied by; -1: the product's own scales */
    int gelu;
    int scale_op;        /* BINARY_MUL or BINARY_DIV; -1: none */
    float scale;
    int softmax;
    int softmax_axis;    /* as in the attribute */
    int softmax_flattens; /* opset < 13 */
    int perm[TENSOR_MAX_RANK], perm_rank;
} fusion;

typedef struct step {
    const op_entry *entry;
    size_t node;             /* the last node of a chain */
    const uint32_t *nodes;   /* the chain, first to last; NULL for a single node */
    size_t n_nodes;
    const fusion *fused;
    void *packed;            /* a constant right-hand side [k, n], packed for floats or for integers */
    int32_t packed_value;    /* whose */
    int packed_is_borrowed;  /* a twin's, or where the constant lies: not ours to free */
} step;

struct interpreter {
    const graph *g;
    thread_pool *pool;
    const math_kernels *math;
    const int8_kernels *int8;
    size_t memory_limit, held_bytes; /* held: live and free buffers */
    uint64_t work_limit, work_left;
    minnow_status (*observe)(void *context, const graph *g, size_t node, const tensor *outputs, size_t n_outputs,
                             minnow_error *error);
    void *observe_context;
    int no_fusion, packs_in_place;
    const interpreter *twin;

    arena memory; /* everything below but buffers and packed weights */
    graph_node *nodes;        /* the graph's, but for those that rewrite.c has written anew */
    const op_entry **entries; /* per node */
    value_state *values;
    /* per value: how often nodes that run read it, + 1 for a wanted output; while steps are planned, all nodes and
     * outputs count */
    uint32_t *uses;
    uint8_t *needed;          /* per node */
    uint8_t *wanted;          /* per output, of the last run; n_outputs of them */
    int have_needed;
    step *steps;
    size_t n_steps;
    const graph_dim **symbols; /* seen in this run */
    int64_t *symbol_sizes;

    buffer *buffers;
    size_t n_buffers, buffers_capacity;
    int32_t free_heads[BUFFER_CLASSES]; /* -1: empty */
    int32_t unused_slot;                /* entries of `buffers` without memory, chained */

    /* Room for the operands of one operator. */
    const tensor **op_inputs;
    const int64_t **op_strides;
    int32_t *op_values;
    tensor *op_widened;
    tensor *op_outputs;
    int32_t *op_buffers, *op_output_values;
    int64_t (*op_output_strides)[TENSOR_MAX_RANK];
    uint8_t *op_output_strided;
    int32_t *scratch;         /* buffers to give back when the operator returns */
    size_t n_scratch, scratch_capacity;
};

/* memory.c */
void buffers_init(struct interpreter *in);
void buffers_close(struct interpreter *in);
minnow_status buffer_acquire(struct interpreter *in, size_t bytes, int32_t *out, minnow_error *error); /* refs 1 */
void buffer_release(struct interpreter *in, int32_t b);
void value_clear(struct interpreter *in, int32_t value);
void scratch_release(struct interpreter *in);

/* step.c: runs a step, taking its branch into account; a node by itself; and puts the node's place before an error. */
minnow_status step_run(struct interpreter *in, const step *s, minnow_error *error);
minnow_status step_run_node(struct interpreter *in, const step *s, minnow_error *error);
minnow_status error_at_node(const struct interpreter *in, size_t node, minnow_status status, minnow_error *error);
/* A strided value becomes a dense one, for all who read it later too. step.c */
minnow_status value_make_dense(op_context *c, int32_t value);

/* fusion.c: fills in->steps. Values that are constants are already set. */
minnow_status fusion_plan_steps(struct interpreter *in, minnow_error *error);
/* Runs a fused step; *handled 0 and nothing done if the shapes of this run do not fit. c has no inputs. fusion_run.c */
minnow_status fusion_run(op_context *c, int *handled);
minnow_status fusion_run_integer(op_context *c, int *handled); /* fusion_integer.c */
minnow_status fusion_run_rows(op_context *c, int *handled);    /* fusion_rows.c */
/* Products of dequantized matrices become products of integers. rewrite.c */
minnow_status rewrite_quantized(struct interpreter *in, minnow_error *error);
/* The twin's packed weights, if it has them for the same tier: 1 if they are used. ops/matmul.c */
int matmul_twin_packed(const struct interpreter *in, step *s, int32_t value);
/* As matmul_prepare, of a product of 8-bit integers. ops/quantized_product.c */
minnow_status quantized_prepare(struct interpreter *in, step *s, minnow_error *error);
/* Packs the constant right-hand side of a MatMul or Gemm, if it has one and it is worth it. ops/matmul.c */
minnow_status matmul_prepare(struct interpreter *in, step *s, minnow_error *error);

#endif
