/* SPDX-License-Identifier: Apache-2.0
 * Run-time kernels on rows of floats: quantize, GELU, layer norm. Included by kernels_impl.h, in the verbs of a tier.
 * In: floats. Out: codes or floats. norm has 16 partial sums whatever VF_LANES is (lanes that a tail does not fill add
 * +0, which changes no partial sum, as none is ever -0). */

/* --- Element-wise ------------------------------------------------------------------------------------------------- */
/* Rounded codes in the low bytes: t is clamped already. */
ALWAYS_INLINE vi round_of(vf t) { return vf_bits(t + vf_set1(RNE_MAGIC)); }

ALWAYS_INLINE vf rne_of(vf t) { return (t + vf_set1(RNE_MAGIC)) - vf_set1(RNE_MAGIC); }

static void quantize(const float *x, const float *multiplier, const float *offset, float low, float high, size_t n,
                     int8_t *codes) {
    const vf zero = vf_set1(0.0f), l = vf_set1(low), h = vf_set1(high);
    size_t i;
    for (i = 0; i + VF_LANES <= n; i += VF_LANES) {
        vf t = vf_load(x + i);
        if (multiplier != NULL) t = t * vf_load(multiplier + i) + vf_load(offset + i);
        vi_store_codes(codes + i, round_of(clamp_of(t, l, h)));
    }
    if (i < n) {
        vf t = vf_load_part(x + i, n - i, zero);
        if (multiplier != NULL)
            t = t * vf_load_part(multiplier + i, n - i, zero) + vf_load_part(offset + i, n - i, zero);
        vi_store_codes_part(codes + i, n - i, round_of(clamp_of(t, l, h)));
    }
}

static void gelu(float *x, size_t n) {
    size_t i;
    for (i = 0; i + VF_LANES <= n; i += VF_LANES) vf_store(x + i, gelu_of(vf_load(x + i)));
    if (i < n) vf_store_part(x + i, n - i, gelu_of(vf_load_part(x + i, n - i, vf_set1(0.0f))));
}

/* --- Layer norm --------------------------------------------------------------------------------------------------- */
#define PARTIAL_VECTORS (NORM_PARTIALS / VF_LANES)

/* The tree over 16 partials: ((p0+p8)+(p4+p12)) + ((p2+p10)+(p6+p14)), plus the same of the odd ones. */
ALWAYS_INLINE float sum_tree(vf *p) {
    size_t half, v;
    UNROLL for (half = PARTIAL_VECTORS / 2; half > 0; half /= 2) {
        UNROLL for (v = 0; v < half; v++) p[v] = p[v] + p[v + half];
    }
#if VF_LANES >= 16
    p[0] = p[0] + vf_swap8(p[0]);
#endif
#if VF_LANES >= 8
    p[0] = p[0] + vf_swap4(p[0]);
#endif
    p[0] = p[0] + vf_swap2(p[0]);
    p[0] = p[0] + vf_swap1(p[0]);
    return vf_first(p[0]);
}

/* Elements i to i + n - 1 of one vector, n <= VF_LANES; the other lanes are 0. */
ALWAYS_INLINE vf norm_input(const float *x, const float *residual, const int8_norm *w, size_t i, size_t n) {
    const vf zero = vf_set1(0.0f);
    vf s = n == VF_LANES ? vf_load(x + i) : vf_load_part(x + i, n, zero);
    if (residual != NULL) s = s + (n == VF_LANES ? vf_load(residual + i) : vf_load_part(residual + i, n, zero));
    if (w->input_step != NULL) {
        const vf m = n == VF_LANES ? vf_load(w->input_multiplier + i) : vf_load_part(w->input_multiplier + i, n, zero);
        const vf step = n == VF_LANES ? vf_load(w->input_step + i) : vf_load_part(w->input_step + i, n, zero);
        s = rne_of(clamp_of(s * m, vf_set1(-127.0f), vf_set1(127.0f))) * step;
    }
    return clamp_of(s, vf_set1(-NORM_LIMIT), vf_set1(NORM_LIMIT));
}

static float norm_mean(const float *x, const float *residual, const int8_norm *w, size_t n, float *y) {
    vf p[PARTIAL_VECTORS];
    size_t i = 0, v;
    UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) p[v] = vf_set1(0.0f);
    for (; i + NORM_PARTIALS <= n; i += NORM_PARTIALS) {
        UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) {
            const vf s = norm_input(x, residual, w, i + v * VF_LANES, VF_LANES);
            vf_store(y + i + v * VF_LANES, s);
            p[v] = p[v] + s;
        }
    }
    UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) {
        if (i < n) {
            const size_t lanes = n - i < VF_LANES ? n - i : VF_LANES;
            const vf s = norm_input(x, residual, w, i, lanes);
            if (lanes == VF_LANES) vf_store(y + i, s);
            else vf_store_part(y + i, lanes, s);
            p[v] = p[v] + s;
            i += lanes;
        }
    }
    return sum_tree(p) / (float)n;
}

static float norm_variance(const float *y, float mean, size_t n) {
    const vf m = vf_set1(mean);
    vf p[PARTIAL_VECTORS];
    size_t i = 0, v;
    UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) p[v] = vf_set1(0.0f);
    for (; i + NORM_PARTIALS <= n; i += NORM_PARTIALS) {
        UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) {
            const vf d = vf_load(y + i + v * VF_LANES) - m;
            p[v] = p[v] + d * d;
        }
    }
    UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) {
        if (i < n) {
            const size_t lanes = n - i < VF_LANES ? n - i : VF_LANES;
            const vf d = (lanes == VF_LANES ? vf_load(y + i) : vf_load_part(y + i, lanes, m)) - m;
            p[v] = p[v] + d * d;
            i += lanes;
        }
    }
    return sum_tree(p) / (float)n;
}

static void norm(const float *x, const float *residual, const int8_norm *w, float epsilon, size_t n, float *y) {
    const float mean = norm_mean(x, residual, w, n, y), variance = norm_variance(y, mean, n);
    const vf m = vf_set1(mean), factor = vf_set1(1.0f / __builtin_sqrtf(variance + epsilon)), zero = vf_set1(0.0f);
    size_t i;
    for (i = 0; i + VF_LANES <= n; i += VF_LANES)
        vf_store(y + i, ((vf_load(y + i) - m) * factor) * vf_load(w->gamma + i) + vf_load(w->beta + i));
    if (i < n) {
        const vf gamma = vf_load_part(w->gamma + i, n - i, zero), beta = vf_load_part(w->beta + i, n - i, zero);
        vf_store_part(y + i, n - i, ((vf_load_part(y + i, n - i, zero) - m) * factor) * gamma + beta);
    }
}

#define NORM_ROWS ((size_t)4) /* at a time: one alone would wait for its sums */

/* NORM_ROWS rows of n, a multiple of NORM_PARTIALS, in place. */
static void norm_rows(float *x, const int8_norm *w, float epsilon, const int8_quantizer *q, size_t n, int8_t *codes) {
    const vf low = vf_set1(-128.0f), high = vf_set1(127.0f);
    vf p[NORM_ROWS][PARTIAL_VECTORS], mean[NORM_ROWS], factor[NORM_ROWS];
    size_t i, r, v;
    UNROLL for (r = 0; r < NORM_ROWS; r++) {
        UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) p[r][v] = vf_set1(0.0f);
    }
    for (i = 0; i < n; i += NORM_PARTIALS) {
        UNROLL for (r = 0; r < NORM_ROWS; r++) {
            UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) {
                const vf s = norm_input(x + r * n, NULL, w, i + v * VF_LANES, VF_LANES);
                vf_store(x + r * n + i + v * VF_LANES, s);
                p[r][v] = p[r][v] + s;
            }
        }
    }
    UNROLL for (r = 0; r < NORM_ROWS; r++) {
        mean[r] = vf_set1(sum_tree(p[r]) / (float)n);
        UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) p[r][v] = vf_set1(0.0f);
    }
    for (i = 0; i < n; i += NORM_PARTIALS) {
        UNROLL for (r = 0; r < NORM_ROWS; r++) {
            UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) {
                const vf d = vf_load(x + r * n + i + v * VF_LANES) - mean[r];
                p[r][v] = p[r][v] + d * d;
            }
        }
    }
    UNROLL for (r = 0; r < NORM_ROWS; r++)
        factor[r] = vf_set1(1.0f / __builtin_sqrtf(sum_tree(p[r]) / (float)n + epsilon));
    for (i = 0; i < n; i += VF_LANES) {
        const vf gamma = vf_load(w->gamma + i), beta = vf_load(w->beta + i);
        UNROLL for (r = 0; r < NORM_ROWS; r++) {
            const vf y = ((vf_load(x + r * n + i) - mean[r]) * factor[r]) * gamma + beta;
            vf_store(x + r * n + i, y);
            if (q != NULL) {
                const vf t = y * vf_load(q->multiplier + i) + vf_load(q->offset + i);
                vi_store_codes(codes + r * n + i, round_of(clamp_of(t, low, high)));
            }
        }
    }
}

static void norm_codes(float *x, size_t rows, const int8_norm *w, float epsilon, const int8_quantizer *q, size_t n,
                       int8_t *codes) {
    size_t r = 0;
    if (n % NORM_PARTIALS == 0)
        for (; r + NORM_ROWS <= rows; r += NORM_ROWS)
            norm_rows(x + r * n, w, epsilon, q, n, q != NULL ? codes + r * n : NULL);
    for (; r < rows; r++) {
        norm(x + r * n, NULL, w, epsilon, n, x + r * n);
        if (q != NULL) quantize(x + r * n, q->multiplier, q->offset, -128.0f, 127.0f, n, codes + r * n);
    }
}
