/* SPDX-License-Identifier: Apache-2.0 */
#include "run/engine/pool.h"

#include <math.h>

static void mean(const float *tokens, size_t n_tokens, size_t dimensions, double *out) {
    size_t t, d;
    for (d = 0; d < dimensions; d++) out[d] = 0.0;
    for (t = 0; t < n_tokens; t++)
        for (d = 0; d < dimensions; d++) out[d] += (double)tokens[t * dimensions + d];
    for (d = 0; d < dimensions; d++) out[d] /= (double)n_tokens;
}

static void maximum(const float *tokens, size_t n_tokens, size_t dimensions, double *out) {
    size_t t, d;
    for (d = 0; d < dimensions; d++) out[d] = (double)tokens[d];
    for (t = 1; t < n_tokens; t++)
        for (d = 0; d < dimensions; d++) {
            const double x = (double)tokens[t * dimensions + d];
            if (x > out[d]) out[d] = x;
        }
}

void pool_finish(const double *v, size_t dimensions, int normalize, float *out) {
    double p[8] = {0}, norm = 1.0;
    size_t d;
    if (normalize) {
        for (d = 0; d < dimensions; d++) p[d % 8] += v[d] * v[d];
        /* sqrt is correctly rounded everywhere (IEEE 754), so it is no libm function in the sense that matters. */
        norm = sqrt(((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7])));
        if (!(norm > 1e-12)) norm = 1e-12; /* as torch.nn.functional.normalize does */
    }
    for (d = 0; d < dimensions; d++) out[d] = (float)(v[d] / norm);
}

void pool_tokens(const float *tokens, size_t n_tokens, size_t dimensions, minnow_pooling pooling, int normalize,
                 double *scratch, float *out) {
    size_t d;
    if (pooling == MINNOW_POOLING_CLS)
        for (d = 0; d < dimensions; d++) scratch[d] = (double)tokens[d];
    else if (pooling == MINNOW_POOLING_MAX)
        maximum(tokens, n_tokens, dimensions, scratch);
    else
        mean(tokens, n_tokens, dimensions, scratch);
    pool_finish(scratch, dimensions, normalize, out);
}
