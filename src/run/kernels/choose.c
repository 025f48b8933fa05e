/* SPDX-License-Identifier: Apache-2.0
 * Which of two tables of kernels is faster on this machine, by timing. They give the same bits, so a wrong choice costs
 * time alone. */
#include "run/kernels/tiers.h"

#include <stdalign.h>
#include <string.h>

#include "base/os.h"

const kernels *kernels_quicker(const kernels *usual, const kernels *rival, kernels_seconds_fn seconds, void *context) {
    double best_usual = 0.0, best_rival = 0.0;
    int run;
    for (run = 0; run < CHOOSE_RUNS; run++) {
        const double a = seconds(context, usual), b = seconds(context, rival);
        if (run == 0 || a < best_usual) best_usual = a;
        if (run == 0 || b < best_rival) best_rival = b;
    }
    return best_rival < best_usual * 0.875 ? rival : usual;
}

#define ROWS 24    /* whole tiles of every tier */
#define INPUTS 256
#define OUTPUTS 48

typedef struct trial {
    alignas(64) uint8_t panels[OUTPUTS * INPUTS];
    float scale[OUTPUTS], bias[OUTPUTS], y[ROWS * OUTPUTS];
    int8_t x[ROWS * INPUTS];
} trial;

static double linear_seconds(void *context, const kernels *k) {
    trial *t = context;
    const int8_matrix w = {.n = OUTPUTS, .k = INPUTS, .panels = t->panels, .scale = t->scale, .bias = t->bias};
    const double start = os_seconds();
    k->linear(t->x, ROWS, &w, t->y);
    return os_seconds() - start;
}

const kernels *kernels_quicker_here(const kernels *usual, const kernels *rival) {
    trial t;
    memset(&t, 1, sizeof t); /* a small number, whatever its type */
    return kernels_quicker(usual, rival, linear_seconds, &t);
}
