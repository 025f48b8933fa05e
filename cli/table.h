/* SPDX-License-Identifier: Apache-2.0
 * Tables on a terminal: cells of text -> columns as wide as their cells, cut until a line fits. */
#ifndef MINNOW_CLI_TABLE_H
#define MINNOW_CLI_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* --- Cells: text that is already safe to print ---------------------------------------------------------------- */

#define CELL_BYTES 768

typedef struct cell {
    char text[CELL_BYTES];
    size_t used;
} cell;

/* Text of ours; what has no room left is left out whole. */
void cell_add(cell *c, const char *text);
/* Text from a file: what a terminal would act on is escaped. */
void cell_add_foreign(cell *c, const char *text);
void cell_add_number(cell *c, int64_t n);
/* Four figures at most: "512 B", "17.3 KiB"; UINT64_MAX: "?". */
void cell_add_bytes(cell *c, uint64_t bytes);
void cell_clear(cell *c);

/* --- Columns -------------------------------------------------------------------------------------------------- */

#define TABLE_MAX_COLUMNS 9

/* Filled twice: to measure its widths, then, after table_fit, to print a row at a time. */
typedef struct table {
    const char *const *titles;
    size_t n;             /* the last one takes what room is left */
    size_t right;         /* bits: aligned to the right */
    size_t elastic;       /* the column that is cut when cutting the last is not enough; then the one after it */
    size_t optional;      /* the column that is left out before anything is cut; 0: none */
    size_t widths[TABLE_MAX_COLUMNS]; /* SIZE_MAX: left out */
    cell cells[TABLE_MAX_COLUMNS];
} table;

void table_begin(table *t, const char *const *titles, size_t n, size_t right, size_t elastic, size_t optional);
void table_clear(table *t);   /* the cells, not the widths */
void table_measure(table *t); /* widths for these cells too */
/* Cuts columns to the terminal, whose width COLUMNS gives where it says none; lines that go to a file are not cut. */
void table_fit(table *t);
/* A row: the cells, or the titles. */
void table_print(const table *t, int titles);

#endif
