/* SPDX-License-Identifier: Apache-2.0
 * The least value of a function of two ends: a coarse look everywhere, then a fine one along each axis in turn. */
#include "convert/calibrate/ranges_impl.h"

#define COARSE_STEPS ((size_t)32)
#define MAX_ROUNDS 8

typedef struct searcher {
    range_objective_fn objective;
    const void *context;
    size_t low, high;
    double best;
} searcher;

static int try_at(searcher *s, size_t low, size_t high) {
    const double value = s->objective(s->context, low, high);
    if (!(value < s->best)) return 0;
    s->best = value;
    s->low = low;
    s->high = high;
    return 1;
}

/* Wide first, so that a narrower one must be better. */
static void look_coarsely(searcher *s, size_t n_low, size_t n_high) {
    const size_t low_steps = n_low < COARSE_STEPS ? n_low : COARSE_STEPS;
    const size_t high_steps = n_high < COARSE_STEPS ? n_high : COARSE_STEPS;
    size_t i, j;
    for (i = low_steps + 1; i-- > 0;)
        for (j = high_steps + 1; j-- > 0;)
            try_at(s, low_steps ? n_low * i / low_steps : 0, high_steps ? n_high * j / high_steps : 0);
}

static int look_along(searcher *s, size_t n_low, size_t n_high) {
    int better = 0;
    size_t i;
    for (i = n_high + 1; i-- > 0;) better |= try_at(s, s->low, i);
    for (i = n_low + 1; i-- > 0;) better |= try_at(s, i, s->high);
    return better;
}

void range_search(range_objective_fn objective, const void *context, size_t n_low, size_t n_high, size_t *low,
                  size_t *high) {
    searcher s = {objective, context, n_low, n_high, objective(context, n_low, n_high)};
    int round;
    look_coarsely(&s, n_low, n_high);
    for (round = 0; round < MAX_ROUNDS && look_along(&s, n_low, n_high);) round++;
    *low = s.low;
    *high = s.high;
}
