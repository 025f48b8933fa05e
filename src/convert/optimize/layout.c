/* SPDX-License-Identifier: Apache-2.0
 * Layouts: axes as groups of parts, regrouped by reshapes and permuted by transposes. */
#include "convert/optimize/layout.h"

#include <string.h>

void layout_clear(layout *l) { memset(l, 0, sizeof *l); }

void layout_add_axis(layout *l, layout_part part, int64_t size) {
    if (size != 1 && l->n_parts < LAYOUT_MAX_PARTS) {
        l->parts[l->n_parts] = part;
        l->sizes[l->n_parts++] = size;
    }
    l->ends[l->rank++] = l->n_parts;
}

/* Features [head * dim] at part i become head, dim. */
static int split_features(layout *l, int i, int64_t heads) {
    if (l->parts[i] != LAYOUT_FEATURES || heads <= 1 || l->sizes[i] % heads != 0 || l->sizes[i] == heads ||
        l->n_parts >= LAYOUT_MAX_PARTS) return 0;
    memmove(&l->parts[i + 1], &l->parts[i], (size_t)(l->n_parts - i) * sizeof l->parts[0]);
    memmove(&l->sizes[i + 1], &l->sizes[i], (size_t)(l->n_parts - i) * sizeof l->sizes[0]);
    l->parts[i] = LAYOUT_HEAD;
    l->sizes[i] = heads;
    l->parts[i + 1] = LAYOUT_DIM;
    l->sizes[i + 1] /= heads;
    l->n_parts++;
    return 1;
}

int layout_reshape(layout *l, int rank, const graph_dim *dims) {
    int next = 0, d;
    if (rank < 0 || rank > TENSOR_MAX_RANK) return 0;
    for (d = 0; d < rank; d++) {
        int64_t left = dims[d].size;
        if (left < 1) return 0;
        while (left > 1) { /* parts are larger than 1: each round divides */
            if (next == l->n_parts) return 0;
            if (left % l->sizes[next] != 0 && !split_features(l, next, left)) return 0;
            left /= l->sizes[next++];
        }
        l->ends[d] = next;
    }
    l->rank = rank;
    return next == l->n_parts;
}

int layout_transpose(layout *l, const int64_t *perm, size_t n) {
    const layout from = *l;
    unsigned seen = 0;
    int d, i;
    if (n != (size_t)l->rank) return 0;
    l->n_parts = 0;
    for (d = 0; d < l->rank; d++) {
        const int64_t axis = perm[d];
        if (axis < 0 || axis >= from.rank || (seen & 1u << axis) != 0) return 0;
        seen |= 1u << axis;
        for (i = axis > 0 ? from.ends[axis - 1] : 0; i < from.ends[axis]; i++) {
            l->parts[l->n_parts] = from.parts[i];
            l->sizes[l->n_parts++] = from.sizes[i];
        }
        l->ends[d] = l->n_parts;
    }
    return 1;
}

int layout_axes_are(const layout *l, int first, int last, const layout_part *parts) {
    int i = first > 0 ? l->ends[first - 1] : 0;
    const int end = last > 0 ? l->ends[last - 1] : 0;
    for (; *parts != 0; parts++) {
        if (i < end && l->parts[i] == *parts) i++;
        else if (layout_size(l, *parts) != 1) return 0; /* it stands somewhere else */
    }
    return i == end;
}

int64_t layout_size(const layout *l, layout_part part) {
    int i;
    for (i = 0; i < l->n_parts; i++)
        if (l->parts[i] == part) return l->sizes[i];
    return 1;
}

void layout_name_one_head(layout *l) {
    int i;
    for (i = 0; i < l->n_parts; i++)
        if (l->parts[i] == LAYOUT_FEATURES) l->parts[i] = LAYOUT_DIM;
}

int layout_same(const layout *a, const layout *b) {
    int i;
    if (a->rank != b->rank || a->n_parts != b->n_parts) return 0;
    for (i = 0; i < a->rank; i++)
        if (a->ends[i] != b->ends[i]) return 0;
    for (i = 0; i < a->n_parts; i++)
        if (a->parts[i] != b->parts[i] || a->sizes[i] != b->sizes[i]) return 0;
    return 1;
}
