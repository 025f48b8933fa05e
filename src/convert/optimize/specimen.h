/* SPDX-License-Identifier: Apache-2.0
 * A specimen: the same graph for a batch of so many texts of so many tokens, in which every size is a number. */
#ifndef MINNOW_CONVERT_OPTIMIZE_SPECIMEN_H
#define MINNOW_CONVERT_OPTIMIZE_SPECIMEN_H

#include "convert/graph/graph.h"

typedef struct specimen {
    graph *g;
    int64_t batch, tokens;
} specimen;

/* Values and nodes have the original's numbers; names, constants and attributes are borrowed from it. Inputs of rank 2
 * get [batch, tokens] where they declare no numbers; out->batch and out->tokens are what `ids` has. */
minnow_status specimen_create(specimen *out, const graph *original, int32_t ids, int64_t batch, int64_t tokens,
                              minnow_error *error);
void specimen_close(specimen *s);

#endif
