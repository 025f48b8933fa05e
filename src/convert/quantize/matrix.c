/* SPDX-License-Identifier: Apache-2.0
 * Float weights -> codes, rounded to the nearest: matrix_job in, a part of the model out. */
#include "convert/quantize/parts.h"

#include <string.h>

#define LIMIT ((double)INT8_WEIGHT_LIMIT)

const float *matrix_row(const matrix_job *job, size_t i, float *bias) {
    size_t part = 0;
    while (i >= job->parts[part]->n) i -= job->parts[part++]->n;
    *bias = job->parts[part]->bias[i];
    return job->parts[part]->weight + i * job->k;
}

minnow_status matrix_reserve(matrix_job *job, int8_matrix *out, arena *memory, minnow_error *error) {
    const size_t bytes = int8_panels_bytes(job->n, job->k), padded = int8_panels(job->n) * INT8_PANEL;
    job->panels = arena_alloc(memory, bytes);
    job->scale = arena_array(memory, padded, sizeof *job->scale);
    job->bias = arena_array(memory, padded, sizeof *job->bias);
    if (job->panels == NULL || job->scale == NULL || job->bias == NULL)
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    memset(job->panels, INT8_WEIGHT_BIAS, bytes);
    *out = (int8_matrix){.n = job->n, .k = job->k, .panels = job->panels, .scale = job->scale, .bias = job->bias};
    return MINNOW_OK;
}

void matrix_store(const matrix_job *job, size_t i, const int8_t *codes, double scale, double bias) {
    const double step = job->step != NULL ? job->step[i] : 1.0, center = job->center != NULL ? job->center[i] : 0.0;
    size_t j;
    for (j = 0; j < job->k; j++) job->panels[int8_panel_index(job->k, i, j)] = (uint8_t)(codes[j] + INT8_WEIGHT_BIAS);
    job->scale[i] = (float)(scale / step);
    job->bias[i] = (float)((bias - center) / step);
}

/* sum importance * (w - code * scale)^2 */
static double row_error(const double *w, size_t stride, const double *importance, size_t k, double scale) {
    const double inverse = 1.0 / scale;
    double sum = 0.0;
    size_t j;
    for (j = 0; j < k; j++) {
        const double x = w[j * stride];
        const double d = x - quantize_clamp(quantize_nearest(x * inverse), -LIMIT, LIMIT) * scale;
        sum += importance != NULL ? importance[j] * (d * d) : d * d;
    }
    return sum;
}

double matrix_row_scale(const double *w, size_t stride, const double *importance, size_t k) {
    double largest = 0.0, best = 0.0, least = 0.0;
    size_t j, i;
    for (j = 0; j < k; j++) {
        const double x = w[j * stride], magnitude = x < 0.0 ? -x : x;
        if (magnitude > largest) largest = magnitude;
    }
    if (!(largest / LIMIT > 1e-30)) return 1e-30; /* a row of zeros */
    for (i = 0; i < 14; i++) { /* from no clipping to half the range */
        const double scale = (double)(float)(largest / LIMIT * (1.0 - (double)i * 0.04));
        const double error = row_error(w, stride, importance, k, scale);
        if (i == 0 || error < least) {
            least = error;
            best = scale;
        }
    }
    return best;
}

typedef struct nearest {
    const matrix_job *job;
    const float *mean;
    double *w;      /* [n_parts][k] */
    int8_t *codes;  /* [n_parts][k] */
    double *lost, *all; /* [n]: squared weights, and their error */
} nearest;

/* y = sum w x + b exactly; what is left over goes into the bias. */
static void round_row(const nearest *r, size_t i, double *w, int8_t *codes) {
    const matrix_job *job = r->job;
    float bias;
    const float *row = matrix_row(job, i, &bias);
    double scale, total = 0.0, lost = 0.0, all = 0.0;
    size_t j;
    for (j = 0; j < job->k; j++) w[j] = (double)row[j] / (double)job->input.multiplier[j];
    scale = matrix_row_scale(w, 1, NULL, job->k);
    for (j = 0; j < job->k; j++) {
        const double code = quantize_clamp(quantize_nearest(w[j] / scale), -LIMIT, LIMIT), d = w[j] - code * scale;
        codes[j] = (int8_t)code;
        total -= code * scale * (double)job->input.offset[j];
        if (r->mean != NULL) total += d * ((double)r->mean[j] * (double)job->input.multiplier[j]);
        lost += d * d;
        all += w[j] * w[j];
    }
    matrix_store(job, i, codes, scale, (double)bias + total);
    r->lost[i] = lost;
    r->all[i] = all;
}

static void round_rows(void *context, size_t part, size_t n_parts) {
    const nearest *r = context;
    size_t begin, end, i;
    thread_pool_share(r->job->n, INT8_PANEL, part, n_parts, &begin, &end);
    for (i = begin; i < end; i++) round_row(r, i, r->w + part * r->job->k, r->codes + part * r->job->k);
}

minnow_status matrix_nearest(const matrix_job *job, const float *mean, thread_pool *pool, double *relative_error,
                             minnow_error *error) {
    const size_t parts = thread_pool_size(pool);
    arena scratch = {0};
    nearest r = {.job = job, .mean = mean};
    double lost = 0.0, all = 0.0;
    size_t i;
    r.w = arena_array(&scratch, parts * job->k, sizeof *r.w);
    r.codes = arena_array(&scratch, parts * job->k, sizeof *r.codes);
    r.lost = arena_array(&scratch, job->n, sizeof *r.lost);
    r.all = arena_array(&scratch, job->n, sizeof *r.all);
    if (r.w == NULL || r.codes == NULL || r.lost == NULL || r.all == NULL) {
        arena_free(&scratch);
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    }
    thread_pool_run(pool, round_rows, &r);
    for (i = 0; i < job->n; i++) {
        lost += r.lost[i];
        all += r.all[i];
    }
    *relative_error = all > 0.0 ? lost / all : 0.0;
    arena_free(&scratch);
    return MINNOW_OK;
}
