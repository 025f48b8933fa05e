/* SPDX-License-Identifier: Apache-2.0
 * Tables of every kind -> Gather and what makes floats of it.
 *
 *     codes with a scale a row    Gather(codes) ─▶ Cast ─▶ Mul by Gather(scales)
 *     codes with one scale        Gather(codes) ─▶ Cast ─▶ Mul
 *     float16                     Gather(halves) ─▶ Cast
 *     mixed                       the first, plus Gather(halves) ─▶ Cast ─▶ MatMul by ones that put columns in place
 *
 * No DequantizeLinear: before Gather it would make floats of the whole table in every run, and after it its scales
 * would be no constants, which runtimes refuse. */
#include "convert/qdq/parts.h"

#include <string.h>

#define NONE GRAPH_NO_VALUE

static int32_t out_of_memory(builder *b) {
    builder_fail(b, error_set(b->error, MINNOW_ERROR_MEMORY, "out of memory"));
    return NONE;
}

static int32_t table_constant(builder *b, const char *leaf, dtype type, const void *data, size_t rows, size_t columns) {
    tensor t = {.type = type, .rank = 2, .dims = {(int64_t)rows, (int64_t)columns}};
    t.data = (void *)(uintptr_t)data;
    return builder_constant(b, leaf, &t);
}

static int32_t to_float(builder *b, int32_t x) {
    x = builder_op(b, "Cast", x, NONE, NONE);
    builder_int(b, "to", DTYPE_FLOAT32);
    return x;
}

/* Rows of a table: by ids [b, s] -> [b, s, columns], or, if is_length, the first ones -> [s, columns]. */
typedef struct rows {
    int32_t by;
    int is_length;
} rows;

static int32_t pick(builder *b, int32_t table, rows r) {
    return r.is_length ? piece_first_rows(b, table, r.by) : builder_op(b, "Gather", table, r.by, NONE);
}

/* [n_outliers, columns]: a one where outlier i belongs. Each sum has one term that is not zero, so it is exact. */
static int32_t places_of(builder *b, const int8_table *t) {
    float *ones;
    size_t i;
    if (b->status != MINNOW_OK) return NONE;
    ones = arena_array(&b->g->memory, t->n_outliers * t->columns, sizeof *ones);
    if (ones == NULL) return out_of_memory(b);
    memset(ones, 0, t->n_outliers * t->columns * sizeof *ones);
    for (i = 0; i < t->n_outliers; i++) ones[i * t->columns + t->outlier_columns[i]] = 1.0f;
    return table_constant(b, "outlier_places", DTYPE_FLOAT32, ones, t->n_outliers, t->columns);
}

static int32_t pick_halves(builder *b, const int8_table *t, rows r, size_t columns) {
    const int32_t table = table_constant(b, "halves", DTYPE_FLOAT16, t->halves, t->rows, columns);
    return to_float(b, pick(b, table, r));
}

static int32_t pick_codes(builder *b, const int8_table *t, rows r) {
    const int32_t table = table_constant(b, "codes", DTYPE_INT8, t->codes, t->rows, t->columns);
    const int32_t codes = to_float(b, pick(b, table, r));
    int32_t scale;
    if (t->kind == INT8_TABLE_TENSOR) scale = qdq_floats(b, "scale", t->scale, 1);
    else scale = pick(b, table_constant(b, "scale", DTYPE_FLOAT32, t->scale, t->rows, 1), r);
    return builder_op(b, "Mul", codes, scale, NONE);
}

static int32_t pick_floats(builder *b, const char *module, const int8_table *t, rows r) {
    const size_t mark = builder_enter(b, module);
    int32_t x, outliers;
    if (t->kind == INT8_TABLE_HALF) x = pick_halves(b, t, r, t->columns);
    else x = pick_codes(b, t, r);
    if (t->kind == INT8_TABLE_MIXED && t->n_outliers > 0) {
        outliers = pick_halves(b, t, r, t->n_outliers);
        outliers = builder_op(b, "MatMul", outliers, places_of(b, t), NONE);
        x = builder_op(b, "Add", x, outliers, NONE);
    }
    builder_leave(b, mark);
    return x;
}

/* What another type adds to type 0, whose row is in the positions already. */
static int32_t add_types(builder *b, int32_t x, int32_t type_ids, size_t hidden, const qdq_types *types) {
    const size_t mark = builder_enter(b, "token_type_embeddings");
    float *more;
    size_t i;
    int32_t table;
    if (b->status != MINNOW_OK) return NONE;
    more = arena_array(&b->g->memory, types->n * hidden, sizeof *more);
    if (more == NULL) return out_of_memory(b);
    for (i = 0; i < types->n * hidden; i++) more[i] = types->rows[i] - types->rows[i % hidden];
    table = table_constant(b, "more_than_type_0", DTYPE_FLOAT32, more, types->n, hidden);
    x = builder_op(b, "Add", x, builder_op(b, "Gather", table, type_ids, NONE), NONE);
    builder_leave(b, mark);
    return x;
}

int32_t qdq_embeddings(builder *b, int32_t ids, int32_t type_ids, const int8_model *m, const qdq_types *types) {
    const rows by_id = {ids, 0};
    const int32_t words = pick_floats(b, "word_embeddings", &m->words, by_id);
    const rows first = {piece_length(b, ids), 1};
    const int32_t positions = pick_floats(b, "position_embeddings", &m->positions, first);
    const int32_t sum = builder_op(b, "Add", words, positions, NONE);
    return types->n == 0 ? sum : add_types(b, sum, type_ids, m->hidden, types);
}
