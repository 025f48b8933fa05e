/* SPDX-License-Identifier: Apache-2.0
 *
 * The float functions of the INT8 engine, of one vector, in the verbs of a tier (see kernels_impl.h; ref.c has vectors
 * of one lane). This file is their definition: every tier does these operations in this order. They are chosen by the
 * number of operations, since AVX-512 and WebAssembly's SIMD128 have mul, add, min, max and division, the last 5 to 16
 * times as dear, and no FMA that is the same everywhere. Largest errors, over 2 * 10^8 floats
 * (tests/unit/test_kernels.c tries fewer):
 *
 *   gelu_of    9.6e-7 absolute (where x is large, its last place; near 0, 5.5e-7)
 *   exp_code   0.011 of a code before rounding
 *
 * A comparison keeps its second operand if the first is NaN: vf_max(x, low) is x > low ? x : low. */
#ifndef MINNOW_RUN_KERNELS_FUNCTIONS_H
#define MINNOW_RUN_KERNELS_FUNCTIONS_H

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
/* Compilers that are told to clear all variables (-ftrivial-auto-var-init) leave these alone: buffers that are written
 * before they are read, and longer to clear than to fill. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define BUFFER __attribute__((uninitialized))
#endif
#endif
#ifndef BUFFER
#define BUFFER
#endif
#ifndef GELU_AT_ONCE
#define GELU_AT_ONCE 8 /* vectors */
#endif
#define RNE_MAGIC 12582912.0f /* 1.5 * 2^23: x + RNE_MAGIC holds round(x) in its low bits, if |x| <= 2^22 */

/* A NaN gives `low`. */
ALWAYS_INLINE vf clamp_of(vf x, vf low, vf high) { return vf_min(vf_max(x, low), high); }

/* x Phi(x) = max(x, 0) - u (1 - Phi(u)), u = |x|. The 16th root of 1 - Phi(u) is so smooth that degree 5 is enough
 * (minimax in the error of the product); squared four times. 19 operations and no division; a rational of erf needs 20
 * and a division, a polynomial for Phi itself 31. From 5.2 on the product is below 5.2e-7 and stays as it is. A NaN
 * gives -5.2e-7. In quarters, each waiting for the one before: other work goes between them. */
#define GELU_FACTORS 7
static const float gelu_factors[GELU_FACTORS] = {5.2f, -4.55202935e-05f, 6.92236586e-04f, -1.39624532e-03f,
                                                 -1.77671537e-02f, -4.77798469e-02f, 9.57605720e-01f};
typedef struct gelu_parts {
    vf x, u, p; /* x: in, and out of the last quarter */
} gelu_parts;

ALWAYS_INLINE void gelu_quarter(gelu_parts *g, size_t quarter, const float *factors) {
    if (quarter == 0) {
        g->u = vf_min(vf_abs(g->x), vf_set1(factors[0]));
        g->x = vf_max(g->x, vf_set1(0.0f));
        g->p = vf_set1(factors[1]) * g->u + vf_set1(factors[2]);
    } else if (quarter == 1) {
        g->p = g->p * g->u + vf_set1(factors[3]);
        g->p = g->p * g->u + vf_set1(factors[4]);
        g->p = g->p * g->u + vf_set1(factors[5]);
    } else if (quarter == 2) {
        g->p = g->p * g->u + vf_set1(factors[6]);
        g->p = g->p * g->p;
        g->p = g->p * g->p;
    } else {
        g->p = g->p * g->p;
        g->p = g->p * g->p;
        g->x = g->x - g->u * g->p;
    }
}

/* Of n vectors in place, in turns: one alone would wait for each step's result. */
ALWAYS_INLINE void gelu_of_each(vf *x, size_t n) {
    gelu_parts g[GELU_AT_ONCE];
    size_t i, quarter;
    UNROLL for (i = 0; i < n; i++) g[i].x = x[i];
    UNROLL for (quarter = 0; quarter < 4; quarter++) {
        UNROLL for (i = 0; i < n; i++) gelu_quarter(&g[i], quarter, gelu_factors);
    }
    UNROLL for (i = 0; i < n; i++) x[i] = g[i].x;
}
ALWAYS_INLINE vf gelu_of(vf x) {
    vf at_once[1] = {x};
    gelu_of_each(at_once, 1);
    return at_once[0];
}

/* Key j of query i is rounded with exp_dither[(j + 5 i) mod 16] added: sixteenths in bit-reversed order, between -1/2
 * and 1/2. Where attention is spread over a long text most exponentials are below one code; rounded to nearest they
 * would all vanish, dithered their sum stays right (mean cosine to FP32 on texts of 200 to 256 tokens: 0.9964 ->
 * 0.9978). The step of 5 gives each query other keys' luck. Twice over, so that 16 in a row may be read from any
 * place. */
#define EXP_DITHER_PERIOD 16
#define EXP_DITHER_STEP 5
static const float exp_dither[2 * EXP_DITHER_PERIOD] = {
    -0.46875f, 0.03125f, -0.21875f, 0.28125f, -0.34375f, 0.15625f, -0.09375f, 0.40625f,
    -0.40625f, 0.09375f, -0.15625f, 0.34375f, -0.28125f, 0.21875f, -0.03125f, 0.46875f,
    -0.46875f, 0.03125f, -0.21875f, 0.28125f, -0.34375f, 0.15625f, -0.09375f, 0.40625f,
    -0.40625f, 0.09375f, -0.15625f, 0.34375f, -0.28125f, 0.21875f, -0.03125f, 0.46875f,
};

/* 127 * 2^t for t <= 0: exactly 127 at 0, and next to nothing below -16. 2^t = 2^n 2^f, n = round(t), |f| <= 1/2; the
 * cubic is 127 * 2^f, exactly 127 at 0, and n is added to its exponent. Instructions that round, and that multiply by
 * 2^n down to 0, leave nothing to clamp: from -12 on all codes are 0. They want a finite t. */
typedef struct exp_parts {
    vf f, power; /* power: n, or its bits in an exponent's place */
} exp_parts;

ALWAYS_INLINE exp_parts exp_split(vf t) {
#ifdef VF_HAS_POWERS
    const vf n = vf_round(t);
    return (exp_parts){t - n, n};
#else
    const vf magic = vf_set1(RNE_MAGIC), clamped = vf_max(t, vf_set1(-16.0f)), shifted = clamped + magic;
    /* The magic number's own bits leave at the top: 0x4b400000 << 23 is 0. */
    return (exp_parts){clamped - (shifted - magic), vf_from_bits(vi_shl(vf_bits(shifted), 23))};
#endif
}
ALWAYS_INLINE vf exp_join(exp_parts e) {
    vf p = vf_set1(6.98613453f);
    p = p * e.f + vf_set1(30.7607918f);
    p = p * e.f + vf_set1(88.0469284f);
    p = p * e.f + vf_set1(127.0f);
#ifdef VF_HAS_POWERS
    return vf_times_power(p, e.power);
#else
    return vf_from_bits(vi_add(vf_bits(p), vf_bits(e.power)));
#endif
}
ALWAYS_INLINE vf exp_127(vf t) { return exp_join(exp_split(t)); }

/* A factor of score differences that keeps them finite: from 64 on only the largest scores have other codes than 0. */
ALWAYS_INLINE vf exp_step(float scale) { return vf_set1(scale < 64.0f ? scale : 64.0f); }

/* round(127 * 2^t + dither) for t <= 0 and |dither| < 1/2, in each lane's low byte: 0 to 127, and 127 for t = 0. Above
 * it lie RNE_MAGIC's bits. */
#define EXP_CODE_ABOVE 0x4b400000u
ALWAYS_INLINE vi exp_round(vf power, vf dither) { return vf_bits((power + dither) + vf_set1(RNE_MAGIC)); }
ALWAYS_INLINE vi exp_code(vf t, vf dither) { return exp_round(exp_127(t), dither); }

#endif
