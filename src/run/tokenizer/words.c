/* SPDX-License-Identifier: Apache-2.0
 *
 * Text -> words, as BertNormalizer and BertPreTokenizer of Hugging Face `tokenizers` do it, in one pass:
 *
 *   character -> clean_text (drop, or space) -> spaces around Chinese -> decompose, sort and drop accents -> lower case
 *             -> whitespace ends the word | punctuation is a word | else it joins the word
 *
 * Canonical ordering is the one step that looks at more than one character: nonstarters that are not dropped are
 * sorted, stably, by the rank of their class, between one starter and the next. They all join words, so a run of them
 * lies in one word. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "run/tokenizer/parts.h"
#include "run/tokenizer/unicode.h"

#define WORD_BYTES (4 * (size_t)TOKENIZER_MAX_WORD_CHARS)

/* Characters go into `word`, and words to `receive`; or, if `text` is set, all into the text. */
typedef struct splitter {
    const char_rules *rules;
    size_t max_chars;
    word_fn receive;
    void *receiver;
    text_buffer *text;
    int stopped; /* by the receiver, or for want of memory */
    int too_long;
    size_t bytes, chars;       /* of the word so far */
    size_t run_start, n_run;   /* nonstarters at its end (or the text's) that are still to be sorted */
    uint8_t word[WORD_BYTES];
} splitter;

size_t decode_char(const uint8_t *text, size_t bytes, uint32_t *c) {
    const size_t n = utf8_decode(text, bytes, c);
    if (n > 0) return n;
    *c = 0xfffd;
    return utf8_ill_formed_bytes(text, bytes);
}

void char_rules_init(char_rules *rules, int clean_text, int handle_chinese_chars, int strip_accents, int lowercase) {
    rules->clean_text = clean_text != 0;
    rules->handle_chinese_chars = handle_chinese_chars != 0;
    rules->strip_accents = strip_accents != 0;
    rules->lowercase = lowercase != 0;
    for (unsigned c = 0; c < 256; c++) {
        const unsigned property = c < 128 ? unicode_property(c) : 0;
        uint32_t lower[UNICODE_MAX_LOWERED] = {c};
        if (lowercase && property & UNICODE_LOWERS) (void)unicode_lower(c, lower);
        rules->lower[c] = (uint8_t)lower[0];
        rules->kind[c] = c >= 128                                    ? NOT_ASCII
                         : clean_text && property & UNICODE_REMOVED  ? ASCII_DROP
                         : property & UNICODE_WHITESPACE             ? ASCII_SPACE
                         : property & UNICODE_PUNCTUATION            ? ASCII_PUNCTUATION
                                                                     : ASCII_WORD;
    }
}

/* --- Canonical ordering ------------------------------------------------------------------------------------------- */

#define N_RANKS 256 /* a rank is the number of a combining class: there are fewer than 256 */

/* A stable counting sort of a run of valid UTF-8; `spare` is as long as the run. */
static void sort_run(uint8_t *run, size_t bytes, uint8_t *spare) {
    size_t place[N_RANKS] = {0};
    size_t sum = 0, n;
    uint32_t c;
    for (size_t i = 0; i < bytes; i += n) {
        n = decode_char(run + i, bytes - i, &c);
        place[unicode_rank(c) % N_RANKS] += n;
    }
    for (size_t rank = 0; rank < N_RANKS; rank++) {
        const size_t rank_bytes = place[rank];
        place[rank] = sum;
        sum += rank_bytes;
    }
    for (size_t i = 0; i < bytes; i += n) {
        n = decode_char(run + i, bytes - i, &c);
        memcpy(spare + place[unicode_rank(c) % N_RANKS], run + i, n);
        place[unicode_rank(c) % N_RANKS] += n;
    }
    memcpy(run, spare, bytes);
}

static void end_run(splitter *s) {
    if (s->n_run > 1 && s->text != NULL) {
        const size_t bytes = s->text->bytes - s->run_start;
        uint8_t *spare = malloc(bytes);
        if (spare == NULL) s->stopped = 1;
        else sort_run(s->text->data + s->run_start, bytes, spare);
        free(spare);
    } else if (s->n_run > 1 && !s->too_long) {
        uint8_t spare[WORD_BYTES];
        sort_run(s->word + s->run_start, s->bytes - s->run_start, spare);
    }
    s->n_run = 0;
}

/* --- One character through the stages, last stage first ----------------------------------------------------------- */

static void end_word(splitter *s) {
    if (s->n_run > 0) end_run(s);
    if (s->chars > 0 && !s->receive(s->receiver, s->word, s->bytes, s->too_long)) s->stopped = 1;
    s->bytes = s->chars = 0;
    s->too_long = 0;
}

static void append_to_text(splitter *s, uint32_t c) {
    text_buffer *text = s->text;
    if (text->capacity - text->bytes < 4) {
        const size_t capacity = text->capacity < 256 ? 256 : text->capacity > SIZE_MAX / 2 ? 0 : 2 * text->capacity;
        uint8_t *grown = capacity == 0 ? NULL : realloc(text->data, capacity);
        if (grown == NULL) {
            s->stopped = 1;
            return;
        }
        text->data = grown;
        text->capacity = capacity;
    }
    text->bytes += utf8_encode(c, text->data + text->bytes);
}

static void append_to_word(splitter *s, uint32_t c) {
    if (s->chars < s->max_chars) s->bytes += utf8_encode(c, s->word + s->bytes);
    else s->too_long = 1;
    s->chars += s->chars <= s->max_chars; /* an empty word is not a word, even if nothing may be longer */
}

static void put_split(splitter *s, uint32_t c) {
    const unsigned property = unicode_property(c);
    if (s->text != NULL) {
        append_to_text(s, c);
    } else if (property & UNICODE_WHITESPACE) {
        end_word(s);
    } else if (property & UNICODE_PUNCTUATION) {
        end_word(s);
        append_to_word(s, c);
        end_word(s);
    } else {
        append_to_word(s, c);
    }
}

static void put_lowered(splitter *s, uint32_t c) {
    uint32_t lower[UNICODE_MAX_LOWERED];
    size_t n;
    if (!s->rules->lowercase || !(unicode_property(c) & UNICODE_LOWERS)) {
        put_split(s, c);
        return;
    }
    n = unicode_lower(c, lower);
    for (size_t i = 0; i < n; i++) put_split(s, lower[i]);
}

/* A character of the decomposed text that is no accent. Nonstarters have no lower case: the generator has checked
 * it. */
static void put_ordered(splitter *s, uint32_t c) {
    if (!(unicode_property(c) & UNICODE_NONSTARTER)) {
        if (s->n_run > 0) end_run(s);
        put_lowered(s, c);
        return;
    }
    if (s->n_run++ == 0) s->run_start = s->text != NULL ? s->text->bytes : s->bytes;
    put_split(s, c);
}

static void put_stripped(splitter *s, uint32_t c, unsigned property) {
    uint32_t parts[UNICODE_MAX_STRIPPED];
    size_t n;
    if (!s->rules->strip_accents) {
        put_lowered(s, c);
    } else if (property & UNICODE_ACCENT) {
        if (!(property & UNICODE_NONSTARTER) && s->n_run > 0) end_run(s);
    } else if (property & UNICODE_DECOMPOSES) {
        n = unicode_strip(c, parts);
        for (size_t i = 0; i < n; i++) put_ordered(s, parts[i]);
    } else {
        put_ordered(s, c);
    }
}

static void put_char(splitter *s, uint32_t c) {
    unsigned property = unicode_property(c);
    if (s->rules->clean_text) {
        if (property & UNICODE_REMOVED) return;
        if (property & UNICODE_WHITESPACE) {
            c = ' ';
            property = unicode_property(c);
        }
    }
    if (s->rules->handle_chinese_chars && property & UNICODE_CHINESE) {
        put_ordered(s, ' ');
        put_stripped(s, c, property);
        put_ordered(s, ' ');
    } else {
        put_stripped(s, c, property);
    }
}

/* --- Whole texts -------------------------------------------------------------------------------------------------- */

/* A stretch of ASCII letters and the like: bytes [0, n) of text. */
static void put_ascii_word(splitter *s, const uint8_t *text, size_t n) {
    if (s->n_run > 0) end_run(s);
    if (n > s->max_chars - (s->chars < s->max_chars ? s->chars : s->max_chars)) {
        s->too_long = 1;
        s->chars = s->max_chars + 1;
        return;
    }
    for (size_t i = 0; i < n; i++) s->word[s->bytes + i] = s->rules->lower[text[i]];
    s->bytes += n;
    s->chars += n;
}

int split_words(const char_rules *rules, size_t max_chars, const uint8_t *text, size_t bytes, word_fn receive,
                void *receiver) {
    splitter s;
    size_t i = 0;
    s.rules = rules;
    s.max_chars = max_chars;
    s.receive = receive;
    s.receiver = receiver;
    s.text = NULL;
    s.stopped = s.too_long = 0;
    s.bytes = s.chars = s.run_start = s.n_run = 0;
    while (i < bytes && !s.stopped) {
        const size_t start = i;
        uint32_t c;
        switch (rules->kind[text[i]]) {
        case ASCII_WORD:
            do i++;
            while (i < bytes && rules->kind[text[i]] == ASCII_WORD);
            put_ascii_word(&s, text + start, i - start);
            break;
        case ASCII_SPACE:
            end_word(&s);
            i++;
            break;
        case ASCII_PUNCTUATION:
            end_word(&s);
            put_ascii_word(&s, text + i++, 1);
            end_word(&s);
            break;
        case ASCII_DROP: i++; break;
        default:
            i += decode_char(text + i, bytes - i, &c);
            put_char(&s, c);
        }
    }
    if (!s.stopped) end_word(&s);
    return !s.stopped;
}

minnow_status normalize_text(const char_rules *rules, const uint8_t *text, size_t bytes, text_buffer *out,
                             minnow_error *error) {
    splitter s;
    s.rules = rules;
    s.text = out;
    s.stopped = 0;
    s.run_start = s.n_run = 0;
    for (size_t i = 0; i < bytes && !s.stopped;) {
        uint32_t c;
        i += decode_char(text + i, bytes - i, &c);
        put_char(&s, c);
    }
    if (!s.stopped) end_run(&s);
    return s.stopped ? error_set(error, MINNOW_ERROR_MEMORY, "out of memory for a normalized text") : MINNOW_OK;
}
