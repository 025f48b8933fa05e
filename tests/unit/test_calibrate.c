/* SPDX-License-Identifier: Apache-2.0
 * Calibration of a small encoder: what is gathered, the same bytes on every tier and with any number of threads,
 * ranges.json, texts, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/file.h"
#include "convert/calibrate/ranges_impl.h"
#include "small_encoder.h"

#define PATH "test_calibrate.tmp.json"
#define TEXTS_PATH "test_calibrate.tmp.txt"
#define OK(x) assert_int_equal(x, MINNOW_OK)

static small_encoder small;
static minnow_error error;

static ranges *calibrate(const range_options *options, size_t threads) {
    thread_pool *pool;
    float_encoder *f;
    ranges *r;
    OK(thread_pool_create(&pool, threads, &error));
    OK(float_encoder_create(&f, &small.e, pool, &error));
    OK(ranges_calibrate(&r, f, &small.texts, options, &error));
    float_encoder_close(&f);
    thread_pool_close(&pool);
    return r;
}

/* ranges.json, malloc'd and NUL-terminated. */
static char *json_of(const ranges *r, size_t *bytes) {
    file_map map;
    char *copy;
    OK(ranges_write(r, PATH, &error));
    OK(file_map_open(&map, PATH, &error));
    copy = malloc(map.bytes + 1);
    assert_non_null(copy);
    memcpy(copy, map.data, map.bytes);
    copy[map.bytes] = '\0';
    *bytes = map.bytes;
    file_map_close(&map);
    remove(PATH);
    return copy;
}

/* --- What is gathered ----------------------------------------------------------------------------------------- */

static void gathers_what_the_encoder_computes(void **state) {
    const engine_texts texts = {small.ids, small.starts, SMALL_TEXTS};
    const size_t rows = small.starts[SMALL_TEXTS];
    const range_options options = {.alpha = 0.8f, .method = RANGE_MINMAX};
    ranges *r = calibrate(&options, 1);
    float *hidden = malloc(rows * SMALL_HIDDEN * sizeof *hidden);
    float_activations a = {0};
    float_encoder *f;
    (void)state;
    OK(float_encoder_create(&f, &small.e, NULL, &error));
    OK(float_activations_reserve(&a, &small.e, rows, &error));
    OK(float_encoder_embed(f, &texts, NULL, hidden, &error));
    OK(float_encoder_layer(f, 0, &texts, hidden, &a, &error));
    const float *const x[RANGE_ROLES] = {hidden, a.query, a.key, a.value, a.context, a.attended, a.inner};
    assert_true(r->n_texts == SMALL_TEXTS && r->n_tokens == rows);
    for (int role = 0; role < RANGE_ROLES; role++) {
        const range_site *site = ranges_site(r, 0, (range_role)role);
        uint64_t counted = 0;
        for (size_t j = 0; j < site->channels; j++) {
            float least = INFINITY, most = -INFINITY;
            double sum = 0;
            for (size_t i = 0; i < rows; i++) {
                const float v = x[role][i * site->channels + j];
                least = fminf(least, v), most = fmaxf(most, v), sum += (double)v;
            }
            assert_true(site->minimum[j] == least && site->maximum[j] == most);
            assert_true(site->mean[j] == (float)(sum / (double)rows) && site->s[j] > 0);
            assert_true(role == RANGE_QUERY ? site->center[j] == 0 : fabsf(site->center[j] - (least + most) / 2) < 1e-6f);
        }
        for (size_t i = 0; i < RANGE_BINS; i++) counted += site->histogram.counts[i];
        assert_true(counted == rows * site->channels && site->histogram.total == counted);
        assert_true(site->low <= site->least && site->high >= site->most && site->low < site->high);
    }
    for (size_t j = 0; j < SMALL_HIDDEN; j++) { /* one factor a head; every value channel fills the range */
        const range_site *q = ranges_site(r, 0, RANGE_QUERY), *k = ranges_site(r, 0, RANGE_KEY), *v = ranges_site(r, 0, RANGE_VALUE);
        const size_t head = j / 4 * 4;
        assert_true(fabsf(q->s[j] * k->s[j] / (q->s[head] * k->s[head]) - 1) < 1e-5f);
        assert_true(fabsf((v->maximum[j] - v->center[j]) / v->s[j] - 1) < 1e-5f);
    }
    assert_true(fabsf(ranges_site(r, 0, RANGE_QUERY)->most) <= 1.0001f);
    float_encoder_close(&f);
    float_activations_free(&a);
    free(hidden);
    ranges_close(&r);
}

static void equalization_evens_out(void **state) {
    const range_options with = {.alpha = 0.8f, .method = RANGE_MINMAX}, without = {.alpha = 0.8f, .no_equalization = 1, .method = RANGE_MINMAX};
    ranges *r = calibrate(&with, 1), *plain = calibrate(&without, 1);
    (void)state;
    for (size_t i = 0; i < r->n_sites; i++) {
        const range_site *site = &r->sites[i];
        double logs = 0;
        for (size_t j = 0; j < site->channels; j++) {
            logs += log((double)site->s[j]);
            assert_true(plain->sites[i].s[j] == 1 && plain->sites[i].center[j] == 0);
        }
        if (site->role == RANGE_ATTENTION_INPUT || site->role >= RANGE_CONTEXT) assert_true(fabs(logs) < 1e-4);
    }
    const range_site *down = ranges_site(r, 1, RANGE_DOWN_INPUT); /* s by its formula, up to the common factor */
    double first = 0;
    for (size_t j = 0; j < SMALL_INNER; j++) {
        double w = 0, x = fmax((double)(down->maximum[j] - down->center[j]), (double)(down->center[j] - down->minimum[j]));
        for (size_t i = 0; i < SMALL_HIDDEN; i++) w = fmax(w, fabs((double)small.layers[1].down.weight[i * SMALL_INNER + j]));
        const double factor = (double)down->s[j] / (pow(x, 0.8) / pow(w, 0.2));
        if (j == 0) first = factor;
        assert_true(fabs(factor / first - 1) < 1e-5);
    }
    assert_true(plain->alpha == 0);
    ranges_close(&r);
    ranges_close(&plain);
}

/* The entropy method gets histograms without centres, but for key and value; named sites follow their own method. */
static void centres_follow_the_method(void **state) {
    const struct range_choice choice = {"layer.1.down_input", RANGE_MINMAX};
    const range_options options = {.alpha = 0.8f, .method = RANGE_ENTROPY, .choices = &choice, .n_choices = 1};
    ranges *r = calibrate(&options, 1);
    (void)state;
    for (size_t i = 0; i < r->n_sites; i++) {
        const range_site *site = &r->sites[i];
        const int is_centred = site->role == RANGE_KEY || site->role == RANGE_VALUE ||
                               (site->role == RANGE_DOWN_INPUT && site->layer == 1);
        size_t n_shifted = 0;
        for (size_t j = 0; j < site->channels; j++) n_shifted += site->center[j] != 0;
        assert_true(is_centred ? n_shifted > site->channels / 2 : n_shifted == 0);
    }
    ranges_close(&r);
}

static void same_bytes_everywhere(void **state) {
    const range_options options = {.alpha = 0.8f};
    size_t want_bytes, bytes;
    ranges *r = calibrate(&options, 1);
    char *want = json_of(r, &want_bytes), *got;
    const cpu_tier best = cpu_best_tier();
    (void)state;
    ranges_close(&r);
    for (int tier = 0; tier < CPU_TIER_COUNT; tier++) {
        if (!cpu_force_tier((cpu_tier)tier)) continue;
        for (size_t threads = 1; threads <= 3; threads++) {
            r = calibrate(&options, threads);
            got = json_of(r, &bytes);
            assert_int_equal(bytes, want_bytes);
            assert_memory_equal(got, want, bytes);
            free(got);
            ranges_close(&r);
        }
    }
    cpu_force_tier(best);
    free(want);
}

/* --- Choices -------------------------------------------------------------------------------------------------- */

static void choices_by_site(void **state) {
    const struct range_choice choices[] = {{"*.down_input", RANGE_MSE}, {"layer.1.*", RANGE_ENTROPY}, {"layer.1.key", RANGE_PERCENTILE}};
    const struct range_choice unknown = {"layer.2.key", RANGE_MSE};
    range_options options = {.alpha = 0.8f, .method = RANGE_MINMAX, .choices = choices, .n_choices = 3};
    ranges *r = calibrate(&options, 1);
    (void)state;
    assert_int_equal(ranges_site(r, 0, RANGE_DOWN_INPUT)->method, RANGE_MSE);
    assert_int_equal(ranges_site(r, 0, RANGE_KEY)->method, RANGE_MINMAX);
    assert_int_equal(ranges_site(r, 1, RANGE_DOWN_INPUT)->method, RANGE_ENTROPY);
    assert_int_equal(ranges_site(r, 1, RANGE_KEY)->method, RANGE_PERCENTILE);
    options.choices = &unknown;
    options.n_choices = 1;
    assert_int_equal(ranges_choose(r, NULL, NULL, &options, &error), MINNOW_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "layer.0.attention_input"));
    options.n_choices = 0;
    options.method = RANGE_AUTO;
    assert_int_equal(ranges_choose(r, NULL, NULL, &options, &error), MINNOW_ERROR_ARGUMENT);
    options.method = RANGE_PERCENTILE;
    options.percentile = 101;
    assert_int_equal(ranges_choose(r, NULL, NULL, &options, &error), MINNOW_ERROR_ARGUMENT);
    ranges_close(&r);
}

static void round_trip(void **state) {
    float center[2] = {1, 0}, s[2] = {2, 1}, y[2];
    const float x[2] = {4.9f, -9};
    range_site site = {.channels = 2, .low_code = -127, .high_code = 127, .symmetric = 1, .center = center, .s = s, .low = -1.27f, .high = 1.27f};
    (void)state;
    range_round_trip(&site, x, 1, y); /* z = 1.95 -> 127 -> 1.27; -9 -> -1.27 */
    assert_true(fabsf(y[0] - 3.54f) < 1e-5f && fabsf(y[1] + 1.27f) < 1e-6f);
}

/* --- ranges.json ---------------------------------------------------------------------------------------------- */

static minnow_status read_changed(const char *json, const char *from, const char *to) {
    const char *at = strstr(json, from);
    const size_t before = (size_t)(at - json), bytes = strlen(json) - strlen(from) + strlen(to);
    char *changed = malloc(bytes + 1);
    ranges *r;
    assert_true(at != NULL && changed != NULL);
    memcpy(changed, json, before);
    strcpy(changed + before, to);
    strcat(changed, at + strlen(from));
    const minnow_status status = ranges_read(&r, changed, bytes, &error);
    assert_true((r == NULL) == (status != MINNOW_OK));
    ranges_close(&r);
    free(changed);
    return status;
}

static void reads_what_it_wrote_and_refuses_the_rest(void **state) {
    static const char *const changes[][2] = {
        {"minnow-ranges", "minnow-range"}, {"\"version\":1", "\"version\":2"}, {"\"layers\":2", "\"layers\":3"},
        {"\"hidden\":12", "\"hidden\":16"}, {"\"hidden\":12", "\"hidden\":1000000"}, {"\"heads\":3", "\"heads\":5"},
        {"\"heads\":3", "\"heads\":0"}, {"\"low\":", "\"low\":9"}, {"\"low\":", "\"low\":1e39,\"x\":"}, {"\"counts\":[", "\"counts\":[1,"},
        {"\"counts\":[", "\"counts\":[-9000,"}, {"\"s\":[", "\"s\":[-"}, {"\"mean\":[", "\"mean\":[1,"}, {"\"mean\":[", "\"mean\":[null,"},
        {"\"first\":", "\"first\":-9"}, {"\"width\":", "\"width\":0.3,\"x\":"}, {"layer.0.query", "layer.0.quern"},
        {"\"method\":\"", "\"method\":\"auto\",\"x\":\""}, {"\"weights_sha256\":\"", "\"weights_sha256\":\"f"}, {"\"norms\":[", "\"norms\":[{},"},
        {"\"truncated\":0", "\"truncated\":1000"}, {"\"maximum\":[", "\"maximum\":[-9"}};
    const range_options options = {.alpha = 0.8f, .method = RANGE_MINMAX};
    ranges *r = calibrate(&options, 1), *again;
    size_t bytes, again_bytes, i;
    char *json = json_of(r, &bytes), *again_json;
    (void)state;
    OK(ranges_read(&again, json, bytes, &error));
    again_json = json_of(again, &again_bytes);
    assert_int_equal(bytes, again_bytes);
    assert_memory_equal(json, again_json, bytes);
    for (i = 0; i < r->n_sites; i++) {
        assert_memory_equal(&r->sites[i].histogram, &again->sites[i].histogram, sizeof r->sites[i].histogram);
        assert_memory_equal(r->sites[i].s, again->sites[i].s, r->sites[i].channels * sizeof(float));
    }
    assert_memory_equal(r->weights_sha256, again->weights_sha256, 32);
    OK(read_changed(json, "\"version\":1", "\"version\":1"));
    for (i = 0; i < sizeof changes / sizeof changes[0]; i++) assert_true(read_changed(json, changes[i][0], changes[i][1]) != MINNOW_OK);
    free(json);
    free(again_json);
    ranges_close(&r);
    ranges_close(&again);
}

static void knows_its_model(void **state) {
    uint8_t a[32], b[32];
    (void)state;
    ranges_weights_sha256(&small.e, a);
    small.weights[100] += 1;
    ranges_weights_sha256(&small.e, b);
    small.weights[100] -= 1;
    assert_memory_not_equal(a, b, 32);
}

/* --- Refusals ------------------------------------------------------------------------------------------------- */

static void names_the_site_of_a_nan(void **state) {
    const range_options options = {.alpha = 0.8f, .method = RANGE_MINMAX}, wrong = {.alpha = 2};
    float *const bias = small.weights + (small.layers[1].up.bias - small.weights), kept = *bias;
    const calibration_texts none = {0};
    float_encoder *f;
    ranges *r;
    (void)state;
    OK(float_encoder_create(&f, &small.e, NULL, &error));
    assert_int_equal(ranges_calibrate(&r, f, &none, &options, &error), MINNOW_ERROR_ARGUMENT);
    assert_int_equal(ranges_calibrate(&r, f, &small.texts, &wrong, &error), MINNOW_ERROR_ARGUMENT);
    *bias = NAN;
    assert_int_equal(ranges_calibrate(&r, f, &small.texts, &options, &error), MINNOW_ERROR_FORMAT);
    *bias = kept;
    assert_null(r);
    assert_non_null(strstr(error.message, "layer.1.down_input"));
    float_encoder_close(&f);
}

/* --- Texts ---------------------------------------------------------------------------------------------------- */

static tokenizer *letters(void) {
    static const char text[] = "[UNK][CLS][SEP]abc";
    static const uint32_t offsets[] = {0, 5, 10, 15, 16, 17, 18};
    static const int32_t prefix[] = {1}, suffix[] = {2};
    const tokenizer_config config = {.vocab_text = text, .vocab_offsets = offsets, .n_vocab = 6, .clean_text = 1, .continuing_prefix = "##",
                                     .unknown_id = 0, .max_chars_per_word = 100, .prefix_ids = prefix, .suffix_ids = suffix,
                                     .n_prefix = 1, .n_suffix = 1};
    tokenizer *t;
    OK(tokenizer_create(&t, &config, &error));
    return t;
}

static minnow_status open_texts(calibration_texts *out, const tokenizer *t, const char *content, size_t samples) {
    OK(file_write_all(TEXTS_PATH, content, strlen(content), &error));
    const minnow_status status = calibration_texts_open(out, TEXTS_PATH, t, samples, 4, &error);
    remove(TEXTS_PATH);
    return status;
}

static void texts_of_a_file(void **state) {
    static const int32_t all[] = {1, 3, 2, 1, 4, 4, 2, 1, 5, 5, 2, 1, 3, 2};
    tokenizer *t = letters();
    calibration_texts x;
    engine_texts block;
    size_t starts[5], end;
    (void)state;
    OK(open_texts(&x, t, "\xef\xbb\xbf" "a\r\n\n \t\nb b\nc c c\na", 0));
    assert_true(x.n_texts == 4 && x.n_available == 4 && x.n_truncated == 1 && x.longest == 4 && x.rows == 14);
    assert_memory_equal(x.ids, all, sizeof all);
    calibration_texts_block(&x, 1, 8, &end, starts, &block);
    assert_true(end == 3 && block.n_texts == 2 && starts[0] == 0 && starts[1] == 4 && starts[2] == 8 && block.ids == x.ids + 3);
    calibration_texts_block(&x, 1, 1, &end, starts, &block);
    assert_true(end == 2 && block.n_texts == 1);
    calibration_texts_free(&x);
    OK(open_texts(&x, t, "a\nb\nc\na\nb\n", 2)); /* an even stride: the first and the third */
    assert_true(x.n_texts == 2 && x.n_available == 5 && x.ids[1] == 3 && x.ids[4] == 5);
    calibration_texts_free(&x);
    OK(open_texts(&x, t, "\n\"a\"\n{\"id\":1,\"text\":\"b\"}\n", 0));
    assert_true(x.n_texts == 2 && x.ids[1] == 3 && x.ids[4] == 4);
    calibration_texts_free(&x);
    assert_int_equal(open_texts(&x, t, "", 0), MINNOW_ERROR_FORMAT);
    assert_non_null(strstr(error.message, TEXTS_PATH));
    assert_int_equal(open_texts(&x, t, " \n\n", 0), MINNOW_ERROR_FORMAT);
    assert_int_equal(open_texts(&x, t, "\"a\"\n{\"txt\":\"b\"}\n", 0), MINNOW_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "line 2"));
    assert_true(calibration_texts_open(&x, "no/such/file", t, 0, 4, &error) != MINNOW_OK);
    tokenizer_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gathers_what_the_encoder_computes), cmocka_unit_test(equalization_evens_out),
        cmocka_unit_test(centres_follow_the_method), cmocka_unit_test(same_bytes_everywhere), cmocka_unit_test(choices_by_site), cmocka_unit_test(round_trip),
        cmocka_unit_test(reads_what_it_wrote_and_refuses_the_rest), cmocka_unit_test(knows_its_model),
        cmocka_unit_test(names_the_site_of_a_nan), cmocka_unit_test(texts_of_a_file)};
    small_encoder_make(&small);
    return cmocka_run_group_tests_name("calibrate", tests, NULL, NULL);
}
