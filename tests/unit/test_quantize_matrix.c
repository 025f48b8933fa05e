/* SPDX-License-Identifier: Apache-2.0
 * src/convert/quantize, one matrix: scales of rows, nearest codes with bias correction, GPTQ and what it is told of the
 * inputs, each against a slow, obvious one. */
#include "quantize_encoder.h"

/* --- Rows --------------------------------------------------------------------------------------------------------- */
static double slow_error(const double *w, size_t k, double scale) {
    double sum = 0.0;
    for (size_t j = 0; j < k; j++) {
        double code = rint(w[j] / scale);
        if (code > 63.0) code = 63.0;
        if (code < -63.0) code = -63.0;
        sum += (w[j] - code * scale) * (w[j] - code * scale);
    }
    return sum;
}

static void test_row_scale(void **state) {
    double w[40], largest = 0.0;
    (void)state;
    for (int round = 0; round < 20; round++) {
        double chosen, least = INFINITY;
        largest = 0.0;
        for (size_t j = 0; j < 40; j++) {
            w[j] = (double)(random_normal() * (j == 3 && round > 10 ? 4.0f : 1.0f));
            largest = fmax(largest, fabs(w[j]));
        }
        chosen = matrix_row_scale(w, 1, NULL, 40);
        for (double f = 0.48; f < 1.001; f += 0.04) least = fmin(least, slow_error(w, 40, f * largest / 63.0));
        assert_true(slow_error(w, 40, chosen) <= least * 1.0001);
    }
    memset(w, 0, sizeof w);
    assert_true(matrix_row_scale(w, 1, NULL, 40) > 0.0);
}

/* --- Nearest ------------------------------------------------------------------------------------------------------ */
/* Every weight is its nearest code, and the outputs of the mean input are exact: that is what the bias is corrected
 * for. */
static void test_nearest(void **state) {
    fixture x;
    int8_model *m;
    (void)state;
    set_up(&x);
    m = quantized(&x, &(quantize_options){0}, NULL);
    for (size_t layer = 0; layer < LAYERS; layer++) {
        const int8_matrix *up = &m->layers[layer].up;
        const int8_quantizer *q = &m->layers[layer].up_input;
        const range_site *site = ranges_site(&x.r, layer, RANGE_UP_INPUT);
        const encoder_linear *w = &x.e.layers[layer].up;
        assert_int_equal(up->n, INNER);
        assert_int_equal(up->k, HIDDEN);
        for (size_t i = 0; i < INNER; i++) {
            double wanted = (double)w->bias[i], got = (double)up->bias[i];
            for (size_t j = 0; j < HIDDEN; j++) {
                const double fine = (double)w->weight[i * HIDDEN + j] / (double)q->multiplier[j] / (double)up->scale[i];
                const int code = code_of(up, i, j), nearest = fine > 63.0 ? 63 : fine < -63.0 ? -63 : (int)lrint(fine);
                const double mean = (double)site->mean[j];
                assert_int_equal(code, nearest);
                wanted += (double)w->weight[i * HIDDEN + j] * mean;
                got += (mean * (double)q->multiplier[j] + (double)q->offset[j]) * code * (double)up->scale[i];
            }
            assert_true(fabs(wanted - got) < 1e-5);
        }
        for (size_t i = up->n; i < int8_panels(up->n) * 16; i++) assert_true(up->scale[i] == 0.0f &&
                                                                             up->bias[i] == 0.0f);
    }
    assert_true(cosine(&x, m) > 0.99);
    int8_model_close(&m);
    tear_down(&x);
}

/* Without the correction the bias only takes the offsets back. */
static void test_no_correction(void **state) {
    fixture x;
    int8_model *m;
    (void)state;
    set_up(&x);
    m = quantized(&x, &(quantize_options){.no_bias_correction = 1}, NULL);
    for (size_t i = 0; i < HIDDEN; i++) {
        const int8_matrix *down = &m->layers[1].down;
        double wanted = (double)x.e.layers[1].down.bias[i];
        for (size_t j = 0; j < INNER; j++)
            wanted -= (double)down->scale[i] * code_of(down, i, j) * (double)m->layers[1].down_input.offset[j];
        assert_true(fabs(wanted - (double)down->bias[i]) < 1e-5);
    }
    assert_true(cosine(&x, m) > 0.99);
    int8_model_close(&m);
    tear_down(&x);
}

/* Codes of query, key and value stand for the float values: code * step + centre. */
static void test_output_codes(void **state) {
    fixture x;
    int8_model *m;
    int codes[HIDDEN];
    (void)state;
    set_up(&x);
    m = quantized(&x, &(quantize_options){.no_bias_correction = 1}, NULL);
    for (size_t j = 0; j < HIDDEN; j++) codes[j] = (int)(random_u32() % 200) - 100;
    for (size_t i = 0; i < 3 * HIDDEN; i++) {
        const encoder_layer *l = &x.e.layers[0];
        const encoder_linear *w = i < HIDDEN ? &l->query : i < 2 * HIDDEN ? &l->key : &l->value;
        const range_site *site = ranges_site(&x.r, 0,
                                             i < HIDDEN ? RANGE_QUERY : i < 2 * HIDDEN ? RANGE_KEY : RANGE_VALUE);
        const int8_quantizer *q = &m->layers[0].attention_input;
        const int8_matrix *qkv = &m->layers[0].query_key_value;
        const size_t row = i % HIDDEN;
        double wanted = (double)w->bias[row], slack = 1e-4, step, got;
        float scale;
        int zero;
        range_scale(site, &scale, &zero);
        assert_int_equal(zero, 0);
        step = (double)scale * (double)site->s[row];
        for (size_t j = 0; j < HIDDEN; j++) {
            const double x_j = ((double)codes[j] - (double)q->offset[j]) / (double)q->multiplier[j];
            wanted += (double)w->weight[row * HIDDEN + j] * x_j;
            /* clipping apart, a weight is off by half a step at most; clipped ones are few */
            slack += 0.5 * (double)qkv->scale[i] * step * fabs((double)codes[j] - (double)q->offset[j]);
        }
        got = output_of(qkv, i, codes) * step + (double)site->center[row];
        assert_true(fabs(got - wanted) < 1.5 * slack);
    }
    int8_model_close(&m);
    tear_down(&x);
}

/* --- GPTQ --------------------------------------------------------------------------------------------------------- */
#define ROWS 400
typedef struct problem {
    arena memory;
    encoder_linear w;
    matrix_job job;
    int8_matrix out;
    int8_t *codes;     /* [ROWS][k] */
    float *inputs;     /* [ROWS][k]: what the codes stand for */
    float *targets;    /* [ROWS][n] */
    statistics s;
} problem;

/* Correlated inputs; targets are W x + b, plus what a shift of the inputs leaves over. */
static void make_problem(problem *p, size_t n, size_t k, float correlation, int is_inputs) {
    float *multiplier, *offset;
    minnow_error error = {0};
    *p = (problem){0};
    p->w = random_linear(&p->memory, n, k);
    p->codes = arena_array(&p->memory, ROWS * k, 1);
    p->inputs = arena_array(&p->memory, ROWS * k, sizeof(float));
    p->targets = arena_array(&p->memory, ROWS * n, sizeof(float));
    multiplier = arena_array(&p->memory, k, sizeof(float));
    offset = arena_array(&p->memory, k, sizeof(float));
    for (size_t j = 0; j < k; j++) {
        multiplier[j] = 20.0f + 10.0f * random_float();
        offset[j] = 5.0f * random_float();
    }
    for (size_t i = 0; i < ROWS; i++) {
        float shared = random_normal();
        for (size_t j = 0; j < k; j++) {
            const float value = correlation * shared + (1.0f - correlation) * random_normal() + 0.3f;
            float code = rintf(value * multiplier[j] + offset[j]);
            code = fminf(fmaxf(code, -128.0f), 127.0f);
            p->codes[i * k + j] = (int8_t)code;
            p->inputs[i * k + j] = (code - offset[j]) / multiplier[j];
        }
        for (size_t r = 0; r < n; r++) {
            float sum = p->w.bias[r];
            for (size_t j = 0; j < k; j++) sum += p->w.weight[r * k + j] * p->inputs[i * k + j];
            p->targets[i * n + r] = sum;
        }
    }
    p->job = (matrix_job){.name = "problem", .parts = {&p->w}, .n_parts = 1, .n = n, .k = k,
                          .input = {multiplier, offset}};
    assert_int_equal(matrix_reserve(&p->job, &p->out, &p->memory, &error), MINNOW_OK);
    assert_int_equal(statistics_create(&p->s, k, is_inputs ? k : n, is_inputs, ROWS, NULL, &error), MINNOW_OK);
    for (size_t i = 0; i < ROWS; i += 150) /* blocks of several sizes */
        statistics_add(&p->s, p->codes + i * k, (is_inputs ? p->inputs : p->targets) + i * (is_inputs ? k : n), NULL,
                       i + 150 < ROWS ? 150 : ROWS - i, NULL);
    statistics_finish(&p->s);
}

static void free_problem(problem *p) {
    statistics_free(&p->s);
    arena_free(&p->memory);
}

/* Squared error of output i over all rows, with the matrix as it stands. */
static double problem_error(const problem *p, size_t i) {
    double sum = 0.0;
    for (size_t r = 0; r < ROWS; r++) {
        int codes[64];
        for (size_t j = 0; j < p->w.k; j++) codes[j] = p->codes[r * p->w.k + j];
        const double d = output_of(&p->out, i, codes) - (double)p->targets[r * p->w.n + i];
        sum += d * d;
    }
    return sum;
}

static void test_statistics(void **state) {
    problem p;
    (void)state;
    make_problem(&p, 5, 20, 0.7f, 0);
    for (size_t a = 0; a < 20; a++) {
        double mean_a = 0.0;
        for (size_t i = 0; i < ROWS; i++) mean_a += p.codes[i * 20 + a];
        mean_a /= ROWS;
        assert_true(fabs(p.s.code_mean[a] - mean_a) < 1e-9);
        for (size_t b = 0; b < 20; b++) {
            double sum = 0.0;
            for (size_t i = 0; i < ROWS; i++)
                sum += (p.codes[i * 20 + a] - p.s.code_mean[a]) * (p.codes[i * 20 + b] - p.s.code_mean[b]);
            assert_true(fabs(sum - p.s.gram[a * 20 + b]) < 1e-6);
        }
        for (size_t b = 0; b < 5; b++) {
            double sum = 0.0;
            for (size_t i = 0; i < ROWS; i++)
                sum += (p.codes[i * 20 + a] - p.s.code_mean[a]) * ((double)p.targets[i * 5 + b] - p.s.target_mean[b]);
            assert_true(fabs(sum - p.s.cross[a * 5 + b]) < 0.1);
        }
    }
    free_problem(&p);
}

/* On any problem GPTQ loses less than rounding to the nearest, the mean error is nothing, and the report is right. */
static void test_gptq_beats_nearest(void **state) {
    (void)state;
    random_state = 7;
    for (int round = 0; round < 8; round++) {
        const size_t n = 19, k = 48;
        const int is_inputs = round % 2;
        double nearest = 0.0, gptq = 0.0, all = 0.0, relative_error;
        float *mean;
        minnow_error error = {0};
        problem p;
        make_problem(&p, n, k, 0.15f * (float)(round / 2) + 0.3f, is_inputs);
        mean = arena_array(&p.memory, k, sizeof(float));
        for (size_t j = 0; j < k; j++)
            mean[j] = (float)((p.s.code_mean[j] - (double)p.job.input.offset[j]) / (double)p.job.input.multiplier[j]);
        assert_int_equal(matrix_nearest(&p.job, mean, NULL, &relative_error, &error), MINNOW_OK);
        for (size_t i = 0; i < n; i++) nearest += problem_error(&p, i);
        assert_int_equal(gptq_matrix(&p.job, &p.s, 1e-6, 1e-3, NULL, &relative_error, &error), MINNOW_OK);
        for (size_t i = 0; i < n; i++) {
            double mean_error = 0.0, mean_target = 0.0;
            gptq += problem_error(&p, i);
            for (size_t r = 0; r < ROWS; r++) {
                int codes[64];
                for (size_t j = 0; j < k; j++) codes[j] = p.codes[r * k + j];
                mean_error += output_of(&p.out, i, codes) - (double)p.targets[r * n + i];
                mean_target += (double)p.targets[r * n + i] / ROWS;
            }
            for (size_t r = 0; r < ROWS; r++)
                all += ((double)p.targets[r * n + i] - mean_target) * ((double)p.targets[r * n + i] - mean_target);
            assert_true(fabs(mean_error / ROWS) < 1e-5);
        }
        assert_true(gptq < 0.9 * nearest);
        assert_true(fabs(relative_error - gptq / all) < 1e-3 * relative_error + 1e-7);
        free_problem(&p);
    }
}

/* Three inputs: all codes near the real weights, tried one by one at GPTQ's own step. */
static void test_gptq_brute_force(void **state) {
    size_t n_best = 0;
    (void)state;
    random_state = 11;
    for (int round = 0; round < 30; round++) {
        double relative_error, got, best = INFINITY, fine[3];
        minnow_error error = {0};
        int at[3];
        problem p;
        make_problem(&p, 1, 3, 0.5f, 0);
        assert_int_equal(gptq_matrix(&p.job, &p.s, 1e-9, 1e-9, NULL, &relative_error, &error), MINNOW_OK);
        for (size_t j = 0; j < 3; j++)
            fine[j] = (double)p.w.weight[j] / (double)p.job.input.multiplier[j] / (double)p.out.scale[0];
        got = problem_error(&p, 0);
        for (int c = 0; c < 125; c++) {
            double loss = 0.0;
            at[0] = c % 5, at[1] = c / 5 % 5, at[2] = c / 25;
            for (size_t a = 0; a < 3; a++)
                for (size_t b = 0; b < 3; b++) {
                    const double scale = (double)p.out.scale[0];
                    const double x = fmin(fmax(rint(fine[a]) + at[a] - 2, -63.0), 63.0) - fine[a];
                    const double y = fmin(fmax(rint(fine[b]) + at[b] - 2, -63.0), 63.0) - fine[b];
                    loss += scale * scale * x * y * p.s.gram[a * 3 + b];
                }
            best = fmin(best, loss);
        }
        assert_true(got > best * 0.999 - 1e-6);
        assert_true(got < best * 3.0 + 1e-4);
        if (got < best * 1.001 + 1e-6) n_best++;
        free_problem(&p);
    }
    assert_true(n_best >= 20);
}

/* Targets that other weights made: the regression finds those. */
static void test_regression(void **state) {
    double relative_error;
    minnow_error error = {0};
    problem p;
    (void)state;
    make_problem(&p, 6, 16, 0.3f, 0);
    for (size_t i = 0; i < 6 * 16; i++) ((float *)(uintptr_t)p.w.weight)[i] *= 0.8f;
    assert_int_equal(gptq_matrix(&p.job, &p.s, 1e-6, 1e-6, NULL, &relative_error, &error), MINNOW_OK);
    assert_true(relative_error < 1e-3);
    assert_int_equal(gptq_matrix(&p.job, &p.s, 1e6, 1e-6, NULL, &relative_error, &error), MINNOW_OK);
    assert_true(relative_error > 0.03 && relative_error < 0.05); /* pulled back to the weights: (1 - 0.8)^2 */
    free_problem(&p);
}

/* Inputs that never change, and weights of zero. */
static void test_gptq_degenerate(void **state) {
    double relative_error;
    minnow_error error = {0};
    problem p;
    (void)state;
    make_problem(&p, 3, 8, 0.3f, 1);
    memset(p.s.gram, 0, 64 * sizeof(double));
    memset(p.s.cross, 0, 64 * sizeof(double));
    assert_int_equal(gptq_matrix(&p.job, &p.s, 0.01, 0.01, NULL, &relative_error, &error), MINNOW_OK);
    memset((float *)(uintptr_t)p.w.weight, 0, 24 * sizeof(float));
    assert_int_equal(gptq_matrix(&p.job, &p.s, 0.01, 0.01, NULL, &relative_error, &error), MINNOW_OK);
    for (size_t j = 0; j < 8; j++) assert_int_equal(code_of(&p.out, 0, j), 0);
    p.s.gram[0] = NAN;
    assert_int_equal(gptq_matrix(&p.job, &p.s, 0.01, 0.01, NULL, &relative_error, &error), MINNOW_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "problem: "));
    free_problem(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_scale),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_no_correction),
        cmocka_unit_test(test_output_codes),
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_gptq_beats_nearest),
        cmocka_unit_test(test_gptq_brute_force),
        cmocka_unit_test(test_regression),
        cmocka_unit_test(test_gptq_degenerate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
