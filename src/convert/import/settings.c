/* SPDX-License-Identifier: Apache-2.0
 * Import: the small JSON files of a sentence-transformers folder -> how texts become vectors. What would change the
 * vectors and is not done here (a Dense module, pooling by the last token) is refused by name, never passed over. */
#include "convert/import/settings.h"

#include <stdlib.h>
#include <string.h>

void settings_init(model_settings *s) {
    memset(s, 0, sizeof *s);
    s->normalize = -1;
}

void settings_free(model_settings *s) {
    free(s->name);
    memset(s, 0, sizeof *s);
}

const char *settings_pooling_name(minnow_pooling pooling) {
    return pooling == MINNOW_POOLING_CLS ? "cls" : pooling == MINNOW_POOLING_MAX ? "max" : "mean";
}

static int ends_with(const char *text, const char *suffix) {
    const size_t n = strlen(text), s = strlen(suffix);
    return n >= s && strcmp(text + n - s, suffix) == 0;
}

/* A positive size; absent and null leave *out as it is. */
static minnow_status add_size(size_t *out, yyjson_val *root, const char *key, minnow_error *error) {
    int64_t value;
    if (yyjson_is_null(yyjson_obj_get(root, key))) return MINNOW_OK;
    TRY(json_get_int(root, key, 0, &value, error));
    if (yyjson_obj_get(root, key) == NULL) return MINNOW_OK;
    if (value < 1 || value > INT32_MAX)
        return error_set(error, MINNOW_ERROR_FORMAT, "'%s' is %lld, where a size was expected", key, (long long)value);
    *out = (size_t)value;
    return MINNOW_OK;
}

static minnow_status add_config(model_settings *s, yyjson_val *root, minnow_error *error) {
    yyjson_val *name = yyjson_obj_get(root, "_name_or_path");
    TRY(add_size(&s->max_positions, root, "max_position_embeddings", error));
    if (!yyjson_is_str(name) || yyjson_get_len(name) == 0 || strlen(yyjson_get_str(name)) != yyjson_get_len(name))
        return MINNOW_OK;
    free(s->name);
    s->name = malloc(yyjson_get_len(name) + 1);
    if (s->name == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    memcpy(s->name, yyjson_get_str(name), yyjson_get_len(name) + 1);
    return MINNOW_OK;
}

static minnow_status add_modules(model_settings *s, yyjson_val *root, minnow_error *error) {
    size_t i, n;
    yyjson_val *module;
    s->normalize = 0;
    yyjson_arr_foreach(root, i, n, module) {
        const char *type = yyjson_get_str(yyjson_obj_get(module, "type"));
        if (type == NULL) return error_set(error, MINNOW_ERROR_FORMAT, "module %zu has no 'type'", i);
        if (ends_with(type, ".Normalize")) s->normalize = 1;
        else if (!ends_with(type, ".Transformer") && !ends_with(type, ".Pooling"))
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "module type '%.100s' not supported", type);
    }
    return MINNOW_OK;
}

static const struct { const char *key, *name; minnow_pooling pooling; } poolings[] = {
    {"pooling_mode_cls_token", "cls", MINNOW_POOLING_CLS},
    {"pooling_mode_mean_tokens", "mean", MINNOW_POOLING_MEAN},
    {"pooling_mode_max_tokens", "max", MINNOW_POOLING_MAX},
};
#define N_POOLINGS (sizeof poolings / sizeof *poolings)

/* {"pooling_mode": "mean"}, as newer files say it. */
static minnow_status add_named_pooling(model_settings *s, const char *name, minnow_error *error) {
    size_t i;
    for (i = 0; i < N_POOLINGS; i++) {
        if (strcmp(poolings[i].name, name) != 0) continue;
        s->pooling = poolings[i].pooling;
        return MINNOW_OK;
    }
    return error_set(error, MINNOW_ERROR_UNSUPPORTED, "pooling '%.100s' not supported", name);
}

/* {"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true, ...}: exactly one of those known here. */
static minnow_status add_pooling(model_settings *s, yyjson_val *root, minnow_error *error) {
    yyjson_val *named = yyjson_obj_get(root, "pooling_mode");
    size_t i, k, n;
    yyjson_val *key, *value;
    const char *chosen = NULL;
    if (yyjson_is_str(named)) return add_named_pooling(s, yyjson_get_str(named), error);
    if (named != NULL)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED,
                         "'pooling_mode' is no name: several poolings at once not supported");
    yyjson_obj_foreach(root, i, n, key, value) {
        const char *name = yyjson_get_str(key);
        if (strncmp(name, "pooling_mode_", 13) != 0 || yyjson_is_null(value)) continue;
        if (!yyjson_is_bool(value))
            return error_set(error, MINNOW_ERROR_FORMAT, "'%.100s' is neither true nor false", name);
        if (yyjson_is_false(value)) continue;
        for (k = 0; k < N_POOLINGS && strcmp(poolings[k].key, name) != 0; k++) continue;
        if (k == N_POOLINGS) return error_set(error, MINNOW_ERROR_UNSUPPORTED, "'%.100s' not supported", name);
        if (chosen != NULL)
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "'%s' together with '%s' not supported", chosen,
                             poolings[k].key);
        chosen = poolings[k].key;
        s->pooling = poolings[k].pooling;
    }
    return MINNOW_OK;
}

minnow_status settings_add(model_settings *s, settings_file file, yyjson_val *root, minnow_error *error) {
    if (file == SETTINGS_MODULES ? !yyjson_is_arr(root) : !yyjson_is_obj(root))
        return error_set(error, MINNOW_ERROR_FORMAT, "no JSON %s", file == SETTINGS_MODULES ? "array" : "object");
    switch (file) {
    case SETTINGS_CONFIG: return add_config(s, root, error);
    case SETTINGS_MODULES: return add_modules(s, root, error);
    case SETTINGS_POOLING: return add_pooling(s, root, error);
    case SETTINGS_LIMITS: return add_size(&s->max_tokens, root, "max_seq_length", error);
    default: return MINNOW_OK;
    }
}

/* The last part of a folder's path, slashes at its end left out; "" for "/", "." and "..". */
static minnow_status name_by_folder(model_settings *s, const char *folder, minnow_error *error) {
    const size_t n = strlen(folder);
    char *name;
    s->name = malloc(n + 1);
    if (s->name == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    memcpy(s->name, folder, n + 1);
    for (name = s->name + n; name > s->name && *path_name(s->name) == '\0'; *--name = '\0') continue;
    name = s->name + (path_name(s->name) - s->name);
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) *name = '\0';
    memmove(s->name, name, strlen(name) + 1);
    return MINNOW_OK;
}

static minnow_status read_file(model_settings *s, settings_file file, const char *path, minnow_error *error) {
    yyjson_doc *doc;
    minnow_status status;
    if (!file_exists(path)) return MINNOW_OK;
    TRY(json_open(&doc, path, error));
    status = settings_add(s, file, yyjson_doc_get_root(doc), error);
    yyjson_doc_free(doc);
    return status == MINNOW_OK ? MINNOW_OK : error_prefix(error, status, "%s", path);
}

minnow_status settings_read(model_settings *out, const char *folder, minnow_error *error) {
    static const char *const names[SETTINGS_FILES] = {
        [SETTINGS_CONFIG] = "config.json",
        [SETTINGS_MODULES] = "modules.json",
        [SETTINGS_POOLING] = "1_Pooling/config.json",
        [SETTINGS_LIMITS] = "sentence_bert_config.json",
    };
    minnow_status status = MINNOW_OK;
    int file;
    settings_init(out);
    for (file = 0; file < SETTINGS_FILES; file++) {
        char *path = path_join(folder, names[file]);
        if (path == NULL) TRY_GOTO(error_set(error, MINNOW_ERROR_MEMORY, "%s: out of memory", folder));
        status = read_file(out, (settings_file)file, path, error);
        free(path);
        if (status != MINNOW_OK) goto fail;
    }
    if (out->name == NULL) TRY_GOTO(name_by_folder(out, folder, error));
    return MINNOW_OK;
fail:
    settings_free(out);
    return status;
}
