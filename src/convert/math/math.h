/* SPDX-License-Identifier: Apache-2.0
 *
 * Float arithmetic of the build-time half: the same bits on every machine.
 *
 * Rules that every tier keeps (math_scalar.c is the truth, tests/unit/test_math.c compares the rest with it):
 *  - product sums: acc = fma(a[k], b[k], acc), k ascending from acc = 0, one chain an element of the output;
 *  - other sums over n elements: 16 strided partial sums (element i goes to partial i mod 16, ascending), then the tree
 *    ((p0+p8)+(p4+p12))+((p2+p10)+(p6+p14)) + the same of the odd ones: see math_sum_tree in math_impl.h;
 *  - functions are polynomials of fma, mul, add, div, sqrt and conversions: no libm, no contraction by the compiler.
 * NaN inputs give NaN outputs (their payload is not specified); infinities follow IEEE 754. */
#ifndef MINNOW_CONVERT_MATH_H
#define MINNOW_CONVERT_MATH_H

#include <stddef.h>
#include <stdint.h>

/* Element-wise functions of one float, x[n] -> y[n]; y may be x. Largest errors: see math_functions.h. */
typedef void (*math_unary_fn)(const float *x, float *y, size_t n);
typedef void (*math_binary_fn)(const float *a, const float *b, float *y, size_t n); /* y may be a or b */
typedef void (*math_scalar_fn)(const float *a, float b, float *y, size_t n);

/* A matrix B [k, n] packed for the GEMM of one tier. */
typedef struct math_packed math_packed;

/* What an element of the product goes through before it is stored; NULL members are skipped.
 *   y = act((A B)[i][j] * scale + bias[j]) + residual[i][j]
 * with scale a plain multiplication (skipped if 1), bias a plain addition, residual a plain addition: the same
 * operations, in the same order, as separate nodes would do, so fusing changes no bit. The residual may be C itself
 * (same stride); nothing else may overlap C. */
typedef enum math_activation { MATH_ACTIVATION_NONE = 0, MATH_ACTIVATION_GELU_ERF = 1 } math_activation;
typedef struct math_epilogue {
    float scale; /* 0 means 1 */
    const float *bias;
    math_activation activation;
    const float *residual;
    size_t residual_stride;
} math_epilogue;

/* The table that cpu_best_tier() picks. */
typedef struct math_kernels {
    math_unary_fn exp, erf, tanh, sigmoid, log, sqrt, reciprocal, neg, abs;
    math_unary_fn gelu_erf; /* (x * (erf(x / 1.41421354f) + 1)) * 0.5, bit for bit what torch's exported nodes give */
    math_binary_fn add, sub, mul, div, min, max;
    math_scalar_fn add_scalar, sub_scalar, rsub_scalar, mul_scalar, div_scalar, rdiv_scalar, min_scalar, max_scalar;
    float (*sum)(const float *x, size_t n);
    float (*sum_squares)(const float *x, size_t n);  /* partials by fma(x, x, p) */
    float (*maximum)(const float *x, size_t n);      /* NaN if any is NaN; -inf for n = 0 */
    /* y = softmax(x) over n: m = max, e = exp(x - m), e / sum(e). y may be x. */
    void (*softmax)(const float *x, float *y, size_t n);
    /* y = (x - mean) / sqrt(var + epsilon) * gamma + beta over n; mean and var by `sum` order, var of (x - mean); beta
     * may be NULL. */
    void (*layer_norm)(const float *x, const float *gamma, const float *beta, float epsilon, float *y, size_t n);
    /* The least and the largest element; NaN both if any is NaN; inf and -inf for n = 0. */
    void (*range)(const float *x, size_t n, float *least, float *largest);
    /* y = the low byte of round(min(max(x / scale, low), high)) + zero, halves to even; NaN is as 0. low and high are
     * whole numbers within +-65535. */
    void (*quantize)(const float *x, float scale, float low, float high, int32_t zero, uint8_t *y, size_t n);
    /* y = float(x - zero) * scale, x int8 if is_signed, else uint8. */
    void (*dequantize)(const uint8_t *x, int is_signed, int32_t zero, float scale, float *y, size_t n);
    /* y = act(float(x) * scale + bias) + residual, an int32 row: scale of each column if per_column, else scale[0];
     * bias and residual may be NULL. y may be x. */
    void (*scale_sums)(const int32_t *x, const float *scale, int per_column, const float *bias,
                       math_activation activation, const float *residual, float *y, size_t n);
    /* GEMM, see math_gemm below. */
    size_t (*packed_bytes)(size_t k, size_t n);
    /* packed is aligned as floats are, better to 64 bytes; b[i * row_stride + j * column_stride], so a transposed B
     * costs nothing. */
    void (*pack)(const float *b, size_t row_stride, size_t column_stride, size_t k, size_t n, float *packed);
    /* C[m, n] (row stride ldc) = A[m, k] (row stride lda) * packed B, then the epilogue (NULL: none). Rows [0, m). */
    void (*gemm)(const float *a, size_t lda, const float *packed, float *c, size_t ldc, size_t m, size_t k, size_t n,
                 const math_epilogue *epilogue);
    size_t gemm_columns; /* panel width: columns may be split between threads in multiples of it */
} math_kernels;

const math_kernels *math_best(void);            /* for cpu_best_tier() */
const math_kernels *math_for_tier(int cpu_tier); /* its base tier's; NULL if the build or machine lacks it */

/* The same without fused multiply-adds: wherever these rules say fma(a, b, c), a * b + c, rounded twice. That is what
 * WASM has, so these tables' bits are the same in WASM too. For graphs that round to codes on their way: a last digit
 * that differs turns some code over, which turns over more in the next layer, until vectors differ in the third. */
const math_kernels *math_unfused(void);
const math_kernels *math_unfused_for_tier(int cpu_tier);

/* Columns [j0, j1) of B only: panels are contiguous, so &packed[j0 / gemm_columns * k * gemm_columns]. */

/* float16 and bfloat16, round to nearest even, exact both ways for what fits. */
float math_half_to_float(uint16_t h);
uint16_t math_float_to_half(float f);
float math_bfloat16_to_float(uint16_t h);
uint16_t math_float_to_bfloat16(float f);

/* Double-precision versions, for the few FLOAT64 nodes: accuracy 1e-14 relative, the same bits everywhere. */
double math_exp_f64(double x);
double math_erf_f64(double x);
double math_log_f64(double x);
double math_tanh_f64(double x);
double math_pow_f64(double x, double y); /* exact for small integer y by repeated multiplication */
float math_pow_f32(float x, float y);    /* y = 2: x * x; y = 0.5: sqrt; else rounded from math_pow_f64 */
double math_sin_f64(double x), math_cos_f64(double x); /* for rotary encoders; |x| < 2^20 */
double math_tan_f64(double x); /* |x| < 2^20 */
double math_asin_f64(double x), math_acos_f64(double x), math_atan_f64(double x);
double math_sinh_f64(double x), math_cosh_f64(double x);
double math_asinh_f64(double x), math_acosh_f64(double x), math_atanh_f64(double x);

#endif
