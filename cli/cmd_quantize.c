/* SPDX-License-Identifier: Apache-2.0
 * minnow quantize: an FP32 model (+ ranges, or texts to find them with) -> a static INT8 model, .minnow or ONNX. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/file_os.h"
#include "base/os.h"
#include "base/utf8.h"
#include "cli.h"
#include "options.h"
#include "quantize_job.h"

#define COMMAND "quantize"
#define DEFAULT_ROUNDING QUANTIZE_GPTQ
#define DEFAULT_ROUNDING_NAME "gptq"

static const char help[] =
    "Usage: minnow quantize [OPTION]... -o FILE.minnow|FILE.onnx|DIR/\n"
    "\n"
    "Turns an FP32 encoder into a static INT8 model: one file with weights, scales,\n"
    "tokenizer and settings, for --model of the other commands. Without --ranges it\n"
    "calibrates first. The same inputs give the same bytes on every machine. --to onnx\n"
    "writes the model for other runtimes: QuantizeLinear and DequantizeLinear (QDQ),\n"
    "opset 17.\n"
    "\n"
    "  -o, --output FILE      where to write it; the file appears when it is complete\n"
    "                         (-: standard output, without the summary). ONNX: its\n"
    "                         folder is made if need be; config, tokenizer and pooling\n"
    "                         settings are copied beside it, or into the folder above if\n"
    "                         FILE's is named onnx\n"
    "  -o, --output DIR/      with --to onnx: the Hub's layout, for transformers.js and\n"
    "                         sentence-transformers: DIR/onnx/model_quantized.onnx and the\n"
    "                         other files in DIR\n"
    "      --to FORM          minnow or onnx (default: onnx if FILE ends so)\n"
    "      --force            with --to onnx: replace copied files that differ\n"
    "      --model FILE|DIR   ONNX file or model folder (default: see 'minnow --help')\n"
    "      --ranges FILE      of 'minnow calibrate', from the same model\n"
    "      --rounding HOW     gptq: layer by layer towards what the FP32 model computes;\n"
    "                         or nearest, with bias correction: quicker, less close\n"
    "                         (default: " DEFAULT_ROUNDING_NAME ")\n"
    "      --no-bias-correction  nearest only: leave biases as they are\n"
    "      --split-channels N inner channels (between the two feed-forward matrices) that\n"
    "                         are computed twice or more to round finer, a multiple of 4\n"
    "                         (default: 1 in 24; 0: none)\n"
    "      --embedding HOW    the token table: int8 (a scale a row; the default), fp16,\n"
    "                         mixed (columns of outliers in fp16) or int8-per-tensor\n"
    "      --ln-inputs HOW    inputs of layer norms: float (the default), or 8 bits\n"
    "                         per-tensor or per-channel\n"
    "      --max-tokens N     the model's limit, calibration texts included (default: what\n"
    "                         its settings say, 256 for MiniLM)\n"
    "      --name TEXT        the model's name (default: that of its folder, or the one in\n"
    "                         config.json if the folder's says nothing)\n"
    "      --license TEXT     default: 'license:' of the README.md beside the model\n"
    "      --report FILE      a page of HTML about it: what was made, error by layer,\n"
    "                         histograms with their ranges, outliers, sizes (-: standard\n"
    "                         output, without the summary)\n"
    "      --eval DIR         scores on tasks, as 'minnow eval' has them, for the report;\n"
    "                         may be given more than once\n"
    "      --weights per-channel, --weight-codes 7\n"
    "                         what both forms have; there are no others\n"
    "\n"
    "Calibration:\n"
    CALIBRATION_HELP
    "\n"
    "      --json             the summary as one JSON object\n"
    "  -h, --help             this text\n"
    "\n"
    "Exit codes: 0 ok, 2 wrong usage, 3 file not readable or writable, 4 malformed\n"
    "(no texts, ranges of another model), 5 unsupported (no BERT encoder, NaN weights),\n"
    "6 out of memory.\n"
    "\n"
    "Examples:\n"
    "  minnow quantize --model model.onnx -o model.minnow\n"
    "  minnow quantize --model model.onnx --texts my-texts.txt -o model.minnow\n"
    "  minnow quantize --model model.onnx --to onnx -o int8/\n"
    "  minnow quantize --model model.onnx --ranges ranges.json --rounding nearest -o m.minnow\n";

/* --- Options ------------------------------------------------------------------------------------------------ */

typedef struct command_line {
    quantize_settings job;
    int to_given, per_tensor, eight_bits, rounding_given, json;
} command_line;

enum {
    OPTION_JSON = CALIBRATION_OWN,
    OPTION_RANGES,
    OPTION_ROUNDING,
    OPTION_NO_BIAS_CORRECTION,
    OPTION_SPLIT_CHANNELS,
    OPTION_EMBEDDING,
    OPTION_LN_INPUTS,
    OPTION_TO,
    OPTION_FORCE,
    OPTION_WEIGHTS,
    OPTION_WEIGHT_CODES,
    OPTION_NAME,
    OPTION_LICENSE,
    OPTION_REPORT,
    OPTION_EVAL
};

static const struct option options[] = {CALIBRATION_LONG_OPTIONS,
                                        {"output", required_argument, NULL, 'o'},
                                        {"ranges", required_argument, NULL, OPTION_RANGES},
                                        {"rounding", required_argument, NULL, OPTION_ROUNDING},
                                        {"no-bias-correction", no_argument, NULL, OPTION_NO_BIAS_CORRECTION},
                                        {"split-channels", required_argument, NULL, OPTION_SPLIT_CHANNELS},
                                        {"embedding", required_argument, NULL, OPTION_EMBEDDING},
                                        {"ln-inputs", required_argument, NULL, OPTION_LN_INPUTS},
                                        {"to", required_argument, NULL, OPTION_TO},
                                        {"force", no_argument, NULL, OPTION_FORCE},
                                        {"weights", required_argument, NULL, OPTION_WEIGHTS},
                                        {"weight-codes", required_argument, NULL, OPTION_WEIGHT_CODES},
                                        {"name", required_argument, NULL, OPTION_NAME},
                                        {"license", required_argument, NULL, OPTION_LICENSE},
                                        {"report", required_argument, NULL, OPTION_REPORT},
                                        {"eval", required_argument, NULL, OPTION_EVAL},
                                        {"json", no_argument, NULL, OPTION_JSON},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

/* The names that options take, in words for messages, and the values they mean. */
typedef struct choice { const char *name; int value; } choice;
static const choice roundings[] = {{"nearest", QUANTIZE_NEAREST}, {"gptq", QUANTIZE_GPTQ}, {NULL, 0}};
static const choice embeddings[] = {{"int8", INT8_TABLE_ROWS}, {"fp16", INT8_TABLE_HALF}, {"mixed", INT8_TABLE_MIXED},
                                    {"int8-per-tensor", INT8_TABLE_TENSOR}, {NULL, 0}};
static const choice ln_inputs[] = {{"float", QUANTIZE_NORM_FLOAT}, {"per-tensor", QUANTIZE_NORM_PER_TENSOR},
                                   {"per-channel", QUANTIZE_NORM_PER_CHANNEL}, {NULL, 0}};
static const choice forms[] = {{"minnow", 0}, {"onnx", 1}, {NULL, 0}};
static const choice weights[] = {{"per-channel", 0}, {"per-tensor", 1}, {NULL, 0}};
static const choice weight_codes[] = {{"7", 0}, {"8", 1}, {NULL, 0}};

static int take_choice(const char *option, const choice *choices, const char *names, int *out) {
    for (; choices->name != NULL; choices++) {
        if (strcmp(choices->name, optarg) != 0) continue;
        *out = choices->value;
        return CLI_OK;
    }
    return cli_usage_error(COMMAND, "%s: '%.100s' is not %s", option, optarg, names);
}

/* What the file says of itself is UTF-8. */
static int take_text(const char *option, const char **out) {
    const uint8_t *p = (const uint8_t *)optarg;
    size_t left = strlen(optarg), n;
    uint32_t c;
    for (; left > 0; p += n, left -= n)
        if ((n = utf8_decode(p, left, &c)) == 0)
            return cli_usage_error(COMMAND, "%s: '%.100s' is not UTF-8", option, optarg);
    *out = optarg;
    return CLI_OK;
}

static int take_option(command_line *s, int code) {
    int value = 0, taken;
    switch (code) {
    case 'o': s->job.output = cli_output_path(optarg); return CLI_OK;
    case OPTION_JSON: s->json = 1; return CLI_OK;
    case OPTION_RANGES: s->job.ranges = optarg; return CLI_OK;
    case OPTION_NAME: return take_text("--name", &s->job.name);
    case OPTION_LICENSE: return take_text("--license", &s->job.licence);
    case OPTION_REPORT: s->job.report = cli_output_path(optarg); return CLI_OK;
    case OPTION_EVAL: s->job.eval[s->job.n_eval++] = optarg; return CLI_OK;
    case OPTION_NO_BIAS_CORRECTION: s->job.quantize.no_bias_correction = 1; return CLI_OK;
    case OPTION_SPLIT_CHANNELS:
        s->job.usual_copies = 0;
        if (cli_parse_size(optarg, 0, SIZE_MAX, &s->job.quantize.n_copies)) return CLI_OK;
        return cli_usage_error(COMMAND, "--split-channels: '%.100s' is not a number from 0 on", optarg);
    case OPTION_FORCE: s->job.force = 1; return CLI_OK;
    case OPTION_TO: s->to_given = 1; return take_choice("--to", forms, "minnow or onnx", &s->job.to_onnx);
    case OPTION_WEIGHTS: return take_choice("--weights", weights, "per-channel or per-tensor", &s->per_tensor);
    case OPTION_WEIGHT_CODES: return take_choice("--weight-codes", weight_codes, "7 or 8", &s->eight_bits);
    case OPTION_ROUNDING:
        taken = take_choice("--rounding", roundings, "nearest or gptq", &value);
        s->rounding_given = 1;
        s->job.quantize.rounding = (quantize_rounding)value;
        return taken;
    case OPTION_EMBEDDING:
        taken = take_choice("--embedding", embeddings, "int8, fp16, mixed or int8-per-tensor", &value);
        s->job.quantize.embedding = (int8_table_kind)value;
        return taken;
    case OPTION_LN_INPUTS:
        taken = take_choice("--ln-inputs", ln_inputs, "float, per-tensor or per-channel", &value);
        s->job.quantize.norm_inputs = (quantize_norm_inputs)value;
        return taken;
    default: return calibration_take_option(COMMAND, code, optarg, &s->job.calibration);
    }
}

static int check_report(const quantize_settings *s) {
    if (s->report != NULL && *s->report == '\0') return cli_usage_error(COMMAND, "--report: no file named");
    if (s->n_eval > 0 && s->report == NULL)
        return cli_usage_error(COMMAND, "--eval is for --report; 'minnow eval' scores a model by itself");
    if (s->n_eval > 0 && file_os_is_special(s->output))
        return cli_usage_error(COMMAND, "--eval reads the model back: -o has to name a file");
    return CLI_OK;
}

/* What neither form has, by name. */
static int check_form(const command_line *s) {
    minnow_error error;
    if (s->per_tensor)
        error_set(&error, MINNOW_ERROR_UNSUPPORTED,
                  "--weights per-tensor: not written; weights have a scale for each channel");
    else if (s->eight_bits)
        error_set(&error, MINNOW_ERROR_UNSUPPORTED,
                  "--weight-codes 8: not written; codes of 7 bits, -64 to 63, have the same sums on every processor");
    else return CLI_OK;
    return cli_error(&error);
}

static int check_together(const command_line *s, int n_arguments, const char *first) {
    if (n_arguments > 0) return cli_usage_error(COMMAND, "unexpected argument '%.100s'", first);
    if (s->job.output == NULL || *s->job.output == '\0')
        return cli_usage_error(COMMAND, "no output given: -o FILE.minnow, -o FILE.onnx, or --to onnx -o DIR/");
    if (s->job.ranges != NULL && s->job.calibration.chooses_ranges)
        return cli_usage_error(COMMAND, "--ranges: the file says how they were chosen; "
                                        "--method, --site, --percentile and --equalization are for calibration");
    if (s->job.quantize.no_bias_correction && s->rounding_given && s->job.quantize.rounding == QUANTIZE_GPTQ)
        return cli_usage_error(COMMAND, "--no-bias-correction is for --rounding nearest");
    if (s->job.force && !s->job.to_onnx) return cli_usage_error(COMMAND, "--force is for --to onnx");
    if (check_report(&s->job) != CLI_OK) return CLI_USAGE;
    return check_form(s);
}

/* 0 to go on, else an exit code is in *code. */
static int read_options(int argc, char **argv, command_line *s, int *code) {
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
        if (option == '?' || option == ':') return *code = cli_option_error(COMMAND, option, argv, options), 1;
        if (option == 'h') {
            fputs(help, stdout);
            *code = cli_finish(CLI_OK);
            return 1;
        }
        *code = take_option(s, option);
        if (*code != CLI_OK) return 1;
    }
    if (!s->to_given && s->job.output != NULL) s->job.to_onnx = path_has_suffix(s->job.output, ".onnx");
    *code = check_together(s, argc - optind, argv[optind]);
    if (s->job.quantize.no_bias_correction) s->job.quantize.rounding = QUANTIZE_NEAREST;
    return *code != CLI_OK;
}

/* The model or the report may be what standard output is for. */
static int is_on_output(const quantize_settings *s) {
    return file_os_is_special(s->output) || (s->report != NULL && file_os_is_special(s->report));
}

static int run(const command_line *s) {
    quantize_job j;
    minnow_error error;
    int code = CLI_OK;
    memset(&j, 0, sizeof j);
    if (quantize_job_run(&j, &s->job, &error) != MINNOW_OK) code = cli_error(&error);
    else if (!is_on_output(&s->job)) quantize_job_print(&j, s->json);
    quantize_job_close(&j);
    if (code != CLI_OK) os_end_if_interrupted();
    return cli_finish(code);
}

int cmd_quantize(int argc, char **argv) {
    command_line s;
    int code = CLI_OK;
    memset(&s, 0, sizeof s);
    calibration_options_init(&s.job.calibration);
    s.job.quantize.rounding = DEFAULT_ROUNDING;
    s.job.usual_copies = 1;
    s.job.quantize.embedding = INT8_TABLE_ROWS;
    s.job.eval = calloc((size_t)argc, sizeof *s.job.eval); /* no more of them than arguments */
    if (s.job.eval == NULL) return cli_error(&(minnow_error){MINNOW_ERROR_MEMORY, "out of memory"});
    if (!read_options(argc, argv, &s, &code)) code = run(&s);
    free(s.job.eval);
    return code;
}
