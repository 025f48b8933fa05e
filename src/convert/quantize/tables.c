/* SPDX-License-Identifier: Apache-2.0
 * Embedding tables -> int8 or float16: float rows in, an int8_table out. */
#include "convert/math/math.h"
#include "convert/quantize/parts.h"

#include <stdlib.h>

#define CODE_LIMIT 127.0

typedef struct table_job {
    const float *values;
    size_t rows, columns;
    const uint8_t *is_outlier; /* [columns], or NULL */
    double fixed_scale;        /* of all rows; 0: each row has its own */
    int8_t *codes;
    float *scale;
} table_job;

static double largest_of(const float *row, const uint8_t *skip, size_t n) {
    double largest = 0.0;
    size_t j;
    for (j = 0; j < n; j++) {
        const double x = row[j] < 0.0f ? -(double)row[j] : (double)row[j];
        if (x > largest && (skip == NULL || !skip[j])) largest = x;
    }
    return largest;
}

static double row_error(const float *row, const uint8_t *skip, size_t n, double scale) {
    const double inverse = 1.0 / scale;
    double sum = 0.0;
    size_t j;
    for (j = 0; j < n; j++) {
        const double x = (double)row[j];
        const double d = x - quantize_clamp(quantize_nearest(x * inverse), -CODE_LIMIT, CODE_LIMIT) * scale;
        if (skip == NULL || !skip[j]) sum += d * d;
    }
    return sum;
}

/* The step that loses least: from no clipping to 21 % of it. */
static double row_scale(const float *row, const uint8_t *skip, size_t n) {
    const double largest = largest_of(row, skip, n);
    double best = 0.0, least = 0.0;
    int i;
    if (!(largest / CODE_LIMIT > 1e-30)) return 1e-30;
    for (i = 0; i < 8; i++) {
        const double scale = (double)(float)(largest / CODE_LIMIT * (1.0 - (double)i * 0.03));
        const double error = row_error(row, skip, n, scale);
        if (i == 0 || error < least) {
            least = error;
            best = scale;
        }
    }
    return best;
}

static void code_rows(void *context, size_t part, size_t n_parts) {
    const table_job *t = context;
    size_t begin, end, i, j;
    thread_pool_share(t->rows, 1, part, n_parts, &begin, &end);
    for (i = begin; i < end; i++) {
        const float *row = t->values + i * t->columns;
        const double scale = t->fixed_scale > 0.0 ? t->fixed_scale : row_scale(row, t->is_outlier, t->columns);
        int8_t *codes = t->codes + i * t->columns;
        for (j = 0; j < t->columns; j++) {
            const double code = quantize_clamp(quantize_nearest((double)row[j] / scale), -CODE_LIMIT, CODE_LIMIT);
            codes[j] = t->is_outlier != NULL && t->is_outlier[j] ? 0 : (int8_t)code;
        }
        if (!(t->fixed_scale > 0.0)) t->scale[i] = (float)scale;
    }
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Columns that stretch the rows' ranges: those whose largest magnitude is over 1.5 times the median of all columns,
 * at most one in 16 and at least one in 128, the largest first. Returns how many; *out [columns] flags them. */
static size_t find_outliers(const float *values, size_t rows, size_t columns, double *largest, double *sorted,
                            uint8_t *out) {
    const size_t at_least = (columns + 127) / 128, at_most = (columns + 15) / 16;
    size_t i, j, n = 0;
    for (i = 0; i < rows; i++)
        for (j = 0; j < columns; j++) {
            const double x = (double)values[i * columns + j], magnitude = x < 0.0 ? -x : x;
            if (magnitude > largest[j]) largest[j] = magnitude;
        }
    for (j = 0; j < columns; j++) sorted[j] = largest[j];
    qsort(sorted, columns, sizeof *sorted, ascending);
    for (n = at_least; n < at_most && sorted[columns - 1 - n] > 1.5 * sorted[columns / 2];) n++;
    for (i = 0; i < n; i++) { /* of equal columns the first */
        size_t best = columns;
        for (j = 0; j < columns; j++)
            if (!out[j] && (best == columns || largest[j] > largest[best])) best = j;
        out[best] = 1;
    }
    return n;
}

static minnow_status split_outliers(int8_table *out, table_job *t, arena *memory, arena *scratch, minnow_error *error) {
    const size_t columns = t->columns;
    double *largest = arena_array(scratch, columns, sizeof *largest),
        *sorted = arena_array(scratch, columns, sizeof *sorted);
    uint8_t *flags = arena_array(scratch, columns, 1);
    uint32_t *places;
    uint16_t *halves;
    size_t n, i, j, place = 0;
    if (largest == NULL || sorted == NULL || flags == NULL)
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    n = find_outliers(t->values, t->rows, columns, largest, sorted, flags);
    places = arena_array(memory, n, sizeof *places);
    halves = arena_array(memory, t->rows * n, sizeof *halves);
    if (places == NULL || halves == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    for (j = 0; j < columns; j++)
        if (flags[j]) places[place++] = (uint32_t)j;
    for (i = 0; i < t->rows; i++)
        for (j = 0; j < n; j++) halves[i * n + j] = math_float_to_half(t->values[i * columns + places[j]]);
    t->is_outlier = flags;
    out->outlier_columns = places;
    out->n_outliers = n;
    out->halves = halves;
    return MINNOW_OK;
}

static minnow_status quantize_codes(int8_table *out, table_job *t, arena *memory, arena *scratch, thread_pool *pool,
                                    minnow_error *error) {
    if (out->kind == INT8_TABLE_MIXED) TRY(split_outliers(out, t, memory, scratch, error));
    t->codes = arena_array(memory, t->rows * t->columns, 1);
    t->scale = arena_array(memory, out->kind == INT8_TABLE_TENSOR ? 1 : t->rows, sizeof *t->scale);
    if (t->codes == NULL || t->scale == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    if (out->kind == INT8_TABLE_TENSOR) {
        const double scale = largest_of(t->values, NULL, t->rows * t->columns) / CODE_LIMIT;
        t->scale[0] = scale > 1e-30 ? (float)scale : 1e-30f;
        t->fixed_scale = (double)t->scale[0];
    }
    thread_pool_run(pool, code_rows, t);
    out->codes = t->codes;
    out->scale = t->scale;
    return MINNOW_OK;
}

minnow_status table_quantize(int8_table *out, arena *memory, int8_table_kind kind, const float *values, size_t rows,
                             size_t columns, thread_pool *pool, minnow_error *error) {
    table_job t = {.values = values, .rows = rows, .columns = columns};
    arena scratch = {0};
    minnow_status status;
    *out = (int8_table){.kind = kind, .rows = rows, .columns = columns};
    if (kind == INT8_TABLE_HALF) {
        uint16_t *halves = arena_array(memory, rows * columns, sizeof *halves);
        size_t i;
        if (halves == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
        for (i = 0; i < rows * columns; i++) {
            halves[i] = math_float_to_half(values[i]);
            if ((halves[i] & 0x7c00u) == 0x7c00u)
                return error_set(error, MINNOW_ERROR_UNSUPPORTED, "row %zu holds %g, too large for float16",
                                 i / columns, (double)values[i]);
        }
        out->halves = halves;
        return MINNOW_OK;
    }
    status = quantize_codes(out, &t, memory, &scratch, pool, error);
    arena_free(&scratch);
    return status;
}
