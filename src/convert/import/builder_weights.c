/* SPDX-License-Identifier: Apache-2.0
 * Tensors of a weights file -> constants of a graph that is being written. */
#include "convert/import/builder_weights.h"

#include <stdio.h>
#include <string.h>

#include "convert/import/weights.h"

/* The tensor in the file; `name` becomes its name there, the prefix left out. */
static const tensor *find_weight(builder *b, const char *leaf, char name[BUILDER_NAME_BYTES]) {
    const builder_weights *w = b->weights;
    char stored[BUILDER_NAME_BYTES * 2];
    const char *const old = strcmp(leaf, "weight") == 0 ? "gamma" : "beta";
    const tensor *t;
    builder_constant_name(b, leaf, name);
    snprintf(stored, sizeof stored, "%s%s", w->prefix, name);
    t = safetensors_find(w->file, stored);
    if (t == NULL && strstr(name, "LayerNorm.") != NULL) {
        char old_name[BUILDER_NAME_BYTES];
        builder_constant_name(b, old, old_name);
        snprintf(stored, sizeof stored, "%s%s", w->prefix, old_name);
        t = safetensors_find(w->file, stored);
    }
    if (t == NULL)
        builder_fail(b, error_set(b->error, MINNOW_ERROR_FORMAT, "tensor '%.100s%.200s' is missing", w->prefix, name));
    return t;
}

static int32_t add_weight(builder *b, const char *leaf, int rank, const int64_t *dims) {
    char name[BUILDER_NAME_BYTES];
    const tensor *stored;
    tensor t;
    if (b->status != MINNOW_OK || (stored = find_weight(b, leaf, name)) == NULL) return GRAPH_NO_VALUE;
    builder_fail(b, weights_load(&t, stored, name, rank, dims, &b->g->memory, b->error));
    return b->status != MINNOW_OK ? GRAPH_NO_VALUE : builder_named_constant(b, name, &t);
}

int32_t builder_vector(builder *b, const char *name, int64_t n) { return add_weight(b, name, 1, &n); }

int32_t builder_matrix(builder *b, const char *name, int64_t rows, int64_t columns) {
    const int64_t dims[2] = {rows, columns};
    return add_weight(b, name, 2, dims);
}

int32_t builder_matrix_transposed(builder *b, const char *leaf, int64_t rows, int64_t columns) {
    char name[BUILDER_NAME_BYTES + 2];
    const tensor *stored;
    tensor t;
    if (b->status != MINNOW_OK || (stored = find_weight(b, leaf, name)) == NULL) return GRAPH_NO_VALUE;
    builder_fail(b, weights_load_transposed(&t, stored, name, rows, columns, &b->g->memory, b->error));
    strcat(name, "_t"); /* not the tensor of that name any more */
    return b->status != MINNOW_OK ? GRAPH_NO_VALUE : builder_named_constant(b, name, &t);
}
