/* SPDX-License-Identifier: Apache-2.0
 * If: the outputs of the branch that was taken. The branches' nodes stand in the graph (graph.h): the interpreter has
 * run those of one branch when it comes here. */
#include "convert/interpret/ops/table.h"

minnow_status ops_if(op_context *c) {
    TRY(ops_need(c, 1));
    const tensor *condition = c->inputs[0];
    if (condition->type != DTYPE_BOOL || tensor_count(condition) != 1)
        return error_set(c->error, MINNOW_ERROR_FORMAT, "the condition must be one boolean");
    const int taken = *(const uint8_t *)condition->data != 0;
    const size_t first = taken ? 1 : 1 + c->n_outputs;
    for (size_t i = 0; i < c->n_outputs; i++) {
        if (!ops_has_input(c, first + i))
            return error_set(c->error, MINNOW_ERROR_FORMAT, "%s makes no output %zu",
                             taken ? "then_branch" : "else_branch", i);
        TRY(ops_view(c, i, first + i, c->inputs[first + i]->rank, c->inputs[first + i]->dims));
    }
    return MINNOW_OK;
}
