/* SPDX-License-Identifier: Apache-2.0
 * What the files of calibration share. */
#ifndef MINNOW_CONVERT_RANGES_IMPL_H
#define MINNOW_CONVERT_RANGES_IMPL_H

#include "convert/calibrate/ranges.h"

#define RANGE_FIRST_BIN (-(RANGE_BINS / 2)) /* bins are numbered from here to RANGE_BINS / 2 - 1; 0 begins at z = 0 */
#define RANGE_LEAST_WIDTH 0x1p-100
#define RANGE_MOST_WIDTH 0x1p+100

/* --- ranges.c ------------------------------------------------------------------------------------------------- */

/* Empty ranges for an encoder of these sizes: names, codes, arrays; s = 1, the rest zero. */
minnow_status ranges_create(ranges **out, size_t n_layers, size_t hidden, size_t intermediate, size_t n_heads,
                            minnow_error *error);
size_t range_channels(const ranges *r, range_role role);
const char *range_role_name(range_role role);

/* --- histogram.c ---------------------------------------------------------------------------------------------- */

void range_histogram_clear(range_histogram *h, double width);
/* The least power of two with which values up to `most` in size fit. */
double range_histogram_width(double most);
/* Counts z; a value that does not fit doubles the width until it does. z must be finite. */
void range_histogram_add(range_histogram *h, const float *z, size_t n);
/* to += from; the wider of the two widths remains. */
void range_histogram_merge(range_histogram *to, const range_histogram *from);

/* --- equalize.c ----------------------------------------------------------------------------------------------- */

/* Pass 1's extremes and means -> center and s of every site. methods [n_sites]: how its range will be chosen. */
void range_equalize(ranges *r, const encoder *e, const range_method *methods);

/* --- range_choose.c ------------------------------------------------------------------------------------------- */

/* What the options ask for at each site: methods [n_sites], AUTO where they leave it open. */
minnow_status range_methods(const ranges *r, const range_options *options, range_method *methods, minnow_error *error);

/* --- range_search.c, range_mse.c, range_entropy.c ------------------------------------------------------------- */

/* The least objective(context, i, j) over 0 <= i <= n_low, 0 <= j <= n_high: a coarse grid that holds the corner
 * (n_low, n_high), then one axis after the other until nothing gets better. Of equals the wider wins. */
typedef double (*range_objective_fn)(const void *context, size_t i, size_t j);
void range_search(range_objective_fn objective, const void *context, size_t n_low, size_t n_high, size_t *low,
                  size_t *high);

/* Each gets the exact range (low <= 0 <= high, low < high; symmetric: low = -high) and narrows it. */
void range_pick_mse(const range_histogram *h, int symmetric, int low_code, int high_code, double *low, double *high);
void range_pick_entropy(const range_histogram *h, int symmetric, int low_code, int high_code, double *low,
                        double *high);

/* Mean squared error over the bins' centres, of codes [low_code, high_code] that stand for (code - zero_point) *
 * scale. */
typedef struct range_moments { /* over bins before i: counts, sums and sums of squares of the bins' centres */
    double width, count[RANGE_BINS + 1], sum[RANGE_BINS + 1], squares[RANGE_BINS + 1];
} range_moments;
void range_moments_of(range_moments *m, const range_histogram *h);
double range_mse(const range_moments *m, double scale, int zero_point, int low_code, int high_code);

/* KL(P || Q): P the bins [first, end) with the counts outside added to the outermost, Q the same without, merged to
 * `levels` and spread over the bins that P has. Infinite where Q lacks what P has. */
typedef struct range_divergence {
    size_t n;                            /* bins */
    double counts[RANGE_BINS];
    double before[RANGE_BINS + 1];       /* counts of bins before i */
    double full_before[RANGE_BINS + 1];  /* how many of those are not empty */
    double logs_before[RANGE_BINS + 1];  /* sum of count * log(count) */
} range_divergence;
void range_divergence_of(range_divergence *d, const range_histogram *h, int folded);
double range_kl(const range_divergence *d, size_t first, size_t end, size_t levels);

/* As range_scale, from a range. */
void range_grid(double low, double high, int symmetric, int low_code, int high_code, float *scale, int *zero_point);

/* --- range_choose.c, range_auto.c ----------------------------------------------------------------------------- */

/* Sets method, low and high of a site by its histogram. */
void range_apply(range_site *site, range_method method, double percentile);
/* Tries every method at the sites where wanted[i] is set and keeps what changes the pooled, normalized output least. */
minnow_status range_auto(ranges *r, float_encoder *f, const calibration_texts *texts, const uint8_t *wanted,
                         const range_options *options, double percentile, minnow_error *error);
/* x [rows, channels] -> what its codes stand for, in place or not. */
void range_round_trip(const range_site *site, const float *x, size_t rows, float *y);

#endif
