/* SPDX-License-Identifier: Apache-2.0
 * Token vectors -> one vector. js/ has the same arithmetic in plain JavaScript, and both give the same bits:
 *   pooling sums tokens in order, per dimension, in float64; the norm is eight strided float64 partial sums and the
 *   tree ((p0+p4)+(p2+p6)) + ((p1+p5)+(p3+p7)); the only rounding to float32 is the last step. */
#ifndef MINNOW_RUN_POOL_H
#define MINNOW_RUN_POOL_H

#include <stddef.h>

#include "minnow.h"

/* tokens: float32 [n_tokens, dimensions], n_tokens >= 1, all of them counted (there is no padding here). scratch:
 * float64 [dimensions]. out: float32 [dimensions], L2-normalized if `normalize` (a vector without length stays zero).
 * pooling is not DEFAULT. */
void pool_tokens(const float *tokens, size_t n_tokens, size_t dimensions, minnow_pooling pooling, int normalize,
                 double *scratch, float *out);

/* The last step alone: out = v / |v|, rounded once; or v, rounded. */
void pool_finish(const double *v, size_t dimensions, int normalize, float *out);

#endif
