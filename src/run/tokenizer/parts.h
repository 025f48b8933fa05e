/* SPDX-License-Identifier: Apache-2.0
 * The parts of a tokenizer, and what its files share. */
#ifndef MINNOW_RUN_TOKENIZER_PARTS_H
#define MINNOW_RUN_TOKENIZER_PARTS_H

#include "run/tokenizer/tokenizer.h"
#include "run/tokenizer/trie.h"
#include "run/tokenizer/unicode.h"

/* The most that max_chars_per_word may be; a word that is longer becomes [UNK]. */
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

/* Reads a text as BertNormalizer writes it. */
typedef struct char_reader {
    const char_rules *rules;
    const uint8_t *text;
    size_t bytes, at;     /* at: the character to read next */
    size_t start;         /* the one that was read last */
    uint32_t parts[UNICODE_MAX_STRIPPED + 2]; /* what it became: n_parts, of which `next` is to be given next */
    size_t n_parts, next;
    /* Inside a run of nonstarters, which is read once for each rank in it: where it begins; the rank that is given and
     * the smallest one above it that was met. */
    int in_run;
    size_t run_start, run_next;
    unsigned rank, higher;
} char_reader;

void char_reader_init(char_reader *r, const char_rules *rules, const uint8_t *text, size_t bytes);
/* The next characters, which come from one; returns their number, 0 at the end of the text. */
size_t char_reader_next(char_reader *r, uint32_t out[UNICODE_MAX_LOWERED]);
/* Nothing of the text before r->at is still to be given. */
static inline int char_reader_is_between(const char_reader *r) { return r->next == r->n_parts && !r->in_run; }

/* Writes what BertNormalizer makes of `text`, as valid UTF-8; `out` may be NULL. Returns its bytes. */
size_t normalize_text(const char_rules *rules, const uint8_t *text, size_t bytes, uint8_t *out);

/* Where words go, one call a word. `too_long`: it had more than max_chars characters and `word` is only a part of it.
 * Returns 0 to stop. */
typedef int (*word_fn)(void *receiver, const uint8_t *word, size_t bytes, int too_long);

/* Normalized characters -> words. */
typedef struct word_splitter {
    word_fn receive;
    void *receiver;
    size_t max_chars;
    uint8_t *word;         /* [max_chars * 4] */
    size_t bytes, chars;   /* of the word so far */
    int too_long, stopped; /* stopped: by the receiver */
} word_splitter;

void word_splitter_init(word_splitter *s, size_t max_chars, uint8_t *word, word_fn receive, void *receiver);
void word_splitter_put(word_splitter *s, uint32_t c);
void word_splitter_end_word(word_splitter *s);

/* Normalizes a text and splits it into words, the last of which ends with it. Returns 0 if the receiver stopped it. */
int split_words(word_splitter *s, const char_rules *rules, const uint8_t *text, size_t bytes);

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
    size_t longest;      /* bytes of the longest content */
} added_set;

/* `keys` are contents, their values indexes into `tokens`; equal contents: the first one counts. Takes over
 * `tokens`. */
minnow_status added_set_init(added_set *set, const trie_key *keys, size_t n_keys, added_token *tokens, size_t n_tokens,
                             minnow_error *error);
void added_set_free(added_set *set);

/* Where the pieces of a text go: an added token (id >= 0, text NULL), or text between two (id -1). Returns 0 to
 * stop. */
typedef int (*piece_fn)(void *receiver, int32_t id, const uint8_t *text, size_t bytes);
int added_set_split(const added_set *set, const uint8_t *text, size_t bytes, piece_fn receive, void *receiver);

/* The same in the text that `reader` gives, of which `window`, added_set_window_bytes, holds a stretch. Characters
 * between tokens go to `words`, one by one; an added token ends the word and goes to `receive`. Whitespace beside a
 * token ends words and is none, so that lstrip and rstrip change nothing here. Returns 0 if a receiver stopped it. */
size_t added_set_window_bytes(const added_set *set);
int added_set_split_normalized(const added_set *set, char_reader *reader, uint8_t *window, word_splitter *words,
                               piece_fn receive, void *receiver);

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
