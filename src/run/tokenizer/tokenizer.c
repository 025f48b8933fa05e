/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings and a vocabulary -> a tokenizer: checks them, copies them, builds the tries. */
#include "run/tokenizer/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "run/tokenizer/parts.h"

#define SHOWN_BYTES 60

static int shown(size_t bytes) { return (int)(bytes < SHOWN_BYTES ? bytes : SHOWN_BYTES); }

static minnow_status out_of_memory(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for the vocabulary");
}

/* --- Checks ------------------------------------------------------------------------------------------------------- */

static minnow_status check_text(const uint8_t *text, size_t bytes, const char *what, int32_t id, minnow_error *error) {
    uint32_t c;
    for (size_t i = 0; i < bytes;) {
        const size_t n = text[i] < 0x80 ? 1 : utf8_decode(text + i, bytes - i, &c);
        if (n == 0) return error_set(error, MINNOW_ERROR_FORMAT, "%s %d: invalid UTF-8", what, id);
        i += n;
    }
    return MINNOW_OK;
}

/* It stands for ill-formed bytes as well, which a search of the raw text would not find. */
static int has_replacement_char(const uint8_t *text, size_t bytes) {
    for (size_t i = 0; i + 3 <= bytes; i++)
        if (memcmp(text + i, "\xef\xbf\xbd", 3) == 0) return 1;
    return 0;
}

static minnow_status check_id(int32_t id, const uint8_t *text, size_t bytes, minnow_error *error) {
    if (id < 0 || id > TOKENIZER_MAX_ID)
        return error_set(error, MINNOW_ERROR_FORMAT, "token '%.*s': id %d is not between 0 and %d", shown(bytes),
                         (const char *)text, id, TOKENIZER_MAX_ID);
    return MINNOW_OK;
}

static minnow_status check_config(const tokenizer_config *config, minnow_error *error) {
    if (config->n_vocab == 0) return error_set(error, MINNOW_ERROR_FORMAT, "the vocabulary is empty");
    if (config->max_chars_per_word > TOKENIZER_MAX_WORD_CHARS)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "words of up to %zu characters (the limit is %d)",
                         config->max_chars_per_word, TOKENIZER_MAX_WORD_CHARS);
    for (size_t i = 0; i < config->n_added_tokens; i++) {
        const tokenizer_added_token *token = &config->added_tokens[i];
        if (token->content_bytes == 0 || token->content_bytes > TOKENIZER_MAX_ADDED_BYTES)
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "added token %d has %zu bytes (1 to %d are possible)",
                             token->id, token->content_bytes, TOKENIZER_MAX_ADDED_BYTES);
        TRY(check_text((const uint8_t *)token->content, token->content_bytes, "added token", token->id, error));
        if (has_replacement_char((const uint8_t *)token->content, token->content_bytes))
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "added token %d contains U+FFFD", token->id);
    }
    return MINNOW_OK;
}

/* --- The vocabulary ----------------------------------------------------------------------------------------------- */

/* All texts, one copy: t->by_id holds the vocabulary's tokens, then the added ones; not sorted yet, unless ids are. */
static minnow_status copy_texts(tokenizer *t, const tokenizer_config *config, minnow_error *error) {
    const size_t vocab_bytes = config->vocab_offsets[config->n_vocab];
    size_t bytes = vocab_bytes, used = vocab_bytes;
    for (size_t i = 0; i < config->n_added_tokens; i++) bytes += config->added_tokens[i].content_bytes;
    t->texts = malloc(bytes + 1);
    t->by_id = calloc(config->n_vocab + config->n_added_tokens, sizeof *t->by_id);
    if (t->texts == NULL || t->by_id == NULL) return out_of_memory(error);
    memcpy(t->texts, config->vocab_text, vocab_bytes);
    for (size_t i = 0; i < config->n_vocab; i++) {
        const uint32_t start = config->vocab_offsets[i], n = config->vocab_offsets[i + 1] - start;
        const uint8_t *text = t->texts + start;
        const int32_t id = config->vocab_ids != NULL ? config->vocab_ids[i] : i > INT32_MAX ? -1 : (int32_t)i;
        TRY(check_id(id, text, n, error));
        TRY(check_text(text, n, "token", id, error));
        if (n > TRIE_MAX_KEY_BYTES)
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "token %d has %u bytes (%d are possible)", id, n,
                             TRIE_MAX_KEY_BYTES);
        /* An empty token takes an id and matches nothing. */
        if (n > 0) t->by_id[t->n_tokens++] = (trie_key){text, n, id};
    }
    for (size_t i = 0; i < config->n_added_tokens; i++) {
        const tokenizer_added_token *token = &config->added_tokens[i];
        memcpy(t->texts + used, token->content, token->content_bytes);
        t->by_id[t->n_tokens++] = (trie_key){t->texts + used, (uint32_t)token->content_bytes, token->id};
        TRY(check_id(token->id, t->texts + used, token->content_bytes, error));
        used += token->content_bytes;
    }
    return MINNOW_OK;
}

static int same_text(const trie_key *a, const trie_key *b) {
    return a->bytes == b->bytes && memcmp(a->text, b->text, a->bytes) == 0;
}

static minnow_status there_twice(const trie_key *key, int32_t a, int32_t b, minnow_error *error) {
    return error_set(error, MINNOW_ERROR_FORMAT, "token '%.*s' is there twice, as %d and %d", shown(key->bytes),
                     (const char *)key->text, a < b ? a : b, a < b ? b : a);
}

static minnow_status build_vocab(tokenizer *t, size_t n_vocab, minnow_error *error) {
    trie_key *keys = malloc(n_vocab * sizeof *keys + 1);
    minnow_status status;
    if (keys == NULL) return out_of_memory(error);
    TRY_GOTO(trie_sort_by_text(keys, t->by_id, n_vocab, error));
    for (size_t i = 1; i < n_vocab; i++)
        if (same_text(&keys[i - 1], &keys[i]))
            TRY_GOTO(there_twice(&keys[i], keys[i - 1].value, keys[i].value, error));
    TRY_GOTO(trie_build(&t->vocab, keys, n_vocab, error));
fail:
    free(keys);
    return status;
}

/* One token, one id: added tokens may repeat what the vocabulary and each other say, not contradict it. */
static minnow_status check_added(const tokenizer *t, size_t n_vocab, minnow_error *error) {
    const size_t n = t->n_tokens - n_vocab;
    trie_key *added = malloc(n * sizeof *added + 1);
    minnow_status status;
    if (added == NULL) return out_of_memory(error);
    TRY_GOTO(trie_sort_by_text(added, t->by_id + n_vocab, n, error));
    for (size_t i = 0; i < n; i++) {
        const trie_key *key = &added[i];
        int32_t id = key->value;
        if (trie_longest(&t->vocab, TRIE_ROOT, key->text, key->bytes, &id) == key->bytes && id != key->value)
            TRY_GOTO(there_twice(key, id, key->value, error));
        if (i > 0 && same_text(&added[i - 1], key) && added[i - 1].value != key->value)
            TRY_GOTO(there_twice(key, added[i - 1].value, key->value, error));
    }
fail:
    free(added);
    return status;
}

/* Sorts by id, which one token has. */
static minnow_status index_ids(tokenizer *t, minnow_error *error) {
    size_t n = 0;
    TRY(trie_sort_by_value(t->by_id, t->n_tokens, error));
    for (size_t i = 0; i < t->n_tokens; i++) {
        const trie_key *key = &t->by_id[i], *last = n > 0 ? &t->by_id[n - 1] : NULL;
        if (last != NULL && last->value == key->value) {
            if (same_text(last, key)) continue;
            return error_set(error, MINNOW_ERROR_FORMAT, "id %d belongs to two tokens, '%.*s' and '%.*s'", key->value,
                             shown(last->bytes), (const char *)last->text, shown(key->bytes), (const char *)key->text);
        }
        t->by_id[n++] = *key;
    }
    t->n_tokens = n;
    return MINNOW_OK;
}

/* --- Added tokens ------------------------------------------------------------------------------------------------- */

/* Contents of `normalized` tokens as they look in normalized text, one after another; offsets[i] is where token i's
 * begins. */
static minnow_status normalize_contents(const tokenizer *t, const tokenizer_config *config, uint8_t **texts,
                                        size_t *offsets, minnow_error *error) {
    for (size_t i = 0; i < config->n_added_tokens; i++) {
        const tokenizer_added_token *token = &config->added_tokens[i];
        size_t n = 0;
        if (token->normalized) {
            n = normalize_text(&t->rules, (const uint8_t *)token->content, token->content_bytes, NULL);
            if (n == 0)
                return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                                 "nothing is left of added token %d when it is normalized", token->id);
        }
        offsets[i + 1] = offsets[i] + n;
    }
    *texts = malloc(offsets[config->n_added_tokens] + 1);
    if (*texts == NULL) return out_of_memory(error);
    for (size_t i = 0; i < config->n_added_tokens; i++) {
        const tokenizer_added_token *token = &config->added_tokens[i];
        if (token->normalized)
            (void)normalize_text(&t->rules, (const uint8_t *)token->content, token->content_bytes, *texts + offsets[i]);
    }
    return MINNOW_OK;
}

/* The set of those tokens whose `normalized` flag is as given. */
static minnow_status build_added_set(added_set *set, const tokenizer_config *config, int normalized,
                                     const uint8_t *texts, const size_t *offsets, minnow_error *error) {
    const size_t n = config->n_added_tokens;
    trie_key *keys = calloc(n + 1, sizeof *keys);
    added_token *tokens = calloc(n + 1, sizeof *tokens);
    size_t count = 0;
    minnow_status status;
    if (keys == NULL || tokens == NULL) {
        free(keys);
        free(tokens);
        return out_of_memory(error);
    }
    for (size_t i = 0; i < n; i++) {
        const tokenizer_added_token *token = &config->added_tokens[i];
        if ((token->normalized != 0) != normalized) continue;
        tokens[count] = (added_token){token->id, token->single_word, token->lstrip, token->rstrip};
        if (normalized)
            keys[count] = (trie_key){texts + offsets[i], (uint32_t)(offsets[i + 1] - offsets[i]), (int32_t)count};
        else
            keys[count] = (trie_key){(const uint8_t *)token->content, (uint32_t)token->content_bytes, (int32_t)count};
        count++;
    }
    status = added_set_init(set, keys, count, tokens, count, error);
    free(keys);
    return status;
}

static minnow_status build_added(tokenizer *t, const tokenizer_config *config, minnow_error *error) {
    uint8_t *texts = NULL;
    size_t *offsets = calloc(config->n_added_tokens + 1, sizeof *offsets);
    minnow_status status;
    if (offsets == NULL) return out_of_memory(error);
    TRY_GOTO(normalize_contents(t, config, &texts, offsets, error));
    TRY_GOTO(build_added_set(&t->raw, config, 0, texts, offsets, error));
    TRY_GOTO(build_added_set(&t->normalized, config, 1, texts, offsets, error));
fail:
    free(offsets);
    free(texts);
    return status;
}

/* --- The rest ----------------------------------------------------------------------------------------------------- */

static minnow_status require_id(const tokenizer *t, int32_t id, const char *what, minnow_error *error) {
    size_t bytes;
    if (tokenizer_token_text(t, id, &bytes) == NULL)
        return error_set(error, MINNOW_ERROR_FORMAT, "%s: there is no token with id %d", what, id);
    return MINNOW_OK;
}

static minnow_status copy_template(tokenizer *t, const tokenizer_config *config, minnow_error *error) {
    size_t n, bytes;
    if (config->n_prefix > SIZE_MAX / 8 || config->n_suffix > SIZE_MAX / 8) return out_of_memory(error);
    n = config->n_prefix + config->n_suffix;
    bytes = n * sizeof *t->template_ids;
    t->template_ids = malloc(bytes + 1);
    if (t->template_ids == NULL) return out_of_memory(error);
    if (config->n_prefix > 0) memcpy(t->template_ids, config->prefix_ids, config->n_prefix * sizeof *t->template_ids);
    if (config->n_suffix > 0)
        memcpy(t->template_ids + config->n_prefix, config->suffix_ids, config->n_suffix * sizeof *t->template_ids);
    t->n_prefix = config->n_prefix;
    t->n_suffix = config->n_suffix;
    for (size_t i = 0; i < n; i++) TRY(require_id(t, t->template_ids[i], "template", error));
    return require_id(t, t->unknown_id, "unknown token", error);
}

static uint32_t find_continuation(const trie *vocab, const char *prefix) {
    uint32_t node = TRIE_ROOT;
    for (const char *p = prefix; *p != '\0' && node != TRIE_NONE; p++)
        node = trie_child(vocab->nodes, node, (uint8_t)*p);
    return node;
}

minnow_status tokenizer_create(tokenizer **out, const tokenizer_config *config, minnow_error *error) {
    tokenizer *t;
    minnow_status status;
    size_t n_vocab;
    *out = NULL;
    TRY(check_config(config, error));
    t = calloc(1, sizeof *t);
    if (t == NULL) return out_of_memory(error);
    char_rules_init(&t->rules, config->clean_text, config->handle_chinese_chars, config->strip_accents,
                    config->lowercase);
    char_rules_init(&t->split_only, 0, 0, 0, 0);
    t->max_chars = config->max_chars_per_word;
    t->unknown_id = config->unknown_id;
    TRY_GOTO(copy_texts(t, config, error));
    n_vocab = t->n_tokens - config->n_added_tokens;
    TRY_GOTO(build_vocab(t, n_vocab, error));
    TRY_GOTO(check_added(t, n_vocab, error));
    TRY_GOTO(index_ids(t, error));
    TRY_GOTO(build_added(t, config, error));
    TRY_GOTO(copy_template(t, config, error));
    t->continuation =
        find_continuation(&t->vocab, config->continuing_prefix != NULL ? config->continuing_prefix : "##");
    *out = t;
    return MINNOW_OK;
fail:
    tokenizer_close(&t);
    return status;
}

void tokenizer_close(tokenizer **t) {
    if (t == NULL || *t == NULL) return;
    added_set_free(&(*t)->raw);
    added_set_free(&(*t)->normalized);
    trie_free(&(*t)->vocab);
    free((*t)->template_ids);
    free((*t)->by_id);
    free((*t)->texts);
    free(*t);
    *t = NULL;
}

size_t tokenizer_vocab_size(const tokenizer *t) {
    return t->n_tokens == 0 ? 0 : (size_t)t->by_id[t->n_tokens - 1].value + 1;
}

const char *tokenizer_token_text(const tokenizer *t, int32_t id, size_t *bytes) {
    size_t low = 0, high = t->n_tokens;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (t->by_id[middle].value < id) low = middle + 1;
        else high = middle;
    }
    if (low == t->n_tokens || t->by_id[low].value != id) return NULL;
    *bytes = t->by_id[low].bytes;
    return (const char *)t->by_id[low].text;
}
