/* SPDX-License-Identifier: Apache-2.0
 * The run-time half of the library as a WASM module's exports (minnow_wasm.h). */
#include "minnow_wasm.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/sha256.h"
#include "api/model.h"

static minnow_error error;
static minnow_model *model;
static void *file;
static minnow_context *context;
static sha256_state sha;
static minnow_wasm_info info;
static struct { const char *isa; uint32_t n_threads, max_tokens, pooling, no_normalize; } made;

uint32_t WASM_EXPORT(minnow_wasm_abi)(void) { return MINNOW_WASM_ABI; }
const char *WASM_EXPORT(minnow_wasm_error)(void) { return error.message; }
void *WASM_EXPORT(minnow_wasm_allocate)(size_t bytes) { return memory_aligned_alloc(bytes); }
void WASM_EXPORT(minnow_wasm_release)(void *memory) { memory_aligned_free(memory); }
void WASM_EXPORT(minnow_wasm_sha256_begin)(void) { sha256_begin(&sha); }
void WASM_EXPORT(minnow_wasm_sha256_update)(const void *data, size_t bytes) { sha256_update(&sha, data, bytes); }
void WASM_EXPORT(minnow_wasm_sha256_end)(uint8_t *digest) { sha256_end(&sha, digest); }

void WASM_EXPORT(minnow_wasm_close)(void) {
    minnow_context_close(&context);
    minnow_model_close(&model);
    memory_aligned_free(file);
    file = NULL;
}

minnow_status WASM_EXPORT(minnow_wasm_open)(void *data, size_t bytes, int verified) {
    minnow_status status;
    (void)verified;
    minnow_wasm_close();
    file = data;
    status = minnow_model_open_memory(&model, data, bytes, NULL, &error);
    if (status == MINNOW_OK) status = minnow_wasm_configure(NULL, 0, 0, 0, 0);
    if (status != MINNOW_OK) minnow_wasm_close();
    return status;
}

const minnow_wasm_info *WASM_EXPORT(minnow_wasm_info_get)(void) {
    if (model == NULL) return NULL;
    info.dimensions = (uint32_t)minnow_model_dimensions(model);
    info.max_tokens = (uint32_t)minnow_model_max_tokens(model);
    info.max_positions = (uint32_t)model->max_positions;
    info.pooling = (uint32_t)model->pooling;
    info.isa = context != NULL ? (uint32_t)(uintptr_t)minnow_context_isa(context) : 0;
    info.n_threads = made.n_threads;
    return &info;
}

minnow_status WASM_EXPORT(minnow_wasm_configure)(const char *isa, uint32_t n_threads, uint32_t max_tokens,
                                                 uint32_t pooling, uint32_t no_normalize) {
    const minnow_context_options options = {.size = sizeof options, .isa = isa, .n_threads = n_threads ? n_threads : 1,
        .max_tokens = max_tokens, .pooling = (minnow_pooling)pooling, .no_normalize = (int)no_normalize};
    minnow_context *next = NULL;
    minnow_status status;
    if (context != NULL && made.isa == isa && made.n_threads == options.n_threads && made.max_tokens == max_tokens &&
        made.pooling == pooling && made.no_normalize == no_normalize)
        return MINNOW_OK;
    if (model == NULL) {
        error.status = MINNOW_ERROR_ARGUMENT;
        snprintf(error.message, sizeof error.message, "no model is open");
        return error.status;
    }
    status = minnow_context_create(&next, model, &options, &error);
    if (status != MINNOW_OK) return status;
    minnow_context_close(&context);
    context = next;
    made.isa = isa;
    made.n_threads = (uint32_t)options.n_threads;
    made.max_tokens = max_tokens;
    made.pooling = pooling;
    made.no_normalize = no_normalize;
    return MINNOW_OK;
}

const char *WASM_EXPORT(minnow_wasm_isa)(uint32_t index) { return minnow_isa(index); }

static uint32_t packed(const minnow_encoding *e) {
    return (uint32_t)e->n_tokens | (e->truncated ? MINNOW_WASM_TRUNCATED : 0);
}

minnow_status WASM_EXPORT(minnow_wasm_encode)(const char *texts, const uint32_t *offsets, uint32_t n, float *vectors,
                                              uint32_t *encodings) {
    const size_t dimensions = minnow_model_dimensions(model);
    for (uint32_t i = 0; i < n; i++) {
        minnow_encoding e;
        const minnow_status status = minnow_encode(context, texts + offsets[i], offsets[i + 1] - offsets[i],
                                                   vectors + i * dimensions, dimensions, &e, &error);
        if (status != MINNOW_OK) return status;
        encodings[i] = packed(&e);
    }
    return MINNOW_OK;
}

minnow_status WASM_EXPORT(minnow_wasm_encode_tokens)(const char *text, uint32_t bytes, float *vectors, uint32_t capacity,
                                                     uint32_t *encoding) {
    minnow_encoding e;
    const minnow_status status = minnow_encode_tokens(context, text, bytes, vectors, capacity, &e, &error);
    if (status == MINNOW_OK) *encoding = packed(&e);
    return status;
}

minnow_status WASM_EXPORT(minnow_wasm_tokenize)(const char *text, uint32_t bytes, uint32_t max_tokens, int32_t *ids,
                                                uint32_t capacity, uint32_t *n_ids) {
    size_t n = 0;
    int truncated = 0;
    const minnow_status status = minnow_tokenize(model, text, bytes, max_tokens, ids, capacity, &n, &truncated, &error);
    *n_ids = (uint32_t)n | (truncated ? MINNOW_WASM_TRUNCATED : 0);
    return status;
}
