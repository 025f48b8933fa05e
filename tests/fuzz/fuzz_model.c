/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a .minnow file: as they are, and with the size and CRCs of header, table and sections made right, so
 * that what lies behind those checks is reached. What is accepted is written again, which must give the same bytes,
 * since a model has one form only; its tokenizer tokenizes the file, and the engine encodes that: no number of token
 * vectors or of pooled ones may be NaN or infinite, and the reference's bits must come out.
 * Covers: src/run/model/reader.c src/run/model/sections.c src/run/model/walk.c src/run/model/head.c
 * src/run/model/check.c src/run/model/tokenizer_data.c src/convert/pack/pack.c src/convert/pack/pack_tokenizer.c
 * src/run/engine/engine.c src/run/engine/pool.c */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/model_bytes.h"
#include "base/memory.h"
#include "convert/pack/pack.h"
#include "run/engine/engine.h"
#include "run/engine/pool.h"
#include "run/kernels/tiers.h"
#include "run/model/storage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(const int8_model *m, const uint8_t *file, size_t size) {
    tokenizer_config config;
    arena memory;
    minnow_error error;
    uint8_t *again;
    size_t bytes;
    arena_init(&memory, 0);
    if (tokenizer_data_read(&config, &memory, m->storage->tokenizer_data, m->storage->tokenizer_bytes, &error) !=
        MINNOW_OK)
        abort();
    if (pack_bytes(m, &config, &again, &bytes, &error) != MINNOW_OK || bytes != size || memcmp(file, again, size) != 0)
        abort();
    memory_aligned_free(again);
    arena_free(&memory);
}

static void check_finite(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) abort();
}

/* Memory for a few tokens is bounded by the file's size, as its tables hold rows of `hidden`. */
static void encode(const int8_model *m, const int32_t *ids, size_t n) {
    const size_t starts[2] = {0, n}, numbers = n * m->hidden;
    const engine_texts texts = {ids, starts, 1};
    void *scratch = memory_aligned_alloc(engine_scratch_bytes(m, n, n));
    float *hidden = memory_aligned_alloc(numbers * sizeof *hidden);
    float *expected = memory_aligned_alloc(numbers * sizeof *expected);
    double *sums = memory_aligned_alloc(m->hidden * sizeof *sums);
    if (scratch != NULL && hidden != NULL && expected != NULL && sums != NULL) {
        engine_run(m, &kernels_scalar, &texts, scratch, expected);
        check_finite(expected, numbers);
        engine_run(m, kernels_best(), &texts, scratch, hidden);
        if (memcmp(hidden, expected, numbers * sizeof *hidden) != 0) abort();
        for (int normalize = 0; normalize <= 1; normalize++) {
            pool_tokens(hidden, n, m->hidden, m->pooling, normalize, sums, expected);
            check_finite(expected, m->hidden);
        }
    }
    memory_aligned_free(scratch);
    memory_aligned_free(hidden);
    memory_aligned_free(expected);
    memory_aligned_free(sums);
}

static void use(const int8_model *m, const uint8_t *text, size_t bytes) {
    token_ids ids = {NULL, 0, 0};
    minnow_error error;
    if (bytes > 1000) bytes = 1000;
    if (tokenizer_encode(m->tokenizer, (const char *)text, bytes, m->max_tokens, &ids, NULL, &error) != MINNOW_OK)
        abort();
    for (size_t i = 0; i < ids.count; i++)
        if (ids.data[i] < 0 || (size_t)ids.data[i] >= m->n_vocab) abort();
    if (ids.count > m->max_tokens) abort();
    if (ids.count > 0) encode(m, ids.data, ids.count < 20 ? ids.count : 20);
    token_ids_free(&ids);
}

static void read_file(const uint8_t *file, size_t size) {
    int8_model *m;
    minnow_error error;
    if (int8_model_read(&m, file, size, &error) == MINNOW_OK) {
        write_again(m, file, size);
        use(m, file, size);
        int8_model_close(&m);
    } else if (error.message[0] == '\0' || strchr(error.message, '\n') != NULL || m != NULL) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *file = memory_aligned_alloc(size);
    if (file == NULL) return 0;
    memcpy(file, data, size);
    read_file(file, size);
    if (size >= FORMAT_HEADER_BYTES) {
        put_u64(file + HEADER_BYTES, size);
        repair_crcs(file, size);
        read_file(file, size);
    }
    memory_aligned_free(file);
    return 0;
}
