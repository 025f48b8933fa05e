/* SPDX-License-Identifier: Apache-2.0
 * Markup and texts -> a file, by a buffer. */
#include "convert/report/html.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define LONGEST_FORMAT 2048

void html_begin(html_writer *w, file_writer *file, minnow_error *error) {
    w->file = file;
    w->status = MINNOW_OK;
    w->error = error;
    w->used = 0;
}

static void flush(html_writer *w) {
    if (w->status == MINNOW_OK) w->status = file_writer_write(w->file, w->buffer, w->used, w->error);
    w->used = 0;
}

minnow_status html_end(html_writer *w) {
    flush(w);
    return w->status;
}

static void put(html_writer *w, const char *data, size_t bytes) {
    while (bytes > 0 && w->status == MINNOW_OK) {
        const size_t room = sizeof w->buffer - w->used, n = bytes < room ? bytes : room;
        memcpy(w->buffer + w->used, data, n);
        w->used += n;
        data += n;
        bytes -= n;
        if (w->used == sizeof w->buffer) flush(w);
    }
}

void html_put(html_writer *w, const char *markup) { put(w, markup, strlen(markup)); }

void html_format(html_writer *w, const char *format, ...) {
    char text[LONGEST_FORMAT];
    va_list arguments;
    int n;
    va_start(arguments, format);
    n = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (n >= 0 && (size_t)n < sizeof text) put(w, text, (size_t)n);
    else if (w->status == MINNOW_OK)
        w->status = error_set(w->error, MINNOW_ERROR_MEMORY, "report: a piece of markup is too long");
}

/* --- Texts ---------------------------------------------------------------------------------------------------- */

static const char *escape_of(uint32_t c) {
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    case '`': return "&#96;";
    case '=': return "&#61;";
    case '\t':
    case '\n': return " ";
    default: return NULL;
    }
}

static int has_no_place(uint32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);
}

static void put_character(html_writer *w, const uint8_t *p, size_t n, uint32_t c) {
    const char *escape = escape_of(c);
    char number[16];
    if (escape != NULL) {
        html_put(w, escape);
    } else if (has_no_place(c)) {
        html_put(w, REPLACEMENT);
    } else if (utf8_is_bidi_control(c)) {
        snprintf(number, sizeof number, "\\u{%x}", (unsigned)c);
        html_put(w, number);
    } else {
        put(w, (const char *)p, n);
    }
}

void html_text_bytes(html_writer *w, const char *text, size_t bytes) {
    const uint8_t *p = (const uint8_t *)text;
    while (bytes > 0) {
        uint32_t c;
        size_t n = utf8_decode(p, bytes, &c);
        if (n == 0) {
            n = utf8_ill_formed_bytes(p, bytes);
            html_put(w, REPLACEMENT);
        } else {
            put_character(w, p, n, c);
        }
        p += n;
        bytes -= n;
    }
}

void html_text(html_writer *w, const char *text) { html_text_bytes(w, text, strlen(text)); }
