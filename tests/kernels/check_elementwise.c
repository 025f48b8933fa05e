/* SPDX-License-Identifier: Apache-2.0
 * quantize, gelu. */
#include "check.h"

#include <string.h>

typedef struct elementwise_args {
    const float *x;
    int8_quantizer q; /* of NULLs: the bounds alone */
    float low, high;
    size_t n;
} elementwise_args;

static elementwise_args *prepare_output(check_job *j, size_t element) {
    elementwise_args *a = check_operand(j, sizeof *a, 64);
    memset(a, 0, sizeof *a);
    a->n = j->c.size[0];
    j->args = a;
    j->rows = 1;
    j->columns = j->stride = a->n;
    j->element = element;
    return a;
}

/* --- Quantize ----------------------------------------------------------------------------------------------------- */
typedef enum quantize_variant { BY_CHANNEL, BOUNDS_8, BOUNDS_7, BY_ONE, NOT_FUSED } quantize_variant;

static void fill(float *x, size_t n, float value) {
    while (n-- > 0) x[n] = value;
}

static void prepare_quantize(check_job *j) {
    elementwise_args *a = prepare_output(j, 1);
    const int v = j->c.variant;
    float *x = check_floats(j, a->n, j->c.x, -160.0f, 160.0f), *multiplier = NULL, *offset = NULL;
    if (v != BOUNDS_8 && v != BOUNDS_7) {
        multiplier = check_floats(j, a->n, P_RANDOM, 0.0f, 30.0f);
        offset = check_floats(j, a->n, P_RANDOM, -128.0f, 127.0f);
    }
    if (v == BY_ONE) fill(multiplier, a->n, 1.0f), fill(offset, a->n, -3.0f);
    /* x m = 1 + 2^-11 + 2^-24 rounds to 1 + 2^-11, and the sum is a tie; fused, it would be 0.5 + 2^-24. */
    if (v == NOT_FUSED)
        fill(x, a->n, 1.0f + 0x1p-12f), fill(multiplier, a->n, 1.0f + 0x1p-12f), fill(offset, a->n, -0.5f - 0x1p-11f);
    a->x = x;
    a->q = (int8_quantizer){multiplier, offset};
    a->low = v == BOUNDS_7 ? -64.0f : -128.0f;
    a->high = v == BOUNDS_7 ? 63.0f : 127.0f;
}
static void run_quantize(const check_job *j, const kernels *k, void *out) {
    const elementwise_args *a = j->args;
    k->quantize(a->x, a->q.multiplier, a->q.offset, a->low, a->high, a->n, out);
}

static void one(check *run, size_t n, pattern x, int variant) {
    check_one(run, (check_case){.size = {n}, .x = x, .variant = variant});
}

static void cases_quantize(check *run) {
    const size_t step = check_is_quick(run) ? 5 : 1;
    size_t n, again;
    int v, p;
    for (v = BY_CHANNEL; v <= NOT_FUSED; v++) {
        for (n = 0; n <= 70; n++)
            for (p = 0; p < PATTERNS; p++)
                if (v != NOT_FUSED || p == 0) one(run, n, (pattern)p, v);
        for (n = 71; n <= 512; n += step) one(run, n, n % 3 ? P_RANDOM : P_TIES, v);
        for (again = 0; again < 64 / step; again++) one(run, 384, P_SPECIAL, v); /* at every place of memory */
    }
}
static void bench_quantize(check *run) { one(run, 384, P_RANDOM, BY_CHANNEL), one(run, 1600, P_RANDOM, BY_CHANNEL); }

/* --- GELU --------------------------------------------------------------------------------------------------------- */
#define MAGNITUDES 4096 /* variant v > 0: floats of all magnitudes, the v-th 4096 of 2^32 / 16411 */
#define STABLE (-1)     /* of which GELU makes the same again, for timing */

static void prepare_gelu(check_job *j) {
    elementwise_args *a = prepare_output(j, sizeof(float));
    float *x = check_floats(j, a->n, j->c.x, j->c.variant == STABLE ? 6.0f : -7.0f, 7.0f);
    size_t i;
    for (i = 0; j->c.variant > 0 && i < a->n; i++) {
        const uint32_t bits = ((uint32_t)(j->c.variant - 1) * MAGNITUDES + (uint32_t)i) * 16411u;
        memcpy(&x[i], &bits, sizeof bits);
    }
    j->initial = x;
}
static void run_gelu(const check_job *j, const kernels *k, void *out) {
    k->gelu(out, ((const elementwise_args *)j->args)->n);
}

static void cases_gelu(check *run) {
    const size_t step = check_is_quick(run) ? 9 : 1;
    size_t n;
    int p, v;
    for (n = 0; n <= 70; n++)
        for (p = 0; p < PATTERNS; p++) one(run, n, (pattern)p, 0);
    for (n = 71; n <= 512; n += step) one(run, n, n % 2 ? P_RANDOM : P_SPECIAL, 0);
    for (v = 1; v <= 64; v += (int)step) one(run, MAGNITUDES, P_RANDOM, v);
}
static void bench_gelu(check *run) { one(run, 1600, P_RANDOM, STABLE); }

const kernel_check elementwise_checks[] = {
    {"quantize", {"n"}, cases_quantize, bench_quantize, prepare_quantize, run_quantize, NULL, 0},
    {"gelu", {"n"}, cases_gelu, bench_gelu, prepare_gelu, run_gelu, NULL, 0},
    {.name = NULL},
};
