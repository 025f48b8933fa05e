/* SPDX-License-Identifier: Apache-2.0
 * Conv, over any number of axes: the windows become columns, and a matrix product does the rest.
 *
 *     X [N, groups * C, x...]   W [groups * M, C, k...]   B [groups * M]   ->   Y [N, groups * M, y...]
 *     columns [C * k..., y...]:  row (c, k) holds what kernel element k sees of channel c at each place of Y
 *     Y[n, group] [M, y...] = W[group] [M, C * k...] columns + B */
#include <string.h>

#include "base/bytes.h"
#include "convert/interpret/ops/table.h"

#define MAX_SPATIAL (TENSOR_MAX_RANK - 2)

typedef struct conv {
    int n_axes;
    int64_t x[MAX_SPATIAL], kernel[MAX_SPATIAL], y[MAX_SPATIAL], stride[MAX_SPATIAL], dilation[MAX_SPATIAL];
    int64_t before[MAX_SPATIAL], after[MAX_SPATIAL]; /* pads */
    size_t batch, groups, channels, outputs;         /* channels and outputs of one group */
    size_t n_x, n_kernel, n_y;                       /* places of each: products of the above */
} conv;

/* A list attribute of n numbers in [least, 2^31); absent: `out` as it is. */
static minnow_status read_list(op_context *c, const char *name, size_t n, int64_t least, int64_t *out) {
    const graph_attribute *a = graph_node_attribute(c->node, name);
    if (!a) return MINNOW_OK;
    if (a->type != ATTRIBUTE_INTS || a->n != n)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "attribute '%s' must be %zu numbers", name, n);
    for (size_t i = 0; i < n; i++) {
        if (a->ints[i] < least || a->ints[i] > INT32_MAX)
            return error_set(c->error, MINNOW_ERROR_FORMAT, "attribute '%s' holds %lld", name, (long long)a->ints[i]);
        out[i] = a->ints[i];
    }
    return MINNOW_OK;
}

/* SAME_UPPER, SAME_LOWER: y = ceil(x / stride), the odd pad after or before. */
static minnow_status auto_pads(op_context *c, conv *v) {
    const char *mode = graph_node_string(c->node, "auto_pad", "NOTSET");
    const int upper = strcmp(mode, "SAME_UPPER") == 0, lower = strcmp(mode, "SAME_LOWER") == 0;
    if (strcmp(mode, "NOTSET") == 0 || strcmp(mode, "VALID") == 0) return MINNOW_OK;
    if (!upper && !lower) return error_set(c->error, MINNOW_ERROR_FORMAT, "auto_pad '%s'", mode);
    for (int d = 0; d < v->n_axes; d++) {
        const int64_t places = v->x[d] / v->stride[d] + (v->x[d] % v->stride[d] != 0);
        int64_t pads = (places - 1) * v->stride[d] + (v->kernel[d] - 1) * v->dilation[d] + 1 - v->x[d];
        if (pads < 0) pads = 0;
        v->before[d] = upper ? pads / 2 : pads - pads / 2;
        v->after[d] = pads - v->before[d];
    }
    return MINNOW_OK;
}

static minnow_status read_windows(op_context *c, conv *v) {
    const size_t n = (size_t)v->n_axes;
    int64_t given[MAX_SPATIAL], pads[2 * MAX_SPATIAL] = {0};
    memcpy(given, v->kernel, sizeof given);
    TRY(read_list(c, "kernel_shape", n, 1, given));
    TRY(read_list(c, "strides", n, 1, v->stride));
    TRY(read_list(c, "dilations", n, 1, v->dilation));
    TRY(read_list(c, "pads", 2 * n, 0, pads));
    memcpy(v->before, pads, n * sizeof *pads);
    memcpy(v->after, pads + n, n * sizeof *pads);
    for (int d = 0; d < v->n_axes; d++) {
        if (given[d] != v->kernel[d])
            return error_set(c->error, MINNOW_ERROR_FORMAT, "kernel_shape has %lld where the weights have %lld",
                             (long long)given[d], (long long)v->kernel[d]);
        if (v->x[d] > INT32_MAX || v->kernel[d] > INT32_MAX)
            return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "axis %d is too long", d + 2);
    }
    return auto_pads(c, v);
}

static minnow_status count_places(op_context *c, conv *v) {
    v->n_x = v->n_kernel = v->n_y = 1;
    for (int d = 0; d < v->n_axes; d++) {
        const int64_t room = v->x[d] + v->before[d] + v->after[d] - (v->kernel[d] - 1) * v->dilation[d] - 1;
        v->y[d] = room < 0 ? 0 : room / v->stride[d] + 1;
        if (!size_mul(v->n_x, (size_t)v->x[d], &v->n_x) || !size_mul(v->n_kernel, (size_t)v->kernel[d], &v->n_kernel) ||
            !size_mul(v->n_y, (size_t)v->y[d], &v->n_y))
            return error_set(c->error, MINNOW_ERROR_MEMORY, "too many places");
    }
    return MINNOW_OK;
}

static minnow_status plan(op_context *c, conv *v) {
    const tensor *x = c->inputs[0], *w = c->inputs[1];
    const int64_t groups = graph_node_int(c->node, "group", 1);
    char a[96], b[96];
    TRY(ops_same_type(c, 0, 1));
    if (x->type != DTYPE_FLOAT32 && x->type != DTYPE_FLOAT64) return ops_unsupported_type(c, x->type);
    if (x->rank < 3 || w->rank != x->rank || groups < 1 || x->dims[1] % groups != 0 || w->dims[0] % groups != 0 ||
        w->dims[1] != x->dims[1] / groups)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%s by %s in %lld groups", tensor_describe(x, a, sizeof a),
                         tensor_describe(w, b, sizeof b), (long long)groups);
    v->n_axes = x->rank - 2;
    v->batch = (size_t)x->dims[0];
    v->groups = (size_t)groups;
    v->channels = (size_t)w->dims[1];
    v->outputs = (size_t)(w->dims[0] / groups);
    for (int d = 0; d < v->n_axes; d++) {
        v->x[d] = x->dims[d + 2];
        v->kernel[d] = w->dims[d + 2];
        v->stride[d] = v->dilation[d] = 1;
    }
    TRY(read_windows(c, v));
    return count_places(c, v);
}

/* Element `at` of the window of each place along axis d on, within x; 0 outside. `kernel` is the element's place. */
static void fill_row(const conv *v, size_t size, const int64_t *kernel, int d, const char *x, char **to) {
    int64_t inner = 1;
    for (int e = d + 1; e < v->n_axes; e++) inner *= v->x[e];
    for (int64_t y = 0; y < v->y[d]; y++) {
        const int64_t at = y * v->stride[d] - v->before[d] + kernel[d] * v->dilation[d];
        const char *from = x && at >= 0 && at < v->x[d] ? x + (size_t)(at * inner) * size : NULL;
        if (d + 1 < v->n_axes) {
            fill_row(v, size, kernel, d + 1, from, to);
            continue;
        }
        if (from) memcpy(*to, from, size);
        else memset(*to, 0, size);
        *to += size;
    }
}

/* x [channels, x...] -> columns [channels * k..., y...] */
static void fill_columns(const conv *v, size_t size, const char *x, char *columns) {
    for (size_t channel = 0; channel < v->channels; channel++) {
        int64_t kernel[MAX_SPATIAL] = {0};
        for (size_t k = 0; k < v->n_kernel; k++) {
            fill_row(v, size, kernel, 0, x + channel * v->n_x * size, &columns);
            for (int d = v->n_axes - 1; d >= 0 && ++kernel[d] == v->kernel[d]; d--) kernel[d] = 0;
        }
    }
}

static void add_bias(const conv *v, const tensor *bias, tensor *y) {
    for (size_t row = 0; row < v->batch * v->groups * v->outputs; row++) {
        const size_t channel = row % (v->groups * v->outputs);
        for (size_t i = row * v->n_y; i < (row + 1) * v->n_y; i++) {
            if (y->type == DTYPE_FLOAT32) ((float *)y->data)[i] += ((const float *)bias->data)[channel];
            else ((double *)y->data)[i] += ((const double *)bias->data)[channel];
        }
    }
}

static minnow_status convolve(op_context *c, const conv *v) {
    const size_t size = dtype_bytes(c->outputs[0].type), k = v->channels * v->n_kernel;
    const char *x = c->inputs[0]->data, *w = c->inputs[1]->data;
    char *y = c->outputs[0].data;
    void *columns;
    size_t bytes;
    if (!size_mul(k, v->n_y, &bytes) || !size_mul(bytes, size, &bytes))
        return error_set(c->error, MINNOW_ERROR_MEMORY, "too many places");
    TRY(ops_scratch(c, bytes, &columns));
    for (size_t i = 0; i < v->batch * v->groups; i++) {
        const size_t group = i % v->groups;
        TRY(ops_charge_product(c, k, v->n_y, 2));
        fill_columns(v, size, x + i * v->channels * v->n_x * size, columns);
        TRY(matmul_dense(c, c->outputs[0].type, 1, v->outputs, k, v->n_y, w + group * v->outputs * k * size, columns,
                         y + i * v->outputs * v->n_y * size));
    }
    return MINNOW_OK;
}

minnow_status ops_conv(op_context *c) {
    int64_t dims[TENSOR_MAX_RANK];
    conv v = {0};
    TRY(ops_need(c, 2));
    TRY(plan(c, &v));
    dims[0] = c->inputs[0]->dims[0];
    dims[1] = c->inputs[1]->dims[0];
    memcpy(dims + 2, v.y, (size_t)v.n_axes * sizeof *dims);
    if (ops_has_input(c, 2)) {
        TRY(ops_same_type(c, 0, 2));
        if (c->inputs[2]->rank != 1 || c->inputs[2]->dims[0] != dims[1])
            return error_set(c->error, MINNOW_ERROR_FORMAT, "the bias must be %lld numbers", (long long)dims[1]);
    }
    TRY(ops_output(c, 0, c->inputs[0]->type, v.n_axes + 2, dims));
    if (tensor_count(&c->outputs[0]) == 0) return MINNOW_OK;
    TRY(convolve(c, &v));
    if (ops_has_input(c, 2)) add_bias(&v, c->inputs[2], &c->outputs[0]);
    return MINNOW_OK;
}
