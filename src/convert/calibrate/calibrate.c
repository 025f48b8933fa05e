/* SPDX-License-Identifier: Apache-2.0
 *
 * FP32 encoder + texts -> ranges, in two passes over blocks of texts:
 *
 *   1  minimum, maximum and mean of every channel of every site;  then center and s (equalize.c)
 *   2  the histogram of z = (x - center) / s;                     then the ranges (range_choose.c)
 *
 * Memory is that of one block. Threads share channels in pass 1, so that a mean's sum runs over the tokens in order,
 * and rows in pass 2, where counts are whole numbers: the result is the same with any number of threads. */
#include <stdlib.h>
#include <string.h>

#include "convert/calibrate/ranges_impl.h"

#define BLOCK_ROWS ((size_t)2048)
#define STAGING ((size_t)1024) /* values of z at a time */

typedef struct calibrator {
    ranges *r;
    float_encoder *f;
    const encoder *e;
    thread_pool *pool;
    const calibration_texts *texts;
    const range_options *options;
    size_t *starts;            /* [n_texts + 1], of a block */
    float *hidden, *sum;       /* [block rows, hidden] */
    float_activations values;
    double *sums[RANGE_ROLES]; /* of x: [n_layers * channels] */
    range_histogram *partial;  /* [threads] */
    range_method *methods;     /* [n_sites] */
    int pass;
    minnow_error *error;
} calibrator;

/* --- Pass 1: extremes and sums -------------------------------------------------------------------------------- */

typedef struct extremes_job {
    const float *x; /* [rows, channels] */
    size_t rows, channels;
    float *minimum, *maximum; /* [channels] */
    double *sum;              /* [channels] or NULL */
} extremes_job;

static void gather_extremes(void *context, size_t part, size_t n_parts) {
    const extremes_job *job = context;
    size_t begin, end, i, j;
    thread_pool_share(job->channels, 16, part, n_parts, &begin, &end);
    for (i = 0; i < job->rows; i++) {
        const float *x = job->x + i * job->channels;
        for (j = begin; j < end; j++) {
            job->minimum[j] = x[j] < job->minimum[j] ? x[j] : job->minimum[j];
            job->maximum[j] = x[j] > job->maximum[j] ? x[j] : job->maximum[j];
        }
        if (job->sum == NULL) continue;
        for (j = begin; j < end; j++) job->sum[j] += (double)x[j];
    }
}

static void see_extremes(calibrator *c, const float *x, size_t rows, size_t channels, float *minimum, float *maximum,
                         double *sum) {
    extremes_job job = {x, rows, channels, minimum, maximum, sum};
    thread_pool_run(c->pool, gather_extremes, &job);
}

static void begin_extremes(float *minimum, float *maximum, size_t n) {
    for (size_t j = 0; j < n; j++) {
        minimum[j] = __builtin_inff();
        maximum[j] = -__builtin_inff();
    }
}

static void begin_pass_1(const ranges *r) {
    size_t i;
    for (i = 0; i < r->n_sites; i++) begin_extremes(r->sites[i].minimum, r->sites[i].maximum, r->sites[i].channels);
    for (i = 0; i < 2 * r->n_layers + 1; i++) begin_extremes(r->norms[i].minimum, r->norms[i].maximum, r->hidden);
}

/* Sums -> means. One NaN or infinity anywhere makes its channel's sum no number. */
static minnow_status end_pass_1(calibrator *c) {
    size_t i, j;
    for (i = 0; i < c->r->n_sites; i++) {
        range_site *site = &c->r->sites[i];
        const double *sums = c->sums[site->role] + site->layer * site->channels;
        for (j = 0; j < site->channels; j++) {
            const double mean = sums[j] / (double)c->texts->rows;
            if (!(mean - mean == 0))
                return error_set(c->error, MINNOW_ERROR_FORMAT,
                                 "%s: the model computes NaN or infinity in channel %zu", site->name, j);
            site->mean[j] = (float)mean;
        }
    }
    return MINNOW_OK;
}

/* --- Pass 2: histograms --------------------------------------------------------------------------------------- */

typedef struct histogram_job {
    const range_site *site;
    const float *x;
    size_t rows;
    range_histogram *partial; /* [threads] */
} histogram_job;

static void gather_histogram(void *context, size_t part, size_t n_parts) {
    const histogram_job *job = context;
    const range_site *site = job->site;
    range_histogram *h = &job->partial[part];
    float z[STAGING];
    size_t begin, end, i, j, first, n;
    thread_pool_share(job->rows, 1, part, n_parts, &begin, &end);
    range_histogram_clear(h, site->histogram.width);
    for (i = begin; i < end; i++)
        for (first = 0; first < site->channels; first += n) {
            const float *x = job->x + i * site->channels + first;
            n = site->channels - first < STAGING ? site->channels - first : STAGING;
            for (j = 0; j < n; j++) z[j] = (x[j] - site->center[first + j]) / site->s[first + j];
            range_histogram_add(h, z, n);
        }
}

static void see_histogram(calibrator *c, range_site *site, const float *x, size_t rows) {
    histogram_job job = {site, x, rows, c->partial};
    size_t i;
    thread_pool_run(c->pool, gather_histogram, &job);
    for (i = 0; i < thread_pool_size(c->pool); i++) range_histogram_merge(&site->histogram, &c->partial[i]);
}

/* The extremes of z follow from those of x; they give the width that will do. */
static minnow_status begin_pass_2(calibrator *c) {
    size_t i, j;
    for (i = 0; i < c->r->n_sites; i++) {
        range_site *site = &c->r->sites[i];
        float least = __builtin_inff(), most = -least;
        for (j = 0; j < site->channels; j++) {
            const float low = (site->minimum[j] - site->center[j]) / site->s[j];
            const float high = (site->maximum[j] - site->center[j]) / site->s[j];
            least = low < least ? low : least;
            most = high > most ? high : most;
        }
        if (!(least > -1e30f && most < 1e30f))
            return error_set(c->error, MINNOW_ERROR_FORMAT, "%s: values from %g to %g are beyond any range", site->name,
                             (double)least, (double)most);
        site->least = least;
        site->most = most;
        range_histogram_clear(&site->histogram, range_histogram_width((double)(most > -least ? most : -least)));
    }
    return MINNOW_OK;
}

/* --- A pass --------------------------------------------------------------------------------------------------- */

static void see_site(calibrator *c, size_t layer, range_role role, const float *x, size_t rows) {
    range_site *site = ranges_site(c->r, layer, role);
    if (c->pass == 1)
        see_extremes(c, x, rows, site->channels, site->minimum, site->maximum, c->sums[role] + layer * site->channels);
    else see_histogram(c, site, x, rows);
}

static void see_norm(calibrator *c, size_t index, const float *x, size_t rows) {
    const range_norm *norm = &c->r->norms[index];
    if (c->pass == 1) see_extremes(c, x, rows, c->r->hidden, norm->minimum, norm->maximum, NULL);
}

static minnow_status see_block(calibrator *c, const engine_texts *block) {
    const size_t rows = block->starts[block->n_texts];
    const float_activations *v = &c->values;
    size_t i;
    TRY(float_encoder_embed(c->f, block, c->sum, c->hidden, c->error));
    see_norm(c, 0, c->sum, rows);
    for (i = 0; i < c->r->n_layers; i++) {
        TRY(float_encoder_layer(c->f, i, block, c->hidden, &c->values, c->error));
        see_site(c, i, RANGE_ATTENTION_INPUT, c->hidden, rows);
        see_site(c, i, RANGE_QUERY, v->query, rows);
        see_site(c, i, RANGE_KEY, v->key, rows);
        see_site(c, i, RANGE_VALUE, v->value, rows);
        see_site(c, i, RANGE_CONTEXT, v->context, rows);
        see_site(c, i, RANGE_UP_INPUT, v->attended, rows);
        see_site(c, i, RANGE_DOWN_INPUT, v->inner, rows);
        see_norm(c, 2 * i + 1, v->attention_sum, rows);
        see_norm(c, 2 * i + 2, v->output_sum, rows);
        memcpy(c->hidden, v->hidden, rows * c->r->hidden * sizeof *c->hidden);
    }
    return MINNOW_OK;
}

static minnow_status run_pass(calibrator *c, const char *phase) {
    const range_options *o = c->options;
    engine_texts block;
    size_t i, end;
    for (i = 0; i < c->texts->n_texts; i = end) {
        if (o->progress != NULL) o->progress(o->progress_context, phase, i, c->texts->n_texts);
        calibration_texts_block(c->texts, i, BLOCK_ROWS, &end, c->starts, &block);
        TRY(see_block(c, &block));
    }
    if (o->progress != NULL) o->progress(o->progress_context, phase, i, c->texts->n_texts);
    return MINNOW_OK;
}

/* --- All of it ------------------------------------------------------------------------------------------------ */

static minnow_status reserve(calibrator *c) {
    const size_t rows = c->texts->longest > BLOCK_ROWS ? c->texts->longest : BLOCK_ROWS;
    int ok = 1, role;
    c->starts = calloc(BLOCK_ROWS + 2, sizeof *c->starts); /* a text has at least one row */
    c->hidden = calloc(rows * c->e->hidden, sizeof *c->hidden);
    c->sum = calloc(rows * c->e->hidden, sizeof *c->sum);
    c->partial = calloc(thread_pool_size(c->pool), sizeof *c->partial);
    c->methods = calloc(c->r->n_sites + 1, sizeof *c->methods);
    for (role = 0; role < RANGE_ROLES; role++) {
        c->sums[role] = calloc(c->e->n_layers * range_channels(c->r, (range_role)role) + 1, sizeof(double));
        ok = ok && c->sums[role] != NULL;
    }
    if (!ok || c->starts == NULL || c->hidden == NULL || c->sum == NULL || c->partial == NULL || c->methods == NULL)
        return error_set(c->error, MINNOW_ERROR_MEMORY, "out of memory");
    return float_activations_reserve(&c->values, c->e, rows, c->error);
}

static void release(calibrator *c) {
    for (int role = 0; role < RANGE_ROLES; role++) free(c->sums[role]);
    free(c->starts);
    free(c->hidden);
    free(c->sum);
    free(c->partial);
    free(c->methods);
    float_activations_free(&c->values);
}

static minnow_status run_passes(calibrator *c) {
    TRY(reserve(c));
    TRY(range_methods(c->r, c->options, c->methods, c->error));
    begin_pass_1(c->r);
    c->pass = 1;
    TRY(run_pass(c, "extremes"));
    TRY(end_pass_1(c));
    range_equalize(c->r, c->e, c->methods);
    TRY(begin_pass_2(c));
    c->pass = 2;
    return run_pass(c, "histograms");
}

static minnow_status check(const calibration_texts *texts, const range_options *o, minnow_error *error) {
    if (texts->n_texts == 0) return error_set(error, MINNOW_ERROR_ARGUMENT, "there are no texts to calibrate with");
    if (!(o->alpha >= 0 && o->alpha <= 1))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "alpha %g is not from 0 to 1", (double)o->alpha);
    return MINNOW_OK;
}

minnow_status ranges_calibrate(ranges **out, float_encoder *f, const calibration_texts *texts,
                               const range_options *options, minnow_error *error) {
    const encoder *e = float_encoder_weights(f);
    calibrator c = {.f = f, .e = e, .pool = float_encoder_pool(f), .texts = texts, .options = options, .error = error};
    minnow_status status;
    *out = NULL;
    TRY(check(texts, options, error));
    TRY(ranges_create(&c.r, e->n_layers, e->hidden, e->intermediate, e->n_heads, error));
    c.r->alpha = options->no_equalization ? 0 : options->alpha;
    c.r->n_texts = texts->n_texts;
    c.r->n_tokens = texts->rows;
    c.r->n_truncated = texts->n_truncated;
    ranges_weights_sha256(e, c.r->weights_sha256);
    status = run_passes(&c);
    release(&c);
    if (status == MINNOW_OK) status = ranges_choose(c.r, f, texts, options, error);
    if (status == MINNOW_OK) *out = c.r;
    else ranges_close(&c.r);
    return status;
}
