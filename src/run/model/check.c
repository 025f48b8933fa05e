/* SPDX-License-Identifier: Apache-2.0
 * The numbers inside a model's arrays: a CRC says that they arrived, not that they make sense. */
#include "base/bytes.h"
#include "run/model/format.h"

#define EXPONENT_F32 0x7f800000u
#define EXPONENT_F16 0x7c00u

/* Loops without an early way out: compilers make vectors of them. */
static int all_finite(const float *x, size_t n) {
    unsigned bad = 0;
    for (size_t i = 0; i < n; i++) bad |= (load_u32(x + i) & EXPONENT_F32) == EXPONENT_F32;
    return !bad;
}

/* As integers magnitudes have the same order. */
static int all_within(const float *x, size_t n, float limit) {
    const uint32_t largest = load_u32(&limit);
    unsigned bad = 0;
    for (size_t i = 0; i < n; i++) bad |= (load_u32(x + i) & 0x7fffffffu) > largest;
    return !bad;
}

static int all_finite_halves(const uint16_t *x, size_t n) {
    unsigned bad = 0;
    for (size_t i = 0; i < n; i++) bad |= (x[i] & EXPONENT_F16) == EXPONENT_F16;
    return !bad;
}

static int all_weights(const uint8_t *codes, size_t n) {
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) any |= codes[i];
    return any <= INT8_WEIGHT_BIAS + INT8_WEIGHT_LIMIT;
}

static int all_zero_floats(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (load_u32(x + i) != 0) return 0;
    return 1;
}

/* --- Arrays ------------------------------------------------------------------------------------------------------- */

static minnow_status check_floats(const char *what, const float *x, size_t n, minnow_error *error) {
    if (all_finite(x, n)) return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_FORMAT, "%s: a number is not finite", what);
}

static minnow_status check_quantizer(const char *what, const int8_quantizer *q, size_t n, minnow_error *error) {
    TRY(check_floats(what, q->multiplier, n, error));
    return check_floats(what, q->offset, n, error);
}

static minnow_status check_norm(const char *what, const int8_norm *norm, size_t hidden, minnow_error *error) {
    TRY(check_floats(what, norm->gamma, hidden, error));
    TRY(check_floats(what, norm->beta, hidden, error));
    if (!all_within(norm->gamma, hidden, MODEL_MAX_NORM) || !all_within(norm->beta, hidden, MODEL_MAX_NORM))
        return error_set(error, MINNOW_ERROR_FORMAT, "%s: a number is beyond 1e15", what);
    if (norm->input_multiplier == NULL) return MINNOW_OK;
    TRY(check_floats(what, norm->input_multiplier, hidden, error));
    return check_floats(what, norm->input_step, hidden, error);
}

/* The last panel's columns that stand for no output. */
static int is_padded(const int8_matrix *m) {
    for (size_t i = m->n; i < int8_panels(m->n) * INT8_PANEL; i++)
        for (size_t j = 0; j < m->k; j++)
            if (m->panels[int8_panel_index(m->k, i, j)] != INT8_WEIGHT_BIAS) return 0;
    return 1;
}

static minnow_status check_matrix(const char *what, const int8_matrix *m, minnow_error *error) {
    const size_t width = int8_panels(m->n) * INT8_PANEL, extra = width - m->n;
    if (!all_weights(m->panels, int8_panels_bytes(m->n, m->k)))
        return error_set(error, MINNOW_ERROR_FORMAT, "%s: a weight's code is above 127", what);
    if (!is_padded(m)) return error_set(error, MINNOW_ERROR_FORMAT, "%s: a padding column is not 64", what);
    TRY(check_floats(what, m->scale, width, error));
    TRY(check_floats(what, m->bias, width, error));
    if (!all_zero_floats(m->scale + m->n, extra) || !all_zero_floats(m->bias + m->n, extra))
        return error_set(error, MINNOW_ERROR_FORMAT, "%s: the padding of scale or bias is not 0", what);
    return MINNOW_OK;
}

/* --- Tables ------------------------------------------------------------------------------------------------------- */

static minnow_status check_outliers(const char *what, const int8_table *t, minnow_error *error) {
    for (size_t i = 0; i < t->n_outliers; i++) {
        const uint32_t column = t->outlier_columns[i];
        if (column >= t->columns || (i > 0 && column <= t->outlier_columns[i - 1]))
            return error_set(error, MINNOW_ERROR_FORMAT, "%s: outlier column %u is out of order or range", what,
                             column);
    }
    for (size_t r = 0; r < t->rows; r++)
        for (size_t i = 0; i < t->n_outliers; i++)
            if (t->codes[r * t->columns + t->outlier_columns[i]] != 0)
                return error_set(error, MINNOW_ERROR_FORMAT, "%s: row %zu has a code in an outlier column", what, r);
    return MINNOW_OK;
}

static minnow_status check_table(const char *what, const int8_table *t, minnow_error *error) {
    const size_t n_halves = t->kind == INT8_TABLE_HALF ? t->columns : t->n_outliers;
    if (t->kind != INT8_TABLE_HALF)
        TRY(check_floats(what, t->scale, t->kind == INT8_TABLE_TENSOR ? 1 : t->rows, error));
    if (t->halves != NULL && !all_finite_halves(t->halves, t->rows * n_halves))
        return error_set(error, MINNOW_ERROR_FORMAT, "%s: a float16 is not finite", what);
    return check_outliers(what, t, error);
}

/* --- All of it ---------------------------------------------------------------------------------------------------- */

static minnow_status check_layer(const int8_model *m, const int8_layer *l, minnow_error *error) {
    TRY(check_quantizer("attention_input", &l->attention_input, m->hidden, error));
    TRY(check_matrix("query_key_value", &l->query_key_value, error));
    TRY(check_floats("score_scale", l->score_scale, m->n_heads, error));
    for (size_t i = 0; i < m->n_heads; i++)
        if (!(l->score_scale[i] > 0))
            return error_set(error, MINNOW_ERROR_FORMAT, "score_scale: that of head %zu is not above 0", i);
    TRY(check_quantizer("context", &l->context, m->hidden, error));
    TRY(check_matrix("attention_output", &l->attention_output, error));
    TRY(check_norm("attention_norm", &l->attention_norm, m->hidden, error));
    TRY(check_quantizer("up_input", &l->up_input, m->hidden, error));
    TRY(check_matrix("up", &l->up, error));
    TRY(check_quantizer("down_input", &l->down_input, m->intermediate, error));
    TRY(check_matrix("down", &l->down, error));
    return check_norm("output_norm", &l->output_norm, m->hidden, error);
}

minnow_status model_arrays_check(const int8_model *m, minnow_error *error) {
    TRY(check_table("word table", &m->words, error));
    TRY(check_table("position table", &m->positions, error));
    TRY(check_norm("embedding_norm", &m->embedding_norm, m->hidden, error));
    for (size_t i = 0; i < m->n_layers; i++) {
        const minnow_status status = check_layer(m, &m->layers[i], error);
        if (status != MINNOW_OK) return error_prefix(error, status, "layer %zu", i);
    }
    return MINNOW_OK;
}
