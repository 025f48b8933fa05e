/* SPDX-License-Identifier: Apache-2.0
 *
 * tokenizer.json, as Hugging Face `tokenizers` writes it -> tokenizer. What this engine does not do is refused by name:
 * a file that is half understood would give other ids than its author saw. */
#include <string.h>

#include "convert/import/tokenizer_reading.h"
#include "run/tokenizer/trie.h"

#define SHOWN_BYTES 60

static const char *const whole_file = "tokenizer.json";

/* --- Small things ------------------------------------------------------------------------------------------------- */

/* A section of the file: NULL if it is missing or null; else an object. */
static minnow_status find_section(yyjson_val *root, const char *key, yyjson_val **section, minnow_error *error) {
    *section = yyjson_obj_get(root, key);
    if (yyjson_is_null(*section)) *section = NULL;
    if (*section != NULL && !yyjson_is_obj(*section))
        return error_set(error, MINNOW_ERROR_FORMAT, "'%s' is of type %s, where an object was expected", key,
                         yyjson_get_type_desc(*section));
    return MINNOW_OK;
}

static minnow_status find_type(yyjson_val *section, const char *name, const char **type, minnow_error *error) {
    const minnow_status status = json_get_string(section, "type", "", type, error);
    return status == MINNOW_OK ? status : error_prefix(error, status, "%s", name);
}

static minnow_status refuse_type(const char *name, const char *type, minnow_error *error) {
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "%s '%.*s' is not supported", name, SHOWN_BYTES, type);
}

static minnow_status read_id(yyjson_val *value, const char *what, int32_t *id, minnow_error *error) {
    if (!yyjson_is_uint(value) || yyjson_get_uint(value) > INT32_MAX)
        return error_set(error, MINNOW_ERROR_FORMAT, "%s: an id is not a whole number from 0 to %d", what, INT32_MAX);
    *id = (int32_t)yyjson_get_uint(value);
    return MINNOW_OK;
}

static yyjson_val *string_member(yyjson_val *object, const char *key) {
    yyjson_val *value = yyjson_obj_get(object, key);
    return yyjson_is_str(value) ? value : NULL;
}

/* The file's text is gone when its tokenizer is made. */
static minnow_status keep_text(arena *memory, const char **text, size_t bytes, minnow_error *error) {
    *text = arena_string(memory, *text, bytes);
    return *text != NULL ? MINNOW_OK : error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu bytes", bytes);
}

/* --- Sections ----------------------------------------------------------------------------------------------------- */

static minnow_status read_normalizer(tokenizer_config *config, yyjson_val *root, minnow_error *error) {
    yyjson_val *section;
    const char *type;
    TRY(find_section(root, "normalizer", &section, error));
    if (section == NULL) return MINNOW_OK;
    TRY(find_type(section, "normalizer", &type, error));
    if (strcmp(type, "BertNormalizer") != 0) return refuse_type("normalizer", type, error);
    TRY(json_get_bool(section, "clean_text", 1, &config->clean_text, error));
    TRY(json_get_bool(section, "handle_chinese_chars", 1, &config->handle_chinese_chars, error));
    TRY(json_get_bool(section, "lowercase", 1, &config->lowercase, error));
    return json_get_bool(section, "strip_accents", config->lowercase, &config->strip_accents, error);
}

static minnow_status check_pre_tokenizer(yyjson_val *root, minnow_error *error) {
    yyjson_val *section;
    const char *type;
    TRY(find_section(root, "pre_tokenizer", &section, error));
    if (section == NULL) return error_set(error, MINNOW_ERROR_UNSUPPORTED, "a tokenizer without a pre_tokenizer");
    TRY(find_type(section, "pre_tokenizer", &type, error));
    return strcmp(type, "BertPreTokenizer") == 0 ? MINNOW_OK : refuse_type("pre_tokenizer", type, error);
}

static minnow_status read_vocab(tokenizer_draft *draft, yyjson_val *vocab, minnow_error *error) {
    size_t index, count;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(vocab)) return error_set(error, MINNOW_ERROR_FORMAT, "the model has no 'vocab'");
    yyjson_obj_foreach(vocab, index, count, key, value) {
        int32_t id = 0;
        minnow_status status = read_id(value, "vocab", &id, error);
        if (status != MINNOW_OK) return error_prefix(error, status, "token '%.*s'", SHOWN_BYTES, yyjson_get_str(key));
        tokenizer_draft_add(draft, yyjson_get_str(key), yyjson_get_len(key), id);
    }
    return MINNOW_OK;
}

static minnow_status read_model(tokenizer_draft *draft, yyjson_val *model, minnow_error *error) {
    tokenizer_config *config = &draft->config;
    const char *type, *unknown;
    int64_t max_chars;
    yyjson_val *vocab = yyjson_obj_get(model, "vocab"), *unknown_id;
    TRY(find_type(model, "model", &type, error));
    if (strcmp(type, "WordPiece") != 0) return refuse_type("model", type, error);
    TRY(json_get_string(model, "continuing_subword_prefix", "##", &config->continuing_prefix, error));
    TRY(keep_text(draft->memory, &config->continuing_prefix, strlen(config->continuing_prefix), error));
    TRY(json_get_string(model, "unk_token", "[UNK]", &unknown, error));
    TRY(json_get_int(model, "max_input_chars_per_word", 100, &max_chars, error));
    if (max_chars < 0) return error_set(error, MINNOW_ERROR_FORMAT, "'max_input_chars_per_word' is negative");
    config->max_chars_per_word = (uint64_t)max_chars > SIZE_MAX ? SIZE_MAX : (size_t)max_chars;
    TRY(read_vocab(draft, vocab, error));
    unknown_id = yyjson_obj_get(vocab, unknown);
    if (unknown_id == NULL)
        return error_set(error, MINNOW_ERROR_FORMAT, "the unknown token '%.*s' is not in the vocabulary", SHOWN_BYTES,
                         unknown);
    return read_id(unknown_id, "unknown token", &config->unknown_id, error);
}

/* --- Added tokens ------------------------------------------------------------------------------------------------- */

static minnow_status read_flag(yyjson_val *object, const char *key, int fallback, uint8_t *out, minnow_error *error) {
    int value;
    TRY(json_get_bool(object, key, fallback, &value, error));
    *out = (uint8_t)value;
    return MINNOW_OK;
}

/* The vocabulary, sorted by id. */
typedef struct id_index {
    trie_key *keys;
    size_t n;
} id_index;

static minnow_status index_vocab(tokenizer_draft *draft, id_index *index, minnow_error *error) {
    const tokenizer_config *config = &draft->config;
    index->n = config->n_vocab;
    index->keys = arena_array(draft->memory, index->n, sizeof *index->keys);
    if (index->keys == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu tokens", index->n);
    for (size_t i = 0; i < index->n; i++) {
        const uint32_t start = draft->vocab_offsets[i], bytes = draft->vocab_offsets[i + 1] - start;
        index->keys[i] = (trie_key){(const uint8_t *)draft->vocab_text + start, bytes, draft->vocab_ids[i]};
    }
    return trie_sort_by_value(index->keys, index->n, error);
}

/* Whether the vocabulary has this token with this id. */
static int is_in_vocab(const id_index *index, const tokenizer_added_token *token) {
    size_t low = 0, high = index->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (index->keys[middle].value < token->id) low = middle + 1;
        else high = middle;
    }
    return low < index->n && index->keys[low].value == token->id && index->keys[low].bytes == token->content_bytes &&
           memcmp(index->keys[low].text, token->content, token->content_bytes) == 0;
}

/* `tokenizers` gives a token that the vocabulary lacks the next free id, whatever the file says: a file that says
 * something else is refused instead of read in two ways. (tokenizer_create refuses one that the vocabulary has under
 * another id.) */
static minnow_status check_added_id(const tokenizer_added_token *token, const id_index *index, int64_t *next_id,
                                    minnow_error *error) {
    const int known = is_in_vocab(index, token);
    if (!known && token->id != *next_id)
        return error_set(error, MINNOW_ERROR_FORMAT,
                         "added token '%.*s' has id %d, not the vocabulary's or the next one, %lld", SHOWN_BYTES,
                         token->content, token->id, (long long)*next_id);
    if (token->id >= *next_id) *next_id = (int64_t)token->id + 1;
    return MINNOW_OK;
}

static minnow_status read_added_token(tokenizer_added_token *token, arena *memory, yyjson_val *object,
                                      minnow_error *error) {
    yyjson_val *content = string_member(object, "content");
    if (content == NULL) return error_set(error, MINNOW_ERROR_FORMAT, "an added token has no 'content'");
    token->content = yyjson_get_str(content);
    token->content_bytes = yyjson_get_len(content);
    TRY(keep_text(memory, &token->content, token->content_bytes, error));
    TRY(read_id(yyjson_obj_get(object, "id"), "added token", &token->id, error));
    TRY(read_flag(object, "special", 0, &token->special, error));
    TRY(read_flag(object, "single_word", 0, &token->single_word, error));
    TRY(read_flag(object, "lstrip", 0, &token->lstrip, error));
    TRY(read_flag(object, "rstrip", 0, &token->rstrip, error));
    return read_flag(object, "normalized", !token->special, &token->normalized, error);
}

static minnow_status read_added_tokens(tokenizer_draft *draft, yyjson_val *list, minnow_error *error) {
    size_t i, count;
    yyjson_val *object;
    id_index index;
    int64_t next_id = (int64_t)draft->config.n_vocab;
    if (list == NULL || yyjson_is_null(list)) return MINNOW_OK;
    if (!yyjson_is_arr(list)) return error_set(error, MINNOW_ERROR_FORMAT, "'added_tokens' is not a list");
    TRY(index_vocab(draft, &index, error));
    yyjson_arr_foreach(list, i, count, object) {
        tokenizer_added_token *token = &draft->added_tokens[draft->config.n_added_tokens];
        minnow_status status = read_added_token(token, draft->memory, object, error);
        if (status != MINNOW_OK) return error_prefix(error, status, "added_tokens[%zu]", i);
        if (token->content_bytes == 0) continue; /* ignored there, too */
        TRY(check_added_id(token, &index, &next_id, error));
        draft->config.n_added_tokens++;
    }
    return MINNOW_OK;
}

/* --- The template ------------------------------------------------------------------------------------------------- */

static minnow_status bad_template(const char *what, minnow_error *error) {
    return error_set(error, MINNOW_ERROR_FORMAT, "post_processor: %s", what);
}

/* {"SpecialToken":{"id":"[CLS]"}}: appends what `special_tokens` says its ids are. */
static minnow_status append_special(int32_t *ids, size_t capacity, size_t *n, yyjson_val *special, yyjson_val *tokens,
                                    minnow_error *error) {
    size_t index, count;
    yyjson_val *name = string_member(special, "id"), *value, *list;
    if (name == NULL) return bad_template("a special token has no name", error);
    list = yyjson_obj_get(yyjson_obj_getn(tokens, yyjson_get_str(name), yyjson_get_len(name)), "ids");
    if (!yyjson_is_arr(list)) return bad_template("a special token has no ids", error);
    yyjson_arr_foreach(list, index, count, value) {
        if (*n == capacity)
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "post_processor: more than %zu special tokens", capacity);
        TRY(read_id(value, "post_processor", &ids[*n], error));
        ++*n;
    }
    return MINNOW_OK;
}

enum { MAX_TEMPLATE_IDS = 64 };

static minnow_status read_template(tokenizer_draft *draft, yyjson_val *section, minnow_error *error) {
    yyjson_val *single = yyjson_obj_get(section, "single"), *tokens = yyjson_obj_get(section, "special_tokens"), *item;
    int32_t *ids = arena_array(draft->memory, MAX_TEMPLATE_IDS, sizeof *ids);
    size_t index, count, n = 0, n_prefix = 0;
    int n_sequences = 0;
    if (ids == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for the template");
    if (!yyjson_is_arr(single)) return bad_template("'single' is not a list", error);
    yyjson_arr_foreach(single, index, count, item) {
        yyjson_val *sequence = yyjson_obj_get(item, "Sequence"), *special = yyjson_obj_get(item, "SpecialToken");
        const int is_a = yyjson_equals_str(yyjson_obj_get(sequence, "id"), "A");
        if (special != NULL && yyjson_obj_size(item) == 1) {
            TRY(append_special(ids, MAX_TEMPLATE_IDS, &n, special, tokens, error));
        } else if (sequence != NULL && yyjson_obj_size(item) == 1 && is_a) {
            n_sequences++;
            n_prefix = n;
        } else {
            return bad_template("'single' holds something else than special tokens and sequence A", error);
        }
    }
    if (n_sequences != 1) return bad_template("'single' does not hold sequence A once", error);
    draft->config.prefix_ids = ids;
    draft->config.n_prefix = n_prefix;
    draft->config.suffix_ids = ids + n_prefix;
    draft->config.n_suffix = n - n_prefix;
    return MINNOW_OK;
}

/* BertProcessing: "cls": ["[CLS]", 101], "sep": ["[SEP]", 102]. */
static minnow_status read_bert_processing(tokenizer_draft *draft, yyjson_val *section, minnow_error *error) {
    int32_t *ids = arena_array(draft->memory, 2, sizeof *ids);
    if (ids == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for the template");
    TRY(read_id(yyjson_arr_get(yyjson_obj_get(section, "cls"), 1), "post_processor 'cls'", &ids[0], error));
    TRY(read_id(yyjson_arr_get(yyjson_obj_get(section, "sep"), 1), "post_processor 'sep'", &ids[1], error));
    draft->config.prefix_ids = ids;
    draft->config.suffix_ids = ids + 1;
    draft->config.n_prefix = draft->config.n_suffix = 1;
    return MINNOW_OK;
}

static minnow_status read_post_processor(tokenizer_draft *draft, yyjson_val *root, minnow_error *error) {
    yyjson_val *section;
    const char *type;
    TRY(find_section(root, "post_processor", &section, error));
    if (section == NULL) return MINNOW_OK;
    TRY(find_type(section, "post_processor", &type, error));
    if (strcmp(type, "TemplateProcessing") == 0) return read_template(draft, section, error);
    if (strcmp(type, "BertProcessing") == 0) return read_bert_processing(draft, section, error);
    return refuse_type("post_processor", type, error);
}

/* --- The file ----------------------------------------------------------------------------------------------------- */

static size_t sum_key_bytes(yyjson_val *object) {
    size_t index, count, bytes = 0;
    yyjson_val *key, *value;
    if (!yyjson_is_obj(object)) return 0;
    yyjson_obj_foreach(object, index, count, key, value) bytes += yyjson_get_len(key);
    return bytes;
}

static minnow_status read_root(tokenizer_draft *draft, yyjson_val *root, minnow_error *error) {
    yyjson_val *model, *vocab, *added;
    if (!yyjson_is_obj(root)) return error_set(error, MINNOW_ERROR_FORMAT, "not a %s: no object", whole_file);
    TRY(find_section(root, "model", &model, error));
    if (model == NULL) return error_set(error, MINNOW_ERROR_FORMAT, "not a %s: no 'model'", whole_file);
    vocab = yyjson_obj_get(model, "vocab");
    added = yyjson_obj_get(root, "added_tokens");
    TRY(tokenizer_draft_reserve(draft, yyjson_obj_size(vocab), sum_key_bytes(vocab), yyjson_arr_size(added), error));
    TRY(read_model(draft, model, error));
    TRY(read_normalizer(&draft->config, root, error));
    TRY(check_pre_tokenizer(root, error));
    TRY(read_added_tokens(draft, added, error));
    return read_post_processor(draft, root, error);
}

minnow_status tokenizer_config_from_json(tokenizer_config *out, arena *memory, const uint8_t *json, size_t bytes,
                                         minnow_error *error) {
    yyjson_doc *doc;
    tokenizer_draft draft;
    minnow_status status;
    memset(&draft, 0, sizeof draft);
    draft.memory = memory;
    TRY(json_parse(&doc, (const char *)json, bytes, error));
    status = read_root(&draft, yyjson_doc_get_root(doc), error);
    yyjson_doc_free(doc);
    *out = draft.config;
    return status;
}

minnow_status tokenizer_from_json(tokenizer **out, const uint8_t *json, size_t bytes, minnow_error *error) {
    tokenizer_config config;
    arena memory;
    minnow_status status;
    *out = NULL;
    arena_init(&memory, 0);
    status = tokenizer_config_from_json(&config, &memory, json, bytes, error);
    if (status == MINNOW_OK) status = tokenizer_create(out, &config, error);
    arena_free(&memory);
    return status;
}
