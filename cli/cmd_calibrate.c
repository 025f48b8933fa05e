/* SPDX-License-Identifier: Apache-2.0
 * minnow calibrate: an FP32 model and texts -> ranges.json, the ranges of its activations. */
#include <string.h>

#include "base/file_os.h"
#include "base/os.h"
#include "cli.h"
#include "options.h"
#include "quantize_source.h"

#define COMMAND "calibrate"

static const char help[] =
    "Usage: minnow calibrate [OPTION]... -o RANGES.json\n"
    "\n"
    "Runs an FP32 encoder over texts and notes the ranges of its activations, for\n"
    "'minnow quantize --ranges'. The same inputs give the same bytes on every machine.\n"
    "\n"
    "  -o, --output FILE      where to write them; the file appears when it is complete\n"
    "                         (-: standard output, without the summary)\n"
    "      --model FILE|DIR   ONNX file or model folder (default: see 'minnow --help')\n"
    "      --max-tokens N     cut texts after N tokens (default: the model's limit, 256\n"
    "                         for MiniLM)\n"
    CALIBRATION_HELP
    "      --json             the summary as one JSON object\n"
    "  -h, --help             this text\n"
    "\n"
    "Exit codes: 0 ok, 2 wrong usage, 3 file not readable or writable, 4 malformed\n"
    "(no texts), 5 unsupported (no BERT encoder, NaN weights), 6 out of memory.\n"
    "\n"
    "Example:\n"
    "  minnow calibrate --model model.onnx --texts my-texts.txt -o ranges.json\n";

enum { OPTION_JSON = CALIBRATION_OWN };

typedef struct settings {
    calibration_options calibration;
    const char *output;
    int json;
} settings;

/* 0 to go on, else an exit code is in *code. */
static int read_options(int argc, char **argv, settings *s, int *code) {
    static const struct option options[] = {CALIBRATION_LONG_OPTIONS,
                                            {"output", required_argument, NULL, 'o'},
                                            {"json", no_argument, NULL, OPTION_JSON},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
        *code = CLI_OK;
        switch (option) {
        case 'o': s->output = cli_output_path(optarg); break;
        case OPTION_JSON: s->json = 1; break;
        case 'h':
            fputs(help, stdout);
            *code = cli_finish(CLI_OK);
            return 1;
        case '?':
        case ':': *code = cli_option_error(COMMAND, option, argv, options); return 1;
        default: *code = calibration_take_option(COMMAND, option, optarg, &s->calibration);
        }
        if (*code != CLI_OK) return 1;
    }
    if (optind < argc) *code = cli_usage_error(COMMAND, "unexpected argument '%.100s'", argv[optind]);
    else if (s->output == NULL || *s->output == '\0') *code = cli_usage_error(COMMAND,
                                                                              "no output given: -o RANGES.json");
    return *code != CLI_OK;
}

static void print_json(const settings *s, const quantize_source *source, const ranges *r,
                       const quantize_progress *progress) {
    fputs("{\"ranges\":", stdout);
    cli_json_string(stdout, s->output, strlen(s->output));
    printf(",\"available\":%zu,", source->texts.n_available);
    quantize_ranges_print_json(r);
    fputs(",\"seconds\":", stdout);
    quantize_progress_print_json(progress);
    fputs("}\n", stdout);
}

static void print_text(const settings *s, const ranges *r, const quantize_progress *progress) {
    cli_print_text(stdout, s->output, strlen(s->output));
    fputs(": ", stdout);
    quantize_ranges_print(r);
    putchar('\n');
    quantize_progress_print(progress);
    putchar('\n');
}

static minnow_status calibrate(const settings *s, quantize_source *source, minnow_error *error) {
    range_options options = s->calibration.ranges;
    quantize_progress progress;
    ranges *r = NULL;
    minnow_status status;
    memset(&progress, 0, sizeof progress);
    TRY(quantize_source_open(source, &s->calibration, 0, error));
    TRY(quantize_check_output(source, s->output, error));
    options.progress = quantize_progress_update;
    options.progress_context = &progress;
    status = ranges_calibrate(&r, source->floats, &source->texts, &options, error);
    quantize_progress_end(&progress);
    os_catch_interrupts(); /* there was nothing to remove before */
    if (status == MINNOW_OK) status = ranges_write(r, s->output, error);
    if (status == MINNOW_OK && !file_os_is_special(s->output)) { /* else the ranges may be on standard output */
        if (s->json) print_json(s, source, r, &progress);
        else print_text(s, r, &progress);
    }
    ranges_close(&r);
    return status;
}

int cmd_calibrate(int argc, char **argv) {
    settings s;
    quantize_source source;
    minnow_error error;
    int code = CLI_OK;
    memset(&s, 0, sizeof s);
    memset(&source, 0, sizeof source);
    calibration_options_init(&s.calibration);
    if (read_options(argc, argv, &s, &code)) return code;
    if (calibrate(&s, &source, &error) != MINNOW_OK) code = cli_error(&error);
    quantize_source_close(&source);
    if (code != CLI_OK) os_end_if_interrupted();
    return cli_finish(code);
}
