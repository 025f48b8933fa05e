/* SPDX-License-Identifier: Apache-2.0
 * minnow inspect: what is in a model file, for people, for scripts and for Graphviz. */
#include <stdlib.h>
#include <string.h>

#include "api/open.h"
#include "base/thread.h"
#include "cli.h"
#include "convert/import/import.h"
#include "convert/onnx/onnx.h"
#include "convert/shapes/infer.h"
#include "inspect.h"
#include "options.h"

static const char help[] =
    "Usage: minnow inspect [OPTIONS] MODEL\n"
    "\n"
    "Shows what a model consists of: inputs, outputs, nodes with the shapes that follow from the inputs, parameters,\n"
    "operators, and the memory its activations need.\n"
    "\n"
    "MODEL is an ONNX file, or a folder: the first of onnx/model.onnx, model.onnx, model.safetensors, model.minnow and\n"
    "onnx/model_quantized.onnx; or a .minnow file, of which names, shapes, settings, sections (in bytes) and the plan\n"
    "are shown: the steps that encode a text, and the buffers they take, each with the steps of its life and its place\n"
    "in one block of memory.\n"
    "\n"
    "  --dims NAME=SIZE,...  give symbolic axes a size (batch_size=1,sequence_length=128), in shapes and memory;\n"
    "                        an axis without a name is INPUT:AXIS. What is not given stays a symbol in shapes, and\n"
    "                        counts as 1 along first axes and 128 along others in bytes and memory (or less, where\n"
    "                        the model takes no more)\n"
    "  --tokens N            .minnow: plan for a text of N tokens (default: the model's limit)\n"
    "  --threads N           .minnow: plan for N threads (default: 1)\n"
    "  --summary             leave out the table of nodes (or of steps, buffers and sections)\n"
    "  --values              add a table of all values\n"
    "  --external-data       allow tensors in other files beneath the model's folder\n"
    "  --json                one JSON object\n"
    "  --dot                 the graph for Graphviz: minnow inspect --dot MODEL | dot -Tsvg -o model.svg\n"
    "  -h, --help            this text\n"
    "\n"
    "params and weights (in bytes) are the constants a node reads, bytes what it makes. Memory counts each value from\n"
    "the node that makes it to the last one that reads it.\n"
    "\n"
    "Exit codes: 0 ok, 2 wrong usage, 3 file not readable, 4 malformed, 5 unsupported, 6 out of memory.\n";

#define MAX_TOKENS ((size_t)1 << 20) /* more than any model has positions for */

enum { OPTION_DIMS = 256, OPTION_SUMMARY, OPTION_VALUES, OPTION_EXTERNAL, OPTION_JSON, OPTION_DOT, OPTION_TOKENS,
       OPTION_THREADS };

typedef struct settings {
    const char *path, *dims;
    int show, json, dot, external_data;
    size_t n_tokens, n_threads; /* 0: not given */
} settings;

static minnow_status open_graph(inspection *in, const settings *s, const model_location *where, minnow_error *error) {
    if (where->onnx != NULL) TRY(onnx_open(&in->g, where->onnx, s->external_data, error));
    else TRY(import_folder(&in->g, where->folder, NULL, error));
    in->file_bytes = graph_mapped_bytes(in->g);
    return MINNOW_OK;
}

/* Keeps the values as they are to be shown, beside those with the sizes of the estimate. */
static minnow_status keep_values(inspection *in, minnow_error *error) {
    in->values = malloc((in->g->n_values + 1) * sizeof *in->values);
    if (in->values == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    if (in->g->n_values > 0) memcpy(in->values, in->g->values, in->g->n_values * sizeof *in->values);
    return MINNOW_OK;
}

/* Sizes for the estimate that nobody gave: 128 along axes that are not first ones, or the next smaller power of two
 * that the model works with (its positions may be fewer). If none does, memory is told as far as it is known. */
static void infer_estimate(inspection *in) {
    const size_t bytes = in->g->n_values * sizeof *in->values;
    minnow_error ignored;
    int64_t size;
    size_t i;
    for (size = 128; size >= 1; size /= 2) {
        for (i = 0; i < in->n_dims; i++)
            if (!in->dims[i].is_given && in->dims[i].size > size) in->dims[i].size = size;
        inspect_bind_dims(in, 0);
        if (graph_infer_shapes(in->g, &ignored) == MINNOW_OK) return;
        if (bytes > 0) memcpy(in->g->values, in->values, bytes);
    }
    in->n_dims = 0;
}

/* Shapes are shown with the sizes given; the estimate needs one for every symbol. */
static minnow_status infer(inspection *in, const settings *s, minnow_error *error) {
    size_t open = 0, i;
    TRY(inspect_read_dims(in, s->dims, error));
    inspect_bind_dims(in, 1);
    TRY(graph_infer_shapes(in->g, error));
    TRY(keep_values(in, error));
    for (i = 0; i < in->n_dims; i++) open += !in->dims[i].is_given;
    if (open > 0) infer_estimate(in);
    return MINNOW_OK;
}

static minnow_status inspect_graph(const settings *s, const model_location *where, minnow_error *error) {
    inspection in;
    minnow_status status;
    memset(&in, 0, sizeof in);
    in.path = s->path;
    TRY(open_graph(&in, s, where, error));
    status = infer(&in, s, error);
    if (status == MINNOW_OK) status = inspect_measure(&in, error);
    else if (status != MINNOW_ERROR_ARGUMENT) error_prefix(error, status, "%s", s->path);
    if (status == MINNOW_OK) {
        if (s->json) inspect_print_json(&in, s->show);
        else if (s->dot) inspect_print_dot(&in);
        else status = inspect_print_table(&in, s->show, error);
    }
    free(in.values);
    free(in.nodes);
    free(in.roles);
    graph_close(&in.g);
    return status;
}

static minnow_status inspect_packed(const settings *s, const char *path, minnow_error *error) {
    const inspect_packed_options options = {s->show, s->json, s->n_tokens, s->n_threads};
    if (s->dot || s->dims != NULL || (s->show & INSPECT_VALUES))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "%s: a .minnow file has no graph for --dot, --dims or --values",
                         path);
    return inspect_minnow(path, &options, error);
}

static minnow_status inspect(const settings *s, minnow_error *error) {
    model_location where;
    minnow_status status;
    TRY(model_locate(&where, s->path, NULL, error));
    if (where.packed != NULL)
        status = inspect_packed(s, where.packed, error);
    else if (s->n_tokens != 0 || s->n_threads != 0)
        status = error_set(error, MINNOW_ERROR_ARGUMENT,
                           "%s: --tokens and --threads are for .minnow files; --dims gives a graph its sizes", s->path);
    else
        status = inspect_graph(s, &where, error);
    model_location_free(&where);
    return status;
}

static int take_size(const char *option, const char *value, size_t high, size_t *out, int *code) {
    if (cli_parse_size(value, 1, high, out)) return 0;
    *code = cli_usage_error("inspect", "%s: '%.100s' is not a whole number from 1 to %zu", option, value, high);
    return 1;
}

/* 0 to go on, else an exit code is in *code. */
static int read_options(int argc, char **argv, settings *s, int *code) {
    static const struct option options[] = {
        {"dims", required_argument, NULL, OPTION_DIMS},     {"summary", no_argument, NULL, OPTION_SUMMARY},
        {"values", no_argument, NULL, OPTION_VALUES},       {"external-data", no_argument, NULL, OPTION_EXTERNAL},
        {"json", no_argument, NULL, OPTION_JSON},           {"dot", no_argument, NULL, OPTION_DOT},
        {"tokens", required_argument, NULL, OPTION_TOKENS}, {"threads", required_argument, NULL, OPTION_THREADS},
        {"help", no_argument, NULL, 'h'},                   {NULL, 0, NULL, 0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (option) {
        case OPTION_DIMS: s->dims = optarg; break;
        case OPTION_SUMMARY: s->show &= ~INSPECT_NODES; break;
        case OPTION_VALUES: s->show |= INSPECT_VALUES; break;
        case OPTION_EXTERNAL: s->external_data = 1; break;
        case OPTION_JSON: s->json = 1; break;
        case OPTION_DOT: s->dot = 1; break;
        case OPTION_TOKENS:
            if (take_size("--tokens", optarg, MAX_TOKENS, &s->n_tokens, code)) return 1;
            break;
        case OPTION_THREADS:
            if (take_size("--threads", optarg, THREAD_POOL_MAX, &s->n_threads, code)) return 1;
            break;
        case 'h': fputs(help, stdout); return *code = cli_finish(CLI_OK), 1;
        default: return *code = cli_option_error("inspect", option, argv, options), 1;
        }
    }
    return 0;
}

int cmd_inspect(int argc, char **argv) {
    settings s = {.show = INSPECT_NODES};
    minnow_error error;
    int code = CLI_OK;
    if (read_options(argc, argv, &s, &code)) return code;
    if (s.json && s.dot) return cli_usage_error("inspect", "--json and --dot exclude each other");
    if (optind >= argc) return cli_usage_error("inspect", "which model? Give an ONNX or .minnow file or a folder");
    if (optind + 1 < argc) return cli_usage_error("inspect", "one model at a time: '%s' is too much", argv[optind + 1]);
    s.path = argv[optind];
    if (inspect(&s, &error) != MINNOW_OK) return cli_finish(cli_error(&error));
    return cli_finish(CLI_OK);
}
