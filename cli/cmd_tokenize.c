/* SPDX-License-Identifier: Apache-2.0
 * minnow tokenize: texts -> token ids, one JSON array a line. Uses no weights. */
#include <stdlib.h>
#include <string.h>

#include "api/open.h"
#include "base/os.h"
#include "buffer.h"
#include "cli.h"
#include "convert/import/tokenizer_files.h"
#include "input.h"
#include "options.h"
#include "run/model/model.h"

#define COMMAND "tokenize"
#define FLUSH_BYTES ((size_t)256 * 1024)
#define IDS_AT_ONCE ((size_t)4096)

static const char help[] =
    "Usage: minnow tokenize [OPTION]... [TEXT]...\n"
    "\n"
    "Turns texts into token ids, exactly as Hugging Face tokenizers does, [CLS] and\n"
    "[SEP] included. Texts are the arguments, else the lines of standard input.\n"
    "Prints one JSON array of ids a text, in order.\n"
    "\n"
    "      --tokenizer FILE   tokenizer.json or vocab.txt (default: the model's)\n"
    "      --model FILE|DIR   whose tokenizer to use (default: see 'minnow --help')\n"
    "      --jsonl            standard input has one JSON string a line, or one object\n"
    "                         with \"text\"; blank lines are skipped\n"
    "      --max-tokens N     cut after N tokens, [CLS] and [SEP] included\n"
    "                         (default: no limit)\n"
    "      --pieces           print the tokens themselves instead of their ids\n"
    "  -h, --help             this text\n"
    "\n"
    "Examples:\n"
    "  minnow tokenize \"How do I reset my password?\"\n"
    "  minnow tokenize --tokenizer vocab.txt < sentences.txt > ids.jsonl\n";

enum { OPTION_JSONL = CLI_OPTION_OWN, OPTION_PIECES };
static const struct option options[] = {{"model", required_argument, NULL, CLI_OPTION_MODEL},
                                        {"tokenizer", required_argument, NULL, CLI_OPTION_TOKENIZER},
                                        {"max-tokens", required_argument, NULL, CLI_OPTION_MAX_TOKENS},
                                        {"jsonl", no_argument, NULL, OPTION_JSONL},
                                        {"pieces", no_argument, NULL, OPTION_PIECES},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

typedef struct tokenize {
    cli_model_options model;
    int jsonl, pieces;
    const tokenizer *tokenizer;
    tokenizer *own;      /* read from a file of its own, */
    int8_model *packed;  /* or part of a .minnow file */
    token_ids ids;
    cli_buffer out;
} tokenize;

static minnow_status open_own(tokenize *t, const char *path, minnow_error *error) {
    TRY(tokenizer_open(&t->own, path, error));
    t->tokenizer = t->own;
    return MINNOW_OK;
}

static minnow_status open_packed(tokenize *t, const char *path, minnow_error *error) {
    TRY(int8_model_open(&t->packed, path, error));
    t->tokenizer = t->packed->tokenizer;
    return MINNOW_OK;
}

/* The model need not be complete: its tokenizer is enough. */
static minnow_status open_of_model(tokenize *t, const char *model, minnow_error *error) {
    model_location at;
    minnow_status status;
    char *path;
    if (model_locate(&at, model, NULL, NULL) == MINNOW_OK) {
        status = at.packed != NULL ? open_packed(t, at.packed, error) : MINNOW_OK;
        model_location_free(&at);
        if (status != MINNOW_OK || t->tokenizer != NULL) return status;
    }
    path = cli_find_tokenizer(model, error);
    status = path != NULL ? open_own(t, path, error) : error->status;
    free(path);
    return status;
}

static minnow_status open_tokenizer(tokenize *t, minnow_error *error) {
    char *found = NULL;
    minnow_status status;
    if (t->model.tokenizer != NULL) return open_own(t, t->model.tokenizer, error);
    if (t->model.model != NULL) return open_of_model(t, t->model.model, error);
    found = cli_find_model(error);
    status = found != NULL ? open_of_model(t, found, error) : error->status;
    free(found);
    return status;
}

static minnow_status flush_out(tokenize *t, minnow_error *error) {
    if (t->out.failed) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    TRY(cli_write(t->out.data, t->out.bytes, error));
    t->out.bytes = 0;
    return cli_flush(error);
}

static minnow_status print_pieces(tokenize *t, minnow_error *error) {
    size_t i;
    TRY(cli_write("[", 1, error));
    for (i = 0; i < t->ids.count; i++) {
        size_t bytes = 0;
        const char *text = tokenizer_token_text(t->tokenizer, t->ids.data[i], &bytes);
        if (i > 0) TRY(cli_write(",", 1, error));
        if (text != NULL) cli_json_string(stdout, text, bytes);
        else TRY(cli_write("null", 4, error));
    }
    return cli_write("]\n", 2, error);
}

/* In pieces, so that one giant text does not need its whole output in memory. */
static minnow_status print_ids(tokenize *t, minnow_error *error) {
    size_t i, n;
    cli_buffer_text(&t->out, "[");
    for (i = 0; i < t->ids.count; i += n) {
        n = t->ids.count - i < IDS_AT_ONCE ? t->ids.count - i : IDS_AT_ONCE;
        if (i > 0) cli_buffer_text(&t->out, ",");
        cli_buffer_ids(&t->out, t->ids.data + i, n);
        if (t->out.bytes >= FLUSH_BYTES || t->out.failed) TRY(flush_out(t, error));
    }
    cli_buffer_text(&t->out, "]\n");
    return MINNOW_OK;
}

static minnow_status tokenize_text(tokenize *t, const char *text, size_t bytes, minnow_error *error) {
    TRY(tokenizer_encode(t->tokenizer, text, bytes, t->model.max_tokens, &t->ids, NULL, error));
    return t->pieces ? print_pieces(t, error) : print_ids(t, error);
}

static minnow_status tokenize_stream(tokenize *t, cli_input *in, minnow_error *error) {
    for (;;) {
        cli_text text;
        int got;
        /* Whoever writes the input may be waiting for an answer. */
        if (!cli_input_ready(in)) TRY(flush_out(t, error));
        TRY(cli_input_next(in, &text, &got, error));
        if (!got) return MINNOW_OK;
        TRY(tokenize_text(t, text.data, text.bytes, error));
    }
}

static minnow_status tokenize_all(tokenize *t, char **texts, int n, minnow_error *error) {
    minnow_status status = MINNOW_OK;
    minnow_error later;
    cli_input in;
    int i;
    for (i = 0; i < n && status == MINNOW_OK; i++) status = tokenize_text(t, texts[i], strlen(texts[i]), error);
    if (n == 0) {
        if (os_is_terminal(stdin)) fputs("minnow tokenize: reading texts, one a line; end with Ctrl-D\n", stderr);
        TRY(cli_input_open(&in, t->jsonl, error));
        status = tokenize_stream(t, &in, error);
        cli_input_close(&in);
    }
    if (status == MINNOW_OK) return flush_out(t, error);
    if (status != MINNOW_ERROR_IO) flush_out(t, &later); /* what came before the error */
    return status;
}

int cmd_tokenize(int argc, char **argv) {
    tokenize t;
    minnow_error error;
    minnow_status status;
    int code;
    memset(&t, 0, sizeof t);
    opterr = 0;
    while ((code = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (code == '?' || code == ':') return cli_option_error(COMMAND, code, argv, options);
        if (code == 'h') {
            fputs(help, stdout);
            return cli_finish(CLI_OK);
        }
        if (code == OPTION_JSONL) t.jsonl = 1;
        else if (code == OPTION_PIECES) t.pieces = 1;
        else if (cli_take_model_option(COMMAND, code, optarg, &t.model) != CLI_OK) return CLI_USAGE;
    }
    status = open_tokenizer(&t, &error);
    if (status == MINNOW_OK) status = tokenize_all(&t, argv + optind, argc - optind, &error);
    tokenizer_close(&t.own);
    int8_model_close(&t.packed);
    token_ids_free(&t.ids);
    cli_buffer_free(&t.out);
    return cli_finish(status == MINNOW_OK ? CLI_OK : cli_error(&error));
}
