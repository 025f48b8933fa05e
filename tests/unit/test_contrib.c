/* SPDX-License-Identifier: Apache-2.0
 * com.microsoft's fused operators, and ai.onnx's Attention and RotaryEmbedding, one node at a time, with onnxruntime's
 * outputs (tests/golden/contrib.json). Each runs with and without fusion, with 1, 2 and 5 threads and on every tier:
 * within the tolerance, and the same bits every time; inferred types and shapes are those that come out. Bad ones are
 * refused by what the file says, by the interpreter or before it. */
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
#include "convert/interpret/ops/ops.h"
#include "convert/json/json.h"
#include "convert/shapes/infer.h"

#define MAX_VALUES 10

static minnow_error error;
static double tolerance;

typedef struct made_case {
    graph *g;
    yyjson_val *wanted;           /* outputs; NULL: refused */
    const char *refused;          /* one of texts, between bars */
    tensor inputs[MAX_VALUES];    /* of the graph's inputs */
    size_t n_inputs, n_outputs;
} made_case;

/* --- From JSON ---------------------------------------------------------------------------------------------------- */

static dtype type_named(const char *name) {
    for (int t = 1; t <= DTYPE_BFLOAT16; t++)
        if (strcmp(dtype_name((dtype)t), name) == 0) return (dtype)t;
    fail_msg("type %s", name);
    return DTYPE_UNDEFINED;
}

/* In the graph's memory; numbers repeat when they run out. */
static tensor *read_tensor(graph *g, yyjson_val *v) {
    tensor *t = arena_array(&g->memory, 1, sizeof *t);
    yyjson_val *shape = yyjson_obj_get(v, "shape"), *data = yyjson_obj_get(v, "data"), *item;
    size_t i, max;
    assert_non_null(t);
    t->type = type_named(yyjson_get_str(yyjson_obj_get(v, "type")));
    t->rank = (int)yyjson_arr_size(shape);
    yyjson_arr_foreach(shape, i, max, item) t->dims[i] = yyjson_get_sint(item);
    const size_t n = tensor_count(t), size = dtype_bytes(t->type), n_data = yyjson_arr_size(data);
    double *numbers = malloc((n_data + 1) * sizeof *numbers);
    t->data = arena_array(&g->memory, n + 1, size);
    assert_true(numbers && t->data && n_data);
    yyjson_arr_foreach(data, i, max, item)
        numbers[i] = yyjson_is_bool(item) ? yyjson_get_bool(item) : yyjson_get_num(item);
    for (i = 0; i < n; i++) lanes_cast(DTYPE_FLOAT64, &numbers[i % n_data], t->type, (char *)t->data + i * size, 1);
    free(numbers);
    return t;
}

static void add_attributes(graph *g, int32_t node, yyjson_val *attributes) {
    size_t i, max, k, n;
    yyjson_val *key, *value, *item;
    yyjson_obj_foreach(attributes, i, max, key, value) {
        int64_t ints[8];
        graph_attribute a = {.name = yyjson_get_str(key)};
        if (yyjson_is_str(value)) {
            a.type = ATTRIBUTE_STRING;
            a.s = yyjson_get_str(value);
            a.s_bytes = yyjson_get_len(value);
        } else if (yyjson_is_arr(value)) {
            a.type = ATTRIBUTE_INTS;
            a.ints = ints;
            yyjson_arr_foreach(value, k, n, item) ints[k] = yyjson_get_sint(item);
            a.n = yyjson_arr_size(value);
        } else if (yyjson_is_real(value)) {
            a.type = ATTRIBUTE_FLOAT;
            a.f = (float)yyjson_get_real(value);
        } else {
            a.type = ATTRIBUTE_INT;
            a.i = yyjson_get_sint(value);
        }
        assert_int_equal(graph_add_attribute(g, node, &a, &error), MINNOW_OK);
    }
}

static int is_listed(yyjson_val *list, size_t number) {
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(list, i, max, item) if (yyjson_get_uint(item) == number) return 1;
    return 0;
}

static int32_t add_input(made_case *m, size_t i, yyjson_val *spelt, int is_constant) {
    char name[16];
    tensor *t;
    if (yyjson_is_null(spelt)) return GRAPH_NO_VALUE;
    snprintf(name, sizeof name, "i%zu", i);
    t = read_tensor(m->g, spelt);
    if (is_constant) return graph_add_constant(m->g, name, t);
    const int32_t v = graph_add_value(m->g, name);
    graph_value *value = &m->g->values[v];
    value->type = t->type;
    value->rank = t->rank;
    for (int d = 0; d < t->rank; d++) value->dims[d] = (graph_dim){t->dims[d], NULL};
    assert_true(graph_add_input(m->g, v));
    m->inputs[m->n_inputs++] = *t;
    return v;
}

static void make_case(yyjson_val *v, made_case *m) {
    int32_t inputs[MAX_VALUES], outputs[MAX_VALUES];
    yyjson_val *spelt = yyjson_obj_get(v, "inputs"), *item;
    const char *domain = yyjson_get_str(yyjson_obj_get(v, "domain"));
    size_t i, max;
    memset(m, 0, sizeof *m);
    m->g = graph_create();
    assert_non_null(m->g);
    m->refused = yyjson_get_str(yyjson_obj_get(v, "refused"));
    m->wanted = yyjson_obj_get(v, "outputs");
    assert_true(graph_set_opset(m->g, domain, yyjson_get_sint(yyjson_obj_get(v, "opset"))));
    yyjson_arr_foreach(spelt, i, max, item)
        inputs[i] = add_input(m, i, item, is_listed(yyjson_obj_get(v, "constants"), i));
    m->n_outputs = m->refused ? yyjson_get_uint(yyjson_obj_get(v, "n_outputs")) : yyjson_arr_size(m->wanted);
    for (i = 0; i < m->n_outputs; i++) {
        char name[16];
        snprintf(name, sizeof name, "o%zu", i);
        outputs[i] = GRAPH_NO_VALUE;
        if (!m->refused && yyjson_is_null(yyjson_arr_get(m->wanted, i))) continue;
        outputs[i] = graph_add_value(m->g, name);
        m->g->values[outputs[i]].rank = -1;
        assert_true(graph_add_output(m->g, outputs[i]));
    }
    const int32_t node = graph_add_node(m->g, yyjson_get_str(yyjson_obj_get(v, "op")), "n", inputs,
                                        yyjson_arr_size(spelt), outputs, m->n_outputs);
    m->g->nodes[node].domain = arena_string(&m->g->memory, domain, strlen(domain));
    m->g->nodes[node].opset = yyjson_get_sint(yyjson_obj_get(v, "opset"));
    add_attributes(m->g, node, yyjson_obj_get(v, "attributes"));
}

/* --- Running ------------------------------------------------------------------------------------------------------ */

static void compare(const char *name, graph *g, const tensor *got, yyjson_val *spelt) {
    const tensor *wanted = read_tensor(g, spelt);
    const double bound = wanted->type == DTYPE_FLOAT16 ? 4e-3 : tolerance;
    if (got->type != wanted->type || got->rank != wanted->rank ||
        (got->rank && memcmp(got->dims, wanted->dims, (size_t)got->rank * sizeof *got->dims) != 0)) {
        char a[128], b[128];
        fail_msg("%s: %s, not %s", name, tensor_describe(got, a, sizeof a), tensor_describe(wanted, b, sizeof b));
    }
    for (size_t i = 0; i < tensor_count(got); i++) {
        const double x = ops_scalar_f64(got, i), y = ops_scalar_f64(wanted, i), size = y < 0 ? -y : y;
        if (x == y || (x != x && y != y)) continue;
        if (!(x - y <= bound * (1 + size) && y - x <= bound * (1 + size)))
            fail_msg("%s: element %zu is %.9g, not %.9g", name, i, x, y);
    }
}

/* The bits of what was asked for (FNV-1a). */
static uint64_t run(const char *name, made_case *m, const interpreter_options *options) {
    tensor outputs[MAX_VALUES];
    interpreter *in = NULL;
    uint64_t hash = 1469598103934665603u;
    size_t at = 0;
    if (interpreter_create(&in, m->g, options, &error) || interpreter_run(in, m->inputs, outputs, NULL, &error))
        fail_msg("%s: %s", name, error.message);
    for (size_t i = 0; i < m->n_outputs; i++) {
        yyjson_val *spelt = yyjson_arr_get(m->wanted, i);
        if (yyjson_is_null(spelt)) continue;
        compare(name, m->g, &outputs[at], spelt);
        for (size_t k = 0; k < tensor_bytes(&outputs[at]); k++)
            hash = (hash ^ ((const uint8_t *)outputs[at].data)[k]) * 1099511628211u;
        at++;
    }
    interpreter_close(&in);
    return hash;
}

/* What is inferred without the outputs' declarations is what comes out. */
static void check_shapes(const char *name, made_case *m) {
    size_t at = 0;
    if (graph_infer_shapes(m->g, &error)) fail_msg("%s: %s", name, error.message);
    for (size_t i = 0; i < m->n_outputs; i++) {
        yyjson_val *spelt = yyjson_arr_get(m->wanted, i);
        if (yyjson_is_null(spelt)) continue;
        const graph_value *v = &m->g->values[m->g->outputs[at++]];
        const tensor *wanted = read_tensor(m->g, spelt);
        if (strncmp(name, "multi-head", 10) == 0 && i == 3) continue; /* scores for debugging */
        if (v->type != wanted->type || v->rank != wanted->rank) fail_msg("%s: output %zu is not inferred", name, i);
        for (int d = 0; d < v->rank; d++)
            if (v->dims[d].size != wanted->dims[d])
                fail_msg("%s: extent %d of output %zu is inferred as %lld", name, d, i, (long long)v->dims[d].size);
    }
}

static void check_everywhere(const char *name, made_case *m) {
    const uint64_t hash = run(name, m, NULL);
    const cpu_tier best = cpu_best_tier();
    check_shapes(name, m);
    assert_true(hash == run(name, m, &(interpreter_options){.no_fusion = 1}));
    for (size_t threads = 2; threads <= 5; threads += 3) {
        thread_pool *pool = NULL;
        assert_int_equal(thread_pool_create(&pool, threads, &error), MINNOW_OK);
        assert_true(hash == run(name, m, &(interpreter_options){.pool = pool}));
        thread_pool_close(&pool);
    }
    for (int tier = 0; tier < CPU_TIER_COUNT; tier++) {
        if ((int)cpu_base_tier((cpu_tier)tier) != tier || !cpu_force_tier((cpu_tier)tier)) continue;
        assert_true(hash == run(name, m, NULL));
    }
    cpu_force_tier(best);
}

/* One of the texts between bars is in the message. */
static int says(const char *message, const char *texts) {
    char copy[256];
    snprintf(copy, sizeof copy, "%s", texts);
    char *bar = strchr(copy, '|');
    if (bar) *bar = '\0';
    return strstr(message, copy) || (bar && strstr(message, bar + 1));
}

static void check_refusal(const char *name, made_case *m) {
    tensor outputs[MAX_VALUES];
    interpreter *in = NULL;
    minnow_status status = interpreter_create(&in, m->g, NULL, &error);
    if (status == MINNOW_OK) status = interpreter_run(in, m->inputs, outputs, NULL, &error);
    interpreter_close(&in);
    if (status == MINNOW_OK) fail_msg("%s: not refused", name);
    if (!says(error.message, m->refused) || !strstr(error.message, "node 0 'n' (") || strchr(error.message, '\n'))
        fail_msg("%s: '%s' does not say '%s'", name, error.message, m->refused);
    (void)graph_infer_shapes(m->g, &error);
}

static void check_operators(const char *of_domain) {
    yyjson_doc *doc = NULL;
    size_t i, max, n = 0;
    yyjson_val *one;
    if (json_open(&doc, "tests/golden/contrib.json", &error)) fail_msg("%s", error.message);
    yyjson_val *root = yyjson_doc_get_root(doc);
    tolerance = yyjson_get_num(yyjson_obj_get(root, "tolerance"));
    yyjson_arr_foreach(yyjson_obj_get(root, "cases"), i, max, one) {
        const char *name = yyjson_get_str(yyjson_obj_get(one, "name"));
        made_case m;
        if (strcmp(yyjson_get_str(yyjson_obj_get(one, "domain")), of_domain) != 0) continue;
        make_case(one, &m);
        if (m.refused) check_refusal(name, &m);
        else check_everywhere(name, &m);
        graph_close(&m.g);
        n++;
    }
    assert_true(n >= 10);
    yyjson_doc_free(doc);
}

static void of_onnxruntime(void **state) {
    (void)state;
    check_operators("com.microsoft");
}

static void of_the_standard(void **state) {
    (void)state;
    check_operators("");
}

/* 2048 tokens have 16 MiB of scores; they never exist at once. Every query mixes the same values. */
static void long_texts(void **state) {
    enum { TOKENS = 2048, HIDDEN = 4 };
    static float rows[TOKENS * HIDDEN];
    const graph_attribute heads = {.name = "num_heads", .type = ATTRIBUTE_INT, .i = 1};
    made_case m = {.g = graph_create(), .n_outputs = 1};
    tensor x = {.type = DTYPE_FLOAT32, .rank = 3, .dims = {1, TOKENS, HIDDEN}, .data = rows}, out;
    interpreter *in = NULL;
    int32_t value, output, inputs[3];
    (void)state;
    for (size_t i = 0; i < TOKENS * HIDDEN; i++) rows[i] = (float)(i % HIDDEN);
    assert_true(m.g != NULL && graph_set_opset(m.g, "com.microsoft", 1));
    value = inputs[0] = inputs[1] = inputs[2] = graph_add_value(m.g, "x");
    m.g->values[value].type = DTYPE_FLOAT32;
    m.g->values[value].rank = -1;
    output = graph_add_value(m.g, "y");
    assert_true(graph_add_input(m.g, value) && graph_add_output(m.g, output));
    const int32_t node = graph_add_node(m.g, "MultiHeadAttention", "n", inputs, 3, &output, 1);
    m.g->nodes[node].domain = "com.microsoft";
    m.g->nodes[node].opset = 1;
    assert_int_equal(graph_add_attribute(m.g, node, &heads, &error), MINNOW_OK);
    for (size_t limit = 256u << 10; limit <= 2u << 20; limit *= 8) { /* too little, enough */
        const interpreter_options options = {.memory_limit_bytes = limit};
        assert_int_equal(interpreter_create(&in, m.g, &options, &error), MINNOW_OK);
        const minnow_status status = interpreter_run(in, &x, &out, NULL, &error);
        assert_int_equal(status, limit < 1u << 20 ? MINNOW_ERROR_MEMORY : MINNOW_OK);
        for (size_t i = 0; status == MINNOW_OK && i < TOKENS * HIDDEN; i++)
            assert_true(((float *)out.data)[i] - rows[i] < 1e-4f && rows[i] - ((float *)out.data)[i] < 1e-4f);
        interpreter_close(&in);
    }
    graph_close(&m.g);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(of_onnxruntime), cmocka_unit_test(of_the_standard),
                                       cmocka_unit_test(long_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
