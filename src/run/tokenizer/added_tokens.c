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

minnow_status added_set_init(added_set *set, trie_key *keys, size_t n_keys, added_token *tokens, size_t n_tokens,
                             minnow_error *error) {
    size_t n = 0;
    memset(set, 0, sizeof *set);
    set->tokens = tokens;
    set->n_tokens = n_tokens;
    set->only_begin = -1;
    TRY(trie_sort_by_text(keys, n_keys, error));
    for (size_t i = 0; i < n_keys; i++) { /* equal contents are in the order of their tokens */
        if (n > 0 && keys[n - 1].bytes == keys[i].bytes && memcmp(keys[n - 1].text, keys[i].text, keys[i].bytes) == 0)
            continue;
        keys[n++] = keys[i];
        set->begins[keys[i].text[0]] = 1;
    }
    if (n > 0 && keys[0].text[0] == keys[n - 1].text[0]) set->only_begin = keys[0].text[0];
    return trie_build(&set->contents, keys, n, error);
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
