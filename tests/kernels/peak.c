/* SPDX-License-Identifier: Apache-2.0
 * Which peak a table of kernels has. */
#include "peak.h"

#include <string.h>

#include "base/os.h"

typedef struct tier_peak {
    const char *table;
    double (*run)(size_t rounds);
} tier_peak;

static const tier_peak peaks[] = {
#if defined(__x86_64__)
    {"avx2", peak_avx2},
    {"avxvnni", peak_avxvnni},
    {"avxvnni (EVEX)", peak_avx512vnni_256},
    {"avx512", peak_avx512},
    {"avx512vnni", peak_avx512vnni},
#if defined(__linux__)
    {"amx", peak_amx},
#endif
#elif defined(__aarch64__)
    {"neon", peak_neon},
    {"neon-dotprod", peak_neon_dotprod},
    {"neon-i8mm", peak_neon_i8mm},
#endif
    {NULL, NULL},
};

double peak_macs_per_second(const char *table) {
    size_t i, rounds = 512;
    for (i = 0; peaks[i].table != NULL; i++) {
        if (strcmp(peaks[i].table, table) != 0) continue;
        for (;; rounds *= 2) { /* until it takes long enough to be timed */
            const double start = os_seconds(), macs = peaks[i].run(rounds), seconds = os_seconds() - start;
            if (seconds > 3e-5) return macs / seconds;
        }
    }
    return 0.0;
}
