/* SPDX-License-Identifier: Apache-2.0
 * The phases of calibration and quantization: a bar each, and how long each took. */
#include <string.h>

#include "base/os.h"
#include "quantize_source.h"

static void end_phase(quantize_progress *p) {
    const double seconds = os_seconds() - p->started;
    size_t i = 0;
    cli_progress_end(&p->bar);
    while (i < p->n_phases && strcmp(p->phases[i].name, p->phase) != 0) i++;
    if (i == p->n_phases && i < QUANTIZE_MAX_PHASES) {
        p->phases[i].name = p->phase;
        p->n_phases++;
    }
    if (i < QUANTIZE_MAX_PHASES) p->phases[i].seconds += seconds;
    p->phase = NULL;
}

void quantize_progress_update(void *progress, const char *phase, uint64_t done, uint64_t total) {
    quantize_progress *p = progress;
    if (p->phase == NULL || strcmp(p->phase, phase) != 0) {
        if (p->phase != NULL) end_phase(p);
        p->phase = phase;
        p->started = os_seconds();
        cli_progress_begin(&p->bar, phase, "", total);
    }
    cli_progress_update(&p->bar, done);
}

void quantize_progress_end(quantize_progress *p) {
    if (p->phase != NULL) end_phase(p);
}

double quantize_progress_seconds(const quantize_progress *p) {
    double sum = 0;
    size_t i;
    for (i = 0; i < p->n_phases; i++) sum += p->phases[i].seconds;
    return sum;
}

void quantize_progress_print(const quantize_progress *p) {
    size_t i;
    for (i = 0; i < p->n_phases; i++)
        printf("%s%s %.1f s", i > 0 ? ", " : "", p->phases[i].name, p->phases[i].seconds);
}

void quantize_progress_print_json(const quantize_progress *p) {
    size_t i;
    putchar('{');
    for (i = 0; i < p->n_phases; i++) {
        if (i > 0) putchar(',');
        cli_json_string(stdout, p->phases[i].name, strlen(p->phases[i].name));
        printf(":%.3f", p->phases[i].seconds);
    }
    putchar('}');
}
