/* SPDX-License-Identifier: Apache-2.0
 * minnow inspect --dot: the graph for Graphviz. Nodes are boxes, inputs and outputs of the model ellipses; edges carry
 * shapes. Constants are left out: their shapes stand in the box that reads them. */
#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"
#include "cli.h"
#include "inspect.h"

/* Inside a quoted string of DOT: quotes and backslashes are escaped, what is not printable is spelled out. */
static void dot_text(const char *text) {
    const uint8_t *p = (const uint8_t *)text;
    size_t left = strlen(text);
    while (left > 0) {
        uint32_t c = 0;
        size_t n = utf8_decode(p, left, &c);
        if (n == 0 || c < 0x20 || (c >= 0x7f && c < 0xa0)) {
            printf("\\\\x%02x", n == 0 ? (unsigned)*p : (unsigned)c);
            n = n == 0 ? 1 : n;
        } else if (utf8_is_bidi_control(c)) {
            printf("\\\\u{%x}", (unsigned)c);
        } else {
            if (c == '"' || c == '\\') putchar('\\');
            fwrite(p, 1, n, stdout);
        }
        p += n;
        left -= n;
    }
}

static void dot_shape(const graph_value *v) {
    int d;
    fputs(v->rank < 0 ? "[..." : "[", stdout);
    for (d = 0; d < v->rank; d++) {
        if (d > 0) fputs(", ", stdout);
        if (v->dims[d].size >= 0) printf("%" PRId64, v->dims[d].size);
        else if (v->dims[d].symbol != NULL) dot_text(v->dims[d].symbol);
        else putchar('?');
    }
    putchar(']');
}

static void print_ends(const inspection *in) {
    const graph *g = in->g;
    size_t i;
    for (i = 0; i < g->n_inputs; i++) {
        const graph_value *v = &in->values[g->inputs[i]];
        printf("  v%" PRId32 " [shape=ellipse, style=filled, fillcolor=\"#dbe9f6\", label=\"", g->inputs[i]);
        dot_text(v->name);
        printf("\\n%s", dtype_name(v->type));
        dot_shape(v);
        fputs("\"];\n", stdout);
    }
    for (i = 0; i < g->n_outputs; i++) {
        const graph_value *v = &in->values[g->outputs[i]];
        printf("  o%zu [shape=ellipse, style=filled, fillcolor=\"#e2f0d9\", label=\"", i);
        dot_text(v->name);
        printf("\\n%s", dtype_name(v->type));
        dot_shape(v);
        fputs("\"];\n", stdout);
        if (v->producer >= 0) printf("  n%" PRId32 " -> o%zu;\n", v->producer, i);
        else if (v->constant == NULL) printf("  v%" PRId32 " -> o%zu;\n", g->outputs[i], i);
    }
}

static void print_node(const inspection *in, size_t i) {
    const graph_node *node = &in->g->nodes[i];
    size_t k;
    printf("  n%zu [label=\"", i);
    if (node->domain[0] != '\0') dot_text(node->domain), putchar('.');
    dot_text(node->op_type);
    for (k = 0; k < node->n_inputs; k++) {
        const int32_t v = node->inputs[k];
        if (v < 0 || in->values[v].constant == NULL) continue;
        fputs("\\n", stdout);
        dot_text(in->values[v].name);
        putchar(' ');
        dot_shape(&in->values[v]);
    }
    fputs("\", tooltip=\"", stdout);
    dot_text(node->name);
    fputs("\"];\n", stdout);
    for (k = 0; k < node->n_inputs; k++) {
        const int32_t v = node->inputs[k];
        if (v < 0 || in->values[v].constant != NULL) continue;
        if (in->values[v].producer >= 0) printf("  n%" PRId32 " -> n%zu [label=\"", in->values[v].producer, i);
        else printf("  v%" PRId32 " -> n%zu [label=\"", v, i);
        dot_shape(&in->values[v]);
        fputs("\"];\n", stdout);
    }
}

void inspect_print_dot(const inspection *in) {
    size_t i;
    fputs("digraph model {\n  rankdir=TB;\n  node [shape=box, fontname=\"sans-serif\", fontsize=10];\n"
          "  edge [fontname=\"sans-serif\", fontsize=8];\n", stdout);
    print_ends(in);
    for (i = 0; i < in->g->n_nodes; i++) print_node(in, i);
    fputs("}\n", stdout);
}
