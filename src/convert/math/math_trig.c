/* SPDX-License-Identifier: Apache-2.0
 *
 * Inverse trigonometric and hyperbolic functions, doubles in, doubles out, the same bits everywhere: + - * / and sqrt,
 * on top of exp, log, sin and cos. Relative errors below 1e-14 (tests/unit/test_math.c). */
#include <string.h>

#include "convert/math/math.h"

#define HALF_PI 1.57079632679489661923
#define LN2 0.693147180559945309417

static double absolute(double x) { return x < 0 ? -x : x; }
static double with_sign_of(double magnitude, double x) { return x < 0 ? -magnitude : magnitude; }

double math_tan_f64(double x) { return x == 0 ? x : math_sin_f64(x) / math_cos_f64(x); }

/* atan x = 2 atan(x / (1 + sqrt(1 + x^2))), three times, then x - x^3 / 3 + x^5 / 5 - ... with |x| < 0.1; above 1 it is
 * pi / 2 - atan(1 / x). */
double math_atan_f64(double x) {
    const double a = absolute(x);
    double r = a > 1 ? 1 / a : a, z, sum = 0;
    int i;
    if (x != x || x == 0) return x;
    for (i = 0; i < 3; i++) r = r / (1 + __builtin_sqrt(1 + r * r));
    z = r * r;
    for (i = 19; i >= 3; i -= 2) sum = z * (1.0 / i - sum);
    r = 8 * (r - r * sum);
    return with_sign_of(a > 1 ? HALF_PI - r : r, x);
}

double math_asin_f64(double x) {
    if (x != x || x == 0) return x;
    return math_atan_f64(x / __builtin_sqrt((1 - x) * (1 + x)));
}

double math_acos_f64(double x) {
    return x == 1 ? 0 : 2 * math_atan_f64(__builtin_sqrt((1 - x) / (1 + x)));
}

/* log(1 + u): the rounding of 1 + u is undone by the factor [Kahan]. */
static double log_of_one_plus(double u) {
    const double w = 1 + u;
    if (w == 1 || w - w != 0) return w == 1 ? u : math_log_f64(w);
    return math_log_f64(w) * (u / (w - 1));
}

/* Small x: x + x^3 / 3! + x^5 / 5! + ...; large x: e^(x / 2) twice, which overflows as late as the function. */
double math_sinh_f64(double x) {
    const double a = absolute(x), root = math_exp_f64(0.5 * a);
    double sum = 1;
    int i;
    if (x != x || x == 0) return x;
    if (a >= 1) return with_sign_of(0.5 * root * root - 0.5 / root / root, x);
    for (i = 21; i >= 3; i -= 2) sum = 1 + a * a / (i * (i - 1)) * sum;
    return x * sum;
}

double math_cosh_f64(double x) {
    const double root = math_exp_f64(0.5 * absolute(x));
    return 0.5 * root * root + 0.5 / root / root;
}

double math_asinh_f64(double x) {
    const double a = absolute(x);
    if (x != x || x == 0 || x - x != 0) return x;
    if (a > 1e9) return with_sign_of(math_log_f64(a) + LN2, x);
    return with_sign_of(log_of_one_plus(a + a * a / (1 + __builtin_sqrt(1 + a * a))), x);
}

double math_acosh_f64(double x) {
    const double over = x - 1;
    if (!(x >= 1)) return __builtin_nan("");
    if (x > 1e9) return math_log_f64(x) + LN2;
    return log_of_one_plus(over + __builtin_sqrt(over * (2 + over)));
}

double math_atanh_f64(double x) {
    const double a = absolute(x);
    if (x != x || x == 0) return x;
    return with_sign_of(0.5 * log_of_one_plus(2 * a / (1 - a)), x);
}
