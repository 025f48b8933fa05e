/* SPDX-License-Identifier: Apache-2.0
 * Embeds the lines of standard input on several threads and prints the first numbers of each vector, in order, with
 * progress on standard error. An INT8 model lays the texts end to end and deals them to the threads.
 *     minnow quantize --model FOLDER -o model.minnow
 *     batch model.minnow 4 < sentences.txt */
#define _POSIX_C_SOURCE 200809L
#include <minnow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINES 10000

static int show_progress(void *user, size_t n_done, size_t n_texts) {
    (void)user;
    fprintf(stderr, "\r%zu of %zu", n_done, n_texts);
    return 0; /* anything else stops */
}

static size_t read_lines(minnow_text *texts) {
    size_t n = 0;
    while (n < MAX_LINES) {
        char *line = NULL;
        size_t capacity = 0;
        const ssize_t bytes = getline(&line, &capacity, stdin);
        if (bytes < 0) { /* getline may allocate at the end of the input, too */
            free(line);
            break;
        }
        texts[n].data = line;
        texts[n].bytes = (size_t)bytes - (bytes > 0 && line[bytes - 1] == '\n');
        n++;
    }
    return n;
}

static int run(const char *path, size_t n_threads, const minnow_text *texts, size_t n, minnow_error *error) {
    const minnow_context_options options = {.size = sizeof options, .n_threads = n_threads};
    const minnow_batch_options batch = {.size = sizeof batch, .progress = show_progress};
    minnow_model *model = NULL;
    minnow_context *context = NULL;
    minnow_encoding *encodings = NULL;
    float *vectors = NULL;
    int status = minnow_model_open(&model, path, error);
    if (!status) status = minnow_context_create(&context, model, &options, error);
    if (status) goto done;

    const size_t dimensions = minnow_model_dimensions(model);
    vectors = calloc(n + 1, dimensions * sizeof *vectors);
    encodings = calloc(n + 1, sizeof *encodings);
    if (!vectors || !encodings) {
        snprintf(error->message, sizeof error->message, "out of memory");
        status = MINNOW_ERROR_MEMORY;
        goto done;
    }
    status = minnow_encode_batch(context, texts, n, vectors, n * dimensions, encodings, &batch, NULL, error);
    fputc('\n', stderr);
    for (size_t i = 0; i < n && !status; i++) {
        const float *v = vectors + i * dimensions;
        printf("%.4f %.4f %.4f ...  %zu tokens  %.*s\n", (double)v[0], (double)v[1], (double)v[2],
               encodings[i].n_tokens, (int)texts[i].bytes, texts[i].data);
    }
done:
    free(encodings);
    free(vectors);
    minnow_context_close(&context);
    minnow_model_close(&model);
    return status;
}

int main(int argc, char **argv) {
    static minnow_text texts[MAX_LINES];
    const size_t n_threads = argc == 3 ? (size_t)strtoul(argv[2], NULL, 10) : 0; /* 0: one a processor */
    minnow_error error;
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: batch MODEL [THREADS] < TEXTS\n");
        return 2;
    }
    const size_t n = read_lines(texts);
    const int status = run(argv[1], n_threads, texts, n, &error);
    if (status) fprintf(stderr, "batch: %s\n", error.message);
    for (size_t i = 0; i < n; i++) free((char *)texts[i].data);
    return status != MINNOW_OK;
}
