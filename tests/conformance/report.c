/* SPDX-License-Identifier: Apache-2.0
 * docs/CONFORMANCE.md. In: the tests with their verdicts. Out: the same bytes for the same verdicts. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "conformance.h"

#define WIDTH 120

typedef struct listing {
    FILE *out;
    size_t column; /* 0: nothing written yet in this item */
} listing;

static void list_begin(listing *l, const char *head, size_t n) {
    const int bytes = fprintf(l->out, "- **%s** (%zu):", head, n);
    l->column = bytes > 0 ? (size_t)bytes : 0;
}

static void list_add(listing *l, const char *name) {
    const size_t bytes = strlen(name);
    if (l->column + 1 + bytes > WIDTH) {
        fputs("\n ", l->out);
        l->column = 1;
    }
    fprintf(l->out, " %s", name);
    l->column += 1 + bytes;
}

/* --- Groups: tests of one verdict under one heading, headings in order ------------------------------------------- */

typedef struct grouped {
    const char *head;
    const node_test *test;
} grouped;

static int by_head(const void *a, const void *b) {
    const grouped *x = a, *y = b;
    const int order = strcmp(x->head, y->head);
    return order != 0 ? order : strcmp(x->test->name, y->test->name);
}

static size_t write_groups(FILE *out, const node_test *tests, size_t n, verdict v, exclusion why, grouped *groups) {
    size_t count = 0, last = 0;
    for (size_t i = 0; i < n; i++) {
        if (tests[i].verdict != v || (v == EXCLUDED && tests[i].exclusion != why)) continue;
        groups[count++] = (grouped){v == EXCLUDED ? tests[i].reason : tests[i].operator, &tests[i]};
    }
    qsort(groups, count, sizeof *groups, by_head);
    for (size_t first = 0; first < count; first = last) {
        listing l = {out, 0};
        for (last = first; last < count && strcmp(groups[last].head, groups[first].head) == 0;) last++;
        list_begin(&l, groups[first].head, last - first);
        for (size_t i = first; i < last; i++) list_add(&l, groups[i].test->name + strlen("test_"));
        fputc('\n', out);
    }
    return count;
}

static size_t count_of(const node_test *tests, size_t n, verdict v, exclusion why) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += tests[i].verdict == v && (v != EXCLUDED || tests[i].exclusion == why);
    return count;
}

static const struct { const char *title, *text; } sections[N_EXCLUSIONS] = {
    [BY_OPERATOR] = {"Operators that the interpreter does not have", "By the first of them in the test's graph."},
    [BY_OPSET] = {"Opsets that are not read", "Opsets 11 to 23 are."},
    [BY_TYPE] = {"Types that are not held", "Of an input or an output of the graph."},
    [BY_CORRECTION] = {"Outputs that later releases corrected", "Ours are those of `onnx` 1.23 and onnxruntime."},
    [BY_DATA] = {"Expected outputs that the standard does not give", "By name; onnxruntime differs from them too."},
};

static void write_report(FILE *out, const node_test *tests, size_t n, grouped *groups) {
    fputs("# Conformance\n\n"
          "The node tests that the PyPI package `onnx` 1.18.0 carries (`onnx/backend/test/data/node`), through\n"
          "Minnow's reader, shape inference and interpreter, fused and node by node. This page is written by\n"
          "`make conformance`; the package is fetched, checked by its hash and not installed.\n\n"
          "A test has to pass if its operators are the interpreter's and its types are float16, bfloat16, float32,\n"
          "float64, integers of 8 to 64 bits or bool; the tolerance is the package's own (1e-3 relative, 1e-7\n"
          "absolute). The type of every output must follow from the inputs' without the file's word, and what is\n"
          "inferred of its shape must be true. The others are listed with the reason.\n\n"
          "| | tests |\n|---|---:|\n", out);
    fprintf(out, "| passed | %zu |\n| failed | %zu |\n", count_of(tests, n, PASSED, 0), count_of(tests, n, FAILED, 0));
    for (unsigned why = 0; why < N_EXCLUSIONS; why++) {
        const size_t count = count_of(tests, n, EXCLUDED, (exclusion)why);
        if (count > 0) fprintf(out, "| left out: %s | %zu |\n", sections[why].title, count);
    }
    fprintf(out, "| all | %zu |\n\n## Passed\n", n);
    fputs("By operator; `_expanded` tests are an operator spelled out by others, as the standard defines it.\n\n", out);
    write_groups(out, tests, n, PASSED, 0, groups);
    for (unsigned why = 0; why < N_EXCLUSIONS; why++) {
        if (count_of(tests, n, EXCLUDED, (exclusion)why) == 0) continue;
        fprintf(out, "\n## Left out: %s\n%s\n\n", sections[why].title, sections[why].text);
        write_groups(out, tests, n, EXCLUDED, (exclusion)why, groups);
    }
}

minnow_status report_write(const char *path, const node_test *tests, size_t n, minnow_error *error) {
    file_writer file;
    grouped *groups = calloc(n + 1, sizeof *groups);
    if (groups == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    minnow_status status = file_writer_open(&file, path, error);
    if (status == MINNOW_OK) {
        write_report(file.stream, tests, n, groups);
        status = file_writer_commit(&file, error);
    }
    free(groups);
    return status;
}

minnow_status report_check(const char *path, const node_test *tests, size_t n, minnow_error *error) {
    grouped *groups = calloc(n + 1, sizeof *groups);
    FILE *out = tmpfile();
    file_map map = {0};
    minnow_status status = MINNOW_ERROR_MEMORY;
    if (groups == NULL || out == NULL) error_set(error, status, "out of memory");
    else status = file_map_open(&map, path, error);
    if (status == MINNOW_OK) {
        int same = 1;
        size_t i = 0;
        write_report(out, tests, n, groups);
        rewind(out);
        for (int c; same && (c = getc(out)) != EOF; i++) same = i < map.bytes && map.data[i] == (uint8_t)c;
        if (!same || i != map.bytes)
            status = error_set(error, MINNOW_ERROR_FORMAT, "%s is not what the tests say: make conformance", path);
        file_map_close(&map);
    }
    if (out != NULL) fclose(out);
    free(groups);
    return status;
}
