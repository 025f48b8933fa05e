/* SPDX-License-Identifier: Apache-2.0
 * Tensors of a weights file -> float32 constants of a graph. */
#ifndef MINNOW_CONVERT_IMPORT_WEIGHTS_H
#define MINNOW_CONVERT_IMPORT_WEIGHTS_H

#include "base/arena.h"
#include "convert/import/safetensors.h"

/* How a tensor named `name` is to be stored: rank 1 or 2, these dims. Refuses another shape or a type that is no float,
 * naming the tensor and both shapes. out->data lies in the file where it is float32 and aligned, else in `memory`. */
minnow_status weights_load(tensor *out, const tensor *stored, const char *name, int rank, const int64_t *dims,
                           arena *memory, minnow_error *error);
/* The same for a matrix, transposed: stored [rows, columns] -> out [columns, rows], in `memory`. */
minnow_status weights_load_transposed(tensor *out, const tensor *stored, const char *name, int64_t rows,
                                      int64_t columns, arena *memory, minnow_error *error);

#endif
