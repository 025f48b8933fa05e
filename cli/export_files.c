/* SPDX-License-Identifier: Apache-2.0
 * A source folder and -o -> which files to write where, decided before anything is written.
 *
 *     -o out/model.onnx        out/model.onnx, out/config.json, out/tokenizer.json, out/1_Pooling/config.json ...
 *     -o out/onnx/model.onnx   out/onnx/model.onnx, and the rest in out/, where readers of the Hub's layout look
 *     -o out/                  the same */
#include "export.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/file_os.h"
#include "cli.h"

/* What tokenizers and readers of sentence-transformers folders read. The wanted ones are copied if the source has them.
 */
static const char *const small_files[] = {
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
};
#define N_SMALL_FILES (sizeof small_files / sizeof *small_files)

static minnow_status out_of_memory(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

static int ends_with_separator(const char *path) { return *path != '\0' && *path_name(path) == '\0'; }

static minnow_status name_model(export_files *out, const char *output, const char *hub_name, minnow_error *error) {
    out->is_hub = ends_with_separator(output) || file_is_directory(output);
    out->model = path_join(out->is_hub ? output : "", out->is_hub ? hub_name : output);
    return out->model == NULL ? out_of_memory(error) : MINNOW_OK;
}

static minnow_status name_folder(export_files *out, minnow_error *error) {
    char *folder, *parent = NULL;
    int ok;
    if (file_os_is_special(out->model)) return MINNOW_OK;
    folder = path_folder(out->model);
    ok = folder != NULL && path_above_onnx(&parent, folder);
    out->folder = parent != NULL ? parent : folder;
    if (parent != NULL) free(folder);
    return ok ? MINNOW_OK : out_of_memory(error);
}

static minnow_status compare(const char *from, const char *to, int *same, minnow_error *error) {
    file_map a, b;
    TRY(file_map_open(&a, from, error));
    if (file_map_open(&b, to, error) != MINNOW_OK) {
        file_map_close(&a);
        return error != NULL ? error->status : MINNOW_ERROR_IO;
    }
    *same = a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
    file_map_close(&a);
    file_map_close(&b);
    return MINNOW_OK;
}

static minnow_status plan_file(export_files *out, const char *name, const char *from, const char *to, int force,
                               minnow_error *error) {
    int same = 0;
    if (!file_exists(from)) return MINNOW_OK;
    if (file_exists(to)) {
        TRY(compare(from, to, &same, error));
        if (same) return MINNOW_OK;
        if (!force)
            return error_set(
                error, MINNOW_ERROR_ARGUMENT,
                "%s is there already and differs from %s; --force replaces it, or write to another folder", to, from);
    }
    out->names[out->n_names++] = name;
    return MINNOW_OK;
}

minnow_status export_files_plan(export_files *out, const char *source, const char *output, const char *hub_name,
                                int force, minnow_error *error) {
    size_t i;
    TRY(name_model(out, output, hub_name, error));
    if (!force && file_exists(out->model) && !file_os_is_special(out->model) && !path_has_suffix(out->model, ".onnx"))
        return error_set(error, MINNOW_ERROR_ARGUMENT,
                         "%s is there already and is not named *.onnx; --force replaces it", out->model);
    TRY(name_folder(out, error));
    for (i = 0; i < N_SMALL_FILES && out->folder != NULL; i++) {
        char *from = path_join(source, small_files[i]), *to = path_join(out->folder, small_files[i]);
        minnow_status status =
            from == NULL || to == NULL ? out_of_memory(error) : plan_file(out, small_files[i], from, to, force, error);
        free(from);
        free(to);
        if (status != MINNOW_OK) return status;
    }
    return MINNOW_OK;
}

static minnow_status make_folder_of(const char *path, minnow_error *error) {
    char *folder = path_folder(path);
    minnow_status status = folder == NULL ? out_of_memory(error) : file_make_directory(folder, error);
    free(folder);
    return status;
}

minnow_status export_files_make_folders(const export_files *files, minnow_error *error) {
    return make_folder_of(files->model, error);
}

static minnow_status copy_file(const char *from, const char *to, minnow_error *error) {
    file_map map;
    minnow_status status;
    TRY(make_folder_of(to, error));
    TRY(file_map_open(&map, from, error));
    status = file_write_all(to, map.data, map.bytes, error);
    file_map_close(&map);
    return status;
}

minnow_status export_files_copy(const export_files *files, const char *source, minnow_error *error) {
    size_t i;
    for (i = 0; i < files->n_names; i++) {
        char *from = path_join(source, files->names[i]), *to = path_join(files->folder, files->names[i]);
        minnow_status status = from == NULL || to == NULL ? out_of_memory(error) : copy_file(from, to, error);
        free(from);
        free(to);
        if (status != MINNOW_OK) return status;
    }
    return MINNOW_OK;
}

size_t export_files_model_bytes(const export_files *files) {
    file_map map;
    size_t bytes;
    if (file_os_is_special(files->model) || file_map_open(&map, files->model, NULL) != MINNOW_OK) return 0;
    bytes = map.bytes;
    file_map_close(&map);
    return bytes;
}

void export_files_print(const export_files *files) {
    size_t i;
    if (files->n_names == 0) return;
    fputs("copied to ", stdout);
    cli_print_text(stdout, files->folder, strlen(files->folder));
    for (i = 0; i < files->n_names; i++) printf("%s %s", i == 0 ? ":" : ",", files->names[i]);
    putchar('\n');
}

void export_files_print_json(const export_files *files) {
    size_t i;
    putchar('[');
    for (i = 0; i < files->n_names; i++) {
        char *path = path_join(files->folder, files->names[i]);
        if (path == NULL) continue;
        if (i > 0) putchar(',');
        cli_json_string(stdout, path, strlen(path));
        free(path);
    }
    putchar(']');
}

void export_files_free(export_files *files) {
    free(files->model);
    free(files->folder);
    memset(files, 0, sizeof *files);
}
