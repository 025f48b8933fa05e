/* SPDX-License-Identifier: Apache-2.0
 * safetensors: what a good file gives, and how each kind of bad one is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/import/safetensors.h"
#include "convert/import/weights.h"

/* A file of this header and n_data bytes 0, 1, 2, ... malloc'd to the byte, so that ASan sees every step outside. */
static uint8_t *make_file(const char *header, size_t n_data, size_t *bytes) {
    const size_t n_header = strlen(header);
    uint8_t *file;
    size_t i;
    *bytes = 8 + n_header + n_data;
    file = malloc(*bytes);
    assert_non_null(file);
    for (i = 0; i < 8; i++) file[i] = (uint8_t)(n_header >> (8 * i));
    memcpy(file + 8, header, n_header);
    for (i = 0; i < n_data; i++) file[8 + n_header + i] = (uint8_t)i;
    return file;
}

static void reads_tensors(void **state) {
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[2,10]},"
        "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
        "\"scalar\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[10,18]},"
        "\"empty\":{\"dtype\":\"BF16\",\"shape\":[3,0],\"data_offsets\":[10,10]}}  ";
    safetensors s;
    minnow_error error;
    size_t bytes;
    uint8_t *file = make_file(header, 18, &bytes);
    const tensor *b;
    (void)state;
    assert_int_equal(safetensors_read(&s, file, bytes, &error), MINNOW_OK);
    assert_int_equal(s.n_entries, 4);
    assert_string_equal(s.entries[0].name, "a");
    assert_string_equal(s.entries[3].name, "scalar");
    b = safetensors_find(&s, "b");
    assert_non_null(b);
    assert_int_equal(b->type, DTYPE_FLOAT32);
    assert_int_equal(b->rank, 2);
    assert_int_equal(b->dims[0], 2);
    assert_int_equal(*(const uint8_t *)b->data, 2);
    assert_int_equal(safetensors_find(&s, "scalar")->rank, 0);
    assert_int_equal(tensor_count(safetensors_find(&s, "empty")), 0);
    assert_null(safetensors_find(&s, "c"));
    assert_null(safetensors_find(&s, "__metadata__"));
    safetensors_free(&s);
    free(file);
}

static void refuses_bad_headers(void **state) {
    static const struct { const char *header; size_t n_data; minnow_status status; const char *says;
    } cases[] = {
        {"", 4, MINNOW_ERROR_FORMAT, "no JSON object"},
        {"[]", 0, MINNOW_ERROR_FORMAT, "no JSON object"},
        {"{\"a\":", 0, MINNOW_ERROR_FORMAT, "header: line 1"},
        {"{\"a\":1}", 0, MINNOW_ERROR_FORMAT, "tensor 'a': no object"},
        {"{\"__metadata__\":{\"x\":1}}", 0, MINNOW_ERROR_FORMAT, "__metadata__"},
        {"{\"__metadata__\":[]}", 0, MINNOW_ERROR_FORMAT, "__metadata__"},
        {"{}", 1, MINNOW_ERROR_FORMAT, "belong to none"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, MINNOW_ERROR_FORMAT, "'dtype'"},
        {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, MINNOW_ERROR_UNSUPPORTED,
         "'F8_E4M3'"},
        {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, MINNOW_ERROR_FORMAT, "'shape'"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", 1, MINNOW_ERROR_FORMAT, "'shape'"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1.0],\"data_offsets\":[0,1]}}", 1, MINNOW_ERROR_FORMAT, "'shape'"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,1]}}", 1, MINNOW_ERROR_FORMAT,
         "'shape'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, MINNOW_ERROR_FORMAT,
         "overflow"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0, MINNOW_ERROR_FORMAT,
         "overflow"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, MINNOW_ERROR_UNSUPPORTED,
         "rank 9"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, MINNOW_ERROR_FORMAT, "'data_offsets'"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, MINNOW_ERROR_FORMAT, "'data_offsets'"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1, MINNOW_ERROR_FORMAT, "do not lie"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 1, MINNOW_ERROR_FORMAT, "do not lie"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[18446744073709551615,18446744073709551615]}}", 1,
         MINNOW_ERROR_FORMAT, "do not lie"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,3]}}", 3, MINNOW_ERROR_FORMAT,
         "float32[1] does not take"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_"
         "offsets\":[1,2]}}",
         2, MINNOW_ERROR_FORMAT, "duplicate key"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_"
         "offsets\":[1,3]}}",
         3, MINNOW_ERROR_FORMAT, "'b' begins at 1, before byte 2"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_"
         "offsets\":[2,3]}}",
         3, MINNOW_ERROR_FORMAT, "'b' begins at 2, after byte 1"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 2, MINNOW_ERROR_FORMAT, "1 bytes behind"},
        {"{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, MINNOW_ERROR_FORMAT, "NUL"},
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        safetensors s;
        minnow_error error = {MINNOW_OK, ""};
        size_t bytes;
        uint8_t *file = make_file(cases[i].header, cases[i].n_data, &bytes);
        if (safetensors_read(&s, file, bytes, &error) != cases[i].status ||
            strstr(error.message, cases[i].says) == NULL)
            fail_msg("case %zu: status %d, message '%s', not '%s'", i, (int)error.status, error.message, cases[i].says);
        free(file);
    }
}

static void refuses_bad_lengths(void **state) {
    static const uint64_t lengths[] = {
        3, 1 << 20, (uint64_t)1 << 31, (uint64_t)1 << 32, (uint64_t)1 << 63, UINT64_MAX, UINT64_MAX - 7};
    size_t i, n;
    (void)state;
    for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint8_t file[10] = {0};
        safetensors s;
        memcpy(file, &lengths[i], 8);
        memcpy(file + 8, "{}", 2);
        assert_int_equal(safetensors_read(&s, file, sizeof file, NULL), MINNOW_ERROR_FORMAT);
    }
    for (n = 0; n < 8; n++) {
        static const uint8_t few[8] = {0};
        safetensors s;
        assert_int_equal(safetensors_read(&s, few, n, NULL), MINNOW_ERROR_FORMAT);
    }
}

/* Every prefix of a good file, and every file with one bit flipped: a status, whichever, and no crash. */
static void survives_damage(void **state) {
    static const char header[] =
        "{\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[2,10]},\"a\":{\"dtype\":\"U8\",\"shape\":[2],"
        "\"data_offsets\":[0,2]}}";
    size_t bytes, i, n_refused = 0;
    uint8_t *file = make_file(header, 10, &bytes);
    (void)state;
    for (i = 0; i < bytes; i++) {
        uint8_t *shorter = malloc(i + 1);
        safetensors s;
        assert_non_null(shorter);
        memcpy(shorter, file, i);
        assert_int_equal(safetensors_read(&s, shorter, i, NULL), MINNOW_ERROR_FORMAT);
        free(shorter);
    }
    for (i = 0; i < 8 * (bytes - 10); i++) {
        safetensors s;
        file[i / 8] ^= (uint8_t)(1 << i % 8);
        if (safetensors_read(&s, file, bytes, NULL) == MINNOW_OK) safetensors_free(&s);
        else n_refused++;
        file[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    assert_true(n_refused > 6 * (bytes - 10)); /* a flipped name is a name */
    free(file);
}

static void converts_weights(void **state) {
    static const uint16_t halves[6] = {0x3c00, 0xc000, 0x0001,
                                       0x8000, 0x7c00, 0x7bff}; /* 1, -2, 2^-24, -0, inf, 65504 */
    static const float want[6] = {1.0f, -2.0f, 0x1p-24f, -0.0f, 0, 65504.0f};
    static const uint16_t brains[2] = {0x3f80, 0xc040};
    static const double doubles[2] = {0.1, -3};
    uint8_t shifted[9];
    const int64_t dims[2] = {2, 3}, two = 2;
    tensor t = {.type = DTYPE_FLOAT16, .rank = 2, .dims = {2, 3}}, out;
    arena memory;
    minnow_error error;
    float one = 1.5f;
    (void)state;
    arena_init(&memory, 0);
    t.data = (void *)(uintptr_t)halves;
    assert_int_equal(weights_load(&out, &t, "w", 2, dims, &memory, &error), MINNOW_OK);
    assert_memory_equal(out.data, want, 4 * sizeof(float));
    assert_true(((float *)out.data)[4] > 3e38f && ((float *)out.data)[5] == want[5]);
    assert_int_equal(weights_load_transposed(&out, &t, "w", 2, 3, &memory, &error), MINNOW_OK);
    assert_true(out.dims[0] == 3 && out.dims[1] == 2 && ((float *)out.data)[1] == want[3] &&
                ((float *)out.data)[2] == want[1]);
    assert_int_equal(weights_load(&out, &t, "w", 1, dims, &memory, &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message, "tensor 'w' is float16[2,3], but config.json asks for [2]");
    t = (tensor){.type = DTYPE_BFLOAT16, .rank = 1, .dims = {2}, .data = (void *)(uintptr_t)brains};
    assert_int_equal(weights_load(&out, &t, "w", 1, &two, &memory, &error), MINNOW_OK);
    assert_true(((float *)out.data)[0] == 1.0f && ((float *)out.data)[1] == -3.0f);
    t = (tensor){.type = DTYPE_FLOAT64, .rank = 1, .dims = {2}, .data = (void *)(uintptr_t)doubles};
    assert_int_equal(weights_load(&out, &t, "w", 1, &two, &memory, &error), MINNOW_OK);
    assert_true(((float *)out.data)[0] == 0.1f && ((float *)out.data)[1] == -3.0f);
    memcpy(shifted + 1, &one, 4);
    memcpy(shifted + 5, &one, 4);
    t = (tensor){.type = DTYPE_FLOAT32, .rank = 1, .dims = {2}, .data = shifted + 1};
    assert_int_equal(weights_load(&out, &t, "w", 1, &two, &memory, &error), MINNOW_OK);
    assert_true((uintptr_t)out.data % sizeof(float) == 0 && ((float *)out.data)[1] == 1.5f);
    t.type = DTYPE_INT32;
    assert_int_equal(weights_load(&out, &t, "w", 1, &two, &memory, &error), MINNOW_ERROR_UNSUPPORTED);
    arena_free(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_tensors),   cmocka_unit_test(refuses_bad_headers), cmocka_unit_test(refuses_bad_lengths),
        cmocka_unit_test(survives_damage), cmocka_unit_test(converts_weights),
    };
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
