/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranges: what calibration learns of every place (site) where activations become integers, and the range chosen for
 * each.
 *
 * A site is quantized as z = (x - center[j]) / s[j] for channel j, then code = rne(z / scale) + zero_point with one
 * scale and one zero point a site. Pass 1 gathers minimum, maximum and mean of x per channel and fixes center and s;
 * pass 2 gathers the histogram of z. With equalization, center is the middle of each channel's range; 0 at the
 * query, and at all but key and value where the method is ENTROPY. */
#ifndef MINNOW_CONVERT_RANGES_H
#define MINNOW_CONVERT_RANGES_H

#include "convert/calibrate/float_encoder.h"
#include "convert/calibrate/texts.h"

typedef enum range_method {
    RANGE_AUTO = 0, RANGE_MINMAX, RANGE_PERCENTILE, RANGE_MSE, RANGE_ENTROPY, RANGE_METHODS
} range_method;
const char *range_method_name(range_method m);
int range_method_from_name(const char *name); /* -1 if unknown */

/* Sites of one layer, in the order in which a layer computes them. */
typedef enum range_role {
    RANGE_ATTENTION_INPUT, /* h before query, key, value: 8 bits with a zero point */
    RANGE_QUERY,           /* 8 bits, symmetric; equalized against key, scaled a head */
    RANGE_KEY,             /* 7 bits, symmetric, centred (a constant added to every key changes no softmax) */
    RANGE_VALUE,           /* 8 bits, symmetric, centred (folds into the output's bias), scaled a channel */
    RANGE_CONTEXT,         /* 8 bits with a zero point */
    RANGE_UP_INPUT,        /* attended before up: 8 bits with a zero point */
    RANGE_DOWN_INPUT,      /* GELU's output before down: 8 bits with a zero point */
    RANGE_ROLES
} range_role;

#define RANGE_BINS 8192
typedef struct range_histogram { /* bin i counts z in [(i - BINS/2) * width, (i + 1 - BINS/2) * width) */
    double width;  /* a power of two; doubled, pairs of bins merged, when a value does not fit */
    uint64_t counts[RANGE_BINS];
    uint64_t total;
} range_histogram;

typedef struct range_site {
    char name[40];         /* "layer.0.attention_input" */
    size_t layer, channels;
    range_role role;
    int low_code, high_code; /* -128, 127; key: -63, 63; query, value: -127, 127 */
    int symmetric;
    float *minimum, *maximum, *mean; /* [channels], of x */
    float *center, *s;               /* [channels]; s > 0 */
    range_histogram histogram;       /* of z */
    float least, most;               /* exact extremes of z */
    range_method method;             /* the one that chose: never AUTO */
    float low, high;                 /* the chosen range of z; symmetric: low = -high */
} range_site;

/* Per-channel extremes of a norm's input, for --ln-inputs. 2 n_layers + 1 of them: embeddings, then attention_sum and
 * output_sum of each layer. */
typedef struct range_norm { float *minimum, *maximum; } range_norm; /* [hidden] */

typedef struct ranges {
    arena memory;
    range_site *sites; /* [n_layers * RANGE_ROLES] */
    size_t n_sites, n_layers, hidden, intermediate, n_heads;
    range_norm *norms; /* [2 n_layers + 1] */
    float alpha;       /* of the equalization; 0: s = 1 everywhere (no centre either) */
    size_t n_texts, n_tokens, n_truncated;
    uint8_t weights_sha256[32]; /* of the encoder's weights: ranges of another model are refused */
} ranges;

typedef struct range_options {
    float alpha;              /* 0.75 is the default of the command line */
    int no_equalization;
    range_method method;      /* for all sites */
    /* For named sites ("layer.3.key", "*.down_input"). */
    const struct range_choice { const char *site; range_method method; } *choices;
    size_t n_choices;
    double percentile;        /* 99.99 */
    void (*progress)(void *context, const char *phase, uint64_t done, uint64_t total);
    void *progress_context;
} range_options;

/* Both passes, then the choice. Memory does not grow with the number of texts. */
minnow_status ranges_calibrate(ranges **out, float_encoder *f, const calibration_texts *texts,
                               const range_options *options, minnow_error *error);
void ranges_close(ranges **r);
/* Chooses again, from the histograms (AUTO needs the encoder and texts: NULL is an error that says so). */
minnow_status ranges_choose(ranges *r, float_encoder *f, const calibration_texts *texts, const range_options *options,
                            minnow_error *error);
range_site *ranges_site(const ranges *r, size_t layer, range_role role);

/* One histogram -> a range of `levels` steps by one method (not AUTO). */
void range_pick(const range_histogram *h, float least, float most, int symmetric, int low_code, int high_code,
                range_method method, double percentile, float *low, float *high);
/* low, high -> scale and zero point: scale = (high - low) / (high_code - low_code); 0 maps to zero_point exactly. */
void range_scale(const range_site *site, float *scale, int *zero_point);

/* SHA-256 over the encoder's sizes and weights: what weights_sha256 holds. */
void ranges_weights_sha256(const encoder *e, uint8_t out[32]);

/* ranges.json: the same bytes from the same ranges. Reading refuses what does not fit together. */
minnow_status ranges_write(const ranges *r, const char *path, minnow_error *error);
minnow_status ranges_open(ranges **out, const char *path, minnow_error *error);
minnow_status ranges_read(ranges **out, const char *json, size_t bytes, minnow_error *error);

#endif
