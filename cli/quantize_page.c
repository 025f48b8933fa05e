/* SPDX-License-Identifier: Apache-2.0
 * A finished quantization -> the input of convert/report -> a page. */
#include "quantize_page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "convert/report/report.h"

#define DRIFT_TEXTS ((size_t)32) /* the first of those that the vectors were compared on */

static minnow_status out_of_memory(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

/* --- Before --------------------------------------------------------------------------------------------------- */

minnow_status quantize_page_prepare(eval_tasks *tasks, const quantize_job *j, minnow_error *error) {
    const quantize_settings *s = j->settings;
    memset(tasks, 0, sizeof *tasks);
    if (s->report == NULL) return MINNOW_OK;
    TRY(quantize_check_output(&j->source, s->report, error));
    if (quantize_is_same_file(s->report, quantize_job_output(j)))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "%s: the model and the report about it, in one file",
                         strcmp(s->report, cli_output_path("-")) == 0 ? "standard output" : s->report);
    return eval_tasks_open(tasks, (char *const *)s->eval, s->n_eval, error);
}

/* --- Numbers -------------------------------------------------------------------------------------------------- */

typedef struct page {
    quantize_job *job;
    report_input in;
    quantize_options options;
    report_drift *drift; /* [n_layers + 1] */
    report_task *tasks;
    eval_report scores;
} page;

static minnow_status compare_layers(page *p, minnow_error *error) {
    const quantize_source *source = &p->job->source;
    calibration_texts texts;
    minnow_status status = MINNOW_OK;
    int held_out;
    TRY(quantize_check_texts(&texts, &held_out, source, error));
    if (texts.n_texts > 0) {
        const engine_texts some = {texts.ids, texts.starts, texts.n_texts < DRIFT_TEXTS ? texts.n_texts : DRIFT_TEXTS};
        quantize_progress_update(&p->job->progress, "report", 0, 1);
        p->drift = calloc(p->job->model->n_layers + 1, sizeof *p->drift);
        status = p->drift == NULL ? out_of_memory(error)
                                  : report_drift_run(p->drift, p->job->model, source->floats, &some, error);
        quantize_progress_end(&p->job->progress);
        p->in.drift = p->drift;
        p->in.n_drift_texts = some.n_texts;
        p->in.n_drift_tokens = texts.starts[some.n_texts];
    }
    calibration_texts_free(&texts);
    return status;
}

static report_task task_of(const eval_result *r) {
    const int compared = r->cosines.n > 0;
    return (report_task){r->task->name, eval_kind_name(r->task->kind), r->reference, r->candidate, r->task->n_texts,
                         compared ? r->cosines.sum / (double)r->cosines.n : (double)NAN,
                         compared ? r->cosines.least : (double)NAN};
}

/* The file as other commands will open it, and the model that it was made from. */
static minnow_status score(page *p, const eval_tasks *tasks, minnow_error *error) {
    const quantize_settings *s = p->job->settings;
    const calibration_options *c = &s->calibration;
    cli_model_options made = {.model = quantize_job_output(p->job), .n_threads = c->n_threads,
                              .max_tokens = p->job->source.max_tokens};
    cli_model_options source = made;
    const eval_run run = {&made, &source, NULL};
    source.model = c->model;
    source.tokenizer = c->tokenizer;
    source.external_data = c->external_data;
    if (tasks->n == 0) return MINNOW_OK;
    TRY(eval_report_create(&p->scores, tasks, error));
    TRY(eval_run_tasks(&p->scores, &run, tasks, error));
    p->tasks = calloc(p->scores.n, sizeof *p->tasks);
    if (p->tasks == NULL) return out_of_memory(error);
    for (size_t i = 0; i < p->scores.n; i++) p->tasks[i] = task_of(&p->scores.results[i]);
    p->in.tasks = p->tasks;
    p->in.n_tasks = p->scores.n;
    return MINNOW_OK;
}

/* --- Page ----------------------------------------------------------------------------------------------------- */

static void describe(page *p) {
    const quantize_job *j = p->job;
    const quantize_check *check = &j->check;
    p->options = j->settings->quantize;
    p->options.n_copies = j->model->intermediate - j->source.encoder->intermediate;
    p->in = (report_input){
        .encoder = j->source.encoder, .ranges = j->ranges, .model = j->model, .tokenizer = j->source.tokenizer,
        .options = &p->options, .matrices = j->matrices, .output = path_name(quantize_job_output(j)),
        .texts = j->source.texts_path != NULL ? path_name(j->source.texts_path) : NULL,
        .ranges_given = j->settings->ranges != NULL,
        .file = j->settings->to_onnx ? NULL : j->file, .file_bytes = j->file_bytes,
        .source_bytes = j->labels.bytes, .n_compared = check->n_texts, .held_out = check->held_out,
        .cosine_mean = check->mean, .cosine_least = check->least,
    };
}

minnow_status quantize_page_write(quantize_job *j, const eval_tasks *tasks, minnow_error *error) {
    page p;
    minnow_status status;
    if (j->settings->report == NULL) return MINNOW_OK;
    memset(&p, 0, sizeof p);
    p.job = j;
    describe(&p);
    status = compare_layers(&p, error);
    if (status == MINNOW_OK) status = score(&p, tasks, error);
    if (status == MINNOW_OK) status = report_write(&p.in, j->settings->report, error);
    eval_report_free(&p.scores);
    free(p.tasks);
    free(p.drift);
    return status;
}
