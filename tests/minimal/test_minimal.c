/* SPDX-License-Identifier: Apache-2.0
 *
 * MODEL [TEXTS]: reads a .minnow file into memory of its own, encodes each line of TEXTS in a context that lives in a
 * buffer, by minnow_encode and by minnow_encode_batch, and prints the vectors' SHA-256. Linked with the whole library
 * and with the smallest one: the lines must be the same. Without TEXTS, says what memory a context takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sha256.h"
#include "minnow.h"

#define MAX_TEXTS 200

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "test_minimal: %s\n", what);
    exit(1);
}

static void check(minnow_status status, const minnow_error *error) {
    if (status != MINNOW_OK) fail(error->message);
}

/* 64-byte aligned, with a NUL behind. */
static char *read_file(const char *path, size_t *bytes) {
    FILE *f = fopen(path, "rb");
    char *data = NULL;
    long end;
    if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (end = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0) fail(path);
    *bytes = (size_t)end;
    data = memory_aligned_alloc(*bytes + 1);
    if (data == NULL || fread(data, 1, *bytes, f) != *bytes) fail(path);
    fclose(f);
    data[*bytes] = '\0';
    return data;
}

static size_t split_lines(char *data, minnow_text texts[MAX_TEXTS]) {
    size_t n = 0;
    for (char *line = data, *end; n < MAX_TEXTS && (end = strchr(line, '\n')) != NULL; line = end + 1)
        texts[n++] = (minnow_text){line, (size_t)(end - line)};
    return n;
}

static size_t context_bytes(const minnow_model *model) {
    minnow_error error;
    size_t bytes;
    check(minnow_context_bytes(model, NULL, &bytes, &error), &error);
    return bytes;
}

static minnow_context *create(const minnow_model *model, void **memory) {
    minnow_context_options options = {.size = sizeof options, .memory_bytes = context_bytes(model)};
    minnow_context *context = NULL;
    minnow_error error;
    *memory = options.memory = memory_aligned_alloc(options.memory_bytes);
    if (*memory == NULL) fail("out of memory");
    check(minnow_context_create(&context, model, &options, &error), &error);
    return context;
}

static void encode_all(minnow_context *context, const minnow_text *texts, size_t n, size_t dimensions) {
    float *single = malloc(n * dimensions * sizeof *single), *batch = malloc(n * dimensions * sizeof *batch);
    char hex[2 * SHA256_BYTES + 1];
    uint8_t digest[SHA256_BYTES];
    sha256_state sha;
    minnow_error error;
    if (single == NULL || batch == NULL) fail("out of memory");
    for (size_t i = 0; i < n; i++)
        check(minnow_encode(context, texts[i].data, texts[i].bytes, single + i * dimensions, dimensions, NULL, &error),
              &error);
    check(minnow_encode_batch(context, texts, n, batch, n * dimensions, NULL, NULL, NULL, &error), &error);
    if (memcmp(single, batch, n * dimensions * sizeof *single) != 0) fail("a batch gives other vectors");
    sha256_begin(&sha);
    sha256_update(&sha, single, n * dimensions * sizeof *single);
    sha256_end(&sha, digest);
    for (size_t i = 0; i < SHA256_BYTES; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    printf("%zu texts, %zu dimensions, SHA-256 %s\n", n, dimensions, hex);
    free(single);
    free(batch);
}

#if defined(MINNOW_MINIMAL)
static void refuses_threads(const minnow_model *model) {
    const minnow_context_options two = {.size = sizeof two, .n_threads = 2};
    minnow_context *context = NULL;
    minnow_error error;
    if (minnow_context_create(&context, model, &two, &error) != MINNOW_ERROR_UNSUPPORTED) fail("two threads are made");
    if (minnow_isa(1) != NULL || strcmp(minnow_isa(0), "scalar") != 0) fail("there are tiers");
}
#endif

static void encode_file(const minnow_model *model, const char *path) {
    minnow_text texts[MAX_TEXTS];
    size_t bytes;
    char *data = read_file(path, &bytes);
    void *memory;
    minnow_context *context = create(model, &memory);
    encode_all(context, texts, split_lines(data, texts), minnow_model_dimensions(model));
    minnow_context_close(&context);
    memory_aligned_free(memory);
    memory_aligned_free(data);
}

int main(int argc, char **argv) {
    minnow_model *model = NULL;
    minnow_error error;
    size_t bytes;
    char *data;
    if (argc != 2 && argc != 3) fail("MODEL [TEXTS]");
    data = read_file(argv[1], &bytes);
    check(minnow_model_open_memory(&model, data, bytes, NULL, &error), &error);
#if defined(MINNOW_MINIMAL)
    refuses_threads(model);
#endif
    if (argc == 3) encode_file(model, argv[2]);
    else printf("  context %zu bytes, for %zu tokens of %s\n", context_bytes(model), minnow_model_max_tokens(model), argv[1]);
    minnow_model_close(&model);
    memory_aligned_free(data);
    return 0;
}
