/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of a model's arrays in a file, said once: the reader binds pointers with it, the writer copies. */
#include "base/bytes.h"
#include "run/model/format.h"

/* What a walk over one group of sections needs. */
typedef struct steps {
    model_walk *walk;
    uint32_t layer; /* or SECTION_NO_LAYER */
    minnow_error *error;
} steps;

/* A section of two arrays of the same size; `b` may be NULL for one of one. Nothing happens if there are no bytes. */
static minnow_status walk_pair(steps *s, section_kind kind, const void **a, const void **b, size_t bytes) {
    size_t all = bytes;
    if (bytes == 0) return MINNOW_OK;
    if (b != NULL && !size_mul(bytes, 2, &all)) return error_set(s->error, MINNOW_ERROR_MEMORY, "too large");
    TRY(s->walk->begin(s->walk, kind, s->layer, all, s->error));
    *a = s->walk->part(s->walk, *a, bytes);
    if (b != NULL) *b = s->walk->part(s->walk, *b, bytes);
    return MINNOW_OK;
}

static minnow_status walk_floats(steps *s, section_kind kind, const float **a, const float **b, size_t n) {
    const void *first = *a, *second = b != NULL ? *b : NULL;
    TRY(walk_pair(s, kind, &first, b != NULL ? &second : NULL, n * sizeof **a));
    *a = first;
    if (b != NULL) *b = second;
    return MINNOW_OK;
}

static minnow_status walk_quantizer(steps *s, section_kind kind, int8_quantizer *q, size_t channels) {
    return walk_floats(s, kind, &q->multiplier, &q->offset, channels);
}

/* The scales' kind follows the panels'. */
static minnow_status walk_matrix(steps *s, section_kind kind, int8_matrix *m, size_t n, size_t k) {
    const void *panels = m->panels;
    m->n = n;
    m->k = k;
    TRY(walk_pair(s, kind, &panels, NULL, int8_panels_bytes(n, k)));
    m->panels = panels;
    return walk_floats(s, (section_kind)(kind + 1), &m->scale, &m->bias, int8_panels(n) * INT8_PANEL);
}

/* The input's kind follows the norm's. */
static minnow_status walk_norm(steps *s, section_kind kind, int8_norm *norm, size_t hidden, int has_input) {
    TRY(walk_floats(s, kind, &norm->gamma, &norm->beta, hidden));
    return walk_floats(s, (section_kind)(kind + 1), &norm->input_multiplier, &norm->input_step, has_input ? hidden : 0);
}

/* The scales' kind follows the codes'. */
static minnow_status walk_table(steps *s, int8_table *t, section_kind codes_kind, section_kind outliers_kind,
                                section_kind halves_kind) {
    const int has_codes = t->kind != INT8_TABLE_HALF, has_outliers = t->kind == INT8_TABLE_MIXED;
    const size_t n_halves = has_codes ? (has_outliers ? t->n_outliers : 0) : t->columns;
    const void *codes = t->codes, *outliers = t->outlier_columns, *halves = t->halves;
    size_t code_bytes, half_bytes;
    if (!size_mul(t->rows, t->columns, &code_bytes) || !size_mul(t->rows, n_halves * 2, &half_bytes))
        return error_set(s->error, MINNOW_ERROR_MEMORY, "a table of %zu rows is too large", t->rows);
    TRY(walk_pair(s, codes_kind, &codes, NULL, has_codes ? code_bytes : 0));
    TRY(walk_floats(s, (section_kind)(codes_kind + 1), &t->scale, NULL,
                    !has_codes ? 0 : t->kind == INT8_TABLE_TENSOR ? 1 : t->rows));
    TRY(walk_pair(s, outliers_kind, &outliers, NULL, has_outliers ? t->n_outliers * 4 : 0));
    TRY(walk_pair(s, halves_kind, &halves, NULL, half_bytes));
    t->codes = codes;
    t->outlier_columns = outliers;
    t->halves = halves;
    return MINNOW_OK;
}

static minnow_status walk_layer(steps *s, const int8_model *m, int8_layer *l, unsigned norm_inputs) {
    const size_t hidden = m->hidden, inner = m->intermediate;
    TRY(walk_quantizer(s, SECTION_ATTENTION_INPUT, &l->attention_input, hidden));
    TRY(walk_matrix(s, SECTION_QUERY_KEY_VALUE, &l->query_key_value, 3 * hidden, hidden));
    TRY(walk_floats(s, SECTION_SCORE_SCALE, &l->score_scale, NULL, m->n_heads));
    TRY(walk_quantizer(s, SECTION_CONTEXT, &l->context, hidden));
    TRY(walk_matrix(s, SECTION_ATTENTION_OUTPUT, &l->attention_output, hidden, hidden));
    TRY(walk_norm(s, SECTION_ATTENTION_NORM, &l->attention_norm, hidden, (norm_inputs & NORM_INPUT_ATTENTION) != 0));
    TRY(walk_quantizer(s, SECTION_UP_INPUT, &l->up_input, hidden));
    TRY(walk_matrix(s, SECTION_UP, &l->up, inner, hidden));
    TRY(walk_quantizer(s, SECTION_DOWN_INPUT, &l->down_input, inner));
    TRY(walk_matrix(s, SECTION_DOWN, &l->down, hidden, inner));
    return walk_norm(s, SECTION_OUTPUT_NORM, &l->output_norm, hidden, (norm_inputs & NORM_INPUT_OUTPUT) != 0);
}

minnow_status model_walk_arrays(model_walk *w, int8_model *m, int8_layer *layers, unsigned norm_inputs,
                                minnow_error *error) {
    steps s = {w, SECTION_NO_LAYER, error};
    TRY(walk_table(&s, &m->words, SECTION_WORD_CODES, SECTION_WORD_OUTLIERS, SECTION_WORD_HALVES));
    TRY(walk_table(&s, &m->positions, SECTION_POSITION_CODES, SECTION_WORD_OUTLIERS, SECTION_POSITION_HALVES));
    TRY(walk_norm(&s, SECTION_EMBEDDING_NORM, &m->embedding_norm, m->hidden,
                  (norm_inputs & NORM_INPUT_EMBEDDING) != 0));
    for (size_t i = 0; i < m->n_layers; i++) {
        s.layer = (uint32_t)i;
        TRY(walk_layer(&s, m, &layers[i], norm_inputs));
    }
    return MINNOW_OK;
}
