/* SPDX-License-Identifier: Apache-2.0
 * Integers bit by bit: BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot, BitShift. */
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

typedef struct job {
    int kind;
    dtype type;
    const void *a, *b;
    void *out;
} job;

/* Shifts by the width or more leave 0; what lanes_store cuts off is gone. */
static uint64_t one(int kind, uint64_t a, uint64_t b) {
    switch (kind) {
    case BITWISE_AND: return a & b;
    case BITWISE_OR: return a | b;
    case BITWISE_XOR: return a ^ b;
    case BITWISE_LEFT: return b < 64 ? a << b : 0;
    default: return b < 64 ? a >> b : 0;
    }
}

static void run(void *context, size_t first, size_t n, const int64_t *offsets, const int64_t *steps) {
    const job *j = context;
    int64_t a[LANES_BLOCK], b[LANES_BLOCK];
    for (size_t at = 0; at < n; at += LANES_BLOCK) {
        const size_t m = n - at < LANES_BLOCK ? n - at : LANES_BLOCK;
        lanes_load(j->type, j->a, (size_t)offsets[0] + at * (size_t)steps[0], (size_t)steps[0], m, a);
        lanes_load(j->type, j->b, (size_t)offsets[1] + at * (size_t)steps[1], (size_t)steps[1], m, b);
        for (size_t i = 0; i < m; i++) a[i] = (int64_t)one(j->kind, (uint64_t)a[i], (uint64_t)b[i]);
        lanes_store(j->type, a, m, j->out, first + at);
    }
}

static int is_unsigned(dtype t) {
    return t == DTYPE_UINT8 || t == DTYPE_UINT16 || t == DTYPE_UINT32 || t == DTYPE_UINT64;
}

static minnow_status shift_direction(op_context *c, int *kind) {
    const char *direction = graph_node_string(c->node, "direction", "");
    if (!is_unsigned(c->inputs[0]->type)) return ops_unsupported_type(c, c->inputs[0]->type);
    *kind = strcmp(direction, "LEFT") == 0 ? BITWISE_LEFT : BITWISE_RIGHT;
    if (*kind == BITWISE_LEFT || strcmp(direction, "RIGHT") == 0) return MINNOW_OK;
    return error_set(c->error, MINNOW_ERROR_FORMAT, "direction '%s', LEFT or RIGHT expected", direction);
}

minnow_status ops_bitwise(op_context *c) {
    stride_plan plan;
    int64_t dims[TENSOR_MAX_RANK];
    int rank;
    TRY(ops_need(c, 2));
    const tensor *a = c->inputs[0], *b = c->inputs[1];
    job j = {.kind = ops_variant(c), .type = a->type, .a = a->data, .b = b->data};
    if (!lanes_is_integer(a->type) || a->type == DTYPE_BOOL) return ops_unsupported_type(c, a->type);
    TRY(ops_same_type(c, 0, 1));
    if (j.kind == BITWISE_SHIFT) TRY(shift_direction(c, &j.kind));
    TRY(stride_broadcast(c, (const tensor *const[]){a, b}, 2, &rank, dims, &plan));
    TRY(ops_output(c, 0, a->type, rank, dims));
    j.out = c->outputs[0].data;
    stride_walk(&plan, 0, plan.count, run, &j);
    return MINNOW_OK;
}

minnow_status ops_bitwise_not(op_context *c) {
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    if (!lanes_is_integer(x->type) || x->type == DTYPE_BOOL) return ops_unsupported_type(c, x->type);
    TRY(ops_output_over(c, 0, x->type, x->rank, x->dims, 0));
    const unsigned char *in = x->data;
    unsigned char *out = c->outputs[0].data;
    for (size_t i = 0, n = tensor_bytes(x); i < n; i++) out[i] = (unsigned char)~in[i];
    return MINNOW_OK;
}
