/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes -> a checked JSON document. yyjson parses without recursion; a pass in front of it bounds the depth, so that
 * everything that walks a document may recurse, and a pass behind it refuses duplicate keys (two readers of one file
 * must not see two different settings). */
#include "convert/json/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define KEY_SHOWN_BYTES 80

static minnow_status fail_at(const char *text, size_t bytes, size_t offset, minnow_error *error, const char *what) {
    size_t line = 0, column = 0, character = 0;
    if (!yyjson_locate_pos(text, bytes, offset < bytes ? offset : bytes, &line, &column, &character)) line = column = 1;
    return error_set(error, MINNOW_ERROR_FORMAT, "line %zu column %zu: %s", line, column, what);
}

/* --- Depth -------------------------------------------------------------------------------------------------------- */

/* The offset of the first bracket that is nested too deep, or `bytes`. Text that is not JSON is left to the parser. */
static size_t find_too_deep(const char *text, size_t bytes) {
    size_t depth = 0;
    int in_string = 0;
    for (size_t i = 0; i < bytes; i++) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') i++;
            else if (c == '"') in_string = 0;
        } else if (c == '"') {
            in_string = 1;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_MAX_DEPTH) return i;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return bytes;
}

/* --- Duplicate keys ----------------------------------------------------------------------------------------------- */

static int compare_keys(yyjson_val *a, yyjson_val *b) {
    const size_t a_bytes = yyjson_get_len(a), b_bytes = yyjson_get_len(b);
    if (a_bytes != b_bytes) return a_bytes < b_bytes ? -1 : 1;
    return memcmp(yyjson_get_str(a), yyjson_get_str(b), a_bytes);
}

/* Merge sort, bottom up: n log n whatever the keys are, where a hash table or quicksort could be made quadratic. */
static yyjson_val **sort_keys(yyjson_val **keys, yyjson_val **spare, size_t n) {
    for (size_t width = 1; width < n; width *= 2) {
        yyjson_val **swap = keys;
        for (size_t start = 0; start < n; start += 2 * width) {
            const size_t middle = n - start < width ? n : start + width;
            const size_t end = n - middle < width ? n : middle + width;
            size_t a = start, b = middle;
            for (size_t k = start; k < end; k++)
                spare[k] = a < middle && (b >= end || compare_keys(keys[a], keys[b]) <= 0) ? keys[a++] : keys[b++];
        }
        keys = spare;
        spare = swap;
    }
    return keys;
}

/* *duplicate is a key that the object has twice (its later occurrence), or NULL. */
static minnow_status find_duplicate(yyjson_val *object, yyjson_val **duplicate, minnow_error *error) {
    const size_t n = yyjson_obj_size(object);
    yyjson_val *few[2 * 32];
    yyjson_val **keys = few, **sorted;
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    *duplicate = NULL;
    if (n < 2) return MINNOW_OK;
    if (n > 32) {
        keys = n > SIZE_MAX / 2 / sizeof *keys ? NULL : malloc(2 * n * sizeof *keys);
        if (keys == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for an object of %zu keys", n);
    }
    for (size_t i = 0; i < n; i++) keys[i] = yyjson_obj_iter_next(&members);
    sorted = sort_keys(keys, keys + n, n);
    for (size_t i = 1; i < n && *duplicate == NULL; i++)
        if (compare_keys(sorted[i - 1], sorted[i]) == 0) *duplicate = sorted[i];
    if (keys != few) free(keys);
    return MINNOW_OK;
}

/* Recurses at most JSON_MAX_DEPTH deep: find_too_deep has seen to it. */
static minnow_status find_duplicate_below(yyjson_val *value, yyjson_val **duplicate, minnow_error *error) {
    size_t index, count;
    yyjson_val *key, *child;
    *duplicate = NULL;
    if (yyjson_is_obj(value)) {
        TRY(find_duplicate(value, duplicate, error));
        if (*duplicate != NULL) return MINNOW_OK;
        yyjson_obj_foreach(value, index, count, key, child) {
            if (!yyjson_is_ctn(child)) continue;
            TRY(find_duplicate_below(child, duplicate, error));
            if (*duplicate != NULL) return MINNOW_OK;
        }
    } else if (yyjson_is_arr(value)) {
        yyjson_arr_foreach(value, index, count, child) {
            if (!yyjson_is_ctn(child)) continue;
            TRY(find_duplicate_below(child, duplicate, error));
            if (*duplicate != NULL) return MINNOW_OK;
        }
    }
    return MINNOW_OK;
}

static minnow_status refuse_duplicate(const yyjson_doc *doc, yyjson_val *key, const char *text, size_t bytes,
                                      minnow_error *error) {
    /* yyjson unescapes strings where they lie in its copy of the text, so a string's place there is its place in the
     * text. */
    const size_t offset = doc->str_pool == NULL ? 0 : (size_t)(yyjson_get_str(key) - doc->str_pool);
    const size_t length = yyjson_get_len(key);
    size_t line = 0, column = 0, character = 0;
    if (!yyjson_locate_pos(text, bytes, offset > 0 && offset <= bytes ? offset - 1 : 0, &line, &column, &character))
        line = column = 1;
    return error_set(error, MINNOW_ERROR_FORMAT, "line %zu column %zu: duplicate key \"%.*s\"", line, column,
                     (int)(length < KEY_SHOWN_BYTES ? length : KEY_SHOWN_BYTES), yyjson_get_str(key));
}

/* --- Reading ------------------------------------------------------------------------------------------------------ */

minnow_status json_parse(yyjson_doc **out, const char *text, size_t bytes, minnow_error *error) {
    yyjson_read_err problem;
    yyjson_doc *doc;
    yyjson_val *duplicate = NULL;
    minnow_status status;
    const size_t too_deep = find_too_deep(text, bytes);
    *out = NULL;
    if (bytes == 0) return error_set(error, MINNOW_ERROR_FORMAT, "line 1 column 1: empty, where JSON was expected");
    if (too_deep < bytes) return fail_at(text, bytes, too_deep, error, "nested too deep");
    /* Without YYJSON_READ_INSITU the text is copied and not written to; the cast is the library's interface. */
    doc = yyjson_read_opts((char *)(uintptr_t)text, bytes, YYJSON_READ_NOFLAG, NULL, &problem);
    if (doc == NULL) {
        if (problem.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
            return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu bytes of JSON", bytes);
        return fail_at(text, bytes, problem.pos, error, problem.msg);
    }
    status = find_duplicate_below(yyjson_doc_get_root(doc), &duplicate, error);
    if (status == MINNOW_OK && duplicate != NULL) status = refuse_duplicate(doc, duplicate, text, bytes, error);
    if (status != MINNOW_OK) {
        yyjson_doc_free(doc);
        return status;
    }
    *out = doc;
    return MINNOW_OK;
}

minnow_status json_open(yyjson_doc **out, const char *path, minnow_error *error) {
    file_map map;
    minnow_status status;
    *out = NULL;
    TRY(file_map_open(&map, path, error));
    status = json_parse(out, (const char *)map.data, map.bytes, error);
    file_map_close(&map);
    return status == MINNOW_OK ? status : error_prefix(error, status, "%s", path);
}

/* --- Members with a type ------------------------------------------------------------------------------------------ */

static minnow_status wrong_type(const char *key, yyjson_val *value, const char *wanted, minnow_error *error) {
    return error_set(error, MINNOW_ERROR_FORMAT, "'%s' is of type %s, where %s was expected", key,
                     yyjson_get_type_desc(value), wanted);
}

/* *member is NULL if the key is missing. */
static minnow_status find_member(yyjson_val *object, const char *key, yyjson_val **member, minnow_error *error) {
    *member = NULL;
    if (!yyjson_is_obj(object))
        return error_set(error, MINNOW_ERROR_FORMAT, "'%s' was expected in an object, not in a value of type %s", key,
                         yyjson_get_type_desc(object));
    *member = yyjson_obj_get(object, key);
    return MINNOW_OK;
}

minnow_status json_get_int(yyjson_val *object, const char *key, int64_t fallback, int64_t *out, minnow_error *error) {
    yyjson_val *member;
    TRY(find_member(object, key, &member, error));
    if (member == NULL) {
        *out = fallback;
        return MINNOW_OK;
    }
    if (!yyjson_is_int(member)) return wrong_type(key, member, "an integer", error);
    if (yyjson_is_uint(member) && yyjson_get_uint(member) > (uint64_t)INT64_MAX)
        return error_set(error, MINNOW_ERROR_FORMAT, "'%s' is too large", key);
    *out = yyjson_get_sint(member);
    return MINNOW_OK;
}

minnow_status json_get_number(yyjson_val *object, const char *key, double fallback, double *out, minnow_error *error) {
    yyjson_val *member;
    TRY(find_member(object, key, &member, error));
    if (member != NULL && !yyjson_is_num(member)) return wrong_type(key, member, "a number", error);
    *out = member == NULL ? fallback : yyjson_get_num(member);
    return MINNOW_OK;
}

minnow_status json_get_bool(yyjson_val *object, const char *key, int fallback, int *out, minnow_error *error) {
    yyjson_val *member;
    TRY(find_member(object, key, &member, error));
    if (member != NULL && !yyjson_is_bool(member) && !yyjson_is_null(member))
        return wrong_type(key, member, "true or false", error);
    *out = member == NULL || yyjson_is_null(member) ? fallback : yyjson_get_bool(member);
    return MINNOW_OK;
}

minnow_status json_get_string(yyjson_val *object, const char *key, const char *fallback, const char **out,
                              minnow_error *error) {
    yyjson_val *member;
    TRY(find_member(object, key, &member, error));
    if (member != NULL && !yyjson_is_str(member)) return wrong_type(key, member, "a string", error);
    /* Callers compare and print C strings: a hidden NUL would let two different names look the same. */
    if (member != NULL && strlen(yyjson_get_str(member)) != yyjson_get_len(member))
        return error_set(error, MINNOW_ERROR_FORMAT, "'%s' contains a NUL", key);
    *out = member == NULL ? fallback : yyjson_get_str(member);
    return MINNOW_OK;
}
