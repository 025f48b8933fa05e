/* SPDX-License-Identifier: Apache-2.0
 * minnow: the command line. Finds the command and hands over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/os.h"
#include "cli.h"
#include "options.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"embed", cmd_embed, "texts -> vectors"},
    {"similarity", cmd_similarity, "how similar two texts are"},
    {"tokenize", cmd_tokenize, "texts -> token ids"},
    {"run", cmd_run, "run any ONNX model on given inputs"},
    {"inspect", cmd_inspect, "show what a model consists of"},
    {"export", cmd_export, "model folder (safetensors) -> ONNX"},
    {"calibrate", cmd_calibrate, "FP32 model and texts -> ranges of its activations"},
    {"quantize", cmd_quantize, "FP32 model -> static INT8: a .minnow file, or ONNX"},
    {"eval", cmd_eval, "scores of a model on test sets, beside a reference"},
    {"version", cmd_version, "version, compiler, processor"},
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

static void print_help(void) {
    size_t i;
    fputs("Usage: minnow COMMAND [OPTION]... [ARGUMENT]...\n"
          "\n"
          "Sentence embeddings from transformer models, without a Python framework.\n"
          "\n"
          "Commands:\n",
          stdout);
    for (i = 0; i < N_COMMANDS; i++) printf("  %-12s%s\n", commands[i].name, commands[i].summary);
    fputs("\n"
          "'minnow COMMAND --help' or 'minnow help COMMAND' tells more about one.\n"
          "\n"
          "Examples:\n"
          "  minnow embed \"How do I reset my password?\"\n"
          "  minnow embed --npy vectors.npy < sentences.txt\n"
          "  minnow similarity \"How do I reset my password?\" \"I forgot my login.\"\n"
          "\n"
          "The model is the one that --model names, else $MINNOW_MODEL, else that of the\n"
          "first of these folders that has one: the checkout's models, $XDG_DATA_HOME/minnow\n"
          "(or ~/.local/share/minnow), PREFIX/share/minnow.\n"
          "\n"
          "Environment:\n"
          "  MINNOW_MODEL   the model to use when --model is not given\n"
          "  MINNOW_ISA     the instructions to use: scalar; avx2, avxvnni, avx512,\n"
          "                 avx512vnni, amx; neon, neon-dotprod, neon-i8mm. All give the\n"
          "                 same results (default: the fastest; see 'minnow version')\n"
          "\n"
          "Exit codes:\n"
          "  0  done                     4  an input is malformed\n"
          "  1  any other failure        5  an input asks for something unsupported\n"
          "  2  wrong command line       6  out of memory, or over a limit\n"
          "  3  a file or stream could not be read or written\n",
          stdout);
}

static const struct command *find_command(const char *name) {
    size_t i;
    for (i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static int unknown_command(const char *name) {
    const char *names[N_COMMANDS + 1];
    const char *suggestion;
    minnow_error error;
    size_t i;
    for (i = 0; i < N_COMMANDS; i++) names[i] = commands[i].name;
    names[N_COMMANDS] = "help";
    suggestion = cli_suggest(name, names, N_COMMANDS + 1);
    if (suggestion != NULL)
        error_set(&error, MINNOW_ERROR_ARGUMENT, "unknown command '%.100s'; did you mean '%s'?", name, suggestion);
    else error_set(&error, MINNOW_ERROR_ARGUMENT, "unknown command '%.100s'", name);
    fprintf(stderr, "minnow: %s\nTry 'minnow --help'.\n", error.message);
    return CLI_USAGE;
}

/* MINNOW_ISA, for tests and comparisons. */
static int force_tier(void) {
    const char *name = getenv("MINNOW_ISA");
    minnow_error error;
    int tier;
    if (name == NULL || *name == '\0') return CLI_OK;
    tier = cpu_tier_from_name(name);
    if (tier >= 0 && cpu_force_tier((cpu_tier)tier)) return CLI_OK;
    if (tier < 0)
        error_set(&error, MINNOW_ERROR_ARGUMENT,
                  "MINNOW_ISA: '%.100s' is not scalar, avx2, avxvnni, avx512, avx512vnni, amx, neon, neon-dotprod or "
                  "neon-i8mm", name);
    else error_set(&error, MINNOW_ERROR_ARGUMENT, "MINNOW_ISA: this machine does not have %s", name);
    return cli_error(&error);
}

static int run_command(int argc, char **argv) {
    static char help_option[] = "--help";
    const struct command *command;
    const char *name = argc > 1 ? argv[1] : NULL;
    if (name == NULL) {
        fputs("minnow: a command is needed\nTry 'minnow --help'.\n", stderr);
        return CLI_USAGE;
    }
    if (strcmp(name, "--version") == 0) name = "version";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || (strcmp(name, "help") == 0 && argc == 2)) {
        print_help();
        return CLI_OK;
    }
    if (strcmp(name, "help") == 0) {
        char *help[3];
        command = find_command(argv[2]);
        if (command == NULL) return unknown_command(argv[2]);
        help[0] = argv[2];
        help[1] = help_option;
        help[2] = NULL;
        return command->run(2, help);
    }
    command = find_command(name);
    return command != NULL ? command->run(argc - 1, argv + 1) : unknown_command(name);
}

int main(int argc, char **argv) {
    static char output[64 * 1024];
    int code;
    os_prepare_streams();
    os_ignore_sigpipe();
    if (!os_is_terminal(stdout)) setvbuf(stdout, output, _IOFBF, sizeof output);
    code = force_tier();
    return cli_finish(code != CLI_OK ? code : run_command(argc, argv));
}
