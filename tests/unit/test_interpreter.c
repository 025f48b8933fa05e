/* SPDX-License-Identifier: Apache-2.0
 * The interpreter, operator by operator, from a table of made cases (interpreter_cases.h); each runs with and without
 * fusion, with 1, 2 and 5 threads and on every tier, and must give the same bits. Then chains, limits, and what a run
 * checks. */
#include <inttypes.h>
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
#include "interpreter_cases.h"
#include "quantized_cases.h"

#define MAX_INPUTS 14
#define MAX_ELEMENTS 4096

/* --- Tensors and attributes from text ----------------------------------------------------------------------------- */

/* "float32[2,3] 1 2 3 4 5 6"; numbers repeat from the first when they run out. */
static tensor parse_tensor(const char *text, double *numbers, size_t *n_numbers) {
    tensor t = {0};
    char name[16] = "";
    size_t n = strcspn(text, "[");
    assert_true(n < sizeof name);
    memcpy(name, text, n);
    for (int type = 1; type <= DTYPE_BFLOAT16; type++)
        if (strcmp(dtype_name((dtype)type), name) == 0) t.type = (dtype)type;
    assert_int_not_equal(t.type, DTYPE_UNDEFINED);
    char *p = (char *)(uintptr_t)text + n + 1;
    while (*p != ']') {
        t.dims[t.rank++] = strtoll(p, &p, 10);
        if (*p == ',') p++;
    }
    p++;
    *n_numbers = 0;
    for (;;) {
        char *end;
        const double x = strtod(p, &end);
        if (end == p) break;
        assert_true(*n_numbers < MAX_ELEMENTS);
        numbers[(*n_numbers)++] = x;
        p = end;
    }
    while (*p == ' ') p++;
    assert_int_equal(*p, '\0');
    return t;
}

static tensor make_tensor(const char *text) {
    double numbers[MAX_ELEMENTS];
    size_t n_numbers;
    tensor t = parse_tensor(text, numbers, &n_numbers);
    const size_t n = tensor_count(&t);
    t.data = calloc(n + 1, dtype_bytes(t.type));
    assert_non_null(t.data);
    assert_true(n == 0 || n_numbers > 0);
    for (size_t i = 0; i < n; i++)
        lanes_cast(DTYPE_FLOAT64, &numbers[i % n_numbers], t.type, (char *)t.data + i * dtype_bytes(t.type), 1);
    return t;
}

/* "axis=-1 perm=0,2,1 epsilon=0.5f mode=edge split=3," */
static void add_attributes(graph *g, int32_t node, const char *text) {
    char copy[256];
    char *p, *next;
    if (!text) return;
    snprintf(copy, sizeof copy, "%s", text);
    for (p = copy; *p; p = next) {
        int64_t ints[16];
        graph_attribute a = {0};
        minnow_error error;
        size_t n = strcspn(p, " ");
        next = p + n + (p[n] != '\0');
        p[n] = '\0';
        char *value = strchr(p, '=');
        assert_non_null(value);
        *value++ = '\0';
        a.name = p;
        if (strchr("-0123456789", *value) == NULL || *value == '\0') {
            a.type = ATTRIBUTE_STRING;
            a.s = value;
            a.s_bytes = strlen(value);
        } else if (strchr(value, ',')) {
            a.type = ATTRIBUTE_INTS;
            a.ints = ints;
            while (*value) {
                ints[a.n++] = strtoll(value, &value, 10);
                if (*value == ',') value++;
            }
        } else if (strchr(value, 'f')) {
            a.type = ATTRIBUTE_FLOAT;
            a.f = strtof(value, NULL);
        } else {
            a.type = ATTRIBUTE_INT;
            a.i = strtoll(value, NULL, 10);
        }
        assert_int_equal(graph_add_attribute(g, node, &a, &error), MINNOW_OK);
    }
}

/* --- One case ----------------------------------------------------------------------------------------------------- */

typedef struct built {
    graph *g;
    tensor inputs[MAX_INPUTS]; /* of the graph's inputs */
} built;

static int32_t add_input(graph *g, const char *name, dtype type) {
    const int32_t v = graph_add_value(g, name);
    assert_true(v >= 0);
    g->values[v].type = type;
    g->values[v].rank = -1;
    g->inputs[g->n_inputs++] = v;
    return v;
}

static graph *new_graph(void) {
    graph *g = graph_create();
    assert_non_null(g);
    g->inputs = arena_array(&g->memory, 16, sizeof *g->inputs);
    g->outputs = arena_array(&g->memory, 16, sizeof *g->outputs);
    assert_true(g->inputs && g->outputs);
    return g;
}

static int32_t add_output_of(graph *g, const char *op_type, const char *attributes, int64_t opset, const int32_t *in,
                             size_t n_in,
                             const char *name) {
    const int32_t out = graph_add_value(g, name);
    const int32_t node = graph_add_node(g, op_type, "", in, n_in, &out, 1);
    assert_true(out >= 0 && node >= 0);
    g->nodes[node].opset = opset;
    add_attributes(g, node, attributes);
    return out;
}

static void build_case(const interpreter_case *k, built *b) {
    int32_t in[MAX_INPUTS], out[4];
    size_t n_in = 0, n_out = 0;
    memset(b, 0, sizeof *b);
    b->g = new_graph();
    for (; n_in < MAX_INPUTS && k->inputs[n_in]; n_in++) {
        char name[8];
        in[n_in] = GRAPH_NO_VALUE;
        if (k->inputs[n_in][0] == '-') continue;
        snprintf(name, sizeof name, "x%zu", n_in);
        const tensor t = make_tensor(k->inputs[n_in]);
        b->inputs[b->g->n_inputs] = t;
        in[n_in] = add_input(b->g, name, t.type);
    }
    for (; n_out < 4 && (k->outputs[n_out] || n_out == 0); n_out++) {
        char name[8];
        snprintf(name, sizeof name, "y%zu", n_out);
        out[n_out] = graph_add_value(b->g, name);
        b->g->outputs[b->g->n_outputs++] = out[n_out];
    }
    const char *domain = strchr(k->op, ':');
    const int32_t node = graph_add_node(b->g, domain ? domain + 1 : k->op, "", in, n_in, out, n_out);
    assert_true(node >= 0);
    b->g->nodes[node].opset = k->opset;
    if (domain) b->g->nodes[node].domain = "com.microsoft";
    add_attributes(b->g, node, k->attributes);
}

static void free_case(built *b) {
    for (size_t i = 0; i < MAX_INPUTS; i++) free(b->inputs[i].data);
    graph_close(&b->g);
}

static void check_output(const interpreter_case *k, const tensor *got, const char *wanted) {
    double numbers[MAX_ELEMENTS];
    size_t n;
    const tensor t = parse_tensor(wanted, numbers, &n);
    char described[128];
    tensor_describe(got, described, sizeof described);
    int same = got->type == t.type && got->rank == t.rank;
    for (int d = 0; same && d < t.rank; d++) same = got->dims[d] == t.dims[d];
    if (!same) fail_msg("%s(%s): %s, expected %s", k->op, k->attributes ? k->attributes : "", described, wanted);
    for (size_t i = 0; i < tensor_count(got); i++) {
        const double x = ops_scalar_f64(got, i), y = numbers[i % n];
        const double size = y < 0 ? -y : y, difference = x < y ? y - x : x - y;
        const double allowed = got->type == DTYPE_FLOAT16 || got->type == DTYPE_BFLOAT16 ? 1e-2 * size
            : 2e-6 * (size > 1 ? size : 1);
        if (x != y && !(difference <= allowed) && !(x != x && y != y))
            fail_msg("%s(%s): element %zu is %.9g, expected %s", k->op, k->attributes ? k->attributes : "", i, x,
                     wanted);
    }
}

/* Runs the graph; a checksum of the outputs' bits and shapes, or 0 and the status. */
static uint64_t run_graph(const graph *g, const tensor *inputs, const interpreter_options *options, tensor *outputs,
                          interpreter **kept, minnow_status *status, minnow_error *error) {
    interpreter *in = NULL;
    uint64_t h = 1469598103934665603u;
    *status = interpreter_create(&in, g, options, error);
    if (*status == MINNOW_OK) *status = interpreter_run(in, inputs, outputs, NULL, error);
    for (size_t o = 0; *status == MINNOW_OK && o < g->n_outputs; o++) {
        for (int d = 0; d < outputs[o].rank; d++) h = (h ^ (uint64_t)outputs[o].dims[d]) * 1099511628211u;
        for (size_t i = 0; i < tensor_bytes(&outputs[o]); i++)
            h = (h ^ ((uint8_t *)outputs[o].data)[i]) * 1099511628211u;
    }
    if (kept && *status == MINNOW_OK) *kept = in;
    else interpreter_close(&in);
    return *status == MINNOW_OK ? h : 0;
}

/* Unfused, with more threads, on the other tiers: the same bits or the same refusal. */
static void check_everywhere(const char *what, const graph *g, const tensor *inputs, uint64_t hash,
                             minnow_status expected) {
    tensor outputs[16];
    minnow_error error;
    minnow_status status;
    const cpu_tier best = cpu_best_tier();
    assert_true(g->n_outputs <= 16);
    if (run_graph(g, inputs, &(interpreter_options){.no_fusion = 1}, outputs, NULL, &status, &error) != hash ||
        status != expected)
        fail_msg("%s: differs without fusion", what);
    for (size_t threads = 2; threads <= 5; threads += 3) {
        thread_pool *pool = NULL;
        assert_int_equal(thread_pool_create(&pool, threads, &error), MINNOW_OK);
        if (run_graph(g, inputs, &(interpreter_options){.pool = pool}, outputs, NULL, &status, &error) != hash ||
            status != expected)
            fail_msg("%s: differs with %zu threads", what, threads);
        thread_pool_close(&pool);
    }
    for (int tier = 0; tier < CPU_TIER_COUNT; tier++) {
        if ((int)cpu_base_tier((cpu_tier)tier) != tier || !cpu_force_tier((cpu_tier)tier)) continue;
        if (run_graph(g, inputs, NULL, outputs, NULL, &status, &error) != hash || status != expected)
            fail_msg("%s: differs on tier %s", what, cpu_tier_name((cpu_tier)tier));
    }
    cpu_force_tier(best);
}

static void run_case(const interpreter_case *k) {
    built b;
    tensor outputs[4];
    interpreter *in = NULL;
    minnow_error error = {0};
    minnow_status status;
    build_case(k, &b);
    const uint64_t hash = run_graph(b.g, b.inputs, NULL, outputs, &in, &status, &error);
    if (k->outputs[0]) {
        if (status) fail_msg("%s(%s): %s", k->op, k->attributes ? k->attributes : "", error.message);
        for (size_t o = 0; o < b.g->n_outputs; o++) check_output(k, &outputs[o], k->outputs[o]);
    } else {
        if (!status || !strstr(error.message, k->refused))
            fail_msg("%s(%s): '%s' is not in '%s'", k->op, k->attributes ? k->attributes : "", k->refused,
                     error.message);
        assert_null(strchr(error.message, '\n'));
    }
    check_everywhere(k->op, b.g, b.inputs, hash, status);
    interpreter_close(&in);
    free_case(&b);
}

static void operators(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) run_case(&cases[i]);
}

static void quantized_operators(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof quantized_cases / sizeof *quantized_cases; i++) run_case(&quantized_cases[i]);
}

/* --- Chains: the same bits as their nodes ------------------------------------------------------------------------- */

static uint64_t seed = 1;

static float next_float(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)((int64_t)(seed >> 40) - (1 << 23)) / 4194304.0f;
}

static tensor random_tensor(int rank, const int64_t *dims) {
    tensor t = {.type = DTYPE_FLOAT32, .rank = rank};
    memcpy(t.dims, dims, (size_t)rank * sizeof *dims);
    t.data = malloc(tensor_bytes(&t) + 4);
    assert_non_null(t.data);
    for (size_t i = 0; i < tensor_count(&t); i++) ((float *)t.data)[i] = next_float();
    return t;
}

static int32_t add_constant(graph *g, const char *name, const tensor *t) {
    tensor own = *t;
    own.data = arena_alloc(&g->memory, tensor_bytes(t));
    assert_non_null(own.data);
    memcpy(own.data, t->data, tensor_bytes(t));
    const int32_t v = graph_add_constant(g, name, &own);
    assert_true(v >= 0);
    return v;
}

static int32_t add_scalar(graph *g, const char *name, float x) {
    const tensor t = {.type = DTYPE_FLOAT32, .data = &x};
    return add_constant(g, name, &t);
}

static int32_t add_random_constant(graph *g, const char *name, int rank, const int64_t *dims) {
    tensor t = random_tensor(rank, dims);
    const int32_t v = add_constant(g, name, &t);
    free(t.data);
    return v;
}

#define NODE_IN(graph, op, attributes, name, ...)                                                                   \
    add_output_of(graph, op, attributes, 17, (const int32_t[]){__VA_ARGS__},                                        \
                  sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t), name)
#define NODE(op, attributes, name, ...) NODE_IN(g, op, attributes, name, __VA_ARGS__)

static void check_chain(const char *what, graph *g, const tensor *inputs) {
    tensor outputs[16];
    minnow_error error;
    minnow_status status;
    const uint64_t hash = run_graph(g, inputs, NULL, outputs, NULL, &status, &error);
    if (status) fail_msg("%s: %s", what, error.message);
    check_everywhere(what, g, inputs, hash, MINNOW_OK);
}

/* x W + bias, gelu, + residual; the bias as vector or scalar, the residual of the right shape or broadcast. */
static void linear_chains(void **state) {
    static const int64_t sizes[][3] = {{1, 5, 3}, {7, 16, 48}, {37, 48, 70}, {130, 64, 193}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int variant = 0; variant < 8; variant++) {
            const int64_t m = sizes[i][0], k = sizes[i][1], n = sizes[i][2];
            graph *g = new_graph();
            const int32_t x = add_input(g, "x", DTYPE_FLOAT32), r = add_input(g, "r", DTYPE_FLOAT32);
            const int32_t w = add_random_constant(g, "w", 2, (const int64_t[]){k, n});
            const int32_t bias = add_random_constant(g, "b", 1, (const int64_t[]){variant & 1 ? n : 1});
            const int32_t p = NODE("MatMul", NULL, "p", x, w), h = NODE("Add", NULL, "h", bias, p);
            const int32_t d = NODE("Div", NULL, "d", h, add_scalar(g, "c", 1.41421354f)), e = NODE("Erf", NULL, "e", d);
            const int32_t a = NODE("Add", NULL, "a", e, add_scalar(g, "one", 1.0f)), mul = NODE("Mul", NULL, "m", h, a);
            const int32_t y = NODE("Mul", NULL, "y", mul, add_scalar(g, "half", 0.5f)), z = NODE("Add", NULL, "z", y,
                    r);
            g->outputs[g->n_outputs++] = z;
            if (variant & 4) g->outputs[g->n_outputs++] = h; /* seen from outside: no chain */
            tensor inputs[2] = {random_tensor(3, (const int64_t[]){1, m, k}),
                                random_tensor(3, (const int64_t[]){1, variant & 2 ? m : 1, n})};
            check_chain("linear", g, inputs);
            free(inputs[0].data);
            free(inputs[1].data);
            graph_close(&g);
        }
    }
}

/* Attention as torch writes it: transposes, scale, mask, softmax, product, transpose back. */
static void attention_chains(void **state) {
    static const int64_t sizes[][4] = {{1, 1, 1, 4}, {2, 3, 9, 8}, {1, 4, 70, 32}, {3, 2, 129, 16}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int variant = 0; variant < 4; variant++) {
            const int64_t batch = sizes[i][0], heads = sizes[i][1], s = sizes[i][2], d = sizes[i][3];
            graph *g = new_graph();
            const int32_t q = add_input(g, "q", DTYPE_FLOAT32), k = add_input(g, "k", DTYPE_FLOAT32);
            const int32_t v = add_input(g, "v", DTYPE_FLOAT32), mask = add_input(g, "mask", DTYPE_FLOAT32);
            const int32_t qt = NODE("Transpose", "perm=0,2,1,3", "qt", q), kt = NODE("Transpose", "perm=0,2,3,1", "kt",
                                                                                     k);
            const int32_t vt = NODE("Transpose", "perm=0,2,1,3", "vt", v), p = NODE("MatMul", NULL, "p", qt, kt);
            const int32_t c = add_scalar(g, "c", 5.65685415f);
            const int32_t scaled = NODE(variant & 1 ? "Div" : "Mul", NULL, "scaled", p, c);
            const int32_t masked = NODE("Add", NULL, "masked", scaled, mask), soft = NODE("Softmax", "axis=-1", "soft",
                                                                                          masked);
            const int32_t o = NODE("MatMul", NULL, "o", soft, vt), ot = NODE("Transpose", "perm=0,2,1,3", "ot", o);
            g->outputs[g->n_outputs++] = ot;
            const int64_t dims[4] = {batch, s, heads, d}, mask_dims[4] = {variant & 2 ? batch : 1, 1, variant & 2 ? s
                                                                          : 1, s};
            tensor inputs[4] = {random_tensor(4, dims), random_tensor(4, dims), random_tensor(4, dims),
                                random_tensor(4, mask_dims)};
            check_chain("attention", g, inputs);
            for (int t = 0; t < 4; t++) free(inputs[t].data);
            graph_close(&g);
        }
    }
}

/* A transposed value that many read, some as a view, some dense, and that is an output. */
static void strided_values(void **state) {
    (void)state;
    graph *g = new_graph();
    const int32_t x = add_input(g, "x", DTYPE_FLOAT32);
    const int32_t t = NODE("Transpose", "perm=1,0", "t", x), p = NODE("MatMul", NULL, "p", t, x);
    const int32_t r = NODE("Relu", NULL, "r", t), tt = NODE("Transpose", NULL, "tt", t), s = NODE("Shape", NULL, "s",
            t);
    const int32_t pt = NODE("MatMul", NULL, "pt", x, t), i = NODE("Identity", NULL, "i", x);
    const int32_t all[] = {t, p, r, tt, s, pt, i, x};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) g->outputs[g->n_outputs++] = all[k];
    tensor input = random_tensor(2, (const int64_t[]){19, 23});
    check_chain("strided", g, &input);
    free(input.data);
    graph_close(&g);
}

/* Bytes as a constant; zero points and codes. */
static int32_t add_codes(graph *g, const char *name, dtype type, int rank, const int64_t *dims) {
    tensor t = {.type = type, .rank = rank};
    if (rank) memcpy(t.dims, dims, (size_t)rank * sizeof *dims);
    uint8_t *bytes = t.data = malloc(tensor_count(&t) + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < tensor_count(&t); i++) bytes[i] = (uint8_t)(next_float() * 63.0f + 128.0f);
    const int32_t v = add_constant(g, name, &t);
    free(bytes);
    return v;
}

/* float(MatMulInteger of x's codes) * scale + bias, gelu, + residual; weights of both types, one zero point or one a
 * column or none, one scale or one a column. */
static void integer_chains(void **state) {
    static const int64_t sizes[][3] = {{1, 5, 3}, {7, 16, 48}, {37, 48, 70}, {130, 64, 193}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int variant = 0; variant < 24; variant++) {
            const int64_t m = sizes[i][0], k = sizes[i][1], n = sizes[i][2];
            const dtype type = variant & 1 ? DTYPE_INT8 : DTYPE_UINT8;
            graph *g = new_graph();
            const int32_t x = add_input(g, "x", DTYPE_FLOAT32), r = add_input(g, "r", DTYPE_FLOAT32);
            const int32_t w = add_codes(g, "w", type, 2, (const int64_t[]){k, n});
            const int32_t zero = variant % 3 == 0 ? GRAPH_NO_VALUE
                : add_codes(g, "z", type, variant % 3 - 1, (const int64_t[]){n});
            const int32_t scale = add_random_constant(g, "s", variant >> 1 & 1, (const int64_t[]){n});
            const int32_t bias = add_random_constant(g, "b", 1, (const int64_t[]){n});
            const int32_t codes[] = {graph_add_value(g, "c"), graph_add_value(g, "cs"), graph_add_value(g, "cz")};
            const int32_t node = graph_add_node(g, "DynamicQuantizeLinear", "", &x, 1, codes, 3);
            g->nodes[node].opset = 17;
            const int32_t both = NODE("Mul", NULL, "both", codes[1], scale);
            const int32_t p = NODE("MatMulInteger", NULL, "p", codes[0], w, codes[2], zero);
            int32_t y = NODE("Mul", NULL, "f", NODE("Cast", "to=1", "q", p), both);
            y = NODE("Add", NULL, "h", bias, y);
            if (variant & 4) y = NODE("Gelu", NULL, "e", y);
            if (variant & 4) g->nodes[g->values[y].producer].opset = 20;
            if (variant & 8) y = NODE("Add", NULL, "y", y, r);
            g->outputs[g->n_outputs++] = y;
            tensor inputs[2] = {random_tensor(3, (const int64_t[]){2, m, k}),
                                random_tensor(3, (const int64_t[]){2, m, n})};
            check_chain("an integer chain", g, inputs);
            free(inputs[0].data);
            free(inputs[1].data);
            graph_close(&g);
        }
    }
}

/* y = Q(DQ(a) DQ(B)) against the same operators with a scale that is an input, so that nothing is rewritten: exact sums
 * are near the sums of floats, codes differ by one at most. */
static void dequantized_products(void **state) {
    (void)state;
    for (int variant = 0; variant < 8; variant++) {
        const int64_t m = 9, k = 40, n = 21;
        const dtype type = variant & 1 ? DTYPE_INT8 : DTYPE_UINT8;
        tensor outputs[2][2];
        interpreter *in[2] = {NULL, NULL};
        graph *g[2];
        tensor a = {.type = DTYPE_UINT8, .rank = 3, .dims = {2, m, k}};
        uint8_t *bytes = a.data = malloc(tensor_count(&a));
        assert_non_null(bytes);
        for (size_t i = 0; i < tensor_count(&a); i++) bytes[i] = (uint8_t)(i * 37 % 251);
        const uint64_t start = seed;
        for (int plain = 0; plain < 2; plain++) {
            minnow_error error;
            seed = start; /* the same constants */
            g[plain] = new_graph();
            graph *h = g[plain];
            const int32_t x = add_input(h, "x", DTYPE_UINT8);
            const int32_t w = add_codes(h, "w", type, 2, (const int64_t[]){k, n});
            const int32_t xz = add_codes(h, "xz", DTYPE_UINT8, 0, NULL), wz = add_codes(h, "wz", type, 0, NULL);
            const int32_t yz = add_codes(h, "yz", DTYPE_UINT8, 0, NULL);
            const int32_t ws = add_scalar(h, "ws", 0.013f), ys = add_scalar(h, "ys", 7.1f);
            /* Steps that are inputs are known too late. */
            const int32_t xs = plain ? add_input(h, "xs", DTYPE_FLOAT32) : add_scalar(h, "xs", 0.021f);
            const int32_t xd = NODE_IN(h, "DequantizeLinear", NULL, "xd", x, xs, xz);
            const int32_t wd = NODE_IN(h, "DequantizeLinear", NULL, "wd", w, ws, wz);
            const int32_t p = NODE_IN(h, "MatMul", NULL, "p", xd, wd);
            h->outputs[h->n_outputs++] = NODE_IN(h, "QuantizeLinear", NULL, "y", p, ys, yz);
            if (variant & 2) h->outputs[h->n_outputs++] = p;
            float step = 0.021f;
            const tensor inputs[2] = {a, {.type = DTYPE_FLOAT32, .data = &step}};
            assert_int_equal(interpreter_create(&in[plain], h, NULL, &error), MINNOW_OK);
            if (interpreter_run(in[plain], inputs, outputs[plain], NULL, &error)) fail_msg("%s", error.message);
            if (!plain) check_chain("a dequantized product", h, inputs);
        }
        for (size_t i = 0; i < tensor_count(&outputs[0][0]); i++) {
            const int d = ((uint8_t *)outputs[0][0].data)[i] - ((uint8_t *)outputs[1][0].data)[i];
            assert_true(d >= -1 && d <= 1);
        }
        for (size_t i = 0; variant & 2 && i < tensor_count(&outputs[0][1]); i++) {
            const float d = ((float *)outputs[0][1].data)[i] - ((float *)outputs[1][1].data)[i];
            assert_true(d < 1e-3f && d > -1e-3f); /* of values up to 500 */
        }
        for (int plain = 0; plain < 2; plain++) {
            interpreter_close(&in[plain]);
            graph_close(&g[plain]);
        }
        free(bytes);
    }
}

/* Rows of a dequantized table, too large to be dequantized once for all; one scale, or one a row. */
static void dequantized_rows(void **state) {
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        const dtype type = variant & 1 ? DTYPE_INT8 : DTYPE_UINT8;
        const int64_t rows = 1000;
        graph *g = new_graph();
        const int32_t ids = add_input(g, "ids", DTYPE_INT64);
        const int32_t table = add_codes(g, "t", type, 2, (const int64_t[]){rows, 640});
        const int32_t zero = add_codes(g, "z", type, variant >> 1, &rows);
        tensor steps = {.type = DTYPE_FLOAT32, .rank = variant >> 1, .dims = {rows}};
        steps.data = malloc((size_t)rows * sizeof(float));
        assert_non_null(steps.data);
        for (int64_t i = 0; i < rows; i++) ((float *)steps.data)[i] = 0.25f + (float)(i % 8);
        const int32_t scale = add_constant(g, "s", &steps);
        const int32_t d = NODE("DequantizeLinear", "axis=0", "d", table, scale, zero);
        g->outputs[g->n_outputs++] = NODE("Gather", "axis=0", "y", d, ids);
        int64_t numbers[6] = {0, 999, -1, -1000, 17, 17};
        const tensor input = {.type = DTYPE_INT64, .rank = 2, .dims = {2, 3}, .data = numbers};
        check_chain("dequantized rows", g, &input);
        minnow_error error;
        interpreter *in = NULL;
        tensor y;
        assert_int_equal(interpreter_create(&in, g, NULL, &error), MINNOW_OK);
        assert_int_equal(interpreter_run(in, &input, &y, NULL, &error), MINNOW_OK);
        const uint8_t *codes = g->values[table].constant->data, *zeros = g->values[zero].constant->data;
        for (size_t i = 0; i < 6; i++) {
            const size_t row = (size_t)(numbers[i] < 0 ? numbers[i] + rows : numbers[i]), k = variant >> 1 ? row : 0;
            for (size_t j = 0; j < 640; j++) {
                const int difference = variant & 1 ? (int8_t)codes[row * 640 + j] - (int8_t)zeros[k]
                                                   : codes[row * 640 + j] - zeros[k];
                const float wanted = (float)difference * ((float *)steps.data)[k];
                assert_true(((float *)y.data)[i * 640 + j] == wanted);
            }
        }
        numbers[3] = 1000;
        assert_int_equal(interpreter_run(in, &input, &y, NULL, &error), MINNOW_ERROR_FORMAT);
        assert_non_null(strstr(error.message, "(Gather): index 1000 is outside an axis of 1000"));
        interpreter_close(&in);
        free(steps.data);
        graph_close(&g);
    }
}

/* Enough elements for every thread. */
static void long_rows(void **state) {
    (void)state;
    graph *g = new_graph();
    const int32_t x = add_input(g, "x", DTYPE_FLOAT32), y = add_input(g, "y", DTYPE_FLOAT32);
    const int32_t a = NODE("Add", NULL, "a", x, y), m = NODE("Mul", NULL, "m", y, a), e = NODE("Exp", NULL, "e", m);
    const int32_t t = NODE("Transpose", "perm=1,0", "t", e), f = NODE("Softmax", "axis=0", "f", t);
    const int32_t r = NODE("ReduceMean", "axes=0,", "r", a), c = NODE("Cast", "to=11", "c", a);
    const int32_t lt = NODE("Less", NULL, "lt", x, y), w = NODE("Where", NULL, "w", lt, a, m);
    const int32_t sum = NODE("ReduceLogSumExp", "axes=1,", "sum", m);
    const int32_t all[] = {f, r, c, w, sum};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) g->outputs[g->n_outputs++] = all[k];
    tensor inputs[2] = {random_tensor(2, (const int64_t[]){301, 467}), random_tensor(1, (const int64_t[]){467})};
    check_chain("long rows", g, inputs);
    free(inputs[0].data);
    free(inputs[1].data);
    graph_close(&g);
}

/* --- Runs --------------------------------------------------------------------------------------------------------- */

/* One interpreter, many shapes, the same answers in any order. */
static void shapes_change(void **state) {
    interpreter *in = NULL;
    minnow_error error;
    float first[64] = {0};
    (void)state;
    graph *g = new_graph();
    const int32_t x = add_input(g, "x", DTYPE_FLOAT32);
    const int32_t w = add_random_constant(g, "w", 2, (const int64_t[]){8, 8});
    const int32_t p = NODE("MatMul", NULL, "p", x, w), e = NODE("Exp", NULL, "e", p);
    g->outputs[g->n_outputs++] = NODE("Softmax", "axis=-1", "y", e);
    assert_int_equal(interpreter_create(&in, g, NULL, &error), MINNOW_OK);
    tensor input = random_tensor(2, (const int64_t[]){300, 8}), output;
    for (int64_t round = 0; round < 60; round++) {
        input.dims[0] = round * 37 % 300 + 1;
        assert_int_equal(interpreter_run(in, &input, &output, NULL, &error), MINNOW_OK);
        assert_int_equal(output.dims[0], input.dims[0]);
        if (round == 0) memcpy(first, output.data, 8 * sizeof(float));
        assert_memory_equal(first, output.data, 8 * sizeof(float));
    }
    input.dims[0] = 0;
    assert_int_equal(interpreter_run(in, &input, &output, NULL, &error), MINNOW_OK);
    free(input.data);
    interpreter_close(&in);
    graph_close(&g);
}

typedef struct seen {
    size_t nodes, stop_at;
} seen;

static minnow_status watch(void *context, const graph *g, size_t node, const tensor *outputs, size_t n_outputs,
                           minnow_error *error) {
    seen *s = context;
    (void)g;
    (void)node;
    assert_true(n_outputs == 1 && outputs[0].data != NULL);
    if (++s->nodes == s->stop_at) return error_set(error, MINNOW_ERROR_CANCELLED, "enough");
    return MINNOW_OK;
}

static void wanted_and_observed(void **state) {
    interpreter *in = NULL;
    minnow_error error;
    tensor outputs[2];
    seen s = {0};
    (void)state;
    graph *g = new_graph();
    const int32_t x = add_input(g, "x", DTYPE_FLOAT32);
    const int32_t a = NODE("Exp", NULL, "a", x), b = NODE("Transpose", "perm=1,0", "b", a);
    g->outputs[g->n_outputs++] = a;
    g->outputs[g->n_outputs++] = b;
    const interpreter_options options = {.observe = watch, .observe_context = &s, .no_fusion = 1};
    assert_int_equal(interpreter_create(&in, g, &options, &error), MINNOW_OK);
    tensor input = random_tensor(2, (const int64_t[]){2, 3});
    assert_int_equal(interpreter_run(in, &input, outputs, (const uint8_t[]){1, 0}, &error), MINNOW_OK);
    assert_int_equal(s.nodes, 1);
    assert_null(outputs[1].data);
    assert_int_equal(interpreter_run(in, &input, outputs, NULL, &error), MINNOW_OK);
    assert_int_equal(s.nodes, 3);
    assert_int_equal(outputs[1].dims[0], 3);
    s.stop_at = 4;
    assert_int_equal(interpreter_run(in, &input, outputs, NULL, &error), MINNOW_ERROR_CANCELLED);
    free(input.data);
    interpreter_close(&in);
    graph_close(&g);
}

static void inputs_are_checked(void **state) {
    interpreter *in = NULL;
    minnow_error error;
    tensor output;
    (void)state;
    graph *g = new_graph();
    const int32_t x = add_input(g, "x", DTYPE_FLOAT32), y = add_input(g, "y", DTYPE_FLOAT32);
    const int32_t ids[] = {x, y};
    for (int i = 0; i < 2; i++) {
        g->values[ids[i]].rank = 2;
        g->values[ids[i]].dims[0] = (graph_dim){-1, "batch"};
        g->values[ids[i]].dims[1] = (graph_dim){3, NULL};
    }
    g->outputs[g->n_outputs++] = NODE("Add", NULL, "z", x, y);
    assert_int_equal(interpreter_create(&in, g, NULL, &error), MINNOW_OK);
    tensor a = random_tensor(2, (const int64_t[]){4, 3}), inputs[2] = {a, a};
    assert_int_equal(interpreter_run(in, inputs, &output, NULL, &error), MINNOW_OK);
    inputs[1].dims[0] = 1;
    assert_int_equal(interpreter_run(in, inputs, &output, NULL, &error), MINNOW_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "input 'y': dim 0 (batch) is 1, but 4"));
    inputs[1] = a, inputs[1].dims[1] = 2;
    assert_int_equal(interpreter_run(in, inputs, &output, NULL, &error), MINNOW_ERROR_ARGUMENT);
    inputs[1] = a, inputs[1].rank = 1;
    assert_int_equal(interpreter_run(in, inputs, &output, NULL, &error), MINNOW_ERROR_ARGUMENT);
    inputs[1] = a, inputs[1].type = DTYPE_INT32;
    assert_int_equal(interpreter_run(in, inputs, &output, NULL, &error), MINNOW_ERROR_ARGUMENT);
    inputs[1] = a, inputs[1].data = NULL;
    assert_int_equal(interpreter_run(in, inputs, &output, NULL, &error), MINNOW_ERROR_ARGUMENT);
    inputs[1] = a;
    assert_int_equal(interpreter_run(in, inputs, &output, NULL, &error), MINNOW_OK);
    free(a.data);
    interpreter_close(&in);
    graph_close(&g);
}

static void limits(void **state) {
    static const struct { size_t memory; uint64_t work; minnow_status status; } tries[] = {
        {0, 0, MINNOW_OK}, {100000, 0, MINNOW_ERROR_MEMORY}, {0, 100000, MINNOW_ERROR_MEMORY},
            {1 << 20, 1 << 24, MINNOW_OK}};
    minnow_error error;
    tensor output;
    (void)state;
    graph *g = new_graph();
    const int32_t x = add_input(g, "x", DTYPE_FLOAT32);
    g->outputs[g->n_outputs++] = NODE("MatMul", NULL, "y", x, x);
    tensor input = random_tensor(2, (const int64_t[]){200, 200});
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        const interpreter_options options = {.memory_limit_bytes = tries[i].memory, .work_limit = tries[i].work};
        interpreter *in = NULL;
        assert_int_equal(interpreter_create(&in, g, &options, &error), MINNOW_OK);
        for (int round = 0; round < 3; round++)
            assert_int_equal(interpreter_run(in, &input, &output, NULL, &error), tries[i].status);
        interpreter_close(&in);
    }
    free(input.data);
    graph_close(&g);
}

static void operators_are_named(void **state) {
    interpreter *in = NULL;
    minnow_error error;
    (void)state;
    assert_true(interpreter_supports("", "MatMul", 17));
    assert_false(interpreter_supports("", "Gelu", 17));
    assert_true(interpreter_supports("", "Gelu", 20));
    assert_false(interpreter_supports("", "QuantumFoam", 17));
    graph *g = new_graph();
    const int32_t x = add_input(g, "x", DTYPE_FLOAT32);
    g->outputs[g->n_outputs++] = NODE("QuantumFoam", NULL, "y", x);
    assert_int_equal(interpreter_create(&in, g, NULL, &error), MINNOW_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "QuantumFoam"));
    assert_null(strchr(error.message, ';'));
    g->nodes[0].domain = "com.microsoft.nchwc";
    assert_int_equal(interpreter_create(&in, g, NULL, &error), MINNOW_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "'all' has layouts for one processor"));
    g->nodes[0].domain = "com.microsoft";
    g->nodes[0].op_type = "PackedAttention";
    assert_int_equal(interpreter_create(&in, g, NULL, &error), MINNOW_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "com.microsoft.PackedAttention of opset 17 not supported; optimize without"));
    assert_null(in);
    graph_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators), cmocka_unit_test(quantized_operators),
        cmocka_unit_test(integer_chains), cmocka_unit_test(dequantized_products),
        cmocka_unit_test(dequantized_rows),
        cmocka_unit_test(linear_chains),      cmocka_unit_test(attention_chains),
        cmocka_unit_test(strided_values),      cmocka_unit_test(long_rows),          cmocka_unit_test(shapes_change),
        cmocka_unit_test(wanted_and_observed), cmocka_unit_test(inputs_are_checked), cmocka_unit_test(limits),
        cmocka_unit_test(operators_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
