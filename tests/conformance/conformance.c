/* SPDX-License-Identifier: Apache-2.0
 * usage: conformance [--check] FOLDER REPORT
 * Runs every test of the onnx package's node tests in FOLDER, says which fail and why, and writes what passes and what
 * is left out into REPORT; with --check, REPORT has to hold just that already, and is one more test. The last line is
 * "N passed, N failed". */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

#define MAX_TESTS 4096

static int by_name(const void *a, const void *b) {
    return strcmp(((const node_test *)a)->name, ((const node_test *)b)->name);
}

static size_t find_tests(const char *folder, node_test *tests) {
    DIR *d = opendir(folder);
    size_t n = 0;
    if (d == NULL) return 0;
    for (const struct dirent *e; n < MAX_TESTS && (e = readdir(d)) != NULL;) {
        if (strncmp(e->d_name, "test_", 5) != 0 || strlen(e->d_name) >= sizeof tests->name) continue;
        memcpy(tests[n++].name, e->d_name, strlen(e->d_name));
    }
    closedir(d);
    qsort(tests, n, sizeof *tests, by_name);
    return n;
}

/* "test_celu_expanded" is a test of what "test_celu" is one of. */
static void name_expansions(node_test *tests, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const char *at = strstr(tests[i].name, "_expanded");
        node_test key = {.name = ""};
        if (at == NULL) continue;
        memcpy(key.name, tests[i].name, (size_t)(at - tests[i].name));
        const node_test *of = bsearch(&key, tests, n, sizeof *tests, by_name);
        if (of != NULL) memcpy(tests[i].operator, of->operator, sizeof of->operator);
    }
}

static int run_all(const char *folder, const char *report, int check, node_test *tests) {
    const size_t n = find_tests(folder, tests);
    size_t counts[3] = {0, 0, 0};
    minnow_error error;
    for (size_t i = 0; i < n; i++) {
        char path[384];
        snprintf(path, sizeof path, "%s/%s", folder, tests[i].name);
        check_test(&tests[i], path);
        counts[tests[i].verdict]++;
        if (tests[i].verdict == FAILED) printf("failed: %s: %s\n", tests[i].name, tests[i].reason);
    }
    name_expansions(tests, n);
    if (counts[FAILED] == 0 && counts[PASSED] > 0) {
        const minnow_status status = (check ? report_check : report_write)(report, tests, n, &error);
        if (status != MINNOW_OK) printf("failed: %s\n", error.message);
        if (check) counts[status == MINNOW_OK ? PASSED : FAILED]++;
        else if (status != MINNOW_OK) return 0;
    }
    printf("%zu excluded, by their operators or types\n", counts[EXCLUDED]);
    printf("%zu passed, %zu failed\n", counts[PASSED], counts[FAILED]);
    return counts[FAILED] == 0 && counts[PASSED] > 0;
}

int main(int argc, char **argv) {
    const int check = argc > 1 && strcmp(argv[1], "--check") == 0;
    node_test *tests = calloc(MAX_TESTS, sizeof *tests);
    if (argc != 3 + check || tests == NULL) {
        fputs("usage: conformance [--check] FOLDER REPORT\n", stderr);
        free(tests);
        return 2;
    }
    const int fine = run_all(argv[1 + check], argv[2 + check], check, tests);
    free(tests);
    return !fine;
}
