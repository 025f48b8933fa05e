/* SPDX-License-Identifier: Apache-2.0
 *
 * The reference: what every other kernel of this folder must reproduce bit for bit. In, out: codes and floats. Written
 * for reading; only functions.h is shared with the fast files. Sums of codes are exact in int32: k, head_dim and
 * n_tokens are below 2^17, which the model's reader sees to. */
#include "run/kernels/tiers.h"

#include "base/bytes.h"
#include "run/kernels/verbs_scalar.h"

#include "run/kernels/functions.h" /* in those verbs */

/* Nearest integer, ties to even; |x| <= 2^22. */
static float rne(float x) { return (x + RNE_MAGIC) - RNE_MAGIC; }

/* y[i][j] = (float)(sum_k x[i][k] w[j][k]) * scale[j] + bias[j], a panel of 16 columns at a time */
static void linear(const int8_t *x, size_t rows, const int8_matrix *w, float *y) {
    size_t first, i, c, k;
    for (first = 0; first < w->n; first += INT8_PANEL)
        for (i = 0; i < rows; i++) {
            const uint8_t *panel = w->panels + first * w->k;
            const int8_t *row = x + i * w->k;
            int32_t sum[INT8_PANEL] = {0};
            for (k = 0; k < w->k; k += 4, panel += 4 * INT8_PANEL)
                for (c = 0; c < INT8_PANEL; c++)
                    sum[c] += row[k] * (panel[4 * c] - INT8_WEIGHT_BIAS) +
                              row[k + 1] * (panel[4 * c + 1] - INT8_WEIGHT_BIAS) +
                              row[k + 2] * (panel[4 * c + 2] - INT8_WEIGHT_BIAS) +
                              row[k + 3] * (panel[4 * c + 3] - INT8_WEIGHT_BIAS);
            for (c = 0; c < INT8_PANEL && first + c < w->n; c++)
                y[i * w->n + first + c] = (float)sum[c] * w->scale[first + c] + w->bias[first + c];
        }
}

static void quantize(const float *x, const float *multiplier, const float *offset, float low, float high, size_t n,
                     int8_t *codes) {
    size_t i;
    for (i = 0; i < n; i++) {
        const float t = multiplier != NULL ? x[i] * multiplier[i] + offset[i] : x[i];
        codes[i] = (int8_t)rne(clamp_of(t, low, high));
    }
}

static void gelu(float *x, size_t n) {
    size_t i;
    for (i = 0; i < n; i++) x[i] = gelu_of(x[i]);
}

/* --- The same steps, fused: what they mean is this. Panel by panel, so that no memory is needed. ----------------- */
static void linear_add(const int8_t *x, size_t rows, const int8_matrix *w, float *y) {
    float dot[INT8_PANEL];
    size_t first, i, c;
    for (first = 0; first < w->n; first += INT8_PANEL)
        for (i = 0; i < rows; i++) {
            const int8_matrix panel = int8_matrix_columns(w, first, INT8_PANEL);
            linear(x + i * w->k, 1, &panel, dot);
            for (c = 0; c < panel.n; c++) y[i * w->n + first + c] = dot[c] + y[i * w->n + first + c];
        }
}

static void linear_codes(const int8_t *x, size_t rows, const int8_matrix *w, float low, float high, int8_t *codes,
                         size_t stride) {
    float y[INT8_PANEL];
    size_t first, i;
    for (first = 0; first < w->n; first += INT8_PANEL)
        for (i = 0; i < rows; i++) {
            const int8_matrix panel = int8_matrix_columns(w, first, INT8_PANEL);
            linear(x + i * w->k, 1, &panel, y);
            quantize(y, NULL, NULL, low, high, panel.n, codes + i * stride + first);
        }
}

static void linear_gelu_codes(const int8_t *x, size_t rows, const int8_matrix *w, const int8_quantizer *q,
                              int8_t *codes) {
    float y[INT8_PANEL];
    size_t first, i;
    for (first = 0; first < w->n; first += INT8_PANEL)
        for (i = 0; i < rows; i++) {
            const int8_matrix panel = int8_matrix_columns(w, first, INT8_PANEL);
            linear(x + i * w->k, 1, &panel, y);
            gelu(y, panel.n);
            quantize(y, q->multiplier + first, q->offset + first, -128.0f, 127.0f, panel.n,
                     codes + i * w->n + first);
        }
}

/* The tree over 16 partial sums. */
static float sum_tree(float *p) {
    size_t half, i;
    for (half = 8; half > 0; half /= 2)
        for (i = 0; i < half; i++) p[i] = p[i] + p[i + half];
    return p[0];
}

/* s = x + residual, if the model says so rounded to 8 bits, then between -1e15 and 1e15 (so that no square overflows,
 * and no NaN goes on). d = s - mean(s), y = (d * (1 / sqrt(mean(d^2) + epsilon))) * gamma + beta. */
static void norm(const float *x, const float *residual, const int8_norm *w, float epsilon, size_t n, float *y) {
    float p[NORM_PARTIALS] = {0}, mean, factor;
    size_t i;
    for (i = 0; i < n; i++) {
        float s = residual != NULL ? x[i] + residual[i] : x[i];
        if (w->input_step != NULL) s = rne(clamp_of(s * w->input_multiplier[i], -127.0f, 127.0f)) * w->input_step[i];
        y[i] = s = clamp_of(s, -NORM_LIMIT, NORM_LIMIT);
        p[i % NORM_PARTIALS] += s;
    }
    mean = sum_tree(p) / (float)n;
    memset(p, 0, sizeof p);
    for (i = 0; i < n; i++) {
        const float d = y[i] - mean;
        p[i % NORM_PARTIALS] += d * d;
    }
    factor = 1.0f / __builtin_sqrtf(sum_tree(p) / (float)n + epsilon);
    for (i = 0; i < n; i++) y[i] = ((y[i] - mean) * factor) * w->gamma[i] + w->beta[i];
}

static void norm_codes(float *x, size_t rows, const int8_norm *w, float epsilon, const int8_quantizer *q, size_t n,
                       int8_t *codes) {
    size_t i;
    for (i = 0; i < rows; i++, x += n) {
        norm(x, NULL, w, epsilon, n, x);
        if (q != NULL) quantize(x, q->multiplier, q->offset, -128.0f, 127.0f, n, codes + i * n);
    }
}

/* Query `query` of one head. q [head_dim]; k, v: the head's first key and value, a token's lying `stride` behind the
 * last's. score, p: [n_tokens] of scratch. */
static void attend(const int8_t *q, const int8_t *k, const int8_t *v, size_t stride, size_t query, size_t n_tokens,
                   size_t head_dim, float score_scale, const float *multiplier, const float *offset, int32_t *score,
                   uint8_t *p, int8_t *out) {
    int32_t maximum = INT32_MIN, total = 0;
    size_t j, d;
    for (j = 0; j < n_tokens; j++) {
        score[j] = 0;
        for (d = 0; d < head_dim; d++) score[j] += q[d] * k[j * stride + d];
        if (score[j] > maximum) maximum = score[j];
    }
    for (j = 0; j < n_tokens; j++) {
        const float dither = exp_dither[(j + EXP_DITHER_STEP * query) % EXP_DITHER_PERIOD];
        p[j] = (uint8_t)(exp_code((float)(score[j] - maximum) * score_scale, dither) & 0xff);
        total += p[j];
    }
    for (d = 0; d < head_dim; d++) {
        int32_t sum = 0;
        float c;
        for (j = 0; j < n_tokens; j++) sum += p[j] * v[j * stride + d];
        c = (float)sum * (1.0f / (float)total);
        out[d] = (int8_t)rne(clamp_of(c * multiplier[d] + offset[d], -128.0f, 127.0f));
    }
}

/* One head's keys and values, repacked; scores and exponentials of some queries (see attention_impl.h). */
size_t kernels_attention_scratch_bytes(size_t n_tokens, size_t head_dim) {
    size_t tokens, dims, per_token, bytes;
    if (!size_add(n_tokens, 63, &tokens) || !size_add(head_dim, 15, &dims)) return 0;
    tokens &= ~(size_t)63;
    dims &= ~(size_t)15;
    if (!size_mul(dims, 2, &per_token) || !size_add(per_token, ATTENTION_QUERIES * (sizeof(int32_t) + 1), &per_token) ||
        !size_mul(tokens, per_token, &bytes))
        return 0;
    return bytes;
}

static void attention_queries(const int8_t *qkv, size_t n_tokens, size_t first, size_t n, size_t n_heads,
                              size_t head_dim, const float *score_scale, const int8_quantizer *context, void *scratch,
                              int8_t *out) {
    const size_t hidden = n_heads * head_dim, stride = 3 * hidden;
    int32_t *score = scratch;
    uint8_t *p = (uint8_t *)(score + n_tokens);
    size_t t, h;
    for (t = first; t < first + n; t++)
        for (h = 0; h < n_heads; h++) {
            const size_t at = h * head_dim;
            attend(qkv + t * stride + at, qkv + hidden + at, qkv + 2 * hidden + at, stride, t, n_tokens, head_dim,
                   score_scale[h], context->multiplier + at, context->offset + at, score, p, out + t * hidden + at);
        }
}

const kernels kernels_scalar = {
    .name = "scalar", .linear = linear, .linear_add = linear_add, .linear_codes = linear_codes,
    .linear_gelu_codes = linear_gelu_codes, .quantize = quantize, .gelu = gelu, .norm = norm, .norm_codes = norm_codes,
    .attention_queries = attention_queries,
};
