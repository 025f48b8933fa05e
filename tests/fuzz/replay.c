/* SPDX-License-Identifier: Apache-2.0
 * A fuzz target without a fuzzer: files and folders in, one call of LLVMFuzzerTestOneInput for each, for prefixes of each
 * and for each with single bits flipped. Deterministic: the ordinary tests run it, under the sanitizers.
 * usage: replay_TARGET PATH... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/os.h"

enum { MAX_PREFIXES = 256, N_FLIPS = 128 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct replay {
    const char *folder; /* of the names being visited */
    size_t n_files, n_runs, n_unreadable;
} replay;

/* From a block of exactly that size, so that the address sanitizer sees the first byte read past the end. */
static void run_copy(replay *r, const uint8_t *data, size_t bytes, size_t flipped_bit) {
    uint8_t *copy = malloc(bytes ? bytes : 1);
    if (!copy) {
        r->n_unreadable++;
        return;
    }
    memcpy(copy, data, bytes);
    if (flipped_bit < bytes * 8) copy[flipped_bit / 8] ^= (uint8_t)(1u << (flipped_bit % 8));
    LLVMFuzzerTestOneInput(copy, bytes);
    free(copy);
    r->n_runs++;
}

static void replay_bytes(replay *r, const uint8_t *data, size_t bytes) {
    const size_t whole = SIZE_MAX;
    run_copy(r, data, bytes, whole);
    const size_t step = bytes <= MAX_PREFIXES ? 1 : bytes / MAX_PREFIXES;
    for (size_t n = 0; n < bytes; n += step) run_copy(r, data, n, whole);
    uint64_t random = 0x9e3779b97f4a7c15u ^ bytes; /* xorshift64 */
    for (int i = 0; i < N_FLIPS && bytes > 0; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        run_copy(r, data, bytes, (size_t)(random % (bytes * 8)));
    }
}

static void replay_file(replay *r, const char *path) {
    file_map map;
    minnow_error error;
    if (file_map_open(&map, path, &error) != MINNOW_OK) {
        fprintf(stderr, "%s\n", error.message);
        r->n_unreadable++;
        return;
    }
    r->n_files++;
    replay_bytes(r, map.data, map.bytes);
    file_map_close(&map);
}

static void visit(void *context, const char *name) {
    replay *r = context;
    char *path = path_join(r->folder, name);
    if (path && !file_is_directory(path)) replay_file(r, path);
    free(path);
}

int main(int argc, char **argv) {
    replay r = {0};
    for (int i = 1; i < argc; i++) {
        if (file_is_directory(argv[i])) {
            r.folder = argv[i];
            if (os_list_folder(argv[i], visit, &r) != 0) r.n_unreadable++;
        } else {
            replay_file(&r, argv[i]);
        }
    }
    printf("%s: %zu files, %zu runs\n", path_name(argv[0]), r.n_files, r.n_runs);
    return r.n_files > 0 && r.n_unreadable == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
