/* SPDX-License-Identifier: Apache-2.0
 *
 * Vectors of a task's texts -> scores, in per cent.
 *
 *   sts             spearman     rank correlation of the cosine with the gold score, tied values at their average rank
 *                   pearson      correlation of the cosine with the gold score
 *   retrieval       ndcg@10      gain = grade, discount 1 / log2(1 + rank), over the ideal order of all judgements
 *                   recall@100   share of the relevant documents among the first 100
 *                   mrr@10       1 / rank of the first relevant document, 0 beyond the tenth
 *   classification  accuracy     of a logistic regression on the vectors as they are (logistic.h)
 *
 * All sums are float64 in one order, so threads change nothing. A score that is not defined (all vectors or all gold
 * scores alike) is NaN. */
#ifndef MINNOW_CONVERT_EVAL_SCORE_H
#define MINNOW_CONVERT_EVAL_SCORE_H

#include "base/thread.h"
#include "convert/eval/task.h"

#define EVAL_MAX_SCORES 3
typedef struct eval_scores {
    size_t count;     /* metrics; the first is the task's score. 0 for sentences */
    const char *metrics[EVAL_MAX_SCORES];
    double values[EVAL_MAX_SCORES];
    size_t n_scored;  /* pairs, queries or test texts */
} eval_scores;

/* vectors [t->n_texts, dimensions]. `pool` may be NULL. */
minnow_status eval_score(eval_scores *out, const eval_task *t, const float *vectors, size_t dimensions,
                         thread_pool *pool, minnow_error *error);
/* 100 (candidate - reference) / reference of one metric; NaN if either has none, or the reference's is 0. */
double eval_scores_change(const eval_scores *reference, const eval_scores *candidate, size_t metric);
/* The metrics' names, without scoring. */
void eval_score_names(eval_scores *out, eval_kind kind);

/* a and b [n]; NaN if undefined. Spearman needs memory for the ranks. */
double eval_pearson(const double *a, const double *b, size_t n);
minnow_status eval_spearman(const double *a, const double *b, size_t n, double *out, minnow_error *error);

/* One query's documents, best first [n_ranked, at most 100] -> ndcg@10, recall@100, mrr@10. */
#define EVAL_RANKED 100
void eval_rank_metrics(const eval_query *query, const uint32_t *ranked, size_t n_ranked, double metrics[3]);
/* The nearest documents to a query by cosine, at most EVAL_RANKED; of equal ones the first in the corpus. Gives their
 * number. */
size_t eval_search(const eval_task *t, const float *vectors, size_t dimensions, uint32_t text, uint32_t *ranked);

#endif
