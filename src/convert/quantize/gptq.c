/* SPDX-License-Identifier: Apache-2.0
 *
 * One matrix by regression and GPTQ: statistics of its inputs' codes c and of the outputs t wanted of it in, codes out.
 *
 *   H = sum c c^T, G = sum t c^T, both centred;  w: the original weights in units of codes (parts.h)
 *   regression   w* = (G + r w) (H + r I)^-1              least |t - w* c|^2 + r |w* - w|^2
 *   rounding     least (w* - q) (H + d I) (w* - q)^T over q = scale * integers, one input channel after the other
 *   bias         mean(t) - q mean(c)
 *
 * r and d are `ridge` and `damping` times the mean diagonal of H. The rounding is GPTQ (Frantar et al., arXiv
 * 2210.17323) in the form of successive cancellation: with H + d I = L L^T the loss is |(w* - q) L|^2, whose element
 * j depends on channels j and later only. So the last channel is rounded first, then each earlier one against the
 * errors e already made:
 *   q[j] = round(w*[j] + sum over m > j of e[m] L[m][j] / L[j][j])
 * Channels are sorted so that those of large diagonals are rounded first. 16 outputs are worked on side by side. */
#include "convert/math/linear_algebra.h"
#include "convert/quantize/parts.h"

#include <stdlib.h>
#include <string.h>

#define LANES ((size_t)LINEAR_LANES)
#define LIMIT ((double)INT8_WEIGHT_LIMIT)

typedef struct channel {
    double diagonal;
    size_t place;
} channel;

typedef struct gptq {
    const matrix_job *job;
    const statistics *s;
    channel *order;      /* [k], ascending diagonals */
    double *importance;  /* [k], the diagonals in that order */
    double *factor;      /* [k, k], channels in that order */
    double *best;        /* w*: [groups of 16 outputs][k][16], channels in that order */
    double pull;         /* r */
    double *work;        /* [n_parts][work_doubles] */
    size_t work_doubles;
    double *lost, *all;  /* [n] */
} gptq;

typedef struct group { /* what a thread needs for 16 outputs, [k][16] each */
    double *a, *b, *rows; /* rows: [max(k, m)][16] */
} group;

static group group_work(const gptq *q, size_t part) {
    double *work = q->work + part * q->work_doubles;
    const size_t size = q->job->k * LANES;
    const group w = {work, work + size, work + 2 * size};
    return w;
}

static size_t lanes_of(const gptq *q,
                       size_t g) {
    return q->job->n - g * LANES < LANES ? q->job->n - g * LANES : LANES;
}

/* out [k][16]: the weights of group g as they are in the float model; lanes beyond n are 0. */
static void load_rows(const gptq *q, size_t g, double *out) {
    const size_t k = q->job->k, lanes = lanes_of(q, g);
    size_t j, l;
    memset(out, 0, k * LANES * sizeof *out);
    for (l = 0; l < lanes; l++) {
        float bias;
        const float *row = matrix_row(q->job, g * LANES + l, &bias);
        for (j = 0; j < k; j++) out[j * LANES + l] = (double)row[j];
    }
}

/* out [16] = channel j of G; rows: load_rows. */
static void load_cross(const gptq *q, size_t g, size_t j, const double *rows, double *out) {
    const double *cross = q->s->cross + j * q->s->m;
    const size_t lanes = lanes_of(q, g);
    size_t l;
    memset(out, 0, LANES * sizeof *out);
    if (q->s->is_inputs) {
        linear_subtract(out, cross, rows, q->s->m);
        for (l = 0; l < LANES; l++) out[l] = -out[l];
    } else {
        for (l = 0; l < lanes; l++) out[l] = cross[g * LANES + l];
    }
}

/* --- Regression --------------------------------------------------------------------------------------------------- */
static void regress(void *context, size_t part, size_t n_parts) {
    const gptq *q = context;
    const size_t k = q->job->k, n_groups = (q->job->n + LANES - 1) / LANES;
    const group w = group_work(q, part);
    size_t g, r, l;
    for (g = part; g < n_groups; g += n_parts) {
        double *x = q->best + g * k * LANES;
        load_rows(q, g, w.rows);
        for (r = 0; r < k; r++) {
            const size_t j = q->order[r].place;
            const double unit = q->pull / (double)q->job->input.multiplier[j];
            load_cross(q, g, j, w.rows, x + r * LANES);
            for (l = 0; l < LANES; l++) x[r * LANES + l] += unit * w.rows[j * LANES + l];
        }
        linear_cholesky_solve(q->factor, k, x);
    }
}

/* --- Rounding ----------------------------------------------------------------------------------------------------- */
/* w [k][16] -> codes [k][16] in a; errors [k][16] go through e. */
static void cancel(const gptq *q, const double *w, const double *scale, double *codes, double *e) {
    const size_t k = q->job->k;
    size_t r, l;
    for (r = k; r-- > 0;) {
        const double *row = q->factor + r * k;
        double sum[LINEAR_LANES] = {0};
        linear_subtract(sum, row + r + 1, e + (r + 1) * LANES, k - r - 1);
        for (l = 0; l < LANES; l++) {
            const double wanted = w[r * LANES + l] - sum[l] / row[r];
            const double code = quantize_clamp(quantize_nearest(wanted / scale[l]), -LIMIT, LIMIT);
            codes[r * LANES + l] = code;
            e[r * LANES + l] = w[r * LANES + l] - code * scale[l];
        }
    }
}

/* |t - q c|^2 and |t|^2 of each output. natural [k][16]: q, channels in the model's order. */
static void measure(const gptq *q, size_t g, const double *natural, const double *rows) {
    const statistics *s = q->s;
    const size_t k = q->job->k, lanes = lanes_of(q, g);
    double lost[LINEAR_LANES] = {0}, all[LINEAR_LANES] = {0};
    size_t j, l;
    for (j = 0; j < k; j++) {
        double product[LINEAR_LANES] = {0}, cross[LINEAR_LANES];
        linear_subtract(product, s->gram + j * k, natural, k);
        load_cross(q, g, j, rows, cross);
        for (l = 0; l < LANES; l++) lost[l] -= natural[j * LANES + l] * (product[l] + 2.0 * cross[l]);
    }
    for (j = 0; s->is_inputs && j < s->m; j++) {
        double product[LINEAR_LANES] = {0};
        linear_subtract(product, s->target + j * s->m, rows, s->m);
        for (l = 0; l < LANES; l++) all[l] -= product[l] * rows[j * LANES + l];
    }
    for (l = 0; l < lanes; l++) {
        const size_t i = g * LANES + l;
        q->all[i] = s->is_inputs ? all[l] : s->target[i];
        q->lost[i] = q->all[i] + lost[l];
    }
}

/* codes [k][16] in the order of rounding -> the model; natural [k][16]: scale * codes in the model's order. */
static void store_group(const gptq *q, size_t g, const double *codes, const double *scale, const double *rows,
                        double *natural, int8_t *row_codes) {
    const statistics *s = q->s;
    const size_t k = q->job->k, lanes = lanes_of(q, g);
    size_t r, j, l;
    for (r = 0; r < k; r++)
        for (l = 0; l < LANES; l++) natural[q->order[r].place * LANES + l] = codes[r * LANES + l] * scale[l];
    for (l = 0; l < lanes; l++) {
        const size_t i = g * LANES + l;
        float bias;
        double total;
        matrix_row(q->job, i, &bias);
        total = s->is_inputs ? (double)bias : s->target_mean[i];
        for (j = 0; s->is_inputs && j < s->m; j++) total += rows[j * LANES + l] * s->target_mean[j];
        for (j = 0; j < k; j++) total -= natural[j * LANES + l] * s->code_mean[j];
        for (r = 0; r < k; r++) row_codes[q->order[r].place] = (int8_t)codes[r * LANES + l];
        matrix_store(q->job, i, row_codes, scale[l], total);
    }
}

static void round_groups(void *context, size_t part, size_t n_parts) {
    const gptq *q = context;
    const size_t k = q->job->k, n_groups = (q->job->n + LANES - 1) / LANES;
    const group w = group_work(q, part);
    size_t g, l;
    for (g = part; g < n_groups; g += n_parts) {
        double *x = q->best + g * k * LANES, scale[LINEAR_LANES];
        for (l = 0; l < LANES; l++) scale[l] = matrix_row_scale(x + l, LANES, q->importance, k);
        cancel(q, x, scale, w.a, w.b);
        load_rows(q, g, w.rows);
        /* w* is done with: its memory takes the row of codes */
        store_group(q, g, w.a, scale, w.rows, w.b, (int8_t *)(void *)x);
        measure(q, g, w.b, w.rows);
    }
}

/* --- The whole ---------------------------------------------------------------------------------------------------- */
static int by_diagonal(const void *a, const void *b) {
    const channel *x = a, *y = b;
    if (x->diagonal != y->diagonal) return x->diagonal > y->diagonal ? 1 : -1;
    return x->place < y->place ? 1 : -1;
}

/* factor = L of (H + strength * mean diagonal * I), channels in order; returns what was added to the diagonal. */
static minnow_status factorize(gptq *q, double strength, thread_pool *pool, double *added, minnow_error *error) {
    const size_t k = q->job->k;
    double mean = 0.0;
    size_t i, j;
    for (i = 0; i < k; i++) mean += q->importance[i];
    mean /= (double)k;
    *added = mean > 0.0 ? strength * mean : 1.0; /* inputs that never change */
    for (i = 0; i < k; i++) {
        const double *row = q->s->gram + q->order[i].place * k;
        for (j = 0; j < i; j++) q->factor[i * k + j] = row[q->order[j].place];
        q->factor[i * k + i] = row[q->order[i].place] + *added;
    }
    return linear_cholesky(q->factor, k, pool, error);
}

static minnow_status allocate(gptq *q, arena *memory, size_t n_parts, minnow_error *error) {
    const size_t k = q->job->k, n = q->job->n, widest = k > q->s->m ? k : q->s->m;
    q->work_doubles = (2 * k + widest) * LANES;
    q->order = arena_array(memory, k, sizeof *q->order);
    q->importance = arena_array(memory, k, sizeof *q->importance);
    q->factor = arena_array(memory, k, k * sizeof *q->factor);
    q->best = arena_array(memory, int8_panels(n) * k, LANES * sizeof *q->best);
    q->work = arena_array(memory, n_parts, q->work_doubles * sizeof *q->work);
    q->lost = arena_array(memory, n, sizeof *q->lost);
    q->all = arena_array(memory, n, sizeof *q->all);
    if (q->order == NULL || q->importance == NULL || q->factor == NULL || q->best == NULL || q->work == NULL ||
        q->lost == NULL || q->all == NULL)
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    return MINNOW_OK;
}

static minnow_status fit(gptq *q, double ridge, double damping, thread_pool *pool, minnow_error *error) {
    const size_t k = q->job->k;
    double added;
    size_t i;
    for (i = 0; i < k; i++) q->order[i] = (channel){q->s->gram[i * k + i], i};
    qsort(q->order, k, sizeof *q->order, by_diagonal);
    for (i = 0; i < k; i++) q->importance[i] = q->order[i].diagonal;
    TRY(factorize(q, ridge, pool, &q->pull, error));
    thread_pool_run(pool, regress, q);
    if (damping != ridge) TRY(factorize(q, damping, pool, &added, error));
    thread_pool_run(pool, round_groups, q);
    return MINNOW_OK;
}

minnow_status gptq_matrix(const matrix_job *job, const statistics *s, double ridge, double damping, thread_pool *pool,
                          double *relative_error, minnow_error *error) {
    gptq q = {.job = job, .s = s};
    arena memory = {0};
    minnow_status status = allocate(&q, &memory, thread_pool_size(pool), error);
    if (status == MINNOW_OK) status = fit(&q, ridge, damping, pool, error);
    if (status == MINNOW_OK) {
        double lost = 0.0, all = 0.0;
        size_t i;
        for (i = 0; i < job->n; i++) {
            lost += q.lost[i];
            all += q.all[i];
        }
        *relative_error = all > 0.0 && lost > 0.0 ? lost / all : 0.0;
    } else {
        error_prefix(error, status, "%s", job->name);
    }
    arena_free(&memory);
    return status;
}
