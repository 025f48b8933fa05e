/* SPDX-License-Identifier: Apache-2.0
 *
 * Behind minnow_model and minnow_context. src/api joins the two halves: it opens whatever file it is given, and
 * encodes with what fits.
 *
 *   locate.c         path -> where the parts lie
 *   model.c          opens them; what every model has
 *   encode_graph.c   ONNX or safetensors: the graph, in the reference interpreter
 *   encode_int8.c    .minnow: the INT8 engine
 *   context.c        text -> ids -> encode_path -> pooled, normalized vector */
#ifndef MINNOW_API_MODEL_H
#define MINNOW_API_MODEL_H

#include "convert/import/import.h"
#include "run/tokenizer/tokenizer.h"

/* Tokens beyond which a text is cut if no file says otherwise: sentence-transformers' value for MiniLM. */
#define MODEL_DEFAULT_MAX_TOKENS 256

/* One way from ids to vectors. `weights` is shared and read-only; `state` belongs to one context. */
typedef struct encode_path {
    minnow_status (*create)(void **state, const minnow_model *m, size_t max_tokens, size_t n_threads,
                            minnow_error *error);
    /* ids [n], n in [1, max_tokens] -> *values: [n, dimensions], or [dimensions] if the model gives pooled vectors
     * only; valid until the next run */
    minnow_status (*run)(void *state, const int32_t *ids, size_t n, const float **values, minnow_error *error);
    void (*close)(void *state);
    void (*close_weights)(void *weights);
} encode_path;

struct minnow_model {
    const encode_path *path; /* NULL until the weights are there */
    void *weights;
    const tokenizer *tokenizer; /* of the weights */
    size_t dimensions;
    size_t max_tokens;       /* beyond which texts are cut by default */
    size_t max_positions;    /* beyond which they must be; 0 if nothing says */
    minnow_pooling pooling;  /* never DEFAULT */
    int pooled_only;         /* there are no token vectors */
};

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

/* Fill in *m, path and weights first: whatever happens then, minnow_model_close frees them. */
minnow_status encode_graph_open(minnow_model *m, const model_location *at, int external_data, minnow_error *error);
minnow_status encode_int8_open(minnow_model *m, const model_location *at, minnow_error *error);

#endif
