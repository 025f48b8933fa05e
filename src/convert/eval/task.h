/* SPDX-License-Identifier: Apache-2.0
 *
 * A task: a folder of texts with gold answers -> what is to be encoded, and what the vectors are scored against.
 *
 *   kind            files                                 a line
 *   sts             test.tsv                              score <TAB> a <TAB> b
 *   classification  train.tsv, test.tsv                   label <TAB> text
 *   retrieval       corpus.jsonl, queries.jsonl           {"_id", "title" (may be missing), "text"}
 *                   qrels.tsv                             query-id <TAB> corpus-id <TAB> score; a header may be there
 *   sentences       sentences.tsv                         the last column is the text; there is nothing to score
 *
 * Other files of the folder are not read. A folder with train.tsv is still sts if test.tsv's first line has three
 * columns. What a task encodes are its distinct texts, in the order in which they first appear (retrieval: documents,
 * then queries); everything else refers to them by number. */
#ifndef MINNOW_CONVERT_EVAL_TASK_H
#define MINNOW_CONVERT_EVAL_TASK_H

#include "convert/eval/lines.h"

typedef enum eval_kind { EVAL_STS, EVAL_CLASSIFICATION, EVAL_RETRIEVAL, EVAL_SENTENCES, EVAL_KINDS } eval_kind;
const char *eval_kind_name(eval_kind kind);
#define EVAL_MAX_FILES 3
#define EVAL_MAX_CLASSES 4096 /* labels: the regression's memory grows with labels * dimensions */
/* File names of a kind in the order of eval_task_read, NULL after the last. */
const char *const *eval_kind_files(eval_kind kind);

typedef struct eval_pair {
    uint32_t a, b; /* texts */
    double score;
} eval_pair;

typedef struct eval_labelled {
    uint32_t text, label;
} eval_labelled;

typedef struct eval_judgement {
    uint32_t document; /* its number; EVAL_NO_STRING if the corpus has no such document */
    double grade;      /* > 0: relevant */
} eval_judgement;

typedef struct eval_query {
    uint32_t text;
    const eval_judgement *judgements; /* [n_judgements]: the relevant ones */
    size_t n_judgements;
} eval_query;

typedef struct eval_task {
    arena memory;
    char *name; /* the folder's */
    eval_kind kind;
    const eval_text *texts; /* [n_texts], distinct */
    size_t n_texts;
    eval_pair *pairs;              /* sts [n_pairs] */
    size_t n_pairs;
    eval_labelled *train, *test;   /* classification; test labels from n_classes on are not in train.tsv */
    size_t n_train, n_test, n_classes;
    uint32_t *documents;           /* retrieval [n_documents]: texts, in the corpus' order */
    eval_query *queries;           /* [n_queries], those with a relevant document */
    size_t n_documents, n_queries;
    size_t n_missing;              /* judgements of documents that the corpus lacks: relevant, never found */
} eval_task;

/* Reads a task from its files' bytes, one for each of eval_kind_files. Errors begin with file and line. */
minnow_status eval_task_read(eval_task **out, const char *name, eval_kind kind, const eval_file *files,
                             minnow_error *error);
/* Reads the task of a folder. A folder that is none is an error that says what was looked for. */
minnow_status eval_task_open(eval_task **out, const char *folder, minnow_error *error);
void eval_task_close(eval_task **task);
/* Has the folder a file by which a task is known? */
int eval_task_is_here(const char *folder);

#endif
