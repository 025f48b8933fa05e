/* SPDX-License-Identifier: Apache-2.0
 * Places -> marks of SVG. */
#include "convert/report/chart.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define LABEL_WIDTH 15
#define BAR_TOP 4 /* pixels between a row's edge and its bar */

void chart_bars(html_writer *w, const double *shares, size_t n, int height, const char *title) {
    html_format(w, "<svg class=\"box\" viewBox=\"0 0 %zu 1000\" preserveAspectRatio=\"none\" width=\"100%%\" "
                   "height=\"%d\"><title>", n, height);
    html_text(w, title);
    html_put(w, "</title><path class=\"bars\" d=\"M0 1000");
    for (size_t i = 0; i < n; i++) {
        const double share = shares[i] > 0 ? shares[i] < 1 ? shares[i] : 1 : 0;
        html_format(w, "V%dH%zu", 1000 - (int)(1000 * share + 0.5), i + 1);
    }
    html_put(w, "V1000Z\"/></svg>");
}

chart_text chart_tick_text(double x) {
    static const char *const digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    chart_text t;
    char factor[24] = "";
    int n = 0;
    while (n < 99 && x > 0 && x < 0.9995 * chart_power_of_ten(-n)) n++;
    if (n > 3 && x > 1.0005 * chart_power_of_ten(-n))
        snprintf(factor, sizeof factor, "%.3g·", x * chart_power_of_ten(n));
    if (n <= 3) snprintf(t.text, sizeof t.text, "%s%.6g", x < 0 ? "−" : "", x < 0 ? -x : x);
    else snprintf(t.text, sizeof t.text, "%s10⁻%s%s", factor, n < 10 ? "" : digits[n / 10], digits[n % 10]);
    return t;
}

void chart_limit(html_writer *w, double place, int height, const char *name, double value) {
    html_format(w, "<line class=\"limit\" x1=\"%.4g%%\" x2=\"%.4g%%\" y2=\"%d\"><title>%s: %.4g</title></line>",
                place, place, height, name, value);
}

static double middle_of(size_t row) { return (double)row * CHART_ROW + CHART_ROW / 2.0; }

static void put_grid(html_writer *w, const chart_axis *a, size_t height) {
    double ticks[CHART_MAX_TICKS];
    const size_t n = chart_ticks(a, ticks);
    for (size_t i = 0; i < n; i++) {
        const double x = chart_place(a, ticks[i]);
        html_format(w, "<line class=\"%s\" x1=\"%.4g%%\" x2=\"%.4g%%\" y1=\"0\" y2=\"%zu\"/>",
                    ticks[i] == 0 && a->low < 0 ? "grid zero" : "grid", x, x, height);
        html_format(w, "<text class=\"tick\" x=\"%.4g%%\" y=\"%zu\">%s</text>", x, height + 15,
                    chart_tick_text(ticks[i]).text);
    }
}

void chart_rows_begin(html_writer *w, const chart_axis *a, size_t n_rows, const char *label, const char *axis_name) {
    const size_t height = n_rows * CHART_ROW;
    html_format(w, "<svg class=\"rows\" role=\"img\" height=\"%zu\" aria-label=\"", height + 36);
    html_text(w, label);
    html_put(w, "\">");
    put_grid(w, a, height);
    html_format(w, "<text class=\"axis\" x=\"50%%\" y=\"%zu\">", height + 32);
    html_text(w, axis_name);
    html_put(w, "</text>");
}

void chart_rows_end(html_writer *w) { html_put(w, "</svg>"); }

/* Bytes of a text that fit beside a chart; what is not ASCII may be twice as wide. */
static size_t fitting(const char *text) {
    const uint8_t *p = (const uint8_t *)text;
    const size_t bytes = strlen(text);
    size_t at = 0, n, width = 0;
    uint32_t c;
    for (; at < bytes; at += n) {
        n = utf8_decode(p + at, bytes - at, &c);
        if (n == 0) n = utf8_ill_formed_bytes(p + at, bytes - at);
        width += n > 1 ? 2 : 1;
        if (width > LABEL_WIDTH) break;
    }
    return at;
}

static void put_label(html_writer *w, double y, const char *text) {
    const size_t n = fitting(text);
    html_format(w, "<text class=\"label\" x=\"-10\" y=\"%.4g\">", y);
    html_text_bytes(w, text, n);
    if (text[n] != '\0') {
        html_put(w, "…<title>");
        html_text(w, text);
        html_put(w, "</title>");
    }
    html_put(w, "</text>");
}

void chart_row_label(html_writer *w, size_t row, const char *text) { put_label(w, middle_of(row) + 4, text); }

void chart_row_label_two(html_writer *w, size_t row, const char *text) {
    put_label(w, middle_of(row) + CHART_ROW / 2.0 + 4, text);
}

/* dx: pixels between the place and the text. */
static void put_number(html_writer *w, double x, int dx, double y, const char *number) {
    html_format(w, "<text class=\"number\" x=\"%.4g%%\" dx=\"%d\" y=\"%.4g\">", x, dx, y);
    html_text(w, number);
    html_put(w, "</text>");
}

void chart_row_bar(html_writer *w, const chart_axis *a, size_t row, double x, int hollow, const char *number) {
    const double zero = chart_place(a, 0), end = chart_place(a, x);
    const double from = end < zero ? end : zero, to = end < zero ? zero : end;
    html_format(w, "<rect class=\"%s\" x=\"%.4g%%\" y=\"%zu\" width=\"%.4g%%\" height=\"%d\"><title>",
                hollow ? "hollow" : "filled", from, row * CHART_ROW + BAR_TOP, to - from, CHART_ROW - 2 * BAR_TOP);
    html_text(w, number);
    html_put(w, "</title></rect>");
    put_number(w, to, 7, middle_of(row) + 4, number);
}

void chart_row_line(html_writer *w, const chart_axis *a, size_t row, double from, double to) {
    html_format(w, "<line class=\"join\" x1=\"%.4g%%\" x2=\"%.4g%%\" y1=\"%.4g\" y2=\"%.4g\"/>", chart_place(a, from),
                chart_place(a, to), middle_of(row), middle_of(row));
}

void chart_row_mark(html_writer *w, const chart_axis *a, size_t row, double x, chart_mark mark, const char *title) {
    const double place = chart_place(a, x), y = middle_of(row);
    if (mark == CHART_DIAMOND) /* its own coordinates, so that its corners are pixels */
        html_format(w, "<svg class=\"at\" x=\"%.4g%%\" y=\"%.4g\"><path class=\"hollow\" d=\"M0-6 6 0 0 6-6 "
                       "0Z\"><title>",
                    place, y);
    else
        html_format(w, "<circle class=\"%s\" cx=\"%.4g%%\" cy=\"%.4g\" r=\"5\"><title>",
                    mark == CHART_HOLLOW ? "hollow" : "filled", place, y);
    html_text(w, title);
    html_put(w, mark == CHART_DIAMOND ? "</title></path></svg>" : "</title></circle>");
}

void chart_row_number(html_writer *w, const chart_axis *a, size_t row, double x, const char *number) {
    put_number(w, chart_place(a, x), 10, middle_of(row) + 4, number);
}
