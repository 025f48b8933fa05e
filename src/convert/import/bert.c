/* SPDX-License-Identifier: Apache-2.0
 * Import: sizes and weights of a BERT -> its forward pass as ONNX operators (opset 17), in PyTorch's order of
 * operations, so that the numbers are PyTorch's up to the rounding of sums (Devlin et al., 2019; transformers'
 * BertModel is the oracle).
 *
 * Shapes in comments: b batch, s sequence, h hidden, n heads, d = h / n. */
#include "convert/import/bert.h"

#include <stdio.h>
#include <string.h>

#include "convert/compose/pieces.h"

#define NONE GRAPH_NO_VALUE

static const graph_dim batch = {-1, "batch_size"}, sequence = {-1, "sequence_length"};

/* No call below has two calls among its arguments: C would leave their order, and so the file's bytes, to the compiler.
 */

/* --- Pieces --------------------------------------------------------------------------------------------------- */

/* x [.., columns] -> x W^T + bias [.., rows]; the weight is stored [rows, columns]. */
static int32_t linear(builder *b, int32_t x, const char *module, int64_t rows, int64_t columns) {
    const size_t mark = builder_enter(b, module);
    const int32_t product = builder_op(b, "MatMul", x, builder_matrix_transposed(b, "weight", rows, columns), NONE);
    const int32_t sum = builder_op(b, "Add", product, builder_vector(b, "bias", rows), NONE);
    builder_leave(b, mark);
    return sum;
}

static int32_t layer_norm(builder *b, int32_t x, const bert_config *c) {
    const size_t mark = builder_enter(b, "LayerNorm");
    const int32_t scale = builder_vector(b, "weight", c->hidden), bias = builder_vector(b, "bias", c->hidden);
    const int32_t y = piece_layer_norm(b, x, scale, bias, c->epsilon);
    builder_leave(b, mark);
    return y;
}

/* 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) (Hendrycks and Gimpel, 2016) */
static int32_t gelu_tanh(builder *b, int32_t x) {
    const int32_t cube = builder_op(b, "Mul", builder_op(b, "Mul", x, x, NONE), x, NONE);
    const int32_t scaled = builder_op(b, "Mul", cube, builder_scalar(b, "gelu.cubic", 0.044715f), NONE);
    const int32_t sum = builder_op(b, "Add", x, scaled, NONE);
    const int32_t inner = builder_op(b, "Mul", sum, builder_scalar(b, "gelu.sqrt_2_over_pi", 0.797884583f), NONE);
    const int32_t tanh = builder_op(b, "Tanh", inner, NONE, NONE);
    const int32_t cdf = builder_op(b, "Add", tanh, builder_scalar(b, "one", 1.0f), NONE);
    const int32_t half = builder_op(b, "Mul", x, builder_scalar(b, "half", 0.5f), NONE);
    return builder_op(b, "Mul", half, cdf, NONE);
}

/* Newton's iteration from above, which falls until it cannot: without libm, the same on every machine. */
static float square_root(double x) {
    double root = x < 1 ? 1 : x, next = (root + x / root) / 2;
    while (next < root) {
        root = next;
        next = (root + x / root) / 2;
    }
    return (float)root;
}

/* --- The encoder ---------------------------------------------------------------------------------------------- */

/* ids, types [b, s] -> [b, s, h]: LayerNorm(word + type + position) */
static int32_t embeddings(builder *b, int32_t ids, int32_t types, const bert_config *c) {
    const size_t mark = builder_enter(b, "embeddings");
    int32_t word, type, position, table;
    size_t inner = builder_enter(b, "word_embeddings");
    word = builder_op(b, "Gather", builder_matrix(b, "weight", c->vocab, c->hidden), ids, NONE);
    builder_leave(b, inner);
    inner = builder_enter(b, "token_type_embeddings");
    type = builder_op(b, "Gather", builder_matrix(b, "weight", c->types, c->hidden), types, NONE);
    builder_leave(b, inner);
    inner = builder_enter(b, "position_embeddings");
    table = builder_matrix(b, "weight", c->positions, c->hidden);
    position = piece_first_rows(b, table, piece_length(b, ids));
    builder_leave(b, inner);
    word = builder_op(b, "Add", builder_op(b, "Add", word, type, NONE), position, NONE);
    word = layer_norm(b, word, c);
    builder_leave(b, mark);
    return word;
}

/* x [b, s, h] -> [b, s, h]: softmax(Q K^T / sqrt(d) + bias) V, head by head */
static int32_t self_attention(builder *b, int32_t x, int32_t bias, const bert_config *c) {
    const piece_heads heads = piece_heads_of(b, c->heads, c->hidden);
    const size_t mark = builder_enter(b, "self");
    const int32_t q = linear(b, x, "query", c->hidden, c->hidden);
    const int32_t k = linear(b, x, "key", c->hidden, c->hidden);
    const int32_t v = linear(b, x, "value", c->hidden, c->hidden);
    const float divisor = square_root((double)(c->hidden / c->heads));
    x = piece_attention(b, q, k, v, bias, heads, builder_scalar(b, "sqrt_head_size", divisor));
    builder_leave(b, mark);
    return x;
}

/* LayerNorm(linear(x) + residual) */
static int32_t output_block(builder *b, int32_t x, int32_t residual, int64_t columns, const bert_config *c,
                            const char *name) {
    const size_t mark = builder_enter(b, "output");
    x = linear(b, x, "dense", c->hidden, columns);
    x = builder_op(b, "Add", x, residual, NONE);
    /* The norm is the next node: the layer that makes the graph's output gives it the output's name. */
    b->output_name = name;
    x = layer_norm(b, x, c);
    builder_leave(b, mark);
    return x;
}

static int32_t activation(builder *b, int32_t x, const bert_config *c) {
    const size_t mark = builder_enter(b, "intermediate_act_fn");
    if (c->activation == BERT_RELU) x = builder_op(b, "Relu", x, NONE, NONE);
    else x = c->activation == BERT_GELU ? piece_gelu(b, x) : gelu_tanh(b, x);
    builder_leave(b, mark);
    return x;
}

static int32_t layer(builder *b, int32_t x, int32_t bias, const bert_config *c, int64_t index) {
    char name[32];
    size_t mark, inner;
    int32_t attended, wide;
    snprintf(name, sizeof name, "layer.%d", (int)index);
    mark = builder_enter(b, name);
    inner = builder_enter(b, "attention");
    attended = output_block(b, self_attention(b, x, bias, c), x, c->hidden, c, NULL);
    builder_leave(b, inner);
    inner = builder_enter(b, "intermediate");
    wide = activation(b, linear(b, attended, "dense", c->intermediate, c->hidden), c);
    builder_leave(b, inner);
    x = output_block(b, wide, attended, c->intermediate, c, index == c->layers - 1 ? "last_hidden_state" : NULL);
    builder_leave(b, mark);
    return x;
}

/* --- Pooling, as sentence-transformers does it ---------------------------------------------------------------- */

/* sum(x * mask) / max(sum(mask), 1e-9) over the tokens: x [b, s, h], mask [b, s] -> [b, h] */
static int32_t pool_mean(builder *b, int32_t x, int32_t mask) {
    static const int64_t last = -1, tokens = 1;
    const int32_t axis = builder_int64s(b, "axis_1", &tokens, 1);
    int32_t kept = builder_op(b, "Cast", mask, NONE, NONE), sum, count;
    builder_int(b, "to", DTYPE_FLOAT32);
    kept = builder_op(b, "Unsqueeze", kept, builder_int64s(b, "axis_last", &last, 1), NONE); /* [b, s, 1] */
    sum = builder_op(b, "ReduceSum", builder_op(b, "Mul", x, kept, NONE), axis, NONE);
    builder_int(b, "keepdims", 0);
    count = builder_op(b, "ReduceSum", kept, axis, NONE); /* [b, 1] */
    builder_int(b, "keepdims", 0);
    count = builder_op(b, "Clip", count, builder_scalar(b, "pooling.least_count", 1e-9f), NONE);
    return builder_op(b, "Div", sum, count, NONE);
}

static int32_t pool_max(builder *b, int32_t x, int32_t mask) {
    static const int64_t last = -1, tokens = 1;
    int32_t kept = builder_op(b, "Cast", mask, NONE, NONE);
    builder_int(b, "to", DTYPE_BOOL);
    kept = builder_op(b, "Unsqueeze", kept, builder_int64s(b, "axis_last", &last, 1), NONE);
    x = builder_op(b, "Where", kept, x, builder_scalar(b, "pooling.masked", -1e9f));
    x = builder_op(b, "ReduceMax", x, NONE, NONE);
    builder_ints(b, "axes", &tokens, 1);
    builder_int(b, "keepdims", 0);
    return x;
}

static int32_t pool_cls(builder *b, int32_t x) {
    static const int64_t first = 0, tokens = 1;
    x = builder_op(b, "Gather", x, builder_int64s(b, "zero", &first, 1), NONE); /* [b, 1, h] */
    builder_int(b, "axis", 1);
    return builder_op(b, "Squeeze", x, builder_int64s(b, "axis_1", &tokens, 1), NONE);
}

/* x / max(|x|, 1e-12): [b, h] -> [b, h] */
static int32_t normalize(builder *b, int32_t x) {
    static const int64_t last = -1;
    const size_t mark = builder_enter(b, "normalize");
    int32_t norm = builder_op(b, "ReduceL2", x, NONE, NONE);
    builder_ints(b, "axes", &last, 1);
    builder_int(b, "keepdims", 1);
    norm = builder_op(b, "Clip", norm, builder_scalar(b, "normalize.least_norm", 1e-12f), NONE);
    b->output_name = "sentence_embedding";
    x = builder_op(b, "Div", x, norm, NONE);
    builder_leave(b, mark);
    return x;
}

static void pooling(builder *b, int32_t x, int32_t mask, const model_settings *settings, const bert_config *c) {
    const graph_dim dims[2] = {batch, {c->hidden, NULL}};
    const size_t mark = builder_enter(b, "pooling");
    if (settings->pooling == MINNOW_POOLING_CLS) x = pool_cls(b, x);
    else if (settings->pooling == MINNOW_POOLING_MAX) x = pool_max(b, x, mask);
    else x = pool_mean(b, x, mask);
    builder_leave(b, mark);
    if (settings->normalize == 1) {
        x = normalize(b, x);
    } else {
        b->output_name = "sentence_embedding";
        x = builder_op(b, "Identity", x, NONE, NONE);
    }
    builder_output(b, x, 2, dims);
}

void bert_build(builder *b, const bert_config *c, const model_settings *settings, int pooled) {
    const graph_dim tokens[3] = {batch, sequence, {c->hidden, NULL}};
    const int32_t ids = builder_input(b, "input_ids", DTYPE_INT64, 2, tokens);
    const int32_t mask = builder_input(b, "attention_mask", DTYPE_INT64, 2, tokens);
    const int32_t types = builder_input(b, "token_type_ids", DTYPE_INT64, 2, tokens);
    const int32_t bias = piece_attention_bias(b, mask);
    int32_t x = embeddings(b, ids, types, c);
    const size_t mark = builder_enter(b, "encoder");
    int64_t i;
    for (i = 0; i < c->layers && b->status == MINNOW_OK; i++) x = layer(b, x, bias, c, i);
    builder_leave(b, mark);
    builder_output(b, x, 3, tokens);
    if (pooled) pooling(b, x, mask, settings, c);
}

minnow_status bert_find_prefix(const safetensors *weights, char *out, size_t capacity, minnow_error *error) {
    static const char key[] = "embeddings.word_embeddings.weight";
    const char *found = NULL;
    size_t i;
    for (i = 0; i < weights->n_entries; i++) {
        const char *name = weights->entries[i].name;
        const size_t n = strlen(name), prefix = n - (sizeof key - 1);
        if (n < sizeof key - 1 || strcmp(name + prefix, key) != 0 || (prefix > 0 && name[prefix - 1] != '.')) continue;
        if (prefix >= capacity)
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "tensor '%.200s': name too long", name);
        if (found != NULL)
            return error_set(error, MINNOW_ERROR_UNSUPPORTED, "two encoders in one file: '%.150s' and '%.150s'", found,
                             name);
        found = name;
        memcpy(out, name, prefix);
        out[prefix] = '\0';
    }
    return found == NULL ? error_set(error, MINNOW_ERROR_FORMAT, "tensor '%s' is missing", key) : MINNOW_OK;
}
