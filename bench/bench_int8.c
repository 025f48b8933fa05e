/* SPDX-License-Identifier: Apache-2.0
 * Times the INT8 engine inside one process, for bench_native.py, which times other engines between its rounds.
 *
 * bench_int8 MODEL.minnow THREADS [TIER] first prints the milliseconds that opening took, until a text can be encoded.
 * Then each line "RUNS BATCH_TOKENS N LENGTH..." on stdin, N texts of these lengths, is answered by the milliseconds of
 * each run, one line. Texts come as token ids (bench/peers.py has the same) and leave as pooled vectors. They lie end
 * to end in batches of at most BATCH_TOKENS tokens, a longer text alone in one; batches are dealt to threads in turns.
 * A single batch is encoded by all threads together. */
#include <stdio.h>
#include <stdlib.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/os.h"
#include "base/thread.h"
#include "run/engine/engine.h"
#include "run/engine/pool.h"

#define MAX_TEXTS ((size_t)4096)
#define MAX_THREADS ((size_t)64)
#define MAX_BATCH_TOKENS ((size_t)4096)

typedef struct worker {
    void *scratch;   /* engine_threads_scratch_bytes for bench.rows tokens; one thread, but the first has all */
    float *hidden;   /* [bench.rows, hidden] */
    double *sums;    /* [hidden] */
    int32_t *ids;    /* [bench.rows] */
    size_t *starts;  /* [MAX_TEXTS + 1] */
    float *vector;   /* [hidden] */
} worker;

typedef struct bench {
    int8_model *model;
    const kernels *kernels;
    thread_pool *pool;
    worker workers[MAX_THREADS];
    size_t n_threads, rows; /* tokens that a worker's memory is made for */
    size_t n_texts, lengths[MAX_TEXTS], n_batches, batches[MAX_TEXTS + 1]; /* batch b begins at batches[b] */
} bench;

static void worker_free(worker *w) {
    memory_aligned_free(w->scratch);
    memory_aligned_free(w->hidden);
    free(w->sums);
    free(w->ids);
    free(w->starts);
    free(w->vector);
    *w = (worker){0};
}

/* Memory of all workers for batches of `rows` tokens; what is there already is kept. */
static int reserve(bench *b, size_t rows) {
    const int8_model *m = b->model;
    size_t i;
    if (rows <= b->rows) return 1;
    for (i = 0; i < b->n_threads; i++) {
        worker *w = &b->workers[i];
        worker_free(w);
        w->scratch = memory_aligned_alloc(engine_threads_scratch_bytes(
            m, rows, rows < m->n_positions ? rows : m->n_positions, i == 0 ? b->n_threads : 1));
        w->hidden = memory_aligned_alloc(rows * m->hidden * sizeof *w->hidden);
        w->sums = calloc(m->hidden, sizeof *w->sums);
        w->ids = calloc(rows, sizeof *w->ids);
        w->starts = calloc(MAX_TEXTS + 1, sizeof *w->starts);
        w->vector = calloc(m->hidden, sizeof *w->vector);
        if (!w->scratch || !w->hidden || !w->sums || !w->ids || !w->starts || !w->vector) return 0;
    }
    b->rows = rows;
    return 1;
}

static void encode_batch(const bench *b, size_t batch, worker *w, thread_pool *pool) {
    const size_t first = b->batches[batch], n = b->batches[batch + 1] - first, hidden = b->model->hidden;
    const engine_texts texts = {w->ids, w->starts, n};
    size_t i, t;
    for (i = 0; i < n; i++) {
        const size_t start = w->starts[i], length = b->lengths[first + i];
        for (t = 0; t < length; t++) w->ids[start + t] = (int32_t)((t * 7919 + 11) % 1000 + 999);
        w->starts[i + 1] = start + length;
    }
    engine_run_threads(b->model, b->kernels, &texts, pool, w->scratch, w->hidden);
    for (i = 0; i < n; i++)
        pool_tokens(w->hidden + w->starts[i] * hidden, b->lengths[first + i], hidden, b->model->pooling,
                    b->model->normalize, w->sums, w->vector);
}

static void run_part(void *context, size_t part, size_t n_parts) {
    bench *b = context;
    size_t i;
    for (i = part; i < b->n_batches; i += n_parts) encode_batch(b, i, &b->workers[part], NULL);
}

/* Reads N LENGTH... and splits the texts into batches. */
static int read_texts(bench *b, size_t batch_tokens) {
    size_t i, rows = 0, largest = 0;
    if (batch_tokens > MAX_BATCH_TOKENS || scanf("%zu", &b->n_texts) != 1 || b->n_texts < 1 || b->n_texts > MAX_TEXTS)
        return 0;
    b->n_batches = 0;
    for (i = 0; i < b->n_texts; i++) {
        if (scanf("%zu", &b->lengths[i]) != 1 || b->lengths[i] < 1 || b->lengths[i] > b->model->n_positions) return 0;
        if (i == 0 || rows + b->lengths[i] > batch_tokens) {
            b->batches[b->n_batches++] = i;
            rows = 0;
        }
        rows += b->lengths[i];
        if (rows > largest) largest = rows;
    }
    b->batches[b->n_batches] = b->n_texts;
    return reserve(b, largest);
}

static int answer(bench *b, size_t n_runs) {
    size_t r;
    for (r = 0; r < n_runs; r++) {
        const double start = os_seconds();
        if (b->n_batches > 1) thread_pool_run(b->pool, run_part, b);
        else encode_batch(b, 0, &b->workers[0], b->pool);
        printf("%s%.6f", r ? " " : "", (os_seconds() - start) * 1e3);
    }
    printf("\n");
    return fflush(stdout) == 0;
}

int main(int argc, char **argv) {
    static bench b;
    minnow_error error = {
        MINNOW_OK, "usage: bench_int8 MODEL.minnow THREADS [TIER] < lines of RUNS BATCH_TOKENS N LENGTH..."};
    size_t n_runs, batch_tokens, i;
    int ok = argc == 3 || argc == 4;
    const double start = os_seconds();
    if (ok) {
        const long n = strtol(argv[2], NULL, 10);
        const int tier = argc == 4 ? cpu_tier_from_name(argv[3]) : 0;
        b.n_threads = n < 1 || n > (long)MAX_THREADS ? 1 : (size_t)n;
        b.kernels = argc == 4 ? tier < 0 ? NULL : kernels_for_tier(tier) : kernels_best();
        ok = b.kernels != NULL && int8_model_open(&b.model, argv[1], &error) == MINNOW_OK &&
             thread_pool_create(&b.pool, b.n_threads, &error) == MINNOW_OK && reserve(&b, 1);
    }
    if (ok) {
        printf("%.6f\n", (os_seconds() - start) * 1e3);
        fflush(stdout);
        error = (minnow_error){MINNOW_OK, "bad line of texts, or out of memory"};
    }
    while (ok && scanf("%zu %zu", &n_runs, &batch_tokens) == 2)
        ok = read_texts(&b, batch_tokens) && answer(&b, n_runs);
    if (!ok) fprintf(stderr, "bench_int8: %s\n", error.message);
    for (i = 0; i < b.n_threads; i++) worker_free(&b.workers[i]);
    thread_pool_close(&b.pool);
    int8_model_close(&b.model);
    return !ok;
}
