/* SPDX-License-Identifier: Apache-2.0
 * What check.c, bench.c and main.c share. */
#ifndef MINNOW_TESTS_KERNELS_RUN_H
#define MINNOW_TESTS_KERNELS_RUN_H

#include <stdio.h>

#include "check.h"
#include "../unit/kernel_tables.h"

typedef struct check_count {
    size_t cases, failed;
} check_count;

struct check {
    const kernel_check *kernel;
    const kernels *tables[KERNEL_TABLES + 1]; /* the reference first */
    check_count counts[KERNEL_TABLES + 1];    /* of this kernel */
    size_t n_tables, n_cases;
    uint32_t seed;
    int quick, bench, json;
    const char *tier; /* NULL: all */
};

/* All cases of run->kernel. */
void check_kernel(check *run);
/* Times a job that check_one has prepared, on every table. out: room for its output */
void bench_job(check *run, const check_job *j, void *out);
void bench_head(const check *run);
/* The output's rows, one `stride` behind the other, without what lies behind the last. */
size_t check_output_bytes(const check_job *j);
/* What the output holds before a run. */
void check_fill_output(const check_job *j, uint8_t *out);
/* 1 if --tier names it, or names none */
int check_wants(const check *run, const kernels *k);

#endif
