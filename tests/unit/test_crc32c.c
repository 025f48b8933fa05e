/* SPDX-License-Identifier: Apache-2.0
 * CRC-32C: published sums, the tables, and each way of computing it against the definition. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "base/cpu.h"
#include "base/crc32c.h"
#include "base/crc32c_tables.h"

/* Bit by bit, as the polynomial says. */
static uint32_t slow(uint32_t state, const uint8_t *p, size_t bytes) {
    for (; bytes > 0; bytes--) {
        state ^= *p++;
        for (int bit = 0; bit < 8; bit++) state = state >> 1 ^ (state & 1 ? 0x82f63b78u : 0);
    }
    return state;
}

/* RFC 3720, appendix B.4, and the customary check. */
static void published_sums(void **state) {
    uint8_t bytes[32];
    (void)state;
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(crc32c(0, NULL, 0), 0);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aau);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43u);
    for (size_t i = 0; i < 32; i++) bytes[i] = (uint8_t)i;
    assert_int_equal(crc32c(0, bytes, 32), 0x46dd794eu);
    for (size_t i = 0; i < 32; i++) bytes[i] = (uint8_t)(31 - i);
    assert_int_equal(crc32c(0, bytes, 32), 0x113fdb5cu);
}

static void tables_are_right(void **state) {
    const uint8_t zeros[8] = {0};
    (void)state;
    for (unsigned b = 0; b < 256; b++) {
        const uint8_t byte = (uint8_t)b;
        for (size_t k = 0; k < 8; k++) assert_int_equal(crc32c_tables[k][b], slow(slow(0, &byte, 1), zeros, k));
    }
}

static void every_way_gives_the_same(void **state) {
    uint8_t data[300];
    uint32_t random = 1;
    (void)state;
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
    for (size_t start = 0; start < 9; start++)
        for (size_t n = 0; n + start <= sizeof data; n++) {
            const uint32_t expected = slow(~0u, data + start, n);
            assert_int_equal(crc32c_update_tables(~0u, data + start, n), expected);
#if defined(__x86_64__)
            if (cpu_has_tier(CPU_TIER_AVX2)) assert_int_equal(crc32c_update_avx2(~0u, data + start, n), expected);
#elif defined(__aarch64__)
            if (cpu_has_tier(CPU_TIER_NEON_DOTPROD))
                assert_int_equal(crc32c_update_neon_dotprod(~0u, data + start, n), expected);
#endif
            assert_int_equal(crc32c(crc32c(0, data + start, n / 3), data + start + n / 3, n - n / 3), ~expected);
        }
}

/* Streams side by side, whose ends are anywhere. */
static void long_texts(void **state) {
    static uint8_t data[40000];
    uint32_t random = 7;
    (void)state;
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
    for (size_t start = 0; start < 3; start++)
        for (size_t n = 12270; n + start <= sizeof data; n += n < 12330 ? 1 : 977)
            assert_int_equal(crc32c(0, data + start, n), ~slow(~0u, data + start, n));
}

static void zeros_are_appended(void **state) {
    static const uint8_t zeros[5000];
    (void)state;
    for (size_t n = 0; n <= sizeof zeros; n = n * 3 / 2 + 1) {
        assert_int_equal(crc32c_append_zeros(0x12345678, n), slow(0x12345678, zeros, n));
        assert_int_equal(crc32c_append_zeros(0, n), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_sums),
        cmocka_unit_test(tables_are_right),
        cmocka_unit_test(every_way_gives_the_same),
        cmocka_unit_test(long_texts),
        cmocka_unit_test(zeros_are_appended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
