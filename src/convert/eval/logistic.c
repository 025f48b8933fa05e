/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows are dealt in CHUNKS fixed chunks, each with a gradient of its own; the chunks' sums are added in order, so that
 * the number of threads shows in no bit. Inside a chunk, BLOCK rows at a time:
 *
 *     X [BLOCK, dimensions + 1]  the vectors in float64, and a 1 for the intercept
 *     Z = X W                    [BLOCK, columns] -> P - onehot(label), in place
 *     G += X^T Z                 [dimensions + 1, columns]
 */
#include "convert/eval/logistic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "convert/eval/task_read.h"
#include "convert/math/math.h"

#define CHUNKS 16
#define BLOCK 64
#define TOLERANCE 1e-6     /* of the gradient of the mean loss; scikit-learn stops at 1e-4 */
#define MAX_ITERATIONS 1000

struct logistic {
    size_t dimensions, rows, n_classes, columns; /* rows = dimensions + 1; columns: n_classes rounded up to 8 */
    double *weights;                             /* [rows, columns] */
};

/* --- C += A B ------------------------------------------------------------------------------------------------ */

/* Two numbers that one instruction works on; a tile is 8 columns of 2 rows, spelled out so that it stays in
 * registers. */
typedef double lanes __attribute__((vector_size(16)));
#define TILE_COLUMNS 8

static inline lanes load(const double *p) {
    lanes v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void store(double *p, lanes v) { memcpy(p, &v, sizeof v); }

/* Two rows of 8 columns; A's elements (0, p) and (1, p) are a0[p * depth_step] and a1[p * depth_step]. Sums ascend with
 * p. */
static void multiply_tile(double *c0, double *c1, const double *a0, const double *a1, size_t depth_step,
                          const double *b, size_t b_step, size_t depth) {
    lanes s00 = load(c0), s01 = load(c0 + 2), s02 = load(c0 + 4), s03 = load(c0 + 6);
    lanes s10 = load(c1), s11 = load(c1 + 2), s12 = load(c1 + 4), s13 = load(c1 + 6);
    for (size_t p = 0; p < depth; p++, a0 += depth_step, a1 += depth_step, b += b_step) {
        const lanes b0 = load(b), b1 = load(b + 2), b2 = load(b + 4), b3 = load(b + 6);
        const lanes x0 = {*a0, *a0}, x1 = {*a1, *a1};
        s00 += b0 * x0;
        s01 += b1 * x0;
        s02 += b2 * x0;
        s03 += b3 * x0;
        s10 += b0 * x1;
        s11 += b1 * x1;
        s12 += b2 * x1;
        s13 += b3 * x1;
    }
    store(c0, s00), store(c0 + 2, s01), store(c0 + 4, s02), store(c0 + 6, s03);
    store(c1, s10), store(c1 + 2, s11), store(c1 + 4, s12), store(c1 + 6, s13);
}

/* C [m, columns] += A [m, depth] B [depth, columns]; C and B have rows of `columns` numbers, a multiple of 8; A's
 * element (i, p) is a[i * row_step + p * depth_step]. */
static void multiply(double *c, const double *a, size_t row_step, size_t depth_step, const double *b, size_t m,
                     size_t depth, size_t columns) {
    double spare[TILE_COLUMNS]; /* the second row of the last tile, if m is odd */
    for (size_t j = 0; j < columns; j += TILE_COLUMNS) {
        for (size_t i = 0; i < m; i += 2) {
            const int is_pair = i + 1 < m;
            double *c0 = c + i * columns + j;
            const double *a0 = a + i * row_step;
            if (!is_pair) memset(spare, 0, sizeof spare);
            multiply_tile(c0, is_pair ? c0 + columns : spare, a0, is_pair ? a0 + row_step : a0, depth_step, b + j,
                          columns, depth);
        }
    }
}

/* --- The function to minimize -------------------------------------------------------------------------------- */

typedef struct chunk {
    double *x, *z;    /* [BLOCK, rows], [BLOCK, columns] */
    double *gradient; /* [rows, columns] */
    double loss;
} chunk;

typedef struct fit {
    const logistic *shape;
    const float *vectors;
    const eval_labelled *items;
    size_t n;
    const double *weights; /* where the function is asked for */
    thread_pool *pool;
    double *memory;
    chunk chunks[CHUNKS];
} fit;

static void load_block(const logistic *l, const float *vectors, const eval_labelled *items, size_t n, double *x) {
    for (size_t i = 0; i < n; i++, x += l->rows) {
        const float *v = vectors + items[i].text * l->dimensions;
        for (size_t d = 0; d < l->dimensions; d++) x[d] = (double)v[d];
        x[l->dimensions] = 1;
    }
}

/* z [n_classes] -> softmax(z) - onehot(label); gives the loss. */
static double softmax_row(double *z, size_t n_classes, size_t label) {
    double most = z[0], sum = 0, loss;
    for (size_t c = 1; c < n_classes; c++) most = z[c] > most ? z[c] : most;
    loss = most - z[label];
    for (size_t c = 0; c < n_classes; c++) {
        z[c] = math_exp_f64(z[c] - most);
        sum += z[c];
    }
    for (size_t c = 0; c < n_classes; c++) z[c] /= sum;
    z[label] -= 1;
    return loss + math_log_f64(sum);
}

static void run_chunk(const fit *f, chunk *k, size_t begin, size_t end) {
    const logistic *l = f->shape;
    k->loss = 0;
    memset(k->gradient, 0, l->rows * l->columns * sizeof *k->gradient);
    for (size_t first = begin; first < end; first += BLOCK) {
        const size_t n = end - first < BLOCK ? end - first : BLOCK;
        load_block(l, f->vectors, f->items + first, n, k->x);
        memset(k->z, 0, n * l->columns * sizeof *k->z);
        multiply(k->z, k->x, l->rows, 1, f->weights, n, l->rows, l->columns);
        for (size_t i = 0; i < n; i++) /* the columns that fill up to 8 stay 0: their weights are */
            k->loss += softmax_row(k->z + i * l->columns, l->n_classes, f->items[first + i].label);
        multiply(k->gradient, k->x, 1, l->rows, k->z, l->rows, n, l->columns);
    }
}

static void run_part(void *context, size_t part, size_t n_parts) {
    fit *f = context;
    for (size_t i = part; i < CHUNKS; i += n_parts) {
        size_t begin, end;
        thread_pool_share(f->n, 1, i, CHUNKS, &begin, &end);
        run_chunk(f, &f->chunks[i], begin, end);
    }
}

/* The objective and its gradient, divided by n so that a tolerance means the same for any number of items. */
static double objective(void *context, const double *weights, double *gradient) {
    fit *f = context;
    const logistic *l = f->shape;
    const size_t regularized = l->dimensions * l->columns, n = l->rows * l->columns;
    const double share = 1 / (double)f->n;
    double value = 0, square = 0;
    f->weights = weights;
    thread_pool_run(f->pool, run_part, f);
    memset(gradient, 0, n * sizeof *gradient);
    for (size_t i = 0; i < CHUNKS; i++) {
        value += f->chunks[i].loss;
        for (size_t j = 0; j < n; j++) gradient[j] += f->chunks[i].gradient[j];
    }
    for (size_t j = 0; j < regularized; j++) {
        gradient[j] += weights[j];
        square += weights[j] * weights[j];
    }
    for (size_t j = 0; j < n; j++) gradient[j] *= share;
    return (value + square / 2) * share;
}

/* --- Fitting ------------------------------------------------------------------------------------------------- */

static minnow_status create(logistic **out, size_t dimensions, size_t n_classes, minnow_error *error) {
    logistic *l = calloc(1, sizeof *l);
    size_t count;
    if (l == NULL) return eval_out_of_memory(error);
    l->dimensions = dimensions;
    l->rows = dimensions + 1;
    l->n_classes = n_classes;
    l->columns = (n_classes + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS;
    if (size_mul(l->rows, l->columns, &count)) l->weights = calloc(count, sizeof *l->weights);
    *out = l;
    if (l->weights != NULL) return MINNOW_OK;
    logistic_close(out);
    return eval_out_of_memory(error);
}

static minnow_status create_chunks(fit *f, minnow_error *error) {
    const logistic *l = f->shape;
    const size_t x = BLOCK * l->rows, z = BLOCK * l->columns, g = l->rows * l->columns;
    double *p = f->memory = calloc(x + z + g, CHUNKS * sizeof *f->memory);
    if (p == NULL) return eval_out_of_memory(error);
    for (size_t i = 0; i < CHUNKS; i++, p += x + z + g) {
        f->chunks[i].x = p;
        f->chunks[i].z = p + x;
        f->chunks[i].gradient = p + x + z;
    }
    return MINNOW_OK;
}

minnow_status logistic_fit(logistic **out, const float *vectors, size_t dimensions, const eval_labelled *items,
                           size_t n, size_t n_classes, thread_pool *pool, lbfgs_result *result, minnow_error *error) {
    fit f;
    minnow_status status;
    memset(&f, 0, sizeof f);
    TRY(create(out, dimensions, n_classes, error));
    f.shape = *out;
    f.vectors = vectors;
    f.items = items;
    f.n = n;
    f.pool = pool;
    status = create_chunks(&f, error);
    if (status == MINNOW_OK)
        status = lbfgs_minimize(objective, &f, (*out)->weights, f.shape->rows * f.shape->columns, TOLERANCE,
                                MAX_ITERATIONS, result, error);
    free(f.memory);
    if (status != MINNOW_OK) logistic_close(out);
    return status;
}

void logistic_close(logistic **l) {
    if (*l == NULL) return;
    free((*l)->weights);
    free(*l);
    *l = NULL;
}

double logistic_weight(const logistic *l, size_t dimension, size_t class_index) {
    return l->weights[dimension * l->columns + class_index];
}

minnow_status logistic_count_right(const logistic *l, const float *vectors, const eval_labelled *items, size_t n,
                                   size_t *n_right, minnow_error *error) {
    double *x = calloc(BLOCK * (l->rows + l->columns), sizeof *x), *z;
    *n_right = 0;
    if (x == NULL) return eval_out_of_memory(error);
    z = x + BLOCK * l->rows;
    for (size_t first = 0; first < n; first += BLOCK) {
        const size_t count = n - first < BLOCK ? n - first : BLOCK;
        load_block(l, vectors, items + first, count, x);
        memset(z, 0, count * l->columns * sizeof *z);
        multiply(z, x, l->rows, 1, l->weights, count, l->rows, l->columns);
        for (size_t i = 0; i < count; i++) {
            size_t best = 0;
            for (size_t c = 1; c < l->n_classes; c++)
                if (z[i * l->columns + c] > z[i * l->columns + best]) best = c;
            *n_right += best == items[first + i].label;
        }
    }
    free(x);
    return MINNOW_OK;
}

minnow_status eval_score_classification(const eval_task *t, const float *vectors, size_t dimensions, thread_pool *pool,
                                        double *accuracy, minnow_error *error) {
    logistic *l = NULL;
    minnow_status status;
    size_t n_right = 0;
    TRY(logistic_fit(&l, vectors, dimensions, t->train, t->n_train, t->n_classes, pool, NULL, error));
    status = logistic_count_right(l, vectors, t->test, t->n_test, &n_right, error);
    logistic_close(&l);
    *accuracy = (double)n_right / (double)t->n_test;
    return status;
}
