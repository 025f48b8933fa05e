/* SPDX-License-Identifier: Apache-2.0
 * ONNX bytes <-> graph. */
#ifndef MINNOW_CONVERT_ONNX_H
#define MINNOW_CONVERT_ONNX_H

#include "convert/graph/graph.h"

#define ONNX_OPSET_MIN 11 /* of the default domain */
#define ONNX_OPSET_MAX 23
#define ONNX_IR_MIN 3
#define ONNX_IR_MAX 13

/* Reads a ModelProto. Tensor data is used in place where it is aligned, so `data` must outlive the graph. Resolves
 * nodes' opset versions, sorts, and infers nothing. External data is refused unless `folder` is given, and then found
 * beneath it. Messages name the place (byte offset, or node or tensor by name), not the file. docs/ONNX.md says what
 * is read. */
minnow_status onnx_read(graph **out, const uint8_t *data, size_t bytes, const char *folder, minnow_error *error);
/* The same for memory that is the graph's alone and may be written, so that a model is in memory once: initializers
 * that are not aligned are moved to where they are, over what stood before them and has been read. No external data. */
minnow_status onnx_read_owned(graph **out, uint8_t *data, size_t bytes, minnow_error *error);
/* Maps the file and reads it; the graph owns the map. Messages begin with the path. `external_data` 1: allow files
 * beneath the model's folder. */
minnow_status onnx_open(graph **out, const char *path, int external_data, minnow_error *error);
/* Writes a graph; deterministic bytes. Tensors over 2 GiB in all are refused (protobuf's limit). */
minnow_status onnx_write(const graph *g, const char *path, minnow_error *error);
/* The same into a file that is being written already (whatever its stream is); messages do not name it. */
minnow_status onnx_write_into(const graph *g, file_writer *file, minnow_error *error);

#endif
