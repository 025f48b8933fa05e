/* SPDX-License-Identifier: Apache-2.0
 * The BERT family (BERT, MiniLM, BGE, E5, GTE): its config.json, and its graph. */
#ifndef MINNOW_CONVERT_IMPORT_BERT_H
#define MINNOW_CONVERT_IMPORT_BERT_H

#include "convert/import/builder_weights.h"
#include "convert/import/import.h"
#include "convert/json/json.h"

typedef enum bert_activation { BERT_GELU, BERT_GELU_TANH, BERT_RELU } bert_activation;

typedef struct bert_config {
    int64_t vocab, positions, types, hidden, intermediate, layers, heads;
    float epsilon; /* of LayerNorm */
    bert_activation activation;
} bert_config;

/* config.json -> sizes. Refuses by name what is not this family or not done here. Missing keys mean BERT's defaults. */
minnow_status bert_config_read(bert_config *out, yyjson_val *root, minnow_error *error);

/* Writes the forward pass into b->g: inputs, encoder, last_hidden_state, and sentence_embedding if `pooled`. */
void bert_build(builder *b, const bert_config *c, const model_settings *settings, int pooled);

/* What stands before the tensors' names ("", "bert.", ...): copied into out. Refuses a file without word embeddings. */
minnow_status bert_find_prefix(const safetensors *weights, char *out, size_t capacity, minnow_error *error);

#endif
