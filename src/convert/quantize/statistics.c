/* SPDX-License-Identifier: Apache-2.0
 *
 * What GPTQ and its regression need to know of the calibration tokens: codes and targets in, centred float64 sums out.
 *
 * A block of up to capacity_rows tokens is multiplied in float32 and added to the sums in float64. Products of codes
 * are integers: in blocks of 1,024 tokens or less their sums are exact in float32, 1024 * 128 * 128 being 2^24.
 * Threads share the rows of the products, never a sum. */
#include "convert/quantize/parts.h"

#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"

#define STRIP ((size_t)48) /* rows of a product that are made at a time */

/* Takes `count` elements from a block of memory that is being laid out (at NULL: only counts). Fails by *bytes =
 * SIZE_MAX. */
static void *take(uint8_t *memory, size_t *bytes, size_t count, size_t element_bytes) {
    const size_t at = *bytes;
    size_t n;
    if (at == SIZE_MAX || !size_mul(count, element_bytes, &n) || !size_add(n, 63, &n) ||
        !size_add(at, n / 64 * 64, bytes)) {
        *bytes = SIZE_MAX;
        return NULL;
    }
    return memory != NULL ? memory + at : NULL;
}

static size_t lay_out(statistics *s, uint8_t *memory) {
    const math_kernels *math = math_best();
    const size_t rows = s->capacity_rows, widest = s->k > s->m ? s->k : s->m;
    size_t bytes = 0;
    s->product_floats = STRIP * (widest + 64);
    s->gram = take(memory, &bytes, s->k, s->k * sizeof(double));
    s->cross = take(memory, &bytes, s->k, s->m * sizeof(double));
    s->target = take(memory, &bytes, s->m, (s->is_inputs ? s->m : 1) * sizeof(double));
    s->code_mean = take(memory, &bytes, s->k, sizeof(double));
    s->target_mean = take(memory, &bytes, s->m, sizeof(double));
    s->codes_transposed = take(memory, &bytes, s->k, rows * sizeof(float));
    s->targets_transposed = take(memory, &bytes, s->m, rows * sizeof(float));
    s->packed_codes = take(memory, &bytes, 1, math->packed_bytes(rows, s->k));
    s->packed_targets = take(memory, &bytes, 1, math->packed_bytes(rows, s->m));
    s->products = take(memory, &bytes, s->n_parts, s->product_floats * sizeof(float));
    return bytes;
}

minnow_status statistics_create(statistics *s, size_t k, size_t m, int is_inputs, size_t capacity_rows,
                                thread_pool *pool, minnow_error *error) {
    size_t bytes;
    *s = (statistics){.k = k, .m = m, .capacity_rows = capacity_rows, .is_inputs = is_inputs,
                      .n_parts = thread_pool_size(pool)};
    bytes = lay_out(s, NULL);
    s->memory = bytes != SIZE_MAX ? memory_aligned_alloc(bytes) : NULL;
    if (s->memory == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    memset(s->memory, 0, bytes);
    lay_out(s, s->memory);
    return MINNOW_OK;
}

void statistics_free(statistics *s) {
    memory_aligned_free(s->memory);
    s->memory = NULL;
}

/* --- Adding a block ----------------------------------------------------------------------------------------------- */
typedef struct block {
    statistics *s;
    const math_kernels *math;
    const int8_t *codes;
    const float *target, *residual;
    size_t rows;
} block;

/* Codes and targets, channel by channel: [k][rows], [m][rows], and their plain sums. */
static void transpose(void *context, size_t part, size_t n_parts) {
    const block *b = context;
    statistics *s = b->s;
    const size_t rows = b->rows;
    size_t begin, end, i, j;
    thread_pool_share(s->k, 16, part, n_parts, &begin, &end);
    for (i = 0; i < rows; i++)
        for (j = begin; j < end; j++) s->codes_transposed[j * rows + i] = (float)b->codes[i * s->k + j];
    for (j = begin; j < end; j++)
        for (i = 0; i < rows; i++) s->code_mean[j] += (double)s->codes_transposed[j * rows + i];
    thread_pool_share(s->m, 16, part, n_parts, &begin, &end);
    for (i = 0; i < rows; i++)
        for (j = begin; j < end; j++) {
            const float residual = b->residual != NULL ? b->residual[i * s->m + j] : 0.0f;
            s->targets_transposed[j * rows + i] = b->target[i * s->m + j] - residual;
        }
    for (j = begin; j < end; j++)
        for (i = 0; i < rows; i++) {
            const double t = (double)s->targets_transposed[j * rows + i];
            s->target_mean[j] += t;
            if (!s->is_inputs) s->target[j] += t * t;
        }
}

static void pack_columns(const block *b, const float *transposed, size_t n, float *packed, size_t part,
                         size_t n_parts) {
    size_t begin, end;
    thread_pool_share(n, b->math->gemm_columns, part, n_parts, &begin, &end);
    if (begin < end)
        b->math->pack(transposed + begin * b->rows, 1, b->rows, b->rows, end - begin, packed + begin * b->rows);
}

static void pack(void *context, size_t part, size_t n_parts) {
    const block *b = context;
    pack_columns(b, b->s->codes_transposed, b->s->k, b->s->packed_codes, part, n_parts);
    pack_columns(b, b->s->targets_transposed, b->s->m, b->s->packed_targets, part, n_parts);
}

/* sums [m, n] += a [m, rows] b [rows, n]; of a symmetric product only the upper triangle (and what is in its way). */
static void add_product(const block *b, const float *a, size_t m, const float *packed, size_t n, int is_symmetric,
                        double *sums, size_t part, size_t n_parts) {
    float *strip = b->s->products + part * b->s->product_floats;
    size_t i, r, j;
    for (i = part * STRIP; i < m; i += n_parts * STRIP) { /* dealt in turn: strips of a triangle shrink */
        const size_t rows = m - i < STRIP ? m - i : STRIP;
        const size_t first = is_symmetric ? i / b->math->gemm_columns * b->math->gemm_columns : 0, width = n - first;
        b->math->gemm(a + i * b->rows, b->rows, packed + first * b->rows, strip, width, rows, b->rows, width, NULL);
        for (r = 0; r < rows; r++) {
            double *to = sums + (i + r) * n + first;
            const float *from = strip + r * width;
            for (j = 0; j < width; j++) to[j] += (double)from[j];
        }
    }
}

static void multiply(void *context, size_t part, size_t n_parts) {
    const block *b = context;
    statistics *s = b->s;
    add_product(b, s->codes_transposed, s->k, s->packed_codes, s->k, 1, s->gram, part, n_parts);
    add_product(b, s->codes_transposed, s->k, s->packed_targets, s->m, 0, s->cross, part, n_parts);
    if (s->is_inputs) add_product(b, s->targets_transposed, s->m, s->packed_targets, s->m, 1, s->target, part, n_parts);
}

void statistics_add(statistics *s, const int8_t *codes, const float *target, const float *residual, size_t rows,
                    thread_pool *pool) {
    block b = {.s = s, .math = math_best(), .codes = codes, .target = target, .residual = residual, .rows = rows};
    if (rows == 0) return;
    thread_pool_run(pool, transpose, &b);
    thread_pool_run(pool, pack, &b);
    thread_pool_run(pool, multiply, &b);
    s->count += (double)rows;
}

/* --- Centring ----------------------------------------------------------------------------------------------------- */
static void center_symmetric(double *sums, size_t n, const double *mean, double count) {
    size_t i, j;
    for (i = 0; i < n; i++)
        for (j = i; j < n; j++) {
            const double value = sums[i * n + j] - count * (mean[i] * mean[j]);
            sums[i * n + j] = value;
            sums[j * n + i] = value;
        }
}

void statistics_finish(statistics *s) {
    const double count = s->count > 0.0 ? s->count : 1.0;
    size_t i, j;
    for (i = 0; i < s->k; i++) s->code_mean[i] /= count;
    for (j = 0; j < s->m; j++) s->target_mean[j] /= count;
    center_symmetric(s->gram, s->k, s->code_mean, s->count);
    for (i = 0; i < s->k; i++)
        for (j = 0; j < s->m; j++) s->cross[i * s->m + j] -= s->count * (s->code_mean[i] * s->target_mean[j]);
    if (s->is_inputs) center_symmetric(s->target, s->m, s->target_mean, s->count);
    else
        for (j = 0; j < s->m; j++) s->target[j] -= s->count * (s->target_mean[j] * s->target_mean[j]);
}
