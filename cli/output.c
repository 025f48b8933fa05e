/* SPDX-License-Identifier: Apache-2.0
 * What every command prints with: errors and exit codes, JSON, text that is safe on a terminal. */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "buffer.h"

/* --- Errors ------------------------------------------------------------------------------------------------- */

static int exit_code(minnow_status status) {
    switch (status) {
    case MINNOW_OK: return CLI_OK;
    case MINNOW_ERROR_ARGUMENT: return CLI_USAGE;
    case MINNOW_ERROR_IO: return CLI_IO;
    case MINNOW_ERROR_FORMAT: return CLI_FORMAT;
    case MINNOW_ERROR_UNSUPPORTED: return CLI_UNSUPPORTED;
    case MINNOW_ERROR_MEMORY: return CLI_MEMORY;
    default: return CLI_FAILED;
    }
}

int cli_error(const minnow_error *error) {
    fprintf(stderr, "minnow: %s\n", error->message);
    return exit_code(error->status);
}

int cli_usage_error(const char *command, const char *format, ...) {
    char text[MINNOW_ERROR_MESSAGE_BYTES];
    minnow_error error;
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0) text[0] = '\0';
    va_end(arguments);
    error_set(&error, MINNOW_ERROR_ARGUMENT, "%s", text); /* escapes what an argument may carry */
    fprintf(stderr, "minnow %s: %s\nTry 'minnow %s --help'.\n", command, error.message, command);
    return CLI_USAGE;
}

/* --- Standard output ---------------------------------------------------------------------------------------- */

/* Set once the failure of standard output has been told; errno is gone afterwards, and one line is enough. */
static int output_failed;

static minnow_status output_error(minnow_error *error) {
    output_failed = 1;
    return error_set(error, MINNOW_ERROR_IO, "standard output: cannot write: %s", strerror(errno));
}

minnow_status cli_write(const void *data, size_t bytes, minnow_error *error) {
    if (bytes > 0 && fwrite(data, 1, bytes, stdout) != bytes) return output_error(error);
    return MINNOW_OK;
}

minnow_status cli_flush(minnow_error *error) {
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) return output_error(error);
    return MINNOW_OK;
}

int cli_finish(int code) {
    minnow_error error;
    if (output_failed) return code != CLI_OK ? code : CLI_IO;
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    output_failed = 1;
    if (errno != 0) error_set(&error, MINNOW_ERROR_IO, "standard output: cannot write: %s", strerror(errno));
    else error_set(&error, MINNOW_ERROR_IO, "standard output: cannot write");
    return cli_error(&error);
}

int cli_parse_size(const char *text, size_t low, size_t high, size_t *out) {
    size_t value = 0;
    const char *p = text;
    if (*p == '\0') return 0;
    for (; *p != '\0'; p++) {
        const size_t digit = (size_t)(unsigned char)*p - '0';
        if (digit > 9 || value > (SIZE_MAX - digit) / 10) return 0;
        value = value * 10 + digit;
    }
    if (value < low || value > high) return 0;
    *out = value;
    return 1;
}

/* --- Text --------------------------------------------------------------------------------------------------- */

/* Characters that JSON must escape, those that a terminal acts on, and those that some readers take for the end of a
 * line. */
static int json_escapes(uint32_t c) {
    return c < 0x20 || c == '"' || c == '\\' || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
           utf8_is_bidi_control(c);
}

/* Writes the JSON form of the character at p into out [8]; gives its length and how many bytes of p it stands for. */
static size_t json_character(const uint8_t *p, size_t n, char *out, size_t *consumed) {
    static const char shorts[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    uint32_t c;
    const char *s;
    *consumed = utf8_decode(p, n, &c);
    if (*consumed == 0) {
        *consumed = utf8_ill_formed_bytes(p, n);
        memcpy(out, "\xef\xbf\xbd", 3);
        return 3;
    }
    if (!json_escapes(c)) {
        memcpy(out, p, *consumed);
        return *consumed;
    }
    for (s = shorts; *s != '\0'; s += 2) {
        if ((uint32_t)*s != c) continue;
        out[0] = '\\';
        out[1] = s[1];
        return 2;
    }
    return (size_t)snprintf(out, 8, "\\u%04x", (unsigned)c);
}

/* Bytes that stand for themselves: printable ASCII. */
static size_t plain_run(const uint8_t *p, size_t n) {
    size_t i = 0;
    while (i < n && p[i] >= 0x20 && p[i] < 0x7f && p[i] != '"' && p[i] != '\\') i++;
    return i;
}

void cli_json_string(FILE *out, const char *text, size_t bytes) {
    const uint8_t *p = (const uint8_t *)text;
    putc('"', out);
    while (bytes > 0 && !ferror(out)) {
        size_t n = plain_run(p, bytes);
        if (n > 0) {
            fwrite(p, 1, n, out);
        } else {
            char piece[8];
            fwrite(piece, 1, json_character(p, bytes, piece, &n), out);
        }
        p += n;
        bytes -= n;
    }
    putc('"', out);
}

void cli_print_text(FILE *out, const char *text, size_t bytes) {
    const uint8_t *p = (const uint8_t *)text;
    while (bytes > 0) {
        uint32_t c;
        size_t n = utf8_decode(p, bytes, &c);
        if (n == 0) fprintf(out, "\\x%02x", *p), n = 1;
        else if (c < 0x20 || (c >= 0x7f && c < 0xa0)) fprintf(out, "\\x%02x", (unsigned)c);
        else if (utf8_is_bidi_control(c)) fprintf(out, "\\u{%x}", (unsigned)c);
        else fwrite(p, 1, n, out);
        p += n;
        bytes -= n;
    }
}

/* --- Numbers ------------------------------------------------------------------------------------------------ */

void cli_json_float(FILE *out, float x) {
    char text[CLI_NUMBER_BYTES];
    fwrite(text, 1, cli_format_float(text, x), out);
}

void cli_json_double(FILE *out, double x) {
    char text[CLI_NUMBER_BYTES];
    int digits;
    if (!(x - x == 0)) { /* NaN or an infinity */
        fputs("null", out);
        return;
    }
    for (digits = 15; digits <= 17; digits++) { /* %g drops trailing zeros, so 15 covers all that are shorter */
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x) break;
    }
    fputs(text, out);
}
