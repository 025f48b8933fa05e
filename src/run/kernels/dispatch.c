/* SPDX-License-Identifier: Apache-2.0
 * Run-time kernels: which table this machine gets. */
#include "run/kernels/kernels.h"

#include "base/cpu.h"
#include "run/kernels/tiers.h"

const kernels *kernels_for_tier(int tier) {
    if (tier < 0 || tier >= CPU_TIER_COUNT || !cpu_has_tier((cpu_tier)tier)) return NULL;
    switch ((cpu_tier)tier) {
    case CPU_TIER_SCALAR: return &kernels_scalar;
#if defined(CPU_TIERS_X86)
    case CPU_TIER_AVX2: return &kernels_avx2;
    case CPU_TIER_AVXVNNI: return &kernels_avxvnni;
    case CPU_TIER_AVX512: return &kernels_avx512;
    case CPU_TIER_AVX512VNNI: return &kernels_avx512vnni;
#if defined(__linux__)
    case CPU_TIER_AMX: return &kernels_amx;
#endif
#elif defined(CPU_TIERS_ARM)
    case CPU_TIER_NEON: return &kernels_neon;
    case CPU_TIER_NEON_DOTPROD: return &kernels_neon_dotprod;
    case CPU_TIER_NEON_I8MM: return &kernels_neon_i8mm;
#endif
    default: return NULL;
    }
}

const kernels *kernels_best(void) {
    const kernels *best = kernels_for_tier((int)cpu_best_tier());
    return best != NULL ? best : &kernels_scalar;
}
