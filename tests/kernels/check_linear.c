/* SPDX-License-Identifier: Apache-2.0
 * linear and what is fused with it. The fused ones are held against linear and the steps behind it, one by one. */
#include "check.h"

#include <string.h>

#include "base/memory.h"
#include "run/kernels/tiers.h"

enum { ROWS, N, K };
#define ROW_GUARD ((size_t)7) /* elements behind a row of linear_codes */

/* Of what size outputs are: linear alone; around GELU's bend; around the bounds of codes; larger than any float. */
typedef enum outputs { ANY_SIZE, SMALL, CODES, KEYS, HUGE_ONES } outputs;

typedef struct linear_args {
    int8_matrix w;
    int8_quantizer q;
    const int8_t *x;
    size_t rows, stride;
    float low, high;
} linear_args;

/* Panels whose columns behind n hold code 0, as a model's do. */
static const uint8_t *panels_of(check_job *j, size_t n, size_t k, pattern p) {
    const size_t bytes = int8_panels_bytes(n, k);
    uint8_t *panels = check_operand(j, bytes, MEMORY_ALIGNMENT);
    size_t i, c;
    memset(panels, INT8_WEIGHT_BIAS, bytes);
    for (i = 0; i < n; i++)
        for (c = 0; c < k; c++) panels[int8_panel_index(k, i, c)] = (uint8_t)((check_code(j, p, i + c) + 128) / 2);
    return panels;
}

/* [n], zeros up to whole panels */
static const float *padded_floats(check_job *j, size_t n, float low, float high) {
    const size_t room = int8_panels(n) * INT8_PANEL;
    float *x = check_operand(j, room * sizeof *x, sizeof *x);
    size_t i;
    for (i = 0; i < room; i++) x[i] = i < n ? check_between(j, low, high) : 0.0f;
    return x;
}

/* A random sum of k products is about 2700 sqrt(k). Ties: sums times 1/2. */
static void factors(check_job *j, size_t n, size_t k, int8_matrix *w) {
    static const float sizes[] = {1.0f, 4.0f, 150.0f, 75.0f, 3e38f};
    float root = 1.0f, scale;
    while (root * root < (float)k) root += 1.0f;
    scale = sizes[j->c.variant] / (2700.0f * root);
    if (j->c.w == P_TIES) {
        w->scale = padded_floats(j, n, 0.5f, 0.5f);
        w->bias = padded_floats(j, n, j->c.variant == KEYS ? -0.5f : 2.0f, j->c.variant == KEYS ? -0.5f : 2.0f);
    } else {
        w->scale = padded_floats(j, n, 0.5f * scale, 1.5f * scale);
        w->bias = padded_floats(j, n, -0.5f * sizes[j->c.variant], 0.5f * sizes[j->c.variant]);
    }
}

static linear_args *prepare_linear(check_job *j) {
    const size_t rows = j->c.size[ROWS], n = j->c.size[N], k = j->c.size[K];
    linear_args *a = check_operand(j, sizeof *a, MEMORY_ALIGNMENT);
    a->w = (int8_matrix){.n = n, .k = k, .panels = panels_of(j, n, k, j->c.w)};
    factors(j, n, k, &a->w);
    a->x = check_codes(j, rows * k, j->c.x);
    a->rows = rows;
    a->stride = n;
    j->args = a;
    j->rows = rows;
    j->columns = j->stride = n;
    j->element = sizeof(float);
    j->macs = (double)rows * (double)n * (double)k;
    return a;
}

static void prepare_floats(check_job *j) { prepare_linear(j); }

static void prepare_add(check_job *j) {
    prepare_linear(j);
    j->initial = check_floats(j, j->rows * j->columns, j->c.variant == HUGE_ONES ? P_SPECIAL : P_RANDOM, -100.0f,
                              100.0f);
}

static void prepare_codes(check_job *j) {
    linear_args *a = prepare_linear(j);
    a->low = j->c.variant == KEYS ? -64.0f : -128.0f;
    a->high = j->c.variant == KEYS ? 63.0f : 127.0f;
    a->stride = j->stride = a->w.n + ROW_GUARD;
    j->element = 1;
}

static void prepare_gelu_codes(check_job *j) {
    linear_args *a = prepare_linear(j);
    a->q.multiplier = check_floats(j, a->w.n, j->c.variant == HUGE_ONES ? P_ZEROS : P_RANDOM, 10.0f, 60.0f);
    a->q.offset = check_floats(j, a->w.n, P_RANDOM, -110.0f, -20.0f);
    j->element = 1;
}

static void run_linear(const check_job *j, const kernels *k, void *out) {
    const linear_args *a = j->args;
    k->linear(a->x, a->rows, &a->w, out);
}
static void run_add(const check_job *j, const kernels *k, void *out) {
    const linear_args *a = j->args;
    k->linear_add(a->x, a->rows, &a->w, out);
}
static void run_codes(const check_job *j, const kernels *k, void *out) {
    const linear_args *a = j->args;
    k->linear_codes(a->x, a->rows, &a->w, a->low, a->high, out, a->stride);
}
static void run_gelu_codes(const check_job *j, const kernels *k, void *out) {
    const linear_args *a = j->args;
    k->linear_gelu_codes(a->x, a->rows, &a->w, &a->q, out);
}

/* One row's linear, in memory that lasts until the next. */
static float *row_of(const linear_args *a, size_t row) {
    static float y[4096];
    kernels_scalar.linear(a->x + row * a->w.k, 1, &a->w, y);
    return y;
}

static void expect_add(const check_job *j, void *out) {
    const linear_args *a = j->args;
    float *y = out;
    size_t r, i;
    for (r = 0; r < a->rows; r++) {
        const float *row = row_of(a, r);
        for (i = 0; i < a->w.n; i++) y[r * a->w.n + i] = row[i] + y[r * a->w.n + i];
    }
}
static void expect_codes(const check_job *j, void *out) {
    const linear_args *a = j->args;
    size_t r;
    for (r = 0; r < a->rows; r++)
        kernels_scalar.quantize(row_of(a, r), NULL, NULL, a->low, a->high, a->w.n, (int8_t *)out + r * a->stride);
}
static void expect_gelu_codes(const check_job *j, void *out) {
    const linear_args *a = j->args;
    size_t r;
    for (r = 0; r < a->rows; r++) {
        float *row = row_of(a, r);
        kernels_scalar.gelu(row, a->w.n);
        kernels_scalar.quantize(row, a->q.multiplier, a->q.offset, -128.0f, 127.0f, a->w.n,
                                (int8_t *)out + r * a->stride);
    }
}

/* --- Cases -------------------------------------------------------------------------------------------------------- */
static void one(check *run, size_t rows, size_t n, size_t k, pattern x, pattern w, int variant) {
    check_one(run, (check_case){.size = {rows, n, k}, .x = x, .w = w, .variant = variant});
}

/* Edges of tiles (rows to 8, columns to 64), of strips (to 32 rows, 384 columns), of blocks of rows (48, 64), of WASM's
 * parts of 400 inputs. `variants`: which of outputs to take in turns. */
static void edges(check *run, const int *variants, size_t n_variants) {
    static const size_t columns[] = {1, 3, 4, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 80, 96, 97, 111, 128, 144,
                                     145};
    static const size_t inputs[] = {4, 8, 12, 28, 32, 60, 64, 68, 132};
    static const size_t parts[] = {388, 392, 396, 400, 404, 408, 800, 804};
    const size_t n_columns = sizeof columns / sizeof columns[0], n_inputs = sizeof inputs / sizeof inputs[0];
    const size_t sparse = check_is_quick(run) ? 13 : 1;
    size_t rows, i, k, turn = 0;
    for (rows = 0; rows <= 20; rows++)
        for (i = 0; i < n_columns; i++)
            for (k = 0; k < n_inputs; k++)
                if ((rows + 5 * i + k) % sparse == 0)
                    one(run, rows, columns[i], inputs[k], P_RANDOM, P_RANDOM, variants[turn++ % n_variants]);
    for (i = 1; i <= 145; i += check_is_quick(run) ? 6 : 1)
        one(run, 1 + i % 9, i, 20, P_RANDOM, P_RANDOM, variants[turn++ % n_variants]);
    for (rows = 21; rows <= 70; rows += check_is_quick(run) ? 11 : 1)
        one(run, rows, columns[rows % n_columns], inputs[rows % n_inputs], P_RANDOM, P_RANDOM,
            variants[turn++ % n_variants]);
    for (rows = 15; rows <= 100; rows += check_is_quick(run) ? 17 : 3) /* whole steps of tiles of 64 inputs */
        one(run, rows, columns[rows * 7 % n_columns], 128, P_RANDOM, P_RANDOM, variants[turn++ % n_variants]);
    one(run, 97, 130, 64, P_RANDOM, P_RANDOM, variants[0]);
    for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        one(run, 7, 33, parts[i], P_RANDOM, P_RANDOM, variants[i % n_variants]);
        one(run, 46 + i, 17, parts[i], P_EXTREMES, P_EXTREMES, variants[i % n_variants]);
        one(run, 5 + i, 380 + i, parts[i], P_RANDOM, P_RANDOM, variants[i % n_variants]);
    }
}

static void extremes(check *run, const int *variants, size_t n_variants) {
    size_t v;
    int x, w;
    for (x = P_RANDOM; x <= P_ZEROS; x++)
        for (w = P_RANDOM; w <= P_ZEROS; w++)
            for (v = 0; v < n_variants; v++) {
                one(run, 7, 35, 64, (pattern)x, (pattern)w, variants[v]);
                if (v > 0) continue;
                if (!check_is_quick(run)) one(run, 13, 80, 1536, (pattern)x, (pattern)w, variants[v]);
                one(run, 33, 35, 192, (pattern)x, (pattern)w, variants[v]);
            }
    for (v = 0; v < n_variants; v++) {
        one(run, 9, 50, 36, P_RANDOM, P_TIES, variants[v]);
        one(run, 34, 50, 64, P_RANDOM, P_TIES, variants[v]);
        one(run, 5, 50, 8, P_ZEROS, P_TIES, variants[v]);
    }
}

static const int float_outputs[] = {ANY_SIZE, HUGE_ONES}, code_outputs[] = {CODES, KEYS, HUGE_ONES},
                 gelu_outputs[] = {SMALL, CODES, SMALL, HUGE_ONES};
static void cases_linear(check *run) {
    edges(run, float_outputs, 1);
    extremes(run, float_outputs, 2);
    one(run, 1, 17, 16384, P_SMALLEST, P_SMALLEST, ANY_SIZE); /* sums of 2^27: beyond what a float holds exactly */
    one(run, 2, 17, 65536, P_EXTREMES, P_EXTREMES, ANY_SIZE);
    one(run, 17, 17, 16384, P_SMALLEST, P_LARGEST, ANY_SIZE);
}
static void cases_add(check *run) { edges(run, float_outputs, 2), extremes(run, float_outputs, 2); }
static void cases_codes(check *run) { edges(run, code_outputs, 3), extremes(run, code_outputs, 3); }
static void cases_gelu_codes(check *run) { edges(run, gelu_outputs, 4), extremes(run, gelu_outputs, 4); }

/* --- The model's shapes ------------------------------------------------------------------------------------------- */
static void bench_shape(check *run, size_t n, size_t k, int variant) {
    static const size_t rows[] = {1, 4, 8, 16, 32, 64, 128, 256};
    size_t i;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) one(run, rows[i], n, k, P_RANDOM, P_RANDOM, variant);
}
static void bench_linear(check *run) {
    bench_shape(run, 1152, 384, ANY_SIZE), bench_shape(run, 384, 384, ANY_SIZE);
    bench_shape(run, 1600, 384, ANY_SIZE), bench_shape(run, 384, 1600, ANY_SIZE);
}
static void bench_add(check *run) { bench_shape(run, 384, 384, ANY_SIZE), bench_shape(run, 384, 1600, ANY_SIZE); }
static void bench_codes(check *run) { bench_shape(run, 1152, 384, CODES); }
static void bench_gelu_codes(check *run) { bench_shape(run, 1600, 384, SMALL); }

#define SIZES {"rows", "n", "k"}
const kernel_check linear_checks[] = {
    {"linear", SIZES, cases_linear, bench_linear, prepare_floats, run_linear, NULL, 0},
    {"linear_add", SIZES, cases_add, bench_add, prepare_add, run_add, expect_add, 1},
    {"linear_codes", SIZES, cases_codes, bench_codes, prepare_codes, run_codes, expect_codes, 0},
    {"linear_gelu_codes", SIZES, cases_gelu_codes, bench_gelu_codes, prepare_gelu_codes, run_gelu_codes,
     expect_gelu_codes, 0},
    {.name = NULL},
};
