/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/json/json.h"

static void expect_failure(const char *text, size_t bytes, minnow_status status, const char *message) {
    yyjson_doc *doc = NULL;
    minnow_error error;
    memset(&error, 0, sizeof error);
    assert_int_equal(json_parse(&doc, text, bytes, &error), status);
    assert_null(doc);
    assert_int_equal(error.status, status);
    if (strcmp(error.message, message) != 0) fail_msg("message is: %s", error.message);
}

static yyjson_doc *parse(const char *text) {
    yyjson_doc *doc = NULL;
    minnow_error error;
    if (json_parse(&doc, text, strlen(text), &error) != MINNOW_OK) fail_msg("%s", error.message);
    return doc;
}

static void refuses_what_is_not_json(void **state) {
    static const char *const wrong[] = {"{", "[1,]", "{\"a\":1,}", "nul", "NaN", "[Infinity]", "1e999", "'a'", "\"a", 
                                        "[1] 2", "// c\n1", "{\"a\" 1}", "\"\xff\"", "\"\xed\xa0\x80\"", "\"\\ud800\"",
                                        "01", "\t", "\"\n\""};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        yyjson_doc *doc = NULL;
        minnow_error error;
        if (json_parse(&doc, wrong[i], strlen(wrong[i]), &error) != MINNOW_ERROR_FORMAT)
            fail_msg("accepted: %s", wrong[i]);
        assert_memory_equal(error.message, "line ", 5);
        assert_null(strchr(error.message, '\n'));
        assert_null(doc);
        assert_int_equal(json_parse(&doc, wrong[i], strlen(wrong[i]), NULL), MINNOW_ERROR_FORMAT);
    }
    expect_failure("", 0, MINNOW_ERROR_FORMAT, "line 1 column 1: empty, where JSON was expected");
}

static void names_the_place(void **state) {
    (void)state;
    expect_failure("{\n \"a\": x}", 10, MINNOW_ERROR_FORMAT,
                   "line 2 column 7: unexpected character, expected a valid JSON value");
}

static void refuses_duplicate_keys(void **state) {
    static const char top[] = "{\"a\":1,\n \"b\":2, \"a\":3}";
    static const char nested[] = "[[{\"x\":{\"k\":1,\"k\":2}}]]";
    static const char escaped[] = "{\"ab\":1,\"\\u0061b\":2}";
    (void)state;
    expect_failure(top, sizeof top - 1, MINNOW_ERROR_FORMAT, "line 2 column 9: duplicate key \"a\"");
    expect_failure(nested, sizeof nested - 1, MINNOW_ERROR_FORMAT, "line 1 column 15: duplicate key \"k\"");
    expect_failure(escaped, sizeof escaped - 1, MINNOW_ERROR_FORMAT, "line 1 column 9: duplicate key \"ab\"");
    yyjson_doc_free(parse("{\"a\":{\"a\":{\"a\":[{\"a\":1},{\"a\":2}]}},\"\":1,\"b\":2,\"aa\":3}"));
}

/* n keys, and once more with the first key repeated behind them. */
static void finds_duplicates_in_large_objects(void **state) {
    static const size_t counts[] = {2, 31, 32, 33, 64, 1000, 65537};
    (void)state;
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        char *text = malloc(counts[c] * 16 + 64);
        size_t used = 0;
        yyjson_doc *doc = NULL;
        assert_non_null(text);
        for (size_t i = 0; i < counts[c]; i++)
            used += (size_t)sprintf(text + used, "%c\"k%zu\":1", i == 0 ? '{' : ',', (i * 40503u) % 1000003u);
        strcpy(text + used, "}");
        doc = parse(text);
        assert_int_equal(yyjson_obj_size(yyjson_doc_get_root(doc)), counts[c]);
        yyjson_doc_free(doc);
        strcpy(text + used, ",\"k0\":2}");
        assert_int_equal(json_parse(&doc, text, strlen(text), NULL), MINNOW_ERROR_FORMAT);
        free(text);
    }
}

static void bounds_the_depth(void **state) {
    const size_t huge = (size_t)4 << 20;
    char text[2 * JSON_MAX_DEPTH + 8];
    char *deep;
    minnow_error error;
    yyjson_doc *doc;
    (void)state;
    memset(text, '[', JSON_MAX_DEPTH);
    memset(text + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
    text[2 * JSON_MAX_DEPTH] = '\0';
    yyjson_doc_free(parse(text));
    memset(text, '[', JSON_MAX_DEPTH + 1);
    memset(text + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
    expect_failure(text, 2 * JSON_MAX_DEPTH + 2, MINNOW_ERROR_FORMAT, "line 1 column 65: nested too deep");
    yyjson_doc_free(parse("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[\"]"));
    deep = malloc(huge);
    assert_non_null(deep);
    memset(deep, '[', huge);
    assert_int_equal(json_parse(&doc, deep, huge, &error), MINNOW_ERROR_FORMAT);
    free(deep);
}

static void reads_members(void **state) {
    yyjson_doc *doc = parse("{\"i\":-7,\"u\":18446744073709551615,\"f\":1.5,"
                            "\"t\":true,\"n\":null,\"s\":\"x\",\"z\":\"a\\u0000b\"}");
    yyjson_val *root = yyjson_doc_get_root(doc);
    minnow_error error;
    int64_t i = 0;
    double d = 0;
    int b = 0;
    const char *s = NULL;
    (void)state;
    assert_int_equal(json_get_int(root, "i", 3, &i, &error), MINNOW_OK);
    assert_int_equal(i, -7);
    assert_int_equal(json_get_int(root, "missing", 3, &i, &error), MINNOW_OK);
    assert_int_equal(i, 3);
    assert_int_equal(json_get_int(root, "u", 3, &i, &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message, "'u' is too large");
    assert_int_equal(json_get_int(root, "f", 3, &i, &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message, "'f' is of type real, where an integer was expected");
    assert_int_equal(json_get_number(root, "f", 0, &d, &error), MINNOW_OK);
    assert_true(d == 1.5);
    assert_int_equal(json_get_number(root, "i", 0, &d, &error), MINNOW_OK);
    assert_true(d == -7);
    assert_int_equal(json_get_number(root, "missing", 0.25, &d, &error), MINNOW_OK);
    assert_true(d == 0.25);
    assert_int_equal(json_get_number(root, "s", 0, &d, &error), MINNOW_ERROR_FORMAT);
    assert_int_equal(json_get_bool(root, "t", 0, &b, &error), MINNOW_OK);
    assert_int_equal(b, 1);
    assert_int_equal(json_get_bool(root, "n", -1, &b, &error), MINNOW_OK);
    assert_int_equal(b, -1);
    assert_int_equal(json_get_bool(root, "i", 0, &b, &error), MINNOW_ERROR_FORMAT);
    assert_int_equal(json_get_string(root, "s", NULL, &s, &error), MINNOW_OK);
    assert_string_equal(s, "x");
    assert_int_equal(json_get_string(root, "missing", "y", &s, &error), MINNOW_OK);
    assert_string_equal(s, "y");
    assert_int_equal(json_get_string(root, "n", "y", &s, &error), MINNOW_ERROR_FORMAT);
    assert_int_equal(json_get_string(root, "z", "y", &s, &error), MINNOW_ERROR_FORMAT);
    assert_int_equal(json_get_string(yyjson_obj_get(root, "i"), "a", "y", &s, &error), MINNOW_ERROR_FORMAT);
    assert_int_equal(json_get_string(NULL, "a", "y", &s, &error), MINNOW_ERROR_FORMAT);
    yyjson_doc_free(doc);
}

static void names_the_file(void **state) {
    yyjson_doc *doc = NULL;
    minnow_error error;
    (void)state;
    assert_int_equal(json_open(&doc, "tests/golden/no such file.json", &error), MINNOW_ERROR_IO);
    assert_non_null(strstr(error.message, "no such file.json"));
    assert_null(doc);
    assert_int_equal(json_open(&doc, "src/convert/json/json.h", &error), MINNOW_ERROR_FORMAT);
    assert_memory_equal(error.message, "src/convert/json/json.h: line 1", 31);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_not_json),
        cmocka_unit_test(names_the_place),
        cmocka_unit_test(refuses_duplicate_keys),
        cmocka_unit_test(finds_duplicates_in_large_objects),
        cmocka_unit_test(bounds_the_depth),
        cmocka_unit_test(reads_members),
        cmocka_unit_test(names_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
