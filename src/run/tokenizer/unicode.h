/* SPDX-License-Identifier: Apache-2.0
 *
 * What Hugging Face `tokenizers` knows about characters, as tables (unicode_tables.c, generated):
 *
 *   unicode_property(c)   = unicode_blocks[unicode_block_index[c / 128] * 128 + c % 128], a set of the bits below
 *   unicode_stripped      characters whose decomposition without accents is another text -> that text (Hangul:
 * computed)
 *   unicode_lowered       characters -> lower case
 *   unicode_word_ranges   \w of its regular expressions: what a single_word token must not touch
 *   unicode_rank_ranges   nonstarters that are no accents -> the rank of their combining class, for canonical ordering
 *
 * A mapping to one character holds it; a longer one holds its place in unicode_pool. */
#ifndef MINNOW_RUN_TOKENIZER_UNICODE_H
#define MINNOW_RUN_TOKENIZER_UNICODE_H

#include <stddef.h>
#include <stdint.h>

enum {
    UNICODE_REMOVED = 1,     /* clean_text drops it */
    UNICODE_WHITESPACE = 2,  /* ends a word; clean_text makes it a space unless it drops it */
    UNICODE_PUNCTUATION = 4, /* a word of its own */
    UNICODE_CHINESE = 8,     /* handle_chinese_chars puts spaces around it */
    UNICODE_ACCENT = 16,     /* strip_accents leaves nothing of it */
    UNICODE_NONSTARTER = 32, /* has a combining class: strip_accents sorts runs of them */
    UNICODE_DECOMPOSES = 64, /* strip_accents makes another text of it */
    UNICODE_LOWERS = 128     /* lowercase makes another text of it */
};

typedef struct unicode_mapping {
    uint32_t from, to; /* `to` is an index into unicode_pool if count > 1 */
    uint32_t count;
} unicode_mapping;

typedef struct unicode_range {
    uint32_t first, last, value;
} unicode_range;

extern const uint8_t unicode_block_index[];
extern const uint8_t unicode_blocks[];
extern const unicode_mapping unicode_stripped[], unicode_lowered[];
extern const size_t unicode_stripped_count, unicode_lowered_count;
extern const uint32_t unicode_pool[];
extern const unicode_range unicode_word_ranges[], unicode_rank_ranges[];
extern const size_t unicode_word_ranges_count, unicode_rank_ranges_count;

static inline unsigned unicode_property(uint32_t c) {
    return unicode_blocks[(size_t)unicode_block_index[c >> 7] << 7 | (c & 127)];
}

#define UNICODE_MAX_STRIPPED 4
#define UNICODE_MAX_LOWERED 2

/* For a character that DECOMPOSES or LOWERS: writes what it becomes, returns the count. */
size_t unicode_strip(uint32_t c, uint32_t out[UNICODE_MAX_STRIPPED]);
size_t unicode_lower(uint32_t c, uint32_t out[UNICODE_MAX_LOWERED]);
int unicode_is_word_char(uint32_t c);
/* 0 unless c is a nonstarter and no accent. */
unsigned unicode_rank(uint32_t c);

#endif
