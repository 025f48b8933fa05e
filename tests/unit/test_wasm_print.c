/* SPDX-License-Identifier: Apache-2.0
 * The WASM modules' printing into memory against the C library's: every conversion that print.h names. */
#include "../../wasm/print.c"

#include <limits.h>
#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

static int ours(char *out, size_t capacity, const char *format, ...) {
    va_list arguments;
    int n;
    va_start(arguments, format);
    n = print_into(out, capacity, format, arguments);
    va_end(arguments);
    return n;
}

/* In room for all, for some, for the NUL alone, and in none. */
#define SAME(...)                                                                                                      \
    do {                                                                                                               \
        static const size_t capacities[] = {80, 5, 1, 0};                                                              \
        for (size_t i_ = 0; i_ < sizeof capacities / sizeof *capacities; i_++) {                                       \
            char a_[80] = "untouched", b_[80] = "untouched";                                                           \
            assert_int_equal(ours(a_, capacities[i_], __VA_ARGS__), snprintf(b_, capacities[i_], __VA_ARGS__));        \
            assert_string_equal(a_, b_);                                                                               \
        }                                                                                                              \
    } while (0)

#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wformat-truncation"
#endif

static void test_numbers(void **state) {
    static const int ints[] = {0, 1, -1, 9, 10, -1234567, INT_MAX, INT_MIN};
    static const unsigned long long wide[] = {0, 1, 10, 4294967295u, 4294967296u, ULLONG_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        SAME("%d", ints[i]);
        SAME("<%7d|%07d>", ints[i], ints[i]);
        SAME("%u %x %#x %02x %08x", (unsigned)ints[i], (unsigned)ints[i], (unsigned)ints[i], (unsigned)ints[i],
             (unsigned)ints[i]);
        SAME("%ld %08lx", (long)ints[i], (unsigned long)ints[i]);
    }
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        SAME("%llu of %zu", wide[i], (size_t)wide[i]);
        SAME("%lld %#llx", (long long)wide[i], wide[i]);
    }
}

static void test_strings(void **state) {
    static const char not_terminated[3] = {'a', 'b', 'c'};
    (void)state;
    SAME("nothing");
    SAME("100 %%");
    SAME("%s: %s", "a/file", "its CRC32C is wrong");
    SAME("'%.3s' '%.100s' '%.0s'", "abcdef", "abc", "abc");
    SAME("'%.*s'", 3, not_terminated);
    SAME("'%.*s'", -1, "all of it");
    SAME("%8s|%3s", "right", "right");
    SAME("%s", "");
}

static void test_unknown(void **state) {
    char out[32];
    (void)state;
    assert_int_equal(ours(out, sizeof out, "a %d b %q c %d", 1, 2), 13);
    assert_string_equal(out, "a 1 b %q c %d");
    assert_int_equal(ours(out, sizeof out, "at the end %"), 12);
    assert_string_equal(out, "at the end %");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
