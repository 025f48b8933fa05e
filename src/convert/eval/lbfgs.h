/* SPDX-License-Identifier: Apache-2.0
 * The minimum of a smooth convex function, by L-BFGS (Nocedal and Wright, Numerical Optimization, algorithm 7.5) with a
 * backtracking line search. */
#ifndef MINNOW_CONVERT_EVAL_LBFGS_H
#define MINNOW_CONVERT_EVAL_LBFGS_H

#include <stddef.h>

#include "base/error.h"

/* The value at x [n]; writes the gradient [n]. */
typedef double (*lbfgs_fn)(void *context, const double *x, double *gradient);

typedef struct lbfgs_result {
    size_t n_iterations, n_evaluations;
    double value, largest_gradient;
    int converged; /* no element of the gradient is above the tolerance, or no step goes down any more */
} lbfgs_result;

/* Starts from x [n] and leaves the minimum there. `result` may be NULL. */
minnow_status lbfgs_minimize(lbfgs_fn function, void *context, double *x, size_t n, double tolerance,
                             size_t max_iterations, lbfgs_result *result, minnow_error *error);

#endif
