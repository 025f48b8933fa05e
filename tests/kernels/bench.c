/* SPDX-License-Identifier: Apache-2.0
 * Times the case that the loop has just tested. A round times each tier once, and right before it the tier's peak
 * (peak.h); a share is the median of the rounds' quotients, so that a busy machine slows both sides of it. */
#include "run.h"

#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "median.h"
#include "peak.h"

#define ROUNDS 15
/* Seconds that one timing takes at least. A page's clock goes in steps of 1e-4. */
#if defined(__wasm__)
#define SHORTEST 2e-3
#else
#define SHORTEST 4e-5
#endif

/* Seconds of one run, of `times` in a row. */
static double time_runs(const check *run, const check_job *j, const kernels *k, void *out, size_t times) {
    const double start = os_seconds();
    size_t i;
    for (i = 0; i < times; i++) run->kernel->run(j, k, out);
    return (os_seconds() - start) / (double)times;
}

/* How many runs in a row take SHORTEST. */
static size_t times_of(const check *run, const check_job *j, const kernels *k, void *out) {
    size_t times = 1;
    while (times < 1000000 && time_runs(run, j, k, out, times) * (double)times < SHORTEST) times *= 2;
    return times;
}

typedef struct timing {
    double seconds, gmacs, peak, share; /* medians; peak and share 0 where there is none */
} timing;

static timing time_table(const check *run, const check_job *j, const kernels *k, void *out) {
    double seconds[ROUNDS], peaks[ROUNDS], shares[ROUNDS];
    const size_t rounds = k == &kernels_scalar ? 3 : ROUNDS;
    timing t = {0};
    size_t times, i;
    check_fill_output(j, out);
    times = times_of(run, j, k, out);
    for (i = 0; i < rounds; i++) {
        peaks[i] = j->macs > 0.0 ? peak_macs_per_second(k->name) : 0.0;
        check_fill_output(j, out);
        seconds[i] = time_runs(run, j, k, out, times);
        shares[i] = peaks[i] > 0.0 ? j->macs / seconds[i] / peaks[i] : 0.0;
    }
    t.seconds = median(seconds, rounds);
    t.gmacs = j->macs / t.seconds * 1e-9;
    t.peak = median(peaks, rounds) * 1e-9;
    t.share = median(shares, rounds);
    return t;
}

void bench_head(const check *run) {
    fprintf(run->json ? stderr : stdout, "%-18s %-26s %-16s %12s %9s %9s %9s\n", "kernel", "sizes", "tier", "median ns",
            "GMAC/s", "x scalar", "of peak");
}

static void print_timing(const check *run, const check_job *j, const char *tier, const timing *t, double ratio) {
    FILE *table = run->json ? stderr : stdout;
    char sizes[80] = "", share[16] = "-", gmacs[16] = "-";
    size_t i, at = 0;
    for (i = 0; i < CHECK_SIZES && run->kernel->sizes[i] != NULL && at < sizeof sizes; i++)
        at += (size_t)snprintf(sizes + at, sizeof sizes - at, "%s%s %zu", i ? ", " : "", run->kernel->sizes[i],
                               j->c.size[i]);
    if (t->gmacs > 0.0) snprintf(gmacs, sizeof gmacs, "%.1f", t->gmacs);
    if (t->share > 0.0) snprintf(share, sizeof share, "%.0f %%", 100.0 * t->share);
    fprintf(table, "%-18s %-26s %-16s %12.0f %9s %9.1f %9s\n", run->kernel->name, sizes, tier, t->seconds * 1e9, gmacs,
            ratio, share);
    if (!run->json) return;
    printf("{\"kernel\":\"%s\",\"tier\":\"%s\"", run->kernel->name, tier);
    for (i = 0; i < CHECK_SIZES && run->kernel->sizes[i] != NULL; i++)
        printf(",\"%s\":%zu", run->kernel->sizes[i], j->c.size[i]);
    printf(",\"median_ns\":%.1f,\"ratio_to_scalar\":%.3f", t->seconds * 1e9, ratio);
    if (t->gmacs > 0.0) printf(",\"gmacs\":%.2f", t->gmacs);
    if (t->share > 0.0) printf(",\"peak_gmacs\":%.2f,\"share_of_peak\":%.4f", t->peak, t->share);
    printf("}\n");
    fflush(stdout);
}

void bench_job(check *run, const check_job *j, void *out) {
    const timing scalar = time_table(run, j, &kernels_scalar, out);
    size_t i;
    for (i = 0; i < run->n_tables; i++) {
        const kernels *k = run->tables[i];
        timing t = scalar;
        if (!check_wants(run, k) || strstr(k->name, "in C") != NULL) continue; /* instructions in C: for tests alone */
        if (i > 0) t = time_table(run, j, k, out);
        print_timing(run, j, k->name, &t, scalar.seconds / t.seconds);
    }
}
