/* SPDX-License-Identifier: Apache-2.0
 * Shape inference: a graph's declared inputs -> type and extents of every value that can be known without running. */
#ifndef MINNOW_CONVERT_SHAPES_INFER_H
#define MINNOW_CONVERT_SHAPES_INFER_H

#include "convert/graph/graph.h"

/* Fills type, rank and dims of every value that can be known from the inputs' declared shapes; folds what is constant
 * where shapes depend on it (Shape, Gather, Concat, Constant ...). Symbols are kept through operators that keep a
 * dimension. What cannot be known stays unknown: no error. Contradictions (MatMul of 384 by 512) are errors. */
minnow_status graph_infer_shapes(graph *g, minnow_error *error);

#endif
