/* SPDX-License-Identifier: Apache-2.0
 *
 * Shape inference from inside: what the families of operators, a file each, share. Others call infer.h's function.
 *
 * Comes in: declared types and shapes. Goes out: type and extents of every value that can be known without running.
 * Beside a shape, small integer tensors carry their elements ("partial values"), each known as far as it can be,
 * because exported graphs compute shapes with tensors:
 *
 *     x [batch, seq, 384] -Shape-> {batch, seq, 384} -Gather-> batch -Concat-> {batch, -1, 12, 32}
 *     x, {batch, -1, 12, 32} -Reshape-> [batch, seq, 12, 32]
 *
 * An extent is a monomial: an integer factor times a term, the term being 1 or a product of up to four named
 * quantities. Sums become named quantities themselves ("(seq + 1)"), so that equal computations give equal terms. Work
 * and memory are linear in the graph: texts, products, terms and partial values all have fixed limits, beyond which
 * things are unknown. */
#ifndef MINNOW_CONVERT_SHAPES_SHAPES_H
#define MINNOW_CONVERT_SHAPES_SHAPES_H

#include "convert/shapes/infer.h"

/* --- Extents (symbols.c) ------------------------------------------------------------------------------------ */

#define SHAPES_UNKNOWN (-1)
#define SHAPES_ONE 0 /* the term of plain numbers */

typedef struct extent {
    int64_t factor;
    int32_t term; /* SHAPES_UNKNOWN, SHAPES_ONE, or a term of the table */
} extent;

#define SHAPES_MAX_FACTORS 4
#define SHAPES_MAX_TERMS 8192 /* a real encoder has a dozen */
#define SHAPES_MAX_TEXT 96

typedef struct shapes_term {
    const char *text; /* lies in the graph */
    int32_t factors[SHAPES_MAX_FACTORS]; /* ascending; a named quantity is its own only factor */
    int n_factors;
    int nonnegative;
    extent base; /* of "(base + offset)"; base.term is SHAPES_UNKNOWN for others */
    int64_t offset;
} shapes_term;

typedef struct shapes_terms {
    arena *memory; /* the graph's: names of extents outlive the inference */
    shapes_term *terms;
    size_t n, capacity;
    int32_t *slots; /* hash of the text -> term; 0: free */
} shapes_terms;

int shapes_terms_init(shapes_terms *t, arena *memory); /* 0 if out of memory */
void shapes_terms_free(shapes_terms *t);

static inline extent extent_number(int64_t n) { return (extent){n, SHAPES_ONE}; }
static inline extent extent_unknown(void) { return (extent){0, SHAPES_UNKNOWN}; }
static inline int extent_is_number(extent e) { return e.term == SHAPES_ONE; }
static inline int extent_is_known(extent e) { return e.term != SHAPES_UNKNOWN; }
static inline int extent_is(extent e, int64_t n) { return e.term == SHAPES_ONE && e.factor == n; }
static inline int extent_same(extent a, extent b) {
    return a.term != SHAPES_UNKNOWN && a.term == b.term && a.factor == b.factor;
}

extent shapes_named(shapes_terms *t, const char *name); /* a quantity >= 0; `name` must lie in the graph */
/* The name of an extent that is neither unknown nor a number; NULL if out of memory. */
const char *shapes_name(shapes_terms *t, extent e);
int extent_is_nonnegative(const shapes_terms *t, extent e);
/* Overflow and whatever does not fit the limits give unknown. */
extent extent_add(shapes_terms *t, extent a, extent b);
extent extent_subtract(shapes_terms *t, extent a, extent b);
extent extent_multiply(shapes_terms *t, extent a, extent b);
extent extent_divide(shapes_terms *t, extent a, extent b); /* towards zero, as ONNX divides integers */
extent extent_largest(const shapes_terms *t, extent a, extent b);
extent extent_smallest(const shapes_terms *t, extent a, extent b);
/* -1, 0, 1 as a < b, a = b, a > b; 2 if that is not known. */
int extent_compare(shapes_terms *t, extent a, extent b);

/* --- Shapes and partial values ------------------------------------------------------------------------------- */

typedef struct shape {
    int rank; /* -1: not known */
    extent dims[TENSOR_MAX_RANK];
} shape;

#define SHAPES_MAX_ELEMENTS 64

/* The elements of an integer or boolean tensor, row-major. Its dims are numbers. */
typedef struct partial {
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    size_t n;
    extent *elements;
} partial;

typedef struct inference {
    graph *g;
    shapes_terms terms;
    arena scratch;   /* partial values; its limit is a budget, beyond which they are unknown */
    int starved;     /* 1: within the budget, but there was no memory */
    shape *shapes;   /* [n_values] */
    const partial **partials; /* [n_values], NULL: not known; never changed once they stand here */
} inference;

/* One node under inference: what an operator's function gets. */
typedef struct shape_op {
    inference *in;
    const graph_node *node;
    size_t index;
    minnow_error *error;
} shape_op;

extern const shape shapes_no_shape; /* rank -1 */

/* Inputs. A missing one has no type, no shape and no elements. */
int op_has_input(const shape_op *op, size_t i);
dtype op_type(const shape_op *op, size_t i);
const shape *op_shape(const shape_op *op, size_t i);
/* The elements, each perhaps unknown, if the tensor is of integers or booleans and known to be small; else NULL. */
const partial *op_partial(const shape_op *op, size_t i);
/* The elements as plain numbers into out [SHAPES_MAX_ELEMENTS]; 0 if not all of them are known. */
int op_numbers(const shape_op *op, size_t i, int64_t *out, size_t *n);
/* A list from attribute `name` or, where the opset has moved it there, from input i: 1 known, 0 unknown, -1 absent. */
int op_list(const shape_op *op, const char *name, size_t i, int64_t *out, size_t *n);

/* Outputs. Extents that are unknown are filled from the file's declaration. Ranks above TENSOR_MAX_RANK are left
 * unknown. */
void op_set(const shape_op *op, size_t i, dtype type, const shape *s);
/* Sets elements and, with them, the shape. `p` NULL does nothing. */
void op_set_partial(const shape_op *op, size_t i, dtype type, const partial *p);
/* A new partial value with unknown elements in the scratch memory; NULL if too large or over the budget. */
partial *op_new_partial(const shape_op *op, int rank, const int64_t *dims);

/* Errors begin with the node: "node 17 'MatMul_4' (MatMul): ...". */
minnow_status op_fail(const shape_op *op, const char *format, ...) MINNOW_PRINTF(2, 3);
/* "[batch, 7, 384]" into out; returns out. */
const char *op_describe(const shape_op *op, const shape *s, char *out, size_t capacity);

/* *axis is made to count from the front; refused if it is not within [-rank, rank). */
minnow_status op_axis(const shape_op *op, int64_t axis, int rank, int *out);
/* The shape both broadcast to (numpy's rules). */
minnow_status op_broadcast(const shape_op *op, const shape *a, const shape *b, shape *out);
/* The product of the extents; 1 for a scalar, unknown if the rank is. */
extent op_count(const shape_op *op, const shape *s);

/* a [..., m, k] times b [..., k, n] by numpy's rules. linear.c */
minnow_status op_matmul_shape(const shape_op *op, const shape *a, const shape *b, shape *out);

/* One line of a family's table. */
typedef minnow_status (*shape_fn)(const shape_op *op, int variant);
typedef struct shape_rule {
    const char *op_type;
    shape_fn infer;
    int min_inputs;
    int variant; /* passed through: what tells apart operators that share a function */
} shape_rule;

/* Tables end with a NULL op_type. */
extern const shape_rule shapes_elementwise_rules[]; /* elementwise.c */
extern const shape_rule shapes_layout_rules[];      /* layout.c: Reshape, Transpose, Concat, ... */
extern const shape_rule shapes_create_rules[];      /* create.c: Constant, Shape, Range, ... */
extern const shape_rule shapes_index_rules[];       /* index.c: Gather, Slice, Split, ... */
extern const shape_rule shapes_select_rules[];      /* select.c: TopK, OneHot, ... */
extern const shape_rule shapes_branch_rules[];      /* branch.c: If */
extern const shape_rule shapes_conv_rules[];        /* conv.c */
extern const shape_rule shapes_linear_rules[];      /* linear.c: MatMul, Gemm, reductions, normalizations */
extern const shape_rule shapes_attention_rules[];   /* contrib.c: Attention, RotaryEmbedding */
extern const shape_rule shapes_contrib_rules[];     /* contrib.c: com.microsoft's own */
extern const shape_rule shapes_quantized_rules[];   /* quantized.c */
extern const shape_rule shapes_quantized_contrib_rules[]; /* com.microsoft's */

/* Rules of one family that another takes too. linear.c */
minnow_status op_infer_gemm(const shape_op *op, int variant);
minnow_status op_infer_normalization(const shape_op *op, int typed);

#endif
