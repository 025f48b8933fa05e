/* SPDX-License-Identifier: Apache-2.0
 * minnow eval: how good a model's vectors are, on tasks with known answers, beside a reference. One task's vectors are
 * in memory. */
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cli.h"
#include "eval.h"
#include "options.h"

#define COMMAND "eval"

static const char help[] =
    "Usage: minnow eval [OPTION]... DIR...\n"
    "\n"
    "Scores a model on tasks, and shows the change against a reference in per cent.\n"
    "DIR is a task's folder, or one that holds such folders. A task is known by its\n"
    "files:\n"
    "\n"
    "  test.tsv               sts: score<TAB>a<TAB>b; Spearman correlation\n"
    "  train.tsv, test.tsv    classification: label<TAB>text; accuracy\n"
    "  corpus.jsonl, queries.jsonl, qrels.tsv\n"
    "                         retrieval, as BEIR has it; nDCG@10\n"
    "  sentences.tsv          texts in the last column; compared with the reference only\n"
    "\n"
    "      --model A          what to score: a .minnow or ONNX file, a model folder, or a\n"
    "                         folder of vectors made elsewhere, float32 [n, dimensions]\n"
    "                         in TASK.npy (default: see 'minnow --help')\n"
    "      --reference B      what to compare it with: the same choices\n"
    "      --json             one JSON object instead of a table\n"
    "      --texts            print the texts to be encoded, {\"task\", \"text\"} a line, and\n"
    "                         end: the distinct ones of each task, as rows of TASK.npy\n"
    "      --save-vectors DIR write A's vectors to DIR/TASK.npy, to be a reference later\n"
    "      --tokenizer FILE   A's tokenizer.json or vocab.txt (default: A's own)\n"
    "      --reference-tokenizer FILE\n"
    "                         B's (default: B's own)\n"
    "      --pool HOW         mean, cls or max (default: the model's, else mean)\n"
    "      --max-tokens N     cut texts after N tokens (default: the model's limit)\n"
    "      --threads N        default: one a processor; results do not depend on it\n"
    "      --external-data    allow tensors in other files beneath the model's folder\n"
    "  -h, --help             this text\n"
    "\n"
    "Examples:\n"
    "  minnow eval --model model.minnow --reference model.onnx stsb cranfield\n"
    "  minnow eval --model model.onnx --save-vectors fp32 sets\n"
    "  minnow eval --model model.minnow --reference fp32 --json sets\n";

typedef struct settings {
    cli_model_options model, reference;
    int json, texts;
    const char *save;
} settings;

enum {
    OPTION_REFERENCE = CLI_OPTION_OWN,
    OPTION_REFERENCE_TOKENIZER,
    OPTION_JSON,
    OPTION_TEXTS,
    OPTION_SAVE
};

static const struct option options[] = {CLI_MODEL_LONG_OPTIONS,
                                        {"reference", required_argument, NULL, OPTION_REFERENCE},
                                        {"reference-tokenizer", required_argument, NULL, OPTION_REFERENCE_TOKENIZER},
                                        {"json", no_argument, NULL, OPTION_JSON},
                                        {"texts", no_argument, NULL, OPTION_TEXTS},
                                        {"save-vectors", required_argument, NULL, OPTION_SAVE},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static int take_option(settings *s, int code) {
    switch (code) {
    case OPTION_REFERENCE: s->reference.model = optarg; return CLI_OK;
    case OPTION_REFERENCE_TOKENIZER: s->reference.tokenizer = optarg; return CLI_OK;
    case OPTION_JSON: s->json = 1; return CLI_OK;
    case OPTION_TEXTS: s->texts = 1; return CLI_OK;
    case OPTION_SAVE: s->save = optarg; return CLI_OK;
    default: return cli_take_model_option(COMMAND, code, optarg, &s->model);
    }
}

/* What is not said of the reference is as for the model. */
static void complete_reference(settings *s) {
    const cli_model_options given = s->reference;
    s->reference = s->model;
    s->reference.model = given.model;
    s->reference.tokenizer = given.tokenizer;
}

static minnow_status print_texts(const eval_tasks *tasks, minnow_error *error) {
    for (size_t i = 0; i < tasks->n; i++) {
        const eval_task *t = tasks->items[i];
        for (size_t k = 0; k < t->n_texts; k++) {
            fputs("{\"task\":", stdout);
            cli_json_string(stdout, t->name, strlen(t->name));
            fputs(",\"text\":", stdout);
            cli_json_string(stdout, t->texts[k].data, t->texts[k].bytes);
            TRY(cli_write("}\n", 2, error));
        }
    }
    return cli_flush(error);
}

/* --- Running ------------------------------------------------------------------------------------------------- */

typedef struct sides {
    eval_source model, reference;
    thread_pool *pool;
    cli_progress progress;
    uint64_t n_done;
} sides;

static minnow_status run_task(const settings *s, sides *both, const eval_task *t, eval_report *report,
                              minnow_error *error) {
    const int has_reference = s->reference.model != NULL;
    eval_vectors candidate, reference;
    minnow_status status;
    memset(&reference, 0, sizeof reference);
    TRY(eval_source_vectors(&both->model, t, &candidate, error));
    status = s->save != NULL ? eval_vectors_save(&candidate, t, s->save, error) : MINNOW_OK;
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

static minnow_status run_tasks(const settings *s, sides *both, const eval_tasks *tasks, eval_report *report,
                               minnow_error *error) {
    minnow_status status = MINNOW_OK;
    const size_t n_models = (size_t)both->model.is_open + (size_t)both->reference.is_open;
    cli_progress_begin(&both->progress, COMMAND, "texts", n_models * tasks->n_texts);
    share_progress(both, &both->model);
    share_progress(both, &both->reference);
    for (size_t i = 0; i < tasks->n && status == MINNOW_OK; i++)
        status = run_task(s, both, tasks->items[i], report, error);
    cli_progress_end(&both->progress);
    return status;
}

static minnow_status evaluate(const settings *s, const eval_tasks *tasks, minnow_error *error) {
    sides both;
    eval_report report;
    minnow_status status = MINNOW_OK;
    memset(&both, 0, sizeof both);
    memset(&report, 0, sizeof report);
    TRY_GOTO(eval_source_open(&both.model, &s->model, tasks, error));
    if (s->reference.model != NULL) TRY_GOTO(eval_source_open(&both.reference, &s->reference, tasks, error));
    TRY_GOTO(thread_pool_create(&both.pool, s->model.n_threads, error));
    TRY_GOTO(eval_report_create(&report, tasks, error));
    TRY_GOTO(run_tasks(s, &both, tasks, &report, error));
    report.model = s->model.model;
    report.reference = s->reference.model;
    if (s->json) eval_print_json(&report);
    else eval_print_table(&report);
fail:
    eval_report_free(&report);
    thread_pool_close(&both.pool);
    eval_source_close(&both.model);
    eval_source_close(&both.reference);
    return status;
}

int cmd_eval(int argc, char **argv) {
    settings s;
    eval_tasks tasks;
    minnow_error error;
    minnow_status status;
    int code;
    memset(&s, 0, sizeof s);
    opterr = 0;
    while ((code = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        int taken;
        if (code == '?' || code == ':') return cli_option_error(COMMAND, code, argv, options);
        if (code == 'h') {
            fputs(help, stdout);
            return cli_finish(CLI_OK);
        }
        taken = take_option(&s, code);
        if (taken != CLI_OK) return taken;
    }
    if (optind == argc) return cli_usage_error(COMMAND, "no task folder given");
    complete_reference(&s);
    if (s.save != NULL) os_catch_interrupts();
    status = eval_tasks_open(&tasks, argv + optind, (size_t)(argc - optind), &error);
    if (status == MINNOW_OK) {
        status = s.texts ? print_texts(&tasks, &error) : evaluate(&s, &tasks, &error);
        eval_tasks_close(&tasks);
    }
    if (status != MINNOW_OK) os_end_if_interrupted();
    return cli_finish(status == MINNOW_OK ? CLI_OK : cli_error(&error));
}
