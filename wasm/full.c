/* SPDX-License-Identifier: Apache-2.0
 * The build-time reader and the reference interpreter as a WASM module's exports (full.h). */
#include "full.h"

#include <string.h>

#include "base/memory.h"
#include "convert/interpret/interpreter.h"
#include "convert/onnx/onnx.h"
#include "convert/shapes/infer.h"

_Static_assert(MINNOW_FULL_MAX_RANK == TENSOR_MAX_RANK, "full.h says how many dims there are");

static minnow_error error;
static graph *g;
static interpreter *in;
static void *file;           /* NULL: the caller's */
static tensor *inputs;       /* [g->n_inputs], data ours */
static size_t *capacities;   /* [g->n_inputs], bytes of inputs[i].data */
static tensor *results;      /* [g->n_outputs] */
static int has_results;
static minnow_full_value value;

const char *WASM_EXPORT(minnow_full_error)(void) { return error.message; }

void WASM_EXPORT(minnow_full_close)(void) {
    for (size_t i = 0; g != NULL && inputs != NULL && i < g->n_inputs; i++) memory_aligned_free(inputs[i].data);
    inputs = NULL; /* they and the rest of the arrays lie in the graph's arena */
    capacities = NULL;
    results = NULL;
    has_results = 0;
    interpreter_close(&in);
    graph_close(&g);
    memory_aligned_free(file);
    file = NULL;
}

static minnow_status open_graph(void *data, size_t bytes, int owned, size_t memory_limit) {
    const interpreter_options options = {.memory_limit_bytes = memory_limit, .packs_in_place = owned};
    if (owned) TRY(onnx_read_owned(&g, data, bytes, &error));
    else TRY(onnx_read(&g, data, bytes, NULL, &error));
    inputs = arena_array(&g->memory, g->n_inputs, sizeof *inputs);
    capacities = arena_array(&g->memory, g->n_inputs, sizeof *capacities);
    results = arena_array(&g->memory, g->n_outputs, sizeof *results);
    if (inputs == NULL || capacities == NULL || results == NULL)
        return error_set(&error, MINNOW_ERROR_MEMORY, "out of memory");
    TRY(graph_infer_shapes(g, &error));
    return interpreter_create(&in, g, &options, &error);
}

minnow_status WASM_EXPORT(minnow_full_open)(void *data, size_t bytes, int owned, size_t memory_limit) {
    minnow_status status;
    minnow_full_close();
    file = owned ? data : NULL;
    status = open_graph(data, bytes, owned, memory_limit);
    if (status != MINNOW_OK) minnow_full_close();
    return status;
}

uint32_t WASM_EXPORT(minnow_full_n_inputs)(void) { return g != NULL ? (uint32_t)g->n_inputs : 0; }
uint32_t WASM_EXPORT(minnow_full_n_outputs)(void) { return g != NULL ? (uint32_t)g->n_outputs : 0; }

/* Sizes of 2^31 and more are declared by nobody who can run here: they count as unknown. */
static int32_t dim_of(int64_t size) { return size >= 0 && size <= INT32_MAX ? (int32_t)size : -1; }

static const minnow_full_value *declared(const graph_value *v) {
    memset(&value, 0, sizeof value);
    value.name = v->name;
    value.type = (uint32_t)v->type;
    value.rank = v->rank;
    for (int d = 0; d < v->rank; d++) {
        value.dims[d] = dim_of(v->dims[d].size);
        value.symbols[d] = v->dims[d].size < 0 ? v->dims[d].symbol : NULL;
    }
    return &value;
}

const minnow_full_value *WASM_EXPORT(minnow_full_input)(uint32_t i) {
    return i < minnow_full_n_inputs() ? declared(&g->values[g->inputs[i]]) : NULL;
}

const minnow_full_value *WASM_EXPORT(minnow_full_output)(uint32_t i) {
    return i < minnow_full_n_outputs() ? declared(&g->values[g->outputs[i]]) : NULL;
}

const minnow_full_value *WASM_EXPORT(minnow_full_result)(uint32_t i) {
    const tensor *t;
    if (!has_results || i >= minnow_full_n_outputs() || results[i].type == DTYPE_UNDEFINED) return NULL;
    t = &results[i];
    memset(&value, 0, sizeof value);
    value.name = g->values[g->outputs[i]].name;
    value.type = (uint32_t)t->type;
    value.rank = t->rank;
    for (int d = 0; d < t->rank; d++) value.dims[d] = dim_of(t->dims[d]);
    value.data = t->data;
    value.bytes = tensor_bytes(t);
    return &value;
}

static void *set(uint32_t i, dtype type, int rank, const int32_t *dims) {
    tensor *t = &inputs[i];
    int64_t wide[TENSOR_MAX_RANK] = {0};
    size_t count, bytes;
    for (int d = 0; d < rank && d < TENSOR_MAX_RANK; d++) wide[d] = dims[d];
    if (tensor_check_shape(type, rank, wide, &count, &error) != MINNOW_OK) return NULL;
    bytes = count * dtype_bytes(type);
    if (t->data == NULL || bytes > capacities[i]) {
        memory_aligned_free(t->data);
        capacities[i] = 0;
        t->data = memory_aligned_alloc(bytes);
        if (t->data == NULL) {
            error_set(&error, MINNOW_ERROR_MEMORY, "out of memory for %zu bytes", bytes);
            return NULL;
        }
        capacities[i] = bytes;
    }
    t->type = type;
    t->rank = rank;
    memcpy(t->dims, wide, sizeof wide);
    return t->data;
}

void *WASM_EXPORT(minnow_full_set)(uint32_t i, uint32_t type, uint32_t rank, const int32_t *dims) {
    void *data;
    has_results = 0;
    if (i >= minnow_full_n_inputs()) {
        error_set(&error, MINNOW_ERROR_ARGUMENT, "no input %u", (unsigned)i);
        return NULL;
    }
    data = set(i, (dtype)(type <= INT16_MAX ? type : 0), (int)(rank <= INT16_MAX ? rank : INT16_MAX), dims);
    if (data == NULL) error_prefix(&error, error.status, "input '%s'", g->values[g->inputs[i]].name);
    return data;
}

minnow_status WASM_EXPORT(minnow_full_run)(const uint8_t *wanted) {
    minnow_status status;
    has_results = 0;
    if (in == NULL) return error_set(&error, MINNOW_ERROR_ARGUMENT, "no graph is open");
    for (size_t i = 0; i < g->n_inputs; i++)
        if (inputs[i].type == DTYPE_UNDEFINED)
            return error_set(&error, MINNOW_ERROR_ARGUMENT, "input '%s' is not set", g->values[g->inputs[i]].name);
    status = interpreter_run(in, inputs, results, wanted, &error);
    has_results = status == MINNOW_OK;
    return status;
}
