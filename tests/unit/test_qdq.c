/* SPDX-License-Identifier: Apache-2.0
 * src/convert/qdq: the graph of a small random encoder, of every kind of table and norm: its form, its bytes, and its
 * vectors beside the INT8 engine's. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "convert/interpret/interpreter.h"
#include "convert/onnx/onnx.h"
#include "convert/qdq/qdq.h"
#include "convert/quantize/quantize.h"
#include "convert/shapes/infer.h"
#include "run/engine/pool.h"
#include "small_encoder.h"

#define OK(call) \
    do { \
        if ((call) != MINNOW_OK) fail_msg("%s", error.message); \
    } while (0)

static small_encoder small;
static ranges *found;
static minnow_error error;
static float type_rows[2 * SMALL_HIDDEN];
static const qdq_types types = {2, type_rows};

static int set_up(void **state) {
    range_options options = {.alpha = 0.75f, .method = RANGE_MINMAX};
    float_encoder *f = NULL;
    (void)state;
    small_encoder_make(&small);
    for (size_t i = 0; i < 2 * SMALL_HIDDEN; i++) type_rows[i] = 0.01f * (float)(i * i % 17);
    if (float_encoder_create(&f, &small.e, NULL, &error) != MINNOW_OK) return -1;
    if (ranges_calibrate(&found, f, &small.texts, &options, &error) != MINNOW_OK) return -1;
    float_encoder_close(&f);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    ranges_close(&found);
    return 0;
}

static int8_model *quantized(int8_table_kind embedding, quantize_norm_inputs norms, size_t n_copies) {
    const quantize_options options = {.embedding = embedding, .norm_inputs = norms, .n_copies = n_copies};
    int8_model *m = NULL;
    OK(quantize_encoder(&m, &small.e, found, NULL, NULL, &options, NULL, &error));
    return m;
}

static graph *graph_of(const int8_model *m) {
    graph *g = NULL;
    OK(qdq_graph(&g, m, &types, &error));
    return g;
}

static size_t count(const graph *g, const char *op_type) {
    size_t n = 0;
    for (size_t i = 0; i < g->n_nodes; i++) n += strcmp(g->nodes[i].op_type, op_type) == 0;
    return n;
}

/* --- Form -------------------------------------------------------------------------------------------------------- */

static void test_form(void **state) {
    static const char *const inputs[] = {"input_ids", "attention_mask", "token_type_ids"};
    int8_model *m = quantized(INT8_TABLE_ROWS, QUANTIZE_NORM_FLOAT, 4);
    graph *g = graph_of(m);
    const graph_value *output;
    int32_t zero_point;
    (void)state;
    assert_int_equal(g->n_inputs, 3);
    assert_int_equal(g->n_outputs, 1);
    for (size_t i = 0; i < 3; i++) {
        const graph_value *v = &g->values[g->inputs[i]];
        assert_string_equal(v->name, inputs[i]);
        assert_true(v->type == DTYPE_INT64 && v->rank == 2 && v->dims[0].size < 0 && v->dims[1].size < 0);
    }
    assert_int_equal(graph_opset_version(g, ""), QDQ_OPSET);
    OK(graph_infer_shapes(g, &error));
    output = &g->values[g->outputs[0]];
    assert_string_equal(output->name, "last_hidden_state");
    assert_int_equal(output->rank, 3);
    assert_string_equal(output->dims[0].symbol, "batch_size");
    assert_string_equal(output->dims[1].symbol, "sequence_length");
    assert_int_equal(output->dims[2].size, SMALL_HIDDEN);
    zero_point = graph_find_value(g, "zero_point");
    assert_true(zero_point >= 0 && g->values[zero_point].constant->type == DTYPE_UINT8);
    assert_int_equal(*(const uint8_t *)g->values[zero_point].constant->data, 128);
    /* Four sites and six matrices a layer; all activations by the one scale and zero point. */
    assert_int_equal(count(g, "QuantizeLinear"), 4 * SMALL_LAYERS);
    assert_int_equal(count(g, "DequantizeLinear"), (4 + 6) * SMALL_LAYERS);
    assert_int_equal(count(g, "LayerNormalization"), 1 + 2 * SMALL_LAYERS);
    assert_int_equal(count(g, "Erf"), SMALL_LAYERS);
    assert_int_equal(count(g, "Gather"), 3);
    assert_int_equal(count(g, "MatMul"), 8 * SMALL_LAYERS);
    graph_close(&g);
    int8_model_close(&m);
}

/* Weights are codes of the model, one scale for each column. */
static void test_weights(void **state) {
    int8_model *m = quantized(INT8_TABLE_ROWS, QUANTIZE_NORM_FLOAT, 0);
    graph *g = graph_of(m);
    const int8_matrix *up = &m->layers[1].up, *qkv = &m->layers[1].query_key_value;
    const int32_t w = graph_find_value(g, "encoder.layer.1.intermediate.dense.weight");
    const int32_t k = graph_find_value(g, "encoder.layer.1.attention.self.key.weight");
    const int32_t bias = graph_find_value(g, "encoder.layer.1.attention.self.value.bias");
    const int8_t *codes, *keys;
    size_t i, j, nodes = 0;
    (void)state;
    assert_true(w >= 0 && k >= 0 && bias >= 0);
    codes = g->values[w].constant->data;
    keys = g->values[k].constant->data;
    for (j = 0; j < SMALL_HIDDEN; j++) {
        for (i = 0; i < SMALL_INNER; i++)
            assert_int_equal(codes[j * SMALL_INNER + i], up->panels[int8_panel_index(up->k, i, j)] - 64);
        for (i = 0; i < SMALL_HIDDEN; i++)
            assert_int_equal(keys[j * SMALL_HIDDEN + i],
                             qkv->panels[int8_panel_index(qkv->k, SMALL_HIDDEN + i, j)] - 64);
    }
    for (i = 0; i < SMALL_HIDDEN; i++) {
        const int8_quantizer *context = &m->layers[1].context;
        const float wanted = (float)((double)qkv->bias[2 * SMALL_HIDDEN + i] * (double)context->multiplier[i] +
                                     (double)context->offset[i]);
        assert_true(((const float *)g->values[bias].constant->data)[i] == wanted);
    }
    for (i = 0; i < g->n_nodes; i++) {
        if (strcmp(g->nodes[i].op_type, "DequantizeLinear") != 0 || g->nodes[i].n_inputs != 2) continue;
        assert_int_equal(graph_node_int(&g->nodes[i], "axis", -7), 1);
        nodes++;
    }
    assert_int_equal(nodes, 6 * SMALL_LAYERS);
    graph_close(&g);
    int8_model_close(&m);
}

/* A model of one that knows no types has no such input. */
static void test_no_types(void **state) {
    int8_model *m = quantized(INT8_TABLE_ROWS, QUANTIZE_NORM_FLOAT, 0);
    graph *g = NULL;
    (void)state;
    OK(qdq_graph(&g, m, NULL, &error));
    assert_int_equal(g->n_inputs, 2);
    assert_int_equal(count(g, "Gather"), 2);
    graph_close(&g);
    int8_model_close(&m);
}

/* Scales that leave a float's range when they are folded are refused by the matrix. */
static void test_out_of_range(void **state) {
    int8_model *m = quantized(INT8_TABLE_ROWS, QUANTIZE_NORM_FLOAT, 0);
    float *scores = (float *)(uintptr_t)m->layers[0].score_scale;
    graph *g = NULL;
    (void)state;
    scores[1] = 1e-37f;
    assert_int_equal(qdq_graph(&g, m, &types, &error), MINNOW_ERROR_UNSUPPORTED);
    assert_null(g);
    assert_non_null(strstr(error.message, "encoder/layer.0/attention/self/query: the scale of output 4"));
    int8_model_close(&m);
}

/* --- Vectors ----------------------------------------------------------------------------------------------------- */
#define TEXTS 8

static void engine_vectors(const int8_model *m, float *out) {
    const engine_texts all = {small.texts.ids, small.texts.starts, SMALL_TEXTS};
    float *hidden = calloc(small.texts.rows * SMALL_HIDDEN, sizeof *hidden);
    void *work = memory_aligned_alloc(engine_scratch_bytes(m, small.texts.rows, small.texts.longest));
    double scratch[SMALL_HIDDEN];
    assert_true(hidden != NULL && work != NULL);
    engine_run(m, kernels_best(), &all, work, hidden);
    for (size_t t = 0; t < TEXTS; t++)
        pool_tokens(hidden + all.starts[t] * SMALL_HIDDEN, all.starts[t + 1] - all.starts[t], SMALL_HIDDEN,
                    MINNOW_POOLING_MEAN, 1, scratch, out + t * SMALL_HIDDEN);
    memory_aligned_free(work);
    free(hidden);
}

/* The first texts as one padded batch, or each alone if `alone`; padding has ids and types of its own. */
static void graph_vectors(const graph *g, int alone, int64_t type, float *out) {
    static int64_t ids[TEXTS * 80], mask[TEXTS * 80], type_ids[TEXTS * 80];
    const size_t *starts = small.texts.starts;
    interpreter *in = NULL;
    double scratch[SMALL_HIDDEN];
    OK(interpreter_create(&in, g, NULL, &error));
    for (size_t first = 0; first < TEXTS; first += alone ? 1 : TEXTS) {
        const size_t n = alone ? 1 : TEXTS;
        size_t longest = 0;
        for (size_t t = first; t < first + n; t++)
            if (starts[t + 1] - starts[t] > longest) longest = starts[t + 1] - starts[t];
        tensor inputs[3], y;
        for (size_t i = 0; i < 3; i++)
            inputs[i] = (tensor){.type = DTYPE_INT64, .rank = 2, .dims = {(int64_t)n, (int64_t)longest}};
        inputs[0].data = ids;
        inputs[1].data = mask;
        inputs[2].data = type_ids;
        for (size_t t = 0; t < n; t++)
            for (size_t i = 0; i < longest; i++) {
                const size_t at = starts[first + t] + i;
                const int there = at < starts[first + t + 1];
                ids[t * longest + i] = there ? small.texts.ids[at] : 5;
                mask[t * longest + i] = there;
                type_ids[t * longest + i] = there ? type : 1;
            }
        OK(interpreter_run(in, inputs, &y, NULL, &error));
        for (size_t t = 0; t < n; t++)
            pool_tokens((const float *)y.data + t * longest * SMALL_HIDDEN,
                        starts[first + t + 1] - starts[first + t], SMALL_HIDDEN, MINNOW_POOLING_MEAN, 1, scratch,
                        out + (first + t) * SMALL_HIDDEN);
    }
    interpreter_close(&in);
}

/* Mean over the texts. */
static double cosine(const float *a, const float *b) {
    double sum = 0.0;
    for (size_t i = 0; i < TEXTS * SMALL_HIDDEN; i++) sum += (double)a[i] * (double)b[i];
    return sum / TEXTS;
}

static int cannot_run(void) { return !interpreter_supports("", "QuantizeLinear", QDQ_OPSET); }

/* Every kind of table and of norm, with and without copies of channels. */
static void test_vectors(void **state) {
    static const struct {
        int8_table_kind embedding;
        quantize_norm_inputs norms;
        size_t n_copies;
    } cases[] = {{INT8_TABLE_ROWS, QUANTIZE_NORM_FLOAT, 0},        {INT8_TABLE_ROWS, QUANTIZE_NORM_FLOAT, 8},
                 {INT8_TABLE_TENSOR, QUANTIZE_NORM_FLOAT, 0},      {INT8_TABLE_HALF, QUANTIZE_NORM_FLOAT, 0},
                 {INT8_TABLE_MIXED, QUANTIZE_NORM_FLOAT, 0},       {INT8_TABLE_ROWS, QUANTIZE_NORM_PER_TENSOR, 0},
                 {INT8_TABLE_ROWS, QUANTIZE_NORM_PER_CHANNEL, 4}};
    float engine[TEXTS * SMALL_HIDDEN], alone[TEXTS * SMALL_HIDDEN], batch[TEXTS * SMALL_HIDDEN];
    (void)state;
    if (cannot_run()) skip();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int8_model *m = quantized(cases[i].embedding, cases[i].norms, cases[i].n_copies);
        graph *g = graph_of(m);
        double with_engine;
        engine_vectors(m, engine);
        graph_vectors(g, 1, 0, alone);
        graph_vectors(g, 0, 0, batch);
        with_engine = cosine(engine, alone);
        if (with_engine < 0.9998) fail_msg("case %zu: cosine %.5f", i, with_engine);
        assert_true(cosine(alone, batch) > 0.999999);
        graph_close(&g);
        int8_model_close(&m);
    }
}

/* A text of type 1 differs, by its row. */
static void test_types(void **state) {
    int8_model *m = quantized(INT8_TABLE_ROWS, QUANTIZE_NORM_FLOAT, 0);
    graph *g = graph_of(m);
    float zero[TEXTS * SMALL_HIDDEN], one[TEXTS * SMALL_HIDDEN], engine[TEXTS * SMALL_HIDDEN];
    float *added = (float *)(uintptr_t)small.e.positions;
    (void)state;
    if (cannot_run()) skip();
    graph_vectors(g, 1, 0, zero);
    graph_vectors(g, 1, 1, one);
    assert_true(cosine(zero, one) < 0.9999);
    graph_close(&g);
    int8_model_close(&m);
    /* The same by positions that have type 1's row in place of type 0's. */
    for (size_t i = 0; i < SMALL_POSITIONS * SMALL_HIDDEN; i++)
        added[i] += type_rows[SMALL_HIDDEN + i % SMALL_HIDDEN] - type_rows[i % SMALL_HIDDEN];
    m = quantized(INT8_TABLE_ROWS, QUANTIZE_NORM_FLOAT, 0);
    engine_vectors(m, engine);
    assert_true(cosine(engine, one) > 0.9998);
    int8_model_close(&m);
    small_encoder_make(&small);
}

/* --- Bytes ------------------------------------------------------------------------------------------------------- */

/* Written twice, and read: the same. */
static void test_bytes(void **state) {
    static const char *const paths[] = {"test_qdq_1.tmp.onnx", "test_qdq_2.tmp.onnx"};
    file_map maps[2];
    graph *read = NULL;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        int8_model *m = quantized(INT8_TABLE_MIXED, QUANTIZE_NORM_PER_CHANNEL, 4);
        graph *g = graph_of(m);
        OK(onnx_write(g, paths[i], &error));
        OK(file_map_open(&maps[i], paths[i], &error));
        graph_close(&g);
        int8_model_close(&m);
    }
    assert_int_equal(maps[0].bytes, maps[1].bytes);
    assert_memory_equal(maps[0].data, maps[1].data, maps[0].bytes);
    OK(onnx_read(&read, maps[0].data, maps[0].bytes, NULL, &error));
    assert_int_equal(count(read, "LayerNormalization"), 1 + 2 * SMALL_LAYERS);
    graph_close(&read);
    for (size_t i = 0; i < 2; i++) {
        file_map_close(&maps[i]);
        remove(paths[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),         cmocka_unit_test(test_weights), cmocka_unit_test(test_no_types),
        cmocka_unit_test(test_out_of_range), cmocka_unit_test(test_vectors), cmocka_unit_test(test_types),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
