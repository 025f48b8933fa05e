/* SPDX-License-Identifier: Apache-2.0
 * One byte of options and any bytes -> tokenizer_from_vocab; each token of what it accepts is then found by its id, and
 * the file tokenizes itself.
 * Covers: src/convert/import/tokenizer_vocab.c */
#include <stdlib.h>
#include <string.h>

#include "convert/import/tokenizer_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    vocab_options options;
    tokenizer *t = NULL;
    token_ids ids = {NULL, 0, 0};
    minnow_error error;
    size_t bytes;
    if (size == 0) return 0;
    options.lowercase = data[0] & 1;
    options.strip_accents = (data[0] >> 1 & 3) - 1 > 1 ? 1 : (data[0] >> 1 & 3) - 1;
    options.chinese_chars = data[0] >> 3 & 1;
    if (tokenizer_from_vocab(&t, data + 1, size - 1, &options, &error) == MINNOW_OK) {
        if (tokenizer_encode(t, (const char *)data, size, 0, &ids, NULL, &error) != MINNOW_OK) abort();
        for (size_t i = 0; i < ids.count; i++)
            if (tokenizer_token_text(t, ids.data[i], &bytes) == NULL || bytes == 0) abort();
        token_ids_free(&ids);
        tokenizer_close(&t);
    } else if (error.message[0] == '\0' || strchr(error.message, '\n') != NULL || t != NULL) {
        abort();
    }
    return 0;
}
