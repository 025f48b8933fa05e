/* SPDX-License-Identifier: Apache-2.0
 * The FP32 encoder by layers: against plain loops, against itself on every tier and with other threads, and against the
 * interpreter on the real model. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "convert/import/import.h"
#include "convert/interpret/interpreter.h"
#include "convert/shapes/infer.h"
#include "small_encoder.h"

#define FOLDER "models/all-MiniLM-L6-v2"
#define H ((size_t)SMALL_HIDDEN)

static small_encoder small;
static minnow_error error;

#define OK(x) assert_int_equal(x, MINNOW_OK)

/* All layers over all texts; *vectors is malloc'd [rows, hidden]. */
static float *encode(const encoder *e, const engine_texts *texts, size_t threads) {
    const size_t rows = texts->starts[texts->n_texts];
    float *hidden = malloc(rows * e->hidden * sizeof *hidden);
    float_activations a = {0};
    float_encoder *f;
    thread_pool *pool;
    assert_non_null(hidden);
    OK(thread_pool_create(&pool, threads, &error));
    OK(float_encoder_create(&f, e, pool, &error));
    OK(float_activations_reserve(&a, e, rows, &error));
    OK(float_encoder_embed(f, texts, NULL, hidden, &error));
    for (size_t i = 0; i < e->n_layers; i++) {
        OK(float_encoder_layer(f, i, texts, hidden, &a, &error));
        memcpy(hidden, a.hidden, rows * e->hidden * sizeof *hidden);
    }
    float_activations_free(&a);
    float_encoder_close(&f);
    thread_pool_close(&pool);
    return hidden;
}

/* --- Plain loops in double ------------------------------------------------------------------------------------ */

static void plain_linear(const encoder_linear *w, const double *x, double *y) {
    for (size_t i = 0; i < w->n; i++) {
        y[i] = (double)w->bias[i];
        for (size_t j = 0; j < w->k; j++) y[i] += (double)w->weight[i * w->k + j] * x[j];
    }
}

static void plain_norm(const encoder_norm *w, double *x) {
    double mean = 0, square = 0;
    for (size_t i = 0; i < H; i++) mean += x[i] / (double)H;
    for (size_t i = 0; i < H; i++) square += (x[i] - mean) * (x[i] - mean) / (double)H;
    for (size_t i = 0; i < H; i++) x[i] = (x[i] - mean) / sqrt(square + (double)w->epsilon) * (double)w->gamma[i] + (double)w->beta[i];
}

static void plain_layer(const encoder_layer *l, double (*h)[H], size_t n) {
    static double q[96][H], k[96][H], v[96][H];
    const size_t d = H / SMALL_HEADS;
    for (size_t t = 0; t < n; t++) plain_linear(&l->query, h[t], q[t]), plain_linear(&l->key, h[t], k[t]), plain_linear(&l->value, h[t], v[t]);
    for (size_t t = 0; t < n; t++) {
        double context[H] = {0}, y[H], inner[SMALL_INNER];
        for (size_t head = 0; head < SMALL_HEADS; head++) {
            double p[96], sum = 0;
            for (size_t u = 0; u < n; u++) {
                double score = 0;
                for (size_t i = head * d; i < head * d + d; i++) score += q[t][i] * k[u][i];
                sum += p[u] = exp(score * (double)small.e.attention_scale);
            }
            for (size_t u = 0; u < n; u++)
                for (size_t i = head * d; i < head * d + d; i++) context[i] += p[u] / sum * v[u][i];
        }
        plain_linear(&l->output, context, y);
        for (size_t i = 0; i < H; i++) h[t][i] += y[i];
        plain_norm(&l->attention_norm, h[t]);
        plain_linear(&l->up, h[t], inner);
        for (size_t i = 0; i < SMALL_INNER; i++) inner[i] *= 0.5 * (1 + erf(inner[i] / sqrt(2)));
        plain_linear(&l->down, inner, y);
        for (size_t i = 0; i < H; i++) h[t][i] += y[i];
        plain_norm(&l->output_norm, h[t]);
    }
}

static void agrees_with_plain_loops(void **state) {
    engine_texts texts;
    size_t starts[SMALL_TEXTS + 1], end;
    static double h[96][H];
    (void)state;
    calibration_texts_block(&small.texts, 0, SIZE_MAX, &end, starts, &texts);
    float *got = encode(&small.e, &texts, 1);
    for (size_t t = 0; t < texts.n_texts; t++) {
        const size_t first = starts[t], n = starts[t + 1] - first;
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < H; j++)
                h[i][j] = (double)small.e.words[(size_t)texts.ids[first + i] * H + j] + (double)small.e.positions[i * H + j];
            plain_norm(&small.e.embedding_norm, h[i]);
        }
        for (size_t l = 0; l < SMALL_LAYERS; l++) plain_layer(&small.layers[l], h, n);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < H; j++) assert_true(fabs((double)got[(first + i) * H + j] - h[i][j]) < 2e-5);
    }
    free(got);
}

static void same_bits_everywhere(void **state) {
    engine_texts texts;
    size_t starts[SMALL_TEXTS + 1], end;
    (void)state;
    calibration_texts_block(&small.texts, 0, SIZE_MAX, &end, starts, &texts);
    float *want = encode(&small.e, &texts, 1);
    const cpu_tier best = cpu_best_tier();
    for (int tier = 0; tier < CPU_TIER_COUNT; tier++) {
        if (!cpu_force_tier((cpu_tier)tier)) continue;
        for (size_t threads = 1; threads <= 3; threads++) {
            float *got = encode(&small.e, &texts, threads);
            assert_memory_equal(got, want, starts[texts.n_texts] * H * sizeof *got);
            free(got);
        }
    }
    cpu_force_tier(best);
    free(want);
}

/* Each tail of a layer gives what the whole layer gives, if nothing was changed; and something else if it was. */
static void resumes(void **state) {
    const size_t rows = small.starts[SMALL_TEXTS];
    const engine_texts texts = {small.ids, small.starts, SMALL_TEXTS};
    float *hidden = malloc(rows * H * sizeof *hidden), *want = malloc(rows * H * sizeof *want);
    float_activations a = {0};
    float_encoder *f;
    (void)state;
    assert_true(hidden != NULL && want != NULL);
    OK(float_encoder_create(&f, &small.e, NULL, &error));
    OK(float_activations_reserve(&a, &small.e, rows, &error));
    OK(float_encoder_embed(f, &texts, want, hidden, &error));
    OK(float_encoder_layer(f, 0, &texts, hidden, &a, &error));
    memcpy(want, a.hidden, rows * H * sizeof *want);
    for (int from = FLOAT_FROM_INPUT; from <= FLOAT_FROM_INNER; from++) {
        memset(a.hidden, 0, rows * H * sizeof *want);
        OK(float_encoder_resume(f, 0, (float_step)from, &texts, from <= FLOAT_FROM_CONTEXT ? hidden : NULL, NULL, &a, &error));
        assert_memory_equal(a.hidden, want, rows * H * sizeof *want);
    }
    a.inner[0] += 1;
    OK(float_encoder_resume(f, 0, FLOAT_FROM_INNER, &texts, NULL, NULL, &a, &error));
    assert_memory_not_equal(a.hidden, want, H * sizeof *want);
    assert_memory_equal(a.hidden + H, want + H, (rows - 1) * H * sizeof *want);
    float_encoder_close(&f);
    float_activations_free(&a);
    free(hidden);
    free(want);
}

static void refuses_what_is_not_there(void **state) {
    static const size_t starts[2] = {0, 1}, long_starts[2] = {0, SMALL_POSITIONS + 1};
    static int32_t ids[SMALL_POSITIONS + 1];
    engine_texts texts = {ids, starts, 1};
    float *hidden = calloc((SMALL_POSITIONS + 1) * H, sizeof *hidden);
    float_encoder *f;
    (void)state;
    OK(float_encoder_create(&f, &small.e, NULL, &error));
    ids[0] = SMALL_VOCAB;
    assert_int_equal(float_encoder_embed(f, &texts, NULL, hidden, &error), MINNOW_ERROR_ARGUMENT);
    ids[0] = -1;
    assert_int_equal(float_encoder_embed(f, &texts, NULL, hidden, &error), MINNOW_ERROR_ARGUMENT);
    ids[0] = 0;
    texts.starts = long_starts;
    assert_int_equal(float_encoder_embed(f, &texts, NULL, hidden, &error), MINNOW_ERROR_ARGUMENT);
    float_encoder_close(&f);
    free(hidden);
}

/* --- The real model ------------------------------------------------------------------------------------------- */

static void agrees_with_the_interpreter(void **state) {
    enum { TOKENS = 40 };
    int64_t feed[3][TOKENS];
    int32_t ids[TOKENS];
    const size_t starts[2] = {0, TOKENS};
    const engine_texts texts = {ids, starts, 1};
    tensor inputs[3], outputs[1];
    const import_options options = {0};
    interpreter *in;
    encoder *e;
    graph *g;
    (void)state;
    if (!file_exists(FOLDER "/model.safetensors") || getenv("MINNOW_TEST_EMULATED") != NULL) skip();
    OK(import_folder(&g, FOLDER, &options, &error));
    OK(graph_sort(g, &error));
    OK(graph_infer_shapes(g, &error));
    OK(optimize_encoder(&e, g, &error));
    OK(interpreter_create(&in, g, NULL, &error));
    assert_true(g->n_inputs == 3 && g->n_outputs == 1);
    memset(inputs, 0, sizeof inputs);
    for (size_t i = 0; i < TOKENS; i++) ids[i] = (int32_t)(i == 0 ? 101 : i == TOKENS - 1 ? 102 : 1000 + 613 * i);
    for (size_t i = 0; i < 3; i++) {
        const char *name = g->values[g->inputs[i]].name;
        for (size_t k = 0; k < TOKENS; k++) feed[i][k] = strcmp(name, "input_ids") == 0 ? ids[k] : strcmp(name, "attention_mask") == 0;
        inputs[i] = (tensor){.type = DTYPE_INT64, .rank = 2, .data = feed[i]};
        inputs[i].dims[0] = 1;
        inputs[i].dims[1] = TOKENS;
    }
    OK(interpreter_run(in, inputs, outputs, NULL, &error));
    float *got = encode(e, &texts, 2);
    for (size_t i = 0; i < TOKENS * e->hidden; i++) assert_true(fabsf(got[i] - ((const float *)outputs[0].data)[i]) < 1e-5f);
    free(got);
    interpreter_close(&in);
    encoder_close(&e);
    graph_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_plain_loops), cmocka_unit_test(same_bits_everywhere),
                                       cmocka_unit_test(resumes), cmocka_unit_test(refuses_what_is_not_there),
                                       cmocka_unit_test(agrees_with_the_interpreter)};
    small_encoder_make(&small);
    return cmocka_run_group_tests_name("float_encoder", tests, NULL, NULL);
}
