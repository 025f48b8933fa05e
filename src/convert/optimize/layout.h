/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands on each axis of a value while attention reshapes and transposes it:
 *
 *     [batch, tokens, features]  -Reshape->   [batch, tokens, head, dim]  -Transpose->  [batch, head, tokens, dim]
 *
 * A reshape keeps the order of the elements, so it keeps the order of the parts and only groups them anew (splitting
 * features into head and dim where the sizes say so); a transpose permutes the groups. Parts of size 1 are left out. */
#ifndef MINNOW_CONVERT_OPTIMIZE_LAYOUT_H
#define MINNOW_CONVERT_OPTIMIZE_LAYOUT_H

#include "convert/graph/graph.h"

typedef enum layout_part {
    LAYOUT_BATCH = 1,
    LAYOUT_QUERY,    /* tokens that ask */
    LAYOUT_KEY,      /* tokens that are looked at */
    LAYOUT_FEATURES, /* head and dim, not yet split */
    LAYOUT_HEAD,
    LAYOUT_DIM
} layout_part;

#define LAYOUT_MAX_PARTS 6

typedef struct layout {
    int rank;
    int n_parts;
    layout_part parts[LAYOUT_MAX_PARTS]; /* in row-major order */
    int64_t sizes[LAYOUT_MAX_PARTS];
    int ends[TENSOR_MAX_RANK];           /* axis d holds parts [ends[d - 1], ends[d]) */
} layout;

void layout_clear(layout *l);
/* Appends an axis of one part. */
void layout_add_axis(layout *l, layout_part part, int64_t size);
/* Returns 0 if the shape does not group the parts. */
int layout_reshape(layout *l, int rank, const graph_dim *dims);
int layout_transpose(layout *l, const int64_t *perm, size_t n);
/* The parts of axes [first, last) are these, in this order (0 ends the list; parts of size 1 do not count). */
int layout_axes_are(const layout *l, int first, int last, const layout_part *parts);
int64_t layout_size(const layout *l, layout_part part); /* 1 if it is not there */
int layout_same(const layout *a, const layout *b);
/* Features that were never split are the dim of one head. */
void layout_name_one_head(layout *l);

#endif
