/* SPDX-License-Identifier: Apache-2.0
 *
 * Channel splitting between up and down: the inner channels whose rounding costs most are computed more than once.
 *
 * n copies of channel j go through the same quantizer, but for their offsets, which lie 1/n of a step apart, and each
 * copy's weights in `down` are W[:, j] / n. The sum of n staggered codes is the code of a step n times as fine.
 * Weights that small also let equalization go further: s[j] = max|x|^alpha / max|W|^(1 - alpha) grows by
 * n^(1 - alpha), and with it shrinks the range of the whole site, which a few channels set. The engine sees a layer
 * that is a little wider and needs to know nothing. (Outlier channel splitting, Zhao et al., arXiv 1901.09504, with
 * staggered copies.)
 *
 * GELU's output is where it pays: of all sites it loses most, and few of its channels carry most of the loss. Copies
 * go one by one to the channel where they save most of (step[j] n^(1 - alpha) / n)^2 |W[:, j]|^2. For MiniLM, 64
 * copies of 1,536 take a quarter of the error of the whole model (mean cosine 0.9980 -> 0.9985). */
#include <string.h>

#include "convert/math/math.h"
#include "convert/quantize/parts.h"

typedef struct split_plan {
    size_t n;           /* channels of the float model */
    double growth;      /* of s with the copies: s' = s * copies^growth */
    double *loss;       /* [n]: step^2 |W|^2 with one copy */
    double *saving;     /* [n]: of it, by one more copy */
    size_t *copies;     /* [n] */
} split_plan;

/* Not where the range was cut on purpose: its largest channels do not set it. */
static double growth_of(const range_site *site, float alpha) {
    const float kept = site->high - site->low, all = site->most - site->least;
    return alpha > 0.0f && kept >= 0.9f * all ? 1.0 - (double)alpha : 0.0;
}

static void plan_saving(split_plan *p, size_t j) {
    const double n = (double)p->copies[j], power = 2.0 * (p->growth - 1.0);
    p->saving[j] = p->loss[j] * (math_pow_f64(n, power) - math_pow_f64(n + 1.0, power));
}

/* The squares' sums run over the outputs in order. */
static minnow_status plan_copies(split_plan *p, arena *scratch, const encoder_linear *down, const range_site *site,
                                 float alpha, size_t n_extra, minnow_error *error) {
    float scale;
    int zero_point;
    size_t i, j;
    p->n = down->k;
    p->growth = growth_of(site, alpha);
    p->loss = arena_array(scratch, p->n, sizeof *p->loss);
    p->saving = arena_array(scratch, p->n, sizeof *p->saving);
    p->copies = arena_array(scratch, p->n, sizeof *p->copies);
    if (p->loss == NULL || p->saving == NULL || p->copies == NULL)
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    range_scale(site, &scale, &zero_point);
    for (i = 0; i < down->n; i++)
        for (j = 0; j < p->n; j++) {
            const double step = (double)site->s[j] * (double)scale, w = (double)down->weight[i * p->n + j];
            p->loss[j] += step * step * (w * w);
        }
    for (j = 0; j < p->n; j++) {
        p->copies[j] = 1;
        plan_saving(p, j);
    }
    for (i = 0; i < n_extra; i++) {
        size_t best = 0;
        for (j = 1; j < p->n; j++)
            if (p->saving[j] > p->saving[best]) best = j;
        p->copies[best]++;
        plan_saving(p, best);
    }
    return MINNOW_OK;
}

/* s grows, and the range shrinks to what is left of it. */
static void stretch(range_site *site, const split_plan *p) {
    float least = 0.0f, most = 0.0f;
    size_t j;
    if (!(p->growth > 0.0)) return;
    for (j = 0; j < p->n; j++) {
        const float s = (float)((double)site->s[j] * math_pow_f64((double)p->copies[j], p->growth));
        const float low = (site->minimum[j] - site->center[j]) / s, high = (site->maximum[j] - site->center[j]) / s;
        site->s[j] = s;
        least = low < least ? low : least;
        most = high > most ? high : most;
    }
    site->least = least;
    site->most = most;
    range_pick(&site->histogram, least, most, site->symmetric, site->low_code, site->high_code, RANGE_MINMAX, 0.0,
               &site->low, &site->high);
}

/* Copies follow the channels: 0 .. n - 1 keep their places, the others stand behind. */
typedef struct widened {
    float *up_weight, *up_bias, *down_weight;
    float *minimum, *maximum, *mean, *s, *center;
} widened;

static minnow_status reserve(widened *w, arena *memory, size_t n, const split_layer *from, minnow_error *error) {
    w->up_weight = arena_array(memory, n, from->up.k * sizeof(float));
    w->up_bias = arena_array(memory, n, sizeof(float));
    w->down_weight = arena_array(memory, from->down.n, n * sizeof(float));
    w->minimum = arena_array(memory, n, sizeof(float));
    w->maximum = arena_array(memory, n, sizeof(float));
    w->mean = arena_array(memory, n, sizeof(float));
    w->s = arena_array(memory, n, sizeof(float));
    w->center = arena_array(memory, n, sizeof(float));
    if (w->up_weight == NULL || w->up_bias == NULL || w->down_weight == NULL || w->minimum == NULL ||
        w->maximum == NULL || w->mean == NULL || w->s == NULL || w->center == NULL)
        return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    return MINNOW_OK;
}

/* Copy `copy` of `copies` of channel j becomes channel `to` of the wider layer. */
static void place(widened *w, size_t n, size_t to, size_t j, size_t copy, size_t copies, const split_layer *from,
                  float scale) {
    const range_site *site = &from->site;
    const double shift = ((double)copy + 0.5) / (double)copies - 0.5; /* of a step */
    size_t i;
    memcpy(w->up_weight + to * from->up.k, from->up.weight + j * from->up.k, from->up.k * sizeof(float));
    w->up_bias[to] = from->up.bias[j];
    for (i = 0; i < from->down.n; i++)
        w->down_weight[i * n + to] = from->down.weight[i * from->down.k + j] / (float)copies;
    w->minimum[to] = site->minimum[j];
    w->maximum[to] = site->maximum[j];
    w->mean[to] = site->mean[j];
    w->s[to] = site->s[j];
    w->center[to] = (float)((double)site->center[j] + shift * ((double)site->s[j] * (double)scale));
}

/* The site's own arrays are those of the ranges: s is about to change. */
static minnow_status own_s(range_site *site, arena *memory, minnow_error *error) {
    float *s = arena_array(memory, site->channels, sizeof *s);
    if (s == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    memcpy(s, site->s, site->channels * sizeof *s);
    site->s = s;
    return MINNOW_OK;
}

static minnow_status widen(split_layer *layer, arena *memory, const split_plan *plan, size_t n_extra,
                           minnow_error *error) {
    const size_t n = plan->n + n_extra;
    widened w = {0};
    float scale;
    int zero_point;
    size_t j, copy, behind = plan->n;
    TRY(own_s(&layer->site, memory, error));
    TRY(reserve(&w, memory, n, layer, error));
    stretch(&layer->site, plan);
    range_scale(&layer->site, &scale, &zero_point);
    for (j = 0; j < plan->n; j++)
        for (copy = 0; copy < plan->copies[j]; copy++)
            place(&w, n, copy == 0 ? j : behind++, j, copy, plan->copies[j], layer, scale);
    layer->up.weight = w.up_weight;
    layer->up.bias = w.up_bias;
    layer->down.weight = w.down_weight;
    layer->up.n = layer->down.k = layer->site.channels = n;
    layer->site.minimum = w.minimum;
    layer->site.maximum = w.maximum;
    layer->site.mean = w.mean;
    layer->site.s = w.s;
    layer->site.center = w.center;
    return MINNOW_OK;
}

minnow_status split_channels(split_layer *layer, arena *memory, float alpha, size_t n_extra, minnow_error *error) {
    arena scratch = {0};
    split_plan plan = {0};
    minnow_status status;
    if (n_extra == 0) return MINNOW_OK;
    status = plan_copies(&plan, &scratch, &layer->down, &layer->site, alpha, n_extra, error);
    if (status == MINNOW_OK) status = widen(layer, memory, &plan, n_extra, error);
    arena_free(&scratch);
    return status;
}
