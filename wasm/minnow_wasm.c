/* SPDX-License-Identifier: Apache-2.0
 * The run-time half of the library as a WASM module's exports (minnow_wasm.h): one model, one context, one caller. */
#include "minnow_wasm.h"

#include <stdlib.h>
#include <string.h>

#include "api/model.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "base/thread.h"
#include "instance.h"
#include "heap.h"
#include "run/kernels/kernels.h"
#include "run/model/format.h"
#if defined(__wasm_atomics__)
#include "base/thread_wasm.h"
#endif

static minnow_error error;
static sha256_state sha;

/* --- Memory ------------------------------------------------------------------------------------------------------- */

static void *or_error(void *memory, size_t bytes) {
    if (memory == NULL)
        error_set(&error, MINNOW_ERROR_MEMORY, "out of memory: %zu bytes asked for, and memory cannot grow so far",
                  bytes);
    return memory;
}

uint32_t WASM_EXPORT(minnow_wasm_abi)(void) { return MINNOW_WASM_ABI; }
const char *WASM_EXPORT(minnow_wasm_error)(void) { return error.message; }
void *WASM_EXPORT(minnow_wasm_allocate)(size_t bytes) { return or_error(memory_aligned_alloc(bytes), bytes); }
void *WASM_EXPORT(minnow_wasm_reallocate)(void *memory, size_t bytes) {
    return or_error(realloc(memory, bytes), bytes);
}
void WASM_EXPORT(minnow_wasm_release)(void *memory) { memory_aligned_free(memory); }
void WASM_EXPORT(minnow_wasm_memory_limit)(size_t bytes) { heap_limit(bytes); }
size_t WASM_EXPORT(minnow_wasm_memory_used)(void) { return heap_used(); }
void WASM_EXPORT(minnow_wasm_sha256_begin)(void) { sha256_begin(&sha); }
void WASM_EXPORT(minnow_wasm_sha256_update)(const void *data, size_t bytes) { sha256_update(&sha, data, bytes); }
void WASM_EXPORT(minnow_wasm_sha256_end)(uint8_t *digest) { sha256_end(&sha, digest); }

/* --- The model ---------------------------------------------------------------------------------------------------- */

static minnow_model *model;
static void *file; /* the model's */
static model_sums sums;  /* of the file at summed_file, which is coming in */
static const void *summed_file;

/* The context, its memory, which stays when another context takes its place, and what it was made of. */
static minnow_context *context;
static void *context_memory;
static size_t context_bytes;
typedef struct settings {
    char isa[32]; /* "": the fastest */
    uint32_t n_threads, max_tokens, pooling, no_normalize;
} settings;
static settings made;

void instance_close_context(void) { minnow_context_close(&context); }

static void release_context(void) {
    instance_close_context();
    memory_aligned_free(context_memory);
    context_memory = NULL;
    context_bytes = 0;
}

void WASM_EXPORT(minnow_wasm_close)(void) {
    release_context();
    minnow_model_close(&model);
    memory_aligned_free(file);
    file = NULL;
}

void WASM_EXPORT(minnow_wasm_sums)(const void *data, size_t available) {
    if (available == 0 || data != summed_file) memset(&sums, 0, sizeof sums);
    summed_file = data;
    model_sums_add(&sums, data, available);
}

/* Sums are of the bytes that are there now: good for one opening. */
static int take_sums(const void *data, size_t bytes) {
    const int right = data == summed_file && model_sums_right(&sums, data, bytes);
    summed_file = NULL;
    return right;
}

minnow_status WASM_EXPORT(minnow_wasm_open)(void *data, size_t bytes, int verified) {
    minnow_status status;
    if (data == file) file = NULL; /* it is opened again */
    minnow_wasm_close();
    if (data == NULL) return error_set(&error, MINNOW_ERROR_ARGUMENT, "no file to open: its address is 0");
    file = data;
    status = model_open_memory(&model, data, bytes, NULL, take_sums(data, bytes) || verified, &error);
    if (status != MINNOW_OK) minnow_wasm_close();
    return status;
}

const minnow_wasm_info *WASM_EXPORT(minnow_wasm_info_get)(void) {
    static minnow_wasm_info info;
    if (model == NULL) return NULL;
    info.dimensions = (uint32_t)minnow_model_dimensions(model);
    info.max_tokens = (uint32_t)minnow_model_max_tokens(model);
    info.max_positions = (uint32_t)model->max_positions;
    info.pooling = (uint32_t)model->pooling;
    info.isa = context != NULL ? (uint32_t)(uintptr_t)minnow_context_isa(context) : 0;
    info.n_threads = context != NULL ? made.n_threads : 0;
    return &info;
}

/* --- The context -------------------------------------------------------------------------------------------------- */

static uint32_t threads_here(uint32_t asked) {
#if defined(__wasm_atomics__)
    const uint32_t here = thread_wasm_helpers() + 1 < THREAD_POOL_MAX ? thread_wasm_helpers() + 1 : THREAD_POOL_MAX;
#else
    const uint32_t here = 1;
#endif
    return asked == 0 ? 1 : asked < here ? asked : here;
}

/* Room for a context of `bytes`. The old memory goes before the new one comes, so that both need not fit. */
static minnow_status reserve_context(size_t bytes) {
    if (bytes <= context_bytes) return MINNOW_OK;
    release_context();
    context_memory = memory_aligned_alloc(bytes);
    if (context_memory == NULL)
        return error_set(&error, MINNOW_ERROR_MEMORY, "out of memory: %zu bytes for a context", bytes);
    context_bytes = bytes;
    return MINNOW_OK;
}

static minnow_status check_open(void) {
    return model != NULL ? MINNOW_OK : error_set(&error, MINNOW_ERROR_ARGUMENT, "no model is open");
}

static minnow_status check_context(void) {
    TRY(check_open());
    return context != NULL ? MINNOW_OK : error_set(&error, MINNOW_ERROR_ARGUMENT, "there is no context: configure it");
}

minnow_status WASM_EXPORT(minnow_wasm_configure)(const char *isa, uint32_t n_threads, uint32_t max_tokens,
                                                 uint32_t pooling, uint32_t no_normalize) {
    const size_t isa_bytes = isa != NULL ? strlen(isa) : 0;
    settings wanted = {"", threads_here(n_threads), max_tokens, pooling, no_normalize != 0};
    minnow_context_options options = {.size = sizeof options, .isa = isa_bytes > 0 ? isa : NULL,
        .n_threads = wanted.n_threads, .max_tokens = max_tokens, .pooling = (minnow_pooling)pooling,
        .no_normalize = (int)wanted.no_normalize};
    size_t bytes;
    TRY(check_open());
    if (isa_bytes >= sizeof wanted.isa)
        return error_set(&error, MINNOW_ERROR_ARGUMENT, "there is no instruction set '%.100s'", isa);
    if (isa_bytes > 0) memcpy(wanted.isa, isa, isa_bytes);
    if (context != NULL && memcmp(&made, &wanted, sizeof made) == 0) return MINNOW_OK;
    TRY(minnow_context_bytes(model, &options, &bytes, &error)); /* checks all options */
    TRY(reserve_context(bytes));
    instance_close_context();
    options.memory = context_memory;
    options.memory_bytes = context_bytes;
    TRY(minnow_context_create(&context, model, &options, &error));
    made = wanted;
    return MINNOW_OK;
}

const char *WASM_EXPORT(minnow_wasm_isa)(uint32_t index) { return minnow_isa(index); }
void WASM_EXPORT(minnow_wasm_choose)(void) { kernels_best(); }

/* --- Encoding ----------------------------------------------------------------------------------------------------- */

static uint32_t packed(const minnow_encoding *e) {
    return (uint32_t)e->n_tokens | (e->truncated ? MINNOW_WASM_TRUNCATED : 0);
}

/* So many texts at a time: enough to keep all threads busy, and no memory is asked for. */
#define PIECE 256

static minnow_status encode_piece(const char *texts, const uint32_t *offsets, uint32_t n, uint32_t first,
                                  float *vectors, uint32_t *encodings) {
    static minnow_text list[PIECE];
    static minnow_encoding done[PIECE];
    size_t n_done = 0;
    minnow_status status;
    for (uint32_t i = 0; i < n; i++) {
        if (offsets[i + 1] < offsets[i])
            return error_set(&error, MINNOW_ERROR_ARGUMENT, "text %u ends before it begins", first + i);
        list[i] = (minnow_text){texts + offsets[i], offsets[i + 1] - offsets[i]};
    }
    status = minnow_encode_batch(context, list, n, vectors, n * minnow_model_dimensions(model), done, NULL, &n_done,
                                 &error);
    if (status != MINNOW_OK) return error_prefix(&error, status, "text %u", first + (uint32_t)n_done);
    for (uint32_t i = 0; i < n; i++) encodings[i] = packed(&done[i]);
    return MINNOW_OK;
}

minnow_status WASM_EXPORT(minnow_wasm_encode)(const char *texts, const uint32_t *offsets, uint32_t n, float *vectors,
                                              uint32_t *encodings) {
    TRY(check_context());
    if (n != 0 && (texts == NULL || offsets == NULL || vectors == NULL || encodings == NULL))
        return error_set(&error, MINNOW_ERROR_ARGUMENT, "texts, offsets, vectors or encodings: the address is 0");
    for (uint32_t i = 0; i < n; i += PIECE)
        TRY(encode_piece(texts, offsets + i, n - i < PIECE ? n - i : PIECE, i,
                         vectors + i * minnow_model_dimensions(model), encodings + i));
    return MINNOW_OK;
}

minnow_status WASM_EXPORT(minnow_wasm_encode_tokens)(const char *text, uint32_t bytes, float *vectors,
                                                     uint32_t capacity, uint32_t *encoding) {
    minnow_encoding e;
    TRY(check_context());
    TRY(minnow_encode_tokens(context, text, bytes, vectors, capacity, &e, &error));
    if (encoding != NULL) *encoding = packed(&e);
    return MINNOW_OK;
}

minnow_status WASM_EXPORT(minnow_wasm_tokenize)(const char *text, uint32_t bytes, uint32_t max_tokens, int32_t *ids,
                                                uint32_t capacity, uint32_t *n_ids) {
    size_t n = 0;
    int truncated = 0;
    minnow_status status;
    TRY(check_open());
    status = minnow_tokenize(model, text, bytes, max_tokens, ids, capacity, &n, &truncated, &error);
    if (n_ids != NULL) *n_ids = (uint32_t)n | (truncated ? MINNOW_WASM_TRUNCATED : 0);
    return status;
}
