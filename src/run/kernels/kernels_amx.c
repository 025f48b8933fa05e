/* SPDX-License-Identifier: Apache-2.0
 * Run-time kernels, AMX-INT8: products in tiles (linear_amx.h, attention_amx.h). In: codes and floats. Out: those of
 * ref.c. Everything else, and inputs that are no multiple of 64, are AVX512-VNNI's.
 *
 * On machines without AMX the tests run this file with the tile instructions written in C
 * (tests/unit/amx_avx512vnni.c). */
#include "run/kernels/tiers.h"

#include <string.h>

#include "run/kernels/verbs_avx512.h"

#define TILE_ROWS 8
#define TILE_PANELS 2

#ifndef TILE_VERBS /* else the includer has them */
#define TIER(name) name##_amx
#define TIER_NAME "amx"
#define tile_configure(config) _tile_loadconfig(config)
#define tile_release() _tile_release()
#define tile_zero(c) _tile_zero(c)
#define tile_load(t, from, stride) _tile_loadd(t, from, stride)
#define tile_store(c, to, stride) _tile_stored(c, to, stride)
#define tile_dot(c, a, b) _tile_dpbssd(c, a, b) /* a u7 is an s8 too */
#endif

/* GCC's tile_load does not say that it reads memory, nor tile_configure that it reads more than a number. */
#define written_before_tiles() __asm__ volatile("" ::: "memory")

#define TILE_HEIGHT ((size_t)16)
#define TILE_INPUTS ((size_t)64)

/* What tile_configure reads; palette 1 has eight tiles. */
typedef struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

static const tile_shapes whole_tiles = {
    .palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

static void load_shapes(const tile_shapes *shapes) {
    written_before_tiles();
    tile_configure(shapes);
}

/* sum + the products of 4 bytes a lane */
static inline vi vi_dot(vi sum, vi u7, vi s8) { return _mm512_dpbusd_epi32(sum, u7, s8); }

/* To the nearest int, ties to even; INT32_MIN for a NaN and what is too large or too small. */
static inline vi nearest_of(vf x) {
    return _mm512_cvt_roundps_epi32(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

#define STRIP_ROWS ((size_t)16)
#define LINEAR_ROWS ((size_t)256)
#define LINEAR_HEADER "run/kernels/linear_amx.h" /* has linear_block_of */
#define ATTENTION_HEADER "run/kernels/attention_amx.h" /* has attention_queries_of */
#include "run/kernels/kernels_impl.h"
