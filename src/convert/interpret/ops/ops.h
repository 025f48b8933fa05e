/* SPDX-License-Identifier: Apache-2.0
 * What the interpreter and its operators share. An operator reads c->inputs, asks for its outputs (ops_output,
 * ops_output_over, ops_view), and writes them. Errors need no place: the interpreter puts the node in front. */
#ifndef MINNOW_CONVERT_INTERPRET_OPS_OPS_H
#define MINNOW_CONVERT_INTERPRET_OPS_OPS_H

#include "base/thread.h"
#include "convert/graph/graph.h"
#include "convert/math/math.h"

struct interpreter;
struct step;

typedef struct op_context {
    struct interpreter *in;
    const graph_node *node;
    const struct step *step;
    const math_kernels *math;
    thread_pool *pool; /* NULL: one thread */
    minnow_error *error;
    size_t n_inputs, n_outputs;
    const tensor **inputs;          /* NULL where left out */
    /* per input, in elements; NULL: dense. Only operators with OP_STRIDED see others. */
    const int64_t **strides;
    const int32_t *input_values;    /* value numbers; -1 where left out or converted */
    const int32_t *output_values;   /* -1: nobody asks for this output; it may still be made */
    tensor *outputs;
    int32_t *output_buffers;
    int64_t (*output_strides)[TENSOR_MAX_RANK];
    uint8_t *output_strided;
    int dense_only;                 /* outputs must be dense: somebody watches */
} op_context;

typedef minnow_status (*op_fn)(op_context *c);

enum {
    OP_HALF = 1,         /* float16 and bfloat16 inputs are widened to float32, float32 outputs narrowed back */
    OP_STRIDED = 2,      /* takes inputs that are not dense */
    OP_FIRST_TYPE = 4,   /* outputs are narrowed only if the first input was widened */
    OP_SECOND_TYPE = 8,  /* ... if the second was */
    OP_FIRST_OUTPUT = 16, /* only the first output is narrowed */
    OP_PACKS = 32,       /* multiplies by input 1: a constant matrix is packed before the first run ("transB") */
    OP_LAZY = 64         /* inputs may have no value, as what a branch that is not taken makes */
};
typedef struct op_entry {
    const char *domain, *op_type;
    int since, until; /* opsets, both included; until 0: no end */
    op_fn run;
    int flags;
    int variant;      /* for functions that serve several operators */
} op_entry;

/* NULL if not supported. */
const op_entry *ops_find(const char *domain, const char *op_type, int64_t opset);
/* What to do about an operator that is not supported, for the message; NULL: nothing is known. refused.c */
const char *ops_advice(const char *domain, const char *op_type);
/* c's own entry's variant. */
int ops_variant(const op_context *c);

/* --- Memory (../memory.c) ---------------------------------------------------------------------------------- */

/* Dense output i, its elements not set. The shape is checked, the memory counted against the limit. */
minnow_status ops_output(op_context *c, size_t i, dtype type, int rank, const int64_t *dims);
/* The same, in the memory of input `input` if nobody else needs that and the sizes agree. The operator must read an
 * element of the input before it writes the element in the same place. */
minnow_status ops_output_over(op_context *c, size_t i, dtype type, int rank, const int64_t *dims, size_t input);
/* Output i is input `input` under another shape with as many elements; nothing is copied. */
minnow_status ops_view(op_context *c, size_t i, size_t input, int rank, const int64_t *dims);
/* Output i is input `input` with its own shape and strides: only where !c->dense_only. */
minnow_status ops_view_strided(op_context *c, size_t i, size_t input, int rank, const int64_t *dims,
                               const int64_t *strides);
/* Memory until the operator returns. */
minnow_status ops_scratch(op_context *c, size_t bytes, void **out);
/* The same, a * b elements; products that overflow are over any limit. */
minnow_status ops_scratch_array(op_context *c, size_t a, size_t b, size_t element_bytes, void **out);
/* Counts `amount` elementary operations against the run's work limit. */
minnow_status ops_charge(op_context *c, uint64_t amount);
minnow_status ops_charge_product(op_context *c, uint64_t a, uint64_t b, uint64_t k); /* a * b * k, no overflow */

/* --- Helpers (ops.c) ---------------------------------------------------------------------------------------- */

/* At least `least` inputs, the first `least` present. */
minnow_status ops_need(op_context *c, size_t least);
int ops_has_input(const op_context *c, size_t i);
/* Somebody reads output i. */
int ops_wants_output(const op_context *c, size_t i);
/* Axis in [-rank, rank) -> [0, rank). */
minnow_status ops_axis(op_context *c, int64_t axis, int rank, int *out);
/* The elements of a rank 0 or 1 integer input as int64; at most `capacity`. */
minnow_status ops_ints(op_context *c, size_t input, int64_t *out, size_t capacity, size_t *n);
/* Axes from input `input` if present, else attribute "axes": normalized, sorted, unique; *n = 0 if neither is there. */
minnow_status ops_axes(op_context *c, size_t input, int rank, int *axes, size_t *n);
/* One element of an integer or float tensor as double or int64. */
double ops_scalar_f64(const tensor *t, size_t i);
int64_t ops_scalar_int(const tensor *t, size_t i);
minnow_status ops_one_scalar(op_context *c, size_t input, double *out);
minnow_status ops_unsupported_type(op_context *c, dtype type);
/* Two inputs have one type, as it was before widening. */
minnow_status ops_same_type(op_context *c, size_t first, size_t second);

/* Calls fn over [0, n), split between threads if there is enough to do; work_per_item is in elements. */
typedef void (*op_range_fn)(void *context, size_t begin, size_t end, size_t part);
void ops_parallel(const op_context *c, size_t n, size_t grain, size_t work_per_item, op_range_fn fn, void *context);
size_t ops_threads(const op_context *c);

/* --- Integers of every width (lanes.c) ----------------------------------------------------------------------- */
/* Integer and bool elements pass through int64 in blocks; uint64 keeps its bits. */
#define LANES_BLOCK 256
int lanes_is_integer(dtype t); /* int8 .. uint64 and bool */
void lanes_load(dtype type, const void *data, size_t first, size_t step, size_t n, int64_t *out); /* step 0 or 1 */
/* wraps; bool: != 0 */
void lanes_store(dtype type, const int64_t *in, size_t n, void *data, size_t first);
/* n elements of any two types; float to integer truncates and saturates, NaN gives 0. */
void lanes_cast(dtype from, const void *in, dtype to, void *out, size_t n);
minnow_status ops_cast_scratch(op_context *c, const tensor *in, dtype type, tensor *out);

/* --- Strided copies and broadcasting (stride.c) ---------------------------------------------------------------- */
#define STRIDE_MAX_RANK (2 * TENSOR_MAX_RANK)
#define STRIDE_MAX_OPERANDS 3
/* Iteration over a row-major shape with up to three operands; after stride_collapse neighbouring dims that lie on are
 * merged. */
typedef struct stride_plan {
    int rank, n_operands;
    size_t count;
    int64_t dims[STRIDE_MAX_RANK];
    int64_t strides[STRIDE_MAX_OPERANDS][STRIDE_MAX_RANK]; /* in elements */
} stride_plan;
void stride_dense(int rank, const int64_t *dims, int64_t *strides);
void stride_collapse(stride_plan *p);
/* A run of n elements along the innermost dim: output elements [first, first + n), operand k at offsets[k] + i *
 * steps[k]. */
typedef void (*stride_run_fn)(void *context, size_t first, size_t n, const int64_t *offsets, const int64_t *steps);
void stride_walk(const stride_plan *p, size_t begin, size_t end, stride_run_fn fn, void *context);
/* NumPy's broadcast of the operands; gives the shape and a collapsed plan whose steps are 0 or 1. */
minnow_status stride_broadcast(op_context *c, const tensor *const *operands, int n_operands, int *rank, int64_t *dims,
                               stride_plan *plan);
/* out, dense, = the elements of `in` that one-operand plan p visits. */
void stride_copy(const op_context *c, const stride_plan *p, size_t element_bytes, const void *in, void *out);
/* out[dims permuted] dense = in; in_strides NULL: dense. */
void stride_transpose(const op_context *c, const tensor *in, const int64_t *in_strides, const int *perm, void *out);

/* --- Operators called by other operators --------------------------------------------------------------------- */
/* a op b into out (already made, of the broadcast shape; out may be a or b where that has out's shape). */
enum { BINARY_ADD, BINARY_SUB, BINARY_MUL, BINARY_DIV, BINARY_MIN, BINARY_MAX, BINARY_POW, BINARY_MOD, BINARY_FMOD,
      BINARY_PRELU };
minnow_status binary_apply(op_context *c, int kind, const tensor *a, const tensor *b, tensor *out);
/* C [batch, m, n] = A [batch, m, k] B [batch, k, n], dense, same batch, any numeric type. */
minnow_status matmul_dense(op_context *c, dtype type, size_t batch, size_t m, size_t k, size_t n, const void *a,
                           const void *b, void *out);
double exact_floor(double x);
double exact_ceil(double x);
double exact_round_even(double x);
double exact_fmod(double x, double y);
double exact_sqrt(double x);

#endif
