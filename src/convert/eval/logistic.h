/* SPDX-License-Identifier: Apache-2.0
 *
 * Multinomial logistic regression, as scikit-learn's LogisticRegression() defines it (C = 1, an intercept that is not
 * regularized), run until it has converged:
 *
 *     minimize  sum_i -log softmax(W x_i + b)[label_i]  +  |W|^2 / 2
 *
 * float64 throughout; the same bits with any number of threads. */
#ifndef MINNOW_CONVERT_EVAL_LOGISTIC_H
#define MINNOW_CONVERT_EVAL_LOGISTIC_H

#include "base/thread.h"
#include "convert/eval/lbfgs.h"
#include "convert/eval/task.h"

typedef struct logistic logistic;

/* Fits to items [n], whose labels are below n_classes; vectors [*, dimensions] by text. `result` may be NULL. */
minnow_status logistic_fit(logistic **out, const float *vectors, size_t dimensions, const eval_labelled *items,
                           size_t n, size_t n_classes, thread_pool *pool, lbfgs_result *result, minnow_error *error);
void logistic_close(logistic **l);
/* Weight of a dimension for a class, or for dimension == dimensions the class' intercept. */
double logistic_weight(const logistic *l, size_t dimension, size_t class_index);
/* How many of the items get their label; the first class wins a tie. */
minnow_status logistic_count_right(const logistic *l, const float *vectors, const eval_labelled *items, size_t n,
                                   size_t *n_right, minnow_error *error);

/* Fits to a task's train items; accuracy on its test items, from 0 to 1. */
minnow_status eval_score_classification(const eval_task *t, const float *vectors, size_t dimensions, thread_pool *pool,
                                        double *accuracy, minnow_error *error);

#endif
