/* SPDX-License-Identifier: Apache-2.0
 * Text in the making, in memory: what threads format before one of them prints it in order. */
#ifndef MINNOW_CLI_BUFFER_H
#define MINNOW_CLI_BUFFER_H

#include <stddef.h>
#include <stdint.h>

typedef struct cli_buffer {
    char *data;
    size_t bytes, capacity;
    int failed; /* out of memory: everything after is dropped; look once, at the end */
} cli_buffer;

void cli_buffer_free(cli_buffer *b);
/* Room for n more bytes at data + bytes; NULL if out of memory. The caller adds to `bytes`. */
char *cli_buffer_reserve(cli_buffer *b, size_t n);
void cli_buffer_add(cli_buffer *b, const void *data, size_t n);
void cli_buffer_text(cli_buffer *b, const char *text);
void cli_buffer_integer(cli_buffer *b, int64_t value);
void cli_buffer_float(cli_buffer *b, float x);
/* "1,2,3" */
void cli_buffer_ids(cli_buffer *b, const int32_t *ids, size_t n);

/* Room for any number below, with a terminating NUL. */
#define CLI_NUMBER_BYTES 32
/* A float in the fewest digits that read back as the same float, or "null"; returns the length. */
size_t cli_format_float(char *out, float x);
size_t cli_format_integer(char *out, int64_t value);

#endif
