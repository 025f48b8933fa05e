/* SPDX-License-Identifier: Apache-2.0
 * Import: a README.md with YAML front matter -> the licence. Only the one plain line is understood; anything else is
 * none. */
#include "convert/import/model_card.h"

#include <string.h>

static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '"' || c == '\''; }

static int is_rule(const char *line, size_t n) {
    while (n > 0 && is_blank(line[n - 1])) n--;
    return n == 3 && memcmp(line, "---", 3) == 0;
}

/* Licence names as the Hub knows them are letters, digits and "-._+". */
static int is_name(const char *text, size_t n) {
    size_t i;
    for (i = 0; i < n; i++) {
        const char c = text[i];
        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strchr("-._+", c) == NULL) return 0;
        if (c == '\0') return 0;
    }
    return n > 0;
}

void model_card_license(const char *text, size_t bytes, char *out, size_t capacity) {
    static const char key[] = "license:";
    size_t at = 0, line;
    out[0] = '\0';
    for (line = 0; at < bytes; line++) {
        const char *const begin = text + at, *const newline = memchr(begin, '\n', bytes - at);
        size_t n = newline == NULL ? bytes - at : (size_t)(newline - begin), skip = sizeof key - 1;
        at += n + 1;
        if (is_rule(begin, n) != (line == 0)) return; /* no front matter, or its end */
        if (n < skip || memcmp(begin, key, skip) != 0) continue;
        while (skip < n && is_blank(begin[skip])) skip++;
        while (n > skip && is_blank(begin[n - 1])) n--;
        if (!is_name(begin + skip, n - skip) || n - skip >= capacity) return;
        memcpy(out, begin + skip, n - skip);
        out[n - skip] = '\0';
        return;
    }
}
