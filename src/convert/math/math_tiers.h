/* SPDX-License-Identifier: Apache-2.0
 * The table of each tier's file, for dispatch.c. */
#ifndef MINNOW_CONVERT_MATH_TIERS_H
#define MINNOW_CONVERT_MATH_TIERS_H

#include "convert/math/math.h"

extern const math_kernels math_kernels_scalar, math_kernels_unfused_scalar;
#if defined(__x86_64__)
extern const math_kernels math_kernels_avx2, math_kernels_unfused_avx2;
extern const math_kernels math_kernels_avx512, math_kernels_unfused_avx512;
#elif defined(__aarch64__)
extern const math_kernels math_kernels_neon, math_kernels_unfused_neon;
#elif defined(__wasm_simd128__)
extern const math_kernels math_kernels_wasm_simd128;
#endif

#endif
