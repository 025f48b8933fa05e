/* SPDX-License-Identifier: Apache-2.0
 * --precision int8 on numbers next to halves: tests/golden/int8_rounding.txt, a number's bits and its code a line, which
 * js/test/vector.test.mjs reads too. The program is not a library: its source is part of this test. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../../cli/buffer.c"
#include "../../cli/output.c"
#include "../../cli/precision.c"

static void test_int8_rounding(void **state) {
    FILE *cases = fopen("tests/golden/int8_rounding.txt", "r");
    unsigned bits;
    int wanted, n = 0;
    (void)state;
    assert_non_null(cases);
    for (; fscanf(cases, "%x %d", &bits, &wanted) == 2; n++) {
        const uint32_t same = bits;
        float number;
        int8_t code;
        memcpy(&number, &same, sizeof number);
        cli_quantize(CLI_INT8, &number, 1, &code);
        if (code != wanted) fail_msg("%08x: %d, not %d", bits, code, wanted);
    }
    fclose(cases);
    assert_true(n > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_int8_rounding)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
