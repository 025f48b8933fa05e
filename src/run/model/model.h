/* SPDX-License-Identifier: Apache-2.0
 *
 * The INT8 model in memory: what a .minnow file holds, checked and read-only. docs/FORMAT.md describes the bytes.
 *
 * Arithmetic (run/engine, run/kernels; every tier gives the same bits). Codes are integers; all sums of codes are int32
 * and exact. Float steps are single mul, add, div, sqrt and conversions in the order written; no FMA. rne() rounds to
 * the nearest integer, ties to even. clamp(x, lo, hi) comes before every rounding and maps NaN to lo.
 *
 *   quantizer   code[j] = rne(clamp(x[j] * multiplier[j] + offset[j], -128, 127))
 *   matrix      y[i]    = (float)(sum_j code[j] * weight[i][j]) * scale[i] + bias[i]
 *
 * The quantizer's multiplier holds the activation's scale and the equalization 1 / s[j]; the matrix's scale and bias
 * hold the weights' scale, the fold of s and the correction for the offset, so nothing is left to compute at run time.
 *
 *   first:  h = norm(words[id] + positions[place]), the token's place in its text from 0
 *   layer:  h -attention_input-> codes -query_key_value-> q s8 | k s7 | v s8   (rounded, clamped; scales are folded)
 *           each head:  a[j] = q . k[j] (int32)
 *                       p[j] = rne(127 * 2^((a[j] - max a) * score_scale) + dither[(j + 5 i) mod 16]), u7
 *                              i: the query's place; 2^x and dither as run/kernels/functions.h has them, GELU too
 *                       c[d] = ((float)(sum_j p[j] v[j][d]) * (1 / (float)(sum_j p[j])))
 *                       code = rne(clamp(c[d] * context.multiplier + context.offset))
 *           h = norm(h + attention_output(codes))
 *           h -up_input-> codes -up-> GELU -down_input-> codes -down-> y;   h = norm(h + y)
 *   last:   pooled and normalized as run/engine/pool.h says */
#ifndef MINNOW_RUN_MODEL_H
#define MINNOW_RUN_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "run/tokenizer/tokenizer.h"

#define INT8_PANEL 16          /* columns of a panel of weights */
#define INT8_WEIGHT_LIMIT 63   /* largest weight code; the smallest is -64 */
#define INT8_WEIGHT_BIAS 64    /* stored code = code + 64, in [0, 127] */

typedef struct int8_quantizer {
    const float *multiplier, *offset; /* [channels]; all finite */
} int8_quantizer;

typedef struct int8_matrix {
    size_t n, k;           /* outputs, inputs; k is a multiple of 4 */
    const uint8_t *panels; /* [n_panels][k / 4][16][4]: code + 64; columns beyond n hold 64. 64-byte aligned */
    const float *scale;    /* [n_panels * 16], zeros beyond n */
    const float *bias;     /* [n_panels * 16], zeros beyond n */
} int8_matrix;

/* y = (d * (1 / sqrt(mean(d^2) + epsilon))) * gamma + beta, d = x - mean(x). If input_step is there (--ln-inputs), x is
 * first rounded to 8 bits: x[j] = rne(clamp(x[j] * input_multiplier[j], -127, 127)) * input_step[j]. Then, in any case,
 * x[j] = clamp(x[j], -1e15, 1e15). The means' order of summing: run/kernels/kernels.h. */
typedef struct int8_norm {
    const float *gamma, *beta;                   /* [hidden]; in [-1e15, 1e15], so that y is finite */
    const float *input_multiplier, *input_step;  /* [hidden] or both NULL */
} int8_norm;

typedef enum int8_table_kind {
    INT8_TABLE_ROWS = 1,   /* codes[r][c] * scale[r] */
    INT8_TABLE_TENSOR = 2, /* codes[r][c] * scale[0] */
    INT8_TABLE_HALF = 3,   /* float16 */
    INT8_TABLE_MIXED = 4   /* as ROWS, but the listed columns are float16 (their codes are 0) */
} int8_table_kind;

typedef struct int8_table {
    int8_table_kind kind;
    size_t rows, columns;
    const int8_t *codes;            /* [rows][columns]; NULL for HALF */
    const float *scale;             /* [rows], [1] for TENSOR, NULL for HALF */
    const uint16_t *halves;         /* HALF: [rows][columns]; MIXED: [rows][n_outliers]; else NULL */
    const uint32_t *outlier_columns;/* MIXED: [n_outliers], ascending; else NULL */
    size_t n_outliers;
} int8_table;

typedef struct int8_layer {
    int8_quantizer attention_input;  /* [hidden] */
    int8_matrix query_key_value;     /* n = 3 hidden: query | key | value, heads in order inside each */
    const float *score_scale;        /* [n_heads]: times log2(e) / sqrt(head_dim) already; > 0 */
    int8_quantizer context;          /* [hidden] */
    int8_matrix attention_output;
    int8_norm attention_norm;
    int8_quantizer up_input;         /* [hidden] */
    int8_matrix up;                  /* n = intermediate */
    int8_quantizer down_input;       /* [intermediate], of GELU's output */
    int8_matrix down;
    int8_norm output_norm;
} int8_layer;

typedef enum int8_activation { INT8_GELU = 1 } int8_activation; /* x * Phi(x), by erf */

typedef struct int8_model {
    /* Architecture: a BERT encoder, layer norm after each residual. head_dim = hidden / n_heads, a multiple of 4. */
    size_t n_layers, hidden, n_heads, intermediate, n_vocab, n_positions;
    int8_activation activation;
    float norm_epsilon;
    int8_table words;        /* [n_vocab, hidden] */
    int8_table positions;    /* [n_positions, hidden], the row of token type 0 added; ROWS or HALF */
    int8_norm embedding_norm;
    const int8_layer *layers; /* [n_layers] */
    /* How a vector is made of it. */
    minnow_pooling pooling;  /* never DEFAULT */
    int normalize;
    size_t max_tokens;       /* 1 .. n_positions */
    const char *name, *licence, *source; /* "" if not known; licence is an SPDX expression or free text */
    uint8_t source_sha256[32];  /* of the FP32 weights' file; zeros if not known */
    tokenizer *tokenizer;    /* made on opening; NULL in a model that is being made (pack takes a tokenizer_config) */
    /* What the pointers above point into; int8_model_close frees it. */
    struct int8_storage *storage;
} int8_model;

/* A whole file, wholly checked: every section's CRC32C, every shape, every number finite, every weight code in range.
 * `int8_model_read` borrows `data`, 64-byte aligned, until close; `int8_model_open` maps the file. *out is a handle to
 * close; on failure NULL. The result is never written to: threads share it. */
minnow_status int8_model_read(int8_model **out, const uint8_t *data, size_t bytes, minnow_error *error);
/* The same of bytes whose sections need no CRC32C, because a stronger sum of the whole file has been checked. */
minnow_status int8_model_read_verified(int8_model **out, const uint8_t *data, size_t bytes, minnow_error *error);
minnow_status int8_model_open(int8_model **out, const char *path, minnow_error *error);
void int8_model_close(int8_model **model);

/* 1 if the bytes begin as a .minnow file does. */
int int8_model_is(const uint8_t *data, size_t bytes);

/* Panels of 16 columns of a matrix with n outputs. */
static inline size_t int8_panels(size_t n) { return (n + INT8_PANEL - 1) / INT8_PANEL; }
/* Bytes of all panels. */
static inline size_t int8_panels_bytes(size_t n, size_t k) { return int8_panels(n) * INT8_PANEL * k; }
/* The matrix of columns `first`, a multiple of 16, to `first` + n - 1, or as many as there are. */
static inline int8_matrix int8_matrix_columns(const int8_matrix *w, size_t first, size_t n) {
    int8_matrix part = *w;
    part.n = w->n - first < n ? w->n - first : n;
    part.panels += first * w->k;
    part.scale += first;
    part.bias += first;
    return part;
}
/* Place of the code of output i, input j inside the panels. */
static inline size_t int8_panel_index(size_t k, size_t i, size_t j) {
    return (i / INT8_PANEL) * INT8_PANEL * k + (j / 4) * INT8_PANEL * 4 + (i % INT8_PANEL) * 4 + j % 4;
}

#endif
