/* SPDX-License-Identifier: Apache-2.0
 * Tasks + a model (+ a reference) -> a report. One task's vectors are in memory. */
#include <string.h>

#include "eval.h"

typedef struct sides {
    const eval_run *run;
    eval_source model, reference;
    thread_pool *pool;
    cli_progress progress;
    uint64_t n_done;
} sides;

static minnow_status run_task(sides *both, const eval_task *t, eval_report *report, minnow_error *error) {
    const int has_reference = both->run->reference != NULL;
    eval_vectors candidate, reference;
    minnow_status status;
    memset(&reference, 0, sizeof reference);
    TRY(eval_source_vectors(&both->model, t, &candidate, error));
    status = both->run->save != NULL ? eval_vectors_save(&candidate, t, both->run->save, error) : MINNOW_OK;
    if (status == MINNOW_OK && has_reference) status = eval_source_vectors(&both->reference, t, &reference, error);
    if (status == MINNOW_OK)
        status = eval_report_add(report, t, &candidate, has_reference ? &reference : NULL, both->pool, error);
    eval_vectors_free(&candidate);
    eval_vectors_free(&reference);
    return status;
}

static void share_progress(sides *both, eval_source *s) {
    s->progress = &both->progress;
    s->n_done = &both->n_done;
}

static minnow_status run_tasks(sides *both, const eval_tasks *tasks, eval_report *report, minnow_error *error) {
    minnow_status status = MINNOW_OK;
    const size_t n_models = (size_t)both->model.is_open + (size_t)both->reference.is_open;
    cli_progress_begin(&both->progress, "eval", "texts", n_models * tasks->n_texts);
    share_progress(both, &both->model);
    share_progress(both, &both->reference);
    for (size_t i = 0; i < tasks->n && status == MINNOW_OK; i++)
        status = run_task(both, tasks->items[i], report, error);
    cli_progress_end(&both->progress);
    return status;
}

minnow_status eval_run_tasks(eval_report *report, const eval_run *run, const eval_tasks *tasks, minnow_error *error) {
    sides both;
    minnow_status status = MINNOW_OK;
    memset(&both, 0, sizeof both);
    both.run = run;
    TRY_GOTO(eval_source_open(&both.model, run->model, tasks, error));
    if (run->reference != NULL) TRY_GOTO(eval_source_open(&both.reference, run->reference, tasks, error));
    TRY_GOTO(thread_pool_create(&both.pool, run->model->n_threads, error));
    TRY_GOTO(run_tasks(&both, tasks, report, error));
    report->model = run->model->model;
    report->reference = run->reference != NULL ? run->reference->model : NULL;
fail:
    thread_pool_close(&both.pool);
    eval_source_close(&both.model);
    eval_source_close(&both.reference);
    return status;
}
