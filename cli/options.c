/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <string.h>

#include "cli.h"

#define MAX_WORD 32
#define MAX_OPTIONS 64

static size_t smallest(size_t a, size_t b) { return a < b ? a : b; }

/* Insertions, deletions, substitutions and swaps of neighbours between two words (optimal string alignment). */
static size_t edit_distance(const char *a, const char *b) {
    size_t rows[3][MAX_WORD + 1];
    size_t *before = rows[0], *previous = rows[1], *now = rows[2];
    const size_t m = strlen(a), n = strlen(b);
    size_t i, j;
    if (m > MAX_WORD || n > MAX_WORD) return MAX_WORD;
    for (j = 0; j <= n; j++) previous[j] = j;
    for (i = 1; i <= m; i++) {
        size_t *spare = before;
        now[0] = i;
        for (j = 1; j <= n; j++) {
            now[j] = smallest(smallest(previous[j], now[j - 1]) + 1, previous[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = smallest(now[j], before[j - 2] + 1);
        }
        before = previous;
        previous = now;
        now = spare;
    }
    return previous[n];
}

const char *cli_suggest(const char *word, const char *const *candidates, size_t n) {
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 2, i; /* a third of the word may be wrong, and one more */
    for (i = 0; i < n; i++) {
        const size_t distance = edit_distance(word, candidates[i]);
        if (distance >= best_distance || distance >= strlen(candidates[i])) continue;
        best = candidates[i];
        best_distance = distance;
    }
    return best;
}

static const char *option_name(const struct option *options, int value) {
    for (; options->name != NULL; options++)
        if (options->val == value) return options->name;
    return "?";
}

/* An option that exists but was given a value it does not take: "--json=yes". */
static int takes_no_value(const struct option *options, const char *word, size_t n) {
    for (; options->name != NULL; options++)
        if (strncmp(options->name, word, n) == 0 && options->name[n] == '\0') return options->has_arg == no_argument;
    return 0;
}

static int long_option_error(const char *command, const char *argument, const struct option *options) {
    const char *names[MAX_OPTIONS];
    char word[MAX_WORD + 1] = "";
    const char *suggestion = NULL;
    const size_t n = strcspn(argument, "=");
    size_t n_names = 0, n_matches = 0, i;
    if (argument[n] == '=' && takes_no_value(options, argument, n))
        return cli_usage_error(command, "option '--%.*s' takes no value", (int)n, argument);
    for (; options->name != NULL && n_names < MAX_OPTIONS; options++) names[n_names++] = options->name;
    for (i = 0; i < n_names; i++) n_matches += strncmp(names[i], argument, n) == 0;
    if (n > 0 && n_matches > 1) return cli_usage_error(command, "option '--%.*s' is ambiguous", (int)n, argument);
    if (n <= MAX_WORD) {
        memcpy(word, argument, n);
        suggestion = cli_suggest(word, names, n_names);
    }
    if (suggestion == NULL) return cli_usage_error(command, "unknown option '--%.*s'", (int)smallest(n, 200), argument);
    return cli_usage_error(command, "unknown option '--%.*s'; did you mean '--%s'?", (int)n, argument, suggestion);
}

int cli_option_error(const char *command, int result, char *const *argv, const struct option *options) {
    const char *argument = argv[optind - 1];
    const struct option *known = options;
    if (result == ':') {
        if (strncmp(argument, "--", 2) == 0)
            return cli_usage_error(command, "option '--%s' needs a value", option_name(options, optopt));
        return cli_usage_error(command, "option '-%c' needs a value", optopt);
    }
    /* optopt is 0 for an unknown long option, and a known one's value where it was given what it does not take; in the
     * midst of "-xh", optind - 1 is the argument before. */
    for (; known->name != NULL && known->val != optopt; known++) continue;
    if (strncmp(argument, "--", 2) == 0 && argument[2] != '\0' && (optopt == 0 || known->name != NULL))
        return long_option_error(command, argument + 2, options);
    return cli_usage_error(command, "unknown option '-%c'; put '--' before a text that begins with '-'", optopt);
}

const char *cli_output_path(const char *value) { return strcmp(value, "-") == 0 ? "/dev/stdout" : value; }

static int take_pooling(const char *command, const char *value, minnow_pooling *out) {
    if (strcmp(value, "mean") == 0) *out = MINNOW_POOLING_MEAN;
    else if (strcmp(value, "cls") == 0) *out = MINNOW_POOLING_CLS;
    else if (strcmp(value, "max") == 0) *out = MINNOW_POOLING_MAX;
    else return cli_usage_error(command, "--pool: '%.100s' is not mean, cls or max", value);
    return CLI_OK;
}

int cli_take_model_option(const char *command, int code, const char *value, cli_model_options *out) {
    switch (code) {
    case CLI_OPTION_MODEL: out->model = value; return CLI_OK;
    case CLI_OPTION_TOKENIZER: out->tokenizer = value; return CLI_OK;
    case CLI_OPTION_THREADS:
        if (cli_parse_size(value, 1, 256, &out->n_threads)) return CLI_OK;
        return cli_usage_error(command, "--threads: '%.100s' is not a whole number from 1 to 256", value);
    case CLI_OPTION_MAX_TOKENS:
        if (cli_parse_size(value, 1, 1000000000, &out->max_tokens)) return CLI_OK;
        return cli_usage_error(command, "--max-tokens: '%.100s' is not a whole number from 1 to 1000000000", value);
    case CLI_OPTION_EXTERNAL_DATA: out->external_data = 1; return CLI_OK;
    default: return take_pooling(command, value, &out->pooling);
    }
}
