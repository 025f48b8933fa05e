/* SPDX-License-Identifier: Apache-2.0
 * Exact search by cosine, and what it is worth. */
#ifndef MINNOW_CONVERT_EVAL_RETRIEVAL_H
#define MINNOW_CONVERT_EVAL_RETRIEVAL_H

#include "base/thread.h"
#include "convert/eval/task.h"

/* Means over the queries of ndcg@10, recall@100 and mrr@10, from 0 to 1. */
minnow_status eval_score_retrieval(const eval_task *t, const float *vectors, size_t dimensions, thread_pool *pool,
                                   double metrics[3], minnow_error *error);

#endif
