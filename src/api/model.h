/* SPDX-License-Identifier: Apache-2.0
 * Behind minnow_model and minnow_context. src/api joins the two halves: it opens whatever file it is given, and encodes with what fits. */
#ifndef MINNOW_API_MODEL_H
#define MINNOW_API_MODEL_H

#include "convert/graph/graph.h"
#include "convert/graph/interpreter.h"
#include "convert/import/import.h"
#include "run/tokenizer/tokenizer.h"

/* Tokens beyond which a text is cut if no file says otherwise: sentence-transformers' value for MiniLM. */
#define MODEL_DEFAULT_MAX_TOKENS 256

/* What a graph input is fed with. */
typedef enum model_feed { FEED_IDS, FEED_MASK, FEED_TYPES, FEED_POSITIONS } model_feed;
#define MODEL_MAX_INPUTS 4

struct minnow_model {
    graph *graph;
    interpreter *weights; /* never run: contexts share its packed weights */
    tokenizer *tokenizer;
    model_settings settings;
    model_feed feeds[MODEL_MAX_INPUTS]; /* [graph->n_inputs] */
    size_t tokens_output;  /* index of the output [batch, tokens, dimensions]; SIZE_MAX if there is none */
    size_t pooled_output;  /* index of the output [batch, dimensions]; SIZE_MAX if there is none */
    size_t dimensions, max_tokens;
};

/* The settings' pooling, or mean. */
minnow_pooling model_pooling(const minnow_model *model);

/* Where the parts of a model lie; all malloc'd or NULL. */
typedef struct model_location {
    char *onnx;             /* the ONNX file; NULL: import `folder` */
    char *folder;           /* sentence-transformers layout, or where settings lie beside an ONNX file */
    char *tokenizer;        /* tokenizer.json or vocab.txt */
} model_location;
minnow_status model_locate(model_location *out, const char *path, const char *tokenizer_path, minnow_error *error);
void model_location_free(model_location *l);

#endif
