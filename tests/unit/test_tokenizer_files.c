/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "convert/import/tokenizer_files.h"
#include "convert/import/tokenizer_reading.h"

#define VOCAB "{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2,\"a\":3,\"##a\":4,\"b\":5}"
#define MODEL "\"model\":{\"type\":\"WordPiece\",\"vocab\":" VOCAB "}"
#define BERT "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}"
#define MINIMAL MODEL "," BERT
#define TEMPLATE(single) \
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":" single "," \
    "\"special_tokens\":{\"C\":{\"ids\":[1,2]}}}"

static tokenizer *from_json(const char *json) {
    tokenizer *t = NULL;
    minnow_error error;
    if (tokenizer_from_json(&t, (const uint8_t *)json, strlen(json), &error) != MINNOW_OK)
        fail_msg("%s", error.message);
    return t;
}

static tokenizer *from_vocab(const char *text, const vocab_options *options) {
    tokenizer *t = NULL;
    minnow_error error;
    if (tokenizer_from_vocab(&t, (const uint8_t *)text, strlen(text), options, &error) != MINNOW_OK)
        fail_msg("%s", error.message);
    return t;
}

/* Encodes, compares with ids in words, closes. */
static void expect_ids(tokenizer *t, const char *text, const char *expected) {
    token_ids ids = {NULL, 0, 0};
    char got[128] = "";
    size_t used = 0;
    assert_int_equal(tokenizer_encode(t, text, strlen(text), 0, &ids, NULL, NULL), MINNOW_OK);
    for (size_t i = 0; i < ids.count && used < 100; i++)
        used += (size_t)snprintf(got + used, sizeof got - used, i > 0 ? " %d" : "%d", ids.data[i]);
    token_ids_free(&ids);
    tokenizer_close(&t);
    if (strcmp(got, expected) != 0) fail_msg("'%s' gives %s, not %s", text, got, expected);
}

static void honours_the_sections(void **state) {
    (void)state;
    expect_ids(from_json("{" MINIMAL "}"), "aa A", "3 4 0");
    expect_ids(from_json("{" MINIMAL ",\"normalizer\":{\"type\":\"BertNormalizer\"}}"), "aa \xc3\x81", "3 4 3");
    expect_ids(from_json("{" MINIMAL ",\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":false}}"),
               "a\xcc\x81 A", "0 0");
    expect_ids(from_json("{" MINIMAL ",\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":false,"
                         "\"strip_accents\":true}}"),
               "a\xcc\x81 A", "3 0");
    expect_ids(from_json("{" MINIMAL ",\"truncation\":{\"max_length\":2},\"padding\":{\"strategy\":{\"Fixed\":9}}}"),
               "a b a b", "3 5 3 5");
    expect_ids(from_json("{" MINIMAL ","
                         TEMPLATE("[{\"SpecialToken\":{\"id\":\"C\"}},{\"Sequence\":{\"id\":\"A\"}}]") "}"),
               "b", "1 2 5");
    expect_ids(from_json("{" MINIMAL ","
                         TEMPLATE("[{\"Sequence\":{\"id\":\"A\"}},{\"SpecialToken\":{\"id\":\"C\"}}]") "}"),
               "b", "5 1 2");
    expect_ids(from_json("{" MINIMAL ",\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",2],"
                         "\"cls\":[\"[CLS]\",1]}}"),
               "b", "1 5 2");
    expect_ids(from_json("{" MINIMAL ",\"added_tokens\":[{\"id\":6,\"content\":\"<x>\",\"special\":true},"
                         "{\"id\":2,\"content\":\"[SEP]\"},{\"id\":7,\"content\":\"<y>\"}]}"),
               "<y>a<x>[SEP]", "7 3 6 2");
}

static void refuses_by_name(void **state) {
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"[]", "not a tokenizer.json: no object"},
        {"{}", "not a tokenizer.json: no 'model'"},
        {"{\"model\":1}", "'model' is of type uint, where an object was expected"},
        {"{\"model\":{\"type\":\"BPE\"}," BERT "}", "model 'BPE' is not supported"},
        {"{\"model\":{}," BERT "}", "model '' is not supported"},
        {"{\"model\":{\"type\":\"WordPiece\"}," BERT "}", "the model has no 'vocab'"},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{}}," BERT "}",
         "the unknown token '[UNK]' is not in the vocabulary"},
        {"{" MODEL "}", "a tokenizer without a pre_tokenizer"},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Whitespace\"}}", "pre_tokenizer 'Whitespace' is not supported"},
        {"{" MINIMAL ",\"normalizer\":{\"type\":\"NFKC\"}}", "normalizer 'NFKC' is not supported"},
        {"{" MINIMAL ",\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":1}}",
         "'lowercase' is of type uint, where true or false was expected"},
        {"{" MINIMAL ",\"post_processor\":{\"type\":\"RobertaProcessing\"}}",
         "post_processor 'RobertaProcessing' is not supported"},
        {"{" MINIMAL "," TEMPLATE("[]") "}", "post_processor: 'single' does not hold sequence A once"},
        {"{" MINIMAL "," TEMPLATE("[{\"Sequence\":{\"id\":\"B\"}}]") "}",
         "post_processor: 'single' holds something else than special tokens and sequence A"},
        {"{" MINIMAL "," TEMPLATE("[{\"SpecialToken\":{\"id\":\"D\"}}]") "}",
         "post_processor: a special token has no ids"},
        {"{" MINIMAL ",\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"x\",77],\"cls\":[\"[CLS]\",1]}}",
         "template: there is no token with id 77"},
        {"{" MINIMAL ",\"added_tokens\":{}}", "'added_tokens' is not a list"},
        {"{" MINIMAL ",\"added_tokens\":[{\"id\":1}]}", "added_tokens[0]: an added token has no 'content'"},
        {"{" MINIMAL ",\"added_tokens\":[{\"id\":-1,\"content\":\"x\"}]}",
         "added_tokens[0]: added token: an id is not a whole number from 0 to 2147483647"},
        {"{" MINIMAL ",\"added_tokens\":[{\"id\":9,\"content\":\"x\"}]}",
         "added token 'x' has id 9, not the vocabulary's or the next one, 6"},
        {"{" MINIMAL ",\"added_tokens\":[{\"id\":6,\"content\":\"a\"}]}", "token 'a' is there twice, as 3 and 6"},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[UNK]\":0,\"a\":0}}," BERT "}",
         "id 0 belongs to two tokens, '[UNK]' and 'a'"},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[UNK]\":0,\"a\":1.5}}," BERT "}",
         "token 'a': vocab: an id is not a whole number from 0 to 2147483647"},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0,\"a\":1}}," BERT "}",
         "line 1 column 45: duplicate key \"a\""},
        {"{\"model\":{\"type\":\"WordPiece\",\"max_input_chars_per_word\":-1,\"vocab\":" VOCAB "}," BERT "}",
         "'max_input_chars_per_word' is negative"},
        {"{\"model\":{\"type\":\"WordPiece\",\"max_input_chars_per_word\":5000,\"vocab\":" VOCAB "}," BERT "}",
         "words of up to 5000 characters (the limit is 1000)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tokenizer *t = NULL;
        minnow_error error;
        if (tokenizer_from_json(&t, (const uint8_t *)cases[i].json, strlen(cases[i].json), &error) == MINNOW_OK)
            fail_msg("accepted: %s", cases[i].json);
        assert_null(t);
        if (strcmp(error.message, cases[i].message) != 0) fail_msg("%s: message is: %s", cases[i].json, error.message);
    }
}

static const char lines[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n##a\nA\n\xc3\xa4\n\xe4\xb8\xad\n##\xe4\xb8\xad\n";

static void reads_lines(void **state) {
    const vocab_options cased = {0, -1, 1}, accents = {1, 0, 1}, no_chinese = {1, -1, 0};
    (void)state;
    expect_ids(from_vocab(lines, NULL), "aA \xc3\xa4 a\xe4\xb8\xad [SEP]", "2 4 5 4 4 8 3 3");
    expect_ids(from_vocab(lines, &cased), "a A \xc3\xa4", "2 4 6 7 3");
    expect_ids(from_vocab(lines, &accents), "a A \xc3\xa4", "2 4 4 7 3");
    expect_ids(from_vocab(lines, &no_chinese), "a\xe4\xb8\xad", "2 4 9 3");
    expect_ids(from_vocab("[UNK]\r\n[CLS]\r\n[SEP]\r\nx\r\n\r\ny", NULL), "x y", "1 3 5 2");
    expect_ids(from_vocab("[UNK]\n[CLS]\n[SEP]\nx \xe3\x80\x80\n\xe2\x80\xa8\ny", NULL), "x y", "1 3 5 2");
}

static void refuses_bad_lines(void **state) {
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "the vocabulary has no line '[UNK]'"},
        {"[UNK]\n[CLS]\n", "the vocabulary has no line '[SEP]'"},
        {"[UNK]\n[CLS]\n[SEP]\na\nb\na\n", "token 'a' is there twice, as 3 and 5"},
        {"[UNK]\n[CLS]\n[SEP]\na\xff\n", "token 3: invalid UTF-8"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tokenizer *t = NULL;
        minnow_error error;
        if (tokenizer_from_vocab(&t, (const uint8_t *)cases[i].text, strlen(cases[i].text), NULL, &error) == MINNOW_OK)
            fail_msg("accepted: %s", cases[i].text);
        assert_null(t);
        if (strcmp(error.message, cases[i].message) != 0) fail_msg("message is: %s", error.message);
    }
}

static minnow_status read_options(const char *json, vocab_options *options, minnow_error *error) {
    yyjson_doc *doc = NULL;
    minnow_status status;
    assert_int_equal(json_parse(&doc, json, strlen(json), error), MINNOW_OK);
    status = vocab_options_read(options, yyjson_doc_get_root(doc), error);
    yyjson_doc_free(doc);
    return status;
}

static void reads_tokenizer_config(void **state) {
    static const char *const wrong[] = {
        "[]", "{\"do_lower_case\":3}", "{\"do_basic_tokenize\":false}", "{\"never_split\":[\"x\"]}",
        "{\"unk_token\":\"<unk>\"}",
        "{\"cls_token\":{\"content\":\"<s>\"}}"};
    vocab_options options;
    minnow_error error;
    (void)state;
    assert_int_equal(read_options("{}", &options, &error), MINNOW_OK);
    assert_true(options.lowercase == 1 && options.strip_accents == -1 && options.chinese_chars == 1);
    assert_int_equal(read_options("{\"do_lower_case\":false,\"strip_accents\":true,\"tokenize_chinese_chars\":false,"
                                  "\"never_split\":null,"
                                  "\"unk_token\":{\"content\":\"[UNK]\"},\"sep_token\":\"[SEP]\",\"mask_token\":null}",
                                  &options, &error),
                     MINNOW_OK);
    assert_true(options.lowercase == 0 && options.strip_accents == 1 && options.chinese_chars == 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (read_options(wrong[i], &options, &error) == MINNOW_OK) fail_msg("accepted: %s", wrong[i]);
}

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void expect_open_failure(const char *path, minnow_status status, const char *part) {
    tokenizer *t = NULL;
    minnow_error error;
    assert_int_equal(tokenizer_open(&t, path, &error), status);
    assert_null(t);
    if (strstr(error.message, part) == NULL) fail_msg("message is: %s", error.message);
}

static tokenizer *open_path(const char *path) {
    tokenizer *t = NULL;
    minnow_error error;
    if (tokenizer_open(&t, path, &error) != MINNOW_OK) fail_msg("%s", error.message);
    return t;
}

static void opens_files_and_folders(void **state) {
    char template[] = "/tmp/minnow-test-XXXXXX";
    const char *folder = mkdtemp(template);
    char vocab[64], config[64], json[64];
    (void)state;
    assert_non_null(folder);
    snprintf(vocab, sizeof vocab, "%s/vocab.txt", folder);
    snprintf(config, sizeof config, "%s/tokenizer_config.json", folder);
    snprintf(json, sizeof json, "%s/tokenizer.json", folder);
    expect_open_failure(folder, MINNOW_ERROR_IO, "neither tokenizer.json nor vocab.txt is there");
    expect_open_failure(vocab, MINNOW_ERROR_IO, "vocab.txt");
    write_file(vocab, lines);
    expect_ids(open_path(folder), "A", "2 4 3");
    write_file(config, "{\"do_lower_case\":false}");
    expect_ids(open_path(folder), "A", "2 6 3");
    expect_ids(open_path(vocab), "A", "2 6 3");
    write_file(config, "{\"do_lower_case\":0}");
    expect_open_failure(vocab, MINNOW_ERROR_FORMAT, "tokenizer_config.json: 'do_lower_case' is of type");
    write_file(json, " \n{" MINIMAL "}");
    expect_ids(open_path(folder), "a", "3");
    write_file(json, "{\n\"model\":}");
    expect_open_failure(folder, MINNOW_ERROR_FORMAT, "tokenizer.json: line 2 column 9:");
    remove(vocab);
    remove(config);
    remove(json);
    remove(folder);
}

/* Every beginning of a good file is refused or read, never more. */
static void survives_truncation(void **state) {
    file_map map;
    minnow_error error;
    (void)state;
    assert_int_equal(file_map_open(&map, "tests/golden/tokenizer_added.json", &error), MINNOW_OK);
    for (size_t n = 0; n + 2 < map.bytes; n += n < 2000 ? 1 : 97) {
        uint8_t *copy = malloc(n + 1);
        tokenizer *t = NULL;
        assert_non_null(copy);
        memcpy(copy, map.data, n);
        assert_int_equal(tokenizer_from_json(&t, copy, n, &error), MINNOW_ERROR_FORMAT);
        assert_null(t);
        free(copy);
    }
    file_map_close(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honours_the_sections), cmocka_unit_test(refuses_by_name),
        cmocka_unit_test(reads_lines),          cmocka_unit_test(refuses_bad_lines),
        cmocka_unit_test(reads_tokenizer_config), cmocka_unit_test(opens_files_and_folders),
        cmocka_unit_test(survives_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
