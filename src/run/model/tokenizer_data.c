/* SPDX-License-Identifier: Apache-2.0
 *
 * The section TOKENIZER -> what tokenizer_create needs. One tokenizer has one form: ids are there only where they tell
 * something, lengths are bytes unless one does not fit. */
#include <string.h>

#include "base/bytes.h"
#include "run/model/format.h"

/* What is left to read. */
typedef struct cursor {
    const uint8_t *data;
    size_t left;
} cursor;

static const uint8_t *take(cursor *c, size_t count, size_t element_bytes) {
    const uint8_t *start = c->data;
    if (element_bytes != 0 && count > c->left / element_bytes) return NULL;
    c->data += count * element_bytes;
    c->left -= count * element_bytes;
    return start;
}

static minnow_status cut_off(const char *what, minnow_error *error) {
    return error_set(error, MINNOW_ERROR_FORMAT, "ends inside %s", what);
}

static minnow_status no_memory(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for the tokenizer");
}

/* n ids, at any address; *out is NULL if there are none. */
static minnow_status read_ids(const int32_t **out, arena *memory, cursor *c, size_t n, const char *what,
                              minnow_error *error) {
    const uint8_t *stored = take(c, n, sizeof **out);
    int32_t *ids;
    if (stored == NULL) return cut_off(what, error);
    if (n == 0) return MINNOW_OK;
    ids = arena_array(memory, n, sizeof *ids);
    if (ids == NULL) return no_memory(error);
    memcpy(ids, stored, n * sizeof *ids);
    *out = ids;
    return MINNOW_OK;
}

static minnow_status read_vocab_ids(tokenizer_config *out, arena *memory, cursor *c, minnow_error *error) {
    size_t i = 0;
    TRY(read_ids(&out->vocab_ids, memory, c, out->n_vocab, "the vocabulary's ids", error));
    while (i < out->n_vocab && out->vocab_ids[i] == (int32_t)i) i++;
    if (i == out->n_vocab) return error_set(error, MINNOW_ERROR_FORMAT, "has ids that say nothing");
    return MINNOW_OK;
}

/* Lengths -> offsets, whose last one is the texts' size. */
static minnow_status read_vocab(tokenizer_config *out, arena *memory, cursor *c, int wide, size_t text_bytes,
                                minnow_error *error) {
    const uint8_t *lengths = take(c, out->n_vocab, wide ? 2 : 1), *text;
    uint32_t *offsets, longest = 0;
    if (lengths == NULL) return cut_off("the vocabulary's lengths", error);
    text = take(c, text_bytes, 1);
    if (text == NULL) return cut_off("the vocabulary", error);
    offsets = arena_array(memory, out->n_vocab + 1, sizeof *offsets);
    if (offsets == NULL) return no_memory(error);
    for (size_t i = 0; i < out->n_vocab; i++) {
        const uint32_t n = wide ? load_u16(lengths + 2 * i) : lengths[i];
        if (n > text_bytes - offsets[i])
            return error_set(error, MINNOW_ERROR_FORMAT, "the tokens are longer than their text");
        offsets[i + 1] = offsets[i] + n;
        if (n > longest) longest = n;
    }
    if (offsets[out->n_vocab] != text_bytes)
        return error_set(error, MINNOW_ERROR_FORMAT, "the tokens are shorter than their text");
    if (wide && longest <= 255) return error_set(error, MINNOW_ERROR_FORMAT, "has wide lengths for short tokens");
    out->vocab_text = (const char *)text;
    out->vocab_offsets = offsets;
    return MINNOW_OK;
}

static minnow_status read_added(tokenizer_config *out, arena *memory, cursor *c, size_t n, size_t text_bytes,
                                minnow_error *error) {
    const uint8_t *entries = take(c, n, TOKENIZER_ADDED_ENTRY_BYTES), *text;
    tokenizer_added_token *tokens;
    size_t used = 0;
    if (entries == NULL) return cut_off("the added tokens", error);
    text = take(c, text_bytes, 1);
    if (text == NULL) return cut_off("the added tokens' texts", error);
    tokens = arena_array(memory, n, sizeof *tokens);
    if (tokens == NULL) return no_memory(error);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *e = entries + i * TOKENIZER_ADDED_ENTRY_BYTES;
        const unsigned bytes = load_u16(e + 4), flags = load_u16(e + 6);
        if (flags > ADDED_ALL) return error_set(error, MINNOW_ERROR_FORMAT, "added token %zu has unknown flags", i);
        if (bytes > text_bytes - used)
            return error_set(error, MINNOW_ERROR_FORMAT, "the added tokens are longer than their text");
        tokens[i].content = (const char *)text + used;
        tokens[i].content_bytes = bytes;
        tokens[i].id = (int32_t)load_u32(e);
        tokens[i].special = (flags & ADDED_SPECIAL) != 0;
        tokens[i].single_word = (flags & ADDED_SINGLE_WORD) != 0;
        tokens[i].lstrip = (flags & ADDED_LSTRIP) != 0;
        tokens[i].rstrip = (flags & ADDED_RSTRIP) != 0;
        tokens[i].normalized = (flags & ADDED_NORMALIZED) != 0;
        used += bytes;
    }
    if (used != text_bytes)
        return error_set(error, MINNOW_ERROR_FORMAT, "the added tokens are shorter than their text");
    out->added_tokens = tokens;
    out->n_added_tokens = n;
    return MINNOW_OK;
}

static minnow_status read_continuing(tokenizer_config *out, arena *memory, cursor *c, size_t bytes,
                                     minnow_error *error) {
    const uint8_t *text = take(c, bytes, 1);
    if (text == NULL) return cut_off("the continuing prefix", error);
    if (memchr(text, 0, bytes) != NULL)
        return error_set(error, MINNOW_ERROR_FORMAT, "the continuing prefix has a NUL in it");
    out->continuing_prefix = arena_string(memory, (const char *)text, bytes);
    return out->continuing_prefix != NULL ? MINNOW_OK : no_memory(error);
}

minnow_status tokenizer_data_read(tokenizer_config *out, arena *memory, const uint8_t *data, size_t bytes,
                                  minnow_error *error) {
    cursor c = {data, bytes};
    unsigned flags;
    memset(out, 0, sizeof *out);
    if (take(&c, TOKENIZER_ARRAYS, 1) == NULL) return cut_off("its head", error);
    flags = load_u32(data + TOKENIZER_FLAGS);
    if (flags > TOKENIZER_ALL_FLAGS) return error_set(error, MINNOW_ERROR_FORMAT, "unknown flags %#x", flags);
    out->clean_text = (flags & TOKENIZER_CLEAN_TEXT) != 0;
    out->handle_chinese_chars = (flags & TOKENIZER_CHINESE_CHARS) != 0;
    out->strip_accents = (flags & TOKENIZER_STRIP_ACCENTS) != 0;
    out->lowercase = (flags & TOKENIZER_LOWERCASE) != 0;
    out->unknown_id = (int32_t)load_u32(data + TOKENIZER_UNKNOWN);
    out->max_chars_per_word = load_u32(data + TOKENIZER_MAX_CHARS);
    out->n_vocab = load_u32(data + TOKENIZER_N_VOCAB);
    out->n_prefix = load_u32(data + TOKENIZER_N_PREFIX);
    out->n_suffix = load_u32(data + TOKENIZER_N_SUFFIX);
    if (flags & TOKENIZER_HAS_IDS) TRY(read_vocab_ids(out, memory, &c, error));
    TRY(read_ids(&out->prefix_ids, memory, &c, out->n_prefix, "the template", error));
    TRY(read_ids(&out->suffix_ids, memory, &c, out->n_suffix, "the template", error));
    TRY(read_vocab(out, memory, &c, (flags & TOKENIZER_WIDE) != 0, load_u32(data + TOKENIZER_VOCAB_BYTES), error));
    TRY(read_added(out, memory, &c, load_u32(data + TOKENIZER_N_ADDED), load_u32(data + TOKENIZER_ADDED_BYTES), error));
    TRY(read_continuing(out, memory, &c, load_u32(data + TOKENIZER_CONTINUING_BYTES), error));
    if (c.left != 0) return error_set(error, MINNOW_ERROR_FORMAT, "%zu bytes after the last text", c.left);
    return MINNOW_OK;
}
