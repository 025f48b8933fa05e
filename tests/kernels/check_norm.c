/* SPDX-License-Identifier: Apache-2.0
 * norm: alone, with a residual, in either's place; with rounded inputs. norm_codes, which has two outputs: its floats
 * are one check, its codes another. */
#include "check.h"

#include <string.h>

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

/* --- norm_codes --------------------------------------------------------------------------------------------------- */
/* The variant: 1 if inputs are rounded, 2 more if there is no quantizer. */
typedef struct norm_codes_args {
    norm_args norm; /* x: [rows, n] */
    size_t rows;
    int8_quantizer q;
    int with_codes;
    float *floats; /* a place for the output that this check does not look at, or NULL */
    int8_t *codes;
} norm_codes_args;

static norm_codes_args *prepare_both(check_job *j) {
    const size_t rows = j->c.size[0], n = j->c.size[1];
    norm_codes_args *a = check_operand(j, sizeof *a, 64);
    a->rows = rows;
    a->norm.n = n;
    a->norm.epsilon = n % 2 ? 0.25f : 1e-12f;
    a->norm.x = check_floats(j, rows * n, j->c.x, -3.0f, 4.0f);
    a->norm.w.gamma = check_floats(j, n, P_RANDOM, 0.2f, 2.0f);
    a->norm.w.beta = check_floats(j, n, P_RANDOM, -1.0f, 1.0f);
    a->norm.w.input_multiplier = j->c.variant % 2 ? check_floats(j, n, P_RANDOM, 5.0f, 50.0f) : NULL;
    a->norm.w.input_step = j->c.variant % 2 ? check_floats(j, n, P_RANDOM, 0.02f, 0.2f) : NULL;
    a->q.multiplier = check_floats(j, n, j->c.w, 10.0f, 80.0f);
    a->q.offset = check_floats(j, n, j->c.w, -30.0f, 30.0f);
    a->with_codes = j->c.variant < 2;
    a->floats = NULL;
    a->codes = NULL;
    j->args = a;
    j->rows = rows;
    j->columns = j->stride = n;
    return a;
}

static void prepare_norm_codes_floats(check_job *j) {
    norm_codes_args *a = prepare_both(j);
    a->codes = a->with_codes ? check_scratch(j, a->rows * a->norm.n) : NULL;
    j->element = sizeof(float);
    j->initial = a->norm.x;
}

static void run_norm_codes_floats(const check_job *j, const kernels *k, void *out) {
    const norm_codes_args *a = j->args;
    k->norm_codes(out, a->rows, &a->norm.w, a->norm.epsilon, a->with_codes ? &a->q : NULL, a->norm.n, a->codes);
}

static void prepare_norm_codes(check_job *j) {
    norm_codes_args *a = prepare_both(j);
    a->floats = check_scratch(j, a->rows * a->norm.n * sizeof(float));
    j->element = sizeof(int8_t);
}

static void run_norm_codes(const check_job *j, const kernels *k, void *out) {
    const norm_codes_args *a = j->args;
    memcpy(a->floats, a->norm.x, a->rows * a->norm.n * sizeof(float));
    k->norm_codes(a->floats, a->rows, &a->norm.w, a->norm.epsilon, &a->q, a->norm.n, out);
}

static void rows_of(check *run, size_t rows, size_t n, pattern x, pattern w, int variant) {
    check_one(run, (check_case){.size = {rows, n}, .x = x, .w = w, .variant = variant});
}

static void each_case(check *run, int variants) {
    static const size_t widths[] = {1, 4, 15, 16, 17, 24, 31, 32, 48, 100, 384, 400, 1600};
    size_t i, rows;
    int p, v;
    for (v = 0; v < variants; v++) {
        for (i = 0; i < sizeof widths / sizeof *widths; i++)
            for (rows = 1; rows <= 9; rows++) rows_of(run, rows, widths[i], P_RANDOM, P_RANDOM, v);
        for (p = 0; p < PATTERNS; p++) {
            rows_of(run, 5, 384, (pattern)p, (pattern)p, v);
            rows_of(run, 4, 37, (pattern)p, P_RANDOM, v);
            rows_of(run, 3, 384, P_RANDOM, (pattern)p, v);
        }
        rows_of(run, 8, 384, P_SPECIAL, P_RANDOM, v);
        rows_of(run, check_is_quick(run) ? 33 : 97, 384, P_RANDOM, P_RANDOM, v);
    }
}
static void cases_norm_codes(check *run) { each_case(run, 2); }
static void cases_norm_codes_floats(check *run) { each_case(run, 4); }
static void bench_norm_codes(check *run) { rows_of(run, 32, 384, P_RANDOM, P_RANDOM, 0); }

#define ROWS_SIZES {"rows", "n"}
const kernel_check norm_checks[] = {
    {"norm_codes", ROWS_SIZES, cases_norm_codes, bench_norm_codes, prepare_norm_codes, run_norm_codes, NULL, 0},
    {"norm_codes_floats", ROWS_SIZES, cases_norm_codes_floats, bench_norm_codes, prepare_norm_codes_floats,
     run_norm_codes_floats, NULL, 0},
    {"norm", {"n"}, cases_norm, bench_norm, prepare_norm, run_norm, NULL, 0},
    {.name = NULL},
};
