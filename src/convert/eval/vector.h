/* SPDX-License-Identifier: Apache-2.0
 * Products of float32 vectors, summed in float64: 8 strided partial sums and a fixed tree. */
#ifndef MINNOW_CONVERT_EVAL_VECTOR_H
#define MINNOW_CONVERT_EVAL_VECTOR_H

#include <math.h>
#include <stddef.h>

static inline double eval_dot(const float *a, const float *b, size_t n) {
    double p[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++) p[j] += (double)a[i + j] * (double)b[i + j];
    for (; i < n; i++) p[i % 8] += (double)a[i] * (double)b[i];
    return ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7]));
}

/* From the product and both squared lengths: exactly 1 for equal vectors, 0 if one has no length. */
static inline double eval_cosine_of(double ab, double aa, double bb) {
    const double length = sqrt(aa * bb);
    const double cosine = length > 0 ? ab / length : 0;
    return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

static inline double eval_cosine(const float *a, const float *b, size_t n) {
    return eval_cosine_of(eval_dot(a, b, n), eval_dot(a, a, n), eval_dot(b, b, n));
}

#endif
