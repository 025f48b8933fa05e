/* SPDX-License-Identifier: Apache-2.0
 * Run-time kernels: which table this machine gets. */
#include "run/kernels/kernels.h"

#include <stdatomic.h>

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
#elif defined(CPU_TIERS_WASM)
    case CPU_TIER_WASM_SIMD128: return &kernels_wasm_simd128;
#if defined(__wasm_relaxed_simd__)
    case CPU_TIER_WASM_RELAXED_PAIRS: return &kernels_wasm_relaxed_pairs;
    case CPU_TIER_WASM_RELAXED: return &kernels_wasm_relaxed;
#endif
#endif
    default: return NULL;
    }
}

#if defined(CPU_TIERS_X86) || defined(CPU_TIERS_ARM) || defined(CPU_TIERS_WASM)
/* Tiers of which either may be the faster: wide vectors slow some processors down, and smmla needs its operands zipped.
 * -1 if there is none. */
static int rival_of(cpu_tier tier) {
    switch (tier) {
    case CPU_TIER_AVX512: return CPU_TIER_AVX2;
    case CPU_TIER_AVX512VNNI: return CPU_TIER_AVXVNNI;
    case CPU_TIER_NEON_I8MM: return CPU_TIER_NEON_DOTPROD;
    default: return -1;
    }
}

static const kernels *choose(void) {
    const cpu_tier tier = cpu_best_tier();
    const kernels *usual = kernels_for_tier((int)tier), *rival = kernels_for_tier(rival_of(tier));
    if (usual == NULL) return &kernels_scalar;
#if defined(__wasm_relaxed_simd__)
    if (cpu_forced_tier() < 0) return kernels_relaxed_here();
#endif
    return rival != NULL && cpu_forced_tier() < 0 ? kernels_quicker_here(usual, rival) : usual;
}
#else
static const kernels *choose(void) { return &kernels_scalar; }
#endif

const kernels *kernels_best(void) {
    static _Atomic(const kernels *) kept;
    const kernels *best = atomic_load_explicit(&kept, memory_order_acquire), *none = NULL;
    if (cpu_forced_tier() >= 0) return choose();
    if (best != NULL) return best;
    best = choose();
    /* Of threads that come at once, the first has its way. */
    return atomic_compare_exchange_strong(&kept, &none, best) ? best : none;
}
