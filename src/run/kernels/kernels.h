/* SPDX-License-Identifier: Apache-2.0
 *
 * The run-time kernels: one table of functions a tier, all giving the bits of ref.c, which is the truth.
 * Rules: run/model/model.h. rne(x) for |x| <= 2^22 is (x + 12582912.0f) - 12582912.0f. Row sums (norm) over n elements
 * are 16 strided partial sums (element i goes to partial i mod 16, ascending), then the tree
 *   ((p0+p8)+(p4+p12)) + ((p2+p10)+(p6+p14))  +  ((p1+p9)+(p5+p13)) + ((p3+p11)+(p7+p15)),  each line's halves first.
 * 2^x and GELU are polynomials of mul and add, given in functions.h with their largest errors; 2^x is rounded with a
 * dither that depends on the places of query and key alone. No FMA anywhere.
 * No NaN comes out where scales, biases, steps, gamma and beta are finite: clamps map NaN to their lower bound, and
 * norm clamps what it sums to [-1e15, 1e15]; gamma and beta in that range make its output finite.
 * Outputs may not overlap inputs except where said so; nothing is written beyond them; no alignment is needed but the
 * panels'. */
#ifndef MINNOW_RUN_KERNELS_H
#define MINNOW_RUN_KERNELS_H

#include "run/model/model.h"

typedef struct kernels {
    const char *name; /* of the tier */
    /* y[i][j] = (float)(sum_k x[i][k] * w[j][k]) * scale[j] + bias[j] for rows i, j < n. x: row stride k; y: row stride
     * n. */
    void (*linear)(const int8_t *x, size_t rows, const int8_matrix *w, float *y);
    /* linear and what follows it, of the same bits as the steps one by one, without floats between them in memory:
     * y += linear; codes = quantize(linear) by the bounds alone, rows `stride` apart; quantize(gelu(linear)). */
    void (*linear_add)(const int8_t *x, size_t rows, const int8_matrix *w, float *y);
    void (*linear_codes)(const int8_t *x, size_t rows, const int8_matrix *w, float low, float high, int8_t *codes,
                         size_t stride);
    void (*linear_gelu_codes)(const int8_t *x, size_t rows, const int8_matrix *w, const int8_quantizer *q,
                              int8_t *codes);
    /* codes[j] = rne(clamp(x[j] * multiplier[j] + offset[j], -128, 127)), j < n; multiplier NULL: x[j] itself, and
     * offset is not read. low, high are the clamp's bounds, integers in [-128, 127]. */
    void (*quantize)(const float *x, const float *multiplier, const float *offset, float low, float high, size_t n,
                     int8_t *codes);
    void (*gelu)(float *x, size_t n); /* in place: x * Phi(x) */
    /* y = norm(x + residual); y may be either. residual NULL: norm(x). */
    void (*norm)(const float *x, const float *residual, const int8_norm *norm, float epsilon, size_t n, float *y);
    /* Of each row of x [rows, n], in place: norm, then quantize into codes [rows, n]. q NULL: norm alone. */
    void (*norm_codes)(float *x, size_t rows, const int8_norm *norm, float epsilon, const int8_quantizer *q, size_t n,
                       int8_t *codes);
    /* One text: qkv [n_tokens, 3 hidden] -> context codes [n_tokens, hidden] of queries `first` to `first` + n - 1;
     * other rows of out are not written. k in [-64, 63]. scratch: kernels_attention_scratch_bytes, 64-byte aligned. */
    void (*attention_queries)(const int8_t *qkv, size_t n_tokens, size_t first, size_t n, size_t n_heads,
                              size_t head_dim, const float *score_scale, const int8_quantizer *context, void *scratch,
                              int8_t *out);
} kernels;

/* Scratch memory of attention_queries, one size for every tier. 0 if it does not fit in size_t. */
size_t kernels_attention_scratch_bytes(size_t n_tokens, size_t head_dim);

/* The forced tier's; else cpu_best_tier()'s, or those of a tier that may be as fast and, timed on the first call, are
 * faster here. The same for the life of the process. */
const kernels *kernels_best(void);
const kernels *kernels_for_tier(int tier); /* NULL if the build or machine lacks it; SCALAR is the reference */

#endif
