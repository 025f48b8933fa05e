/* SPDX-License-Identifier: Apache-2.0
 * Any bytes -> tokenizer_from_json; what it accepts tokenizes a few texts, the file's own bytes among them.
 * Covers: src/convert/import/tokenizer_json.c src/convert/json */
#include <stdlib.h>
#include <string.h>

#include "convert/import/tokenizer_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(const tokenizer *t, const char *text, size_t bytes) {
    token_ids ids = {NULL, 0, 0};
    size_t token_bytes;
    if (tokenizer_encode(t, text, bytes, 0, &ids, NULL, NULL) == MINNOW_OK)
        for (size_t i = 0; i < ids.count; i++)
            if (tokenizer_token_text(t, ids.data[i], &token_bytes) == NULL) abort();
    token_ids_free(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char text[] = "[CLS] Unbelievable, caf\xc3\xa9 \xe4\xbd\xa0\xe5\xa5\xbd <b> x  <r>\xff[SEP]";
    tokenizer *t = NULL;
    minnow_error error;
    if (tokenizer_from_json(&t, data, size, &error) == MINNOW_OK) {
        encode(t, text, sizeof text);
        encode(t, (const char *)data, size);
        tokenizer_close(&t);
    } else if (error.message[0] == '\0' || strchr(error.message, '\n') != NULL || t != NULL) {
        abort();
    }
    return 0;
}
