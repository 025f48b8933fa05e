/* SPDX-License-Identifier: Apache-2.0
 * minnow embed: texts -> vectors, as JSON lines or .npy. A block of texts is in memory, never the whole input. */
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cli.h"
#include "convert/npy/npy.h"
#include "encoder.h"
#include "input.h"
#include "options.h"
#include "precision.h"

#define COMMAND "embed"
#define BLOCK_ITEMS 128      /* texts a thread in a block */
#define BLOCK_ITEMS_TOKENS 1 /* with --tokens, where each text gives a matrix */

static const char help[] =
    "Usage: minnow embed [OPTION]... [TEXT]...\n"
    "\n"
    "Turns texts into vectors. Texts are the arguments, else the lines of standard\n"
    "input. Prints one JSON object a text, in order:\n"
    "\n"
    "  {\"text\": ..., \"embedding\": [...], \"n_tokens\": 9, \"truncated\": false}\n"
    "\n"
    "      --model FILE|DIR   .minnow file, ONNX file or model folder (default: see\n"
    "                         'minnow --help')\n"
    "      --tokenizer FILE   tokenizer.json or vocab.txt (default: beside the model)\n"
    "      --jsonl            standard input has one JSON string a line, or one object\n"
    "                         with \"text\"; blank lines are skipped\n"
    "      --npy OUT          write float32 [n, dimensions] to OUT instead of JSON; the\n"
    "                         file appears when it is complete (-: standard output)\n"
    "      --pool HOW         mean, cls or max (default: the model's, else mean)\n"
    "      --no-normalize     leave vectors at their length instead of scaling to 1\n"
    "      --tokens           print a vector for each token: \"tokens\" are their ids,\n"
    "                         \"embeddings\" their vectors, not normalized\n"
    "      --max-tokens N     cut texts after N tokens, [CLS] and [SEP] included\n"
    "                         (default: the model's limit, 256 for MiniLM)\n"
    "      --precision P      float32, int8 (127 x, rounded half to even), binary or\n"
    "                         ubinary (a bit a number, packed; signed or unsigned bytes)\n"
    "      --dimensions D     keep the first D numbers, scaled to length 1 again\n"
    "      --threads N        default: one a processor; results do not depend on it\n"
    "      --external-data    allow tensors in other files beneath the model's folder\n"
    "  -h, --help             this text\n"
    "\n"
    "Examples:\n"
    "  minnow embed \"How do I reset my password?\"\n"
    "  minnow embed --npy vectors.npy < sentences.txt\n"
    "  minnow embed --jsonl --precision int8 < texts.jsonl > vectors.jsonl\n"
    "  minnow embed -- \"-5 degrees\"            (a text that begins with '-')\n";

typedef struct embed {
    cli_model_options model;
    int jsonl, tokens;
    const char *npy;
    cli_precision precision;
    size_t dimensions; /* asked for; then those in force */
    cli_encoder encoder;
    npy_stream stream; /* with --npy */
    cli_progress progress;
} embed;

/* --- Options ------------------------------------------------------------------------------------------------ */

enum {
    OPTION_JSONL = CLI_OPTION_OWN,
    OPTION_NPY,
    OPTION_NO_NORMALIZE,
    OPTION_TOKENS,
    OPTION_PRECISION,
    OPTION_DIMENSIONS
};

static const struct option options[] = {CLI_MODEL_LONG_OPTIONS,
                                        {"jsonl", no_argument, NULL, OPTION_JSONL},
                                        {"npy", required_argument, NULL, OPTION_NPY},
                                        {"no-normalize", no_argument, NULL, OPTION_NO_NORMALIZE},
                                        {"tokens", no_argument, NULL, OPTION_TOKENS},
                                        {"precision", required_argument, NULL, OPTION_PRECISION},
                                        {"dimensions", required_argument, NULL, OPTION_DIMENSIONS},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static int take_option(embed *e, int code) {
    switch (code) {
    case OPTION_JSONL: e->jsonl = 1; return CLI_OK;
    case OPTION_NPY: e->npy = cli_output_path(optarg); return CLI_OK;
    case OPTION_NO_NORMALIZE: e->model.no_normalize = 1; return CLI_OK;
    case OPTION_TOKENS: e->tokens = 1; return CLI_OK;
    case OPTION_PRECISION:
        if (cli_precision_from_name(optarg, &e->precision)) return CLI_OK;
        return cli_usage_error(COMMAND, "--precision: '%.100s' is not float32, int8, binary or ubinary", optarg);
    case OPTION_DIMENSIONS:
        if (cli_parse_size(optarg, 1, 1000000, &e->dimensions)) return CLI_OK;
        return cli_usage_error(COMMAND, "--dimensions: '%.100s' is not a whole number from 1 to 1000000", optarg);
    default: return cli_take_model_option(COMMAND, code, optarg, &e->model);
    }
}

static int check_together(const embed *e) {
    if (e->tokens && e->npy != NULL) return cli_usage_error(COMMAND, "--tokens gives no matrix of one shape for --npy");
    if (e->tokens && e->precision != CLI_FLOAT32) return cli_usage_error(COMMAND, "--tokens gives float32 only");
    if (e->tokens && e->model.pooling != MINNOW_POOLING_DEFAULT)
        return cli_usage_error(COMMAND, "--tokens does not pool");
    if (e->precision == CLI_INT8 && e->model.no_normalize)
        return cli_usage_error(COMMAND, "--precision int8 is for normalized vectors, whose numbers are at most 1");
    return CLI_OK;
}

/* --- One text ----------------------------------------------------------------------------------------------- */

static minnow_status finish_json(cli_item *item, minnow_error *error) {
    cli_buffer_text(&item->json, ",\"n_tokens\":");
    cli_buffer_integer(&item->json, (int64_t)item->encoding.n_tokens);
    cli_buffer_text(&item->json, item->encoding.truncated ? ",\"truncated\":true}\n" : ",\"truncated\":false}\n");
    return item->json.failed ? error_set(error, MINNOW_ERROR_MEMORY, "out of memory") : MINNOW_OK;
}

/* A vector -> what is printed of it. Runs on any thread. */
static minnow_status finish_item(void *user, cli_encoder *encoder, size_t i, minnow_error *error) {
    const embed *e = user;
    cli_item *item = &encoder->items[i];
    float *vector = encoder->vectors + i * encoder->dimensions;
    if (e->dimensions < encoder->dimensions && !e->model.no_normalize)
        TRY(cli_renormalize(vector, e->dimensions, error));
    if (e->npy != NULL) {
        if (e->precision != CLI_FLOAT32) cli_quantize(e->precision, vector, e->dimensions, vector);
        return MINNOW_OK;
    }
    item->json.bytes = 0;
    cli_buffer_text(&item->json, ",\"embedding\":");
    cli_precision_json(e->precision, vector, e->dimensions, &item->json);
    return finish_json(item, error);
}

static void format_tokens(const embed *e, const int32_t *ids, const float *vectors, cli_item *item) {
    const size_t n = item->encoding.n_tokens;
    size_t t;
    item->json.bytes = 0;
    cli_buffer_text(&item->json, ",\"tokens\":[");
    cli_buffer_ids(&item->json, ids, n);
    cli_buffer_text(&item->json, "],\"embeddings\":[");
    for (t = 0; t < n; t++) {
        if (t > 0) cli_buffer_text(&item->json, ",");
        cli_precision_json(CLI_FLOAT32, vectors + t * e->encoder.dimensions, e->dimensions, &item->json);
    }
    cli_buffer_text(&item->json, "]");
}

static minnow_status encode_item_tokens(void *user, cli_encoder *encoder, size_t i, minnow_error *error) {
    const embed *e = user;
    cli_item *item = &encoder->items[i];
    const char *text = cli_encoder_text(encoder, i);
    int32_t *ids = NULL;
    float *vectors = NULL;
    minnow_status status;
    size_t n = 0;
    status = minnow_tokenize(encoder->model, text, item->bytes, encoder->max_tokens, NULL, 0, &n, NULL, error);
    if (status == MINNOW_ERROR_CAPACITY || status == MINNOW_OK) {
        ids = calloc(n + 1, sizeof *ids);
        vectors = calloc(n + 1, encoder->dimensions * sizeof *vectors);
        status = ids == NULL || vectors == NULL ? error_set(error, MINNOW_ERROR_MEMORY, "out of memory") : MINNOW_OK;
    }
    if (status == MINNOW_OK)
        status = minnow_tokenize(encoder->model, text, item->bytes, encoder->max_tokens, ids, n, &n, NULL, error);
    if (status == MINNOW_OK)
        status = minnow_encode_tokens(encoder->context, text, item->bytes, vectors, n * encoder->dimensions,
                                      &item->encoding, error);
    if (status == MINNOW_OK) {
        format_tokens(e, ids, vectors, item);
        status = finish_json(item, error);
    }
    free(ids);
    free(vectors);
    return status;
}

/* --- A block, and all of them ------------------------------------------------------------------------------- */

static minnow_status write_item(embed *e, size_t i, minnow_error *error) {
    cli_encoder *c = &e->encoder;
    if (e->npy != NULL) return npy_stream_write(&e->stream, c->vectors + i * c->dimensions, 1, error);
    TRY(cli_write("{\"text\":", 8, error));
    cli_json_string(stdout, cli_encoder_text(c, i), c->items[i].bytes);
    return cli_write(c->items[i].json.data, c->items[i].json.bytes, error);
}

static minnow_status run_block(embed *e, minnow_error *error) {
    cli_encoder *c = &e->encoder;
    const minnow_status status = e->tokens ? cli_encoder_each(c, encode_item_tokens, e, error)
                                           : cli_encoder_run(c, finish_item, e, error);
    minnow_error failed;
    size_t i;
    for (i = 0; i < c->n_done; i++) { /* what was done before an error is worth having */
        if (write_item(e, i, &failed) == MINNOW_OK) continue;
        *error = failed;
        return failed.status;
    }
    cli_encoder_clear(c);
    cli_progress_update(&e->progress, c->n_before);
    if (e->npy == NULL && cli_flush(&failed) != MINNOW_OK) {
        *error = failed;
        return failed.status;
    }
    return status;
}

static minnow_status embed_arguments(embed *e, char **texts, size_t n, minnow_error *error) {
    size_t i;
    int full;
    for (i = 0; i < n; i++) {
        TRY(cli_encoder_add(&e->encoder, texts[i], strlen(texts[i]), &full, error));
        if (full || i + 1 == n) TRY(run_block(e, error));
    }
    return MINNOW_OK;
}

static minnow_status embed_stream(embed *e, cli_input *in, minnow_error *error) {
    for (;;) {
        cli_text text;
        int got, full = 0;
        minnow_status status;
        minnow_error later;
        /* Whoever writes the input may be waiting for an answer: what is here is encoded before waiting for more. */
        if (e->encoder.n_items > 0 && !cli_input_ready(in)) TRY(run_block(e, error));
        status = cli_input_next(in, &text, &got, &later);
        if (status == MINNOW_OK && got) status = cli_encoder_add(&e->encoder, text.data, text.bytes, &full, &later);
        if ((status != MINNOW_OK || !got || full) && e->encoder.n_items > 0) TRY(run_block(e, error));
        if (status != MINNOW_OK) {
            *error = later;
            return status;
        }
        if (!got) return MINNOW_OK;
    }
}

static minnow_status embed_input(embed *e, minnow_error *error) {
    cli_input in;
    minnow_status status;
    if (os_is_terminal(stdin)) fputs("minnow embed: reading texts, one a line; end with Ctrl-D\n", stderr);
    TRY(cli_input_open(&in, e->jsonl, error));
    status = embed_stream(e, &in, error);
    cli_input_close(&in);
    return status;
}

static minnow_status check_dimensions(embed *e, minnow_error *error) {
    if (e->dimensions == 0) e->dimensions = e->encoder.dimensions;
    if (e->dimensions > e->encoder.dimensions)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "--dimensions %zu: the model's vectors have %zu", e->dimensions,
                         e->encoder.dimensions);
    return MINNOW_OK;
}

static minnow_status embed_all(embed *e, char **texts, size_t n, minnow_error *error) {
    minnow_status status;
    TRY(check_dimensions(e, error));
    os_catch_interrupts(); /* lines are whole, and no bar is left behind */
    if (e->npy != NULL)
        TRY(npy_stream_open(&e->stream, e->npy, cli_precision_dtype(e->precision),
                            cli_precision_elements(e->precision, e->dimensions), error));
    cli_progress_begin(&e->progress, "embedding", "texts", n);
    if (e->npy == NULL && os_is_terminal(stdout)) e->progress.enabled = 0; /* they would overwrite each other */
    if (e->progress.enabled && n == 0) e->progress.total = os_count_lines(stdin);
    e->encoder.progress = &e->progress;
    status = n > 0 ? embed_arguments(e, texts, n, error) : embed_input(e, error);
    cli_progress_end(&e->progress);
    if (e->npy == NULL) return status;
    if (status == MINNOW_OK) return npy_stream_commit(&e->stream, error);
    npy_stream_abort(&e->stream);
    return status;
}

int cmd_embed(int argc, char **argv) {
    embed e;
    minnow_error error;
    minnow_status status;
    int code;
    memset(&e, 0, sizeof e);
    opterr = 0;
    while ((code = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        int taken;
        if (code == '?' || code == ':') return cli_option_error(COMMAND, code, argv, options);
        if (code == 'h') {
            fputs(help, stdout);
            return cli_finish(CLI_OK);
        }
        taken = take_option(&e, code);
        if (taken != CLI_OK) return taken;
    }
    code = check_together(&e);
    if (code != CLI_OK) return code;
    status = cli_encoder_open(&e.encoder, &e.model, e.tokens ? BLOCK_ITEMS_TOKENS : BLOCK_ITEMS, &error);
    if (status == MINNOW_OK) {
        status = embed_all(&e, argv + optind, (size_t)(argc - optind), &error);
        cli_encoder_close(&e.encoder);
    }
    if (status != MINNOW_OK) os_end_if_interrupted();
    return cli_finish(status == MINNOW_OK ? CLI_OK : cli_error(&error));
}
