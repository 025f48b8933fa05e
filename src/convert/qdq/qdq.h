/* SPDX-License-Identifier: Apache-2.0
 * INT8 model -> a graph of ONNX's standard operators that any runtime opens: QuantizeLinear, DequantizeLinear (QDQ).
 *
 *     x ─▶ Mul ─▶ Add ─▶ QuantizeLinear ─▶ DequantizeLinear ─▶ MatMul ─▶ Add ─▶ y          one linear layer
 *        multiplier offset   1, 128 (uint8)      1, 128          ▲       bias
 *                                  weights (int8) ─▶ DequantizeLinear, a scale for each output (axis 1)
 *
 * A code is the engine's plus 128, since runtimes multiply uint8 by int8 fastest; the multiplier and offset of each
 * channel (equalization, centre) are the engine's own. So codes are what run/model/model.h says, and the sums of a
 * runtime that fuses the pattern are the engine's. Attention is in float: queries, keys and values are not rounded, nor
 * are its weights. What the engine does with their codes is folded into scale and bias of their matrices, that is
 *
 *     query   score_scale[h] ln(2)      softmax takes e^x where the engine takes 2^x
 *     value   the context's multiplier and offset: attention's weights sum to 1, so its result is what is rounded
 *
 * Tables stay codes: Gather of codes, Cast, Mul by the Gather of scales. */
#ifndef MINNOW_CONVERT_QDQ_H
#define MINNOW_CONVERT_QDQ_H

#include "convert/graph/graph.h"
#include "run/model/model.h"

#define QDQ_OPSET 17 /* the first with LayerNormalization */

/* What the INT8 model does not hold: it knows token type 0 alone. */
typedef struct qdq_types {
    size_t n;          /* 0: the graph gets no input token_type_ids */
    const float *rows; /* [n, hidden], type 0 first */
} qdq_types;

/* int64 input_ids, attention_mask, token_type_ids [batch_size, sequence_length] -> last_hidden_state [batch_size,
 * sequence_length, hidden]. The graph points into the model, which must outlive it. `types` may be NULL (none). A model
 * whose scales leave a float's range when they are folded is refused by the matrix. */
minnow_status qdq_graph(graph **out, const int8_model *m, const qdq_types *types, minnow_error *error);

#endif
