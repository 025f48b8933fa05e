/* SPDX-License-Identifier: Apache-2.0
 * What a .minnow file says of itself: name, licence, and which file of FP32 weights it was made from. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/file_os.h"
#include "base/utf8.h"
#include "convert/import/model_card.h"
#include "quantize_job.h"

#define HASH_DIGITS 32 /* folders of caches are called by hashes of at least so many digits */

static minnow_status out_of_memory(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

/* File names are bytes, the file's texts UTF-8: each ill-formed part becomes U+FFFD. malloc'd; NULL if out of
 * memory. */
static char *copy_utf8(const char *text) {
    const uint8_t *p = (const uint8_t *)text;
    size_t left = strlen(text), used = 0;
    char *out = malloc(3 * left + 1);
    while (out != NULL && left > 0) {
        uint32_t c;
        size_t n = utf8_decode(p, left, &c);
        if (n > 0) {
            memcpy(out + used, p, n);
            used += n;
        } else {
            n = utf8_ill_formed_bytes(p, left);
            used += utf8_encode(0xfffd, (uint8_t *)out + used);
        }
        p += n;
        left -= n;
    }
    if (out != NULL) out[used] = '\0';
    return out;
}

static int says_nothing(const char *name) {
    static const char *const names[] = {"", "model", "models", "onnx"};
    size_t i;
    for (i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) return 1;
    return strlen(name) >= HASH_DIGITS && strspn(name, "0123456789abcdef") == strlen(name);
}

/* The folder's name, unless it says nothing; else config.json's, which often names the model that this one was trained
 * from. The folder of a pipe says nothing. */
static minnow_status find_name(quantize_labels *l, const quantize_source *s, minnow_error *error) {
    char *folder = file_os_real_path(s->at.folder);
    const int is_pipe = s->at.onnx != NULL && file_os_is_special(s->at.onnx);
    const char *name = folder != NULL && !is_pipe ? path_name(folder) : "";
    if (says_nothing(name) && !is_pipe && s->settings.name != NULL) name = s->settings.name;
    l->name = copy_utf8(name);
    free(folder);
    return l->name != NULL ? MINNOW_OK : out_of_memory(error);
}

/* README.md lies beside the settings; one that cannot be read says nothing. */
static minnow_status find_licence(quantize_labels *l, const quantize_source *s, minnow_error *error) {
    char *path = path_join(s->at.folder, "README.md");
    file_map map;
    if (path == NULL) return out_of_memory(error);
    if (file_exists(path) && file_map_open(&map, path, NULL) == MINNOW_OK) {
        model_card_license((const char *)map.data, map.bytes, l->licence, sizeof l->licence);
        file_map_close(&map);
    }
    free(path);
    return MINNOW_OK;
}

/* A pipe has been read already and has no name worth keeping. */
static minnow_status hash_source(quantize_labels *l, const char *path, minnow_error *error) {
    const int is_pipe = file_os_is_special(path);
    file_map map;
    l->file = copy_utf8(is_pipe ? "" : path_name(path));
    if (l->file == NULL) return out_of_memory(error);
    if (is_pipe) return MINNOW_OK;
    TRY(file_map_open(&map, path, error));
    sha256(map.data, map.bytes, l->sha256);
    file_map_close(&map);
    return MINNOW_OK;
}

minnow_status quantize_labels_read(quantize_labels *l, const quantize_source *s, minnow_error *error) {
    char *path;
    minnow_status status;
    TRY(find_name(l, s, error));
    TRY(find_licence(l, s, error));
    l->bytes = graph_mapped_bytes(s->graph);
    path = quantize_source_file(s);
    status = path != NULL ? hash_source(l, path, error) : out_of_memory(error);
    free(path);
    return status;
}

void quantize_labels_free(quantize_labels *l) {
    free(l->name);
    free(l->file);
}
