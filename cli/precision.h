/* SPDX-License-Identifier: Apache-2.0
 * What --dimensions and --precision make of a vector, by sentence-transformers' conventions:
 *
 *   --dimensions D   the first D numbers, scaled to length 1 again (Matryoshka)
 *   int8             round(127 x), half to even, one byte a number; for vectors of length 1
 *   ubinary          a bit a number, 1 where x > 0, the first number in the highest bit, as bytes 0 to 255
 *   binary           the same bytes minus 128, as -128 to 127 */
#ifndef MINNOW_CLI_PRECISION_H
#define MINNOW_CLI_PRECISION_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "buffer.h"
#include "convert/graph/tensor.h"

typedef enum cli_precision { CLI_FLOAT32, CLI_INT8, CLI_BINARY, CLI_UBINARY } cli_precision;

/* 0 if there is no such name. */
int cli_precision_from_name(const char *name, cli_precision *out);
/* Of the .npy file, and how many of them a vector of n numbers becomes. */
dtype cli_precision_dtype(cli_precision p);
size_t cli_precision_elements(cli_precision p, size_t n);

/* Keeps the first n numbers' direction: scales them to length 1 (unless all are 0). */
minnow_status cli_renormalize(float *v, size_t n, minnow_error *error);
/* float32 [n] -> bytes [cli_precision_elements(p, n)]; p is not float32. `out` may be v. */
void cli_quantize(cli_precision p, const float *v, size_t n, void *out);
/* The same as a JSON array. */
void cli_precision_json(cli_precision p, const float *v, size_t n, cli_buffer *out);

#endif
