/* SPDX-License-Identifier: Apache-2.0
 * norm: alone, with a residual, in either's place; with rounded inputs. */
#include "check.h"

/* A case's variant is a place, + ROUNDS if inputs are rounded to 8 bits. */
enum { ALONE, RESIDUAL, IN_PLACE, RESIDUAL_IN_PLACE, IN_PLACE_OF_RESIDUAL, PLACES, ROUNDS = 8 };

typedef struct norm_args {
    const float *x, *residual;
    int8_norm w;
    float epsilon;
    size_t n;
    int place;
} norm_args;

static void prepare_norm(check_job *j) {
    const size_t n = j->c.size[0];
    norm_args *a = check_operand(j, sizeof *a, 64);
    /* Steps may be any finite number. */
    const pattern steps = j->c.w == P_EXTREMES ? P_EXTREMES : P_RANDOM;
    a->n = n;
    a->epsilon = n % 2 ? 0.25f : 1e-12f; /* one that shows, and a model's */
    a->place = j->c.variant % ROUNDS;
    a->x = check_floats(j, n, j->c.x, -3.0f, 4.0f);
    a->residual = a->place == ALONE || a->place == IN_PLACE ? NULL : check_floats(j, n, j->c.w, -3.0f, 4.0f);
    a->w.gamma = check_floats(j, n, P_RANDOM, 0.2f, 2.0f);
    a->w.beta = check_floats(j, n, P_RANDOM, -1.0f, 1.0f);
    a->w.input_multiplier = j->c.variant >= ROUNDS ? check_floats(j, n, P_RANDOM, 5.0f, 50.0f) : NULL;
    a->w.input_step = j->c.variant >= ROUNDS ? check_floats(j, n, steps, 0.02f, 0.2f) : NULL;
    j->args = a;
    j->rows = 1;
    j->columns = j->stride = n;
    j->element = sizeof(float);
    j->initial = a->place == IN_PLACE_OF_RESIDUAL ? a->residual : a->place >= IN_PLACE ? a->x : NULL;
}

static void run_norm(const check_job *j, const kernels *k, void *out) {
    const norm_args *a = j->args;
    const float *x = a->place == IN_PLACE || a->place == RESIDUAL_IN_PLACE ? out : a->x;
    k->norm(x, a->place == IN_PLACE_OF_RESIDUAL ? out : a->residual, &a->w, a->epsilon, a->n, out);
}

static void one(check *run, size_t n, pattern x, pattern w, int variant) {
    check_one(run, (check_case){.size = {n}, .x = x, .w = w, .variant = variant});
}

static void all_variants(check *run, size_t n, pattern x, pattern w) {
    int place;
    for (place = 0; place < PLACES; place++) one(run, n, x, w, place), one(run, n, x, w, place + ROUNDS);
}

static void cases_norm(check *run) {
    size_t n, again;
    int p;
    for (n = 1; n <= 70; n++) {
        all_variants(run, n, P_RANDOM, P_RANDOM);
        for (again = 0; again < 3; again++) all_variants(run, n, P_SPECIAL, P_SPECIAL);
    }
    for (p = 0; p < PATTERNS; p++) {
        all_variants(run, 37, (pattern)p, P_RANDOM);
        all_variants(run, 384, (pattern)p, (pattern)p);
        all_variants(run, 384, P_RANDOM, (pattern)p);
    }
    for (n = 71; n <= 512; n += check_is_quick(run) ? 7 : 1)
        one(run, n, P_RANDOM, P_RANDOM, RESIDUAL + (n % 2 ? ROUNDS : 0));
    for (n = 868; n <= 1600; n += 244) all_variants(run, n, P_RANDOM, P_RANDOM);
    for (n = 0; n < 16; n++) all_variants(run, 384, P_SPECIAL, P_RANDOM); /* at every place of memory */
}
static void bench_norm(check *run) {
    one(run, 384, P_RANDOM, P_RANDOM, IN_PLACE);
    one(run, 384, P_RANDOM, P_RANDOM, RESIDUAL);
}

const kernel_check norm_checks[] = {
    {"norm", {"n"}, cases_norm, bench_norm, prepare_norm, run_norm, NULL, 0},
    {.name = NULL},
};
