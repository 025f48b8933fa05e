/* SPDX-License-Identifier: Apache-2.0
 * The page's frame: head, contents, sections, foot; and its tables. */
#include "convert/report/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "convert/report/parts.h"

/* In the page's order. */
static const struct { const char *id, *title; void (*write)(html_writer *w, const report_input *in); } sections[] = {
    {"made", "What was made", report_made},
    {"sizes", "Sizes", report_sizes},
    {"layers", "Error by layer", report_layers},
    {"tasks", "Tasks", report_tasks},
    {"activations", "Activations and their ranges", report_activations},
    {"channels", "Outlier channels", report_channels},
    {"words", "Token table", report_words},
};
#define N_SECTIONS (sizeof sections / sizeof *sections)

/* --- Frame ---------------------------------------------------------------------------------------------------- */

/* Even a page that some tool has changed loads nothing and runs no script. */
static void put_head(html_writer *w, const report_input *in) {
    html_put(w, "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\"><head>"
                "<meta charset=\"utf-8\"/>"
                "<meta http-equiv=\"Content-Security-Policy\" "
                "content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\"/>"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>"
                "<meta name=\"color-scheme\" content=\"light dark\"/><title>");
    html_text(w, report_model_name(in));
    html_put(w, ": quantization report</title><style>");
    for (size_t i = 0; report_style[i] != NULL; i++) html_put(w, report_style[i]);
    html_put(w, "</style></head>\n<body><a class=\"skip\" href=\"#main\">Skip to the report</a>\n");
}

static void put_contents(html_writer *w) {
    html_put(w, "<nav aria-label=\"Contents\"><ol>");
    for (size_t i = 0; i < N_SECTIONS; i++)
        html_format(w, "<li><a href=\"#%s\">%s</a></li>", sections[i].id, sections[i].title);
    html_put(w, "</ol></nav>\n");
}

static void put_page(html_writer *w, const report_input *in) {
    put_head(w, in);
    html_put(w, "<main id=\"main\">");
    report_summary(w, in);
    put_contents(w);
    for (size_t i = 0; i < N_SECTIONS; i++) {
        html_format(w, "<section id=\"%s\" aria-labelledby=\"%s-title\"><h2 id=\"%s-title\">%s</h2>\n", sections[i].id,
                    sections[i].id, sections[i].id, sections[i].title);
        sections[i].write(w, in);
        html_put(w, "</section>\n");
    }
    html_format(w, "</main><footer>Written by minnow %s. The same inputs give the same page.</footer></body></html>\n",
                minnow_version());
}

minnow_status report_write(const report_input *in, const char *path, minnow_error *error) {
    file_writer file;
    html_writer w;
    minnow_status status;
    TRY(file_writer_open(&file, path, error));
    html_begin(&w, &file, error);
    put_page(&w, in);
    status = html_end(&w);
    if (status == MINNOW_OK) return file_writer_commit(&file, error);
    file_writer_abort(&file);
    return status;
}

/* --- Tables --------------------------------------------------------------------------------------------------- */

void report_table_column(html_writer *w, const char *name, size_t bytes) {
    const int is_number = *name == '#';
    html_put(w, is_number ? "<th scope=\"col\" class=\"n\">" : "<th scope=\"col\">");
    html_text_bytes(w, name + is_number, bytes - (size_t)is_number);
    html_put(w, "</th>");
}

void report_table_open(html_writer *w, const char *name) {
    html_put(w, "<details><summary>Table: ");
    html_text(w, name);
    html_put(w, "</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
    html_text(w, name);
    html_put(w, "\"><table><thead><tr>");
}

void report_table_rows(html_writer *w) { html_put(w, "</tr></thead><tbody>\n"); }

void report_table_begin(html_writer *w, const char *name, const char *columns) {
    report_table_open(w, name);
    while (*columns != '\0') {
        const size_t n = strcspn(columns, "|");
        report_table_column(w, columns, n);
        columns += n + (columns[n] == '|');
    }
    report_table_rows(w);
}

void report_table_end(html_writer *w) { html_put(w, "</tbody></table></div></details>\n"); }

void report_row_begin(html_writer *w, const char *name) {
    html_put(w, "<tr><th scope=\"row\">");
    html_text(w, name);
    html_put(w, "</th>");
}

void report_row_end(html_writer *w) { html_put(w, "</tr>\n"); }

void report_cell(html_writer *w, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0) text[0] = '\0';
    va_end(arguments);
    html_put(w, "<td>");
    html_text(w, text);
    html_put(w, "</td>");
}

void report_cell_text(html_writer *w, const char *text, size_t bytes) {
    html_put(w, "<td class=\"t\">");
    html_text_bytes(w, text, bytes);
    html_put(w, "</td>");
}

/* --- Words ---------------------------------------------------------------------------------------------------- */

report_string report_bytes(uint64_t bytes) {
    report_string s;
    if (bytes < 1000) snprintf(s.text, sizeof s.text, "%u bytes", (unsigned)bytes);
    else if (bytes < 1000000) snprintf(s.text, sizeof s.text, "%.1f kB", (double)bytes / 1e3);
    else snprintf(s.text, sizeof s.text, "%.2f MB", (double)bytes / 1e6);
    return s;
}

/* Three digits, or as many as four decimals show. */
static int decimals_of(double x) {
    int n = 0;
    if (x == 0) return 0;
    while (n < 4 && x * chart_power_of_ten(n) < 99.95) n++;
    return n;
}

report_string report_number(double x) {
    report_string s;
    snprintf(s.text, sizeof s.text, "%s%.3g", x < 0 ? "−" : "", x < 0 ? -x : x);
    return s;
}

report_string report_change(double percent) {
    report_string s;
    snprintf(s.text, sizeof s.text, "%s%.2f %%", percent < 0 ? "−" : "+", percent < 0 ? -percent : percent);
    return s;
}

report_string report_percent(double share) {
    report_string s;
    if (report_is_nan(share)) snprintf(s.text, sizeof s.text, "not defined");
    else if (share > 0 && share < 1e-6) snprintf(s.text, sizeof s.text, "< 0.0001 %%");
    else snprintf(s.text, sizeof s.text, "%.*f %%", decimals_of(100 * share), 100 * share);
    return s;
}

report_string report_place(size_t i) {
    report_string s;
    if (i == 0) snprintf(s.text, sizeof s.text, "embeddings");
    else snprintf(s.text, sizeof s.text, "layer %zu", i - 1);
    return s;
}

const char *report_role_title(range_role role) {
    static const char *const titles[RANGE_ROLES] = {
        "Attention input", "Query", "Key", "Value", "Context (attention’s result)",
        "Feed-forward input", "GELU’s output (before the second feed-forward matrix)",
    };
    return titles[role];
}
