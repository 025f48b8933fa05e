/* SPDX-License-Identifier: Apache-2.0
 * Definitions: score.h; formulas as in trec_eval (ndcg_cut, recall, recip_rank), whose gain is the grade itself. */
#include "convert/eval/retrieval.h"

#include <stdlib.h>
#include <string.h>

#include "convert/eval/score.h"
#include "convert/eval/task_read.h"
#include "convert/eval/vector.h"
#include "convert/math/math.h"

#define CUT 10   /* of ndcg and mrr */
#define GROUP 8  /* queries that share one pass over the documents */

/* --- Search -------------------------------------------------------------------------------------------------- */

/* The best documents so far, best first. */
typedef struct ranking {
    size_t n;
    double scores[EVAL_RANKED];
    uint32_t documents[EVAL_RANKED];
} ranking;

/* Documents come in the corpus' order, so one that is only as good stays behind. */
static void ranking_offer(ranking *r, uint32_t document, double score) {
    size_t at = r->n;
    if (r->n == EVAL_RANKED && !(score > r->scores[EVAL_RANKED - 1])) return;
    if (r->n == EVAL_RANKED) at--;
    else r->n++;
    for (; at > 0 && r->scores[at - 1] < score; at--) {
        r->scores[at] = r->scores[at - 1];
        r->documents[at] = r->documents[at - 1];
    }
    r->scores[at] = score;
    r->documents[at] = document;
}

/* n queries at a time: a document's vector is loaded once for all of them. */
static void search(const eval_task *t, const float *vectors, size_t dimensions, const uint32_t *texts, size_t n,
                   ranking *rankings) {
    double squares[GROUP];
    for (size_t q = 0; q < n; q++) {
        const float *v = vectors + texts[q] * dimensions;
        squares[q] = eval_dot(v, v, dimensions);
        rankings[q].n = 0;
    }
    for (size_t d = 0; d < t->n_documents; d++) {
        const float *document = vectors + t->documents[d] * dimensions;
        const double square = eval_dot(document, document, dimensions);
        for (size_t q = 0; q < n; q++) {
            const double product = eval_dot(vectors + texts[q] * dimensions, document, dimensions);
            ranking_offer(&rankings[q], (uint32_t)d, eval_cosine_of(product, squares[q], square));
        }
    }
}

size_t eval_search(const eval_task *t, const float *vectors, size_t dimensions, uint32_t text, uint32_t *ranked) {
    ranking r;
    search(t, vectors, dimensions, &text, 1, &r);
    memcpy(ranked, r.documents, r.n * sizeof *ranked);
    return r.n;
}

/* --- Metrics ------------------------------------------------------------------------------------------------- */

static double discount(size_t rank) { return math_log_f64(2) / math_log_f64((double)(rank + 2)); } /* rank from 0 */

static double grade_of(const eval_query *query, uint32_t document) {
    for (size_t i = 0; i < query->n_judgements; i++)
        if (query->judgements[i].document == document) return query->judgements[i].grade;
    return 0;
}

/* The gain of an order that puts the highest grades first. */
static double ideal_gain(const eval_query *query) {
    double best[CUT] = {0}, sum = 0;
    for (size_t i = 0; i < query->n_judgements; i++) {
        double grade = query->judgements[i].grade;
        for (size_t k = 0; k < CUT; k++) {
            if (!(grade > best[k])) continue;
            const double displaced = best[k];
            best[k] = grade;
            grade = displaced;
        }
    }
    for (size_t k = 0; k < CUT; k++) sum += best[k] * discount(k);
    return sum;
}

void eval_rank_metrics(const eval_query *query, const uint32_t *ranked, size_t n_ranked, double metrics[3]) {
    double gain = 0;
    size_t found = 0;
    metrics[2] = 0;
    for (size_t i = 0; i < n_ranked; i++) {
        const double grade = grade_of(query, ranked[i]);
        if (!(grade > 0)) continue;
        if (i < CUT) gain += grade * discount(i);
        if (i < CUT && found == 0) metrics[2] = 1 / (double)(i + 1);
        found++;
    }
    metrics[0] = gain / ideal_gain(query);
    metrics[1] = (double)found / (double)query->n_judgements;
}

/* --- All queries --------------------------------------------------------------------------------------------- */

typedef struct job {
    const eval_task *task;
    const float *vectors;
    size_t dimensions;
    ranking *rankings;    /* [threads, GROUP] */
    double (*metrics)[3]; /* [n_queries] */
} job;

static void run_part(void *context, size_t part, size_t n_parts) {
    const job *j = context;
    const eval_task *t = j->task;
    ranking *rankings = j->rankings + part * GROUP;
    size_t begin, end;
    thread_pool_share(t->n_queries, GROUP, part, n_parts, &begin, &end);
    for (size_t first = begin; first < end; first += GROUP) {
        const size_t n = end - first < GROUP ? end - first : GROUP;
        uint32_t texts[GROUP] = {0};
        for (size_t q = 0; q < n; q++) texts[q] = t->queries[first + q].text;
        search(t, j->vectors, j->dimensions, texts, n, rankings);
        for (size_t q = 0; q < n; q++)
            eval_rank_metrics(&t->queries[first + q], rankings[q].documents, rankings[q].n, j->metrics[first + q]);
    }
}

minnow_status eval_score_retrieval(const eval_task *t, const float *vectors, size_t dimensions, thread_pool *pool,
                                   double metrics[3], minnow_error *error) {
    job j = {t, vectors, dimensions, NULL, NULL};
    minnow_status status = MINNOW_OK;
    j.rankings = calloc(thread_pool_size(pool), GROUP * sizeof *j.rankings);
    j.metrics = calloc(t->n_queries, sizeof *j.metrics);
    if (j.rankings == NULL || j.metrics == NULL) {
        status = eval_out_of_memory(error);
    } else {
        thread_pool_run(pool, run_part, &j);
        for (size_t m = 0; m < 3; m++) {
            double sum = 0;
            for (size_t q = 0; q < t->n_queries; q++) sum += j.metrics[q][m];
            metrics[m] = sum / (double)t->n_queries;
        }
    }
    free(j.rankings);
    free(j.metrics);
    return status;
}
