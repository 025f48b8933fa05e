/* SPDX-License-Identifier: Apache-2.0
 * Pieces of a BERT's forward pass that are the same however its weights are held.
 *
 * Shapes in comments: b batch, s sequence, h hidden, n heads, d = h / n. */
#ifndef MINNOW_CONVERT_COMPOSE_PIECES_H
#define MINNOW_CONVERT_COMPOSE_PIECES_H

#include "convert/compose/builder.h"

int32_t piece_transpose(builder *b, int32_t x, int64_t p0, int64_t p1, int64_t p2, int64_t p3);
/* x * (erf(x / sqrt(2)) + 1) * 0.5, in the operators that runtimes know as GELU */
int32_t piece_gelu(builder *b, int32_t x);
/* LayerNormalization over the last dimension. */
int32_t piece_layer_norm(builder *b, int32_t x, int32_t gamma, int32_t beta, float epsilon);
/* ids [b, s] -> [s]; then the first s rows of a table [positions, ...] -> [s, ...]. A text longer than the table: the
 * rows have shapes that match nothing. */
int32_t piece_length(builder *b, int32_t ids);
int32_t piece_first_rows(builder *b, int32_t table, int32_t length);
/* mask [b, s] of 0 and 1 -> what is added to the scores, [b, 1, 1, s]: 0, or the lowest float where nothing may look */
int32_t piece_attention_bias(builder *b, int32_t mask);

/* Shapes [b, s, h] <-> [b, s, n, d]. */
typedef struct piece_heads {
    int32_t split, join;
} piece_heads;
piece_heads piece_heads_of(builder *b, int64_t n_heads, int64_t hidden);
/* q, k, v [b, s, h] -> [b, s, h]: softmax(Q K^T / divisor + bias) V, head by head. No divisor: GRAPH_NO_VALUE. */
int32_t piece_attention(builder *b, int32_t q, int32_t k, int32_t v, int32_t bias, piece_heads heads, int32_t divisor);

#endif
