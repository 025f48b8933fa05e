/* SPDX-License-Identifier: Apache-2.0
 * Numbers -> places: axes with round ticks, bins with round edges. No libm but what is exact. */
#include <math.h>

#include "convert/math/math.h"
#include "convert/report/chart.h"

#define LN_10 2.302585092994045684
#define MOST_DECADES 300

double chart_power_of_ten(int n) {
    double x = 1;
    for (int i = 0; i < (n < 0 ? -n : n) && i < MOST_DECADES; i++) x *= 10;
    return n < 0 ? 1 / x : x;
}

/* The greatest n with 10^n <= x, x > 0. */
static int decade_of(double x) {
    int n = 0;
    while (n < MOST_DECADES && chart_power_of_ten(n + 1) <= x) n++;
    while (n > -MOST_DECADES && chart_power_of_ten(n) > x) n--;
    return n;
}

/* The least of the round numbers that is not below x > 0. */
static double round_up(double x, const double *rounds, size_t n_rounds) {
    const double power = chart_power_of_ten(decade_of(x));
    for (size_t i = 0; i < n_rounds; i++)
        if (rounds[i] * power >= x * (1 - 1e-12)) return rounds[i] * power;
    return 10 * power;
}

static double tick_step(double span) {
    static const double rounds[] = {1, 2, 2.5, 5};
    return round_up(span / 5, rounds, 4);
}

chart_axis chart_axis_linear(double least, double most) {
    chart_axis a = {least < 0 ? least : 0, most > 0 ? most : 0, 0};
    double step;
    if (!(a.low < a.high)) a.high = a.low + 1;
    step = tick_step(a.high - a.low);
    a.low = floor(a.low / step) * step;
    a.high = ceil(a.high / step) * step;
    return a;
}

static const double log_rounds[] = {1, 2, 5};

static double round_down(double x) {
    const double power = chart_power_of_ten(decade_of(x));
    return x >= 5 * power ? 5 * power : x >= 2 * power ? 2 * power : power;
}

chart_axis chart_axis_log(double least, double most) {
    chart_axis a = {1, 10, 1};
    if (!(most > 0)) return a;
    if (!(least > 0)) least = most;
    a.low = round_down(least);
    a.high = round_up(most, log_rounds, 3);
    if (!(a.low < a.high)) a.high = round_up(2 * a.low, log_rounds, 3);
    return a;
}

double chart_place(const chart_axis *a, double x) {
    double place;
    if (!(x > a->low)) return 0;
    if (x >= a->high) return 100;
    if (a->is_log) place = math_log_f64(x / a->low) / math_log_f64(a->high / a->low);
    else place = (x - a->low) / (a->high - a->low);
    return 100 * place;
}

/* 1, 2, 5, 10, .. on a short axis, powers of ten on a longer one, with gaps on one of more than six. */
static size_t log_ticks(const chart_axis *a, double *ticks) {
    const int low = decade_of(a->low * (1 + 1e-12)), high = decade_of(a->high * (1 + 1e-12));
    const int is_short = a->high <= 50 * a->low, step = high - low > 6 ? (high - low + 5) / 6 : 1;
    size_t n = 0;
    for (int i = is_short ? low : high - (high - low) / step * step; i <= high; i += step)
        for (size_t k = 0; k < (is_short ? 3 : 1) && n < CHART_MAX_TICKS; k++) {
            const double tick = log_rounds[k] * chart_power_of_ten(i);
            if (tick >= a->low * (1 - 1e-12) && tick <= a->high * (1 + 1e-12)) ticks[n++] = tick;
        }
    return n;
}

size_t chart_ticks(const chart_axis *a, double ticks[CHART_MAX_TICKS]) {
    const double step = tick_step(a->high - a->low);
    size_t n = 0;
    if (a->is_log) return log_ticks(a, ticks);
    for (double i = ceil(a->low / step - 1e-9); i * step <= a->high + 1e-9 * step && n < CHART_MAX_TICKS; i++)
        ticks[n++] = i * step + 0.0; /* no -0 */
    return n;
}

/* --- Bins ----------------------------------------------------------------------------------------------------- */

chart_bins chart_bins_of(double least, double most) {
    static const double rounds[] = {1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8};
    const double span = most > least ? most - least : 1;
    chart_bins b;
    b.step = round_up(span / (CHART_MAX_BINS - 2), rounds, sizeof rounds / sizeof *rounds);
    b.first = (long long)floor(least / b.step);
    b.n = (size_t)((long long)floor(most / b.step) - b.first + 1);
    if (b.n > CHART_MAX_BINS || b.n == 0) b.n = CHART_MAX_BINS;
    return b;
}

double chart_bin_edge(const chart_bins *b, size_t i) { return (double)(b->first + (long long)i) * b->step + 0.0; }

size_t chart_bin_at(const chart_bins *b, double x) {
    const double i = floor(x / b->step) - (double)b->first;
    return i > 0 ? i < (double)(b->n - 1) ? (size_t)i : b->n - 1 : 0;
}
