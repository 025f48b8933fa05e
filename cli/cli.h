/* SPDX-License-Identifier: Apache-2.0
 * What the commands share: their entries, errors, exit codes, JSON output, progress. Options are parsed with
 * getopt_long. */
#ifndef MINNOW_CLI_H
#define MINNOW_CLI_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

/* Exit codes, documented in `minnow --help` and the man page. */
enum {
    CLI_OK = 0,
    CLI_FAILED = 1,       /* anything not listed below */
    CLI_USAGE = 2,        /* the command line is wrong */
    CLI_IO = 3,           /* a file could not be read or written; the output was closed */
    CLI_FORMAT = 4,       /* an input is malformed */
    CLI_UNSUPPORTED = 5,  /* an input asks for something Minnow does not do */
    CLI_MEMORY = 6        /* out of memory, or over a limit */
};

/* One command: argv[0] is its name. Returns an exit code. Each prints its own help for --help. */
int cmd_embed(int argc, char **argv);
int cmd_similarity(int argc, char **argv);
int cmd_tokenize(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_calibrate(int argc, char **argv);
int cmd_quantize(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_version(int argc, char **argv);

/* Prints "minnow: MESSAGE" on stderr; gives the exit code of the status. */
int cli_error(const minnow_error *error);
/* Prints "minnow COMMAND: MESSAGE" and "Try 'minnow COMMAND --help'." on stderr; gives CLI_USAGE. */
int cli_usage_error(const char *command, const char *format, ...) MINNOW_PRINTF(2, 3);
/* Flushes stdout; CLI_IO with a message if anything that was printed did not arrive (full disk, closed pipe), else
 * `code`. */
int cli_finish(int code);
/* fwrite and fflush on stdout, for commands that stream: MINNOW_ERROR_IO as soon as output is lost. */
minnow_status cli_write(const void *data, size_t bytes, minnow_error *error);
minnow_status cli_flush(minnow_error *error);

/* Parses a whole decimal number in [low, high]; 0 and no change if it is not one. */
int cli_parse_size(const char *text, size_t low, size_t high, size_t *out);

/* JSON pieces: a quoted string (invalid UTF-8 becomes U+FFFD), and numbers in the fewest digits (up to 9 / 17) that
 * read back as the same value; NaN and infinities become null. */
void cli_json_string(FILE *out, const char *text, size_t bytes);
void cli_json_float(FILE *out, float x);
void cli_json_double(FILE *out, double x);
/* Text from a file for a terminal: control characters and bidi controls escaped as \xNN or \u{N}. */
void cli_print_text(FILE *out, const char *text, size_t bytes);

/* A progress bar on stderr, shown only if that is a terminal: label, bar, done/total in `unit`, rate, ETA. total 0:
 * unknown. Redraws at most ten times a second; cli_progress_end clears the line. */
typedef struct cli_progress {
    const char *label, *unit;
    uint64_t total, done;
    double started, drawn; /* seconds */
    int enabled;
} cli_progress;
void cli_progress_begin(cli_progress *p, const char *label, const char *unit, uint64_t total);
void cli_progress_update(cli_progress *p, uint64_t done);
void cli_progress_end(cli_progress *p);

/* The model to use when none is named: $MINNOW_MODEL, the checkout's models/ (beside the program or above it),
 * $XDG_DATA_HOME/minnow (or ~/.local/share/minnow), PREFIX/share/minnow; in each the folder all-MiniLM-L6-v2, else the
 * only folder, .onnx or .minnow there. malloc'd; on failure NULL and an error that says where it looked and how to get
 * the model. */
char *cli_find_model(minnow_error *error);
/* The file or folder for tokenizer_open that belongs to a model: beside it, or in the parent of onnx/. malloc'd; NULL
 * and an error if there is none. */
char *cli_find_tokenizer(const char *model, minnow_error *error);
/* The texts to calibrate with when none are named: data/calibration.txt of the checkout, else
 * PREFIX/share/minnow/calibration.txt. malloc'd; NULL and an error if there are none. */
char *cli_find_calibration_texts(minnow_error *error);

#endif
