/* SPDX-License-Identifier: Apache-2.0 */
#include "convert/eval/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convert/eval/logistic.h"
#include "convert/eval/retrieval.h"
#include "convert/eval/task_read.h"
#include "convert/eval/vector.h"

void eval_score_names(eval_scores *out, eval_kind kind) {
    static const char *const names[EVAL_KINDS][EVAL_MAX_SCORES] = {
        [EVAL_STS] = {"spearman", "pearson"},
        [EVAL_CLASSIFICATION] = {"accuracy"},
        [EVAL_RETRIEVAL] = {"ndcg@10", "recall@100", "mrr@10"},
    };
    memset(out, 0, sizeof *out);
    while (out->count < EVAL_MAX_SCORES && names[kind][out->count] != NULL) {
        out->metrics[out->count] = names[kind][out->count];
        out->count++;
    }
}

/* --- Correlation --------------------------------------------------------------------------------------------- */

double eval_pearson(const double *a, const double *b, size_t n) {
    double mean_a = 0, mean_b = 0, ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        mean_a += a[i];
        mean_b += b[i];
    }
    mean_a /= (double)n;
    mean_b /= (double)n;
    for (size_t i = 0; i < n; i++) {
        const double x = a[i] - mean_a, y = b[i] - mean_b;
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    return aa > 0 && bb > 0 ? ab / (sqrt(aa) * sqrt(bb)) : (double)NAN;
}

typedef struct ranked_value {
    double value;
    size_t index;
} ranked_value;

static int compare_values(const void *a, const void *b) {
    const ranked_value *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* values [n] -> ranks [n] from 1, equal values at the mean of their ranks. */
static void rank(const double *values, size_t n, ranked_value *sorted, double *ranks) {
    for (size_t i = 0; i < n; i++) sorted[i] = (ranked_value){values[i], i};
    qsort(sorted, n, sizeof *sorted, compare_values);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && sorted[end].value == sorted[i].value;) end++;
        for (size_t k = i; k < end; k++) ranks[sorted[k].index] = (double)(i + 1 + end) / 2;
    }
}

minnow_status eval_spearman(const double *a, const double *b, size_t n, double *out, minnow_error *error) {
    ranked_value *sorted = calloc(n + 1, sizeof *sorted);
    double *ranks = calloc(n + 1, 2 * sizeof *ranks);
    minnow_status status = MINNOW_OK;
    if (sorted == NULL || ranks == NULL) {
        status = eval_out_of_memory(error);
    } else {
        rank(a, n, sorted, ranks);
        rank(b, n, sorted, ranks + n);
        *out = eval_pearson(ranks, ranks + n, n);
    }
    free(sorted);
    free(ranks);
    return status;
}

static minnow_status score_sts(eval_scores *out, const eval_task *t, const float *vectors, size_t dimensions,
                               minnow_error *error) {
    double *cosines = calloc(t->n_pairs, 2 * sizeof *cosines), *gold;
    minnow_status status;
    if (cosines == NULL) return eval_out_of_memory(error);
    gold = cosines + t->n_pairs;
    for (size_t i = 0; i < t->n_pairs; i++) {
        const eval_pair *p = &t->pairs[i];
        cosines[i] = eval_cosine(vectors + p->a * dimensions, vectors + p->b * dimensions, dimensions);
        gold[i] = p->score;
    }
    status = eval_spearman(cosines, gold, t->n_pairs, &out->values[0], error);
    out->values[1] = eval_pearson(cosines, gold, t->n_pairs);
    out->n_scored = t->n_pairs;
    free(cosines);
    return status;
}

/* --- All kinds ----------------------------------------------------------------------------------------------- */

minnow_status eval_score(eval_scores *out, const eval_task *t, const float *vectors, size_t dimensions,
                         thread_pool *pool, minnow_error *error) {
    minnow_status status = MINNOW_OK;
    eval_score_names(out, t->kind);
    switch (t->kind) {
    case EVAL_STS: status = score_sts(out, t, vectors, dimensions, error); break;
    case EVAL_RETRIEVAL:
        status = eval_score_retrieval(t, vectors, dimensions, pool, out->values, error);
        out->n_scored = t->n_queries;
        break;
    case EVAL_CLASSIFICATION:
        status = eval_score_classification(t, vectors, dimensions, pool, &out->values[0], error);
        out->n_scored = t->n_test;
        break;
    default: break;
    }
    for (size_t i = 0; i < out->count; i++) out->values[i] *= 100;
    return status;
}

double eval_scores_change(const eval_scores *reference, const eval_scores *candidate, size_t metric) {
    const double from = metric < reference->count ? reference->values[metric] : (double)NAN;
    if (metric >= candidate->count || from == 0) return (double)NAN;
    return 100 * (candidate->values[metric] - from) / from;
}
