/* SPDX-License-Identifier: Apache-2.0
 * What the processor and the operating system allow, as named tiers. A tier is a set of instructions that a kernel
 * file is compiled for; every tier gives the same bits, so the choice is one of speed alone. */
#ifndef MINNOW_BASE_CPU_H
#define MINNOW_BASE_CPU_H

/* Whose tiers this build has. MINNOW_MINIMAL, the smallest library, has none: portable C, one thread, no files; but WASM
 * is that library, and has those that a module is compiled for. */
#if defined(__wasm_simd128__)
#define CPU_TIERS_WASM 1
#elif !defined(MINNOW_MINIMAL) && defined(__x86_64__)
#define CPU_TIERS_X86 1
#elif !defined(MINNOW_MINIMAL) && defined(__aarch64__)
#define CPU_TIERS_ARM 1
#endif

typedef enum cpu_tier {
    CPU_TIER_SCALAR = 0,   /* portable C */
    CPU_TIER_AVX2,         /* x86-64: AVX2 + FMA */
    CPU_TIER_AVXVNNI,      /* AVX2's, and byte products of 256 bits (AVX-VNNI) */
    CPU_TIER_AVX512,       /* x86-64: AVX-512 F, BW, DQ, VL */
    CPU_TIER_AVX512VNNI,   /* AVX512's, and byte products (AVX512-VNNI) */
    CPU_TIER_AMX,          /* AVX512VNNI's, and tiles (AMX-INT8), where Linux gives leave */
    CPU_TIER_NEON,         /* AArch64 */
    CPU_TIER_NEON_DOTPROD, /* NEON's, and byte products (Armv8.2 and FEAT_DotProd: sdot) */
    CPU_TIER_NEON_I8MM,    /* NEON_DOTPROD's, and byte products of 2 x 8 by 8 x 2 (FEAT_I8MM: smmla) */
    CPU_TIER_WASM_SIMD128, /* WASM: SIMD128 */
    CPU_TIER_WASM_RELAXED_PAIRS, /* relaxed SIMD, for engines on x86 without AVX-VNNI */
    CPU_TIER_WASM_RELAXED,       /* relaxed SIMD: byte products in one instruction */
    CPU_TIER_COUNT
} cpu_tier;

/* 1 if this machine (CPUID and XCR0, or Linux's HWCAP) and this build have the tier. CPU_TIER_SCALAR is always
 * there; in WASM, so is what the module is compiled for, or the engine would not have taken it. */
int cpu_has_tier(cpu_tier tier);
/* The tier that has the same instructions but for products of bytes, which none but the integer kernels gain by: AVX2
 * for AVXVNNI, AVX512 for AVX512VNNI and AMX, NEON for NEON_*, WASM_SIMD128 for WASM_*, else the tier itself. Where a
 * tier is, its base is too. */
cpu_tier cpu_base_tier(cpu_tier tier);
/* The fastest tier there is, or the one that cpu_force_tier set. */
cpu_tier cpu_best_tier(void);
/* For tests and `MINNOW_ISA` in the CLI. Returns 0 if the tier is not there. Not thread-safe: call it first. */
int cpu_force_tier(cpu_tier tier);
int cpu_forced_tier(void); /* -1 if none is */
/* "scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "amx", "neon", "neon-dotprod", "neon-i8mm", "wasm-simd128",
 * "wasm-relaxed-pairs", "wasm-relaxed"; and back (-1 if unknown). */
const char *cpu_tier_name(cpu_tier tier);
int cpu_tier_from_name(const char *name);
/* Processors this process may use, at least 1. */
unsigned cpu_count(void);

#endif
