/* SPDX-License-Identifier: Apache-2.0
 * What quantized operators share: scales and zero points as they come in, checked. */
#ifndef MINNOW_CONVERT_INTERPRET_OPS_QUANTIZED_H
#define MINNOW_CONVERT_INTERPRET_OPS_QUANTIZED_H

#include "convert/interpret/ops/ops.h"

static inline int quantized_is_byte(dtype type) { return type == DTYPE_INT8 || type == DTYPE_UINT8; }
/* Finite and above zero. */
static inline int quantized_is_scale(float scale) { return scale > 0 && scale <= 3.40282347e38f; }

/* Finite and above zero, in float32; n of them. float16 and bfloat16 scales are converted. */
minnow_status quantized_scales(op_context *c, size_t input, const float **out, size_t *n);
/* Zero points of input `input`, n of them, of type `type`, as int32; left out: *out NULL. */
minnow_status quantized_zeros(op_context *c, size_t input, dtype type, size_t n, const int32_t **out);
/* One scale; one zero point, 0 if left out. */
minnow_status quantized_scale(op_context *c, size_t input, float *out);
minnow_status quantized_zero(op_context *c, size_t input, dtype type, int32_t *out);

/* The range of codes of an 8- or 16-bit type; 0 if it is no such type. */
int quantized_range(dtype type, int32_t *least, int32_t *largest);

/* Codes and their scale as DynamicQuantizeLinear defines them: uint8, the range of x stretched to hold 0. codes[count]
 * of x. */
minnow_status quantized_dynamically(op_context *c, const tensor *x, uint8_t *codes, float *scale, uint8_t *zero);

/* y = codes of x [n], one scale and zero point, 8-bit types; split between threads. */
void quantized_codes(const op_context *c, const float *x, float scale, int32_t zero, dtype type, uint8_t *y, size_t n);
/* y = (x - zero) * scale. */
void quantized_floats(const op_context *c, const uint8_t *x, dtype type, float scale, int32_t zero, float *y, size_t n);

#endif
