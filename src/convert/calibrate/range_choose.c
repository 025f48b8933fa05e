/* SPDX-License-Identifier: Apache-2.0
 * Histograms + options -> the range of each site. */
#include <stdlib.h>
#include <string.h>

#include "convert/calibrate/ranges_impl.h"

#define DEFAULT_PERCENTILE 99.99

/* --- One histogram -------------------------------------------------------------------------------------------- */

/* The outer edge, counted in bins from 0, at which no more than `outside` counts lie beyond. `sign` says which side;
 * folded: both. */
static size_t edge_of(const range_histogram *h, int sign, int folded, double outside) {
    double beyond = 0;
    size_t i;
    for (i = RANGE_BINS / 2; i > 0; i--) {
        const uint64_t above = h->counts[RANGE_BINS / 2 + i - 1], below = h->counts[RANGE_BINS / 2 - i];
        beyond += (double)(folded ? above + below : sign > 0 ? above : below);
        if (beyond > outside) break;
    }
    return i;
}

static void pick_percentile(const range_histogram *h, int symmetric, double percentile, double *low, double *high) {
    const double outside = (100 - percentile) / 100 * (double)h->total;
    const double above = (double)edge_of(h, 1, symmetric, symmetric ? outside : outside / 2) * h->width;
    if (above < *high && (above > 0 || *low < 0)) *high = above;
    if (symmetric) {
        *low = -*high;
    } else {
        const double below = (double)edge_of(h, -1, 0, outside / 2) * h->width;
        if (-below > *low && (below > 0 || *high > 0)) *low = -below;
    }
}

void range_pick(const range_histogram *h, float least, float most, int symmetric, int low_code, int high_code,
                range_method method, double percentile, float *low, float *high) {
    double a = least < 0 ? (double)least : 0, b = most > 0 ? (double)most : 0;
    if (symmetric) {
        b = b > -a ? b : -a;
        a = -b;
    }
    if (a < b && h->total > 0) {
        if (method == RANGE_PERCENTILE) pick_percentile(h, symmetric, percentile, &a, &b);
        else if (method == RANGE_MSE) range_pick_mse(h, symmetric, low_code, high_code, &a, &b);
        else if (method == RANGE_ENTROPY) range_pick_entropy(h, symmetric, low_code, high_code, &a, &b);
    }
    *low = (float)a;
    *high = (float)b;
    if (*low < *high && (!symmetric || *high > 0)) return;
    *high = 1; /* nothing but zeros: any range does */
    *low = symmetric ? -1.0f : 0.0f;
}

void range_apply(range_site *site, range_method method, double percentile) {
    range_pick(&site->histogram, site->least, site->most, site->symmetric, site->low_code, site->high_code, method,
               percentile, &site->low, &site->high);
    site->method = method;
}

/* --- Which method where --------------------------------------------------------------------------------------- */

/* '*' stands for any run of characters. Linear in practice: only the last star is ever gone back to. */
static int matches(const char *pattern, const char *name) {
    const char *star = NULL, *resume = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++resume;
        } else {
            return 0;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == '\0';
}

static minnow_status apply_choice(const ranges *r, const struct range_choice *choice, range_method *methods,
                                  minnow_error *error) {
    size_t i, n = 0;
    if ((unsigned)choice->method >= RANGE_METHODS)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "unknown range method %d", (int)choice->method);
    for (i = 0; i < r->n_sites; i++) {
        if (!matches(choice->site, r->sites[i].name)) continue;
        methods[i] = choice->method;
        n++;
    }
    if (n > 0) return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_ARGUMENT,
                     "no site is called '%s': there are layer.0.attention_input, layer.0.query, layer.0.key, "
                     "layer.0.value, layer.0.context, layer.0.up_input, layer.0.down_input and so on for %zu layers; "
                     "'*' stands for anything", choice->site, r->n_layers);
}

static double percentile_of(const range_options *o) { return o->percentile != 0 ? o->percentile : DEFAULT_PERCENTILE; }

static minnow_status check_options(const range_options *o, minnow_error *error) {
    const double percentile = percentile_of(o);
    if ((unsigned)o->method >= RANGE_METHODS)
        return error_set(error, MINNOW_ERROR_ARGUMENT, "unknown range method %d", (int)o->method);
    if (!(percentile > 0 && percentile <= 100))
        return error_set(error, MINNOW_ERROR_ARGUMENT, "percentile %g is not above 0 and at most 100", percentile);
    return MINNOW_OK;
}

minnow_status range_methods(const ranges *r, const range_options *options, range_method *methods, minnow_error *error) {
    size_t i;
    TRY(check_options(options, error));
    for (i = 0; i < r->n_sites; i++) methods[i] = options->method;
    for (i = 0; i < options->n_choices; i++) TRY(apply_choice(r, &options->choices[i], methods, error));
    return MINNOW_OK;
}

static minnow_status choose(ranges *r, float_encoder *f, const calibration_texts *texts, const range_options *options,
                            range_method *methods, uint8_t *wanted, minnow_error *error) {
    size_t i, n_wanted = 0;
    const double percentile = percentile_of(options);
    TRY(range_methods(r, options, methods, error));
    for (i = 0; i < r->n_sites; i++) {
        wanted[i] = methods[i] == RANGE_AUTO;
        n_wanted += wanted[i];
    }
    if (n_wanted > 0 && (f == NULL || texts == NULL))
        return error_set(error, MINNOW_ERROR_ARGUMENT,
                         "method auto tries ranges on the model: it needs the model and texts (choose another method)");
    for (i = 0; i < r->n_sites; i++) range_apply(&r->sites[i], wanted[i] ? RANGE_MINMAX : methods[i], percentile);
    return n_wanted > 0 ? range_auto(r, f, texts, wanted, options, percentile, error) : MINNOW_OK;
}

minnow_status ranges_choose(ranges *r, float_encoder *f, const calibration_texts *texts, const range_options *options,
                            minnow_error *error) {
    range_method *methods = calloc(r->n_sites + 1, sizeof *methods);
    uint8_t *wanted = calloc(r->n_sites + 1, 1);
    minnow_status status;
    if (methods != NULL && wanted != NULL) status = choose(r, f, texts, options, methods, wanted, error);
    else status = error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    free(methods);
    free(wanted);
    return status;
}
