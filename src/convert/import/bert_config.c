/* SPDX-License-Identifier: Apache-2.0
 * Import: a BERT's config.json -> its sizes. A setting that would change the numbers and is not done here is an error.
 */
#include <string.h>

#include "convert/import/bert.h"

#define LAYERS_MAX 4096
#define SIZE_MAX_HERE ((int64_t)1 << 30)

static minnow_status read_size(int64_t *out, yyjson_val *root, const char *key, int64_t fallback, int64_t most,
                               minnow_error *error) {
    TRY(json_get_int(root, key, fallback, out, error));
    if (*out < 1 || *out > most)
        return error_set(error, MINNOW_ERROR_FORMAT, "'%s' is %lld, where 1 to %lld was expected", key, (long long)*out,
                         (long long)most);
    return MINNOW_OK;
}

static minnow_status read_activation(bert_activation *out, yyjson_val *root, minnow_error *error) {
    /* The last three are one formula, written in three ways in PyTorch. */
    static const struct { const char *name; bert_activation activation; } known[] = {
        {"gelu", BERT_GELU}, {"gelu_python", BERT_GELU}, {"relu", BERT_RELU},
        {"gelu_new", BERT_GELU_TANH}, {"gelu_pytorch_tanh", BERT_GELU_TANH}, {"gelu_fast", BERT_GELU_TANH}};
    const char *name;
    size_t i;
    TRY(json_get_string(root, "hidden_act", "gelu", &name, error));
    for (i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) != 0) continue;
        *out = known[i].activation;
        return MINNOW_OK;
    }
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "hidden_act '%.64s' not supported", name);
}

/* Refuses a key whose value is another than the only one that is done here. */
static minnow_status expect_string(yyjson_val *root, const char *key, const char *fallback, const char *only,
                                   minnow_error *error) {
    const char *value;
    TRY(json_get_string(root, key, fallback, &value, error));
    if (strcmp(value, only) == 0) return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "%s '%.64s' not supported (only '%s')", key, value, only);
}

static minnow_status expect_false(yyjson_val *root, const char *key, minnow_error *error) {
    int value;
    TRY(json_get_bool(root, key, 0, &value, error));
    return value ? error_set(error, MINNOW_ERROR_UNSUPPORTED, "'%s' not supported", key) : MINNOW_OK;
}

static minnow_status check_family(yyjson_val *root, minnow_error *error) {
    if (!yyjson_is_obj(root)) return error_set(error, MINNOW_ERROR_FORMAT, "no JSON object");
    if (yyjson_obj_get(root, "model_type") == NULL)
        return error_set(error, MINNOW_ERROR_FORMAT, "'model_type' is missing");
    TRY(expect_string(root, "model_type", "", "bert", error));
    TRY(expect_string(root, "position_embedding_type", "absolute", "absolute", error));
    TRY(expect_false(root, "is_decoder", error));
    TRY(expect_false(root, "add_cross_attention", error));
    if (yyjson_is_obj(yyjson_obj_get(root, "quantization_config")))
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "'quantization_config': quantized weights not supported");
    return MINNOW_OK;
}

minnow_status bert_config_read(bert_config *out, yyjson_val *root, minnow_error *error) {
    double epsilon;
    memset(out, 0, sizeof *out);
    TRY(check_family(root, error));
    TRY(read_size(&out->vocab, root, "vocab_size", 30522, SIZE_MAX_HERE, error));
    TRY(read_size(&out->positions, root, "max_position_embeddings", 512, SIZE_MAX_HERE, error));
    TRY(read_size(&out->types, root, "type_vocab_size", 2, SIZE_MAX_HERE, error));
    TRY(read_size(&out->hidden, root, "hidden_size", 768, SIZE_MAX_HERE, error));
    TRY(read_size(&out->intermediate, root, "intermediate_size", 3072, SIZE_MAX_HERE, error));
    TRY(read_size(&out->layers, root, "num_hidden_layers", 12, LAYERS_MAX, error));
    TRY(read_size(&out->heads, root, "num_attention_heads", 12, SIZE_MAX_HERE, error));
    if (out->hidden % out->heads != 0)
        return error_set(error, MINNOW_ERROR_FORMAT, "hidden_size %lld is no multiple of num_attention_heads %lld",
                         (long long)out->hidden, (long long)out->heads);
    TRY(json_get_number(root, "layer_norm_eps", 1e-12, &epsilon, error));
    if (!(epsilon >= 0 && epsilon <= 1))
        return error_set(error, MINNOW_ERROR_FORMAT, "'layer_norm_eps' is not in [0, 1]");
    out->epsilon = (float)epsilon;
    return read_activation(&out->activation, root, error);
}
