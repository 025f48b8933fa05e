/* SPDX-License-Identifier: Apache-2.0
 * What quantization costs on tasks with known answers: the scores of both models. */
#include <math.h>
#include <string.h>

#include "convert/report/parts.h"

#define LEAST_AXIS 1.0 /* per cent either way: a change that means nothing does not fill the chart */

double report_task_change(const report_task *t) {
    return eval_scores_change(&t->reference, &t->candidate, 0);
}

double report_tasks_change(const report_input *in, const report_task **worst) {
    double sum = 0, least = 0;
    size_t n = 0;
    *worst = NULL;
    for (size_t i = 0; i < in->n_tasks; i++) {
        const double change = report_task_change(&in->tasks[i]);
        if (report_is_nan(change)) continue;
        if (n == 0 || change < least) {
            least = change;
            *worst = &in->tasks[i];
        }
        sum += change;
        n++;
    }
    return n > 0 ? sum / (double)n : (double)NAN;
}

/* --- Chart ---------------------------------------------------------------------------------------------------- */

static void put_chart(html_writer *w, const report_input *in) {
    double least = -LEAST_AXIS, most = LEAST_AXIS;
    size_t n = 0, row = 0;
    chart_axis axis;
    for (size_t i = 0; i < in->n_tasks; i++) {
        const double change = report_task_change(&in->tasks[i]);
        if (report_is_nan(change)) continue;
        least = change < least ? change : least;
        most = change > most ? change : most;
        n++;
    }
    if (n == 0) return;
    axis = chart_axis_linear(least, most);
    html_put(w, "<figure class=\"g9\"><figcaption>Change of each task’s score</figcaption>");
    chart_rows_begin(w, &axis, n, "Bars: change of each task's score in per cent; the table has the numbers",
                     "change against FP32, %; left of 0 is a loss");
    for (size_t i = 0; i < in->n_tasks; i++) {
        const double change = report_task_change(&in->tasks[i]);
        if (report_is_nan(change)) continue;
        chart_row_label(w, row, in->tasks[i].name);
        chart_row_bar(w, &axis, row++, change, 0, report_change(change).text);
    }
    chart_rows_end(w);
    html_put(w, "</figure>\n");
}

/* --- Table ---------------------------------------------------------------------------------------------------- */

static void put_score(html_writer *w, double x) {
    if (report_is_nan(x)) report_cell(w, "-");
    else report_cell(w, "%.3f", x);
}

static void put_cosine(html_writer *w, double x, int is_here) {
    if (!is_here || report_is_nan(x)) report_cell(w, "-");
    else report_cell(w, "%.5f", x);
}

static void put_metric(html_writer *w, const report_task *t, size_t metric) {
    const double change = eval_scores_change(&t->reference, &t->candidate, metric);
    report_cell_text(w, t->candidate.metrics[metric], strlen(t->candidate.metrics[metric]));
    put_score(w, t->reference.values[metric]);
    put_score(w, t->candidate.values[metric]);
    if (report_is_nan(change)) report_cell(w, "-");
    else report_cell(w, "%+.3f", change);
}

static void put_task(html_writer *w, const report_task *t) {
    const size_t rows = t->candidate.count > 0 ? t->candidate.count : 1;
    for (size_t metric = 0; metric < rows; metric++) {
        report_row_begin(w, t->name);
        report_cell_text(w, t->kind, strlen(t->kind));
        if (metric < t->candidate.count && metric < t->reference.count) put_metric(w, t, metric);
        else html_put(w, "<td class=\"t\">-</td><td>-</td><td>-</td><td>-</td>");
        put_cosine(w, t->cosine_mean, metric == 0);
        put_cosine(w, t->cosine_least, metric == 0);
        report_cell(w, "%zu", t->n_texts);
        report_row_end(w);
    }
}

void report_tasks(html_writer *w, const report_input *in) {
    if (in->n_tasks == 0) {
        html_put(w, "<p>No task was given, so nothing says what rounding costs where it matters. <code>minnow "
                    "quantize --report FILE --eval DIR</code> scores both models on tasks with known answers and "
                    "shows them here.</p>\n");
        return;
    }
    html_put(w, "<p>Scores of the INT8 model beside those of the FP32 model it was made from, as <code>minnow "
                "eval</code> gives them. Small sets move by a few tenths of a per cent, either way, from any change "
                "at all; the cosine between the two models’ vectors is the finer instrument.</p>\n");
    put_chart(w, in);
    report_table_begin(w, "tasks",
                       "task|kind|metric|#FP32|#INT8|#change, %|#cosine, mean|#cosine, least|#texts");
    for (size_t i = 0; i < in->n_tasks; i++) put_task(w, &in->tasks[i]);
    report_table_end(w);
}
