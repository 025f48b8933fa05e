/* SPDX-License-Identifier: Apache-2.0
 *
 * Times the tokenizer for bench_tokenizer.py: bench_tokenizer TOKENIZER TEXTS
 * TEXTS holds one text a line. For each line on standard input one pass over all texts is made, one tokenizer_encode a
 * text on one thread, and its seconds and the number of ids are printed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "convert/import/tokenizer_files.h"

static int encode_all(const tokenizer *t, const file_map *texts, token_ids *ids, size_t *n_ids, minnow_error *error) {
    const char *text = (const char *)texts->data, *end = text + texts->bytes;
    *n_ids = 0;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const size_t bytes = (size_t)((newline == NULL ? end : newline) - text);
        if (tokenizer_encode(t, text, bytes, 0, ids, NULL, error) != MINNOW_OK) return 0;
        *n_ids += ids->count;
        text += bytes + 1;
    }
    return 1;
}

int main(int argc, char **argv) {
    tokenizer *t = NULL;
    file_map texts = {0};
    token_ids ids = {0};
    minnow_error error = {MINNOW_OK, "usage: bench_tokenizer TOKENIZER TEXTS"};
    char line[16];
    int ok = argc == 3 && tokenizer_open(&t, argv[1], &error) == MINNOW_OK &&
             file_map_open(&texts, argv[2], &error) == MINNOW_OK;
    while (ok && fgets(line, sizeof line, stdin) != NULL) {
        size_t n_ids;
        const double start = os_seconds();
        ok = encode_all(t, &texts, &ids, &n_ids, &error);
        printf("%.9f %zu\n", os_seconds() - start, n_ids);
        fflush(stdout);
    }
    if (!ok) fprintf(stderr, "%s\n", error.message);
    token_ids_free(&ids);
    file_map_close(&texts);
    tokenizer_close(&t);
    return !ok;
}
