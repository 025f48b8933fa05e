/* SPDX-License-Identifier: Apache-2.0
 * Vectors of two sides -> scores, changes and cosines. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convert/eval/vector.h"
#include "eval.h"

const size_t eval_bucket_first[EVAL_BUCKETS] = {1, 16, 64, 128, 200};

minnow_status eval_report_create(eval_report *out, const eval_tasks *tasks, minnow_error *error) {
    memset(out, 0, sizeof *out);
    out->results = calloc(tasks->n + 1, sizeof *out->results);
    return out->results != NULL ? MINNOW_OK : error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

void eval_report_free(eval_report *r) {
    free(r->results);
    memset(r, 0, sizeof *r);
}

static void add_cosine(eval_cosines *c, double cosine) {
    if (c->n == 0 || cosine < c->least) c->least = cosine;
    c->sum += cosine;
    c->n++;
}

static size_t bucket_of(size_t n_tokens) {
    size_t b = 0;
    while (b + 1 < EVAL_BUCKETS && n_tokens >= eval_bucket_first[b + 1]) b++;
    return b;
}

static void compare_vectors(eval_report *r, eval_result *result, const eval_vectors *a, const eval_vectors *b,
                            const uint32_t *n_tokens) {
    for (size_t i = 0; i < result->task->n_texts; i++) {
        const double cosine = eval_cosine(a->data + i * a->dimensions, b->data + i * a->dimensions, a->dimensions);
        add_cosine(&result->cosines, cosine);
        add_cosine(&r->cosines, cosine);
        if (n_tokens != NULL) add_cosine(&r->buckets[bucket_of(n_tokens[i])], cosine);
    }
}

minnow_status eval_report_add(eval_report *r, const eval_task *t, const eval_vectors *candidate,
                              const eval_vectors *reference, thread_pool *pool, minnow_error *error) {
    eval_result *result = &r->results[r->n];
    const eval_vectors *teller = candidate->n_tokens != NULL || reference == NULL ? candidate : reference;
    memset(result, 0, sizeof *result);
    result->task = t;
    TRY(eval_score(&result->candidate, t, candidate->data, candidate->dimensions, pool, error));
    if (reference != NULL) {
        TRY(eval_score(&result->reference, t, reference->data, reference->dimensions, pool, error));
        if (reference->dimensions == candidate->dimensions) /* else the spaces cannot be compared, the scores can */
            compare_vectors(r, result, candidate, reference, teller->n_tokens);
        r->has_reference = 1;
    }
    for (size_t i = 0; teller->truncated != NULL && i < t->n_texts; i++) result->n_truncated += teller->truncated[i];
    r->has_tokens |= teller->n_tokens != NULL;
    r->n_truncated += result->n_truncated;
    r->n_texts += t->n_texts;
    r->n++;
    return MINNOW_OK;
}

double eval_result_change(const eval_result *r, size_t metric) {
    return eval_scores_change(&r->reference, &r->candidate, metric);
}

double eval_report_change(const eval_report *r, double *worst) {
    double sum = 0;
    size_t n = 0;
    *worst = (double)NAN;
    for (size_t i = 0; i < r->n; i++) {
        const double change = eval_result_change(&r->results[i], 0);
        if (eval_is_nan(change)) continue;
        if (n == 0 || change < *worst) *worst = change;
        sum += change;
        n++;
    }
    return n > 0 ? sum / (double)n : (double)NAN;
}
