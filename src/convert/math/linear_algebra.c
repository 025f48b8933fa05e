/* SPDX-License-Identifier: Apache-2.0
 *
 * Float64 Cholesky factors and triangular solves: matrices in, factors and solutions out. All the work is in one
 * small kernel, linear_subtract: 16 chains side by side.
 *
 *     factorization, block by block of 32 columns:      . done   D  diagonal block   P  panel   T  trailing matrix
 *
 *         | .         |
 *         | . D       |     D = L_D L_D^T;   P = P L_D^-T;   T = T - P P^T, with P^T packed in groups of 16 columns
 *         | . P T     |
 *         | . P T T   | */
#include "convert/math/linear_algebra.h"

#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"

#define BLOCK 32

typedef double two __attribute__((vector_size(16), aligned(8), may_alias));

void linear_subtract(double *y, const double *a, const double *x, size_t n) {
    two *out = (two *)(void *)y;
    two y0 = out[0], y1 = out[1], y2 = out[2], y3 = out[3], y4 = out[4], y5 = out[5], y6 = out[6], y7 = out[7];
    size_t i;
    for (i = 0; i < n; i++, x += LINEAR_LANES) {
        const two *row = (const two *)(const void *)x;
        const two c = {a[i], a[i]};
        y0 -= c * row[0];
        y1 -= c * row[1];
        y2 -= c * row[2];
        y3 -= c * row[3];
        y4 -= c * row[4];
        y5 -= c * row[5];
        y6 -= c * row[6];
        y7 -= c * row[7];
    }
    out[0] = y0, out[1] = y1, out[2] = y2, out[3] = y3, out[4] = y4, out[5] = y5, out[6] = y6, out[7] = y7;
}

/* --- Cholesky ----------------------------------------------------------------------------------------------------- */
typedef struct factorization {
    double *a;
    size_t n, begin, end; /* the block of columns */
    double *packed;       /* [groups of 16 rows below the block][BLOCK][16]: P^T */
} factorization;

/* D = L_D L_D^T in place. */
static int factor_diagonal(const factorization *f) {
    const size_t n = f->n;
    size_t i, j, m;
    for (j = f->begin; j < f->end; j++) {
        double *row = f->a + j * n;
        double pivot = row[j];
        for (m = f->begin; m < j; m++) pivot -= row[m] * row[m];
        if (!(pivot > 0.0) || pivot > 1e300) return 0;
        pivot = __builtin_sqrt(pivot);
        row[j] = pivot;
        for (i = j + 1; i < f->end; i++) {
            double *below = f->a + i * n, sum = below[j];
            for (m = f->begin; m < j; m++) sum -= below[m] * row[m];
            below[j] = sum / pivot;
        }
    }
    return 1;
}

static size_t groups_below(const factorization *f) { return (f->n - f->end + LINEAR_LANES - 1) / LINEAR_LANES; }
static size_t rows_of_group(const factorization *f, size_t group) {
    const size_t left = f->n - f->end - group * LINEAR_LANES;
    return left < LINEAR_LANES ? left : LINEAR_LANES;
}

/* P L_D^T = A, 16 rows at a time, in the packed form; then back into the matrix. */
static void solve_panel(void *context, size_t part, size_t n_parts) {
    const factorization *f = context;
    const size_t n = f->n, columns = f->end - f->begin, n_groups = groups_below(f);
    size_t g, j, l;
    for (g = part; g < n_groups; g += n_parts) {
        double *x = f->packed + g * BLOCK * LINEAR_LANES;
        const size_t rows = rows_of_group(f, g);
        double *from = f->a + (f->end + g * LINEAR_LANES) * n + f->begin;
        memset(x, 0, BLOCK * LINEAR_LANES * sizeof *x);
        for (l = 0; l < rows; l++)
            for (j = 0; j < columns; j++) x[j * LINEAR_LANES + l] = from[l * n + j];
        for (j = 0; j < columns; j++) {
            const double *row = f->a + (f->begin + j) * n + f->begin;
            linear_subtract(x + j * LINEAR_LANES, row, x, j);
            for (l = 0; l < LINEAR_LANES; l++) x[j * LINEAR_LANES + l] /= row[j];
        }
        for (l = 0; l < rows; l++)
            for (j = 0; j < columns; j++) from[l * n + j] = x[j * LINEAR_LANES + l];
    }
}

/* T -= P P^T, the lower triangle: groups of 16 rows are dealt to the threads in turn, as later ones are longer. */
static void update_trailing(void *context, size_t part, size_t n_parts) {
    const factorization *f = context;
    const size_t n = f->n, columns = f->end - f->begin, n_groups = groups_below(f);
    size_t g, h, r;
    for (g = part; g < n_groups; g += n_parts) {
        const size_t rows = rows_of_group(f, g);
        for (h = 0; h <= g; h++) {
            const double *x = f->packed + h * BLOCK * LINEAR_LANES;
            const size_t width = rows_of_group(f, h);
            for (r = 0; r < rows; r++) {
                double *row = f->a + (f->end + g * LINEAR_LANES + r) * n;
                double *to = row + f->end + h * LINEAR_LANES;
                double y[LINEAR_LANES] = {0};
                memcpy(y, to, width * sizeof *y);
                linear_subtract(y, row + f->begin, x, columns);
                memcpy(to, y, width * sizeof *y);
            }
        }
    }
}

minnow_status linear_cholesky(double *a, size_t n, thread_pool *pool, minnow_error *error) {
    factorization f = {.a = a, .n = n};
    size_t bytes, i, j;
    if (!size_mul(n + LINEAR_LANES, BLOCK * sizeof(double), &bytes) || (f.packed = memory_aligned_alloc(bytes)) == NULL)
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    for (f.begin = 0; f.begin < n; f.begin = f.end) {
        f.end = n - f.begin < BLOCK ? n : f.begin + BLOCK;
        if (!factor_diagonal(&f)) {
            memory_aligned_free(f.packed);
            return error_set(error, MINNOW_ERROR_ARGUMENT, "a matrix of %zu rows is not positive definite", n);
        }
        thread_pool_run(pool, solve_panel, &f);
        thread_pool_run(pool, update_trailing, &f);
    }
    memory_aligned_free(f.packed);
    for (i = 0; i < n; i++)
        for (j = 0; j < i; j++) a[j * n + i] = a[i * n + j];
    return MINNOW_OK;
}

void linear_cholesky_solve(const double *factor, size_t n, double *x) {
    size_t i, l;
    for (i = 0; i < n; i++) {
        const double *row = factor + i * n;
        linear_subtract(x + i * LINEAR_LANES, row, x, i);
        for (l = 0; l < LINEAR_LANES; l++) x[i * LINEAR_LANES + l] /= row[i];
    }
    for (i = n; i-- > 0;) {
        const double *row = factor + i * n;
        linear_subtract(x + i * LINEAR_LANES, row + i + 1, x + (i + 1) * LINEAR_LANES, n - i - 1);
        for (l = 0; l < LINEAR_LANES; l++) x[i * LINEAR_LANES + l] /= row[i];
    }
}
