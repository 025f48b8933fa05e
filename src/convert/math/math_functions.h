/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions of one vector, written in the verbs of a tier (see math_impl.h). Coefficients are minimax fits, rounded to
 * float. Bounds on the error, checked on a million floats of all magnitudes by tests/unit/test_math.c against double:
 *
 *   exp      1 ulp, subnormal results included (they are rounded once more, from the exact power of two)
 *   erf      1e-7 absolute, 2 ulp; odd; exactly +-1 from |x| = 3.95 on
 *   tanh     2 ulp; odd; exactly +-1 from |x| = 9.05 on
 *   sigmoid  3 ulp
 *   log      2 ulp
 *
 * In comparisons the argument stands where a NaN survives: vf_min(limit, x) is limit < x ? limit : x. */
#ifndef MINNOW_CONVERT_MATH_FUNCTIONS_H
#define MINNOW_CONVERT_MATH_FUNCTIONS_H

ALWAYS_INLINE vf abs_of(vf x) { return vf_from_bits(vi_and(vf_bits(x), vi_set1(0x7fffffff))); }

/* x - steps ln 2, ln 2 in two parts, for whole numbers |steps| < 2^14. Fused: the large part as float has it. Rounding
 * twice: its first 10 bits, so that the product is exact. */
ALWAYS_INLINE vf minus_ln2(vf x, vf steps) {
#if defined(VF_FMA_ROUNDS_TWICE)
    return vf_fma(steps, vf_set1(2.12194440e-4f), vf_fma(steps, vf_set1(-0.693359375f), x));
#else
    return vf_fma(steps, vf_set1(1.90465421e-9f), vf_fma(steps, vf_set1(-0.693147182464599609375f), x));
#endif
}

/* exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2, exp(r) = 1 + r + r^2 p(r). Adding 1.5 * 2^23 rounds to an
 * integer and leaves it in the low bits. 2^n is multiplied in two halves, so that n = 128 overflows and n < -126 rounds
 * as it should. */
ALWAYS_INLINE vf exp_of(vf x) {
    const vf magic = vf_set1(12582912.0f);
    const vf clamped = vf_max(vf_set1(-104.5f), vf_min(vf_set1(89.0f), x));
    const vf shifted = vf_fma(clamped, vf_set1(1.44269502f), magic), steps = shifted - magic;
    const vf r = minus_ln2(clamped, steps);
    const vi n = vi_sub(vf_bits(shifted), vi_set1(0x4b400000));
    const vi n_half = vi_sar(n, 1), n_rest = vi_sub(n, n_half), bias = vi_set1(127);
    vf p = vf_set1(1.381459879e-03f);
    p = vf_fma(p, r, vf_set1(8.368716575e-03f));
    p = vf_fma(p, r, vf_set1(4.166838899e-02f));
    p = vf_fma(p, r, vf_set1(1.666652113e-01f));
    p = vf_fma(p, r, vf_set1(4.999999404e-01f));
    p = vf_fma(p, r * r, r) + vf_set1(1.0f);
    return p * vf_from_bits(vi_shl(vi_add(n_half, bias), 23)) * vf_from_bits(vi_shl(vi_add(n_rest, bias), 23));
}

ALWAYS_INLINE vf with_sign_of(vf magnitude, vf x) { /* magnitude >= +0 */
    return vf_from_bits(vi_add(vf_bits(magnitude), vi_and(vf_bits(x), vi_set1(INT32_MIN))));
}

/* erf(a) = a + a p(a^2) up to 0.875, 1 - 2^q(a) above, a = |x|; the sign of x is put back at the end. 2^q = 2^n 2^r,
 * |r| <= 1/2: n, in the low bits of `shifted`, is added to the exponent of t(r) = 2^r. */
ALWAYS_INLINE vf erf_of(vf x) {
    const vf a = vf_min(vf_set1(3.95f), abs_of(x)), z = a * a, magic = vf_set1(12582912.0f);
    vf p = vf_set1(-6.198775955e-04f), q = vf_set1(2.885507420e-04f), t = vf_set1(1.327643287e-03f), shifted, r, large;
    p = vf_fma(p, z, vf_set1(5.031401757e-03f));
    p = vf_fma(p, z, vf_set1(-2.679099329e-02f));
    p = vf_fma(p, z, vf_set1(1.128244400e-01f));
    p = vf_fma(p, z, vf_set1(-3.761254847e-01f));
    p = vf_fma(p, z, vf_set1(1.283791512e-01f));
    q = vf_fma(q, a, vf_set1(-4.447865766e-03f));
    q = vf_fma(q, a, vf_set1(3.229481354e-02f));
    q = vf_fma(q, a, vf_set1(-1.504130661e-01f));
    q = vf_fma(q, a, vf_set1(-9.187248349e-01f));
    q = vf_fma(q, a, vf_set1(-1.627208114e+00f));
    q = vf_fma(q, a, vf_set1(-2.062495623e-04f));
    shifted = q + magic;
    r = q - (shifted - magic);
    t = vf_fma(t, r, vf_set1(9.675564244e-03f));
    t = vf_fma(t, r, vf_set1(5.550713465e-02f));
    t = vf_fma(t, r, vf_set1(2.402211875e-01f));
    t = vf_fma(t, r, vf_set1(6.931469440e-01f));
    t = vf_fma(t, r, vf_set1(1.000000119e+00f));
    large = vf_set1(1.0f) - vf_from_bits(vi_add(vf_bits(t), vi_shl(vf_bits(shifted), 23)));
    /* A NaN takes the small branch, which keeps it. */
    return with_sign_of(vf_select(vf_lt(vf_set1(0.875f), a), large, vf_fma(p, a, a)), x);
}

/* tanh(a) = a + a^3 p(a^2) below 0.625, 1 - 2 / (exp(2 a) + 1) above, a = |x|; the sign of x is put back at the end. */
ALWAYS_INLINE vf tanh_of(vf x) {
    const vf a = abs_of(x), z = a * a, one = vf_set1(1.0f);
    const vf large = one - vf_set1(2.0f) / (exp_of(a + a) + one);
    vf p = vf_set1(-5.701185670e-03f), magnitude;
    p = vf_fma(p, z, vf_set1(2.063581906e-02f));
    p = vf_fma(p, z, vf_set1(-5.373875797e-02f));
    p = vf_fma(p, z, vf_set1(1.333143115e-01f));
    p = vf_fma(p, z, vf_set1(-3.333328068e-01f));
    magnitude = vf_select(vf_lt(a, vf_set1(0.625f)), vf_fma(p * z, a, a), large);
    return with_sign_of(magnitude, x);
}

/* 1 / (1 + exp(-x)) for x >= 0, exp(x) / (1 + exp(x)) below: never inf / inf, and small results keep their digits. */
ALWAYS_INLINE vf sigmoid_of(vf x) {
    const vf e = exp_of(-abs_of(x)), one = vf_set1(1.0f);
    return vf_select(vf_lt(x, vf_set1(0.0f)), e, one) / (e + one);
}

/* log(x) = n ln 2 + log(1 + f), x = 2^n (1 + f), sqrt(1/2) <= 1 + f < sqrt 2; log(1 + f) = f - f^2 / 2 + f^3 p(f). */
ALWAYS_INLINE vf log_of(vf x) {
    const vf zero = vf_set1(0.0f), infinity = vf_set1(__builtin_inff());
    const vm is_subnormal = vf_lt(x, vf_set1(1.17549435e-38f));
    const vi bits = vf_bits(vf_select(is_subnormal, x * vf_set1(8388608.0f), x));
    const vi exponent = vi_sar(vi_sub(bits, vi_set1(0x3f3504f3)), 23);
    const vf f = vf_from_bits(vi_sub(bits, vi_shl(exponent, 23))) - vf_set1(1.0f), f2 = f * f;
    const vf n = vf_from_int(exponent) - vf_select(is_subnormal, vf_set1(23.0f), zero);
    vf p = vf_set1(6.746640801e-02f), y;
    p = vf_fma(p, f, vf_set1(-1.167565212e-01f));
    p = vf_fma(p, f, vf_set1(1.188816205e-01f));
    p = vf_fma(p, f, vf_set1(-1.240558922e-01f));
    p = vf_fma(p, f, vf_set1(1.421955228e-01f));
    p = vf_fma(p, f, vf_set1(-1.666799635e-01f));
    p = vf_fma(p, f, vf_set1(2.000211924e-01f));
    p = vf_fma(p, f, vf_set1(-2.500000894e-01f));
    p = vf_fma(p, f, vf_set1(3.333331347e-01f));
    y = vf_fma(n, vf_set1(-2.12194440e-4f), f2 * f * p);
    y = vf_fma(f2, vf_set1(-0.5f), y) + f;
    y = vf_fma(n, vf_set1(0.693359375f), y);
    y = vf_select(vf_lt(x, infinity), y, x); /* inf and NaN */
    y = vf_select(vf_lt(zero, x), y, vf_select(vf_lt(x, zero), vf_set1(__builtin_nanf("")), -infinity));
    return vf_select(vf_nan(x), x, y);
}

/* x * (erf(x / sqrt 2) + 1) * 0.5: each step as the exported graph has it. */
ALWAYS_INLINE vf gelu_erf_of(vf x) { return x * (erf_of(x / vf_set1(1.41421354f)) + vf_set1(1.0f)) * vf_set1(0.5f); }

#endif
