/* SPDX-License-Identifier: Apache-2.0
 * Lines of standard input -> their vectors, float32, on standard output, in C. usage: vectors MODEL < lines */
#include <minnow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int encode_lines(minnow_context *context, size_t dimensions, minnow_error *error) {
    static char line[65536];
    float *vector = calloc(dimensions, sizeof *vector);
    int status = MINNOW_OK;
    if (!vector) return MINNOW_ERROR_MEMORY;
    while (!status && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        status = minnow_encode(context, line, MINNOW_STRLEN, vector, dimensions, NULL, error);
        if (!status && fwrite(vector, sizeof *vector, dimensions, stdout) != dimensions) status = MINNOW_ERROR_IO;
    }
    free(vector);
    return status;
}

int main(int argc, char **argv) {
    minnow_error error = {0};
    minnow_model *model = NULL;
    minnow_context *context = NULL;
    int status = argc == 2 ? (int)minnow_model_open(&model, argv[1], &error) : MINNOW_ERROR_ARGUMENT;
    if (!status) status = minnow_context_create(&context, model, NULL, &error);
    if (!status) status = encode_lines(context, minnow_model_dimensions(model), &error);
    if (status) fprintf(stderr, "vectors: %s\n", error.message);
    minnow_context_close(&context);
    minnow_model_close(&model);
    return status != 0;
}
