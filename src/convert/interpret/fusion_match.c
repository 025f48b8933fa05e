/* SPDX-License-Identifier: Apache-2.0
 * Chains of nodes, matched. In: a node and who reads what. Out: the chain that begins there, and its operands. */
#include "convert/interpret/fusion_match.h"

#include <string.h>

#include "convert/interpret/ops/quantized.h"
#include "convert/interpret/ops/table.h"

static int is_op(const fusion_matcher *m, uint32_t node, const char *op_type) {
    const graph_node *n = &m->in->nodes[node];
    return !m->taken[node] && n->domain[0] == '\0' && strcmp(n->op_type, op_type) == 0 && n->n_outputs >= 1 &&
        n->outputs[0] >= 0;
}

/* The only reader of a value, or FUSION_NOBODY. */
static uint32_t only_reader(const fusion_matcher *m, int32_t value) {
    return m->readers[value].count == 1 ? m->readers[value].first : FUSION_NOBODY;
}

static int32_t output_of(const fusion_matcher *m) { return m->in->nodes[m->chain[m->n_chain - 1]].outputs[0]; }

static void extend(fusion_matcher *m, uint32_t node) { m->chain[m->n_chain++] = node; }

/* The other operand of a node with two inputs, one of which is `value`; -1 if it is no such node. */
static int32_t other_operand(const fusion_matcher *m, uint32_t node, int32_t value) {
    const graph_node *n = &m->in->nodes[node];
    if (n->n_inputs != 2 || n->inputs[0] == n->inputs[1]) return -1;
    return n->inputs[0] == value ? n->inputs[1] : n->inputs[1] == value ? n->inputs[0] : -1;
}

static int constant_scalar(const fusion_matcher *m, int32_t value, float *out) {
    if (value < 0) return 0;
    const value_state *v = &m->in->values[value];
    if (!v->is_constant || v->t.type != DTYPE_FLOAT32 || tensor_count(&v->t) != 1 || v->t.rank > 1) return 0;
    *out = *(const float *)v->t.data;
    return 1;
}

static int is_scalar(const fusion_matcher *m, int32_t value, float wanted) {
    float x;
    return constant_scalar(m, value, &x) && x == wanted;
}

/* The node `op_type` that alone reads `value`, its other operand being the scalar `wanted`. */
static uint32_t next_with_scalar(const fusion_matcher *m, int32_t value, const char *op_type, float wanted) {
    const uint32_t node = only_reader(m, value);
    if (node == FUSION_NOBODY || !is_op(m, node, op_type) || !is_scalar(m, other_operand(m, node, value), wanted))
        return FUSION_NOBODY;
    return node;
}

/* Div(x, sqrt 2), Erf, Add 1, Mul(x, .), Mul 0.5 with x = `value`: puts the five nodes into `found`. */
static int match_erf_chain(const fusion_matcher *m, int32_t value, uint32_t *found) {
    const fusion_reader *r = &m->readers[value];
    const graph_node *nodes = m->in->nodes;
    if (r->count != 2) return 0;
    for (int i = 0; i < 2; i++) {
        const uint32_t div = i ? r->second : r->first, mul = i ? r->first : r->second;
        if (!is_op(m, div, "Div") || !is_op(m, mul, "Mul") || nodes[div].n_inputs != 2) continue;
        if (nodes[div].inputs[0] != value || !is_scalar(m, nodes[div].inputs[1], 1.41421354f)) continue;
        const uint32_t erf = only_reader(m, nodes[div].outputs[0]);
        if (erf == FUSION_NOBODY || !is_op(m, erf, "Erf")) continue;
        const uint32_t add = next_with_scalar(m, nodes[erf].outputs[0], "Add", 1.0f);
        if (add == FUSION_NOBODY || only_reader(m, nodes[add].outputs[0]) != mul) continue;
        if (other_operand(m, mul, value) != nodes[add].outputs[0]) continue;
        const uint32_t half = next_with_scalar(m, nodes[mul].outputs[0], "Mul", 0.5f);
        if (half == FUSION_NOBODY) continue;
        found[0] = div, found[1] = erf, found[2] = add, found[3] = mul, found[4] = half;
        return 1;
    }
    return 0;
}

static void match_gelu(fusion_matcher *m, fusion *f) {
    uint32_t found[5];
    const int32_t value = output_of(m);
    const uint32_t next = only_reader(m, value);
    if (next != FUSION_NOBODY && is_op(m, next, "Gelu") && m->in->nodes[next].n_inputs == 1 &&
        strcmp(graph_node_string(&m->in->nodes[next], "approximate", "none"), "none") == 0) {
        extend(m, next);
        f->gelu = 1;
    } else if (match_erf_chain(m, value, found)) {
        for (int i = 0; i < 5; i++) extend(m, found[i]);
        f->gelu = 1;
    }
}

static int is_constant(const fusion_matcher *m, int32_t value, int rank) {
    const value_state *v = &m->in->values[value];
    return v->is_constant && v->t.type == DTYPE_FLOAT32 && v->t.rank == rank;
}

/* An Add that alone reads the chain's end; gives its other operand. */
static uint32_t next_add(const fusion_matcher *m, int32_t *other) {
    const int32_t value = output_of(m);
    const uint32_t next = only_reader(m, value);
    if (next == FUSION_NOBODY || !is_op(m, next, "Add")) return FUSION_NOBODY;
    *other = other_operand(m, next, value);
    return *other >= 0 ? next : FUSION_NOBODY;
}

/* [+ bias]  [gelu]  [+ residual] */
static void match_rest(fusion_matcher *m, fusion *f) {
    int32_t other = -1;
    uint32_t next = next_add(m, &other);
    if (next != FUSION_NOBODY && is_constant(m, other, 1)) {
        extend(m, next);
        f->bias = other;
    }
    match_gelu(m, f);
    next = next_add(m, &other);
    if (next != FUSION_NOBODY && !m->in->values[other].is_constant) {
        extend(m, next);
        f->residual = other;
    }
}

static int match_linear(fusion_matcher *m, fusion *f) {
    f->kind = FUSION_LINEAR;
    match_rest(m, f);
    return m->n_chain > 1;
}

/* MatMulInteger, then Cast to float32 and Mul; or MatMulIntegerToFloat. */
static int match_integer(fusion_matcher *m, fusion *f, int makes_floats) {
    f->kind = FUSION_INTEGER;
    if (!makes_floats) {
        const uint32_t cast = only_reader(m, output_of(m));
        if (cast == FUSION_NOBODY || !is_op(m, cast, "Cast") ||
            graph_node_int(&m->in->nodes[cast], "to", 0) != DTYPE_FLOAT32)
            return 0;
        extend(m, cast);
        const int32_t value = output_of(m);
        const uint32_t mul = only_reader(m, value);
        if (mul == FUSION_NOBODY || !is_op(m, mul, "Mul")) return 0;
        f->sum_scale = other_operand(m, mul, value);
        if (f->sum_scale < 0) return 0;
        extend(m, mul);
    }
    match_rest(m, f);
    return m->n_chain > 1;
}

static int match_scores(fusion_matcher *m, fusion *f) {
    const int32_t value = output_of(m);
    const uint32_t scale = only_reader(m, value);
    int32_t other = -1;
    f->kind = FUSION_SCORES;
    if (scale != FUSION_NOBODY && (is_op(m, scale, "Mul") || is_op(m, scale, "Div")) &&
        constant_scalar(m, other_operand(m, scale, value), &f->scale) && f->scale != 0 &&
        (is_op(m, scale, "Mul") || m->in->nodes[scale].inputs[0] == value)) {
        f->scale_op = is_op(m, scale, "Mul") ? BINARY_MUL : BINARY_DIV;
        extend(m, scale);
    }
    uint32_t next = next_add(m, &other);
    if (next != FUSION_NOBODY) {
        f->mask = other;
        extend(m, next);
    }
    next = only_reader(m, output_of(m));
    if (next != FUSION_NOBODY && is_op(m, next, "Softmax")) {
        const graph_node *n = &m->in->nodes[next];
        f->softmax = 1;
        f->softmax_axis = (int)graph_node_int(n, "axis", n->opset < 13 ? 1 : -1);
        if (graph_node_int(n, "axis", 0) > TENSOR_MAX_RANK || graph_node_int(n, "axis", 0) < -TENSOR_MAX_RANK) return 0;
        extend(m, next);
    }
    return m->n_chain > 1;
}

static int match_context(fusion_matcher *m, fusion *f) {
    const uint32_t next = only_reader(m, output_of(m));
    if (next == FUSION_NOBODY || !is_op(m, next, "Transpose")) return 0;
    const graph_attribute *perm = graph_node_attribute(&m->in->nodes[next], "perm");
    unsigned seen = 0;
    if (!perm || perm->type != ATTRIBUTE_INTS || perm->n < 3 || perm->n > TENSOR_MAX_RANK) return 0;
    for (size_t i = 0; i < perm->n; i++) {
        if (perm->ints[i] < 0 || perm->ints[i] >= (int64_t)perm->n || (seen >> perm->ints[i] & 1)) return 0;
        seen |= 1u << perm->ints[i];
        f->perm[i] = (int)perm->ints[i];
    }
    if (f->perm[perm->n - 1] != (int)perm->n - 1) return 0;
    f->kind = FUSION_CONTEXT;
    f->perm_rank = (int)perm->n;
    extend(m, next);
    return 1;
}

/* DequantizeLinear of a constant table, one scale or one a row, that a Gather of rows alone reads. */
static int match_rows(fusion_matcher *m, uint32_t node, fusion *f) {
    const graph_node *n = &m->in->nodes[node];
    if (n->n_inputs < 2 || n->inputs[0] < 0 || n->inputs[1] < 0) return 0;
    const value_state *table = &m->in->values[n->inputs[0]], *scale = &m->in->values[n->inputs[1]];
    const uint32_t next = only_reader(m, n->outputs[0]);
    if (next == FUSION_NOBODY || !is_op(m, next, "Gather")) return 0;
    const graph_node *gather = &m->in->nodes[next];
    if (graph_node_int(gather, "axis", 0) != 0) return 0;
    if (gather->n_inputs != 2 || gather->inputs[0] != n->outputs[0] || gather->inputs[1] < 0) return 0;
    if (!table->is_constant || table->t.rank < 1 || !quantized_is_byte(table->t.type) ||
        !scale->is_constant || scale->t.type != DTYPE_FLOAT32 || graph_node_int(n, "block_size", 0) != 0 ||
        graph_node_int(n, "output_dtype", DTYPE_FLOAT32) != DTYPE_FLOAT32)
        return 0;
    if (n->n_inputs > 2 && n->inputs[2] >= 0 && !m->in->values[n->inputs[2]].is_constant) return 0;
    if (tensor_count(&scale->t) != 1 && (scale->t.rank != 1 || scale->t.dims[0] != table->t.dims[0] ||
                                         graph_node_int(n, "axis", 1) != 0))
        return 0;
    f->kind = FUSION_ROWS;
    f->a = n->inputs[0];
    f->b = gather->inputs[1];
    extend(m, next);
    return 1;
}

static void start(fusion_matcher *m, fusion *f, uint32_t node) {
    memset(f, 0, sizeof *f);
    f->a = f->b = f->bias = f->residual = f->mask = f->sum_scale = -1;
    f->scale_op = -1;
    m->n_chain = 0;
    extend(m, node);
}

int fusion_match(fusion_matcher *m, uint32_t node, fusion *f) {
    const graph_node *n = &m->in->nodes[node];
    start(m, f, node);
    if (is_op(m, node, "MatMul") && n->n_inputs == 2 && n->inputs[0] >= 0 && n->inputs[1] >= 0) {
        int found = 0;
        if (is_constant(m, n->inputs[1], 2)) {
            found = match_linear(m, f);
        } else if (!match_context(m, f)) {
            start(m, f, node);
            found = match_scores(m, f);
        } else {
            found = 1;
        }
        f->a = n->inputs[0];
        f->b = n->inputs[1];
        return found;
    }
    if (m->taken[node] || n->n_outputs < 1 || n->outputs[0] < 0) return 0;
    if (m->in->entries[node]->run == ops_matmul_integer || m->in->entries[node]->run == ops_matmul_integer_to_float) {
        if (n->n_inputs < 2 || n->inputs[0] < 0 || n->inputs[1] < 0) return 0;
        f->a = n->inputs[0];
        f->b = n->inputs[1];
        return match_integer(m, f, m->in->entries[node]->run == ops_matmul_integer_to_float);
    }
    if (m->in->entries[node]->run == ops_dequantize_linear) return match_rows(m, node, f);
    if (is_op(m, node, "Div") && n->n_inputs == 2 && n->inputs[0] >= 0) {
        uint32_t found[5];
        if (!match_erf_chain(m, n->inputs[0], found) || found[0] != node) return 0;
        m->n_chain = 0;
        for (int i = 0; i < 5; i++) extend(m, found[i]);
        f->kind = FUSION_GELU;
        f->a = n->inputs[0];
        return 1;
    }
    return 0;
}
