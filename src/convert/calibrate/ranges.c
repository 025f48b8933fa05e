/* SPDX-License-Identifier: Apache-2.0
 * Ranges as a thing: sites with their names, codes and memory; names of methods; the scale that a range gives. */
#include "convert/calibrate/ranges.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "convert/calibrate/ranges_impl.h"

static const char *const method_names[RANGE_METHODS] = {"auto", "minmax", "percentile", "mse", "entropy"};

static const struct { const char *name; int low_code, high_code, symmetric; } roles[RANGE_ROLES] = {
    {"attention_input", -128, 127, 0}, {"query", -127, 127, 1},    {"key", -63, 63, 1},
    {"value", -127, 127, 1},           {"context", -128, 127, 0},  {"up_input", -128, 127, 0},
    {"down_input", -128, 127, 0},
};

const char *range_method_name(range_method m) { return (unsigned)m < RANGE_METHODS ? method_names[m] : "?"; }

int range_method_from_name(const char *name) {
    for (int m = 0; m < RANGE_METHODS; m++)
        if (strcmp(name, method_names[m]) == 0) return m;
    return -1;
}

const char *range_role_name(range_role role) { return roles[role].name; }

size_t range_channels(const ranges *r, range_role role) {
    return role == RANGE_DOWN_INPUT ? r->intermediate : r->hidden;
}

/* --- Memory --------------------------------------------------------------------------------------------------- */

static int create_site(ranges *r, range_site *site, size_t layer, range_role role) {
    const size_t n = range_channels(r, role);
    float **const arrays[5] = {&site->minimum, &site->maximum, &site->mean, &site->center, &site->s};
    size_t i;
    for (i = 0; i < 5; i++) {
        *arrays[i] = arena_array(&r->memory, n, sizeof(float));
        if (*arrays[i] == NULL) return 0;
    }
    for (i = 0; i < n; i++) site->s[i] = 1;
    snprintf(site->name, sizeof site->name, "layer.%zu.%s", layer, roles[role].name);
    site->layer = layer;
    site->role = role;
    site->channels = n;
    site->low_code = roles[role].low_code;
    site->high_code = roles[role].high_code;
    site->symmetric = roles[role].symmetric;
    site->method = RANGE_MINMAX;
    range_histogram_clear(&site->histogram, RANGE_LEAST_WIDTH);
    return 1;
}

static int create_parts(ranges *r) {
    size_t i;
    r->sites = arena_array(&r->memory, r->n_sites, sizeof *r->sites);
    r->norms = arena_array(&r->memory, 2 * r->n_layers + 1, sizeof *r->norms);
    if (r->sites == NULL || r->norms == NULL) return 0;
    for (i = 0; i < r->n_sites; i++)
        if (!create_site(r, &r->sites[i], i / RANGE_ROLES, (range_role)(i % RANGE_ROLES))) return 0;
    for (i = 0; i < 2 * r->n_layers + 1; i++) {
        r->norms[i].minimum = arena_array(&r->memory, r->hidden, sizeof(float));
        r->norms[i].maximum = arena_array(&r->memory, r->hidden, sizeof(float));
        if (r->norms[i].minimum == NULL || r->norms[i].maximum == NULL) return 0;
    }
    return 1;
}

minnow_status ranges_create(ranges **out, size_t n_layers, size_t hidden, size_t intermediate, size_t n_heads,
                            minnow_error *error) {
    ranges *r = calloc(1, sizeof *r);
    *out = r;
    if (r != NULL) {
        r->n_layers = n_layers;
        r->hidden = hidden;
        r->intermediate = intermediate;
        r->n_heads = n_heads;
        r->n_sites = n_layers * RANGE_ROLES;
        if (create_parts(r)) return MINNOW_OK;
    }
    ranges_close(out);
    return error_set(error, MINNOW_ERROR_MEMORY, "out of memory for the ranges of %zu layers", n_layers);
}

void ranges_close(ranges **r) {
    if (r == NULL || *r == NULL) return;
    arena_free(&(*r)->memory);
    free(*r);
    *r = NULL;
}

range_site *ranges_site(const ranges *r, size_t layer, range_role role) {
    return &r->sites[layer * RANGE_ROLES + (size_t)role];
}

/* --- Scales --------------------------------------------------------------------------------------------------- */

/* To the nearest, ties to even; |x| < 2^51. */
static double nearest(double x) { return (x + 0x1.8p52) - 0x1.8p52; }

void range_grid(double low, double high, int symmetric, int low_code, int high_code, float *scale, int *zero_point) {
    const double step = symmetric ? high / high_code : (high - low) / (high_code - low_code);
    *scale = step > 0x1p-120 ? (float)step : 0x1p-120f;
    *zero_point = 0;
    if (!symmetric) {
        const double place = nearest(low_code - low / (double)*scale);
        *zero_point = place < low_code ? low_code : place > high_code ? high_code : (int)place;
    }
}

void range_scale(const range_site *site, float *scale, int *zero_point) {
    range_grid((double)site->low, (double)site->high, site->symmetric, site->low_code, site->high_code, scale,
               zero_point);
}

/* --- Whose ranges --------------------------------------------------------------------------------------------- */

static void hash_floats(sha256_state *h, const float *x, size_t n) { sha256_update(h, x, n * sizeof *x); }

static void hash_linear(sha256_state *h, const encoder_linear *w) {
    hash_floats(h, w->weight, w->n * w->k);
    hash_floats(h, w->bias, w->n);
}

static void hash_norm(sha256_state *h, const encoder_norm *w, size_t hidden) {
    hash_floats(h, w->gamma, hidden);
    hash_floats(h, w->beta, hidden);
    hash_floats(h, &w->epsilon, 1);
}

void ranges_weights_sha256(const encoder *e, uint8_t out[32]) {
    const uint64_t sizes[6] = {e->n_layers, e->hidden, e->n_heads, e->intermediate, e->n_vocab, e->n_positions};
    sha256_state h;
    sha256_begin(&h);
    sha256_update(&h, sizes, sizeof sizes);
    hash_floats(&h, &e->attention_scale, 1);
    hash_floats(&h, e->words, e->n_vocab * e->hidden);
    hash_floats(&h, e->positions, e->n_positions * e->hidden);
    hash_norm(&h, &e->embedding_norm, e->hidden);
    for (size_t i = 0; i < e->n_layers; i++) {
        const encoder_layer *l = &e->layers[i];
        hash_linear(&h, &l->query);
        hash_linear(&h, &l->key);
        hash_linear(&h, &l->value);
        hash_linear(&h, &l->output);
        hash_norm(&h, &l->attention_norm, e->hidden);
        hash_linear(&h, &l->up);
        hash_linear(&h, &l->down);
        hash_norm(&h, &l->output_norm, e->hidden);
    }
    sha256_end(&h, out);
}
