/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts from standard input, one at a time, in memory that the longest line bounds.
 *
 *   lines   every line is a text, whatever bytes it has, an empty line an empty one; "\n" or "\r\n" ends it, and may be
 *           missing from the last
 *   JSONL   every line is a JSON string, or an object with a string "text"; blank lines are skipped
 */
#ifndef MINNOW_CLI_INPUT_H
#define MINNOW_CLI_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define CLI_MAX_LINE_BYTES ((size_t)1 << 30)

typedef struct cli_input {
    int jsonl;
    char *buffer;
    size_t begin, scanned, end, capacity; /* unread bytes are [begin, end); no line ends in [begin, scanned) */
    int at_end;
    uint64_t line;    /* of the text given last, from 1 */
    struct yyjson_doc *document; /* that holds the text given last (JSONL) */
    void *pool;       /* for documents of short lines */
} cli_input;

typedef struct cli_text {
    const char *data; /* valid until the next call */
    size_t bytes;
} cli_text;

minnow_status cli_input_open(cli_input *in, int jsonl, minnow_error *error);
void cli_input_close(cli_input *in);
/* The next text; *got 0 at the end. Messages begin with "standard input" and the line. */
minnow_status cli_input_next(cli_input *in, cli_text *text, int *got, minnow_error *error);
/* 1 if the next text is here already, so that asking for it does not wait for whoever writes the input. */
int cli_input_ready(cli_input *in);

#endif
