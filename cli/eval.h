/* SPDX-License-Identifier: Apache-2.0
 * minnow eval, in parts: folders -> tasks, a model or a folder of vectors -> vectors, both -> a report, a report ->
 * text. */
#ifndef MINNOW_CLI_EVAL_H
#define MINNOW_CLI_EVAL_H

#include "cli.h"
#include "convert/eval/score.h"
#include "encoder.h"

/* --- Tasks (eval_tasks.c) ----------------------------------------------------------------------------------- */

typedef struct eval_tasks {
    eval_task **items;
    size_t n, capacity;
    size_t n_texts; /* of all tasks */
} eval_tasks;

/* Each folder is a task, or holds folders that are (those that are not are passed over), which are taken in the order
 * of their names. Two tasks of one name are an error. */
minnow_status eval_tasks_open(eval_tasks *out, char *const *folders, size_t n, minnow_error *error);
void eval_tasks_close(eval_tasks *t);

/* --- Vectors (eval_vectors.c) ------------------------------------------------------------------------------- */

/* A model, or a folder with TASK.npy for each task: float32 [n_texts, dimensions]. */
typedef struct eval_source {
    const char *path; /* NULL: the default model */
    int is_vectors, is_open;
    cli_encoder encoder;
    cli_progress *progress;
    uint64_t *n_done; /* texts, for the progress bar */
} eval_source;

/* Vectors of one task's texts. */
typedef struct eval_vectors {
    float *data; /* [n_texts, dimensions] */
    size_t dimensions;
    uint32_t *n_tokens; /* [n_texts]; NULL if the source does not tell */
    uint8_t *truncated; /* [n_texts]; the same */
    arena memory;       /* where `data` lies if it comes from a file */
    int is_read;
} eval_vectors;

/* A path that is a folder with at least one task's .npy is taken for vectors, anything else for a model. */
minnow_status eval_source_open(eval_source *out, const cli_model_options *options, const eval_tasks *tasks,
                               minnow_error *error);
void eval_source_close(eval_source *s);
minnow_status eval_source_vectors(eval_source *s, const eval_task *t, eval_vectors *out, minnow_error *error);
void eval_vectors_free(eval_vectors *v);
/* FOLDER/TASK.npy */
minnow_status eval_vectors_save(const eval_vectors *v, const eval_task *t, const char *folder, minnow_error *error);

/* --- Report (eval_report.c, eval_print.c) ------------------------------------------------------------------- */

typedef struct eval_cosines {
    size_t n;
    double sum, least;
} eval_cosines;

/* isnan of mingw's math.h narrows a double to float. */
static inline int eval_is_nan(double x) { return x != x; }

#define EVAL_BUCKETS 5 /* by tokens; the last one is of the long texts */
extern const size_t eval_bucket_first[EVAL_BUCKETS];

typedef struct eval_result {
    const eval_task *task;
    eval_scores reference, candidate;
    eval_cosines cosines;
    size_t n_truncated;
} eval_result;

typedef struct eval_report {
    const char *model, *reference; /* paths; reference NULL: none */
    eval_result *results;          /* [n] */
    size_t n;
    eval_cosines cosines, buckets[EVAL_BUCKETS];
    size_t n_texts, n_truncated;
    int has_tokens, has_reference;
} eval_report;

minnow_status eval_report_create(eval_report *out, const eval_tasks *tasks, minnow_error *error);
void eval_report_free(eval_report *r);
/* Scores the next task. `reference` NULL: there is none. */
minnow_status eval_report_add(eval_report *r, const eval_task *t, const eval_vectors *candidate,
                              const eval_vectors *reference, thread_pool *pool, minnow_error *error);
/* 100 (candidate - reference) / reference of one metric; NaN if there is none. */
double eval_result_change(const eval_result *r, size_t metric);
/* Mean change of the tasks' first metrics, and the worst; NaN if none has one. */
double eval_report_change(const eval_report *r, double *worst);

/* --- Running (eval_run.c) ----------------------------------------------------------------------------------- */

typedef struct eval_run {
    const cli_model_options *model, *reference; /* reference NULL: none */
    const char *save;                           /* a folder for the model's vectors; NULL: none */
} eval_run;

/* Scores all tasks; `report` is of eval_report_create. */
minnow_status eval_run_tasks(eval_report *report, const eval_run *run, const eval_tasks *tasks, minnow_error *error);

void eval_print_table(const eval_report *r);
void eval_print_json(const eval_report *r);

#endif
