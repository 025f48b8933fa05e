/* SPDX-License-Identifier: Apache-2.0
 * Numbers -> text, without stdio: a vector has hundreds of them and a corpus has millions of vectors. */
#include "buffer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cli_buffer_free(cli_buffer *b) {
    free(b->data);
    memset(b, 0, sizeof *b);
}

char *cli_buffer_reserve(cli_buffer *b, size_t n) {
    if (b->failed) return NULL;
    if (n > b->capacity - b->bytes) {
        size_t capacity = b->capacity < 256 ? 256 : b->capacity;
        char *data;
        while (capacity - b->bytes < n && capacity <= SIZE_MAX / 4) capacity *= 2;
        data = capacity - b->bytes < n ? NULL : realloc(b->data, capacity);
        if (data == NULL) {
            b->failed = 1;
            return NULL;
        }
        b->data = data;
        b->capacity = capacity;
    }
    return b->data + b->bytes;
}

void cli_buffer_add(cli_buffer *b, const void *data, size_t n) {
    char *at = cli_buffer_reserve(b, n);
    if (at == NULL || n == 0) return;
    memcpy(at, data, n);
    b->bytes += n;
}

void cli_buffer_text(cli_buffer *b, const char *text) { cli_buffer_add(b, text, strlen(text)); }

size_t cli_format_integer(char *out, int64_t value) {
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char digits[20];
    size_t n = 0, used = 0;
    do {
        digits[n++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) out[used++] = '-';
    while (n > 0) out[used++] = digits[--n];
    out[used] = '\0';
    return used;
}

void cli_buffer_integer(cli_buffer *b, int64_t value) {
    char *at = cli_buffer_reserve(b, CLI_NUMBER_BYTES);
    if (at != NULL) b->bytes += cli_format_integer(at, value);
}

void cli_buffer_ids(cli_buffer *b, const int32_t *ids, size_t n) {
    char *at = n > SIZE_MAX / 12 ? NULL : cli_buffer_reserve(b, 12 * n + CLI_NUMBER_BYTES); /* "-2147483648," */
    size_t used = 0, i;
    if (at == NULL) {
        b->failed = 1;
        return;
    }
    for (i = 0; i < n; i++) {
        if (i > 0) at[used++] = ',';
        used += cli_format_integer(at + used, ids[i]);
    }
    b->bytes += used;
}

/* --- Floats ------------------------------------------------------------------------------------------------- */

/* 10^0 to 10^15: exact in float64. */
static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/* Is m / 10^scale, as a float, x? The quotient is rounded twice, to float64 and to float32; -1 where it lies so near
 * the middle of two floats that the first rounding may have decided the second. */
static int reads_back(uint32_t m, int scale, float x) {
    const double quotient = (double)m / powers[scale];
    uint64_t bits;
    memcpy(&bits, &quotient, sizeof bits);
    bits &= 0x1fffffff; /* what float32 drops */
    if (bits >= 0x0fffffff && bits <= 0x10000001) return -1;
    return (float)quotient == x;
}

/* x in [1e-5, 1e7): finds the integer m of fewest digits, and the scale, with x = m / 10^scale. Returns 0 if it cannot
 * be sure. */
static int shortest(float x, uint32_t *best, int *best_scale) {
    int exponent = -5, digits; /* 10^exponent <= x < 10^(exponent + 1) */
    while (exponent < 7 && (double)x >= (exponent + 1 < 0 ? 1 / powers[-exponent - 1] : powers[exponent + 1]))
        exponent++;
    *best = 0;
    *best_scale = 0;
    for (digits = 9; digits >= 1; digits--) {
        const int scale = digits - 1 - exponent;
        uint32_t m;
        int same;
        if (scale < 0) break; /* a whole number: only zeros are left to drop */
        m = (uint32_t)((double)x * powers[scale] + 0.5);
        same = reads_back(m, scale, x);
        if (same < 0) return 0;
        if (same == 0) {
            if (digits == 9) return 0;
            break;
        }
        *best = m;
        *best_scale = scale;
    }
    return 1;
}

/* m / 10^scale in plain decimals, without trailing zeros behind the point. */
static size_t format_scaled(char *out, uint32_t m, int scale) {
    char digits[16]; /* the lowest first */
    int n = 0, i;
    size_t used = 0;
    while (scale > 0 && m % 10 == 0) {
        m /= 10;
        scale--;
    }
    while (m != 0 || n <= scale) {
        digits[n++] = (char)('0' + m % 10);
        m /= 10;
    }
    for (i = n - 1; i >= 0; i--) {
        out[used++] = digits[i];
        if (i == scale && i > 0) out[used++] = '.';
    }
    return used;
}

static size_t format_slowly(char *out, float x) {
    int digits, n = 0;
    for (digits = 1; digits <= 9; digits++) {
        n = snprintf(out, CLI_NUMBER_BYTES, "%.*g", digits, (double)x);
        if (strtof(out, NULL) == x) break;
    }
    return (size_t)n;
}

size_t cli_format_float(char *out, float x) {
    const float size = fabsf(x);
    uint32_t m;
    int scale;
    size_t used = 0;
    if (!(x - x == 0)) { /* NaN or an infinity */
        memcpy(out, "null", 5);
        return 4;
    }
    if (!(size >= 1e-5f && size < 1e7f) || !shortest(size, &m, &scale)) return format_slowly(out, x);
    if (x < 0) out[used++] = '-';
    used += format_scaled(out + used, m, scale);
    out[used] = '\0';
    return used;
}

void cli_buffer_float(cli_buffer *b, float x) {
    char *at = cli_buffer_reserve(b, CLI_NUMBER_BYTES);
    if (at != NULL) b->bytes += cli_format_float(at, x);
}
