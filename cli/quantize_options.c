/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize_options.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"

void calibration_options_init(calibration_options *o) {
    memset(o, 0, sizeof *o);
    o->samples = CALIBRATION_SAMPLES;
    o->ranges.alpha = CALIBRATION_ALPHA;
    o->ranges.method = RANGE_AUTO;
    o->ranges.percentile = CALIBRATION_PERCENTILE;
}

int cli_parse_number(const char *text, double low, double high, double *out) {
    char *end;
    double value;
    if (strspn(text, "0123456789.") != strlen(text)) return 0; /* no signs, spaces, exponents, "nan", hexadecimal */
    value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= low && value <= high)) return 0;
    *out = value;
    return 1;
}

static int take_method(const char *command, const char *option, const char *name, range_method *out) {
    const int method = range_method_from_name(name);
    if (method < 0)
        return cli_usage_error(command, "%s: '%.100s' is not auto, minmax, percentile, mse or entropy", option, name);
    *out = (range_method)method;
    return CLI_OK;
}

/* "layer.3.key=mse" */
static int take_site(const char *command, char *value, calibration_options *o) {
    char *equals = strchr(value, '=');
    struct range_choice *choice = &o->choices[o->ranges.n_choices];
    if (equals == NULL || equals == value)
        return cli_usage_error(command, "--site: '%.100s' is not NAME=METHOD, such as layer.3.key=mse", value);
    if (o->ranges.n_choices == CALIBRATION_MAX_CHOICES)
        return cli_usage_error(command, "--site: more than %d of them", CALIBRATION_MAX_CHOICES);
    *equals = '\0';
    choice->site = value;
    o->ranges.n_choices++;
    o->ranges.choices = o->choices;
    return take_method(command, "--site", equals + 1, &choice->method);
}

static int take_ranges(const char *command, int code, char *value, calibration_options *o) {
    double alpha;
    o->chooses_ranges = 1;
    switch (code) {
    case CALIBRATION_EQUALIZATION:
        if (!cli_parse_number(value, 0, 1, &alpha))
            return cli_usage_error(command, "--equalization: '%.100s' is not a number from 0 to 1", value);
        o->ranges.alpha = (float)alpha;
        o->ranges.no_equalization = 0;
        return CLI_OK;
    case CALIBRATION_NO_EQUALIZATION: o->ranges.no_equalization = 1; return CLI_OK;
    case CALIBRATION_METHOD: return take_method(command, "--method", value, &o->ranges.method);
    case CALIBRATION_SITE: return take_site(command, value, o);
    default:
        if (cli_parse_number(value, 50, 100, &o->ranges.percentile)) return CLI_OK;
        return cli_usage_error(command, "--percentile: '%.100s' is not a number from 50 to 100", value);
    }
}

int calibration_take_option(const char *command, int code, char *value, calibration_options *o) {
    switch (code) {
    case CALIBRATION_MODEL: o->model = value; return CLI_OK;
    case CALIBRATION_TOKENIZER: o->tokenizer = value; return CLI_OK;
    case CALIBRATION_TEXTS: o->texts = value; return CLI_OK;
    case CALIBRATION_EXTERNAL_DATA: o->external_data = 1; return CLI_OK;
    case CALIBRATION_SAMPLES_OPTION:
        if (cli_parse_size(value, 0, 1000000000, &o->samples)) return CLI_OK;
        return cli_usage_error(command, "--samples: '%.100s' is not a whole number from 0 to 1000000000", value);
    case CALIBRATION_MAX_TOKENS:
        if (cli_parse_size(value, 1, 1000000000, &o->max_tokens)) return CLI_OK;
        return cli_usage_error(command, "--max-tokens: '%.100s' is not a whole number from 1 to 1000000000", value);
    case CALIBRATION_THREADS:
        if (cli_parse_size(value, 1, 256, &o->n_threads)) return CLI_OK;
        return cli_usage_error(command, "--threads: '%.100s' is not a whole number from 1 to 256", value);
    default: return take_ranges(command, code, value, o);
    }
}
