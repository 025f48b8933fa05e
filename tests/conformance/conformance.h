/* SPDX-License-Identifier: Apache-2.0
 * The onnx package's node tests, run through the reader, shape inference and the interpreter:
 *
 *     FOLDER/test_add/model.onnx, test_data_set_0/input_0.pb .. output_0.pb
 *       -judge.c->  a test for us, or the reason why not (operator, opset, type)
 *       -check.c->  passed, or what is wrong
 *       -report.c-> docs/CONFORMANCE.md */
#ifndef MINNOW_TESTS_CONFORMANCE_H
#define MINNOW_TESTS_CONFORMANCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef enum verdict { PASSED, FAILED, EXCLUDED } verdict;
typedef enum exclusion { BY_OPERATOR, BY_OPSET, BY_TYPE, BY_DATA, BY_CORRECTION, N_EXCLUSIONS } exclusion;

typedef struct node_test {
    char name[128];     /* "test_add" */
    char operator[64];  /* of the first node; a test of a function's expansion gets that of the function */
    verdict verdict;
    exclusion exclusion;
    char reason[256];   /* of an exclusion ("Conv", "9", "string"), or of a failure, one line */
} node_test;

/* Fills operator, and verdict and reason if it is excluded. */
minnow_status judge_model(node_test *test, const uint8_t *model, size_t bytes, minnow_error *error);

/* Runs all data sets of the test in `folder`. Fills verdict and reason. */
void check_test(node_test *test, const char *folder);

/* `tests` sorted by name. */
minnow_status report_write(const char *path, const node_test *tests, size_t n, minnow_error *error);
/* An error if the file holds something else than would be written. */
minnow_status report_check(const char *path, const node_test *tests, size_t n, minnow_error *error);

#endif
