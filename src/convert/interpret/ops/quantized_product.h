/* SPDX-License-Identifier: Apache-2.0
 * Products of 8-bit matrices as fused chains begin with them: everything but where the result goes. */
#ifndef MINNOW_CONVERT_INTERPRET_OPS_QUANTIZED_PRODUCT_H
#define MINNOW_CONVERT_INTERPRET_OPS_QUANTIZED_PRODUCT_H

#include "convert/interpret/integer_product.h"

/* MatMulInteger: inputs a, b, a_zero, b_zero. */
minnow_status quantized_plan_sums(op_context *c, integer_product *p, int *rank, int64_t *dims);
/* MatMulIntegerToFloat: inputs a, b, a_scale, b_scale, a_zero, b_zero, bias. */
minnow_status quantized_plan_floats(op_context *c, integer_product *p, int *rank, int64_t *dims);
/* QAttention: inputs a, b, bias, a_scale, b_scale, a mask that is not read, a_zero, b_zero. */
minnow_status quantized_plan_attention(op_context *c, integer_product *p, int *rank, int64_t *dims);

#endif
