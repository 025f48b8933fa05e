/* SPDX-License-Identifier: Apache-2.0
 * The 2,000 texts of tests/golden/same_bytes_texts.jsonl, and what their vectors' bytes must be, by model
 * (same_bytes.json): for the tests that hold every way of encoding to them. */
#ifndef MINNOW_TESTS_SAME_BYTES_H
#define MINNOW_TESTS_SAME_BYTES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/sha256.h"
#include "convert/json/json.h"

#define SAME_BYTES_TEXTS ((size_t)2000)
#define SAME_BYTES_GOLDEN "tests/golden/same_bytes.json"
#define SAME_BYTES_RANDOM "tests/golden/random.minnow"
#define SAME_BYTES_REAL "models/all-MiniLM-L6-v2/model.minnow"
#define HEX_BYTES (2 * SHA256_BYTES + 1)

typedef struct same_bytes_texts {
    char hex[HEX_BYTES]; /* of the file */
    yyjson_doc *lines[SAME_BYTES_TEXTS];
    const char *data[SAME_BYTES_TEXTS];
    size_t bytes[SAME_BYTES_TEXTS];
} same_bytes_texts;

static inline void same_bytes_hex(const void *data, size_t bytes, char hex[HEX_BYTES]) {
    uint8_t digest[SHA256_BYTES];
    size_t i;
    sha256(data, bytes, digest);
    for (i = 0; i < SHA256_BYTES; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* Of a file; 0 if it cannot be read. */
static inline int same_bytes_file_hex(const char *path, char hex[HEX_BYTES]) {
    file_map map;
    if (file_map_open(&map, path, NULL) != MINNOW_OK) return 0;
    same_bytes_hex(map.data, map.bytes, hex);
    file_map_close(&map);
    return 1;
}

static inline void same_bytes_texts_free(same_bytes_texts *t) {
    size_t i;
    for (i = 0; i < SAME_BYTES_TEXTS; i++) yyjson_doc_free(t->lines[i]);
    memset(t, 0, sizeof *t);
}

/* Whatever it returns, free it. */
static inline minnow_status same_bytes_texts_read(same_bytes_texts *t, minnow_error *error) {
    file_map map;
    const char *at, *end;
    size_t n = 0;
    minnow_status status;
    memset(t, 0, sizeof *t);
    TRY(file_map_open(&map, "tests/golden/same_bytes_texts.jsonl", error));
    same_bytes_hex(map.data, map.bytes, t->hex);
    at = (const char *)map.data;
    end = at + map.bytes;
    status = MINNOW_OK;
    while (at < end && n < SAME_BYTES_TEXTS && status == MINNOW_OK) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL) stop = end;
        status = json_parse(&t->lines[n], at, (size_t)(stop - at), error);
        if (status == MINNOW_OK && !yyjson_is_str(yyjson_doc_get_root(t->lines[n])))
            status = error_set(error, MINNOW_ERROR_FORMAT, "text %zu: no string", n);
        if (status != MINNOW_OK) break;
        t->data[n] = yyjson_get_str(yyjson_doc_get_root(t->lines[n]));
        t->bytes[n] = yyjson_get_len(yyjson_doc_get_root(t->lines[n]));
        n++;
        at = stop + (stop < end);
    }
    if (status == MINNOW_OK && (n < SAME_BYTES_TEXTS || at < end))
        status = error_set(error, MINNOW_ERROR_FORMAT, "other than %zu texts", SAME_BYTES_TEXTS);
    file_map_close(&map);
    return status;
}

/* SHA-256 of the vectors of the first n texts by the model whose file has the SHA-256 `model`; "" if none is known.
 * `golden` is same_bytes.json. */
static inline const char *same_bytes_expected(yyjson_doc *golden, const char *model, size_t n) {
    yyjson_val *entry, *models = yyjson_obj_get(yyjson_doc_get_root(golden), "models");
    size_t i, n_models;
    char key[24];
    snprintf(key, sizeof key, "%zu", n);
    yyjson_arr_foreach(models, i, n_models, entry) {
        const char *sha = yyjson_get_str(yyjson_obj_get(entry, "sha256")), *found;
        if (sha == NULL || strcmp(sha, model) != 0) continue;
        found = yyjson_get_str(yyjson_obj_get(yyjson_obj_get(entry, "vectors"), key));
        return found != NULL ? found : "";
    }
    return "";
}

/* A number below n: xorshift32, the same numbers in every run. */
static inline size_t dice(size_t n) {
    static uint32_t state = 1;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (state >> 8) % n;
}

#endif
