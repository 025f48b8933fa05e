/* SPDX-License-Identifier: Apache-2.0
 * Histogram -> the range with the least mean squared error. The values that get one code lie side by side, so prefix
 * sums of counts, values and squares give the error of a whole range in one step a code:
 *     sum (z - q)^2 = sum z^2 - 2 q sum z + q^2 n */
#include "convert/calibrate/ranges_impl.h"

#define STEPS ((size_t)256) /* thresholds tried at each end */

void range_moments_of(range_moments *m, const range_histogram *h) {
    size_t i;
    m->width = h->width;
    m->count[0] = m->sum[0] = m->squares[0] = 0;
    for (i = 0; i < RANGE_BINS; i++) {
        const double z = ((double)i + 0.5 + RANGE_FIRST_BIN) * h->width, n = (double)h->counts[i];
        m->count[i + 1] = m->count[i] + n;
        m->sum[i + 1] = m->sum[i] + n * z;
        m->squares[i + 1] = m->squares[i] + n * z * z;
    }
}

/* How many bins have a centre below z. */
static size_t bins_below(const range_moments *m, double z) {
    const double place = z / m->width - RANGE_FIRST_BIN - 0.5;
    size_t bins;
    if (!(place > 0)) return 0;
    if (place >= RANGE_BINS) return RANGE_BINS;
    bins = (size_t)place;
    return (double)bins < place ? bins + 1 : bins;
}

double range_mse(const range_moments *m, double scale, int zero_point, int low_code, int high_code) {
    double error = 0;
    size_t begin = 0, end;
    int code;
    for (code = low_code; code <= high_code; code++, begin = end) {
        const double q = scale * (code - zero_point);
        end = code < high_code ? bins_below(m, scale * (code - zero_point + 0.5)) : RANGE_BINS;
        if (end == begin) continue;
        error += (m->squares[end] - m->squares[begin]) - 2 * q * (m->sum[end] - m->sum[begin]) +
                 q * q * (m->count[end] - m->count[begin]);
    }
    return m->count[RANGE_BINS] > 0 ? error / m->count[RANGE_BINS] : 0;
}

typedef struct mse_search {
    range_moments moments;
    double low, high;
    int symmetric, low_code, high_code;
} mse_search;

static double error_at(const void *context, size_t i, size_t j) {
    const mse_search *s = context;
    const double low = s->low * (double)i / STEPS, high = s->high * (double)j / STEPS;
    float scale;
    int zero_point;
    if (s->symmetric ? j == 0 : !(low < high)) return s->moments.squares[RANGE_BINS] / s->moments.count[RANGE_BINS];
    range_grid(low, high, s->symmetric, s->low_code, s->high_code, &scale, &zero_point);
    return range_mse(&s->moments, (double)scale, zero_point, s->low_code, s->high_code);
}

void range_pick_mse(const range_histogram *h, int symmetric, int low_code, int high_code, double *low, double *high) {
    mse_search s; /* 200 KB: of the stack, so that picking cannot fail */
    size_t i, j;
    range_moments_of(&s.moments, h);
    s.low = *low;
    s.high = *high;
    s.symmetric = symmetric;
    s.low_code = low_code;
    s.high_code = high_code;
    range_search(error_at, &s, symmetric || !(*low < 0) ? 0 : STEPS, *high > 0 ? STEPS : 0, &i, &j);
    *high = s.high * (double)j / STEPS;
    *low = symmetric ? -*high : s.low * (double)i / STEPS;
}
