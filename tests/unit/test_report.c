/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/report/chart.h"
#include "convert/report/report.h"
#include "small_encoder.h"
#include "tiny_tokenizer.h"

#define PATH "test_report.tmp.html"

static void expect_close(double got, double expected, double tolerance) {
    if (!(got - expected <= tolerance && expected - got <= tolerance)) fail_msg("%.17g, expected %.17g", got, expected);
}

/* --- Escaping ------------------------------------------------------------------------------------------------- */

typedef struct written {
    file_writer file;
    html_writer html;
    char *text;
} written;

static html_writer *begin(written *w) {
    memset(w, 0, sizeof *w);
    assert_int_equal(file_writer_open(&w->file, PATH, NULL), MINNOW_OK);
    html_begin(&w->html, &w->file, NULL);
    return &w->html;
}

static const char *end(written *w) {
    file_map map;
    assert_int_equal(html_end(&w->html), MINNOW_OK);
    assert_int_equal(file_writer_commit(&w->file, NULL), MINNOW_OK);
    assert_int_equal(file_map_open(&map, PATH, NULL), MINNOW_OK);
    w->text = calloc(map.bytes + 1, 1);
    assert_non_null(w->text);
    memcpy(w->text, map.data, map.bytes);
    file_map_close(&map);
    remove(PATH);
    return w->text;
}

static void expect_text(const char *text, size_t bytes, const char *expected) {
    written w;
    html_text_bytes(begin(&w), text, bytes);
    assert_string_equal(end(&w), expected);
    free(w.text);
}

static void escapes_what_could_be_markup(void **state) {
    static const struct { const char *text, *expected; } cases[] = {
        {"", ""},
        {"plain text 1.5", "plain text 1.5"},
        {"<script>", "&lt;script&gt;"},
        {"\" onload=x '", "&quot; onload&#61;x &#39;"},
        {"&lt;&amp;", "&amp;lt;&amp;amp;"},
        {"]]>-->`", "]]&gt;--&gt;&#96;"},
        {"a\tb\nc", "a b c"},
        {"\x01\x1f\r\x7f", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc2\x80\xc2\x9f\xc2\xa0", "\xef\xbf\xbd\xef\xbf\xbd\xc2\xa0"}, /* C1; no-break space */
        {"\xef\xbf\xbe\xef\xbf\xbf\xef\xb7\x90", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* no characters */
        {"\xf0\x9f\xbf\xbe", "\xef\xbf\xbd"}, /* U+1FFFE */
        {"\xe4\xb8\xad\xf0\x9f\x90\x9f", "\xe4\xb8\xad\xf0\x9f\x90\x9f"},
        {"\xe2\x80\xae" "abc", "\\u{202e}abc"},
        {"\xff<\xc3", "\xef\xbf\xbd&lt;\xef\xbf\xbd"}, /* ill-formed, cut off */
        {"\xc0\xbcscript>", "\xef\xbf\xbd\xef\xbf\xbdscript&gt;"}, /* overlong '<' */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_text(cases[i].text, strlen(cases[i].text), cases[i].expected);
    expect_text("a\0<", 3, "a\xef\xbf\xbd&lt;");
}

/* Every single byte, and every pair of ASCII: none of the characters that end a text or an attribute gets through. */
static void no_byte_gets_through(void **state) {
    written w;
    (void)state;
    html_writer *h = begin(&w);
    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 128; b++) {
            const char pair[2] = {(char)a, (char)b};
            html_text_bytes(h, pair, 2);
        }
    assert_null(strpbrk(end(&w), "<>\"'`="));
    for (const char *p = w.text; (p = strchr(p, '&')) != NULL; p++)
        assert_true(strncmp(p, "&amp;", 5) == 0 || strncmp(p, "&lt;", 4) == 0 || strncmp(p, "&gt;", 4) == 0 ||
                    strncmp(p, "&quot;", 6) == 0 || strncmp(p, "&#", 2) == 0);
    free(w.text);
}

static void first_failure_stays(void **state) {
    file_writer file;
    html_writer h;
    minnow_error error;
    char *longest = calloc(1, 5001);
    (void)state;
    assert_non_null(longest);
    memset(longest, 'x', 5000);
    assert_int_equal(file_writer_open(&file, PATH, NULL), MINNOW_OK);
    html_begin(&h, &file, &error);
    html_format(&h, "%s", longest);
    html_put(&h, "more");
    assert_int_equal(html_end(&h), MINNOW_ERROR_MEMORY);
    file_writer_abort(&file);
    assert_false(file_exists(PATH));
    free(longest);
}

/* --- Axes and bins -------------------------------------------------------------------------------------------- */

static void axes_end_at_round_numbers(void **state) {
    static const struct { double least, most, low, high; } linear[] = {
        {0, 7.35, 0, 8}, {-1.29, 1, -1.5, 1}, {0, 46.88, 0, 50}, {0, 0, 0, 1}, {3, 4, 0, 4}, {-4, -3, -4, 0},
        {0, 1e-9, 0, 1e-9}, {0, 1e12, 0, 1e12},
    };
    static const struct { double least, most, low, high; } decades[] = {
        {1, 14.9, 1, 20}, {0.0004, 0.009, 0.0002, 0.01}, {1, 1, 1, 2}, {0, 5, 5, 10}, {0, 0, 1, 10}, {1e-7, 1, 1e-7, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof linear / sizeof *linear; i++) {
        const chart_axis a = chart_axis_linear(linear[i].least, linear[i].most);
        const double span = linear[i].high - linear[i].low;
        expect_close(a.low, linear[i].low, 1e-9 * span);
        expect_close(a.high, linear[i].high, 1e-9 * span);
    }
    for (size_t i = 0; i < sizeof decades / sizeof *decades; i++) {
        const chart_axis a = chart_axis_log(decades[i].least, decades[i].most);
        expect_close(a.low / decades[i].low, 1, 1e-9);
        expect_close(a.high / decades[i].high, 1, 1e-9);
    }
}

static void places_are_shares_of_the_axis(void **state) {
    const chart_axis line = {-1, 3, 0}, decades = {0.01, 100, 1};
    (void)state;
    expect_close(chart_place(&line, 0), 25, 1e-12);
    expect_close(chart_place(&line, 9), 100, 0);
    expect_close(chart_place(&line, -9), 0, 0);
    expect_close(chart_place(&line, (double)__builtin_nanf("")), 0, 0);
    expect_close(chart_place(&decades, 1), 50, 1e-12);
    expect_close(chart_place(&decades, 0.1), 25, 1e-12);
    expect_close(chart_place(&decades, 0), 0, 0);
}

static void ticks_lie_on_the_axis(void **state) {
    (void)state;
    for (double most = 1e-6; most < 1e6; most *= 1.7)
        for (int is_log = 0; is_log < 2; is_log++) {
            const chart_axis a = is_log ? chart_axis_log(most / 37, most * most) : chart_axis_linear(-most / 3, most);
            double ticks[CHART_MAX_TICKS];
            const size_t n = is_log && !(most > 1) ? 0 : chart_ticks(&a, ticks);
            if (n > 0) assert_true(n >= 2 || (is_log && a.high < 10 * a.low));
            for (size_t i = 0; i < n; i++) {
                assert_true(ticks[i] >= a.low - 1e-9 * most && ticks[i] <= a.high * (1 + 1e-9));
                if (i > 0) assert_true(ticks[i] > ticks[i - 1]);
            }
        }
    assert_string_equal(chart_tick_text(-0.5).text, "−0.5");
    assert_string_equal(chart_tick_text(0).text, "0");
    assert_string_equal(chart_tick_text(0.001).text, "0.001");
    assert_string_equal(chart_tick_text(1e-4).text, "10⁻⁴");
    assert_string_equal(chart_tick_text(2.5e-12).text, "2.5·10⁻¹²");
    assert_string_equal(chart_tick_text(1e-12).text, "10⁻¹²");
    assert_string_equal(chart_tick_text(2e-5).text, "2·10⁻⁵");
}

/* Every value has one bin, whose edges are on both sides of it; edges are the axis' numbers. */
static void bins_hold_what_lies_in_them(void **state) {
    static const double spans[][2] = {{-2.65, 2.65}, {0, 1.049}, {-0.17, 5.2}, {0, 0}, {-1, 1}, {1e-7, 3e-7},
                                      {-9e5, 4e4}};
    (void)state;
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        const double least = spans[i][0], most = spans[i][1], span = most > least ? most - least : 1;
        const chart_bins b = chart_bins_of(least, most);
        assert_true(b.n >= 1 && b.n <= CHART_MAX_BINS);
        if (most > least) assert_true(b.n > CHART_MAX_BINS / 2);
        assert_true(chart_bin_edge(&b, 0) <= least + 1e-9 * span);
        assert_true(chart_bin_edge(&b, b.n) >= most - 1e-9 * span);
        for (int k = 0; k <= 1000; k++) {
            const double x = least + (most - least) * k / 1000;
            const size_t bin = chart_bin_at(&b, x);
            assert_true(bin < b.n);
            assert_true(chart_bin_edge(&b, bin) <= x + 1e-9 * span && chart_bin_edge(&b, bin + 1) >= x - 1e-9 * span);
        }
        assert_int_equal(chart_bin_at(&b, least - 100 * span), 0);
        assert_int_equal(chart_bin_at(&b, most + 100 * span), b.n - 1);
    }
}

/* The path's heights are the shares: read back, they have the same sum. */
static void bars_have_their_heights(void **state) {
    const double shares[] = {0, 0.25, 1, 0.5, -1, 7, 0.001};
    const size_t n = sizeof shares / sizeof *shares;
    double sum = 0;
    size_t at = 0;
    written w;
    (void)state;
    chart_bars(begin(&w), shares, n, 92, "a <title>");
    const char *p = strstr(end(&w), "d=\"M0 1000");
    assert_non_null(strstr(w.text, "<title>a &lt;title&gt;</title>"));
    assert_non_null(p);
    p += strlen("d=\"M0 1000");
    for (int y, x; sscanf(p, "V%dH%d", &y, &x) == 2; p = strchr(p + 1, 'V'), at++) {
        assert_int_equal(x, (int)at + 1);
        sum += 1000 - y;
    }
    assert_int_equal(at, n);
    expect_close(sum, 250 + 1000 + 500 + 1000 + 1, 0);
    free(w.text);
}

#define SEVEN_WIDE "\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad"
#define EIGHT_WIDE SEVEN_WIDE "\xe4\xb8\xad"

static void rows_show_their_numbers(void **state) {
    const chart_axis a = {-2, 2, 0};
    written w;
    html_writer *h = begin(&w);
    (void)state;
    chart_rows_begin(h, &a, 2, "<label>", "per <cent>");
    chart_row_label(h, 0, "fifteen letters");
    chart_row_bar(h, &a, 0, 1, 0, "+1");
    chart_row_label(h, 1, "<sixteen letters");
    chart_row_bar(h, &a, 1, -0.5, 1, "-0.5");
    chart_row_label(h, 1, EIGHT_WIDE);
    chart_rows_end(h);
    end(&w);
    assert_non_null(strstr(w.text, "aria-label=\"&lt;label&gt;\""));
    assert_non_null(strstr(w.text, ">per &lt;cent&gt;</text>"));
    assert_non_null(strstr(w.text, ">fifteen letters</text>"));
    assert_non_null(strstr(w.text, ">&lt;sixteen letter…<title>&lt;sixteen letters</title></text>"));
    assert_non_null(strstr(w.text, ">" SEVEN_WIDE "…<title>" EIGHT_WIDE));
    assert_non_null(strstr(w.text, "<rect class=\"filled\" x=\"50%\" y=\"4\" width=\"25%\" height=\"16\">"));
    assert_non_null(strstr(w.text, "<rect class=\"hollow\" x=\"37.5%\" y=\"28\" width=\"12.5%\" height=\"16\">"));
    free(w.text);
}

/* --- A whole report ------------------------------------------------------------------------------------------- */

typedef struct small_report {
    small_encoder s;
    float_encoder *f;
    ranges *r;
    int8_model *m;
    tokenizer *t;
    quantize_options options;
    quantize_matrix_report matrices[4 * SMALL_LAYERS];
    report_drift drift[SMALL_LAYERS + 1];
} small_report;

static int set_up(void **state) {
    small_report *x = calloc(1, sizeof *x);
    const range_options o = {.alpha = 0.75f, .method = RANGE_PERCENTILE, .percentile = 99};
    *state = x;
    if (x == NULL) return -1;
    small_encoder_make(&x->s);
    x->options.embedding = INT8_TABLE_ROWS;
    return float_encoder_create(&x->f, &x->s.e, NULL, NULL) != MINNOW_OK ||
           ranges_calibrate(&x->r, x->f, &x->s.texts, &o, NULL) != MINNOW_OK ||
           quantize_encoder(&x->m, &x->s.e, x->r, x->f, &x->s.texts, &x->options, x->matrices, NULL) != MINNOW_OK ||
           tokenizer_create(&x->t, &small_tokenizer, NULL) != MINNOW_OK;
}

static int tear_down(void **state) {
    small_report *x = *state;
    tokenizer_close(&x->t);
    int8_model_close(&x->m);
    ranges_close(&x->r);
    float_encoder_close(&x->f);
    free(x);
    return 0;
}

static report_input input_of(const small_report *x) {
    return (report_input){.encoder = &x->s.e, .ranges = x->r, .model = x->m, .tokenizer = x->t, .options = &x->options,
                          .matrices = x->matrices, .output = "out.onnx", .texts = "texts", .file_bytes = 5000,
                          .source_bytes = 20000, .n_compared = 3, .cosine_mean = 0.9, .cosine_least = 0.8};
}

static char *page_of(const report_input *in) {
    file_map map;
    char *text;
    assert_int_equal(report_write(in, PATH, NULL), MINNOW_OK);
    assert_int_equal(file_map_open(&map, PATH, NULL), MINNOW_OK);
    text = calloc(map.bytes + 1, 1);
    assert_non_null(text);
    memcpy(text, map.data, map.bytes);
    file_map_close(&map);
    remove(PATH);
    return text;
}

/* The last place is what the whole engine and the whole FP32 encoder give. */
static void drift_ends_where_the_models_do(void **state) {
    small_report *x = *state;
    const engine_texts texts = {x->s.ids, x->s.starts, 5};
    const size_t rows = x->s.starts[5], n = rows * SMALL_HIDDEN;
    float *a = calloc(n, sizeof *a), *b = calloc(n, sizeof *b);
    void *scratch = calloc(engine_scratch_bytes(x->m, rows, 71) / 64 + 2, 64);
    float_activations values;
    double errors = 0, lengths = 0;
    memset(&values, 0, sizeof values);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(scratch);
    assert_int_equal(report_drift_run(x->drift, x->m, x->f, &texts, NULL), MINNOW_OK);
    engine_run(x->m, kernels_best(), &texts, (uint8_t *)scratch + (64 - (uintptr_t)scratch % 64) % 64, b);
    assert_int_equal(float_activations_reserve(&values, &x->s.e, rows, NULL), MINNOW_OK);
    assert_int_equal(float_encoder_embed(x->f, &texts, NULL, a, NULL), MINNOW_OK);
    for (size_t i = 0; i < SMALL_LAYERS; i++) {
        assert_int_equal(float_encoder_layer(x->f, i, &texts, a, &values, NULL), MINNOW_OK);
        memcpy(a, values.hidden, n * sizeof *a);
    }
    for (size_t i = 0; i < n; i++) {
        errors += ((double)b[i] - (double)a[i]) * ((double)b[i] - (double)a[i]);
        lengths += (double)a[i] * (double)a[i];
    }
    const report_drift last = x->drift[SMALL_LAYERS];
    expect_close(last.relative_error * last.relative_error, errors / lengths, 1e-9);
    assert_true(last.relative_error > 0 && last.relative_error < 0.2);
    for (size_t i = 0; i <= SMALL_LAYERS; i++)
        assert_true(x->drift[i].cosine_least <= x->drift[i].cosine_mean && x->drift[i].cosine_mean <= 1);
    assert_true(x->drift[0].relative_error < last.relative_error);
    float_activations_free(&values);
    free(a);
    free(b);
    free(scratch);
}

/* Each table of counts has all values of its sites, whatever the bins. */
static void counts_are_complete(void **state) {
    const small_report *x = *state;
    const report_input in = input_of(x);
    char *page = page_of(&in);
    size_t role = 0;
    for (const char *p = page; (p = strstr(p, "\"values counted in each bar")) != NULL; role++) {
        const char *table_end = strstr(p, "</table>");
        unsigned long long sums[SMALL_LAYERS] = {0}, n;
        int used;
        for (const char *row = p; (row = strstr(row, "<tr><th scope=\"row\">")) != NULL && row < table_end;) {
            row = strstr(row, "<td>") + 4; /* the bin's upper edge */
            for (size_t i = 0; i < SMALL_LAYERS; i++) {
                row = strstr(row, "<td>") + 4;
                assert_int_equal(sscanf(row, "%llu</td>%n", &n, &used), 1);
                sums[i] += n;
            }
        }
        for (size_t i = 0; i < SMALL_LAYERS; i++)
            assert_int_equal(sums[i], ranges_site(x->r, i, (range_role)role)->histogram.total);
        p = table_end;
    }
    assert_int_equal(role, RANGE_ROLES);
    free(page);
}

/* 1 per cent by percentile, as near as the histogram's bins allow; nothing by minmax. */
static void clipped_is_what_the_range_leaves_out(void **state) {
    small_report *x = *state;
    const report_input in = input_of(x);
    for (int minmax = 0; minmax < 2; minmax++) {
        const range_options o = {.alpha = 0.75f, .method = minmax ? RANGE_MINMAX : RANGE_PERCENTILE, .percentile = 99};
        size_t n = 0;
        char *page;
        assert_int_equal(ranges_choose(x->r, NULL, NULL, &o, NULL), MINNOW_OK);
        page = page_of(&in);
        for (const char *p = page; (p = strstr(p, " clipped</span>")) != NULL; p++, n++) {
            const char *number = p;
            while (number[-1] != '>') number--;
            if (minmax) assert_true(strncmp(number, "0 %", 3) == 0);
            else assert_in_range((int)(1000 * strtod(number, NULL)), 700, 1000);
        }
        assert_int_equal(n, SMALL_LAYERS * RANGE_ROLES);
        free(page);
    }
}

static void same_input_gives_the_same_page(void **state) {
    small_report *x = *state;
    const report_task task = {"<t>", "sts", {0}, {0}, 4, 0.5, 0.25};
    report_input in = input_of(x);
    char *a, *b;
    minnow_error error;
    in.drift = x->drift;
    in.tasks = &task;
    in.n_tasks = 1;
    a = page_of(&in);
    b = page_of(&in);
    assert_string_equal(a, b);
    assert_null(strstr(a, "<t>"));
    assert_non_null(strstr(a, "&lt;t&gt;"));
    assert_null(strstr(a, "nan"));
    assert_null(strstr(a, "inf<"));
    free(a);
    free(b);
    assert_int_equal(report_write(&in, "no/such/folder/a.html", &error), MINNOW_ERROR_IO);
}

/* Ranges of sites at which nothing but zeros was seen, a table of zeros, no sizes known. */
static void nothing_but_zeros_is_a_page_too(void **state) {
    small_report *x = *state;
    report_input in = input_of(x);
    encoder zeros = x->s.e;
    float *words = calloc(SMALL_VOCAB * SMALL_HIDDEN, sizeof *words);
    assert_non_null(words);
    zeros.words = words;
    in.encoder = &zeros;
    in.file_bytes = in.source_bytes = in.n_compared = 0;
    in.texts = NULL;
    for (size_t i = 0; i < x->r->n_sites; i++) {
        range_site *s = &x->r->sites[i];
        memset(s->minimum, 0, s->channels * sizeof(float));
        memset(s->maximum, 0, s->channels * sizeof(float));
        memset(s->center, 0, s->channels * sizeof(float));
        s->least = s->most = s->low = 0;
        s->high = 1;
        memset(&s->histogram.counts, 0, sizeof s->histogram.counts);
        s->histogram.total = 0;
    }
    for (size_t i = 0; i < 4 * SMALL_LAYERS; i++) x->matrices[i].relative_error = 0;
    char *page = page_of(&in);
    assert_null(strstr(page, "nan"));
    assert_non_null(strstr(page, "</html>"));
    free(page);
    free(words);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_what_could_be_markup),
        cmocka_unit_test(no_byte_gets_through),
        cmocka_unit_test(first_failure_stays),
        cmocka_unit_test(axes_end_at_round_numbers),
        cmocka_unit_test(places_are_shares_of_the_axis),
        cmocka_unit_test(ticks_lie_on_the_axis),
        cmocka_unit_test(bins_hold_what_lies_in_them),
        cmocka_unit_test(bars_have_their_heights),
        cmocka_unit_test(rows_show_their_numbers),
        cmocka_unit_test_setup_teardown(drift_ends_where_the_models_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_are_complete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(clipped_is_what_the_range_leaves_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(same_input_gives_the_same_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_but_zeros_is_a_page_too, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
