/* SPDX-License-Identifier: Apache-2.0
 * What the files of qdq share: pieces of the graph, each named by the builder's scope.
 *
 * Shapes in comments: b batch, s sequence, h hidden. */
#ifndef MINNOW_CONVERT_QDQ_PARTS_H
#define MINNOW_CONVERT_QDQ_PARTS_H

#include "convert/compose/pieces.h"
#include "convert/qdq/qdq.h"

/* --- Linear layers (linear.c) ------------------------------------------------------------------------------------- */
/* Constants of the scope that borrow their data. */
int32_t qdq_floats(builder *b, const char *leaf, const float *x, size_t n);
/* x [.., n] -> codes and back, as values: x multiplier + offset, rounded. A NULL quantizer: x has been scaled. */
int32_t qdq_quantize(builder *b, int32_t x, const int8_quantizer *q, size_t n);

/* y' = y multiplier + offset, of some outputs of a matrix; NULL: 1, 0. */
typedef struct qdq_fold {
    const double *multiplier, *offset; /* [n] */
} qdq_fold;
/* codes [.., k] -> [.., n] of outputs first .. first + n - 1 */
int32_t qdq_linear(builder *b, int32_t codes, const char *module, const int8_matrix *w, size_t first, size_t n,
                   const qdq_fold *fold);

/* --- Embeddings (embeddings.c) ------------------------------------------------------------------------------------ */
/* The sum of words, positions and token types, before the norm: [b, s, h]. */
int32_t qdq_embeddings(builder *b, int32_t ids, int32_t type_ids, const int8_model *m, const qdq_types *types);

#endif
