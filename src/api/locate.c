/* SPDX-License-Identifier: Apache-2.0
 * A path -> where the model's graph, settings and tokenizer lie.
 *
 *   FILE.minnow              all in this file; told by its first bytes, whatever its name
 *   FILE.onnx                beside it, or in the parent of onnx/
 *   FOLDER                   FOLDER/onnx/model.onnx, FOLDER/model.onnx (as above), FOLDER/model.safetensors with
 *                            config.json, or, if it has none of these, FOLDER/model.minnow, or else
 *                            FOLDER/onnx/model_quantized.onnx: a folder means FP32 as long as it has it, and the
 *                            engine's INT8 before that of others */
#include <stdlib.h>
#include <string.h>

#include "api/open.h"
#include "base/file.h"
#include "base/file_os.h"
#include "run/model/model.h"

void model_location_free(model_location *l) {
    free(l->packed);
    free(l->onnx);
    free(l->folder);
    free(l->tokenizer);
    memset(l, 0, sizeof *l);
}

static minnow_status out_of_memory(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

static minnow_status copy_path(char **out, const char *path, minnow_error *error) {
    *out = path_join("", path);
    return *out != NULL ? MINNOW_OK : out_of_memory(error);
}

/* *out = folder/name if that file exists, else unchanged. */
static minnow_status find_file(char **out, const char *folder, const char *name, minnow_error *error) {
    char *path = path_join(folder, name);
    if (path == NULL) return out_of_memory(error);
    if (*out == NULL && file_exists(path)) *out = path;
    else free(path);
    return MINNOW_OK;
}

static minnow_status find_tokenizer(char **out, const char *folder, minnow_error *error) {
    TRY(find_file(out, folder, "tokenizer.json", error));
    return find_file(out, folder, "vocab.txt", error);
}

/* The settings of model/onnx/model.onnx lie in model/, unless there are some in model/onnx/ itself. */
static minnow_status locate_beside(model_location *out, const char *path, minnow_error *error) {
    char *config = NULL, *parent;
    minnow_status status;
    out->folder = path_folder(path);
    if (out->folder == NULL) return out_of_memory(error);
    TRY(find_tokenizer(&out->tokenizer, out->folder, error));
    if (!path_above_onnx(&parent, out->folder)) return out_of_memory(error);
    if (parent == NULL) return MINNOW_OK;
    status = find_tokenizer(&out->tokenizer, parent, error);
    if (status == MINNOW_OK) status = find_file(&config, out->folder, "config.json", error);
    if (status == MINNOW_OK && config == NULL) {
        char *old = out->folder;
        out->folder = parent;
        parent = old;
    }
    free(config);
    free(parent);
    return status;
}

/* A pipe, which can be read once only, is taken for ONNX. */
static minnow_status is_packed(const char *path, int *packed, minnow_error *error) {
    file_map map;
    *packed = 0;
    if (file_os_is_special(path)) return MINNOW_OK;
    TRY(file_map_open(&map, path, error));
    *packed = int8_model_is(map.data, map.bytes);
    file_map_close(&map);
    return MINNOW_OK;
}

static minnow_status locate_file(model_location *out, const char *path, minnow_error *error) {
    int packed;
    if (!file_exists(path)) return error_set(error, MINNOW_ERROR_IO, "%s: no such file or folder", path);
    TRY(is_packed(path, &packed, error));
    if (packed) return copy_path(&out->packed, path, error);
    TRY(copy_path(&out->onnx, path, error));
    return locate_beside(out, path, error);
}

static minnow_status locate_folder(model_location *out, const char *path, minnow_error *error) {
    char *weights = NULL;
    TRY(find_file(&out->onnx, path, "onnx/model.onnx", error));
    if (out->onnx == NULL) {
        TRY(find_file(&out->onnx, path, "model.onnx", error));
        if (out->onnx != NULL) return locate_beside(out, out->onnx, error); /* the folder may be onnx/ itself */
    }
    TRY(find_file(&weights, path, "model.safetensors", error));
    if (out->onnx == NULL && weights == NULL) {
        TRY(find_file(&out->packed, path, "model.minnow", error));
        if (out->packed != NULL) return MINNOW_OK;
        TRY(find_file(&out->onnx, path, "onnx/model_quantized.onnx", error));
        if (out->onnx == NULL)
            return error_set(error, MINNOW_ERROR_IO,
                             "%s: no onnx/model.onnx, model.onnx, model.safetensors, model.minnow or "
                             "onnx/model_quantized.onnx in this folder",
                             path);
    }
    free(weights);
    TRY(copy_path(&out->folder, path, error));
    return find_tokenizer(&out->tokenizer, path, error);
}

minnow_status model_locate(model_location *out, const char *path, const char *tokenizer_path, minnow_error *error) {
    minnow_status status = MINNOW_OK;
    memset(out, 0, sizeof *out);
    TRY_GOTO(file_is_directory(path) ? locate_folder(out, path, error) : locate_file(out, path, error));
    if (tokenizer_path != NULL && out->packed != NULL)
        TRY_GOTO(error_set(error, MINNOW_ERROR_ARGUMENT,
                           "%s: a .minnow file has its own tokenizer; no other can be given",
                           out->packed));
    if (tokenizer_path != NULL) {
        free(out->tokenizer);
        TRY_GOTO(copy_path(&out->tokenizer, tokenizer_path, error));
    }
    return MINNOW_OK;
fail:
    model_location_free(out);
    return status;
}
