/* SPDX-License-Identifier: Apache-2.0
 * The options that calibrate and quantize share: the model, the texts, and how ranges are chosen. */
#ifndef MINNOW_CLI_QUANTIZE_OPTIONS_H
#define MINNOW_CLI_QUANTIZE_OPTIONS_H

#include <getopt.h>

#include "convert/calibrate/ranges.h"

#define CALIBRATION_SAMPLES 500
/* Of 0.7 to 0.9 none has a mean cosine better than another's by more than 0.0002 (SmoothQuant's 0.5 loses
 * 0.01); 0.75 has the best least cosines and task scores (docs/QUANTIZATION.md). */
#define CALIBRATION_ALPHA 0.75f
#define CALIBRATION_PERCENTILE 99.99
#define CALIBRATION_MAX_CHOICES 256

typedef struct calibration_options {
    const char *model, *tokenizer, *texts; /* NULL: found */
    size_t samples;                        /* 0: all */
    size_t max_tokens, n_threads;          /* 0: the model's; one a processor */
    int external_data;
    range_options ranges;                  /* ranges.choices: those below */
    struct range_choice choices[CALIBRATION_MAX_CHOICES];
    int chooses_ranges;                    /* an option was given that says how */
} calibration_options;

/* The defaults. */
void calibration_options_init(calibration_options *o);

enum {
    CALIBRATION_MODEL = 2000,
    CALIBRATION_TOKENIZER,
    CALIBRATION_TEXTS,
    CALIBRATION_SAMPLES_OPTION,
    CALIBRATION_MAX_TOKENS,
    CALIBRATION_THREADS,
    CALIBRATION_EXTERNAL_DATA,
    CALIBRATION_EQUALIZATION,
    CALIBRATION_NO_EQUALIZATION,
    CALIBRATION_METHOD,
    CALIBRATION_SITE,
    CALIBRATION_PERCENTILE_OPTION,
    CALIBRATION_OWN /* a command's own codes begin here */
};
#define CALIBRATION_LONG_OPTIONS                                                  \
    {"model", required_argument, NULL, CALIBRATION_MODEL},                        \
        {"tokenizer", required_argument, NULL, CALIBRATION_TOKENIZER},            \
        {"texts", required_argument, NULL, CALIBRATION_TEXTS},                    \
        {"samples", required_argument, NULL, CALIBRATION_SAMPLES_OPTION},         \
        {"max-tokens", required_argument, NULL, CALIBRATION_MAX_TOKENS},          \
        {"threads", required_argument, NULL, CALIBRATION_THREADS},                \
        {"external-data", no_argument, NULL, CALIBRATION_EXTERNAL_DATA},          \
        {"equalization", required_argument, NULL, CALIBRATION_EQUALIZATION},      \
        {"no-equalization", no_argument, NULL, CALIBRATION_NO_EQUALIZATION},      \
        {"method", required_argument, NULL, CALIBRATION_METHOD},                  \
        {"site", required_argument, NULL, CALIBRATION_SITE},                      \
        {"percentile", required_argument, NULL, CALIBRATION_PERCENTILE_OPTION}

/* The part of a command's help that explains them. */
#define CALIBRATION_HELP                                                                  \
    "      --texts FILE       calibration texts, one a line, or JSONL (default: the\n"    \
    "                         checkout's data/calibration.txt, else that of\n"            \
    "                         PREFIX/share/minnow)\n"                                     \
    "      --samples N        take N of them, evenly spread (default: 500; 0: all)\n"     \
    "      --tokenizer FILE   tokenizer.json or vocab.txt (default: beside the model, or\n" \
    "                         in the parent of onnx/)\n"                                  \
    "      --method HOW       how ranges are chosen: auto (what brings the output closest\n" \
    "                         to FP32; the default), minmax, percentile, mse or entropy\n" \
    "      --site NAME=HOW    for some sites only, such as layer.3.key=mse or\n"          \
    "                         '*.down_input=minmax'; may be given more than once\n"       \
    "      --percentile P     what percentile keeps (default: 99.99)\n"                   \
    "      --equalization A   0 to 1: how far channels are brought to one size before\n"  \
    "                         they are quantized (default: 0.75)\n"                       \
    "      --no-equalization  leave them as they are\n"                                   \
    "      --threads N        default: one a processor; results do not depend on it\n"    \
    "      --external-data    allow tensors in other files beneath the model's folder\n"

/* Takes one of them. CLI_OK, or CLI_USAGE with a message. `value` may be written to. */
int calibration_take_option(const char *command, int code, char *value, calibration_options *o);

/* A whole text as a number in [low, high]; 0 and no change if it is not one. */
int cli_parse_number(const char *text, double low, double high, double *out);

#endif
