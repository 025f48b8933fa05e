/* SPDX-License-Identifier: Apache-2.0
 *
 * Text -> words, as BertNormalizer (normalize.c) and BertPreTokenizer of Hugging Face `tokenizers` do it, in one pass:
 *
 *   normalized character -> whitespace ends the word | punctuation is a word | else it joins the word
 *
 * Stretches of ASCII take a shorter way: a table says what becomes of each byte. */
#include <string.h>

#include "base/utf8.h"
#include "run/tokenizer/parts.h"

void word_splitter_init(word_splitter *s, size_t max_chars, uint8_t *word, word_fn receive, void *receiver) {
    s->receive = receive;
    s->receiver = receiver;
    s->max_chars = max_chars;
    s->word = word;
    s->bytes = s->chars = 0;
    s->too_long = s->stopped = 0;
}

/* --- Characters --------------------------------------------------------------------------------------------------- */

void word_splitter_end_word(word_splitter *s) {
    if (s->chars > 0 && !s->receive(s->receiver, s->word, s->bytes, s->too_long)) s->stopped = 1;
    s->bytes = s->chars = 0;
    s->too_long = 0;
}

static void append(word_splitter *s, uint32_t c) {
    if (s->chars < s->max_chars) s->bytes += utf8_encode(c, s->word + s->bytes);
    else s->too_long = 1;
    s->chars += s->chars <= s->max_chars; /* an empty word is not a word, even if nothing may be longer */
}

void word_splitter_put(word_splitter *s, uint32_t c) {
    const unsigned property = unicode_property(c);
    if (property & UNICODE_WHITESPACE) {
        word_splitter_end_word(s);
    } else if (property & UNICODE_PUNCTUATION) {
        word_splitter_end_word(s);
        append(s, c);
        word_splitter_end_word(s);
    } else {
        append(s, c);
    }
}

/* --- Whole texts -------------------------------------------------------------------------------------------------- */

/* A stretch of ASCII letters and the like: bytes [0, n) of text. */
static void put_ascii_word(word_splitter *s, const char_rules *rules, const uint8_t *text, size_t n) {
    if (n > s->max_chars - (s->chars < s->max_chars ? s->chars : s->max_chars)) {
        s->too_long = 1;
        s->chars = s->max_chars + 1;
        return;
    }
    for (size_t i = 0; i < n; i++) s->word[s->bytes + i] = rules->lower[text[i]];
    s->bytes += n;
    s->chars += n;
}

/* At least the character at r->at. */
static void put_characters(word_splitter *s, char_reader *r) {
    uint32_t c[UNICODE_MAX_LOWERED];
    do {
        const size_t n = char_reader_next(r, c);
        for (size_t i = 0; i < n; i++) word_splitter_put(s, c[i]);
    } while (!char_reader_is_between(r) && !s->stopped);
}

int split_words(word_splitter *s, const char_rules *rules, const uint8_t *text, size_t bytes) {
    char_reader r;
    char_reader_init(&r, rules, text, bytes);
    while (r.at < bytes && !s->stopped) {
        const size_t start = r.at;
        switch (rules->kind[text[r.at]]) {
        case ASCII_WORD:
            do r.at++;
            while (r.at < bytes && rules->kind[text[r.at]] == ASCII_WORD);
            put_ascii_word(s, rules, text + start, r.at - start);
            break;
        case ASCII_SPACE:
            word_splitter_end_word(s);
            r.at++;
            break;
        case ASCII_PUNCTUATION:
            word_splitter_end_word(s);
            put_ascii_word(s, rules, text + r.at++, 1);
            word_splitter_end_word(s);
            break;
        case ASCII_DROP: r.at++; break;
        default: put_characters(s, &r);
        }
    }
    if (!s->stopped) word_splitter_end_word(s);
    return !s->stopped;
}
