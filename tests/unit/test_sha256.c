/* SPDX-License-Identifier: Apache-2.0
 * The examples of FIPS 180-4 (as NIST publishes them), and lengths around a block's end. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

static void expect(const void *data, size_t bytes, const char *hex) {
    uint8_t hash[SHA256_BYTES];
    char text[2 * SHA256_BYTES + 1];
    sha256(data, bytes, hash);
    for (size_t i = 0; i < SHA256_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", hash[i]);
    assert_string_equal(text, hex);
}

static void published_examples(void **state) {
    char *a = malloc(1000000);
    (void)state;
    assert_non_null(a);
    memset(a, 'a', 1000000);
    expect(NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    expect("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
           "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
           112, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    expect(a, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(a);
}

/* The hash of all prefixes' hashes; computed once with another program. */
static void every_length_in_any_pieces(void **state) {
    uint8_t data[200], hash[SHA256_BYTES], pieces[SHA256_BYTES];
    sha256_state all, s;
    (void)state;
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)i;
    sha256_begin(&all);
    for (size_t n = 0; n <= sizeof data; n++) {
        sha256(data, n, hash);
        sha256_update(&all, hash, sizeof hash);
        sha256_begin(&s);
        for (size_t at = 0, step = 1; at < n; step = step * 3 % 71 + 1) {
            const size_t bytes = step < n - at ? step : n - at;
            sha256_update(&s, data + at, bytes);
            at += bytes;
        }
        sha256_end(&s, pieces);
        assert_memory_equal(hash, pieces, sizeof hash);
    }
    sha256_end(&all, hash);
    {
        static const uint8_t expected[SHA256_BYTES] = {
            0x64, 0xef, 0x7c, 0x22, 0x9f, 0xce, 0x24, 0x08, 0xb5, 0x33, 0x6b, 0x6a, 0x54, 0x2f, 0xea, 0x0e,
            0x07, 0x8c, 0x3a, 0x87, 0xd2, 0xda, 0x85, 0xcb, 0x3f, 0xc5, 0x2e, 0x20, 0x08, 0xb6, 0x50, 0x21};
        assert_memory_equal(hash, expected, sizeof hash);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_examples),
        cmocka_unit_test(every_length_in_any_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
