/* SPDX-License-Identifier: Apache-2.0
 * minnow inspect: tables for people. On a terminal, lines fit its width: names are cut from the left, where they
 * tell least.
 *
 *      #  op      inputs                        output             type      params    weights      bytes  name
 *     17  MatMul  [batch, seq, 384] [384, 384]  [batch, seq, 384]  float32  147,456  576.0 KiB  192.0 KiB  MatMul_4 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "inspect.h"
#include "table.h"

/* "[batch, 7, 384]"; "[...]" if the rank is not known. */
static void add_shape(cell *c, const graph_value *v) {
    int d;
    cell_add(c, v->rank < 0 ? "[..." : "[");
    for (d = 0; d < v->rank; d++) {
        if (d > 0) cell_add(c, ", ");
        if (v->dims[d].size >= 0) cell_add_number(c, v->dims[d].size);
        else if (v->dims[d].symbol != NULL) cell_add_foreign(c, v->dims[d].symbol);
        else cell_add(c, "?");
    }
    cell_add(c, "]");
}

/* --- The model ----------------------------------------------------------------------------------------------- */

static void print_field(const char *label, const cell *c) {
    printf("%-12s %s\n", label, c->text);
}

static void add_value(cell *c, const graph_value *v) {
    cell_add_foreign(c, v->name);
    cell_add(c, "  ");
    cell_add(c, dtype_name(v->type));
    add_shape(c, v);
}

static void print_values_of(const char *label, const inspection *in, const int32_t *values, size_t n) {
    size_t i;
    for (i = 0; i < n; i++) {
        cell c;
        cell_clear(&c);
        add_value(&c, &in->values[values[i]]);
        print_field(i == 0 ? label : "", &c);
    }
}

static void add_count(cell *c, uint64_t n) {
    char digits[24];
    size_t i, length;
    snprintf(digits, sizeof digits, "%" PRIu64, n);
    length = strlen(digits);
    for (i = 0; i < length; i++) {
        const char piece[3] = {digits[i], (length - i) % 3 == 1 && i + 1 < length ? ',' : '\0', '\0'};
        cell_add(c, piece);
    }
}

static void print_header(const inspection *in) {
    const graph *g = in->g;
    cell c;
    size_t i;
    cell_clear(&c);
    cell_add_foreign(&c, in->path);
    if (in->file_bytes > 0) cell_add(&c, "  "), cell_add_bytes(&c, in->file_bytes);
    print_field("model", &c);
    cell_clear(&c);
    cell_add(&c, "IR "), cell_add_number(&c, g->ir_version);
    for (i = 0; i < g->n_opsets && i < 16; i++) {
        cell_add(&c, ", ");
        cell_add_foreign(&c, g->opsets[i].domain[0] != '\0' ? g->opsets[i].domain : "ai.onnx");
        cell_add(&c, " "), cell_add_number(&c, g->opsets[i].version);
    }
    print_field("format", &c);
    cell_clear(&c);
    cell_add_foreign(&c, g->producer_name != NULL ? g->producer_name : "");
    if (g->producer_version != NULL && g->producer_version[0] != '\0')
        cell_add(&c, " "), cell_add_foreign(&c, g->producer_version);
    if (c.used > 0) print_field("producer", &c);
    for (i = 0; i < g->n_metadata; i++) {
        cell_clear(&c);
        cell_add_foreign(&c, g->metadata[i].key), cell_add(&c, " = "), cell_add_foreign(&c, g->metadata[i].value);
        print_field(i == 0 ? "metadata" : "", &c);
    }
    print_values_of("inputs", in, g->inputs, g->n_inputs);
    print_values_of("outputs", in, g->outputs, g->n_outputs);
    cell_clear(&c);
    add_count(&c, in->parameters), cell_add(&c, ", "), cell_add_bytes(&c, in->parameter_bytes);
    print_field("parameters", &c);
    cell_clear(&c);
    cell_add_number(&c, (int64_t)g->n_nodes);
    print_field("nodes", &c);
}

static void add_dims(cell *c, const inspection *in) {
    size_t i;
    for (i = 0; i < in->n_dims; i++) {
        cell_add(c, i == 0 ? "" : ", ");
        cell_add_foreign(c, in->dims[i].name), cell_add(c, "="), cell_add_number(c, in->dims[i].size);
    }
}

/* --- Nodes --------------------------------------------------------------------------------------------------- */

static void add_shapes(cell *c, const inspection *in, const int32_t *values, size_t n) {
    size_t i;
    for (i = 0; i < n && i < 16; i++) {
        if (i > 0) cell_add(c, " ");
        if (values[i] < 0) cell_add(c, "-");
        else add_shape(c, &in->values[values[i]]);
    }
    if (i < n) cell_add(c, " ...");
}

static void add_op(cell *c, const char *domain, const char *op_type) {
    if (domain[0] != '\0') cell_add_foreign(c, domain), cell_add(c, ".");
    cell_add_foreign(c, op_type);
}

static const char *type_name(const graph_value *v) {
    return v->type == DTYPE_UNDEFINED ? "?" : dtype_name(v->type);
}

static void fill_node(table *t, const inspection *in, size_t i) {
    const graph_node *node = &in->g->nodes[i];
    const inspect_node *cost = &in->nodes[i];
    const int32_t first = node->n_outputs > 0 ? node->outputs[0] : GRAPH_NO_VALUE;
    table_clear(t);
    cell_add_number(&t->cells[0], (int64_t)i);
    add_op(&t->cells[1], node->domain, node->op_type);
    add_shapes(&t->cells[2], in, node->inputs, node->n_inputs);
    add_shapes(&t->cells[3], in, node->outputs, node->n_outputs);
    if (first >= 0) cell_add(&t->cells[4], type_name(&in->values[first]));
    if (cost->parameters > 0) {
        add_count(&t->cells[5], cost->parameters);
        cell_add_bytes(&t->cells[6], cost->parameter_bytes);
    }
    cell_add_bytes(&t->cells[7], cost->output_bytes);
    cell_add_foreign(&t->cells[8], node->name);
}

static void print_nodes(const inspection *in, table *t) {
    static const char *const titles[] = {"#", "op", "inputs", "output", "type", "params", "weights", "bytes", "name"};
    size_t i;
    table_begin(t, titles, 9, 1u << 0 | 1u << 5 | 1u << 6 | 1u << 7, 2, 6);
    for (i = 0; i < in->g->n_nodes; i++) fill_node(t, in, i), table_measure(t);
    table_fit(t);
    putchar('\n');
    table_print(t, 1);
    for (i = 0; i < in->g->n_nodes; i++) fill_node(t, in, i), table_print(t, 0);
}

/* --- Values -------------------------------------------------------------------------------------------------- */

static void fill_value(table *t, const inspection *in, size_t i) {
    const graph_value *v = &in->values[i];
    table_clear(t);
    cell_add_number(&t->cells[0], (int64_t)i);
    cell_add(&t->cells[1], inspect_role_name(in->roles[i]));
    cell_add(&t->cells[2], type_name(v));
    add_shape(&t->cells[3], v);
    if (v->producer >= 0) cell_add_number(&t->cells[4], v->producer);
    cell_add_foreign(&t->cells[5], v->name);
}

static void print_values(const inspection *in, table *t) {
    static const char *const titles[] = {"#", "role", "type", "shape", "node", "name"};
    size_t i;
    table_begin(t, titles, 6, 1u << 0 | 1u << 4, 3, 0);
    for (i = 0; i < in->g->n_values; i++) fill_value(t, in, i), table_measure(t);
    table_fit(t);
    putchar('\n');
    table_print(t, 1);
    for (i = 0; i < in->g->n_values; i++) fill_value(t, in, i), table_print(t, 0);
}

/* --- Operators and memory ------------------------------------------------------------------------------------ */

static void fill_tally(table *t, const inspect_tally *x) {
    table_clear(t);
    cell_add_number(&t->cells[0], (int64_t)x->count);
    if (x->parameters > 0) add_count(&t->cells[1], x->parameters), cell_add_bytes(&t->cells[2], x->parameter_bytes);
    add_op(&t->cells[3], x->domain, x->op_type);
}

static void print_operators(const inspection *in, table *t) {
    static const char *const titles[] = {"nodes", "params", "weights", "op"};
    size_t n = 0, i;
    inspect_tally *all = inspect_tally_operators(in, &n);
    table_begin(t, titles, 4, 1u << 0 | 1u << 1 | 1u << 2, 3, 0);
    for (i = 0; i < n; i++) fill_tally(t, &all[i]), table_measure(t);
    table_fit(t);
    putchar('\n');
    table_print(t, 1);
    for (i = 0; i < n; i++) fill_tally(t, &all[i]), table_print(t, 0);
    free(all);
}

static void print_memory(const inspection *in) {
    cell c;
    cell_clear(&c);
    cell_add_bytes(&c, in->peak_bytes);
    cell_add(&c, " of activations at most");
    if (in->n_dims > 0) cell_add(&c, " with "), add_dims(&c, in);
    if (in->peak_node >= 0) {
        const graph_node *node = &in->g->nodes[in->peak_node];
        cell_add(&c, ", at node "), cell_add_number(&c, in->peak_node), cell_add(&c, " ");
        add_op(&c, node->domain, node->op_type);
    }
    putchar('\n');
    print_field("memory", &c);
    if (in->n_unknown == 0) return;
    cell_clear(&c);
    cell_add(&c, "without "), cell_add_number(&c, (int64_t)in->n_unknown);
    cell_add(&c, in->n_unknown == 1 ? " value of unknown size" : " values of unknown size");
    print_field("", &c);
}

minnow_status inspect_print_table(const inspection *in, int show, minnow_error *error) {
    table *t = malloc(sizeof *t); /* some kilobytes of cells */
    if (t == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    print_header(in);
    if (show & INSPECT_NODES) print_nodes(in, t);
    if (show & INSPECT_VALUES) print_values(in, t);
    print_operators(in, t);
    print_memory(in);
    free(t);
    return MINNOW_OK;
}
