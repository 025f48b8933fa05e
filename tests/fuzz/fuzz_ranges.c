/* SPDX-License-Identifier: Apache-2.0
 * Any bytes -> ranges_read; what it accepts gives sane scales, and every method finds a range in its histograms.
 * Covers: src/convert/calibrate/ranges_read.c */
#include <stdlib.h>
#include <string.h>

#include "convert/calibrate/ranges.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(ranges *r) {
    range_options options = {.method = RANGE_MSE};
    minnow_error error;
    size_t i;
    for (i = 0; i < r->n_sites; i++) {
        float scale;
        int zero;
        range_scale(&r->sites[i], &scale, &zero);
        if (!(scale > 0) || zero < r->sites[i].low_code || zero > r->sites[i].high_code) abort();
    }
    if (r->n_sites > 14) return;
    for (i = RANGE_MINMAX; i < RANGE_METHODS; i++) {
        options.method = (range_method)i;
        if (ranges_choose(r, NULL, NULL, &options, &error) != MINNOW_OK) abort();
        for (size_t k = 0; k < r->n_sites; k++)
            if (!(r->sites[k].low < r->sites[k].high && r->sites[k].low <= 0 && r->sites[k].high >= 0)) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    minnow_error error;
    ranges *r;
    if (ranges_read(&r, (const char *)data, size, &error) == MINNOW_OK) {
        use(r);
        ranges_close(&r);
    } else if (r != NULL || error.message[0] == '\0' || strchr(error.message, '\n') != NULL) {
        abort();
    }
    return 0;
}
