/* SPDX-License-Identifier: Apache-2.0
 * Run-time kernels, AVX-512 with VNNI: 16 lanes. In: codes and floats. Out: those of ref.c. */
#include "run/kernels/tiers.h"

#include <string.h>

#include "run/kernels/verbs_avx512.h"

#define TILE_ROWS 8 /* 24 accumulators, 3 vectors of weights and 1 of codes in 32 registers */
#define TILE_PANELS 3
#define TIER(name) name##_avx512vnni
#define TIER_NAME "avx512vnni"

/* sum + the products of 4 bytes a lane */
static inline vi vi_dot(vi sum, vi u7, vi s8) { return _mm512_dpbusd_epi32(sum, u7, s8); }

/* The same; compilers leave its place among others of its kind. */
#define VI_DOT_IN_ORDER(sum, u7, s8) __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(u7), "v"(s8))

#define LINEAR_HEADER "run/kernels/linear_meanwhile.h" /* has linear_block_of */
#include "run/kernels/kernels_impl.h"
