/* SPDX-License-Identifier: Apache-2.0
 * Tokenizer settings -> the section that run/model/tokenizer_data.c reads. */
#include <string.h>

#include "convert/pack/sections.h"

/* Sizes of the section's parts, in its order. */
typedef struct extent {
    size_t ids, template_ids, lengths, vocab, added, added_text, continuing, all;
} extent;

static uint32_t token_bytes(const tokenizer_config *t, size_t i) {
    return t->vocab_offsets[i + 1] - t->vocab_offsets[i];
}

/* The flags that follow from the vocabulary. */
static unsigned vocab_flags(const tokenizer_config *t) {
    unsigned flags = 0;
    for (size_t i = 0; i < t->n_vocab; i++) {
        if (token_bytes(t, i) > UINT8_MAX) flags |= TOKENIZER_WIDE;
        if (t->vocab_ids != NULL && t->vocab_ids[i] != (int32_t)i) flags |= TOKENIZER_HAS_IDS;
    }
    return flags;
}

static minnow_status too_large(const char *what, minnow_error *error) {
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "tokenizer: %s: too large for a .minnow file", what);
}

static minnow_status check_sizes(const tokenizer_config *t, const char *continuing, minnow_error *error) {
    const size_t limit = (size_t)1 << 26; /* of counts: no sum below comes near the limits of size_t or 32 bits */
    size_t added_bytes = 0;
    if (t->n_vocab > limit || t->n_prefix > limit || t->n_suffix > limit || t->n_added_tokens > limit)
        return too_large("a count", error);
    if (t->max_chars_per_word > UINT32_MAX) return too_large("max_chars_per_word", error);
    if (strlen(continuing) > limit) return too_large("the continuing prefix", error);
    for (size_t i = 0; i < t->n_vocab; i++)
        if (token_bytes(t, i) > UINT16_MAX) return too_large("a token", error);
    for (size_t i = 0; i < t->n_added_tokens; i++) {
        if (t->added_tokens[i].content_bytes > UINT16_MAX) return too_large("an added token", error);
        added_bytes += t->added_tokens[i].content_bytes;
    }
    if (added_bytes > limit || t->vocab_offsets[t->n_vocab] > 8 * limit) return too_large("its text", error);
    return MINNOW_OK;
}

static extent measure(const tokenizer_config *t, const char *continuing, unsigned flags) {
    extent e;
    e.ids = flags & TOKENIZER_HAS_IDS ? t->n_vocab * 4 : 0;
    e.template_ids = (t->n_prefix + t->n_suffix) * 4;
    e.lengths = t->n_vocab * (flags & TOKENIZER_WIDE ? 2 : 1);
    e.vocab = t->vocab_offsets[t->n_vocab];
    e.added = t->n_added_tokens * TOKENIZER_ADDED_ENTRY_BYTES;
    e.added_text = 0;
    for (size_t i = 0; i < t->n_added_tokens; i++) e.added_text += t->added_tokens[i].content_bytes;
    e.continuing = strlen(continuing);
    e.all = TOKENIZER_ARRAYS + e.ids + e.template_ids + e.lengths + e.vocab + e.added + e.added_text + e.continuing;
    return e;
}

static void write_head(uint8_t *out, const tokenizer_config *t, const extent *e, unsigned flags) {
    flags |= t->clean_text ? TOKENIZER_CLEAN_TEXT : 0u;
    flags |= t->handle_chinese_chars ? TOKENIZER_CHINESE_CHARS : 0u;
    flags |= t->strip_accents ? TOKENIZER_STRIP_ACCENTS : 0u;
    flags |= t->lowercase ? TOKENIZER_LOWERCASE : 0u;
    store_u32(out + TOKENIZER_N_VOCAB, (uint32_t)t->n_vocab);
    store_u32(out + TOKENIZER_VOCAB_BYTES, (uint32_t)e->vocab);
    store_u32(out + TOKENIZER_FLAGS, flags);
    store_u32(out + TOKENIZER_UNKNOWN, (uint32_t)t->unknown_id);
    store_u32(out + TOKENIZER_MAX_CHARS, (uint32_t)t->max_chars_per_word);
    store_u32(out + TOKENIZER_N_ADDED, (uint32_t)t->n_added_tokens);
    store_u32(out + TOKENIZER_ADDED_BYTES, (uint32_t)e->added_text);
    store_u32(out + TOKENIZER_N_PREFIX, (uint32_t)t->n_prefix);
    store_u32(out + TOKENIZER_N_SUFFIX, (uint32_t)t->n_suffix);
    store_u32(out + TOKENIZER_CONTINUING_BYTES, (uint32_t)e->continuing);
}

static uint8_t *append(uint8_t *out, const void *data, size_t bytes) {
    if (bytes > 0) memcpy(out, data, bytes);
    return out + bytes;
}

static uint8_t *append_lengths(uint8_t *out, const tokenizer_config *t, unsigned flags) {
    for (size_t i = 0; i < t->n_vocab; i++) {
        if (flags & TOKENIZER_WIDE) {
            store_u16(out, (uint16_t)token_bytes(t, i));
            out += 2;
        } else {
            *out++ = (uint8_t)token_bytes(t, i);
        }
    }
    return out;
}

static uint8_t *append_added(uint8_t *out, const tokenizer_config *t) {
    for (size_t i = 0; i < t->n_added_tokens; i++, out += TOKENIZER_ADDED_ENTRY_BYTES) {
        const tokenizer_added_token *a = &t->added_tokens[i];
        unsigned flags = a->special ? ADDED_SPECIAL : 0u;
        flags |= a->single_word ? ADDED_SINGLE_WORD : 0u;
        flags |= a->lstrip ? ADDED_LSTRIP : 0u;
        flags |= a->rstrip ? ADDED_RSTRIP : 0u;
        flags |= a->normalized ? ADDED_NORMALIZED : 0u;
        store_u32(out, (uint32_t)a->id);
        store_u16(out + 4, (uint16_t)a->content_bytes);
        store_u16(out + 6, (uint16_t)flags);
    }
    for (size_t i = 0; i < t->n_added_tokens; i++)
        out = append(out, t->added_tokens[i].content, t->added_tokens[i].content_bytes);
    return out;
}

minnow_status pack_tokenizer(const uint8_t **out, size_t *bytes, arena *memory, const tokenizer_config *t,
                             minnow_error *error) {
    const char *continuing = t->continuing_prefix != NULL ? t->continuing_prefix : "##";
    unsigned flags;
    extent e;
    uint8_t *data, *p;
    if (t->vocab_offsets == NULL || (t->n_added_tokens > 0 && t->added_tokens == NULL))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "tokenizer: no vocabulary");
    TRY(check_sizes(t, continuing, error));
    flags = vocab_flags(t);
    e = measure(t, continuing, flags);
    data = arena_alloc(memory, e.all);
    if (data == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for the tokenizer");
    write_head(data, t, &e, flags);
    p = append(data + TOKENIZER_ARRAYS, t->vocab_ids, e.ids);
    p = append(p, t->prefix_ids, t->n_prefix * 4);
    p = append(p, t->suffix_ids, t->n_suffix * 4);
    p = append_lengths(p, t, flags);
    p = append(p, t->vocab_text, e.vocab);
    p = append_added(p, t);
    (void)append(p, continuing, e.continuing);
    *out = data;
    *bytes = e.all;
    return MINNOW_OK;
}
