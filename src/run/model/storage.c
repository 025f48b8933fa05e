/* SPDX-License-Identifier: Apache-2.0
 * Models as handles: made empty, closed. */
#include "run/model/storage.h"

#include <stdlib.h>

int8_model *int8_model_create(void) {
    int8_model *m = calloc(1, sizeof *m);
    if (m == NULL) return NULL;
    m->storage = calloc(1, sizeof *m->storage);
    if (m->storage == NULL) {
        free(m);
        return NULL;
    }
    m->name = m->licence = m->source = "";
    return m;
}

void int8_model_close(int8_model **model) {
    if (model == NULL || *model == NULL) return;
    tokenizer_close(&(*model)->tokenizer);
    arena_free(&(*model)->storage->memory);
    if ((*model)->storage->release != NULL) (*model)->storage->release((*model)->storage);
    free((*model)->storage);
    free(*model);
    *model = NULL;
}
