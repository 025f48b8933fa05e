/* SPDX-License-Identifier: Apache-2.0
 *
 * Extremes per channel + weights -> what each channel is shifted and divided by before a site is quantized.
 *
 *   inputs of matrices   s[j] = max|x_j|^alpha / max_i|W[i][j]|^(1 - alpha), their geometric mean 1
 *                        (SmoothQuant, arXiv 2211.10438); s is folded into W's columns
 *   query, key           a[d] = sqrt(max|Q_d| / max|K_d|) evens the two out; then a head's largest value is made 1,
 *                        so that s_query[d] * s_key[d] is one number a head, which goes into the scores' scale
 *   value                s[d] = max|V_d|: every channel fills the range; folded into the context's quantizer
 *
 * where |x| is taken from the centre, the middle of the channel's range (on the model that this was made for: mean
 * cosine 0.9971 with it, 0.9966 with a centre at key and value alone, weights nearest). alpha 0: all of it left out. */
#include <string.h>

#include "convert/calibrate/ranges_impl.h"
#include "convert/math/math.h"

#define LEAST_S 1e-6
#define MOST_S 1e6
#define LEAST_WEIGHT 1e-4 /* of the largest: a channel that nobody reads does not get a scale without bounds */

static double larger(double a, double b) { return a > b ? a : b; }

static double magnitude(float x) { return x < 0 ? -(double)x : (double)x; }

/* Largest |x - center| of a channel. */
static double extent(const range_site *site, size_t j) {
    const double c = (double)site->center[j];
    return larger((double)site->maximum[j] - c, c - (double)site->minimum[j]);
}

static double bounded(double s) { return !(s > LEAST_S) ? LEAST_S : s > MOST_S ? MOST_S : s; }

/* --- Inputs of matrices --------------------------------------------------------------------------------------- */

/* Largest |W[i][j]| over the rows of a matrix. */
static double column_extent(const encoder_linear *w, size_t j) {
    double most = 0;
    for (size_t i = 0; i < w->n; i++) most = larger(most, magnitude(w->weight[i * w->k + j]));
    return most;
}

static void equalize_input(range_site *site, const encoder_linear *const *readers, size_t n_readers, float alpha) {
    double most_weight = 0, logs = 0, mean;
    size_t i, j, n = 0;
    for (j = 0; j < site->channels; j++) { /* s holds max|W| for now */
        double weight = 0;
        for (i = 0; i < n_readers; i++) weight = larger(weight, column_extent(readers[i], j));
        most_weight = larger(most_weight, weight);
        site->s[j] = (float)weight;
    }
    for (j = 0; j < site->channels; j++) {
        const double x = extent(site, j), w = larger((double)site->s[j], LEAST_WEIGHT * most_weight);
        if (!(x > 0) || !(w > 0)) {
            site->s[j] = 0;
            continue;
        }
        logs += (double)alpha * math_log_f64(x) - (1 - (double)alpha) * math_log_f64(w);
        n++;
        site->s[j] = (float)(math_pow_f64(x, (double)alpha) / math_pow_f64(w, 1 - (double)alpha));
    }
    mean = n > 0 ? math_exp_f64(logs / (double)n) : 1;
    for (j = 0; j < site->channels; j++) /* a channel that is always 0 keeps s = 1 */
        site->s[j] = site->s[j] > 0 ? (float)bounded((double)site->s[j] / mean) : 1;
}

/* --- Attention ------------------------------------------------------------------------------------------------ */

static void equalize_scores(range_site *query, range_site *key, size_t n_heads) {
    const size_t head_dim = query->channels / n_heads;
    size_t first, d;
    for (first = 0; first < query->channels; first += head_dim) {
        double most_query = 0, most_key = 0;
        for (d = first; d < first + head_dim; d++) { /* s holds a for now */
            const double q = extent(query, d), k = extent(key, d);
            const double a = q > 0 && k > 0 ? bounded(__builtin_sqrt(q / k)) : 1;
            query->s[d] = (float)a;
            most_query = larger(most_query, q / (double)query->s[d]);
            most_key = larger(most_key, k * (double)query->s[d]);
        }
        for (d = first; d < first + head_dim; d++) {
            const double a = (double)query->s[d];
            query->s[d] = (float)(a * (most_query > 0 ? most_query : 1));
            key->s[d] = (float)((most_key > 0 ? most_key : 1) / a);
        }
    }
}

/* The middle of each channel's range. Any site but the query may have one: at inputs of matrices it goes into the
 * quantizer's offset and the matrix's bias, a constant added to every key changes no softmax, and the value's goes
 * through to the context; a centre of the query would add another number for every key. */
static void center(range_site *site) {
    for (size_t j = 0; j < site->channels; j++)
        site->center[j] = (float)(((double)site->minimum[j] + (double)site->maximum[j]) / 2);
}

/* --- All sites ------------------------------------------------------------------------------------------------ */

/* KL looks at the shape of the histogram of all channels together, not at what a cut costs: where each channel's usual
 * values lie off its middle (GELU's lie at the lower end), it takes those of wide channels for a tail to be cut (mean
 * cosine 0.03; without centres 0.994). */
static int is_centred(range_role role, range_method method) {
    return role == RANGE_KEY || role == RANGE_VALUE || (role != RANGE_QUERY && method != RANGE_ENTROPY);
}

void range_equalize(ranges *r, const encoder *e, const range_method *methods) {
    size_t i, j;
    if (!(r->alpha > 0)) return;
    for (i = 0; i < r->n_layers; i++) {
        const encoder_layer *l = &e->layers[i];
        const encoder_linear *const projections[3] = {&l->query, &l->key, &l->value};
        const encoder_linear *const output = &l->output, *const up = &l->up, *const down = &l->down;
        range_site *const value = ranges_site(r, i, RANGE_VALUE), *const key = ranges_site(r, i, RANGE_KEY);
        for (j = 0; j < RANGE_ROLES; j++)
            if (is_centred((range_role)j, methods[i * RANGE_ROLES + j])) center(ranges_site(r, i, (range_role)j));
        equalize_input(ranges_site(r, i, RANGE_ATTENTION_INPUT), projections, 3, r->alpha);
        equalize_scores(ranges_site(r, i, RANGE_QUERY), key, r->n_heads);
        for (j = 0; j < value->channels; j++) {
            const double x = extent(value, j);
            value->s[j] = x > 0 ? (float)x : 1;
        }
        equalize_input(ranges_site(r, i, RANGE_CONTEXT), &output, 1, r->alpha);
        equalize_input(ranges_site(r, i, RANGE_UP_INPUT), &up, 1, r->alpha);
        equalize_input(ranges_site(r, i, RANGE_DOWN_INPUT), &down, 1, r->alpha);
    }
}
