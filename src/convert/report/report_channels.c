/* SPDX-License-Identifier: Apache-2.0
 * Outlier channels of every site: how far the widest one stands out before equalization, and after. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/report/parts.h"

#define WIDEST 3 /* of a site, in the table */

typedef struct channel {
    double before, after; /* reach: the largest distance from 0 of a value, from the centre and over s */
} channel;

typedef struct site_channels {
    double before, after;               /* the widest channel's reach over the median's; 0: no median above 0 */
    double median_before, median_after;
    struct { size_t index; channel c; } widest[WIDEST]; /* before equalization, the widest first */
    size_t n_widest;
} site_channels;

/* --- Numbers -------------------------------------------------------------------------------------------------- */

static double larger(double a, double b) { return a > b ? a : b; }

static channel channel_of(const range_site *s, size_t j) {
    const double low = (double)s->minimum[j], high = (double)s->maximum[j], center = (double)s->center[j];
    return (channel){larger(high, -low), larger(high - center, center - low) / (double)s->s[j]};
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of the n numbers, which it puts in order. */
static double median(double *x, size_t n) {
    qsort(x, n, sizeof *x, compare);
    return n == 0 ? 0 : n % 2 == 1 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

/* Keeps the widest in order; of equal ones the first. */
static void keep_widest(site_channels *out, size_t j, channel c) {
    size_t i = out->n_widest < WIDEST ? out->n_widest++ : WIDEST;
    for (; i > 0 && out->widest[i - 1].c.before < c.before; i--)
        if (i < WIDEST) out->widest[i] = out->widest[i - 1];
    if (i >= WIDEST) return;
    out->widest[i].index = j;
    out->widest[i].c = c;
}

/* scratch [channels] */
static site_channels look_at(const range_site *s, double *scratch) {
    site_channels out;
    double before = 0, after = 0;
    size_t j;
    memset(&out, 0, sizeof out);
    for (j = 0; j < s->channels; j++) {
        const channel c = channel_of(s, j);
        keep_widest(&out, j, c);
        before = larger(before, c.before);
        after = larger(after, c.after);
        scratch[j] = c.before;
    }
    out.median_before = median(scratch, s->channels);
    for (j = 0; j < s->channels; j++) scratch[j] = channel_of(s, j).after;
    out.median_after = median(scratch, s->channels);
    out.before = out.median_before > 0 ? before / out.median_before : 0;
    out.after = out.median_after > 0 ? after / out.median_after : 0;
    return out;
}

/* --- Charts and tables ---------------------------------------------------------------------------------------- */

static void put_role(html_writer *w, const ranges *r, const site_channels *all, const chart_axis *axis,
                     range_role role) {
    char text[160];
    html_format(w, "<figure class=\"g4\"><figcaption>%s</figcaption>", report_role_title(role));
    snprintf(text, sizeof text, "Marks: the widest channel over the median one, before and after equalization, %s",
             report_role_title(role));
    chart_rows_begin(w, axis, r->n_layers, text, "times the median channel, logarithmic");
    for (size_t i = 0; i < r->n_layers; i++) {
        const site_channels *c = &all[i * RANGE_ROLES + (size_t)role];
        snprintf(text, sizeof text, "layer %zu", i);
        chart_row_label(w, i, text);
        if (!(c->before > 0 && c->after > 0)) continue;
        chart_row_line(w, axis, i, c->before, c->after);
        snprintf(text, sizeof text, "before: %.3g times the median", c->before);
        chart_row_mark(w, axis, i, c->before, CHART_HOLLOW, text);
        snprintf(text, sizeof text, "after: %.3g times the median", c->after);
        chart_row_mark(w, axis, i, c->after, CHART_FILLED, text);
        snprintf(text, sizeof text, "%.*f → %.*f", c->before < 9.95 ? 2 : 1, c->before,
                 c->after < 9.95 ? 2 : 1, c->after);
        chart_row_number(w, axis, i, larger(c->before, c->after), text);
    }
    chart_rows_end(w);
    html_put(w, "</figure>\n");
}

static void put_ratio(html_writer *w, double reach, double median) {
    if (median > 0) report_cell(w, "%.3g", reach / median);
    else report_cell(w, "-");
}

static void put_table(html_writer *w, const ranges *r, const site_channels *all) {
    char name[96];
    snprintf(name, sizeof name, "the %d widest channels of each site before equalization", WIDEST);
    report_table_begin(w, name, "site|#channel|#least|#most|#centre|#divided by|#times the median, before|#after");
    for (size_t i = 0; i < r->n_sites; i++) {
        const range_site *s = &r->sites[i];
        for (size_t k = 0; k < all[i].n_widest; k++) {
            const size_t j = all[i].widest[k].index;
            report_row_begin(w, s->name);
            report_cell(w, "%zu", j);
            report_cell(w, "%.4g", (double)s->minimum[j]);
            report_cell(w, "%.4g", (double)s->maximum[j]);
            report_cell(w, "%.4g", (double)s->center[j]);
            report_cell(w, "%.4g", (double)s->s[j]);
            put_ratio(w, all[i].widest[k].c.before, all[i].median_before);
            put_ratio(w, all[i].widest[k].c.after, all[i].median_after);
            report_row_end(w);
        }
    }
    report_table_end(w);
    report_table_begin(w, "the widest channel of each site, times the median", "site|#before|#after");
    for (size_t i = 0; i < r->n_sites; i++) {
        report_row_begin(w, r->sites[i].name);
        put_ratio(w, all[i].before, 1);
        put_ratio(w, all[i].after, 1);
        report_row_end(w);
    }
    report_table_end(w);
}

static void put_charts(html_writer *w, const ranges *r, const site_channels *all) {
    double most = 1;
    chart_axis axis;
    for (size_t i = 0; i < r->n_sites; i++) most = larger(most, larger(all[i].before, all[i].after));
    axis = chart_axis_log(1, most);
    html_put(w, "<p>Where one channel is many times wider than the rest, one scale leaves the rest few codes. A "
                "channel’s width is its largest value, sign apart; equalization takes each channel’s centre off and "
                "divides it by a number that the next weights make good. The marks are the widest channel of a site "
                "over the median one. <span class=\"key\"><i class=\"hollow round\"></i>before <i class=\"filled "
                "round\"></i>after equalization</span></p>\n<div class=\"wide\">");
    for (int role = 0; role < RANGE_ROLES; role++) put_role(w, r, all, &axis, (range_role)role);
    html_put(w, "</div>\n");
}

void report_channels(html_writer *w, const report_input *in) {
    const ranges *r = in->ranges;
    site_channels *all = calloc(r->n_sites + 1, sizeof *all);
    double *scratch = calloc((r->hidden > r->intermediate ? r->hidden : r->intermediate) + 1, sizeof *scratch);
    if (all != NULL && scratch != NULL) {
        for (size_t i = 0; i < r->n_sites; i++) all[i] = look_at(&r->sites[i], scratch);
        if (!(r->alpha > 0)) html_put(w, "<p>There was no equalization, so both marks lie on each other.</p>\n");
        put_charts(w, r, all);
        put_table(w, r, all);
    } else if (w->status == MINNOW_OK) {
        w->status = error_set(w->error, MINNOW_ERROR_MEMORY, "out of memory");
    }
    free(all);
    free(scratch);
}
