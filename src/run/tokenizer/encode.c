/* SPDX-License-Identifier: Apache-2.0
 *
 * Text -> ids: pieces between added tokens, their words, and of each word the longest token that it begins with, then
 * the longest "##" token that the rest begins with, and so on (WordPiece); a word that cannot be taken apart
 * is [UNK]. */
#include <stdlib.h>
#include <string.h>

#include "run/tokenizer/parts.h"

typedef struct encoder {
    const tokenizer *t;
    token_ids *ids;
    size_t enough; /* ids after which the rest is not wanted */
    int normalize; /* pieces are still to be normalized and searched for added tokens */
    minnow_status status;
    minnow_error *error;
} encoder;

/* Room for n more ids. */
static int reserve(encoder *e, size_t n) {
    token_ids *ids = e->ids;
    size_t capacity = ids->capacity;
    int32_t *grown;
    if (ids->capacity - ids->count >= n) return 1;
    capacity = capacity < 512 ? 1024 : capacity > SIZE_MAX / 8 ? 0 : 2 * capacity;
    if (capacity < ids->count + n) capacity = ids->count + n;
    grown = capacity > SIZE_MAX / sizeof *grown ? NULL : realloc(ids->data, capacity * sizeof *grown);
    if (grown == NULL) {
        e->status = error_set(e->error, MINNOW_ERROR_MEMORY, "out of memory for %zu token ids", capacity);
        return 0;
    }
    ids->data = grown;
    ids->capacity = capacity;
    return 1;
}

static int encode_word(void *receiver, const uint8_t *word, size_t bytes, int too_long) {
    encoder *e = receiver;
    const tokenizer *t = e->t;
    const size_t first = e->ids->count;
    int32_t *ids;
    size_t count = first, i = 0;
    if (e->ids->capacity - first < bytes + 1 && !reserve(e, bytes + 1)) return 0;
    ids = e->ids->data;
    while (i < bytes && !too_long) {
        const uint32_t node = i == 0 ? TRIE_ROOT : t->continuation;
        const size_t n = node == TRIE_NONE ? 0 : trie_longest(&t->vocab, node, word + i, bytes - i, &ids[count]);
        if (n == 0) break;
        count++;
        i += n;
    }
    if (i < bytes || too_long) {
        ids[first] = t->unknown_id;
        count = first + 1;
    }
    e->ids->count = count;
    return count < e->enough;
}

static int encode_piece(void *receiver, int32_t id, const uint8_t *text, size_t bytes) {
    encoder *e = receiver;
    text_buffer normal = {NULL, 0, 0};
    int go_on;
    if (id >= 0) {
        if (!reserve(e, 1)) return 0;
        e->ids->data[e->ids->count++] = id;
        return e->ids->count < e->enough;
    }
    if (!e->normalize) return split_words(&e->t->split_only, e->t->max_chars, text, bytes, encode_word, e);
    if (e->t->normalized.n_tokens == 0) return split_words(&e->t->rules, e->t->max_chars, text, bytes, encode_word, e);
    e->status = normalize_text(&e->t->rules, text, bytes, &normal, e->error);
    e->normalize = 0;
    go_on = e->status == MINNOW_OK && added_set_split(&e->t->normalized, normal.data, normal.bytes, encode_piece, e);
    e->normalize = 1;
    free(normal.data);
    return go_on;
}

static void append(token_ids *ids, const int32_t *more, size_t n) {
    if (n > 0) memcpy(ids->data + ids->count, more, n * sizeof *more);
    ids->count += n;
}

minnow_status tokenizer_encode(const tokenizer *t, const char *text, size_t text_bytes, size_t max_tokens,
                               token_ids *ids, int *truncated, minnow_error *error) {
    encoder e = {t, ids, SIZE_MAX, 1, MINNOW_OK, error};
    const size_t n_special = t->n_prefix + t->n_suffix;
    const size_t wanted = max_tokens == 0 ? SIZE_MAX : max_tokens - t->n_suffix;
    ids->count = 0;
    if (max_tokens != 0 && max_tokens < n_special)
        return error_set(error, MINNOW_ERROR_ARGUMENT,
                         "a limit of %zu tokens leaves no room for the %zu special tokens", max_tokens, n_special);
    if (max_tokens != 0 && wanted < SIZE_MAX) e.enough = wanted + 1;
    if (!reserve(&e, n_special + 1)) return e.status;
    append(ids, t->template_ids, t->n_prefix);
    if (text_bytes > 0) (void)added_set_split(&t->raw, (const uint8_t *)text, text_bytes, encode_piece, &e);
    TRY(e.status);
    if (truncated != NULL) *truncated = ids->count > wanted;
    if (ids->count > wanted) ids->count = wanted;
    if (!reserve(&e, t->n_suffix)) return e.status;
    append(ids, t->template_ids == NULL ? NULL : t->template_ids + t->n_prefix, t->n_suffix);
    return MINNOW_OK;
}

void token_ids_free(token_ids *ids) {
    free(ids->data);
    memset(ids, 0, sizeof *ids);
}
