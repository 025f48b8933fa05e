/* SPDX-License-Identifier: Apache-2.0
 * The sections MODEL and TEXTS -> shapes, settings, names. */
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "run/model/format.h"

/* --- Checks, of a file's numbers and of a model's that is to be written ------------------------------------------- */

static minnow_status check_range(const char *what, size_t value, size_t low, size_t high, minnow_error *error) {
    if (value >= low && value <= high) return MINNOW_OK;
    return error_set(error, MINNOW_ERROR_FORMAT, "%s is %zu, not from %zu to %zu", what, value, low, high);
}

static minnow_status check_shape(const int8_model *m, minnow_error *error) {
    TRY(check_range("the number of layers", m->n_layers, 1, MODEL_MAX_LAYERS, error));
    TRY(check_range("hidden", m->hidden, 4, MODEL_MAX_WIDTH, error));
    TRY(check_range("the number of heads", m->n_heads, 1, m->hidden / 4, error));
    TRY(check_range("intermediate", m->intermediate, 4, MODEL_MAX_WIDTH, error));
    TRY(check_range("the vocabulary's size", m->n_vocab, 1, MODEL_MAX_VOCAB, error));
    TRY(check_range("the number of positions", m->n_positions, 1, MODEL_MAX_POSITIONS, error));
    TRY(check_range("max_tokens", m->max_tokens, 1, m->n_positions, error));
    if (m->hidden % m->n_heads != 0 || m->hidden / m->n_heads % 4 != 0)
        return error_set(error, MINNOW_ERROR_FORMAT, "%zu heads of hidden %zu: a head's size is no multiple of 4",
                         m->n_heads, m->hidden);
    if (m->intermediate % 4 != 0)
        return error_set(error, MINNOW_ERROR_FORMAT, "intermediate %zu is no multiple of 4", m->intermediate);
    return MINNOW_OK;
}

static minnow_status check_table(const char *what, const int8_table *t, size_t rows, size_t columns,
                                 minnow_error *error) {
    if (t->rows != rows || t->columns != columns)
        return error_set(error, MINNOW_ERROR_FORMAT, "%s [%zu, %zu], not [%zu, %zu]", what, t->rows, t->columns, rows,
                         columns);
    if (t->n_outliers > (t->kind == INT8_TABLE_MIXED ? columns : 0))
        return error_set(error, MINNOW_ERROR_FORMAT, "%s: %zu outlier columns", what, t->n_outliers);
    return MINNOW_OK;
}

minnow_status model_head_check(const int8_model *m, minnow_error *error) {
    TRY(check_shape(m, error));
    if (m->activation != INT8_GELU)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "unknown activation %u", (unsigned)m->activation);
    if (!isfinite(m->norm_epsilon) || m->norm_epsilon <= 0)
        return error_set(error, MINNOW_ERROR_FORMAT, "the norms' epsilon is not a number above 0");
    if (m->pooling != MINNOW_POOLING_MEAN && m->pooling != MINNOW_POOLING_CLS && m->pooling != MINNOW_POOLING_MAX)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "unknown pooling %u", (unsigned)m->pooling);
    if (m->normalize != 0 && m->normalize != 1)
        return error_set(error, MINNOW_ERROR_FORMAT, "'normalize' is neither 0 nor 1");
    if ((unsigned)m->words.kind - INT8_TABLE_ROWS > INT8_TABLE_MIXED - INT8_TABLE_ROWS)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "unknown kind of word table %u", (unsigned)m->words.kind);
    if (m->positions.kind != INT8_TABLE_ROWS && m->positions.kind != INT8_TABLE_HALF)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "kind %u of position table", (unsigned)m->positions.kind);
    TRY(check_table("the word table", &m->words, m->n_vocab, m->hidden, error));
    return check_table("the position table", &m->positions, m->n_positions, m->hidden, error);
}

/* --- MODEL -------------------------------------------------------------------------------------------------------- */

minnow_status model_head_read(int8_model *m, unsigned *norm_inputs, const uint8_t *data, size_t bytes,
                              minnow_error *error) {
    if (bytes != FORMAT_MODEL_BYTES)
        return error_set(error, MINNOW_ERROR_FORMAT, "%zu bytes instead of %u", bytes, FORMAT_MODEL_BYTES);
    if (load_u32(data + MODEL_ARCHITECTURE) != FORMAT_ARCHITECTURE_BERT)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "unknown architecture %u",
                         load_u32(data + MODEL_ARCHITECTURE));
    if (load_u32(data + MODEL_NORMALIZE) > 1)
        return error_set(error, MINNOW_ERROR_FORMAT, "'normalize' is neither 0 nor 1");
    *norm_inputs = load_u32(data + MODEL_NORM_INPUTS);
    if (*norm_inputs > NORM_INPUT_ALL)
        return error_set(error, MINNOW_ERROR_UNSUPPORTED, "unknown bits of norms that round: %u", *norm_inputs);
    m->n_layers = load_u32(data + MODEL_LAYERS);
    m->hidden = load_u32(data + MODEL_HIDDEN);
    m->n_heads = load_u32(data + MODEL_HEADS);
    m->intermediate = load_u32(data + MODEL_INTERMEDIATE);
    m->n_vocab = load_u32(data + MODEL_VOCAB);
    m->n_positions = load_u32(data + MODEL_POSITIONS);
    m->activation = (int8_activation)load_u32(data + MODEL_ACTIVATION);
    m->norm_epsilon = load_f32(data + MODEL_EPSILON);
    m->pooling = (minnow_pooling)load_u32(data + MODEL_POOLING);
    m->normalize = (int)load_u32(data + MODEL_NORMALIZE);
    m->max_tokens = load_u32(data + MODEL_MAX_TOKENS);
    m->words.kind = (int8_table_kind)load_u32(data + MODEL_WORDS);
    m->words.rows = m->n_vocab;
    m->words.n_outliers = load_u32(data + MODEL_OUTLIERS);
    m->positions.kind = (int8_table_kind)load_u32(data + MODEL_PLACES);
    m->positions.rows = m->n_positions;
    m->words.columns = m->positions.columns = m->hidden;
    memcpy(m->source_sha256, data + MODEL_SHA256, sizeof m->source_sha256);
    return model_head_check(m, error);
}

/* --- TEXTS -------------------------------------------------------------------------------------------------------- */

static minnow_status read_text(const char **out, const uint8_t *data, size_t bytes, size_t *at, minnow_error *error) {
    const uint8_t *start = data + *at, *end = bytes > *at ? memchr(start, 0, bytes - *at) : NULL;
    uint32_t c;
    if (end == NULL) return error_set(error, MINNOW_ERROR_FORMAT, "ends inside a text");
    for (const uint8_t *p = start; p < end;) {
        const size_t n = utf8_decode(p, (size_t)(end - p), &c);
        if (n == 0) return error_set(error, MINNOW_ERROR_FORMAT, "invalid UTF-8");
        p += n;
    }
    *out = (const char *)start;
    *at = (size_t)(end - data) + 1;
    return MINNOW_OK;
}

minnow_status model_texts_read(int8_model *m, const uint8_t *data, size_t bytes, minnow_error *error) {
    size_t at = 0;
    TRY(read_text(&m->name, data, bytes, &at, error));
    TRY(read_text(&m->licence, data, bytes, &at, error));
    TRY(read_text(&m->source, data, bytes, &at, error));
    if (at != bytes) return error_set(error, MINNOW_ERROR_FORMAT, "%zu bytes after the last text", bytes - at);
    return MINNOW_OK;
}
