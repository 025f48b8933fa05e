/* SPDX-License-Identifier: Apache-2.0
 * Float arithmetic, the tier of math_scalar.c without fused multiply-add: the bits of WASM. */
#define MATH_UNFUSED 1
#include "convert/math/math_scalar.c"
