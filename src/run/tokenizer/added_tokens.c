/* SPDX-License-Identifier: Apache-2.0
 *
 * Added tokens in a text: the leftmost match, the longest of those, then on behind it, as AddedVocabulary of Hugging
 * Face `tokenizers` does it with an Aho-Corasick automaton. A single_word token must not touch a word character; lstrip
 * and rstrip take the whitespace beside it. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "run/tokenizer/parts.h"
#include "run/tokenizer/unicode.h"

minnow_status added_set_init(added_set *set, const trie_key *keys, size_t n_keys, added_token *tokens, size_t n_tokens,
                             minnow_error *error) {
    trie_key *sorted = malloc(n_keys * sizeof *sorted + 1);
    size_t n = 0;
    minnow_status status;
    memset(set, 0, sizeof *set);
    set->tokens = tokens;
    set->n_tokens = n_tokens;
    set->only_begin = -1;
    if (sorted == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for %zu added tokens", n_keys);
    TRY_GOTO(trie_sort_by_text(sorted, keys, n_keys, error));
    for (size_t i = 0; i < n_keys; i++) { /* equal contents are in the order of their tokens */
        const trie_key *key = &sorted[i], *last = &sorted[n > 0 ? n - 1 : 0];
        if (n > 0 && last->bytes == key->bytes && memcmp(last->text, key->text, key->bytes) == 0) continue;
        sorted[n++] = *key;
        set->begins[key->text[0]] = 1;
        if (key->bytes > set->longest) set->longest = key->bytes;
    }
    if (n > 0 && sorted[0].text[0] == sorted[n - 1].text[0]) set->only_begin = sorted[0].text[0];
    TRY_GOTO(trie_build(&set->contents, sorted, n, error));
fail:
    free(sorted);
    return status;
}

void added_set_free(added_set *set) {
    trie_free(&set->contents);
    free(set->tokens);
    memset(set, 0, sizeof *set);
}

/* --- Around a match ----------------------------------------------------------------------------------------------- */

/* The character that ends at text[end]: its start. end >= 1. */
static size_t char_before(const uint8_t *text, size_t end, uint32_t *c) {
    for (size_t n = 1; n <= 4 && n <= end; n++)
        if (utf8_decode(text + end - n, n, c) == n) return end - n;
    *c = 0xfffd;
    return end - 1;
}

static int is_whitespace(uint32_t c) { return (unicode_property(c) & UNICODE_WHITESPACE) != 0; }

static int touches_word(const uint8_t *text, size_t bytes, size_t start, size_t end) {
    uint32_t c;
    if (start > 0) {
        (void)char_before(text, start, &c);
        if (unicode_is_word_char(c)) return 1;
    }
    if (end < bytes) {
        (void)decode_char(text + end, bytes - end, &c);
        if (unicode_is_word_char(c)) return 1;
    }
    return 0;
}

/* The start of the whitespace that ends at `start`, but not before `limit`. */
static size_t whitespace_before(const uint8_t *text, size_t start, size_t limit) {
    while (start > limit) {
        uint32_t c;
        const size_t previous = char_before(text, start, &c);
        if (!is_whitespace(c) || previous < limit) break;
        start = previous;
    }
    return start;
}

static size_t whitespace_after(const uint8_t *text, size_t bytes, size_t end) {
    while (end < bytes) {
        uint32_t c;
        const size_t n = decode_char(text + end, bytes - end, &c);
        if (!is_whitespace(c)) break;
        end += n;
    }
    return end;
}

/* --- Splitting ---------------------------------------------------------------------------------------------------- */

/* The next match from `from` on: its start and its bytes, or 0. */
static size_t find_next(const added_set *set, const uint8_t *text, size_t bytes, size_t from, size_t *start,
                        int32_t *token) {
    while (from < bytes) {
        size_t n;
        if (set->only_begin >= 0) {
            const uint8_t *found = memchr(text + from, set->only_begin, bytes - from);
            if (found == NULL) return 0;
            from = (size_t)(found - text);
        } else {
            while (!set->begins[text[from]])
                if (++from == bytes) return 0;
        }
        n = trie_longest(&set->contents, TRIE_ROOT, text + from, bytes - from, token);
        if (n > 0) {
            *start = from;
            return n;
        }
        from++;
    }
    return 0;
}

int added_set_split(const added_set *set, const uint8_t *text, size_t bytes, piece_fn receive, void *receiver) {
    size_t done = 0, from = 0, start = 0, n;
    size_t space_start = 0, space_end = 0; /* whitespace that is known: scanned once, however many tokens begin in it */
    int32_t index = 0;
    if (set->n_tokens == 0) return receive(receiver, -1, text, bytes);
    while ((n = find_next(set, text, bytes, from, &start, &index)) > 0) {
        const added_token *token = &set->tokens[index];
        size_t end = start + n;
        from = end;
        if (token->single_word && touches_word(text, bytes, start, end)) continue;
        if (token->lstrip) {
            const size_t stripped = start > done ? whitespace_before(text, start, done) : done;
            start = stripped;
        }
        if (token->rstrip) {
            if (end < space_start || end > space_end) {
                space_start = end;
                space_end = whitespace_after(text, bytes, end);
            }
            end = space_end;
        }
        if (start > done && !receive(receiver, -1, text + done, start - done)) return 0;
        if (!receive(receiver, token->id, NULL, 0)) return 0;
        done = end;
    }
    return done >= bytes || receive(receiver, -1, text + done, bytes - done);
}

/* --- Splitting what is not whole in memory ------------------------------------------------------------------------ */

#define LEAST_REFILL 1024 /* bytes: what is left in the window is moved once for so many */

/* A stretch of the normalized text: bytes [at, end) of data are still to be looked at. */
typedef struct text_window {
    char_reader *reader;
    uint8_t *data;
    size_t at, end, needed; /* needed: a content and the character behind it */
    int is_last;            /* the text ends with the window */
    uint32_t before;        /* the character before `at` ... */
    int has_before;         /* ... if there is one */
} text_window;

static size_t needed_bytes(const added_set *set) { return set->longest + 4; }

size_t added_set_window_bytes(const added_set *set) {
    return set->n_tokens == 0 ? 0 : needed_bytes(set) + LEAST_REFILL + 4 * UNICODE_MAX_LOWERED;
}

/* What is needed is there, or all that is left. */
static void fill(text_window *w) {
    uint32_t c[UNICODE_MAX_LOWERED];
    size_t n;
    if (w->is_last || w->end - w->at >= w->needed) return;
    memmove(w->data, w->data + w->at, w->end - w->at);
    w->end -= w->at;
    w->at = 0;
    while (w->end < w->needed + LEAST_REFILL && !w->is_last) {
        n = char_reader_next(w->reader, c);
        for (size_t i = 0; i < n; i++) w->end += utf8_encode(c[i], w->data + w->end);
        w->is_last = n == 0;
    }
}

/* Bytes of the content that begins at w->at and may be a token there or not, as *refused says; 0 if there is none. */
static size_t match(const added_set *set, const text_window *w, int32_t *token, int *refused) {
    const uint8_t *text = w->data + w->at;
    const size_t left = w->end - w->at;
    const size_t n = set->begins[*text] ? trie_longest(&set->contents, TRIE_ROOT, text, left, token) : 0;
    *refused = n > 0 && set->tokens[*token].single_word &&
               ((w->has_before && unicode_is_word_char(w->before)) || touches_word(text, left, 0, n));
    return n;
}

/* Takes the next n bytes, whole characters; they go to `words` unless it is NULL. */
static void take(text_window *w, size_t n, word_splitter *words) {
    for (const size_t end = w->at + n; w->at < end;) {
        w->at += decode_char(w->data + w->at, end - w->at, &w->before);
        if (words != NULL && !words->stopped) word_splitter_put(words, w->before);
    }
    w->has_before = 1;
}

int added_set_split_normalized(const added_set *set, char_reader *reader, uint8_t *window, word_splitter *words,
                               piece_fn receive, void *receiver) {
    text_window w = {reader, window, 0, 0, needed_bytes(set), 0, 0, 0};
    for (fill(&w); w.at < w.end && !words->stopped; fill(&w)) {
        int32_t token = 0;
        int refused;
        uint32_t c;
        const size_t n = match(set, &w, &token, &refused);
        if (n == 0 || refused) {
            take(&w, n > 0 ? n : decode_char(w.data + w.at, w.end - w.at, &c), words);
            continue;
        }
        take(&w, n, NULL);
        word_splitter_end_word(words);
        if (words->stopped || !receive(receiver, set->tokens[token].id, NULL, 0)) return 0;
    }
    if (!words->stopped) word_splitter_end_word(words);
    return !words->stopped;
}
