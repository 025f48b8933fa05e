/* SPDX-License-Identifier: Apache-2.0
 * The chains of nodes that run as one step, found by their shape in the graph:
 *
 *   linear:   MatMul(x, W)  [+ bias]  [gelu]  [+ residual]         W constant
 *   scores:   MatMul(q, k)  [* or / scalar]  [+ mask]  [Softmax]   at least one of the three
 *   context:  MatMul(p, v)  Transpose(keeps the last axis)
 *   gelu:     x * (erf(x / sqrt 2) + 1) * 0.5
 *   integer:  MatMulInteger(x, W)  Cast  * scale  [+ bias]  [gelu]  [+ residual]
 *             MatMulIntegerToFloat(x, W, ...)     [+ bias]  [gelu]  [+ residual]
 *   rows:     Gather(DequantizeLinear(table), ids)
 *
 * Values inside a chain have no other reader and are no outputs of the graph. */
#ifndef MINNOW_CONVERT_INTERPRET_FUSION_MATCH_H
#define MINNOW_CONVERT_INTERPRET_FUSION_MATCH_H

#include "convert/interpret/interpreter_impl.h"

#define FUSION_NOBODY UINT32_MAX
#define FUSION_LONGEST 10

/* Who reads a value. */
typedef struct fusion_reader {
    uint32_t count;
    uint32_t first, second; /* nodes; FUSION_NOBODY */
} fusion_reader;

typedef struct fusion_matcher {
    const struct interpreter *in;
    const graph *g;
    fusion_reader *readers;
    uint8_t *taken; /* per node: in a chain */
    uint32_t chain[FUSION_LONGEST];
    size_t n_chain;
} fusion_matcher;

/* The chain that begins at `node`, if there is one: m->chain and *f. */
int fusion_match(fusion_matcher *m, uint32_t node, fusion *f);

#endif
