/* SPDX-License-Identifier: Apache-2.0
 * Small encoders of many architectures that torch's two exporters and tf2onnx wrote, as they are and quantized by
 * onnxruntime's tool, with onnxruntime's outputs: tests/golden/onnx. Each runs fused, node by node, with one and more threads and on every tier: within the file's tolerance, and the same bits every time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "convert/interpret/interpreter.h"
#include "convert/json/json.h"
#include "convert/onnx/onnx.h"

#define MAX_VALUES 8

static const char *const names[] = {
    /* torch's exporters, tf2onnx */
    "bert_ts11", "bert_ts14", "bert_ts17_pooled", "bert_ts17_sdpa", "bert_dynamo18", "bert_dynamo20", "bert_dynamo23",
    "bert_ts17_half", "bert_ts14_int32", "bert_keras15", "distilbert_ts14", "roberta_ts14", "mpnet_ts17_mean", "electra_ts17", "albert_ts14",
    "deberta2_ts17", "deberta2_dynamo20", "nomic_dynamo18", "modernbert_ts17_cls", "modernbert_dynamo20", "t5_ts14",
    "t5_dynamo18", "clip_ts17", "squeezebert_ts14", "qwen3_dynamo20_last",
    /* onnxruntime's quantizer and optimizers */
    "bert_ort_dynamic_s8", "bert_ort_dynamic_u8", "bert_ort_qdq", "bert_ort_qoperator", "bert_ort_fused",
    "bert_ort_fused_session", "bert_ort_fused_dynamic", "distilbert_ort_fused_f16",
    /* minnow quantize --to onnx */
    "bert_minnow_qdq",
};

/* Nested arrays -> shape and numbers, appended to `out` if it is not NULL. */
static void read_nested(yyjson_val *v, int depth, tensor *shape, double *out, size_t *n) {
    size_t i, max;
    yyjson_val *item;
    if (!yyjson_is_arr(v)) {
        shape->rank = depth;
        if (out) out[*n] = yyjson_get_num(v);
        ++*n;
        return;
    }
    assert_true(depth < TENSOR_MAX_RANK);
    shape->dims[depth] = (int64_t)yyjson_arr_size(v);
    yyjson_arr_foreach(v, i, max, item) read_nested(item, depth + 1, shape, out, n);
}

static double *numbers_of(yyjson_val *v, tensor *shape) {
    size_t n = 0;
    double *numbers;
    memset(shape, 0, sizeof *shape);
    read_nested(v, 0, shape, NULL, &n);
    numbers = malloc((n + 1) * sizeof *numbers);
    assert_non_null(numbers);
    n = 0;
    read_nested(v, 0, shape, numbers, &n);
    return numbers;
}

/* The case's tensor for graph input i, of the declared type: int64 or int32. */
static tensor input_of(const graph *g, size_t i, yyjson_val *inputs) {
    const graph_value *v = &g->values[g->inputs[i]];
    tensor t;
    yyjson_val *given = yyjson_obj_get(inputs, v->name);
    assert_non_null(given);
    double *numbers = numbers_of(given, &t);
    t.type = v->type;
    assert_true(t.type == DTYPE_INT64 || t.type == DTYPE_INT32);
    int64_t *ids = malloc(tensor_bytes(&t) + 8);
    assert_non_null(ids);
    for (size_t k = 0; k < tensor_count(&t); k++) {
        if (t.type == DTYPE_INT64) ids[k] = (int64_t)numbers[k];
        else ((int32_t *)(void *)ids)[k] = (int32_t)numbers[k];
    }
    t.data = ids;
    free(numbers);
    return t;
}

static void compare(const char *name, const tensor *got, yyjson_val *wanted, double tolerance) {
    tensor shape;
    double *numbers = numbers_of(wanted, &shape);
    assert_int_equal(got->type, DTYPE_FLOAT32);
    assert_int_equal(got->rank, shape.rank);
    for (int d = 0; d < shape.rank; d++) assert_int_equal(got->dims[d], shape.dims[d]);
    for (size_t i = 0; i < tensor_count(got); i++) {
        const double difference = (double)((const float *)got->data)[i] - numbers[i];
        if (!(difference <= tolerance && difference >= -tolerance))
            fail_msg("%s: element %zu is %.9g, %.9g expected", name, i, (double)((const float *)got->data)[i],
                     numbers[i]);
    }
    free(numbers);
}

/* A checksum of all outputs' bits (FNV-1a). */
static uint64_t hash_outputs(const graph *g, const tensor *outputs) {
    uint64_t h = 1469598103934665603u;
    for (size_t o = 0; o < g->n_outputs; o++)
        for (size_t i = 0; i < tensor_bytes(&outputs[o]); i++)
            h = (h ^ ((const uint8_t *)outputs[o].data)[i]) * 1099511628211u;
    return h;
}

/* Runs all cases, compares each; the bits of all outputs in one number. */
static uint64_t run_cases(const char *name, const graph *g, yyjson_val *root, const interpreter_options *options) {
    const double tolerance = yyjson_get_num(yyjson_obj_get(root, "tolerance_abs"));
    interpreter *in = NULL;
    minnow_error error;
    uint64_t hash = 0;
    size_t i, max;
    yyjson_val *one;
    if (interpreter_create(&in, g, options, &error)) fail_msg("%s: %s", name, error.message);
    assert_true(g->n_inputs <= MAX_VALUES && g->n_outputs <= MAX_VALUES);
    yyjson_arr_foreach(yyjson_obj_get(root, "cases"), i, max, one) {
        tensor inputs[MAX_VALUES], outputs[MAX_VALUES];
        yyjson_val *wanted = yyjson_obj_get(one, "outputs");
        for (size_t k = 0; k < g->n_inputs; k++) inputs[k] = input_of(g, k, yyjson_obj_get(one, "inputs"));
        if (interpreter_run(in, inputs, outputs, NULL, &error)) fail_msg("%s: case %zu: %s", name, i, error.message);
        for (size_t k = 0; k < g->n_outputs; k++)
            compare(name, &outputs[k], yyjson_obj_get(wanted, g->values[g->outputs[k]].name), tolerance);
        assert_int_equal(yyjson_obj_size(wanted), g->n_outputs);
        hash = hash * 31 + hash_outputs(g, outputs);
        for (size_t k = 0; k < g->n_inputs; k++) free(inputs[k].data);
    }
    interpreter_close(&in);
    return hash;
}

/* The file in memory that the graph may write, wherever it begins: the same bits. What is packed in place must be. */
static void run_owned(const char *name, yyjson_val *root, const file_map *file, uint64_t hash) {
    for (size_t offset = 0; offset < 8; offset++) {
        uint8_t *bytes = malloc(file->bytes + offset);
        graph *g = NULL;
        minnow_error error;
        assert_non_null(bytes);
        memcpy(bytes + offset, file->data, file->bytes);
        if (onnx_read_owned(&g, bytes + offset, file->bytes, &error)) fail_msg("%s: %s", name, error.message);
        assert_true(hash == run_cases(name, g, root, &(interpreter_options){.packs_in_place = 1}));
        if (strstr(name, "_qdq") == NULL) /* those have no float32 weights */
            assert_true(memcmp(bytes + offset, file->data, file->bytes) != 0);
        graph_close(&g);
        free(bytes);
    }
}

static void run_file(const char *name) {
    char path[256];
    graph *g = NULL;
    yyjson_doc *doc = NULL;
    minnow_error error;
    uint64_t hash;
    snprintf(path, sizeof path, "tests/golden/onnx/%s.onnx", name);
    if (onnx_open(&g, path, 0, &error)) fail_msg("%s", error.message);
    snprintf(path, sizeof path, "tests/golden/onnx/%s.json", name);
    if (json_open(&doc, path, &error)) fail_msg("%s", error.message);
    yyjson_val *root = yyjson_doc_get_root(doc);
    hash = run_cases(name, g, root, NULL);
    run_owned(name, root, &g->maps[0], hash);
    assert_true(hash == run_cases(name, g, root, &(interpreter_options){.no_fusion = 1}));
    for (size_t threads = 2; threads <= 5; threads += 3) {
        thread_pool *pool = NULL;
        assert_int_equal(thread_pool_create(&pool, threads, &error), MINNOW_OK);
        assert_true(hash == run_cases(name, g, root, &(interpreter_options){.pool = pool}));
        thread_pool_close(&pool);
    }
    const cpu_tier best = cpu_best_tier();
    for (int tier = 0; tier < CPU_TIER_COUNT; tier++) {
        if ((int)cpu_base_tier((cpu_tier)tier) != tier || !cpu_force_tier((cpu_tier)tier)) continue;
        assert_true(hash == run_cases(name, g, root, NULL));
    }
    cpu_force_tier(best);
    yyjson_doc_free(doc);
    graph_close(&g);
}

static void golden(void **state) { run_file(*state); }

int main(void) {
    struct CMUnitTest tests[sizeof names / sizeof *names];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        tests[i] = (struct CMUnitTest){names[i], golden, NULL, NULL, (void *)(uintptr_t)names[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
