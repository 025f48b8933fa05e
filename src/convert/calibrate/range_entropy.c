/* SPDX-License-Identifier: Apache-2.0
 * Histogram -> the range that loses the least information, as TensorRT's calibration has it (Migacz, "8-bit Inference
 * with TensorRT", 2017): P is the histogram cut at a threshold, what is beyond added to its last bin; Q is the same
 * bins, without what is beyond, merged to as many levels as there are codes and spread evenly over the bins of a level
 * that are not empty. The threshold with the least KL(P || Q) is taken. Symmetric sites look at |z|; the others look
 * at both ends.
 *
 *   KL = sum P log(P / Q), and Q is one number a level: with prefix sums of counts and of count * log(count) a
 *   threshold costs one logarithm a level. */
#include "convert/calibrate/ranges_impl.h"
#include "convert/math/math.h"

#define HALF ((size_t)RANGE_BINS / 2)
#define STEPS ((size_t)256) /* thresholds tried at each end of a two-sided range */
#define INFINITE 0x1p1000

static double n_log_n(double n) { return n > 0 ? n * math_log_f64(n) : 0; }

void range_divergence_of(range_divergence *d, const range_histogram *h, int folded) {
    size_t i;
    d->n = folded ? HALF : RANGE_BINS;
    d->before[0] = d->full_before[0] = d->logs_before[0] = 0;
    for (i = 0; i < d->n; i++) {
        const double n = folded ? (double)(h->counts[HALF + i] + h->counts[HALF - 1 - i]) : (double)h->counts[i];
        d->counts[i] = n;
        d->before[i + 1] = d->before[i] + n;
        d->full_before[i + 1] = d->full_before[i] + (n > 0);
        d->logs_before[i + 1] = d->logs_before[i] + n_log_n(n);
    }
}

double range_kl(const range_divergence *d, size_t first, size_t end, size_t levels) {
    const size_t bins = end - first;
    const double below = d->before[first], above = d->before[d->n] - d->before[end], total = d->before[d->n];
    const double kept = d->before[end] - d->before[first];
    const double lowest = d->counts[first], highest = d->counts[end - 1];
    double cross = 0, own = d->logs_before[end] - d->logs_before[first];
    size_t level, from = first, to;
    if (!(kept > 0)) return INFINITE;
    own += n_log_n(lowest + below) - n_log_n(lowest) + n_log_n(highest + above) - n_log_n(highest);
    for (level = 0; level < levels; level++, from = to) {
        double p, q, full;
        to = first + (bins * (level + 1) + levels - 1) / levels; /* bin b has level floor(b * levels / bins) */
        if (to == from) continue;
        q = d->before[to] - d->before[from];
        full = d->full_before[to] - d->full_before[from];
        p = q;
        if (from == first) p += below, full += below > 0 && !(lowest > 0);
        if (to == end) p += above, full += above > 0 && !(highest > 0);
        if (!(p > 0)) continue;
        if (!(q > 0)) return INFINITE;
        cross += p * math_log_f64(q / full);
    }
    return (own - cross) / total + math_log_f64(kept) - math_log_f64(total);
}

typedef struct entropy_search {
    range_divergence divergence;
    size_t low_bins, high_bins, levels; /* bins that the exact range has below and above 0 */
} entropy_search;

static size_t share_of(size_t bins, size_t step) { return (bins * step + STEPS - 1) / STEPS; }

static double divergence_at(const void *context, size_t i, size_t j) {
    const entropy_search *s = context;
    const size_t low = share_of(s->low_bins, i), high = share_of(s->high_bins, j);
    if (low + high < s->levels) return INFINITE;
    return range_kl(&s->divergence, HALF - low, HALF + high, s->levels);
}

static size_t bins_of(double z, double width) {
    const double place = z / width;
    size_t bins;
    if (place >= (double)HALF) return HALF;
    bins = (size_t)place;
    return (double)bins < place ? bins + 1 : bins;
}

static void pick_symmetric(const range_histogram *h, size_t levels, double *high) {
    range_divergence d;
    const size_t used = bins_of(*high, h->width);
    double best = INFINITE;
    size_t i;
    range_divergence_of(&d, h, 1);
    for (i = used; i >= levels; i--) {
        const double kl = range_kl(&d, 0, i, levels);
        if (!(kl < best)) continue;
        best = kl;
        if (i < used) *high = (double)i * h->width;
    }
}

void range_pick_entropy(const range_histogram *h, int symmetric, int low_code, int high_code, double *low,
                        double *high) {
    if (symmetric) {
        pick_symmetric(h, (size_t)high_code + 1, high);
        *low = -*high;
    } else {
        entropy_search s;
        size_t i, j;
        range_divergence_of(&s.divergence, h, 0);
        s.low_bins = bins_of(-*low, h->width);
        s.high_bins = bins_of(*high, h->width);
        s.levels = (size_t)(high_code - low_code) + 1;
        range_search(divergence_at, &s, s.low_bins ? STEPS : 0, s.high_bins ? STEPS : 0, &i, &j);
        if (i < STEPS) *low = -(double)share_of(s.low_bins, i) * h->width;
        if (j < STEPS) *high = (double)share_of(s.high_bins, j) * h->width;
    }
}
