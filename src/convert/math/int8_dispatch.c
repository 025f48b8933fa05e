/* SPDX-License-Identifier: Apache-2.0
 * Products of 8-bit integers: which tier's table this machine gets. */
#include "convert/math/int8.h"

#include "base/cpu.h"
#include "convert/math/int8_tiers.h"

const int8_kernels *int8_for_tier(int tier) {
    if (tier < 0 || tier >= CPU_TIER_COUNT || !cpu_has_tier((cpu_tier)tier)) return NULL;
    switch ((cpu_tier)tier) {
    case CPU_TIER_SCALAR: return &int8_kernels_scalar;
#if defined(__x86_64__)
    case CPU_TIER_AVX2: return &int8_kernels_avx2;
    case CPU_TIER_AVXVNNI: return &int8_kernels_avxvnni;
    case CPU_TIER_AVX512: return &int8_kernels_avx512;
    case CPU_TIER_AVX512VNNI: case CPU_TIER_AMX: return &int8_kernels_avx512vnni;
#elif defined(__aarch64__)
    case CPU_TIER_NEON: case CPU_TIER_NEON_DOTPROD: case CPU_TIER_NEON_I8MM: return &int8_kernels_neon;
#elif defined(__wasm_simd128__)
    case CPU_TIER_WASM_SIMD128: case CPU_TIER_WASM_RELAXED_PAIRS: case CPU_TIER_WASM_RELAXED:
        return &int8_kernels_wasm_simd128;
#endif
    default: return NULL;
    }
}

const int8_kernels *int8_best(void) {
    const int8_kernels *best = int8_for_tier((int)cpu_best_tier());
    return best != NULL ? best : &int8_kernels_scalar;
}
