/* SPDX-License-Identifier: Apache-2.0
 * onnxruntime's fused operators taken apart: what its optimizers saved -> the operators of ONNX that mean the same. */
#ifndef MINNOW_CONVERT_OPTIMIZE_UNFUSE_H
#define MINNOW_CONVERT_OPTIMIZE_UNFUSE_H

#include "convert/graph/graph.h"

/* *out is NULL if nothing is fused; else a graph of its own that reads g's constants and attributes, so that g must
 * outlive it. Fused nodes that cannot be taken apart stay as they are, for the matching to name. g must be sorted, its
 * shapes inferred. */
minnow_status unfuse(graph **out, const graph *g, minnow_error *error);

#endif
