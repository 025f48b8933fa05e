/* SPDX-License-Identifier: Apache-2.0
 * Look-ups in the generated tables. */
#include "run/tokenizer/unicode.h"

#define HANGUL_FIRST 0xac00u
#define HANGUL_LAST 0xd7a3u

static const unicode_mapping *find_mapping(const unicode_mapping *table, size_t count, uint32_t c) {
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (table[middle].from < c) low = middle + 1;
        else high = middle;
    }
    return low < count && table[low].from == c ? &table[low] : NULL;
}

static size_t apply_mapping(const unicode_mapping *mapping, uint32_t c, uint32_t *out) {
    if (mapping == NULL || mapping->count == 1) {
        out[0] = mapping == NULL ? c : mapping->to;
        return 1;
    }
    for (uint32_t i = 0; i < mapping->count; i++) out[i] = unicode_pool[mapping->to + i];
    return mapping->count;
}

size_t unicode_strip(uint32_t c, uint32_t out[UNICODE_MAX_STRIPPED]) {
    if (c >= HANGUL_FIRST && c <= HANGUL_LAST) { /* Unicode 15.0, section 3.12 */
        const uint32_t index = c - HANGUL_FIRST;
        out[0] = 0x1100 + index / 588;
        out[1] = 0x1161 + index % 588 / 28;
        out[2] = 0x11a7 + index % 28;
        return out[2] == 0x11a7 ? 2 : 3;
    }
    return apply_mapping(find_mapping(unicode_stripped, unicode_stripped_count, c), c, out);
}

size_t unicode_lower(uint32_t c, uint32_t out[UNICODE_MAX_LOWERED]) {
    return apply_mapping(find_mapping(unicode_lowered, unicode_lowered_count, c), c, out);
}

/* NULL if no range holds c. */
static const unicode_range *find_range(const unicode_range *table, size_t count, uint32_t c) {
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (table[middle].last < c) low = middle + 1;
        else high = middle;
    }
    return low < count && table[low].first <= c ? &table[low] : NULL;
}

int unicode_is_word_char(uint32_t c) { return find_range(unicode_word_ranges, unicode_word_ranges_count, c) != NULL; }

unsigned unicode_rank(uint32_t c) {
    const unicode_range *range = find_range(unicode_rank_ranges, unicode_rank_ranges_count, c);
    return range == NULL ? 0 : range->value;
}
