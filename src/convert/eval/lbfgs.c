/* SPDX-License-Identifier: Apache-2.0 */
#include "convert/eval/lbfgs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HISTORY 10
#define MAX_HALVINGS 50
#define DECREASE 1e-4 /* of the slope, that a step must bring (Armijo) */

typedef struct lbfgs {
    size_t n, n_pairs, newest;
    double *gradient, *direction, *next_x, *next_gradient;
    double *s[HISTORY], *y[HISTORY]; /* changes of x and of the gradient */
    double rho[HISTORY];             /* 1 / (s y) */
} lbfgs;

static double dot(const double *a, const double *b, size_t n) {
    double p[4] = {0};
    for (size_t i = 0; i < n; i++) p[i % 4] += a[i] * b[i];
    return (p[0] + p[2]) + (p[1] + p[3]);
}

static double largest(const double *v, size_t n) {
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fabs(v[i]) > most ? fabs(v[i]) : most;
    return most;
}

static void add_scaled(double *to, const double *v, double factor, size_t n) {
    for (size_t i = 0; i < n; i++) to[i] += factor * v[i];
}

/* direction = -H gradient, H being what the history knows of the inverse curvature. */
static void find_direction(lbfgs *l) {
    double alpha[HISTORY];
    const size_t n = l->n;
    double *d = l->direction;
    for (size_t i = 0; i < n; i++) d[i] = -l->gradient[i];
    for (size_t i = 0; i < l->n_pairs; i++) {
        const size_t k = (l->newest + HISTORY - i) % HISTORY;
        alpha[k] = l->rho[k] * dot(l->s[k], d, n);
        add_scaled(d, l->y[k], -alpha[k], n);
    }
    if (l->n_pairs > 0) {
        const size_t k = l->newest;
        const double scale = 1 / (l->rho[k] * dot(l->y[k], l->y[k], n));
        for (size_t i = 0; i < n; i++) d[i] *= scale;
    }
    for (size_t i = l->n_pairs; i-- > 0;) {
        const size_t k = (l->newest + HISTORY - i) % HISTORY;
        add_scaled(d, l->s[k], alpha[k] - l->rho[k] * dot(l->y[k], d, n), n);
    }
}

static void remember(lbfgs *l, const double *x) {
    const size_t k = l->n_pairs == 0 ? 0 : (l->newest + 1) % HISTORY;
    double sy, yy;
    for (size_t i = 0; i < l->n; i++) {
        l->s[k][i] = l->next_x[i] - x[i];
        l->y[k][i] = l->next_gradient[i] - l->gradient[i];
    }
    sy = dot(l->s[k], l->y[k], l->n);
    yy = dot(l->y[k], l->y[k], l->n);
    if (!(sy > 1e-14 * yy)) { /* no curvature to be seen: what is known stays, but for the pair that was overwritten */
        if (l->n_pairs == HISTORY) l->n_pairs--;
        return;
    }
    l->rho[k] = 1 / sy;
    l->newest = k;
    if (l->n_pairs < HISTORY) l->n_pairs++;
}

/* One step; 0 if none goes down. */
static int take_step(lbfgs *l, lbfgs_fn function, void *context, double *x, lbfgs_result *r) {
    double slope, step = 1, value;
    find_direction(l);
    slope = dot(l->direction, l->gradient, l->n);
    if (!(slope < 0)) return 0;
    if (l->n_pairs == 0) step = 1 / sqrt(-slope); /* of length 1 */
    for (size_t i = 0; i < MAX_HALVINGS; i++, step /= 2) {
        memcpy(l->next_x, x, l->n * sizeof *x);
        add_scaled(l->next_x, l->direction, step, l->n);
        value = function(context, l->next_x, l->next_gradient);
        r->n_evaluations++;
        if (!(value <= r->value + DECREASE * step * slope)) continue;
        remember(l, x);
        memcpy(x, l->next_x, l->n * sizeof *x);
        memcpy(l->gradient, l->next_gradient, l->n * sizeof *x);
        r->value = value;
        return 1;
    }
    return 0;
}

minnow_status lbfgs_minimize(lbfgs_fn function, void *context, double *x, size_t n, double tolerance,
                             size_t max_iterations, lbfgs_result *result, minnow_error *error) {
    lbfgs l;
    lbfgs_result r;
    double *memory = n > SIZE_MAX / (4 + 2 * HISTORY) ? NULL : calloc(n * (4 + 2 * HISTORY), sizeof *memory);
    if (memory == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    memset(&l, 0, sizeof l);
    memset(&r, 0, sizeof r);
    l.n = n;
    l.gradient = memory;
    l.direction = memory + n;
    l.next_x = memory + 2 * n;
    l.next_gradient = memory + 3 * n;
    for (size_t k = 0; k < HISTORY; k++) {
        l.s[k] = memory + (4 + 2 * k) * n;
        l.y[k] = memory + (5 + 2 * k) * n;
    }
    r.value = function(context, x, l.gradient);
    r.n_evaluations = 1;
    for (;;) {
        r.largest_gradient = largest(l.gradient, n);
        r.converged = r.largest_gradient <= tolerance;
        if (r.converged || r.n_iterations == max_iterations) break;
        if (!take_step(&l, function, context, x, &r)) {
            if (l.n_pairs == 0) break;
            l.n_pairs = 0; /* once more, straight down */
            if (!take_step(&l, function, context, x, &r)) {
                r.converged = 1;
                break;
            }
        }
        r.n_iterations++;
    }
    free(memory);
    if (result != NULL) *result = r;
    return MINNOW_OK;
}
