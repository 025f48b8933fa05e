/* SPDX-License-Identifier: Apache-2.0
 *
 * What quantized graphs do to floats, in the verbs of a tier (see math_impl.h): floats -> codes and back, and sums of
 * products of codes -> floats. */
#ifndef MINNOW_CONVERT_MATH_QUANTIZE_H
#define MINNOW_CONVERT_MATH_QUANTIZE_H

#include <string.h>

ALWAYS_INLINE vf step_minimum(vf p, vf x, vf unused) { /* a NaN stays: x < p is false then */
    (void)unused;
    return vf_select(vf_nan(x), x, vf_min(x, p));
}

static void range(const float *x, size_t n, float *least, float *largest) {
    const vf infinity = vf_set1(__builtin_inff()), zero = vf_set1(0.0f);
    vf low[PARTIAL_VECTORS], high[PARTIAL_VECTORS];
    size_t i = 0, v;
    fill_partials(low, infinity);
    fill_partials(high, -infinity);
    for (; i + N_PARTIALS <= n; i += N_PARTIALS) {
        UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) {
            const vf a = vf_load(x + i + v * VF_LANES);
            low[v] = step_minimum(low[v], a, zero);
            high[v] = step_maximum(high[v], a, zero);
        }
    }
    reduce(low, x + i, n - i, infinity, zero, step_minimum);
    reduce(high, x + i, n - i, -infinity, zero, step_maximum);
    *least = math_sum_tree(low, step_minimum);
    *largest = math_sum_tree(high, step_maximum);
}

/* Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits. */
ALWAYS_INLINE vi code_of(vf x, vf scale, vf low, vf high, vi zero) {
    const vf v = x / scale, number = vf_select(vf_nan(v), vf_set1(0.0f), v);
    const vf shifted = vf_max(vf_min(number, high), low) + vf_set1(12582912.0f);
    return vi_add(vi_sub(vf_bits(shifted), vi_set1(0x4b400000)), zero);
}

static void quantize(const float *x, float scale, float low, float high, int32_t zero, uint8_t *y, size_t n) {
    const vf s = vf_set1(scale), l = vf_set1(low), h = vf_set1(high);
    const vi z = vi_set1(zero);
    size_t i;
    for (i = 0; i + VF_LANES <= n; i += VF_LANES) vi_store_bytes(y + i, code_of(vf_load(x + i), s, l, h, z));
    if (i < n) {
        uint8_t bytes[VF_LANES];
        vi_store_bytes(bytes, code_of(vf_load_part(x + i, n - i, s), s, l, h, z));
        memcpy(y + i, bytes, n - i);
    }
}

/* The top bit turned over and 128 taken off makes a signed code of an unsigned one. */
static void dequantize(const uint8_t *x, int is_signed, int32_t zero, float scale, float *y, size_t n) {
    const vi flip = vi_set1(is_signed ? 0x80 : 0), z = vi_set1(is_signed ? zero + 128 : zero);
    const vf s = vf_set1(scale);
    size_t i;
    for (i = 0; i + VF_LANES <= n; i += VF_LANES)
        vf_store(y + i, vf_from_int(vi_sub(vi_xor(vi_load_bytes(x + i), flip), z)) * s);
    if (i < n) {
        uint8_t bytes[VF_LANES] = {0};
        memcpy(bytes, x + i, n - i);
        vf_store_part(y + i, n - i, vf_from_int(vi_sub(vi_xor(vi_load_bytes(bytes), flip), z)) * s);
    }
}

static void scale_sums(const int32_t *x, const float *scale, int per_column, const float *bias,
                       math_activation activation, const float *residual, float *y, size_t n) {
    const vf one = vf_set1(1.0f), s = vf_set1(scale[0]);
    size_t i;
    for (i = 0; i + VF_LANES <= n; i += VF_LANES) {
        vf v = vf_from_int(vi_load(x + i)) * (per_column ? vf_load(scale + i) : s);
        if (bias != NULL) v = v + vf_load(bias + i);
        if (activation == MATH_ACTIVATION_GELU_ERF) v = gelu_erf_of(v);
        if (residual != NULL) v = v + vf_load(residual + i);
        vf_store(y + i, v);
    }
    if (i < n) {
        int32_t sums[VF_LANES] = {0};
        memcpy(sums, x + i, (n - i) * sizeof *sums);
        vf v = vf_from_int(vi_load(sums)) * (per_column ? vf_load_part(scale + i, n - i, one) : s);
        if (bias != NULL) v = v + vf_load_part(bias + i, n - i, one);
        if (activation == MATH_ACTIVATION_GELU_ERF) v = gelu_erf_of(v);
        if (residual != NULL) v = v + vf_load_part(residual + i, n - i, one);
        vf_store_part(y + i, n - i, v);
    }
}

#endif
