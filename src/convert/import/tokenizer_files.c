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

static minnow_status open_file(tokenizer **out, const char *path, minnow_error *error) {
    vocab_options options = {1, -1, 1};
    file_map map;
    minnow_status status;
    TRY(file_map_open(&map, path, error));
    if (begins_with_brace(&map)) {
        status = tokenizer_from_json(out, map.data, map.bytes, error);
    } else {
        status = read_options(path, &options, error);
        if (status != MINNOW_OK) {
            file_map_close(&map);
            return status; /* it names the other file */
        }
        status = tokenizer_from_vocab(out, map.data, map.bytes, &options, error);
    }
    file_map_close(&map);
    return status == MINNOW_OK ? status : error_prefix(error, status, "%s", path);
}

minnow_status tokenizer_open(tokenizer **out, const char *path, minnow_error *error) {
    static const char *const names[] = {"tokenizer.json", "vocab.txt"};
    *out = NULL;
    if (!file_is_directory(path)) return open_file(out, path, error);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *file = path_join(path, names[i]);
        minnow_status status;
        if (file == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for a path");
        if (!file_exists(file)) {
            free(file);
            continue;
        }
        status = open_file(out, file, error);
        free(file);
        return status;
    }
    return error_set(error, MINNOW_ERROR_IO, "%s: neither tokenizer.json nor vocab.txt is there", path);
}
