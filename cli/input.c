/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "yyjson.h"

#define FIRST_CAPACITY ((size_t)256 * 1024)
#define POOL_BYTES ((size_t)64 * 1024)

minnow_status cli_input_open(cli_input *in, int jsonl, minnow_error *error) {
    memset(in, 0, sizeof *in);
    in->jsonl = jsonl;
    in->capacity = FIRST_CAPACITY;
    in->buffer = malloc(in->capacity);
    in->pool = jsonl ? malloc(POOL_BYTES) : NULL;
    if (in->buffer != NULL && (!jsonl || in->pool != NULL)) return MINNOW_OK;
    cli_input_close(in);
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

void cli_input_close(cli_input *in) {
    yyjson_doc_free(in->document);
    free(in->buffer);
    free(in->pool);
    memset(in, 0, sizeof *in);
}

/* Where the next line ends among the bytes that are here, or NULL. No byte is looked at twice. */
static char *find_line_end(cli_input *in) {
    char *found = in->scanned < in->end ? memchr(in->buffer + in->scanned, '\n', in->end - in->scanned) : NULL;
    in->scanned = found != NULL ? (size_t)(found - in->buffer) : in->end;
    return found;
}

int cli_input_ready(cli_input *in) { return find_line_end(in) != NULL || (in->at_end && in->begin < in->end); }

/* Moves what is unread to the front, or doubles the buffer. */
static minnow_status make_room(cli_input *in, minnow_error *error) {
    char *grown;
    if (in->begin > 0) {
        memmove(in->buffer, in->buffer + in->begin, in->end - in->begin);
        in->end -= in->begin;
        in->scanned -= in->begin;
        in->begin = 0;
    }
    if (in->end < in->capacity) return MINNOW_OK;
    if (in->capacity >= CLI_MAX_LINE_BYTES)
        return error_set(error, MINNOW_ERROR_MEMORY, "standard input: line %llu is longer than 1 GiB",
                         (unsigned long long)in->line);
    grown = realloc(in->buffer, in->capacity * 2);
    if (grown == NULL)
        return error_set(error, MINNOW_ERROR_MEMORY, "standard input: line %llu: out of memory",
                         (unsigned long long)in->line);
    in->buffer = grown;
    in->capacity *= 2;
    return MINNOW_OK;
}

static minnow_status read_more(cli_input *in, minnow_error *error) {
    ptrdiff_t n;
    if (in->begin == in->end) in->begin = in->scanned = in->end = 0;
    if (in->end == in->capacity) TRY(make_room(in, error));
    n = os_read(stdin, in->buffer + in->end, in->capacity - in->end);
    if (n < 0) return error_set(error, MINNOW_ERROR_IO, "standard input: cannot read: %s", strerror(errno));
    if (n == 0) in->at_end = 1;
    in->end += (size_t)n;
    return MINNOW_OK;
}

static minnow_status next_line(cli_input *in, cli_text *text, int *got, minnow_error *error) {
    char *line_end;
    size_t bytes;
    *got = 0;
    in->line++;
    while ((line_end = find_line_end(in)) == NULL && !in->at_end) TRY(read_more(in, error));
    if (line_end == NULL && in->begin == in->end) return MINNOW_OK;
    bytes = line_end != NULL ? (size_t)(line_end - (in->buffer + in->begin)) : in->end - in->begin;
    text->data = in->buffer + in->begin;
    text->bytes = bytes;
    if (line_end != NULL && bytes > 0 && line_end[-1] == '\r') text->bytes--;
    in->begin += bytes + (line_end != NULL);
    in->scanned = in->begin;
    *got = 1;
    return MINNOW_OK;
}

static int is_blank(const cli_text *t) {
    size_t i;
    for (i = 0; i < t->bytes; i++)
        if (t->data[i] != ' ' && t->data[i] != '\t' && t->data[i] != '\r') return 0;
    return 1;
}

/* The one member "text" of an object; NULL and a reason otherwise. */
static yyjson_val *find_text(yyjson_val *object, const char **reason) {
    yyjson_val *key, *found = NULL;
    yyjson_obj_iter members;
    *reason = "the object has no \"text\"";
    yyjson_obj_iter_init(object, &members);
    while ((key = yyjson_obj_iter_next(&members)) != NULL) {
        if (!yyjson_equals_str(key, "text")) continue;
        if (found != NULL) {
            *reason = "the object has \"text\" twice";
            return NULL;
        }
        found = yyjson_obj_iter_get_val(key);
        *reason = "\"text\" is not a string";
    }
    return found;
}

static minnow_status parse_line(cli_input *in, cli_text *text, minnow_error *error) {
    const minnow_status memory = MINNOW_ERROR_MEMORY;
    const char *reason = "neither a string nor an object";
    yyjson_read_err fault;
    yyjson_alc pool;
    yyjson_val *value;
    yyjson_doc_free(in->document);
    in->document = NULL;
    /* A pool that is too small only costs a second try, from the heap. */
    if (text->bytes < POOL_BYTES / 32 && yyjson_alc_pool_init(&pool, in->pool, POOL_BYTES))
        in->document = yyjson_read_opts((char *)(uintptr_t)text->data, text->bytes, 0, &pool, &fault);
    if (in->document == NULL)
        in->document = yyjson_read_opts((char *)(uintptr_t)text->data, text->bytes, 0, NULL, &fault);
    if (in->document == NULL)
        return error_set(error, fault.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? memory : MINNOW_ERROR_FORMAT,
                         "standard input: line %llu column %zu: not JSON: %s", (unsigned long long)in->line,
                         fault.pos + 1, fault.msg);
    value = yyjson_doc_get_root(in->document);
    if (yyjson_is_obj(value)) value = find_text(value, &reason);
    if (!yyjson_is_str(value))
        return error_set(error, MINNOW_ERROR_FORMAT, "standard input: line %llu: %s", (unsigned long long)in->line,
                         reason);
    text->data = yyjson_get_str(value);
    text->bytes = yyjson_get_len(value);
    return MINNOW_OK;
}

minnow_status cli_input_next(cli_input *in, cli_text *text, int *got, minnow_error *error) {
    for (;;) {
        TRY(next_line(in, text, got, error));
        if (!*got || !in->jsonl) return MINNOW_OK;
        if (in->line == 1 && text->bytes >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0) {
            text->data += 3; /* a byte order mark is no part of JSON */
            text->bytes -= 3;
        }
        if (is_blank(text)) continue;
        return parse_line(in, text, error);
    }
}
