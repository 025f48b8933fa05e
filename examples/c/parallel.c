/* SPDX-License-Identifier: Apache-2.0
 * Embeds the lines of standard input on several threads and prints the first numbers of each vector, in order. One
 * model is shared; each thread has a context of its own. An INT8 model (a .minnow file) encodes a text on one thread,
 * so this is how it uses all processors.
 *     minnow quantize --model FOLDER -o model.minnow
 *     parallel model.minnow 4 < sentences.txt */
#define _POSIX_C_SOURCE 200809L
#include <minnow.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINES 10000
#define MAX_THREADS 64

typedef struct job {
    const minnow_model *model;
    char **lines;
    float *vectors; /* [n_lines, dimensions] */
    size_t n_lines, first, step;
    minnow_error error;
    int status;
} job;

static void *encode(void *argument) {
    job *j = argument;
    const size_t dimensions = minnow_model_dimensions(j->model);
    minnow_context_options options = {.size = sizeof options, .n_threads = 1};
    minnow_context *context = NULL;
    j->status = minnow_context_create(&context, j->model, &options, &j->error);
    for (size_t i = j->first; i < j->n_lines && !j->status; i += j->step)
        j->status = minnow_encode(context, j->lines[i], MINNOW_STRLEN, j->vectors + i * dimensions, dimensions, NULL,
                                  &j->error);
    minnow_context_close(&context);
    return NULL;
}

static size_t read_lines(char **lines) {
    size_t n = 0, capacity = 0;
    ssize_t bytes;
    while (n < MAX_LINES && (lines[n] = NULL, capacity = 0, bytes = getline(&lines[n], &capacity, stdin)) >= 0) {
        if (bytes > 0 && lines[n][bytes - 1] == '\n') lines[n][bytes - 1] = '\0';
        n++;
    }
    if (n < MAX_LINES) free(lines[n]); /* getline may allocate at the end of the input, too */
    return n;
}

static int run(const minnow_model *model, size_t n_threads, char **lines, size_t n_lines) {
    const size_t dimensions = minnow_model_dimensions(model);
    float *vectors = calloc(n_lines + 1, dimensions * sizeof *vectors);
    pthread_t threads[MAX_THREADS];
    job jobs[MAX_THREADS];
    size_t started = 0;
    int failed = vectors == NULL;
    for (; started < n_threads && !failed; started++) {
        jobs[started] = (job){.model = model, .lines = lines, .vectors = vectors, .n_lines = n_lines, .first = started,
                              .step = n_threads};
        if (pthread_create(&threads[started], NULL, encode, &jobs[started]) != 0) break;
    }
    for (size_t t = 0; t < started; t++) {
        pthread_join(threads[t], NULL);
        if (jobs[t].status) fprintf(stderr, "parallel: %s\n", jobs[t].error.message);
        failed |= jobs[t].status != 0;
    }
    if (started < n_threads) failed = 1;
    for (size_t i = 0; i < n_lines && !failed; i++)
        printf("%.4f %.4f %.4f ...  %s\n", (double)vectors[i * dimensions], (double)vectors[i * dimensions + 1],
               (double)vectors[i * dimensions + 2], lines[i]);
    free(vectors);
    return failed;
}

int main(int argc, char **argv) {
    static char *lines[MAX_LINES];
    const size_t n_threads = argc == 3 ? (size_t)strtoul(argv[2], NULL, 10) : 0;
    minnow_model *model = NULL;
    minnow_error error;
    if (n_threads < 1 || n_threads > MAX_THREADS) {
        fprintf(stderr, "usage: parallel MODEL THREADS < TEXTS    (1 to %d threads)\n", MAX_THREADS);
        return 2;
    }
    if (minnow_model_open(&model, argv[1], &error)) {
        fprintf(stderr, "parallel: %s\n", error.message);
        return 1;
    }
    const size_t n_lines = read_lines(lines);
    const int failed = run(model, n_threads, lines, n_lines);
    for (size_t i = 0; i < n_lines; i++) free(lines[i]);
    minnow_model_close(&model);
    return failed;
}
