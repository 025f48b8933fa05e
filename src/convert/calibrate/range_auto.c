/* SPDX-License-Identifier: Apache-2.0
 *
 * The method that the model itself chooses: a site's values are rounded to their codes and back, alone in an FP32
 * encoder, and the range that turns the pooled, normalized vectors of a few texts the least is kept. The exact range
 * (minmax) gives way only to one that gains clearly and makes no text worse. Entropy is no candidate: it cuts what
 * encoders need.
 *
 *   embed - layer 0 - ... - layer l ------------------------ ... - last layer - pool      once: what vectors should be
 *                            |- site rounded - rest of layer l - ... - last layer - pool  once a site and range
 */
#include <stdlib.h>
#include <string.h>

#include "convert/calibrate/ranges_impl.h"
#include "run/engine/pool.h"

#define TRIAL_ROWS ((size_t)1024) /* tokens of the texts tried on */
#define GAIN_THAT_COUNTS 2e-5     /* of the mean cosine: less is noise, and minmax, which cuts nothing, stays */
#define LEAST_PERCENTILE 99.999   /* what cuts more looks good only on texts that lack the outliers */

/* --- Rounding ------------------------------------------------------------------------------------------------- */

static float nearest(float x) { return (x + 0x1.8p23f) - 0x1.8p23f; }

void range_round_trip(const range_site *site, const float *x, size_t rows, float *y) {
    const size_t n = site->channels;
    float scale, low, high;
    int zero_point;
    size_t i, j;
    range_scale(site, &scale, &zero_point);
    low = (float)(site->low_code - zero_point);
    high = (float)(site->high_code - zero_point);
    for (i = 0; i < rows; i++)
        for (j = 0; j < n; j++) {
            float code = (x[i * n + j] - site->center[j]) / site->s[j] / scale;
            code = code > low ? code : low;
            code = code < high ? code : high;
            y[i * n + j] = nearest(code) * scale * site->s[j] + site->center[j];
        }
}

/* --- Trials --------------------------------------------------------------------------------------------------- */

typedef struct trials {
    ranges *r;
    float_encoder *f;
    const encoder *e;
    engine_texts texts;
    int32_t *ids;
    size_t *starts;
    size_t rows;
    float *hidden;                       /* of the layer tried, [rows, hidden] */
    float *next, *rounded;               /* [rows, hidden], [rows, intermediate] */
    float_activations exact, changed;
    float *wanted_vectors, *vectors;     /* [n_texts, hidden] */
    double *pooling;                     /* [hidden] */
    minnow_error *error;
} trials;

/* Every n-th text, until there are enough tokens. */
static minnow_status take_texts(trials *t, const calibration_texts *all) {
    size_t stride = all->rows / TRIAL_ROWS + 1, n = (all->n_texts + stride - 1) / stride, i, k = 0, rows = 0;
    for (i = 0; i < n; i++) rows += all->starts[i * stride + 1] - all->starts[i * stride];
    t->ids = calloc(rows + 1, sizeof *t->ids);
    t->starts = calloc(n + 1, sizeof *t->starts);
    if (t->ids == NULL || t->starts == NULL) return error_set(t->error, MINNOW_ERROR_MEMORY, "out of memory");
    for (i = 0; i < n; i++, k++) {
        const size_t from = all->starts[i * stride], tokens = all->starts[i * stride + 1] - from;
        memcpy(t->ids + t->starts[k], all->ids + from, tokens * sizeof *t->ids);
        t->starts[k + 1] = t->starts[k] + tokens;
    }
    t->texts.ids = t->ids;
    t->texts.starts = t->starts;
    t->texts.n_texts = n;
    t->rows = rows;
    return MINNOW_OK;
}

static minnow_status reserve(trials *t) {
    const size_t vectors = t->texts.n_texts * t->e->hidden, hidden = t->rows * t->e->hidden;
    const size_t widest = t->e->hidden > t->e->intermediate ? t->e->hidden : t->e->intermediate;
    t->hidden = calloc(hidden, sizeof(float));
    t->next = calloc(hidden, sizeof(float));
    t->rounded = calloc(t->rows * widest, sizeof(float));
    t->wanted_vectors = calloc(vectors, sizeof(float));
    t->vectors = calloc(vectors, sizeof(float));
    t->pooling = calloc(t->e->hidden, sizeof(double));
    if (!t->hidden || !t->next || !t->rounded || !t->wanted_vectors || !t->vectors || !t->pooling)
        return error_set(t->error, MINNOW_ERROR_MEMORY, "out of memory");
    TRY(float_activations_reserve(&t->exact, t->e, t->rows, t->error));
    return float_activations_reserve(&t->changed, t->e, t->rows, t->error);
}

static void release(trials *t) {
    free(t->ids);
    free(t->starts);
    free(t->hidden);
    free(t->next);
    free(t->rounded);
    free(t->wanted_vectors);
    free(t->vectors);
    free(t->pooling);
    float_activations_free(&t->exact);
    float_activations_free(&t->changed);
}

/* Layers [layer, n_layers) from *hidden (changed on the way), then pooling. */
static minnow_status finish(trials *t, size_t layer, float *hidden, float *vectors) {
    const size_t n = t->e->hidden;
    size_t i;
    for (; layer < t->e->n_layers; layer++) {
        TRY(float_encoder_layer(t->f, layer, &t->texts, hidden, &t->changed, t->error));
        memcpy(hidden, t->changed.hidden, t->rows * n * sizeof *hidden);
    }
    for (i = 0; i < t->texts.n_texts; i++)
        pool_tokens(hidden + t->starts[i] * n, t->starts[i + 1] - t->starts[i], n, MINNOW_POOLING_MEAN, 1, t->pooling,
                    vectors + i * n);
    return MINNOW_OK;
}

/* One layer with one site rounded. What the trial does not change is borrowed from t->exact; what it computes goes into
 * t->changed. */
static minnow_status run_changed_layer(trials *t, const range_site *site) {
    float_activations a = t->changed;
    const float *input = NULL;
    float_step from = FLOAT_FROM_QKV;
    const float *const x[RANGE_ROLES] = {t->hidden, t->exact.query, t->exact.key, t->exact.value, t->exact.context,
                                         t->exact.attended, t->exact.inner};
    range_round_trip(site, x[site->role], t->rows, t->rounded);
    if (site->role == RANGE_QUERY || site->role == RANGE_KEY || site->role == RANGE_VALUE) {
        a.query = site->role == RANGE_QUERY ? t->rounded : t->exact.query;
        a.key = site->role == RANGE_KEY ? t->rounded : t->exact.key;
        a.value = site->role == RANGE_VALUE ? t->rounded : t->exact.value;
    } else if (site->role == RANGE_ATTENTION_INPUT) {
        from = FLOAT_FROM_INPUT;
        input = t->rounded;
    } else if (site->role == RANGE_CONTEXT) {
        from = FLOAT_FROM_CONTEXT;
        a.context = t->rounded;
    } else if (site->role == RANGE_UP_INPUT) {
        from = FLOAT_FROM_ATTENDED;
        a.attended = t->exact.attended;
        input = t->rounded;
    } else {
        from = FLOAT_FROM_INNER;
        a.attended = t->exact.attended;
        a.inner = t->rounded;
    }
    return float_encoder_resume(t->f, site->layer, from, &t->texts, t->hidden, input, &a, t->error);
}

/* Mean and least cosine between the vectors as they should be and with one site rounded. */
static minnow_status measure(trials *t, const range_site *site, double *mean, double *least) {
    const size_t n = t->e->hidden;
    double sum = 0;
    *least = 1;
    size_t i;
    TRY(run_changed_layer(t, site));
    memcpy(t->next, t->changed.hidden, t->rows * n * sizeof *t->next);
    TRY(finish(t, site->layer + 1, t->next, t->vectors));
    for (i = 0; i < t->texts.n_texts; i++) {
        const double cosine = minnow_similarity(t->vectors + i * n, t->wanted_vectors + i * n, n);
        sum += cosine;
        *least = cosine < *least ? cosine : *least;
    }
    *mean = sum / (double)t->texts.n_texts;
    return MINNOW_OK;
}

static minnow_status choose_site(trials *t, range_site *site, double percentile) {
    static const range_method candidates[] = {RANGE_MINMAX, RANGE_MSE, RANGE_PERCENTILE};
    const size_t n = sizeof candidates / sizeof candidates[0];
    float lows[3], highs[3];
    double mean, least, best = 0, exact_least = 0;
    size_t i, j, chosen = 0;
    int seen;
    for (i = 0; i < n; i++) {
        range_apply(site, candidates[i], percentile > LEAST_PERCENTILE ? percentile : LEAST_PERCENTILE);
        lows[i] = site->low;
        highs[i] = site->high;
        for (j = 0, seen = 0; j < i; j++) seen |= lows[j] == site->low && highs[j] == site->high;
        if (seen) continue;
        TRY(measure(t, site, &mean, &least));
        if (i == 0) exact_least = least, best = mean + GAIN_THAT_COUNTS;
        else if (mean > best && least >= exact_least) chosen = i, best = mean;
    }
    site->method = candidates[chosen];
    site->low = lows[chosen];
    site->high = highs[chosen];
    return MINNOW_OK;
}

static minnow_status run(trials *t, const calibration_texts *texts, const uint8_t *wanted, const range_options *o,
                         double percentile) {
    const ranges *r = t->r;
    size_t i, role;
    TRY(take_texts(t, texts));
    TRY(reserve(t));
    TRY(float_encoder_embed(t->f, &t->texts, NULL, t->hidden, t->error));
    memcpy(t->next, t->hidden, t->rows * r->hidden * sizeof *t->next);
    TRY(finish(t, 0, t->next, t->wanted_vectors));
    for (i = 0; i < r->n_layers; i++) {
        TRY(float_encoder_layer(t->f, i, &t->texts, t->hidden, &t->exact, t->error));
        for (role = 0; role < RANGE_ROLES; role++) {
            const size_t site = i * RANGE_ROLES + role;
            if (o->progress != NULL) o->progress(o->progress_context, "ranges", site, r->n_sites);
            if (wanted[site]) TRY(choose_site(t, &r->sites[site], percentile));
        }
        memcpy(t->hidden, t->exact.hidden, t->rows * r->hidden * sizeof *t->hidden);
    }
    if (o->progress != NULL) o->progress(o->progress_context, "ranges", r->n_sites, r->n_sites);
    return MINNOW_OK;
}

minnow_status range_auto(ranges *r, float_encoder *f, const calibration_texts *texts, const uint8_t *wanted,
                         const range_options *options, double percentile, minnow_error *error) {
    trials t = {.r = r, .f = f, .e = float_encoder_weights(f), .error = error};
    const minnow_status status = run(&t, texts, wanted, options, percentile);
    release(&t);
    return status;
}
