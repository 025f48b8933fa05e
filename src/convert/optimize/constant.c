/* SPDX-License-Identifier: Apache-2.0
 * Weights: a constant of the graph, behind what exporters put between it and its use, as float32 elements.
 *
 *     W float16 [n, k] -Transpose-> [k, n] -Cast-> float32 [k, n]   gives   float32 [k, n]
 *
 * Transposing twice costs nothing: the turns are counted before anything is copied. */
#include <stdlib.h>
#include <string.h>

#include "convert/math/math.h"
#include "convert/optimize/match.h"

#define CONSTANT_MAX_DEPTH 16 /* nodes between a weight and its use */

/* A constant and how it is looked at. */
typedef struct constant_view {
    const tensor *t;
    int32_t value;
    int transposed; /* rank 2 */
} constant_view;

static int is_weight_type(dtype t) {
    return t == DTYPE_FLOAT32 || t == DTYPE_FLOAT16 || t == DTYPE_BFLOAT16 || t == DTYPE_FLOAT64;
}

static int swaps_two_axes(const graph_node *node) {
    const graph_attribute *perm = graph_node_attribute(node, "perm");
    return perm == NULL || (perm->type == ATTRIBUTE_INTS && perm->n == 2 && perm->ints[0] == 1 && perm->ints[1] == 0);
}

/* Follows the value back to a constant; reshapes only where no transposing is on the way. */
static int find(const matcher *m, int32_t value, constant_view *out) {
    int depth, reshaped = 0;
    memset(out, 0, sizeof *out);
    for (depth = 0; depth < CONSTANT_MAX_DEPTH && value >= 0; depth++) {
        const graph_node *node;
        value = match_value(m, value);
        if (m->g->values[value].constant != NULL) {
            out->t = m->g->values[value].constant;
            out->value = value;
            return is_weight_type(out->t->type);
        }
        node = match_node(m, value);
        if (node == NULL || !match_has_input(node, 0)) return 0;
        if (match_is_op(node, "Transpose") && m->g->values[value].rank == 2 && swaps_two_axes(node) && !reshaped) {
            out->transposed = !out->transposed;
        } else if ((match_is_op(node, "Reshape") || match_is_op(node, "Unsqueeze") || match_is_op(node, "Squeeze") ||
                    match_is_op(node, "Flatten")) && !out->transposed) {
            reshaped = 1;
        } else {
            return 0;
        }
        value = node->inputs[0];
    }
    return 0;
}

int constant_is(const matcher *m, int32_t value) {
    constant_view view;
    return value >= 0 && find(m, value, &view);
}

static float element(const tensor *t, size_t i) {
    switch (t->type) {
    case DTYPE_FLOAT16: return math_half_to_float(((const uint16_t *)t->data)[i]);
    case DTYPE_BFLOAT16: return math_bfloat16_to_float(((const uint16_t *)t->data)[i]);
    case DTYPE_FLOAT64: return (float)((const double *)t->data)[i];
    default: return ((const float *)t->data)[i];
    }
}

static minnow_status refuse_nonfinite(const matcher *m, const char *name, const float *x, size_t n) {
    size_t i;
    for (i = 0; i < n; i++) {
        const float zero = x[i] - x[i]; /* NaN for NaN and infinity */
        if (zero != zero)
            return error_set(m->error, MINNOW_ERROR_UNSUPPORTED, "tensor '%s': element %zu is %s", name, i,
                             x[i] != x[i] ? "NaN" : "infinite");
    }
    return MINNOW_OK;
}

/* y [columns, rows] = x [rows, columns]^T, in squares that fit the cache. */
static void transpose(const float *x, size_t rows, size_t columns, float *y) {
    const size_t side = 32;
    size_t i0, j0, i, j;
    for (i0 = 0; i0 < rows; i0 += side)
        for (j0 = 0; j0 < columns; j0 += side)
            for (i = i0; i < rows && i < i0 + side; i++)
                for (j = j0; j < columns && j < j0 + side; j++) y[j * rows + i] = x[i * columns + j];
}

/* The constant's elements as they lie, float32 and finite. */
static minnow_status load_straight(matcher *m, const constant_view *view, const float **out) {
    const size_t count = tensor_count(view->t);
    const float **loaded = &m->loaded[view->value].straight;
    float *widened;
    size_t i;
    if (*loaded == NULL && view->t->type == DTYPE_FLOAT32) {
        TRY(refuse_nonfinite(m, match_info(m, view->value)->name, view->t->data, count));
        *loaded = view->t->data;
    } else if (*loaded == NULL) {
        widened = arena_array(&m->e->memory, count, sizeof *widened);
        if (widened == NULL) return match_out_of_memory(m);
        for (i = 0; i < count; i++) widened[i] = element(view->t, i);
        TRY(refuse_nonfinite(m, match_info(m, view->value)->name, widened, count));
        *loaded = widened;
    }
    *out = *loaded;
    return MINNOW_OK;
}

/* The same as a matrix [rows, columns], transposed; once for each constant, however often it is used. */
static minnow_status load_turned(matcher *m, const constant_view *view, int64_t rows, int64_t columns,
                                 const float **out) {
    loaded_constant *loaded = &m->loaded[view->value];
    const float *straight;
    float *turned;
    TRY(load_straight(m, view, &straight));
    if (loaded->turned != NULL && loaded->turned_rows != rows)
        return match_fail(m, view->value, "expected one shape wherever it is used");
    if (loaded->turned == NULL) {
        turned = arena_array(&m->e->memory, tensor_count(view->t), sizeof *turned);
        if (turned == NULL) return match_out_of_memory(m);
        transpose(straight, (size_t)rows, (size_t)columns, turned);
        loaded->turned = turned;
        loaded->turned_rows = rows;
    }
    *out = loaded->turned;
    return MINNOW_OK;
}

minnow_status constant_load(matcher *m, int32_t value, int transposed, tensor *out) {
    const graph_value *info = match_info(m, value);
    constant_view view;
    const float *data;
    int d, turn;
    if (!find(m, value, &view)) return match_fail(m, value, "expected float weights that are constant");
    turn = view.transposed != transposed;
    memset(out, 0, sizeof *out);
    out->type = DTYPE_FLOAT32;
    out->rank = info->rank;
    for (d = 0; d < info->rank; d++) {
        out->dims[d] = info->dims[transposed ? info->rank - 1 - d : d].size;
        if (out->dims[d] < 1) return match_fail(m, value, "expected weights of a known shape");
    }
    if (info->rank < 0 || tensor_count(out) != tensor_count(view.t) || (turn && out->rank != 2))
        return match_fail(m, value, "expected weights of a known shape");
    TRY(turn ? load_turned(m, &view, out->dims[1], out->dims[0], &data) : load_straight(m, &view, &data));
    out->data = (void *)(uintptr_t)data;
    return MINNOW_OK;
}

minnow_status constant_load_vector(matcher *m, int32_t value, size_t n, const float **out) {
    tensor t;
    TRY(constant_load(m, value, 0, &t));
    if (tensor_count(&t) != n || t.rank < 1 || t.dims[t.rank - 1] != (int64_t)n)
        return match_fail(m, value, "expected %zu elements", n);
    *out = t.data;
    return MINNOW_OK;
}
