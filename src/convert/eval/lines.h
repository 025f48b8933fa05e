/* SPDX-License-Identifier: Apache-2.0
 * The files of a task, line by line: columns separated by tabs, or a JSON object a line. Blank lines are skipped,
 * "\r\n" ends a line like "\n", a byte order mark at the head is no part of the text. Messages begin with "FILE: line
 * N". */
#ifndef MINNOW_CONVERT_EVAL_LINES_H
#define MINNOW_CONVERT_EVAL_LINES_H

#include "base/error.h"
#include "convert/eval/string_set.h"
#include "convert/json/json.h"

typedef struct eval_file {
    const char *name; /* for messages */
    const char *data;
    size_t bytes;
} eval_file;

typedef struct eval_lines {
    const char *name, *next, *end;
    size_t number; /* of the line given last, from 1 */
} eval_lines;

/* How many lines eval_lines_next will give; what is allocated by it is bounded by what the lines hold. */
size_t eval_file_lines(const eval_file *f);

eval_lines eval_lines_begin(const eval_file *f);
/* The next line that is not blank, without its end; 0 at the end. */
int eval_lines_next(eval_lines *lines, eval_text *line);
/* MINNOW_ERROR_FORMAT with "FILE: line N: " in front. */
minnow_status eval_lines_fail(const eval_lines *lines, minnow_error *error, const char *format, ...)
    MINNOW_PRINTF(3, 4);

/* Splits a line into exactly n columns; `expected` names them for the message. */
minnow_status eval_lines_split(const eval_lines *lines, eval_text line, eval_text *columns, size_t n,
                               const char *expected, minnow_error *error);
/* A finite decimal number ("4", "-0.25", "1e3") and nothing else; 0 if it is none. */
int eval_parse_number(eval_text text, double *out);

/* Parses a line as one JSON object. Free with yyjson_doc_free. */
minnow_status eval_lines_object(const eval_lines *lines, eval_text line, yyjson_doc **out, minnow_error *error);
/* A string member; if it is missing: an error, or for `optional` members an empty text. */
minnow_status eval_lines_member(const eval_lines *lines, yyjson_doc *doc, const char *key, int optional, eval_text *out,
                                minnow_error *error);

#endif
