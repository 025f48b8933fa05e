/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"

#include <stdatomic.h>
#include <string.h>

#if defined(_WIN32)
#include <windows.h>
#else
#include <sched.h>
#include <unistd.h>
#endif

#if defined(__x86_64__)
#include <cpuid.h>

/* The register state that the operating system saves (XCR0): AVX needs bits 1 and 2, AVX-512 bits 5 to 7 as well. */
static unsigned saved_states(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static int x86_find(cpu_tier tier) {
    const unsigned osxsave = 1u << 27, avx = 1u << 28, fma = 1u << 12, f16c = 1u << 29;
    const unsigned avx2 = 1u << 5, avx512f = 1u << 16, avx512dq = 1u << 17, avx512bw = 1u << 30, avx512vl = 1u << 31;
    const unsigned base = osxsave | avx | fma | f16c, wide = avx512f | avx512dq | avx512bw | avx512vl;
    unsigned a, b, c, d, b7, c7;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & base) != base) return 0;
    if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d) || !(b7 & avx2)) return 0;
    if (tier == CPU_TIER_AVX2) return (saved_states() & 0x6) == 0x6;
    return (b7 & wide) == wide && (saved_states() & 0xe6) == 0xe6;
}

static int x86_find_avx512vnni(void) {
    const unsigned avx512vnni = 1u << 11;
    unsigned a, b, c, d;
    return x86_find(CPU_TIER_AVX512) && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & avx512vnni) != 0;
}

/* CPUID leaves a virtual machine each time (tens of microseconds), so answers are kept: 0 not asked yet, 1 no, 2 yes.
 * `what`: a tier, or CPU_TIER_COUNT for AVX512-VNNI. */
static int x86_has(int what) {
    static atomic_char known[CPU_TIER_COUNT + 1];
    int answer = atomic_load_explicit(&known[what], memory_order_relaxed);
    if (answer == 0) {
        answer = 1 + (what == CPU_TIER_COUNT ? x86_find_avx512vnni() : x86_find((cpu_tier)what));
        atomic_store_explicit(&known[what], (char)answer, memory_order_relaxed);
    }
    return answer - 1;
}
#endif

int cpu_has_tier(cpu_tier tier) {
    switch (tier) {
    case CPU_TIER_SCALAR: return 1;
#if defined(__x86_64__)
    case CPU_TIER_AVX2:
    case CPU_TIER_AVX512: return x86_has((int)tier);
#elif defined(__aarch64__)
    case CPU_TIER_NEON: return 1;
#endif
    default: return 0;
    }
}

int cpu_has_avx512vnni(void) {
#if defined(__x86_64__)
    return x86_has(CPU_TIER_COUNT);
#else
    return 0;
#endif
}

static int forced_tier = -1;

cpu_tier cpu_best_tier(void) {
    if (forced_tier >= 0) return (cpu_tier)forced_tier;
    if (cpu_has_tier(CPU_TIER_AVX512)) return CPU_TIER_AVX512;
    if (cpu_has_tier(CPU_TIER_AVX2)) return CPU_TIER_AVX2;
    if (cpu_has_tier(CPU_TIER_NEON)) return CPU_TIER_NEON;
    return CPU_TIER_SCALAR;
}

int cpu_force_tier(cpu_tier tier) {
    if (!cpu_has_tier(tier)) return 0;
    forced_tier = (int)tier;
    return 1;
}

static const char *const tier_names[CPU_TIER_COUNT] = {"scalar", "avx2", "avx512", "neon"};

const char *cpu_tier_name(cpu_tier tier) { return (unsigned)tier < CPU_TIER_COUNT ? tier_names[tier] : "unknown"; }

int cpu_tier_from_name(const char *name) {
    int i;
    for (i = 0; i < CPU_TIER_COUNT; i++)
        if (strcmp(name, tier_names[i]) == 0) return i;
    return -1;
}

unsigned cpu_count(void) {
#if defined(_WIN32)
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
