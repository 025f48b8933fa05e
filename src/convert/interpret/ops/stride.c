/* SPDX-License-Identifier: Apache-2.0
 * Walks over row-major shapes with operands that have strides of their own: broadcasting, transposes, slices, tiles. */
#include <string.h>

#include "convert/interpret/ops/ops.h"

void stride_dense(int rank, const int64_t *dims, int64_t *strides) {
    int64_t stride = 1;
    for (int d = rank - 1; d >= 0; d--) {
        strides[d] = stride;
        stride *= dims[d] > 0 ? dims[d] : 1;
    }
}

/* Dim d lies on dim d + 1 for an operand if stepping d once equals stepping d + 1 all the way. */
static int lies_on(const stride_plan *p, int outer, int64_t inner_dim, const int64_t *inner_strides) {
    for (int k = 0; k < p->n_operands; k++)
        if (p->strides[k][outer] != inner_strides[k] * inner_dim) return 0;
    return 1;
}

void stride_collapse(stride_plan *p) {
    int64_t dims[STRIDE_MAX_RANK], strides[STRIDE_MAX_RANK][STRIDE_MAX_OPERANDS];
    int n = 0; /* collected from the innermost dim outwards */
    p->count = 1;
    for (int d = p->rank - 1; d >= 0; d--) {
        p->count *= (size_t)p->dims[d];
        if (p->dims[d] == 1) continue;
        if (n > 0 && lies_on(p, d, dims[n - 1], strides[n - 1])) {
            dims[n - 1] *= p->dims[d];
            continue;
        }
        dims[n] = p->dims[d];
        for (int k = 0; k < p->n_operands; k++) strides[n][k] = p->strides[k][d];
        n++;
    }
    if (n == 0) { /* one element */
        dims[0] = 1;
        for (int k = 0; k < p->n_operands; k++) strides[0][k] = 0;
        n = 1;
    }
    p->rank = n;
    for (int d = 0; d < n; d++) {
        p->dims[d] = dims[n - 1 - d];
        for (int k = 0; k < p->n_operands; k++) p->strides[k][d] = strides[n - 1 - d][k];
    }
}

void stride_walk(const stride_plan *p, size_t begin, size_t end, stride_run_fn fn, void *context) {
    int64_t index[STRIDE_MAX_RANK], offsets[STRIDE_MAX_OPERANDS] = {0}, steps[STRIDE_MAX_OPERANDS] = {0};
    const int last = p->rank - 1;
    size_t rest = begin;
    if (begin >= end) return;
    for (int d = last; d >= 0; d--) {
        index[d] = (int64_t)(rest % (size_t)p->dims[d]);
        rest /= (size_t)p->dims[d];
        for (int k = 0; k < p->n_operands; k++) offsets[k] += index[d] * p->strides[k][d];
    }
    for (int k = 0; k < p->n_operands; k++) steps[k] = p->strides[k][last];
    while (begin < end) {
        size_t n = (size_t)(p->dims[last] - index[last]);
        if (n > end - begin) n = end - begin;
        fn(context, begin, n, offsets, steps);
        begin += n;
        if (begin == end) return;
        for (int k = 0; k < p->n_operands; k++) offsets[k] -= index[last] * steps[k];
        index[last] = 0;
        for (int d = last - 1; d >= 0; d--) { /* the odometer */
            for (int k = 0; k < p->n_operands; k++) offsets[k] += p->strides[k][d];
            if (++index[d] < p->dims[d]) break;
            for (int k = 0; k < p->n_operands; k++) offsets[k] -= p->dims[d] * p->strides[k][d];
            index[d] = 0;
        }
    }
}

minnow_status stride_broadcast(op_context *c, const tensor *const *operands, int n_operands, int *rank, int64_t *dims,
                               stride_plan *plan) {
    int r = 0;
    for (int k = 0; k < n_operands; k++) r = operands[k]->rank > r ? operands[k]->rank : r;
    for (int d = 0; d < r; d++) {
        dims[d] = 1;
        for (int k = 0; k < n_operands; k++) {
            const int own = d - (r - operands[k]->rank);
            const int64_t size = own < 0 ? 1 : operands[k]->dims[own];
            if (size == 1 || size == dims[d]) continue;
            if (dims[d] != 1) {
                char a[128], b[128];
                return error_set(c->error, MINNOW_ERROR_FORMAT, "%s and %s do not broadcast",
                                 tensor_describe(operands[0], a, sizeof a), tensor_describe(operands[k], b, sizeof b));
            }
            dims[d] = size;
        }
    }
    *rank = r;
    plan->rank = r;
    plan->n_operands = n_operands;
    TRY(tensor_check_shape(DTYPE_INT64, r, dims, &plan->count, c->error));
    for (int k = 0; k < n_operands; k++) {
        int64_t strides[TENSOR_MAX_RANK];
        const int shift = r - operands[k]->rank;
        stride_dense(operands[k]->rank, operands[k]->dims, strides);
        for (int d = 0; d < r; d++)
            plan->strides[k][d] = d < shift || operands[k]->dims[d - shift] == 1 ? 0 : strides[d - shift];
    }
    if (r) memcpy(plan->dims, dims, (size_t)r * sizeof *dims);
    if (plan->count) stride_collapse(plan);
    return MINNOW_OK;
}

/* --- Copies ------------------------------------------------------------------------------------------------------ */

typedef struct copy {
    const stride_plan *p;
    const unsigned char *in;
    unsigned char *out;
    size_t size;
} copy;

/* Elements move as bits, whatever their type. */
typedef uint16_t bits16 __attribute__((may_alias));
typedef uint32_t bits32 __attribute__((may_alias));
typedef uint64_t bits64 __attribute__((may_alias));

#define GATHER(T)                                                                                                   \
    do {                                                                                                            \
        const T *from = (const T *)(const void *)j->in + offsets[0];                                                \
        T *to = (T *)(void *)j->out + first;                                                                        \
        if (steps[0] == 0)                                                                                          \
            for (size_t i = 0; i < n; i++) to[i] = *from;                                                           \
        else                                                                                                        \
            for (size_t i = 0; i < n; i++) to[i] = from[(int64_t)i * steps[0]];                                     \
    } while (0)

static void copy_run(void *context, size_t first, size_t n, const int64_t *offsets, const int64_t *steps) {
    const copy *j = context;
    if (steps[0] == 1) {
        memcpy(j->out + first * j->size, j->in + (ptrdiff_t)j->size * offsets[0], n * j->size);
        return;
    }
    switch (j->size) {
    case 1: GATHER(uint8_t); break;
    case 2: GATHER(bits16); break;
    case 4: GATHER(bits32); break;
    default: GATHER(bits64); break;
    }
}

static void copy_range(void *context, size_t begin, size_t end, size_t part) {
    const copy *j = context;
    (void)part;
    stride_walk(j->p, begin, end, copy_run, context);
}

void stride_copy(const op_context *c, const stride_plan *p, size_t element_bytes, const void *in, void *out) {
    copy j = {.p = p, .in = in, .out = out, .size = element_bytes};
    if (p->count) ops_parallel(c, p->count, 64, 1, copy_range, &j);
}

void stride_transpose(const op_context *c, const tensor *in, const int64_t *in_strides, const int *perm, void *out) {
    stride_plan p = {.rank = in->rank, .n_operands = 1};
    int64_t strides[TENSOR_MAX_RANK];
    if (tensor_count(in) == 0) return;
    if (!in_strides) {
        stride_dense(in->rank, in->dims, strides);
        in_strides = strides;
    }
    for (int d = 0; d < in->rank; d++) {
        p.dims[d] = in->dims[perm[d]];
        p.strides[0][d] = in_strides[perm[d]];
    }
    stride_collapse(&p);
    stride_copy(c, &p, dtype_bytes(in->type), in->data, out);
}
