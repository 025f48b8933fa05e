/* SPDX-License-Identifier: Apache-2.0
 * Any bytes -> json_parse; what it accepts is walked with every accessor, and has no duplicate keys.
 * Covers: src/convert/json */
#include <stdlib.h>
#include <string.h>

#include "convert/json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_member(yyjson_val *object, const char *key) {
    int64_t i;
    double d;
    int b;
    const char *s;
    (void)json_get_int(object, key, 1, &i, NULL);
    (void)json_get_number(object, key, 1, &d, NULL);
    (void)json_get_bool(object, key, 1, &b, NULL);
    if (json_get_string(object, key, "", &s, NULL) == MINNOW_OK && strlen(s) > (size_t)1 << 30) abort();
}

static void walk(yyjson_val *value, int depth) {
    size_t index, count;
    yyjson_val *key, *child;
    if (depth > JSON_MAX_DEPTH) abort();
    if (yyjson_is_arr(value)) {
        yyjson_arr_foreach(value, index, count, child) walk(child, depth + 1);
    } else if (yyjson_is_obj(value)) {
        yyjson_obj_foreach(value, index, count, key, child) {
            if (count < 64 && yyjson_obj_getn(value, yyjson_get_str(key), yyjson_get_len(key)) != child) abort();
            if (count < 64) read_member(value, yyjson_get_str(key));
            walk(child, depth + 1);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    yyjson_doc *doc = NULL;
    minnow_error error;
    if (json_parse(&doc, (const char *)data, size, &error) == MINNOW_OK) {
        walk(yyjson_doc_get_root(doc), 0);
        yyjson_doc_free(doc);
    } else if (error.message[0] == '\0' || strchr(error.message, '\n') != NULL || doc != NULL) {
        abort();
    }
    return 0;
}
