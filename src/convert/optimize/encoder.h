/* SPDX-License-Identifier: Apache-2.0
 *
 * The encoder that a graph computes: BERT's weights by their role, whatever exporter wrote the graph.
 *
 *     h = norm(words[id] + positions[t])                        token type 0 is added to the positions
 *     layer:  q, k, v = linear(h);  a = softmax(q k^T * attention_scale) v;  h = norm(h + output(a))
 *             h = norm(h + down(gelu(up(h))))
 *
 * optimize_encoder follows the graph from the ids to the last hidden state and names the node at which it stops
 * understanding; a graph that computes anything else than this is refused, never approximated. */
#ifndef MINNOW_CONVERT_ENCODER_H
#define MINNOW_CONVERT_ENCODER_H

#include "base/arena.h"
#include "convert/graph/graph.h"

typedef struct encoder_linear { /* y = W x + b */
    size_t n, k;         /* outputs, inputs */
    const float *weight; /* [n, k], row-major: one row an output */
    const float *bias;   /* [n]; zeros if the graph has none */
    const char *name;    /* of the node that multiplies, for reports */
} encoder_linear;

typedef struct encoder_norm {
    const float *gamma, *beta; /* [hidden] */
    float epsilon;
} encoder_norm;

typedef struct encoder_layer {
    encoder_linear query, key, value, output; /* [hidden, hidden] */
    encoder_norm attention_norm;
    encoder_linear up, down;                  /* [intermediate, hidden], [hidden, intermediate] */
    encoder_norm output_norm;
} encoder_layer;

typedef struct encoder {
    size_t n_layers, hidden, n_heads, intermediate, n_vocab, n_positions;
    float attention_scale;   /* 1 / sqrt(hidden / n_heads), as the graph has it */
    const float *words;      /* [n_vocab, hidden] */
    const float *positions;  /* [n_positions, hidden], with token type 0's row added */
    size_t n_types;          /* 0: the graph does not ask for token types */
    const float *types;      /* [n_types, hidden] as the graph has them, type 0 too; NULL if there are none */
    encoder_norm embedding_norm;
    encoder_layer *layers;   /* [n_layers] */
    arena memory;            /* holds what had to be transposed or summed; the rest points into the graph */
    graph *unfused;          /* the graph without onnxruntime's fused operators; NULL: it has none */
} encoder;

/* The graph must have its shapes inferred (graph_infer_shapes) and outlive the encoder. Refuses NaN and infinite
 * weights by tensor name. Messages name the node or tensor: "node 17 'MatMul_4' (MatMul): expected ...". */
minnow_status optimize_encoder(encoder **out, const graph *g, minnow_error *error);
void encoder_close(encoder **e);

#endif
