/* SPDX-License-Identifier: Apache-2.0
 * minnow similarity: the cosine of two texts, or of each pair on standard input. */
#include <string.h>

#include "base/os.h"
#include "cli.h"
#include "encoder.h"
#include "input.h"
#include "options.h"

#define COMMAND "similarity"
#define BLOCK_ITEMS 64

static const char help[] =
    "Usage: minnow similarity [OPTION]... [A B]\n"
    "\n"
    "Prints how similar two texts are: the cosine of their vectors, from -1 to 1.\n"
    "Without A and B, standard input has pairs, one a line, A and B separated by a\n"
    "tab; one cosine is printed for each, in order.\n"
    "\n"
    "      --json             print {\"a\": ..., \"b\": ..., \"cosine\": 0.53}\n"
    "      --model FILE|DIR   .minnow file, ONNX file or model folder (default: see\n"
    "                         'minnow --help')\n"
    "      --tokenizer FILE   tokenizer.json or vocab.txt (default: beside the model)\n"
    "      --pool HOW         mean, cls or max (default: the model's, else mean)\n"
    "      --max-tokens N     cut texts after N tokens (default: the model's limit)\n"
    "      --threads N        default: one a processor; results do not depend on it\n"
    "      --external-data    allow tensors in other files beneath the model's folder\n"
    "  -h, --help             this text\n"
    "\n"
    "Examples:\n"
    "  minnow similarity \"How do I reset my password?\" \"I forgot my login.\"\n"
    "  minnow similarity --json < pairs.tsv\n";

enum { OPTION_JSON = CLI_OPTION_OWN };
static const struct option options[] = {CLI_MODEL_LONG_OPTIONS,
                                        {"json", no_argument, NULL, OPTION_JSON},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

/* Items 2 i and 2 i + 1 of the block are a pair. */
static minnow_status print_pair(const cli_encoder *e, size_t i, int json, minnow_error *error) {
    const float *a = e->vectors + 2 * i * e->dimensions;
    const double cosine = minnow_similarity(a, a + e->dimensions, e->dimensions);
    char text[64];
    if (!json) return cli_write(text, (size_t)snprintf(text, sizeof text, "%.6f\n", cosine), error);
    TRY(cli_write("{\"a\":", 5, error));
    cli_json_string(stdout, cli_encoder_text(e, 2 * i), e->items[2 * i].bytes);
    TRY(cli_write(",\"b\":", 5, error));
    cli_json_string(stdout, cli_encoder_text(e, 2 * i + 1), e->items[2 * i + 1].bytes);
    TRY(cli_write(",\"cosine\":", 10, error));
    cli_json_double(stdout, cosine);
    return cli_write("}\n", 2, error);
}

static minnow_status run_block(cli_encoder *e, int json, minnow_error *error) {
    const minnow_status status = cli_encoder_run(e, NULL, NULL, error);
    minnow_error failed;
    size_t i;
    for (i = 0; i < e->n_done / 2; i++) {
        if (print_pair(e, i, json, &failed) == MINNOW_OK) continue;
        *error = failed;
        return failed.status;
    }
    cli_encoder_clear(e);
    TRY(status);
    return cli_flush(error);
}

static minnow_status add_pair(cli_encoder *e, const cli_text *line, uint64_t number, int *full, minnow_error *error) {
    const char *tab = memchr(line->data, '\t', line->bytes);
    const size_t bytes = tab != NULL ? (size_t)(tab - line->data) : 0;
    if (tab == NULL || memchr(tab + 1, '\t', line->bytes - bytes - 1) != NULL)
        return error_set(error, MINNOW_ERROR_FORMAT,
                         "standard input: line %llu: two texts separated by one tab expected",
                         (unsigned long long)number);
    TRY(cli_encoder_add(e, line->data, bytes, full, error));
    return cli_encoder_add(e, tab + 1, line->bytes - bytes - 1, full, error);
}

static minnow_status run_stream(cli_encoder *e, cli_input *in, int json, minnow_error *error) {
    for (;;) {
        cli_text line;
        int got, full = 0;
        minnow_status status;
        minnow_error later;
        if (e->n_items > 0 && !cli_input_ready(in)) TRY(run_block(e, json, error));
        status = cli_input_next(in, &line, &got, &later);
        if (status == MINNOW_OK && got) status = add_pair(e, &line, in->line, &full, &later);
        if ((status != MINNOW_OK || !got || full) && e->n_items > 0) TRY(run_block(e, json, error));
        if (status != MINNOW_OK) {
            *error = later;
            return status;
        }
        if (!got) return MINNOW_OK;
    }
}

static minnow_status run_all(cli_encoder *e, char **texts, int n_texts, int json, minnow_error *error) {
    cli_input in;
    minnow_status status;
    int full;
    if (n_texts == 2) {
        TRY(cli_encoder_add(e, texts[0], strlen(texts[0]), &full, error));
        TRY(cli_encoder_add(e, texts[1], strlen(texts[1]), &full, error));
        return run_block(e, json, error);
    }
    if (os_is_terminal(stdin)) fputs("minnow similarity: reading A<tab>B, one pair a line; end with Ctrl-D\n", stderr);
    TRY(cli_input_open(&in, 0, error));
    status = run_stream(e, &in, json, error);
    cli_input_close(&in);
    return status;
}

int cmd_similarity(int argc, char **argv) {
    cli_model_options model;
    cli_encoder encoder;
    minnow_error error;
    minnow_status status;
    int code, json = 0;
    memset(&model, 0, sizeof model);
    opterr = 0;
    while ((code = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (code == '?' || code == ':') return cli_option_error(COMMAND, code, argv, options);
        if (code == 'h') {
            fputs(help, stdout);
            return cli_finish(CLI_OK);
        }
        if (code == OPTION_JSON) json = 1;
        else if (cli_take_model_option(COMMAND, code, optarg, &model) != CLI_OK) return CLI_USAGE;
    }
    if (argc - optind != 0 && argc - optind != 2)
        return cli_usage_error(COMMAND, "two texts expected, %d given", argc - optind);
    status = cli_encoder_open(&encoder, &model, BLOCK_ITEMS, &error);
    if (status == MINNOW_OK) {
        status = run_all(&encoder, argv + optind, argc - optind, json, &error);
        cli_encoder_close(&encoder);
    }
    return cli_finish(status == MINNOW_OK ? CLI_OK : cli_error(&error));
}
