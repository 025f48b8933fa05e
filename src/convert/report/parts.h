/* SPDX-License-Identifier: Apache-2.0
 * The sections of a report, and what they are written with. */
#ifndef MINNOW_CONVERT_REPORT_PARTS_H
#define MINNOW_CONVERT_REPORT_PARTS_H

#include "convert/report/chart.h"
#include "convert/report/report.h"

/* --- Sections: each writes what is inside its <section> ------------------------------------------------------- */

void report_summary(html_writer *w, const report_input *in);     /* title, main figures in a sentence and as tiles */
void report_made(html_writer *w, const report_input *in);        /* what was made, and how */
void report_sizes(html_writer *w, const report_input *in);
void report_layers(html_writer *w, const report_input *in);      /* drift of hidden states, errors of matrices */
void report_activations(html_writer *w, const report_input *in); /* a histogram of every site */
void report_channels(html_writer *w, const report_input *in);    /* outliers before and after equalization */
void report_words(html_writer *w, const report_input *in);       /* the token table's rows */
void report_tasks(html_writer *w, const report_input *in);
/* Mean change of the tasks' scores in per cent, and the task with the worst; NaN and NULL if nothing was scored. */
double report_tasks_change(const report_input *in, const report_task **worst);
double report_task_change(const report_task *t); /* NaN if it has no score */

/* --- style.c, report.c ---------------------------------------------------------------------------------------- */

extern const char *const report_style[]; /* pieces of one style sheet; NULL ends them */

/* --- Tables --------------------------------------------------------------------------------------------------- */

/* <details> with a table of that name; columns are separated by '|', and one that begins with '#' holds numbers. */
void report_table_begin(html_writer *w, const char *name, const char *columns);
/* The same in steps: begin, a column each, then the rows. */
void report_table_open(html_writer *w, const char *name);
void report_table_column(html_writer *w, const char *name, size_t bytes);
void report_table_rows(html_writer *w);
void report_table_end(html_writer *w);
void report_row_begin(html_writer *w, const char *name); /* of the row: <tr> with its head, a text of anybody's */
void report_row_end(html_writer *w);
void report_cell(html_writer *w, const char *format, ...) MINNOW_PRINTF(2, 3); /* a number or a name of ours */
void report_cell_text(html_writer *w, const char *text, size_t bytes);         /* a text of anybody's */

/* --- Words ---------------------------------------------------------------------------------------------------- */

typedef struct report_string { char text[48]; } report_string;
report_string report_bytes(uint64_t bytes);     /* "23.46 MB" */
report_string report_percent(double share);     /* of 1: "0.012 %" */
report_string report_number(double x);          /* "−2.65" */
report_string report_change(double percent);    /* "−0.21 %" */
report_string report_place(size_t i);           /* 0: "embeddings", else "layer i - 1" */
const char *report_model_name(const report_input *in); /* never empty; a text of anybody's */
const char *report_role_title(range_role role); /* "Attention input" */

static inline int report_is_nan(double x) { return x != x; }

#endif
