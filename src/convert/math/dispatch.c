/* SPDX-License-Identifier: Apache-2.0
 * Float arithmetic of the build-time half: which tier's table this machine gets. */
#include "convert/math/math.h"

#include "base/cpu.h"
#include "convert/math/math_tiers.h"

const math_kernels *math_for_tier(int tier) {
    if (tier < 0 || tier >= CPU_TIER_COUNT || !cpu_has_tier((cpu_tier)tier)) return NULL;
    switch (cpu_base_tier((cpu_tier)tier)) {
    case CPU_TIER_SCALAR: return &math_kernels_scalar;
#if defined(__x86_64__)
    case CPU_TIER_AVX2: return &math_kernels_avx2;
    case CPU_TIER_AVX512: return &math_kernels_avx512;
#elif defined(__aarch64__)
    case CPU_TIER_NEON: return &math_kernels_neon;
#elif defined(__wasm_simd128__)
    case CPU_TIER_WASM_SIMD128: return &math_kernels_wasm_simd128;
#endif
    default: return NULL;
    }
}

const math_kernels *math_unfused_for_tier(int tier) {
    if (tier < 0 || tier >= CPU_TIER_COUNT || !cpu_has_tier((cpu_tier)tier)) return NULL;
    switch (cpu_base_tier((cpu_tier)tier)) {
#if defined(__wasm__) /* has no other */
    case CPU_TIER_WASM_SIMD128: return math_for_tier(tier);
#else
    case CPU_TIER_SCALAR: return &math_kernels_unfused_scalar;
#endif
#if defined(__x86_64__)
    case CPU_TIER_AVX2: return &math_kernels_unfused_avx2;
    case CPU_TIER_AVX512: return &math_kernels_unfused_avx512;
#elif defined(__aarch64__)
    case CPU_TIER_NEON: return &math_kernels_unfused_neon;
#endif
    default: return NULL;
    }
}

const math_kernels *math_unfused(void) {
    const math_kernels *best = math_unfused_for_tier((int)cpu_best_tier());
#if defined(__wasm__)
    return best != NULL ? best : math_best();
#else
    return best != NULL ? best : &math_kernels_unfused_scalar;
#endif
}

const math_kernels *math_best(void) {
    const math_kernels *best = math_for_tier((int)cpu_best_tier());
    return best != NULL ? best : &math_kernels_scalar;
}
