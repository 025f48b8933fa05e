/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "convert/import/tokenizer_files.h"
#include "convert/json/json.h"
#include "run/tokenizer/parts.h"

#define MODEL "models/all-MiniLM-L6-v2/"
#define SHARED_GOLDEN "../shared/golden/tokenizer.jsonl"

/* --- Golden files: the ids that Hugging Face `tokenizers` gives --------------------------------------------------- */

static tokenizer *open_tokenizer(const char *path) {
    tokenizer *t = NULL;
    minnow_error error;
    if (tokenizer_open(&t, path, &error) != MINNOW_OK) fail_msg("%s", error.message);
    return t;
}

/* tokenizer_encode_into gives what tokenizer_encode gives, and writes nowhere else. */
static void check_into(const tokenizer *t, const char *text, size_t bytes, size_t max_tokens) {
    enum { GUARD = -77 };
    const size_t scratch_bytes = tokenizer_scratch_bytes(t);
    uint8_t *scratch = malloc(scratch_bytes + 1);
    int32_t *ids = malloc((max_tokens + 1) * sizeof *ids);
    token_ids grown = {NULL, 0, 0};
    size_t n = 0;
    int cut = -1, grown_cut = -1;
    minnow_status status;
    assert_true(scratch != NULL && ids != NULL);
    scratch[scratch_bytes] = 0xa5;
    ids[max_tokens] = GUARD;
    status = tokenizer_encode_into(t, text, bytes, max_tokens, scratch, ids, &n, &cut, NULL);
    assert_int_equal(tokenizer_encode(t, text, bytes, max_tokens, &grown, &grown_cut, NULL), status);
    if (status == MINNOW_OK) {
        assert_int_equal(n, grown.count);
        assert_int_equal(cut, grown_cut);
        assert_memory_equal(ids, grown.data, n * sizeof *ids);
    } else {
        assert_int_equal(status, MINNOW_ERROR_ARGUMENT);
    }
    assert_int_equal(scratch[scratch_bytes], 0xa5);
    assert_int_equal(ids[max_tokens], GUARD);
    token_ids_free(&grown);
    free(scratch);
    free(ids);
}

static void check_line(const tokenizer *t, const char *line, size_t bytes, size_t number, const char *member,
                       token_ids *ids) {
    yyjson_doc *doc = NULL;
    yyjson_val *text, *expected;
    minnow_error error;
    if (json_parse(&doc, line, bytes, &error) != MINNOW_OK) fail_msg("line %zu: %s", number, error.message);
    text = yyjson_obj_get(yyjson_doc_get_root(doc), "text");
    expected = yyjson_obj_get(yyjson_doc_get_root(doc), member);
    assert_true(yyjson_is_str(text) && yyjson_is_arr(expected));
    assert_int_equal(tokenizer_encode(t, yyjson_get_str(text), yyjson_get_len(text), 0, ids, NULL, &error), MINNOW_OK);
    if (ids->count != yyjson_arr_size(expected))
        fail_msg("line %zu: %zu ids: %.*s", number, ids->count, (int)bytes, line);
    for (size_t i = 0; i < ids->count; i++)
        if (ids->data[i] != yyjson_get_int(yyjson_arr_get(expected, i)))
            fail_msg("line %zu: id %zu is %d: %.*s", number, i, ids->data[i], (int)bytes, line);
    check_into(t, yyjson_get_str(text), yyjson_get_len(text), ids->count);
    for (size_t max = 1; max <= 20; max++) check_into(t, yyjson_get_str(text), yyjson_get_len(text), max);
    yyjson_doc_free(doc);
}

/* Returns the number of lines. */
static size_t check_golden(const char *tokenizer_path, const char *golden_path, const char *member) {
    tokenizer *t = open_tokenizer(tokenizer_path);
    file_map golden;
    token_ids ids = {NULL, 0, 0};
    minnow_error error;
    size_t number = 0;
    if (file_map_open(&golden, golden_path, &error) != MINNOW_OK) fail_msg("%s", error.message);
    for (size_t start = 0; start < golden.bytes;) {
        const uint8_t *line = golden.data + start;
        const uint8_t *newline = memchr(line, '\n', golden.bytes - start);
        const size_t bytes = newline == NULL ? golden.bytes - start : (size_t)(newline - line);
        check_line(t, (const char *)line, bytes, ++number, member, &ids);
        start += bytes + 1;
    }
    file_map_close(&golden);
    token_ids_free(&ids);
    tokenizer_close(&t);
    assert_null(t);
    return number;
}

static void agrees_with_tokenizers(void **state) {
    static const char *const names[] = {"small", "cased", "accents", "raw", "lower", "added", "added_raw"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64];
        snprintf(path, sizeof path, "tests/golden/tokenizer_%s.json", names[i]);
        assert_true(check_golden(path, "tests/golden/tokenizer.jsonl", names[i]) > 300);
    }
}

static void agrees_with_tokenizers_on_the_model(void **state) {
    (void)state;
    if (!file_exists(MODEL "tokenizer.json") || !file_exists(MODEL "vocab.txt")) skip();
    assert_true(check_golden(MODEL, "tests/golden/tokenizer.jsonl", "minilm") > 300);
    assert_true(check_golden(MODEL "vocab.txt", "tests/golden/tokenizer.jsonl", "minilm") > 300);
}

static void agrees_on_the_shared_texts(void **state) {
    (void)state;
    if (getenv("MINNOW_TEST_EMULATED") != NULL) skip();
    if (!file_exists(MODEL "tokenizer.json") || !file_exists(MODEL "vocab.txt") || !file_exists(SHARED_GOLDEN)) skip();
    assert_int_equal(check_golden(MODEL "tokenizer.json", SHARED_GOLDEN, "ids"), 8035);
    assert_int_equal(check_golden(MODEL "vocab.txt", SHARED_GOLDEN, "ids"), 8035);
}

/* --- Every scalar value ------------------------------------------------------------------------------------------- */

typedef struct word_list {
    uint8_t text[64];
    size_t bytes;
} word_list;

static int append_word(void *receiver, const uint8_t *word, size_t bytes, int too_long) {
    word_list *list = receiver;
    assert_false(too_long);
    assert_true(list->bytes + bytes + 2 < sizeof list->text);
    if (list->bytes > 0) list->text[list->bytes++] = ' ';
    memcpy(list->text + list->bytes, word, bytes);
    list->bytes += bytes;
    return 1;
}

static void hash_words(sha256_state *s, const char_rules *rules, const uint8_t *text, size_t bytes) {
    word_list list;
    word_splitter splitter;
    uint8_t word[400];
    list.bytes = 0;
    word_splitter_init(&splitter, sizeof word / 4, word, append_word, &list);
    assert_true(split_words(&splitter, rules, text, bytes));
    list.text[list.bytes++] = '\n';
    sha256_update(s, list.text, list.bytes);
}

static void hash_plane(const char *setting, unsigned plane, char hex[65]) {
    char_rules rules;
    sha256_state s;
    uint8_t digest[SHA256_BYTES];
    char_rules_init(&rules, setting[0] == '1', setting[1] == '1', setting[2] == '1', setting[3] == '1');
    sha256_begin(&s);
    for (uint32_t c = plane << 16; c < (plane + 1) << 16; c++) {
        uint8_t text[6] = "a";
        size_t n;
        if (c >= 0xd800 && c < 0xe000) continue;
        n = utf8_encode(c, text + 1);
        hash_words(&s, &rules, text + 1, n);
        text[n + 1] = 'b';
        hash_words(&s, &rules, text, n + 2);
    }
    sha256_end(&s, digest);
    for (size_t i = 0; i < SHA256_BYTES; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

static void splits_every_scalar_value_as_tokenizers_does(void **state) {
    FILE *f = fopen("tests/golden/unicode_words.sha256", "r");
    char setting[8], expected[80], hex[65];
    unsigned plane, n = 0;
    (void)state;
    assert_non_null(f);
    for (; fscanf(f, "%7s %u %79s", setting, &plane, expected) == 3; n++) {
        assert_true(strlen(setting) == 4 && plane < 17);
        /* Emulated, it would take minutes: the first plane has characters of every kind. */
        if (getenv("MINNOW_TEST_EMULATED") != NULL && plane > 0) continue;
        hash_plane(setting, plane, hex);
        if (strcmp(hex, expected) != 0) fail_msg("setting %s, plane %u differs", setting, plane);
    }
    fclose(f);
    assert_int_equal(n, 5 * 17);
}

/* --- A vocabulary small enough to reckon by hand ------------------------------------------------------------------ */

static const char *const tokens[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a",   "##a", "##aa", "b", "ab",
                                     "##b",   "!",     "caf",   "##e",   "\xce\xb1", "abc", "##c",
                                     "\xef\xbf\xbd", "", "x"};
enum { N_TOKENS = sizeof tokens / sizeof *tokens };

typedef struct sample {
    tokenizer_config config;
    char text[256];
    uint32_t offsets[N_TOKENS + 1];
    int32_t special[2];
    tokenizer_added_token added[4];
} sample;

static void sample_init(sample *s) {
    size_t used = 0;
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < N_TOKENS; i++) {
        const size_t n = strlen(tokens[i]);
        memcpy(s->text + used, tokens[i], n);
        used += n;
        s->offsets[i + 1] = (uint32_t)used;
    }
    for (int i = 1; i < 5; i++)
        s->added[i - 1] = (tokenizer_added_token){tokens[i], strlen(tokens[i]), i, 1, 0, 0, 0, 0};
    s->special[0] = 2;
    s->special[1] = 3;
    s->config = (tokenizer_config){s->text, s->offsets, NULL, N_TOKENS, s->added, 4, 1, 1, 1, 1, "##", 1, 100,
                                   &s->special[0], &s->special[1], 1, 1};
}

static tokenizer *sample_create(sample *s) {
    tokenizer *t = NULL;
    minnow_error error;
    if (tokenizer_create(&t, &s->config, &error) != MINNOW_OK) fail_msg("%s", error.message);
    return t;
}

/* `expected` are ids in words, [CLS] and [SEP] left out. */
static void expect_ids(const tokenizer *t, const char *text, size_t bytes, const char *expected) {
    token_ids ids = {NULL, 0, 0};
    minnow_error error;
    char got[256] = "";
    size_t used = 0;
    assert_int_equal(tokenizer_encode(t, text, bytes, 0, &ids, NULL, &error), MINNOW_OK);
    assert_true(ids.count >= 2 && ids.data[0] == 2 && ids.data[ids.count - 1] == 3);
    for (size_t i = 1; i + 1 < ids.count && used < 200; i++)
        used += (size_t)snprintf(got + used, sizeof got - used, i > 1 ? " %d" : "%d", ids.data[i]);
    token_ids_free(&ids);
    if (strcmp(got, expected) != 0) fail_msg("'%s' gives %s, not %s", text, got, expected);
}
#define EXPECT(t, text, expected) expect_ids(t, text, sizeof text - 1, expected)

static void takes_the_longest_token(void **state) {
    sample s;
    tokenizer *t;
    (void)state;
    sample_init(&s);
    t = sample_create(&s);
    EXPECT(t, "", "");
    EXPECT(t, "a", "5");
    EXPECT(t, "aaaa", "5 7 6");
    EXPECT(t, "abc ABC", "15 15");
    EXPECT(t, "abcz", "1");
    EXPECT(t, "aba!b", "9 6 11 8");
    EXPECT(t, "Caf\xc3\xa9 cafe\xcc\x81", "12 13 12 13");
    EXPECT(t, "\xce\x91", "14");
    EXPECT(t, "##a", "1 1 5");
    EXPECT(t, "a[MASK]b[SEP", "5 4 8 1 1");
    EXPECT(t, "[mask]", "1 1 1");
    tokenizer_close(&t);
}

static void replaces_ill_formed_text(void **state) {
    sample s;
    tokenizer *t;
    (void)state;
    sample_init(&s);
    t = sample_create(&s);
    EXPECT(t, "a\xff" "b", "9"); /* U+FFFD, which clean_text drops */
    EXPECT(t, "a\0b", "9");
    EXPECT(t, "\xe2\x82[SEP]\xc3", "3");
    tokenizer_close(&t);
    s.config.clean_text = 0;
    t = sample_create(&s);
    EXPECT(t, "\xff", "17");
    EXPECT(t, "\xe2\x82 \xf0\x9f\x98 \xed\xa0", "17 17 1"); /* a surrogate: two subparts, one word of two U+FFFD */
    tokenizer_close(&t);
}

static void limits_words(void **state) {
    sample s;
    tokenizer *t;
    char text[512];
    (void)state;
    sample_init(&s);
    s.config.max_chars_per_word = 4;
    t = sample_create(&s);
    EXPECT(t, "abab ababa ab", "9 6 10 1 9");
    EXPECT(t, "a\xcc\x81" "b\xcc\x81" "a\xcc\x81" "b\xcc\x81", "9 6 10"); /* accents do not count */
    tokenizer_close(&t);
    s.config.max_chars_per_word = 0;
    t = sample_create(&s);
    EXPECT(t, "a !", "1 1");
    tokenizer_close(&t);
    s.config.max_chars_per_word = 100;
    t = sample_create(&s);
    memset(text, 'z', sizeof text);
    expect_ids(t, text, sizeof text, "1");
    tokenizer_close(&t);
    s.config.max_chars_per_word = 100000;
    assert_int_equal(tokenizer_create(&t, &s.config, NULL), MINNOW_ERROR_UNSUPPORTED);
    assert_null(t);
}

static void truncates_at_the_end(void **state) {
    static const char text[] = "a b a b a";
    sample s;
    tokenizer *t;
    token_ids ids = {NULL, 0, 0};
    minnow_error error;
    int truncated;
    (void)state;
    sample_init(&s);
    t = sample_create(&s);
    for (size_t max = 2; max < 10; max++) {
        assert_int_equal(tokenizer_encode(t, text, sizeof text - 1, max, &ids, &truncated, &error), MINNOW_OK);
        assert_int_equal(ids.count, max < 7 ? max : 7);
        assert_int_equal(truncated, max < 7);
        assert_int_equal(ids.data[0], 2);
        assert_int_equal(ids.data[ids.count - 1], 3);
        for (size_t i = 1; i + 1 < ids.count; i++) assert_int_equal(ids.data[i], i % 2 == 1 ? 5 : 8);
    }
    assert_int_equal(tokenizer_encode(t, text, 1, SIZE_MAX, &ids, &truncated, &error), MINNOW_OK);
    assert_int_equal(ids.count, 3);
    assert_int_equal(truncated, 0);
    assert_int_equal(tokenizer_encode(t, "aaaaaaaaa!", 10, 4, &ids, &truncated, &error), MINNOW_OK); /* inside a word */
    assert_int_equal(ids.count, 4);
    assert_int_equal(truncated, 1);
    assert_int_equal(ids.data[2], 7);
    assert_int_equal(tokenizer_encode(t, text, 1, 1, &ids, &truncated, &error), MINNOW_ERROR_ARGUMENT);
    token_ids_free(&ids);
    tokenizer_close(&t);
}

static void knows_its_tokens(void **state) {
    sample s;
    tokenizer *t;
    size_t bytes = 0;
    (void)state;
    sample_init(&s);
    t = sample_create(&s);
    assert_int_equal(tokenizer_vocab_size(t), N_TOKENS);
    assert_memory_equal(tokenizer_token_text(t, 7, &bytes), "##aa", 4);
    assert_int_equal(bytes, 4);
    assert_null(tokenizer_token_text(t, 18, &bytes)); /* an empty line of a vocab.txt: an id, but no token */
    assert_null(tokenizer_token_text(t, -1, &bytes));
    assert_null(tokenizer_token_text(t, N_TOKENS, &bytes));
    tokenizer_close(&t);
    tokenizer_close(&t);
    tokenizer_close(NULL);
}

static void expect_refusal(sample *s, const char *message) {
    tokenizer *t = NULL;
    minnow_error error;
    memset(&error, 0, sizeof error);
    assert_int_not_equal(tokenizer_create(&t, &s->config, &error), MINNOW_OK);
    assert_null(t);
    if (strcmp(error.message, message) != 0) fail_msg("message is: %s", error.message);
}

static void refuses_nonsense(void **state) {
    int32_t ids[N_TOKENS];
    sample s;
    (void)state;
    for (int32_t i = 0; i < N_TOKENS; i++) ids[i] = i;
    sample_init(&s);
    s.config.vocab_ids = ids;
    ids[6] = 5;
    expect_refusal(&s, "id 5 belongs to two tokens, '##a' and 'a'");
    ids[6] = -1;
    expect_refusal(&s, "token '##a': id -1 is not between 0 and 16777215");
    ids[6] = 16777216;
    expect_refusal(&s, "token '##a': id 16777216 is not between 0 and 16777215");
    sample_init(&s);
    s.text[s.offsets[8]] = 'a';
    expect_refusal(&s, "token 'a' is there twice, as 5 and 8");
    sample_init(&s);
    s.text[s.offsets[8]] = '\xff';
    expect_refusal(&s, "token 8: invalid UTF-8");
    sample_init(&s);
    s.config.n_vocab = 0;
    expect_refusal(&s, "the vocabulary is empty");
    sample_init(&s);
    s.config.unknown_id = 99;
    expect_refusal(&s, "unknown token: there is no token with id 99");
    sample_init(&s);
    s.special[1] = -5;
    expect_refusal(&s, "template: there is no token with id -5");
    sample_init(&s);
    s.added[2].id = 7;
    expect_refusal(&s, "token '[SEP]' is there twice, as 3 and 7");
    sample_init(&s);
    s.added[2].content_bytes = 0;
    expect_refusal(&s, "added token 3 has 0 bytes (1 to 1024 are possible)");
    sample_init(&s);
    s.added[2].content = "\xef\xbf\xbd";
    s.added[2].content_bytes = 3;
    expect_refusal(&s, "added token 3 contains U+FFFD");
}

/* --- In memory of a known size ------------------------------------------------------------------------------------ */

/* Repeated to thousands of bytes: giant words; marks that canonical ordering sorts, of one class and of several, with
 * dropped accents, controls and starters between; half characters; added tokens, halves of them, what they strip. */
static const char *const hostile[] = {
    "a", "[", "[SEP", "[SEP]", " ", "!", "\xcc\x81", "e\xcc\x81", "\xe3\x80\xae", "\xe3\x80\xae\xe3\x80\xaf",
    "\xe3\x80\xaf\xf0\x91\x9a\xb6\xcc\x81\xf0\x9d\x85\xad", "\xf0\x9d\x85\xa5\xe3\x80\xae\x01",
    "\xf0\x9d\x85\x9e\xe3\x80\xae", "\xf0\x9d\x85\xa0\xf0\x91\x9a\xb6", "\xea\xb0\x81\xe3\x80\xae", "<b> ",
    "   <l>", "<r>   ", "<s12", "<w>", "a<w>", "<w>\xe3\x80\xae", "Foo Ba", "FooBar", " FooBar", "foobar", "\xff",
    "\xe2\x82", "\xf0\x9f\x98", "\xe4\xb8\xad", "\xef\xa4\x80", "\xf0\xaf\xa0\x80", "\xe3\x80\x80", "\xc4\xb0", "",
    "\xc2\x85", "\xef\xbf\xbd", "ab ", "zz ", "a\xcd\x8f", "\xe0\xbf\x86\xe3\x80\xae"};

static void needs_no_more_memory_for_any_text(void **state) {
    static const char *const names[] = {"small", "cased", "accents", "raw", "lower", "added", "added_raw"};
    static const size_t sizes[] = {1, 7, 90, 399, 401, 1030, 5000}, limits[] = {1, 2, 3, 20, 256, 4000, 9000};
    const size_t step = getenv("MINNOW_TEST_EMULATED") != NULL ? 3 : 1;
    char text[5000];
    (void)state;
    for (size_t name = 0; name < sizeof names / sizeof *names; name++) {
        char path[64];
        tokenizer *t;
        snprintf(path, sizeof path, "tests/golden/tokenizer_%s.json", names[name]);
        t = open_tokenizer(path);
        for (size_t h = 0; h < sizeof hostile / sizeof *hostile; h++) {
            const size_t n = hostile[h][0] == '\0' ? 1 : strlen(hostile[h]); /* "": NULs */
            for (size_t i = 0; i < sizeof text; i++) text[i] = hostile[h][i % n];
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s += step)
                for (size_t l = 0; l < sizeof limits / sizeof *limits; l += step)
                    check_into(t, text, sizes[s], limits[l]);
        }
        tokenizer_close(&t);
    }
}

/* A run of marks is given in the order of their classes, and in the text's order within one, however long it is. */
static void orders_long_runs(void **state) {
    static const char *const marks[] = {"\xf0\x9d\x85\xad", "\xe3\x80\xaf", "\xf0\x91\x9a\xb6", "\xcc\x81",
                                        "\xe3\x80\xae"};
    static const int order[] = {2, 1, 4, 0}; /* classes 9, 224, 224, 226; the accent goes */
    enum { REPEAT = 3000 };
    static char text[5 * 4 * REPEAT + 2], sorted[5 * 4 * REPEAT + 2], got[5 * 4 * REPEAT + 2];
    char_rules rules;
    size_t used = 1, n = 1;
    (void)state;
    char_rules_init(&rules, 1, 1, 1, 1);
    text[0] = sorted[0] = 'a';
    for (size_t i = 0; i < 5 * REPEAT; i++, used += strlen(text + used)) strcpy(text + used, marks[i % 5]);
    for (size_t i = 0; i < REPEAT; i++, n += strlen(sorted + n)) strcpy(sorted + n, marks[order[0]]);
    for (size_t i = 0; i < 2 * REPEAT; i++, n += strlen(sorted + n)) strcpy(sorted + n, marks[order[1 + i % 2]]);
    for (size_t i = 0; i < REPEAT; i++, n += strlen(sorted + n)) strcpy(sorted + n, marks[order[3]]);
    assert_int_equal(normalize_text(&rules, (const uint8_t *)text, used, NULL), n);
    assert_int_equal(normalize_text(&rules, (const uint8_t *)text, used, (uint8_t *)got), n);
    assert_memory_equal(got, sorted, n);
}

static void refuses_a_limit_of_nothing(void **state) {
    sample s;
    tokenizer *t;
    uint8_t scratch[512];
    int32_t ids[1];
    size_t n = 99;
    (void)state;
    sample_init(&s);
    s.config.n_prefix = s.config.n_suffix = 0;
    t = sample_create(&s);
    assert_true(tokenizer_scratch_bytes(t) <= sizeof scratch);
    assert_int_equal(tokenizer_encode_into(t, "a", 1, 0, scratch, ids, &n, NULL, NULL), MINNOW_ERROR_ARGUMENT);
    assert_int_equal(n, 99);
    assert_int_equal(tokenizer_encode_into(t, "", 0, 1, scratch, ids, &n, NULL, NULL), MINNOW_OK);
    assert_int_equal(n, 0);
    tokenizer_close(&t);
}

/* --- Time --------------------------------------------------------------------------------------------------------- */

static double seconds_for(const tokenizer *t, const char *unit, size_t unit_bytes, size_t bytes) {
    token_ids ids = {NULL, 0, 0};
    char *text = malloc(bytes);
    double start, elapsed;
    assert_non_null(text);
    for (size_t i = 0; i < bytes; i++) text[i] = unit[i % unit_bytes];
    start = (double)clock() / CLOCKS_PER_SEC; /* of this process: other work on the machine does not count */
    assert_int_equal(tokenizer_encode(t, text, bytes, 0, &ids, NULL, NULL), MINNOW_OK);
    elapsed = (double)clock() / CLOCKS_PER_SEC - start;
    token_ids_free(&ids);
    free(text);
    return elapsed;
}

/* Texts that make careless code quadratic, at n and at 8 n bytes: 64 times as long for such, 8 times for us. */
static void takes_linear_time(void **state) {
    static const char *const units[] = {"a", "[", "[SEP", " ", "\xcc\x81", "\xe3\x80\xae\xe3\x80\xaf", "<b> ", "   <l>",
                                        "<s12", "\xff", "!", "\xe4\xb8\xad", "Foo Ba", "\xe3\x80\x80"};
    tokenizer *t = open_tokenizer("tests/golden/tokenizer_added.json");
    (void)state;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        const size_t n = getenv("MINNOW_TEST_EMULATED") != NULL ? 8 * 1024 : 64 * 1024;
        double small = seconds_for(t, units[i], strlen(units[i]), n);
        const double again = seconds_for(t, units[i], strlen(units[i]), n);
        const double large = seconds_for(t, units[i], strlen(units[i]), 8 * n);
        if (again > small) small = again; /* a noisy machine must not fail the test */
        if (large > 0.05 && large > 32 * small) fail_msg("%s: %g s, then %g s", units[i], small, large);
    }
    tokenizer_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_tokenizers),
        cmocka_unit_test(agrees_with_tokenizers_on_the_model),
        cmocka_unit_test(agrees_on_the_shared_texts),
        cmocka_unit_test(splits_every_scalar_value_as_tokenizers_does),
        cmocka_unit_test(takes_the_longest_token),
        cmocka_unit_test(replaces_ill_formed_text),
        cmocka_unit_test(limits_words),
        cmocka_unit_test(truncates_at_the_end),
        cmocka_unit_test(knows_its_tokens),
        cmocka_unit_test(refuses_nonsense),
        cmocka_unit_test(needs_no_more_memory_for_any_text),
        cmocka_unit_test(orders_long_runs),
        cmocka_unit_test(refuses_a_limit_of_nothing),
        cmocka_unit_test(takes_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
