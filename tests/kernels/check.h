/* SPDX-License-Identifier: Apache-2.0
 * One loop that tests and times every run-time kernel (src/run/kernels/kernels.h) against the reference.
 *
 *   kernel_check   a kernel: which cases it has, what a case's operands are, how it is called   check_<family>.c
 *   check_case     sizes, patterns of operands                                                 said by the kernel
 *   check_job      one case with its operands in memory                                        made by check.c
 *
 *     for each kernel, for each case:   prepare operands; expected = reference
 *         for each tier:                out = guards; run; compare to the bit; guards and operands must be unchanged
 *                                       --bench: the same, then times it (bench.c)
 *
 * Every buffer lies between guard bytes, off its alignment by another number of bytes from case to case; with
 * AddressSanitizer it ends where its memory ends. A kernel is added by a line in its family's table, and a function
 * that calls it. */
#ifndef MINNOW_TESTS_KERNELS_CHECK_H
#define MINNOW_TESTS_KERNELS_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "run/kernels/kernels.h"

#define CHECK_SIZES 5

/* What an operand holds. Codes have no special values and no ties: they are random then. */
typedef enum pattern {
    P_RANDOM,
    P_SMALLEST,
    P_LARGEST,
    P_ALTERNATING, /* smallest and largest in turns */
    P_EXTREMES,    /* smallest or largest, at random */
    P_ZEROS,
    P_SPECIAL,     /* NaN, infinities, denormals, -0, halves, and numbers of all sizes between them */
    P_TIES,        /* halves, which rounding takes to even */
    PATTERNS
} pattern;

typedef struct check_case {
    size_t size[CHECK_SIZES]; /* named by the kernel_check */
    pattern x, w;             /* of the input, of the other operands */
    int variant;              /* the kernel's own */
} check_case;

typedef struct check_job {
    check_case c;
    uint32_t random;      /* state; the same for a case whatever else is run */
    /* Said by prepare: */
    void *args;           /* what run needs */
    size_t rows, columns, stride; /* of the output, in elements */
    size_t element;       /* bytes: 1, a code, or 4, a float */
    const void *initial;  /* what the output holds before, [rows][columns]; NULL: guards */
    double macs;          /* multiply-accumulates; 0: none to speak of */
    struct check_buffer *buffers;
} check_job;

typedef struct check check;
typedef struct kernel_check {
    const char *name, *sizes[CHECK_SIZES];
    void (*cases)(check *run);  /* calls check_one for each */
    void (*bench)(check *run);  /* the same at the shapes of all-MiniLM-L6-v2 */
    void (*prepare)(check_job *j);
    void (*run)(const check_job *j, const kernels *k, void *out);
    void (*expect)(const check_job *j, void *out); /* NULL: run by the reference; else the reference is tested too */
    int may_be_nan; /* an output that is NaN; which one is of no account */
} kernel_check;

/* Each ends with a name that is NULL. */
extern const kernel_check linear_checks[], elementwise_checks[], norm_checks[], attention_checks[];

void check_one(check *run, check_case c);
int check_is_quick(const check *run); /* emulated or sanitized: fewer sizes are enough */

/* --- For prepare -------------------------------------------------------------------------------------------------- */
/* An operand of `bytes` bytes, off MEMORY_ALIGNMENT by a multiple of `alignment`. Lives as long as the job. */
void *check_operand(check_job *j, size_t bytes, size_t alignment);
/* The same, but the kernel may write to it. */
void *check_scratch(check_job *j, size_t bytes);
int8_t *check_codes(check_job *j, size_t n, pattern p);
float *check_floats(check_job *j, size_t n, pattern p, float low, float high); /* random: between low and high */

uint32_t check_random(check_job *j);
float check_between(check_job *j, float low, float high);
int8_t check_code(check_job *j, pattern p, size_t i);

#endif
