/* SPDX-License-Identifier: Apache-2.0
 * The tables of the files of this folder, for dispatch.c and the tests, and what they share. */
#ifndef MINNOW_RUN_KERNELS_TIERS_H
#define MINNOW_RUN_KERNELS_TIERS_H

#include "base/cpu.h"
#include "run/kernels/kernels.h"

#define NORM_PARTIALS 16
#define NORM_LIMIT 1e15f
#define ATTENTION_QUERIES 16 /* at most, whose scores lie in the scratch memory at once */

/* choose.c: which of two. `seconds` times one run; each gets CHOOSE_RUNS, in turns, and its quickest counts. The rival
 * must be faster by an eighth: near ties go to `usual`, so that a machine does not change its mind. */
#define CHOOSE_RUNS 5
typedef double (*kernels_seconds_fn)(void *context, const kernels *k);
const kernels *kernels_quicker(const kernels *usual, const kernels *rival, kernels_seconds_fn seconds, void *context);
/* The same, by a small linear layer: some 20 microseconds in all with VNNI, 50 without. */
const kernels *kernels_quicker_here(const kernels *usual, const kernels *rival);

extern const kernels kernels_scalar; /* ref.c */
#if defined(CPU_TIERS_X86)
extern const kernels kernels_avx2;
extern const kernels kernels_avxvnni;
extern const kernels kernels_avx512;
extern const kernels kernels_avx512vnni;
#if defined(__linux__)
extern const kernels kernels_amx; /* other systems' leave to use it is not known here */
#endif
#elif defined(CPU_TIERS_ARM)
extern const kernels kernels_neon;
extern const kernels kernels_neon_dotprod;
extern const kernels kernels_neon_i8mm;
#elif defined(CPU_TIERS_WASM)
extern const kernels kernels_wasm_simd128;
#if defined(__wasm_relaxed_simd__)
extern const kernels kernels_wasm_relaxed_pairs;
extern const kernels kernels_wasm_relaxed;
/* choose_wasm_relaxed.c: which of the two, by some 5 milliseconds of timing. */
const kernels *kernels_relaxed_here(void);
#endif
#endif

#endif
