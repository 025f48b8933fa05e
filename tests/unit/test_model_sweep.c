/* SPDX-License-Identifier: Apache-2.0
 * Any .minnow file that is not the one the model has: each bit flipped, each cut, each tail, and each number in it
 * replaced with the CRCs made right. It is refused in one line, or, where it then is another model, that model works.
 *
 * MINNOW_TEST_SWEEP=all flips every bit of the committed file too, not a few in each line of its payload; a minute. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "convert/pack/pack.h"
#include "model_bytes.h"
#include "random_model.h"
#include "run/engine/engine.h"
#include "run/engine/pool.h"
#include "run/kernels/kernels.h"
#include "tiny_tokenizer.h"

#define COMMITTED "tests/golden/random.minnow"
#define TAIL_BYTES ((size_t)200)

static int is_emulated(void) { return getenv("MINNOW_TEST_EMULATED") != NULL; }

/* --- Files to spoil ----------------------------------------------------------------------------------------------- */

typedef struct sample {
    uint8_t *bytes; /* 64-byte aligned, with room for TAIL_BYTES more */
    uint8_t *good;  /* the same, never changed */
    size_t n;
} sample;

static void sample_of(sample *s, const uint8_t *file, size_t n) {
    s->bytes = memory_aligned_alloc(n + TAIL_BYTES);
    s->good = memory_aligned_alloc(n);
    s->n = n;
    assert_true(s->bytes != NULL && s->good != NULL);
    memcpy(s->bytes, file, n);
    memcpy(s->good, file, n);
}

/* Sections of every kind that goes with this kind of word table; matrices that end inside a panel. */
static void sample_make(sample *s, int8_table_kind words, int norm_inputs) {
    const random_shape shape = {.n_layers = 2, .hidden = 8, .n_heads = 2, .intermediate = 12, .n_vocab = 6,
                                .n_positions = 5, .words = words, .norm_inputs = norm_inputs};
    random_model r;
    minnow_error error;
    uint8_t *file;
    size_t n;
    assert_true(random_model_init(&r, &shape, 5));
    r.model.licence = "MIT";
    if (pack_bytes(&r.model, &small_tokenizer, &file, &n, &error) != MINNOW_OK) fail_msg("%s", error.message);
    sample_of(s, file, n);
    memory_aligned_free(file);
    random_model_free(&r);
}

static void sample_free(sample *s) {
    memory_aligned_free(s->bytes);
    memory_aligned_free(s->good);
}

/* --- What must become of a spoilt one ----------------------------------------------------------------------------- */

static int8_model *read_or_refuse(const uint8_t *file, size_t n) {
    minnow_error error = {0};
    int8_model *m = NULL;
    const minnow_status status = int8_model_read(&m, file, n, &error);
    if (status == MINNOW_OK) return m;
    assert_null(m);
    assert_int_equal(error.status, status);
    assert_true(status == MINNOW_ERROR_FORMAT || status == MINNOW_ERROR_UNSUPPORTED);
    assert_true(error.message[0] != '\0' && strchr(error.message, '\n') == NULL);
    return NULL;
}

static int is_refused(const uint8_t *file, size_t n) {
    int8_model *m = read_or_refuse(file, n);
    const int refused = m == NULL;
    int8_model_close(&m);
    return refused;
}

/* A model that was let in: ids that its tables have, and numbers. */
static void assert_works(const int8_model *m, size_t at) {
    token_ids ids = {NULL, 0, 0};
    minnow_error error;
    assert_int_equal(tokenizer_encode(m->tokenizer, "aaa b [SEP]", 11, m->max_tokens, &ids, NULL, &error), MINNOW_OK);
    assert_true(ids.count <= m->max_tokens);
    for (size_t i = 0; i < ids.count; i++) assert_true(ids.data[i] >= 0 && (size_t)ids.data[i] < m->n_vocab);
    if (ids.count > 0) {
        const size_t starts[2] = {0, ids.count};
        const engine_texts texts = {ids.data, starts, 1};
        void *scratch = memory_aligned_alloc(engine_scratch_bytes(m, ids.count, ids.count));
        float *hidden = memory_aligned_alloc(ids.count * m->hidden * sizeof *hidden);
        double *sums = memory_aligned_alloc(m->hidden * sizeof *sums);
        assert_true(scratch != NULL && hidden != NULL && sums != NULL);
        engine_run(m, kernels_best(), &texts, scratch, hidden);
        pool_tokens(hidden, ids.count, m->hidden, m->pooling, 1, sums, hidden);
        for (size_t i = 0; i < m->hidden; i++)
            if (!isfinite(hidden[i])) fail_msg("byte %zu changed: a vector of %g", at, (double)hidden[i]);
        memory_aligned_free(scratch);
        memory_aligned_free(hidden);
        memory_aligned_free(sums);
    }
    token_ids_free(&ids);
}

/* --- Damage: what the CRCs and the zeros are for ------------------------------------------------------------------ */

/* A file's bytes between header, table and sections. */
static size_t table_end(const sample *s) {
    return FORMAT_HEADER_BYTES + load_u32(s->good + HEADER_SECTIONS) * (size_t)FORMAT_ENTRY_BYTES;
}

/* Bits of byte `at` to flip: all of them in header, table and padding and at a section's edges; else one in every
 * fifth byte. */
static unsigned bits_of(const sample *s, size_t at, int all) {
    const size_t n = load_u32(s->good + HEADER_SECTIONS);
    if (all || at < table_end(s)) return 0xff;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *entry = s->good + FORMAT_HEADER_BYTES + i * FORMAT_ENTRY_BYTES;
        const size_t first = (size_t)load_u64(entry + ENTRY_OFFSET);
        const size_t last = first + (size_t)load_u64(entry + ENTRY_STORED);
        if (at < first) return 0xff; /* padding */
        if (at < last) return at < first + 4 || at + 4 >= last ? 0xff : at % 5 ? 0 : 1u << at / 5 % 8;
    }
    return 0xff;
}

static void flip_bits(sample *s, int all) {
    for (size_t at = 0; at < s->n; at++) {
        const unsigned bits = bits_of(s, at, all);
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            if (!(bits & bit)) continue;
            s->bytes[at] ^= (uint8_t)bit;
            if (!is_refused(s->bytes, s->n)) fail_msg("accepted with bits 0x%x of byte %zu flipped", bit, at);
            s->bytes[at] ^= (uint8_t)bit;
        }
    }
}

/* Each cut in `step`, and tails of zeros, of 0xff, and of the file's own bytes; the size in the header as it was, or
 * right. */
static void cut_and_append(sample *s, size_t step) {
    for (size_t n = 0; n < s->n; n += step) {
        if (!is_refused(s->bytes, n)) fail_msg("accepted when cut to %zu bytes", n);
        if (n < FORMAT_HEADER_BYTES) continue;
        put_u64(s->bytes + HEADER_BYTES, n);
        put_u32(s->bytes + HEADER_CRC, crc32c(0, s->bytes, HEADER_CRC));
        if (!is_refused(s->bytes, n)) fail_msg("accepted when cut to %zu bytes, which its header says", n);
        memcpy(s->bytes, s->good, FORMAT_HEADER_BYTES);
    }
    for (size_t n = 1; n <= TAIL_BYTES; n++)
        for (int tail = 0; tail <= 2; tail++) {
            if (tail < 2) memset(s->bytes + s->n, tail == 0 ? 0 : 0xff, n);
            else memcpy(s->bytes + s->n, s->good, n);
            if (!is_refused(s->bytes, s->n + n)) fail_msg("accepted with %zu bytes behind it", n);
            put_u64(s->bytes + HEADER_BYTES, s->n + n);
            put_u32(s->bytes + HEADER_CRC, crc32c(0, s->bytes, HEADER_CRC));
            if (!is_refused(s->bytes, s->n + n)) fail_msg("accepted with %zu bytes more, which its header says", n);
            memcpy(s->bytes, s->good, FORMAT_HEADER_BYTES);
        }
}

static void any_damage_is_refused(void **state) {
    (void)state;
    for (int kind = INT8_TABLE_ROWS; kind <= INT8_TABLE_MIXED; kind++) {
        sample s;
        sample_make(&s, (int8_table_kind)kind, kind % 2);
        assert_false(is_refused(s.bytes, s.n));
        flip_bits(&s, !is_emulated());
        cut_and_append(&s, 1);
        assert_memory_equal(s.bytes, s.good, s.n);
        sample_free(&s);
    }
}

static void any_damage_to_the_committed_file_is_refused(void **state) {
    const char *how = getenv("MINNOW_TEST_SWEEP");
    const int all = how != NULL && strcmp(how, "all") == 0;
    file_map map;
    minnow_error error;
    sample s;
    (void)state;
    if (!file_exists(COMMITTED) || is_emulated()) skip();
    assert_int_equal(file_map_open(&map, COMMITTED, &error), MINNOW_OK);
    sample_of(&s, map.data, map.bytes);
    file_map_close(&map);
    assert_false(is_refused(s.bytes, s.n));
    flip_bits(&s, all);
    cut_and_append(&s, all ? 1 : 61);
    sample_free(&s);
}

/* --- Lies: the CRCs are right ------------------------------------------------------------------------------------- */

/* A file has one right header and one right table. */
static void any_other_header_or_table_is_refused(void **state) {
    static const uint64_t hostile[] = {0, 1, 2, 63, 64, 96, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
                                       0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffc0, UINT64_MAX};
    sample s;
    (void)state;
    sample_make(&s, INT8_TABLE_MIXED, 1);
    for (size_t at = 0; at + 8 <= table_end(&s); at += 4)
        for (size_t i = 0; i < sizeof hostile / sizeof *hostile + 64; i++) {
            if (i < 64) s.bytes[at + i / 8] ^= (uint8_t)(1u << i % 8);
            else if (i % 2) put_u64(s.bytes + at, hostile[i - 64]);
            else put_u32(s.bytes + at, (uint32_t)hostile[i - 64]);
            repair_crcs(s.bytes, s.n);
            if (memcmp(s.bytes, s.good, s.n) != 0 && !is_refused(s.bytes, s.n))
                fail_msg("accepted with another number at byte %zu of header and table", at);
            memcpy(s.bytes, s.good, s.n);
        }
    /* Entries that change places. */
    for (size_t a = FORMAT_HEADER_BYTES; a < table_end(&s); a += FORMAT_ENTRY_BYTES)
        for (size_t b = FORMAT_HEADER_BYTES; b < a; b += FORMAT_ENTRY_BYTES) {
            memcpy(s.bytes + a, s.good + b, FORMAT_ENTRY_BYTES);
            memcpy(s.bytes + b, s.good + a, FORMAT_ENTRY_BYTES);
            repair_crcs(s.bytes, s.n);
            assert_true(is_refused(s.bytes, s.n));
            memcpy(s.bytes, s.good, s.n);
        }
    sample_free(&s);
}

/* Only in bytes of padding may no number stand; elsewhere it may make another model, which then must work, and which is
 * written as it was read. */
static void check_lie(sample *s, size_t at) {
    int8_model *m;
    repair_crcs(s->bytes, s->n);
    m = read_or_refuse(s->bytes, s->n);
    if (m != NULL) assert_works(m, at);
    int8_model_close(&m);
    memcpy(s->bytes, s->good, s->n);
}

static void any_lie_is_refused_or_works(void **state) {
    static const uint32_t hostile[] = {0, 1, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0x7f7fffff, 0xff7fffff,
                                       0x80000000, 0x00000001, 0x80000001, 0x7fffffff, 0xffffffff, 0x3f800000,
                                       0x7c007c00, 0xfbfffbff, 0x7bff7bff, 0x40404040, 0x7f7f7f7f, 0x00010001,
                                       0x01000000, 0xffff0000};
    const size_t n_hostile = sizeof hostile / sizeof *hostile;
    (void)state;
    for (int kind = INT8_TABLE_ROWS; kind <= INT8_TABLE_MIXED; kind++) {
        sample s;
        sample_make(&s, (int8_table_kind)kind, kind % 2 == 0);
        for (size_t at = table_end(&s); at + 4 <= s.n; at += is_emulated() ? 29 : 1) {
            put_u32(s.bytes + at, hostile[at % n_hostile]);
            check_lie(&s, at);
            put_u32(s.bytes + at, hostile[(at / 4 + at) % n_hostile]);
            check_lie(&s, at);
        }
        sample_free(&s);
    }
}

/* The small sections, where numbers have meanings: every number takes every hostile value, and every byte every bit. */
static void lies_of_small_sections(void **state) {
    static const uint32_t hostile[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 16, 63, 64, 127, 128, 255, 256, 4096, 16384,
                                       65535, 65536, 1u << 24, (1u << 24) + 1, 0x3fffffff, 0x40000000, 0x7f800000,
                                       0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffffe, 0xffffffff};
    const size_t n_hostile = sizeof hostile / sizeof *hostile;
    sample s;
    (void)state;
    sample_make(&s, INT8_TABLE_MIXED, 1);
    for (size_t i = 0; i < 3; i++) { /* MODEL, TEXTS, TOKENIZER */
        const uint8_t *entry = s.good + FORMAT_HEADER_BYTES + i * FORMAT_ENTRY_BYTES;
        const size_t first = (size_t)load_u64(entry + ENTRY_OFFSET);
        const size_t last = first + (size_t)load_u64(entry + ENTRY_STORED);
        for (size_t at = first; at < last; at++) {
            for (size_t j = 0; j < n_hostile && at + 4 <= last; j++) {
                put_u32(s.bytes + at, hostile[j]);
                check_lie(&s, at);
            }
            for (unsigned j = 0; j < 256; j += is_emulated() ? 51 : 1) {
                s.bytes[at] = (uint8_t)j;
                check_lie(&s, at);
            }
        }
    }
    sample_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_damage_is_refused),
        cmocka_unit_test(any_damage_to_the_committed_file_is_refused),
        cmocka_unit_test(any_other_header_or_table_is_refused),
        cmocka_unit_test(any_lie_is_refused_or_works),
        cmocka_unit_test(lies_of_small_sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
