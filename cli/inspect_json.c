/* SPDX-License-Identifier: Apache-2.0
 * minnow inspect --json: one object. A size is a number, a symbol's name, or null; an unknown shape is null. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "inspect.h"

static void text(const char *key, const char *value) {
    printf("\"%s\":", key);
    if (value == NULL) fputs("null", stdout);
    else cli_json_string(stdout, value, strlen(value));
}

static void bytes(const char *key, uint64_t value) {
    if (value == INSPECT_UNKNOWN) printf("\"%s\":null", key);
    else printf("\"%s\":%" PRIu64, key, value);
}

static void shape(const graph_value *v) {
    int d;
    fputs("\"shape\":", stdout);
    if (v->rank < 0) fputs("null", stdout);
    else putchar('[');
    for (d = 0; d < v->rank; d++) {
        if (d > 0) putchar(',');
        if (v->dims[d].size >= 0) printf("%" PRId64, v->dims[d].size);
        else if (v->dims[d].symbol != NULL) cli_json_string(stdout, v->dims[d].symbol, strlen(v->dims[d].symbol));
        else fputs("null", stdout);
    }
    if (v->rank >= 0) putchar(']');
}

static void value(const graph_value *v) {
    putchar('{');
    text("name", v->name), putchar(',');
    text("dtype", v->type == DTYPE_UNDEFINED ? NULL : dtype_name(v->type)), putchar(',');
    shape(v);
    putchar('}');
}

/* An input or output that is left out is null. */
static void values(const char *key, const inspection *in, const int32_t *list, size_t n) {
    size_t i;
    printf("\"%s\":[", key);
    for (i = 0; i < n; i++) {
        if (i > 0) putchar(',');
        if (list[i] < 0) fputs("null", stdout);
        else value(&in->values[list[i]]);
    }
    putchar(']');
}

static void header(const inspection *in) {
    const graph *g = in->g;
    size_t i;
    text("path", in->path), putchar(',');
    bytes("bytes", in->file_bytes > 0 ? in->file_bytes : INSPECT_UNKNOWN);
    printf(",\"ir_version\":%" PRId64 ",\"opsets\":[", g->ir_version);
    for (i = 0; i < g->n_opsets; i++) {
        printf("%s{", i > 0 ? "," : "");
        text("domain", g->opsets[i].domain);
        printf(",\"version\":%" PRId64 "}", g->opsets[i].version);
    }
    fputs("],", stdout);
    text("producer", g->producer_name), putchar(',');
    text("producer_version", g->producer_version), putchar(',');
    text("graph", g->name);
    fputs(",\"metadata\":[", stdout);
    for (i = 0; i < g->n_metadata; i++) {
        printf("%s{", i > 0 ? "," : "");
        text("key", g->metadata[i].key), putchar(','), text("value", g->metadata[i].value), putchar('}');
    }
    fputs("],", stdout);
    values("inputs", in, g->inputs, g->n_inputs), putchar(',');
    values("outputs", in, g->outputs, g->n_outputs), putchar(',');
    bytes("parameters", in->parameters), putchar(',');
    bytes("parameter_bytes", in->parameter_bytes);
}

static void node(const inspection *in, size_t i) {
    const graph_node *n = &in->g->nodes[i];
    const inspect_node *cost = &in->nodes[i];
    printf("%s\n{\"index\":%zu,", i > 0 ? "," : "", i);
    text("name", n->name), putchar(',');
    text("op", n->op_type), putchar(',');
    text("domain", n->domain);
    printf(",\"opset\":%" PRId64 ",", n->opset);
    values("inputs", in, n->inputs, n->n_inputs), putchar(',');
    values("outputs", in, n->outputs, n->n_outputs), putchar(',');
    bytes("parameters", cost->parameters), putchar(',');
    bytes("parameter_bytes", cost->parameter_bytes), putchar(',');
    bytes("output_bytes", cost->output_bytes);
    putchar('}');
}

static void all_values(const inspection *in) {
    size_t i;
    fputs(",\n\"values\":[", stdout);
    for (i = 0; i < in->g->n_values; i++) {
        const graph_value *v = &in->values[i];
        printf("%s\n{", i > 0 ? "," : "");
        text("name", v->name), putchar(',');
        text("role", inspect_role_name(in->roles[i])), putchar(',');
        text("dtype", v->type == DTYPE_UNDEFINED ? NULL : dtype_name(v->type)), putchar(',');
        shape(v);
        if (v->producer >= 0) printf(",\"node\":%" PRId32 "}", v->producer);
        else fputs(",\"node\":null}", stdout);
    }
    putchar(']');
}

static void operators(const inspection *in) {
    size_t n = 0, i;
    inspect_tally *all = inspect_tally_operators(in, &n);
    fputs(",\n\"operators\":[", stdout);
    for (i = 0; i < n; i++) {
        printf("%s{", i > 0 ? "," : "");
        text("op", all[i].op_type), putchar(','), text("domain", all[i].domain);
        printf(",\"nodes\":%zu,", all[i].count);
        bytes("parameters", all[i].parameters), putchar(',');
        bytes("parameter_bytes", all[i].parameter_bytes), putchar('}');
    }
    putchar(']');
    free(all);
}

static void memory(const inspection *in) {
    size_t i;
    fputs(",\n\"memory\":{\"dims\":{", stdout);
    for (i = 0; i < in->n_dims; i++) {
        if (i > 0) putchar(',');
        cli_json_string(stdout, in->dims[i].name, strlen(in->dims[i].name));
        printf(":%" PRId64, in->dims[i].size);
    }
    fputs("},", stdout);
    bytes("peak_bytes", in->peak_bytes);
    if (in->peak_node >= 0) printf(",\"peak_node\":%" PRId64, in->peak_node);
    else fputs(",\"peak_node\":null", stdout);
    printf(",\"unknown_values\":%zu}", in->n_unknown);
}

void inspect_print_json(const inspection *in, int show) {
    size_t i;
    putchar('{');
    header(in);
    if (show & INSPECT_NODES) {
        fputs(",\n\"nodes\":[", stdout);
        for (i = 0; i < in->g->n_nodes; i++) node(in, i);
        putchar(']');
    }
    if (show & INSPECT_VALUES) all_values(in);
    operators(in);
    memory(in);
    fputs("}\n", stdout);
}
