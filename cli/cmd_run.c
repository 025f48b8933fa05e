/* SPDX-License-Identifier: Apache-2.0
 * minnow run: any graph, any inputs, all outputs. */
#include <stdlib.h>
#include <string.h>

#include "api/open.h"
#include "base/thread.h"
#include "cli.h"
#include "convert/import/import.h"
#include "convert/interpret/interpreter.h"
#include "convert/onnx/onnx.h"
#include "options.h"
#include "run.h"

#define COMMAND "run"

static const char help[] =
    "Usage: minnow run MODEL --inputs FILE.json|DIR [OPTION]...\n"
    "\n"
    "Runs a graph as it stands, in the types that it declares, and prints its outputs.\n"
    "MODEL is an ONNX file, or a folder with onnx/model.onnx, model.onnx,\n"
    "model.safetensors or onnx/model_quantized.onnx: the first of these.\n"
    "\n"
    "      --inputs FILE      a JSON object of nested arrays by input name, cast to the\n"
    "                         types that the model declares\n"
    "      --inputs DIR       a folder with NAME.npy for each input\n"
    "      --output NAME      this output only; may be given more than once\n"
    "      --json             {\"outputs\": {NAME: {\"shape\", \"dtype\", \"data\"}}}, data flat\n"
    "      --npy DIR          write each output as DIR/NAME.npy\n"
    "      --threads N        default: one a processor; results do not depend on it\n"
    "      --work-limit N     give up after N multiply-adds (default: 2^42, minutes)\n"
    "      --external-data    allow tensors in other files beneath the model's folder\n"
    "  -h, --help             this text\n"
    "\n"
    "In file names, characters of NAME that mean something in paths become '_'.\n"
    "\n"
    "Examples:\n"
    "  echo '{\"input_ids\":[[101,7592,102]],\"attention_mask\":[[1,1,1]],\n"
    "         \"token_type_ids\":[[0,0,0]]}' > in.json\n"
    "  minnow run model.onnx --inputs in.json --json\n"
    "  minnow run model.onnx --inputs folder --npy results\n"
    "\n"
    "Exit codes: 0 ok, 2 wrong usage, 3 file not readable, 4 malformed, 5 unsupported, 6 out of memory.\n";

enum { OPTION_INPUTS = 256, OPTION_OUTPUT, OPTION_JSON, OPTION_NPY, OPTION_THREADS, OPTION_WORK, OPTION_EXTERNAL };

static const struct option options[] = {{"inputs", required_argument, NULL, OPTION_INPUTS},
                                        {"output", required_argument, NULL, OPTION_OUTPUT},
                                        {"json", no_argument, NULL, OPTION_JSON},
                                        {"npy", required_argument, NULL, OPTION_NPY},
                                        {"threads", required_argument, NULL, OPTION_THREADS},
                                        {"work-limit", required_argument, NULL, OPTION_WORK},
                                        {"external-data", no_argument, NULL, OPTION_EXTERNAL},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

typedef struct settings {
    const char *model, *inputs, *npy;
    const char **names; /* --output */
    size_t n_names, n_threads, work_limit;
    int json, external_data;
} settings;

/* What a run owns. */
typedef struct session {
    graph *g;
    thread_pool *pool;
    interpreter *in;
    arena memory;
    tensor *inputs, *outputs;
    uint8_t *wanted;
} session;

static minnow_status open_graph(graph **g, const settings *s, minnow_error *error) {
    model_location where;
    minnow_status status;
    TRY(model_locate(&where, s->model, NULL, error));
    if (where.packed != NULL)
        status = error_set(error, MINNOW_ERROR_UNSUPPORTED, "%s: a .minnow file has no graph to run", where.packed);
    else if (where.onnx != NULL) status = onnx_open(g, where.onnx, s->external_data, error);
    else status = import_folder(g, where.folder, NULL, error);
    model_location_free(&where);
    return status;
}

static minnow_status choose_outputs(session *r, const settings *s, minnow_error *error) {
    for (size_t o = 0; o < r->g->n_outputs; o++) r->wanted[o] = s->n_names == 0;
    for (size_t i = 0; i < s->n_names; i++) {
        int found = 0;
        for (size_t o = 0; o < r->g->n_outputs; o++) {
            if (strcmp(r->g->values[r->g->outputs[o]].name, s->names[i]) != 0) continue;
            r->wanted[o] = 1;
            found = 1;
        }
        if (!found) return error_set(error, MINNOW_ERROR_ARGUMENT, "%s: no output '%s'", s->model, s->names[i]);
    }
    return MINNOW_OK;
}

static minnow_status prepare(session *r, const settings *s, minnow_error *error) {
    minnow_status status;
    TRY(open_graph(&r->g, s, error));
    r->inputs = arena_array(&r->memory, r->g->n_inputs, sizeof *r->inputs);
    r->outputs = arena_array(&r->memory, r->g->n_outputs, sizeof *r->outputs);
    r->wanted = arena_array(&r->memory, r->g->n_outputs, 1);
    if (r->inputs == NULL || r->outputs == NULL || r->wanted == NULL)
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    TRY(choose_outputs(r, s, error));
    TRY(run_read_inputs(r->g, s->inputs, &r->memory, r->inputs, error));
    TRY(thread_pool_create(&r->pool, s->n_threads, error));
    status = interpreter_create(&r->in, r->g, &(interpreter_options){.pool = r->pool, .work_limit = s->work_limit},
                                error);
    return status == MINNOW_OK ? MINNOW_OK : error_prefix(error, status, "%s", s->model);
}

static minnow_status run(session *r, const settings *s, minnow_error *error) {
    minnow_status status;
    TRY(prepare(r, s, error));
    status = interpreter_run(r->in, r->inputs, r->outputs, r->wanted, error);
    if (status != MINNOW_OK) return error_prefix(error, status, "%s", s->model);
    if (s->npy != NULL) TRY(run_write_npy(r->g, r->outputs, r->wanted, s->npy, error));
    if (s->json) run_print_json(r->g, r->outputs, r->wanted);
    else if (s->npy == NULL) run_print_summary(r->g, r->outputs, r->wanted);
    return MINNOW_OK;
}

static void end_session(session *r) {
    interpreter_close(&r->in);
    thread_pool_close(&r->pool);
    graph_close(&r->g);
    arena_free(&r->memory);
}

/* CLI_OK, another exit code, or -1 after --help. */
static int read_options(int argc, char **argv, settings *s) {
    int code;
    optind = 1;
    opterr = 0;
    while ((code = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (code) {
        case OPTION_INPUTS: s->inputs = optarg; break;
        case OPTION_OUTPUT: s->names[s->n_names++] = optarg; break;
        case OPTION_JSON: s->json = 1; break;
        case OPTION_NPY: s->npy = optarg; break;
        case OPTION_EXTERNAL: s->external_data = 1; break;
        case OPTION_THREADS:
            if (cli_parse_size(optarg, 1, 1024, &s->n_threads)) break;
            return cli_usage_error(COMMAND, "--threads: '%.100s' is not a whole number from 1 to 1024", optarg);
        case OPTION_WORK:
            if (cli_parse_size(optarg, 1, SIZE_MAX, &s->work_limit)) break;
            return cli_usage_error(COMMAND, "--work-limit: '%.100s' is not a whole number from 1", optarg);
        case 'h': fputs(help, stdout); return -1;
        default: return cli_option_error(COMMAND, code, argv, options);
        }
    }
    if (optind == argc) return cli_usage_error(COMMAND, "no model given");
    if (optind + 1 < argc) return cli_usage_error(COMMAND, "more than one model given: '%.100s'", argv[optind + 1]);
    if (s->inputs == NULL) return cli_usage_error(COMMAND, "--inputs is missing");
    s->model = argv[optind];
    return CLI_OK;
}

int cmd_run(int argc, char **argv) {
    settings s = {0};
    session r = {0};
    minnow_error error;
    int code;
    s.names = calloc((size_t)argc + 1, sizeof *s.names);
    if (s.names == NULL) {
        error_set(&error, MINNOW_ERROR_MEMORY, "out of memory");
        return cli_error(&error);
    }
    code = read_options(argc, argv, &s);
    if (code == CLI_OK && run(&r, &s, &error) != MINNOW_OK) code = cli_error(&error);
    end_session(&r);
    free(s.names);
    return cli_finish(code == -1 ? CLI_OK : code);
}
