/* SPDX-License-Identifier: Apache-2.0
 * The most multiply-accumulates of bytes that a tier's instructions allow on this machine, measured: a loop of
 * independent products of what is in registers. What loads, stores and the rest of a kernel cost is its distance from
 * that. peak_<tier>.c have the loops. */
#ifndef MINNOW_TESTS_KERNELS_PEAK_H
#define MINNOW_TESTS_KERNELS_PEAK_H

#include <stddef.h>

/* By the name of a table of kernels; 0 where there is no such peak: the reference, instructions written in C. Takes
 * about 50 microseconds. */
double peak_macs_per_second(const char *table);

/* Each runs `rounds` rounds of its loop and returns how many multiply-accumulates they were. */
double peak_avx2(size_t rounds);
double peak_avxvnni(size_t rounds);
double peak_avx512(size_t rounds);
double peak_avx512vnni(size_t rounds);
double peak_avx512vnni_256(size_t rounds); /* AVX-VNNI's product in AVX-512's encoding */
double peak_amx(size_t rounds);
double peak_neon(size_t rounds);
double peak_neon_dotprod(size_t rounds);
double peak_neon_i8mm(size_t rounds);

#if defined(__clang__)
#define PEAK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PEAK_UNROLL _Pragma("GCC unroll 32")
#endif
/* The compiler may know nothing about a register's value, so that it neither moves nor drops what made it. */
#if defined(__aarch64__)
#define PEAK_KEEP(x) __asm__ volatile("" : "+w"(x))
#elif defined(__AVX512F__)
#define PEAK_KEEP(x) __asm__ volatile("" : "+v"(x))
#else
#define PEAK_KEEP(x) __asm__ volatile("" : "+x"(x))
#endif

/* `chains` sums s[i] = step(s[i], a, b), none of which waits for another. */
#define PEAK_LOOP(vector, chains, zero, step)                        \
    do {                                                             \
        vector s_[chains], a = zero, b = zero;                       \
        size_t r_, i_;                                               \
        PEAK_KEEP(b);                                                \
        PEAK_UNROLL for (i_ = 0; i_ < (chains); i_++) s_[i_] = zero; \
        for (r_ = 0; r_ < rounds; r_++) {                            \
            PEAK_UNROLL for (i_ = 0; i_ < (chains); i_++) {          \
                PEAK_KEEP(a);                                        \
                s_[i_] = step(s_[i_], a, b);                         \
                PEAK_KEEP(s_[i_]);                                   \
            }                                                        \
        }                                                            \
    } while (0)

#endif
