/* SPDX-License-Identifier: Apache-2.0
 * src/base: errors, UTF-8, arena, files, threads, CPU tiers. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/thread.h"
#include "base/utf8.h"

static void error_text_is_escaped(void **state) {
    minnow_error e;
    (void)state;
    assert_int_equal(error_set(&e, MINNOW_ERROR_FORMAT, "a\x1b[31m %s \x7f", "\xc3\xa9\n\xff\xe2\x80\xae"), MINNOW_ERROR_FORMAT);
    assert_string_equal(e.message, "a\\x1b[31m \xc3\xa9\\x0a\\xff\\xe2\\x80\\xae \\x7f");
    assert_int_equal(error_prefix(&e, MINNOW_ERROR_FORMAT, "%s", "file\t.onnx"), MINNOW_ERROR_FORMAT);
    assert_memory_equal(e.message, "file\\x09.onnx: a\\x1b", 19);
    assert_int_equal(error_set(NULL, MINNOW_ERROR_IO, "no one listens"), MINNOW_ERROR_IO);
}

static void error_text_is_cut_whole(void **state) {
    minnow_error e;
    char name[2000];
    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    error_set(&e, MINNOW_ERROR_IO, "reason");
    error_prefix(&e, MINNOW_ERROR_IO, "%s", name);
    assert_true(strlen(e.message) < sizeof e.message);
    assert_non_null(strstr(e.message, ": reason")); /* a long path must not hide why */
    for (size_t i = 0; i < 510; i += 2) memcpy(name + i, "\xc3\xa9", 2);
    name[510] = '\0';
    error_set(&e, MINNOW_ERROR_IO, "%s", name);
    error_prefix(&e, MINNOW_ERROR_IO, "ab");
    assert_int_equal(strlen(e.message), 510); /* "ab: " and whole characters, not 511 bytes with half of one */
    error_set(&e, MINNOW_ERROR_IO, "%s", name);
    error_prefix(&e, MINNOW_ERROR_IO, "abc");
    assert_int_equal(strlen(e.message), 511);
}

static void utf8_round_trip(void **state) {
    uint32_t c, back;
    (void)state;
    for (c = 0; c <= 0x10ffff; c++) {
        uint8_t bytes[4];
        size_t n, i;
        if (c >= 0xd800 && c <= 0xdfff) continue;
        n = utf8_encode(c, bytes);
        assert_int_equal(utf8_decode(bytes, n, &back), n);
        assert_int_equal(back, c);
        for (i = 1; i < n; i++) assert_int_equal(utf8_decode(bytes, i, &back), 0);
    }
}

static void utf8_maximal_subparts(void **state) {
    /* Unicode 15.0, table 3-8, and its neighbours: how many bytes one U+FFFD replaces */
    static const struct { const char *bytes; size_t n, want; } cases[] = {
        {"\xc0\x80", 2, 1},         {"\xe0\x80\xaf", 3, 1},     {"\xf0\x80\x80\xaf", 4, 1}, {"\xed\xa0\x80", 3, 1},
        {"\xf4\x91\x92\x93", 4, 1}, {"\xff", 1, 1},             {"\x80", 1, 1},             {"\xe1\x80\xe2", 3, 2},
        {"\xf0\x91\x92\x41", 4, 3}, {"\xf1\xbf\x41", 3, 2},     {"\xc3", 1, 1},             {"\xe2\x82", 2, 2}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t c;
        assert_int_equal(utf8_decode((const uint8_t *)cases[i].bytes, cases[i].n, &c), 0);
        assert_int_equal(utf8_ill_formed_bytes((const uint8_t *)cases[i].bytes, cases[i].n), cases[i].want);
    }
}

static void arena_gives_zeroed_aligned_memory(void **state) {
    arena a;
    size_t i;
    (void)state;
    arena_init(&a, 0);
    for (i = 0; i < 5000; i += 37) {
        uint8_t *p = arena_alloc(&a, i);
        size_t k;
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % (i >= 64 ? 64 : 16), 0);
        for (k = 0; k < i; k++) assert_int_equal(p[k], 0);
        memset(p, 0xff, i);
    }
    assert_string_equal(arena_string(&a, "abcdef", 3), "abc");
    assert_null(arena_array(&a, SIZE_MAX / 2, 4));
    assert_null(arena_alloc(&a, SIZE_MAX - 3));
    assert_null(arena_string(&a, "", SIZE_MAX));
    arena_free(&a);
}

static void arena_keeps_its_limit(void **state) {
    arena a;
    (void)state;
    arena_init(&a, 1000);
    assert_non_null(arena_alloc(&a, 640));
    assert_null(arena_alloc(&a, 640));
    assert_non_null(arena_alloc(&a, 128));
    arena_free(&a);
}

static void sizes_do_not_wrap(void **state) {
    size_t n = 7;
    (void)state;
    assert_int_equal(size_mul(SIZE_MAX, 2, &n), 0);
    assert_int_equal(size_add(SIZE_MAX, 1, &n), 0);
    assert_int_equal(n, 7);
    assert_int_equal(size_mul(3, 5, &n), 1);
    assert_int_equal(n, 15);
}

static char *temporary_folder(void) {
    static char folder[64];
    strcpy(folder, "/tmp/minnow-test-XXXXXX");
    return mkdtemp(folder);
}

static void files_are_written_whole_or_not_at_all(void **state) {
    char *folder = temporary_folder();
    char *path = path_join(folder, "a.bin");
    file_writer w;
    file_map map;
    minnow_error e;
    (void)state;
    assert_int_equal(file_write_all(path, "first", 5, &e), MINNOW_OK);
    assert_int_equal(file_writer_open(&w, path, &e), MINNOW_OK);
    assert_int_equal(file_writer_write(&w, "second", 6, &e), MINNOW_OK);
    file_writer_abort(&w);
    file_writer_abort(&w); /* safe again */
    assert_int_equal(file_map_open(&map, path, &e), MINNOW_OK);
    assert_int_equal(map.bytes, 5);
    assert_memory_equal(map.data, "first", 5);
    file_map_close(&map);
    assert_int_equal(remove(path), 0);
    assert_int_equal(remove(folder), 0); /* nothing else was left behind */
    free(path);
}

static void file_errors_name_the_path(void **state) {
    char *folder = temporary_folder();
    char *path = path_join(folder, "none/x");
    file_map map;
    minnow_error e;
    (void)state;
    assert_int_equal(file_map_open(&map, path, &e), MINNOW_ERROR_IO);
    assert_non_null(strstr(e.message, "none/x: cannot open: No such file"));
    assert_int_equal(file_map_open(&map, folder, &e), MINNOW_ERROR_IO);
    assert_non_null(strstr(e.message, "is a folder"));
    assert_int_equal(file_write_all(path, "x", 1, &e), MINNOW_ERROR_IO);
    assert_int_equal(file_write_all(folder, "x", 1, &e), MINNOW_ERROR_IO);
    assert_int_equal(file_write_all("/dev/full", "x", 1, &e), MINNOW_ERROR_IO);
    assert_non_null(strstr(e.message, "No space left"));
    assert_int_equal(file_write_all("", "x", 1, &e), MINNOW_ERROR_IO);
    assert_string_equal(e.message, "'': cannot create: the file name is empty");
    remove(folder);
    free(path);
}

static void empty_files_are_files(void **state) {
    char *folder = temporary_folder();
    char *path = path_join(folder, "empty");
    file_map map;
    minnow_error e;
    (void)state;
    assert_int_equal(file_write_all(path, NULL, 0, &e), MINNOW_OK);
    assert_int_equal(file_map_open(&map, path, &e), MINNOW_OK);
    assert_non_null(map.data);
    assert_int_equal(map.bytes, 0);
    file_map_close(&map);
    remove(path);
    remove(folder);
    free(path);
}

static void paths(void **state) {
    static const struct { const char *path, *folder, *name; } cases[] = {
        {"a/b/c.onnx", "a/b", "c.onnx"}, {"c.onnx", ".", "c.onnx"}, {"/c", "/", "c"}, {"a//b", "a", "b"}, {"a/", "a", ""}};
    char *p;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        p = path_folder(cases[i].path);
        assert_string_equal(p, cases[i].folder);
        free(p);
        assert_string_equal(path_name(cases[i].path), cases[i].name);
    }
    p = path_join("a", "b");
    assert_string_equal(p, "a/b");
    free(p);
    p = path_join("a/", "b");
    assert_string_equal(p, "a/b");
    free(p);
    p = path_join("", "b");
    assert_string_equal(p, "b");
    free(p);
    assert_true(path_has_suffix("x.onnx", ".onnx"));
    assert_false(path_has_suffix("onnx", ".onnx"));
}

static void above_onnx(const char *folder, const char *expected) {
    char *parent;
    assert_int_equal(path_above_onnx(&parent, folder), 1);
    if (expected == NULL) assert_null(parent);
    else assert_string_equal(parent, expected);
    free(parent);
}

static void the_folder_above_onnx_is_found(void **state) {
    char *folder = temporary_folder();
    char *onnx = path_join(folder, "onnx"), *slash, *parent;
    (void)state;
    assert_int_equal(file_make_directory(onnx, NULL), MINNOW_OK);
    slash = path_join(onnx, "");
    parent = path_join(slash, "..");
    above_onnx(onnx, folder);
    above_onnx(slash, parent);
    above_onnx(folder, NULL);
    above_onnx("onnx", ".");
    above_onnx(".", NULL);
    above_onnx("no/such/folder/..", NULL);
    remove(onnx);
    remove(folder);
    free(onnx);
    free(slash);
    free(parent);
}

static void folders_are_made_with_their_parents(void **state) {
    char *folder = temporary_folder();
    char *deep = path_join(folder, "x/y/z");
    char *p;
    minnow_error e;
    const char *const gone[] = {"x/y/z", "x/y", "x"};
    size_t i;
    (void)state;
    assert_int_equal(file_make_directory(deep, &e), MINNOW_OK);
    assert_int_equal(file_make_directory(deep, &e), MINNOW_OK);
    assert_true(file_is_directory(deep));
    assert_false(file_exists(deep));
    for (i = 0; i < 3; i++) {
        p = path_join(folder, gone[i]);
        assert_int_equal(remove(p), 0);
        free(p);
    }
    p = path_join(folder, "file");
    assert_int_equal(file_write_all(p, "x", 1, &e), MINNOW_OK);
    free(deep);
    deep = path_join(p, "below");
    assert_int_equal(file_make_directory(deep, &e), MINNOW_ERROR_IO);
    assert_memory_equal(e.message, p, strlen(p)); /* the folder that could not be made, and why */
    assert_non_null(strstr(e.message, "cannot create the folder: "));
    assert_null(strstr(e.message, strerror(ENOENT)));
    remove(p);
    remove(folder);
    free(p);
    free(deep);
}

static void shares_cover_everything_once(void **state) {
    size_t n, grain, parts, part;
    (void)state;
    for (n = 0; n < 70; n++)
        for (grain = 1; grain < 9; grain++)
            for (parts = 1; parts < 6; parts++) {
                size_t at = 0;
                for (part = 0; part < parts; part++) {
                    size_t begin, end;
                    thread_pool_share(n, grain, part, parts, &begin, &end);
                    assert_int_equal(begin, at);
                    assert_true(end >= begin && (end % grain == 0 || end == n));
                    at = end;
                }
                assert_int_equal(at, n);
            }
}

static void count_part(void *context, size_t part, size_t n_parts) {
    size_t *counts = context;
    counts[part] += n_parts;
}

static void every_part_runs_once(void **state) {
    size_t n_threads, round, i;
    (void)state;
    for (n_threads = 1; n_threads <= 9; n_threads++) {
        size_t counts[9] = {0};
        thread_pool *pool = NULL;
        minnow_error e;
        assert_int_equal(thread_pool_create(&pool, n_threads, &e), MINNOW_OK);
        assert_int_equal(thread_pool_size(pool), n_threads);
        for (round = 0; round < 300; round++) thread_pool_run(pool, count_part, counts);
        thread_pool_close(&pool);
        assert_null(pool);
        for (i = 0; i < n_threads; i++) assert_int_equal(counts[i], 300 * n_threads);
    }
}

static void tiers_have_names(void **state) {
    int i;
    (void)state;
    assert_true(cpu_has_tier(CPU_TIER_SCALAR));
    for (i = 0; i < CPU_TIER_COUNT; i++) assert_int_equal(cpu_tier_from_name(cpu_tier_name((cpu_tier)i)), i);
    for (i = 0; i < CPU_TIER_COUNT; i++) {
        const cpu_tier base = cpu_base_tier((cpu_tier)i);
        assert_int_equal(cpu_base_tier(base), base);
        if (cpu_has_tier((cpu_tier)i)) assert_true(cpu_has_tier(base));
    }
    assert_int_equal(cpu_base_tier(CPU_TIER_AVXVNNI), CPU_TIER_AVX2);
    assert_int_equal(cpu_base_tier(CPU_TIER_AVX512VNNI), CPU_TIER_AVX512);
    assert_int_equal(cpu_base_tier(CPU_TIER_AMX), CPU_TIER_AVX512);
    assert_int_equal(cpu_base_tier(CPU_TIER_NEON_I8MM), CPU_TIER_NEON);
    assert_false(cpu_has_tier(CPU_TIER_COUNT));
    assert_int_equal(cpu_tier_from_name("mmx"), -1);
    assert_true(cpu_has_tier(cpu_best_tier()));
    assert_true(cpu_count() >= 1);
    assert_true(cpu_force_tier(CPU_TIER_SCALAR));
    assert_int_equal(cpu_best_tier(), CPU_TIER_SCALAR);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_text_is_escaped),
        cmocka_unit_test(error_text_is_cut_whole),
        cmocka_unit_test(utf8_round_trip),
        cmocka_unit_test(utf8_maximal_subparts),
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(arena_keeps_its_limit),
        cmocka_unit_test(sizes_do_not_wrap),
        cmocka_unit_test(files_are_written_whole_or_not_at_all),
        cmocka_unit_test(file_errors_name_the_path),
        cmocka_unit_test(empty_files_are_files),
        cmocka_unit_test(paths),
        cmocka_unit_test(the_folder_above_onnx_is_found),
        cmocka_unit_test(folders_are_made_with_their_parents),
        cmocka_unit_test(shares_cover_everything_once),
        cmocka_unit_test(every_part_runs_once),
        cmocka_unit_test(tiers_have_names),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
