/* SPDX-License-Identifier: Apache-2.0
 * The calling thread's floating-point modes: put aside, set to the default, put back. The same bytes everywhere need
 * rounding to nearest, denormals kept (no FTZ, DAZ or FZ) and no traps, whatever the caller has set. The flags that
 * arithmetic raises on the way go with the modes.
 *
 *   x86-64   MXCSR      AArch64   FPCR      elsewhere   nothing: there is one mode (WASM), or C's own is left alone
 *
 * Memory is clobbered, so that no load or store of a number moves across. */
#ifndef MINNOW_BASE_FPENV_H
#define MINNOW_BASE_FPENV_H

#include <stdint.h>

typedef struct fpenv {
    uint64_t modes;
} fpenv;

static inline fpenv fpenv_get(void) {
    fpenv e = {0};
#if defined(__x86_64__)
    uint32_t mxcsr;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr) : : "memory");
    e.modes = mxcsr;
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, fpcr" : "=r"(e.modes) : : "memory");
#endif
    return e;
}

static inline void fpenv_set(fpenv e) {
#if defined(__x86_64__)
    const uint32_t mxcsr = (uint32_t)e.modes;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr) : "memory");
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(e.modes) : "memory");
#endif
    (void)e;
}

/* Sets the default and returns what was set before. */
static inline fpenv fpenv_enter(void) {
    const fpenv before = fpenv_get();
#if defined(__x86_64__)
    const fpenv standard = {0x1f80}; /* all exceptions masked, round to nearest */
#else
    const fpenv standard = {0};
#endif
    fpenv_set(standard);
    return before;
}

#endif
