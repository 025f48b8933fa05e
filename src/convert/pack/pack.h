/* SPDX-License-Identifier: Apache-2.0
 * INT8 model -> .minnow bytes. docs/FORMAT.md describes them; run/model reads them. */
#ifndef MINNOW_CONVERT_PACK_H
#define MINNOW_CONVERT_PACK_H

#include "run/model/model.h"

/* Writes all of it, whole or not at all; deterministic bytes. `t` is the tokenizer's data. */
minnow_status pack_write(const int8_model *m, const tokenizer_config *t, const char *path, minnow_error *error);
/* The same into memory (malloc'd, 64-byte aligned: free with memory_aligned_free). */
minnow_status pack_bytes(const int8_model *m, const tokenizer_config *t, uint8_t **out, size_t *bytes,
                         minnow_error *error);

#endif
