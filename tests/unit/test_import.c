/* SPDX-License-Identifier: Apache-2.0
 * Folders -> graphs: numbers against PyTorch's (tests/golden/tiny-bert, made by tests/peers/make_tiny_bert.py), and
 * what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/import/bert.h"
#include "convert/import/model_card.h"
#include "convert/import/settings.h"
#include "convert/interpret/interpreter.h"
#include "convert/shapes/infer.h"

#define TINY "tests/golden/tiny-bert/"

/* --- Numbers -------------------------------------------------------------------------------------------------- */

static void read_ids(yyjson_val *golden, const char *key, int64_t *out, size_t n) {
    yyjson_val *values = yyjson_obj_get(golden, key);
    size_t i;
    assert_int_equal(yyjson_arr_size(values), n);
    for (i = 0; i < n; i++) out[i] = yyjson_get_sint(yyjson_arr_get(values, i));
}

static void check_output(const tensor *t, yyjson_val *golden, const char *key) {
    const double tolerance = yyjson_get_num(yyjson_obj_get(golden, "tolerance"));
    yyjson_val *values = yyjson_obj_get(golden, key);
    const float *got = t->data;
    size_t i;
    assert_int_equal(t->type, DTYPE_FLOAT32);
    assert_int_equal(tensor_count(t), yyjson_arr_size(values));
    for (i = 0; i < tensor_count(t); i++) {
        const double want = yyjson_get_num(yyjson_arr_get(values, i));
        if (!(fabs((double)got[i] - want) <= tolerance))
            fail_msg("%s[%zu] is %.9g, not %.9g", key, i, (double)got[i], want);
    }
}

static void run_folder(const char *folder) {
    static const char *const names[3] = {"input_ids", "attention_mask", "token_type_ids"};
    const import_options options = {.pooled = 1};
    int64_t ids[3][14];
    tensor inputs[3], outputs[2];
    char path[128];
    yyjson_doc *doc;
    graph *g;
    interpreter *in;
    minnow_error error;
    size_t i;
    snprintf(path, sizeof path, "%s/golden.json", folder);
    assert_int_equal(json_open(&doc, path, &error), MINNOW_OK);
    if (import_folder(&g, folder, &options, &error) != MINNOW_OK) fail_msg("%s", error.message);
    assert_true(g->n_inputs == 3 && g->n_outputs == 2);
    for (i = 0; i < 3; i++) {
        assert_string_equal(g->values[g->inputs[i]].name, names[i]);
        read_ids(yyjson_doc_get_root(doc), names[i], ids[i], 14);
        inputs[i] = (tensor){.type = DTYPE_INT64, .rank = 2, .dims = {2, 7}, .data = ids[i]};
    }
    assert_string_equal(g->values[g->outputs[0]].name, "last_hidden_state");
    assert_string_equal(g->values[g->outputs[1]].name, "sentence_embedding");
    if (graph_infer_shapes(g, &error) != MINNOW_OK) fail_msg("%s", error.message);
    if (interpreter_create(&in, g, NULL, &error) != MINNOW_OK) fail_msg("%s", error.message);
    if (interpreter_run(in, inputs, outputs, NULL, &error) != MINNOW_OK) fail_msg("%s", error.message);
    check_output(&outputs[0], yyjson_doc_get_root(doc), "last_hidden_state");
    check_output(&outputs[1], yyjson_doc_get_root(doc), "sentence_embedding");
    interpreter_close(&in);
    graph_close(&g);
    yyjson_doc_free(doc);
}

static void gives_pytorchs_numbers(void **state) {
    (void)state;
    run_folder(TINY "gelu-f32");
    run_folder(TINY "relu-f16");
    run_folder(TINY "tanh-bf16");
    run_folder(TINY "unaligned-f32");
}

static void names_are_pytorchs(void **state) {
    graph *g;
    minnow_error error;
    size_t i;
    int found = 0;
    (void)state;
    assert_int_equal(import_folder(&g, TINY "relu-f16/", NULL, &error), MINNOW_OK);
    assert_int_equal(g->n_outputs, 1);
    assert_int_equal(graph_opset_version(g, ""), 17);
    assert_true(graph_find_value(g, "embeddings.word_embeddings.weight") >= 0);
    assert_true(graph_find_value(g, "encoder.layer.1.attention.self.query.weight_t") >= 0);
    for (i = 0; i < g->n_nodes; i++)
        found |= strcmp(g->nodes[i].name, "/encoder/layer.1/attention/self/query/MatMul") == 0;
    assert_true(found);
    for (i = 0; i < g->n_metadata && strcmp(g->metadata[i].key, "minnow.source") != 0; i++) continue;
    assert_true(i < g->n_metadata);
    assert_string_equal(g->metadata[i].value, "relu-f16");
    graph_close(&g);
}

/* --- Refusals ------------------------------------------------------------------------------------------------- */

static void config_is_checked(void **state) {
    static const struct { const char *json; minnow_status status; const char *says;
    } cases[] = {
        {"[]", MINNOW_ERROR_FORMAT, "no JSON object"},
        {"{}", MINNOW_ERROR_FORMAT, "'model_type' is missing"},
        {"{\"model_type\":\"xlm-roberta\"}", MINNOW_ERROR_UNSUPPORTED, "model_type 'xlm-roberta'"},
        {"{\"model_type\":\"bert\",\"position_embedding_type\":\"relative_key\"}", MINNOW_ERROR_UNSUPPORTED,
         "'relative_key'"},
        {"{\"model_type\":\"bert\",\"hidden_act\":\"silu\"}", MINNOW_ERROR_UNSUPPORTED, "hidden_act 'silu'"},
        {"{\"model_type\":\"bert\",\"is_decoder\":true}", MINNOW_ERROR_UNSUPPORTED, "is_decoder"},
        {"{\"model_type\":\"bert\",\"quantization_config\":{}}", MINNOW_ERROR_UNSUPPORTED, "quantization_config"},
        {"{\"model_type\":\"bert\",\"hidden_size\":0}", MINNOW_ERROR_FORMAT, "'hidden_size' is 0"},
        {"{\"model_type\":\"bert\",\"vocab_size\":-1}", MINNOW_ERROR_FORMAT, "'vocab_size' is -1"},
        {"{\"model_type\":\"bert\",\"num_hidden_layers\":2147483648}", MINNOW_ERROR_FORMAT, "num_hidden_layers"},
        {"{\"model_type\":\"bert\",\"hidden_size\":\"384\"}", MINNOW_ERROR_FORMAT, "hidden_size"},
        {"{\"model_type\":\"bert\",\"num_attention_heads\":7}", MINNOW_ERROR_FORMAT,
         "multiple of num_attention_heads 7"},
        {"{\"model_type\":\"bert\",\"layer_norm_eps\":-1}", MINNOW_ERROR_FORMAT, "layer_norm_eps"},
        {"{\"model_type\":\"bert\"}", MINNOW_OK, ""},
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        minnow_error error = {MINNOW_OK, ""};
        yyjson_doc *doc;
        bert_config config;
        assert_int_equal(json_parse(&doc, cases[i].json, strlen(cases[i].json), &error), MINNOW_OK);
        if (bert_config_read(&config, yyjson_doc_get_root(doc), &error) != cases[i].status ||
            strstr(error.message, cases[i].says) == NULL)
            fail_msg("case %zu: '%s', not '%s'", i, error.message, cases[i].says);
        yyjson_doc_free(doc);
    }
}

/* The tiny model with a change: one tensor gone, or another size in its config. */
static minnow_status build_changed(const char *without, int64_t intermediate, minnow_error *error) {
    file_map map;
    safetensors weights;
    bert_config config = {
        .vocab = 40, .positions = 10, .types = 2, .hidden = 12, .intermediate = intermediate, .layers = 2, .heads = 3};
    model_settings settings;
    builder b;
    size_t i;
    settings_init(&settings);
    memset(&b, 0, sizeof b);
    assert_int_equal(file_map_open(&map, TINY "gelu-f32/model.safetensors", error), MINNOW_OK);
    assert_int_equal(safetensors_read(&weights, map.data, map.bytes, error), MINNOW_OK);
    for (i = 0; without != NULL && i < weights.n_entries; i++)
        if (strcmp(weights.entries[i].name, without) == 0)
            memmove(&weights.entries[i], &weights.entries[i + 1], (--weights.n_entries - i) * sizeof *weights.entries);
    b.g = graph_create();
    b.weights = &(builder_weights){&weights, ""};
    b.error = error;
    bert_build(&b, &config, &settings, 1);
    graph_close(&b.g);
    safetensors_free(&weights);
    file_map_close(&map);
    return b.status;
}

static void weights_are_checked(void **state) {
    minnow_error error;
    (void)state;
    assert_int_equal(build_changed(NULL, 20, &error), MINNOW_OK);
    assert_int_equal(build_changed("encoder.layer.1.output.dense.bias", 20, &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message, "tensor 'encoder.layer.1.output.dense.bias' is missing");
    assert_int_equal(build_changed("embeddings.LayerNorm.weight", 20, &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(error.message, "tensor 'embeddings.LayerNorm.weight' is missing");
    assert_int_equal(build_changed(NULL, 21, &error), MINNOW_ERROR_FORMAT);
    assert_string_equal(
        error.message,
        "tensor 'encoder.layer.0.intermediate.dense.weight' is float32[20,12], but config.json asks for [21,12]");
}

static void folders_are_checked(void **state) {
    graph *g = NULL;
    minnow_error error;
    (void)state;
    assert_int_equal(import_folder(&g, "tests/golden/no-such-folder", NULL, &error), MINNOW_ERROR_IO);
    assert_null(g);
    assert_non_null(strstr(error.message, "tests/golden/no-such-folder/config.json"));
    assert_int_equal(import_folder(&g, TINY "gelu-f32/1_Pooling", NULL, &error), MINNOW_ERROR_IO);
    assert_non_null(strstr(error.message, "model.safetensors"));
}

/* --- Settings ------------------------------------------------------------------------------------------------- */

static void settings_are_read(void **state) {
    model_settings s;
    minnow_error error;
    (void)state;
    assert_int_equal(settings_read(&s, TINY "relu-f16", &error), MINNOW_OK);
    assert_int_equal(s.pooling, MINNOW_POOLING_CLS);
    assert_int_equal(s.normalize, 1);
    assert_int_equal(s.max_tokens, 0);
    assert_int_equal(s.max_positions, 10);
    assert_string_equal(s.name, "relu-f16");
    settings_free(&s);
    assert_int_equal(settings_read(&s, "tests/golden/no-such-folder/", &error), MINNOW_OK);
    assert_int_equal(s.pooling, MINNOW_POOLING_DEFAULT);
    assert_int_equal(s.normalize, -1);
    assert_string_equal(s.name, "no-such-folder");
    settings_free(&s);
}

static void settings_are_checked(void **state) {
    static const struct { settings_file file; const char *json; minnow_status status; const char *says;
    } cases[] = {
        {SETTINGS_POOLING,
         "{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false,\"include_prompt\":true}", MINNOW_OK, ""},
        {SETTINGS_POOLING, "{\"pooling_mode\":\"max\"}", MINNOW_OK, ""},
        {SETTINGS_POOLING, "{\"pooling_mode\":\"lasttoken\"}", MINNOW_ERROR_UNSUPPORTED, "'lasttoken'"},
        {SETTINGS_POOLING, "{\"pooling_mode\":[\"cls\",\"max\"]}", MINNOW_ERROR_UNSUPPORTED, "several"},
        {SETTINGS_POOLING, "{\"pooling_mode_lasttoken\":true}", MINNOW_ERROR_UNSUPPORTED, "pooling_mode_lasttoken"},
        {SETTINGS_POOLING, "{\"pooling_mode_cls_token\":1}", MINNOW_ERROR_FORMAT, "neither"},
        {SETTINGS_POOLING, "{\"pooling_mode_cls_token\":true,\"pooling_mode_max_tokens\":true}",
         MINNOW_ERROR_UNSUPPORTED, "together"},
        {SETTINGS_POOLING, "[]", MINNOW_ERROR_FORMAT, "no JSON object"},
        {SETTINGS_MODULES, "[{\"type\":\"sentence_transformers.models.Dense\"}]", MINNOW_ERROR_UNSUPPORTED,
         "models.Dense"},
        {SETTINGS_MODULES, "[{}]", MINNOW_ERROR_FORMAT, "module 0"},
        {SETTINGS_MODULES, "{}", MINNOW_ERROR_FORMAT, "no JSON array"},
        {SETTINGS_MODULES, "[{\"type\":\"a.Transformer\"},{\"type\":\"a.Pooling\"},{\"type\":\"a.Normalize\"}]",
         MINNOW_OK, ""},
        {SETTINGS_LIMITS, "{\"max_seq_length\":0}", MINNOW_ERROR_FORMAT, "max_seq_length"},
        {SETTINGS_LIMITS, "{\"max_seq_length\":2147483648}", MINNOW_ERROR_FORMAT, "max_seq_length"},
        {SETTINGS_LIMITS, "{\"max_seq_length\":null}", MINNOW_OK, ""},
        {SETTINGS_CONFIG, "{\"max_position_embeddings\":\"x\"}", MINNOW_ERROR_FORMAT, "max_position_embeddings"},
        {SETTINGS_CONFIG, "{\"_name_or_path\":\"a/b\",\"max_position_embeddings\":512}", MINNOW_OK, ""},
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        minnow_error error = {MINNOW_OK, ""};
        model_settings s;
        yyjson_doc *doc;
        settings_init(&s);
        assert_int_equal(json_parse(&doc, cases[i].json, strlen(cases[i].json), &error), MINNOW_OK);
        if (settings_add(&s, cases[i].file, yyjson_doc_get_root(doc), &error) != cases[i].status ||
            strstr(error.message, cases[i].says) == NULL)
            fail_msg("case %zu: '%s', not '%s'", i, error.message, cases[i].says);
        if (i == 0) assert_int_equal(s.pooling, MINNOW_POOLING_CLS);
        if (i == 1) assert_int_equal(s.pooling, MINNOW_POOLING_MAX);
        if (cases[i].file == SETTINGS_MODULES && cases[i].status == MINNOW_OK) assert_int_equal(s.normalize, 1);
        settings_free(&s);
        yyjson_doc_free(doc);
    }
}

static void licences_are_found(void **state) {
    static const struct { const char *card, *license;
    } cases[] = {{"---\nlanguage: en\nlicense: apache-2.0\n---\n# x", "apache-2.0"},
                 {"---\r\nlicense: \"mit\"\r\n---\r\n", "mit"},
                 {"---\ntags: x\n---\nlicense: mit\n", ""},
                 {"license: mit\n", ""},
                 {"---\nlicense:\n", ""},
                 {"---\nlicense: a b\n", ""},
                 {"---\nlicense: mit", "mit"},
                 {"", ""},
                 {"---", ""}};
    char license[64];
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        model_card_license(cases[i].card, strlen(cases[i].card), license, sizeof license);
        assert_string_equal(license, cases[i].license);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_pytorchs_numbers), cmocka_unit_test(names_are_pytorchs),
        cmocka_unit_test(config_is_checked),      cmocka_unit_test(weights_are_checked),
        cmocka_unit_test(folders_are_checked),    cmocka_unit_test(settings_are_read),
        cmocka_unit_test(settings_are_checked),   cmocka_unit_test(licences_are_found),
    };
    return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
