/* SPDX-License-Identifier: Apache-2.0
 * External data: what is read beneath the model's folder, and the names and numbers that are refused. A tree of hostile
 * names is built in a scratch folder:
 *
 *     SCRATCH/outside.bin                 SCRATCH/model/data.bin, sub/deep.bin       allowed
 *     SCRATCH/model/link.bin -> data.bin  SCRATCH/model/linked/ -> sub               symbolic links
 *     SCRATCH/model/hard.bin = outside.bin (a hard link), fifo, sub/ (a folder)      not files of one name */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/onnx/onnx.h"
#include "proto.h"

static char scratch[64];

static const char *in_scratch(const char *name) {
    static char path[2][512];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", scratch, name);
    return path[turn];
}

static void write_file(const char *name, size_t bytes) {
    uint8_t data[256];
    minnow_error error;
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)i;
    if (file_write_all(in_scratch(name), data, bytes, &error) != MINNOW_OK) fail_msg("%s", error.message);
}

static int set_up(void **state) {
    (void)state;
    strcpy(scratch, "/tmp/minnow-test-XXXXXX");
    if (mkdtemp(scratch) == NULL) return -1;
    if (mkdir(in_scratch("model"), 0777) != 0 || mkdir(in_scratch("model/sub"), 0777) != 0) return -1;
    write_file("outside.bin", 64);
    write_file("model/data.bin", 64);
    write_file("model/sub/deep.bin", 64);
    write_file("model/twin.bin", 64);
    if (symlink("data.bin", in_scratch("model/link.bin")) != 0) return -1;
    if (symlink("sub", in_scratch("model/linked")) != 0) return -1;
    if (symlink("/etc/passwd", in_scratch("model/passwd")) != 0) return -1;
    if (link(in_scratch("outside.bin"), in_scratch("model/hard.bin")) != 0) return -1;
    return mkfifo(in_scratch("model/fifo"), 0600);
}

static int tear_down(void **state) {
    static const char *const names[] = {"model/fifo", "model/hard.bin", "model/passwd", "model/linked",
                                        "model/link.bin",
                                        "model/sub/deep.bin", "model/sub", "model/data.bin", "model/twin.bin",
                                        "model/m.onnx", "model", "outside.bin"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) remove(in_scratch(names[i]));
    remove(scratch);
    return access(scratch, F_OK) == 0 ? -1 : 0;
}

static void add_entry(proto *t, const char *key, const char *value) {
    proto entry = {{0}, 0};
    proto_text(&entry, 1, key);
    if (value == NULL) return;
    proto_text(&entry, 2, value);
    proto_message(t, 13, &entry);
}

/* A float32 [2] tensor of external data; NULL leaves an entry out. */
static proto external(const char *name, const char *location, const char *offset, const char *length) {
    proto t = {{0}, 0};
    proto_int(&t, 1, 2);
    proto_int(&t, 2, 1);
    proto_text(&t, 8, name);
    add_entry(&t, "location", location);
    add_entry(&t, "offset", offset);
    add_entry(&t, "length", length);
    proto_int(&t, 14, 1);
    return t;
}

/* A model whose output is its first tensor. */
static proto model_of(const proto *tensors, size_t n) {
    proto info = {{0}, 0}, g = {{0}, 0}, opset = {{0}, 0}, m = {{0}, 0};
    for (size_t i = 0; i < n; i++) proto_message(&g, 5, &tensors[i]);
    proto_text(&info, 1, "w");
    proto_message(&g, 12, &info);
    proto_int(&opset, 2, 17);
    proto_int(&m, 1, 8);
    proto_message(&m, 7, &g);
    proto_message(&m, 8, &opset);
    return m;
}

static void refuses_tensor(const proto *t, minnow_status status, const char *message) {
    const proto m = model_of(t, 1);
    minnow_error error = {MINNOW_OK, ""};
    graph *g = NULL;
    const minnow_status got = onnx_read(&g, m.bytes, m.n, in_scratch("model"), &error);
    if (strstr(error.message, message) == NULL) fail_msg("message is: %s", error.message);
    assert_int_equal(got, status);
    assert_null(g);
}

static void refuses_name(const char *location, minnow_status status, const char *message) {
    const proto t = external("w", location, "0", "8");
    refuses_tensor(&t, status, message);
}

static void refuses_names_that_lead_elsewhere(void **state) {
    static const char *const outside[] = {"/etc/passwd", "../outside.bin", "sub/../../outside.bin", "..", ".",
                                          "./data.bin", "sub//deep.bin", "sub/", "/", "sub/..", "../model/data.bin",
                                          "sub/./deep.bin", "//data.bin"};
    static const char *const links[] = {"link.bin", "linked/deep.bin", "passwd"};
    char longest[300];
    (void)state;
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        refuses_name(outside[i], MINNOW_ERROR_FORMAT, "names a place outside the model's folder");
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        refuses_name(links[i], MINNOW_ERROR_FORMAT, "is reached through a symbolic link");
    refuses_name("hard.bin", MINNOW_ERROR_FORMAT, "has more than one hard link");
    refuses_name("fifo", MINNOW_ERROR_FORMAT, "is not a regular file");
    refuses_name("sub", MINNOW_ERROR_FORMAT, "is not a regular file");
    refuses_name("data.bin/x", MINNOW_ERROR_FORMAT, "tensor 'w': external data 'data.bin/x'");
    refuses_name("absent.bin", MINNOW_ERROR_IO, "cannot open external data");
    refuses_name("bad\x1b[2J", MINNOW_ERROR_IO, "bad\\x1b[2J");
    refuses_name("", MINNOW_ERROR_FORMAT, "external data has no location");
    refuses_name(NULL, MINNOW_ERROR_FORMAT, "external data has no location");
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    refuses_name(longest, MINNOW_ERROR_FORMAT, "names a place outside");
}

static void refuses_wrong_numbers(void **state) {
    static const struct { const char *offset, *length, *message; } wrong[] = {
        {"60", "8", "holds 64 bytes, 8 at offset 60 are wanted"},
        {"64", NULL, "holds 64 bytes, 8 at offset 64 are wanted"},
        {"9223372036854775807", "8", "8 at offset 9223372036854775807 are wanted"},
        {"9223372036854775808", "8", "offset is not a number"},
        {"18446744073709551616", "8", "offset is not a number"},
        {"-1", "8", "offset is not a number"},
        {"", "8", "offset is not a number"},
        {"0x10", "8", "offset is not a number"},
        {" 0", "8", "offset is not a number"},
        {"0", "4", "dims need 8 bytes, external data 'data.bin' has length 4"},
        {"0", "9", "dims need 8 bytes, external data 'data.bin' has length 9"},
    };
    proto t = external("w", "data.bin", "0", "8");
    (void)state;
    proto_bytes(&t, 9, "12345678", 8);
    refuses_tensor(&t, MINNOW_ERROR_FORMAT, "has both external data and data of its own");
    t = external("w", "data.bin", "0", "8");
    add_entry(&t, "basepath", "/etc");
    refuses_tensor(&t, MINNOW_ERROR_UNSUPPORTED, "key 'basepath' not supported");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        t = external("w", "data.bin", wrong[i].offset, wrong[i].length);
        refuses_tensor(&t, MINNOW_ERROR_FORMAT, wrong[i].message);
    }
}

/* The tensor's eight bytes are those that lie at `offset` in each file. */
static void expect_bytes(const graph *g, const char *name, uint8_t offset) {
    const tensor *t = g->values[graph_find_value(g, name)].constant;
    const uint8_t *bytes = t->data;
    assert_true((uintptr_t)bytes % 4 == 0);
    for (uint8_t i = 0; i < 8; i++) assert_int_equal(bytes[i], offset + i);
}

static void reads_what_lies_beneath(void **state) {
    proto tensors[5], m;
    minnow_error error;
    graph *g = NULL;
    (void)state;
    tensors[0] = external("w", "data.bin", "4", "8");
    tensors[1] = external("overlapping", "data.bin", "8", "8");
    tensors[2] = external("deep", "sub/deep.bin", "56", NULL);
    tensors[3] = external("unaligned", "data.bin", "3", "8");
    tensors[4] = external("first", "twin.bin", NULL, NULL);
    add_entry(&tensors[4], "checksum", "anything");
    m = model_of(tensors, 5);
    if (onnx_read(&g, m.bytes, m.n, in_scratch("model"), &error) != MINNOW_OK) fail_msg("%s", error.message);
    assert_int_equal(g->n_maps, 3); /* a file is mapped once */
    assert_int_equal(graph_mapped_bytes(g), 3 * 64);
    expect_bytes(g, "w", 4);
    expect_bytes(g, "overlapping", 8);
    expect_bytes(g, "deep", 56);
    expect_bytes(g, "unaligned", 3);
    expect_bytes(g, "first", 0);
    graph_close(&g);
}

static void is_off_unless_asked_for(void **state) {
    const proto t = external("w", "data.bin", "0", "8"), m = model_of(&t, 1);
    minnow_error error;
    graph *g = NULL;
    (void)state;
    assert_int_equal(onnx_read(&g, m.bytes, m.n, NULL, &error), MINNOW_ERROR_UNSUPPORTED);
    assert_string_equal(error.message, "tensor 'w': external data ('data.bin') is off unless asked for (--external-data)");
    assert_int_equal(file_write_all(in_scratch("model/m.onnx"), m.bytes, m.n, &error), MINNOW_OK);
    assert_int_equal(onnx_open(&g, in_scratch("model/m.onnx"), 0, &error), MINNOW_ERROR_UNSUPPORTED);
    if (onnx_open(&g, in_scratch("model/m.onnx"), 1, &error) != MINNOW_OK) fail_msg("%s", error.message);
    expect_bytes(g, "w", 0);
    graph_close(&g);
}

/* Tensors that overlap and are not aligned are copied: a small model may not take much memory that way. */
static void bounds_copies(void **state) {
    enum { N = 50, BYTES = 2 << 20 };
    proto *tensors = calloc(N, sizeof *tensors), m;
    minnow_error error = {MINNOW_OK, ""};
    graph *g = NULL;
    FILE *sparse;
    (void)state;
    assert_non_null(tensors);
    sparse = fopen(in_scratch("model/twin.bin"), "wb");
    assert_non_null(sparse);
    assert_int_equal(ftruncate(fileno(sparse), BYTES + 1), 0);
    fclose(sparse);
    for (int i = 0; i < N; i++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", i);
        proto_int(&tensors[i], 1, BYTES / 4);
        proto_int(&tensors[i], 2, 1);
        proto_text(&tensors[i], 8, i == 0 ? "w" : name);
        add_entry(&tensors[i], "location", "twin.bin");
        add_entry(&tensors[i], "offset", "1");
        proto_int(&tensors[i], 14, 1);
    }
    m = model_of(tensors, N / 2);
    assert_int_equal(onnx_read(&g, m.bytes, m.n, in_scratch("model"), &error), MINNOW_OK); /* 50 MiB */
    graph_close(&g);
    m = model_of(tensors, N);
    assert_int_equal(onnx_read(&g, m.bytes, m.n, in_scratch("model"), &error), MINNOW_ERROR_MEMORY); /* would be 100 */
    assert_null(g);
    free(tensors);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_names_that_lead_elsewhere),
        cmocka_unit_test(refuses_wrong_numbers),
        cmocka_unit_test(reads_what_lies_beneath),
        cmocka_unit_test(is_off_unless_asked_for),
        cmocka_unit_test(bounds_copies),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
