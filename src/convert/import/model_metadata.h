/* SPDX-License-Identifier: Apache-2.0
 * What an ONNX file of ours says of itself: "minnow.source", "minnow.pooling" ... in its metadata. */
#ifndef MINNOW_CONVERT_IMPORT_MODEL_METADATA_H
#define MINNOW_CONVERT_IMPORT_MODEL_METADATA_H

#include "convert/compose/builder.h"

typedef struct model_metadata {
    const char *source, *licence; /* NULL or "": not known, as are the next ones' DEFAULT, -1 and 0 */
    minnow_pooling pooling;
    int normalize;
    size_t max_tokens;
} model_metadata;

/* Adds what is known. */
void model_metadata_add(builder *b, const model_metadata *m);

#endif
