/* SPDX-License-Identifier: Apache-2.0
 * One test, run: shapes inferred from what inputs declare, from their ranks and from their types alone; then its data
 * sets, fused and node by node. Outputs are compared as the package's own runner does it: same type and shape;
 * |ours - theirs| <= 1e-7 + 1e-3 |theirs|, NaN equal to NaN; booleans exactly. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "conformance.h"
#include "convert/interpret/interpreter.h"
#include "convert/math/math.h"
#include "convert/onnx/onnx.h"
#include "convert/onnx/reader.h"
#include "convert/shapes/infer.h"

#define RELATIVE 1e-3
#define ABSOLUTE 1e-7
#define MAX_TENSORS 64
#define MAX_MEMORY ((size_t)1 << 30)

static void fail(node_test *test, const char *format, ...) MINNOW_PRINTF(2, 3);
static void fail(node_test *test, const char *format, ...) {
    va_list arguments;
    test->verdict = FAILED;
    va_start(arguments, format);
    if (vsnprintf(test->reason, sizeof test->reason, format, arguments) < 0) test->reason[0] = '\0';
    va_end(arguments);
}

/* The package's data hold bfloat16 as the 16 bits that it is, under the name of uint16, and are compared as such. */
static dtype type_as_held(dtype t) { return t == DTYPE_BFLOAT16 ? DTYPE_UINT16 : t; }

static double element(const tensor *t, size_t i) {
    switch (t->type) {
    case DTYPE_FLOAT32: return (double)((const float *)t->data)[i];
    case DTYPE_FLOAT64: return ((const double *)t->data)[i];
    case DTYPE_FLOAT16: return (double)math_half_to_float(((const uint16_t *)t->data)[i]);
    case DTYPE_INT8: return ((const int8_t *)t->data)[i];
    case DTYPE_INT16: return ((const int16_t *)t->data)[i];
    case DTYPE_INT32: return ((const int32_t *)t->data)[i];
    case DTYPE_INT64: return (double)((const int64_t *)t->data)[i];
    case DTYPE_UINT16: return ((const uint16_t *)t->data)[i];
    case DTYPE_UINT32: return ((const uint32_t *)t->data)[i];
    case DTYPE_UINT64: return (double)((const uint64_t *)t->data)[i];
    default: return ((const uint8_t *)t->data)[i]; /* uint8, bool */
    }
}

static int is_close(dtype type, double ours, double theirs) {
    if (ours == theirs || (ours != ours && theirs != theirs)) return 1;
    const double off = ours > theirs ? ours - theirs : theirs - ours, size = theirs < 0 ? -theirs : theirs;
    return type != DTYPE_BOOL && size <= 1.7976931348623157e308 && off <= ABSOLUTE + RELATIVE * size;
}

static int compare(node_test *test, size_t output, const tensor *made, const tensor *theirs) {
    char a[128], b[128];
    tensor held = *made;
    const tensor *ours = &held;
    held.type = type_as_held(made->type);
    if (ours->type != theirs->type || ours->rank != theirs->rank ||
        memcmp(ours->dims, theirs->dims, (size_t)theirs->rank * sizeof *theirs->dims) != 0) {
        fail(test, "output %zu is %s, not %s", output, tensor_describe(ours, a, sizeof a),
             tensor_describe(theirs, b, sizeof b));
        return 0;
    }
    for (size_t i = 0, n = tensor_count(theirs); i < n; i++) {
        const double x = element(ours, i), y = element(theirs, i);
        if (is_close(theirs->type, x, y)) continue;
        fail(test, "output %zu %s, element %zu: %.9g, not %.9g", output, tensor_describe(theirs, b, sizeof b), i, x, y);
        return 0;
    }
    return 1;
}

/* --- Files ------------------------------------------------------------------------------------------------------- */

typedef struct data_set {
    graph *memory; /* holds what had to be copied */
    file_map maps[2 * MAX_TENSORS];
    size_t n_maps;
    tensor inputs[MAX_TENSORS], outputs[MAX_TENSORS];
} data_set;

static minnow_status read_tensor(data_set *set, const char *folder, const char *kind, size_t i, tensor *out,
                                 minnow_error *error) {
    char path[512];
    reader r = {.g = set->memory};
    snprintf(path, sizeof path, "%s/%s_%zu.pb", folder, kind, i);
    TRY(file_map_open(&set->maps[set->n_maps], path, error));
    const file_map *map = &set->maps[set->n_maps++];
    const minnow_status status = reader_tensor(&r, wire_begin(map->data, map->bytes), out, error);
    return status == MINNOW_OK ? status : error_prefix(error, status, "%s", path);
}

static minnow_status data_set_open(data_set *set, const char *folder, const graph *g, minnow_error *error) {
    memset(set, 0, sizeof *set);
    if (g->n_inputs > MAX_TENSORS || g->n_outputs > MAX_TENSORS || (set->memory = graph_create()) == NULL)
        return error_set(error, MINNOW_ERROR_MEMORY, "%zu inputs, %zu outputs", g->n_inputs, g->n_outputs);
    for (size_t i = 0; i < g->n_inputs; i++) TRY(read_tensor(set, folder, "input", i, &set->inputs[i], error));
    for (size_t i = 0; i < g->n_outputs; i++) TRY(read_tensor(set, folder, "output", i, &set->outputs[i], error));
    for (size_t i = 0; i < g->n_inputs; i++)
        if (type_as_held(g->values[g->inputs[i]].type) == set->inputs[i].type)
            set->inputs[i].type = g->values[g->inputs[i]].type;
    return MINNOW_OK;
}

static void data_set_close(data_set *set) {
    graph_close(&set->memory);
    while (set->n_maps > 0) file_map_close(&set->maps[--set->n_maps]);
}

/* --- Shapes ------------------------------------------------------------------------------------------------------ */

/* How much of the inputs' shapes is told. */
typedef enum told { ALL, RANKS, NOTHING, N_TOLD } told;

/* Each axis of each input as a symbol of its own, "input 0 axis 1". */
static int name_axes(graph *g, size_t input) {
    graph_value *v = &g->values[g->inputs[input]];
    char name[48];
    for (int d = 0; d < v->rank; d++) {
        const int bytes = snprintf(name, sizeof name, "input %zu axis %d", input, d);
        v->dims[d].size = -1;
        v->dims[d].symbol = arena_string(&g->memory, name, (size_t)bytes);
        if (v->dims[d].symbol == NULL) return 0;
    }
    return 1;
}

/* Infers without the file's word on what nodes make. */
static minnow_status infer(graph *g, told how, minnow_error *error) {
    for (size_t i = 0; i < g->n_values; i++) {
        if (g->values[i].producer < 0) continue;
        g->values[i].type = DTYPE_UNDEFINED;
        g->values[i].rank = -1;
    }
    for (size_t i = 0; i < g->n_inputs; i++) {
        if (how == NOTHING) g->values[g->inputs[i]].rank = -1;
        if (how == RANKS && !name_axes(g, i)) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    }
    return graph_infer_shapes(g, error);
}

/* What an inferred extent is in this data set; -1: not known, or computed from symbols. */
static int64_t extent_of(graph_dim dim, const tensor *inputs) {
    size_t input;
    int axis;
    char rest;
    if (dim.size >= 0 || dim.symbol == NULL) return dim.size;
    if (sscanf(dim.symbol, "input %zu axis %d%c", &input, &axis, &rest) != 2) return -1;
    return inputs[input].dims[axis];
}

/* The type has to be known, and what is known of the shape true. */
static int check_inferred(node_test *test, const graph *g, told how, const data_set *set) {
    static const char *const knowing[] = {"", "from ranks ", "from types "};
    for (size_t i = 0; i < g->n_outputs; i++) {
        const graph_value *v = &g->values[g->outputs[i]];
        const tensor *t = &set->outputs[i];
        if (type_as_held(v->type) != t->type) {
            fail(test, "output %zu inferred %sas %s, is %s", i, knowing[how], dtype_name(v->type), dtype_name(t->type));
            return 0;
        }
        if (v->rank >= 0 && v->rank != t->rank) {
            fail(test, "output %zu inferred %sof rank %d, is of %d", i, knowing[how], v->rank, t->rank);
            return 0;
        }
        for (int d = 0; d < v->rank; d++) {
            const int64_t extent = extent_of(v->dims[d], set->inputs);
            if (extent < 0 || extent == t->dims[d]) continue;
            fail(test, "output %zu inferred %s%lld along axis %d, is %lld", i, knowing[how], (long long)extent, d,
                 (long long)t->dims[d]);
            return 0;
        }
    }
    return 1;
}

static int check_shapes(node_test *test, const file_map *model, const data_set *set) {
    int fine = 1;
    for (told how = ALL; fine && how < N_TOLD; how++) {
        minnow_error error;
        graph *g = NULL;
        minnow_status status = onnx_read(&g, model->data, model->bytes, NULL, &error);
        if (status == MINNOW_OK) status = infer(g, how, &error);
        if (status != MINNOW_OK) fail(test, "%s", error.message);
        fine = status == MINNOW_OK && check_inferred(test, g, how, set);
        graph_close(&g);
    }
    return fine;
}

/* --- Running ----------------------------------------------------------------------------------------------------- */

static int run_set(node_test *test, const graph *g, const data_set *set, int no_fusion) {
    const interpreter_options options = {.memory_limit_bytes = MAX_MEMORY, .no_fusion = no_fusion};
    tensor outputs[MAX_TENSORS];
    interpreter *in = NULL;
    minnow_error error;
    minnow_status status = interpreter_create(&in, g, &options, &error);
    int fine = 1;
    if (status == MINNOW_OK) status = interpreter_run(in, set->inputs, outputs, NULL, &error);
    if (status != MINNOW_OK) fail(test, "%s", error.message);
    for (size_t i = 0; fine && status == MINNOW_OK && i < g->n_outputs; i++)
        fine = compare(test, i, &outputs[i], &set->outputs[i]);
    interpreter_close(&in);
    return fine && status == MINNOW_OK;
}

static int run_sets(node_test *test, const graph *g, const file_map *model, const char *folder) {
    for (unsigned number = 0;; number++) {
        char path[512];
        minnow_error error;
        data_set set;
        snprintf(path, sizeof path, "%s/test_data_set_%u", folder, number);
        if (!file_is_directory(path)) {
            if (number == 0) fail(test, "no data");
            return number > 0;
        }
        int fine = data_set_open(&set, path, g, &error) == MINNOW_OK;
        if (!fine) fail(test, "%s", error.message);
        fine = fine && check_shapes(test, model, &set);
        for (int no_fusion = 0; fine && no_fusion < 2; no_fusion++) fine = run_set(test, g, &set, no_fusion);
        data_set_close(&set);
        if (!fine) return 0;
    }
}

void check_test(node_test *test, const char *folder) {
    char path[512];
    minnow_error error;
    file_map model;
    graph *g = NULL;
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    minnow_status status = file_map_open(&model, path, &error);
    if (status != MINNOW_OK) {
        fail(test, "%s", error.message);
        return;
    }
    status = judge_model(test, model.data, model.bytes, &error);
    if (status == MINNOW_OK && test->verdict != EXCLUDED) {
        status = onnx_read(&g, model.data, model.bytes, NULL, &error);
        if (status == MINNOW_OK && run_sets(test, g, &model, folder)) test->verdict = PASSED;
        graph_close(&g);
    }
    if (status != MINNOW_OK) fail(test, "%s", error.message);
    file_map_close(&model);
}
