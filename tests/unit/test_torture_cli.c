/* SPDX-License-Identifier: Apache-2.0
 * The program's commands without memory: each request of the operating system fails once, in a command that runs in
 * this process. It ends with the exit code for that, leaks nothing, leaves no file, and succeeds when it is repeated.
 * Everything that converts is reached: readers, calibration, quantization, packing, scoring. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../cli/cli.h"
#include "base/file.h"
#include "failing_memory.h"

#define FOLDER "tests/golden/tiny-bert/gelu-f32"
#define MAX_ARGUMENTS 24

static char folder[] = "/tmp/minnow-test-XXXXXX";
static int real_output, real_errors;

/* --- A place to work ---------------------------------------------------------------------------------------------- */

static char vocab[64], texts[64], pairs[64], tasks[64], tasks_file[96], model[64], made[64], output[64], ranges[64];

static void name(char *out, size_t capacity, const char *file) { snprintf(out, capacity, "%s/%s", folder, file); }

static minnow_status write_file(const char *path, const char *text) {
    minnow_error error;
    return file_write_all(path, text, strlen(text), &error);
}

static int run(int (*command)(int, char **), const char *const *arguments) {
    static const char *copy[MAX_ARGUMENTS + 1];
    const int nothing = open("/dev/null", O_WRONLY);
    int n = 0, code;
    for (; arguments[n] != NULL; n++) {
        assert_true(n < MAX_ARGUMENTS);
        copy[n] = arguments[n];
    }
    copy[n] = NULL;
    fflush(NULL);
    dup2(nothing, 1);
    dup2(nothing, 2);
    close(nothing);
    optind = 0; /* begin anew */
    code = command(n, (char **)(uintptr_t)copy);
    fflush(NULL);
    dup2(real_output, 1);
    dup2(real_errors, 2);
    return code;
}

static int set_up(void **state) {
    const char *const quantize[] = {"quantize", "--model", FOLDER, "--tokenizer", vocab, "--texts", texts, "-o", model,
                                    NULL};
    const char *const calibrate[] = {"calibrate", "--model", FOLDER, "--tokenizer", vocab, "--texts", texts, "-o",
                                     ranges, NULL};
    minnow_error error;
    (void)state;
    real_output = dup(1);
    real_errors = dup(2);
    if (mkdtemp(folder) == NULL) return -1;
    name(vocab, sizeof vocab, "vocab.txt");
    name(texts, sizeof texts, "texts.txt");
    name(pairs, sizeof pairs, "pairs");
    name(tasks, sizeof tasks, "pairs/task");
    name(tasks_file, sizeof tasks_file, "pairs/task/test.tsv");
    name(model, sizeof model, "model.minnow");
    name(made, sizeof made, "made.minnow");
    name(ranges, sizeof ranges, "ranges.json");
    name(output, sizeof output, "output");
    return file_make_directory(tasks, &error) != MINNOW_OK ||
                   write_file(vocab, "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\nc\n##a\nhello\n") != MINNOW_OK ||
                   write_file(texts, "a b c hello\nhello a\nb b a\nc a b hello a\n") != MINNOW_OK ||
                   write_file(tasks_file, "5\ta b\tb a\n1\tc\thello\n3\ta a\thello b\n") != MINNOW_OK ||
                   run(cmd_quantize, quantize) != CLI_OK || run(cmd_calibrate, calibrate) != CLI_OK
               ? -1 : 0;
}

static int tear_down(void **state) {
    const char *const files[] = {vocab, texts, tasks_file, tasks, pairs, model, made, ranges, folder};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) remove(files[i]);
    return 0;
}

/* --- The torture -------------------------------------------------------------------------------------------------- */

/* Exit codes for it. 0: constants that were not folded, and the like. Where a file was looked for or a graph's shapes
 * were, what is not found may also be missing, or not supported. */
static int is_fitting(int (*command)(int, char **), int code) {
    if (code == CLI_OK || code == CLI_MEMORY || code == CLI_IO) return 1;
    return ((command == cmd_eval || command == cmd_quantize) && code == CLI_FORMAT) ||
           ((command == cmd_calibrate || command == cmd_quantize) && code == CLI_UNSUPPORTED);
}

/* 0 if there was no such request. */
static int fail_request(int (*command)(int, char **), const char *const *arguments, size_t n, int all) {
    const size_t live = memory_live();
    int code, refused;
    remove(output);
    memory_watch(n, all);
    code = run(command, arguments);
    refused = memory_was_refused();
    memory_watch(NEVER, 0);
    if (refused && !is_fitting(command, code))
        fail_msg("%s: request %zu failed: exit code %d", arguments[0], n, code);
    if (code != CLI_OK && file_exists(output)) fail_msg("%s: request %zu failed, and a file", arguments[0], n);
    if (code != CLI_OK) code = run(command, arguments);
    if (code != CLI_OK) fail_msg("%s: after request %zu had failed: exit code %d", arguments[0], n, code);
    memory_unwatch();
    if (memory_live() != live)
        fail_msg("%s: request %zu%s: %zu live instead of %zu", arguments[0], n, all ? " and all after it" : "",
                 memory_live(), live);
    remove(output);
    return refused;
}

/* Commands that run for long are spared most requests; which ones fail differs between the two rounds. */
static void torture(int (*command)(int, char **), const char *const *arguments) {
    const int is_long = command == cmd_calibrate || command == cmd_quantize || command == cmd_eval;
    const size_t step = getenv("MINNOW_TEST_EMULATED") != NULL ? 197 : is_long ? 11 : 1;
    size_t n = 0;
    for (int all = 0; all <= 1; all++)
        for (n = all ? step / 2 : 0; fail_request(command, arguments, n, all); n += step) continue;
    if (getenv("MINNOW_TEST_VERBOSE") != NULL) print_message("%s: %zu requests\n", arguments[0], n);
}

#define TORTURE(command, ...) torture(cmd_##command, (const char *const[]){#command, __VA_ARGS__, NULL})
#define TINY "--model", FOLDER, "--tokenizer", vocab

static void embed(void **state) {
    (void)state;
    TORTURE(embed, "--model", model, "--threads", "2", "a", "b c", "hello");
    TORTURE(embed, TINY, "--threads", "1", "--npy", output, "a", "b c");
}
static void similarity(void **state) { (void)state, TORTURE(similarity, "--model", model, "a", "b"); }
static void tokenize(void **state) { (void)state, TORTURE(tokenize, "--model", model, "a b", "hello"); }
static void inspect(void **state) {
    (void)state;
    TORTURE(inspect, model);
    TORTURE(inspect, FOLDER);
}
static void export(void **state) { (void)state, TORTURE(export, FOLDER, "-o", output); }
static void calibrate(void **state) {
    (void)state, TORTURE(calibrate, TINY, "--texts", texts, "--threads", "1", "-o", output);
}
static void quantize(void **state) {
    (void)state;
    TORTURE(quantize, TINY, "--texts", texts, "--ranges", ranges, "--threads", "1", "-o", output);
    TORTURE(quantize, TINY, "--texts", texts, "--ranges", ranges, "--rounding", "nearest", "--embedding", "mixed",
            "--threads", "2", "-o", output);
    TORTURE(quantize, TINY, "--texts", texts, "--ranges", ranges, "--rounding", "nearest", "--embedding", "mixed",
            "--threads", "1", "--to", "onnx", "--force", "-o", output);
}
/* The page is what may not be half there; the model is written before it. */
static void report(void **state) {
    (void)state;
    TORTURE(quantize, TINY, "--texts", texts, "--ranges", ranges, "--rounding", "nearest", "--threads", "1", "-o", made,
            "--report", output, "--eval", tasks);
}
static void eval(void **state) { (void)state, TORTURE(eval, TINY, "--threads", "1", tasks); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embed),  cmocka_unit_test(similarity), cmocka_unit_test(tokenize), cmocka_unit_test(inspect),
        cmocka_unit_test(export), cmocka_unit_test(calibrate),  cmocka_unit_test(quantize), cmocka_unit_test(eval),
        cmocka_unit_test(report),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
