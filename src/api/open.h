/* SPDX-License-Identifier: Apache-2.0
 * Opening what lies in files, ONNX and safetensors among them: the part of src/api that needs build time. */
#ifndef MINNOW_API_OPEN_H
#define MINNOW_API_OPEN_H

#include "api/model.h"
#include "convert/import/import.h"

/* Tokens beyond which a text is cut if no file says otherwise: sentence-transformers' value for MiniLM. */
#define MODEL_DEFAULT_MAX_TOKENS 256

/* What the settings say, or the default: mean; 256 tokens, or all positions if there are fewer. */
minnow_pooling model_pooling(const model_settings *s);
size_t model_max_tokens(const model_settings *s);

/* Where the parts of a model lie; all malloc'd or NULL. */
typedef struct model_location {
    char *packed;           /* the .minnow file, which has everything: the others are NULL */
    char *onnx;             /* the ONNX file; NULL: import `folder` */
    char *folder;           /* sentence-transformers layout, or where settings lie beside an ONNX file */
    char *tokenizer;        /* tokenizer.json or vocab.txt */
} model_location;
minnow_status model_locate(model_location *out, const char *path, const char *tokenizer_path, minnow_error *error);
void model_location_free(model_location *l);

/* Fills in a zeroed model, path and weights first: whatever happens then, minnow_model_close frees them. */
minnow_status encode_graph_open(minnow_model *m, const model_location *at, int external_data, minnow_error *error);

#endif
