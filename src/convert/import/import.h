/* SPDX-License-Identifier: Apache-2.0
 * A folder in sentence-transformers layout -> graph and settings. */
#ifndef MINNOW_CONVERT_IMPORT_H
#define MINNOW_CONVERT_IMPORT_H

#include "convert/graph/graph.h"

typedef struct import_options {
    int pooled; /* adds the output sentence_embedding [batch_size, hidden]: pooled as the settings say, L2-normalized if they say so */
} import_options;

/* config.json + model.safetensors -> the FP32 encoder graph (opset 17): int64 input_ids, attention_mask, token_type_ids
 * [batch_size, sequence_length] -> last_hidden_state [batch_size, sequence_length, hidden]. Weights are used in place in the
 * mapped file where they are float32 and aligned. BERT family only (model_type bert); others are refused by name. */
minnow_status import_folder(graph **out, const char *folder, const import_options *options, minnow_error *error);

/* What a model's small JSON files say of how its vectors are made. */
typedef struct model_settings {
    minnow_pooling pooling;  /* MINNOW_POOLING_DEFAULT if nothing says */
    int normalize;           /* 1, 0; -1 if nothing says (modules.json lists a Normalize module or not) */
    size_t max_tokens;       /* sentence_bert_config.json; 0 if nothing says */
    size_t max_positions;    /* config.json; 0 if nothing says */
    char *name;              /* config.json _name_or_path or the folder's name; malloc'd, may be NULL */
} model_settings;
/* Reads 1_Pooling/config.json, modules.json, sentence_bert_config.json and config.json of a folder, each if it is there. */
minnow_status settings_read(model_settings *out, const char *folder, minnow_error *error);
void settings_free(model_settings *s);

#endif
