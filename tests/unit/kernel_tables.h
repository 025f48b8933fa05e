/* SPDX-License-Identifier: Apache-2.0
 * The tables of run-time kernels that this machine can run, beside the reference: every file of src/run/kernels, also
 * those that dispatch passes over here. */
#ifndef MINNOW_TESTS_KERNEL_TABLES_H
#define MINNOW_TESTS_KERNEL_TABLES_H

#include "base/cpu.h"
#include "run/kernels/tiers.h"

#define KERNEL_TABLES 3

/* Fills tables; returns how many there are. */
static inline size_t kernel_tables(const kernels *tables[KERNEL_TABLES]) {
    size_t n = 0;
#if defined(__x86_64__)
    if (cpu_has_tier(CPU_TIER_AVX2)) tables[n++] = &kernels_avx2;
    if (cpu_has_tier(CPU_TIER_AVX512)) tables[n++] = &kernels_avx512;
    if (cpu_has_avx512vnni()) tables[n++] = &kernels_avx512vnni;
#elif defined(__aarch64__)
    tables[n++] = &kernels_neon;
#else
    (void)tables;
#endif
    return n;
}

#endif
