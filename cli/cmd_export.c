/* SPDX-License-Identifier: Apache-2.0
 * minnow export: a model folder (safetensors) -> an ONNX file, and the small files that belong to it. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"
#include "cli.h"
#include "convert/import/import.h"
#include "convert/onnx/onnx.h"
#include "export.h"
#include "options.h"

static const char help[] =
    "Usage: minnow export DIR -o FILE|DIR/ [OPTIONS]\n"
    "\n"
    "Writes the encoder of a model folder (config.json, model.safetensors) as FP32 ONNX, opset 17: int64 input_ids,\n"
    "attention_mask and token_type_ids [batch_size, sequence_length] in, last_hidden_state out. BERT, MiniLM, BGE, "
    "E5,\n"
    "GTE and others of model_type \"bert\".\n"
    "\n"
    "  -o, --output FILE  the ONNX file; config, tokenizer and pooling settings are copied beside it, or into the\n"
    "                     folder above if FILE's is named onnx\n"
    "  -o, --output DIR/  the Hub's layout, for transformers.js and sentence-transformers: DIR/onnx/model.onnx and\n"
    "                     the other files in DIR\n"
    "      --pooled       add the output sentence_embedding: pooled and normalized as the folder's settings say\n"
    "      --force        replace files that are there already and differ (a *.onnx is always replaced)\n"
    "      --json         one JSON object instead of a line\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit codes: 0 ok, 2 wrong usage, 3 file not readable or writable, 4 malformed, 5 unsupported, 6 out of memory.\n";

enum { OPTION_POOLED = 256, OPTION_FORCE, OPTION_JSON };

typedef struct settings {
    const char *source, *output;
    int pooled, force, json;
} settings;

/* What the last line tells. */
typedef struct summary {
    size_t n_nodes, n_parameters, bytes, n_outputs;
    double seconds;
} summary;

static void measure(summary *out, const graph *g) {
    size_t i;
    out->n_nodes = g->n_nodes;
    out->n_outputs = g->n_outputs;
    for (i = 0; i < g->n_values; i++) {
        const tensor *t = g->values[i].constant;
        if (t != NULL && t->type == DTYPE_FLOAT32 && t->rank > 0)
            out->n_parameters += tensor_count(t); /* not epsilons and the like */
    }
}

static minnow_status write_files(const settings *s, const export_files *files, const graph *g, cli_progress *bar,
                                 minnow_error *error) {
    TRY(export_files_make_folders(files, error));
    TRY(export_files_copy(files, s->source, error));
    cli_progress_update(bar, 2);
    return onnx_write(g, files->model, error); /* last: a model that is there is complete */
}

static minnow_status export_model(const settings *s, export_files *files, summary *told, minnow_error *error) {
    const import_options options = {.pooled = s->pooled};
    const double started = os_seconds();
    graph *g = NULL;
    cli_progress bar;
    minnow_status status;
    if (!file_is_directory(s->source))
        return error_set(error, MINNOW_ERROR_IO,
                         "%s: no such folder; export takes one with config.json and model.safetensors", s->source);
    TRY(export_files_plan(files, s->source, s->output, "onnx/model.onnx", s->force, error));
    cli_progress_begin(&bar, "export", "steps", 3);
    status = import_folder(&g, s->source, &options, error);
    cli_progress_update(&bar, 1);
    if (status == MINNOW_OK) status = write_files(s, files, g, &bar, error);
    cli_progress_end(&bar);
    if (status == MINNOW_OK) measure(told, g);
    graph_close(&g);
    if (status != MINNOW_OK) return status;
    told->bytes = export_files_model_bytes(files);
    told->seconds = os_seconds() - started;
    return MINNOW_OK;
}

static void print_json(const settings *s, const export_files *files, const summary *told) {
    fputs("{\"model\":", stdout);
    cli_json_string(stdout, files->model, strlen(files->model));
    printf(",\"bytes\":%zu,\"nodes\":%zu,\"parameters\":%zu,\"opset\":17,\"outputs\":[\"last_hidden_state\"%s],"
           "\"files\":",
           told->bytes, told->n_nodes, told->n_parameters, s->pooled ? ",\"sentence_embedding\"" : "");
    export_files_print_json(files);
    fputs(",\"seconds\":", stdout);
    cli_json_double(stdout, told->seconds);
    fputs("}\n", stdout);
}

static void print_text(const export_files *files, const summary *told) {
    cli_print_text(stdout, files->model, strlen(files->model));
    printf(": %.1f MB, %zu nodes, %.1f M parameters, %.2f s\n", (double)told->bytes / 1e6, told->n_nodes,
           (double)told->n_parameters / 1e6, told->seconds);
    export_files_print(files);
}

/* 0 to go on, else an exit code is in *code. */
static int read_options(int argc, char **argv, settings *s, int *code) {
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},   {"pooled", no_argument, NULL, OPTION_POOLED},
        {"force", no_argument, NULL, OPTION_FORCE}, {"json", no_argument, NULL, OPTION_JSON},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0}};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
        switch (option) {
        case 'o': s->output = optarg; break;
        case OPTION_POOLED: s->pooled = 1; break;
        case OPTION_FORCE: s->force = 1; break;
        case OPTION_JSON: s->json = 1; break;
        case 'h':
            fputs(help, stdout);
            *code = cli_finish(CLI_OK);
            return 1;
        default: *code = cli_option_error("export", option, argv, options); return 1;
        }
    }
    if (argc - optind != 1)
        *code =
            cli_usage_error("export", argc == optind ? "no model folder given" : "more than one model folder given");
    else if (s->output == NULL || *s->output == '\0')
        *code = cli_usage_error("export", "no output given: -o FILE.onnx or -o DIR/");
    else return s->source = argv[optind], 0;
    return 1;
}

int cmd_export(int argc, char **argv) {
    settings s;
    summary told;
    export_files files;
    minnow_error error;
    int code = CLI_OK;
    memset(&s, 0, sizeof s);
    memset(&told, 0, sizeof told);
    memset(&files, 0, sizeof files);
    memset(&error, 0, sizeof error);
    if (read_options(argc, argv, &s, &code)) return code;
    if (export_model(&s, &files, &told, &error) != MINNOW_OK) {
        code = cli_error(&error);
    } else if (files.folder != NULL) { /* else the model itself may be on standard output */
        if (s.json) print_json(&s, &files, &told);
        else print_text(&files, &told);
    }
    export_files_free(&files);
    return cli_finish(code);
}
