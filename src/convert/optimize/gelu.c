/* SPDX-License-Identifier: Apache-2.0
 * GELU by erf, as one node or as a product whose factors stand in any order:
 *
 *     gelu(x) = x * 0.5 * (1 + erf(x / sqrt(2)))
 *
 * The approximation by tanh is another function and is refused. */
#include "convert/optimize/match.h"

#include <math.h>
#include <string.h>

#define GELU_MAX_FACTORS 4

static int near(double a, double b) { return fabs(a - b) <= 2e-4 * fabs(b); }

/* x / sqrt(2): gives x. */
static int find_root_half(matcher *m, int32_t value, int32_t *x) {
    const graph_node *node = match_op(m, value, "Div", 2);
    double number;
    if (node != NULL) {
        *x = node->inputs[0];
        return match_scalar(m, node->inputs[1], &number) && near(number, 1.4142135623730951);
    }
    node = match_op(m, value, "Mul", 2);
    return node != NULL && match_with_scalar(m, node, &number, x) && near(number, 0.7071067811865476);
}

/* 1 + erf(x / sqrt(2)): gives x. */
static int find_erf_plus_one(matcher *m, int32_t value, int32_t *x) {
    const graph_node *sum = match_op(m, value, "Add", 2), *erf_node;
    double one;
    int32_t inner;
    if (sum == NULL || !match_with_scalar(m, sum, &one, &inner) || one != 1.0) return 0;
    erf_node = match_op(m, inner, "Erf", 1);
    return erf_node != NULL && find_root_half(m, erf_node->inputs[0], x);
}

/* Takes the product apart; 0 if it has too many factors. Numbers are multiplied into *number. */
static int collect_factors(matcher *m, int32_t value, int32_t *factors, size_t *n, double *number) {
    size_t next = 0;
    double scalar;
    *number = 1.0;
    factors[0] = value;
    *n = 1;
    while (next < *n) {
        const graph_node *mul = match_op(m, factors[next], "Mul", 2), *div = match_op(m, factors[next], "Div", 2);
        int32_t other;
        if (mul != NULL && match_with_scalar(m, mul, &scalar, &other)) {
            *number *= scalar;
            factors[next] = other;
        } else if (div != NULL && match_scalar(m, div->inputs[1], &scalar) && scalar != 0.0) {
            *number /= scalar;
            factors[next] = div->inputs[0];
        } else if (mul != NULL && *n < GELU_MAX_FACTORS) {
            factors[next] = mul->inputs[0];
            factors[(*n)++] = mul->inputs[1];
        } else if (mul != NULL) {
            return 0;
        } else {
            next++;
        }
    }
    return 1;
}

/* Names the function that stands where erf should: 1 + tanh(..) or sigmoid(..) among the factors. */
static minnow_status refuse(matcher *m, int32_t value, const int32_t *factors, size_t n) {
    size_t i;
    for (i = 0; i < n; i++) {
        const graph_node *sum = match_op(m, factors[i], "Add", 2), *node;
        linear_match linear;
        int32_t inner = factors[i];
        double number;
        if (linear_find(m, inner, &linear)) continue;
        if (sum != NULL) (void)match_with_scalar(m, sum, &number, &inner);
        node = match_node(m, inner);
        if (node == NULL || node == sum || match_is_op(node, "Erf")) continue;
        return match_fail(m, match_value(m, inner),
                          "expected the Erf of an exact GELU, x * 0.5 * (1 + erf(x / sqrt(2)))");
    }
    return match_fail(m, value, "expected an exact GELU, x * 0.5 * (1 + erf(x / sqrt(2)))");
}

minnow_status gelu_match(matcher *m, int32_t value, int32_t *x) {
    const graph_node *node;
    int32_t factors[GELU_MAX_FACTORS], inner;
    size_t n, i;
    double number;
    value = match_rows(m, value);
    node = match_op(m, value, "Gelu", 1);
    if (node != NULL) {
        const char *approximate = graph_node_string(node, "approximate", "none");
        if (strcmp(approximate, "none") != 0)
            return match_fail(m, value, "expected the exact GELU, found approximate = '%s'", approximate);
        *x = match_rows(m, node->inputs[0]);
        return MINNOW_OK;
    }
    if (!collect_factors(m, value, factors, &n, &number)) return match_fail(m, value, "expected an exact GELU");
    for (i = 0; i < n && n == 2 && near(number, 0.5); i++) {
        *x = match_rows(m, factors[1 - i]);
        if (find_erf_plus_one(m, factors[i], &inner) && match_rows(m, inner) == *x) return MINNOW_OK;
    }
    return refuse(m, value, factors, n);
}
