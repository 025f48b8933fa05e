/* SPDX-License-Identifier: Apache-2.0
 * A page in the making: markup of this program's, and texts of anybody's, which cannot become markup. What is written
 * is well-formed XML, so that any parser reads it the same way.
 *
 * The first failure stays: every later call does nothing, and html_end gives it. */
#ifndef MINNOW_CONVERT_REPORT_HTML_H
#define MINNOW_CONVERT_REPORT_HTML_H

#include "base/file.h"

typedef struct html_writer {
    file_writer *file;
    minnow_status status;
    minnow_error *error;
    size_t used;
    char buffer[8192];
} html_writer;

/* The file is borrowed, and neither committed nor aborted. */
void html_begin(html_writer *w, file_writer *file, minnow_error *error);
/* Writes what is left. */
minnow_status html_end(html_writer *w);

/* Markup, a literal of this program. */
void html_put(html_writer *w, const char *markup);
/* Markup with numbers, and with names that this program made, in it: a text of anybody's goes through html_text. */
void html_format(html_writer *w, const char *format, ...) MINNOW_PRINTF(2, 3);

/* A text, for the inside of an element or of an attribute in double or single quotes: & < > " ' escaped, so too what
 * old parsers take for a quote or a tag's end (`, =). What XML has no place for (control characters, U+FFFE and U+FFFF,
 * ill-formed UTF-8) becomes U+FFFD; characters that would turn the text around them are shown by their number. */
void html_text(html_writer *w, const char *text);
void html_text_bytes(html_writer *w, const char *text, size_t bytes);

#endif
