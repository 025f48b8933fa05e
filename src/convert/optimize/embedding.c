/* SPDX-License-Identifier: Apache-2.0
 * The embeddings' sum, in any order:
 *
 *     words[input_ids] + types[token_type_ids] + positions[0, 1, 2 ...]
 *
 * Token types may be missing, or be always type 0. How positions are looked up does not matter: they are computed, for
 * texts of several lengths up to the longest, and compared with the table. */
#include "convert/optimize/match.h"
#include "convert/optimize/probe.h"

#define EMBEDDING_MAX_TERMS 8

typedef struct tables {
    tensor words, positions, types; /* [n, hidden]; data NULL: not found yet */
    int32_t positions_term;
    int chooses_types; /* by token_type_ids: else the row of type 0 is all that counts */
} tables;

/* A term with its reshapes and expansions taken off. */
static int32_t behind_views(const matcher *m, int32_t value) {
    const graph_node *node;
    value = match_rows(m, value);
    while ((node = match_op(m, value, "Expand", 1)) != NULL) value = match_rows(m, node->inputs[0]);
    return value;
}

/* Indices as they came in, behind casts. */
static int32_t behind_casts(const matcher *m, int32_t value) {
    const graph_node *node;
    while ((node = match_op(m, value, "Cast", 1)) != NULL) value = node->inputs[0];
    return match_value(m, value);
}

static minnow_status set_table(const matcher *m, int32_t place, const tensor *table, tensor *slot, const char *name) {
    if (slot->data != NULL) return match_fail(m, place, "expected one table of %s, found a second", name);
    *slot = *table;
    return MINNOW_OK;
}

static minnow_status load_table(matcher *m, int32_t place, int32_t value, tensor *out) {
    TRY(constant_load(m, value, 0, out));
    if (out->rank == 2 && out->dims[1] == (int64_t)m->e->hidden) return MINNOW_OK;
    return match_fail(m, place, "expected a table with rows of %zu elements", m->e->hidden);
}

/* A constant that is added as it is: the row of token type 0, or the positions of a graph of one fixed length. */
static minnow_status add_constant_term(matcher *m, int32_t term, tables *t) {
    const int64_t hidden = (int64_t)m->e->hidden;
    tensor c;
    TRY(constant_load(m, term, 0, &c));
    if (c.rank < 1 || c.dims[c.rank - 1] != hidden)
        return match_fail(m, term, "expected rows of %lld elements", (long long)hidden);
    c.dims[0] = (int64_t)(tensor_count(&c) / m->e->hidden);
    c.dims[1] = hidden;
    c.rank = 2;
    if (c.dims[0] == 1) return set_table(m, term, &c, &t->types, "token types");
    if (match_last(m, term, 1) != m->tokens || c.dims[0] != m->tokens)
        return match_fail(m, term, "expected one row for each token or for all");
    return set_table(m, term, &c, &t->positions, "positions");
}

/* Rows that depend on sizes alone: positions, or token type 0 for every token. */
static minnow_status add_sized_term(matcher *m, int32_t term, const tensor *table, tables *t) {
    probe_rows rows = PROBE_NEITHER, again;
    size_t i;
    for (i = 0; i < MATCH_SPECIMENS; i++) {
        TRY(probe_table_rows(m, &m->specimens[i], term, table, &again));
        if (i > 0 && again != rows) again = PROBE_NEITHER;
        rows = again;
    }
    if (rows == PROBE_FIRST) return set_table(m, term, table, &t->types, "token types");
    if (rows == PROBE_NEITHER) return match_fail(m, term, "expected rows 0, 1, 2 ... for the tokens of every text");
    t->positions_term = term;
    return set_table(m, term, table, &t->positions, "positions");
}

static minnow_status add_term(matcher *m, int32_t term, tables *t) {
    const graph_node *node;
    int32_t indices;
    tensor table;
    term = behind_views(m, term);
    if (constant_is(m, term)) return add_constant_term(m, term, t);
    node = match_node(m, term);
    if (node == NULL || (!match_is_op(node, "Gather") && !match_is_op(node, "Slice")) || !match_has_input(node, 1) ||
        !constant_is(m, node->inputs[0])) return match_fail(m, term, "expected an embedding, rows of a table");
    TRY(load_table(m, term, node->inputs[0], &table));
    if (m->depends[term] == 0) return add_sized_term(m, term, &table, t);
    if (!match_is_op(node, "Gather") || (graph_node_int(node, "axis", 0) != 0 && graph_node_int(node, "axis", 0) != -2))
        return match_fail(m, term, "expected rows of a table (Gather with axis 0)");
    indices = behind_casts(m, node->inputs[1]);
    if (indices == m->ids) return set_table(m, term, &table, &t->words, "words");
    if (indices == m->types) {
        t->chooses_types = 1;
        return set_table(m, term, &table, &t->types, "token types");
    }
    return match_fail(m, term, "expected rows chosen by input_ids, token_type_ids or the tokens' positions");
}

/* The terms of a sum; 0 if there are too many. */
static size_t collect_terms(const matcher *m, int32_t sum, int32_t terms[EMBEDDING_MAX_TERMS]) {
    size_t n = 1, i;
    terms[0] = sum;
    for (i = 0; i < n; i++) {
        const graph_node *add;
        while ((add = match_op(m, behind_views(m, terms[i]), "Add", 2)) != NULL) {
            if (n == EMBEDDING_MAX_TERMS) return 0;
            terms[i] = add->inputs[0];
            terms[n++] = add->inputs[1];
        }
    }
    return n;
}

int embedding_is(const matcher *m, int32_t sum) {
    int32_t terms[EMBEDDING_MAX_TERMS];
    const size_t n = collect_terms(m, sum, terms);
    size_t i;
    for (i = 0; i < n; i++) {
        const graph_node *node = match_op(m, behind_views(m, terms[i]), "Gather", 2);
        if (node != NULL && behind_casts(m, node->inputs[1]) == m->ids) return 1;
    }
    return 0;
}

static minnow_status add_terms(matcher *m, int32_t sum, tables *t) {
    int32_t terms[EMBEDDING_MAX_TERMS];
    const size_t n = collect_terms(m, sum, terms);
    size_t i;
    if (n == 0) return match_fail(m, sum, "expected words, positions and token types only");
    for (i = 0; i < n; i++) TRY(add_term(m, terms[i], t));
    return MINNOW_OK;
}

/* The longest text: all rows of the table. */
static minnow_status check_longest(matcher *m, const tables *t) {
    specimen longest;
    probe_rows rows;
    minnow_status status;
    if (t->positions_term < 0) return MINNOW_OK;
    TRY(specimen_create(&longest, m->original, m->ids, 1, t->positions.dims[0], m->error));
    status = probe_table_rows(m, &longest, t->positions_term, &t->positions, &rows);
    specimen_close(&longest);
    if (status != MINNOW_OK || rows == PROBE_TOKENS) return status;
    return match_fail(m, t->positions_term, "expected rows 0, 1, 2 ... up to %lld tokens",
                      (long long)t->positions.dims[0]);
}

minnow_status embedding_match(matcher *m, int32_t sum) {
    tables t = {.positions_term = GRAPH_NO_VALUE};
    encoder *e = m->e;
    float *added;
    size_t count, i;
    TRY(add_terms(m, sum, &t));
    if (t.words.data == NULL) return match_fail(m, sum, "expected a sum with the words' embeddings");
    if (t.positions.data == NULL) return match_fail(m, sum, "expected a sum with the positions' embeddings");
    TRY(check_longest(m, &t));
    e->words = t.words.data;
    e->n_vocab = (size_t)t.words.dims[0];
    e->positions = t.positions.data;
    e->n_positions = (size_t)t.positions.dims[0];
    if (t.types.data == NULL) return MINNOW_OK;
    if (t.chooses_types) {
        e->types = t.types.data;
        e->n_types = (size_t)t.types.dims[0];
    }
    count = tensor_count(&t.positions);
    added = arena_array(&e->memory, count, sizeof *added);
    if (added == NULL) return match_out_of_memory(m);
    for (i = 0; i < count; i++) added[i] = e->positions[i] + ((const float *)t.types.data)[i % e->hidden];
    e->positions = added;
    return MINNOW_OK;
}
