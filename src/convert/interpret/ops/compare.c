/* SPDX-License-Identifier: Apache-2.0
 * Tensors -> truth values, and back: Equal, Less ..., And, Or, Xor, Where, IsNaN, IsInf. */
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

typedef struct job {
    const stride_plan *p;
    int kind;
    dtype type;
    const void *a, *b, *condition;
    size_t size;
    uint8_t *out;
} job;

#define COMPARE_AS(T, A, B, SA, SB, OUT)                                                                            \
    do {                                                                                                            \
        const T *x = (A), *y = (B);                                                                                 \
        switch (j->kind) {                                                                                          \
        case COMPARE_EQUAL: for (size_t i = 0; i < m; i++) (OUT)[i] = x[i * (SA)] == y[i * (SB)]; break;            \
        case COMPARE_GREATER: for (size_t i = 0; i < m; i++) (OUT)[i] = x[i * (SA)] > y[i * (SB)]; break;           \
        case COMPARE_GREATER_EQUAL: for (size_t i = 0; i < m; i++) (OUT)[i] = x[i * (SA)] >= y[i * (SB)]; break;    \
        case COMPARE_LESS: for (size_t i = 0; i < m; i++) (OUT)[i] = x[i * (SA)] < y[i * (SB)]; break;              \
        default: for (size_t i = 0; i < m; i++) (OUT)[i] = x[i * (SA)] <= y[i * (SB)]; break;                       \
        }                                                                                                           \
    } while (0)

static void compare_ints(const job *j, size_t first, size_t n, const int64_t *offsets, const int64_t *steps) {
    int64_t a[LANES_BLOCK], b[LANES_BLOCK];
    for (size_t at = 0; at < n; at += LANES_BLOCK) {
        const size_t m = n - at < LANES_BLOCK ? n - at : LANES_BLOCK;
        lanes_load(j->type, j->a, (size_t)offsets[0] + at * (size_t)steps[0], (size_t)steps[0], m, a);
        lanes_load(j->type, j->b, (size_t)offsets[1] + at * (size_t)steps[1], (size_t)steps[1], m, b);
        if (j->type == DTYPE_UINT64)
            COMPARE_AS(uint64_t, (const uint64_t *)a, (const uint64_t *)b, 1, 1, j->out + first + at);
        else
            COMPARE_AS(int64_t, a, b, 1, 1, j->out + first + at);
    }
}

static void compare_run(void *context, size_t first, size_t n, const int64_t *offsets, const int64_t *steps) {
    const job *j = context;
    const size_t m = n, sa = (size_t)steps[0], sb = (size_t)steps[1];
    if (j->type == DTYPE_FLOAT32)
        COMPARE_AS(float, (const float *)j->a + offsets[0], (const float *)j->b + offsets[1], sa, sb, j->out + first);
    else if (j->type == DTYPE_FLOAT64)
        COMPARE_AS(double, (const double *)j->a + offsets[0], (const double *)j->b + offsets[1], sa, sb,
                   j->out + first);
    else
        compare_ints(j, first, n, offsets, steps);
}

static minnow_status to_bool(op_context *c, dtype type, stride_run_fn run, int kind) {
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    stride_plan plan;
    job j = {.p = &plan, .kind = kind, .type = type, .a = c->inputs[0]->data, .b = c->inputs[1]->data};
    TRY(stride_broadcast(c, (const tensor *const[]){c->inputs[0], c->inputs[1]}, 2, &rank, dims, &plan));
    TRY(ops_output(c, 0, DTYPE_BOOL, rank, dims));
    j.out = c->outputs[0].data;
    stride_walk(&plan, 0, plan.count, run, &j);
    return MINNOW_OK;
}

minnow_status ops_compare(op_context *c) {
    TRY(ops_need(c, 2));
    TRY(ops_same_type(c, 0, 1));
    return to_bool(c, c->inputs[0]->type, compare_run, ops_variant(c));
}

static void logic_run(void *context, size_t first, size_t n, const int64_t *offsets, const int64_t *steps) {
    const job *j = context;
    const uint8_t *a = (const uint8_t *)j->a + offsets[0], *b = (const uint8_t *)j->b + offsets[1];
    for (size_t i = 0; i < n; i++) {
        const int x = a[i * (size_t)steps[0]] != 0, y = b[i * (size_t)steps[1]] != 0;
        j->out[first + i] = (uint8_t)(j->kind == LOGIC_AND ? x & y : j->kind == LOGIC_OR ? x | y : x ^ y);
    }
}

minnow_status ops_logic(op_context *c) {
    TRY(ops_need(c, 2));
    if (c->inputs[0]->type != DTYPE_BOOL) return ops_unsupported_type(c, c->inputs[0]->type);
    TRY(ops_same_type(c, 0, 1));
    return to_bool(c, DTYPE_BOOL, logic_run, ops_variant(c));
}

/* --- Where -------------------------------------------------------------------------------------------------------- */

typedef uint16_t bits16 __attribute__((may_alias));
typedef uint32_t bits32 __attribute__((may_alias));
typedef uint64_t bits64 __attribute__((may_alias));

#define CHOOSE(T)                                                                                                   \
    do {                                                                                                            \
        const T *x = (const T *)j->a + offsets[1], *y = (const T *)j->b + offsets[2];                               \
        T *out = (T *)(void *)j->out + first;                                                                       \
        for (size_t i = 0; i < n; i++)                                                                              \
            out[i] = condition[i * (size_t)steps[0]] ? x[i * (size_t)steps[1]] : y[i * (size_t)steps[2]];           \
    } while (0)

static void where_run(void *context, size_t first, size_t n, const int64_t *offsets, const int64_t *steps) {
    const job *j = context;
    const uint8_t *condition = (const uint8_t *)j->condition + offsets[0];
    switch (j->size) {
    case 1: CHOOSE(uint8_t); break;
    case 2: CHOOSE(bits16); break;
    case 4: CHOOSE(bits32); break;
    default: CHOOSE(bits64); break;
    }
}

static void where_range(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    stride_walk(j->p, begin, end, where_run, context);
}

minnow_status ops_where(op_context *c) {
    int rank;
    int64_t dims[TENSOR_MAX_RANK];
    stride_plan plan;
    TRY(ops_need(c, 3));
    if (c->inputs[0]->type != DTYPE_BOOL) return ops_unsupported_type(c, c->inputs[0]->type);
    TRY(ops_same_type(c, 1, 2));
    TRY(stride_broadcast(c, (const tensor *const[]){c->inputs[0], c->inputs[1], c->inputs[2]}, 3, &rank, dims, &plan));
    TRY(ops_output(c, 0, c->inputs[1]->type, rank, dims));
    job j = {.p = &plan, .condition = c->inputs[0]->data, .a = c->inputs[1]->data, .b = c->inputs[2]->data,
             .size = dtype_bytes(c->inputs[1]->type), .out = c->outputs[0].data};
    if (plan.count) ops_parallel(c, plan.count, 64, 1, where_range, &j);
    return MINNOW_OK;
}

/* --- IsNaN, IsInf ------------------------------------------------------------------------------------------------- */

minnow_status ops_is_class(op_context *c) {
    const int infinity = ops_variant(c) == 1;
    const int positive = graph_node_int(c->node, "detect_positive", 1) != 0;
    const int negative = graph_node_int(c->node, "detect_negative", 1) != 0;
    const double largest = 1.7976931348623157e308;
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    const size_t n = tensor_count(x);
    if (x->type != DTYPE_FLOAT32 && x->type != DTYPE_FLOAT64) return ops_unsupported_type(c, x->type);
    TRY(ops_output(c, 0, DTYPE_BOOL, x->rank, x->dims));
    uint8_t *out = c->outputs[0].data;
    for (size_t i = 0; i < n; i++) {
        const double v = x->type == DTYPE_FLOAT32 ? (double)((const float *)x->data)[i] : ((const double *)x->data)[i];
        out[i] = infinity ? (positive && v > largest) || (negative && v < -largest) : v != v;
    }
    return MINNOW_OK;
}
