/* SPDX-License-Identifier: Apache-2.0
 * The AMX kernels with the tile instructions written in C, as Intel's manual defines them, so that machines without AMX
 * test all but the processor (the file's name asks for the flags of the rest). Linked to the programs that include
 * kernel_tables.h. What the processor would refuse ends the program. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TILES 8

static _Thread_local struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} config; /* palette 0: none is loaded */
static _Thread_local uint8_t tiles[TILES][16][64];

static void check(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "AMX: %s\n", what);
    abort();
}

static void tile_configure(const void *from) {
    size_t t;
    memcpy(&config, from, sizeof config);
    check(sizeof config == 64 && config.palette == 1 && config.start_row == 0, "palette");
    for (t = 0; t < 14; t++) check(config.reserved[t] == 0, "reserved bytes");
    for (t = 0; t < 16; t++) {
        check(t < TILES || (config.row_bytes[t] == 0 && config.rows[t] == 0), "more than 8 tiles");
        check(config.row_bytes[t] <= 64 && config.rows[t] <= 16, "size of a tile");
    }
    memset(tiles, 0, sizeof tiles);
}

static void tile_release(void) { memset(&config, 0, sizeof config); }

static void tile_zero(size_t c) {
    check(config.palette == 1, "no configuration");
    memset(tiles[c], 0, sizeof tiles[c]);
}

static void tile_load(size_t t, const void *from, size_t stride) {
    size_t r;
    check(config.palette == 1, "no configuration");
    memset(tiles[t], 0, sizeof tiles[t]);
    for (r = 0; r < config.rows[t]; r++) memcpy(tiles[t][r], (const uint8_t *)from + r * stride, config.row_bytes[t]);
}

static void tile_store(size_t t, void *to, size_t stride) {
    size_t r;
    check(config.palette == 1, "no configuration");
    for (r = 0; r < config.rows[t]; r++) memcpy((uint8_t *)to + r * stride, tiles[t][r], config.row_bytes[t]);
}

/* c[m][n] += sum over k, i of a[m][4 k + i] * b[k][4 n + i] */
static void tile_dot(size_t c, size_t a, size_t b) {
    size_t m, k, n, i;
    check(config.palette == 1 && a != b && a != c && b != c, "no configuration, or a tile twice");
    check(config.rows[a] == config.rows[c] && config.row_bytes[b] == config.row_bytes[c] &&
              config.row_bytes[a] == 4 * config.rows[b], "shapes of a product");
    for (m = 0; m < config.rows[c]; m++)
        for (n = 0; n < config.row_bytes[c] / 4u; n++) {
            int32_t sum;
            memcpy(&sum, &tiles[c][m][4 * n], sizeof sum);
            for (k = 0; k < config.rows[b]; k++)
                for (i = 0; i < 4; i++) sum += (int8_t)tiles[a][m][4 * k + i] * (int8_t)tiles[b][k][4 * n + i];
            memcpy(&tiles[c][m][4 * n], &sum, sizeof sum);
        }
}

#define TILE_VERBS
#define TIER(name) name##_amx_in_c
#define TIER_NAME "amx (in C)"
#include "run/kernels/kernels_amx.c"
