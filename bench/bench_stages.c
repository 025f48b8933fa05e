/* SPDX-License-Identifier: Apache-2.0
 * Where the INT8 engine's time goes: each step of engine.h, one thread, for one text of each length, beside the limit
 * that the tier's products set (their number / the peak measured beside them: tests/kernels/peak.h).
 *
 * bench_stages MODEL.minnow [--tokens N,N...] [--tier NAME]: JSON lines on stdout, a table on stderr. A round runs the
 * encoder step by step ("steps" is the sum that shares refer to) and once by engine_run, which goes through a layer
 * block by block ("engine_run"). A step's figure is the median of all its calls, times the calls of a round, so that
 * what interrupts a busy machine's rounds now and then does not count. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tests/kernels/median.h"
#include "../tests/kernels/peak.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "base/os.h"
#include "run/engine/engine.h"
#include "run/engine/pool.h"

#define ROUNDS 21
#define MAX_LENGTHS 16
#define MAX_CALLS 64 /* of a step in a round */

typedef enum stage { EMBED, QUANTIZE, QKV, ATTENTION, OUTPUT, UP, DOWN, POOLING, WHOLE, STEPS, STAGES } stage;
static const char *const stage_names[STAGES] = {"embed", "quantize", "query, key, value", "attention", "output + norm",
                                                "up + GELU", "down + norm", "pooling", "engine_run", "steps"};

typedef struct bench {
    int8_model *model;
    const kernels *kernels;
    size_t n_tokens;
    int32_t *ids;
    void *scratch;
    float *hidden, *vector;
    double *sums;
    int8_t *codes, *qkv, *inner;
    double seconds[STAGES][ROUNDS * MAX_CALLS], peak[ROUNDS];
    size_t n_calls[STAGES]; /* of all rounds */
} bench;

static void *allocate(size_t a, size_t b) {
    void *p = memory_aligned_alloc(a * b);
    if (p == NULL) {
        fprintf(stderr, "bench_stages: out of memory\n");
        exit(1);
    }
    memset(p, 0, a * b);
    return p;
}

static void reserve(bench *b, size_t n) {
    const int8_model *m = b->model;
    size_t t;
    b->n_tokens = n;
    b->ids = allocate(n, sizeof *b->ids);
    b->scratch = allocate(engine_scratch_bytes(m, n, n), 1);
    b->hidden = allocate(n * m->hidden, sizeof *b->hidden);
    b->vector = allocate(m->hidden, sizeof *b->vector);
    b->sums = allocate(m->hidden, sizeof *b->sums);
    b->codes = allocate(n, m->hidden);
    b->qkv = allocate(n, 3 * m->hidden);
    b->inner = allocate(n, m->intermediate);
    for (t = 0; t < n; t++) b->ids[t] = (int32_t)((t * 7919 + 11) % m->n_vocab);
}

static void release(bench *b) {
    memory_aligned_free(b->ids);
    memory_aligned_free(b->scratch);
    memory_aligned_free(b->hidden);
    memory_aligned_free(b->vector);
    memory_aligned_free(b->sums);
    memory_aligned_free(b->codes);
    memory_aligned_free(b->qkv);
    memory_aligned_free(b->inner);
}

/* --- A round ------------------------------------------------------------------------------------------------------ */
/* A call that took what went by since *last. */
static void lap(bench *b, stage s, double *last) {
    const double time = os_seconds();
    if (b->n_calls[s] < ROUNDS * MAX_CALLS) b->seconds[s][b->n_calls[s]++] = time - *last;
    *last = time;
}

static void run_layer(bench *b, const int8_layer *l, const engine_texts *texts, double *last) {
    const int8_model *m = b->model;
    const kernels *k = b->kernels;
    const size_t n = b->n_tokens;
    engine_quantize(k, &l->attention_input, b->hidden, n, m->hidden, b->codes);
    lap(b, QUANTIZE, last);
    engine_query_key_value(m, k, l, b->codes, n, b->qkv);
    lap(b, QKV, last);
    engine_attention(m, k, l, texts, b->qkv, b->scratch, b->codes);
    lap(b, ATTENTION, last);
    engine_output(m, k, &l->attention_output, &l->attention_norm, b->codes, n, b->hidden);
    lap(b, OUTPUT, last);
    engine_quantize(k, &l->up_input, b->hidden, n, m->hidden, b->codes);
    lap(b, QUANTIZE, last);
    engine_up(k, l, b->codes, n, b->inner);
    lap(b, UP, last);
    engine_output(m, k, &l->down, &l->output_norm, b->inner, n, b->hidden);
    lap(b, DOWN, last);
}

static void run_round(bench *b, size_t round) {
    const size_t starts[2] = {0, b->n_tokens};
    const engine_texts texts = {b->ids, starts, 1};
    const int8_model *m = b->model;
    double last;
    size_t l;
    b->peak[round] = peak_macs_per_second(b->kernels->name);
    last = os_seconds();
    engine_embed(m, b->kernels, &texts, b->hidden);
    lap(b, EMBED, &last);
    for (l = 0; l < m->n_layers; l++) run_layer(b, &m->layers[l], &texts, &last);
    pool_tokens(b->hidden, b->n_tokens, m->hidden, m->pooling, m->normalize, b->sums, b->vector);
    lap(b, POOLING, &last);
    engine_run(m, b->kernels, &texts, b->scratch, b->hidden);
    pool_tokens(b->hidden, b->n_tokens, m->hidden, m->pooling, m->normalize, b->sums, b->vector);
    lap(b, WHOLE, &last);
}

/* --- Report ------------------------------------------------------------------------------------------------------- */
/* Seconds of a stage in one round. */
static double stage_seconds(bench *b, stage s) {
    double sum = 0.0;
    int step;
    if (s != STEPS) return median(b->seconds[s], b->n_calls[s]) * (double)b->n_calls[s] / ROUNDS;
    for (step = EMBED; step < WHOLE; step++) sum += stage_seconds(b, (stage)step);
    return sum;
}

static double matrix_macs(const bench *b, stage s) {
    const int8_layer *l = b->model->layers;
    const int8_matrix *w =
        s == QKV ? &l->query_key_value : s == OUTPUT ? &l->attention_output : s == UP ? &l->up : &l->down;
    return (double)(b->model->n_layers * b->n_tokens) * (double)w->n * (double)w->k;
}
static double macs_of(const bench *b, stage s) {
    const double n = (double)b->n_tokens;
    switch (s) {
    case QKV: case OUTPUT: case UP: case DOWN: return matrix_macs(b, s);
    case ATTENTION: return 2.0 * n * n * (double)(b->model->hidden * b->model->n_layers);
    case WHOLE:
    case STEPS: return macs_of(b, QKV) + macs_of(b, ATTENTION) + macs_of(b, OUTPUT) + macs_of(b, UP) + macs_of(b, DOWN);
    default: return 0.0;
    }
}

/* of_limit: the time that the products alone would take at the peak, as a share of the stage's. */
static void report(bench *b) {
    const double steps = stage_seconds(b, STEPS), peak = median(b->peak, ROUNDS);
    int s;
    fprintf(stderr, "\n%s, %zu tokens, peak %.1f GMAC/s\n%-20s %10s %8s %9s %9s\n", b->kernels->name, b->n_tokens,
            peak * 1e-9, "", "us", "share", "GMAC/s", "of limit");
    for (s = 0; s < STAGES; s++) {
        const double seconds = stage_seconds(b, (stage)s), macs = macs_of(b, (stage)s);
        printf("{\"tier\":\"%s\",\"tokens\":%zu,\"stage\":\"%s\",\"us\":%.2f,\"share\":%.4f", b->kernels->name,
               b->n_tokens, stage_names[s], seconds * 1e6, seconds / steps);
        fprintf(stderr, "%-20s %10.1f %6.1f %%", stage_names[s], seconds * 1e6, 100.0 * seconds / steps);
        if (macs > 0.0) {
            printf(",\"gmacs\":%.2f", macs / seconds * 1e-9);
            fprintf(stderr, " %9.1f", macs / seconds * 1e-9);
        }
        if (macs > 0.0 && peak > 0.0) {
            printf(",\"peak_gmacs\":%.2f,\"of_limit\":%.4f", peak * 1e-9, macs / peak / seconds);
            fprintf(stderr, " %7.0f %%", 100.0 * macs / peak / seconds);
        }
        printf("}\n");
        fprintf(stderr, "\n");
    }
    fflush(stdout);
}

static void bench_length(bench *b, size_t n) {
    size_t round;
    reserve(b, n);
    run_round(b, 0); /* its pages are there from here on */
    memset(b->n_calls, 0, sizeof b->n_calls);
    for (round = 0; round < ROUNDS; round++) run_round(b, round);
    report(b);
    release(b);
}

/* "8,16,32" -> how many; 0 if it is not a list of lengths that the model takes. */
static size_t parse_lengths(const char *text, size_t most, size_t *lengths) {
    size_t n = 0;
    for (; n < MAX_LENGTHS; text++) {
        char *end;
        const unsigned long value = strtoul(text, &end, 10);
        if (end == text || value < 1 || value > most) return 0;
        lengths[n++] = value;
        text = end;
        if (*text != ',') return *text == '\0' ? n : 0;
    }
    return 0;
}

int main(int argc, char **argv) {
    static bench b;
    const char *tokens = "8,16,32,64,128,256,512", *wanted = NULL;
    size_t lengths[MAX_LENGTHS], n_lengths, i;
    minnow_error error = {MINNOW_OK, ""};
    int tier, ok = argc >= 2;
    for (tier = 2; ok && tier < argc; tier += 2) {
        if (tier + 1 < argc && strcmp(argv[tier], "--tokens") == 0) tokens = argv[tier + 1];
        else if (tier + 1 < argc && strcmp(argv[tier], "--tier") == 0) wanted = argv[tier + 1];
        else ok = 0;
    }
    if (!ok) return fprintf(stderr, "usage: bench_stages MODEL.minnow [--tokens N,N...] [--tier NAME]\n"), 2;
    if (int8_model_open(&b.model, argv[1], &error) != MINNOW_OK)
        return fprintf(stderr, "bench_stages: %s\n", error.message), 1;
    n_lengths = parse_lengths(tokens, b.model->n_positions, lengths);
    if (n_lengths == 0 || b.model->n_layers == 0) fprintf(stderr, "bench_stages: no such lengths: %s\n", tokens);
    for (tier = CPU_TIER_SCALAR; n_lengths > 0 && tier < CPU_TIER_COUNT; tier++) {
        b.kernels = kernels_for_tier(tier);
        const char *name = cpu_tier_name((cpu_tier)tier);
        if (wanted != NULL ? strcmp(wanted, name) != 0 : tier == CPU_TIER_SCALAR) continue;
        if ((b.kernels = kernels_for_tier(tier)) == NULL) continue;
        for (i = 0; i < n_lengths; i++) bench_length(&b, lengths[i]);
    }
    int8_model_close(&b.model);
    return n_lengths == 0;
}
