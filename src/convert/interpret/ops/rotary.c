/* SPDX-License-Identifier: Apache-2.0
 * RotaryEmbedding, of com.microsoft (x, positions, cos, sin) and of ai.onnx 23 (x, cos, sin, positions). In: heads and
 * the cosines and sines of their positions. Out: heads whose pairs of numbers are turned by them:
 *
 *   (a, b) -> (a cos - b sin, b cos + a sin);  pairs lie half the turned part apart, or side by side (interleaved) */
#include <string.h>

#include "convert/interpret/ops/table.h"

typedef struct job {
    size_t heads, tokens, size, turned;        /* size: of a head; its first `turned` numbers turn */
    int64_t batch_stride, head_stride, token_stride;
    int interleaved;
    size_t columns;                            /* of cos and sin, turned / 2 of them used */
    const float *x, *cos, *sin;                /* [rows, columns] */
    const tensor *positions;                   /* NULL: cos and sin are [batch, tokens, columns] */
    float *y;
} job;

/* The row of cos and sin for token `token` of text `text`. */
static int64_t row_of(const job *j, size_t text, size_t token) {
    if (!j->positions) return (int64_t)(text * j->tokens + token);
    if (tensor_count(j->positions) == 1 && j->positions->rank < 2)
        return (int64_t)((uint64_t)ops_scalar_int(j->positions, 0) + token);
    return ops_scalar_int(j->positions, text * j->tokens + token);
}

static void turn(const job *j, const float *x, const float *cosines, const float *sines, float *y) {
    const size_t half = j->turned / 2;
    for (size_t i = 0; i < half; i++) {
        const size_t first = j->interleaved ? 2 * i : i, second = j->interleaved ? 2 * i + 1 : i + half;
        const float a = x[first], b = x[second];
        y[first] = a * cosines[i] - b * sines[i];
        y[second] = b * cosines[i] + a * sines[i];
    }
    if (y != x && j->size > j->turned) memcpy(y + j->turned, x + j->turned, (j->size - j->turned) * sizeof *y);
}

/* One item is a token of a text, with all its heads. */
static void turn_tokens(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    for (size_t at = begin; at < end; at++) {
        const size_t text = at / j->tokens, token = at % j->tokens, row = (size_t)row_of(j, text, token) * j->columns;
        for (size_t h = 0; h < j->heads; h++) {
            const int64_t offset = (int64_t)text * j->batch_stride + (int64_t)h * j->head_stride +
                                   (int64_t)token * j->token_stride;
            turn(j, j->x + offset, j->cos + row, j->sin + row, j->y + offset);
        }
    }
}

/* Sizes and strides of [batch, tokens, heads * size] or [batch, heads, tokens, size]. */
static minnow_status take_heads(op_context *c, job *j, int64_t n_heads, int64_t half, int is_exact) {
    const tensor *x = c->inputs[0];
    const int64_t *d = x->dims;
    const int64_t turned = graph_node_int(c->node, "rotary_embedding_dim", 0);
    int64_t size;
    char shape[128];
    if (x->rank != 3 && x->rank != 4)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "x is %s, of rank 3 or 4 needed",
                         tensor_describe(x, shape, sizeof shape));
    if (x->rank == 4) n_heads = d[1];
    else if (n_heads <= 0 && turned <= 0 && half > 0) n_heads = d[2] / (2 * half);
    if (n_heads <= 0 || (x->rank == 3 && d[2] % n_heads != 0))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "%lld heads do not divide x, %s", (long long)n_heads,
                         tensor_describe(x, shape, sizeof shape));
    size = x->rank == 4 ? d[3] : d[2] / n_heads;
    j->tokens = (size_t)d[x->rank == 4 ? 2 : 1];
    j->heads = (size_t)n_heads;
    j->size = (size_t)size;
    j->turned = (size_t)(turned > 0 ? turned : size);
    if (turned < 0 || j->turned > j->size || j->turned % 2 != 0 || (int64_t)j->turned > 2 * half ||
        (is_exact && (int64_t)j->turned != 2 * half))
        return error_set(c->error, MINNOW_ERROR_FORMAT,
                         "%zu of a head's %zu numbers turn, which does not fit %lld cosines", j->turned, j->size,
                         (long long)half);
    j->batch_stride = (int64_t)j->tokens * n_heads * size;
    j->head_stride = x->rank == 4 ? (int64_t)j->tokens * size : size;
    j->token_stride = x->rank == 4 ? size : n_heads * size;
    return MINNOW_OK;
}

static minnow_status check_rows(op_context *c, const job *j, int64_t rows) {
    const size_t batch = (size_t)c->inputs[0]->dims[0];
    const tensor *p = j->positions;
    char shape[128];
    if (!lanes_is_integer(p->type) || p->type == DTYPE_BOOL) return ops_unsupported_type(c, p->type);
    if (!(p->rank < 2 && tensor_count(p) == 1) &&
        !(p->rank == 2 && (size_t)p->dims[0] == batch && (size_t)p->dims[1] == j->tokens))
        return error_set(c->error, MINNOW_ERROR_FORMAT, "positions are %s for %zu texts of %zu tokens",
                         tensor_describe(p, shape, sizeof shape), batch, j->tokens);
    for (size_t at = 0; at < batch * j->tokens; at++) {
        const int64_t row = row_of(j, at / j->tokens, at % j->tokens);
        if (row < 0 || row >= rows)
            return error_set(c->error, MINNOW_ERROR_FORMAT, "position %lld is outside the %lld of the cosines",
                             (long long)row, (long long)rows);
    }
    return MINNOW_OK;
}

minnow_status ops_rotary_embedding(op_context *c) {
    const int is_standard = ops_variant(c) == 1;
    const size_t cos_input = is_standard ? 1 : 2, positions_input = is_standard ? 3 : 1;
    const int is_scaled = !is_standard && graph_node_float(c->node, "scale", 1) != 1;
    char a[128], b[128];
    TRY(ops_need(c, is_standard ? 3 : 4));
    const tensor *x = c->inputs[0], *cosines = c->inputs[cos_input], *sines = c->inputs[cos_input + 1];
    job j = {.interleaved = graph_node_int(c->node, "interleaved", 0) != 0, .x = x->data, .cos = cosines->data,
             .sin = sines->data, .positions = ops_has_input(c, positions_input) ? c->inputs[positions_input] : NULL};
    if (x->type != DTYPE_FLOAT32) return ops_unsupported_type(c, x->type);
    if (is_scaled || graph_node_int(c->node, "is_packed_batching", 0) != 0)
        return error_set(c->error, MINNOW_ERROR_UNSUPPORTED, "scale and is_packed_batching are not supported");
    TRY(ops_same_type(c, 0, cos_input));
    TRY(ops_same_type(c, 0, cos_input + 1));
    const int rank = j.positions ? 2 : 3;
    int same = cosines->rank == rank && sines->rank == rank;
    for (int d = 0; same && d < rank; d++) same = cosines->dims[d] == sines->dims[d];
    if (!same)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "cosines %s and sines %s, two tables of rank %d needed",
                         tensor_describe(cosines, a, sizeof a), tensor_describe(sines, b, sizeof b), rank);
    TRY(take_heads(c, &j, graph_node_int(c->node, "num_heads", 0), cosines->dims[rank - 1], !is_standard));
    j.columns = (size_t)cosines->dims[rank - 1];
    if (j.positions) TRY(check_rows(c, &j, cosines->dims[0]));
    else if (cosines->dims[0] != x->dims[0] || (size_t)cosines->dims[1] != j.tokens)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "cosines %s for x %s", tensor_describe(cosines, a, sizeof a),
                         tensor_describe(x, b, sizeof b));
    TRY(ops_output_over(c, 0, x->type, x->rank, x->dims, 0));
    j.y = c->outputs[0].data;
    if (tensor_count(x) == 0) return MINNOW_OK;
    ops_parallel(c, (size_t)x->dims[0] * j.tokens, 1, 2 * j.heads * j.size, turn_tokens, &j);
    return MINNOW_OK;
}
