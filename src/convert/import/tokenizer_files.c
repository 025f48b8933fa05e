/* SPDX-License-Identifier: Apache-2.0
 *
 * tokenizer.json, vocab.txt, or a folder that has one of them -> tokenizer. Files are read by tokenizer_json.c and
 * tokenizer_vocab.c. */
#include "convert/import/tokenizer_files.h"

#include <stdlib.h>
#include <string.h>

#include "convert/import/tokenizer_reading.h"
#include "convert/json/json.h"

/* The settings of a vocab.txt that lie beside it. */
static minnow_status read_options(const char *path, vocab_options *options, minnow_error *error) {
    char *folder = path_folder(path);
    char *config = folder == NULL ? NULL : path_join(folder, "tokenizer_config.json");
    yyjson_doc *doc = NULL;
    minnow_status status = MINNOW_OK;
    if (config == NULL) {
        status = error_set(error, MINNOW_ERROR_MEMORY, "out of memory for a path");
    } else if (file_exists(config)) {
        status = json_open(&doc, config, error);
        if (status == MINNOW_OK) {
            status = vocab_options_read(options, yyjson_doc_get_root(doc), error);
            if (status != MINNOW_OK) (void)error_prefix(error, status, "%s", config);
        }
    }
    yyjson_doc_free(doc);
    free(config);
    free(folder);
    return status;
}

static int begins_with_brace(const file_map *map) {
    for (size_t i = 0; i < map->bytes; i++) {
        const uint8_t c = map->data[i];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return c == '{';
    }
    return 0;
}

static minnow_status read_file(tokenizer_config *out, arena *memory, const char *path, minnow_error *error) {
    vocab_options options = {1, -1, 1};
    file_map map;
    minnow_status status;
    TRY(file_map_open(&map, path, error));
    if (begins_with_brace(&map)) {
        status = tokenizer_config_from_json(out, memory, map.data, map.bytes, error);
    } else {
        status = read_options(path, &options, error);
        if (status != MINNOW_OK) {
            file_map_close(&map);
            return status; /* it names the other file */
        }
        status = tokenizer_config_from_vocab(out, memory, map.data, map.bytes, &options, error);
    }
    file_map_close(&map);
    return status == MINNOW_OK ? status : error_prefix(error, status, "%s", path);
}

/* The file that a path means, malloc'd: itself, or one in the folder that it is. */
static minnow_status find_file(char **out, const char *path, minnow_error *error) {
    static const char *const names[] = {"tokenizer.json", "vocab.txt"};
    const int is_folder = file_is_directory(path);
    for (size_t i = 0; i < (is_folder ? sizeof names / sizeof *names : 1); i++) {
        *out = is_folder ? path_join(path, names[i]) : path_join("", path);
        if (*out == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for a path");
        if (!is_folder || file_exists(*out)) return MINNOW_OK;
        free(*out);
    }
    *out = NULL;
    return error_set(error, MINNOW_ERROR_IO, "%s: neither tokenizer.json nor vocab.txt is there", path);
}

minnow_status tokenizer_config_open(tokenizer_config *out, arena *memory, const char *path, minnow_error *error) {
    char *file;
    minnow_status status;
    memset(out, 0, sizeof *out);
    TRY(find_file(&file, path, error));
    status = read_file(out, memory, file, error);
    free(file);
    return status;
}

minnow_status tokenizer_open(tokenizer **out, const char *path, minnow_error *error) {
    tokenizer_config config;
    arena memory;
    char *file;
    minnow_status status;
    *out = NULL;
    TRY(find_file(&file, path, error));
    arena_init(&memory, 0);
    status = read_file(&config, &memory, file, error);
    if (status == MINNOW_OK) {
        status = tokenizer_create(out, &config, error);
        if (status != MINNOW_OK) (void)error_prefix(error, status, "%s", file);
    }
    arena_free(&memory);
    free(file);
    return status;
}
