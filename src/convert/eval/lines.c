/* SPDX-License-Identifier: Apache-2.0 */
#include "convert/eval/lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES 63

eval_lines eval_lines_begin(const eval_file *f) {
    eval_lines lines = {f->name, f->data, f->data + f->bytes, 0};
    if (f->bytes >= 3 && memcmp(f->data, "\xef\xbb\xbf", 3) == 0) lines.next += 3;
    return lines;
}

static int is_blank(eval_text line) {
    for (size_t i = 0; i < line.bytes; i++)
        if (line.data[i] != ' ') return 0;
    return 1;
}

int eval_lines_next(eval_lines *lines, eval_text *line) {
    while (lines->next < lines->end) {
        const char *start = lines->next;
        const char *stop = memchr(start, '\n', (size_t)(lines->end - start));
        lines->number++;
        lines->next = stop != NULL ? stop + 1 : lines->end;
        if (stop == NULL) stop = lines->end;
        if (stop > start && stop[-1] == '\r') stop--;
        line->data = start;
        line->bytes = (size_t)(stop - start);
        if (!is_blank(*line)) return 1;
    }
    return 0;
}

minnow_status eval_lines_fail(const eval_lines *lines, minnow_error *error, const char *format, ...) {
    char text[MINNOW_ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0) text[0] = '\0';
    va_end(arguments);
    return error_set(error, MINNOW_ERROR_FORMAT, "%s: line %zu: %s", lines->name, lines->number, text);
}

size_t eval_file_lines(const eval_file *f) {
    eval_lines lines = eval_lines_begin(f);
    eval_text line;
    size_t n = 0;
    while (eval_lines_next(&lines, &line)) n++;
    return n;
}

/* --- Columns ------------------------------------------------------------------------------------------------- */

minnow_status eval_lines_split(const eval_lines *lines, eval_text line, eval_text *columns, size_t n,
                               const char *expected, minnow_error *error) {
    const char *p = line.data, *end = line.data + line.bytes;
    size_t found = 0;
    for (;;) {
        const char *tab = memchr(p, '\t', (size_t)(end - p));
        const char *stop = tab != NULL ? tab : end;
        if (found < n) {
            columns[found].data = p;
            columns[found].bytes = (size_t)(stop - p);
        }
        found++;
        if (tab == NULL) break;
        p = tab + 1;
    }
    if (found == n) return MINNOW_OK;
    return eval_lines_fail(lines, error, "%zu column%s, where %zu separated by tabs were expected (%s)", found,
                           found == 1 ? "" : "s", n, expected);
}

int eval_parse_number(eval_text text, double *out) {
    char copy[NUMBER_BYTES + 1];
    char *end;
    if (text.bytes == 0 || text.bytes > NUMBER_BYTES) return 0;
    for (size_t i = 0; i < text.bytes; i++) { /* no hexadecimal, "nan" or "inf", and no NUL */
        const char c = text.data[i];
        if (!((c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E')) return 0;
    }
    memcpy(copy, text.data, text.bytes);
    copy[text.bytes] = '\0';
    *out = strtod(copy, &end);
    return *end == '\0' && *out - *out == 0;
}

/* --- JSON ---------------------------------------------------------------------------------------------------- */

minnow_status eval_lines_object(const eval_lines *lines, eval_text line, yyjson_doc **out, minnow_error *error) {
    static const char place[] = "line 1 column"; /* the parser counts from the line that it is given */
    minnow_error fault;
    const minnow_status status = json_parse(out, line.data, line.bytes, &fault);
    if (status == MINNOW_OK) {
        if (yyjson_is_obj(yyjson_doc_get_root(*out))) return MINNOW_OK;
        yyjson_doc_free(*out);
        *out = NULL;
        return eval_lines_fail(lines, error, "no JSON object");
    }
    if (strncmp(fault.message, place, sizeof place - 1) == 0)
        return error_set(error, status, "%s: line %zu %s", lines->name, lines->number,
                         fault.message + strlen("line 1 "));
    return error_set(error, status, "%s: line %zu: %s", lines->name, lines->number, fault.message);
}

minnow_status eval_lines_member(const eval_lines *lines, yyjson_doc *doc, const char *key, int optional, eval_text *out,
                                minnow_error *error) {
    yyjson_val *value = yyjson_obj_get(yyjson_doc_get_root(doc), key);
    out->data = "";
    out->bytes = 0;
    if (optional && (value == NULL || yyjson_is_null(value))) return MINNOW_OK;
    if (value == NULL) return eval_lines_fail(lines, error, "the object has no \"%s\"", key);
    if (!yyjson_is_str(value)) return eval_lines_fail(lines, error, "\"%s\" is not a string", key);
    out->data = yyjson_get_str(value);
    out->bytes = yyjson_get_len(value);
    return MINNOW_OK;
}
