/* SPDX-License-Identifier: Apache-2.0
 * A byte that chooses settings and a text -> ids, with a small fixed vocabulary. Checked on the way: ids exist; a limit
 * gives the beginning of what no limit gives; memory of a known size is enough for the same ids; replacing ill-formed
 * bytes by U+FFFD first changes nothing.
 * Covers: src/run/tokenizer src/base/utf8.c */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "convert/import/tokenizer_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FLAG(bits, bit) ((bits) >> (bit) & 1)
#define LETTERS "a b c d e f g h i j k l m n o p q r s t u v w x y z ab abc the " \
    "\xce\xb1 \xe4\xbd\xa0 \xe1\x84\x80 1 ! . [ ] < >"
#define PIECES "##a ##b ##c ##d ##e ##i ##n ##ing ##s ##t ##er \xcc\x81 ##\xe1\x85\xa1 ##\xe3\x80\xae \xef\xbf\xbd ##1"

static const char vocab[] = "[PAD] [UNK] [CLS] [SEP] [MASK] <l> <r> <b> <w> FooBar " LETTERS " " PIECES;
static tokenizer *made[16];

static void add(tokenizer_added_token *token, const char *content, int32_t id, unsigned flags) {
    *token = (tokenizer_added_token){content, strlen(content), id, 0, FLAG(flags, 0), FLAG(flags, 1),
                                     FLAG(flags, 2),  FLAG(flags, 3)};
}

static tokenizer *make(unsigned settings) {
    static const int32_t template_ids[] = {2, 3};
    char text[sizeof vocab];
    uint32_t offsets[sizeof vocab];
    tokenizer_added_token added[9];
    tokenizer_config config;
    tokenizer *t = NULL;
    size_t n = 0, used = 0;
    offsets[0] = 0;
    for (size_t i = 0; i < sizeof vocab; i++) {
        if (vocab[i] == ' ' || vocab[i] == '\0') offsets[++n] = (uint32_t)used;
        else text[used++] = vocab[i];
    }
    add(&added[0], "[UNK]", 1, 0);
    add(&added[1], "[CLS]", 2, 0);
    add(&added[2], "[SEP]", 3, 0);
    add(&added[3], "[MASK]", 4, 2);
    add(&added[4], "<l>", 5, 2);
    add(&added[5], "<r>", 6, 4);
    add(&added[6], "<b>", 7, 6);
    add(&added[7], "<w>", 8, 1);
    add(&added[8], "FooBar", 9, 8);
    memset(&config, 0, sizeof config);
    config.vocab_text = text;
    config.vocab_offsets = offsets;
    config.n_vocab = n;
    config.added_tokens = added;
    config.n_added_tokens = settings & 1 ? 9 : 3; /* without the normalized one, text is not materialized */
    config.clean_text = FLAG(settings, 1);
    config.handle_chinese_chars = FLAG(settings, 1);
    config.strip_accents = FLAG(settings, 2);
    config.lowercase = FLAG(settings, 3);
    config.continuing_prefix = "##";
    config.unknown_id = 1;
    config.max_chars_per_word = 12;
    config.prefix_ids = &template_ids[0];
    config.suffix_ids = &template_ids[1];
    config.n_prefix = config.n_suffix = 1;
    if (tokenizer_create(&t, &config, NULL) != MINNOW_OK) abort();
    return t;
}

static void encode(const tokenizer *t, const uint8_t *text, size_t bytes, size_t max_tokens, token_ids *ids,
                   int *truncated) {
    if (tokenizer_encode(t, (const char *)text, bytes, max_tokens, ids, truncated, NULL) != MINNOW_OK) abort();
}

static void check_limit(const tokenizer *t, const uint8_t *text, size_t bytes, size_t limit, const token_ids *all) {
    token_ids some = {NULL, 0, 0};
    int truncated;
    encode(t, text, bytes, limit, &some, &truncated);
    if (truncated != (all->count > limit) || some.count != (truncated ? limit : all->count)) abort();
    if (memcmp(some.data, all->data, (some.count - 1) * sizeof *some.data) != 0) abort();
    if (some.data[some.count - 1] != 3) abort();
    token_ids_free(&some);
}

static void check_into(const tokenizer *t, const uint8_t *text, size_t bytes, size_t limit) {
    uint8_t *scratch = malloc(tokenizer_scratch_bytes(t)); /* by itself: a sanitizer sees its end */
    int32_t *ids = malloc(limit * sizeof *ids);
    token_ids grown = {NULL, 0, 0};
    int truncated, cut;
    size_t n;
    if (scratch == NULL || ids == NULL) abort();
    encode(t, text, bytes, limit, &grown, &truncated);
    if (tokenizer_encode_into(t, (const char *)text, bytes, limit, scratch, ids, &n, &cut, NULL) != MINNOW_OK) abort();
    if (n != grown.count || cut != truncated || memcmp(ids, grown.data, n * sizeof *ids) != 0) abort();
    token_ids_free(&grown);
    free(ids);
    free(scratch);
}

static void check_replacement(const tokenizer *t, const uint8_t *text, size_t bytes, const token_ids *all) {
    uint8_t *clean = malloc(3 * bytes + 1);
    size_t used = 0;
    token_ids ids = {NULL, 0, 0};
    if (clean == NULL) return;
    for (size_t i = 0; i < bytes;) {
        uint32_t c = 0xfffd;
        size_t n = utf8_decode(text + i, bytes - i, &c);
        if (n == 0) {
            c = 0xfffd;
            n = utf8_ill_formed_bytes(text + i, bytes - i);
        }
        used += utf8_encode(c, clean + used);
        i += n;
    }
    encode(t, clean, used, 0, &ids, NULL);
    if (ids.count != all->count || memcmp(ids.data, all->data, ids.count * sizeof *ids.data) != 0) abort();
    token_ids_free(&ids);
    free(clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    token_ids all = {NULL, 0, 0};
    size_t bytes;
    tokenizer *t;
    if (size < 2) return 0;
    if (made[data[0] & 15] == NULL) made[data[0] & 15] = make(data[0] & 15);
    t = made[data[0] & 15];
    encode(t, data + 2, size - 2, 0, &all, NULL);
    for (size_t i = 0; i < all.count; i++)
        if (tokenizer_token_text(t, all.data[i], &bytes) == NULL) abort();
    check_limit(t, data + 2, size - 2, 2 + (size_t)data[1] % 64, &all);
    check_into(t, data + 2, size - 2, 2 + (size_t)data[1] % 64);
    check_into(t, data + 2, size - 2, all.count);
    check_replacement(t, data + 2, size - 2, &all);
    token_ids_free(&all);
    return 0;
}
