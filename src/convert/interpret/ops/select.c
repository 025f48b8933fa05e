/* SPDX-License-Identifier: Apache-2.0
 * What depends on the elements themselves: NonZero, Compress, ReverseSequence, Hardmax, OneHot; and
 * EyeLike. */
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

/* x [outer, n, inner] around the axis. */
typedef struct around {
    size_t outer, n, inner;
} around;

static around split_at(const tensor *x, int first, int last) { /* axes [first, last] are the middle */
    around a = {1, 1, 1};
    for (int d = 0; d < x->rank; d++) *(d < first ? &a.outer : d <= last ? &a.n : &a.inner) *= (size_t)x->dims[d];
    return a;
}

/* --- NonZero: [rank, count], the positions in order --------------------------------------------------------------- */

minnow_status ops_nonzero(op_context *c) {
    size_t count = 0, to = 0;
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    const size_t n = tensor_count(x);
    TRY(ops_charge_product(c, n, 16, 1));
    for (size_t i = 0; i < n; i++) count += ops_scalar_f64(x, i) != 0;
    const int64_t dims[2] = {x->rank, (int64_t)count};
    TRY(ops_output(c, 0, DTYPE_INT64, 2, dims));
    int64_t *out = c->outputs[0].data;
    for (size_t i = 0; i < n; i++) {
        size_t rest = i;
        if (ops_scalar_f64(x, i) == 0) continue;
        for (int d = x->rank - 1; d >= 0; d--) {
            out[(size_t)d * count + to] = (int64_t)(rest % (size_t)x->dims[d]);
            rest /= (size_t)x->dims[d];
        }
        to++;
    }
    return MINNOW_OK;
}

/* --- Compress: the slices along the axis whose condition is true; without an axis, elements of the flat tensor ---- */

minnow_status ops_compress(op_context *c) {
    const graph_attribute *along = graph_node_attribute(c->node, "axis");
    int64_t dims[TENSOR_MAX_RANK];
    size_t kept = 0;
    int axis = 0, rank = 1;
    TRY(ops_need(c, 2));
    const tensor *x = c->inputs[0], *condition = c->inputs[1];
    const uint8_t *wanted = condition->data;
    if (condition->type != DTYPE_BOOL) return ops_unsupported_type(c, condition->type);
    if (condition->rank != 1)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "a condition of rank %d", condition->rank);
    if (along) TRY(ops_axis(c, along->i, x->rank, &axis));
    const around a = along ? split_at(x, axis, axis) : split_at(x, 0, x->rank);
    for (size_t i = 0; i < (size_t)condition->dims[0]; i++) {
        if (wanted[i] && i >= a.n)
            return error_set(c->error, MINNOW_ERROR_FORMAT, "element %zu of an axis of %zu is wanted", i, a.n);
        kept += wanted[i] != 0;
    }
    if (along) memcpy(dims, x->dims, sizeof dims);
    if (along) rank = x->rank;
    dims[axis] = (int64_t)kept;
    TRY(ops_output(c, 0, x->type, rank, dims));
    const size_t piece = a.inner * dtype_bytes(x->type);
    char *out = c->outputs[0].data;
    if (tensor_count(x) == 0) return MINNOW_OK;
    for (size_t o = 0; o < a.outer; o++)
        for (size_t i = 0; i < a.n && i < (size_t)condition->dims[0]; i++) {
            if (!wanted[i]) continue;
            memcpy(out, (const char *)x->data + (o * a.n + i) * piece, piece);
            out += piece;
        }
    return MINNOW_OK;
}

/* --- ReverseSequence: the first lengths[b] steps of sequence b, backwards ----------------------------------------- */

minnow_status ops_reverse_sequence(op_context *c) {
    int time = 0, batch = 0;
    TRY(ops_need(c, 2));
    const tensor *x = c->inputs[0], *lengths = c->inputs[1];
    TRY(ops_axis(c, graph_node_int(c->node, "time_axis", 0), x->rank, &time));
    TRY(ops_axis(c, graph_node_int(c->node, "batch_axis", 1), x->rank, &batch));
    if (time > 1 || batch > 1 || time == batch)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "time_axis and batch_axis must be 0 and 1");
    if (lengths->type != DTYPE_INT64) return ops_unsupported_type(c, lengths->type);
    if (lengths->rank != 1 || lengths->dims[0] != x->dims[batch])
        return error_set(c->error, MINNOW_ERROR_FORMAT, "a length for each of %lld sequences expected",
                         (long long)x->dims[batch]);
    TRY(ops_output(c, 0, x->type, x->rank, x->dims));
    const size_t n_time = (size_t)x->dims[time], n_batch = (size_t)x->dims[batch];
    const size_t piece = split_at(x, 1, 1).inner * dtype_bytes(x->type);
    const size_t time_step = time == 0 ? n_batch : 1, batch_step = time == 0 ? 1 : n_time;
    for (size_t b = 0; b < n_batch; b++) {
        const int64_t length = ((const int64_t *)lengths->data)[b];
        if (length < 0 || length > x->dims[time])
            return error_set(c->error, MINNOW_ERROR_FORMAT, "length %lld of %lld steps", (long long)length,
                             (long long)x->dims[time]);
        for (size_t t = 0; piece > 0 && t < n_time; t++) {
            const size_t from = t < (size_t)length ? (size_t)length - 1 - t : t;
            memcpy((char *)c->outputs[0].data + (t * time_step + b * batch_step) * piece,
                   (const char *)x->data + (from * time_step + b * batch_step) * piece, piece);
        }
    }
    return MINNOW_OK;
}

/* --- Hardmax: 1 at the first largest element of the axis, else 0 -------------------------------------------------- */

minnow_status ops_hardmax(op_context *c) {
    const int flattens = c->node->opset < 13; /* all axes from `axis` on are one */
    int axis;
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    const size_t size = dtype_bytes(x->type);
    const float one32 = 1;
    const double one64 = 1;
    if (x->type != DTYPE_FLOAT32 && x->type != DTYPE_FLOAT64) return ops_unsupported_type(c, x->type);
    TRY(ops_axis(c, graph_node_int(c->node, "axis", flattens ? 1 : -1), x->rank + (flattens && x->rank == 1), &axis));
    if (axis == x->rank) axis = 0;
    const around a = split_at(x, axis, flattens ? x->rank : axis);
    TRY(ops_charge_product(c, tensor_count(x), 4, 1));
    TRY(ops_output(c, 0, x->type, x->rank, x->dims));
    if (tensor_count(x) == 0) return MINNOW_OK;
    memset(c->outputs[0].data, 0, tensor_bytes(x));
    for (size_t r = 0; r < a.outer * a.inner; r++) {
        const size_t first = r / a.inner * a.n * a.inner + r % a.inner;
        size_t best = first;
        for (size_t i = 1; i < a.n; i++) {
            const size_t at = first + i * a.inner;
            if (ops_scalar_f64(x, at) > ops_scalar_f64(x, best)) best = at;
        }
        memcpy((char *)c->outputs[0].data + best * size, size == 4 ? (const void *)&one32 : (const void *)&one64, size);
    }
    return MINNOW_OK;
}

/* --- OneHot: values[1] where the index is, else values[0] --------------------------------------------------------- */

minnow_status ops_one_hot(op_context *c) {
    int64_t dims[TENSOR_MAX_RANK], depth = 0, axis64;
    size_t inner = 1;
    int axis;
    double ignored;
    TRY(ops_need(c, 3));
    const tensor *x = c->inputs[0], *values = c->inputs[2];
    const size_t size = dtype_bytes(values->type);
    TRY(ops_one_scalar(c, 1, &ignored));
    depth = ops_scalar_int(c->inputs[1], 0);
    axis64 = graph_node_int(c->node, "axis", -1);
    if (depth < 0) return error_set(c->error, MINNOW_ERROR_FORMAT, "a depth of %lld", (long long)depth);
    if (tensor_count(values) != 2) return error_set(c->error, MINNOW_ERROR_FORMAT, "values must be two elements");
    if (x->rank == TENSOR_MAX_RANK)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "rank %d not supported", x->rank + 1);
    TRY(ops_axis(c, axis64, x->rank + 1, &axis));
    for (int d = 0; d <= x->rank; d++) dims[d] = d < axis ? x->dims[d] : d == axis ? depth : x->dims[d - 1];
    TRY(ops_output(c, 0, values->type, x->rank + 1, dims));
    char *out = c->outputs[0].data;
    for (size_t i = 0; i < tensor_count(&c->outputs[0]); i++) memcpy(out + i * size, values->data, size);
    for (int d = axis; d < x->rank; d++) inner *= (size_t)x->dims[d];
    for (size_t i = 0; i < tensor_count(x) && depth > 0; i++) {
        int64_t k = ops_scalar_int(x, i);
        if (k < 0) k += depth;
        if (k < 0 || k >= depth) continue;
        memcpy(out + ((i / inner * (size_t)depth + (size_t)k) * inner + i % inner) * size,
               (const char *)values->data + size, size);
    }
    return MINNOW_OK;
}

/* --- EyeLike: ones on diagonal k ---------------------------------------------------------------------------------- */

minnow_status ops_eye_like(op_context *c) {
    const int64_t k = graph_node_int(c->node, "k", 0), named = graph_node_int(c->node, "dtype", 0);
    const double one = 1;
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    const dtype type = named > 0 && named <= DTYPE_BFLOAT16 ? (dtype)named : x->type;
    if (dtype_bytes(type) == 0 || named < 0 || named > DTYPE_BFLOAT16)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "type %lld not supported", (long long)named);
    if (x->rank != 2) return error_set(c->error, MINNOW_ERROR_FORMAT, "rank %d, 2 expected", x->rank);
    TRY(ops_output(c, 0, type, 2, x->dims));
    const size_t size = dtype_bytes(type);
    if (tensor_count(x) > 0) memset(c->outputs[0].data, 0, tensor_bytes(&c->outputs[0]));
    if (k > x->dims[1] || k < -x->dims[0]) return MINNOW_OK;
    for (int64_t row = k < 0 ? -k : 0; row < x->dims[0] && row + k < x->dims[1]; row++) {
        const size_t at = (size_t)(row * x->dims[1] + row + k);
        lanes_cast(DTYPE_FLOAT64, &one, type, (char *)c->outputs[0].data + at * size, 1);
    }
    return MINNOW_OK;
}
