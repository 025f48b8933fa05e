/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/terminal.h"
#include "base/utf8.h"
#include "cli.h"

#define GOOD_COLUMNS 24 /* what a cut column keeps as long as others can give way, */
#define MIN_COLUMNS 12  /* and what it keeps in any case */
#define FALLBACK_COLUMNS 100000 /* not a terminal: nothing is cut */

/* --- Cells ---------------------------------------------------------------------------------------------------- */

void cell_add(cell *c, const char *text) {
    const size_t n = strlen(text);
    if (n >= sizeof c->text - c->used) return; /* shapes and names end where the room does */
    memcpy(c->text + c->used, text, n + 1);
    c->used += n;
}

void cell_clear(cell *c) {
    c->text[0] = '\0';
    c->used = 0;
}

void cell_add_foreign(cell *c, const char *text) {
    const uint8_t *p = (const uint8_t *)text;
    size_t left = strlen(text);
    while (left > 0) {
        uint32_t point = 0;
        size_t n = utf8_decode(p, left, &point);
        char piece[16];
        if (n == 0 || point < 0x20 || (point >= 0x7f && point < 0xa0)) {
            snprintf(piece, sizeof piece, "\\x%02x", n == 0 ? (unsigned)*p : (unsigned)point);
            n = n == 0 ? 1 : n;
        } else if (utf8_is_bidi_control(point)) {
            snprintf(piece, sizeof piece, "\\u{%x}", (unsigned)point);
        } else {
            memcpy(piece, p, n);
            piece[n] = '\0';
        }
        cell_add(c, piece);
        p += n;
        left -= n;
    }
}

void cell_add_number(cell *c, int64_t n) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, n);
    cell_add(c, text);
}

void cell_add_bytes(cell *c, uint64_t bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double x = (double)bytes;
    size_t unit = 0;
    char text[32];
    if (bytes == UINT64_MAX) {
        cell_add(c, "?");
        return;
    }
    for (; x >= 1024 && unit < 6; unit++) x /= 1024;
    snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", x, units[unit]);
    cell_add(c, text);
}

/* Characters, every one taken to be one column wide. */
static size_t count_columns(const char *text) {
    size_t n = 0;
    for (; *text != '\0'; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* --- Columns ------------------------------------------------------------------------------------------------- */

void table_begin(table *t, const char *const *titles, size_t n, size_t right, size_t elastic, size_t optional) {
    size_t i;
    memset(t, 0, sizeof *t);
    t->titles = titles;
    t->n = n;
    t->right = right;
    t->elastic = elastic;
    t->optional = optional;
    for (i = 0; i < n; i++) t->widths[i] = strlen(titles[i]);
}

void table_clear(table *t) {
    size_t i;
    for (i = 0; i < t->n; i++) cell_clear(&t->cells[i]);
}

void table_measure(table *t) {
    size_t i;
    for (i = 0; i < t->n; i++) {
        const size_t n = count_columns(t->cells[i].text);
        if (n > t->widths[i]) t->widths[i] = n;
    }
}

/* Room on a line; lines that go to a file have all they want. */
static size_t line_columns(void) {
    const char *given = getenv("COLUMNS");
    size_t columns = terminal_columns(stdout);
    if (columns == 0 && (given == NULL || !cli_parse_size(given, 40, FALLBACK_COLUMNS, &columns)))
        columns = FALLBACK_COLUMNS;
    return columns;
}

static size_t table_columns(const table *t) {
    size_t columns = 0, i;
    for (i = 0; i < t->n; i++)
        if (t->widths[i] != SIZE_MAX) columns += t->widths[i] + (i + 1 < t->n ? 2 : 0);
    return columns;
}

/* Cuts a column until the line fits, but leaves it `least`. */
static void table_cut(table *t, size_t column, size_t least, size_t room) {
    const size_t columns = table_columns(t);
    size_t *width = &t->widths[column];
    if (columns <= room || *width <= least) return;
    *width = *width - least > columns - room ? *width - (columns - room) : least;
}

void table_fit(table *t) {
    const size_t room = line_columns();
    if (t->optional > 0 && table_columns(t) > room + t->widths[t->n - 1]) t->widths[t->optional] = SIZE_MAX;
    table_cut(t, t->n - 1, GOOD_COLUMNS, room);
    table_cut(t, t->elastic, GOOD_COLUMNS, room);
    table_cut(t, t->elastic + 1, GOOD_COLUMNS, room);
    table_cut(t, t->n - 1, MIN_COLUMNS, room);
    table_cut(t, t->elastic, MIN_COLUMNS, room);
}

/* Skips n characters. */
static const char *skip(const char *text, size_t n) {
    while (n > 0 && *text != '\0') {
        text++;
        if (((unsigned char)*text & 0xc0) != 0x80) n--;
    }
    return text;
}

static void print_cell(const char *text, size_t width, int right, int keep_end, int pad) {
    const size_t columns = count_columns(text);
    size_t i;
    if (columns > width) {
        if (keep_end) printf("\xe2\x80\xa6%s", skip(text, columns - width + 1));
        else printf("%.*s\xe2\x80\xa6", (int)(skip(text, width - 1) - text), text);
        return;
    }
    for (i = columns; right && i < width; i++) putchar(' ');
    fputs(text, stdout);
    for (i = columns; !right && pad && i < width; i++) putchar(' ');
}

void table_print(const table *t, int titles) {
    size_t i;
    for (i = 0; i < t->n; i++) {
        const int last = i + 1 == t->n;
        const char *text = titles ? t->titles[i] : t->cells[i].text;
        if (last && text[0] == '\0') break;
        if (t->widths[i] == SIZE_MAX) continue;
        if (i > 0) fputs("  ", stdout);
        print_cell(text, t->widths[i], (t->right >> i) & 1, last, !last);
    }
    putchar('\n');
}
