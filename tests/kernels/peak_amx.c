/* SPDX-License-Identifier: Apache-2.0
 * tdpbssd: 16 x 16 sums of 64 products each in one instruction, into six tiles in turns. */
#include <immintrin.h>
#include <stdint.h>

#include "peak.h"

double peak_amx(size_t rounds) {
    static const struct tile_config {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } whole = {.palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    size_t r;
    _tile_loadconfig(&whole);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    for (r = 0; r < rounds; r++) {
        _tile_dpbssd(0, 6, 7);
        _tile_dpbssd(1, 6, 7);
        _tile_dpbssd(2, 6, 7);
        _tile_dpbssd(3, 6, 7);
        _tile_dpbssd(4, 6, 7);
        _tile_dpbssd(5, 6, 7);
    }
    _tile_release();
    return 16.0 * 16.0 * 64.0 * 6.0 * (double)rounds;
}
