/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Copies `in` to `out`, escaping what a terminal would act on. Always terminates; cuts at a character's edge. */
static void copy_escaped(char *out, size_t capacity, const char *in) {
    const uint8_t *p = (const uint8_t *)in;
    const uint8_t *end = p + strlen(in);
    size_t used = 0;
    while (p < end) {
        char piece[8];
        uint32_t code_point;
        size_t n = utf8_decode(p, (size_t)(end - p), &code_point);
        const int printable = n > 0 && code_point >= 0x20 && !(code_point >= 0x7f && code_point < 0xa0) &&
                              !utf8_is_bidi_control(code_point);
        size_t piece_bytes;
        if (printable) {
            memcpy(piece, p, n);
            piece_bytes = n;
        } else {
            n = 1;
            piece_bytes = (size_t)snprintf(piece, sizeof piece, "\\x%02x", *p);
        }
        if (used + piece_bytes + 1 > capacity) break;
        memcpy(out + used, piece, piece_bytes);
        used += piece_bytes;
        p += n;
    }
    out[used] = '\0';
}

minnow_status error_set(minnow_error *error, minnow_status status, const char *format, ...) {
    if (error != NULL) {
        char text[MINNOW_ERROR_MESSAGE_BYTES];
        va_list arguments;
        va_start(arguments, format);
        if (vsnprintf(text, sizeof text, format, arguments) < 0) text[0] = '\0';
        va_end(arguments);
        error->status = status;
        copy_escaped(error->message, sizeof error->message, text);
    }
    return status;
}

minnow_status error_prefix(minnow_error *error, minnow_status status, const char *format, ...) {
    if (error != NULL) {
        char prefix[MINNOW_ERROR_MESSAGE_BYTES];
        char old[MINNOW_ERROR_MESSAGE_BYTES];
        size_t used;
        va_list arguments;
        va_start(arguments, format);
        if (vsnprintf(prefix, sizeof prefix, format, arguments) < 0) prefix[0] = '\0';
        va_end(arguments);
        memcpy(old, error->message, sizeof old);
        old[sizeof old - 1] = '\0';
        /* A very long path must not push the reason out of the message. */
        copy_escaped(error->message, sizeof error->message / 2, prefix);
        used = strlen(error->message);
        error->status = status;
        memcpy(error->message + used, ": ", 2); /* there is room: the prefix took half */
        copy_escaped(error->message + used + 2, sizeof error->message - used - 2, old);
    }
    return status;
}
