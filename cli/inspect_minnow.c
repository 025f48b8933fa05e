/* SPDX-License-Identifier: Apache-2.0
 * minnow inspect of a .minnow file: what the model is, how its vectors are made, where its bytes are, and the plan by
 * which it runs.
 *
 *      #  layer  section          encoding    stored   decoded    offset
 *      3         word_codes       plain     11720448  11720448    241664
 *     12      0  attention_input  plain         3072      3072  12034560 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli.h"
#include "inspect.h"
#include "run/model/format.h"

typedef struct packed_file {
    const char *path;
    const int8_model *model;
    model_sections sections;
    engine_plan plan;
} packed_file;

/* --- What both ways of printing name ------------------------------------------------------------------------------ */

static const char *pooling_name(minnow_pooling pooling) {
    return pooling == MINNOW_POOLING_MEAN ? "mean" : pooling == MINNOW_POOLING_CLS ? "cls" : "max";
}

static const char *table_name(int8_table_kind kind) {
    switch (kind) {
    case INT8_TABLE_ROWS: return "int8-per-row";
    case INT8_TABLE_TENSOR: return "int8-per-tensor";
    case INT8_TABLE_HALF: return "fp16";
    case INT8_TABLE_MIXED: return "mixed";
    default: return "?";
    }
}

/* What a section is for, in the sums. */
static const char *const groups[] = {"weights", "embedding tables", "tokenizer", "scales, norms, settings",
                                     "header, section table, padding"};
enum { GROUP_WEIGHTS, GROUP_TABLES, GROUP_TOKENIZER, GROUP_REST, GROUP_FRAME, N_GROUPS };

static size_t group_of(uint32_t kind) {
    switch (kind) {
    case SECTION_QUERY_KEY_VALUE:
    case SECTION_ATTENTION_OUTPUT:
    case SECTION_UP:
    case SECTION_DOWN: return GROUP_WEIGHTS;
    case SECTION_TOKENIZER: return GROUP_TOKENIZER;
    default: return kind >= SECTION_WORD_CODES && kind <= SECTION_POSITION_HALVES ? GROUP_TABLES : GROUP_REST;
    }
}

static void sum_groups(const packed_file *f, size_t sums[N_GROUPS]) {
    memset(sums, 0, N_GROUPS * sizeof *sums);
    sums[GROUP_FRAME] = f->sections.bytes;
    for (size_t i = 0; i < f->sections.n; i++) {
        const model_section s = model_sections_at(&f->sections, i);
        sums[group_of(s.kind)] += s.bytes;
        sums[GROUP_FRAME] -= s.bytes;
    }
}

/* 64 digits, or "" if the hash is not known. */
static void hash_text(const uint8_t hash[32], char text[65]) {
    unsigned any = 0;
    for (size_t i = 0; i < 32; i++) {
        any |= hash[i];
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    }
    if (any == 0) text[0] = '\0';
}

/* --- For people --------------------------------------------------------------------------------------------------- */

static void print_text(const char *label, const char *text) {
    printf("%-12s ", label);
    if (*text == '\0') fputs("not known", stdout);
    else cli_print_text(stdout, text, strlen(text));
    putchar('\n');
}

static void print_architecture(const int8_model *m) {
    const int8_layer *first = &m->layers[0];
    printf("%-12s BERT encoder: layers %zu, hidden %zu, heads %zu of %zu, intermediate %zu, GELU\n", "architecture",
           m->n_layers, m->hidden, m->n_heads, m->hidden / m->n_heads, m->intermediate);
    printf("%-12s %zu x %zu, %s", "words", m->n_vocab, m->hidden, table_name(m->words.kind));
    if (m->words.kind == INT8_TABLE_MIXED) printf(" (%zu columns fp16)", m->words.n_outliers);
    printf("\n%-12s %zu x %zu, %s\n", "positions", m->n_positions, m->hidden, table_name(m->positions.kind));
    fputs("norms        epsilon ", stdout);
    cli_json_float(stdout, m->norm_epsilon);
    if (m->embedding_norm.input_multiplier != NULL || first->attention_norm.input_multiplier != NULL ||
        first->output_norm.input_multiplier != NULL)
        printf(", inputs rounded to 8 bits:%s%s%s", m->embedding_norm.input_multiplier != NULL ? " embedding" : "",
               first->attention_norm.input_multiplier != NULL ? " attention" : "",
               first->output_norm.input_multiplier != NULL ? " output" : "");
    putchar('\n');
}

static void print_sections(const packed_file *f) {
    printf("\n%3s  %5s  %-24s  %-8s  %10s  %10s  %10s\n", "#", "layer", "section", "encoding", "stored", "decoded",
           "offset");
    for (size_t i = 0; i < f->sections.n; i++) {
        const model_section s = model_sections_at(&f->sections, i);
        char layer[16] = "";
        if (s.layer != SECTION_NO_LAYER) snprintf(layer, sizeof layer, "%" PRIu32, s.layer);
        printf("%3zu  %5s  %-24s  %-8s  %10zu  %10" PRIu64 "  %10zu\n", i, layer, section_kind_name(s.kind),
               section_encoding_name(s.encoding), s.bytes, s.decoded_bytes, (size_t)(s.data - f->sections.data));
    }
}

static void print_table(const packed_file *f, int show) {
    const int8_model *m = f->model;
    size_t sums[N_GROUPS];
    char hash[65];
    hash_text(m->source_sha256, hash);
    print_text("model", f->path);
    printf("%-12s .minnow, version %" PRIu32 "\n", "format", f->sections.version);
    print_text("name", m->name);
    print_text("licence", m->licence);
    print_text("source", m->source);
    print_text("sha256", hash);
    print_architecture(m);
    printf("%-12s WordPiece, ids below %zu\n", "tokenizer", tokenizer_vocab_size(m->tokenizer));
    printf("%-12s %s, %s\n", "pooling", pooling_name(m->pooling), m->normalize ? "normalized" : "not normalized");
    printf("%-12s %zu tokens by default, %zu at most\n", "limits", m->max_tokens, m->n_positions);
    inspect_plan_memory(&f->plan);
    if (show & INSPECT_NODES) {
        inspect_plan_table(&f->plan, m->n_layers);
        print_sections(f);
    }
    sum_groups(f, sums);
    printf("\n%10s  part\n", "bytes");
    for (size_t i = 0; i < N_GROUPS; i++) printf("%10zu  %s\n", sums[i], groups[i]);
    printf("%10zu  total, %" PRIu32 " sections\n", f->sections.bytes, f->sections.n);
}

/* --- For scripts -------------------------------------------------------------------------------------------------- */

static void text(const char *key, const char *value) {
    printf("\"%s\":", key);
    if (*value == '\0') fputs("null", stdout);
    else cli_json_string(stdout, value, strlen(value));
    putchar(',');
}

static const char *boolean(int value) { return value ? "true" : "false"; }

static void json_model(const packed_file *f) {
    const int8_model *m = f->model;
    const int8_layer *first = &m->layers[0];
    char hash[65];
    hash_text(m->source_sha256, hash);
    text("path", f->path);
    printf("\"bytes\":%zu,\"format\":\"minnow\",\"version\":%" PRIu32 ",", f->sections.bytes, f->sections.version);
    text("name", m->name);
    text("licence", m->licence);
    text("source", m->source);
    text("source_sha256", hash);
    printf("\n\"architecture\":\"bert\",\"layers\":%zu,\"hidden\":%zu,\"heads\":%zu,\"intermediate\":%zu,"
           "\"activation\":\"gelu\",\"norm_epsilon\":",
           m->n_layers, m->hidden, m->n_heads, m->intermediate);
    cli_json_float(stdout, m->norm_epsilon);
    printf(",\"norm_inputs\":{\"embedding\":%s,\"attention\":%s,\"output\":%s}",
           boolean(m->embedding_norm.input_multiplier != NULL), boolean(first->attention_norm.input_multiplier != NULL),
           boolean(first->output_norm.input_multiplier != NULL));
    printf(",\n\"vocabulary\":%zu,\"word_table\":\"%s\",\"outlier_columns\":%zu,\"positions\":%zu,"
           "\"position_table\":\"%s\"",
           m->n_vocab, table_name(m->words.kind), m->words.n_outliers, m->n_positions, table_name(m->positions.kind));
    printf(",\"tokenizer_ids\":%zu,\"pooling\":\"%s\",\"normalize\":%s,\"max_tokens\":%zu,",
           tokenizer_vocab_size(m->tokenizer), pooling_name(m->pooling), boolean(m->normalize), m->max_tokens);
}

static void json_section(const packed_file *f, size_t i) {
    const model_section s = model_sections_at(&f->sections, i);
    printf("%s\n{\"kind\":\"%s\",\"layer\":", i > 0 ? "," : "", section_kind_name(s.kind));
    if (s.layer == SECTION_NO_LAYER) fputs("null", stdout);
    else printf("%" PRIu32, s.layer);
    printf(",\"encoding\":\"%s\",\"offset\":%zu,\"bytes\":%zu,\"decoded_bytes\":%" PRIu64,
           section_encoding_name(s.encoding), (size_t)(s.data - f->sections.data), s.bytes, s.decoded_bytes);
    printf(",\"crc32c\":\"%08" PRIx32 "\"}", s.crc);
}

static void print_json(const packed_file *f, int show) {
    putchar('{');
    json_model(f);
    inspect_plan_json(&f->plan, f->model->n_layers, show);
    printf("\n\"n_sections\":%" PRIu32, f->sections.n);
    if (show & INSPECT_NODES) {
        fputs(",\"sections\":[", stdout);
        for (size_t i = 0; i < f->sections.n; i++) json_section(f, i);
        putchar(']');
    }
    fputs("}\n", stdout);
}

static minnow_status make_plan(packed_file *f, const inspect_packed_options *o, minnow_error *error) {
    const int8_model *m = f->model;
    const size_t n_tokens = o->n_tokens != 0 ? o->n_tokens : m->max_tokens;
    if (n_tokens > m->n_positions)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "%zu tokens asked for, the model has positions for %zu",
                         n_tokens, m->n_positions);
    if (!engine_plan_make(&f->plan, m, n_tokens, n_tokens, o->n_threads != 0 ? o->n_threads : 1))
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory: %zu tokens at once", n_tokens);
    return MINNOW_OK;
}

static minnow_status show_file(packed_file *f, const file_map *map, const inspect_packed_options *o,
                               minnow_error *error) {
    TRY(model_sections_read(&f->sections, map->data, map->bytes, 0, error));
    TRY(make_plan(f, o, error));
    if (o->json) print_json(f, o->show);
    else print_table(f, o->show);
    return MINNOW_OK;
}

minnow_status inspect_minnow(const char *path, const inspect_packed_options *options, minnow_error *error) {
    packed_file f;
    int8_model *m;
    file_map map;
    minnow_status status;
    memset(&f, 0, sizeof f);
    TRY(int8_model_open(&m, path, error)); /* says everything that is wrong with it */
    status = file_map_open(&map, path, error);
    if (status == MINNOW_OK) {
        f.path = path;
        f.model = m;
        status = show_file(&f, &map, options, error);
        if (status != MINNOW_OK) (void)error_prefix(error, status, "%s", path);
        file_map_close(&map);
    }
    int8_model_close(&m);
    return status;
}
