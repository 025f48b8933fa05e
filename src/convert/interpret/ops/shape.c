/* SPDX-License-Identifier: Apache-2.0
 * Shapes as values, values under new shapes, values out of nothing, other types: Shape, Size, Reshape, Squeeze,
 * Constant, Range, Cast ... Reshaping copies nothing. */
#include <string.h>

#include "convert/interpret/ops/ops.h"
#include "convert/interpret/ops/table.h"

/* --- Constants ---------------------------------------------------------------------------------------------------- */

/* The value lies in the node's attribute and stays there. */
minnow_status ops_constant(op_context *c) {
    tensor *out = &c->outputs[0];
    for (size_t i = 0; i < c->node->n_attributes; i++) {
        const graph_attribute *a = &c->node->attributes[i];
        if (strcmp(a->name, "value") == 0 && a->type == ATTRIBUTE_TENSOR && a->t) {
            *out = *a->t;
        } else if (strcmp(a->name, "value_float") == 0 && a->type == ATTRIBUTE_FLOAT) {
            *out = (tensor){.type = DTYPE_FLOAT32, .data = (void *)(uintptr_t)&a->f};
        } else if (strcmp(a->name, "value_int") == 0 && a->type == ATTRIBUTE_INT) {
            *out = (tensor){.type = DTYPE_INT64, .data = (void *)(uintptr_t)&a->i};
        } else if (strcmp(a->name, "value_floats") == 0 && a->type == ATTRIBUTE_FLOATS) {
            *out = (tensor){.type = DTYPE_FLOAT32, .rank = 1, .dims = {(int64_t)a->n}, .data = (void
            * *)(uintptr_t)a->floats};
        } else if (strcmp(a->name, "value_ints") == 0 && a->type == ATTRIBUTE_INTS) {
            *out = (tensor){.type = DTYPE_INT64, .rank = 1, .dims = {(int64_t)a->n}, .data = (void
            * *)(uintptr_t)a->ints};
        } else {
            continue;
        }
        c->output_buffers[0] = -1;
        return dtype_bytes(out->type) ? MINNOW_OK : ops_unsupported_type(c, out->type);
    }
    return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "no value of a kind that is supported");
}

static void fill(void *out, size_t n, const void *element, size_t size) {
    for (size_t i = 0; i < n; i++) memcpy((char *)out + i * size, element, size);
}

minnow_status ops_constant_of_shape(op_context *c) {
    const graph_attribute *a = graph_node_attribute(c->node, "value");
    const float zero = 0;
    tensor value = {.type = DTYPE_FLOAT32, .data = (void *)(uintptr_t)&zero};
    int64_t dims[TENSOR_MAX_RANK];
    size_t n;
    TRY(ops_need(c, 1));
    TRY(ops_ints(c, 0, dims, TENSOR_MAX_RANK, &n));
    if (a && a->type == ATTRIBUTE_TENSOR && a->t) value = *a->t;
    if (tensor_count(&value) != 1) return error_set(c->error, MINNOW_ERROR_FORMAT, "the value must be one element");
    TRY(ops_output(c, 0, value.type, (int)n, dims));
    fill(c->outputs[0].data, tensor_count(&c->outputs[0]), value.data, dtype_bytes(value.type));
    return MINNOW_OK;
}

/* ceil((limit - start) / delta) without overflow. */
static minnow_status range_count_int(op_context *c, int64_t start, int64_t limit, int64_t delta, int64_t *n) {
    if (delta == 0) return error_set(c->error, MINNOW_ERROR_FORMAT, "a delta of 0");
    const uint64_t span = delta > 0 ? (limit > start ? (uint64_t)limit - (uint64_t)start : 0)
                                    : (limit < start ? (uint64_t)start - (uint64_t)limit : 0);
    const uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
    const uint64_t count = span / step + (span % step != 0);
    if (count > INT64_MAX) return error_set(c->error, MINNOW_ERROR_FORMAT, "the range is too long");
    *n = (int64_t)count;
    return MINNOW_OK;
}

minnow_status ops_range(op_context *c) {
    double start, limit, delta;
    int64_t n;
    TRY(ops_need(c, 3));
    TRY(ops_same_type(c, 0, 1));
    TRY(ops_same_type(c, 0, 2));
    const dtype type = c->inputs[0]->type;
    TRY(ops_one_scalar(c, 0, &start));
    TRY(ops_one_scalar(c, 1, &limit));
    TRY(ops_one_scalar(c, 2, &delta));
    if (lanes_is_integer(type) && type != DTYPE_BOOL) {
        const int64_t first = ops_scalar_int(c->inputs[0], 0), step = ops_scalar_int(c->inputs[2], 0);
        TRY(range_count_int(c, first, ops_scalar_int(c->inputs[1], 0), step, &n));
        TRY(ops_output(c, 0, type, 1, &n));
        for (int64_t i = 0; i < n; i++) {
            const int64_t v = (int64_t)((uint64_t)first + (uint64_t)i * (uint64_t)step);
            lanes_store(type, &v, 1, c->outputs[0].data, (size_t)i);
        }
        return MINNOW_OK;
    }
    if (type != DTYPE_FLOAT32 && type != DTYPE_FLOAT64) return ops_unsupported_type(c, type);
    const double count = exact_ceil((limit - start) / delta);
    if (!(count < 9007199254740992.0)) return error_set(c->error, MINNOW_ERROR_FORMAT, "the range has no end");
    n = count > 0 ? (int64_t)count : 0;
    TRY(ops_output(c, 0, type, 1, &n));
    for (int64_t i = 0; i < n; i++) {
        if (type == DTYPE_FLOAT64) ((double *)c->outputs[0].data)[i] = start + (double)i * delta;
        else ((float *)c->outputs[0].data)[i] = (float)start + (float)i * (float)delta;
    }
    return MINNOW_OK;
}

/* --- Shapes as values --------------------------------------------------------------------------------------------- */

minnow_status ops_shape(op_context *c) {
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    int64_t start = graph_node_int(c->node, "start", 0), end = graph_node_int(c->node, "end", x->rank), n;
    if (c->node->opset < 15) start = 0, end = x->rank;
    if (start < 0) start = start < -x->rank ? 0 : start + x->rank;
    if (end < 0) end = end < -x->rank ? 0 : end + x->rank;
    if (start > x->rank) start = x->rank;
    if (end > x->rank) end = x->rank;
    n = end > start ? end - start : 0;
    TRY(ops_output(c, 0, DTYPE_INT64, 1, &n));
    if (n) memcpy(c->outputs[0].data, x->dims + start, (size_t)n * sizeof(int64_t));
    return MINNOW_OK;
}

minnow_status ops_size(op_context *c) {
    TRY(ops_need(c, 1));
    TRY(ops_output(c, 0, DTYPE_INT64, 0, NULL));
    *(int64_t *)c->outputs[0].data = (int64_t)tensor_count(c->inputs[0]);
    return MINNOW_OK;
}

/* --- New shapes --------------------------------------------------------------------------------------------------- */

minnow_status ops_identity(op_context *c) {
    TRY(ops_need(c, 1));
    return ops_view(c, 0, 0, c->inputs[0]->rank, c->inputs[0]->dims);
}

/* The dim that -1 stands for: what x has over what the other dims hold. Copied dims count on neither side, so that an
 * empty batch leaves the rest of the shape as it is. */
static minnow_status open_dim(op_context *c, const tensor *x, unsigned copied, const int64_t *dims, int rank, int open,
                              int64_t *out) {
    int64_t have = 1, rest = 1;
    for (int d = 0; d < x->rank; d++)
        if (!(copied >> d & 1)) have *= x->dims[d];
    for (int d = 0; d < rank; d++)
        if (d != open && !(copied >> d & 1)) rest *= dims[d];
    if (rest == 0 ? have != 0 : have % rest != 0)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%lld elements do not fill dims of %lld", (long long)have,
                         (long long)rest);
    *out = rest == 0 ? 0 : have / rest;
    return MINNOW_OK;
}

minnow_status ops_reshape(op_context *c) {
    const int allow_zero = c->node->opset >= 14 && graph_node_int(c->node, "allowzero", 0) != 0;
    int64_t dims[TENSOR_MAX_RANK], known = 1;
    int open = -1;
    unsigned copied = 0;
    size_t rank;
    TRY(ops_need(c, 2));
    const tensor *x = c->inputs[0];
    TRY(ops_ints(c, 1, dims, TENSOR_MAX_RANK, &rank));
    for (int d = 0; d < (int)rank; d++) {
        if (dims[d] == 0 && !allow_zero) {
            if (d >= x->rank)
                return error_set(c->error, MINNOW_ERROR_FORMAT, "dim %d is copied from an input of rank %d", d,
                                 x->rank);
            dims[d] = x->dims[d];
            copied |= 1u << d;
        }
        if (dims[d] == -1 && open < 0) {
            open = d;
            continue;
        }
        if (dims[d] < 0) return error_set(c->error, MINNOW_ERROR_FORMAT, "dim %d is %lld", d, (long long)dims[d]);
        if (dims[d] != 0 && known > INT64_MAX / dims[d])
            return error_set(c->error, MINNOW_ERROR_FORMAT, "dims overflow");
        known *= dims[d] ? dims[d] : 1;
    }
    if (open >= 0) TRY(open_dim(c, x, copied, dims, (int)rank, open, &dims[open]));
    return ops_view(c, 0, 0, (int)rank, dims);
}

minnow_status ops_flatten(op_context *c) {
    int64_t axis = graph_node_int(c->node, "axis", 1), dims[2] = {1, 1};
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    if (axis < 0) axis += x->rank;
    if (axis < 0 || axis > x->rank)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "the axis is outside rank %d", x->rank);
    for (int d = 0; d < x->rank; d++) {
        int64_t *to = &dims[d >= axis];
        if (x->dims[d] != 0 && *to > INT64_MAX / x->dims[d])
            return error_set(c->error, MINNOW_ERROR_FORMAT, "dims overflow");
        *to *= x->dims[d];
    }
    return ops_view(c, 0, 0, 2, dims);
}

minnow_status ops_squeeze(op_context *c) {
    int axes[TENSOR_MAX_RANK], rank = 0;
    int64_t dims[TENSOR_MAX_RANK];
    unsigned gone = 0;
    size_t n;
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    TRY(ops_axes(c, 1, x->rank, axes, &n));
    for (size_t i = 0; i < n; i++) {
        if (x->dims[axes[i]] != 1)
            return error_set(c->error, MINNOW_ERROR_FORMAT, "axis %d has %lld elements", axes[i],
                             (long long)x->dims[axes[i]]);
        gone |= 1u << axes[i];
    }
    for (int d = 0; d < x->rank; d++)
        if (n ? !(gone >> d & 1) : x->dims[d] != 1) dims[rank++] = x->dims[d];
    return ops_view(c, 0, 0, rank, dims);
}

minnow_status ops_unsqueeze(op_context *c) {
    const graph_attribute *a = graph_node_attribute(c->node, "axes");
    int64_t given[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
    unsigned added = 0;
    size_t n = 0;
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    if (ops_has_input(c, 1)) {
        TRY(ops_ints(c, 1, given, TENSOR_MAX_RANK, &n));
    } else if (a && a->type == ATTRIBUTE_INTS && a->n <= TENSOR_MAX_RANK) {
        n = a->n;
        if (n) memcpy(given, a->ints, n * sizeof *given);
    } else {
        return error_set(c->error, MINNOW_ERROR_FORMAT, "no axes");
    }
    const int rank = x->rank + (int)n;
    if (rank > TENSOR_MAX_RANK) return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "rank %d not supported", rank);
    for (size_t i = 0; i < n; i++) {
        int axis;
        TRY(ops_axis(c, given[i], rank, &axis));
        if (added >> axis & 1) return error_set(c->error, MINNOW_ERROR_FORMAT, "axis %d stands twice", axis);
        added |= 1u << axis;
    }
    for (int d = 0, from = 0; d < rank; d++) dims[d] = added >> d & 1 ? 1 : x->dims[from++];
    return ops_view(c, 0, 0, rank, dims);
}

/* Inference: the input as it is; the mask keeps all. */
minnow_status ops_dropout(op_context *c) {
    TRY(ops_need(c, 1));
    const tensor *x = c->inputs[0];
    const int trains = ops_has_input(c, 2) && tensor_count(c->inputs[2]) == 1 && ops_scalar_int(c->inputs[2], 0) != 0;
    double ratio = 0.5;
    if (ops_has_input(c, 1)) TRY(ops_one_scalar(c, 1, &ratio));
    if (trains && ratio != 0)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "training mode not supported");
    TRY(ops_view(c, 0, 0, x->rank, x->dims));
    if (c->n_outputs > 1) {
        TRY(ops_output(c, 1, DTYPE_BOOL, x->rank, x->dims));
        memset(c->outputs[1].data, 1, tensor_count(x));
    }
    return MINNOW_OK;
}

/* --- Types -------------------------------------------------------------------------------------------------------- */

typedef struct cast_job {
    const tensor *in;
    tensor *out;
} cast_job;

static void cast_range(void *context, size_t begin, size_t end, size_t part) {
    const cast_job *j = context;
    (void)part;
    lanes_cast(j->in->type, (const char *)j->in->data + begin * dtype_bytes(j->in->type), j->out->type,
               (char *)j->out->data + begin * dtype_bytes(j->out->type), end - begin);
}

minnow_status ops_cast(op_context *c) {
    const int like = ops_variant(c) == 1;
    TRY(ops_need(c, like ? 2 : 1));
    const tensor *x = c->inputs[0];
    const int64_t to = like ? (int64_t)c->inputs[1]->type : graph_node_int(c->node, "to", 0);
    const dtype type = to > 0 && to <= DTYPE_BFLOAT16 ? (dtype)to : DTYPE_UNDEFINED;
    if (dtype_bytes(type) == 0)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "type %lld not supported", (long long)to);
    if (type == x->type) return ops_view(c, 0, 0, x->rank, x->dims);
    TRY(ops_output(c, 0, type, x->rank, x->dims));
    cast_job j = {x, &c->outputs[0]};
    ops_parallel(c, tensor_count(x), 64, 4, cast_range, &j);
    return MINNOW_OK;
}
