/* SPDX-License-Identifier: Apache-2.0
 *
 * Text -> ids: pieces between added tokens, their words, and of each word the longest token that it begins with, then
 * the longest "##" token that the rest begins with, and so on (WordPiece); a word that cannot be taken apart
 * is [UNK]. */
#include <stdlib.h>
#include <string.h>

#include "run/tokenizer/parts.h"

/* Ids beyond `room` are counted, not kept. */
typedef struct encoder {
    const tokenizer *t;
    int32_t *ids;
    size_t count, room;
    token_ids *growing; /* whose ids these are; NULL: they do not grow */
    size_t enough;      /* ids after which the rest is not wanted */
    word_splitter words;
    uint8_t *window;    /* added_set_window_bytes */
    minnow_status status;
    minnow_error *error;
} encoder;

/* Room for n more ids, if they can grow. */
static int reserve(encoder *e, size_t n) {
    size_t capacity = e->room;
    int32_t *grown;
    if (e->growing == NULL || capacity - e->count >= n) return 1;
    capacity = capacity < 512 ? 1024 : capacity > SIZE_MAX / 8 ? 0 : 2 * capacity;
    if (capacity < e->count + n) capacity = e->count + n;
    grown = capacity > SIZE_MAX / sizeof *grown ? NULL : realloc(e->ids, capacity * sizeof *grown);
    if (grown == NULL) {
        e->status = error_set(e->error, MINNOW_ERROR_MEMORY, "out of memory for %zu token ids", capacity);
        return 0;
    }
    e->growing->data = e->ids = grown;
    e->growing->capacity = e->room = capacity;
    return 1;
}

static void put(encoder *e, size_t place, int32_t id) {
    if (place < e->room) e->ids[place] = id;
}

static int encode_word(void *receiver, const uint8_t *word, size_t bytes, int too_long) {
    encoder *e = receiver;
    const tokenizer *t = e->t;
    const size_t first = e->count;
    size_t count = first, i = 0;
    if (!reserve(e, bytes + 1)) return 0;
    while (i < bytes && !too_long) {
        const uint32_t node = i == 0 ? TRIE_ROOT : t->continuation;
        int32_t id = 0;
        const size_t n = node == TRIE_NONE ? 0 : trie_longest(&t->vocab, node, word + i, bytes - i, &id);
        if (n == 0) break;
        put(e, count++, id);
        i += n;
    }
    if (i < bytes || too_long) {
        put(e, first, t->unknown_id);
        count = first + 1;
    }
    e->count = count;
    return count < e->enough;
}

static int encode_piece(void *receiver, int32_t id, const uint8_t *text, size_t bytes) {
    encoder *e = receiver;
    const tokenizer *t = e->t;
    char_reader reader;
    if (id >= 0) {
        if (!reserve(e, 1)) return 0;
        put(e, e->count++, id);
        return e->count < e->enough;
    }
    if (t->normalized.n_tokens == 0) return split_words(&e->words, &t->rules, text, bytes);
    char_reader_init(&reader, &t->rules, text, bytes);
    return added_set_split_normalized(&t->normalized, &reader, e->window, &e->words, encode_piece, e);
}

/* --- Memory ------------------------------------------------------------------------------------------------------- */

/* scratch: [ the word, max_chars * 4 | the window of the normalized text ] */
size_t tokenizer_scratch_bytes(const tokenizer *t) { return 4 * t->max_chars + added_set_window_bytes(&t->normalized); }

static void append(encoder *e, const int32_t *ids, size_t n) {
    if (n > 0) memcpy(e->ids + e->count, ids, n * sizeof *ids);
    e->count += n;
}

/* `e` has its ids, empty, and where its errors go. max_tokens 0: no limit; else ids have room for them, or grow. */
static minnow_status encode(encoder *e, const tokenizer *t, const char *text, size_t text_bytes, size_t max_tokens,
                            uint8_t *scratch, int *truncated) {
    const size_t n_special = t->n_prefix + t->n_suffix;
    const size_t wanted = max_tokens == 0 ? SIZE_MAX : max_tokens - t->n_suffix;
    if (max_tokens != 0 && max_tokens < n_special)
        return error_set(e->error, MINNOW_ERROR_ARGUMENT,
                         "a limit of %zu tokens leaves no room for the %zu special tokens", max_tokens, n_special);
    e->t = t;
    e->status = MINNOW_OK;
    e->enough = wanted == SIZE_MAX ? SIZE_MAX : wanted + 1;
    e->window = t->normalized.n_tokens == 0 ? NULL : scratch + 4 * t->max_chars;
    word_splitter_init(&e->words, t->max_chars, scratch, encode_word, e);
    if (!reserve(e, n_special + 1)) return e->status;
    append(e, t->template_ids, t->n_prefix);
    if (text_bytes > 0) (void)added_set_split(&t->raw, (const uint8_t *)text, text_bytes, encode_piece, e);
    TRY(e->status);
    if (truncated != NULL) *truncated = e->count > wanted;
    if (e->count > wanted) e->count = wanted;
    if (!reserve(e, t->n_suffix)) return e->status;
    append(e, t->template_ids == NULL ? NULL : t->template_ids + t->n_prefix, t->n_suffix);
    return MINNOW_OK;
}

minnow_status tokenizer_encode_into(const tokenizer *t, const char *text, size_t text_bytes, size_t max_tokens,
                                    void *scratch, int32_t *ids, size_t *n_ids, int *truncated, minnow_error *error) {
    encoder e;
    memset(&e, 0, sizeof e);
    e.ids = ids;
    e.room = max_tokens;
    e.error = error;
    if (max_tokens == 0) return error_set(error, MINNOW_ERROR_ARGUMENT, "a limit of 0 tokens");
    TRY(encode(&e, t, text, text_bytes, max_tokens, scratch, truncated));
    *n_ids = e.count;
    return MINNOW_OK;
}

minnow_status tokenizer_encode(const tokenizer *t, const char *text, size_t text_bytes, size_t max_tokens,
                               token_ids *ids, int *truncated, minnow_error *error) {
    uint8_t *scratch = malloc(tokenizer_scratch_bytes(t) + 1);
    encoder e;
    minnow_status status;
    ids->count = 0;
    if (scratch == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for a word");
    memset(&e, 0, sizeof e);
    e.ids = ids->data;
    e.room = ids->capacity;
    e.growing = ids;
    e.error = error;
    status = encode(&e, t, text, text_bytes, max_tokens, scratch, truncated);
    if (status == MINNOW_OK) ids->count = e.count;
    free(scratch);
    return status;
}

void token_ids_free(token_ids *ids) {
    free(ids->data);
    memset(ids, 0, sizeof *ids);
}
