/* SPDX-License-Identifier: Apache-2.0
 * Gather of a dequantized table, run: only the rows that are asked for are dequantized. */
#include <string.h>

#include "convert/interpret/interpreter_impl.h"
#include "convert/interpret/ops/quantized.h"

typedef struct job {
    const math_kernels *math;
    const tensor *table, *ids;
    const float *scales;
    const int32_t *zeros; /* NULL: 0 */
    int per_row;
    size_t n; /* elements of a row */
    float *y;
} job;

static int64_t row_at(const job *j, size_t i) {
    const int64_t id = ops_scalar_int(j->ids, i);
    return id < 0 ? id + j->table->dims[0] : id;
}

static void dequantize_rows(void *context, size_t begin, size_t end, size_t part) {
    const job *j = context;
    (void)part;
    for (size_t i = begin; i < end; i++) {
        const size_t row = (size_t)row_at(j, i), k = j->per_row ? row : 0;
        j->math->dequantize((const uint8_t *)j->table->data + row * j->n, j->table->type == DTYPE_INT8,
                            j->zeros ? j->zeros[k] : 0, j->scales[k], j->y + i * j->n, j->n);
    }
}

/* DequantizeLinear's inputs and the ids; 0 if they do not fit, which the nodes one by one say. */
static int take_operands(op_context *c, job *j) {
    struct interpreter *in = c->in;
    const graph_node *head = &in->nodes[c->step->nodes[0]];
    size_t n_scales;
    for (size_t i = 0; i < head->n_inputs; i++) {
        const int32_t value = head->inputs[i];
        in->op_inputs[i] = value >= 0 ? &in->values[value].t : NULL;
        in->op_values[i] = value;
    }
    c->n_inputs = head->n_inputs;
    j->table = &in->values[c->step->fused->a].t;
    j->ids = &in->values[c->step->fused->b].t;
    if (in->values[c->step->fused->b].is_strided) return 0;
    if (j->ids->type != DTYPE_INT64 && j->ids->type != DTYPE_INT32) return 0;
    if (quantized_scales(c, 1, &j->scales, &n_scales) || quantized_zeros(c, 2, j->table->type, n_scales, &j->zeros))
        return 0;
    j->per_row = n_scales != 1;
    for (size_t i = 0; i < tensor_count(j->ids); i++)
        if (row_at(j, i) < 0 || row_at(j, i) >= j->table->dims[0]) return 0;
    return j->table->rank - 1 + j->ids->rank <= TENSOR_MAX_RANK;
}

minnow_status fusion_run_rows(op_context *c, int *handled) {
    minnow_error *const error = c->error;
    int64_t dims[TENSOR_MAX_RANK];
    job j = {.math = c->math, .n = 1};
    int rank = 0;
    c->error = NULL;
    const int fits = take_operands(c, &j);
    c->error = error;
    if (!fits) return MINNOW_OK;
    *handled = 1;
    for (int d = 0; d < j.ids->rank; d++) dims[rank++] = j.ids->dims[d];
    for (int d = 1; d < j.table->rank; d++) j.n *= (size_t)(dims[rank++] = j.table->dims[d]);
    TRY(ops_output(c, 0, DTYPE_FLOAT32, rank, dims));
    j.y = c->outputs[0].data;
    if (j.n) ops_parallel(c, tensor_count(j.ids), 1, j.n, dequantize_rows, &j);
    return MINNOW_OK;
}
