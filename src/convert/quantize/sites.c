/* SPDX-License-Identifier: Apache-2.0
 * Ranges -> quantizers: what one code is worth at each place where activations become integers. */
#include "convert/quantize/parts.h"

#define LOG2_E 1.44269504088896340736
#define LARGEST 1e30 /* of a multiplier or offset: floats far from overflow */

static int is_fine(double x) { return x > -LARGEST && x < LARGEST; }

/* x = (code - zero_point) * step + center for channel j. */
static minnow_status channel_steps(const range_site *site, double *step, double *center, int *zero_point,
                                   minnow_error *error) {
    float scale;
    size_t j;
    range_scale(site, &scale, zero_point);
    if (*zero_point < -128 || *zero_point > 127)
        return error_set(error, MINNOW_ERROR_FORMAT, "%s: zero point %d", site->name, *zero_point);
    for (j = 0; j < site->channels; j++) {
        step[j] = (double)site->s[j] * (double)scale;
        center[j] = (double)site->center[j];
        if (!(step[j] > 1.0 / LARGEST && step[j] < LARGEST) || !is_fine(center[j]))
            return error_set(error, MINNOW_ERROR_FORMAT, "%s: channel %zu has step %g, centre %g", site->name, j,
                             step[j], center[j]);
    }
    return MINNOW_OK;
}

static minnow_status out_of_memory(minnow_error *error) {
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
}

static minnow_status fill_quantizer(int8_quantizer *out, const range_site *site, const range_site *value, arena *memory,
                                    double *step, double *center, minnow_error *error) {
    const size_t n = site->channels;
    float *multiplier = arena_array(memory, n, sizeof *multiplier), *offset = arena_array(memory, n, sizeof *offset);
    double *value_step = step + n, *value_center = center + n;
    int zero_point;
    size_t j;
    if (multiplier == NULL || offset == NULL) return out_of_memory(error);
    TRY(channel_steps(site, step, center, &zero_point, error));
    if (value != NULL) TRY(site_steps(value, value_step, value_center, error));
    for (j = 0; j < n; j++) {
        /* value codes c: x = c * value_step + value_center */
        const double unit = value != NULL ? value_step[j] : 1.0, shift = value != NULL ? value_center[j] : 0.0;
        const double m = unit / step[j], o = (double)zero_point + (shift - center[j]) / step[j];
        if (!(m > 1.0 / LARGEST && m < LARGEST) || !is_fine(o))
            return error_set(error, MINNOW_ERROR_FORMAT, "%s: channel %zu has multiplier %g, offset %g", site->name, j,
                             m, o);
        multiplier[j] = (float)m;
        offset[j] = (float)o;
    }
    *out = (int8_quantizer){multiplier, offset};
    return MINNOW_OK;
}

static minnow_status make_quantizer(int8_quantizer *out, arena *memory, const range_site *site, const range_site *value,
                                    minnow_error *error) {
    arena scratch = {0};
    double *step = arena_array(&scratch, 2 * site->channels, sizeof *step);
    double *center = arena_array(&scratch, 2 * site->channels, sizeof *center);
    minnow_status status = out_of_memory(error);
    if (step != NULL && center != NULL) status = fill_quantizer(out, site, value, memory, step, center, error);
    arena_free(&scratch);
    return status;
}

minnow_status site_quantizer(int8_quantizer *out, arena *memory, const range_site *site, minnow_error *error) {
    return make_quantizer(out, memory, site, NULL, error);
}

minnow_status site_context(int8_quantizer *out, arena *memory, const range_site *context, const range_site *value,
                           minnow_error *error) {
    return make_quantizer(out, memory, context, value, error);
}

minnow_status site_steps(const range_site *site, double *step, double *center, minnow_error *error) {
    int zero_point;
    size_t j;
    TRY(channel_steps(site, step, center, &zero_point, error));
    if (zero_point != 0)
        return error_set(error, MINNOW_ERROR_FORMAT, "%s: has a zero point, must be symmetric", site->name);
    /* A centre of the query would add center . key, another number for every key. */
    for (j = 0; j < site->channels && site->role == RANGE_QUERY; j++)
        if (center[j] != 0.0)
            return error_set(error, MINNOW_ERROR_FORMAT, "%s: channel %zu has a centre", site->name, j);
    return MINNOW_OK;
}

minnow_status site_scores(float *score_scale, const ranges *r, size_t layer, float attention_scale,
                          minnow_error *error) {
    const range_site *query = ranges_site(r, layer, RANGE_QUERY), *key = ranges_site(r, layer, RANGE_KEY);
    const size_t head_dim = r->hidden / r->n_heads;
    float query_scale, key_scale;
    int query_zero, key_zero;
    size_t h, d;
    range_scale(query, &query_scale, &query_zero);
    range_scale(key, &key_scale, &key_zero);
    for (h = 0; h < r->n_heads; h++) {
        double sum = 0.0, product, scale;
        for (d = h * head_dim; d < (h + 1) * head_dim; d++) sum += (double)query->s[d] * (double)key->s[d];
        product = sum / (double)head_dim;
        for (d = h * head_dim; d < (h + 1) * head_dim; d++) {
            const double difference = (double)query->s[d] * (double)key->s[d] - product;
            if (!(difference <= 1e-5 * product && difference >= -1e-5 * product))
                return error_set(error, MINNOW_ERROR_FORMAT, "%s, %s: s multiply to different numbers in head %zu",
                                 query->name, key->name, h);
        }
        scale = (double)attention_scale * LOG2_E * (double)query_scale * (double)key_scale * product;
        if (!(scale > 1.0 / LARGEST && scale < LARGEST))
            return error_set(error, MINNOW_ERROR_FORMAT, "%s: head %zu has score scale %g", query->name, h, scale);
        score_scale[h] = (float)scale;
    }
    return MINNOW_OK;
}
