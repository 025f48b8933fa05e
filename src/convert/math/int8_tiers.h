/* SPDX-License-Identifier: Apache-2.0
 * The table of each tier's file, for int8_dispatch.c. */
#ifndef MINNOW_CONVERT_INT8_TIERS_H
#define MINNOW_CONVERT_INT8_TIERS_H

#include "convert/math/int8.h"

extern const int8_kernels int8_kernels_scalar;
#if defined(__x86_64__)
extern const int8_kernels int8_kernels_avx2;
extern const int8_kernels int8_kernels_avxvnni;
extern const int8_kernels int8_kernels_avx512;
extern const int8_kernels int8_kernels_avx512vnni;
#elif defined(__aarch64__)
extern const int8_kernels int8_kernels_neon;
#elif defined(__wasm_simd128__)
extern const int8_kernels int8_kernels_wasm_simd128;
#endif

#endif
