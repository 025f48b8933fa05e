/* SPDX-License-Identifier: Apache-2.0
 * Embeds texts and prints how close each is to the first. usage: embed MODEL TEXT TEXT...
 * MODEL: a .minnow file, an ONNX file (FP32 or INT8), or a model's folder. */
#include <minnow.h>
#include <stdio.h>
#include <stdlib.h>

static int run(const char *path, char **texts, size_t n_texts, minnow_error *error) {
    minnow_model *model = NULL;
    minnow_context *context = NULL;
    float *vectors = NULL;
    int status = minnow_model_open(&model, path, error);
    if (!status) status = minnow_context_create(&context, model, NULL, error);
    if (status) goto done;

    const size_t dimensions = minnow_model_dimensions(model);
    vectors = calloc(n_texts, dimensions * sizeof *vectors);
    if (!vectors) {
        snprintf(error->message, sizeof error->message, "out of memory");
        status = MINNOW_ERROR_MEMORY;
        goto done;
    }
    for (size_t i = 0; i < n_texts; i++) {
        float *vector = vectors + i * dimensions;
        minnow_encoding encoding;
        status = minnow_encode(context, texts[i], MINNOW_STRLEN, vector, dimensions, &encoding, error);
        if (status) goto done;
        printf("%.4f  %zu tokens%s  %s\n", minnow_similarity(vectors, vector, dimensions), encoding.n_tokens,
               encoding.truncated ? " (cut)" : "", texts[i]);
    }
done:
    free(vectors);
    minnow_context_close(&context);
    minnow_model_close(&model);
    return status;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: embed MODEL TEXT TEXT...\n");
        return 2;
    }
    minnow_error error;
    if (run(argv[1], argv + 2, (size_t)argc - 2, &error) != MINNOW_OK) {
        fprintf(stderr, "embed: %s\n", error.message);
        return 1;
    }
    return 0;
}
