/* SPDX-License-Identifier: Apache-2.0
 * Around getopt_long: messages that name the option and suggest the one that was meant. */
#ifndef MINNOW_CLI_OPTIONS_H
#define MINNOW_CLI_OPTIONS_H

#include <getopt.h>
#include <stddef.h>

#include "minnow.h"

/* After getopt_long (with a leading ':' in its short options, opterr 0) gave '?' or ':': prints what is wrong, gives
 * CLI_USAGE. */
int cli_option_error(const char *command, int result, char *const *argv, const struct option *options);

/* The candidate that `word` is probably a misspelling of, or NULL. */
const char *cli_suggest(const char *word, const char *const *candidates, size_t n);

/* What the commands that encode share. */
typedef struct cli_model_options {
    const char *model, *tokenizer; /* NULL: found */
    size_t n_threads, max_tokens;  /* 0: default */
    minnow_pooling pooling;
    int no_normalize, external_data;
} cli_model_options;

enum {
    CLI_OPTION_MODEL = 1000,
    CLI_OPTION_TOKENIZER,
    CLI_OPTION_THREADS,
    CLI_OPTION_MAX_TOKENS,
    CLI_OPTION_POOL,
    CLI_OPTION_EXTERNAL_DATA,
    CLI_OPTION_OWN
};
/* Entries for a table of long options; a command's own codes begin at CLI_OPTION_OWN. */
#define CLI_MODEL_LONG_OPTIONS                                          \
    {"model", required_argument, NULL, CLI_OPTION_MODEL},               \
        {"tokenizer", required_argument, NULL, CLI_OPTION_TOKENIZER},   \
        {"threads", required_argument, NULL, CLI_OPTION_THREADS},       \
        {"max-tokens", required_argument, NULL, CLI_OPTION_MAX_TOKENS}, \
        {"pool", required_argument, NULL, CLI_OPTION_POOL},             \
        {"external-data", no_argument, NULL, CLI_OPTION_EXTERNAL_DATA}
/* The file that an option for an output means: "-" is standard output. */
const char *cli_output_path(const char *value);

/* Takes one of them. CLI_OK, or CLI_USAGE with a message. */
int cli_take_model_option(const char *command, int code, const char *value, cli_model_options *out);

#endif
