/* SPDX-License-Identifier: Apache-2.0
 * What the processor and the operating system allow, as named tiers. A tier is a set of instructions that a kernel
 * file is compiled for; every tier gives the same bits, so the choice is one of speed alone. */
#ifndef MINNOW_BASE_CPU_H
#define MINNOW_BASE_CPU_H

typedef enum cpu_tier {
    CPU_TIER_SCALAR = 0, /* portable C */
    CPU_TIER_AVX2,       /* x86-64: AVX2 + FMA */
    CPU_TIER_AVX512,     /* x86-64: AVX-512 F, BW, DQ, VL */
    CPU_TIER_NEON,       /* AArch64 */
    CPU_TIER_COUNT
} cpu_tier;

/* 1 if this machine (CPUID and XCR0) and this build have the tier. CPU_TIER_SCALAR is always there. */
int cpu_has_tier(cpu_tier tier);
/* 1 if the AVX-512 tier's machine has the byte products too (AVX512-VNNI, vpdpbusd): no tier of its own, since only the
 * integer kernels gain by it. 0 without that tier. */
int cpu_has_avx512vnni(void);
/* The fastest tier there is, or the one that cpu_force_tier set. */
cpu_tier cpu_best_tier(void);
/* For tests and `MINNOW_ISA` in the CLI. Returns 0 if the tier is not there. Not thread-safe: call it first. */
int cpu_force_tier(cpu_tier tier);
/* "scalar", "avx2", "avx512", "neon"; and back (-1 if unknown). */
const char *cpu_tier_name(cpu_tier tier);
int cpu_tier_from_name(const char *name);
/* Processors this process may use, at least 1. */
unsigned cpu_count(void);

#endif
