/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"

#include <stdatomic.h>
#include <string.h>

#if defined(MINNOW_MINIMAL)
#elif defined(_WIN32)
#include <windows.h>
#else
#include <sched.h>
#include <unistd.h>
#endif
#if defined(CPU_TIERS_X86) && defined(__linux__)
#include <sys/syscall.h>
#endif
#if defined(CPU_TIERS_ARM) && defined(__linux__)
#include <sys/auxv.h>
#endif

#if defined(CPU_TIERS_X86)
#include <cpuid.h>

/* The register state that the operating system saves (XCR0): AVX needs bits 1 and 2, AVX-512 bits 5 to 7 as well. */
static unsigned saved_states(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* Linux saves tiles only for a process that asks: ARCH_REQ_XCOMP_PERM, the state's number in XCR0. */
static int allow_tiles(void) {
#if defined(__linux__)
    return (saved_states() & 0x60000) == 0x60000 && syscall(SYS_arch_prctl, 0x1023, 18) == 0;
#else
    return 0;
#endif
}

static int find_tier(cpu_tier tier) {
    const unsigned osxsave = 1u << 27, avx = 1u << 28, fma = 1u << 12, f16c = 1u << 29;
    const unsigned avx2 = 1u << 5, avx512f = 1u << 16, avx512dq = 1u << 17, avx512bw = 1u << 30, avx512vl = 1u << 31;
    const unsigned avx512vnni = 1u << 11, avxvnni = 1u << 4; /* of leaf 7's ECX; of its subleaf 1's EAX */
    const unsigned amx_tile = 1u << 24, amx_int8 = 1u << 25, amx = amx_tile | amx_int8; /* of leaf 7's EDX */
    const unsigned base = osxsave | avx | fma | f16c, wide = avx512f | avx512dq | avx512bw | avx512vl;
    unsigned a, b, c, d, last_subleaf, b7, c7, d7;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & base) != base) return 0;
    if (!__get_cpuid_count(7, 0, &last_subleaf, &b7, &c7, &d7) || !(b7 & avx2)) return 0;
    switch (tier) {
    case CPU_TIER_AVX2: return (saved_states() & 0x6) == 0x6;
    case CPU_TIER_AVXVNNI:
        if (last_subleaf < 1 || !__get_cpuid_count(7, 1, &a, &b, &c, &d)) return 0;
        return (a & avxvnni) != 0 && (saved_states() & 0x6) == 0x6;
    case CPU_TIER_AVX512: return (b7 & wide) == wide && (saved_states() & 0xe6) == 0xe6;
    case CPU_TIER_AVX512VNNI: return find_tier(CPU_TIER_AVX512) && (c7 & avx512vnni) != 0;
    case CPU_TIER_AMX: return find_tier(CPU_TIER_AVX512VNNI) && (d7 & amx) == amx && allow_tiles();
    default: return 0;
    }
}
#elif defined(CPU_TIERS_ARM)
/* The files are compiled for Armv8.2 with an extension or two. getauxval says what Linux allows; its bits are part of
 * its ABI, and older headers lack some names. */
static int find_tier(cpu_tier tier) {
#if defined(__linux__)
    const unsigned long crc32 = 1ul << 7, atomics = 1ul << 8, asimdrdm = 1ul << 12, asimddp = 1ul << 20;
    const unsigned long i8mm2 = 1ul << 13, armv8_2_dotprod = crc32 | atomics | asimdrdm | asimddp;
    const int dotprod = (getauxval(AT_HWCAP) & armv8_2_dotprod) == armv8_2_dotprod;
    const int i8mm = dotprod && (getauxval(AT_HWCAP2) & i8mm2) != 0;
#else /* what the whole build asks for */
#if defined(__ARM_FEATURE_DOTPROD)
    const int dotprod = 1;
#else
    const int dotprod = 0;
#endif
#if defined(__ARM_FEATURE_DOTPROD) && defined(__ARM_FEATURE_MATMUL_INT8)
    const int i8mm = 1;
#else
    const int i8mm = 0;
#endif
#endif
    switch (tier) {
    case CPU_TIER_NEON: return 1;
    case CPU_TIER_NEON_DOTPROD: return dotprod;
    case CPU_TIER_NEON_I8MM: return i8mm;
    default: return 0;
    }
}
#elif defined(CPU_TIERS_WASM)
static int find_tier(cpu_tier tier) {
#if defined(__wasm_relaxed_simd__)
    if (tier == CPU_TIER_WASM_RELAXED || tier == CPU_TIER_WASM_RELAXED_PAIRS) return 1;
#endif
    return tier == CPU_TIER_WASM_SIMD128;
}
#else
static int find_tier(cpu_tier tier) {
    (void)tier;
    return 0;
}
#endif

/* CPUID leaves a virtual machine each time (tens of microseconds), so answers are kept: 0 not asked yet, 1 no, 2
 * yes. */
int cpu_has_tier(cpu_tier tier) {
    static atomic_char known[CPU_TIER_COUNT];
    int answer;
    if ((unsigned)tier >= CPU_TIER_COUNT) return 0;
    answer = atomic_load_explicit(&known[tier], memory_order_relaxed);
    if (answer == 0) {
        answer = 1 + (tier == CPU_TIER_SCALAR || find_tier(tier));
        atomic_store_explicit(&known[tier], (char)answer, memory_order_relaxed);
    }
    return answer - 1;
}

static int forced_tier = -1;

/* Of one kind of processor, the later the faster. */
cpu_tier cpu_best_tier(void) {
    int tier;
    if (forced_tier >= 0) return (cpu_tier)forced_tier;
    for (tier = CPU_TIER_COUNT - 1; tier > CPU_TIER_SCALAR; tier--)
        if (cpu_has_tier((cpu_tier)tier)) break;
    return (cpu_tier)tier;
}

int cpu_force_tier(cpu_tier tier) {
    if (!cpu_has_tier(tier)) return 0;
    forced_tier = (int)tier;
    return 1;
}

int cpu_forced_tier(void) { return forced_tier; }

static const struct {
    const char *name;
    cpu_tier base;
} tiers[CPU_TIER_COUNT] = {
    [CPU_TIER_SCALAR] = {"scalar", CPU_TIER_SCALAR},
    [CPU_TIER_AVX2] = {"avx2", CPU_TIER_AVX2},
    [CPU_TIER_AVXVNNI] = {"avxvnni", CPU_TIER_AVX2},
    [CPU_TIER_AVX512] = {"avx512", CPU_TIER_AVX512},
    [CPU_TIER_AVX512VNNI] = {"avx512vnni", CPU_TIER_AVX512},
    [CPU_TIER_AMX] = {"amx", CPU_TIER_AVX512},
    [CPU_TIER_NEON] = {"neon", CPU_TIER_NEON},
    [CPU_TIER_NEON_DOTPROD] = {"neon-dotprod", CPU_TIER_NEON},
    [CPU_TIER_NEON_I8MM] = {"neon-i8mm", CPU_TIER_NEON},
    [CPU_TIER_WASM_SIMD128] = {"wasm-simd128", CPU_TIER_WASM_SIMD128},
    [CPU_TIER_WASM_RELAXED_PAIRS] = {"wasm-relaxed-pairs", CPU_TIER_WASM_SIMD128},
    [CPU_TIER_WASM_RELAXED] = {"wasm-relaxed", CPU_TIER_WASM_SIMD128},
};

cpu_tier cpu_base_tier(cpu_tier tier) { return (unsigned)tier < CPU_TIER_COUNT ? tiers[tier].base : CPU_TIER_SCALAR; }

const char *cpu_tier_name(cpu_tier tier) { return (unsigned)tier < CPU_TIER_COUNT ? tiers[tier].name : "unknown"; }

int cpu_tier_from_name(const char *name) {
    int i;
    for (i = 0; i < CPU_TIER_COUNT; i++)
        if (strcmp(name, tiers[i].name) == 0) return i;
    return -1;
}

unsigned cpu_count(void) {
#if defined(MINNOW_MINIMAL)
    return 1;
#elif defined(_WIN32)
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwNumberOfProcessors > 0 ? (unsigned)info.dwNumberOfProcessors : 1;
#else
    long n;
#if defined(__linux__)
    cpu_set_t set; /* respects taskset and containers' cpusets */
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return (unsigned)CPU_COUNT(&set);
#endif
    n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
#endif
}
