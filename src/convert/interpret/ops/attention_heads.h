/* SPDX-License-Identifier: Apache-2.0
 * Attention over float32 heads, wherever they lie: what com.microsoft's Attention, MultiHeadAttention and QAttention
 * and ai.onnx's Attention share.
 *
 *   scores = cap(q k^T * scale) (+ mask) (+ bias),  out = softmax(scores) v        for each text and head
 *
 * Scores exist for a block of queries only, so memory grows with the keys and the threads, not with queries * keys. */
#ifndef MINNOW_CONVERT_INTERPRET_OPS_ATTENTION_HEADS_H
#define MINNOW_CONVERT_INTERPRET_OPS_ATTENTION_HEADS_H

#include "convert/interpret/ops/ops.h"

/* [batch, heads, rows, columns]; strides in elements, columns side by side. A stride of 0 repeats. */
typedef struct attention_heads {
    const float *data;
    int64_t batch, head, row;
} attention_heads;

/* What is shown of the scores, by ai.onnx's numbers. */
enum { ATTENTION_SHOW_PRODUCT, ATTENTION_SHOW_CAPPED, ATTENTION_SHOW_MASKED, ATTENTION_SHOW_SOFTMAX };

typedef struct attention {
    size_t batch, n_heads, n_queries, n_keys, head_size, value_size;
    size_t n_key_heads;          /* 0: n_heads; else n_heads is a multiple: neighbouring heads share keys and values */
    attention_heads q, k, v;
    float scale;                 /* 0: 1 / sqrt(head_size) */
    attention_heads mask, bias;  /* added to the scores, in this order; data NULL: none */
    int is_causal;               /* query i sees the keys up to i + n_past, the others' scores become causal_value */
    size_t n_past;
    float causal_value;
    float cap;                   /* 0: none; else scores = cap * tanh(scores / cap), before the mask */
    int masked_is_zero;          /* a query whose scores are all -inf gets zeros instead of NaN */
    float *out;                  /* [batch, n_queries, n_heads, value_size] unless strides are given */
    int64_t out_batch, out_head, out_row;
    float *show;                 /* [batch, n_heads, n_queries, n_keys]; NULL: not asked for */
    int show_what;
} attention;

/* Runs it; counts its work and memory. Sizes must fit the tensors they are of. */
minnow_status attention_run(op_context *c, const attention *a);

/* Input `input`, an int32 (or int64) mask of com.microsoft, as a->mask: `filter` is added where a key is masked. a's
 * sizes must be set. The forms: [batch] lengths; [2 batch] ends, then starts; [batch, keys] and [batch, queries, keys],
 * 0 being masked; [batch or 1, 1] does nothing. */
minnow_status attention_read_mask(op_context *c, size_t input, float filter, attention *a);
/* Input `input`, float32 [1 or batch, 1 or heads, queries, keys], as a->bias. */
minnow_status attention_read_bias(op_context *c, size_t input, attention *a);

#endif
