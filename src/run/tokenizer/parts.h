/* SPDX-License-Identifier: Apache-2.0
 * The parts of a tokenizer, and what its files share. */
#ifndef MINNOW_RUN_TOKENIZER_PARTS_H
#define MINNOW_RUN_TOKENIZER_PARTS_H

#include "run/tokenizer/tokenizer.h"
#include "run/tokenizer/trie.h"

/* A word that is longer becomes [UNK]; the working memory of a word is on the stack. */
#define TOKENIZER_MAX_WORD_CHARS 1000
#define TOKENIZER_MAX_ID ((1 << 24) - 1)
#define TOKENIZER_MAX_ADDED_BYTES 1024

/* --- Characters: BertNormalizer and BertPreTokenizer -------------------------------------------------------------- */

enum { ASCII_WORD, ASCII_SPACE, ASCII_PUNCTUATION, ASCII_DROP, NOT_ASCII };

typedef struct char_rules {
    uint8_t clean_text, handle_chinese_chars, strip_accents, lowercase;
    uint8_t kind[256];  /* of a byte: one of the above */
    uint8_t lower[256]; /* what a byte of kind ASCII_WORD becomes */
} char_rules;

void char_rules_init(char_rules *rules, int clean_text, int handle_chinese_chars, int strip_accents, int lowercase);

/* UTF-8 that grows; zeroed to start with. */
typedef struct text_buffer {
    uint8_t *data;
    size_t bytes, capacity;
} text_buffer;

/* Appends what BertNormalizer makes of `text`, as valid UTF-8. */
minnow_status normalize_text(const char_rules *rules, const uint8_t *text, size_t bytes, text_buffer *out,
                             minnow_error *error);

/* Where words go, one call a word. `too_long`: it had more than max_chars characters and `word` is only a part of it.
 * Returns 0 to stop. */
typedef int (*word_fn)(void *receiver, const uint8_t *word, size_t bytes, int too_long);

/* Normalizes a text and splits it into words. Returns 0 if the receiver stopped it. */
int split_words(const char_rules *rules, size_t max_chars, const uint8_t *text, size_t bytes, word_fn receive,
                void *receiver);

/* Decodes one character, U+FFFD for an ill-formed subpart; returns the bytes it takes. bytes >= 1. */
size_t decode_char(const uint8_t *text, size_t bytes, uint32_t *c);

/* --- Added tokens ------------------------------------------------------------------------------------------------- */

typedef struct added_token {
    int32_t id;
    uint8_t single_word, lstrip, rstrip;
} added_token;

typedef struct added_set {
    trie contents; /* -> index into tokens */
    added_token *tokens;
    size_t n_tokens;
    uint8_t begins[256]; /* 1: some content begins with this byte */
    int only_begin;      /* the one byte that all begin with, or -1 */
} added_set;

/* `keys` are contents, their values indexes into `tokens`; equal contents: the first one counts. Takes over
 * `tokens`. */
minnow_status added_set_init(added_set *set, trie_key *keys, size_t n_keys, added_token *tokens, size_t n_tokens,
                             minnow_error *error);
void added_set_free(added_set *set);

/* Where the pieces of a text go: an added token (id >= 0, text NULL), or text between two (id -1). Returns 0 to
 * stop. */
typedef int (*piece_fn)(void *receiver, int32_t id, const uint8_t *text, size_t bytes);
int added_set_split(const added_set *set, const uint8_t *text, size_t bytes, piece_fn receive, void *receiver);

/* --- The tokenizer ------------------------------------------------------------------------------------------------ */

struct tokenizer {
    char_rules rules, split_only; /* split_only: text that is normalized already */
    added_set raw, normalized;    /* added tokens that are looked for before and after normalization */
    trie vocab;
    uint32_t continuation; /* the trie's node of the prefix "##", or TRIE_NONE */
    int32_t unknown_id;
    size_t max_chars;
    int32_t *template_ids; /* [n_prefix + n_suffix] */
    size_t n_prefix, n_suffix;
    trie_key *by_id; /* all tokens, sorted by id (their value) */
    size_t n_tokens;
    uint8_t *texts; /* theirs */
};

#endif
