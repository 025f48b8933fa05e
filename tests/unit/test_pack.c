/* SPDX-License-Identifier: Apache-2.0
 * pack -> read -> pack: the same bytes, the same model, the same tokenizer. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "convert/import/tokenizer_files.h"
#include "convert/pack/pack.h"
#include "random_model.h"
#include "run/model/format.h"
#include "run/model/storage.h"

static const char vocab_text[] = "[UNK][CLS][SEP]a##ab";
static const uint32_t vocab_offsets[] = {0, 5, 10, 15, 16, 19, 20};
static const int32_t cls = 1, sep = 2;
static const tokenizer_config small_tokenizer = {.vocab_text = vocab_text, .vocab_offsets = vocab_offsets, .n_vocab = 6,
                                                 .clean_text = 1, .lowercase = 1, .continuing_prefix = "##",
                                                 .max_chars_per_word = 100, .prefix_ids = &cls, .suffix_ids = &sep,
                                                 .n_prefix = 1, .n_suffix = 1};

static uint8_t *pack(const int8_model *m, const tokenizer_config *t, size_t *bytes) {
    uint8_t *file = NULL;
    minnow_error error;
    if (pack_bytes(m, t, &file, bytes, &error) != MINNOW_OK) fail_msg("%s", error.message);
    assert_int_equal((uintptr_t)file % 64, 0);
    return file;
}

static int8_model *read_model(const uint8_t *file, size_t bytes) {
    int8_model *m = NULL;
    minnow_error error;
    if (int8_model_read(&m, file, bytes, &error) != MINNOW_OK) fail_msg("%s", error.message);
    return m;
}

/* --- Equal models ------------------------------------------------------------------------------------------------- */

static void same_array(const void *a, const void *b, size_t bytes) {
    assert_int_equal(a == NULL, b == NULL);
    if (a == NULL) return;
    assert_ptr_not_equal(a, b);
    assert_memory_equal(a, b, bytes);
}

static void same_quantizer(const int8_quantizer *a, const int8_quantizer *b, size_t n) {
    same_array(a->multiplier, b->multiplier, n * 4);
    same_array(a->offset, b->offset, n * 4);
}

static void same_matrix(const int8_matrix *a, const int8_matrix *b) {
    const size_t width = int8_panels(a->n) * INT8_PANEL * sizeof(float);
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->k, b->k);
    assert_int_equal((uintptr_t)b->panels % 64, 0);
    same_array(a->panels, b->panels, int8_panels_bytes(a->n, a->k));
    same_array(a->scale, b->scale, width);
    same_array(a->bias, b->bias, width);
}

static void same_norm(const int8_norm *a, const int8_norm *b, size_t n) {
    same_array(a->gamma, b->gamma, n * 4);
    same_array(a->beta, b->beta, n * 4);
    same_array(a->input_multiplier, b->input_multiplier, n * 4);
    same_array(a->input_step, b->input_step, n * 4);
}

static void same_table(const int8_table *a, const int8_table *b) {
    const size_t n = a->rows * a->columns;
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->columns, b->columns);
    assert_int_equal(a->n_outliers, b->n_outliers);
    same_array(a->codes, b->codes, n);
    same_array(a->scale, b->scale, (a->kind == INT8_TABLE_TENSOR ? 1 : a->rows) * 4);
    same_array(a->halves, b->halves, 2 * (a->kind == INT8_TABLE_MIXED ? a->rows * a->n_outliers : n));
    same_array(a->outlier_columns, b->outlier_columns, a->n_outliers * 4);
}

static void same_layer(const int8_model *m, const int8_layer *a, const int8_layer *b) {
    same_quantizer(&a->attention_input, &b->attention_input, m->hidden);
    same_matrix(&a->query_key_value, &b->query_key_value);
    same_array(a->score_scale, b->score_scale, m->n_heads * 4);
    same_quantizer(&a->context, &b->context, m->hidden);
    same_matrix(&a->attention_output, &b->attention_output);
    same_norm(&a->attention_norm, &b->attention_norm, m->hidden);
    same_quantizer(&a->up_input, &b->up_input, m->hidden);
    same_matrix(&a->up, &b->up);
    same_quantizer(&a->down_input, &b->down_input, m->intermediate);
    same_matrix(&a->down, &b->down);
    same_norm(&a->output_norm, &b->output_norm, m->hidden);
}

static void same_model(const int8_model *a, const int8_model *b) {
    assert_int_equal(a->n_layers, b->n_layers);
    assert_int_equal(a->hidden, b->hidden);
    assert_int_equal(a->n_heads, b->n_heads);
    assert_int_equal(a->intermediate, b->intermediate);
    assert_int_equal(a->n_vocab, b->n_vocab);
    assert_int_equal(a->n_positions, b->n_positions);
    assert_int_equal(a->activation, b->activation);
    assert_true(a->norm_epsilon == b->norm_epsilon);
    assert_int_equal(a->pooling, b->pooling);
    assert_int_equal(a->normalize, b->normalize);
    assert_int_equal(a->max_tokens, b->max_tokens);
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->licence, b->licence);
    assert_string_equal(a->source, b->source);
    assert_memory_equal(a->source_sha256, b->source_sha256, sizeof a->source_sha256);
    same_table(&a->words, &b->words);
    same_table(&a->positions, &b->positions);
    same_norm(&a->embedding_norm, &b->embedding_norm, a->hidden);
    for (size_t i = 0; i < a->n_layers; i++) same_layer(a, &a->layers[i], &b->layers[i]);
}

/* --- Round trips -------------------------------------------------------------------------------------------------- */

/* The settings that a file's tokenizer was made of. */
static tokenizer_config stored_tokenizer(const int8_model *m, arena *memory) {
    tokenizer_config config;
    minnow_error error;
    if (tokenizer_data_read(&config, memory, m->storage->tokenizer_data, m->storage->tokenizer_bytes, &error) !=
        MINNOW_OK)
        fail_msg("%s", error.message);
    return config;
}

/* pack, read, pack: bytes and model are the same. The caller frees both. */
static int8_model *round_trip(const int8_model *m, const tokenizer_config *t, uint8_t **file) {
    size_t bytes, again_bytes;
    uint8_t *again;
    int8_model *copy;
    tokenizer_config config;
    arena memory;
    *file = pack(m, t, &bytes);
    copy = read_model(*file, bytes);
    same_model(m, copy);
    arena_init(&memory, 0);
    config = stored_tokenizer(copy, &memory);
    again = pack(copy, &config, &again_bytes);
    assert_int_equal(bytes, again_bytes);
    assert_memory_equal(*file, again, bytes);
    memory_aligned_free(again);
    arena_free(&memory);
    return copy;
}

static void keeps_every_kind_of_model(void **state) {
    static const int8_table_kind kinds[] = {INT8_TABLE_ROWS, INT8_TABLE_TENSOR, INT8_TABLE_HALF, INT8_TABLE_MIXED};
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        random_shape shape = small_shape;
        random_model r;
        uint8_t *file;
        int8_model *copy;
        shape.words = kinds[i % 4];
        shape.norm_inputs = i >= 4;
        assert_true(random_model_init(&r, &shape, i));
        r.model.name = "a name";
        r.model.licence = "Apache-2.0";
        r.model.source = "gr\xc3\xbc\xc3\x9f""e";
        r.model.pooling = (minnow_pooling)(1 + i % 3);
        r.model.normalize = i % 2;
        r.model.max_tokens = 3 + i;
        memset(r.model.source_sha256, (int)(0xa0 + i), 32);
        copy = round_trip(&r.model, &small_tokenizer, &file);
        int8_model_close(&copy);
        memory_aligned_free(file);
        random_model_free(&r);
    }
}

/* A mixed table without outliers, and widths that end inside a panel. */
static void keeps_the_smallest_model(void **state) {
    const random_shape shape = {.n_layers = 1, .hidden = 4, .n_heads = 1, .intermediate = 4, .n_vocab = 6,
                                .n_positions = 3, .words = INT8_TABLE_MIXED};
    random_model r;
    uint8_t *file;
    int8_model *copy;
    (void)state;
    assert_true(random_model_init(&r, &shape, 1));
    r.model.words.n_outliers = 0;
    r.model.words.outlier_columns = NULL;
    r.model.words.halves = NULL;
    r.model.name = r.model.licence = r.model.source = NULL;
    {
        size_t bytes;
        file = pack(&r.model, &small_tokenizer, &bytes);
        copy = read_model(file, bytes);
    }
    assert_string_equal(copy->name, "");
    assert_string_equal(copy->source, "");
    assert_null(copy->words.halves);
    int8_model_close(&copy);
    memory_aligned_free(file);
    random_model_free(&r);
}

static void same_config(const tokenizer_config *a, const tokenizer_config *b) {
    assert_int_equal(a->n_vocab, b->n_vocab);
    assert_memory_equal(a->vocab_offsets, b->vocab_offsets, (a->n_vocab + 1) * 4);
    assert_memory_equal(a->vocab_text, b->vocab_text, a->vocab_offsets[a->n_vocab]);
    for (size_t i = 0; i < a->n_vocab; i++)
        assert_int_equal(a->vocab_ids ? a->vocab_ids[i] : (int32_t)i, b->vocab_ids ? b->vocab_ids[i] : (int32_t)i);
    assert_int_equal(a->n_added_tokens, b->n_added_tokens);
    for (size_t i = 0; i < a->n_added_tokens; i++) {
        const tokenizer_added_token *x = &a->added_tokens[i], *y = &b->added_tokens[i];
        assert_int_equal(x->content_bytes, y->content_bytes);
        assert_memory_equal(x->content, y->content, x->content_bytes);
        assert_int_equal(x->id, y->id);
        assert_int_equal(x->special, y->special);
        assert_int_equal(x->single_word, y->single_word);
        assert_int_equal(x->lstrip, y->lstrip);
        assert_int_equal(x->rstrip, y->rstrip);
        assert_int_equal(x->normalized, y->normalized);
    }
    assert_int_equal(a->clean_text != 0, b->clean_text);
    assert_int_equal(a->handle_chinese_chars != 0, b->handle_chinese_chars);
    assert_int_equal(a->strip_accents != 0, b->strip_accents);
    assert_int_equal(a->lowercase != 0, b->lowercase);
    assert_string_equal(a->continuing_prefix, b->continuing_prefix);
    assert_int_equal(a->unknown_id, b->unknown_id);
    assert_int_equal(a->max_chars_per_word, b->max_chars_per_word);
    assert_int_equal(a->n_prefix, b->n_prefix);
    assert_int_equal(a->n_suffix, b->n_suffix);
    for (size_t i = 0; i < a->n_prefix; i++) assert_int_equal(a->prefix_ids[i], b->prefix_ids[i]);
    for (size_t i = 0; i < a->n_suffix; i++) assert_int_equal(a->suffix_ids[i], b->suffix_ids[i]);
}

/* A model whose word table has a row for each id. */
static void with_tokenizer(const tokenizer_config *t, size_t n_vocab, void (*check)(const int8_model *m, const void *),
                           const void *context) {
    random_shape shape = small_shape;
    random_model r;
    uint8_t *file;
    int8_model *copy;
    arena memory;
    tokenizer_config config;
    shape.n_vocab = n_vocab;
    assert_true(random_model_init(&r, &shape, 7));
    copy = round_trip(&r.model, t, &file);
    arena_init(&memory, 0);
    config = stored_tokenizer(copy, &memory);
    same_config(t, &config);
    arena_free(&memory);
    if (check != NULL) check(copy, context);
    int8_model_close(&copy);
    memory_aligned_free(file);
    random_model_free(&r);
}

/* Ids in any order, a token longer than 255 bytes, added tokens of all kinds, other template and prefix. */
static void keeps_odd_tokenizers(void **state) {
    char text[600];
    const uint32_t offsets[] = {0, 300, 305, 305, 307};
    const int32_t ids[] = {3, 0, 9, 5}, prefix[] = {3, 5, 3}, suffix[] = {0, 0};
    const tokenizer_added_token added[] = {{"<x>", 3, 10, 1, 0, 1, 0, 0}, {"<y z>", 5, 11, 0, 1, 0, 1, 1}};
    const tokenizer_config odd = {.vocab_text = text, .vocab_offsets = offsets, .vocab_ids = ids, .n_vocab = 4,
                                  .added_tokens = added, .n_added_tokens = 2, .handle_chinese_chars = 1,
                                  .strip_accents = 1, .continuing_prefix = "@", .unknown_id = 5,
                                  .max_chars_per_word = 17, .prefix_ids = prefix, .suffix_ids = suffix, .n_prefix = 3,
                                  .n_suffix = 2};
    tokenizer_config plain = odd;
    (void)state;
    memset(text, 'q', sizeof text);
    memcpy(text + 300, "hello@x", 7);
    with_tokenizer(&odd, 12, NULL, NULL);
    plain.n_prefix = plain.n_suffix = 0;
    plain.prefix_ids = plain.suffix_ids = NULL;
    plain.n_added_tokens = 0;
    plain.added_tokens = NULL;
    plain.continuing_prefix = "";
    with_tokenizer(&plain, 12, NULL, NULL);
}

/* Every text of a file of lines has the same ids in both tokenizers. */
static void same_ids(const int8_model *m, const void *path) {
    tokenizer *t = NULL;
    file_map texts;
    minnow_error error;
    size_t n = 0;
    token_ids a = {NULL, 0, 0}, b = {NULL, 0, 0};
    if (tokenizer_open(&t, path, &error) != MINNOW_OK) fail_msg("%s", error.message);
    if (file_map_open(&texts, "data/calibration.txt", &error) != MINNOW_OK) fail_msg("%s", error.message);
    for (size_t at = 0; at < texts.bytes; n++) {
        const char *line = (const char *)texts.data + at;
        const char *end = memchr(line, '\n', texts.bytes - at);
        const size_t bytes = end == NULL ? texts.bytes - at : (size_t)(end - line);
        assert_int_equal(tokenizer_encode(t, line, bytes, 256, &a, NULL, &error), MINNOW_OK);
        assert_int_equal(tokenizer_encode(m->tokenizer, line, bytes, 256, &b, NULL, &error), MINNOW_OK);
        assert_int_equal(a.count, b.count);
        assert_memory_equal(a.data, b.data, a.count * sizeof *a.data);
        at += bytes + 1;
    }
    assert_true(n >= 600);
    token_ids_free(&a);
    token_ids_free(&b);
    file_map_close(&texts);
    tokenizer_close(&t);
}

static void keeps_tokenizers_of_files(void **state) {
    static const char *const paths[] = {
        "tests/golden/tokenizer_added.json", "tests/golden/tokenizer_cased.json", "tests/golden/tokenizer_raw.json",
        "tests/golden/tokenizer_small.json", "models/all-MiniLM-L6-v2/tokenizer.json",
        "models/all-MiniLM-L6-v2/vocab.txt"};
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        tokenizer_config config;
        tokenizer *t;
        arena memory;
        minnow_error error;
        if (!file_exists(paths[i])) continue;
        arena_init(&memory, 0);
        if (tokenizer_config_open(&config, &memory, paths[i], &error) != MINNOW_OK) fail_msg("%s", error.message);
        assert_int_equal(tokenizer_create(&t, &config, &error), MINNOW_OK);
        with_tokenizer(&config, tokenizer_vocab_size(t), same_ids, paths[i]);
        tokenizer_close(&t);
        arena_free(&memory);
    }
}

/* --- Files and refusals ------------------------------------------------------------------------------------------- */

static void writes_files(void **state) {
    char template[] = "/tmp/minnow-test-XXXXXX", path[64];
    const char *folder = mkdtemp(template);
    random_model r;
    int8_model *copy = NULL;
    minnow_error error;
    (void)state;
    assert_non_null(folder);
    snprintf(path, sizeof path, "%s/m.minnow", folder);
    assert_true(random_model_init(&r, &small_shape, 3));
    assert_int_equal(pack_write(&r.model, &small_tokenizer, path, &error), MINNOW_OK);
    assert_int_equal(int8_model_open(&copy, path, &error), MINNOW_OK);
    same_model(&r.model, copy);
    int8_model_close(&copy);
    assert_null(copy);
    r.model.n_heads = 3;
    assert_int_equal(pack_write(&r.model, &small_tokenizer, path, &error), MINNOW_ERROR_FORMAT);
    assert_int_equal(int8_model_open(&copy, path, &error), MINNOW_OK); /* the old file is still there */
    int8_model_close(&copy);
    remove(path);
    assert_int_equal(int8_model_open(&copy, path, &error), MINNOW_ERROR_IO);
    assert_null(copy);
    assert_true(strstr(error.message, "m.minnow") != NULL);
    remove(folder);
    random_model_free(&r);
}

static void refuse(const int8_model *m, const tokenizer_config *t, const char *part) {
    uint8_t *file = NULL;
    size_t bytes;
    minnow_error error;
    if (pack_bytes(m, t, &file, &bytes, &error) == MINNOW_OK) fail_msg("accepted, where %s", part);
    assert_null(file);
    if (strstr(error.message, part) == NULL) fail_msg("'%s' instead of '%s'", error.message, part);
}

static void refuses_models_the_reader_would(void **state) {
    random_model r;
    int8_layer layers[2];
    int8_model m;
    tokenizer_config t = small_tokenizer;
    (void)state;
    assert_true(random_model_init(&r, &small_shape, 5));
    m = r.model;
    m.layers = layers;
#define FRESH memcpy(layers, r.model.layers, sizeof layers)
    FRESH, layers[1].up.k = 8, refuse(&m, &t, "up is [72, 8], not [72, 32]");
    FRESH, layers[1].up.panels = NULL, refuse(&m, &t, "lacks an array");
    FRESH, layers[1].output_norm.input_multiplier = layers[1].output_norm.gamma, refuse(&m, &t, "layers differ");
    FRESH, layers[1].score_scale = layers[1].down_input.offset, refuse(&m, &t, "layer 1: score_scale: that of head 0");
#undef FRESH
    refuse(&r.model, &(tokenizer_config){0}, "tokenizer: no vocabulary");
    m = r.model, m.max_tokens = 2, refuse(&m, &t, "max_tokens is 2");
    m = r.model, m.pooling = MINNOW_POOLING_DEFAULT, refuse(&m, &t, "unknown pooling 0");
    m = r.model, m.n_vocab = 5, refuse(&m, &t, "the word table [100, 32], not [5, 32]");
    m = r.model, m.n_vocab = m.words.rows = 5, refuse(&m, &t, "ids go up to 5");
    m = r.model, m.name = "\xff", refuse(&m, &t, "invalid UTF-8");
    m = r.model, t.n_prefix = 79, t.prefix_ids = calloc(79, 4), refuse(&m, &t, "a template of 80 tokens");
    free((void *)(uintptr_t)t.prefix_ids);
    t = small_tokenizer, t.unknown_id = 77, refuse(&m, &t, "unknown token: there is no token with id 77");
    random_model_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_every_kind_of_model), cmocka_unit_test(keeps_the_smallest_model),
        cmocka_unit_test(keeps_odd_tokenizers),      cmocka_unit_test(keeps_tokenizers_of_files),
        cmocka_unit_test(writes_files),              cmocka_unit_test(refuses_models_the_reader_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
