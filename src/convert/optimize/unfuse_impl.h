/* SPDX-License-Identifier: Apache-2.0
 * What the files that take fused operators apart share:
 *
 *     EmbedLayerNormalization  ->  Gather, Gather, first rows, Add, Add, LayerNormalization
 *     Attention                ->  MatMul and Add three times, by columns of the packed weights; heads, scores, softmax
 *     Attention (ai.onnx)      ->  scores, softmax
 *     MultiHeadAttention       ->  Add three times; heads, scores, softmax
 *     SkipLayerNormalization   ->  Add, Add, LayerNormalization
 *     BiasGelu, FastGelu       ->  Add, Gelu
 *     FusedMatMul              ->  Transpose, MatMul, Mul
 *
 * A mask of lengths is EmbedLayerNormalization's number of ones. Texts are padded at their end, where it means what the
 * mask itself means, so the mask is put in its place. */
#ifndef MINNOW_CONVERT_OPTIMIZE_UNFUSE_IMPL_H
#define MINNOW_CONVERT_OPTIMIZE_UNFUSE_IMPL_H

#include "convert/compose/pieces.h"

#define NONE GRAPH_NO_VALUE

typedef struct unfusing {
    builder b;
    const graph *from;
    int32_t *made;          /* per value of `from`: its number in the new graph; NONE: not yet */
    int32_t *mask_of;       /* per value of `from` that counts a mask's ones: the mask, in the new graph; else NONE */
    const graph_node *node; /* the fused one */
} unfusing;

/* --- What the new nodes are made of (unfuse.c) -------------------------------------------------------------------- */

/* Input i in the new graph; NONE: left out. */
int32_t unfuse_input(const unfusing *u, size_t i);
/* Input i as a constant of so many dims; NULL if it is none. */
const tensor *unfuse_constant(const unfusing *u, size_t i, int rank);
/* The fused node's output is this value of the new graph. */
void unfuse_give(unfusing *u, size_t output, int32_t value);
/* The next node makes output 0, under its name if that is free. */
void unfuse_name_output(unfusing *u);
/* Constants of the node's own. The first gives the tensor to fill, NULL if out of memory. */
int32_t unfuse_new_constant(unfusing *u, const char *leaf, dtype type, int rank, const int64_t *dims, tensor **out);
int32_t unfuse_new_sizes(unfusing *u, const char *leaf, const int64_t *sizes, int64_t n);
int32_t unfuse_new_scalar(unfusing *u, const char *leaf, float number);
/* x + bias; x if bias is NONE. */
int32_t unfuse_add(unfusing *u, int32_t x, int32_t bias);
int32_t unfuse_cast(unfusing *u, int32_t x, dtype type);
/* The float type of a value of the old graph; float32 if it is not known. */
dtype unfuse_float_type(const unfusing *u, int32_t value_of_from);

/* --- One operator each: 1 if it was taken apart, 0 if it is to be copied ------------------------------------------ */

/* unfuse_rows.c */
int unfuse_skip_norm(unfusing *u);
int unfuse_bias_gelu(unfusing *u);
int unfuse_fused_matmul(unfusing *u);
int unfuse_embed(unfusing *u);

/* unfuse_attention.c */
int unfuse_attention(unfusing *u);
int unfuse_multi_head_attention(unfusing *u);
int unfuse_standard_attention(unfusing *u);

#endif
