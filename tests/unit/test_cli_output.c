/* SPDX-License-Identifier: Apache-2.0
 * The program is not a library: its sources are part of this test. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../cli/buffer.c"
#include "../../cli/output.c"

static void expect_float(float x, const char *text) {
    char out[CLI_NUMBER_BYTES];
    assert_int_equal(cli_format_float(out, x), strlen(text));
    assert_string_equal(out, text);
}

static void floats_have_few_digits(void **state) {
    (void)state;
    expect_float(0, "0");
    expect_float(-0.0f, "-0");
    expect_float(1, "1");
    expect_float(-0.5f, "-0.5");
    expect_float(0.1f, "0.1");
    expect_float(1.0f / 3, "0.33333334");
    expect_float(100, "100");
    expect_float(9999999, "9999999");
    expect_float(1e7f, "1e+07");
    expect_float(1e-5f, "0.00001");
    expect_float(9e-6f, "9e-06");
    expect_float(3.4028235e38f, "3.4028235e+38");
    expect_float(1e-45f, "1e-45");
    expect_float((float)(1e308 * 10), "null");
    expect_float((float)(1e308 * 10) * 0, "null");
}

/* The definition itself, over floats of all sizes: reads back, and no fewer digits would. */
static void floats_read_back(void **state) {
    uint64_t random = 88172645463325252u;
    int i;
    (void)state;
    for (i = 0; i < 100000; i++) {
        char out[CLI_NUMBER_BYTES], other[CLI_NUMBER_BYTES];
        uint32_t bits;
        float x;
        int digits, n = 0;
        size_t length;
        const char *p;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        bits = (uint32_t)(random >> 20);
        /* the sizes that vectors have */
        if (i % 2 == 0) bits = (bits & 0x807fffff) | (uint32_t)(105 + random % 50) << 23;
        memcpy(&x, &bits, 4);
        if (!(x - x == 0) || x == 0) continue;
        length = cli_format_float(out, x);
        assert_int_equal(length, strlen(out));
        if (strtof(out, NULL) != x) fail_msg("%s is not %.9g", out, (double)x);
        for (digits = 1; digits <= 9; digits++) {
            snprintf(other, sizeof other, "%.*g", digits, (double)x);
            if (strtof(other, NULL) == x) break;
        }
        for (p = out; *p != '\0' && *p != 'e'; p++)
            if (*p >= '0' && *p <= '9' && (n > 0 || *p != '0')) n++;
        if (n > digits) {
            while (n > digits && p > out && (p[-1] == '0' || p[-1] == '.')) n -= *--p == '0';
            if (n > digits) fail_msg("%s has more digits than %s", out, other);
        }
    }
}

static void integers(void **state) {
    const int32_t ids[] = {101, -2147483647 - 1, 0, 2147483647};
    char out[CLI_NUMBER_BYTES];
    cli_buffer b;
    (void)state;
    assert_int_equal(cli_format_integer(out, INT64_MIN), 20);
    assert_string_equal(out, "-9223372036854775808");
    memset(&b, 0, sizeof b);
    cli_buffer_ids(&b, ids, 4);
    assert_int_equal(b.bytes, strlen("101,-2147483648,0,2147483647"));
    assert_memory_equal(b.data, "101,-2147483648,0,2147483647", b.bytes);
    cli_buffer_free(&b);
}

static void expect_printed(void (*print)(FILE *, const char *, size_t), const char *text, size_t bytes,
                           const char *expected) {
    char got[256];
    FILE *file = tmpfile();
    size_t n;
    assert_non_null(file);
    print(file, text, bytes);
    rewind(file);
    n = fread(got, 1, sizeof got - 1, file);
    got[n] = '\0';
    assert_string_equal(got, expected);
    fclose(file);
}

static void strings(void **state) {
    (void)state;
    expect_printed(cli_json_string, "", 0, "\"\"");
    expect_printed(cli_json_string, "a\"b\\c/\n\r\t\b\f", 11, "\"a\\\"b\\\\c/\\n\\r\\t\\b\\f\"");
    expect_printed(cli_json_string, "\0\x1b\x7f", 3, "\"\\u0000\\u001b\\u007f\"");
    expect_printed(cli_json_string, "\xc2\x9b\xe2\x80\xae\xe2\x80\xa8", 8, "\"\\u009b\\u202e\\u2028\"");
    expect_printed(cli_json_string, "\xe4\xb8\xad\xf0\x9f\x98\x80", 7, "\"\xe4\xb8\xad\xf0\x9f\x98\x80\"");
    expect_printed(cli_json_string, "\xff" "a\xe4\xb8", 4, "\"\xef\xbf\xbd" "a\xef\xbf\xbd\"");
    expect_printed(cli_print_text, "a\x1b[31m\n\xe2\x80\xae\xff", 11, "a\\x1b[31m\\x0a\\u{202e}\\xff");
}

static void sizes(void **state) {
    size_t n = 7;
    (void)state;
    assert_true(cli_parse_size("12", 1, 100, &n));
    assert_int_equal(n, 12);
    assert_true(cli_parse_size("18446744073709551615", 0, SIZE_MAX, &n) || SIZE_MAX < UINT64_MAX);
    n = 7;
    assert_false(cli_parse_size("", 0, 100, &n));
    assert_false(cli_parse_size("101", 0, 100, &n));
    assert_false(cli_parse_size("-1", 0, 100, &n));
    assert_false(cli_parse_size("1x", 0, 100, &n));
    assert_false(cli_parse_size(" 1", 0, 100, &n));
    assert_false(cli_parse_size("18446744073709551616", 0, SIZE_MAX, &n));
    assert_int_equal(n, 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_have_few_digits), cmocka_unit_test(floats_read_back), cmocka_unit_test(integers),
        cmocka_unit_test(strings),                cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests_name("cli_output", tests, NULL, NULL);
}
