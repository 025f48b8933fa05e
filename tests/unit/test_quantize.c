/* SPDX-License-Identifier: Apache-2.0
 * src/convert/quantize: each step against a slow, obvious one; a small random encoder all the way. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "convert/quantize/parts.h"
#include "run/engine/pool.h"

static uint32_t random_state = 1;
static uint32_t random_u32(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}
static float random_float(void) { return (float)(int32_t)random_u32() * (1.0f / 2147483648.0f); }
/* Roughly normal, deviation 1. */
static float random_normal(void) {
    float sum = 0.0f;
    for (int i = 0; i < 6; i++) sum += random_float();
    return sum * 0.7071f;
}

/* --- A small encoder ---------------------------------------------------------------------------------------------- */
#define HIDDEN 32
#define HEADS 4
#define INNER 64
#define LAYERS 2
#define VOCAB 60
#define POSITIONS 24
#define TEXTS 80

typedef struct fixture {
    arena memory;
    encoder e;
    float_encoder *f;
    calibration_texts texts;
    ranges r;
} fixture;

static float *random_floats(arena *memory, size_t n, float deviation, float mean) {
    float *x = arena_array(memory, n, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) x[i] = mean + deviation * random_normal();
    return x;
}

static encoder_linear random_linear(arena *memory, size_t n, size_t k) {
    const float deviation = 1.0f / sqrtf((float)k);
    return (encoder_linear){n, k, random_floats(memory, n * k, deviation, 0.0f), random_floats(memory, n, 0.3f, 0.0f),
                            "linear"};
}

static encoder_norm random_norm(arena *memory) {
    return (encoder_norm){random_floats(memory, HIDDEN, 0.1f, 1.0f), random_floats(memory, HIDDEN, 0.2f, 0.0f), 1e-12f};
}

static void random_encoder(encoder *e, arena *memory) {
    *e = (encoder){.n_layers = LAYERS, .hidden = HIDDEN, .n_heads = HEADS, .intermediate = INNER, .n_vocab = VOCAB,
                   .n_positions = POSITIONS, .attention_scale = 1.0f / sqrtf((float)HIDDEN / HEADS)};
    e->words = random_floats(memory, VOCAB * HIDDEN, 0.5f, 0.0f);
    e->positions = random_floats(memory, POSITIONS * HIDDEN, 0.1f, 0.0f);
    e->embedding_norm = random_norm(memory);
    e->layers = arena_array(memory, LAYERS, sizeof *e->layers);
    assert_non_null(e->layers);
    for (size_t i = 0; i < LAYERS; i++) {
        encoder_layer *l = &e->layers[i];
        l->query = random_linear(memory, HIDDEN, HIDDEN);
        l->key = random_linear(memory, HIDDEN, HIDDEN);
        l->value = random_linear(memory, HIDDEN, HIDDEN);
        l->output = random_linear(memory, HIDDEN, HIDDEN);
        l->up = random_linear(memory, INNER, HIDDEN);
        l->down = random_linear(memory, HIDDEN, INNER);
        l->attention_norm = random_norm(memory);
        l->output_norm = random_norm(memory);
    }
}

static void random_texts(calibration_texts *t, arena *memory) {
    *t = (calibration_texts){.n_texts = TEXTS, .n_available = TEXTS};
    t->starts = arena_array(memory, TEXTS + 1, sizeof *t->starts);
    for (size_t i = 0; i < TEXTS; i++) {
        const size_t n = 1 + random_u32() % (POSITIONS - 1);
        if (n > t->longest) t->longest = n;
        t->starts[i + 1] = t->starts[i] + n;
    }
    t->rows = t->starts[TEXTS];
    t->ids = arena_array(memory, t->rows, sizeof *t->ids);
    for (size_t i = 0; i < t->rows; i++) t->ids[i] = (int32_t)(random_u32() % VOCAB);
}

/* --- Its ranges, by the plainest rule: extremes, centred in the middle, s by the extremes of each channel --------- */
static void add_rows(float *least, float *most, float *mean, const float *x, size_t rows, size_t n) {
    for (size_t j = 0; j < n; j++) {
        double sum = 0.0;
        least[j] = most[j] = x[j];
        for (size_t i = 0; i < rows; i++) {
            least[j] = fminf(least[j], x[i * n + j]);
            most[j] = fmaxf(most[j], x[i * n + j]);
            sum += (double)x[i * n + j];
        }
        if (mean != NULL) mean[j] = (float)(sum / (double)rows);
    }
}

static void make_site(fixture *x, size_t layer, range_role role, const float *values, size_t n, int equalize) {
    range_site *s = &x->r.sites[layer * RANGE_ROLES + role];
    const int is_key = role == RANGE_KEY, is_symmetric = is_key || role == RANGE_QUERY || role == RANGE_VALUE;
    *s = (range_site){.layer = layer, .channels = n, .role = role, .symmetric = is_symmetric, .method = RANGE_MINMAX};
    snprintf(s->name, sizeof s->name, "layer.%zu.%d", layer, (int)role);
    s->low_code = is_key ? -63 : is_symmetric ? -127 : -128;
    s->high_code = is_key ? 63 : 127;
    s->minimum = arena_array(&x->memory, n, sizeof(float));
    s->maximum = arena_array(&x->memory, n, sizeof(float));
    s->mean = arena_array(&x->memory, n, sizeof(float));
    s->center = arena_array(&x->memory, n, sizeof(float));
    s->s = arena_array(&x->memory, n, sizeof(float));
    add_rows(s->minimum, s->maximum, s->mean, values, x->texts.rows, n);
    for (size_t j = 0; j < n; j++) {
        const float half = 0.5f * (s->maximum[j] - s->minimum[j]), middle = 0.5f * (s->maximum[j] + s->minimum[j]);
        s->s[j] = equalize && !is_key && role != RANGE_QUERY ? sqrtf(half + 0.01f) : 1.0f;
        s->center[j] = equalize && role != RANGE_QUERY && role != RANGE_DOWN_INPUT ? middle : 0.0f;
        s->least = fminf(s->least, (s->minimum[j] - s->center[j]) / s->s[j]);
        s->most = fmaxf(s->most, (s->maximum[j] - s->center[j]) / s->s[j]);
    }
    s->low = is_symmetric ? -fmaxf(-s->least, s->most) : s->least;
    s->high = is_symmetric ? -s->low : s->most;
}

static void make_ranges(fixture *x, int equalize) {
    const size_t rows = x->texts.rows;
    float *hidden = arena_array(&x->memory, rows * HIDDEN, sizeof(float)),
        *sum = arena_array(&x->memory, rows * HIDDEN, sizeof(float));
    const engine_texts all = {x->texts.ids, x->texts.starts, TEXTS};
    float_activations a = {0};
    minnow_error error = {0};
    x->r = (ranges){.n_layers = LAYERS, .hidden = HIDDEN, .intermediate = INNER, .n_heads = HEADS,
                    .n_sites = LAYERS * RANGE_ROLES};
    x->r.sites = arena_array(&x->memory, x->r.n_sites, sizeof *x->r.sites);
    x->r.norms = arena_array(&x->memory, 2 * LAYERS + 1, sizeof *x->r.norms);
    for (size_t i = 0; i < 2 * LAYERS + 1; i++) {
        x->r.norms[i].minimum = arena_array(&x->memory, HIDDEN, sizeof(float));
        x->r.norms[i].maximum = arena_array(&x->memory, HIDDEN, sizeof(float));
    }
    assert_int_equal(float_activations_reserve(&a, &x->e, rows, &error), MINNOW_OK);
    assert_int_equal(float_encoder_embed(x->f, &all, sum, hidden, &error), MINNOW_OK);
    add_rows(x->r.norms[0].minimum, x->r.norms[0].maximum, NULL, sum, rows, HIDDEN);
    for (size_t i = 0; i < LAYERS; i++) {
        assert_int_equal(float_encoder_layer(x->f, i, &all, hidden, &a, &error), MINNOW_OK);
        make_site(x, i, RANGE_ATTENTION_INPUT, hidden, HIDDEN, equalize);
        make_site(x, i, RANGE_QUERY, a.query, HIDDEN, equalize);
        make_site(x, i, RANGE_KEY, a.key, HIDDEN, equalize);
        make_site(x, i, RANGE_VALUE, a.value, HIDDEN, equalize);
        make_site(x, i, RANGE_CONTEXT, a.context, HIDDEN, equalize);
        make_site(x, i, RANGE_UP_INPUT, a.attended, HIDDEN, equalize);
        make_site(x, i, RANGE_DOWN_INPUT, a.inner, INNER, equalize);
        add_rows(x->r.norms[1 + 2 * i].minimum, x->r.norms[1 + 2 * i].maximum, NULL, a.attention_sum, rows, HIDDEN);
        add_rows(x->r.norms[2 + 2 * i].minimum, x->r.norms[2 + 2 * i].maximum, NULL, a.output_sum, rows, HIDDEN);
        memcpy(hidden, a.hidden, rows * HIDDEN * sizeof(float));
    }
    float_activations_free(&a);
}

static void set_up(fixture *x) {
    minnow_error error = {0};
    *x = (fixture){0};
    random_state = 20261123;
    random_encoder(&x->e, &x->memory);
    random_texts(&x->texts, &x->memory);
    assert_int_equal(float_encoder_create(&x->f, &x->e, NULL, &error), MINNOW_OK);
    make_ranges(x, 1);
}

static void tear_down(fixture *x) {
    float_encoder_close(&x->f);
    arena_free(&x->memory);
}

static int8_model *quantized(fixture *x, const quantize_options *options, quantize_matrix_report *report) {
    int8_model *m = NULL;
    minnow_error error = {0};
    const minnow_status status = quantize_encoder(&m, &x->e, &x->r, x->f, &x->texts, options, report, &error);
    if (status != MINNOW_OK) fail_msg("%s", error.message);
    return m;
}

/* Pooled vectors of all texts, [TEXTS][HIDDEN]. */
static void float_vectors(fixture *x, float *out) {
    const engine_texts all = {x->texts.ids, x->texts.starts, TEXTS};
    float_activations a = {0};
    float *hidden = calloc(x->texts.rows * HIDDEN, sizeof *hidden);
    double scratch[HIDDEN];
    minnow_error error = {0};
    assert_int_equal(float_activations_reserve(&a, &x->e, x->texts.rows, &error), MINNOW_OK);
    assert_int_equal(float_encoder_embed(x->f, &all, NULL, hidden, &error), MINNOW_OK);
    for (size_t i = 0; i < LAYERS; i++) {
        assert_int_equal(float_encoder_layer(x->f, i, &all, hidden, &a, &error), MINNOW_OK);
        memcpy(hidden, a.hidden, x->texts.rows * HIDDEN * sizeof *hidden);
    }
    for (size_t t = 0; t < TEXTS; t++)
        pool_tokens(hidden + all.starts[t] * HIDDEN, all.starts[t + 1] - all.starts[t], HIDDEN, MINNOW_POOLING_MEAN, 1,
                    scratch, out + t * HIDDEN);
    float_activations_free(&a);
    free(hidden);
}

static void int8_vectors(const fixture *x, const int8_model *m, float *out) {
    const engine_texts all = {x->texts.ids, x->texts.starts, TEXTS};
    float *hidden = calloc(x->texts.rows * HIDDEN, sizeof *hidden);
    void *work = memory_aligned_alloc(engine_scratch_bytes(m, x->texts.rows, x->texts.longest));
    double scratch[HIDDEN];
    assert_non_null(work);
    engine_run(m, kernels_best(), &all, work, hidden);
    for (size_t t = 0; t < TEXTS; t++)
        pool_tokens(hidden + all.starts[t] * HIDDEN, all.starts[t + 1] - all.starts[t], HIDDEN, MINNOW_POOLING_MEAN, 1,
                    scratch, out + t * HIDDEN);
    memory_aligned_free(work);
    free(hidden);
}

/* Mean cosine of the model's vectors with the float encoder's. */
static double cosine(fixture *x, const int8_model *m) {
    static float a[TEXTS * HIDDEN], b[TEXTS * HIDDEN];
    double sum = 0.0;
    float_vectors(x, a);
    int8_vectors(x, m, b);
    for (size_t i = 0; i < TEXTS * HIDDEN; i++) sum += (double)a[i] * (double)b[i];
    return sum / TEXTS;
}

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
static int code_of(const int8_matrix *m, size_t i, size_t j) {
    return (int)m->panels[int8_panel_index(m->k, i, j)] - 64;
}

/* y = scale * sum code * weight + bias. */
static double output_of(const int8_matrix *m, size_t i, const int *codes) {
    long sum = 0;
    for (size_t j = 0; j < m->k; j++) sum += (long)codes[j] * code_of(m, i, j);
    return (double)sum * (double)m->scale[i] + (double)m->bias[i];
}

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

/* --- Centres ------------------------------------------------------------------------------------------------------ */
/* A centre of the key moves the bias and nothing else; one of the value moves the bias and the context's offset. */
static void test_centers(void **state) {
    fixture x;
    int8_model *with, *without;
    const int8_layer *a, *b;
    (void)state;
    set_up(&x);
    with = quantized(&x, &(quantize_options){0}, NULL);
    for (size_t layer = 0; layer < LAYERS; layer++) {
        memset(ranges_site(&x.r, layer, RANGE_KEY)->center, 0, HIDDEN * sizeof(float));
        memset(ranges_site(&x.r, layer, RANGE_VALUE)->center, 0, HIDDEN * sizeof(float));
    }
    without = quantized(&x, &(quantize_options){0}, NULL);
    a = &with->layers[1], b = &without->layers[1];
    make_ranges(&x, 1);
    assert_memory_equal(a->query_key_value.panels, b->query_key_value.panels, int8_panels_bytes(3 * HIDDEN, HIDDEN));
    assert_memory_equal(a->context.multiplier, b->context.multiplier, HIDDEN * sizeof(float));
    for (size_t j = 0; j < HIDDEN; j++) {
        const range_site *key = ranges_site(&x.r, 1, RANGE_KEY), *value = ranges_site(&x.r, 1, RANGE_VALUE);
        const range_site *context = ranges_site(&x.r, 1, RANGE_CONTEXT);
        float key_scale, value_scale, context_scale;
        int zero;
        range_scale(key, &key_scale, &zero);
        range_scale(value, &value_scale, &zero);
        range_scale(context, &context_scale, &zero);
        const float *moved = a->query_key_value.bias, *still = b->query_key_value.bias;
        const float key_shift = (moved[HIDDEN + j] - still[HIDDEN + j]) * key_scale * key->s[j];
        const float value_shift = (moved[2 * HIDDEN + j] - still[2 * HIDDEN + j]) * value_scale * value->s[j];
        const float context_shift = (a->context.offset[j] - b->context.offset[j]) * context_scale * context->s[j];
        assert_true(fabsf(key_shift + key->center[j]) < 1e-4f);
        assert_true(fabsf(value_shift + value->center[j]) < 1e-4f);
        assert_true(fabsf(context_shift - value->center[j]) < 1e-4f);
    }
    assert_true(cosine(&x, with) > 0.99);
    /* exact too, but for clipping: the ranges were chosen for centred values */
    assert_true(cosine(&x, without) > 0.98);
    int8_model_close(&with);
    int8_model_close(&without);
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

static void test_gptq_model(void **state) {
    quantize_matrix_report report[4 * LAYERS], plain[4 * LAYERS];
    fixture x;
    int8_model *gptq, *nearest;
    double a, b;
    (void)state;
    set_up(&x);
    gptq = quantized(&x, &(quantize_options){.rounding = QUANTIZE_GPTQ}, report);
    nearest = quantized(&x, &(quantize_options){0}, plain);
    a = cosine(&x, gptq);
    b = cosine(&x, nearest);
    print_message("cosine: GPTQ %.6f, nearest %.6f\n", a, b);
    assert_true(a > 0.995);
    assert_true(a > b);
    for (size_t i = 0; i < 4 * LAYERS; i++) {
        assert_true(report[i].relative_error > 0.0 && report[i].relative_error < 0.02);
        assert_true(plain[i].relative_error > 0.0 && plain[i].relative_error < 0.01);
    }
    assert_string_equal(report[6].name, "layer.1.up");
    int8_model_close(&gptq);
    int8_model_close(&nearest);
    tear_down(&x);
}

/* --- Channel splitting -------------------------------------------------------------------------------------------- */
/* The value that a quantizer's code of x stands for. */
static double rounded(const int8_quantizer *q, size_t j, double x) {
    const double code = nearbyint(x * (double)q->multiplier[j] + (double)q->offset[j]);
    return (code - (double)q->offset[j]) / (double)q->multiplier[j];
}

/* Copies of a channel together are the channel, with a step that is 1/n of the original's. */
static void test_split(void **state) {
    const size_t n_extra = 20;
    fixture x;
    split_layer l;
    arena memory = {0};
    int8_quantizer q;
    minnow_error error = {0};
    size_t copies[INNER] = {0}, total = 0, most = 0, i, j, t;
    float scale;
    int zero_point;
    (void)state;
    set_up(&x);
    l = (split_layer){x.e.layers[0].up, x.e.layers[0].down, *ranges_site(&x.r, 0, RANGE_DOWN_INPUT)};
    assert_int_equal(split_channels(&l, &memory, 0.5f, n_extra, &error), MINNOW_OK);
    assert_int_equal(l.up.n, INNER + n_extra);
    assert_int_equal(l.down.k, INNER + n_extra);
    assert_int_equal(l.site.channels, INNER + n_extra);
    assert_int_equal(site_quantizer(&q, &memory, &l.site, &error), MINNOW_OK);
    range_scale(&l.site, &scale, &zero_point);
    for (i = 0; i < INNER; i++) {
        const float *row = x.e.layers[0].up.weight + i * HIDDEN, *from = x.e.layers[0].down.weight;
        size_t at[21] = {0};
        double weight = 0.0;
        for (j = 0; j < INNER + n_extra; j++) {
            if (memcmp(l.up.weight + j * HIDDEN, row, HIDDEN * sizeof *row) != 0) continue;
            assert_true(copies[i] < n_extra + 1);
            at[copies[i]++] = j;
            assert_true(l.up.bias[j] == x.e.layers[0].up.bias[i]);
            weight += (double)l.down.weight[5 * (INNER + n_extra) + j];
        }
        assert_true(fabs(weight - (double)from[5 * INNER + i]) < 1e-6);
        for (t = 0; t < 50; t++) {
            const double step = (double)l.site.s[i] * (double)scale, value = 0.02 * (double)t;
            double sum = 0.0;
            for (j = 0; j < copies[i]; j++) sum += rounded(&q, at[j], value) / (double)copies[i];
            assert_true(fabs(sum - value) <= 0.5001 * step / (double)copies[i]);
        }
        total += copies[i];
        most = copies[i] > most ? copies[i] : most;
    }
    assert_int_equal(total, INNER + n_extra);
    assert_true(most >= 2);
    assert_true(l.site.most < ranges_site(&x.r, 0, RANGE_DOWN_INPUT)->most); /* the range of all channels shrank */
    for (i = 0; i < INNER; i++) assert_true(l.site.s[i] >= ranges_site(&x.r, 0, RANGE_DOWN_INPUT)->s[i]);
    arena_free(&memory);
    tear_down(&x);
}

static void test_split_model(void **state) {
    fixture x;
    int8_model *plain, *split;
    int8_model *m = NULL;
    minnow_error error = {0};
    (void)state;
    set_up(&x);
    plain = quantized(&x, &(quantize_options){.rounding = QUANTIZE_GPTQ}, NULL);
    split = quantized(&x, &(quantize_options){.rounding = QUANTIZE_GPTQ, .n_copies = 32}, NULL);
    assert_int_equal(split->intermediate, INNER + 32);
    assert_true(1.0 - cosine(&x, split) < 0.95 * (1.0 - cosine(&x, plain)));
    assert_int_equal(quantize_encoder(&m, &x.e, &x.r, x.f, &x.texts, &(quantize_options){.n_copies = 3}, NULL, &error),
                     MINNOW_ERROR_ARGUMENT);
    assert_int_equal(quantize_usual_copies(1536), 64);
    assert_int_equal(quantize_usual_copies(INNER), 0);
    int8_model_close(&plain);
    int8_model_close(&split);
    tear_down(&x);
}

/* --- The same bytes everywhere ------------------------------------------------------------------------------------ */
static void assert_same_matrix(const int8_matrix *a, const int8_matrix *b) {
    const size_t padded = int8_panels(a->n) * 16;
    assert_memory_equal(a->panels, b->panels, int8_panels_bytes(a->n, a->k));
    assert_memory_equal(a->scale, b->scale, padded * sizeof(float));
    assert_memory_equal(a->bias, b->bias, padded * sizeof(float));
}

static void assert_same_model(const int8_model *a, const int8_model *b) {
    assert_memory_equal(a->words.codes, b->words.codes, VOCAB * HIDDEN);
    assert_memory_equal(a->words.scale, b->words.scale, VOCAB * sizeof(float));
    for (size_t i = 0; i < LAYERS; i++) {
        assert_same_matrix(&a->layers[i].query_key_value, &b->layers[i].query_key_value);
        assert_same_matrix(&a->layers[i].attention_output, &b->layers[i].attention_output);
        assert_same_matrix(&a->layers[i].up, &b->layers[i].up);
        assert_same_matrix(&a->layers[i].down, &b->layers[i].down);
        assert_memory_equal(a->layers[i].context.offset, b->layers[i].context.offset, HIDDEN * sizeof(float));
    }
}

static void test_same_bytes(void **state) {
    const quantize_rounding roundings[] = {QUANTIZE_NEAREST, QUANTIZE_GPTQ};
    const cpu_tier best = cpu_best_tier();
    const size_t most_threads = getenv("MINNOW_TEST_EMULATED") != NULL ? 2 : 3;
    (void)state;
    for (size_t r = 0; r < 2; r++) {
        fixture x;
        int8_model *first;
        set_up(&x);
        first = quantized(&x, &(quantize_options){.rounding = roundings[r]}, NULL);
        tear_down(&x);
        for (int tier = 0; tier < CPU_TIER_COUNT; tier++)
            for (size_t threads = 1; threads <= most_threads; threads++) {
                thread_pool *pool = NULL;
                int8_model *m;
                minnow_error error = {0};
                if (!cpu_force_tier((cpu_tier)tier)) continue;
                assert_int_equal(thread_pool_create(&pool, threads, &error), MINNOW_OK);
                set_up(&x);
                m = quantized(&x, &(quantize_options){.rounding = roundings[r], .pool = pool}, NULL);
                assert_same_model(first, m);
                int8_model_close(&m);
                tear_down(&x);
                thread_pool_close(&pool);
            }
        cpu_force_tier(best);
        int8_model_close(&first);
    }
}

/* --- Tables and norms
 * ----------------------------------------------------------------------------------------------- */
static float half_to_float(uint16_t h) { return math_half_to_float(h); }

static float table_value(const int8_table *t, size_t r, size_t c) {
    if (t->kind == INT8_TABLE_HALF) return half_to_float(t->halves[r * t->columns + c]);
    for (size_t o = 0; o < t->n_outliers; o++)
        if (t->outlier_columns[o] == c) {
            assert_int_equal(t->codes[r * t->columns + c], 0);
            return half_to_float(t->halves[r * t->n_outliers + o]);
        }
    return (float)t->codes[r * t->columns + c] * t->scale[t->kind == INT8_TABLE_TENSOR ? 0 : r];
}

static void test_tables(void **state) {
    const int8_table_kind kinds[] = {INT8_TABLE_ROWS, INT8_TABLE_TENSOR, INT8_TABLE_HALF, INT8_TABLE_MIXED};
    const double allowed[] = {0.1, 0.2, 1e-3, 0.012}; /* deviation of the error: the odd column stretches the steps */
    const size_t rows = 33, columns = 48;
    arena memory = {0};
    float *values = random_floats(&memory, rows * columns, 1.0f, 0.0f);
    (void)state;
    for (size_t r = 0; r < rows; r++) values[r * columns + 17] *= 20.0f;
    for (size_t k = 0; k < 4; k++) {
        int8_table t;
        minnow_error error = {0};
        double sum = 0.0;
        assert_int_equal(table_quantize(&t, &memory, kinds[k], values, rows, columns, NULL, &error), MINNOW_OK);
        assert_int_equal(t.kind, kinds[k]);
        if (kinds[k] == INT8_TABLE_MIXED) {
            assert_int_equal(t.n_outliers, 1);
            assert_int_equal(t.outlier_columns[0], 17);
        }
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < columns; c++) {
                const double d = (double)(table_value(&t, r, c) - values[r * columns + c]);
                if (c != 17) sum += d * d;
            }
        assert_true(sqrt(sum / (double)(rows * columns)) < allowed[k]);
        if (kinds[k] == INT8_TABLE_TENSOR) assert_true(sqrt(sum / (double)(rows * columns)) > 0.05);
    }
    values[5] = 1e6f;
    int8_table t;
    minnow_error error = {0};
    assert_int_equal(table_quantize(&t, &memory, INT8_TABLE_HALF, values, rows, columns, NULL, &error),
                     MINNOW_ERROR_UNSUPPORTED);
    arena_free(&memory);
}

static void test_norm_inputs(void **state) {
    const quantize_norm_inputs kinds[] = {QUANTIZE_NORM_PER_TENSOR, QUANTIZE_NORM_PER_CHANNEL};
    fixture x;
    (void)state;
    set_up(&x);
    for (size_t k = 0; k < 2; k++) {
        int8_model *m = quantized(&x, &(quantize_options){.norm_inputs = kinds[k]}, NULL);
        const int8_norm *n = &m->layers[1].attention_norm;
        float largest = 0.0f;
        for (size_t j = 0; j < HIDDEN; j++) {
            const float range = fmaxf(fabsf(x.r.norms[3].minimum[j]), fabsf(x.r.norms[3].maximum[j]));
            largest = fmaxf(largest, range);
            if (k == 1) assert_true(fabsf(n->input_step[j] * 127.0f - range) < 1e-5f);
            assert_true(fabsf(n->input_step[j] * n->input_multiplier[j] - 1.0f) < 1e-6f);
        }
        if (k == 0) assert_true(fabsf(n->input_step[5] * 127.0f - largest) < 1e-5f);
        assert_non_null(m->embedding_norm.input_step);
        assert_true(cosine(&x, m) > 0.98);
        int8_model_close(&m);
    }
    tear_down(&x);
}

/* --- Refusals ----------------------------------------------------------------------------------------------------- */
static void refuse(fixture *x, const quantize_options *options, int with_texts, const char *message) {
    int8_model *m = NULL;
    minnow_error error = {0};
    assert_int_not_equal(quantize_encoder(&m, &x->e, &x->r, x->f, with_texts ? &x->texts : NULL, options, NULL,
                                          &error), MINNOW_OK);
    assert_null(m);
    if (strstr(error.message, message) == NULL) fail_msg("'%s' lacks '%s'", error.message, message);
}

static void test_refusals(void **state) {
    const quantize_options gptq = {.rounding = QUANTIZE_GPTQ}, nearest = {0};
    fixture x;
    float kept;
    (void)state;
    set_up(&x);
    refuse(&x, &gptq, 0, "GPTQ needs calibration texts");
    x.texts.ids[7] = VOCAB;
    refuse(&x, &gptq, 1, "token 7 has id 60");
    x.texts.ids[7] = 0;
    x.r.hidden = 64;
    refuse(&x, &nearest, 0, "ranges of 2 layers, 64 dimensions");
    x.r.hidden = HIDDEN;
    kept = ranges_site(&x.r, 1, RANGE_UP_INPUT)->s[3];
    ranges_site(&x.r, 1, RANGE_UP_INPUT)->s[3] = 0.0f;
    refuse(&x, &nearest, 0, "layer.1.5: channel 3");
    ranges_site(&x.r, 1, RANGE_UP_INPUT)->s[3] = NAN;
    refuse(&x, &nearest, 0, "layer.1.5: channel 3");
    ranges_site(&x.r, 1, RANGE_UP_INPUT)->s[3] = kept;
    ranges_site(&x.r, 0, RANGE_KEY)->s[2] = 1.5f;
    refuse(&x, &nearest, 0, "multiply to different numbers in head 0");
    ranges_site(&x.r, 0, RANGE_KEY)->s[2] = 1.0f;
    ranges_site(&x.r, 0, RANGE_QUERY)->center[2] = 1.0f;
    refuse(&x, &nearest, 0, "channel 2 has a centre");
    ranges_site(&x.r, 0, RANGE_QUERY)->center[2] = 0.0f;
    x.e.layers[1].output_norm.epsilon = 1e-5f;
    refuse(&x, &nearest, 0, "epsilon");
    tear_down(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_scale),       cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_no_correction),   cmocka_unit_test(test_output_codes),
        cmocka_unit_test(test_centers),         cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_gptq_beats_nearest), cmocka_unit_test(test_gptq_brute_force),
        cmocka_unit_test(test_regression),      cmocka_unit_test(test_gptq_degenerate),
        cmocka_unit_test(test_gptq_model),      cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_split),           cmocka_unit_test(test_split_model),
        cmocka_unit_test(test_tables),          cmocka_unit_test(test_norm_inputs),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
