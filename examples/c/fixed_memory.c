/* SPDX-License-Identifier: Apache-2.0
 * Embeds with memory that the program owns: the model lies in a buffer, the context in another, whose size is known
 * beforehand, and encoding allocates nothing. For small devices, or wherever memory is planned.
 *     fixed_memory model.minnow TEXT... */
#include <minnow.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_TOKENS 128 /* fewer tokens, less memory */
#define ALIGNMENT 64

/* The whole file, aligned; NULL if it cannot be read. A device would have it in flash memory. */
static void *read_file(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    void *data = NULL;
    long size;
    if (file == NULL) return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) > 0 && fseek(file, 0, SEEK_SET) == 0) {
        *bytes = (size_t)size;
        data = aligned_alloc(ALIGNMENT, (*bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
        if (data != NULL && fread(data, 1, *bytes, file) != *bytes) {
            free(data);
            data = NULL;
        }
    }
    fclose(file);
    return data;
}

static int embed(const void *data, size_t bytes, char **texts, int n_texts, minnow_error *error) {
    minnow_context_options options = {.size = sizeof options, .n_threads = 1, .max_tokens = MAX_TOKENS};
    minnow_model *model = NULL;
    minnow_context *context = NULL;
    float vector[1024];
    size_t needed = 0;
    void *memory = NULL;
    int status = minnow_model_open_memory(&model, data, bytes, NULL, error);
    if (!status && minnow_model_max_tokens(model) < MAX_TOKENS) options.max_tokens = minnow_model_max_tokens(model);
    if (!status) status = minnow_context_bytes(model, &options, &needed, error);
    if (!status) {
        needed = (needed + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        options.memory = memory = aligned_alloc(ALIGNMENT, needed);
        options.memory_bytes = needed;
        status = minnow_context_create(&context, model, &options, error);
    }
    if (!status) printf("%zu bytes for texts of %zu tokens\n", needed, options.max_tokens);
    for (int i = 0; i < n_texts && !status; i++) {
        status = minnow_encode(context, texts[i], MINNOW_STRLEN, vector, 1024, NULL, error);
        if (!status)
            printf("%.4f %.4f %.4f ...  %s\n", (double)vector[0], (double)vector[1], (double)vector[2], texts[i]);
    }
    minnow_context_close(&context);
    minnow_model_close(&model);
    free(memory);
    return status;
}

int main(int argc, char **argv) {
    minnow_error error;
    size_t bytes = 0;
    void *data = argc > 2 ? read_file(argv[1], &bytes) : NULL;
    if (data == NULL) {
        fprintf(stderr, "usage: fixed_memory MODEL.minnow TEXT...\n");
        return 2;
    }
    const int status = embed(data, bytes, argv + 2, argc - 2, &error);
    if (status) fprintf(stderr, "fixed_memory: %s\n", error.message);
    free(data);
    return status != MINNOW_OK;
}
