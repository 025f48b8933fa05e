/* SPDX-License-Identifier: Apache-2.0
 * The FP32 encoder and the INT8 engine side by side over the same texts, one text at a time: how far the token vectors
 * have drifted apart after each layer. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "convert/eval/vector.h"
#include "convert/report/report.h"

typedef struct sums { /* over tokens */
    double cosines, least, errors, lengths;
    size_t n;
} sums;

typedef struct drift_run {
    const int8_model *m;
    const kernels *kernels;
    float_encoder *f;
    sums *sums;                  /* [n_layers + 1] */
    float *floats, *codes;       /* [longest, hidden]: the token vectors of both */
    int8_t *inputs, *qkv, *inner;/* [longest, hidden], [longest, 3 hidden], [longest, intermediate] */
    void *scratch;
    float_activations a;
} drift_run;

static void compare(const drift_run *run, size_t place, size_t rows) {
    const size_t hidden = run->m->hidden;
    sums *s = &run->sums[place];
    for (size_t r = 0; r < rows; r++) {
        const float *a = run->floats + r * hidden, *b = run->codes + r * hidden;
        const double cosine = eval_cosine(a, b, hidden);
        if (s->n == 0 || cosine < s->least) s->least = cosine;
        s->cosines += cosine;
        s->n++;
        for (size_t j = 0; j < hidden; j++) {
            const double x = (double)a[j], d = (double)b[j] - x;
            s->errors += d * d;
            s->lengths += x * x;
        }
    }
}

static void code_layer(const drift_run *run, const engine_texts *one, size_t i, size_t rows) {
    const int8_model *m = run->m;
    const int8_layer *layer = &m->layers[i];
    engine_quantize(run->kernels, &layer->attention_input, run->codes, rows, m->hidden, run->inputs);
    engine_query_key_value(m, run->kernels, layer, run->inputs, rows, run->qkv);
    engine_attention(m, run->kernels, layer, one, run->qkv, run->scratch, run->inputs);
    engine_output(m, run->kernels, &layer->attention_output, &layer->attention_norm, run->inputs, rows, run->codes);
    engine_quantize(run->kernels, &layer->up_input, run->codes, rows, m->hidden, run->inputs);
    engine_up(run->kernels, layer, run->inputs, rows, run->inner);
    engine_output(m, run->kernels, &layer->down, &layer->output_norm, run->inner, rows, run->codes);
}

static minnow_status run_text(drift_run *run, const engine_texts *one, minnow_error *error) {
    const size_t rows = one->starts[1], hidden = run->m->hidden;
    TRY(float_encoder_embed(run->f, one, NULL, run->floats, error));
    engine_embed(run->m, run->kernels, one, run->codes);
    compare(run, 0, rows);
    for (size_t i = 0; i < run->m->n_layers; i++) {
        TRY(float_encoder_layer(run->f, i, one, run->floats, &run->a, error));
        memcpy(run->floats, run->a.hidden, rows * hidden * sizeof *run->floats);
        code_layer(run, one, i, rows);
        compare(run, i + 1, rows);
    }
    return MINNOW_OK;
}

static minnow_status reserve(drift_run *run, size_t longest, minnow_error *error) {
    const size_t hidden = run->m->hidden, bytes = engine_scratch_bytes(run->m, longest, longest);
    run->sums = calloc(run->m->n_layers + 1, sizeof *run->sums);
    run->floats = memory_aligned_alloc(longest * hidden * sizeof(float));
    run->codes = memory_aligned_alloc(longest * hidden * sizeof(float));
    run->inputs = memory_aligned_alloc(longest * hidden);
    run->qkv = memory_aligned_alloc(longest * 3 * hidden);
    run->inner = memory_aligned_alloc(longest * run->m->intermediate);
    run->scratch = bytes > 0 ? memory_aligned_alloc(bytes) : NULL;
    if (run->sums == NULL || run->floats == NULL || run->codes == NULL || run->inputs == NULL || run->qkv == NULL ||
        run->inner == NULL || run->scratch == NULL)
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    return float_activations_reserve(&run->a, float_encoder_weights(run->f), longest, error);
}

static void release(drift_run *run) {
    free(run->sums);
    memory_aligned_free(run->floats);
    memory_aligned_free(run->codes);
    memory_aligned_free(run->inputs);
    memory_aligned_free(run->qkv);
    memory_aligned_free(run->inner);
    memory_aligned_free(run->scratch);
    float_activations_free(&run->a);
}

static size_t longest_of(const engine_texts *texts) {
    size_t longest = 1;
    for (size_t t = 0; t < texts->n_texts; t++)
        if (texts->starts[t + 1] - texts->starts[t] > longest) longest = texts->starts[t + 1] - texts->starts[t];
    return longest;
}

minnow_status report_drift_run(report_drift *drift, const int8_model *m, float_encoder *f, const engine_texts *texts,
                               minnow_error *error) {
    drift_run run = {.m = m, .kernels = kernels_best(), .f = f};
    minnow_status status = reserve(&run, longest_of(texts), error);
    for (size_t t = 0; t < texts->n_texts && status == MINNOW_OK; t++) {
        const size_t starts[2] = {0, texts->starts[t + 1] - texts->starts[t]};
        const engine_texts one = {texts->ids + texts->starts[t], starts, 1};
        status = run_text(&run, &one, error);
    }
    for (size_t i = 0; i <= m->n_layers && status == MINNOW_OK; i++) {
        const sums *s = &run.sums[i];
        drift[i] = (report_drift){s->n > 0 ? s->cosines / (double)s->n : 1, s->least,
                                  s->lengths > 0 ? sqrt(s->errors / s->lengths) : 0};
    }
    release(&run);
    return status;
}
