/* SPDX-License-Identifier: Apache-2.0
 * Probing: the nodes that a value needs are cut out of a specimen, sizes become constants, and the reference
 * interpreter runs what is left. A graph gets a bounded number of probes, each of bounded size. */
#include "convert/optimize/probe.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "convert/interpret/interpreter.h"
#include "convert/interpret/ops/ops.h"

#define PROBE_MAX_COUNT 1024 /* a layer needs half a dozen */
#define PROBE_MAX_STEPS ((uint64_t)1 << 28)
#define PROBE_MAX_NODES 2048
#define PROBE_MEMORY_BYTES ((size_t)64 << 20)
#define PROBE_WORK ((uint64_t)1 << 24)

int probe_is_masked(const specimen *s, int64_t b, int64_t k) {
    if (b == 0) return 0;
    if (b == s->batch - 1) return k % 2 == 1; /* holes */
    return k > (b - 1) % s->tokens;           /* padding */
}

/* --- Cutting out --------------------------------------------------------------------------------------------- */

typedef struct cut {
    const graph *from;
    graph *to;
    uint8_t *needed; /* per value of `from` */
    int32_t *numbers; /* per value of `from`: its number in `to`, -1: none */
} cut;

static int reads_sizes_alone(const graph_node *node) { return match_is_op(node, "Shape") || match_is_op(node, "Size"); }

static int node_is_needed(const cut *c, const graph_node *node) {
    size_t i;
    for (i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] >= 0 && c->needed[node->outputs[i]]) return 1;
    return 0;
}

/* Marks what `value` needs; gives the number of nodes. */
static size_t mark(cut *c, int32_t value) {
    size_t n = 0, i, k;
    c->needed[value] = 1;
    for (i = (size_t)(c->from->values[value].producer + 1); i > 0; i--) {
        const graph_node *node = &c->from->nodes[i - 1];
        if (!node_is_needed(c, node)) continue;
        n++;
        for (k = 0; k < node->n_inputs && !reads_sizes_alone(node); k++)
            if (node->inputs[k] >= 0) c->needed[node->inputs[k]] = 1;
    }
    return n;
}

/* What Shape or Size gives of a value whose sizes are all known, as a constant of `to`; 0 if they are not. */
static int add_sizes(cut *c, const graph_node *node) {
    const graph_value *x = match_has_input(node, 0) ? &c->from->values[node->inputs[0]] : NULL;
    const int is_size = match_is_op(node, "Size");
    int64_t sizes[TENSOR_MAX_RANK], first = 0, last, product = 1, *data;
    tensor t = {.type = DTYPE_INT64};
    int64_t d;
    if (x == NULL || x->rank < 0) return 0;
    for (d = 0; d < x->rank; d++) {
        sizes[d] = x->dims[d].size;
        if (sizes[d] < 0 || (sizes[d] > 0 && product > INT64_MAX / sizes[d])) return 0;
        product *= sizes[d];
    }
    last = x->rank;
    if (!is_size) {
        first = graph_node_int(node, "start", 0);
        last = graph_node_int(node, "end", x->rank);
        first = first < 0 ? first + x->rank : first;
        last = last < 0 ? last + x->rank : last;
        first = first < 0 ? 0 : first > x->rank ? x->rank : first;
        last = last < first ? first : last > x->rank ? x->rank : last;
        t.rank = 1;
        t.dims[0] = last - first;
    }
    data = arena_array(&c->to->memory, TENSOR_MAX_RANK, sizeof *data);
    if (data == NULL) return 0;
    if (is_size) data[0] = product;
    else memcpy(data, sizes + first, (size_t)(last - first) * sizeof *data);
    t.data = data;
    c->numbers[node->outputs[0]] = graph_add_constant(c->to, c->from->values[node->outputs[0]].name, &t);
    return c->numbers[node->outputs[0]] >= 0;
}

static int add_node(cut *c, const graph_node *node) {
    int32_t *values = malloc((node->n_inputs + node->n_outputs + 1) * sizeof *values);
    int32_t made = -1;
    size_t i;
    if (values == NULL) return 0;
    for (i = 0; i < node->n_inputs; i++)
        values[i] = node->inputs[i] >= 0 ? c->numbers[node->inputs[i]] : GRAPH_NO_VALUE;
    for (i = 0; i < node->n_outputs; i++) {
        int32_t *out = &values[node->n_inputs + i];
        *out = GRAPH_NO_VALUE;
        if (node->outputs[i] < 0) continue;
        *out = c->numbers[node->outputs[i]] = graph_add_value(c->to, c->from->values[node->outputs[i]].name);
        if (*out < 0) goto done;
    }
    made = graph_add_node(c->to, node->op_type, node->name, values, node->n_inputs, values + node->n_inputs,
                          node->n_outputs);
    if (made < 0) goto done;
    c->to->nodes[made].domain = node->domain;
    c->to->nodes[made].opset = node->opset;
    c->to->nodes[made].attributes = node->attributes;
    c->to->nodes[made].n_attributes = node->n_attributes;
done:
    free(values);
    return made >= 0;
}

static int add_input(cut *c, const graph_value *v, int32_t *number) {
    *number = graph_add_value(c->to, v->name);
    if (*number < 0) return 0;
    c->to->values[*number].type = v->type;
    c->to->values[*number].rank = v->rank;
    memcpy(c->to->values[*number].dims, v->dims, sizeof v->dims);
    return graph_add_input(c->to, *number);
}

/* Constants and inputs that are needed, then nodes in their order. */
static int copy_needed(cut *c, int32_t value) {
    size_t i;
    for (i = 0; i < c->from->n_values; i++) {
        const graph_value *v = &c->from->values[i];
        c->numbers[i] = -1;
        if (!c->needed[i] || v->producer >= 0) continue;
        if (v->constant == NULL && !add_input(c, v, &c->numbers[i])) return 0;
        if (v->constant != NULL) c->numbers[i] = graph_add_constant(c->to, v->name, v->constant);
        if (c->numbers[i] < 0) return 0;
    }
    for (i = 0; i < c->from->n_nodes && (int32_t)i <= c->from->values[value].producer; i++) {
        const graph_node *node = &c->from->nodes[i];
        if (!node_is_needed(c, node)) continue;
        if (!(reads_sizes_alone(node) ? add_sizes(c, node) : add_node(c, node))) return 0;
    }
    return graph_add_output(c->to, c->numbers[value]);
}

static minnow_status cut_out(matcher *m, const graph *from, int32_t value, graph **out) {
    cut c = {from, graph_create(), NULL, NULL};
    minnow_status status = MINNOW_OK;
    c.needed = calloc(from->n_values + 1, 1);
    c.numbers = malloc((from->n_values + 1) * sizeof *c.numbers);
    *out = NULL;
    if (c.to == NULL || c.needed == NULL || c.numbers == NULL) status = match_out_of_memory(m);
    else if (mark(&c, value) > PROBE_MAX_NODES)
        status = match_fail(m, value, "expected at most %d nodes behind it", PROBE_MAX_NODES);
    else if (!copy_needed(&c, value)) status = match_fail(m, value, "expected sizes that follow from the inputs'");
    free(c.needed);
    free(c.numbers);
    if (status != MINNOW_OK) graph_close(&c.to);
    *out = c.to;
    return status;
}

/* --- Running -------------------------------------------------------------------------------------------------- */

static int set_element(tensor *t, size_t i, int on) {
    switch (t->type) {
    case DTYPE_INT64: ((int64_t *)t->data)[i] = on; return 1;
    case DTYPE_INT32: ((int32_t *)t->data)[i] = on; return 1;
    case DTYPE_BOOL: ((uint8_t *)t->data)[i] = (uint8_t)on; return 1;
    case DTYPE_FLOAT32: ((float *)t->data)[i] = (float)on; return 1;
    default: return 0;
    }
}

/* The mask [batch, tokens]; the only input that a probed value may have. */
static minnow_status make_mask(matcher *m, const specimen *s, tensor *out) {
    const graph_value *v = &s->g->values[m->mask];
    int64_t b, k;
    *out = (tensor){.type = v->type, .rank = 2, .dims = {s->batch, s->tokens}};
    if (v->rank != 2 || v->dims[0].size != s->batch || v->dims[1].size != s->tokens)
        return match_fail(m, m->mask, "expected the shape of input_ids");
    out->data = calloc((size_t)(s->batch * s->tokens), sizeof(int64_t));
    if (out->data == NULL) return match_out_of_memory(m);
    for (b = 0; b < s->batch; b++)
        for (k = 0; k < s->tokens; k++)
            if (!set_element(out, (size_t)(b * s->tokens + k), !probe_is_masked(s, b, k)))
                return match_fail(m, m->mask, "expected integers, found %s", dtype_name(v->type));
    return MINNOW_OK;
}

static minnow_status run(matcher *m, const specimen *s, graph *g, int32_t value, size_t elements, tensor *out) {
    const interpreter_options options = {.no_fusion = 1, .memory_limit_bytes = PROBE_MEMORY_BYTES + 16 * elements,
                                         .work_limit = PROBE_WORK + 64 * (uint64_t)elements};
    minnow_error inner = {0};
    interpreter *in = NULL;
    tensor mask = {0}, made;
    minnow_status status = MINNOW_OK;
    size_t bytes;
    if (g->n_inputs > 0) TRY_GOTO(make_mask(m, s, &mask));
    status = interpreter_create(&in, g, &options, &inner);
    if (status == MINNOW_OK) status = interpreter_run(in, &mask, &made, NULL, &inner);
    if (status != MINNOW_OK) {
        status = match_fail(m, value, "what it depends on cannot be computed: %s", inner.message);
        goto fail;
    }
    bytes = tensor_bytes(&made);
    free(m->probed);
    m->probed = malloc(bytes + 1);
    if (m->probed == NULL) TRY_GOTO(match_out_of_memory(m));
    if (bytes > 0) memcpy(m->probed, made.data, bytes);
    *out = made;
    out->data = m->probed;
fail:
    interpreter_close(&in);
    free(mask.data);
    return status;
}

minnow_status probe_value(matcher *m, const specimen *s, int32_t value, size_t elements, tensor *out) {
    const tensor *constant = s->g->values[value].constant;
    graph *g;
    minnow_status status;
    if (constant != NULL) {
        *out = *constant;
        return MINNOW_OK;
    }
    m->probe_steps += s->g->n_nodes + s->g->n_values;
    if (m->n_probes++ >= PROBE_MAX_COUNT || m->probe_steps > PROBE_MAX_STEPS)
        return match_fail(m, value, "expected fewer masks, scales and positions in one graph");
    TRY(cut_out(m, s->g, value, &g));
    status = run(m, s, g, value, elements, out);
    graph_close(&g);
    return status;
}

int probe_scalar(matcher *m, int32_t value, double *out) {
    minnow_error *const error = m->error;
    size_t i;
    int same = 1;
    m->error = NULL; /* whoever asks says what was expected */
    for (i = 0; i < MATCH_SPECIMENS && same; i++) {
        tensor t;
        double number;
        same = probe_value(m, &m->specimens[i], value, 0, &t) == MINNOW_OK && tensor_count(&t) == 1;
        if (!same) break;
        number = ops_scalar_f64(&t, 0);
        same = i == 0 || number == *out;
        *out = number;
    }
    m->error = error;
    return same;
}

/* --- Positions ------------------------------------------------------------------------------------------------ */

static int rows_are(const tensor *t, const tensor *table, int64_t tokens, int64_t step) {
    const int64_t width = table->dims[1];
    const size_t rows = tensor_count(t) / (size_t)width;
    size_t i;
    int64_t j;
    for (i = 0; i < rows; i++)
        for (j = 0; j < width; j++)
            if ((float)ops_scalar_f64(t, i * (size_t)width + (size_t)j) !=
                ((const float *)table->data)[(int64_t)i % tokens * step * width + j]) return 0;
    return 1;
}

minnow_status probe_table_rows(matcher *m, const specimen *s, int32_t value, const tensor *table, probe_rows *out) {
    tensor t;
    int64_t n;
    *out = PROBE_NEITHER;
    TRY(probe_value(m, s, value, tensor_count(table), &t));
    if (dtype_bytes(t.type) == 0 || t.rank < 2 || t.rank > 3 || t.dims[t.rank - 1] != table->dims[1]) return MINNOW_OK;
    if (t.rank == 3 && t.dims[0] != 1 && t.dims[0] != s->batch) return MINNOW_OK;
    n = t.dims[t.rank - 2];
    if (n == s->tokens && table->dims[0] >= n && rows_are(&t, table, n, 1)) *out = PROBE_TOKENS;
    else if ((n == s->tokens || n == 1) && rows_are(&t, table, n, 0)) *out = PROBE_FIRST;
    return MINNOW_OK;
}
