/* SPDX-License-Identifier: Apache-2.0
 *
 * Float arithmetic of the build-time half, written once: each tier's file defines a vector of VF_LANES floats and a few
 * verbs (vf_load, vf_fma, vf_select ...) and includes this file. + - * / are the vectors' own operators.
 *
 *   math_functions.h  vector -> vector: exp, erf, tanh, log ...
 *   math_impl.h       loops over arrays: element-wise, reductions, softmax, layer norm; the tier's table
 *   math_gemm.h       packing and the matrix product
 *   math_quantize.h   floats -> codes and back, sums of codes -> floats
 *
 * The same bits in every tier: a lane does the same operations whatever its neighbours do, and a reduction has 16
 * partial sums whatever VF_LANES is (lanes that a tail does not fill add +0, which changes no partial sum, as none is
 * ever -0). */
#ifndef VF_LANES
#error "math_impl.h is included by the tiers' files only."
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(VF_FMA_ROUNDS_TWICE)
static inline vf vf_fma(vf a, vf b, vf c) { return a * b + c; } /* contraction is off */
#endif

#include "convert/math/math_functions.h"

/* --- Element-wise ------------------------------------------------------------------------------------------------- */
/* `value` is an expression of vectors named by the parameters. A tail is filled with 1. */
#define DEFINE_UNARY(name, value)                                                                   \
    static void name(const float *x, float *y, size_t n) {                                          \
        size_t i;                                                                                   \
        for (i = 0; i + VF_LANES <= n; i += VF_LANES) {                                             \
            const vf a = vf_load(x + i);                                                            \
            vf_store(y + i, value);                                                                 \
        }                                                                                           \
        if (i < n) {                                                                                \
            const vf a = vf_load_part(x + i, n - i, vf_set1(1.0f));                                 \
            vf_store_part(y + i, n - i, value);                                                     \
        }                                                                                           \
    }

#define DEFINE_BINARY(name, value)                                                                  \
    static void name(const float *x, const float *z, float *y, size_t n) {                          \
        size_t i;                                                                                   \
        for (i = 0; i + VF_LANES <= n; i += VF_LANES) {                                             \
            const vf a = vf_load(x + i), b = vf_load(z + i);                                        \
            vf_store(y + i, value);                                                                 \
        }                                                                                           \
        if (i < n) {                                                                                \
            const vf a = vf_load_part(x + i, n - i, vf_set1(1.0f));                                 \
            const vf b = vf_load_part(z + i, n - i, vf_set1(1.0f));                                 \
            vf_store_part(y + i, n - i, value);                                                     \
        }                                                                                           \
    }

#define DEFINE_SCALAR(name, value)                                                                  \
    static void name(const float *x, float scalar, float *y, size_t n) {                            \
        const vf b = vf_set1(scalar);                                                               \
        size_t i;                                                                                   \
        for (i = 0; i + VF_LANES <= n; i += VF_LANES) {                                             \
            const vf a = vf_load(x + i);                                                            \
            vf_store(y + i, value);                                                                 \
        }                                                                                           \
        if (i < n) {                                                                                \
            const vf a = vf_load_part(x + i, n - i, vf_set1(1.0f));                                 \
            vf_store_part(y + i, n - i, value);                                                     \
        }                                                                                           \
    }

/* A NaN of either side goes through (of two zeros, b's). */
ALWAYS_INLINE vf minimum_of(vf a, vf b) { return vf_select(vf_nan(a), a, vf_min(a, b)); }
ALWAYS_INLINE vf maximum_of(vf a, vf b) { return vf_select(vf_nan(a), a, vf_max(a, b)); }

DEFINE_UNARY(map_exp, exp_of(a))
DEFINE_UNARY(map_erf, erf_of(a))
DEFINE_UNARY(map_tanh, tanh_of(a))
DEFINE_UNARY(map_sigmoid, sigmoid_of(a))
DEFINE_UNARY(map_log, log_of(a))
DEFINE_UNARY(map_sqrt, vf_sqrt(a))
DEFINE_UNARY(map_reciprocal, vf_set1(1.0f) / a)
DEFINE_UNARY(map_neg, -a)
DEFINE_UNARY(map_abs, abs_of(a))
DEFINE_UNARY(map_gelu_erf, gelu_erf_of(a))
DEFINE_BINARY(map_add, a + b)
DEFINE_BINARY(map_sub, a - b)
DEFINE_BINARY(map_mul, a * b)
DEFINE_BINARY(map_div, a / b)
DEFINE_BINARY(map_min, minimum_of(a, b))
DEFINE_BINARY(map_max, maximum_of(a, b))
DEFINE_SCALAR(map_add_scalar, a + b)
DEFINE_SCALAR(map_sub_scalar, a - b)
DEFINE_SCALAR(map_rsub_scalar, b - a)
DEFINE_SCALAR(map_mul_scalar, a * b)
DEFINE_SCALAR(map_div_scalar, a / b)
DEFINE_SCALAR(map_rdiv_scalar, b / a)
DEFINE_SCALAR(map_min_scalar, minimum_of(a, b))
DEFINE_SCALAR(map_max_scalar, maximum_of(a, b))

/* --- Reductions --------------------------------------------------------------------------------------------------- */
#define N_PARTIALS 16
#define PARTIAL_VECTORS (N_PARTIALS / VF_LANES)

ALWAYS_INLINE vf step_sum(vf p, vf x, vf unused) {
    (void)unused;
    return p + x;
}
ALWAYS_INLINE vf step_squares(vf p, vf x, vf unused) {
    (void)unused;
    return vf_fma(x, x, p);
}
ALWAYS_INLINE vf step_variance(vf p, vf x, vf mean) {
    const vf d = x - mean;
    return vf_fma(d, d, p);
}
ALWAYS_INLINE vf step_maximum(vf p, vf x, vf unused) { /* a NaN stays: x > p is false then */
    (void)unused;
    return vf_select(vf_nan(x), x, vf_max(x, p));
}

/* The tree over 16 partials: ((p0+p8)+(p4+p12))+((p2+p10)+(p6+p14)), plus the same of the odd ones,
 * with `step` for +. */
ALWAYS_INLINE float math_sum_tree(vf *p, vf (*step)(vf p, vf x, vf unused)) {
    const vf zero = vf_set1(0.0f);
    size_t half, v;
    UNROLL for (half = PARTIAL_VECTORS / 2; half > 0; half /= 2) {
        UNROLL for (v = 0; v < half; v++) p[v] = step(p[v], p[v + half], zero);
    }
#if VF_LANES >= 16
    p[0] = step(p[0], vf_swap8(p[0]), zero);
#endif
#if VF_LANES >= 8
    p[0] = step(p[0], vf_swap4(p[0]), zero);
#endif
#if VF_LANES >= 4
    p[0] = step(p[0], vf_swap2(p[0]), zero);
    p[0] = step(p[0], vf_swap1(p[0]), zero);
#endif
    return vf_first(p[0]);
}

/* partial[i mod 16] = step(partial[i mod 16], x[i], extra) for i = 0, 1, ... n - 1. Lanes of a tail are filled with
 * `fill`, which must not change a partial. */
ALWAYS_INLINE void reduce(vf *partials, const float *x, size_t n, vf fill, vf extra, vf (*step)(vf p, vf x, vf extra)) {
    size_t i = 0, v;
    for (; i + N_PARTIALS <= n; i += N_PARTIALS) {
        UNROLL for (v = 0; v < PARTIAL_VECTORS; v++)
            partials[v] = step(partials[v], vf_load(x + i + v * VF_LANES), extra);
    }
    UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) {
        if (i + VF_LANES <= n) partials[v] = step(partials[v], vf_load(x + i), extra);
        else if (i < n) partials[v] = step(partials[v], vf_load_part(x + i, n - i, fill), extra);
        i += VF_LANES;
    }
}

ALWAYS_INLINE void fill_partials(vf *partials, vf value) {
    size_t v;
    UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) partials[v] = value;
}

static float reduce_sum(const float *x, size_t n) {
    vf p[PARTIAL_VECTORS];
    fill_partials(p, vf_set1(0.0f));
    reduce(p, x, n, vf_set1(0.0f), vf_set1(0.0f), step_sum);
    return math_sum_tree(p, step_sum);
}

static float reduce_squares(const float *x, size_t n) {
    vf p[PARTIAL_VECTORS];
    fill_partials(p, vf_set1(0.0f));
    reduce(p, x, n, vf_set1(0.0f), vf_set1(0.0f), step_squares);
    return math_sum_tree(p, step_sum);
}

static float reduce_variance(const float *x, size_t n, float mean) {
    vf p[PARTIAL_VECTORS];
    fill_partials(p, vf_set1(0.0f));
    reduce(p, x, n, vf_set1(mean), vf_set1(mean), step_variance); /* a filled lane adds (mean - mean)^2 */
    return math_sum_tree(p, step_sum);
}

static float reduce_maximum(const float *x, size_t n) {
    const vf lowest = vf_set1(-__builtin_inff());
    vf p[PARTIAL_VECTORS];
    fill_partials(p, lowest);
    reduce(p, x, n, lowest, vf_set1(0.0f), step_maximum);
    return math_sum_tree(p, step_maximum);
}

/* --- Softmax and layer norm --------------------------------------------------------------------------------------- */
/* m = max x; e = exp(x - m); y = e / sum e, a division: the bits of ReduceMax, Sub, Exp, ReduceSum, Div as separate
 * nodes. */
static void softmax(const float *x, float *y, size_t n) {
    const vf m = vf_set1(reduce_maximum(x, n)), lowest = vf_set1(-__builtin_inff());
    vf p[PARTIAL_VECTORS];
    size_t i = 0, v;
    fill_partials(p, vf_set1(0.0f));
    for (; i + N_PARTIALS <= n; i += N_PARTIALS) {
        UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) {
            const vf e = exp_of(vf_load(x + i + v * VF_LANES) - m);
            vf_store(y + i + v * VF_LANES, e);
            p[v] = p[v] + e;
        }
    }
    UNROLL for (v = 0; v < PARTIAL_VECTORS; v++) {
        if (i + VF_LANES <= n) {
            const vf e = exp_of(vf_load(x + i) - m);
            vf_store(y + i, e);
            p[v] = p[v] + e;
        } else if (i < n) {
            const vf e = exp_of(vf_load_part(x + i, n - i, lowest) - m); /* exp(-inf) = 0 in the other lanes */
            vf_store_part(y + i, n - i, e);
            p[v] = p[v] + e;
        }
        i += VF_LANES;
    }
    map_div_scalar(y, math_sum_tree(p, step_sum), y, n);
}

/* mean = sum x / n; variance = sum (x - mean)^2 / n (fused multiply-adds); y = (x - mean) / sqrt(variance + epsilon) *
 * gamma + beta, with a division and separate roundings: the bits of Sub, Sqrt, Div, Mul, Add as separate nodes. */
static void layer_norm(const float *x, const float *gamma, const float *beta, float epsilon, float *y, size_t n) {
    const float mean = reduce_sum(x, n) / (float)n;
    const float deviation = __builtin_sqrtf(reduce_variance(x, n, mean) / (float)n + epsilon);
    const vf m = vf_set1(mean), d = vf_set1(deviation), one = vf_set1(1.0f);
    size_t i;
    for (i = 0; i + VF_LANES <= n; i += VF_LANES) {
        vf v = (vf_load(x + i) - m) / d * vf_load(gamma + i);
        if (beta != NULL) v = v + vf_load(beta + i);
        vf_store(y + i, v);
    }
    if (i < n) {
        vf v = (vf_load_part(x + i, n - i, one) - m) / d * vf_load_part(gamma + i, n - i, one);
        if (beta != NULL) v = v + vf_load_part(beta + i, n - i, one);
        vf_store_part(y + i, n - i, v);
    }
}

#include "convert/math/math_gemm.h"
#include "convert/math/math_quantize.h"

const math_kernels TIER(math_kernels) = {
    .exp = map_exp, .erf = map_erf, .tanh = map_tanh, .sigmoid = map_sigmoid, .log = map_log, .sqrt = map_sqrt,
    .reciprocal = map_reciprocal, .neg = map_neg, .abs = map_abs, .gelu_erf = map_gelu_erf,
    .add = map_add, .sub = map_sub, .mul = map_mul, .div = map_div, .min = map_min, .max = map_max,
    .add_scalar = map_add_scalar, .sub_scalar = map_sub_scalar, .rsub_scalar = map_rsub_scalar,
    .mul_scalar = map_mul_scalar, .div_scalar = map_div_scalar, .rdiv_scalar = map_rdiv_scalar,
    .min_scalar = map_min_scalar, .max_scalar = map_max_scalar,
    .sum = reduce_sum, .sum_squares = reduce_squares, .maximum = reduce_maximum,
    .softmax = softmax, .layer_norm = layer_norm,
    .range = range, .quantize = quantize, .dequantize = dequantize, .scale_sums = scale_sums,
    .packed_bytes = gemm_packed_bytes, .pack = gemm_pack, .gemm = gemm, .gemm_columns = GEMM_COLUMNS,
};
