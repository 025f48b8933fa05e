/* SPDX-License-Identifier: Apache-2.0
 *
 * Characters as BertNormalizer of Hugging Face `tokenizers` leaves them, read one by one:
 *
 *   character -> clean_text (drop, or space) -> spaces around Chinese -> decompose, sort and drop accents -> lower case
 *
 * Canonical ordering is the one step that looks at more than one character: nonstarters that are not dropped are
 * sorted, stably, by the rank of their class, between one starter and the next. A run of them has any length but few
 * ranks, so it is read once for each, lowest first, and nothing is kept. */
#include <limits.h>

#include "base/utf8.h"
#include "run/tokenizer/parts.h"

#define STARTER_DROPPED UINT32_MAX /* a part: no character, but it ends a run */
#define NO_RANK UINT_MAX

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

/* --- Reading ------------------------------------------------------------------------------------------------------ */

void char_reader_init(char_reader *r, const char_rules *rules, const uint8_t *text, size_t bytes) {
    r->rules = rules;
    r->text = text;
    r->bytes = bytes;
    r->at = r->start = r->n_parts = r->next = 0;
    r->in_run = 0;
}

static void add_stripped(char_reader *r, uint32_t c, unsigned property) {
    if (!r->rules->strip_accents || !(property & (UNICODE_ACCENT | UNICODE_DECOMPOSES)))
        r->parts[r->n_parts++] = c;
    else if (!(property & UNICODE_ACCENT))
        r->n_parts += unicode_strip(c, r->parts + r->n_parts);
    else if (!(property & UNICODE_NONSTARTER))
        r->parts[r->n_parts++] = STARTER_DROPPED;
}

/* Reads the character at r->at. */
static void read_parts(char_reader *r) {
    const char_rules *rules = r->rules;
    uint32_t c;
    unsigned property;
    r->start = r->at;
    r->at += decode_char(r->text + r->at, r->bytes - r->at, &c);
    r->n_parts = r->next = 0;
    property = unicode_property(c);
    if (rules->clean_text) {
        if (property & UNICODE_REMOVED) return;
        if (property & UNICODE_WHITESPACE) {
            c = ' ';
            property = unicode_property(c);
        }
    }
    if (rules->handle_chinese_chars && property & UNICODE_CHINESE) {
        r->parts[r->n_parts++] = ' ';
        add_stripped(r, c, property);
        r->parts[r->n_parts++] = ' ';
    } else {
        add_stripped(r, c, property);
    }
}

/* A part is there. 0 at the end of the text. */
static int find_part(char_reader *r) {
    while (r->next == r->n_parts) {
        if (r->at == r->bytes) return 0;
        read_parts(r);
    }
    return 1;
}

static int is_nonstarter(const char_reader *r, uint32_t part) {
    return r->rules->strip_accents && part != STARTER_DROPPED && unicode_property(part) & UNICODE_NONSTARTER;
}

static void begin_run(char_reader *r) {
    r->in_run = 1;
    r->run_start = r->start;
    r->run_next = r->next;
    r->rank = 0;
    r->higher = NO_RANK;
}

/* The run's end is reached: back to its beginning for the next rank, or on. */
static void end_pass(char_reader *r) {
    r->in_run = r->higher != NO_RANK;
    if (!r->in_run) return;
    r->at = r->run_start;
    read_parts(r);
    r->next = r->run_next;
    r->rank = r->higher;
    r->higher = NO_RANK;
}

/* The next nonstarter of the rank that is given; 0 when the run is through. */
static int next_in_run(char_reader *r, uint32_t *c) {
    while (r->in_run) {
        if (!find_part(r) || !is_nonstarter(r, r->parts[r->next])) {
            end_pass(r);
        } else {
            const unsigned rank = unicode_rank(*c = r->parts[r->next++]);
            if (rank == r->rank) return 1;
            if (rank > r->rank && rank < r->higher) r->higher = rank;
        }
    }
    return 0;
}

size_t char_reader_next(char_reader *r, uint32_t out[UNICODE_MAX_LOWERED]) {
    uint32_t c;
    if (next_in_run(r, out)) return 1; /* nonstarters have no lower case: the generator has checked it */
    while (find_part(r)) {
        c = r->parts[r->next];
        if (is_nonstarter(r, c)) {
            begin_run(r);
            if (next_in_run(r, out)) return 1;
            continue;
        }
        r->next++;
        if (c == STARTER_DROPPED) continue;
        if (r->rules->lowercase && unicode_property(c) & UNICODE_LOWERS) return unicode_lower(c, out);
        *out = c;
        return 1;
    }
    return 0;
}

size_t normalize_text(const char_rules *rules, const uint8_t *text, size_t bytes, uint8_t *out) {
    char_reader r;
    uint32_t c[UNICODE_MAX_LOWERED];
    uint8_t encoded[4];
    size_t n, used = 0;
    char_reader_init(&r, rules, text, bytes);
    while ((n = char_reader_next(&r, c)) > 0)
        for (size_t i = 0; i < n; i++) used += utf8_encode(c[i], out == NULL ? encoded : out + used);
    return used;
}
