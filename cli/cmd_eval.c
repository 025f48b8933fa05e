/* SPDX-License-Identifier: Apache-2.0
 * minnow eval: how good a model's vectors are, on tasks with known answers, beside a reference. */
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

static minnow_status evaluate(const settings *s, const eval_tasks *tasks, minnow_error *error) {
    const eval_run run = {&s->model, s->reference.model != NULL ? &s->reference : NULL, s->save};
    eval_report report;
    minnow_status status;
    TRY(eval_report_create(&report, tasks, error));
    status = eval_run_tasks(&report, &run, tasks, error);
    if (status == MINNOW_OK) {
        if (s->json) eval_print_json(&report);
        else eval_print_table(&report);
    }
    eval_report_free(&report);
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
