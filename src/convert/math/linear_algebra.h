/* SPDX-License-Identifier: Apache-2.0
 *
 * Float64 linear algebra for quantization: Cholesky factors and solves, the same bits on every machine and with any
 * number of threads. Every element is one chain of multiplications and subtractions in ascending order; threads and
 * vectors share elements, never a chain. */
#ifndef MINNOW_CONVERT_LINEAR_ALGEBRA_H
#define MINNOW_CONVERT_LINEAR_ALGEBRA_H

#include "base/thread.h"

#define LINEAR_LANES 16 /* right-hand sides that are worked on side by side */

/* y[l] -= sum over i of a[i] * x[i][l], i ascending; x [n][16], y [16]. No alignment is asked for. */
void linear_subtract(double *y, const double *a, const double *x, size_t n);

/* a [n, n], symmetric (the lower triangle is read) -> its factor: a = L L^T; L in the lower triangle, L^T in the
 * upper one. MINNOW_ERROR_ARGUMENT if a is not positive definite (or has a NaN), MINNOW_ERROR_MEMORY. */
minnow_status linear_cholesky(double *a, size_t n, thread_pool *pool, minnow_error *error);

/* x [n][16] = (L L^T)^-1 x, with the factor of linear_cholesky. */
void linear_cholesky_solve(const double *factor, size_t n, double *x);

#endif
