/* SPDX-License-Identifier: Apache-2.0
 * Layer norm over the last axis, as one node or as the nodes of its formula:
 *
 *     d = x - mean(x)      y = d / sqrt(mean(d^2) + epsilon) * gamma + beta */
#include "convert/optimize/match.h"

static int find_node(matcher *m, const graph_node *node, norm_match *out) {
    const int64_t axis = graph_node_int(node, "axis", -1);
    out->x = node->inputs[0];
    out->gamma = node->inputs[1];
    out->beta = match_has_input(node, 2) ? node->inputs[2] : GRAPH_NO_VALUE;
    out->epsilon = graph_node_float(node, "epsilon", 1e-5f);
    return axis == -1 || axis == match_info(m, out->x)->rank - 1;
}

/* x - mean(x): gives x. */
static int find_centred(matcher *m, int32_t value, int32_t *x) {
    const graph_node *sub = match_op(m, value, "Sub", 2), *mean;
    if (sub == NULL) return 0;
    mean = match_op(m, sub->inputs[1], "ReduceMean", 1);
    *x = match_value(m, sub->inputs[0]);
    return mean != NULL && match_reduces_last(m, mean) && match_value(m, mean->inputs[0]) == *x;
}

/* d * d or d ^ 2: gives d. */
static int find_square(matcher *m, int32_t value, int32_t *d) {
    const graph_node *node = match_op(m, value, "Pow", 2);
    double exponent;
    if (node != NULL) {
        *d = node->inputs[0];
        return match_scalar(m, node->inputs[1], &exponent) && exponent == 2.0;
    }
    node = match_op(m, value, "Mul", 2);
    if (node == NULL || match_value(m, node->inputs[0]) != match_value(m, node->inputs[1])) return 0;
    *d = node->inputs[0];
    return 1;
}

/* sqrt(mean((x - mean(x))^2) + epsilon): gives x and epsilon. */
static int find_deviation(matcher *m, int32_t value, int32_t *x, double *epsilon) {
    const graph_node *root = match_op(m, value, "Sqrt", 1), *power = match_op(m, value, "Pow", 2), *sum, *mean;
    double exponent;
    int32_t variance, d;
    if (root == NULL && power != NULL && match_scalar(m, power->inputs[1], &exponent) && exponent == 0.5) root = power;
    sum = root != NULL ? match_op(m, root->inputs[0], "Add", 2) : NULL;
    if (sum == NULL || !match_with_scalar(m, sum, epsilon, &variance)) return 0;
    mean = match_op(m, variance, "ReduceMean", 1);
    return mean != NULL && match_reduces_last(m, mean) && find_square(m, mean->inputs[0], &d) && find_centred(m, d, x);
}

static int find_normalized(matcher *m, int32_t value, norm_match *out) {
    const graph_node *div = match_op(m, value, "Div", 2);
    int32_t x;
    double epsilon;
    if (div == NULL || !find_centred(m, div->inputs[0], &out->x)) return 0;
    if (!find_deviation(m, div->inputs[1], &x, &epsilon) || x != out->x) return 0;
    out->epsilon = (float)epsilon;
    return 1;
}

static int find_scaled(matcher *m, int32_t value, norm_match *out) {
    const graph_node *mul = match_op(m, value, "Mul", 2);
    int i;
    for (i = 0; mul != NULL && i < 2; i++) {
        out->gamma = mul->inputs[i];
        if (constant_is(m, out->gamma) && find_normalized(m, mul->inputs[1 - i], out)) return 1;
    }
    return 0;
}

int norm_find(matcher *m, int32_t value, norm_match *out) {
    const graph_node *node;
    int i;
    value = match_rows(m, value);
    node = match_op(m, value, "LayerNormalization", 2);
    if (node != NULL) return find_node(m, node, out);
    out->beta = GRAPH_NO_VALUE;
    if (find_scaled(m, value, out)) return 1;
    node = match_op(m, value, "Add", 2);
    for (i = 0; node != NULL && i < 2; i++) {
        out->beta = node->inputs[i];
        if (constant_is(m, out->beta) && find_scaled(m, node->inputs[1 - i], out)) return 1;
    }
    return 0;
}

minnow_status norm_load(matcher *m, const norm_match *n, size_t hidden, encoder_norm *out) {
    if (!(n->epsilon >= 0.0f && n->epsilon < 1.0f))
        return match_fail(m, n->x, "expected a layer norm with a small epsilon, found %g", (double)n->epsilon);
    out->epsilon = n->epsilon;
    TRY(constant_load_vector(m, n->gamma, hidden, &out->gamma));
    if (n->beta >= 0) return constant_load_vector(m, n->beta, hidden, &out->beta);
    out->beta = arena_array(&m->e->memory, hidden, sizeof *out->beta);
    return out->beta != NULL ? MINNOW_OK : match_out_of_memory(m);
}
