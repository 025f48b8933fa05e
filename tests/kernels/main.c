/* SPDX-License-Identifier: Apache-2.0
 * Tests every kernel of every tier that this machine has against the reference, or times them. The last line is what
 * scripts/run-tests.sh counts: a test is one kernel in one tier. */
#include <stdlib.h>
#include <string.h>

#include "run.h"

static const kernel_check *const families[] = {linear_checks, elementwise_checks, norm_checks, attention_checks};
#define FAMILIES (sizeof families / sizeof families[0])

static const char usage[] =
    "usage: check_kernels [--tier NAME] [--kernel NAME] [--seed N] [--bench] [--json] [--list]\n"
    "  --tier, --kernel   these alone (--list names them)\n"
    "  --bench            times them at the shapes of all-MiniLM-L6-v2, one thread\n"
    "  --json             JSON lines on stdout, and what else would be there on stderr\n";

typedef struct options {
    const char *kernel;
    unsigned long seed;
    int list;
} options;

/* 1 if the arguments make sense. */
static int parse(int argc, char **argv, check *run, options *o) {
    int i;
    for (i = 1; i < argc; i++) {
        const int more = i + 1 < argc;
        if (strcmp(argv[i], "--tier") == 0 && more) run->tier = argv[++i];
        else if (strcmp(argv[i], "--kernel") == 0 && more) o->kernel = argv[++i];
        else if (strcmp(argv[i], "--seed") == 0 && more) o->seed = strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--bench") == 0) run->bench = 1;
        else if (strcmp(argv[i], "--json") == 0) run->json = 1;
        else if (strcmp(argv[i], "--list") == 0) o->list = 1;
        else return 0;
    }
    return 1;
}

static void list(const check *run) {
    const kernel_check *k;
    size_t i;
    for (i = 0; i < FAMILIES; i++)
        for (k = families[i]; k->name != NULL; k++) printf("kernel %s\n", k->name);
    for (i = 0; i < run->n_tables; i++) printf("tier %s\n", run->tables[i]->name);
}

static void report(const check *run, size_t *passed, size_t *failed) {
    size_t t;
    for (t = 0; t < run->n_tables; t++) {
        const check_count *c = &run->counts[t];
        if (c->cases == 0 && c->failed == 0) continue;
        *passed += c->failed == 0;
        *failed += c->failed > 0;
        if (run->json && !run->bench)
            printf("{\"kernel\":\"%s\",\"tier\":\"%s\",\"cases\":%zu,\"failed\":%zu}\n", run->kernel->name,
                   run->tables[t]->name, c->cases, c->failed);
        else if (!run->bench || c->failed > 0)
            fprintf(run->json ? stderr : stdout, "%-20s %-16s %6zu cases%s", run->kernel->name, run->tables[t]->name,
                    c->cases, c->failed > 0 ? "" : "\n");
        if (c->failed > 0) fprintf(run->json ? stderr : stdout, ", %zu FAILED\n", c->failed);
    }
    fflush(stdout);
}

int main(int argc, char **argv) {
    check run = {.tables = {&kernels_scalar}};
    options o = {.seed = 1};
    size_t i, passed = 0, failed = 0;
    run.n_tables = 1 + kernel_tables(run.tables + 1);
    if (!parse(argc, argv, &run, &o)) return fputs(usage, stderr), 2;
    run.seed = (uint32_t)o.seed;
    run.quick = getenv("MINNOW_TEST_EMULATED") != NULL;
    if (o.list) return list(&run), 0;
    if (run.bench) bench_head(&run);
    for (i = 0; i < FAMILIES; i++)
        for (run.kernel = families[i]; run.kernel->name != NULL; run.kernel++) {
            if (o.kernel != NULL && strcmp(o.kernel, run.kernel->name) != 0) continue;
            check_kernel(&run);
            report(&run, &passed, &failed);
        }
    if (passed + failed == 0) fprintf(stderr, "check_kernels: no such kernel or tier here\n");
    fprintf(run.json ? stderr : stdout, "%zu passed, %zu failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
