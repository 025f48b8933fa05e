/* SPDX-License-Identifier: Apache-2.0
 * Histograms that grow: values -> counts in bins whose width is a power of two, so that two bins make exactly one of
 * the next width, and the order in which values come changes nothing. */
#include <string.h>

#include "convert/calibrate/ranges_impl.h"

#define HALF (RANGE_BINS / 2)

void range_histogram_clear(range_histogram *h, double width) {
    memset(h, 0, sizeof *h);
    h->width = width;
}

double range_histogram_width(double most) {
    double width = RANGE_LEAST_WIDTH;
    while (width * HALF <= most && width < RANGE_MOST_WIDTH) width *= 2;
    return width;
}

/* Bins 2i and 2i + 1, counted from z = 0, become bin i. */
static void double_width(range_histogram *h) {
    uint64_t merged[RANGE_BINS];
    size_t i;
    memset(merged, 0, sizeof merged);
    for (i = 0; i < RANGE_BINS; i++) merged[HALF / 2 + i / 2] += h->counts[i];
    memcpy(h->counts, merged, sizeof merged);
    h->width *= 2;
}

static int fits(const range_histogram *h, float z) {
    return (double)z >= -HALF * h->width && (double)z < HALF * h->width;
}

void range_histogram_add(range_histogram *h, const float *z, size_t n) {
    double inverse = 1 / h->width;
    size_t i;
    for (i = 0; i < n; i++) {
        double place;
        int bin;
        if (!fits(h, z[i])) {
            while (!fits(h, z[i])) double_width(h);
            inverse = 1 / h->width;
        }
        place = (double)z[i] * inverse; /* exact: a power of two */
        bin = (int)place;
        bin -= place < bin;
        h->counts[HALF + bin]++;
    }
    h->total += n;
}

void range_histogram_merge(range_histogram *to, const range_histogram *from) {
    range_histogram widened;
    size_t i;
    while (to->width < from->width) double_width(to);
    if (to->width > from->width) {
        widened = *from;
        while (to->width > widened.width) double_width(&widened);
        from = &widened;
    }
    for (i = 0; i < RANGE_BINS; i++) to->counts[i] += from->counts[i];
    to->total += from->total;
}
