/* SPDX-License-Identifier: Apache-2.0 */
#include "precision.h"

#include <stdlib.h>
#include <string.h>

#include "run/engine/pool.h"

static const char *const names[] = {"float32", "int8", "binary", "ubinary"};

int cli_precision_from_name(const char *name, cli_precision *out) {
    int i;
    for (i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *out = (cli_precision)i;
        return 1;
    }
    return 0;
}

dtype cli_precision_dtype(cli_precision p) {
    return p == CLI_FLOAT32 ? DTYPE_FLOAT32 : p == CLI_UBINARY ? DTYPE_UINT8 : DTYPE_INT8;
}

size_t cli_precision_elements(cli_precision p, size_t n) {
    return p == CLI_BINARY || p == CLI_UBINARY ? (n + 7) / 8 : n;
}

minnow_status cli_renormalize(float *v, size_t n, minnow_error *error) {
    double *wide = malloc(n * sizeof *wide);
    size_t i;
    if (wide == NULL) return error_set(error, MINNOW_ERROR_MEMORY, "out of memory");
    for (i = 0; i < n; i++) wide[i] = (double)v[i];
    pool_finish(wide, n, 1, v);
    free(wide);
    return MINNOW_OK;
}

/* Half to even, as js/src/vector.js; the product is exact: 24 bits by 7. */
static int8_t to_int8(float x) {
    const double scaled = (double)x * 127.0;
    int below;
    double rest;
    if (!(scaled > -127.0)) return -127; /* NaN too */
    if (scaled > 127.0) return 127;
    below = (int)scaled;
    if (scaled < below) below--;
    rest = scaled - below;
    return (int8_t)(below + (rest > 0.5 || (rest == 0.5 && below % 2 != 0)));
}

static uint8_t to_bits(const float *v, size_t n) {
    unsigned bits = 0, i;
    for (i = 0; i < 8; i++) bits = bits << 1 | (i < n && v[i] > 0);
    return (uint8_t)bits;
}

/* Element i of the quantized vector. */
static int element(cli_precision p, const float *v, size_t n, size_t i) {
    if (p == CLI_INT8) return to_int8(v[i]);
    return (int)to_bits(v + 8 * i, n - 8 * i) - (p == CLI_BINARY ? 128 : 0);
}

void cli_quantize(cli_precision p, const float *v, size_t n, void *out) {
    const size_t n_elements = cli_precision_elements(p, n);
    uint8_t *bytes = out;
    size_t i;
    for (i = 0; i < n_elements; i++) bytes[i] = (uint8_t)element(p, v, n, i);
}

void cli_precision_json(cli_precision p, const float *v, size_t n, cli_buffer *out) {
    const size_t n_elements = cli_precision_elements(p, n);
    size_t i;
    cli_buffer_text(out, "[");
    for (i = 0; i < n_elements; i++) {
        if (i > 0) cli_buffer_text(out, ",");
        if (p == CLI_FLOAT32) cli_buffer_float(out, v[i]);
        else cli_buffer_integer(out, element(p, v, n, i));
    }
    cli_buffer_text(out, "]");
}
