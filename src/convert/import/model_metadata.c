/* SPDX-License-Identifier: Apache-2.0 */
#include "convert/import/model_metadata.h"

#include <stdio.h>

#include "convert/import/settings.h"

void model_metadata_add(builder *b, const model_metadata *m) {
    char number[32];
    if (m->source != NULL && *m->source != '\0') builder_metadata(b, "minnow.source", m->source);
    if (m->licence != NULL && *m->licence != '\0') builder_metadata(b, "minnow.license", m->licence);
    if (m->pooling != MINNOW_POOLING_DEFAULT) builder_metadata(b, "minnow.pooling", settings_pooling_name(m->pooling));
    if (m->normalize >= 0) builder_metadata(b, "minnow.normalize", m->normalize ? "true" : "false");
    if (m->max_tokens == 0) return;
    snprintf(number, sizeof number, "%zu", m->max_tokens);
    builder_metadata(b, "minnow.max_tokens", number);
}
