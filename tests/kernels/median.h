/* SPDX-License-Identifier: Apache-2.0
 * The middle of some times. */
#ifndef MINNOW_TESTS_KERNELS_MEDIAN_H
#define MINNOW_TESTS_KERNELS_MEDIAN_H

#include <stddef.h>
#include <stdlib.h>

static inline int median_order(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of n >= 1 numbers, which it sorts; the upper one of two. */
static inline double median(double *x, size_t n) {
    qsort(x, n, sizeof *x, median_order);
    return x[n / 2];
}

#endif
