/* SPDX-License-Identifier: Apache-2.0
 * A histogram of every site, with the range that was chosen for it: small charts, those of one role on the same
 * axes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/report/parts.h"

#define HISTOGRAM_HEIGHT 92 /* pixels; style.c has it too */

typedef struct role_charts {
    const ranges *r;
    range_role role;
    chart_bins bins;  /* of all the role's layers */
    chart_axis x, y;  /* value; share of values, in decades */
    uint64_t *counts; /* [n_layers][CHART_MAX_BINS] */
} role_charts;

/* --- Numbers -------------------------------------------------------------------------------------------------- */

static double bin_low(size_t i, double width) { return ((double)i - RANGE_BINS / 2) * width; }

static double larger(double a, double b) { return a > b ? a : b; }
static double lesser(double a, double b) { return a < b ? a : b; }

/* Part of [low, high) that lies beyond [from, to]. */
static double part_beyond(double low, double high, double from, double to) {
    double beyond = 0;
    if (!(high > low)) return low < from || low > to ? 1 : 0;
    if (low < from) beyond += lesser(high, from) - low;
    if (high > to) beyond += high - larger(low, to);
    return beyond / (high - low);
}

/* Share of the values outside the chosen range, as near as bins tell: in a bin that a limit divides, values are taken
 * to lie evenly between its edges, or the extremes if those are nearer. */
static double clipped_share(const range_site *s) {
    const range_histogram *h = &s->histogram;
    double outside = 0;
    for (size_t i = 0; i < RANGE_BINS; i++) {
        const double low = bin_low(i, h->width), high = low + h->width;
        if (h->counts[i] == 0 || (low >= (double)s->low && high <= (double)s->high)) continue;
        outside += (double)h->counts[i] * part_beyond(larger(low, (double)s->least), lesser(high, (double)s->most),
                                                      (double)s->low, (double)s->high);
    }
    return h->total > 0 ? outside / (double)h->total : 0;
}

static void count(const range_site *s, const chart_bins *bins, uint64_t *counts) {
    const range_histogram *h = &s->histogram;
    for (size_t i = 0; i < RANGE_BINS; i++)
        if (h->counts[i] > 0) counts[chart_bin_at(bins, bin_low(i, h->width) + h->width / 2)] += h->counts[i];
}

static void prepare(role_charts *c) {
    double least = 0, most = 0, total = 1;
    for (size_t i = 0; i < c->r->n_layers; i++) {
        const range_site *s = ranges_site(c->r, i, c->role);
        least = lesser(least, lesser((double)s->low, (double)s->least));
        most = larger(most, larger((double)s->high, (double)s->most));
        total = larger(total, (double)s->histogram.total);
    }
    c->bins = chart_bins_of(least, most);
    c->x = (chart_axis){chart_bin_edge(&c->bins, 0), chart_bin_edge(&c->bins, c->bins.n), 0};
    c->y = chart_axis_log(0.5 / total, 1);
    memset(c->counts, 0, c->r->n_layers * CHART_MAX_BINS * sizeof *c->counts);
    for (size_t i = 0; i < c->r->n_layers; i++)
        count(ranges_site(c->r, i, c->role), &c->bins, c->counts + i * CHART_MAX_BINS);
}

/* --- One histogram -------------------------------------------------------------------------------------------- */

static size_t zero_of(const double *ticks, size_t n) {
    size_t i = 0;
    while (i + 1 < n && ticks[i] < 0) i++;
    return i;
}

static void put_scale(html_writer *w, const role_charts *c) {
    double ticks[CHART_MAX_TICKS];
    size_t n = chart_ticks(&c->y, ticks);
    for (size_t i = 0; i < n; i++) {
        const double y = (100 - chart_place(&c->y, ticks[i])) * HISTOGRAM_HEIGHT / 100;
        html_format(w, "<line class=\"grid\" x2=\"100%%\" y1=\"%.4g\" y2=\"%.4g\"/>", y, y);
        html_format(w, "<text class=\"share\" x=\"-4\" y=\"%.4g\">%s %%</text>", y + 4,
                    chart_tick_text(100 * ticks[i]).text);
    }
    n = chart_ticks(&c->x, ticks);
    for (size_t i = 0; i < n; i++) {
        const double place = chart_place(&c->x, ticks[i]);
        if (n > 4 && (i + zero_of(ticks, n)) % 2 == 1) continue; /* every second, 0 among them */
        html_format(w, "<text class=\"tick\" x=\"%.4g%%\" y=\"%d\">%s</text>", place, HISTOGRAM_HEIGHT + 15,
                    chart_tick_text(ticks[i]).text);
    }
}

/* What lies outside is shaded, and its edge is a dashed line. */
static void put_limits(html_writer *w, const role_charts *c, const range_site *s) {
    const double low = chart_place(&c->x, (double)s->low), high = chart_place(&c->x, (double)s->high);
    html_format(w, "<rect class=\"outside\" width=\"%.4g%%\" height=\"%d\"/>", low, HISTOGRAM_HEIGHT);
    html_format(w, "<rect class=\"outside\" x=\"%.4g%%\" width=\"%.4g%%\" height=\"%d\"/>", high, 100 - high,
                HISTOGRAM_HEIGHT);
    chart_limit(w, low, HISTOGRAM_HEIGHT, "low end", (double)s->low);
    chart_limit(w, high, HISTOGRAM_HEIGHT, "high end", (double)s->high);
}

static void put_bars(html_writer *w, const role_charts *c, const range_site *s, size_t layer) {
    double shares[CHART_MAX_BINS];
    char title[160];
    for (size_t i = 0; i < c->bins.n; i++) {
        const uint64_t n = c->counts[layer * CHART_MAX_BINS + i];
        shares[i] = n > 0 ? chart_place(&c->y, (double)n / (double)s->histogram.total) / 100 : 0;
    }
    snprintf(title, sizeof title, "%s: %llu values from %.4g to %.4g", s->name, (unsigned long long)s->histogram.total,
             (double)s->least, (double)s->most);
    chart_bars(w, shares, c->bins.n, HISTOGRAM_HEIGHT, title);
}

static void put_histogram(html_writer *w, const role_charts *c, size_t layer) {
    const range_site *s = ranges_site(c->r, layer, c->role);
    html_format(w, "<figure class=\"h\"><figcaption><b>Layer %zu</b> %s <span>%s to %s</span><span>", layer,
                range_method_name(s->method), report_number((double)s->low).text,
                report_number((double)s->high).text);
    html_text(w, report_percent(clipped_share(s)).text);
    html_format(w, " clipped</span></figcaption><svg class=\"histogram\" role=\"img\" height=\"%d\" aria-label=\"",
                HISTOGRAM_HEIGHT + 20);
    html_format(w, "Histogram of %s: values from %.3g to %.3g, range %.3g to %.3g\">", s->name, (double)s->least,
                (double)s->most, (double)s->low, (double)s->high);
    put_scale(w, c);
    put_limits(w, c, s); /* behind the bars: one that stands at a limit alone must show */
    put_bars(w, c, s, layer);
    html_put(w, "</svg></figure>\n");
}

/* --- Tables --------------------------------------------------------------------------------------------------- */

/* "query": of the site "layer.0.query" */
static const char *role_name(const role_charts *c) { return ranges_site(c->r, 0, c->role)->name + strlen("layer.0."); }

static void put_ranges(html_writer *w, const role_charts *c) {
    char name[96];
    snprintf(name, sizeof name, "ranges, %s", role_name(c));
    report_table_begin(w, name, "site|method|#least|#most|#low end|#high end|#scale|#zero point|#clipped|#values");
    for (size_t i = 0; i < c->r->n_layers; i++) {
        const range_site *s = ranges_site(c->r, i, c->role);
        float scale;
        int zero_point;
        range_scale(s, &scale, &zero_point);
        report_row_begin(w, s->name);
        report_cell_text(w, range_method_name(s->method), strlen(range_method_name(s->method)));
        report_cell(w, "%.5g", (double)s->least);
        report_cell(w, "%.5g", (double)s->most);
        report_cell(w, "%.5g", (double)s->low);
        report_cell(w, "%.5g", (double)s->high);
        report_cell(w, "%.5g", (double)scale);
        report_cell(w, "%d", zero_point);
        report_cell(w, "%s", report_percent(clipped_share(s)).text);
        report_cell(w, "%llu", (unsigned long long)s->histogram.total);
        report_row_end(w);
    }
    report_table_end(w);
}

static void put_counts(html_writer *w, const role_charts *c) {
    char name[96];
    snprintf(name, sizeof name, "values counted in each bar, %s", role_name(c));
    report_table_open(w, name);
    report_table_column(w, "#from", 5);
    report_table_column(w, "#to", 3);
    for (size_t i = 0; i < c->r->n_layers; i++)
        report_table_column(w, name, (size_t)snprintf(name, sizeof name, "#layer %zu", i));
    report_table_rows(w);
    for (size_t bin = 0; bin < c->bins.n; bin++) {
        snprintf(name, sizeof name, "%.6g", chart_bin_edge(&c->bins, bin));
        report_row_begin(w, name);
        report_cell(w, "%.6g", chart_bin_edge(&c->bins, bin + 1));
        for (size_t i = 0; i < c->r->n_layers; i++)
            report_cell(w, "%llu", (unsigned long long)c->counts[i * CHART_MAX_BINS + bin]);
        report_row_end(w);
    }
    report_table_end(w);
}

/* --- All of them ---------------------------------------------------------------------------------------------- */

static const char *const codes_of[RANGE_ROLES] = {
    "8 bits, with a zero point", "8 bits, symmetric", "7 bits, symmetric", "8 bits, symmetric, a scale a channel",
    "8 bits, with a zero point", "8 bits, with a zero point", "8 bits, with a zero point",
};

static void put_role(html_writer *w, role_charts *c) {
    prepare(c);
    html_format(w, "<h3>%s</h3><p class=\"note\">%s. Across: value, centred and scaled. Up: share of the values, "
                   "logarithmic.</p>\n<div class=\"small\">", report_role_title(c->role),
                codes_of[c->role]);
    for (size_t i = 0; i < c->r->n_layers; i++) put_histogram(w, c, i);
    html_put(w, "</div>\n");
    put_ranges(w, c);
    put_counts(w, c);
}

void report_activations(html_writer *w, const report_input *in) {
    role_charts c = {.r = in->ranges};
    c.counts = calloc(c.r->n_layers * CHART_MAX_BINS + 1, sizeof *c.counts);
    if (c.counts == NULL) {
        if (w->status == MINNOW_OK) w->status = error_set(w->error, MINNOW_ERROR_MEMORY, "out of memory");
        return;
    }
    html_put(w, "<p>At seven places of each layer a float becomes an integer. Each chart shows the values of one "
                "place over the calibration texts, centred and scaled by channel as they are when they are rounded. "
                "Bars are the share of the values on a logarithmic scale, so that the few values far out show. The "
                "<span class=\"key\"><i class=\"dashes\"></i>dashed lines</span> are the ends of the chosen range; "
                "what is shaded beyond them is clipped to the ends. The charts of a row have the same axes.</p>\n");
    for (int role = 0; role < RANGE_ROLES; role++) {
        c.role = (range_role)role;
        put_role(w, &c);
    }
    free(c.counts);
}
