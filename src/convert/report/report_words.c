/* SPDX-License-Identifier: Apache-2.0
 * The token table: how wide its rows are, which is what a scale a row is for, and whose rows are the widest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/report/parts.h"

#define WIDEST 12

typedef struct row {
    float reach; /* the largest weight of the row, sign apart */
    uint32_t id;
} row;

/* The widest first; of equal ones the first in the table. */
static int compare(const void *a, const void *b) {
    const row *x = a, *y = b;
    if (x->reach != y->reach) return x->reach > y->reach ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static row *sorted_rows(const encoder *e) {
    row *rows = calloc(e->n_vocab + 1, sizeof *rows);
    for (size_t i = 0; rows != NULL && i < e->n_vocab; i++) {
        const float *x = e->words + i * e->hidden;
        rows[i].id = (uint32_t)i;
        for (size_t j = 0; j < e->hidden; j++) {
            const float reach = x[j] < 0 ? -x[j] : x[j];
            if (reach > rows[i].reach) rows[i].reach = reach;
        }
    }
    if (rows != NULL) qsort(rows, e->n_vocab, sizeof *rows, compare);
    return rows;
}

/* --- Chart ---------------------------------------------------------------------------------------------------- */

#define HEIGHT 150 /* pixels */

static void put_axes(html_writer *w, const chart_axis *x, const chart_axis *y) {
    double ticks[CHART_MAX_TICKS];
    size_t n = chart_ticks(y, ticks);
    for (size_t i = 0; i < n; i++) {
        const double place = (100 - chart_place(y, ticks[i])) * HEIGHT / 100;
        html_format(w, "<line class=\"grid\" x2=\"100%%\" y1=\"%.4g\" y2=\"%.4g\"/>", place, place);
        html_format(w, "<text class=\"share\" x=\"-4\" y=\"%.4g\">%s</text>", place + 4,
                    chart_tick_text(ticks[i]).text);
    }
    n = chart_ticks(x, ticks);
    for (size_t i = 0; i < n; i++)
        html_format(w, "<text class=\"tick\" x=\"%.4g%%\" y=\"%d\">%s</text>", chart_place(x, ticks[i]), HEIGHT + 15,
                    chart_tick_text(ticks[i]).text);
    html_format(w, "<text class=\"axis\" x=\"50%%\" y=\"%d\">largest weight of a row</text>", HEIGHT + 32);
}

static void put_chart(html_writer *w, const chart_bins *bins, const uint64_t *counts, double median, size_t n) {
    const chart_axis x = {chart_bin_edge(bins, 0), chart_bin_edge(bins, bins->n), 0};
    const chart_axis y = chart_axis_log(0.5, (double)n);
    double heights[CHART_MAX_BINS];
    for (size_t i = 0; i < bins->n; i++)
        heights[i] = counts[i] > 0 ? chart_place(&y, (double)counts[i]) / 100 : 0;
    html_format(w, "<figure class=\"g4\"><figcaption>Rows by their largest weight <span class=\"key\"><i "
                   "class=\"dashes\"></i>median</span></figcaption><svg class=\"histogram\" role=\"img\" "
                   "height=\"%d\" aria-label=\"Histogram of the token table's rows by their largest weight; the "
                   "table has the numbers\">",
                HEIGHT + 36);
    put_axes(w, &x, &y);
    chart_bars(w, heights, bins->n, HEIGHT, "rows of the token table by their largest weight");
    html_format(w, "<line class=\"under\" x1=\"%.4g%%\" x2=\"%.4g%%\" y2=\"%d\"/>", chart_place(&x, median),
                chart_place(&x, median), HEIGHT);
    chart_limit(w, chart_place(&x, median), HEIGHT, "median", median);
    html_put(w, "</svg></figure>\n");
}

/* --- Tables --------------------------------------------------------------------------------------------------- */

static void put_counts(html_writer *w, const chart_bins *bins, const uint64_t *counts) {
    char name[48];
    report_table_begin(w, "rows in each bar", "#from|#to|#rows");
    for (size_t i = 0; i < bins->n; i++) {
        snprintf(name, sizeof name, "%.6g", chart_bin_edge(bins, i));
        report_row_begin(w, name);
        report_cell(w, "%.6g", chart_bin_edge(bins, i + 1));
        report_cell(w, "%llu", (unsigned long long)counts[i]);
        report_row_end(w);
    }
    report_table_end(w);
}

static void put_widest(html_writer *w, const report_input *in, const row *rows, double median) {
    char name[48];
    report_table_begin(w, "the widest rows", "id|token|#largest weight|#times the median");
    for (size_t i = 0; i < WIDEST && i < in->encoder->n_vocab; i++) {
        size_t bytes = 0;
        const char *token = tokenizer_token_text(in->tokenizer, (int32_t)rows[i].id, &bytes);
        snprintf(name, sizeof name, "%u", (unsigned)rows[i].id);
        report_row_begin(w, name);
        report_cell_text(w, token != NULL ? token : "-", token != NULL ? bytes : 1);
        report_cell(w, "%.4g", (double)rows[i].reach);
        if (median > 0) report_cell(w, "%.3g", (double)rows[i].reach / median);
        else report_cell(w, "-");
        report_row_end(w);
    }
    report_table_end(w);
}

static void put_sentence(html_writer *w, const report_input *in, double median, double most) {
    html_format(w, "<p>%zu rows of %zu weights. The largest weight of the table is %.4g, that of the median row %.4g",
                in->encoder->n_vocab, in->encoder->hidden, most, median);
    if (most > 0)
        html_format(w, ": with one scale for all, the median row would have %.0f of the 127 codes on either side",
                    127 * median / most);
    html_put(w, in->model->words.kind == INT8_TABLE_TENSOR ? ", and so it has in this model.</p>\n"
             : in->model->words.kind == INT8_TABLE_HALF    ? ". The table is in FP16.</p>\n"
             : in->model->words.kind == INT8_TABLE_MIXED   ? ". Each row has a scale, and columns of outliers are in "
                                                             "FP16.</p>\n"
                                                           : ". Each row has a scale, its largest weight over 127, so "
                                                             "that it has all of them.</p>\n");
}

void report_words(html_writer *w, const report_input *in) {
    const size_t n = in->encoder->n_vocab;
    row *rows = sorted_rows(in->encoder);
    uint64_t counts[CHART_MAX_BINS] = {0};
    chart_bins bins;
    double median, most;
    if (rows == NULL) {
        if (w->status == MINNOW_OK) w->status = error_set(w->error, MINNOW_ERROR_MEMORY, "out of memory");
        return;
    }
    most = (double)rows[0].reach;
    median = n == 0 ? 0 : n % 2 == 1 ? (double)rows[n / 2].reach
                                     : ((double)rows[n / 2 - 1].reach + (double)rows[n / 2].reach) / 2;
    bins = chart_bins_of(0, most);
    for (size_t i = 0; i < n; i++) counts[chart_bin_at(&bins, (double)rows[i].reach)]++;
    put_sentence(w, in, median, most);
    put_chart(w, &bins, counts, median, n);
    put_counts(w, &bins, counts);
    put_widest(w, in, rows, median);
    free(rows);
}
