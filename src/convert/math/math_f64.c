/* SPDX-License-Identifier: Apache-2.0
 *
 * Double-precision functions of the build-time half: doubles in, doubles out, the same bits everywhere. Only + - * /
 * and sqrt, no fused multiply-add, no libm. Written for clarity, not speed: few graphs have FLOAT64 nodes at all.
 * Relative errors below 1e-14, exp and log below 1e-15 (tests/unit/test_math.c). */
#include "convert/math/math.h"

#include <string.h>

#define LN2_HI 6.93147180369123816490e-01 /* 33 bits: n * LN2_HI is exact for every exponent n */
#define LN2_LO 1.90821492927058770002e-10

/* An unevaluated sum; |lo| is at most half an ulp of hi. */
typedef struct pair {
    double hi, lo;
} pair;

static uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double infinity(void) { return double_of((uint64_t)0x7ff << 52); }
static double not_a_number(void) { return double_of((uint64_t)0x7ff8 << 48); }
static double power_of_two(int n) { return double_of((uint64_t)(n + 1023) << 52); } /* -1022 <= n <= 1023 */
static double absolute(double x) { return double_of(bits_of(x) & ~((uint64_t)1 << 63)); }
static double with_sign_of(double magnitude, double x) {
    return double_of(bits_of(magnitude) | (bits_of(x) & (uint64_t)1 << 63));
}
/* To the nearest integer; |x| < 2^51. */
static double rounded(double x) { return (x + 6755399441055744.0) - 6755399441055744.0; }

static pair sum_of(double a, double b) { /* a + b exactly [Knuth] */
    const double s = a + b, part = s - a;
    const pair p = {s, (a - (s - part)) + (b - part)};
    return p;
}

static pair product_of(double a, double b) { /* a * b exactly [Dekker], |a|, |b| < 2^970 */
    const double ca = a * 134217729.0, cb = b * 134217729.0;
    const double ah = ca - (ca - a), al = a - ah, bh = cb - (cb - b), bl = b - bh, p = a * b;
    const pair r = {p, ((ah * bh - p) + ah * bl + al * bh) + al * bl};
    return r;
}

/* exp(x + low), |low| tiny: 2^n exp(r), |r| <= ln 2 / 2, the Taylor series to r^14 / 14!. */
static double exp_pair(double x, double low) {
    double n, r, tail, p = 1.0;
    int exponent, half, i;
    if (x != x) return x;
    if (x > 709.8) return infinity();
    if (x < -745.2) return 0.0;
    n = rounded(x * 1.44269504088896338700);
    r = x - n * LN2_HI; /* exact */
    tail = low - n * LN2_LO;
    r = r + tail;
    for (i = 14; i >= 2; i--) p = 1.0 + p * r / (double)i;
    p = 1.0 + p * r;
    exponent = (int)n;
    half = exponent / 2; /* in two steps: subnormal results round once, large ones overflow late */
    return p * power_of_two(half) * power_of_two(exponent - half);
}

double math_exp_f64(double x) { return exp_pair(x, 0.0); }

/* log x for finite x > 0, to about 68 bits: x = 2^n m, sqrt(1/2) <= m < sqrt 2, log m = 2 atanh s,
 * s = (m - 1) / (m + 1). */
static pair log_pair(double x) {
    uint64_t bits = bits_of(x);
    int n = 0;
    double m, f, s, s2, series = 0.0, low, small;
    pair down, product, result;
    int i;
    if (bits < (uint64_t)1 << 52) {
        bits = bits_of(x * 18014398509481984.0); /* 2^54 */
        n = -54;
    }
    n += (int)(bits >> 52) - 1023;
    m = double_of((bits & (((uint64_t)1 << 52) - 1)) | (uint64_t)1023 << 52);
    if (m > 1.41421356237309504880) {
        m = m * 0.5;
        n++;
    }
    f = m - 1.0; /* exact */
    down = sum_of(m, 1.0);
    s = f / down.hi;
    product = product_of(s, down.hi);
    low = ((f - product.hi) - product.lo - s * down.lo) / down.hi; /* s + low = f / (m + 1) */
    s2 = s * s;
    for (i = 23; i >= 3; i -= 2) series = series * s2 + 2.0 / (double)i;
    small = 2.0 * low + s * s2 * series;
    result = sum_of((double)n * LN2_HI, 2.0 * s);
    small = small + (result.lo + (double)n * LN2_LO);
    return sum_of(result.hi, small);
}

double math_log_f64(double x) {
    pair p;
    if (x != x || x == infinity()) return x;
    if (x == 0.0) return -infinity();
    if (x < 0.0) return not_a_number();
    p = log_pair(x);
    return p.hi;
}

/* |x| < 2: 2 / sqrt(pi) exp(-x^2) (x + 2 x^3 / 3 + 4 x^5 / 15 + ...) [Abramowitz and Stegun 7.1.6], all terms of one
 * sign. Else 1 - erfc x by its continued fraction [7.1.14], from the bottom up. */
double math_erf_f64(double x) {
    const double a = absolute(x);
    double value;
    int i;
    if (x != x) return x;
    if (a > 6.0) return with_sign_of(1.0, x);
    if (a < 2.0) {
        const pair square = product_of(a, a);
        double sum = 1.0;
        for (i = 60; i >= 1; i--) sum = 1.0 + sum * (2.0 * square.hi / (2.0 * (double)i + 1.0));
        value = 1.12837916709551257390 * a * exp_pair(-square.hi, -square.lo) * sum;
    } else {
        double fraction = a;
        for (i = 120; i >= 1; i--) fraction = a + 0.5 * (double)i / fraction;
        value = 1.0 - math_exp_f64(-a * a) * 0.56418958354775628695 / fraction;
    }
    return with_sign_of(value, x);
}

/* Small x: the continued fraction x / (1 + x^2 / (3 + x^2 / (5 + ...))) [Abramowitz and Stegun 4.5.70]. */
double math_tanh_f64(double x) {
    const double a = absolute(x);
    double value;
    int i;
    if (x != x) return x;
    if (a < 0.5) {
        double fraction = 23.0;
        for (i = 21; i >= 1; i -= 2) fraction = (double)i + a * a / fraction;
        value = a / fraction;
    } else {
        value = a > 20.0 ? 1.0 : 1.0 - 2.0 / (math_exp_f64(2.0 * a) + 1.0);
    }
    return with_sign_of(value, x);
}

/* 0: not an integer, 1: odd, 2: even. */
static int integer_kind(double y) {
    const double a = absolute(y);
    if (!(a < 9007199254740992.0)) return 2; /* NaN too: it is sorted out elsewhere */
    if ((double)(int64_t)a != a) return 0;
    return ((int64_t)a & 1) != 0 ? 1 : 2;
}

/* C's special cases (Annex F.10.4.4). x is 0, infinite or y is: the result's magnitude is 0, 1 or infinite. */
static double pow_special(double x, double y) {
    const double a = absolute(x), inf = infinity();
    if (absolute(y) == inf) return a == 1.0 ? 1.0 : (a > 1.0) == (y > 0.0) ? inf : 0.0;
    return with_sign_of((a == 0.0) == (y > 0.0) ? 0.0 : inf, integer_kind(y) == 1 ? x : 1.0);
}

double math_pow_f64(double x, double y) {
    const double a = absolute(x), inf = infinity();
    const int kind = integer_kind(y);
    pair log, product;
    double value;
    if (y == 0.0 || x == 1.0) return 1.0;
    if (x != x || y != y) return not_a_number();
    if (a == 0.0 || a == inf || absolute(y) == inf) return pow_special(x, y);
    if (x < 0.0 && kind == 0) return not_a_number();
    if (kind != 0 && y >= 1.0 && y <= 8.0) {
        int i;
        for (value = x, i = 1; i < (int)y; i++) value = value * x;
        return value;
    }
    log = log_pair(a);
    if (absolute(y) > 1e19) y = with_sign_of(1e19, y); /* x^y is 0, infinite, or 1 for x = -1 all the same */
    product = product_of(y, log.hi);
    value = exp_pair(product.hi, product.lo + y * log.lo);
    return x < 0.0 && kind == 1 ? -value : value;
}

float math_pow_f32(float x, float y) {
    if (y == 2.0f) return x * x;
    if (y == 0.5f) return x == (float)-infinity() ? (float)infinity() : __builtin_sqrtf(x) + 0.0f;
    return (float)math_pow_f64((double)x, (double)y);
}

/* sin and cos of r + low, |r| <= pi / 4, by their Taylor series. */
static double sin_series(double r, double low) {
    const double z = r * r;
    double sum = 0.0;
    int i;
    for (i = 9; i >= 1; i--) sum = (1.0 + sum) * (-z / (double)(2 * i * (2 * i + 1)));
    return r + (r * sum + low * (1.0 - 0.5 * z));
}

static double cos_series(double r, double low) {
    const double z = r * r;
    double sum = 0.0;
    int i;
    for (i = 9; i >= 2; i--) sum = (1.0 + sum) * (-z / (double)(2 * i * (2 * i - 1)));
    /* sum is the series from the second term on, relative to the first: cos r = 1 - z / 2 (1 + sum) */
    return 1.0 - (0.5 * z * (1.0 + sum) + r * low);
}

/* sin(x + quarter * pi / 2): n = round(x 2 / pi), x - n pi / 2 with pi / 2 in three parts of which n times the first
 * two is exact. NaN from 2^20 on: three parts would not do. */
static double sine(double x, unsigned quarter) {
    const double n = rounded(x * 0.636619772367581343076);
    const double first = x - n * 1.57079632673412561417e+00, second = n * 6.07710050630396597660e-11;
    const pair r = sum_of(first, -second);
    const double third = n * 2.02226624879595063154e-21;
    const pair sum = sum_of(r.hi, r.lo - third);
    switch (((unsigned)(int)n + quarter) & 3u) {
    case 0: return sin_series(sum.hi, sum.lo);
    case 1: return cos_series(sum.hi, sum.lo);
    case 2: return -sin_series(sum.hi, sum.lo);
    default: return -cos_series(sum.hi, sum.lo);
    }
}

double math_sin_f64(double x) {
    if (!(absolute(x) < 1048576.0)) return not_a_number();
    return x == 0.0 ? x : sine(x, 0);
}

double math_cos_f64(double x) { return absolute(x) < 1048576.0 ? sine(x, 1) : not_a_number(); }
