/* SPDX-License-Identifier: Apache-2.0
 * The .minnow reader on files that are wrong: any bit, any cut, and by name each thing that a CRC cannot see. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "convert/pack/pack.h"
#include "model_bytes.h"
#include "random_model.h"
#include "run/model/storage.h"
#include "tiny_tokenizer.h"

/* --- A file to spoil ---------------------------------------------------------------------------------------------- */

enum { MAX_SECTIONS = 64, CAPACITY = 1 << 17 };

static uint8_t *good; /* 64-byte aligned, as is `work` */
static size_t good_bytes;
static uint8_t *work;
static size_t work_bytes;

static void make_good_of(size_t n_layers, size_t hidden, int8_table_kind words, int norm_inputs) {
    const random_shape shape = {.n_layers = n_layers, .hidden = hidden, .n_heads = hidden / 4, .intermediate = 4,
                                .n_vocab = 6, .n_positions = 3, .words = words, .norm_inputs = norm_inputs};
    random_model r;
    minnow_error error;
    memory_aligned_free(good);
    good = NULL;
    assert_true(random_model_init(&r, &shape, 1));
    r.model.name = "small";
    r.model.licence = "MIT";
    if (pack_bytes(&r.model, &small_tokenizer, &good, &good_bytes, &error) != MINNOW_OK) fail_msg("%s", error.message);
    assert_true(good_bytes < CAPACITY);
    random_model_free(&r);
}

static void make_good(size_t hidden, int8_table_kind words, int norm_inputs) {
    make_good_of(2, hidden, words, norm_inputs);
}

static int set_up(void **state) {
    (void)state;
    work = memory_aligned_alloc(CAPACITY);
    return work == NULL;
}

static int tear_down(void **state) {
    (void)state;
    memory_aligned_free(work);
    memory_aligned_free(good);
    return 0;
}

static void restore(void) {
    memcpy(work, good, good_bytes);
    work_bytes = good_bytes;
}

static minnow_status try_read(const uint8_t *file, size_t bytes, minnow_error *error) {
    int8_model *m = NULL;
    const minnow_status status = int8_model_read(&m, file, bytes, error);
    assert_int_equal(status == MINNOW_OK, m != NULL);
    int8_model_close(&m);
    return status;
}

static void expect(minnow_status status, const char *part) {
    minnow_error error;
    const minnow_status got = try_read(work, work_bytes, &error);
    if (got == MINNOW_OK) fail_msg("accepted, where '%s'", part);
    if (got != status || strstr(error.message, part) == NULL)
        fail_msg("%d '%s' instead of '%s'", got, error.message, part);
    restore();
}

/* After the CRCs are made right. */
static void expect_repaired(minnow_status status, const char *part) {
    repair_crcs(work, work_bytes);
    expect(status, part);
}

static uint8_t *entry_of(section_kind kind, uint32_t layer) {
    const size_t n = load_u32(work + HEADER_SECTIONS);
    for (size_t i = 0; i < n; i++) {
        uint8_t *e = work + FORMAT_HEADER_BYTES + i * FORMAT_ENTRY_BYTES;
        if (load_u32(e + ENTRY_KIND) == (uint32_t)kind && load_u32(e + ENTRY_LAYER) == layer) return e;
    }
    fail_msg("no section %d of layer %u", (int)kind, layer);
    return NULL;
}

static uint8_t *bytes_of(section_kind kind, uint32_t layer) {
    return work + load_u64(entry_of(kind, layer) + ENTRY_OFFSET);
}

/* --- Every bit, every cut ----------------------------------------------------------------------------------------- */

static void any_bit_flipped_is_refused(void **state) {
    minnow_error error;
    (void)state;
    make_good_of(1, 8, INT8_TABLE_MIXED, 0);
    restore();
    assert_int_equal(try_read(work, work_bytes, &error), MINNOW_OK);
    for (size_t bit = 0; bit < 8 * good_bytes; bit++) {
        work[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (try_read(work, work_bytes, &error) == MINNOW_OK) fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
        work[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_memory_equal(work, good, good_bytes);
}

/* From blocks of that size, so that a step past the end is seen; with and without a header that knows. */
static void any_cut_is_refused(void **state) {
    minnow_error error;
    (void)state;
    make_good_of(1, 4, INT8_TABLE_ROWS, 0);
    for (size_t n = 0; n < good_bytes; n++) {
        uint8_t *cut = memory_aligned_alloc(n);
        assert_non_null(cut);
        memcpy(cut, good, n);
        assert_int_equal(try_read(cut, n, &error), MINNOW_ERROR_FORMAT);
        if (n >= FORMAT_HEADER_BYTES) {
            put_u64(cut + HEADER_BYTES, n);
            repair_crcs(cut, n);
            assert_int_equal(try_read(cut, n, &error), MINNOW_ERROR_FORMAT);
        }
        memory_aligned_free(cut);
    }
    restore();
    memset(work + good_bytes, 0, 1);
    work_bytes++;
    expect(MINNOW_ERROR_FORMAT, "bytes, its header says");
    memset(work + good_bytes, 0, 64);
    work_bytes += 64;
    put_u64(work + HEADER_BYTES, work_bytes);
    expect_repaired(MINNOW_ERROR_FORMAT, "64 bytes follow the last section");
}

/* --- The container ------------------------------------------------------------------------------------------------ */

static void refuses_wrong_headers(void **state) {
    minnow_error error;
    (void)state;
    make_good(4, INT8_TABLE_ROWS, 0);
    restore();
    assert_false(int8_model_is(work, 7));
    assert_true(int8_model_is(work, 8));
    assert_int_equal(try_read(work + 1, work_bytes - 1, &error), MINNOW_ERROR_ARGUMENT);
    work[0] = 'x', expect(MINNOW_ERROR_FORMAT, "not a .minnow file");
    put_u32(work + HEADER_VERSION, 2), expect_repaired(MINNOW_ERROR_UNSUPPORTED, "format version 2");
    work[HEADER_BYTES] ^= 1, expect(MINNOW_ERROR_FORMAT, "the header's CRC32C is wrong");
    work[HEADER_BYTES] ^= 1, expect_repaired(MINNOW_ERROR_FORMAT, "its header says");
    work[HEADER_ZEROS + 31] = 1, expect_repaired(MINNOW_ERROR_FORMAT, "last bytes are not zero");
    put_u32(work + HEADER_SECTIONS, 0), expect_repaired(MINNOW_ERROR_FORMAT, "0 sections");
    put_u32(work + HEADER_SECTIONS, UINT32_MAX), expect_repaired(MINNOW_ERROR_FORMAT, "4294967295 sections");
    work[FORMAT_HEADER_BYTES] ^= 1, expect(MINNOW_ERROR_FORMAT, "the section table's CRC32C is wrong");
}

static void refuses_wrong_tables(void **state) {
    uint8_t *e;
    (void)state;
    make_good(4, INT8_TABLE_ROWS, 0);
    restore();
#define ENTRY(kind, layer) (e = entry_of(kind, layer))
    ENTRY(SECTION_UP, 0), put_u32(e, 99), expect_repaired(MINNOW_ERROR_UNSUPPORTED, "unknown kind 99");
    ENTRY(SECTION_UP, 0), put_u32(e + ENTRY_ENCODING, 1),
        expect_repaired(MINNOW_ERROR_UNSUPPORTED, "(layer 0 up): unknown encoding 1");
    ENTRY(SECTION_UP, 0), put_u32(e + ENTRY_LAYER, SECTION_NO_LAYER),
        expect_repaired(MINNOW_ERROR_FORMAT, "'up' does not go with layer 4294967295");
    ENTRY(SECTION_TEXTS, SECTION_NO_LAYER), put_u32(e + ENTRY_LAYER, 1),
        expect_repaired(MINNOW_ERROR_FORMAT, "'texts' does not go with layer 1");
    ENTRY(SECTION_TOKENIZER, SECTION_NO_LAYER), put_u32(e, SECTION_TEXTS),
        expect_repaired(MINNOW_ERROR_FORMAT, "'texts' is there twice");
    ENTRY(SECTION_UP, 1), put_u32(e, SECTION_CONTEXT),
        expect_repaired(MINNOW_ERROR_FORMAT, "'context' is out of order");
    ENTRY(SECTION_UP, 1), put_u32(e + ENTRY_LAYER, 0), expect_repaired(MINNOW_ERROR_FORMAT, "'up' is out of order");
    ENTRY(SECTION_UP, 1), put_u64(e + ENTRY_OFFSET, load_u64(e + ENTRY_OFFSET) + 64),
        expect_repaired(MINNOW_ERROR_FORMAT, "begins at byte");
    ENTRY(SECTION_UP, 1), put_u64(e + ENTRY_OFFSET, load_u64(e + ENTRY_OFFSET) - 64),
        expect_repaired(MINNOW_ERROR_FORMAT, "begins at byte");
    ENTRY(SECTION_UP, 1), put_u64(e + ENTRY_STORED, 0), expect_repaired(MINNOW_ERROR_FORMAT, "is empty");
    ENTRY(SECTION_UP, 1), put_u64(e + ENTRY_STORED, UINT64_MAX), expect_repaired(MINNOW_ERROR_FORMAT, "in a file of");
    ENTRY(SECTION_UP, 1), put_u64(e + ENTRY_DECODED, UINT64_MAX), expect_repaired(MINNOW_ERROR_FORMAT, "become");
    ENTRY(SECTION_TEXTS, SECTION_NO_LAYER), work[load_u64(e + ENTRY_OFFSET) + load_u64(e + ENTRY_STORED)] = 1,
        expect_repaired(MINNOW_ERROR_FORMAT, "the padding before it is not zero");
    ENTRY(SECTION_UP, 1), work[load_u64(e + ENTRY_OFFSET) + 16] ^= 1,
        expect_repaired(MINNOW_ERROR_FORMAT, "layer 1: up: a padding column");
    ENTRY(SECTION_UP, 1), work[load_u64(e + ENTRY_OFFSET)] ^= 1,
        expect(MINNOW_ERROR_FORMAT, "up): its CRC32C is wrong");
#undef ENTRY
}

/* Lays the file out anew without one section, or with another kind or size. */
typedef struct change {
    section_kind kind;
    uint32_t layer;
    section_kind becomes; /* 0: it is left out */
    size_t bytes;         /* 0: as before */
} change;

static void rebuild(const change *c) {
    uint8_t table[MAX_SECTIONS * FORMAT_ENTRY_BYTES];
    model_section sections[MAX_SECTIONS];
    model_sections all;
    minnow_error error;
    size_t n = 0, end;
    if (model_sections_read(&all, good, good_bytes, 0, &error) != MINNOW_OK) fail_msg("%s", error.message);
    assert_true(all.n <= MAX_SECTIONS);
    for (size_t i = 0; i < all.n; i++) {
        sections[n] = model_sections_at(&all, i);
        if (sections[n].kind == (uint32_t)c->kind && sections[n].layer == c->layer) {
            if (c->becomes == 0) continue;
            sections[n].kind = (uint32_t)c->becomes;
            if (c->bytes != 0) sections[n].bytes = c->bytes;
        }
        n++;
    }
    memset(work, 0, CAPACITY);
    memcpy(work, good, FORMAT_HEADER_BYTES);
    end = FORMAT_HEADER_BYTES + n * FORMAT_ENTRY_BYTES;
    for (size_t i = 0; i < n; i++) {
        uint8_t *e = table + i * FORMAT_ENTRY_BYTES;
        const size_t at = (end + 63) / 64 * 64;
        memcpy(work + at, sections[i].data, sections[i].bytes);
        put_u32(e + ENTRY_KIND, sections[i].kind);
        put_u32(e + ENTRY_LAYER, sections[i].layer);
        put_u32(e + ENTRY_ENCODING, 0);
        put_u64(e + ENTRY_OFFSET, at);
        put_u64(e + ENTRY_STORED, sections[i].bytes);
        put_u64(e + ENTRY_DECODED, sections[i].bytes);
        end = at + sections[i].bytes;
    }
    memcpy(work + FORMAT_HEADER_BYTES, table, n * FORMAT_ENTRY_BYTES);
    put_u32(work + HEADER_SECTIONS, (uint32_t)n);
    put_u64(work + HEADER_BYTES, end);
    work_bytes = end;
    repair_crcs(work, end);
}

static void refuses_other_sections_than_the_models(void **state) {
    static const struct {
        change change;
        const char *message;
    } cases[] = {
        {{SECTION_TEXTS, SECTION_NO_LAYER, 0, 0}, "is 'tokenizer', where 'texts' belongs"},
        {{SECTION_MODEL, SECTION_NO_LAYER, 0, 0}, "where 'model' belongs"},
        {{SECTION_SCORE_SCALE, 0, 0, 0}, "where 'score_scale' of layer 0 belongs"},
        {{SECTION_OUTPUT_NORM, 1, 0, 0}, "section 'output_norm' of layer 1 is missing"},
        {{SECTION_OUTPUT_NORM, 1, SECTION_OUTPUT_NORM_INPUT, 0}, "is 'output_norm_input' of layer 1"},
        {{SECTION_UP_SCALES, 0, SECTION_UP_SCALES, 124}, "has 124 bytes instead of 128"},
        {{SECTION_WORD_CODES, SECTION_NO_LAYER, SECTION_WORD_CODES, 25}, "has 25 bytes instead of 24"},
        {{SECTION_MODEL, SECTION_NO_LAYER, SECTION_MODEL, 92}, "model: 92 bytes instead of 96"},
    };
    (void)state;
    make_good(4, INT8_TABLE_ROWS, 0);
    rebuild(&(change){SECTION_UP, 9, 0, 0}); /* no change: the same bytes */
    assert_int_equal(work_bytes, good_bytes);
    assert_memory_equal(work, good, good_bytes);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rebuild(&cases[i].change);
        expect(MINNOW_ERROR_FORMAT, cases[i].message);
    }
    /* Norm inputs that MODEL says are there, and the other way round. */
    put_u32(bytes_of(SECTION_MODEL, SECTION_NO_LAYER) + MODEL_NORM_INPUTS, 4),
        expect_repaired(MINNOW_ERROR_FORMAT, "'output_norm_input'");
    make_good(4, INT8_TABLE_ROWS, 1);
    restore();
    put_u32(bytes_of(SECTION_MODEL, SECTION_NO_LAYER) + MODEL_NORM_INPUTS, 3),
        expect_repaired(MINNOW_ERROR_FORMAT, "where 'attention_input' of layer 1 belongs");
    put_u32(bytes_of(SECTION_MODEL, SECTION_NO_LAYER) + MODEL_LAYERS, 1),
        expect_repaired(MINNOW_ERROR_FORMAT, "('attention_input' of layer 1) belongs to no part");
}

/* --- MODEL and TEXTS ---------------------------------------------------------------------------------------------- */

static void refuses_wrong_settings(void **state) {
    static const struct {
        size_t place;
        uint32_t value;
        const char *message;
    } cases[] = {
        {MODEL_ARCHITECTURE, 2, "unknown architecture 2"},
        {MODEL_LAYERS, 0, "layers is 0"},
        {MODEL_LAYERS, 1000, "1000 layers in"},
        {MODEL_LAYERS, 0x10000, "layers is 65536"},
        {MODEL_LAYERS, 3, "in "},
        {MODEL_HIDDEN, 0, "hidden is 0"},
        {MODEL_HIDDEN, 6, "no multiple of 4"},
        {MODEL_HIDDEN, 0x80000000u, "hidden is"},
        {MODEL_HIDDEN, 8, "bytes instead of"},
        {MODEL_HEADS, 0, "heads is 0"},
        {MODEL_HEADS, 2, "heads is 2"},
        {MODEL_INTERMEDIATE, 0, "intermediate is 0"},
        {MODEL_INTERMEDIATE, 6, "intermediate 6 is no multiple"},
        {MODEL_INTERMEDIATE, 16384, "bytes instead of"},
        {MODEL_VOCAB, 0, "vocabulary's size is 0"},
        {MODEL_VOCAB, 1u << 24, "bytes instead of"},
        {MODEL_VOCAB, UINT32_MAX, "vocabulary's size is"},
        {MODEL_POSITIONS, 0, "positions is 0"},
        {MODEL_POSITIONS, 70000, "positions is 70000"},
        {MODEL_ACTIVATION, 0, "unknown activation 0"},
        {MODEL_ACTIVATION, 2, "unknown activation 2"},
        {MODEL_EPSILON, 0, "epsilon"},
        {MODEL_EPSILON, 0x80000001u, "epsilon"},
        {MODEL_EPSILON, 0x7f800000u, "epsilon"},
        {MODEL_EPSILON, 0x7fc00000u, "epsilon"},
        {MODEL_POOLING, 0, "unknown pooling 0"},
        {MODEL_POOLING, 4, "unknown pooling 4"},
        {MODEL_NORMALIZE, 2, "'normalize' is neither"},
        {MODEL_NORMALIZE, UINT32_MAX, "'normalize' is neither"},
        {MODEL_MAX_TOKENS, 0, "max_tokens is 0"},
        {MODEL_MAX_TOKENS, 4, "max_tokens is 4, not from 1 to 3"},
        {MODEL_MAX_TOKENS, 2, "a template of 2 tokens, where max_tokens is 2"},
        {MODEL_WORDS, 0, "unknown kind of word table 0"},
        {MODEL_WORDS, 5, "unknown kind of word table 5"},
        {MODEL_WORDS, INT8_TABLE_TENSOR, "bytes instead of"},
        {MODEL_WORDS, INT8_TABLE_HALF, "where 'word_halves'"},
        {MODEL_OUTLIERS, 1, "1 outlier columns"},
        {MODEL_PLACES, INT8_TABLE_TENSOR, "kind 2 of position table"},
        {MODEL_PLACES, INT8_TABLE_HALF, "where 'position_halves'"},
        {MODEL_NORM_INPUTS, 8, "unknown bits of norms"},
    };
    (void)state;
    make_good(4, INT8_TABLE_ROWS, 0);
    restore();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        minnow_error error;
        minnow_status status;
        put_u32(bytes_of(SECTION_MODEL, SECTION_NO_LAYER) + cases[i].place, cases[i].value);
        repair_crcs(work, work_bytes);
        status = try_read(work, work_bytes, &error);
        if (status != MINNOW_ERROR_FORMAT && status != MINNOW_ERROR_UNSUPPORTED)
            fail_msg("%s: status %d", cases[i].message, status);
        if (strstr(error.message, cases[i].message) == NULL)
            fail_msg("'%s' instead of '%s'", error.message, cases[i].message);
        restore();
    }
}

static void refuses_wrong_texts(void **state) {
    (void)state;
    make_good(4, INT8_TABLE_ROWS, 0);
    restore(); /* "small\0MIT\0\0" */
    bytes_of(SECTION_TEXTS, SECTION_NO_LAYER)[10] = 'x',
        expect_repaired(MINNOW_ERROR_FORMAT, "texts: ends inside a text");
    bytes_of(SECTION_TEXTS, SECTION_NO_LAYER)[1] = 0,
        expect_repaired(MINNOW_ERROR_FORMAT, "texts: 1 bytes after the last text");
    bytes_of(SECTION_TEXTS, SECTION_NO_LAYER)[1] = 0xc0, expect_repaired(MINNOW_ERROR_FORMAT, "texts: invalid UTF-8");
}

/* --- TOKENIZER ---------------------------------------------------------------------------------------------------- */

static void refuses_wrong_tokenizers(void **state) {
    static const struct {
        size_t place;
        uint32_t value;
        const char *message;
    } cases[] = {
        {TOKENIZER_N_VOCAB, 0, "ends inside"}, /* the lengths are then taken for texts, and so on */
        {TOKENIZER_N_VOCAB, 7, "tokens are longer than their text"},
        {TOKENIZER_N_VOCAB, 5, "tokens are shorter than their text"},
        {TOKENIZER_N_VOCAB, UINT32_MAX, "ends inside the vocabulary's lengths"},
        {TOKENIZER_VOCAB_BYTES, UINT32_MAX, "ends inside the vocabulary"},
        {TOKENIZER_VOCAB_BYTES, 19, "tokens are longer than their text"},
        {TOKENIZER_FLAGS, 64, "unknown flags 0x40"},
        {TOKENIZER_FLAGS, TOKENIZER_HAS_IDS, "tokenizer:"},
        {TOKENIZER_FLAGS, TOKENIZER_WIDE, "tokenizer:"},
        {TOKENIZER_UNKNOWN, 6, "unknown token: there is no token with id 6"},
        {TOKENIZER_UNKNOWN, UINT32_MAX, "there is no token with id -1"},
        {TOKENIZER_MAX_CHARS, 1001, "words of up to 1001 characters"},
        {TOKENIZER_N_ADDED, 0, "added tokens are shorter"},
        {TOKENIZER_N_ADDED, UINT32_MAX, "ends inside the added tokens"},
        {TOKENIZER_ADDED_BYTES, UINT32_MAX, "ends inside the added tokens' texts"},
        {TOKENIZER_ADDED_BYTES, 4, "added tokens are longer"},
        {TOKENIZER_N_PREFIX, UINT32_MAX, "ends inside the template"},
        {TOKENIZER_N_SUFFIX, 0, "tokenizer:"},
        {TOKENIZER_CONTINUING_BYTES, 1, "1 bytes after the last text"},
        {TOKENIZER_CONTINUING_BYTES, 3, "ends inside the continuing prefix"},
    };
    enum { IDS = TOKENIZER_ARRAYS, LENGTHS = IDS + 8, TEXT = LENGTHS + 6, ADDED = TEXT + 20, ADDED_TEXT = ADDED + 8 };
    (void)state;
    make_good(4, INT8_TABLE_ROWS, 0);
    restore();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        minnow_error error;
        put_u32(bytes_of(SECTION_TOKENIZER, SECTION_NO_LAYER) + cases[i].place, cases[i].value);
        repair_crcs(work, work_bytes);
        if (try_read(work, work_bytes, &error) == MINNOW_OK) fail_msg("accepted, where '%s'", cases[i].message);
        if (strstr(error.message, cases[i].message) == NULL && i > 0)
            fail_msg("'%s' instead of '%s'", error.message, cases[i].message);
        restore();
    }
    put_u32(bytes_of(SECTION_TOKENIZER, SECTION_NO_LAYER) + IDS, 6),
        expect_repaired(MINNOW_ERROR_FORMAT, "template: there is no token");
    bytes_of(SECTION_TOKENIZER, SECTION_NO_LAYER)[TEXT] = 0xff,
        expect_repaired(MINNOW_ERROR_FORMAT, "token 0: invalid UTF-8");
    memcpy(bytes_of(SECTION_TOKENIZER, SECTION_NO_LAYER) + TEXT, "[SEP]", 5),
        expect_repaired(MINNOW_ERROR_FORMAT, "is there twice");
    put_u32(bytes_of(SECTION_TOKENIZER, SECTION_NO_LAYER) + ADDED, 1),
        expect_repaired(MINNOW_ERROR_FORMAT, "is there twice");
    put_u16(bytes_of(SECTION_TOKENIZER, SECTION_NO_LAYER) + ADDED + 6, 32),
        expect_repaired(MINNOW_ERROR_FORMAT, "unknown flags");
    bytes_of(SECTION_TOKENIZER, SECTION_NO_LAYER)[ADDED_TEXT] = 'x',
        put_u32(bytes_of(SECTION_TOKENIZER, SECTION_NO_LAYER) + ADDED, 6),
        expect_repaired(MINNOW_ERROR_FORMAT, "ids go up to 6, the word table has 6 rows");
    bytes_of(SECTION_TOKENIZER, SECTION_NO_LAYER)[ADDED_TEXT + 5] = 0,
        expect_repaired(MINNOW_ERROR_FORMAT, "has a NUL in it");
}

/* Ids that only repeat the order, and wide lengths for short tokens: the same tokenizer in other bytes. */
static void refuses_second_forms_of_a_tokenizer(void **state) {
    /* One token 'a'; the head, then its id and its length, or its wide length. */
    static const uint8_t with_ids[TOKENIZER_ARRAYS + 6] = {[TOKENIZER_N_VOCAB] = 1,
                                                           [TOKENIZER_VOCAB_BYTES] = 1,
                                                           [TOKENIZER_FLAGS] = TOKENIZER_HAS_IDS,
                                                           [TOKENIZER_ARRAYS + 4] = 1,
                                                           [TOKENIZER_ARRAYS + 5] = 'a'};
    static const uint8_t wide[TOKENIZER_ARRAYS + 3] = {[TOKENIZER_N_VOCAB] = 1,
                                                       [TOKENIZER_VOCAB_BYTES] = 1,
                                                       [TOKENIZER_FLAGS] = TOKENIZER_WIDE,
                                                       [TOKENIZER_ARRAYS] = 1,
                                                       [TOKENIZER_ARRAYS + 2] = 'a'};
    uint8_t good_ids[sizeof with_ids];
    tokenizer_config config;
    minnow_error error;
    arena memory;
    (void)state;
    arena_init(&memory, 0);
    assert_int_equal(tokenizer_data_read(&config, &memory, with_ids, sizeof with_ids, &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message, "has ids that say nothing");
    assert_int_equal(tokenizer_data_read(&config, &memory, wide, sizeof wide, &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message, "has wide lengths for short tokens");
    memcpy(good_ids, with_ids, sizeof with_ids);
    good_ids[TOKENIZER_ARRAYS] = 5;
    assert_int_equal(tokenizer_data_read(&config, &memory, good_ids, sizeof good_ids, &error), MINNOW_OK);
    assert_int_equal(config.vocab_ids[0], 5);
    arena_free(&memory);
}

/* --- Numbers ------------------------------------------------------------------------------------------------------ */

static void refuses_wrong_numbers(void **state) {
    const uint32_t nan = 0x7fc00000u, infinity = 0xff800000u;
    (void)state;
    make_good(4, INT8_TABLE_ROWS, 1);
    restore();
#define AT(kind, layer, place) (bytes_of(kind, layer) + (place))
    for (uint32_t layer = 0; layer <= 1; layer++) { /* the first and the last number of each array */
        put_u32(AT(SECTION_ATTENTION_INPUT, layer, 0), nan),
            expect_repaired(MINNOW_ERROR_FORMAT, "attention_input: a number");
        put_u32(AT(SECTION_ATTENTION_INPUT, layer, 28), infinity),
            expect_repaired(MINNOW_ERROR_FORMAT, "attention_input: a");
        put_u32(AT(SECTION_QUERY_KEY_VALUE_SCALES, layer, 0), nan),
            expect_repaired(MINNOW_ERROR_FORMAT, "query_key_value: a");
        put_u32(AT(SECTION_QUERY_KEY_VALUE_SCALES, layer, 64), nan),
            expect_repaired(MINNOW_ERROR_FORMAT, "query_key_value: a");
        put_u32(AT(SECTION_SCORE_SCALE, layer, 0), nan), expect_repaired(MINNOW_ERROR_FORMAT, "score_scale: a number");
        put_u32(AT(SECTION_SCORE_SCALE, layer, 0), 0),
            expect_repaired(MINNOW_ERROR_FORMAT, "that of head 0 is not above 0");
        put_u32(AT(SECTION_SCORE_SCALE, layer, 0), 0xbf800000u), expect_repaired(MINNOW_ERROR_FORMAT, "not above 0");
        put_u32(AT(SECTION_CONTEXT, layer, 12), nan), expect_repaired(MINNOW_ERROR_FORMAT, "context: a number");
        put_u32(AT(SECTION_ATTENTION_OUTPUT_SCALES, layer, 12), nan),
            expect_repaired(MINNOW_ERROR_FORMAT, "attention_output: a");
        put_u32(AT(SECTION_ATTENTION_NORM, layer, 0), nan),
            expect_repaired(MINNOW_ERROR_FORMAT, "attention_norm: a number");
        put_u32(AT(SECTION_ATTENTION_NORM_INPUT, layer, 28), nan),
            expect_repaired(MINNOW_ERROR_FORMAT, "attention_norm: a");
        put_u32(AT(SECTION_UP_INPUT, layer, 0), nan), expect_repaired(MINNOW_ERROR_FORMAT, "up_input: a number");
        put_u32(AT(SECTION_UP_SCALES, layer, 64), nan), expect_repaired(MINNOW_ERROR_FORMAT, "up: a number");
        put_u32(AT(SECTION_DOWN_INPUT, layer, 0), infinity),
            expect_repaired(MINNOW_ERROR_FORMAT, "down_input: a number");
        put_u32(AT(SECTION_DOWN_SCALES, layer, 0), nan), expect_repaired(MINNOW_ERROR_FORMAT, "down: a number");
        put_u32(AT(SECTION_OUTPUT_NORM, layer, 28), nan), expect_repaired(MINNOW_ERROR_FORMAT, "output_norm: a number");
        put_u32(AT(SECTION_OUTPUT_NORM_INPUT, layer, 0), nan),
            expect_repaired(MINNOW_ERROR_FORMAT, "output_norm: a number");
    }
    put_u32(AT(SECTION_WORD_SCALES, SECTION_NO_LAYER, 20), nan),
        expect_repaired(MINNOW_ERROR_FORMAT, "word table: a number");
    put_u32(AT(SECTION_POSITION_SCALES, SECTION_NO_LAYER, 0), nan),
        expect_repaired(MINNOW_ERROR_FORMAT, "position table: a number");
    put_u32(AT(SECTION_EMBEDDING_NORM, SECTION_NO_LAYER, 0), nan),
        expect_repaired(MINNOW_ERROR_FORMAT, "embedding_norm: a number");
    put_u32(AT(SECTION_EMBEDDING_NORM_INPUT, SECTION_NO_LAYER, 31 & ~3), nan),
        expect_repaired(MINNOW_ERROR_FORMAT, "embedding_norm: a");
    /* n = 12 and 4: the rest of the panel is padding */
    *AT(SECTION_QUERY_KEY_VALUE, 0, 0) = 128,
        expect_repaired(MINNOW_ERROR_FORMAT, "query_key_value: a weight's code is above");
    *AT(SECTION_UP, 0, 63) = 255, expect_repaired(MINNOW_ERROR_FORMAT, "up: a weight's code is above 127");
    *AT(SECTION_UP, 0, 16) = 63, expect_repaired(MINNOW_ERROR_FORMAT, "up: a padding column is not 64");
    *AT(SECTION_QUERY_KEY_VALUE, 1, 63) = 65,
        expect_repaired(MINNOW_ERROR_FORMAT, "layer 1: query_key_value: a padding");
    put_u32(AT(SECTION_UP_SCALES, 0, 16), 0x80000000u),
        expect_repaired(MINNOW_ERROR_FORMAT, "up: the padding of scale or bias");
    put_u32(AT(SECTION_UP_SCALES, 0, 124), 1), expect_repaired(MINNOW_ERROR_FORMAT, "up: the padding of scale or bias");

    make_good(8, INT8_TABLE_MIXED, 0); /* outlier columns 3 and 7 */
    restore();
    put_u16(AT(SECTION_WORD_HALVES, SECTION_NO_LAYER, 22), 0x7c00),
        expect_repaired(MINNOW_ERROR_FORMAT, "word table: a float16 is not finite");
    put_u32(AT(SECTION_WORD_OUTLIERS, SECTION_NO_LAYER, 4), 8),
        expect_repaired(MINNOW_ERROR_FORMAT, "outlier column 8 is out of order or range");
    put_u32(AT(SECTION_WORD_OUTLIERS, SECTION_NO_LAYER, 4), 3),
        expect_repaired(MINNOW_ERROR_FORMAT, "outlier column 3 is out of order");
    *AT(SECTION_WORD_CODES, SECTION_NO_LAYER, 47) = 1,
        expect_repaired(MINNOW_ERROR_FORMAT, "row 5 has a code in an outlier column");
    make_good(4, INT8_TABLE_HALF, 0);
    restore();
    put_u16(AT(SECTION_WORD_HALVES, SECTION_NO_LAYER, 0), 0xfc01),
        expect_repaired(MINNOW_ERROR_FORMAT, "word table: a float16");
    put_u16(AT(SECTION_POSITION_HALVES, SECTION_NO_LAYER, 22), 0x7fff),
        expect_repaired(MINNOW_ERROR_FORMAT, "position table: a float16");
#undef AT
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bit_flipped_is_refused),
        cmocka_unit_test(any_cut_is_refused),
        cmocka_unit_test(refuses_wrong_headers),
        cmocka_unit_test(refuses_wrong_tables),
        cmocka_unit_test(refuses_other_sections_than_the_models),
        cmocka_unit_test(refuses_wrong_settings),
        cmocka_unit_test(refuses_wrong_texts),
        cmocka_unit_test(refuses_wrong_tokenizers),
        cmocka_unit_test(refuses_second_forms_of_a_tokenizer),
        cmocka_unit_test(refuses_wrong_numbers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
