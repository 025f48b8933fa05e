/* SPDX-License-Identifier: Apache-2.0
 * Where the INT8 model leaves FP32's: token vectors after each layer, and the error of each matrix. */
#include <stdio.h>
#include <string.h>

#include "convert/report/parts.h"

/* --- Token vectors -------------------------------------------------------------------------------------------- */

static void put_errors(html_writer *w, const report_input *in, size_t n) {
    double most = 0;
    chart_axis axis;
    for (size_t i = 0; i < n; i++)
        if (in->drift[i].relative_error > most) most = in->drift[i].relative_error;
    axis = chart_axis_linear(0, 100 * most);
    html_put(w, "<figure class=\"g6\"><figcaption>Relative error of the token vectors</figcaption>");
    chart_rows_begin(w, &axis, n, "Bars: relative error of the token vectors after the embeddings and after each "
                                  "layer; the table has the numbers", "|INT8 − FP32| / |FP32|, %");
    for (size_t i = 0; i < n; i++) {
        chart_row_label(w, i, report_place(i).text);
        chart_row_bar(w, &axis, i, 100 * in->drift[i].relative_error, 0,
                      report_percent(in->drift[i].relative_error).text);
    }
    chart_rows_end(w);
    html_put(w, "</figure>\n");
}

/* The distance from 1, so that an axis of decades shows what is close to it. */
static void put_cosines(html_writer *w, const report_input *in, size_t n) {
    double least = 1, most = 0;
    chart_axis axis;
    char number[48];
    for (size_t i = 0; i < n; i++) {
        const double near = 1 - in->drift[i].cosine_mean, far = 1 - in->drift[i].cosine_least;
        if (near > 1e-9 && near < least) least = near;
        if (far > most) most = far;
    }
    axis = chart_axis_log(least < most ? least : most, most);
    html_put(w, "<figure class=\"g6\"><figcaption>Cosine of the token vectors, from 1 <span class=\"key\"><i "
                "class=\"filled round\"></i>mean <i class=\"hollow diamond\"></i>least token</span></figcaption>");
    chart_rows_begin(w, &axis, n, "Marks: mean and least cosine of the token vectors after the embeddings and after "
                                  "each layer, as distance from 1; the table has the numbers",
                     "1 − cosine, logarithmic; left is closer");
    for (size_t i = 0; i < n; i++) {
        const report_drift *d = &in->drift[i];
        chart_row_label(w, i, report_place(i).text);
        chart_row_line(w, &axis, i, 1 - d->cosine_mean, 1 - d->cosine_least);
        snprintf(number, sizeof number, "mean cosine %.6f", d->cosine_mean);
        chart_row_mark(w, &axis, i, 1 - d->cosine_mean, CHART_FILLED, number);
        snprintf(number, sizeof number, "least cosine %.6f", d->cosine_least);
        chart_row_mark(w, &axis, i, 1 - d->cosine_least, CHART_DIAMOND, number);
    }
    chart_rows_end(w);
    html_put(w, "</figure>\n");
}

static void put_drift(html_writer *w, const report_input *in) {
    const size_t n = in->model->n_layers + 1;
    html_put(w, "<h3>Token vectors after each layer</h3>\n");
    if (in->drift == NULL) {
        html_put(w, "<p>Not compared: there were no texts.</p>\n");
        return;
    }
    html_format(w, "<p>Both models over the same %zu texts, %zu tokens%s. Errors of all layers before are in each "
                   "number.%s</p>\n<div class=\"wide\">", in->n_drift_texts, in->n_drift_tokens,
                in->held_out ? ", which calibration has not seen" : "",
                in->file != NULL
                    ? ""
                    : " The INT8 model is run by minnow’s engine here, not by the runtime that the file was written for.");
    put_errors(w, in, n);
    put_cosines(w, in, n);
    html_put(w, "</div>\n");
    report_table_begin(w, "token vectors by layer", "after|#relative error|#cosine, mean|#cosine, least");
    for (size_t i = 0; i < n; i++) {
        report_row_begin(w, report_place(i).text);
        report_cell(w, "%s", report_percent(in->drift[i].relative_error).text);
        report_cell(w, "%.6f", in->drift[i].cosine_mean);
        report_cell(w, "%.6f", in->drift[i].cosine_least);
        report_row_end(w);
    }
    report_table_end(w);
}

/* --- Matrices ------------------------------------------------------------------------------------------------- */

static const char *const kinds[4] = {"Query, key, value", "Attention output", "Feed-forward, up", "Feed-forward, down"};

static double error_of(const report_input *in, size_t layer, size_t kind) {
    return in->matrices[4 * layer + kind].relative_error;
}

static void put_kind(html_writer *w, const report_input *in, const chart_axis *axis, size_t kind) {
    char label[160];
    html_format(w, "<figure class=\"g4\"><figcaption>%s</figcaption>", kinds[kind]);
    snprintf(label, sizeof label, "Bars: relative squared error of the matrix, %s, in each layer", kinds[kind]);
    chart_rows_begin(w, axis, in->model->n_layers, label, "relative squared error, %");
    for (size_t i = 0; i < in->model->n_layers; i++) {
        chart_row_label(w, i, report_place(i + 1).text);
        chart_row_bar(w, axis, i, 100 * error_of(in, i, kind), 0, report_percent(error_of(in, i, kind)).text);
    }
    chart_rows_end(w);
    html_put(w, "</figure>\n");
}

static void put_matrices(html_writer *w, const report_input *in) {
    const size_t n = 4 * in->model->n_layers;
    double most = 0;
    chart_axis axis;
    for (size_t i = 0; i < n; i++)
        if (in->matrices[i].relative_error > most) most = in->matrices[i].relative_error;
    axis = chart_axis_linear(0, 100 * most);
    html_put(w, "<h3>Error of each matrix</h3>\n<p>");
    html_put(w, in->options->rounding == QUANTIZE_GPTQ
                    ? "Squared error of a matrix’s outputs against what is wanted of it, over calibration’s tokens, "
                      "as a share of what is wanted squared. What is wanted makes good errors that came before, so "
                      "the number has those in it."
                    : "Squared error of the rounded weights alone, as a share of the weights squared, in units of "
                      "input codes.");
    html_put(w, " All charts have one axis.</p>\n<div class=\"wide\">");
    for (size_t kind = 0; kind < 4; kind++) put_kind(w, in, &axis, kind);
    html_put(w, "</div>\n");
    report_table_begin(w, "relative squared error of each matrix",
                       "layer|#query, key, value|#attention output|#up|#down");
    for (size_t i = 0; i < in->model->n_layers; i++) {
        report_row_begin(w, report_place(i + 1).text);
        for (size_t kind = 0; kind < 4; kind++) report_cell(w, "%s", report_percent(error_of(in, i, kind)).text);
        report_row_end(w);
    }
    report_table_end(w);
}

void report_layers(html_writer *w, const report_input *in) {
    put_drift(w, in);
    put_matrices(w, in);
}
