/* SPDX-License-Identifier: Apache-2.0
 * The tables of run-time kernels that this machine can run, beside the reference: every file of src/run/kernels, also
 * those that dispatch passes over here. */
#ifndef MINNOW_TESTS_KERNEL_TABLES_H
#define MINNOW_TESTS_KERNEL_TABLES_H

#include "base/cpu.h"
#include "run/kernels/tiers.h"

#define KERNEL_TABLES (CPU_TIER_COUNT + 2)

#if defined(__x86_64__)
extern const kernels kernels_avxvnni_evex; /* avxvnni_avx512vnni.c */
extern const kernels kernels_amx_in_c;     /* amx_avx512vnni.c */
#endif

/* Fills tables; returns how many there are. */
static inline size_t kernel_tables(const kernels *tables[KERNEL_TABLES]) {
    size_t n = 0;
    int tier;
    for (tier = CPU_TIER_SCALAR + 1; tier < CPU_TIER_COUNT; tier++)
        if (cpu_has_tier((cpu_tier)tier)) tables[n++] = kernels_for_tier(tier);
#if defined(__x86_64__)
    if (cpu_has_tier(CPU_TIER_AVX512VNNI)) {
        tables[n++] = &kernels_avxvnni_evex;
        tables[n++] = &kernels_amx_in_c;
    }
#endif
    return n;
}

#endif
