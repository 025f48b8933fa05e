/* SPDX-License-Identifier: Apache-2.0
 * src/convert/quantize, a small random encoder all the way. */
#include "base/cpu.h"
#include "quantize_encoder.h"

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
        cmocka_unit_test(test_centers),
        cmocka_unit_test(test_gptq_model),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_split_model),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_norm_inputs),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
