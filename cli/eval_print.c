/* SPDX-License-Identifier: Apache-2.0
 * A report for people, and one for scripts. */
#include <math.h>
#include <string.h>

#include "eval.h"

/* --- Table --------------------------------------------------------------------------------------------------- */

#define NAME_COLUMNS 14 /* at least */

static int name_width(const eval_report *r) {
    size_t width = NAME_COLUMNS;
    for (size_t i = 0; i < r->n; i++)
        if (strlen(r->results[i].task->name) > width) width = strlen(r->results[i].task->name);
    return width < 60 ? (int)width : 60;
}

static void print_number(int width, int decimals, double x) {
    char text[64] = "-";
    if (!eval_is_nan(x)) snprintf(text, sizeof text, "%.*f", decimals, x);
    printf("  %*s", width, text);
}

static void print_name(const char *name, int width) {
    const size_t n = strlen(name);
    cli_print_text(stdout, name, n);
    if ((size_t)width > n) printf("%*s", width - (int)n, "");
}

static void print_change(double x) {
    char text[64] = "-";
    if (!eval_is_nan(x)) snprintf(text, sizeof text, "%+.3f", x);
    printf("  %8s", text);
}

static double mean(const eval_cosines *c) { return c->n > 0 ? c->sum / (double)c->n : (double)NAN; }
static double least(const eval_cosines *c) { return c->n > 0 ? c->least : (double)NAN; }

static void print_row(const eval_report *r, const eval_result *task, size_t metric, int width) {
    const int has_metric = metric < task->candidate.count;
    print_name(metric == 0 ? task->task->name : "", width);
    printf("  %-10s", has_metric ? task->candidate.metrics[metric] : "-");
    if (r->has_reference)
        print_number(9, 3, metric < task->reference.count ? task->reference.values[metric] : (double)NAN);
    print_number(9, 3, has_metric ? task->candidate.values[metric] : (double)NAN);
    if (r->has_reference) {
        print_change(eval_result_change(task, metric));
        if (metric == 0) {
            print_number(8, 5, mean(&task->cosines));
            print_number(8, 5, least(&task->cosines));
        }
    }
    putchar('\n');
}

static void print_summary(const eval_report *r, int width) {
    const eval_cosines *longest = &r->buckets[EVAL_BUCKETS - 1];
    double worst;
    const double change = eval_report_change(r, &worst);
    print_name("average", width);
    printf("  %-10s  %9s  %9s", "", "", "");
    print_change(change);
    print_number(8, 5, mean(&r->cosines));
    print_number(8, 5, least(&r->cosines));
    if (!eval_is_nan(worst)) printf("\n\nworst change: %+.3f %%", worst);
    printf("\ncosines: %zu texts", r->cosines.n);
    if (longest->n > 0)
        printf("; of %zu tokens and more: %zu texts, mean %.5f, least %.5f", eval_bucket_first[EVAL_BUCKETS - 1],
               longest->n, mean(longest), least(longest));
    putchar('\n');
}

void eval_print_table(const eval_report *r) {
    const int width = name_width(r);
    print_name("task", width);
    printf("  %-10s", "metric");
    if (r->has_reference) printf("  %9s", "reference");
    printf("  %9s", "candidate");
    if (r->has_reference) printf("  %8s  %8s  %8s", "change %", "cosine", "least");
    putchar('\n');
    for (size_t i = 0; i < r->n; i++) {
        const size_t n = r->results[i].candidate.count;
        for (size_t m = 0; m < (n > 0 ? n : 1); m++) print_row(r, &r->results[i], m, width);
    }
    if (r->has_reference) print_summary(r, width);
    if (r->n_truncated > 0)
        printf("%s%zu of %zu texts were cut at the token limit\n", r->has_reference ? "" : "\n", r->n_truncated,
               r->n_texts);
}

/* --- JSON ---------------------------------------------------------------------------------------------------- */

static void key_string(const char *key, const char *value) {
    printf("\"%s\":", key);
    if (value != NULL) cli_json_string(stdout, value, strlen(value));
    else fputs("null", stdout);
}

static void key_number(const char *key, double value) {
    printf(",\"%s\":", key);
    cli_json_double(stdout, value); /* NaN: null */
}

static void print_metric(const eval_result *task, size_t metric) {
    const int there = metric < task->candidate.count;
    key_string("metric", there ? task->candidate.metrics[metric] : NULL);
    key_number("reference", metric < task->reference.count ? task->reference.values[metric] : (double)NAN);
    key_number("candidate", there ? task->candidate.values[metric] : (double)NAN);
    key_number("change_percent", eval_result_change(task, metric));
}

static void print_cosines(const eval_cosines *c) {
    fputs("\"mean\":", stdout);
    cli_json_double(stdout, mean(c));
    key_number("min", least(c));
    printf(",\"count\":%zu", c->n);
}

static void print_task(const eval_result *task) {
    fputs("{", stdout);
    key_string("name", task->task->name);
    fputs(",", stdout);
    key_string("kind", eval_kind_name(task->task->kind));
    fputs(",", stdout);
    print_metric(task, 0);
    fputs(",\"secondary\":[", stdout);
    for (size_t m = 1; m < task->candidate.count; m++) {
        fputs(m > 1 ? ",{" : "{", stdout);
        print_metric(task, m);
        fputs("}", stdout);
    }
    fputs("],\"cosine\":{", stdout);
    print_cosines(&task->cosines);
    printf("},\"n_texts\":%zu,\"n_scored\":%zu,\"n_truncated\":%zu", task->task->n_texts, task->candidate.n_scored,
           task->n_truncated);
    if (task->task->kind == EVAL_RETRIEVAL) printf(",\"n_missing_documents\":%zu", task->task->n_missing);
    fputs("}", stdout);
}

static void print_buckets(const eval_report *r) {
    fputs(",\"by_tokens\":[", stdout);
    for (size_t b = 0; b < EVAL_BUCKETS && r->has_tokens && r->has_reference; b++) {
        printf("%s{\"from\":%zu,\"to\":", b > 0 ? "," : "", eval_bucket_first[b]);
        if (b + 1 < EVAL_BUCKETS) printf("%zu,", eval_bucket_first[b + 1] - 1);
        else fputs("null,", stdout);
        print_cosines(&r->buckets[b]);
        fputs("}", stdout);
    }
    fputs("],\"long\":{", stdout);
    print_cosines(&r->buckets[EVAL_BUCKETS - 1]);
    fputs("}", stdout);
}

void eval_print_json(const eval_report *r) {
    double worst;
    const double change = eval_report_change(r, &worst);
    fputs("{\"tasks\":[", stdout);
    for (size_t i = 0; i < r->n; i++) {
        if (i > 0) fputs(",", stdout);
        print_task(&r->results[i]);
    }
    fputs("]", stdout);
    key_number("average_change_percent", change);
    key_number("worst_change_percent", worst);
    fputs(",\"cosine\":{", stdout);
    print_cosines(&r->cosines);
    print_buckets(r);
    fputs("},", stdout);
    key_string("model", r->model);
    fputs(",", stdout);
    key_string("reference", r->reference);
    printf(",\"n_texts\":%zu,\"n_truncated\":%zu}\n", r->n_texts, r->n_truncated);
}
