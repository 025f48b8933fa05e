/* SPDX-License-Identifier: Apache-2.0
 * Sums of a .minnow file that comes in piece by piece: what they call right is what the reader does. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "base/memory.h"
#include "convert/pack/pack.h"
#include "model_bytes.h"
#include "random_model.h"
#include "tiny_tokenizer.h"

static uint8_t *file; /* 64-byte aligned */
static size_t bytes;

static int set_up(void **state) {
    const random_shape shape = {.n_layers = 2, .hidden = 8, .n_heads = 2, .intermediate = 4, .n_vocab = 6, .n_positions = 3,
                                .words = INT8_TABLE_ROWS};
    random_model r;
    minnow_error error;
    (void)state;
    assert_true(random_model_init(&r, &shape, 1));
    r.model.name = "small";
    if (pack_bytes(&r.model, &small_tokenizer, &file, &bytes, &error) != MINNOW_OK) fail_msg("%s", error.message);
    random_model_free(&r);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    memory_aligned_free(file);
    return 0;
}

static int right_in_pieces(size_t piece) {
    model_sums s;
    size_t available = 0;
    memset(&s, 0, sizeof s);
    while (available < bytes) {
        available = bytes - available > piece ? available + piece : bytes;
        model_sums_add(&s, file, available);
    }
    return model_sums_right(&s, file, bytes);
}

static int reader_takes_it(void) {
    model_sections sections;
    minnow_error error;
    return model_sections_read(&sections, file, bytes, 0, &error) == MINNOW_OK;
}

static void test_pieces_of_any_size(void **state) {
    (void)state;
    for (size_t piece = 1; piece <= 200; piece++) assert_true(right_in_pieces(piece));
    assert_true(right_in_pieces(bytes - 1));
    assert_true(right_in_pieces(bytes));
}

/* The file's bytes have not all come. */
static void test_not_to_the_end(void **state) {
    model_sums s;
    (void)state;
    memset(&s, 0, sizeof s);
    for (size_t available = 0; available < bytes; available++) {
        model_sums_add(&s, file, available);
        assert_false(model_sums_right(&s, file, bytes));
    }
    model_sums_add(&s, file, bytes);
    assert_true(model_sums_right(&s, file, bytes));
}

/* A bit is not what it was: whatever the sums say, the reader, told so, gives no other answer than by itself. Where a
 * section's bytes are hit, the sums say it. */
static void test_every_byte_spoilt(void **state) {
    (void)state;
    for (size_t i = 0; i < bytes; i++) {
        model_sections sections;
        minnow_error error;
        int right;
        file[i] ^= 0x10;
        right = right_in_pieces(97);
        assert_int_equal(model_sections_read(&sections, file, bytes, right, &error) == MINNOW_OK, 0);
        file[i] ^= 0x10;
    }
    assert_true(reader_takes_it());
}

/* A table in which every section is the whole file would be a second's work for each MB. */
static void test_sections_over_each_other(void **state) {
    const uint32_t n = load_u32(file + HEADER_SECTIONS);
    model_sums s;
    (void)state;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *e = file + FORMAT_HEADER_BYTES + i * FORMAT_ENTRY_BYTES;
        put_u64(e + ENTRY_OFFSET, 0);
        put_u64(e + ENTRY_STORED, bytes);
        put_u32(e + ENTRY_CRC, i);
    }
    put_u32(file + FORMAT_HEADER_BYTES + ENTRY_CRC, crc32c(0, file, bytes)); /* of a section over itself: never right */
    memset(&s, 0, sizeof s);
    model_sums_add(&s, file, bytes);
    assert_true(s.wrong);
    assert_true(s.section <= 1);
    assert_false(model_sums_right(&s, file, bytes));
}

/* Places and sizes that no file has. */
static void test_sections_out_of_reach(void **state) {
    static const uint64_t numbers[] = {0, 1, UINT32_MAX, (uint64_t)1 << 32, UINT64_MAX - 64, UINT64_MAX};
    uint8_t *e = file + FORMAT_HEADER_BYTES + FORMAT_ENTRY_BYTES;
    (void)state;
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < 6; j++) {
            put_u64(e + ENTRY_OFFSET, numbers[i]);
            put_u64(e + ENTRY_STORED, numbers[j]);
            assert_false(right_in_pieces(50));
        }
    put_u32(file + HEADER_SECTIONS, UINT32_MAX);
    assert_false(right_in_pieces(50));
    put_u32(file + HEADER_SECTIONS, 0);
    assert_false(right_in_pieces(50));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pieces_of_any_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_to_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_byte_spoilt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sections_over_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sections_out_of_reach, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
