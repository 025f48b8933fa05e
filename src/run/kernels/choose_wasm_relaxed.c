/* SPDX-License-Identifier: Apache-2.0
 * Which of the two relaxed WASM tables is faster here: whether the engine does wasm-relaxed's dot product in one
 * instruction, by its latency. On x86 without AVX-VNNI it does what wasm-relaxed-pairs asks for, which then is the
 * faster one as it keeps its ones; with AVX-VNNI, or on ARM, it takes about half as long. Chains of products, and not
 * the kernels, are timed, for when a module is first asked its engine still runs code that is compiled in haste: there
 * every register is stored and loaded, and kernels say little about how they will run. A chain waits for its products
 * in either code. */
#include "run/kernels/tiers.h"

#include <wasm_simd128.h>

#include "base/os.h"

#define CHAIN 64              /* products, one waiting for the other */
#define SHORTEST 4e-4         /* seconds that a timing takes: a page's clock goes in steps of 1e-4 */
#define MOST_ROUNDS (1 << 14) /* where the clock does not go on at all */

#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 64")
#endif

static volatile int32_t sink; /* a chain's end, so that it is not left out */

static double relaxed_seconds(int rounds) {
    const double start = os_seconds();
    const v128_t u7 = wasm_i8x16_splat(3), sum = wasm_i32x4_splat(5);
    v128_t x = wasm_i32x4_splat(sink);
    int round, i;
    for (round = 0; round < rounds; round++) {
        UNROLLED for (i = 0; i < CHAIN; i++) x = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(x, u7, sum);
    }
    sink = wasm_i32x4_extract_lane(x, 0);
    return os_seconds() - start;
}

static double pairs_seconds(int rounds) {
    const double start = os_seconds();
    const v128_t u7 = wasm_i8x16_splat(3), ones = wasm_i16x8_splat(1), sum = wasm_i32x4_splat(5);
    v128_t x = wasm_i32x4_splat(sink);
    int round, i;
    for (round = 0; round < rounds; round++) {
        UNROLLED for (i = 0; i < CHAIN; i++)
            x = wasm_i32x4_add(wasm_i32x4_dot_i16x8(wasm_i16x8_relaxed_dot_i8x16_i7x16(x, u7), ones), sum);
    }
    sink = wasm_i32x4_extract_lane(x, 0);
    return os_seconds() - start;
}

const kernels *kernels_relaxed_here(void) {
    double relaxed = 0.0, pairs = 0.0;
    int rounds = 64, run;
    while (rounds < MOST_ROUNDS && pairs_seconds(rounds) < SHORTEST) rounds *= 2;
    for (run = 0; run < CHOOSE_RUNS; run++) {
        const double r = relaxed_seconds(rounds), p = pairs_seconds(rounds);
        if (run == 0 || r < relaxed) relaxed = r;
        if (run == 0 || p < pairs) pairs = p;
    }
    /* A clock too coarse to tell leaves wasm-relaxed, whose wrong choice costs less. */
    return pairs > 0.0 && relaxed > 0.75 * pairs ? &kernels_wasm_relaxed_pairs : &kernels_wasm_relaxed;
}
