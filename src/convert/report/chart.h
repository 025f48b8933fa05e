/* SPDX-License-Identifier: Apache-2.0
 * Charts as inline SVG: numbers -> places on axes -> marks. Horizontal places are percentages and the rest is CSS
 * pixels, so that a chart takes the width it gets and its letters keep their size. */
#ifndef MINNOW_CONVERT_REPORT_CHART_H
#define MINNOW_CONVERT_REPORT_CHART_H

#include "convert/report/html.h"

/* --- Axes ----------------------------------------------------------------------------------------------------- */

typedef struct chart_axis {
    double low, high; /* low < high; a logarithmic one begins above 0 */
    int is_log;
} chart_axis;

/* From 0, or from the least below it, to the most; both rounded outwards to a tick. */
chart_axis chart_axis_linear(double least, double most);
/* Rounded outwards to 1, 2 or 5 times a power of ten. Values at or below 0 do not count. */
chart_axis chart_axis_log(double least, double most);
/* Where x stands, in per cent of the axis: 0 to 100, beyond it the nearer end. NaN: 0. */
double chart_place(const chart_axis *a, double x);
#define CHART_MAX_TICKS 12
/* Round numbers from end to end; gives how many. */
size_t chart_ticks(const chart_axis *a, double ticks[CHART_MAX_TICKS]);
/* 10^n, exact as far as a double is. */
double chart_power_of_ten(int n);
/* A tick's text, with a true minus sign; far below 1 as a power of ten. */
typedef struct chart_text { char text[48]; } chart_text;
chart_text chart_tick_text(double x);

/* --- Histograms ----------------------------------------------------------------------------------------------- */

#define CHART_MAX_BINS 96
/* Bin i is [(first + i) * step, (first + i + 1) * step), step a round number. */
typedef struct chart_bins {
    double step;
    long long first;
    size_t n; /* 1 to CHART_MAX_BINS, and more than half of it where the range allows */
} chart_bins;
chart_bins chart_bins_of(double least, double most);
double chart_bin_edge(const chart_bins *b, size_t i);
/* The bin of x; beyond the ends the first or last one. */
size_t chart_bin_at(const chart_bins *b, double x);
/* Bars side by side, over the whole width: shares[i] of the height in pixels, 0 to 1. One path, with a title. */
void chart_bars(html_writer *w, const double *shares, size_t n, int height, const char *title);

/* A dashed line at a place in per cent, `height` pixels long, with its name and value on hovering. */
void chart_limit(html_writer *w, double place, int height, const char *name, double value);

/* --- Rows: one label, one line, some marks --------------------------------------------------------------------- */

#define CHART_ROW 24 /* pixels */
typedef enum chart_mark { CHART_HOLLOW, CHART_FILLED, CHART_DIAMOND } chart_mark;

/* <svg> with gridlines, ticks and the name of the axis beneath; `label` says to those who cannot see it what it is. */
void chart_rows_begin(html_writer *w, const chart_axis *a, size_t n_rows, const char *label, const char *axis_name);
void chart_rows_end(html_writer *w);
/* The name of a row, or of a row and the next; it may be anybody's text. */
void chart_row_label(html_writer *w, size_t row, const char *text);
void chart_row_label_two(html_writer *w, size_t row, const char *text);
/* A bar from the axis' 0 (or low end) to x, the number beside it. hollow: an outline. */
void chart_row_bar(html_writer *w, const chart_axis *a, size_t row, double x, int hollow, const char *number);
/* A line between two marks, and the marks. */
void chart_row_line(html_writer *w, const chart_axis *a, size_t row, double from, double to);
void chart_row_mark(html_writer *w, const chart_axis *a, size_t row, double x, chart_mark mark, const char *title);
/* A text right of x. */
void chart_row_number(html_writer *w, const chart_axis *a, size_t row, double x, const char *number);

#endif
