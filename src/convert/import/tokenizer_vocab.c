/* SPDX-License-Identifier: Apache-2.0
 *
 * vocab.txt -> tokenizer, with the settings of transformers' BertTokenizer: one token a line, its number the id. */
#include <string.h>

#include "base/utf8.h"
#include "convert/import/tokenizer_reading.h"

/* --- Drafts ------------------------------------------------------------------------------------------------------- */

minnow_status tokenizer_draft_reserve(tokenizer_draft *draft, size_t n, size_t bytes, size_t n_added,
                                      minnow_error *error) {
    arena *a = draft->memory;
    if (bytes >= UINT32_MAX) return error_set(error, MINNOW_ERROR_UNSUPPORTED, "the vocabulary is larger than 4 GiB");
    draft->vocab_text = arena_alloc(a, bytes + 1);
    draft->vocab_offsets = arena_array(a, n + 1, sizeof *draft->vocab_offsets);
    draft->vocab_ids = arena_array(a, n + 1, sizeof *draft->vocab_ids);
    draft->added_tokens = arena_array(a, n_added + 1, sizeof *draft->added_tokens);
    if (draft->vocab_text == NULL || draft->vocab_offsets == NULL || draft->vocab_ids == NULL ||
        draft->added_tokens == NULL)
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for a vocabulary of %zu tokens", n);
    draft->config.vocab_text = draft->vocab_text;
    draft->config.vocab_offsets = draft->vocab_offsets;
    draft->config.vocab_ids = draft->vocab_ids;
    draft->config.added_tokens = draft->added_tokens;
    draft->added_capacity = n_added;
    return MINNOW_OK;
}

void tokenizer_draft_add(tokenizer_draft *draft, const char *text, size_t bytes, int32_t id) {
    const size_t n = draft->config.n_vocab++;
    const uint32_t start = draft->vocab_offsets[n];
    memcpy(draft->vocab_text + start, text, bytes);
    draft->vocab_offsets[n + 1] = start + (uint32_t)bytes;
    draft->vocab_ids[n] = id;
}

/* --- tokenizer_config.json ---------------------------------------------------------------------------------------- */

/* BertTokenizer's own name for each special token. */
static const struct {
    const char *key, *content;
} special_tokens[] = {{"pad_token", "[PAD]"},
                      {"unk_token", "[UNK]"},
                      {"cls_token", "[CLS]"},
                      {"sep_token", "[SEP]"},
                      {"mask_token", "[MASK]"}};
enum { N_SPECIAL = sizeof special_tokens / sizeof *special_tokens };

/* A token is written as a string or as an object with "content". */
static minnow_status check_special(yyjson_val *root, const char *key, const char *expected, minnow_error *error) {
    yyjson_val *value = yyjson_obj_get(root, key);
    if (yyjson_is_obj(value)) value = yyjson_obj_get(value, "content");
    if (value == NULL || yyjson_is_null(value) || yyjson_equals_str(value, expected)) return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "'%s' is not %s: use a tokenizer.json", key, expected);
}

minnow_status vocab_options_read(vocab_options *options, yyjson_val *root, minnow_error *error) {
    int basic = 1;
    yyjson_val *never_split;
    TRY(json_get_bool(root, "do_lower_case", 1, &options->lowercase, error));
    TRY(json_get_bool(root, "strip_accents", -1, &options->strip_accents, error));
    TRY(json_get_bool(root, "tokenize_chinese_chars", 1, &options->chinese_chars, error));
    TRY(json_get_bool(root, "do_basic_tokenize", 1, &basic, error));
    if (!basic) return error_set(error, MINNOW_ERROR_UNSUPPORTED, "'do_basic_tokenize' is false");
    never_split = yyjson_obj_get(root, "never_split");
    if (never_split != NULL && !yyjson_is_null(never_split) && yyjson_arr_size(never_split) != 0)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "'never_split' names tokens");
    for (size_t i = 0; i < N_SPECIAL; i++)
        TRY(check_special(root, special_tokens[i].key, special_tokens[i].content, error));
    return MINNOW_OK;
}

/* --- vocab.txt ---------------------------------------------------------------------------------------------------- */

/* Whitespace at the end of a line is not part of the token: U+0009-000D, 0020, 0085, 00A0, 1680, 2000-200A, 2028, 2029,
 * 202F, 205F, 3000, as Rust's trim_end has it. */
static int is_space(uint32_t c) {
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static size_t trim_end(const uint8_t *line, size_t bytes) {
    while (bytes > 0) {
        uint32_t c = 0;
        size_t n = 1;
        while (n < 4 && n < bytes && (line[bytes - n] & 0xc0) == 0x80) n++;
        if (utf8_decode(line + bytes - n, n, &c) != n || !is_space(c)) break;
        bytes -= n;
    }
    return bytes;
}

static void read_lines(tokenizer_draft *draft, const uint8_t *text, size_t bytes) {
    int32_t id = 0;
    for (size_t start = 0; start < bytes; id++) {
        const uint8_t *newline = memchr(text + start, '\n', bytes - start);
        const size_t end = newline == NULL ? bytes : (size_t)(newline - text);
        tokenizer_draft_add(draft, (const char *)text + start, trim_end(text + start, end - start), id);
        start = end + 1;
    }
}

static int32_t find_token(const tokenizer_config *config, const char *content) {
    const size_t n = strlen(content);
    for (size_t i = 0; i < config->n_vocab; i++) {
        const uint32_t start = config->vocab_offsets[i];
        if (config->vocab_offsets[i + 1] - start == n && memcmp(config->vocab_text + start, content, n) == 0)
            return config->vocab_ids[i];
    }
    return -1;
}

static minnow_status add_special_tokens(tokenizer_draft *draft, int32_t ids[N_SPECIAL], minnow_error *error) {
    for (size_t i = 0; i < N_SPECIAL; i++) {
        const char *content = special_tokens[i].content;
        ids[i] = find_token(&draft->config, content);
        if (ids[i] >= 0)
            draft->added_tokens[draft->config.n_added_tokens++] =
                (tokenizer_added_token){content, strlen(content), ids[i], 1, 0, 0, 0, 0};
        else if (i >= 1 && i <= 3) /* [UNK], [CLS], [SEP] */
            return error_set(error, MINNOW_ERROR_FORMAT, "the vocabulary has no line '%s'", content);
    }
    return MINNOW_OK;
}

static size_t count_lines(const uint8_t *text, size_t bytes) {
    size_t n = bytes > 0 && text[bytes - 1] != '\n';
    for (size_t i = 0; i < bytes; i++) n += text[i] == '\n';
    return n;
}

minnow_status tokenizer_config_from_vocab(tokenizer_config *out, arena *memory, const uint8_t *text, size_t bytes,
                                          const vocab_options *options, minnow_error *error) {
    static const vocab_options defaults = {1, -1, 1};
    tokenizer_draft draft;
    const size_t n_lines = count_lines(text, bytes);
    int32_t *ids = arena_array(memory, N_SPECIAL, sizeof *ids);
    if (ids == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for the template");
    if (options == NULL) options = &defaults;
    if (n_lines > INT32_MAX) return error_set(error, MINNOW_ERROR_UNSUPPORTED, "%zu lines", n_lines);
    memset(&draft, 0, sizeof draft);
    draft.memory = memory;
    TRY(tokenizer_draft_reserve(&draft, n_lines, bytes, N_SPECIAL, error));
    read_lines(&draft, text, bytes);
    TRY(add_special_tokens(&draft, ids, error));
    draft.config.clean_text = 1;
    draft.config.handle_chinese_chars = options->chinese_chars;
    draft.config.lowercase = options->lowercase;
    draft.config.strip_accents = options->strip_accents < 0 ? options->lowercase : options->strip_accents;
    draft.config.continuing_prefix = "##";
    draft.config.unknown_id = ids[1];
    draft.config.max_chars_per_word = 100;
    draft.config.prefix_ids = &ids[2];
    draft.config.suffix_ids = &ids[3];
    draft.config.n_prefix = draft.config.n_suffix = 1;
    *out = draft.config;
    return MINNOW_OK;
}

minnow_status tokenizer_from_vocab(tokenizer **out, const uint8_t *text, size_t bytes, const vocab_options *options,
                                   minnow_error *error) {
    tokenizer_config config;
    arena memory;
    minnow_status status;
    *out = NULL;
    arena_init(&memory, 0);
    status = tokenizer_config_from_vocab(&config, &memory, text, bytes, options, error);
    if (status == MINNOW_OK) status = tokenizer_create(out, &config, error);
    arena_free(&memory);
    return status;
}
