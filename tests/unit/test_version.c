/* SPDX-License-Identifier: Apache-2.0
 * minnow.h's constants: the version in its three forms, and a text for every status. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "minnow.h"

static void version_agrees_with_the_macros(void **state) {
    (void)state;
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", MINNOW_VERSION_MAJOR, MINNOW_VERSION_MINOR, MINNOW_VERSION_PATCH);
    assert_string_equal(minnow_version(), expected);
    assert_string_equal(MINNOW_VERSION_STRING, expected);
}

static void every_status_has_its_own_text(void **state) {
    (void)state;
    for (int a = MINNOW_OK; a <= MINNOW_ERROR_CANCELLED; a++) {
        const char *text = minnow_status_text((minnow_status)a);
        assert_non_null(text);
        assert_true(strlen(text) > 0);
        for (int b = MINNOW_OK; b < a; b++) assert_string_not_equal(text, minnow_status_text((minnow_status)b));
    }
}

static void unknown_statuses_have_a_text_too(void **state) {
    (void)state;
    assert_non_null(minnow_status_text((minnow_status)99));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_agrees_with_the_macros),
        cmocka_unit_test(every_status_has_its_own_text),
        cmocka_unit_test(unknown_statuses_have_a_text_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
